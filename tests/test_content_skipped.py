"""Directories whose names begin with a dot, and `node_modules`, are skipped unless a pattern names them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from syncer.config.parse import parse_config
from syncer.content.walk import Candidate, LeftoverFile, Matcher, candidate_of, walk
from syncer.errors import ConfigError
from syncer.model import Count, Fields, Problem
from syncer.simulator.server import Simulator
from tests.examples import examples
from tests.places import FIELDS, collection, names, problems, put, run_python, walked
from tests.repository import in_git
from tests.site import Run, Site, counts, crlf, ids

TREE = (
    "a.md",
    ".draft.md",
    ".notes/n.md",
    ".notes/.old/o.md",
    ".obsidian/templates/t.md",
    "posts/p.md",
    "posts/.notes/q.md",
    "node_modules/pkg/README.md",
    "posts/node_modules/r.md",
    "node_modules.md",
    "my.notes/s.md",
    "node_modules2/u.md",
)
SEEN = {"a.md", ".draft.md", "posts/p.md", "node_modules.md", "my.notes/s.md", "node_modules2/u.md"}
VIDEO, OTHER = ids(2, seed=58)


def lay(root: Path, tree: Sequence[str] = TREE) -> None:
    for name in tree:
        put(root / name)


@pytest.mark.parametrize(
    ("include", "more"),
    [
        (["**/*.md"], set()),
        (["*.md"], set()),
        (["**/*"], set()),
        (["*/**"], {".draft.md"} - SEEN),
        (["?notes/**", "**/*.md"], set()),
        (["[.]notes/**", "**/*.md"], set()),
        (["node_*/**", "**/*.md"], set()),
        (["**/*.md", "!.notes/"], set()),
        (["**/*.md", "# .notes/"], set()),
        (["**/*.md", ".notes/**"], {".notes/n.md", "posts/.notes/q.md"}),
        (["**/*.md", "/.notes/"], {".notes/n.md", "posts/.notes/q.md"}),
        (["**/*.md", "\\.notes"], {".notes/n.md", "posts/.notes/q.md"}),
        (["**/*.md", "posts/.notes/*.md"], {".notes/n.md", "posts/.notes/q.md"}),
        (["**/*.md", ".no*/x"], {".notes/n.md", "posts/.notes/q.md"}),
        (["**/*.md", ".notes/.old/"], {".notes/n.md", "posts/.notes/q.md", ".notes/.old/o.md"}),
        (["**/.*/**", "**/*.md"], {n for n in TREE if "node_modules/" not in n} - SEEN),
        (["**/*.md", "**/node_modules/**"], {"node_modules/pkg/README.md", "posts/node_modules/r.md"}),
    ],
)
def test_a_pattern_names_such_a_directory_by_a_literal_dot_or_by_its_whole_name(
    tmp_path: Path, include: list[str], more: set[str]
) -> None:
    lay(tmp_path / "content")
    taken = {f"content/{name}" for name in SEEN | more}
    if include == ["*/**"]:
        taken = {f"content/{name}" for name in SEEN if "/" in name}

    assert set(names(tmp_path, collection(include=include))) == taken


@pytest.mark.parametrize(
    ("directory", "taken"),
    [
        (".notes", {".notes/n.md"}),
        (".notes/.old", {".notes/.old/o.md"}),
        ("node_modules", {"node_modules/pkg/README.md"}),
        ("node_modules/pkg", {"node_modules/pkg/README.md"}),
        ("posts/.notes", {"posts/.notes/q.md"}),
        (".obsidian/templates", {".obsidian/templates/t.md"}),
    ],
)
def test_a_collections_own_directory_may_be_one(tmp_path: Path, directory: str, taken: set[str]) -> None:
    lay(tmp_path)

    assert set(names(tmp_path, collection(directory))) == taken


def test_a_collection_that_skips_a_directory_has_no_part_in_anothers_pages_there(tmp_path: Path) -> None:
    lay(tmp_path)
    other = Fields("tube", {Count.VIEWS: "views"})

    for order in ((collection("."), collection(".notes", fields=other)), (collection(".notes", fields=other),)):
        found = {one.path: one.fields for one in walked(tmp_path, *order) if isinstance(one, Candidate)}
        assert found[".notes/n.md"] == (other,)


def test_exclude_still_leaves_out_what_include_names(tmp_path: Path) -> None:
    lay(tmp_path)

    taken = names(tmp_path, collection(".", include=["**/*.md", ".notes/**"], exclude=["/.notes/"]))

    assert set(taken) == {*SEEN, "posts/.notes/q.md"}


def test_a_skipped_directory_is_not_even_listed(tmp_path: Path) -> None:
    lay(tmp_path / "content", [*TREE, ".cache/deep/x.md"])
    code = (
        "import sys\nfrom syncer.content.walk import walk\nfrom tests.places import collection\n"
        "listed = []\n"
        "sys.addaudithook(lambda event, given: listed.append(given[0]) if event == 'os.scandir' else None)\n"
        "list(walk(sys.argv[1], [collection()]))\n"
        "print(sorted(one for one in listed if 'content' in str(one)))"
    )
    content = tmp_path / "content"

    listed = [str(content), *(str(content / name) for name in ("my.notes", "node_modules2", "posts"))]
    assert run_python(code, tmp_path).strip() == str(listed)


# --- links -----------------------------------------------------------------------------------------------------------


def test_a_link_whose_own_name_is_not_skipped_leads_into_such_a_directory(tmp_path: Path) -> None:
    lay(tmp_path)
    (tmp_path / "vault").symlink_to(".notes")
    (tmp_path / "b.md").symlink_to("node_modules/pkg/README.md")

    assert set(names(tmp_path, collection("."))) == {*SEEN, "vault/n.md", "b.md"}


def test_a_link_to_a_directory_is_skipped_for_its_own_name_wherever_it_leads(tmp_path: Path) -> None:
    lay(tmp_path / "site")
    put(tmp_path / "away/x.md")
    put(tmp_path / "site/shared/y.md")
    for name, target in {".shared": "shared", ".away": "../away", "posts/node_modules2": "../shared"}.items():
        (tmp_path / "site" / name).symlink_to(target)
    (tmp_path / "site/my.notes/node_modules").symlink_to("../../away")
    (tmp_path / "site/.page.md").symlink_to("node_modules/pkg/README.md")

    found = walked(tmp_path / "site", collection("."))

    assert problems(found) == [], "not even that it leads out of the site"
    assert {one.path for one in found if isinstance(one, Candidate)} == {*SEEN, "shared/y.md", ".page.md"}


def test_what_is_skipped_inside_a_linked_directory_is_skipped(tmp_path: Path) -> None:
    put(tmp_path / "shared/x.md")
    put(tmp_path / "shared/.trash/y.md")
    (tmp_path / "content").mkdir()
    (tmp_path / "content/in").symlink_to("../shared")

    assert names(tmp_path) == ["content/in/x.md"]


@pytest.mark.parametrize("include", [["**/*"], [".git/**", ".syncer/**", "**/.*/**", "**/.*", "**/*.md"]], ids=str)
def test_gits_directory_and_our_own_are_never_entered(tmp_path: Path, include: list[str]) -> None:
    lay(tmp_path, ["a.md", ".git/b.md", ".syncer/c.md", "sub/.git/d.md", ".syncer-old/e.md", ".syncer-0a1b2c3d~"])
    (tmp_path / "hooks").symlink_to(".git")
    (tmp_path / "f.md").symlink_to("sub/.git/d.md")
    (tmp_path / "g.md").symlink_to(".syncer/c.md")

    assert names(tmp_path, collection(".", include=include)) == ["a.md"]
    found = list(walk(os.path.realpath(tmp_path), [collection(".", include=include)], skipped=True))
    assert left_out(found) == []


@pytest.mark.parametrize("directory", [".git", "sub/.git/hooks", ".syncer", "a/../.syncer/x", ".syncer-old"])
def test_a_collection_cannot_be_a_directory_of_git_or_syncer(directory: str) -> None:
    text = f"collections: [{{directory: {directory}, fields: {{video_id: a, counts: {{viewCount: b}}}}}}]"

    with pytest.raises(ConfigError, match=r"collections\[0\]\.directory: belongs to git or to syncer"):
        parse_config(text, Path("/srv/config/syncer.yaml"))


# --- what was left out -----------------------------------------------------------------------------------------------

_PART = st.sampled_from(["a", ".a", ".b", "node_modules", "sub"])
_PATH = st.builds(lambda parts, name: "/".join([*parts, name]), st.lists(_PART, max_size=4), st.sampled_from(["x.md"]))
_SEGMENT = st.sampled_from(["*", "**", ".a", ".*", "?a", "node_modules", "a", "\\.b", "[.]a"])
_PATTERN = st.builds(
    lambda negated, parts, end: negated + "/".join([*parts, end]),
    st.sampled_from(["", "", "", "!"]),
    st.lists(_SEGMENT, max_size=3),
    st.sampled_from(["*.md", ".a", "node_modules", ""]),
).filter(lambda pattern: pattern.strip("/!"))


def left_out(found: Sequence[Candidate | LeftoverFile | Problem]) -> list[Candidate]:
    """The candidates that the walk skipped."""
    return [item for item in found if isinstance(item, Candidate) and item.skipped]


def is_named(name: str, include: Sequence[str]) -> bool:
    """What the rule says of one name, in other words than the code's."""
    if not (name.startswith(".") or name == "node_modules"):
        return True
    segments = [part.lstrip("\\") for one in include if not one.startswith("!") for part in one.split("/")]
    return any(fnmatchcase(name, part) for part in segments if part[:1] == "." or part == "node_modules")


