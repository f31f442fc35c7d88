"""What the last sync of the whole site found is shown until another one finds otherwise, whatever is run meanwhile."""

from __future__ import annotations

import sqlite3

import pytest

from syncer.daemon.watched_state import past_syncs
from syncer.state.database import open_state
from tests.repository import in_git
from tests.site import Run, Site, crlf, ids
from tests.steered import served

GOOD, OTHER, BAD = "content/a.md", "content/b.md", "content/bad.md"
VIDEOS = ids(2, seed=91)
PROBLEM = b"---\nvid_id: nonsense\nviewcount: 1\n---\n"


@pytest.fixture
def broken(site: Site) -> str:
    """A site with a page that is a problem in each sync; returns the name of its first sync."""
    for path, video in zip((GOOD, OTHER), VIDEOS, strict=True):
        site.put(path, crlf(video, 1, 2))
    site.put(BAD, PROBLEM)
    in_git(site)
    return site.sync().sync


def standing(site: Site, syncer: Run) -> list[str]:
    """Returns the subjects of the problems that `status`, the page and the daemon show; they agree."""
    document = syncer("status", "--json").document
    found = [problem["subject"] for problem in document["problems"]]
    with served(site) as page:
        shown = page.get("/api/v1/status").document
        text = page.get("/problems").text
    assert [problem["subject"] for problem in shown["problems"]] == found
    assert all(subject in text for subject in found)
    assert f"{len(found)} problem" in text
    with open_state(site.state, site.root) as database:
        last = past_syncs(database).last
    assert last
    assert last.problems == len(found)
    there = f"There {'is 1 problem' if len(found) == 1 else f'are {len(found)} problems'}."
    assert (there in document["attention"]) == bool(found)
    return found


@pytest.mark.parametrize(
    "command",
    [
        ["undo", "SYNC"],
        ["review", "--drop", GOOD],
        ["sync", GOOD],
        ["sync", "--all", "--video", VIDEOS[1]],
    ],
    ids=["undo", "drop", "path", "video"],
)
def test_problems_stay_after_what_is_not_about_the_whole_site(
    site: Site, syncer: Run, broken: str, command: list[str]
) -> None:
    assert syncer(*[broken if word == "SYNC" else word for word in command]).code == 0
    assert standing(site, syncer) == [BAD]
    with open_state(site.state, site.root) as database:
        last = past_syncs(database).last
    assert last
    assert (last.sync, last.changed_counts) == (broken, 4), "it is the last sync of the whole site that is shown"
    assert "Problems: 1\n" in syncer("status").out
    site.put(BAD, crlf(VIDEOS[0], 1, 2))
    assert syncer("sync").code == 0
    assert standing(site, syncer) == []


@pytest.mark.usefixtures("broken")
def test_what_a_narrowed_sync_finds_on_other_pages_is_added(site: Site, syncer: Run) -> None:
    site.put(OTHER, PROBLEM)
    assert syncer("sync", "content/b.md").code == 1
    assert standing(site, syncer) == [BAD, OTHER]
    assert syncer("sync", "content/b.md", BAD).code == 1
    assert sorted(standing(site, syncer)) == [OTHER, BAD], "each problem is shown once"


@pytest.mark.usefixtures("broken")
def test_a_sync_that_youtube_did_not_answer_has_seen_all_pages(site: Site, syncer: Run) -> None:
    site.put(BAD, crlf(VIDEOS[0], 1, 2))
    site.config.write_text(site.config.read_text(encoding="utf-8").replace(site.url, "http://127.0.0.1:9/"))
    assert syncer("sync", "--all").code == 3
    assert BAD not in standing(site, syncer)


def test_an_odd_value_makes_a_report_damaged(site: Site, syncer: Run, broken: str) -> None:
    assert syncer("sync", GOOD).code == 0
    with sqlite3.connect(site.state / "state.sqlite3") as database:
        database.execute("""UPDATE syncs SET report = replace(report, '"part": true', '"part": []')""")
    database.close()
    assert [sync["sync"] for sync in syncer("status", "--json").document["syncs"]] == [broken]
    assert standing(site, syncer) == [BAD]
