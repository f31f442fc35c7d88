"""A large JSON file is read in pieces, and what is found and written is the same as in one."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.front_matter import data as data_files
from syncer.front_matter import find_in_pieces, json_pieces
from syncer.front_matter.find import find
from syncer.front_matter.keys import PageContents
from syncer.front_matter.packed_slots import MAX_PROBLEMS
from syncer.front_matter.rewrite import rewrite
from syncer.model import Count, Fields, Problem, ProblemKind
from tests.examples import PROVING, examples
from tests.front_matter.pages import ID, OTHER_ID, changes
from tests.front_matter.test_data import documents, mapped, mappings


@contextmanager
def in_pieces(items: int = 1, window: int = 1) -> Iterator[None]:
    """Read files of any size in pieces of so many items, and look at so many bytes at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_files, "LARGE_JSON_BYTES", -1)
        patch.setattr(json_pieces, "PIECE_ITEMS", items)
        patch.setattr(json_pieces, "_WINDOW_BYTES", window)
        yield


def summary(found: PageContents) -> tuple[Any, ...]:
    return list(found.slots), set(found.problems), found.miscased_key, found.excluded


def texts(value: Any) -> list[str]:
    return [json.dumps(value), json.dumps(value, indent=2, ensure_ascii=False).replace("\n", "\r\n")]


@examples(400 if PROVING else 150)
@given(
    documents.flatmap(lambda value: st.sampled_from(texts(value))),
    mappings,
    st.integers(1, 3),
    st.sampled_from([1, 7, 1 << 16]),
    st.none() | st.tuples(st.integers(0, 300), st.sampled_from(["", ",", "]", "}", '"', " ", "1", "\\"])),
)
def test_a_file_is_read_in_pieces_as_it_is_in_one(
    text: str, mapping: Fields, items: int, window: int, odd: tuple[int, str] | None
) -> None:
    if odd:  # usually not valid any more
        text = text[: odd[0]] + odd[1] + text[odd[0] + 1 :]
    data = text.encode()
    whole = find(data, mapping, "a.json")
    with in_pieces(items, window):
        found = find(data, mapping, "a.json")
    assert summary(found) == summary(whole)
    if made := changes(whole, "987654321"):
        expected = rewrite(data, mapping, made, "a.json")
        with in_pieces(items, window):
            written = rewrite(data, mapping, made, "a.json")
        assert isinstance(expected, bytes)
        assert isinstance(written, bytes)
        if mapping.insert_missing:  # an inserted count has the quotes of the nearest one, here within the piece
            assert written.replace(b'"987654321"', b"987654321") == expected.replace(b'"987654321"', b"987654321")
        else:
            assert written == expected


def file(items: int, more: str = "") -> bytes:
    """A list of so many videos, whose counts are numbers in one and texts in the next."""
    item = '{{"title": "\u266b", "id": "{}", "views": {}{}}}'
    return (
        f"[{','.join(item.format(ID if number % 2 else OTHER_ID, number, more) for number in range(items))}]".encode()
    )


def test_items_have_their_numbers_and_lines_in_the_whole_file() -> None:
    data = file(5).replace(b",{", b",\n\n{")
    with in_pieces(2):
        found = find(data, mapped("[].id"), "a.json")
        last = changes(found, "31250")[-1]
        result = rewrite(data, mapped("[].id"), [last], "a.json")
    assert [(slot.line, slot.values[0].field) for slot in found.slots] == [
        (1, "[0].views"), (3, "[1].views"), (5, "[2].views"), (7, "[3].views"), (9, "[4].views")
    ]  # fmt: skip
    assert result == data.replace(b'"views": 4', b'"views": 31250')


@pytest.mark.parametrize(
    ("field", "old"), [("[1].views", "0"), ("[9].views", "0"), ("views", "0"), ("[0].views", "7"), ("[0].views", "0")]
)
def test_a_change_that_the_file_no_longer_has_edits_nothing(field: str, old: str) -> None:
    data = file(5)
    with in_pieces(2):
        first = changes(find(data, mapped("[].id"), "a.json"), "31250")[0]
        result = rewrite(data, mapped("[].id"), [first._replace(field=field, old=old)], "a.json")
    if (field, old) == (first.field, first.old):
        assert result == data.replace(b'"views": 0', b'"views": 31250')
    else:
        assert isinstance(result, Problem)
        assert result.kind is ProblemKind.EDITED_MEANWHILE


