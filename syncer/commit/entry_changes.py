"""Compares a site's data file with the last commit: its entries, its first version, and why git may not take it."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator
from shlex import quote

from syncer.commit.compare import ValueDifference
from syncer.content.walk import Candidate
from syncer.front_matter.entries import Texts, entries_in, field_of, is_own
from syncer.git.objects import read_blobs
from syncer.git.repository import NO_BLOB, Blob, Repository, filtered, staged
from syncer.git.run import git
from syncer.model import Fields, VideoId
from syncer.wording import safe


def compare_entries(
    path: str, fields: Fields, committed: bytes, on_disk: bytes
) -> tuple[list[ValueDifference], frozenset[VideoId]]:
    """Return the counts that differ from the commit, and the videos whose entries are only there.

    Both are empty where one of the texts is not syncer's; an empty one is a file that does not exist.
    """
    if not all(is_own(text) for text in (committed, on_disk) if text):
        return [], frozenset()
    before, now = entries_in(committed, fields, path), entries_in(on_disk, fields, path)
    blank: Texts = (None,) * len(fields.counts)
    counts = []
    for video, texts in now.items():
        known = before.get(video, blank)
        if known != texts:
            for count, old, new in zip(fields.counts, known, texts, strict=True):
                if new is not None and new != old:
                    field = field_of(fields, video, count)
                    counts.append(ValueDifference(path, video, count, field, field, old, new, old is not None))
    return counts, frozenset(before.keys() - now.keys())


def first_versions(
    repository: Repository, commit: str, files: Iterable[tuple[str, Candidate]], known: Container[str]
) -> dict[str, Blob]:
    """Return NO_BLOB for each data file on disk that a commit does not have, and may have; `known` are those it has.

    One that is no longer the config's, and that the author has removed in a commit, stays removed. Raises GitError.
    """
    return {
        path: NO_BLOB
        for path, candidate in files
        if path not in known and not _has(repository, commit, path) and not _refusal(repository, path)
        if os.path.isfile(os.path.join(repository.top, path))
        if not (is_former(candidate) and git(repository.top, "log", "-1", "--format=%h", commit, "--", path))
    }


def describe_refused(repository: Repository, commit: str, files: Iterable[tuple[str, Candidate]]) -> Iterator[str]:
    """Yield a sentence for each data file, on disk or not, whose counts cannot be committed. Raises GitError."""
    for path, candidate in files:
        if is_former(candidate):  # the author has no need of it any more
            continue
        if not _has(repository, commit, path):
            if refusal := _refusal(repository, path):
                yield f"{safe(candidate.path)} {refusal}"
        elif staged(repository, commit, path).get(path, NO_BLOB) is None:
            yield (
                f"{safe(candidate.path)} is staged for removal or has a conflict in git, so its counts are not"
                f" committed; commit the removal or run `git reset {quote(safe(candidate.path))}`, and the next sync"
                " commits the file"
            )
        elif not is_own(b"".join(read_blobs(repository, [f"{commit}:{path}"]))) and not filtered(repository, [path]):
            yield (
                f"{safe(candidate.path)} is another file in the last commit, so its counts are not committed; commit"
                " this version yourself, and later syncs commit the counts"
            )


def is_former(candidate: Candidate) -> bool:
    """Return whether the config no longer has any mapping of this file."""
    return all(fields.former for fields in candidate.fields)


def _has(repository: Repository, commit: str, path: str) -> bool:
    return bool(git(repository.top, "ls-tree", commit, "--", path))


def _refusal(repository: Repository, path: str) -> str | None:
    """Return why a file cannot become part of a commit, and what to do; None if it can."""
    if git(repository.top, "ls-files", "--others", "--ignored", "--exclude-standard", "--", path):
        return "is ignored by git, so its counts are not committed; remove the pattern from .gitignore"
    if name := filtered(repository, [path]).get(path):
        return f"would be stored through the filter {name}, so its counts are not committed; add it to git yourself"
    return None
