"""Pages and counts that their own `syncer` key excludes, end to end: no command writes them."""

from __future__ import annotations

import pytest

from syncer.model import ProblemKind
from syncer.simulator.server import Simulator
from tests.repository import in_git
from tests.site import COLLECTIONS, NOON, Run, Site, counts, ids, pair

A, B = ids(2, seed=61)
PAGE = "content/a.md"


def page(syncer: str = "", views: int = 1, likes: int = 2, video: str = A) -> bytes:
    return f"---\nvid_id: {video}\nviewcount: {views}\nlikeCount: {likes}\n{syncer}---\n".encode()


def text(site: Site) -> bytes:
    return (site.root / PAGE).read_bytes()


def test_an_excluded_page_is_not_written_and_its_video_is_not_requested(site: Site, youtube: Simulator) -> None:
    excluded = page("syncer: false\n")
    site.put(PAGE, excluded)
    site.put("content/b.md", page(video=B))
    report = site.sync()
    assert (report.pages, report.asked, report.problems, text(site)) == (1, 1, (), excluded)
    site.put("content/c.md", page())
    assert site.sync().asked == 1, "another page wants it"
    assert (text(site), (site.root / "content/c.md").read_bytes()) == (excluded, page("", *counts(youtube, A)))


def test_an_excluded_count_is_not_written_and_the_others_are(site: Site, youtube: Simulator) -> None:
    site.put(PAGE, page("syncer: {likeCount: false}\n"))
    assert site.sync().changed_counts == 1
    assert text(site) == page("syncer: {likeCount: false}\n", counts(youtube, A)[0])
    assert [line["field"] for line in site.log_lines()] == ["viewcount"]


def test_a_date_can_be_excluded(site: Site, youtube: Simulator) -> None:
    dated = COLLECTIONS.replace("likeCount: likeCount}\n", "likeCount: likeCount}\n      checked_at: updated\n", 1)
    site.configure(collections=dated)
    site.put(PAGE, page("updated: 2026-01-01\nsyncer: {updated: false}\n"))
    assert site.sync().changed_counts == 2
    assert text(site) == page("updated: 2026-01-01\nsyncer: {updated: false}\n", *counts(youtube, A))


def test_a_page_whose_counts_are_all_excluded_is_excluded(site: Site) -> None:
    site.put(PAGE, page("syncer: {likeCount: false, viewcount: false}\n"))
    assert site.sync().asked == 0


@pytest.mark.parametrize("fields", ["where: {syncer: no}", "unavailable_since: syncer"])
def test_a_key_that_the_config_names_means_nothing_else(site: Site, fields: str) -> None:
    collection = COLLECTIONS.replace("likeCount: likeCount}\n", f"likeCount: likeCount}}\n      {fields}\n", 1)
    site.configure(collections=collection.replace("no}", "'no'}"), availability="every: 7d")
    site.put(PAGE, page("syncer: no\n" if "where" in fields else "syncer: 2026-01-01\n"))
    report = site.sync()
    assert (report.changed_counts, report.problems) == (2, ())


def test_a_list_is_excluded_by_the_page(site: Site) -> None:
    listed = pair((A, 1, 1), (B, 1, 1))
    excluded = listed.replace(b"title: Two", b"syncer: false")
    site.put("content/lists/l.md", excluded)
    assert site.sync().asked == 0
    site.put("content/lists/l.md", listed.replace(b"title: Two", b"syncer: {likeCount: false}"))
    assert site.sync().changed_counts == 2
    assert (site.root / "content/lists/l.md").read_bytes().count(b"likeCount: 1\n") == 2


def test_a_key_that_is_not_understood_is_a_problem_and_the_page_is_left_alone(site: Site, syncer: Run) -> None:
    site.put(PAGE, page("syncer: {likecount: false}\n"))
    ran = syncer("sync", "--json")
    (problem,) = ran.document["problems"]
    assert (ran.code, problem["kind"], problem["subject"], problem["line"]) == (1, ProblemKind.SYNCER_KEY, PAGE, 5)
    assert "must be among likeCount, viewcount, each with the value `false`" in problem["message"]
    assert text(site) == page("syncer: {likecount: false}\n")


