"""Where a block starts and ends."""

from __future__ import annotations

import pytest

from syncer.front_matter.block import MAX_BLOCK_BYTES, BlockEnd, Syntax, find_block, head_suffices
from syncer.front_matter.find import find
from syncer.front_matter.rewrite import rewrite
from syncer.model import Problem, ProblemKind
from tests.front_matter.pages import ID, changes, fields, rewritten


@pytest.mark.parametrize(
    ("page", "syntax", "inner", "line"),
    [
        (b"---\na: 1\n---\nx", Syntax.YAML, b"a: 1\n", 2),
        (b"---\r\na: 1\r\n---\r\nx", Syntax.YAML, b"a: 1\r\n", 2),
        (b"---\n---\n", Syntax.YAML, b"", 2),
        (b"---\na: 1\n---", Syntax.YAML, b"a: 1\n", 2),
        (b"---\r\na: 1\r\n---\r", Syntax.YAML, b"a: 1\r\n", 2),
        (b"\xef\xbb\xbf---\na: 1\n---\n", Syntax.YAML, b"a: 1\n", 2),
        (b"\n \t\r\n---\na: 1\n---\n", Syntax.YAML, b"a: 1\n", 4),
        (b"---  \na: 1\n--- \t\nx", Syntax.YAML, b"a: 1\n", 2),
        (b"---yaml\na: 1\n---\n", Syntax.YAML, b"a: 1\n", 2),
        (b"--- yaml\na: 1\n---\n", Syntax.YAML, b"a: 1\n", 2),
        (b"---\na: 1\n...\nx\n---\n", Syntax.YAML, b"a: 1\n", 2),
        (b"---\na: 1\n ----\nb: 2\n ---\n---\n", Syntax.YAML, b"a: 1\n ----\nb: 2\n ---\n", 2),
        (b"---\na: 1\n------ \nbody\n ---\n--\n", Syntax.YAML, b"a: 1\n", 2),
        (b"---\na: 1\r\n----\r\n-----\nx", Syntax.YAML, b"a: 1\r\n", 2),
        (b"---\na: 1\n----", Syntax.YAML, b"a: 1\n", 2),
        (b"---\na: 1\n---\n----\n---\n...\n", Syntax.YAML, b"a: 1\n", 2),
        (b"+++\na = 1\n++++\n---\n", Syntax.TOML, b"a = 1\n", 2),
        (b"---toml\na = 1\n---\n", Syntax.TOML, b"a = 1\n", 2),
        (b"+++\na = 1\n---\n+++\n", Syntax.TOML, b"a = 1\n---\n", 2),
        (b"+++ \r\na = 1\r\n+++", Syntax.TOML, b"a = 1\r\n", 2),
        (b'---json\n{"a": 1}\n---\n', Syntax.JSON, b'{"a": 1}\n', 2),
        (b'{"a": "}", "b": {"c": "\\"}"}}\nx}', Syntax.JSON, b'{"a": "}", "b": {"c": "\\"}"}}', 1),
        (b'\n{\n  "a": 1\n}\n', Syntax.JSON, b'{\n  "a": 1\n}', 2),
    ],
)
def test_a_block_is_found(page: bytes, syntax: Syntax, inner: bytes, line: int) -> None:
    block = find_block(page)
    assert block is not None
    assert (block.syntax, page[block.start : block.stop], block.line, block.end) == (
        syntax,
        inner,
        line,
        BlockEnd.CLOSED,
    )


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"\n\n",
        b"---",
        b"# Title\n---\na: 1\n---\n",
        b"----\na: 1\n----\n",
        b"--- layout: docs ---\n",
        b"--- # comment\na: 1\n---\n",
        b"---coffee\na: 1\n---\n",
        b"x\n",
        b"---\ra: 1\r---\r",
        b"{% include a.html %}\n",
        b"{{ page.title }}\n",
        b"{: .note }\n",
        b"\xff\xfe-\x00-\x00-\x00",
    ],
)
def test_there_is_no_block(page: bytes) -> None:
    assert find_block(page) is None


@pytest.mark.parametrize(
    "page", [b"---\nvid_id: x\n", b"---\n- vid_id: x\n--- -\n", b"+++\nvid_id = 1\n---\n", b'{"vid_id": 1\n']
)
def test_a_block_without_an_end_is_a_problem_if_a_line_sets_the_id(page: bytes) -> None:
    (problem,) = find(page, fields(), "page.md").problems
    assert problem.kind is ProblemKind.UNTERMINATED


