"""Dates in pages: where they are found, in which form they are written, and what is no date."""

from __future__ import annotations

import json
from datetime import date

import pytest
import tomli
import yaml

from syncer.front_matter.find import find
from syncer.front_matter.rewrite import rewrite
from syncer.model import Detail, Fields, Problem, ProblemKind
from tests.front_matter.pages import ID, NEW_DATE, block, changes, difference, fields, rewritten

DATED = fields(date="updated")
INSERTING = fields(insert=True, date="updated")


def of_date(page: bytes, mapping: Fields = DATED) -> bytes:
    """Return the page with only its dates written."""
    made = [one for one in changes(find(page, mapping, "page.md"), "0") if isinstance(one.kind, Detail)]
    result = rewrite(page, mapping, made, "page.md")
    assert not isinstance(result, Problem), result
    return result


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("updated: 2026-10-01 # c", "updated: 2026-11-22 # c"),
        ('updated: "2026-10-01"', 'updated: "2026-11-22"'),
        ("updated: '2026-10-01'", "updated: '2026-11-22'"),
        ('updated: ""', 'updated: "2026-11-22"'),
        ("updated: ''", "updated: '2026-11-22'"),
        ("updated:", 'updated: "2026-11-22"'),
        ("updated:   # c", 'updated: "2026-11-22"   # c'),
        ("updated: null", 'updated: "2026-11-22"'),
        ("updated: ~", 'updated: "2026-11-22"'),
        ("likeCount: [1]\nupdated:", 'likeCount: [1]\nupdated: "2026-11-22"'),
        ("x: {a: 1}\nupdated: 2026-10-01", "x: {a: 1}\nupdated: 2026-11-22"),
    ],
)
def test_a_yaml_date_keeps_its_form_and_an_empty_one_gets_quotes(old: str, new: str) -> None:
    page = block(f"vid_id: {ID}\n{old}\nviewcount: 5\n")
    assert of_date(page) == block(f"vid_id: {ID}\n{new}\nviewcount: 5\n")


@pytest.mark.parametrize("form", ["{}", '"{}"', "'{}'"])
def test_a_toml_date_stays_a_date_or_a_string(form: str) -> None:
    page = f'+++\nvid_id = "{ID}"\nupdated = {form.format("2026-10-01")} # c\nviewcount = 5\n+++\n'.encode()
    new = of_date(page)
    assert difference(page, new) == (b"0-01", b"1-22")
    read = tomli.loads(new.decode().split("+++\n")[1])["updated"]
    assert read == (date(2026, 11, 22) if form == "{}" else NEW_DATE)


@pytest.mark.parametrize("old", ['"2026-10-01"', '""', "null"])
def test_a_json_date_is_a_string(old: str) -> None:
    page = f'{{"vid_id": "{ID}", "updated": {old}, "viewcount": 5}}\n'.encode()
    assert json.loads(of_date(page)) == {"vid_id": ID, "updated": NEW_DATE, "viewcount": 5}


@pytest.mark.parametrize(
    ("page", "new"),
    [
        (f"---\nvid_id: {ID}\n---\n", f'---\nvid_id: {ID}\nviewcount: 7\nlikeCount: 7\nupdated: "{NEW_DATE}"\n---\n'),
        (
            f"---\r\nvid_id: '{ID}'\r\nviewcount: 5\r\nlikeCount: 6\r\n---\r\n",
            f"---\r\nvid_id: '{ID}'\r\nupdated: '{NEW_DATE}'\r\nviewcount: 7\r\nlikeCount: 7\r\n---\r\n",
        ),
        (
            f'+++\nvid_id = "{ID}"\nviewcount = 5\n+++\n',
            f'+++\nvid_id = "{ID}"\nlikeCount = 7\nupdated = "{NEW_DATE}"\nviewcount = 7\n+++\n',
        ),
        (f'{{"vid_id": "{ID}"}}', f'{{"vid_id": "{ID}", "viewcount": 7, "likeCount": 7, "updated": "{NEW_DATE}"}}'),
        (
            f"---\n{{vid_id: {ID}, viewcount: 5, likeCount: 6}}\n---\n",
            f'---\n{{vid_id: {ID}, updated: "{NEW_DATE}", viewcount: 7, likeCount: 7}}\n---\n',
        ),
    ],
)
def test_an_absent_date_is_added_after_the_counts_that_are_added(page: str, new: str) -> None:
    assert rewritten(page.encode(), INSERTING, "7").decode() == new


