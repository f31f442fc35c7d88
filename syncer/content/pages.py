"""Keeps the pages of a scan in little memory: about 90 bytes each, where the values themselves take 700."""

from __future__ import annotations

import hashlib
import string
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby, islice
from typing import NamedTuple

from syncer.model import Count, Fields, Page, Reading, Signature, Slot, ValueField, ValueKind, VideoId

ID_CHARACTERS = f"-{string.digits}{string.ascii_uppercase}_{string.ascii_lowercase}"
"""Those of a video ID (`model.ID_PATTERN`), in their order."""


MANY_SLOTS = 100
"""A page with more slots is kept without what differs in each of them: else each would be a kind of its own."""

PART_SLOTS = 20
"""The slots in each part of such a page: a window of a million videos reads the parts that name one of its own."""


class _Kind(NamedTuple):
    """What many slots have in common."""

    name: str
    mapping: Fields
    line: int
    fields: tuple[ValueField, ...]
    counts: tuple[Count, ...]
    """Those of the fields: the first of them."""
    size: int
    """How many texts each slot has."""
    of_items: bool = False
    """The fields have no item, and the line is not known: each slot has two more texts, its item and its line."""


class Pages:
    """Pages in the order in which they were appended; a file in two collections is two of them, one after the other.

    Each page is built when it is read: it equals the appended one, and has the very mapping of its collection. One with
    many slots is several pages of some slots each, one after the other: its parts.
    Python's garbage collector finds nothing here to visit, however many pages there are.
    """

    def __init__(self, pages: Iterable[Page] = (), many_slots: int = MANY_SLOTS) -> None:
        """Begin with these pages. `many_slots` is what `MANY_SLOTS` says."""
        self._many_slots = many_slots
        self.files = 0
        """How many files they are: one that is in two collections counts once."""
        self._last_path: str | None = None
        self._texts = bytearray()
        """Of each page, with NULs between: the path, then of each slot the name of its kind, the video, the counts.

        In a file with many slots, the item of each slot and its line follow.
        """
        self._ends = array("Q")
        """Where each page's texts end."""
        self._signatures = array("q")
        self._mapping_numbers = array("H")
        """The number of each page's mapping."""
        self._mappings: list[Fields] = []
        """The very ones: two collections with equal mappings have two."""
        self._number_of: dict[int, int] = {}
        """By a mapping's identity."""
        self._more_parts = Counter[int]()
        """By the number of the mapping: how many pages are parts of a page, but not the first."""
        self._kinds: dict[str, _Kind] = {}
        """By name; most slots of a site are of a few kinds."""
        self._known: dict[tuple[int, int, int], _Kind] = {}
        """By the identity of mapping and fields, and the line: to hash their values takes as long as all the rest."""
        self._of_items: dict[tuple[int, tuple[tuple[ValueKind, str, bool], ...]], _Kind] = {}
        """By the identity of the mapping, and the fields without the item."""
        self._shared: dict[tuple[ValueField, ...], tuple[ValueField, ...]] = {}
        """Equal fields that are not the same object would be a new kind in each page."""
        for page in pages:
            self.append(*page)

    def append(self, path: str, signature: Signature, mapping: Fields, slots: Sequence[Slot]) -> None:
        """Keep a page, by its parts: to make it first takes a scan a thirtieth longer. No part has a NUL in a text."""
        number = self._number_of.setdefault(id(mapping), len(self._mappings))
        if number == len(self._mappings):
            self._mappings.append(mapping)
        appended: Iterable[str]
        if len(slots) > self._many_slots:
            appended = self._parts_of_items(path, mapping, slots)
            self._more_parts[number] += (len(slots) - 1) // PART_SLOTS
        else:
            text = path
            for video, line, fields, texts in slots:
                kind = self._known.get((id(mapping), line, id(fields)))
                if kind is None:
                    shared = self._shared.setdefault(fields, fields)
                    own = tuple(field.kind for field in shared if isinstance(field.kind, Count))
                    new = _Kind(f"{len(self._kinds)}", mapping, line, shared, own, 2 + len(shared))
                    kind = self._known.setdefault((id(mapping), line, id(shared)), new)
                    self._kinds[kind.name] = kind
                values = texts if all(texts) else [value or "" for value in texts]
                text = "\0".join((text, kind.name, video, *values))
            appended = (text,)
        for text in appended:
            self._texts += text.encode()
            self._ends.append(len(self._texts))
            self._signatures.append(signature)
            self._mapping_numbers.append(number)
        if path != self._last_path:
            self._last_path = path
            self.files += 1

    def __len__(self) -> int:
        """Return how many pages there are; a file in two collections counts twice, and each part of a page counts."""
        return len(self._ends)

    def __getitem__(self, number: int) -> Page:
        """Return a page by its number, from 0. Raises IndexError."""
        parts, at = self._parts(number), 1
        slots = []
        while at < len(parts):
            _, _, line, fields, _, size, of_items = self._kinds[parts[at]]
            end = at + size
            texts = parts[at + 2 : at + 2 + len(fields)]
            if of_items:
                item, line = parts[end - 2], int(parts[end - 1])
                fields = tuple([ValueField(field.kind, item + field.field, field.present) for field in fields])
            slots.append(
                Slot(
                    VideoId(parts[at + 1]),
                    line,
                    fields,
                    tuple([text or None for text in texts] if "" in texts else texts),
                )
            )
            at = end
        mapping = self._mappings[self._mapping_numbers[number]]
        return Page(parts[0], Signature(self._signatures[number]), mapping, tuple(slots))

    def __iter__(self) -> Iterator[Page]:
        """Yield all pages."""
        return map(self.__getitem__, range(len(self)))

    def whole(self) -> Iterator[Page]:
        """Yield all pages as they were appended."""
        from syncer.front_matter.packed_slots import pack

        for _, group in groupby(self, key=lambda page: (page.path, id(page.fields))):
            first, *others = group
            yield first._replace(slots=pack(slot for part in (first, *others) for slot in part.slots))

    def path(self, number: int) -> str:
        """Return a page's path."""
        start = self._ends[number - 1] if number else 0
        return self._texts[start : self._ends[number]].partition(b"\0")[0].decode()

    def shows(self, number: int, readings: Mapping[VideoId, Reading]) -> bool:
        """Return whether a page shows all its counts, digit by digit, as these readings have them, whatever its dates.

        Nothing is to be done about such a page. False says nothing: `007` is 7, and a count may be hidden.
        """
        parts, at = self._parts(number), 1
        while at < len(parts):
            kind = self._kinds[parts[at]]
            counts = kind.counts
            reading, start = readings.get(VideoId(parts[at + 1])), at + 2
            if reading is None or not reading.statistics:
                return False
            given = reading.statistics
            if parts[start : start + len(counts)] != [str(given.get(count)) for count in counts]:
                return False
            at += kind.size
        return True

    def named(self, numbers: Iterable[int] | None = None) -> Iterator[tuple[str, Sequence[VideoId]]]:
        """Yield the path of each page and its videos, one for each slot: faster than the pages themselves.

        `numbers`: only of these pages.
        """
        for number in range(len(self)) if numbers is None else numbers:
            parts, at = self._parts(number), 1
            videos = []
            while at < len(parts):
                videos.append(VideoId(parts[at + 1]))
                at += self._kinds[parts[at]].size
            yield parts[0], videos

    def places(self) -> Iterator[tuple[str, AbstractSet[tuple[VideoId, str]]]]:
        """Yield each character that can begin an ID, and all pairs of such a video and the path of a page of it.

        They are in the order of the characters. So only a part of the pairs is in memory at a time.
        """
        numbers = {character: array("Q") for character in ID_CHARACTERS}
        for number, (_, videos) in enumerate(self.named()):
            for video in videos:
                of_first = numbers[video[0]]
                if not of_first or of_first[-1] != number:
                    of_first.append(number)
        for character, of_character in numbers.items():
            found = self.named(of_character)
            yield character, {(video, path) for path, videos in found for video in videos if video[0] == character}

    def digest(self) -> str:
        """Return what is the same only if the pages name the same videos in the same order."""
        digest = hashlib.sha256()
        for path, videos in self.named():
            digest.update("\0".join((path, *videos, "", "")).encode())
        return digest.hexdigest()

    def count(self, mapping: Fields) -> int:
        """Return how many pages one collection has, by its very mapping; one with many slots counts once."""
        number = self._number_of.get(id(mapping), len(self._mappings))
        return self._mapping_numbers.count(number) - self._more_parts[number]

    def of(self, mapping: Fields) -> Iterator[Page]:
        """Yield the pages of one collection, by its very mapping."""
        return (self[number] for number, each in enumerate(self._mapping_numbers) if self._mappings[each] is mapping)

    def value_fields(self, mapping: Fields) -> Iterator[ValueField]:
        """Yield all fields that a collection's slots have, some more than once, but not slot by slot.

        Those of pages with many slots are without their items.
        """
        kinds = (kind for kind in self._kinds.values() if kind.mapping is mapping)
        return (field for kind in kinds for field in kind.fields)

    def _parts_of_items(self, path: str, mapping: Fields, slots: Sequence[Slot]) -> Iterator[str]:
        """Yield the texts of each part of a page with many slots."""
        from syncer.front_matter.packed_slots import common_item

        left = iter(slots)
        while part := list(islice(left, PART_SLOTS)):
            texts = [path]
            for video, line, fields, values in part:
                item = common_item(fields)
                start = len(item)
                names = tuple([(field.kind, field.field[start:], field.present) for field in fields])
                kind = self._of_items.get((id(mapping), names))
                if kind is None:
                    own = tuple(kind for kind, _, _ in names if isinstance(kind, Count))
                    without = tuple(ValueField(*name) for name in names)
                    kind = _Kind(f"{len(self._kinds)}", mapping, 0, without, own, 4 + len(names), of_items=True)
                    self._kinds[kind.name] = self._of_items[id(mapping), names] = kind
                texts += (kind.name, video, *[value or "" for value in values], item, f"{line}")
            yield "\0".join(texts)

    def _parts(self, number: int) -> list[str]:
        if number < 0:
            raise IndexError(number)
        start = self._ends[number - 1] if number else 0
        return self._texts[start : self._ends[number]].decode().split("\0")
