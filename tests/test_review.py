"""What waits in the working tree is shown page by page, against the last commit: whose it is, and what to look at."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from syncer.simulator.server import Simulator
from syncer.state.lock import hold_lock
from tests.repository import Repository, in_git
from tests.site import Ran, Run, Site, counts, crlf, ids, pair, plain, tree
from tests.terminal import typed_ahead

FIRST, SECOND, THIRD = ids(3, seed=61)
A, B, C = (f"content/{name}.md" for name in "abc")
LESS = 7
"""How much a page lacks of what YouTube says: no large change."""


@pytest.fixture
def waiting(site: Site, youtube: Simulator) -> Repository:
    """A repository in which the counts of three pages wait: of one only the views, of a list those of one video."""
    views, likes = counts(youtube, FIRST)
    site.put(A, crlf(FIRST, views - LESS, likes - LESS))
    views, likes = counts(youtube, SECOND)
    site.put(B, plain(SECOND, views - LESS, likes))
    site.put("content/lists/two.md", pair((SECOND, views, likes), (THIRD, *counts(youtube, THIRD))))
    views, likes = counts(youtube, THIRD)
    site.put(C, crlf(THIRD, views, likes))
    repository = in_git(site)
    site.put("content/lists/two.md", pair((SECOND, 1, 1), (THIRD, views, likes)))
    repository.commit_all()
    assert site.sync().exit == 0
    return repository


def pages(ran: Ran) -> dict[str, Any]:
    """The pages of a review's document, by their paths."""
    assert (ran.code, ran.err) == (0, "")
    return {page["path"]: page for page in ran.document["pages"]}


def marks(page: Any) -> Sequence[tuple[str, str | None, str]]:
    return [(count["field"], count["old"], count["new"]) for count in page["counts"]]


def test_each_count_that_differs_from_the_last_commit_is_shown_with_old_new_and_change(
    waiting: Repository, youtube: Simulator, syncer: Run
) -> None:
    ran = syncer("review", "--json")
    shown = pages(ran)
    assert list(shown) == ["content/lists/two.md", A, B], "large changes first, then in the order of names"
    views, likes = counts(youtube, FIRST)
    assert shown[A] == {
        "path": A,
        "other_lines": 0,
        "counts": [
            {
                "video_id": FIRST, "field": "viewcount", "count": "viewCount", "old": str(views - LESS),
                "new": str(views), "relative": round(LESS / (views - LESS), 6), "large_change": False, "ours": True,
            },
            {
                "video_id": FIRST, "field": "likeCount", "count": "likeCount", "old": str(likes - LESS),
                "new": str(likes), "relative": round(LESS / (likes - LESS), 6), "large_change": False, "ours": True,
            },
        ],
    }  # fmt: skip
    views, likes = counts(youtube, SECOND)
    assert marks(shown[B]) == [("viewcount", str(views - LESS), str(views))]
    two = [("videos[0].viewcount", "1", str(views)), ("videos[0].likeCount", "1", str(likes))]
    assert marks(shown["content/lists/two.md"]) == two
    assert ran.document["head"] == waiting.head()
    assert {name: ran.document[name] for name in ("kept", "dropped", "held_back", "problems", "exit")} == {
        "kept": None, "dropped": None, "held_back": None, "problems": [], "exit": 0,
    }  # fmt: skip


def test_the_table_names_a_page_once_and_says_what_it_comes_to(
    waiting: Repository, youtube: Simulator, syncer: Run
) -> None:
    lines = [line.split() for line in syncer("review").out.splitlines()]
    views, likes = counts(youtube, FIRST)
    place = next(number for number, words in enumerate(lines) if words[0] == A)
    assert lines[place] == [A, "viewcount", str(views - LESS), str(views), f"{LESS / (views - LESS):+.1%}"]
    assert lines[place + 1] == ["likeCount", str(likes - LESS), str(likes), f"{LESS / (likes - LESS):+.1%}"]
    assert " ".join(lines[-3]) == "Not committed: 5 counts on 3 pages (2 large changes)."


