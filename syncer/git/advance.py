"""Moves a branch to a new commit, together with the author's index and working tree, in one step.

The index is locked as git itself does it, with `index.lock`, so no other git command changes it in the meantime.
`syncer-COMMIT.lock` is a hard link to that lock: after a crash it shows that the lock is syncer's, and whether the
branch was moved already.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from syncer.errors import GitError
from syncer.git.objects import TreeEntry, index_info, read_blobs
from syncer.git.repository import Blob, Difference, Repository, Tip, between, flagged, in_progress, staged, tip_of
from syncer.git.run import git

LOCK_TIMEOUT = 5.0
"""Seconds to wait for another command's lock."""

INDEX_TRIES = 10
"""How often a new index is prepared before syncer gives up because the author's index keeps changing."""

NAMED_FILES = 5
"""The largest number of files that a message names."""

ONE_LINE_NAME = re.compile(r'[^"\n][^\n]*')
"""Names that `git hash-object` takes unquoted."""

MARKER_NAME = re.compile(r"syncer-([0-9a-f]{40,64})\.lock")


class IndexBusy(GitError):
    """Another git command has locked the index."""


class IndexChanged(GitError):
    """The index has changed since the commit was started."""


def advance(
    repository: Repository, tip: Tip, commit: str, entries: Sequence[TreeEntry], indexed: Mapping[str, Blob | None]
) -> None:
    """Move the branch from its tip to a commit, and put entries in the index. The working tree is not changed.

    The rest of the index is not changed either. `indexed` is what the index had instead of the tip's files when the
    entries were made. Raises GitError, also if the branch is no longer at its tip, and IndexChanged if the author has
    staged something else since; then nothing was changed.
    """
    with _claimed(repository, commit) as claim:
        for _ in range(INDEX_TRIES):
            before = _signature(repository.index)
            now = staged(repository, tip.commit)
            if any(now.get(entry.path, False) != indexed.get(entry.path, False) for entry in entries):
                raise IndexChanged("the git index kept changing; the next sync tries again")
            _put_in_index(repository, claim, entries)
            with _locked(repository, claim):
                if _signature(repository.index) == before:
                    _require_at(repository, tip)
                    _move(repository, claim, tip, commit)
                    return
    raise IndexChanged("the git index kept changing; the next sync tries again")


def move_with_tree(repository: Repository, tip: Tip, commit: str) -> None:
    """Move the branch from its tip to a commit, with index and working tree, as `git pull` does.

    Raises GitError if uncommitted work of the author is in the way; then nothing was changed.
    """
    with _claimed(repository, commit, tip.commit) as claim, _locked(repository, claim):
        _move_all(repository, claim, tip, commit)


def settle(repository: Repository) -> None:
    """Finish or undo a move that a crash interrupted. Raises GitError."""
    for name in os.listdir(repository.directory):
        found = MARKER_NAME.fullmatch(name)
        if found:
            path = os.path.join(repository.directory, name)
            with suppress(FileNotFoundError), open(path, "rb") as marker, suppress(BlockingIOError):
                fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)  # else its owner still runs
                claim = _Claim(path, marker.fileno())
                try:
                    _settle(repository, claim, found[1], marker.read().decode())
                finally:
                    _remove(repository, claim)


class _Claim:
    """Syncer's two files in git's directory."""

    def __init__(self, marker: str, descriptor: int) -> None:
        self.marker = marker
        self.descriptor = descriptor
        """Of the marker, open and locked. Commands that change something inherit it: they may outlive syncer."""
        self.index = marker.removesuffix(".lock") + ".index"
        """The new index, until it replaces the old one."""
        self.half_done = False
        """True: the working tree is half moved."""


def _settle(repository: Repository, claim: _Claim, commit: str, before: str) -> None:
    """Settle one claim; `before` is the commit that the branch was moving from, with the working tree.

    Files of which git had written only the first part are removed: the new ones have all of their content.
    """
    tip = tip_of(repository)
    if _is_own(_lock_of(repository), claim):
        if tip and tip.commit == commit and os.path.exists(claim.index):
            os.replace(claim.index, repository.index)
        os.unlink(_lock_of(repository))
    if tip and tip.commit == before:
        with _locked(repository, claim):
            written = [d for d in between(repository, before, commit) if d.new and _is_file(repository, d)]
            texts = read_blobs(repository, (d.new.name for d in written if d.new))
            for d, text in zip(written, texts, strict=True):
                path = Path(repository.top, d.path)
                if path.stat().st_size < len(text) and text.startswith(path.read_bytes()):
                    path.unlink()
            _move_all(repository, claim, tip, commit)


def _remove(repository: Repository, claim: _Claim) -> None:
    """Remove the claim's files, but keep the marker if there is still something to settle."""
    settled = not claim.half_done and not _is_own(_lock_of(repository), claim)
    for file in (claim.index, f"{claim.index}.lock", *([claim.marker] if settled else [])):
        with suppress(FileNotFoundError):
            os.unlink(file)


@contextmanager
def _claimed(repository: Repository, commit: str, before: str = "") -> Iterator[_Claim]:
    path = os.path.join(repository.directory, f"syncer-{commit}.lock")
    with open(path, "wb", buffering=0) as marker:
        fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        marker.write(before.encode())
        claim = _Claim(path, marker.fileno())
        try:
            yield claim
        finally:
            _remove(repository, claim)


