"""A CSV or TSV file is read as all its readers read it, and only the mapped cells of it are changed."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.front_matter.block import LARGEST_PAGE_BYTES
from syncer.front_matter.csv_cells import MAX_COLUMNS, MAX_RECORD_BYTES, Ragged, Record, read_record, read_records
from syncer.front_matter.csv_table import MAX_RECORDS, changes_only, find_in_table, table_splices
from syncer.front_matter.keys import PageContents
from syncer.front_matter.packed_slots import MAX_PROBLEMS
from syncer.front_matter.plain import splice
from syncer.front_matter.tree import Conflict
from syncer.model import Change, Count, Detail, Fields, Problem, ProblemKind
from tests.examples import PROVING, examples
from tests.front_matter.pages import ID, NEW_DATE, OTHER_ID, change, difference

THIRD_ID = "Zq7c1LmPx0w"


def columns(video_id: str = "id", *, date: str | None = None, where: dict[str, str] | None = None) -> Fields:
    dates = {} if date is None else {Detail.CHECKED_AT: date}
    return Fields(video_id, {Count.VIEWS: "views", Count.LIKES: "likes"}, details=dates, where=where or {})


def find(text: str | bytes, fields: Fields | None = None, *, tabs: bool = False) -> PageContents:
    data = text if isinstance(text, bytes) else text.encode()
    return find_in_table(data, fields or columns(), "talks.csv", tabs=tabs)


def changes(found: PageContents, new: str) -> list[Change]:
    return [change(slot.video_id, value, new) for slot in found.slots for value in slot.values]


def rewritten(text: str | bytes, new: str, fields: Fields | None = None, *, tabs: bool = False) -> bytes:
    """The file with every count that is found set to `new`."""
    data = text if isinstance(text, bytes) else text.encode()
    made = changes(find(data, fields, tabs=tabs), new)
    splices = table_splices(data, fields or columns(), made, "talks.csv", tabs=tabs)
    assert isinstance(splices, list), splices
    return splice(data, splices)


def values(found: PageContents) -> list[tuple[str, int, dict[str, str | None]]]:
    return [(slot.video_id, slot.line, {value.field: value.text for value in slot.values}) for slot in found.slots]


def test_each_record_with_a_video_is_a_slot() -> None:
    text = f'title,id,views,likes\n"Locks, and gates",{ID},5,\nNone yet,,7,8\n\n"Two\nlines",https://youtu.be/{OTHER_ID},"9",""\n'
    found = find(text)
    assert found.problems == ()
    assert values(found) == [
        (ID, 2, {"[0].views": "5", "[0].likes": None}),
        (OTHER_ID, 6, {"[2].views": "9", "[2].likes": None}),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_cell_keeps_its_form(delimiter: str, mark: str, end: str) -> None:
    lines = ["title,id,views,likes", f'"Über, ""uns""",{ID}, 5 ,"7"', f"x,{OTHER_ID},,", f'"",{THIRD_ID},"1",  ']
    after = [
        "title,id,views,likes",
        f'"Über, ""uns""",{ID}, 31 ,"31"',
        f'x,{OTHER_ID},31,"31"',
        f'"",{THIRD_ID},"31",  31',
    ]
    for last in ("", end):
        text = (mark + end.join(lines)).replace(",", delimiter) + last
        assert rewritten(text, "31").decode() == (mark + end.join(after)).replace(",", delimiter) + last


def test_an_empty_cell_gets_quotes_only_if_its_column_has_them() -> None:
    text = f'"id",views,likes\n"{ID}",,\n"{OTHER_ID}","5",5\n'
    assert rewritten(text, "31").decode() == f'"id",views,likes\n"{ID}","31",31\n"{OTHER_ID}","31",31\n'
    assert rewritten(f"id,views\n{ID},\n", "31").decode() == f"id,views\n{ID},31\n"


