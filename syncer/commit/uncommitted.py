"""Finds the counts that are not committed, and who wrote them: from the disk, the last commit and the diff log."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from syncer.commit.compare import PlacedCount, ValueDifference, compare, compare_pairs, uneven
from syncer.content.page_file import attempt, read_page
from syncer.content.scan import read_candidate, read_head, written_with
from syncer.content.walk import Candidate
from syncer.diff_log.lines import Line, lines_backwards
from syncer.front_matter.find import find
from syncer.front_matter.forms import can_be_empty
from syncer.front_matter.rewrite import rewrite
from syncer.git.objects import read_texts
from syncer.git.repository import Blob, Repository, differing_from_disk, files_in, flagged, relative_to_top
from syncer.model import Change, Fields, Page, Place, Slot, VideoId, count_in_log, place_at, place_in_file
from syncer.wording import counted, safe

FILES_AT_ONCE = 10_000
"""Files in memory at a time."""

MAX_PARTS = 20
"""The largest number of parts that a large site is divided into: the end of the log is read for each."""


@dataclass(frozen=True, slots=True)
class CommitScope:
    """Which pages a commit covers, and where they are."""

    repository: Repository
    site: str
    """A real path."""
    log: Path
    candidates: Callable[[], Iterable[Candidate]]
    """Returns the pages whose counts are committed."""
    mapped: Callable[[str], Candidate]
    """Returns how the config maps a path, relative to the site, whether or not the file exists."""
    data_files: Sequence[Candidate] = ()
    """Those of the candidates that syncer writes whole: its commits have them from their first version."""
    data_file_paths: Collection[str] = ()
    """Where they are, and where the site's data file was before, relative to the site: a file can be renamed."""

    @property
    def within(self) -> str:
        """The site's path in the repository: all pages are inside it."""
        return relative_to_top(self.repository, self.site) or ""


class LoggedWrite(NamedTuple):
    """The log's record of a count that syncer wrote."""

    sync: str
    as_of: datetime
    kind: str | None
    """The line's `count`."""


WaitingCount = tuple[Fields, ValueDifference, LoggedWrite | None]
"""A count that is not committed, and syncer's write of it; None: syncer did not write it last; it is the author's."""

OwnCount = tuple[Fields, ValueDifference, LoggedWrite]
"""A count that is not committed, and that syncer wrote last."""


class WaitingFile(NamedTuple):
    """A file with counts on disk that the commit does not have."""

    path: str
    """Relative to the repository's top."""
    blob: Blob
    """The file in the commit."""
    text: bytes
    counts: Sequence[WaitingCount]
    """Empty: the file in the commit names no video."""
    removed: frozenset[VideoId] = frozenset()
    """Videos whose entries the data file on disk no longer has."""
    unidentified: int = 0
    """Values that syncer wrote to items that may be new, or another item of the commit: nothing is done about them."""


class _Unidentified(NamedTuple):
    """The values of one place in items that cannot be identified: the author added or removed one of them."""

    committed: Sequence[str]
    on_disk: Sequence[str]

    def waiting(self, writes: Mapping[PlacedCount, LoggedWrite], place: Place) -> int:
        """Return how many values that syncer wrote the commit may lack."""
        own = [text for text in self.on_disk if (place, text) in writes]
        return min(len(own), sum(any(text != old for text in own) for old in self.committed))


class _Differences(NamedTuple):
    """What differs in a file."""

    counts: list[tuple[Fields, ValueDifference]]
    """Empty: the file in the commit names no video."""
    removed: frozenset[VideoId] = frozenset()
    unidentified: Mapping[Place, _Unidentified] = {}


def differing(scope: CommitScope, commit: str) -> dict[str, Blob]:
    """Return a commit's version of the files that may differ from the working tree; NO_BLOB of a new data file."""
    found = differing_from_disk(scope.repository, commit, scope.within)
    return found | new_data_files(scope, commit, found)