def test_a_key_twice_is_seen_across_pieces() -> None:
    """Among the ids it is a problem of that id; in an item, of the whole file."""
    keyed = f'{{"{ID}": {{"views": 1}},\n"{OTHER_ID}": {{"views": 1}},\n"{ID}": {{"views": 2}}}}'.encode()
    with in_pieces():
        found = find(keyed, mapped("{}"), "a.json")
        assert [slot.video_id for slot in found.slots] == [OTHER_ID]
        assert [(problem.kind, problem.line) for problem in found.problems] == [(ProblemKind.DUPLICATE_KEY, 3)]
        found = find(file(3)[:-1] + f',{{"id": "{ID}", "views": 1, "views": 2}}]'.encode(), mapped("[].id"), "a.json")
    assert not found.slots
    assert [problem.kind for problem in found.problems] == [ProblemKind.DUPLICATE_KEY]


def test_a_key_twice_above_the_items_leaves_the_file_alone() -> None:
    once, twice = (b'{"videos": %b%b}' % (file(3), more) for more in (b"", b', "videos": ' + file(3)))
    mapping = mapped("videos[].id")
    with in_pieces():
        made = changes(find(once, mapping, "a.json"), "31250")
        found = find(twice, mapping, "a.json")
        assert (found.slots, [problem.kind for problem in found.problems]) == ((), [ProblemKind.DUPLICATE_KEY])
        result = rewrite(twice, mapping, made, "a.json")
    assert isinstance(result, Problem)


def test_more_than_a_million_videos_and_values_too_large_to_read_at_once_are_refused() -> None:
    assert find_in_pieces.MAX_JSON_VIDEOS == 1_000_000
    with in_pieces(2), pytest.MonkeyPatch.context() as patch:
        patch.setattr(find_in_pieces, "MAX_JSON_VIDEOS", 5)
        assert len(find(file(5), mapped("[].id"), "a.json").slots) == 5
        (problem,) = find(file(6), mapped("[].id"), "a.json").problems
        assert (problem.kind, problem.message) == (
            ProblemKind.TOO_LARGE, "The file has more than 5 videos: split it into several files."
        )  # fmt: skip
        patch.setattr(json_pieces, "MAX_VALUE_BYTES", 1 << 10)
        large = b'{"b": [%b], "videos": %b}' % (b"1," * 600 + b"1", file(2))
        for data, mapping in ((large, "videos[].id"), (file(2, f', "b": "{"x" * 1100}"'), "[].id")):
            (problem,) = find(data, mapped(mapping), "a.json").problems
            assert problem.kind is ProblemKind.TOO_LARGE
            assert problem.message.endswith("split it into several files.")


def test_only_the_first_problems_of_a_large_file_are_listed() -> None:
    data = b"[%b]" % b",".join([b'{"id": "%b", "views": "many"}' % ID.encode()] * (MAX_PROBLEMS + 7))
    with in_pieces(10):
        found = find(data.replace(b",", b",\n"), Fields("[].id", {Count.VIEWS: "views"}), "a.json")
    assert len(found.problems) == MAX_PROBLEMS + 1
    assert found.problems[-1].message == "The file has 7 more problems: fix the first 100, then sync again."


@pytest.mark.storm
@pytest.mark.parametrize(("path", "key"), [("a.csv", "id"), *([("a.json", "[].id")] if PROVING else [])])
def test_a_large_file_takes_memory_for_its_slots_and_for_one_piece_of_it(path: str, key: str) -> None:
    items, table = file(40_000), "".join(f"{ID},{number}\n" for number in range(40_000))
    data = items if path == "a.json" else f"id,views\n{table}".encode()
    tracemalloc.start()
    try:
        found = find(data, Fields(key, {Count.VIEWS: "views"}), path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found.slots) == 40_000
    assert peak < (5 if path == "a.csv" else 32) * 10**6, "as values, the slots alone take 24 MB"


def test_bytes_that_are_no_text_are_told_with_their_line() -> None:
    with in_pieces():
        (problem,) = find(b'[{"id": "x"},\n\xff]', mapped("[].id"), "a.json").problems
    assert (problem.kind, problem.line) == (ProblemKind.NOT_UTF8, 2)
