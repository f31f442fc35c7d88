"""Items of data files with a mapped key in other letters: a sync leaves them alone, as any key that is not mapped."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from syncer.content.page_file import attempt
from syncer.front_matter.data import MAX_TREE_BYTES
from syncer.front_matter.keys import TABLES, fold_key, format_of, item_prefix
from syncer.front_matter.leaves import leaves
from syncer.front_matter.video_id import parse_video_id
from syncer.model import Fields, Format
from syncer.wording import counted


def describe_other_case(
    collections: Sequence[tuple[Fields, Sequence[str]]], read: Callable[[str], bytes | None]
) -> Iterator[tuple[int, str, str]]:
    """Yield a sentence for each key that is a mapped one but for its letter case: in how many items it is, and where.

    `collections` are fields and the paths of their data files; the number of one of them and the key as it is
    written are before each sentence. A key that another of them maps in the same file is left out. So are the ID's key,
    front matter and tables: a sync reports such keys there. `read` returns the content of a file, None if it cannot be
    read.
    """
    mapped: defaultdict[str, set[str]] = defaultdict(set)
    for fields, paths in collections:
        for path in paths:
            mapped[path].update(_mapped(fields))
    for number, (fields, paths) in enumerate(collections):
        found: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for path in paths:
            form = format_of(fields, path)
            data = None if form is Format.FRONT_MATTER or form in TABLES else read(path)
            if data is not None and len(data) <= MAX_TREE_BYTES:
                for pair in attempt(_other_keys, data, form, fields, mapped[path]) or ():
                    found[pair][path] += 1
        for (key, written), files in found.items():
            videos, one = files.total(), files.most_common(1)[0][0]
            have = f"{counted(videos, 'video')} {'have' if videos > 1 else 'has'}"
            sentence = f"{have} `{written}` instead of `{key}`, such as in {one}. Letter case matters, so a sync leaves"
            yield number, written, f"{sentence} `{written}` alone. Write `{key}` in all items."


def _mapped(fields: Fields) -> list[str]:
    """Return the keys beside the IDs that a collection maps, from the top of a file."""
    before = item_prefix(fields.video_id)
    return [before + key for key in (*fields.counts.values(), *fields.details.values(), *fields.where)]


def _other_keys(data: bytes, form: Format, fields: Fields, taken: AbstractSet[str]) -> list[tuple[str, str]]:
    """Return, for each item with a video and a mapped key in other letters, that key as mapped and as written.

    `taken` are keys that are no others, because they are mapped.
    """
    before, mapped = item_prefix(fields.video_id), _mapped(fields)
    mapped = [
        fields.video_id,
        *(before + key for key in (*fields.counts.values(), *fields.details.values(), *fields.where)),
    ]
    names = {key.rpartition(".")[2] for key in mapped}
    words = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)", re.IGNORECASE)
    if all(word in names for word in words.findall(data.decode(errors="replace"))):
        return []  # as in nearly all files: they need not be parsed
    found = leaves(data, form)
    items: dict[int, dict[str, str]] = {}
    for (key, text, _), item in zip(found, found.items, strict=True):
        items.setdefault(item, {})[key] = text
    pairs = []
    for values in items.values():
        folded = {fold_key(key): key for key in values}
        if isinstance(parse_video_id(values.get(fields.video_id, ""), ""), str):
            others = ((key, folded.get(fold_key(key))) for key in mapped if key not in values)
            pairs += [
                (key.removeprefix(before), other.removeprefix(before))
                for key, other in others
                if other and other not in taken
            ]
    return pairs