@contextmanager
def _locked(repository: Repository, claim: _Claim) -> Iterator[None]:
    """Lock the index as git does. Raises IndexBusy if another command keeps it locked."""
    lock, deadline = _lock_of(repository), time.monotonic() + LOCK_TIMEOUT
    try:
        while True:
            try:
                os.link(claim.marker, lock)
                break
            except FileExistsError:
                if time.monotonic() > deadline:
                    raise IndexBusy(
                        f"{lock} exists: another git command is running, or one crashed; if none is running, remove it"
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        if _is_own(lock, claim):  # else it was removed by hand
            os.unlink(lock)


def _is_own(lock: str, claim: _Claim) -> bool:
    try:
        return os.path.samefile(lock, claim.marker)
    except FileNotFoundError:
        return False


def _lock_of(repository: Repository) -> str:
    return f"{repository.index}.lock"


def _put_in_index(repository: Repository, claim: _Claim, entries: Sequence[TreeEntry]) -> None:
    """Make the new index: the author's with these entries. It keeps its time, which git needs to find changed files.

    New entries have no flags, so the author's flags are set again.
    """
    shutil.copy2(repository.index, claim.index)
    own = {"GIT_INDEX_FILE": claim.index}
    git(repository.top, "update-index", "-z", "--index-info", stdin=index_info(entries), variables=own)
    flags = flagged(repository, "")
    for flag in set(flags.values()):
        paths = (f"{e.path}\0".encode(errors="surrogateescape") for e in entries if flags.get(e.path) == flag)
        git(repository.top, "update-index", f"--{flag}", "-z", "--stdin", stdin=paths, variables=own)
    with suppress(GitError):  # it fails if a file differs, as files that the author is editing do
        git(repository.top, "update-index", "-q", "--refresh", variables=own)


def _move_all(repository: Repository, claim: _Claim, tip: Tip, commit: str) -> None:
    """Move branch, index and working tree while the index is locked."""
    _require_at(repository, tip)
    differences = between(repository, tip.commit, commit)
    _put_in_index(repository, claim, _already_on_disk(repository, tip, differences))
    own = {"GIT_INDEX_FILE": claim.index}
    new = [d.path for d in differences if d.old is None and os.path.lexists(os.path.join(repository.top, d.path))]
    untracked = git(repository.top, "ls-files", "-z", "--others", "--", *new, variables=own) if new else ""
    in_the_way = untracked.split("\0")[:-1]
    if in_the_way:  # git ignores some of them, and `git read-tree` would replace them
        names = ", ".join(in_the_way[:NAMED_FILES])
        raise GitError(f"what others pushed would overwrite untracked files: {names}; move or commit them")
    _read_tree(repository, claim, tip.commit, commit, "--dry-run")
    claim.half_done = True
    _read_tree(repository, claim, tip.commit, commit)
    try:
        _move(repository, claim, tip, commit)
    except (GitError, OSError):
        _read_tree(repository, claim, commit, tip.commit)
        claim.half_done = False
        raise
    claim.half_done = False


def _read_tree(repository: Repository, claim: _Claim, old: str, new: str, *options: str) -> None:
    try:
        own = {"GIT_INDEX_FILE": claim.index}
        git(repository.top, "read-tree", "-m", "-u", *options, old, new, variables=own, pass_fds=[claim.descriptor])
    except GitError as error:
        raise GitError(
            f"what others pushed cannot be merged: {error}; commit your changes of these files, or run `git stash`"
        ) from error


def _require_at(repository: Repository, tip: Tip) -> None:
    busy = in_progress(repository)
    if busy:
        raise GitError(f"{busy} was started during the sync; finish it, and the next sync tries again")
    if tip_of(repository) != tip:
        raise GitError("another branch or commit was checked out during the sync; the next sync tries again")


def _move(repository: Repository, claim: _Claim, tip: Tip, commit: str) -> None:
    """Move the branch, and replace the index with the new one. Raises GitError and OSError; then neither was done."""
    update = "update-ref", "-m", "syncer: update YouTube counts", tip.branch
    try:
        git(repository.top, *update, commit, tip.commit, pass_fds=[claim.descriptor])
        os.replace(claim.index, repository.index)
    except (GitError, OSError):
        if tip_of(repository) == Tip(tip.branch, commit):
            git(repository.top, *update, tip.commit, commit, pass_fds=[claim.descriptor])
        raise


def _already_on_disk(repository: Repository, tip: Tip, differences: Sequence[Difference]) -> list[TreeEntry]:
    """Return the files of the new commit that are in the working tree already, as after a crash.

    Files that the author has staged are left out.
    """
    staged_now = staged(repository, tip.commit)
    named = (d for d in differences if d.new and d.path not in staged_now and ONE_LINE_NAME.fullmatch(d.path))
    on_disk = [d for d in named if _is_file(repository, d)]
    names = (f"{d.path}\n".encode(errors="surrogateescape") for d in on_disk)
    hashes = git(repository.top, "hash-object", "--stdin-paths", stdin=names).split()
    return [TreeEntry(d.path, d.new) for d, name in zip(on_disk, hashes, strict=True) if d.new and d.new.name == name]


def _is_file(repository: Repository, difference: Difference) -> bool:
    path = os.path.join(repository.top, difference.path)
    return os.path.isfile(path) and not os.path.islink(path)


def _signature(path: str) -> tuple[int, int, int]:
    status = os.stat(path)
    return status.st_mtime_ns, status.st_ino, status.st_size
