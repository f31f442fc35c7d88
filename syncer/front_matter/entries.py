"""The text of a data file that syncer writes (`write.file`): an entry for each video, on a line of its own.

The same counts always give the same bytes, whatever the file was before (decision record 0029).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from syncer.front_matter.keys import PageContents, is_same_text
from syncer.model import ID_PATTERN, LARGEST_COUNT, Change, Count, Fields, Slot, ValueField, ValueKind, VideoId

NOTE = "Written by syncer: do not edit"

MARKS = (f"# {NOTE}".encode(), f'{{"_syncer": {{"note": "{NOTE}'.encode())
"""How each data file begins. A file that begins otherwise is not syncer's."""

Texts = tuple[str | None, ...]
"""The digits of an entry's counts, in the order of the mapping; None where there is none."""

_PLAIN_YAML = re.compile("[A-Za-z_][A-Za-z0-9_-]+")
_BARE_TOML = re.compile("[A-Za-z0-9_-]+")
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Characters that JSON accepts unescaped, but YAML or TOML do not."""

_COUNT = "(0|[1-9][0-9]{0,18})"

_LINE = re.compile(rf',?"({ID_PATTERN})"(?:: | = )\{{(.+)\}}\r?')
"""An entry with any keys."""

_STEP = re.compile(
    r'(?:("(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|([A-Za-z0-9_-]+))(?:: | = )'
    rf'(?:\{{|("?){_COUNT}\3(\}}*)(?:, (?!$)|$))'
)
"""A key of an entry, up to the next one: what follows is another table, or a count and the ends of tables."""

_DIGITS = re.compile("\0([0-9])")
"""Stands for a count's digits in a form: the number of the count."""


class _Grammar(NamedTuple):
    """How one kind of file writes entries."""

    first: str
    """The first line, with the mark."""
    empty: str
    """What follows it where there is no entry."""
    last: str
    before: str
    """In front of an entry."""
    assign: str
    """Between a key and its value."""
    quote: str
    """Around digits."""
    plain: re.Pattern[str] | None
    """The keys that need no quotes."""


_YAML = _Grammar(f"# {NOTE}.\n", "{}\n", "", "", ": ", "", _PLAIN_YAML)
_TOML = _Grammar(f"# {NOTE}.\n", "", "", "", " = ", "", _BARE_TOML)
_JSON = _Grammar(f'{{"_syncer": {{"note": "{NOTE}."}}\n', "", "}\n", ",", ": ", '"', None)


class _Form(NamedTuple):
    """An entry that has some of the counts."""

    pattern: re.Pattern[str]
    template: str
    """For `%` with the video and its counts."""
    numbers: tuple[int, ...]
    """Which counts of the mapping it has, in the order of the line."""


def is_own(data: bytes) -> bool:
    """Return whether a file is one that syncer wrote."""
    return data.startswith(MARKS)


def begins_own(data: bytes) -> bool:
    """Return whether a text is such a file, or the beginning of one."""
    return is_own(data) or any(mark.startswith(data) for mark in MARKS)


def entries_in(data: bytes, fields: Fields, path: str) -> dict[VideoId, Texts]:
    """Return the entries of a data file by video; of a file without the mark, none.

    A line in another form than syncer writes is no entry: what an author changed is written again. A line with other
    keys, or in another order, is from an earlier mapping: it has the counts whose keys are mapped still. `path` tells
    the kind of file by its suffix.
    """
    entries: dict[VideoId, Texts] = {}
    if not is_own(data):
        return entries
    keys = tuple(fields.counts.values())
    forms, blank = _forms(path, keys), (None,) * len(keys)
    for line in data.decode(errors="replace").split("\n"):
        for pattern, _, numbers in forms:
            if found := pattern.fullmatch(line):
                video, *counts = found.groups()
                if max(map(int, counts)) <= LARGEST_COUNT:
                    texts: list[str | None] = [*blank]
                    for number, count in zip(numbers, counts, strict=True):
                        texts[number] = count
                    entries[VideoId(video)] = tuple(texts)
                break
        else:
            if other := _LINE.fullmatch(line):
                by_key = _by_key(other[2])
                if any(mapped := tuple(map(by_key.get, keys))):
                    entries[VideoId(other[1])] = mapped
    return entries


def text_of(entries: Mapping[VideoId, Texts], fields: Fields, path: str) -> bytes:
    """Return the data file with these entries. One without a count is left out."""
    grammar = _grammar(path)
    forms = {frozenset(form.numbers): form for form in _forms(path, tuple(fields.counts.values()))}
    lines = [grammar.first]
    for video, texts in sorted(entries.items()):
        if form := forms.get(frozenset(number for number, text in enumerate(texts) if text is not None)):
            lines.append(form.template % (video, *(texts[number] for number in form.numbers)))
    return "".join([*lines, grammar.empty if len(lines) == 1 else "", grammar.last]).encode()


