"""What is found in a file with many slots: the slots in a tenth of the memory, and the first problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import overload

from syncer.front_matter.keys import PageContents
from syncer.model import Problem, Slot, ValueField, ValueKind, VideoId, item_of

FEW_SLOTS = 1000
"""Up to so many slots are kept as they are; of more, so many are unpacked at a time."""

MAX_PROBLEMS = 100
"""More problems of one file are only counted."""

_Names = tuple[tuple[ValueKind, str, bool], ...]
"""The fields of a slot without its item."""


def pack(slots: Iterable[Slot]) -> Sequence[Slot]:
    """Return slots as a sequence. Many are packed one by one: all of them as values take 600 bytes each."""
    slots = iter(slots)
    few = tuple(islice(slots, FEW_SLOTS + 1))
    return few if len(few) <= FEW_SLOTS else PackedSlots(chain(few, slots))


def common_item(fields: Sequence[ValueField]) -> str:
    """Return the item that all of these fields are in; empty if there is none."""
    item = item_of(fields[0].field) if fields else ""
    return item if all(field.field.startswith(item) for field in fields) else ""


class Findings:
    """What is wrong with a file that may have many slots."""

    def __init__(self, path: str, problems: Iterable[Problem] = ()) -> None:
        """Begin with these problems."""
        self.path = path
        self.problems = dict.fromkeys(problems)
        """The first ones, each once."""
        self.more = 0
        self.refusal: Problem | None = None
        """Why the file has no slots, whatever else it has."""

    def add(self, problem: Problem) -> None:
        """Add one problem more."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems[problem] = None
        else:
            self.more += 1

    def contents(self, slots: Sequence[Slot]) -> PageContents:
        """Return what is in the file, which has these slots."""
        if self.refusal:
            return PageContents((), (self.refusal,))
        problems = list(self.problems)
        if self.more:
            message = f"The file has {self.more:,} more problems: fix the first {MAX_PROBLEMS}, then sync again."
            problems.append(Problem(problems[-1].kind, self.path, message))
        return PageContents(slots, tuple(problems))


class PackedSlots(Sequence[Slot]):
    """Slots that are built when they are read, and equal those that were packed. No text has a NUL."""

    def __init__(self, slots: Iterable[Slot]) -> None:
        """Pack the slots, one by one."""
        self._numbers: dict[_Names, int] = {}
        """Most slots of a file have the same fields, but for the item."""
        self._parts: list[bytes] = []
        """Of so many slots each, with NULs between: the number of the fields, the video, the line, the item, the texts.
        """
        self._length = 0
        slots = iter(slots)
        while part := list(islice(slots, FEW_SLOTS)):
            self._parts.append("\0".join(chain.from_iterable(map(self._texts_of, part))).encode())
            self._length += len(part)
        self._names = list(self._numbers)

    def __len__(self) -> int:
        """Return how many slots there are."""
        return self._length

    def __iter__(self) -> Iterator[Slot]:
        """Yield the slots, in order."""
        return chain.from_iterable(map(self._unpacked, self._parts))

    @overload
    def __getitem__(self, number: int) -> Slot: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Slot]: ...
    def __getitem__(self, number: int | slice) -> Slot | Sequence[Slot]:
        """Return a slot by its number, from 0, or several. Raises IndexError."""
        if isinstance(number, slice):
            return tuple(self[each] for each in range(*number.indices(self._length)))
        at = range(self._length)[number]
        return next(islice(self._unpacked(self._parts[at // FEW_SLOTS]), at % FEW_SLOTS, None))

    def __eq__(self, other: object) -> bool:
        """Whether the other sequence has equal slots in the same order."""
        return (
            isinstance(other, Sequence)
            and len(self) == len(other)
            and all(own == each for own, each in zip(self, other, strict=True))
        )

    __hash__ = None  # type: ignore[assignment]

    def _texts_of(self, slot: Slot) -> Sequence[str]:
        video, line, fields, texts = slot
        item = common_item(fields)
        start = len(item)
        names = tuple([(field.kind, field.field[start:], field.present) for field in fields])
        number = self._numbers.setdefault(names, len(self._numbers))
        return (f"{number}", video, f"{line}", item, *[text or "" for text in texts])

    def _unpacked(self, part: bytes) -> Iterator[Slot]:
        texts, at = part.decode().split("\0"), 0
        while at < len(texts):
            number, video, line, item = texts[at : at + 4]
            names = self._names[int(number)]
            fields = tuple([ValueField(kind, item + name, present) for kind, name, present in names])
            at += 4
            yield Slot(VideoId(video), int(line), fields, tuple([text or None for text in texts[at : at + len(names)]]))
            at += len(names)
