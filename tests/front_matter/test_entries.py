"""The text of a data file: the same counts give the same bytes, and every reader reads the same numbers."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from syncer.front_matter.entries import entries_in, rewrite_entries, text_of
from syncer.model import LARGEST_COUNT, Change, Count, Fields, VideoId, Why

READERS: Mapping[str, Callable[[str], Any]] = {"yml": yaml.safe_load, "json": json.loads, "toml": tomllib.loads}
NOON = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
ODD_IDS = ["1234567e123", "1_000_000_0", "0x123456789", "00000000012", "-----------", "true-------", "2026-11-28-"]

video_ids = st.sampled_from(ODD_IDS) | st.from_regex("[A-Za-z0-9_-]{11}", fullmatch=True)
numbers = st.integers(0, LARGEST_COUNT).map(str) | st.integers(0, 9).map(str)
names = st.sampled_from(["views", "y", "on", "null", "1e5", "a b", "a: 5, b", 'say "hi"', "%s", "\u20ac", "\x85", "{}"])
names |= st.text(st.characters(exclude_categories=["Cs"], exclude_characters=".[]\0"), min_size=1, max_size=8)
paths = st.lists(names.filter(lambda name: name == name.strip()), min_size=1, max_size=3).map(".".join)


@st.composite
def mappings(draw: st.DrawFn) -> Fields:
    """Mappings that a config can have: no key is another one's parent."""
    counts: dict[Count, str] = {}
    for count in draw(st.permutations(list(Count)))[: draw(st.integers(1, 3))]:
        path = draw(paths)
        if not any(
            f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}.") for other in counts.values()
        ):
            counts[count] = path
    return Fields("{}", counts, own_file=True)


@st.composite
def files(draw: st.DrawFn) -> tuple[Fields, dict[VideoId, tuple[str | None, ...]]]:
    fields = draw(mappings())
    texts = st.tuples(*(st.none() | numbers for _ in fields.counts)).filter(any)
    return fields, draw(st.dictionaries(video_ids.map(VideoId), texts, max_size=6))


def nested(entry: Mapping[str, Any], path: str) -> Any:
    value: Any = entry
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


@pytest.mark.parametrize("suffix", READERS)
@given(file=files())
def test_readers_read_exactly_the_entries(suffix: str, file: tuple[Fields, dict[VideoId, Any]]) -> None:
    fields, entries = file
    path = f"data.{suffix}"
    text = text_of(entries, fields, path)
    found = READERS[suffix](text.decode()) or {}
    found.pop("_syncer", None)
    kind = str if suffix == "json" else int
    assert list(found) == sorted(entries)
    for video, texts in entries.items():
        for key, count in zip(fields.counts.values(), texts, strict=True):
            assert nested(found[video], key) == (None if count is None else kind(count))
    assert entries_in(text, fields, path) == entries
    assert text_of(entries_in(text, fields, path), fields, path) == text


@pytest.mark.parametrize("suffix", READERS)
@given(file=files(), video=video_ids.map(VideoId), number=numbers)
def test_a_change_changes_one_line(
    suffix: str, file: tuple[Fields, dict[VideoId, Any]], video: VideoId, number: str
) -> None:
    fields, entries = file
    path, count = f"data.{suffix}", next(iter(fields.counts))
    text = text_of(entries, fields, path)
    old = entries[video][0] if video in entries else None
    change = Change(path, video, "field", count, old, number, NOON, Why.CHANGED)
    new = rewrite_entries(text, fields, [change], path, ())
    assert new is not None
    before, now = text.splitlines(), new.splitlines()
    assert len(set(before) - set(now) - {b"{}"}) == (video in entries and old != number)
    assert len(set(now) - set(before)) == (old != number)
    assert rewrite_entries(new, fields, [], path, {video}) == text_of(
        {each: texts for each, texts in entries.items() if each != video}, fields, path
    )
    assert old == number or rewrite_entries(new, fields, [change], path, ()) is None


@pytest.mark.parametrize("suffix", READERS)
@given(file=files(), other=mappings())
def test_an_entry_of_another_mapping_has_the_counts_whose_keys_both_have(
    suffix: str, file: tuple[Fields, dict[VideoId, Any]], other: Fields
) -> None:
    fields, entries = file
    path, keys = f"data.{suffix}", list(other.counts.values())
    # some of the old keys, in the opposite order
    kept = [key for key in list(fields.counts.values())[::-1] if key not in keys][:1]
    if any(f"{one}.".startswith(f"{key}.") or f"{key}.".startswith(f"{one}.") for key in kept for one in keys):
        kept = []
    now = Fields("{}", dict(zip(Count, [*keys[: 3 - len(kept)], *kept], strict=False)), own_file=True)
    by_key = {video: dict(zip(fields.counts.values(), texts, strict=True)) for video, texts in entries.items()}
    wanted = {video: tuple(map(texts.get, now.counts.values())) for video, texts in by_key.items()}
    assert entries_in(text_of(entries, fields, path), now, path) == {
        video: texts for video, texts in wanted.items() if any(texts)
    }


@pytest.mark.parametrize(
    "line",
    [
        "{views: 1, views: 2}",
        "{views: 1, a: {b: 2}",
        "{views: 1}, a: 2}",
        "{a: {views: 1}",
        '{views: 1, title: "x"}',
        "{views: 1, }",
        "{views: 1,likes: 2}",
        '{views: 1, "\\q": 2}',
        "{views: 1, likes: 9223372036854775808}",
    ],
)
def test_a_line_with_anything_else_is_no_entry(line: str) -> None:
    fields = Fields("{}", {Count.VIEWS: "views"}, own_file=True)
    assert entries_in(f'# Written by syncer: do not edit.\n"aaaaaaaaaaa": {line}\n'.encode(), fields, "a.yml") == {}


def test_no_other_line_is_an_entry() -> None:
    fields = Fields("{}", {Count.VIEWS: "views"}, own_file=True)
    text = (
        b'# Written by syncer: do not edit.\r\n"aaaaaaaaaaa": {views: 1}\r\n<<<<<<< HEAD\n"bbbbbbbbbbb": {views: 010}\n'
        b'"ccccccccccc": {views: 9223372036854775808}\n"ddddddddddd": {views: 2, likes: 3}\n'
        b'"eeeeeeeeeee": {views: -1}\n'
        b"\xff\n  \"fffffffffff\": {views: 1}\n'ggggggggggg': {views: 1}\n"
    )
    assert entries_in(text, fields, "a.yml") == {"aaaaaaaaaaa": ("1",), "ddddddddddd": ("2",)}
    assert entries_in(text[1:], fields, "a.yml") == {}
