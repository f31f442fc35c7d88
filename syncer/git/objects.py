"""Reads and stores a repository's objects: thousands of files, one at a time in memory."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from syncer.errors import GitError
from syncer.git.repository import Blob, Repository
from syncer.git.run import git, running
from syncer.git.temporary import file_of, scratch_directory

PLAIN_INDEX = ("-c", "core.splitIndex=false", "-c", "core.untrackedCache=false", "-c", "core.fsmonitor=false")
"""Options for a temporary index: it needs nothing that makes later commands faster."""

HEAP_VARIABLES = {"MALLOC_TRIM_THRESHOLD_": str(4 << 20)}
"""Without it, glibc returns the heap's end after each text and requests it again: half of `fast-import`'s time."""


class TreeEntry(NamedTuple):
    """A file for a commit or an index."""

    path: str
    blob: Blob


def read_blobs(repository: Repository, names: Iterable[str]) -> Iterator[bytes]:
    """Yield the texts of these blobs, or of other objects, in order. Raises GitError."""
    wanted = file_of(f"{name}\n".encode() for name in names)
    with wanted, running(repository.top, "cat-file", "--batch", "--buffer", stdin=wanted) as process:
        assert process.stdout is not None
        while head := process.stdout.readline():
            name, *rest = head.decode().split()
            if len(rest) != 2:
                raise GitError(
                    f"git cannot read the object {name} ({' '.join(rest)}); run `git fetch`, or `git fsck` to find"
                    " what is damaged"
                )
            yield process.stdout.read(int(rest[1]) + 1)[:-1]


def read_texts(repository: Repository, names: Sequence[str]) -> Iterator[bytes]:
    """Yield the texts of these blobs, in order; `b""` for NO_BLOB. Raises GitError."""
    texts = read_blobs(repository, filter(None, names))
    return (next(texts) if name else b"" for name in names)


def read_messages(repository: Repository, commits: Iterable[str]) -> Iterator[str]:
    """Yield the messages of these commits, in order. Raises GitError."""
    for commit in read_blobs(repository, commits):
        yield commit.partition(b"\n\n")[2].decode(errors="surrogateescape")


@contextmanager
def storing_blobs(repository: Repository) -> Iterator[Callable[[bytes], str]]:
    """Yield a function that stores a text and returns its name. All texts are stored at the end of the block.

    Texts that nothing refers to afterwards do no harm: git deletes them in time. Raises GitError.
    """
    command = ["fast-import", "--quiet", "--depth=0"]  # a page is not similar to the one before
    with running(repository.top, *command, stdin=subprocess.PIPE, variables=HEAP_VARIABLES) as process:
        assert process.stdin is not None
        pipe, hash_of = process.stdin, partial(hashlib.new, repository.hash_name)

        def store(text: bytes) -> str:
            pipe.write(b"blob\ndata %d\n%b\n" % (len(text), text))
            return hash_of(b"blob %d\0%b" % (len(text), text)).hexdigest()

        yield store


def write_commit(
    repository: Repository, parent: str, entries: Iterable[TreeEntry], message: str, variables: Mapping[str, str]
) -> str:
    """Store a commit that replaces these files of its parent, and return its name; no branch points at it yet.

    It is signed if git is configured to sign. `variables` name the author. Raises GitError.
    """
    with scratch_directory() as scratch:
        in_index = partial(git, repository.top, *PLAIN_INDEX, variables={"GIT_INDEX_FILE": str(Path(scratch, "index"))})
        in_index("read-tree", parent)
        in_index("update-index", "-z", "--index-info", stdin=index_info(entries))
        tree = in_index("write-tree").strip()
    signed = git(repository.top, "config", "--type=bool", "--default=false", "--get", "commit.gpgSign") == "true\n"
    return git(
        repository.top, "-c", "i18n.commitEncoding=UTF-8", "commit-tree", *(["-S"] if signed else []),
        "-p", parent, "-F", "-", tree, stdin=[message.encode(errors="replace")], variables=variables,
    ).strip()  # fmt: skip


def tidy(repository: Repository) -> None:
    """Let git pack loose objects, as it does after its own commits: rarely, and in the background."""
    with suppress(GitError):  # it failed recently, or runs already: a commit does not depend on it
        git(repository.top, "gc", "--auto", "--quiet")


def index_info(entries: Iterable[TreeEntry]) -> Iterator[bytes]:
    """Yield entries in the form that `git update-index --index-info` takes."""
    for entry in entries:
        yield f"{entry.blob.mode} {entry.blob.name}\t{entry.path}\0".encode(errors="surrogateescape")
