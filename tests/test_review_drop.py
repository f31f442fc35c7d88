"""What a person drops: the last commit's counts stand in the page again, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncer.simulator.server import Simulator
from tests.repository import Repository, in_git
from tests.site import FORMS, NOON, Run, Site, counts, ids, pair, plain, tree
from tests.terminal import typed_ahead

VIDEOS = ids(len(FORMS), seed=81)
PAGES = [f"content/{number}.md" for number in range(len(FORMS))]
TWO = "content/lists/two.md"
A = "content/a.md"
VIDEO = ids(1, seed=82)[0]


@pytest.fixture
def waiting(site: Site) -> Repository:
    """A repository in which the counts of pages of all forms wait."""
    for page, form, video in zip(PAGES, FORMS, VIDEOS, strict=True):
        site.put(page, form(video, 1, 2))
    site.put(TWO, pair((VIDEOS[0], 3, 4), (VIDEOS[1], 5, 6)))
    return synced(site)


@pytest.fixture
def one(site: Site) -> Repository:
    """A repository in which the counts of one page wait."""
    site.put(A, plain(VIDEO, 1, 2))
    return synced(site)


def synced(site: Site) -> Repository:
    repository = in_git(site)
    assert site.sync().exit == 0
    return repository


def dropped(site: Site) -> Sequence[dict[str, Any]]:
    return [line for line in site.log_lines() if line["why"] == "dropped"]


def test_the_pages_are_as_committed_byte_for_byte_and_the_others_wait_on(
    waiting: Repository, site: Site, syncer: Run
) -> None:
    head = waiting.head()
    ran = syncer("review", "--drop", *PAGES[1:], TWO)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Restored {2 * len(PAGES[1:]) + 4} counts on {len(PAGES)} pages. A sync changes")
    assert waiting.status() == [f" M {PAGES[0]}"]
    assert waiting.head() == head


def test_each_dropped_count_has_a_line_of_a_sync_of_its_own(waiting: Repository, site: Site, syncer: Run) -> None:
    before = site.log_lines()
    document = syncer("review", "--json", "--drop", TWO).document
    lines = site.log_lines()[len(before) :]
    assert lines == dropped(site)
    wrote = {(line["path"], line["field"]): line for line in before}
    for line in lines:
        assert (line["old"], line["new"]) == tuple(wrote[TWO, line["field"]][name] for name in ("new", "old"))
    assert [line["seq"] for line in lines] == list(range(len(before) + 1, len(before) + len(lines) + 1))
    assert {line["sync"] for line in lines} == {document["dropped"]["sync"]}
    assert document["dropped"] == {"sync": document["dropped"]["sync"], "pages": 1, "counts": 4, "dates": 0}
    assert (document["kept"], document["pages"], document["problems"], document["exit"]) == (None, [], [], 0)
    assert syncer("status", "--json").document["syncs"][0]["sync"] == document["dropped"]["sync"]


def test_a_dropped_count_stays_back_until_youtube_gives_another(
    one: Repository, site: Site, youtube: Simulator, syncer: Run
) -> None:
    assert syncer("review", "--drop", A).code == 0
    assert site.sync(NOON + timedelta(hours=1)).changed_counts == 0
    assert (site.root / A).read_bytes() == plain(VIDEO, 1, 2)
    youtube.clock.advance(timedelta(days=30))
    site.sync(NOON + timedelta(hours=2))
    assert (site.root / A).read_bytes() == plain(VIDEO, *counts(youtube, VIDEO))


def test_other_edits_of_the_page_stay(one: Repository, site: Site, youtube: Simulator, syncer: Run) -> None:
    page = site.root / A
    page.write_bytes(page.read_bytes().replace(b"# by hand", b"# by Ada") + b"more\n")
    one.git("add", A)
    page.write_bytes(page.read_bytes() + b"and more\n")
    staged = one.show(A, "")
    assert syncer("review", "--drop", A).code == 0
    assert page.read_bytes() == plain(VIDEO, 1, 2).replace(b"# by hand", b"# by Ada") + b"more\nand more\n"
    assert one.show(A, "") == staged, "the working tree and nothing else"


def test_the_author_s_own_count_stays_and_is_listed(
    one: Repository, site: Site, youtube: Simulator, syncer: Run
) -> None:
    page, views = site.root / A, counts(youtube, VIDEO)[0]
    page.write_bytes(page.read_bytes().replace(f"viewcount': {views}".encode(), f"viewcount': {views + 5}".encode()))
    document = syncer("review", "--json", "--drop", A).document
    assert document["dropped"]["counts"] == 1
    assert [count["field"] for left in document["pages"] for count in left["counts"]] == ["viewcount"]
    assert page.read_bytes() == plain(VIDEO, views + 5, 2)
    log = site.log_lines()
    ran = syncer("review", "--drop", A)
    assert (ran.code, ran.out.splitlines()[:2]) == (0, ["Nothing to keep or drop.", "Left unchanged:"])
    assert site.log_lines() == log
    assert syncer("status", "--json").document["syncs"][0]["sync"] == document["dropped"]["sync"], "no empty sync"


def test_where_the_commit_has_no_count_there_is_nothing_to_put_back(site: Site, syncer: Run) -> None:
    collection = (
        "{directory: content, fields: {video_id: id, counts: {viewCount: v, likeCount: l}, insert_missing: true}}"
    )
    site.configure(collections=f"  - {collection}\n")
    page = site.put(A, f"---\nid: {VIDEO}\nv: ''\n---\n".encode())
    repository = synced(site)
    written = page.read_bytes()
    document = syncer("review", "--json", "--drop", A).document
    assert [(count["field"], count["old"]) for left in document["pages"] for count in left["counts"]] == [
        ("v", None),
        ("l", None),
    ]
    assert (document["dropped"], document["exit"], page.read_bytes()) == (None, 0, written)
    said = syncer("review", "--drop", A).out
    assert "  new" in said
    assert "`git restore PAGE`" in said
    assert syncer("review", "--keep", A).code == 0
    assert repository.status() == []


def test_a_page_that_cannot_be_written_is_a_problem_and_the_others_are_dropped(
    waiting: Repository, site: Site, syncer: Run
) -> None:
    (site.root / PAGES[0]).chmod(0o444)
    document = syncer("review", "--json", "--drop", "content").document
    assert document["exit"] == 1
    assert [problem["subject"] for problem in document["problems"]] == [PAGES[0]]
    assert [page["path"] for page in document["pages"]] == [PAGES[0]]
    assert PAGES[0] in syncer("review", "--drop", PAGES[0]).out


def test_one_call_keeps_some_and_drops_others(waiting: Repository, site: Site, syncer: Run) -> None:
    ran = syncer("review", "--keep", PAGES[0], PAGES[1], "--drop", PAGES[2], f"--keep={PAGES[3]}", "--json")
    document = ran.document
    assert (document["kept"]["commit"], document["kept"]["pages"]) == (waiting.head(), 3)
    assert (document["dropped"]["pages"], document["dropped"]["counts"]) == (1, 2)
    assert waiting.status() == [f" M {PAGES[4]}", f" M {TWO}"]
    assert waiting.show(PAGES[2]) == (site.root / PAGES[2]).read_bytes() == FORMS[2](VIDEOS[2], 1, 2)


def test_where_nothing_can_be_kept_nothing_is_dropped(waiting: Repository, site: Site, syncer: Run) -> None:
    (waiting.top / ".git" / "MERGE_HEAD").mkdir()
    before = tree(site.root / "content")
    assert syncer("review", "--keep", PAGES[0], "--drop", PAGES[1]).code == 2
    assert tree(site.root / "content") == before
    assert syncer("review", "--drop", PAGES[1]).code == 0, "a drop alone is in nobody's way"
    assert (site.root / PAGES[1]).read_bytes() == FORMS[1](VIDEOS[1], 1, 2)


def test_the_walk_drops_at_the_end(waiting: Repository, site: Site, youtube: Simulator) -> None:
    typed_ahead(site, b"d\ny\nd\nn\nq\n", "review")
    shown = sorted([*PAGES, TWO])
    lines = dropped(site)
    assert {line["path"] for line in lines} == {shown[0], shown[2]}
    assert len({line["sync"] for line in lines}) == 1, "all in one sync"
    assert waiting.status() == [f" M {path}" for path in shown[3:]]


def test_a_drop_can_be_undone(one: Repository, site: Site, youtube: Simulator, syncer: Run) -> None:
    sync = syncer("review", "--json", "--drop", A).document["dropped"]["sync"]
    assert syncer("undo", sync).code == 0
    assert (site.root / A).read_bytes() == plain(VIDEO, *counts(youtube, VIDEO))
    assert syncer("review", "--json").document["pages"][0]["counts"][0]["ours"], "what was undone is still ours"


def test_a_file_that_is_named_by_a_link_is_dropped_where_it_is(site: Site, tmp_path: Path, syncer: Run) -> None:
    page = site.put("content/real.txt", plain(VIDEO, 1, 2))
    (site.root / "content" / "link.md").symlink_to("real.txt")
    repository = synced(site)
    assert [shown["path"] for shown in syncer("review", "--json").document["pages"]] == ["content/link.md"]
    assert syncer("review", "--drop", "content").code == 0
    assert page.read_bytes() == plain(VIDEO, 1, 2)
    assert repository.status() == []
