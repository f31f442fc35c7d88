"""TOML as its readers read it: 1.1 is read and written like 1.0, and what both versions accept they read alike."""

from __future__ import annotations

import tomllib

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from syncer.front_matter.find import find
from syncer.front_matter.rewrite import rewrite
from syncer.front_matter.toml_tree import parse_toml
from syncer.front_matter.tree import Unreadable
from syncer.model import Fields, ProblemKind
from tests.examples import examples
from tests.front_matter.pages import ID, changes, difference, fields

NEW_IN_1_1 = [
    'links = {\n  a = "b",\n}',
    'links = { a = "b", }',
    "links = { a = 1, # first\n\n  # second\n  b = 2\n}",
    'links = {\n  deep = {\n    a = ["b",\n    ],\n  },\n}',
    "links = [{\n  a = 1\n}, { b = 2, }]",
    'subtitle = "\\x41 \\xe9"',
    'subtitle = "\\e[1m"',
    'subtitle = """\\x41\\e"""',
    '"a\\x41" = 1',
    "at = 07:32",
    "at = 1979-05-27T07:32",
    "at = 1979-05-27 07:32",
    "at = 1979-05-27 07:32Z",
    "at = 1979-05-27t07:32+01:00",
    "at = [07:32, 1979-05-27 07:32,]",
    "at = { from = 07:32, to = 08:00 }",
]


def written(page: bytes, mapping: Fields) -> bytes:
    """Return the page with each count found set to 901."""
    found = find(page, mapping, "page.md")
    assert found.problems == ()
    result = rewrite(page, mapping, changes(found, "901"), "page.md")
    assert isinstance(result, bytes)
    return result


@pytest.mark.parametrize("construct", NEW_IN_1_1)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_toml_1_1_adds_is_read_and_left_as_it_is(construct: str, end: str) -> None:
    if tomllib_reads_1_0():
        with pytest.raises(tomllib.TOMLDecodeError):
            tomllib.loads(construct)
    lines = f'+++\n{construct}\nvid_id = "{ID}"\nviewcount = 48210\n+++\nBody.\n'
    page = lines.replace("\n", end).encode()
    assert difference(page, written(page, fields())) == (b"48210", b"901")
    nested = f'+++\n[a]\n{construct}\n[[b]]\n{construct}\n[extra]\nvid_id = "{ID}"\nviewcount = "5"\n+++\n'.encode()
    assert difference(nested, written(nested, fields("extra.vid_id", "extra.viewcount"))) == (b"5", b"901")


def tomllib_reads_1_0() -> bool:
    """Python 3.15 is said to read 1.1."""
    try:
        tomllib.loads("a = {\n}")
    except tomllib.TOMLDecodeError:
        return True
    return False


@pytest.mark.parametrize(
    ("table", "after"),
    [
        ("{{\n  id = '{0}', # c\n  v = 5,\n}}", "{{\n  id = '{0}', # c\n  v = 901,\n}}"),
        ("{{ id = '{0}', v = 5, }}", "{{ id = '{0}', v = 901, }}"),
        ('{{\n  v\n= """\\x35""" }}', None),
        ("{{\n  id = '{0}' # c\n  , v = '5'\n}}", "{{\n  id = '{0}' # c\n  , v = '901'\n}}"),
    ],
)
def test_a_count_inside_a_table_of_several_lines_is_written(table: str, after: str | None) -> None:
    page = f"+++\nvideo = {table.format(ID)}\n+++\n".encode()
    mapping = fields("video.id", "video.v")
    if after is None:
        assert not find(page, mapping, "page.md").slots
    else:
        assert written(page, mapping) == f"+++\nvideo = {after.format(ID)}\n+++\n".encode()