def test_of_a_page_in_two_collections_each_key_can_be_excluded(site: Site, youtube: Simulator) -> None:
    collections = """\
  - directory: content
    fields: {video_id: vid_id, counts: {viewCount: viewcount}}
  - directory: content
    fields: {video_id: vid_id, counts: {likeCount: likeCount}}
"""
    site.configure(collections=collections)
    site.put(PAGE, page("syncer: {likeCount: false}\n"))
    report = site.sync()
    assert (report.problems, text(site)) == ((), page("syncer: {likeCount: false}\n", counts(youtube, A)[0]))
    site.put(PAGE, page("syncer: false\n"))
    assert site.sync().pages == 0


def test_an_undo_leaves_an_excluded_page_alone_and_says_so(site: Site) -> None:
    site.put(PAGE, page())
    name = site.sync().sync
    written = text(site)
    excluded = written.replace(b"---\n", b"---\nsyncer: false\n", 1)
    site.put(PAGE, excluded)
    report, skipped = site.undo_and_list(name)
    assert (report.changed_counts, report.left, text(site)) == (0, 2, excluded)
    assert {each.why for each in skipped} == {"the page's `syncer` key excludes it"}
    site.put(PAGE, written)
    assert site.undo(name).changed_counts == 2, "without the key it can still be undone"


def test_counts_of_an_excluded_page_are_neither_reviewed_nor_committed(site: Site, syncer: Run) -> None:
    site.put(PAGE, page())
    repository = in_git(site)
    repository.commit_all()
    site.sync()
    written = text(site)
    site.put(PAGE, written.replace(b"---\n", b"---\nsyncer: false\n", 1))
    assert syncer("review", "--json").document["pages"] == []
    site.configure(git="commit: true")
    assert site.sync().commit is None
    site.put(PAGE, written)
    assert site.sync().commit, "without the key they are committed"


def test_counts_are_committed_where_only_the_last_commit_excludes_the_page(site: Site, youtube: Simulator) -> None:
    site.configure(git="commit: true")
    site.put(PAGE, page("syncer: false\n"))
    repository = in_git(site)
    repository.commit_all()
    site.put(PAGE, page())
    assert site.sync().commit
    assert repository.show(PAGE) == page("syncer: false\n", *counts(youtube, A)), "that line is the author's"


def test_a_site_whose_pages_are_all_excluded_is_not_taken_for_a_lost_one(site: Site) -> None:
    for number, video in enumerate(ids(7, seed=3)):
        site.put(f"content/{number}.md", page(video=video))
    site.sync()
    for file in site.root.glob("content/*.md"):
        file.write_bytes(file.read_bytes().replace(b"---\n", b"---\nsyncer: false\n", 1))
    report = site.sync(NOON)
    assert (report.pages, report.problems, report.exit) == (0, (), 0)


def test_check_says_how_many_pages_exclude_something(site: Site, syncer: Run) -> None:
    site.put(PAGE, page("syncer: {likeCount: false}\n"))
    site.put("content/b.md", page("syncer: false\n", video=B))
    out = syncer("check", "--offline").out
    assert "2 pages with the key `syncer`: content/a.md, content/b.md. No sync writes what it excludes." in out


def test_an_excluded_page_names_no_video_for_a_data_file(site: Site) -> None:
    site.configure(write="to: data_file, file: _data/youtube.yml")
    site.put(PAGE, page())
    site.put("content/b.md", page(video=B))
    site.sync()
    assert A.encode() in (site.root / "_data/youtube.yml").read_bytes()
    site.put(PAGE, page("syncer: false\n"))
    site.sync()
    data = (site.root / "_data/youtube.yml").read_bytes()
    assert (A.encode() in data, B.encode() in data) == (False, True)
    site.put(PAGE, page("syncer: {likeCount: false}\n"))
    (problem,) = site.sync().problems
    assert problem.message == "With a data file, `syncer` can only be `false`: write that, or remove the key."
