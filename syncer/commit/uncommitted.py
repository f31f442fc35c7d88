"""Finds the counts that wait for a commit, and whose they are: by what stands on disk, in the commit, in the log."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from syncer.commit.waiting import Waiting, waiting, wherever
from syncer.content.page_file import attempt
from syncer.content.scan import read_pages
from syncer.content.walk import Candidate
from syncer.diff_log.log import Line, lines_backwards
from syncer.front_matter.find import find
from syncer.front_matter.rewrite import rewrite
from syncer.git.objects import read_blobs
from syncer.git.repository import Blob, Repository, relative_to_top
from syncer.model import Change, Fields, Page, Place, VideoId

FILES_AT_ONCE = 10_000
"""Files in memory at a time."""

MOST_PARTS = 20
"""Parts of a large site, however many files that makes: for each the log's end is read."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the counts are that a commit takes."""

    repository: Repository
    site: str
    """A real path."""
    log: Path
    candidates: Sequence[Candidate]
    """The pages that it is about."""
    mapped: Callable[[str], Candidate]
    """What the config makes of a path, relative to the site, whether or not something is there."""

    @property
    def within(self) -> str:
        """The site, as git names it: no page is outside."""
        return relative_to_top(self.repository, self.site) or ""


class Written(NamedTuple):
    """What the log says of a count that syncer wrote."""

    sync: str
    as_of: datetime


Told = tuple[Fields, Waiting, Written | None]
"""A count that waits, and how it came there if syncer wrote it last; None: it is the author's."""

Ours = tuple[Fields, Waiting, Written]
"""A count that waits, and that syncer wrote last."""


class WaitingFile(NamedTuple):
    """A file with counts on disk that the commit does not have."""

    path: str
    """As git names it."""
    blob: Blob
    """As the commit has it."""
    text: bytes
    counts: Sequence[Told]
    """Empty: what the commit has of the file names no video."""


def find_waiting(source: Source, unlike: Mapping[str, Blob]) -> Iterator[WaitingFile]:
    """Yield the files with counts that wait, some thousands in memory at a time. Raises GitError and StateError.

    `unlike` are the files of the commit that may differ from the working tree.
    """
    files = sorted((found for found in named_by_git(source) if found[0] in unlike), key=itemgetter(0))
    same_files = groupby(files, key=itemgetter(0))
    at_once = max(FILES_AT_ONCE, len(files) // MOST_PARTS)
    while part := [file for _, same in islice(same_files, at_once) for file in same]:
        found = _waiting(source, part, unlike)
        told = _tell(source.log, found)
        texts = read_blobs(source.repository, (unlike[path].name for path in told))
        for (path, counts), text in zip(told.items(), texts, strict=True):
            yield WaitingFile(path, unlike[path], text, counts)


def with_counts(text: bytes, changes: Iterable[tuple[Fields, Change]]) -> bytes | None:
    """Return a page's text with these changes in it; None where it cannot take them."""
    for fields, same in groupby(changes, key=itemgetter(0)):
        of_fields = [change for _, change in same]
        new = attempt(rewrite, text, fields, of_fields, of_fields[0].path)
        if not isinstance(new, bytes):
            return None
        text = new
    return text


def were_ours(log: Path, wanted: Collection[tuple[Place, str]]) -> set[tuple[Place, str]]:
    """Return which of these places had these counts from syncer at some time, as far back as the log goes."""
    found: set[tuple[Place, str]] = set()
    lines = lines_backwards(log, {place.path for place, _ in wanted})
    while len(found) < len(wanted) and (line := next(lines, None)):
        written = _place(line), str(line["new"])
        if written in wanted:
            found.add(written)
    return found


def _waiting(
    source: Source, files: Sequence[tuple[str, Candidate]], unlike: Mapping[str, Blob]
) -> Mapping[str, list[tuple[Fields, Waiting]]]:
    texts = read_blobs(source.repository, (unlike[path].name for path, _ in files))
    at = "", b""

    def each() -> Iterator[Candidate]:
        nonlocal at
        for (path, candidate), text in zip(files, texts, strict=True):
            at = path, text
            yield candidate

    found: dict[str, list[tuple[Fields, Waiting]]] = {}
    for page in read_pages(source.site, each()):
        if isinstance(page, Page):
            path, text = at
            committed = attempt(find, text, page.fields, page.path)
            if committed is None:
                continue
            pairs = [(page.fields, one) for one in waiting(page.path, committed.slots, page.slots)]
            if pairs or not committed.slots:
                found.setdefault(path, []).extend(pairs)
    return found


def _tell(log: Path, found: Mapping[str, list[tuple[Fields, Waiting]]]) -> Mapping[str, list[Told]]:
    standing = {wherever(one.place): one.new for pairs in found.values() for _, one in pairs}
    newest = _newest(log, standing)

    def told(fields: Fields, one: Waiting) -> Told:
        place = wherever(one.place)
        return fields, one, newest.get(place) if standing[place] == one.new else None

    return {path: [told(*pair) for pair in pairs] for path, pairs in found.items()}


def named_by_git(source: Source) -> Iterator[tuple[str, Candidate]]:
    """Yield the pages with the names that git has for their files: links are followed."""

    @cache
    def real(directory: str) -> str | None:
        return relative_to_top(source.repository, os.path.realpath(os.path.join(source.site, directory)))

    for candidate in source.candidates:
        directory, _, name = candidate.path.rpartition("/")
        full = f"{source.site}/{candidate.path}"
        if os.path.islink(full):
            path = relative_to_top(source.repository, os.path.realpath(full))
        else:
            above = real(directory)
            path = f"{above}/{name}" if above else None if above is None else name
        if path:
            yield path, candidate


def _newest(log: Path, standing: Mapping[Place, str]) -> Mapping[Place, Written | None]:
    """Return the newest line of the log for each place: None where it says another count than stands there.

    A place without a line is not among them. Of several slots of a page with one video, one's text stands for all.
    """
    newest: dict[Place, Written | None] = {}
    left: defaultdict[str, set[Place]] = defaultdict(set)
    for place in standing:
        left[place.path].add(place)
    for line in lines_backwards(log, left.keys()):
        place = _place(line)
        if place in left[place.path]:
            written = _written(str(line["sync"]), str(line["as_of"]))
            newest[place] = written if line["new"] == standing[place] else None
            left[place.path].remove(place)
        if not left[place.path]:
            del left[place.path]
    return newest


def _place(line: Line) -> Place:
    return wherever(Place(str(line["path"]), str(line["field"]), VideoId(str(line["video_id"]))))


@lru_cache(maxsize=1024)
def _written(sync: str, as_of: str) -> Written:
    return Written(sync, datetime.fromisoformat(as_of))
