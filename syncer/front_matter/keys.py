"""A collection's fields made ready for the search: paths taken apart, patterns compiled."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from syncer.front_matter.differences import is_same_text
from syncer.front_matter.grammar import NAME, block_pattern
from syncer.front_matter.letter_case import fold_key
from syncer.model import Count, CountField, CountType, Fields, count_fields

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
    insert_as: CountType
    path: str
    """To the id, as it is configured."""
    needle: bytes
    """The id key's own name: a block without it holds no video."""
    folded: bytes
    """The same in any letter case."""
    sets_folded: re.Pattern[str]
    """Finds what may set the key in a block that is folded."""
    named: re.Pattern[str]
    """Finds the id key's name as a word."""
    set: re.Pattern[str]
    """Finds a line that sets the id key."""
    plain: re.Pattern[bytes] | None
    """Proves a block of plain lines and finds the values; None where a key is not one of the top level."""
    count_fields: tuple[CountField, ...]
    """What all slots share that have each count."""


def keys_of(fields: Fields) -> Keys:
    """Return the fields taken apart; the same fields cost a look-up only.

    Raises ValueError for a path that no config can hold: an empty name, `[]` at the end or in a count.
    """
    return _keys(fields.video_id, tuple(fields.counts.items()), fields.insert_missing, fields.insert_as)


@lru_cache(maxsize=64)
def _keys(
    video_id: str,
    counts: tuple[tuple[Count, str], ...],
    insert_missing: bool,  # noqa: FBT001
    insert_as: CountType,
) -> Keys:
    *lists, own = [_names(part.removeprefix(".")) for part in video_id.split("[]")]
    count_keys = tuple(CountKey(count, _names(field), sys.intern(field)) for count, field in counts)
    name, folded = re.escape(own[-1]), fold_key(own[-1])
    return Keys(
        lists=tuple(lists),
        video_id=own,
        counts=count_keys,
        insert_missing=insert_missing,
        insert_as=insert_as,
        path=video_id,
        needle=own[-1].encode(),
        folded=folded.encode(),
        sets_folded=re.compile(rf"(?:^[ \t-]*|[{{,.]\s*)[\"']?{re.escape(folded)}[\"']?[ \t]*[:=]", re.MULTILINE),
        named=re.compile(rf"(?<![\w-]){name}(?![\w-])"),
        set=re.compile(rf"(?:^[ \t-]*+|[{{,]\s*+)[\"']?{name}[\"']?[ \t]*[:=]", re.MULTILINE),
        plain=None if lists else _plain(own, [key.names for key in count_keys]),
        count_fields=count_fields(*((key.count, key.field, True) for key in count_keys)),
    )


def _plain(video_id: Names, counts: Sequence[Names]) -> re.Pattern[bytes] | None:
    for name, *below in (video_id, *counts):
        if below or not NAME.fullmatch(name.encode()) or not is_same_text(name):
            return None
    return block_pattern(video_id[0], [names[0] for names in counts])


def _names(path: str) -> Names:
    names = tuple(sys.intern(name) for name in path.split("."))
    if not all(names) or "[]" in path:
        raise ValueError(f"{path!r} is no path of keys")
    return names
