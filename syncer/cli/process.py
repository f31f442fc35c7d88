"""The process of a command: UTF-8 file names, three standard streams that always exist, and safe file modes."""

from __future__ import annotations

import codecs
import errno
import gc
import json
import os
import select
import signal
import sys
from io import BufferedWriter, RawIOBase, TextIOWrapper

STDIN, STDOUT, STDERR = 0, 1, 2

NEW_OBJECTS = 100_000
"""How many are made before Python looks for garbage among them: more than all imports of a command make. Its own 700
cost a tenth of the time of a start, and a sync leaves only some hundred objects that need to be looked for.
"""


def prepare() -> None:
    """Prepare the process for every command; called once, before anything is opened or printed.

    If the locale has another encoding, this restarts the process in Python's UTF-8 mode: the names of pages in the
    diff log and in git are then the same on every machine and in every cron table.
    """
    if sys.getfilesystemencoding() != "utf-8" and sys.executable:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - ourselves
    gc.set_threshold(NEW_OBJECTS)
    os.umask(os.umask(0o077) & 0o077)  # the files that syncer makes are readable to it, whatever the umask
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends a sync that is stopped while it writes: `content.lease`
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    _open_missing_streams()
    codecs.register_error(_ESCAPED, _escape)
    sys.stdin = sys.stdin or open(STDIN, encoding="utf-8", closefd=False)  # noqa: SIM115 - it ends with the process
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    sys.stdout = _writer(_Output(STDOUT, gives_up=True), sys.stdout)
    sys.stderr = _writer(_Output(STDERR, gives_up=False), sys.stderr)


def finish() -> None:
    """Flush standard output; report lost output on standard error, unless the reader closed the pipe.

    Python's search for garbage at the end of the process is left out: the system takes back all memory anyway.
    """
    lost = lost_output()
    gc.freeze()
    if lost and lost.errno != errno.EPIPE:
        from syncer.cli.log_setup import for_standard_error

        text = f"syncer: cannot write all of the output: {lost.strerror}"
        print(for_standard_error(text, "ERROR"), file=sys.stderr)


def lost_output() -> OSError | None:
    """Flush standard output, and return why nothing more can be written there; None if all was written."""
    sys.stdout.flush()
    output = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return output.lost if isinstance(output, _Output) else None


def printed(code: int = 0) -> int:
    """Return the exit code of a command that did nothing but print: `code`, or 2 instead of 0 where output was lost.

    A reader that has closed the pipe has read enough: that is no failure.
    """
    from syncer.errors import ExitCode

    lost = lost_output()
    return ExitCode.CANNOT_RUN if code == ExitCode.OK and lost and lost.errno != errno.EPIPE else code


class _Output(RawIOBase):
    """A descriptor that accepts everything: output that cannot be written is dropped and does not fail the command."""

    def __init__(self, number: int, *, gives_up: bool) -> None:
        """`gives_up`: after one failure nothing more is written: results are cut off, but never have a gap."""
        super().__init__()
        self.lost: OSError | None = None
        self._number = number
        self._gives_up = gives_up

    def write(self, data: object, /) -> int:
        """Write at least the first bytes, and return how many; wait where a reader is slow."""
        assert isinstance(data, memoryview), "a BufferedWriter gives no other"
        while not (self.lost and self._gives_up):
            try:
                return os.write(self._number, data)
            except BlockingIOError:  # another process made the pipe non-blocking
                waiting = select.poll()
                waiting.register(self._number, select.POLLOUT)
                waiting.poll()
            except OSError as error:
                self.lost = error
                break
        return data.nbytes

    def writable(self) -> bool:
        """Return True, even where nothing reads the output."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._number

    def isatty(self) -> bool:
        """Whether it is a terminal that still exists."""
        return os.isatty(self._number)


def _open_missing_streams() -> None:
    """Open /dev/null for each closed standard stream: else the next file that is opened would get the output."""
    for number, flags in ((STDIN, os.O_RDONLY), (STDOUT, os.O_WRONLY), (STDERR, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, flags), True)  # noqa: FBT003 - the lowest free number: this one


def _writer(output: _Output, before: object) -> TextIOWrapper:
    """Return a text stream like the one that Python made, if any; characters that its encoding lacks are escaped."""
    like = before if isinstance(before, TextIOWrapper) else None
    return TextIOWrapper(
        BufferedWriter(output),
        encoding=like.encoding if like else "utf-8",
        errors=_ESCAPED,
        line_buffering=like is not None and (like.line_buffering or like.write_through),
    )


_ESCAPED = "syncer.escaped"


def _escape(error: UnicodeError) -> tuple[str, int]:
    """Return characters as JSON escapes them: a JSON document stays valid in every encoding."""
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
