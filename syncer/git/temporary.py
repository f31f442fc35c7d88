"""Temporary files and directories for git."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO

from syncer.errors import GitError


def file_of(content: Iterable[bytes] = ()) -> IO[bytes]:
    """Return an open file without a name, with this content, for git to read or write. Raises GitError."""
    try:
        file = TemporaryFile()  # noqa: SIM115 - the caller closes it
        try:
            file.writelines(content)
            file.seek(0)
        except BaseException:
            file.close()
            raise
    except OSError as error:
        raise _cannot_write(error) from error
    return file


@contextmanager
def scratch_directory() -> Iterator[str]:
    """Yield the path of a new directory that is removed afterwards. Raises GitError."""
    try:
        directory = TemporaryDirectory(prefix="syncer-")
    except OSError as error:
        raise _cannot_write(error) from error
    with directory as path:
        yield path


def _cannot_write(error: OSError) -> GitError:
    reason = error.strerror or str(error)
    return GitError(f"syncer cannot write a temporary file for git: {reason}. Free some space, or set TMPDIR")
