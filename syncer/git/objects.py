"""Reads and stores a repository's objects: texts of files by the thousand, one at a time in memory."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from syncer.errors import GitError
from syncer.git.repository import Blob, Repository
from syncer.git.run import git, running

OWN_INDEX = ("-c", "core.splitIndex=false", "-c", "core.untrackedCache=false", "-c", "core.fsmonitor=false")
"""An index that is thrown away needs nothing of what makes the next look at it fast."""


KEEP_HEAP = {"MALLOC_TRIM_THRESHOLD_": str(4 << 20)}
"""Else glibc gives the heap's end back after each text and asks for it again: half of the time of `fast-import`."""


class Entry(NamedTuple):
    """A file that is to stand in a commit or in an index."""

    path: str
    blob: Blob


def read_blobs(repository: Repository, names: Iterable[str]) -> Iterator[bytes]:
    """Yield the texts of these blobs, or of other objects, in order. Raises GitError."""
    with tempfile.TemporaryFile() as asked:
        asked.writelines(f"{name}\n".encode() for name in names)
        asked.seek(0)
        with running(repository.top, "cat-file", "--batch", "--buffer", fed=asked) as beside:
            assert beside.stdout is not None
            while head := beside.stdout.readline():
                name, *rest = head.decode().split()
                if len(rest) != 2:
                    raise GitError(f"git does not have {name}: {' '.join(rest)}; fetch it, or repair the repository")
                yield beside.stdout.read(int(rest[1]) + 1)[:-1]


def read_messages(repository: Repository, commits: Iterable[str]) -> Iterator[str]:
    """Yield the messages of these commits, in order. Raises GitError."""
    for commit in read_blobs(repository, commits):
        yield commit.partition(b"\n\n")[2].decode(errors="surrogateescape")


@contextmanager
def storing_blobs(repository: Repository) -> Iterator[Callable[[bytes], str]]:
    """Give a function that stores a text, as it is, and returns its name. All are stored at the end of the block.

    Texts that nothing refers to afterwards do no harm: git forgets them in time. Raises GitError.
    """
    words = ["fast-import", "--quiet", "--depth=0"]  # a page has no likeness with the one before
    with running(repository.top, *words, fed=subprocess.PIPE, variables=KEEP_HEAP) as beside:
        assert beside.stdin is not None
        pipe, hash_of = beside.stdin, partial(hashlib.new, repository.hash_name)

        def store(text: bytes) -> str:
            pipe.write(b"blob\ndata %d\n%b\n" % (len(text), text))
            return hash_of(b"blob %d\0%b" % (len(text), text)).hexdigest()

        yield store


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
        "-p", parent, "-F", "-", tree, fed=[message.encode(errors="replace")], variables=variables,
    ).strip()  # fmt: skip


def tidy(repository: Repository) -> None:
    """Let git pack what has piled up, as it does after a commit of its own: beside us, and seldom."""
    with suppress(GitError):  # it has failed lately, or somebody is at it: a commit does not depend on it
        git(repository.top, "gc", "--auto", "--quiet")


def index_info(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield entries in the form that `git update-index --index-info` takes."""
    for entry in entries:
        yield f"{entry.blob.mode} {entry.blob.name}\t{entry.path}\0".encode(errors="surrogateescape")