@pytest.mark.parametrize("close", ["---", "...", "---  ", "---\r"])
@pytest.mark.parametrize(
    "early", ["----", "--------  ", "----\r", "---x", "--- # c", "--- vid_id: y", "---\tx", "---:"]
)
def test_a_line_like_a_fence_before_the_end_is_a_disagreement(early: str, close: str) -> None:
    page = f"---\ntitle: x\nvid_id: {ID}\n{early}\nviewcount: 5\n\n{close}\nbody\n".encode()
    found = find(page, fields(), "page.md")
    assert found.slots == ()
    assert [(problem.kind, problem.line) for problem in found.problems] == [(ProblemKind.READERS_DISAGREE, 4)]
    assert find(page, fields("other_id"), "page.md").problems == ()


@pytest.mark.parametrize("later", ["", "---x\n", " ---\n", "----\n", "--\n", "....\n", "text ---\n"])
def test_a_longer_fence_closes_where_no_exact_one_follows(later: str) -> None:
    page = f"---\nvid_id: {ID}\nviewcount: 5\n--------\nbody\n{later}".encode()
    assert rewritten(page, fields(), "901") == page.replace(b"viewcount: 5", b"viewcount: 901")


@pytest.mark.parametrize(
    "page", [b"---\nmy vid_id is\n", b"---\nvid_id2: x\n", b"---\n\n\xff vid_id\n", b'{"a": "the vid_id", \n']
)
def test_a_block_without_an_end_and_without_an_id_is_not_a_problem(page: bytes) -> None:
    assert find(page, fields(), "page.md").problems == ()


@pytest.mark.parametrize(
    ("head", "suffices"),
    [
        (b"# Title\n", True),
        (b"---\na: 1\n---\n", True),
        (b'{"a": 1}', True),
        (b"---\na: 1\n", False),
        (b"---\na: 1\n---", False),
        (b"---\n{a: 1}\n---", False),
        (b"---\na: 1\n-----\nbody\n", False),
        (b"---\na: 1\n-----\nbody\n---", False),
        (b"---\na: 1\n-----\nbody\n---\n", True),
        (b"---\na: 1\n--- ", False),
        (b"---", False),
        (b"---ya", False),
        (b"+", False),
        (b"\n\n", False),
        (b"{", False),
        (b"{\n\n", False),
        (b'{"a": 1', False),
        (b"", False),
    ],
)
def test_a_head_suffices_once_it_shows_the_end(head: bytes, suffices: bool) -> None:
    assert head_suffices(head) is suffices


def page_of(size: int) -> bytes:
    """A page whose block, with its fences, has this many bytes."""
    start, end = f"---\nvid_id: {ID}\n#".encode(), b"\n---\n"
    return start + b"x" * (size - len(start) - len(end)) + end


def test_a_block_may_have_one_mebibyte() -> None:
    page = page_of(MAX_BLOCK_BYTES) + b"body"
    assert len(find(page, fields(), "page.md").slots) == 1
    assert find(page[: MAX_BLOCK_BYTES + 1], fields(), "page.md") == find(page, fields(), "page.md")


@pytest.mark.parametrize("extra", [1, 2, 3, 4, 5, 6, 1000])
def test_a_larger_block_is_refused_whether_head_or_page_is_read(extra: int) -> None:
    page = page_of(MAX_BLOCK_BYTES + extra) + b"body"
    head = page[: MAX_BLOCK_BYTES + 1]
    assert head_suffices(head)
    assert find(head, fields(), "page.md") == find(page, fields(), "page.md")
    assert [problem.kind for problem in find(page, fields(), "page.md").problems] == [ProblemKind.TOO_LARGE]
    assert find(page, fields("other_id"), "page.md").problems == ()


@pytest.mark.parametrize("opening", [b"---\n", b"+++\n"])
@pytest.mark.parametrize("insert", [False, True])
def test_a_block_never_grows_past_the_largest_size(opening: bytes, insert: bool) -> None:
    colon = b": " if opening == b"---\n" else b" = "
    given = b"" if insert else b"viewcount" + colon + b"5\n"
    start = opening + b"vid_id" + colon + b'"' + ID.encode() + b'"\n' + given
    mapping = fields(insert=insert)
    for room in (0, 1, 2, 50):
        filling = b"#" + b"x" * (MAX_BLOCK_BYTES - room - len(start) - len(opening) - 2) + b"\n"
        page = start + filling + opening + b"body"
        found = find(page, mapping, "page.md")
        result = rewrite(page, mapping, changes(found, "777"), "page.md")
        if (room >= 2 and not insert) or room == 50:
            assert isinstance(result, bytes)
            assert next(value.text for slot in find(result, mapping, "page.md").slots for value in slot.values) == "777"
        else:
            assert isinstance(result, Problem)
            assert result.kind is ProblemKind.TOO_LARGE