def test_without_insert_missing_an_absent_date_is_no_problem_and_is_not_written() -> None:
    page = block(f"vid_id: {ID}\nviewcount: 5\n")
    found = find(page, DATED, "page.md")
    assert found.problems == ()
    assert [value.field for value in found.slots[0].values] == ["viewcount"]


def test_an_added_date_is_like_the_nearest_date_and_an_added_count_like_the_nearest_count() -> None:
    mapping = fields("videos[].id", insert=True, date="updated")
    page = block(
        f"videos:\n- id: {ID}\n  viewcount: 5\n  likeCount: 6\n  updated: 2026-10-01\n- id: {ID}\n  viewcount: '5'\n"
    )
    assert rewritten(page, mapping, "7") == block(
        f"videos:\n- id: {ID}\n  viewcount: 7\n  likeCount: 7\n  updated: {NEW_DATE}\n"
        f"- id: {ID}\n  likeCount: '7'\n  updated: {NEW_DATE}\n  viewcount: '7'\n"
    )


NO_DATES = [
    (
        "yesterday",
        "'updated' is yesterday, which syncer does not overwrite: write a date like 2026-11-22, or leave it empty.",
    ),
    (
        "2026-11-22T10:00:00Z",
        "'updated' is 2026-11-22T10:00:00Z, which syncer does not overwrite: write a date like 2026-11-22,",
    ),
    ('"2026-11-22 10:00"', "which syncer does not overwrite"),
    ("2026-1-2", "which syncer does not overwrite"),
    ("20261122", "which syncer does not overwrite"),
    ("2026-13-01", "which syncer does not overwrite"),
    ('"2026\\x2d11-22"', "which syncer does not overwrite"),
    ("[2026-10-01]", "The date 'updated' is a list: write one date."),
    ("{a: b}", "The date 'updated' is a table: write one date."),
]


@pytest.mark.parametrize(("text", "message"), NO_DATES)
def test_what_is_no_date_is_a_problem_and_the_counts_are_written(text: str, message: str) -> None:
    page = block(f"vid_id: {ID}\nviewcount: 5\nupdated: {text}\n")
    found = find(page, DATED, "page.md")
    (problem,) = found.problems
    assert (problem.kind, problem.line) == (ProblemKind.NOT_A_DATE, 4)
    assert message in problem.message
    assert rewritten(page, DATED, "7") == page.replace(b"viewcount: 5", b"viewcount: 7")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("*a", ProblemKind.ALIAS),
        ("!!str 2026-10-01", ProblemKind.TAG),
        ("|\n  2026-10-01", ProblemKind.BLOCK_SCALAR),
        ("&b 2026-10-01", ProblemKind.ALIAS),
    ],
)
def test_a_date_that_cannot_be_replaced_is_a_problem_and_the_counts_are_written(text: str, kind: ProblemKind) -> None:
    page = block(f"a: &a 2026-10-01\nvid_id: {ID}\nviewcount: 5\nupdated: {text}\n")
    found = find(page, DATED, "page.md")
    (problem,) = found.problems
    assert problem.kind is kind
    assert problem.message.startswith("The date 'updated'")
    assert rewritten(page, DATED, "7") == page.replace(b"viewcount: 5", b"viewcount: 7")


def test_a_date_whose_key_appears_twice_leaves_the_page_alone() -> None:
    page = block(f"vid_id: {ID}\nviewcount: 5\nupdated: 2026-10-01\nupdated: 2026-10-02\n")
    found = find(page, DATED, "page.md")
    assert (found.slots, found.problems[0].kind) == ((), ProblemKind.DUPLICATE_KEY)


def test_a_plain_date_is_a_date_to_readers_of_yaml_1_1_and_a_quoted_one_is_text() -> None:
    for form, expected in (("{}", date(2026, 11, 22)), ('"{}"', NEW_DATE)):
        new = of_date(block(f"vid_id: {ID}\nviewcount: 5\nupdated: {form.format('2026-10-01')}\n"))
        assert yaml.safe_load(new.decode().split("---\n")[1])["updated"] == expected


def test_no_text_but_a_date_is_ever_written_as_a_date_and_no_date_as_a_count() -> None:
    page = block(f"vid_id: {ID}\nviewcount: 5\nlikeCount: 6\nupdated: 2026-10-01\n")
    views, likes, day = changes(find(page, DATED, "page.md"), "7")
    for wrong in (views._replace(new=NEW_DATE), likes._replace(new="-1"), day._replace(new="20261122")):
        with pytest.raises(ValueError, match="only values of a known form are ever written"):
            rewrite(page, DATED, [wrong], "page.md")
