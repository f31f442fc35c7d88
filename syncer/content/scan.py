"""Reads the candidates: the head of each page and its front matter, never its text."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing, suppress
from typing import NamedTuple

from syncer.content.page_file import signature_of, unreadable
from syncer.content.pages import Pages
from syncer.content.walk import Candidate, LeftoverFile
from syncer.front_matter.block import LARGEST_PAGE_BYTES, MAX_BLOCK_BYTES, MAX_TEXT_BYTES, head_suffices
from syncer.front_matter.find import find, find_fast, find_in_tree
from syncer.front_matter.keys import UNMAPPED, WHOLE_PAGE, Keys, fold_key, format_of, keys_of, slot_of
from syncer.model import (
    Collection,
    Count,
    Fields,
    Format,
    Page,
    Problem,
    ProblemKind,
    Signature,
    Slot,
    Value,
    ValueKind,
    VideoId,
    key_of,
    place_in_file,
)
from syncer.own_files import OPEN_FLAGS, open_file
from syncer.wording import counted

HEAD_BYTES = 1 << 16
"""The first read: enough for nearly every block, and the cheapest size for one read."""

WHOLE_HEAD_BYTES = MAX_BLOCK_BYTES + HEAD_BYTES
"""Within so many bytes the block has ended or is refused."""

PAGES_PER_MISCASED_KEY = 10
"""One page in so many may write the ID's key in another letter case: it may be another key."""

PAGES_WITHOUT_ID = 5
"""Pages with front matter from which on it is a mistake that none has the ID key."""


class MiscasedKey(NamedTuple):
    """A page with a video under a key that differs from the ID's only in letter case."""

    path: str
    fields: Fields
    """The very mapping of its collection."""
    key: str
    """As the page writes it."""


class ExcludedPage(NamedTuple):
    """A page whose own `syncer` key excludes it, or some of its counts."""

    path: str


class PageEmbeds(NamedTuple):
    """A page whose text embeds videos."""

    page: Page
    """Its slots are the embeds: each has a video and a line, and no field."""


def read_pages(
    site: str, found: Iterable[Candidate | LeftoverFile | Problem], pages: Pages
) -> Iterator[MiscasedKey | ExcludedPage | PageEmbeds | LeftoverFile | Problem]:
    """Append the pages among the candidates of a walk to `pages`; yield the Problems of those that cannot be used.

    Everything else from the walk is yielded unchanged. A page that excludes itself, or some of its counts, yields an
    ExcludedPage, and what it excludes is not appended. A file without a video yields nothing, except a MiscasedKey if
    it has a video in another letter case. A file in several collections is one page for each that finds a video in it,
    one after the other, and each count is in one of them. If two of them would write different numbers to one key, it
    yields a Problem and is no page. Where a collection has `bodies`, a file whose text embeds videos yields PageEmbeds.
    """
    keys: Keys | None = None
    prepared: tuple[Fields, ...] | None = None
    text_bytes, may_be_pages = 0, False
    with closing(_Heads(site)) as heads:
        for candidate in found:
            if not isinstance(candidate, Candidate):
                yield candidate
                continue
            path, mappings, _ = candidate
            try:
                if mappings is not prepared:
                    prepared = mappings
                    may_be_pages = len(mappings) == 1 and mappings[0].format in {None, Format.FRONT_MATTER}
                    keys = keys_of(mappings[0]) if may_be_pages and mappings[0].video_id else None
                    text_bytes = (MAX_TEXT_BYTES + 1) * max(fields.bodies for fields in mappings)
                limit = WHOLE_HEAD_BYTES
                if not (may_be_pages and path.endswith(".md")):  # most are, and to look closer costs more
                    limit = _bytes_to_read(path, mappings)
                is_page = len(mappings) == 1 and limit == WHOLE_HEAD_BYTES
                read = heads.read(path, max(limit, text_bytes))
                if read is None:
                    continue
                head, signature = read
                if text_bytes:
                    yield from _embedded(candidate, head, signature)
                slots = find_fast(head, keys) if keys and is_page else None
                if slots is None:
                    yield from _read_in_full(candidate, head, signature, pages, is_page=is_page)
                elif slots:
                    pages.append(path, signature, mappings[0], slots)
            except Exception as error:  # noqa: BLE001 - one page never ends a sync, whatever is wrong with it
                yield unreadable(path, error)


