"""Runs the git command, without environment variables that are about other repositories."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import IO

from syncer.errors import GitError
from syncer.git.temporary import file_of

COMMAND_TIMEOUT = 60
"""Seconds that one git command may take."""

STREAM_TIMEOUT = 1800
"""Seconds that a streaming git command may take: in a partial clone, it may have to fetch from the remote."""

STOP_CHECK_INTERVAL = 0.2
"""Seconds between two checks whether to stop a command."""

EXIT_TIMEOUT = 2
"""Seconds that a command has to remove its locks after SIGTERM."""

OPTIONS = ("--no-pager", "--literal-pathspecs", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")
"""No hooks run: they are meant for the author's own commits."""

KEPT_VARIABLES = ("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_SSH", "GIT_ASKPASS", "GIT_CONFIG_", "GIT_SSL_", "GIT_HTTP_")
"""Beginnings of variables that name the author or say how to reach remotes; others may be about another repository."""

REMOVED_VARIABLES = {"GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE", "GIT_CONFIG_PARAMETERS", "PGPASSWORD"}
"""Variables with those beginnings that are removed nevertheless, and the password of a ledger's server."""


def has_git() -> bool:
    """Whether the git command is installed."""
    return shutil.which("git") is not None


def git(
    directory: str | Path,
    *arguments: str,
    stdin: Iterable[bytes] = (),
    variables: Mapping[str, str] | None = None,
    timeout: float = COMMAND_TIMEOUT,
    stopped: Callable[[], bool] = lambda: False,
    pass_fds: Sequence[int] = (),
) -> str:
    """Run git in a directory, with `stdin` on its standard input; return its output. Raises GitError.

    It is stopped after `timeout` seconds, or once `stopped` returns true. `pass_fds` are open files that stay open
    until the command has ended, even if syncer ends before it.
    """
    code, out, err = _run(
        directory, arguments, stdin, variables or {}, timeout=timeout, stopped=stopped, pass_fds=pass_fds
    )
    if code != 0:
        raise GitError(f"git {_name(arguments)} failed: {_error_line(err)}")
    return out


def git_or_none(directory: str | Path, *arguments: str) -> str | None:
    """Return git's output without the last line end; None if git exits with 1. Raises GitError."""
    code, out, err = _run(directory, arguments)
    if code > 1:
        raise GitError(f"git {_name(arguments)} failed: {_error_line(err)}")
    return out.removesuffix("\n") if code == 0 else None


@contextmanager
def running(
    directory: str | Path,
    *arguments: str,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    variables: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run git in parallel, and yield its process; at the end of the block it must exit with 0. Raises GitError.

    `stdin` is a file to read, or subprocess.PIPE. Buffered input is flushed at the end of the block.
    """
    with file_of() as err:
        process = _started(directory, arguments, variables or {}, (stdin, subprocess.PIPE, err))
        limit = threading.Timer(STREAM_TIMEOUT, end, [process])
        limit.daemon = True
        limit.start()
        try:
            yield process
        except BrokenPipeError:
            pass  # git has ended; its error is read below
        finally:
            code = _ended(process)
            limit.cancel()
        if code != 0:
            err.seek(0)
            raise GitError(f"git {_name(arguments)} failed: {_error_line(err.read()) or f'exit code {code}'}")


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Wait until git has processed its input, and return its exit code."""
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()
    try:
        return process.wait(COMMAND_TIMEOUT)
    except subprocess.TimeoutExpired:
        end(process)
        return process.wait()


def inside_work_tree(directory: Path) -> bool:
    """Whether a directory is in the working tree of a repository.

    Raises GitError if git is not installed or does not trust the repository's owner.
    """
    try:
        return git(directory, "rev-parse", "--is-inside-work-tree").strip() == "true"
    except GitError as error:
        if os.path.isdir(directory) and "not a git repository" not in str(error):
            raise
        return False


def _name(arguments: tuple[str, ...]) -> str:
    """Return the command's name, after the settings before it."""
    settings = {number + offset for number, word in enumerate(arguments) if word == "-c" for offset in (0, 1)}
    return next(word for number, word in enumerate(arguments) if number not in settings)


def _run(
    directory: str | Path,
    arguments: tuple[str, ...],
    stdin: Iterable[bytes] = (),
    variables: Mapping[str, str] = MappingProxyType({}),
    *,
    timeout: float = COMMAND_TIMEOUT,
    stopped: Callable[[], bool] = lambda: False,
    pass_fds: Sequence[int] = (),
) -> tuple[int, str, bytes]:
    """Return the exit code, the output, and what is on standard error.

    Git runs in a session of its own, so it and ssh have no terminal to prompt on. It reads and writes files, not pipes:
    a process that it leaves running, such as a shared ssh connection, would keep a pipe open.
    """
    with file_of(stdin) as given, file_of() as out, file_of() as err:
        process = _started(directory, arguments, variables, (given, out, err), pass_fds)
        try:
            code = _wait(process, _name(arguments), timeout, stopped)
        except BaseException:
            end(process)
            raise
        out.seek(0)
        err.seek(0)
        return code, out.read().decode(errors="surrogateescape"), err.read()


def _wait(process: subprocess.Popen[bytes], name: str, timeout: float, stopped: Callable[[], bool]) -> int:
    """Return the exit code. Raises GitError after the timeout, and once `stopped` returns true."""
    deadline = time.monotonic() + timeout
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(max(0.0, min(STOP_CHECK_INTERVAL, deadline - time.monotonic())))
        if stopped():
            raise GitError(f"git {name} was stopped because the sync was stopped; the next sync tries again")
        if time.monotonic() >= deadline:
            raise GitError(f"git {name} took more than {timeout:g} seconds; the next sync tries again")


def _started(
    directory: str | Path,
    arguments: tuple[str, ...],
    variables: Mapping[str, str],
    files: tuple[int | IO[bytes], int | IO[bytes], int | IO[bytes]],
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    stdin, stdout, stderr = files
    kept = {
        name: value
        for name in os.environ  # not `items`: another thread may remove a variable meanwhile, such as a site's key
        if name not in REMOVED_VARIABLES and (not name.startswith("GIT_") or name.startswith(KEPT_VARIABLES))
        if (value := os.environ.get(name)) is not None
    }
    env = {**kept, "GIT_TERMINAL_PROMPT": "0", "GCM_INTERACTIVE": "never", "LC_ALL": "C", **variables}
    try:
        return subprocess.Popen(
            ["git", *OPTIONS, *arguments], cwd=directory, env=env, stdin=stdin, stdout=stdout, stderr=stderr,
            start_new_session=True, pass_fds=pass_fds,
        )  # fmt: skip
    except OSError as error:
        if not has_git():
            raise GitError("the `git` command was not found; install git") from None
        raise GitError(f"git cannot run in {directory}: {error.strerror}") from error


def _error_line(errors: bytes) -> str:
    """Return git's error as one line, without hints and without passwords in addresses."""
    lines = (line.strip() for line in errors.decode(errors="replace").splitlines())
    line = "; ".join(line for line in lines if line and not line.startswith("hint:"))
    return re.sub(r"//[^/\s]*@", "//", line)


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a command and everything it has started: first with SIGTERM, then with SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(EXIT_TIMEOUT)