@given(st.lists(_PATTERN, min_size=1, max_size=3), _PATH)
@examples(500)
def test_a_path_is_taken_if_the_patterns_take_it_and_each_directory_is_plain_or_named(
    include: list[str], path: str
) -> None:
    matcher, everywhere = (Matcher(collection(".", include), everywhere=all_) for all_ in (False, True))
    *directories, _ = path.split("/")
    matched = GitIgnoreSpec.from_lines(include).match_file(path)

    assert everywhere.takes(path) == matched
    assert matcher.takes(path) == (matched and all(is_named(name, include) for name in directories))
    for name in directories:
        assert matcher.skips(f"somewhere/{name}") is not is_named(name, include)


@given(st.sets(_PATH, min_size=1, max_size=8), st.lists(_PATTERN, min_size=1, max_size=3))
@examples(60)
def test_each_file_is_walked_or_handed_over_as_skipped_or_taken_by_no_pattern(
    tmp_path_factory: pytest.TempPathFactory, files: set[str], include: list[str]
) -> None:
    site = tmp_path_factory.mktemp("site").resolve()
    lay(site, sorted(files))
    of_all = [collection(".", include), collection("a", include), collection(".a", include)]

    walked = list(walk(str(site), of_all, skipped=True))

    skipped = left_out(walked)
    found = [one.path for one in walked if isinstance(one, Candidate) and not one.skipped]
    paths = [*found, *(one.path for one in skipped)]
    assert len(set(paths)) == len(paths)
    matchers = [Matcher(one) for one in of_all]
    assert set(found) == {path for path in files if any(matcher.takes(path) for matcher in matchers)}
    take = candidate_of(of_all)
    assert set(paths) == {path for path in files if take(path).fields}
    assert skipped == [take(one.path)._replace(skipped=True) for one in skipped]