def read_candidate(site: str, candidate: Candidate) -> list[Page | MiscasedKey | ExcludedPage | Problem]:
    """Return what `read_pages` finds in one file, or a data file as a page with a slot for each entry.

    Each former mapping has pages of its own, after the others: they can have values that another page has, too.
    """
    if candidate.is_data_file:
        if not isinstance(read := read_head(site, candidate), tuple):
            return []
        fields = written_with(read[0], candidate)
        return [Page(candidate.path, read[1], fields, find(read[0], fields, candidate.path).slots)]
    current = tuple(fields for fields in candidate.fields if not fields.former)
    found = list[Page | MiscasedKey | ExcludedPage | Problem]()
    for mappings in (current, *((fields,) for fields in candidate.fields if fields.former)):
        pages = Pages()
        of_mappings = read_pages(site, [candidate._replace(fields=mappings)], pages)
        found += [item for item in of_mappings if not isinstance(item, LeftoverFile | PageEmbeds)]
        found += pages.whole()
    return found


def written_with(data: bytes, candidate: Candidate) -> Fields:
    """Return the mapping with which a data file was written; the first one if it is in the form of none."""
    mappings = [fields for fields in candidate.fields if fields.own_file]
    if len(mappings) > 1:
        from syncer.front_matter.entries import has_form

        return next((fields for fields in mappings if has_form(data, fields, candidate.path)), mappings[0])
    return mappings[0]


def miscased_problems(
    collections: Sequence[Collection], pages: Pages, keys: Sequence[MiscasedKey]
) -> Iterator[Problem]:
    """Yield a Problem for each collection in which fewer than nine of ten pages write the key as mapped.

    `pages` and `keys` are those of one scan.
    """
    for collection in collections:
        found = [key for key in keys if key.fields is collection.fields]
        if found and len(found) * PAGES_PER_MISCASED_KEY > len(found) + pages.count(collection.fields):
            is_page = format_of(collection.fields, found[0].path) is Format.FRONT_MATTER
            noun = "page" if is_page else "data file"
            message = (
                f"{counted(len(found), noun)}, such as {found[0].path}, "
                f"{'have' if len(found) > 1 else 'has'} the key {found[0].key!r}, but the config's video_id is "
                f"{collection.fields.video_id!r}. Letter case matters: use the same letters in both."
            )
            yield Problem(ProblemKind.KEY_CASE, collection.directory, message)


def may_have_wrong_keys(site: str, collections: Sequence[Collection], pages: Pages) -> list[Collection]:
    """Return the collections without pages, or whose pages have none of the mapped counts, or lack a mapped detail.

    `pages` are those of a scan of the whole site. Of all others the keys are right, or their directory is empty. Counts
    in a data file have no keys in pages.
    """
    suspects = []
    for collection in collections:
        fields = collection.fields
        present = {field.kind for field in pages.value_fields(fields) if field.present}
        has_counts = not fields.counts or not present.isdisjoint(fields.counts)
        has_details = fields.insert_missing or present.issuperset(fields.details)
        is_suspect = not (has_counts and has_details)
        if not pages.count(fields):
            with suppress(OSError):  # the walk has reported it
                is_suspect = bool(os.listdir(os.path.join(site, collection.directory)))
        if is_suspect:
            suspects.append(collection)
    return suspects


def read_head(site: str, candidate: Candidate) -> tuple[bytes, Signature] | Problem | None:
    """Return the part of a file that contains its block, and its signature; None if it is not a regular file."""
    with closing(_Heads(site)) as heads:
        try:
            return heads.read(candidate.path, _bytes_to_read(candidate.path, candidate.fields))
        except OSError as error:
            return unreadable(candidate.path, error)


def may_name(site: str, problem: Problem, videos: AbstractSet[VideoId]) -> bool:
    """Whether the file that a scan found a problem with may name one of the videos: its text holds the ID.

    So may one that cannot be read; not so a directory, nor what is outside the site, which is not looked at.
    """
    if problem.kind is ProblemKind.OUTSIDE_SITE:
        return False
    read = read_head(site, Candidate(problem.subject, ()))
    if isinstance(read, Problem):
        return True
    return read is not None and any(video.encode() in read[0] for video in videos)


def _bytes_to_read(path: str, mappings: Sequence[Fields]) -> int:
    """Return how much of a file is read at most: all of a data file, and one byte more of one that is too large."""
    mappings = mappings or (UNMAPPED,)
    is_whole = any(fields.own_file or format_of(fields, path) is not Format.FRONT_MATTER for fields in mappings)
    return LARGEST_PAGE_BYTES + 1 if is_whole else WHOLE_HEAD_BYTES


class _Heads:
    """Reads the site's files. The last one's directory stays open: a name is found faster than a long path."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._parent: str | None = None
        self._descriptor = -1

    def read(self, path: str, limit: int = WHOLE_HEAD_BYTES) -> tuple[bytes, Signature] | None:
        """Return what `read_head` does. Raises OSError. `limit`: bytes; a higher one reads all of a larger file."""
        parent, _, name = path.rpartition("/")
        if parent != self._parent:
            self.close()
            self._descriptor = os.open(f"{self._site}/{parent}", os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
            self._parent = parent
        try:
            descriptor = os.open(name, OPEN_FLAGS, dir_fd=self._descriptor)
        except BlockingIOError:
            descriptor = open_file(name, self._descriptor)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return None
            head = os.read(descriptor, HEAD_BYTES)
            while len(head) < status.st_size and (limit > WHOLE_HEAD_BYTES or not head_suffices(head)):
                more = os.read(descriptor, limit - len(head))
                if not more:
                    break
                head += more
            return head, signature_of(status)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Close the directory, if one is open."""
        if self._parent is not None:
            self._parent = None
            os.close(self._descriptor)


