"""Puts committed counts into staged files too: otherwise the author's next commit would revert them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from syncer.commit.compare import PlacedCount, ValueDifference, compare, compare_pairs, uneven
from syncer.commit.surroundings import pair_by_surroundings
from syncer.commit.uncommitted import CommitScope, OwnCount, ever_written, with_counts
from syncer.front_matter.find import find
from syncer.git.objects import TreeEntry, read_blobs, storing_blobs
from syncer.git.repository import Blob
from syncer.model import Fields


class StagedFile(NamedTuple):
    """A file that the author has staged, and its counts that are committed."""

    path: str
    before: Blob
    """The file in the last commit."""
    staged: Blob
    counts: Sequence[OwnCount]


class _StagedCount(NamedTuple):
    """A count whose staged value differs from the value that is committed."""

    fields: Fields
    difference: ValueDifference
    """Compared with the staged text."""
    before: str | None
    """The value in the last commit."""
    as_of: datetime

    @property
    def placed(self) -> PlacedCount:
        """The staged value and its place, to look up in the log whether syncer wrote it."""
        return self.difference.placed[0], self.difference.old or ""

    @property
    def unchanged(self) -> bool:
        """Whether the staged value is the last commit's."""
        return self.difference.old == self.before


def restage(scope: CommitScope, files: Sequence[StagedFile]) -> list[TreeEntry]:
    """Store the staged texts with the committed counts, and return the new index entries.

    A staged count that is not in the last commit and that syncer never wrote is the author's, and is kept. Raises
    GitError.
    """
    if not files:
        return []
    before = read_blobs(scope.repository, (file.before.name for file in files))
    texts = zip(files, before, _staged_texts(scope, files), strict=True)
    counts = [list(_differing(file, committed, staged)) for file, committed, staged in texts]
    own = ever_written(scope, {count.placed for of_file in counts for count in of_file if not count.unchanged})
    entries = []
    with storing_blobs(scope.repository) as store:
        for file, of_file, text in zip(files, counts, _staged_texts(scope, files), strict=True):
            taken = [count for count in of_file if count.unchanged or count.placed in own]
            new = with_counts(text, ((count.fields, count.difference.change(count.as_of)) for count in taken))
            if taken and new:
                entries.append(TreeEntry(file.path, Blob(file.staged.mode, store(new))))
    return entries


def _staged_texts(scope: CommitScope, files: Sequence[StagedFile]) -> Iterator[bytes]:
    return read_blobs(scope.repository, (file.staged.name for file in files))


def _differing(file: StagedFile, before: bytes, staged: bytes) -> Iterator[_StagedCount]:
    committed = with_counts(before, ((fields, count.change(write.as_of)) for fields, count, write in file.counts))
    for (fields, page), same in groupby(file.counts, key=lambda count: (count[0], count[1].path)):
        known = {(count.committed_field, count.video_id): (count.old, write.as_of) for _, count, write in same}
        now = find(committed or before, fields, page).slots
        of_index = find(staged, fields, page).slots
        differences = list(compare(page, of_index, now))
        if videos := uneven(of_index, now):
            both = (staged, of_index), (committed or before, now)
            differences += compare_pairs(page, pair_by_surroundings(page, fields, videos, *both))
        for difference in differences:
            key = difference.field, difference.video_id
            if key in known:
                yield _StagedCount(fields, difference, *known[key])
