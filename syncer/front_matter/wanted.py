"""Which members of a data file's tables matter: a tree of all would take up to a hundred times the file's size.

Each node on the way has a number: how many steps of the path to the videos lie behind it. In the table of a video, the
mapped names matter; of what has a higher number, all does. A node that does not matter is `NOT_WANTED`.
"""

from __future__ import annotations

from syncer.front_matter.keys import EXCLUSION, Keys, fold_key

NOT_WANTED = -1

MAX_KEPT_NODES = 500_000
"""A file in which more nodes matter is refused: they take about 150 bytes each."""

TOO_MANY_VALUES = "The file has more values than syncer reads at once: split it into several files."


class Wanted:
    """The path to the videos of a mapping, and the names of the keys below it."""

    def __init__(self, keys: Keys) -> None:
        self._steps: list[str | None] = []
        """The folded names on the way; None for an item of a list, and for any key of a mapping of ids."""
        for names in keys.lists:
            self._steps += [*map(fold_key, names), None]
        if keys.is_keyed:
            self._steps += [*map(fold_key, keys.video_id), None]
        paths = [*(key.names for key in keys.mapped), *(names for names, _ in keys.where), keys.video_id]
        self._names = {fold_key(name) for names in paths for name in names}
        self._all_below = keys.is_keyed and keys.insert_missing  # a value is added before the first one
        self._known: dict[tuple[int, str], int] = {}
        self._id = None if keys.is_keyed else fold_key(keys.video_id[-1])
        self.beyond = len(self._steps)
        """The number of the tables of the videos, and of what is below them."""

    def is_name(self, number: int) -> bool:
        """Return whether the next step from a node with this number is a key by its name."""
        return 0 <= number < self.beyond and self._steps[number] is not None

    def item(self, number: int) -> int:
        """Return the number of the items of a list with this number."""
        is_step = 0 <= number < self.beyond
        return number + 1 if is_step and self._steps[number] is None else NOT_WANTED if is_step else number

    def member(self, number: int, key: str) -> int:
        """Return the number of the value of a key, in a table with this number."""
        if number == NOT_WANTED or number > self.beyond:
            return number
        if number < self.beyond and self._steps[number] is None:
            return number + 1
        below = self._known.get((number, key))
        if below is None:
            below = self._known[number, key] = self._find(number, key)
        return below

    def _find(self, number: int, key: str) -> int:
        folded = fold_key(key)
        if key.endswith("<<") or ":" in key or "\t" in key:  # parsers differ in what such a key is
            return self.beyond + 1
        if number < self.beyond and folded == self._steps[number]:
            return number + 1
        if (number == self.beyond and folded == self._id) or (number == 0 and folded == EXCLUSION):
            return self.beyond + 1
        if number < self.beyond:
            return NOT_WANTED
        return number if self._all_below or folded in self._names else NOT_WANTED


class Everything(Wanted):
    """All that a file has: what a proposal of fields needs."""

    def __init__(self) -> None:
        self.beyond = NOT_WANTED  # all numbers are higher, and of what has a higher one, all matters