def has_form(data: bytes, fields: Fields, path: str) -> bool:
    """Return whether a data file is as syncer writes it with these fields."""
    return text_of(entries_in(data, fields, path), fields, path) == data


def find_entries(data: bytes, fields: Fields, path: str) -> PageContents:
    """Return the entries of a data file as slots that have all mapped counts, some of them absent."""
    return PageContents(tuple(slots_of(entries_in(data, fields, path), fields)))


def slots_of(
    entries: Mapping[VideoId, Texts], fields: Fields, videos: Collection[VideoId] | None = None
) -> Iterator[Slot]:
    """Yield the slot of each of these videos; None: of each entry. A video without an entry has no counts there."""
    blank: Texts = (None,) * len(fields.counts)
    for video in entries if videos is None else videos:
        texts = entries.get(video, blank)
        named = zip(fields.counts, texts, strict=True)
        own = tuple([ValueField(count, field_of(fields, video, count), text is not None) for count, text in named])
        yield Slot(video, 1, own, texts)


def field_of(fields: Fields, video: VideoId, count: Count) -> str:
    """Return the path of a count as the diff log names it."""
    return f"{{{video}}}.{fields.counts[count]}"


def rewrite_entries(
    data: bytes, fields: Fields, changes: Sequence[Change], path: str, removed: Collection[VideoId]
) -> bytes | None:
    """Return the data file with these changes, and without the entries of the `removed` videos.

    None where the file is not syncer's, or no longer has the old values. An empty text is a new file.
    """
    if data and not is_own(data):
        return None
    entries = entries_in(data, fields, path)
    blank: Texts = (None,) * len(fields.counts)
    numbers: dict[ValueKind, int] = {count: number for number, count in enumerate(fields.counts)}
    for change in changes:
        number, texts = numbers.get(change.kind), entries.get(change.video_id, blank)
        if number is None or texts[number] != change.old:
            return None
        entries[change.video_id] = (*texts[:number], change.new, *texts[number + 1 :])
    for video in removed:
        entries.pop(video, None)
    return text_of(entries, fields, path)


def _by_key(table: str) -> Mapping[str, str]:
    """Return the counts of an entry by their keys; none if anything in it is not as syncer writes it."""
    found, path, at = dict[str, str](), list[str](), 0
    while at < len(table):
        step = _STEP.match(table, at)
        if step is None:
            return {}
        quoted, plain, _, count, ends = step.groups()
        path.append(json.loads(quoted) if quoted else plain)
        if count:
            key = ".".join(path)
            if key in found or int(count) > LARGEST_COUNT or len(ends) >= len(path):
                return {}
            found[key] = count
            path = path[: len(path) - 1 - len(ends)]
        at = step.end()
    return {} if path else found


def _grammar(path: str) -> _Grammar:
    suffix = path.rpartition(".")[2].lower()
    return _JSON if suffix == "json" else _TOML if suffix == "toml" else _YAML


@lru_cache(maxsize=64)
def _forms(path: str, keys: tuple[str, ...]) -> Sequence[_Form]:
    """Return the forms of an entry, the one with all counts first."""
    grammar, forms = _grammar(path), list[_Form]()
    for size in range(len(keys), 0, -1):
        for numbers in combinations(range(len(keys)), size):
            inner = _table(grammar, [(keys[number].split("."), number) for number in numbers])
            start, middle, in_order = f'{grammar.before}"', f'"{grammar.assign}', map(int, _DIGITS.findall(inner))
            counts = _COUNT.join(map(re.escape, _DIGITS.split(inner)[::2]))
            pattern = re.compile(f"{re.escape(start)}({ID_PATTERN}){re.escape(middle)}{counts}\r?")
            template = f"{start}%s{middle}{_DIGITS.sub('%s', inner.replace('%', '%%'))}\n"
            forms.append(_Form(pattern, template, tuple(in_order)))
    return forms


def _table(grammar: _Grammar, paths: Sequence[tuple[Sequence[str], int]]) -> str:
    """Return a table on one line, with tables in it where keys have several parts."""
    parts: dict[str, list[tuple[Sequence[str], int]]] = {}
    for (name, *rest), number in paths:
        parts.setdefault(name, []).append((rest, number))
    values = (
        (name, _table(grammar, inner) if inner[0][0] else f"{grammar.quote}\0{inner[0][1]}{grammar.quote}")
        for name, inner in parts.items()
    )
    return "{" + ", ".join(f"{_key(grammar, name)}{grammar.assign}{value}" for name, value in values) + "}"


def _key(grammar: _Grammar, name: str) -> str:
    if grammar.plain and grammar.plain.fullmatch(name) and (grammar is _TOML or is_same_text(name)):
        return name
    quoted = json.dumps(name, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