@pytest.mark.parametrize(
    ("old", "new", "large"),
    [
        ("1000", "0", True), ("1000", "99", True), ("1000", "100", False), ("1000", "999", False),
        ("99", "1000", True), ("100", "1000", False), ("0", "1000", False), ('""', "1000", False),
    ],
)  # fmt: skip
def test_a_large_change_is_what_fell_or_rose_more_than_tenfold_or_to_zero(
    site: Site, syncer: Run, old: str, new: str, *, large: bool
) -> None:
    site.put(A, plain(FIRST, old, 5))
    in_git(site)
    site.put(A, plain(FIRST, new, 5))
    [count] = pages(syncer("review", "--json"))[A]["counts"]
    assert count["large_change"] is large


def test_a_count_of_the_author_s_own_is_shown_as_such(waiting: Repository, site: Site, syncer: Run) -> None:
    page = site.root / B
    page.write_bytes(page.read_bytes().replace(b"likeCount:   ", b"likeCount:   1"))
    shown = pages(syncer("review", "--json"))
    assert [(count["field"], count["ours"]) for count in shown[B]["counts"]] == [
        ("viewcount", True),
        ("likeCount", False),
    ]
    out = syncer("review").out
    assert "Not committed: 6 counts on 3 pages (2 large changes, 1 yours).\nCounts marked `yours`" in out
    assert out.count("  yours") == 1


def test_with_only_counts_of_the_author_no_command_is_named_that_would_do_nothing(site: Site, syncer: Run) -> None:
    site.put(A, plain(FIRST, 1000, 5))
    in_git(site)
    site.put(A, plain(FIRST, 1001, 5))
    out = syncer("review").out
    assert "Not committed: 1 count on 1 page (1 yours)." in out
    assert "--keep" not in out
    assert "--drop" not in out


@pytest.mark.parametrize(
    ("edit", "lines"),
    [
        ((b"viewcount: 7\n", b"viewcount: 7 (edited)\n"), 1),
        ((b"viewcount: 7\n", b"viewcount: 7\nmore\nand more\n"), 2),
        ((b"\n...\n\nviewcount: 7\n", b"\n...\n"), 2),
        ((b"# by hand", b"# by hand, and by syncer"), 1),
        ((b"\n...\n\nviewcount: 7\n", b"\n...\nviewcount: 7\n\n"), 1),
    ],
    ids=["changed", "added", "removed", "changed beside a count", "moved"],
)
def test_other_edits_of_a_page_are_counted_and_not_shown(
    waiting: Repository, site: Site, syncer: Run, edit: tuple[bytes, bytes], lines: int
) -> None:
    page = site.root / B
    assert edit[0] in page.read_bytes()
    page.write_bytes(page.read_bytes().replace(*edit))
    shown = pages(syncer("review", "--json"))
    assert {path: page["other_lines"] for path, page in shown.items()} == {A: 0, B: lines, "content/lists/two.md": 0}
    [line] = [line for line in syncer("review").out.splitlines() if line.startswith(B)]
    assert line.endswith("  1 other line changed" if lines == 1 else f"  {lines} other lines changed")


def test_ends_of_lines_that_git_converts_are_no_other_lines(site: Site, youtube: Simulator, syncer: Run) -> None:
    site.put(A, crlf(FIRST, 1, 2))
    repository = in_git(site)
    repository.git("config", "core.autocrlf", "true")
    repository.git("add", "--renormalize", ".")
    repository.commit_all()
    assert b"\r" not in repository.show(A)
    site.sync()
    assert pages(syncer("review", "--json"))[A]["other_lines"] == 0


def test_pages_without_a_count_that_waits_are_not_shown(waiting: Repository, site: Site, syncer: Run) -> None:
    site.put(C, (site.root / C).read_bytes() + b"more")
    site.put("content/new.md", crlf(ids(1, seed=62)[0], 1, 2))
    (site.root / B).unlink()
    assert set(pages(syncer("review", "--json"))) == {A, "content/lists/two.md"}
    waiting.git("add", "--all")
    assert set(pages(syncer("review", "--json"))) == {A, "content/lists/two.md"}, "staged counts wait for a commit too"
    waiting.commit_all()
    ran = syncer("review")
    assert (ran.code, ran.out) == (0, "Nothing to review: no count of the last commit has changed in the pages.\n")


