"""Brings a branch to a new commit, and the author's index and working tree along: in one step for whoever looks on.

The index is locked as git itself does it, with `index.lock`; so no other git command changes it meanwhile. A file of
ours, `syncer-COMMIT.lock`, is the same file as the lock: whoever finds it after a crash knows whose lock that is, and
whether the branch was moved already.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from syncer.errors import GitError
from syncer.git.objects import Entry, index_info
from syncer.git.repository import Difference, Repository, Tip, between, in_progress, tip_of
from syncer.git.run import ask_git, git

PATIENCE = 5.0
"""Seconds to wait for somebody else's lock."""

TRIES = 10
"""How often a new index is made ready before it is given up on because the author's changes all the time."""

OURS = re.compile(r"syncer-([0-9a-f]{40,64})\.lock")


class IndexBusy(GitError):
    """Another git command holds the index."""


def advance(repository: Repository, tip: Tip, commit: str, entries: Sequence[Entry]) -> None:
    """Let the branch go on from its tip to a commit, and put entries in the index. The working tree stays as it is.

    Everything else in the index stays as it is. Raises GitError, and then nothing was changed: also where the branch is
    no longer at its tip.
    """
    with _claimed(repository, commit) as claim:
        for _ in range(TRIES):
            seen = _signature(repository.index)
            _put_in_index(repository, claim, entries)
            with _locked(repository, claim):
                if _signature(repository.index) == seen:
                    _move(repository, tip, commit)
                    os.replace(claim.index, repository.index)
                    return
    raise IndexBusy("the index changes all the time; the next sync commits")


def move_on(repository: Repository, tip: Tip, commit: str) -> None:
    """Let the branch go from its tip to a commit, with index and working tree, as `git pull` would.

    Raises GitError where something that the author has not committed is in the way, and then nothing was changed.
    """
    with _claimed(repository, commit) as claim, _locked(repository, claim):
        _put_in_index(repository, claim, _already_there(repository, between(repository, tip.commit, commit)))
        own = {"GIT_INDEX_FILE": claim.index}
        git(repository.top, "read-tree", "-m", "-u", tip.commit, commit, variables=own)
        _move(repository, tip, commit)
        os.replace(claim.index, repository.index)


def settle(repository: Repository) -> None:
    """Finish or take back what a crash cut short. Raises GitError."""
    for name in os.listdir(repository.directory):
        ours = OURS.fullmatch(name)
        if ours:
            path = os.path.join(repository.directory, name)
            with suppress(FileNotFoundError), open(path, "rb") as marker, suppress(BlockingIOError):
                fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)  # else its owner lives
                _settle(repository, _Claim(path, _index_of(path)), ours[1])
                os.unlink(path)


class _Claim:
    """Our two files in git's directory."""

    def __init__(self, marker: str, index: str) -> None:
        self.marker = marker
        self.index = index
        """The new index, until it takes the old one's place."""


def _index_of(marker: str) -> str:
    return marker.removesuffix(".lock") + ".index"


def _settle(repository: Repository, claim: _Claim, commit: str) -> None:
    lock = _lock_of(repository)
    with suppress(FileNotFoundError):
        if os.path.samefile(lock, claim.marker):
            tip = tip_of(repository)
            if tip and tip.commit == commit and os.path.exists(claim.index):
                os.replace(claim.index, repository.index)
            os.unlink(lock)
    with suppress(FileNotFoundError):
        os.unlink(claim.index)


@contextmanager
def _claimed(repository: Repository, commit: str) -> Iterator[_Claim]:
    path = os.path.join(repository.directory, f"syncer-{commit}.lock")
    with open(path, "wb") as marker:
        fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        claim = _Claim(path, _index_of(path))
        try:
            yield claim
        finally:
            for ours in (claim.index, path):
                with suppress(FileNotFoundError):
                    os.unlink(ours)


@contextmanager
def _locked(repository: Repository, claim: _Claim) -> Iterator[None]:
    """Lock the index as git does. Raises IndexBusy where somebody else keeps it locked."""
    lock, deadline = _lock_of(repository), time.monotonic() + PATIENCE
    while True:
        try:
            os.link(claim.marker, lock)
            break
        except FileExistsError:
            if time.monotonic() > deadline:
                raise IndexBusy(f"another git command is at work, or has left {lock} behind") from None
            time.sleep(0.02)
    try:
        yield
    finally:
        os.unlink(lock)


def _lock_of(repository: Repository) -> str:
    return f"{repository.index}.lock"


def _put_in_index(repository: Repository, claim: _Claim, entries: Iterable[Entry]) -> None:
    """Make the new index: the author's with these entries. Its time is kept: git tells by it what to look at again."""
    shutil.copy2(repository.index, claim.index)
    own = {"GIT_INDEX_FILE": claim.index}
    git(repository.top, "update-index", "-z", "--index-info", fed=index_info(entries), variables=own)
    with suppress(GitError):  # it fails where a file differs, as files that the author is at do
        git(repository.top, "update-index", "-q", "--refresh", variables=own)


def _move(repository: Repository, tip: Tip, commit: str) -> None:
    busy = in_progress(repository)
    if busy:
        raise GitError(f"{busy} was begun meanwhile")
    if ask_git(repository.top, "symbolic-ref", "--quiet", "HEAD") != tip.branch:
        raise GitError("another branch was checked out meanwhile")
    git(repository.top, "update-ref", "-m", "syncer: update YouTube counts", tip.branch, commit, tip.commit)


def _already_there(repository: Repository, differences: Sequence[Difference]) -> list[Entry]:
    """Return which files of the new commit stand in the working tree already: a crash may have come in between."""
    there = [d for d in differences if d.new and os.path.isfile(os.path.join(repository.top, d.path))]
    names = "".join(f"{d.path}\n" for d in there if "\n" not in d.path)
    hashed = git(repository.top, "hash-object", "--stdin-paths", fed=names.encode(errors="surrogateescape")).split()
    paired = zip((d for d in there if "\n" not in d.path), hashed, strict=True)
    return [Entry(d.path, d.new) for d, name in paired if d.new and d.new.name == name]


def _signature(path: str) -> tuple[int, int, int]:
    status = os.stat(path)
    return status.st_mtime_ns, status.st_ino, status.st_size
