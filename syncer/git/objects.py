"""Reads and stores a repository's objects: texts of files by the thousand, one at a time in memory."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

from syncer.errors import GitError
from syncer.git.repository import Blob, Repository
from syncer.git.run import PATIENCE, command, environment, git, said

OWN_INDEX = ("-c", "core.splitIndex=false", "-c", "core.untrackedCache=false", "-c", "core.fsmonitor=false")
"""An index that is thrown away needs nothing of what makes the next look at it fast."""


class Entry(NamedTuple):
    """A file that is to stand in a commit or in an index."""

    path: str
    blob: Blob


def read_blobs(repository: Repository, names: Iterable[str]) -> Iterator[bytes]:
    """Yield the texts of these blobs, in order. Raises GitError."""
    with tempfile.TemporaryFile() as asked:
        asked.writelines(f"{name}\n".encode() for name in names)
        asked.seek(0)
        with _running(repository, ["cat-file", "--batch", "--buffer"], stdin=asked) as running:
            assert running.stdout is not None
            while head := running.stdout.readline():
                name, *rest = head.decode().split()
                if len(rest) != 2:
                    raise GitError(f"git does not have {name}: {' '.join(rest)}; fetch it, or repair the repository")
                yield running.stdout.read(int(rest[1]) + 1)[:-1]


@contextmanager
def storing_blobs(repository: Repository) -> Iterator[Callable[[bytes], str]]:
    """Give a function that stores a text, as it is, and returns its name. All are stored at the end of the block.

    Texts that nothing refers to afterwards do no harm: git forgets them in time. Raises GitError.
    """
    with _running(repository, ["fast-import", "--quiet"], stdin=subprocess.PIPE) as running:
        assert running.stdin is not None
        pipe = running.stdin

        def store(text: bytes) -> str:
            pipe.write(b"blob\ndata %d\n%b\n" % (len(text), text))
            return hashlib.new(repository.hash_name, b"blob %d\0%b" % (len(text), text)).hexdigest()

        yield store


@contextmanager
def _running(repository: Repository, words: list[str], stdin: int | IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command beside us, and give it; at the end of the block it must end well. Raises GitError."""
    with tempfile.TemporaryFile() as errors:
        running = subprocess.Popen(
            command(*words), cwd=repository.top, env=environment(), stdin=stdin,
            stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
        )  # fmt: skip
        try:
            yield running
            if running.stdin:
                running.stdin.close()
            code = running.wait(PATIENCE)
        except BrokenPipeError:
            code = running.wait(PATIENCE)
        except BaseException:
            running.kill()
            raise
        finally:
            for pipe in (running.stdin, running.stdout):
                if pipe and not pipe.closed:
                    pipe.close()
            running.wait()
        if code != 0:
            errors.seek(0)
            raise GitError(f"git {words[0]} failed: {said(errors.read())}")


def write_commit(
    repository: Repository, parent: str, entries: Iterable[Entry], message: str, variables: Mapping[str, str]
) -> str:
    """Store a commit that is its parent with these files instead, and return its name; no branch points at it yet.

    It is signed if git is set to sign. `variables` are those that say who commits. Raises GitError.
    """
    with tempfile.TemporaryDirectory(prefix="syncer-") as scratch:
        own = {"GIT_INDEX_FILE": str(Path(scratch, "index"))}
        git(repository.top, *OWN_INDEX, "read-tree", parent, variables=own)
        git(repository.top, *OWN_INDEX, "update-index", "-z", "--index-info", fed=index_info(entries), variables=own)
        tree = git(repository.top, *OWN_INDEX, "write-tree", variables=own).strip()
    signed = git(repository.top, "config", "--type=bool", "--default=false", "--get", "commit.gpgSign") == "true\n"
    return git(
        repository.top, "-c", "i18n.commitEncoding=UTF-8", "commit-tree", *(["-S"] if signed else []),
        "-p", parent, "-F", "-", tree, fed=message.encode(errors="replace"), variables=variables,
    ).strip()  # fmt: skip


def tidy(repository: Repository) -> None:
    """Let git pack what has piled up, as it does after a commit of its own: beside us, and seldom."""
    with suppress(GitError):  # it has failed lately, or somebody is at it: a commit does not depend on it
        git(repository.top, "gc", "--auto", "--quiet")


def index_info(entries: Iterable[Entry]) -> bytes:
    """Return entries in the form that `git update-index --index-info` takes."""
    return b"".join(
        f"{entry.blob.mode} {entry.blob.name}\t{entry.path}\0".encode(errors="surrogateescape") for entry in entries
    )