def test_what_a_link_reaches_is_not_left_out(tmp_path: Path) -> None:
    lay(tmp_path)
    (tmp_path / "vault").symlink_to(".notes")
    (tmp_path / "b.md").symlink_to("node_modules/pkg/README.md")
    (tmp_path / ".again").symlink_to(".notes/.old")
    (tmp_path / ".obsidian/a.md").symlink_to("../a.md")
    (tmp_path / ".obsidian/b.md").symlink_to("../b.md")
    (tmp_path / ".obsidian/t.md").symlink_to("templates/t.md")

    found = list(walk(os.path.realpath(tmp_path), [collection(".")], skipped=True))

    skipped = left_out(found)
    assert not [one for one in found if isinstance(one, Problem)]
    only_there = {".obsidian/templates/t.md", "posts/.notes/q.md", "posts/node_modules/r.md"}
    assert {one.path for one in skipped} in ({*only_there, ".again/o.md"}, {*only_there, "vault/.old/o.md"})
    assert all(one.fields == (FIELDS,) for one in skipped)


def test_nothing_is_said_of_what_is_wrong_in_there(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md")
    put(tmp_path / "content/.trash/b.md")
    (tmp_path / "content/.trash/out.md").symlink_to("/etc/hosts")

    found = list(walk(os.path.realpath(tmp_path), [collection()], skipped=True))

    assert found == [
        Candidate("content/a.md", (FIELDS,)),
        Candidate("content/.trash/b.md", (FIELDS,), skipped=True),
    ]


# --- the commands ----------------------------------------------------------------------------------------------------

NAMED = """\
  - directory: content
    include: ["**/*.md", ".notes/**"]
    fields: {video_id: vid_id, counts: {viewCount: viewcount, likeCount: likeCount}}
"""
NOTE = "content/.notes/n.md"


@pytest.fixture
def written(site: Site, youtube: Simulator) -> Site:
    """A site whose page in such a directory was written, by a config that names it; the config names it no longer."""
    site.put("content/a.md", crlf(VIDEO, *counts(youtube, VIDEO)))
    site.put(NOTE, crlf(OTHER, 1, 2))
    site.configure(collections=NAMED)
    in_git(site)
    assert site.sync().changed_pages == 1
    site.configure()
    return site


def test_a_sync_leaves_such_pages_alone(site: Site) -> None:
    site.put("content/a.md", crlf(VIDEO, 1, 2))
    note = site.put(NOTE, crlf(OTHER, 1, 2))
    before = note.read_bytes()

    report = site.sync()

    assert (report.pages, report.changed_pages, report.exit) == (1, 1, 0)
    assert note.read_bytes() == before


def test_undo_reaches_what_was_written_there_before(written: Site) -> None:
    (sync,) = {line["sync"] for line in written.log_lines()}

    report = written.undo(sync)

    assert (report.exit, report.left, report.changed_counts) == (0, 0, 2)
    assert (written.root / NOTE).read_bytes() == crlf(OTHER, 1, 2)


def test_review_shows_keeps_and_drops_what_was_written_there_before(written: Site, syncer: Run) -> None:
    (page,) = syncer("review", "--json").document["pages"]
    assert (page["path"], [count["ours"] for count in page["counts"]]) == (NOTE, [True, True])

    assert syncer("review", "--drop", NOTE).code == 0
    assert (written.root / NOTE).read_bytes() == crlf(OTHER, 1, 2)


def test_review_commits_what_was_written_there_before(written: Site, syncer: Run) -> None:
    kept = syncer("review", "--json", "--keep", "content/.notes").document["kept"]

    assert (kept["pages"], kept["counts"]) == (1, 2)
    assert syncer("review", "--json").document["pages"] == []


def test_check_says_in_one_line_how_many_pages_are_skipped(site: Site, syncer: Run) -> None:
    site.put("content/a.md", crlf(VIDEO, 1, 2))
    assert "Skipped" not in syncer("check", "--offline").out
    for number, place in enumerate((".notes", ".notes", "node_modules/x", "sub/.trash")):
        site.put(f"content/{place}/{number}.md", crlf(OTHER, 1, 2))
    site.put("content/.notes/no-video.md", b"---\ntitle: x\n---\n")
    site.put("content/.notes/sick.md", b"---\nvid_id: x\n---\n")

    ran = syncer("check", "--offline")

    (line,) = [line for line in ran.out.splitlines() if "Skipped" in line]
    assert line.startswith("warning content: Skipped 4 pages with a video")
    assert "content/.notes/0.md" in line
    assert ran.code == 0
    excluding = NAMED.replace(', ".notes/**"', "").replace(
        "    fields", "    exclude: ['.*/', node_modules/]\n    fields"
    )
    site.configure(collections=excluding)
    assert "Skipped" not in syncer("check", "--offline").out


def test_a_path_in_a_skipped_directory_is_not_a_page_of_the_config(site: Site, syncer: Run) -> None:
    site.put("content/a.md", crlf(VIDEO, 1, 2))
    site.put(NOTE, crlf(OTHER, 1, 2))

    ran = syncer("sync", NOTE)

    assert ran.code == 2
    assert "no collection in the config includes a page there" in ran.err