def test_a_long_list_is_cut_on_a_terminal_only_and_says_how_to_see_all(site: Site, syncer: Run) -> None:
    for video in ids(25):
        site.put(f"content/{video}.md", plain(video, 0, 0))
    in_git(site)
    site.sync()
    shown = typed_ahead(site, b"q\n", "review", NO_COLOR="1").decode()
    assert "\n  ... and 10 more counts; run `syncer review | less` to see all\r\n" in shown
    _, *rows = syncer("review").out.splitlines()[:52]
    assert rows[50] == "Not committed: 50 counts on 25 pages."
    assert {*ids(25)} == {row.split()[0][8:-3] for row in rows[:50:2]}
    assert sum(len(page["counts"]) for page in pages(syncer("review", "--json")).values()) == 50


def written(site: Site) -> Mapping[str, object]:
    """What is on disk, but for the files that SQLite creates beside the state to read it."""
    read = {".syncer", ".syncer/state.sqlite3-wal", ".syncer/state.sqlite3-shm"}
    return {path: found for path, found in tree(site.root).items() if path not in read}


def test_to_look_needs_no_key_and_no_lock_and_writes_nothing(
    waiting: Repository, site: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("YOUTUBE_API_KEY")
    before = written(site)
    with hold_lock(site.state, timeout=0, sleep=lambda _: None):
        held = written(site)
        assert syncer("review").code == 0
        assert written(site) == held
    assert held.keys() >= before.keys()


def test_a_site_without_a_state_has_counts_of_the_author_only(waiting: Repository, site: Site, syncer: Run) -> None:
    site.state.rename(site.root / "away")
    shown = pages(syncer("review", "--json"))
    assert {count["ours"] for page in shown.values() for count in page["counts"]} == {False}
    assert not site.state.exists()


def test_one_can_look_on_no_branch_and_in_the_middle_of_a_rebase(waiting: Repository, syncer: Run) -> None:
    waiting.git("checkout", "--quiet", "--detach")
    (waiting.top / ".git" / "rebase-merge").mkdir()
    assert len(pages(syncer("review", "--json"))) == 3


def test_the_site_may_be_a_directory_of_the_repository(site: Site, tmp_path: Path, syncer: Run) -> None:
    page = site.put(A, crlf(FIRST, 1, 2))
    outside = Repository(tmp_path)
    outside.git("init", "--quiet")
    outside.commit_all()
    page.write_bytes(crlf(FIRST, 3, 4))
    assert list(pages(syncer("review", "--json"))) == [A]


@pytest.mark.parametrize("commits", [False, True], ids=["no repository", "no commit"])
def test_without_a_repository_or_a_commit_it_is_exit_2(site: Site, syncer: Run, *, commits: bool) -> None:
    site.put(A, crlf(FIRST, 1, 2))
    said = "is not in a git repository; run `git init`"
    if commits:
        Repository(site.root).git("init", "--quiet")
        said = "there is no commit yet to compare the pages with; commit the site first"
    ran = syncer("review")
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    for option in ("--keep", "--drop"):
        assert syncer("review", option, A).code == 2
    document = syncer("review", "--json").document
    assert (document["error"]["kind"], document["exit"]) == ("git", 2)


def test_names_and_fields_cannot_act_on_the_terminal(site: Site, syncer: Run) -> None:
    name = "\x1b[31mred\x07.md"
    site.put(f"content/{name}", crlf(FIRST, 1, 2))
    in_git(site)
    site.put(f"content/{name}", crlf(FIRST, 3, 4))
    shown = typed_ahead(site, b"n\n", "review", NO_COLOR="1").decode()
    assert "\x1b[31m" not in shown
    assert "\x07" not in shown
    assert shown.count(r"\x1b[31mred\x07.md") == 1, "nothing of ours waits: nothing is asked"
    assert os.fsencode(name) not in syncer("review").out.encode()