def test_a_date_is_a_cell_like_a_count() -> None:
    text = f'id,views,seen\n{ID},5,2026-01-31\n{OTHER_ID},5,\n{THIRD_ID},5,""\n'
    after = f'id,views,seen\n{ID},6,{NEW_DATE}\n{OTHER_ID},6,{NEW_DATE}\n{THIRD_ID},6,"{NEW_DATE}"\n'
    assert rewritten(text, "6", columns(date="seen")).decode() == after
    (problem,) = find(f"id,seen\n{ID},yesterday\n", columns(date="seen")).problems
    assert (problem.kind, problem.line) == (ProblemKind.NOT_A_DATE, 2)


def test_names_of_columns_are_taken_literally() -> None:
    fields = Fields("Video ID", {Count.VIEWS: "stats.views [total]", Count.LIKES: 'the "likes"'})
    text = f'Video ID,stats.views [total],"the ""likes"""\n{ID},5,6\n'
    assert rewritten(text, "31", fields).decode() == f'Video ID,stats.views [total],"the ""likes"""\n{ID},31,31\n'


@pytest.mark.parametrize(
    ("head", "delimiter"),
    [
        ("id,views;a,likes;b", ","),
        ("id;views;likes,c", ";"),
        ("a,b;id;views", ";"),
        ("id\tviews, likes", "\t"),
        ("id|views|a b,c", "|"),
        ('"a;b",id,views', ","),
        ('"a,id";id;views', ";"),
        ("id", ","),
    ],
)
def test_the_delimiter_is_the_one_that_gives_the_mapped_columns(head: str, delimiter: str) -> None:
    names = next(csv.reader([head], delimiter=delimiter))
    row = delimiter.join({"id": ID, "views": "5"}.get(name, "x") for name in names)
    (slot,) = find(f"{head}\n{row}\n").slots
    assert (slot.video_id, slot.texts) == (ID, ("5",) if "views" in names else ())


def test_a_tsv_file_has_tabs_whatever_else_it_has() -> None:
    assert find(f"id,views\n{ID},5\n", tabs=True) == PageContents()
    assert find(f"a,id\tviews\tid\n{ID},5\t6\t{OTHER_ID}\n", tabs=True).slots[0].texts == ("6",)
    assert rewritten(f"id\tviews\n{ID}\t \n", "7", tabs=True).decode() == f"id\tviews\n{ID}\t 7\n"


@pytest.mark.parametrize(
    "text", ["", "\n", "\ufeff", "id,views", "id,views\n", "id,views\n\n\n", f"video,views\n{ID},5\n"]
)
def test_a_file_without_videos_has_nothing_to_say(text: str) -> None:
    assert find(text) == PageContents()


@pytest.mark.parametrize("cell", ["", '""', "  ", "null", "NULL", "false", "https://vimeo.com/76979871"])
def test_a_record_without_a_video_is_skipped(cell: str) -> None:
    assert find(f"id,views\n{cell},many\n") == PageContents()


def test_where_leaves_only_the_records_with_that_text() -> None:
    where = columns(where={"kind": "youtube"})
    lines = [
        f"{ID},youtube,1",
        f'{OTHER_ID},"youtube",2',
        "a-slug,vimeo,x",
        f"{THIRD_ID},YouTube,3",
        f"{ID},,4",
        f"{ID}, youtube,5",
    ]
    found = find("\n".join(["id,kind,views", *lines, ""]), where)
    assert [(slot.video_id, slot.texts) for slot in found.slots] == [(ID, ("1",)), (OTHER_ID, ("2",))]
    assert found.problems == ()
    assert find(f"id,views\n{ID},5\nno id,5\n", where) == PageContents()


