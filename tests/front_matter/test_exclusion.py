"""The key `syncer` of a page excludes it, or some of its counts, in each syntax; in doubt, the page is left alone."""

from __future__ import annotations

import pytest

from syncer.front_matter.find import find, find_fast
from syncer.front_matter.keys import WHOLE_PAGE, PlainBlocks, keys_of
from syncer.front_matter.plain import find_plain
from syncer.model import Count, Fields, ProblemKind
from tests.front_matter.pages import ID, fields

PAGE, BOTH = {WHOLE_PAGE}, {"viewcount", "likeCount"}
YAML = "---\nvid_id: {id}\nviewcount: 1\nlikeCount: 2\n{line}\n---\nBody\n"
TOML = '+++\n{line}\nvid_id = "{id}"\nviewcount = 1\nlikeCount = 2\n{end}+++\nBody\n'
JSON = '{{\n"vid_id": "{id}", {line},\n"viewcount": 1, "likeCount": 2\n}}\nBody\n'


def excluded(page: str, mapping: Fields | None = None) -> tuple[set[str], list[ProblemKind]]:
    """What a page excludes, and its problems; the slots are found all the same."""
    found = find(page.encode(), mapping or fields(), "a.md")
    assert found.slots
    return set(found.excluded), [problem.kind for problem in found.problems]


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        *((f"syncer: {no}", PAGE) for no in ("false", "False", "FALSE", "no", "NO", "off", "Off", "false # by hand")),
        *((f"syncer: {yes}", set[str]()) for yes in ("true", "True", "yes", "on")),
        ("syncer: {likeCount: false}", {"likeCount"}),
        ("syncer:\n  likeCount: no", {"likeCount"}),
        ("syncer:\n  likeCount: false\n  viewcount: false", BOTH),
        ('"syncer": {"likeCount": false, viewcount: true}', {"likeCount"}),
        (r'"s\x79ncer": false', PAGE),
        ("more:\n  syncer: false", set[str]()),
        ("title: a syncer of nothing", set[str]()),
    ],
)
def test_yaml_excludes_by_false(line: str, keys: set[str]) -> None:
    assert excluded(YAML.format(id=ID, line=line)) == (keys, [])
    assert excluded(YAML.format(id=ID, line=line).replace("\n", "\r\n")) == (keys, [])


@pytest.mark.parametrize(
    ("line", "end", "keys"),
    [
        ("syncer = false", "", PAGE),
        ("syncer = true", "", set[str]()),
        ("syncer = {likeCount = false}", "", {"likeCount"}),
        ("syncer.likeCount = false", "", {"likeCount"}),
        (r'"sync\u0065r" = false', "", PAGE),
        ("", "[syncer]\nlikeCount = false\n", {"likeCount"}),
    ],
)
def test_toml_excludes_by_false(line: str, end: str, keys: set[str]) -> None:
    assert excluded(TOML.format(id=ID, line=line, end=end)) == (keys, [])


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ('"syncer": false', PAGE),
        ('"syncer": true', set[str]()),
        ('"syncer": {"likeCount": false}', {"likeCount"}),
        (r'"sync\u0065r": false', PAGE),
    ],
)
def test_json_excludes_by_false(line: str, keys: set[str]) -> None:
    assert excluded(JSON.format(id=ID, line=line)) == (keys, [])


@pytest.mark.parametrize(
    "line",
    [
        *("syncer:", "syncer: ~", 'syncer: "false"', "syncer: fAlse", "syncer: fasle", "syncer: 0", "syncer: [false]"),
        *("syncer: !!bool false", "syncer: &a false", "syncer: &a {likeCount: false}", "Syncer: false"),
        *("syncer: {likecount: false}", "syncer: {dislikes: false}", "syncer: {likeCount: 0}", "syncer: {likeCount}"),
        *("syncer: {likeCount: {a: false}}", "syncer:\n  - likeCount"),
    ],
)
def test_what_is_not_understood_is_a_problem_and_the_page_is_left_alone(line: str) -> None:
    assert excluded(YAML.format(id=ID, line=line)) == (PAGE, [ProblemKind.SYNCER_KEY])


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("syncer: true\nsyncer: false", ProblemKind.DUPLICATE_KEY),
        ("base: &b {syncer: false}\n<<: *b", ProblemKind.READERS_DISAGREE),
        ("syncer: true\nSyncer: false", ProblemKind.SYNCER_KEY),
    ],
)
def test_a_key_about_which_readers_disagree_leaves_the_page_alone(line: str, kind: ProblemKind) -> None:
    assert excluded(YAML.format(id=ID, line=line)) == (PAGE, [kind])


def test_a_list_of_videos_is_excluded_by_the_page_only() -> None:
    mapping = Fields("videos[].id", {Count.VIEWS: "views"})
    page = f"---\nsyncer: false\nvideos:\n  - id: {ID}\n    views: 1\n---\n"
    assert excluded(page, mapping) == (PAGE, [])
    assert excluded(page.replace("syncer: false", "syncer: {views: false}"), mapping) == ({"views"}, [])
    in_item = page.replace("syncer: false\n", "").replace("    views: 1", "    views: 1\n    syncer: false")
    assert excluded(in_item, mapping) == (set(), [])


def test_a_site_whose_own_fields_are_below_such_a_key_keeps_them() -> None:
    mapping = Fields("syncer.id", {Count.VIEWS: "syncer.views"})
    assert excluded(f"---\nsyncer: {{id: {ID}, views: 5}}\n---\n", mapping) == (set(), [])
    own = Fields("vid_id", {Count.VIEWS: "syncer"})
    assert excluded(f"---\nvid_id: {ID}\nsyncer: 5\n---\n", own) == (set(), [])


@pytest.mark.parametrize("key", ["syncer", "Syncer", "SYNCER"])
@pytest.mark.parametrize("place", ["first", "last"])
def test_the_fast_path_leaves_such_a_page_to_the_full_parser_also_once_it_has_learned_a_layout(
    key: str, place: str
) -> None:
    keys = keys_of(fields())._replace(plain=PlainBlocks("vid_id", "viewcount", "likeCount", lead=1))
    plain = f"---\ntitle: x\nvid_id: {ID}\nviewcount: 1\nlikeCount: 2\n---\n"
    assert find_plain(plain.encode(), keys)
    for value in ("false", "", "{likeCount: false}", "true # all of it"):
        line = f"{key}: {value}\n"
        page = plain.replace("title", f"{line}title") if place == "first" else plain.replace("---\n", line + "---\n", 2)
        page = page.replace(f"{line}---\ntitle", "---\ntitle")
        assert find_fast(page.encode(), keys) is None
        assert find_plain(page.encode(), keys) is None
    assert find_plain(plain.replace("title: x", f"my{key}: false").encode(), keys)