@pytest.mark.parametrize(
    "table", ["{{ id = '{0}', }}", "{{\n  id = '{0}',\n}}", "{{\n  id = '{0}'\n}}", "{{ id = '{0}' # c\n}}"]
)
def test_a_missing_count_is_added_to_a_table_of_several_lines(table: str) -> None:
    page = f"+++\nvideo = {table.format(ID)}\n+++\n".encode()
    new = written(page, fields("video.id", "video.v", "video.w", insert=True)).decode().strip("+\n")
    assert {key: str(value) for key, value in tomli.loads(new)["video"].items()} == {"id": ID, "v": "901", "w": "901"}


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("at = 07", ProblemKind.INVALID_FRONT_MATTER),
        ('a = "\\x4"', ProblemKind.INVALID_FRONT_MATTER),
        ("a = {,}", ProblemKind.INVALID_FRONT_MATTER),
        ("a = {\n  b = 1\n  c = 2\n}", ProblemKind.INVALID_FRONT_MATTER),
        ("a = {\n  b = 1,\n  b = 2,\n}", ProblemKind.DUPLICATE_KEY),
        ("a = " + "[" * 5000, ProblemKind.INVALID_FRONT_MATTER),
        ("a = " + "[" * 300 + "]" * 300, ProblemKind.INVALID_FRONT_MATTER),
        (".".join("a" * 3000) + " = 1", ProblemKind.INVALID_FRONT_MATTER),
    ],
)
def test_what_no_version_of_toml_allows_is_refused(line: str, kind: ProblemKind) -> None:
    found = find(f'+++\nvid_id = "{ID}"\n{line}\n+++\n'.encode(), fields(), "page.md")
    assert (found.slots, [problem.kind for problem in found.problems]) == ((), [kind])


_ANYTIME = [
    *("1", "-0", "0x1F", "1_000", "5e3", "inf", "true", "07:32:00", "1979-05-27", "1979-05-27 07:32:00.5"),
    *('"a # b"', "'c\\x41'", '"\\u0041"', '"\\t"', '"""\r\n"""', "'''\n\n'''", '"""\\\n  a"""', '""""quoted""""'),
    *("''''''", "[]", "[1, 2,]", "[\n1 # c\n]", "{}", "{ a = 1 }", "{ a.b = 1, c = [\n] }"),
]
_SINCE_1_1 = [
    "07:32",
    "1979-05-27T07:32Z",
    '"\\x41\\e"',
    "{\n}",
    "{ a = 1, }",
    "{ a = 1 # c\n, }",
    "[{ a = {\nb = 1 } }]",
]
_values = st.sampled_from([*_ANYTIME, *_ANYTIME, *_SINCE_1_1, "007", "x", ""])
_fresh = st.integers(0, 999).map("k{}".format)
_keys = st.one_of(
    _fresh, _fresh, st.sampled_from(["a", "a.b", "a . c", '"a"', "b.'c d'", '"\\x61"', '"\\u0062"', "1.5"])
)
_pairs = st.one_of(st.builds("{} = {}".format, _keys, _values), st.builds("{}={} # c".format, _keys, _values))
_tables = st.one_of(st.builds("[{}]".format, _keys), st.builds("[[{}]]".format, _keys))
_lines = st.one_of(_pairs, _pairs, _pairs, _tables, st.sampled_from(["", "# c", "\t", "a", "= 1", "\f"]))
_ends = st.sampled_from(["\n", "\r\n"])
_documents = st.builds(lambda lines, end: end.join(lines), st.lists(_lines, max_size=6), _ends)


@examples(1500)
@given(_documents)
def test_what_the_older_reader_accepts_the_newer_one_reads_alike(document: str) -> None:
    try:
        old = tomllib.loads(document)
    except tomllib.TOMLDecodeError:
        return
    assert repr(tomli.loads(document)) == repr(old)


@examples(1500)
@given(_documents)
def test_the_values_of_all_that_the_parser_accepts_are_located(document: str) -> None:
    tree = parse_toml(document)
    try:
        tomli.loads(document)
    except tomli.TOMLDecodeError:
        assert isinstance(tree, Unreadable)
    else:
        assert not isinstance(tree, Unreadable)
