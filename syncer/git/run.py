"""The git command: run with an argument list, without what the environment says about other repositories."""

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
from tempfile import TemporaryFile
from typing import IO, NamedTuple

from syncer.errors import GitError

PATIENCE = 60
"""Seconds that one git command may take."""

LONGEST = 1800
"""Seconds that a git command may run beside us: it can wait for a remote, in a clone that has not all texts."""

LOOK = 0.2
"""Seconds after which it is looked whether a command is to be stopped."""

GRACE = 2
"""Seconds that a command has to remove its locks when it is told to end."""

OUR_WAY = ("--no-pager", "--literal-pathspecs", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")
"""No hook is run: what syncer does is none of the author's own doing."""

KEPT = ("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_SSH", "GIT_ASKPASS", "GIT_CONFIG_", "GIT_SSL_", "GIT_HTTP_")
"""Variables that say who commits, and how remotes are reached; all others may be about another repository."""

NOT_KEPT = {"GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE", "GIT_CONFIG_PARAMETERS"}


class _Limits(NamedTuple):
    """When a command is ended."""

    patience: float = PATIENCE
    stopped: Callable[[], bool] = lambda: False


USUAL = _Limits()


def has_git() -> bool:
    """Whether the git command is there."""
    return shutil.which("git") is not None


def git(
    directory: str | Path,
    *arguments: str,
    fed: Iterable[bytes] = (),
    variables: Mapping[str, str] | None = None,
    patience: float = PATIENCE,
    stopped: Callable[[], bool] = lambda: False,
    holding: Sequence[int] = (),
) -> str:
    """Run git in a directory, with `fed` piece by piece on its standard input; return what it says. Raises GitError.

    It is ended after `patience` seconds, or once `stopped` says so. `holding` are open files that stay open until the
    command has ended, also where we end before it.
    """
    limits = _Limits(patience, stopped)
    code, out, err = _run(directory, arguments, fed, variables or {}, limits=limits, holding=holding)
    if code != 0:
        raise GitError(f"git {_name(arguments)} failed: {_said(err)}")
    return out


def ask_git(directory: str | Path, *arguments: str) -> str | None:
    """Return what git says, without the line's end; None where it says no. Raises GitError."""
    code, out, err = _run(directory, arguments, (), {})
    if code > 1:
        raise GitError(f"git {_name(arguments)} failed: {_said(err)}")
    return out.removesuffix("\n") if code == 0 else None


@contextmanager
def running(
    directory: str | Path,
    *arguments: str,
    fed: int | IO[bytes] = subprocess.DEVNULL,
    variables: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run git beside us, and give it; at the end of the block it must end well. Raises GitError.

    `fed` is a file to read, or subprocess.PIPE. What is still to be written is written at the end of the block.
    """
    with TemporaryFile() as err:
        beside = _started(directory, arguments, variables or {}, (fed, subprocess.PIPE, err))
        limit = threading.Timer(LONGEST, end, [beside])
        limit.daemon = True
        limit.start()
        try:
            yield beside
        except BrokenPipeError:
            pass  # it has ended, and says why
        finally:
            code = _ended(beside)
            limit.cancel()
        if code != 0:
            err.seek(0)
            raise GitError(f"git {_name(arguments)} failed: {_said(err.read()) or f'it ended with {code}'}")


def _ended(beside: subprocess.Popen[bytes]) -> int:
    """Wait until git has worked off what it was fed, and return its exit code."""
    for pipe in (beside.stdin, beside.stdout):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()
    try:
        return beside.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        end(beside)
        return beside.wait()


def inside_work_tree(directory: Path) -> bool:
    """Whether a directory is in the working tree of a repository.

    Raises GitError where git cannot tell: there is no git, or it does not trust the repository's owner.
    """
    try:
        return git(directory, "rev-parse", "--is-inside-work-tree").strip() == "true"
    except GitError as error:
        if os.path.isdir(directory) and "not a git repository" not in str(error):
            raise
        return False


def _name(arguments: tuple[str, ...]) -> str:
    """Return the command's own name: settings may stand before it."""
    settings = {number + after for number, word in enumerate(arguments) if word == "-c" for after in (0, 1)}
    return next(word for number, word in enumerate(arguments) if number not in settings)


def _run(
    directory: str | Path,
    arguments: tuple[str, ...],
    fed: Iterable[bytes],
    variables: Mapping[str, str],
    *,
    limits: _Limits = USUAL,
    holding: Sequence[int] = (),
) -> tuple[int, str, bytes]:
    """Return the exit code, the output, and what was said on standard error.

    Git runs in a session of its own: there is no terminal that it, or ssh, could ask a question on. It talks through
    files: what it leaves running (ssh keeps connections open) may keep them, and nobody waits for its end.
    """
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.writelines(fed)
        given.seek(0)
        started = _started(directory, arguments, variables, (given, out, err), holding)
        try:
            code = _wait(started, _name(arguments), limits)
        except BaseException:
            end(started)
            raise
        out.seek(0)
        err.seek(0)
        return code, out.read().decode(errors="surrogateescape"), err.read()


def _wait(started: subprocess.Popen[bytes], name: str, limits: _Limits) -> int:
    """Return the exit code. Raises GitError at the limits."""
    deadline = time.monotonic() + limits.patience
    while True:
        with suppress(subprocess.TimeoutExpired):
            return started.wait(max(0.0, min(LOOK, deadline - time.monotonic())))
        if limits.stopped():
            raise GitError(f"git {name} was stopped in the middle, as the sync was told to stop")
        if time.monotonic() >= deadline:
            raise GitError(f"git {name} took more than {limits.patience:g} seconds")


def _started(
    directory: str | Path,
    arguments: tuple[str, ...],
    variables: Mapping[str, str],
    files: tuple[int | IO[bytes], int | IO[bytes], int | IO[bytes]],
    holding: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    given, out, err = files
    try:
        return subprocess.Popen(
            ["git", *OUR_WAY, *arguments], cwd=directory, env={**_environment(), **variables},
            stdin=given, stdout=out, stderr=err, start_new_session=True, pass_fds=holding,
        )  # fmt: skip
    except OSError as error:
        if not has_git():
            raise GitError("git is not installed; install it") from None
        raise GitError(f"git cannot run in {directory}: {error.strerror}") from error


def _environment() -> dict[str, str]:
    """Return the variables that git is run with."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or (name.startswith(KEPT) and name not in NOT_KEPT)
    }
    return kept | {"GIT_TERMINAL_PROMPT": "0", "GCM_INTERACTIVE": "never", "LC_ALL": "C"}


def _said(errors: bytes) -> str:
    """Return git's complaint as one line, without hints, and without what an address may hold of passwords."""
    lines = (line.strip() for line in errors.decode(errors="replace").splitlines())
    told = "; ".join(line for line in lines if line and not line.startswith("hint:"))
    return re.sub(r"//[^/\s]*@", "//", told)


def end(started: subprocess.Popen[bytes]) -> None:
    """End a command with all that it has started: it may put its files away, then it is killed."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(started.pid, sent)
        with suppress(subprocess.TimeoutExpired):
            started.wait(GRACE)
