"""A collection's fields made ready for the search: paths taken apart, patterns compiled."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from syncer.model import Count, Fields

Names = tuple[str, ...]
"""A path from a table down: `links.youtube` is `("links", "youtube")`."""


@dataclass(frozen=True, slots=True)
class CountKey:
    """Where one count stands, seen from the table that holds the video."""

    count: Count
    names: Names
    field: str


class Keys(NamedTuple):
    """A field mapping, taken apart."""

    lists: tuple[Names, ...]
    """The lists to go through, outermost first; none where the page is about one video."""
    video_id: Names
    counts: tuple[CountKey, ...]
    insert_missing: bool
    needle: bytes
    """The id key's own name: a block without it holds no video."""
    named: re.Pattern[str]
    """Finds the id key's name as a word."""
    set: re.Pattern[str]
    """Finds a line that sets the id key."""
    flat: bool
    """Every key is one of the top level."""


def keys_of(fields: Fields) -> Keys:
    """Return the fields taken apart; the same fields cost a look-up only.

    Raises ValueError for a path that no config can hold: an empty name, `[]` at the end or in a count.
    """
    return _keys(fields.video_id, tuple(fields.counts.items()), fields.insert_missing)


@lru_cache(maxsize=64)
def _keys(video_id: str, counts: tuple[tuple[Count, str], ...], insert_missing: bool) -> Keys:  # noqa: FBT001
    *lists, own = [_names(part.removeprefix(".")) for part in video_id.split("[]")]
    count_keys = tuple(CountKey(count, _names(field), sys.intern(field)) for count, field in counts)
    name = re.escape(own[-1])
    return Keys(
        lists=tuple(lists),
        video_id=own,
        counts=count_keys,
        insert_missing=insert_missing,
        needle=own[-1].encode(),
        named=re.compile(rf"(?<![\w-]){name}(?![\w-])"),
        set=re.compile(rf"(?:^[ \t-]*+|[{{,]\s*+)[\"']?{name}[\"']?[ \t]*[:=]", re.MULTILINE),
        flat=not lists and len(own) == 1 and all(len(key.names) == 1 for key in count_keys),
    )


def _names(path: str) -> Names:
    names = tuple(sys.intern(name) for name in path.split("."))
    if not all(names) or "[]" in path:
        raise ValueError(f"{path!r} is no path of keys")
    return names