def new_data_files(scope: CommitScope, commit: str, known: Collection[str]) -> dict[str, Blob]:
    """Return NO_BLOB for each data file that a commit lacks, apart from those `known`. Raises GitError."""
    if not scope.data_files:
        return {}
    from syncer.commit.entry_changes import first_versions

    return first_versions(scope.repository, commit, named_by_git(scope, scope.data_files), known)


def refused_data_files(scope: CommitScope, commit: str) -> Sequence[str]:
    """Return a sentence for each data file whose counts cannot be committed. Raises GitError."""
    if not scope.data_files:
        return ()
    from syncer.commit.entry_changes import describe_refused

    return list(describe_refused(scope.repository, commit, named_by_git(scope, scope.data_files)))


def find_waiting(scope: CommitScope, differing: Mapping[str, Blob]) -> Iterator[WaitingFile]:
    """Yield the files with counts that are not committed, some thousands at a time. Raises GitError and StateError.

    `differing` are the files of the commit that may differ from the working tree.
    """
    files = sorted((named for named in named_by_git(scope) if named[0] in differing), key=itemgetter(0))
    same_files = groupby(files, key=itemgetter(0))
    at_once = max(FILES_AT_ONCE, len(files) // MAX_PARTS)
    while part := [file for _, same in islice(same_files, at_once) for file in same]:
        found = _compared(scope, part, differing)
        placed = [each[1].placed for differences in found.values() for each in differences.counts]
        unclear = (each for differences in found.values() for each in differences.unidentified.items())
        placed += [(place, text) for place, values in unclear for text in values.on_disk]
        writes = _newest_writes(scope, placed)
        texts = read_texts(scope.repository, [differing[path].name for path in found])
        for (path, (counts, removed, unclear_values)), text in zip(found.items(), texts, strict=True):
            waiting = _once([(fields, count, writes.get(count.placed)) for fields, count in counts])
            unidentified = sum(values.waiting(writes, place) for place, values in unclear_values.items())
            # else it has only what the author changed: items, or keys that the config no longer has
            if waiting or unidentified or not (counts or unclear_values):
                yield WaitingFile(path, differing[path], text, waiting, removed, unidentified)


def _once(found: Sequence[WaitingCount]) -> Sequence[WaitingCount]:
    """Return each value once, if the config's mapping finds it or syncer wrote it last.

    Where several mappings find it, the one that knows it as the log does is right: which count is in a key can change.
    """
    by_field: defaultdict[tuple[str, str, VideoId], list[WaitingCount]] = defaultdict(list)
    for each in found:
        by_field[each[1].path, place_in_file(each[1].field), each[1].video_id].append(each)
    chosen = set[int]()
    for same in by_field.values():
        logged = [each for each in same if each[2] and each[2].kind == count_in_log(each[1].kind)]
        chosen.update(id(each) for each in [*logged, *(each for each in same if not each[0].former)][:1])
    return [each for each in found if id(each) in chosen]


def find_unseen(scope: CommitScope, commit: str) -> Mapping[str, str]:
    """Return the files with syncer's counts that the commit lacks and git ignores, each with the flag that hides it.

    The author has set that flag on the file. Raises GitError and StateError.
    """
    flags = flagged(scope.repository, scope.within)
    if not flags:
        return {}
    files = find_waiting(scope, files_in(scope.repository, commit, scope.within, flags))
    return {file.path: flags[file.path] for file in files if any(write for _, _, write in file.counts)}


def describe_unidentified(files: Iterable[WaitingFile]) -> Iterator[str]:
    """Yield a sentence for each of these files with values that cannot be identified."""
    for file in files:
        if file.unidentified:
            yield (
                f"{counted(file.unidentified, 'value')} in {safe(file.path)} cannot be committed or dropped: the last"
                " commit has more or fewer items with the same video, and it is not clear which is which; commit the"
                " file yourself"
            )


def describe_unseen(files: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each flag that names the pages."""
    by_flag: defaultdict[str, list[str]] = defaultdict(list)
    for path, flag in files.items():
        by_flag[flag].append(path)
    for flag, paths in by_flag.items():
        first = safe(min(paths))
        yield (
            f"the counts of {counted(len(paths), 'page')} ({first}{', ...' if len(paths) > 1 else ''}) cannot be"
            f" committed because git ignores changes there ({flag}); run `git update-index --no-{flag} PATH`, and the"
            " next sync commits them"
        )


def with_counts(
    text: bytes, changes: Iterable[tuple[Fields, Change]], removed: Collection[VideoId] = ()
) -> bytes | None:
    """Return a page's text with these changes, and a data file's without these videos; None if that cannot be."""
    for fields, same in groupby(changes, key=itemgetter(0)):
        of_fields = [change for _, change in same]
        new = attempt(rewrite, text, fields, of_fields, of_fields[0].path, removed)
        if not isinstance(new, bytes):
            return None
        text = new
    return text


def compare_texts(
    path: str, fields: Fields, committed: bytes, other: bytes
) -> tuple[list[ValueDifference], frozenset[VideoId]]:
    """Return the counts by which a file's text differs from the commit's, and the videos that a data file lost."""
    if fields.own_file:
        from syncer.commit.entry_changes import compare_entries

        return compare_entries(path, fields, committed, other)
    before, now = find(committed, fields, path).slots, find(other, fields, path).slots
    return list(compare(path, before, now)), frozenset()


def ever_written(scope: CommitScope, wanted: Collection[PlacedCount]) -> Mapping[PlacedCount, str | None]:
    """Return which of these counts syncer ever wrote to these places, as far back as the log goes.

    Each is with the `count` of its newest line. A count of a data file can be from another path of it.
    """
    found: dict[PlacedCount, str | None] = {}
    lines = lines_backwards(scope.log, _logged_under(scope, {place.path for place, _ in wanted}))
    while len(found) < len(wanted) and (line := next(lines, None)):
        for place in _places(scope, line):
            if (written := (place, str(line["new"] or ""))) in wanted:
                found.setdefault(written, _count(line))
    return found


def named_by_git(scope: CommitScope, candidates: Iterable[Candidate] | None = None) -> Iterator[tuple[str, Candidate]]:
    """Yield the pages, or only these, with their files' paths in git; links are followed."""

    @cache
    def real(directory: str) -> str | None:
        return relative_to_top(scope.repository, os.path.realpath(os.path.join(scope.site, directory)))

    for candidate in scope.candidates() if candidates is None else candidates:
        directory, _, name = candidate.path.rpartition("/")
        full = f"{scope.site}/{candidate.path}"
        if os.path.islink(full):
            path = relative_to_top(scope.repository, os.path.realpath(full))
        else:
            above = real(directory)
            path = f"{above}/{name}" if above else None if above is None else name
        if path:
            yield path, candidate


def _compared(
    scope: CommitScope, files: Sequence[tuple[str, Candidate]], differing: Mapping[str, Blob]
) -> Mapping[str, _Differences]:
    """Return the counts that differ from the commit, by file; without counts if the commit's file names no video."""
    found: dict[str, _Differences] = {}
    texts = read_texts(scope.repository, [differing[path].name for path, _ in files])
    for (path, candidate), text in zip(files, texts, strict=True):
        if candidate.is_data_file:
            read = read_head(scope.site, candidate)
            on_disk = read[0] if isinstance(read, tuple) else b""
            fields = written_with(on_disk, candidate)
            differences, removed = compare_texts(candidate.path, fields, text, on_disk)
            found[path] = _Differences([(fields, difference) for difference in differences], removed)
            continue
        for page in read_candidate(scope.site, candidate):
            committed = attempt(find, text, page.fields, page.path) if isinstance(page, Page) else None
            if isinstance(page, Page) and committed is not None:
                counts = [(page.fields, count) for count in compare(page.path, committed.slots, page.slots)]
                unclear: dict[Place, _Unidentified] = {}
                if videos := uneven(committed.slots, page.slots):
                    paired, unclear = _identified(scope.site, candidate, page, (text, committed.slots), videos)
                    counts += [(page.fields, count) for count in paired]
                if counts or unclear or not (committed.slots or page.fields.former):
                    before = found.get(path, _Differences([]))
                    unclear = {**unclear, **before.unidentified}  # several mappings may find one value
                    found[path] = _Differences([*before.counts, *counts], unidentified=unclear)
    return found


def _identified(
    site: str, candidate: Candidate, page: Page, committed: tuple[bytes, Sequence[Slot]], videos: Collection[VideoId]
) -> tuple[list[ValueDifference], dict[Place, _Unidentified]]:
    """Return the counts by which items of these videos differ from the commit, and the values of all other such items.

    The page does not have as many items of these videos as the commit.
    """
    from syncer.commit.surroundings import pair_by_surroundings

    read = attempt(read_page, os.path.join(site, candidate.path))
    on_disk = (read[0] if read else b"", page.slots)
    pairs = list(pair_by_surroundings(page.path, page.fields, videos, committed, on_disk))
    values: defaultdict[Place, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for side, (_, slots) in enumerate((committed, on_disk)):
        paired = Counter(pair[side] for pair in pairs)
        for slot in slots:
            if slot.video_id in videos:
                if paired[slot]:
                    paired[slot] -= 1
                    continue
                for value in slot.values:
                    if side == 0 or value.text is not None or can_be_empty(value.kind):
                        place = place_at(page.path, value.field, slot.video_id)
                        values[place][side].append(value.text or "")
    unclear = {place: _Unidentified(*both) for place, both in values.items() if all(both)}
    return list(compare_pairs(page.path, pairs)), unclear


def _newest_writes(scope: CommitScope, on_disk: Iterable[PlacedCount]) -> Mapping[PlacedCount, LoggedWrite]:
    """Return the newest line of the log for each place, if it records the count that is on disk.

    For a place in several slots, so many of its lines count: a sync writes a line for each of them. A count of a data
    file can be from another path of it: the newest line there that records the count, unless a newer one is of this
    path.
    """
    newest: dict[PlacedCount, LoggedWrite] = {}
    left: defaultdict[str, Counter[Place]] = defaultdict(Counter)
    counts = list(on_disk)
    wanted = set(counts)
    for place, _ in counts:
        left[place.path][place] += 1
    sought = _logged_under(scope, left)
    for line in lines_backwards(scope.log, sought):
        new = str(line["new"] or "")
        for place in _places(scope, line):
            path, placed = place.path, (place, new)
            if place not in left.get(path, ()) or not (placed in wanted or line["path"] == path):
                continue
            if placed in wanted and placed not in newest:
                newest[placed] = LoggedWrite(str(line["sync"]), _moment(str(line["as_of"])), _count(line))
            left[path][place] -= 1
            if not left[path][place]:
                del left[path][place]
            if not left[path]:
                del left[path]
                if path not in scope.data_file_paths:
                    sought.remove(path)
                elif left.keys().isdisjoint(scope.data_file_paths):
                    sought.difference_update(scope.data_file_paths)
    return newest


def _logged_under(scope: CommitScope, paths: Collection[str]) -> set[str]:
    """Return the paths that the log can have for the counts of these files."""
    return {*paths, *(() if set(scope.data_file_paths).isdisjoint(paths) else scope.data_file_paths)}


def _places(scope: CommitScope, line: Line) -> Sequence[Place]:
    """Return where the count of a line can be now."""
    place = place_at(str(line["path"]), str(line["field"]), VideoId(str(line["video_id"])))
    if place.path in scope.data_file_paths:
        return [place._replace(path=path) for path in scope.data_file_paths]
    return [place]


def _count(line: Line) -> str | None:
    return None if line["count"] is None else str(line["count"])


_moment = lru_cache(maxsize=1024)(datetime.fromisoformat)