def _embedded(candidate: Candidate, data: bytes, signature: Signature) -> Iterator[PageEmbeds | Problem]:
    """Yield what the text of a page embeds, if anything; a data file has no text."""
    from syncer.front_matter.embeds import find_embeds

    fields = next(each for each in candidate.fields if each.bodies)
    if format_of(fields, candidate.path) is not Format.FRONT_MATTER:
        return
    embeds = find_embeds(data, candidate.path)
    if isinstance(embeds, Problem):
        yield embeds
    elif embeds:
        yield PageEmbeds(Page(candidate.path, signature, fields, embeds))


def _read_in_full(
    candidate: Candidate, head: bytes, signature: Signature, pages: Pages, *, is_page: bool
) -> Iterator[MiscasedKey | ExcludedPage | Problem]:
    """Read a file for each of its collections; do what `read_pages` does."""
    found: list[Page] = []
    keys: list[MiscasedKey] = []
    problems: dict[Problem, None] = {}
    mapped = frozenset(
        key for fields in candidate.fields for key in (*fields.counts.values(), *fields.details.values())
    )
    several, excludes = len(candidate.fields) > 1, False
    for fields in candidate.fields:
        if not fields.video_id:
            continue
        if is_page:  # the fast path has been tried
            contents = find_in_tree(head, keys_of(fields), candidate.path)
        else:
            contents = find(head, fields, candidate.path, mapped)
        excludes = excludes or bool(contents.excluded)
        if slots := _without(contents.excluded, contents.slots) if contents.excluded else contents.slots:
            found.append(Page(candidate.path, signature, fields, slots))
        if contents.miscased_key:
            keys.append(MiscasedKey(candidate.path, fields, contents.miscased_key))
        problems |= dict.fromkeys(contents.problems)
    yield from problems
    if excludes:
        yield ExcludedPage(candidate.path)
    if not several or not (found or problems):  # else another collection has the key as the page writes it
        yield from keys
    settled = _settle(found) if len(found) > 1 else found
    if isinstance(settled, Problem):
        yield settled
    else:
        for page in settled:
            pages.append(*page)


def _without(excluded: AbstractSet[str], slots: Sequence[Slot]) -> tuple[Slot, ...]:
    """Return the slots that still have a count, without what is excluded."""
    if WHOLE_PAGE in excluded:
        return ()
    left = ((slot, [value for value in slot.values if key_of(value.field) not in excluded]) for slot in slots)
    return tuple(
        slot_of(slot.video_id, slot.line, values)
        for slot, values in left
        if any(isinstance(value.kind, Count) for value in values)
    )


def _settle(pages: Sequence[Page]) -> list[Page] | Problem:
    """Assign each count to the first mapping that has it; a Problem if another mapping would write another number.

    Keys of two mappings that differ only in letter case are a Problem too.
    """
    owners: dict[str, tuple[VideoId, ValueKind]] = {}
    letters: dict[str, str] = {}
    settled = []
    for page in pages:
        before = dict(owners)
        for slot in page.slots:
            for value in slot.values:
                place, wanted = place_in_file(value.field), (slot.video_id, value.kind)
                if letters.setdefault(fold_key(place), place) != place:
                    message = (
                        f"Two collections map {letters[fold_key(place)]!r} and {value.field!r}, which are the "
                        "same key to Hugo and others: use the same letters in both."
                    )
                    return Problem(ProblemKind.KEY_CASE, page.path, message, slot.line)
                if owners.setdefault(place, wanted) != wanted:
                    return _conflict(page.path, slot, value, owners[place])
        slots = tuple(
            slot_of(
                slot.video_id, slot.line, [value for value in slot.values if place_in_file(value.field) not in before]
            )
            for slot in page.slots
        )
        settled.append(page._replace(slots=slots))
    return settled


def _conflict(path: str, slot: Slot, value: Value, owner: tuple[VideoId, ValueKind]) -> Problem:
    video, kind = owner
    if video == slot.video_id:
        message = f"Two collections map {value.field!r}, one to {kind} and one to {value.kind}: map it only once."
        return Problem(ProblemKind.CANNOT_PLACE, path, message, slot.line)
    message = (
        f"Two collections map {value.field!r}, for different videos ({video} and {slot.video_id}): "
        "make the IDs the same, or map the key in one collection only."
    )
    return Problem(ProblemKind.IDS_DISAGREE, path, message, slot.line)
