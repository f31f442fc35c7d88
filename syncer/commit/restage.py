"""Gives what the author has staged the counts that are committed, or the next commit would take them back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from syncer.commit.uncommitted import Ours, Source, were_ours, with_counts
from syncer.commit.waiting import Waiting, waiting, wherever
from syncer.front_matter.find import find
from syncer.git.objects import Entry, read_blobs, storing_blobs
from syncer.git.repository import Blob
from syncer.model import Fields, Place


class Staged(NamedTuple):
    """A file that the author has staged, and the counts that are committed of it."""

    path: str
    before: Blob
    """As the commit before has it."""
    staged: Blob
    counts: Sequence[Ours]


class _Count(NamedTuple):
    """A count that a staged text does not have as it is committed."""

    fields: Fields
    staged: Waiting
    """Against the staged text."""
    before: str | None
    """As the commit before has it."""
    as_of: datetime

    @property
    def written(self) -> tuple[Place, str]:
        """What stands there, for the log to say whether syncer wrote it."""
        return wherever(self.staged.place), self.staged.old or ""


def restage(source: Source, files: Sequence[Staged]) -> list[Entry]:
    """Store the staged texts with the counts that are committed, and return what the index is to have.

    A staged count that the commit before did not have, and that syncer never wrote, is the author's to commit. Raises
    GitError.
    """
    if not files:
        return []
    counts = _differing(source, files)
    ours = were_ours(source.log, {one.written for of_file in counts for one in of_file if one.staged.old != one.before})
    entries = []
    with storing_blobs(source.repository) as store:
        for file, of_file, text in zip(files, counts, _staged_texts(source, files), strict=True):
            taken = [one for one in of_file if one.staged.old == one.before or one.written in ours]
            new = with_counts(text, ((one.fields, one.staged.change(one.as_of)) for one in taken))
            if taken and new:
                entries.append(Entry(file.path, Blob(file.staged.mode, store(new))))
    return entries


def _differing(source: Source, files: Sequence[Staged]) -> list[list[_Count]]:
    before = read_blobs(source.repository, (file.before.name for file in files))
    texts = zip(files, before, _staged_texts(source, files), strict=True)
    return [list(_differing_in(file, committed, staged)) for file, committed, staged in texts]


def _staged_texts(source: Source, files: Sequence[Staged]) -> Iterator[bytes]:
    return read_blobs(source.repository, (file.staged.name for file in files))


def _differing_in(file: Staged, before: bytes, staged: bytes) -> Iterator[_Count]:
    committed = with_counts(before, ((fields, one.change(written.as_of)) for fields, one, written in file.counts))
    for (fields, page), same in groupby(file.counts, key=lambda count: (count[0], count[1].place.path)):
        known = {(one.field, one.place.video_id): (one.old, written.as_of) for _, one, written in same}
        now = find(committed or before, fields, page).slots
        for one in waiting(page, find(staged, fields, page).slots, now):
            key = one.place.field, one.place.video_id
            if key in known:
                yield _Count(fields, one, *known[key])