READERS_DISAGREE, INVALID = ProblemKind.READERS_DISAGREE, ProblemKind.INVALID_FRONT_MATTER
REFUSED = [
    (f"id,views\r{ID},1\r", READERS_DISAGREE, 1, "carriage return"),
    (f"id,t\n{ID},x\ry\n", READERS_DISAGREE, 2, "carriage return"),
    (f'id,t\n{ID},"x"\ry\n', INVALID, 2, "text after a closing quote"),
    (f'id,t\n{ID},"x"y\n', INVALID, 2, "text after a closing quote"),
    (f'id,t\n{ID},"x" \n', INVALID, 2, "text after a closing quote"),
    (f'id,t\n{ID},\n{OTHER_ID},"x\n\n', INVALID, 3, "not closed"),
    (f'id,t\n{ID},"x"""\n{OTHER_ID},"x""\n', INVALID, 3, "not closed"),
    (f'id,t\n{ID}, "x"\n', READERS_DISAGREE, 2, "spaces"),
    (f'id,t\n{ID},\t"x"\n', READERS_DISAGREE, 2, "spaces"),
    (f'id, "t"\n{ID},x\n', READERS_DISAGREE, 1, "spaces"),
    (f'"id" ,t\n{ID},x\n', INVALID, 1, "text after a closing quote"),
    (f'\ufeff"id",t\n{ID},x\n', READERS_DISAGREE, 1, "byte order mark"),
    (f"\nid,t\n{ID},x\n", READERS_DISAGREE, 1, "blank line"),
    (f"id,t,id\n{ID},x,{ID}\n", ProblemKind.DUPLICATE_KEY, 1, "'id' appears twice"),
    (f"id,views,views\n{ID},1,2\n", ProblemKind.DUPLICATE_KEY, 1, "'views' appears twice"),
    (f"id,t\n{ID},{'x' * MAX_RECORD_BYTES}\n", ProblemKind.TOO_LARGE, 2, "larger than 1 MiB"),
    (f'id,t\n{ID},"{"x" * MAX_RECORD_BYTES}"\n', ProblemKind.TOO_LARGE, 2, "larger than 1 MiB"),
    ("id," + "," * MAX_COLUMNS + "\n", ProblemKind.TOO_LARGE, 1, "columns"),
    (f"id\n{ID}\n" + "x\n" * (LARGEST_PAGE_BYTES // 2), ProblemKind.TOO_LARGE, None, "split it"),
]


@pytest.mark.parametrize(("text", "kind", "line", "words"), REFUSED, ids=range(len(REFUSED)))
def test_a_file_that_readers_split_differently_is_left_alone(
    text: str, kind: ProblemKind, line: int | None, words: str
) -> None:
    found = find(text)
    assert found.slots == ()
    (problem,) = found.problems
    assert (problem.kind, problem.line) == (kind, line)
    assert words in problem.message


def test_a_file_in_another_encoding_is_left_alone() -> None:
    for first in ("x", "xx"):  # however the characters are cut where the file is read in parts
        umlauts = "\u00fc" * 99_999
        text = f"id,t\n{ID},{first}\n" + f"{OTHER_ID},{umlauts}\n" * 8 + f"{OTHER_ID},"
        assert len(find(text).slots) == 10
        (problem,) = find(text.encode() + b"\xfc").problems
        assert (problem.kind, problem.line) == (ProblemKind.NOT_UTF8, 11)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_of_excels_unicode_text_says_how_to_save_it(encoding: str) -> None:
    (problem,) = find(f"t\tid\nx\t{ID}\n".encode(encoding)).problems
    assert (problem.kind, problem.line) == (ProblemKind.NOT_UTF8, 1)
    assert problem.message == "The file is UTF-16: save it as UTF-8 (in Excel: CSV UTF-8)."
    assert find("t,x\n".encode(encoding)) == PageContents()


@pytest.mark.parametrize("above", ["sep=;", "# Our library", "Library;;"])
def test_a_line_above_the_names_of_the_columns_is_named(above: str) -> None:
    fields = Fields("id", {Count.VIEWS: "views"})
    (problem,) = find(f"{above}\nid;t;views\n{ID};x;5\n", fields).problems
    message = "Invalid CSV: the second line names the columns, and not the first one. Remove the first line."
    assert (problem.kind, problem.line, problem.message) == (INVALID, 1, message)
    assert find("kind;t\nid;views\n", Fields("id", {Count.VIEWS: "number"})) == PageContents()


@pytest.mark.storm
def test_more_records_than_a_million_are_refused() -> None:
    line = f"{ID}\n".encode()
    assert find(b"id\n" + line * 3).problems == ()
    (problem,) = find(b"id\n" + b"null\n" * (MAX_RECORDS - 1) + line * 2, Fields("id", {}, where={})).problems
    assert problem.kind is ProblemKind.TOO_LARGE


@pytest.mark.parametrize(
    ("record", "kind", "words"),
    [
        (f"{ID},1", INVALID, "3 columns, and this record 2"),
        (f"{ID},1,2,", INVALID, "3 columns, and this record 4"),
        (f"{ID}", INVALID, "3 columns, and this record 1"),
        (f"one, two,{ID},1", INVALID, "3 columns, and this record 4"),
        ("dQw4w9WgXc,1,2", ProblemKind.NOT_A_VIDEO_ID, "is not a video ID"),
        (f"{ID},1.2M,2", ProblemKind.NOT_A_COUNT, "The count 'views' is 1.2M, which syncer does not overwrite"),
        (f'{ID},1,"1,567"', ProblemKind.NOT_A_COUNT, "The count 'likes' is 1,567, which syncer does not overwrite"),
        (f'{ID},1,"1""2"', ProblemKind.NOT_A_COUNT, "The count 'likes' is 1\"2, which syncer does not overwrite"),
        (f"{ID},9223372036854775808,1", ProblemKind.NOT_A_COUNT, "which syncer does not overwrite"),
        (f"{ID},1 2,1", ProblemKind.NOT_A_COUNT, "which syncer does not overwrite"),
    ],
)
def test_what_is_wrong_with_a_record_leaves_the_others(record: str, kind: ProblemKind, words: str) -> None:
    found = find(f"id,views,likes\n{OTHER_ID},5,6\n{record}\n,9\n{THIRD_ID},7,8\n")
    assert [slot.video_id for slot in found.slots if slot.video_id != ID] == [OTHER_ID, THIRD_ID]
    (problem,) = found.problems
    assert (problem.kind, problem.line) == (kind, 3)
    assert words in problem.message


def test_of_many_problems_the_rest_is_counted() -> None:
    found = find(f"id,views\n{OTHER_ID},5\n" + f"{ID}\n" * (MAX_PROBLEMS + 7))
    assert len(found.problems) == MAX_PROBLEMS + 1
    assert "7 more problems" in found.problems[-1].message


def test_a_column_with_nearly_the_mapped_name_is_told() -> None:
    found = find(f"id, views,Likes\n{ID},5,6\n")
    assert [slot.texts for slot in found.slots] == [()]
    assert [(problem.kind, problem.line) for problem in found.problems] == [(ProblemKind.KEY_CASE, 1)] * 2
    assert "'views', and this file has the column ' views'" in found.problems[0].message
    assert find(f"ID,views\n{ID},5\n") == PageContents(miscased_key="ID")
    (problem,) = find(f"views, id\n5,{ID}\n").problems
    assert "'id', and this file has the column ' id'" in problem.message


def made(video_id: str, field: str, old: str, new: str) -> Change:
    value = find(f"id,views\n{ID},5\n").slots[0].values[0]
    return change(video_id, value, new)._replace(field=field, old=old)


def spliced(text: str, *made: Change) -> str | None:
    splices = table_splices(text.encode(), columns(), made, "talks.csv")
    assert not isinstance(splices, Problem)
    return None if splices is None else splice(text.encode(), splices).decode()


def test_a_record_is_found_by_its_video_wherever_it_is_now() -> None:
    text = f"id,views\n{OTHER_ID},1\n{ID},5\n"
    assert spliced(text, made(ID, "[0].views", "5", "6")) == text.replace("5\n", "6\n")
    assert spliced(text, made(ID, "[7].views", "5", "6")) == text.replace("5\n", "6\n")
    assert spliced(text, made(ID, "[1].views", "4", "6")) is None
    assert spliced(text, made(THIRD_ID, "[1].views", "5", "6")) is None
    assert spliced(text, made(ID, "[1].likes", "5", "6")) is None


def test_of_several_records_of_a_video_the_named_one_is_changed_else_the_next() -> None:
    text = f"id,views\n{ID},5\n{ID},5\n{ID},6\n"
    assert spliced(text, made(ID, "[1].views", "5", "7")) == f"id,views\n{ID},5\n{ID},7\n{ID},6\n"
    assert spliced(text, made(ID, "[0].views", "6", "7")) == f"id,views\n{ID},5\n{ID},5\n{ID},7\n"
    # one was added at the top since: each change is of the next that has the old value and that no other change names
    both = made(ID, "[0].views", "5", "8"), made(ID, "[3].views", "5", "7")
    assert spliced(text, *both) == f"id,views\n{ID},8\n{ID},7\n{ID},6\n"
    assert spliced(text, *both, made(ID, "[4].views", "5", "7")) is None


@pytest.mark.parametrize(
    ("new", "proven"),
    [
        ("a,b\n1,7\n3,4\n", True),
        ('a,b\n1,"7"\n3,4\n', True),
        ("a,b\n1,8\n3,4\n", False),
        ("a,b\n1,2\n3,4\n", False),
        ("a,b\n7,2\n3,4\n", False),
        ("a,b\n1,7\n3,5\n", False),
        ("a,c\n1,7\n3,4\n", False),
        ("a,b\n1,7\n", False),
        ("a,b\n1,7\n3,4\n5,6\n", False),
        ("a,b\n1\n3,4\n", False),
        ("a,b\n1,7,\n3,4\n", False),
        (f"a,b\n1,7\n3,{'4' * (MAX_RECORD_BYTES + 1)}\n", False),
    ],
)
def test_the_proof_finds_what_else_changed(new: str, *, proven: bool) -> None:
    assert not changes_only(b"a,b\n1,2\n", b"a,b\n1,2\n", ",", [(1, 1, "2", "7")])
    assert changes_only(b"a,b\n1,2\n3,4\n", new.encode(), ",", [(0, 1, "2", "7")]) is proven


NAMES = ["id", "views", "likes", "seen", "title", ""]
IDS = [ID, OTHER_ID, THIRD_ID, f"https://youtu.be/{ID}", "", "nothing", "null"]
TEXTS = [
    "",
    "5",
    "031147",
    " 5 ",
    "9223372036854775808",
    "1.2M",
    "2026-01-31",
    "ü, 'x'",
    'a "b" c',
    "a\nb",
    "a;b|c\td",
    " x",
    '"',
]


@st.composite
def tables(draw: st.DrawFn) -> tuple[bytes, str]:
    """Return a file as programs write it, with its delimiter."""
    names = draw(st.permutations(NAMES).map(lambda all_names: all_names[: draw(st.integers(1, len(NAMES)))]))
    delimiter, end = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\n", "\r\n"]))
    quoting: Literal[0, 1, 2] = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerow(names)
    for _ in range(draw(st.integers(0, 6))):
        width = draw(st.sampled_from([len(names)] * 9 + [len(names) + 1, 1]))
        cells = [draw(st.sampled_from(IDS if name == "id" else TEXTS)) for name in (names * 2)[:width]]
        writer.writerow(cells)
        if draw(st.integers(0, 9)) == 0:
            file.write(end)
    text = file.getvalue()
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig"]))), delimiter


MAPPING = Fields("id", {Count.VIEWS: "views", Count.LIKES: "likes"}, details={Detail.CHECKED_AT: "seen"}, where={})


def rows_of(data: bytes, delimiter: str) -> list[list[str]]:
    """Return the records, the first line too, as Python reads them."""
    text = io.StringIO(data.decode("utf-8-sig"), newline="")
    return [row for row in csv.reader(text, delimiter=delimiter) if row]


@examples(800 if PROVING else 300)
@given(tables(), st.sampled_from(["0", "1234567890123456789"]))
def test_only_the_found_cells_of_a_written_file_change(table: tuple[bytes, str], new: str) -> None:
    data, delimiter = table
    found, before = find(data, MAPPING), rows_of(data, delimiter)
    head, *records = before
    if "id" in head and not found.problems:
        whole = [record for record in records if len(record) == len(head)]
        there = [record for record in whole if record[head.index("id")] not in {"", "null"}]
        assert [slot.video_id for slot in found.slots] == [record[head.index("id")][-11:] for record in there]
    everything = changes(found, new)
    for made in filter(None, [everything, everything[1::2]]):
        splices = table_splices(data, MAPPING, made, "talks.csv")
        assert isinstance(splices, list), splices
        result = splice(data, splices)
        expected = [list(row) for row in before]
        for one in made:
            number, _, name = one.field[1:].partition("].")
            cell = expected[int(number) + 1]
            assert cell[head.index(name)].strip() == (one.old or "")
            cell[head.index(name)] = cell[head.index(name)].replace(one.old, one.new) if one.old else one.new
        assert rows_of(result, delimiter) == expected
        back = [one._replace(old=one.new, new=one.old) for one in made if one.old]
        if len(back) == len(made):
            again = table_splices(result, MAPPING, back, "talks.csv")
            assert isinstance(again, list)
            assert splice(result, again) == data


PARTS = ["id", "views", ID, OTHER_ID, "5", ",", ",", ",", ";", '"', '""', "\n", "\n", "\r\n", "\r", " ", "\t", "x", "ü"]
anything = st.lists(st.sampled_from([*PARTS, "\ufeff", "\0"]), max_size=60).map("".join)


@examples(2000 if PROVING else 600)
@given(anything, st.sampled_from(["id,views\n", f"id,views\n{ID},5\n", "x,id;views\n", 'views,"id"\r\n', ""]))
def test_any_text_is_read_or_refused(text: str, head: str) -> None:
    data = (head + text).encode()
    found = find(data)
    for one in changes(found, "31"):
        splices = table_splices(data, columns(), [one], "talks.csv")
        assert isinstance(splices, list), (found, splices)
        gone, came = difference(data, splice(data, splices))
        assert gone.decode() in (one.old or "")
        assert came.decode() in '"31"'


@examples(1000 if PROVING else 400)
@given(anything, st.sampled_from([b",", b"\t", b"|"]), st.integers(1, 4))
def test_the_pattern_of_plain_records_only_saves_time(text: str, delimiter: bytes, width: int) -> None:
    data, wanted = text.encode(), list(range(0, width, 2))
    for record in read_records(data, 0, delimiter, width, wanted):
        if not isinstance(record, Ragged | Conflict):
            slow = read_record(data, record[0][0], delimiter)
            assert isinstance(slow, Record)
            assert (slow.stop, slow.width) == (record[0][1], width)
            assert [slow.cells[column] for column in wanted] == list(record[1:])


RUBY = """
require "csv"; require "json"
$stdin.each_line do |line|
  text, delimiter = JSON.parse(line)
  puts((CSV.new(text, col_sep: delimiter).read.reject(&:empty?) rescue nil).to_json)
end
"""


@pytest.mark.storm
@pytest.mark.skipif(shutil.which("ruby") is None, reason="no Ruby here")
def test_ruby_reads_the_new_counts() -> None:
    cases: list[tuple[str, str]] = []

    @examples(1500 if PROVING else 400)
    @given(tables())
    def collect(table: tuple[bytes, str]) -> None:
        cases.append((table[0].decode(), table[1]))

    collect()
    given_in = [case for case in cases if changes(find(case[0], MAPPING), "31")]
    outcome = [(rewritten(text, "31", MAPPING).decode(), delimiter) for text, delimiter in given_in]
    lines = "".join(json.dumps(case) + "\n" for pair in zip(given_in, outcome, strict=True) for case in pair)
    run = subprocess.run(["ruby", "-Ku", "-e", RUBY], input=lines, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    read = 0
    for (text, _), (old, new) in zip(given_in, zip(answers[::2], answers[1::2], strict=True), strict=True):
        if old is None:
            continue
        read += 1
        head = [(name or "").removeprefix("\ufeff") for name in old[0]]
        for one in changes(find(text, MAPPING), "31"):
            number, _, name = one.field[1:].partition("].")
            row, column = int(number) + 1, head.index(name)
            assert (old[row][column] or "").strip() == (one.old or "")
            assert new[row][column].strip() == one.new
            new[row][column] = old[row][column]
        assert new == old
    assert read > len(given_in) / 2
