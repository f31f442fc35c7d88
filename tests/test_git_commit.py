"""A sync's commit contains syncer's counts and nothing else: not a byte of the author's work."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

import syncer.sync.publish
from syncer.config.parse import parse_config
from syncer.model import Problem, ProblemKind
from syncer.simulator.server import Simulator
from syncer.status.report import SyncReport
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Listener, Options
from tests.repository import in_git
from tests.site import FORMS, KEY, NOON, Site, counts, ids, plain

COMMIT = "commit: true"


@pytest.fixture
def site(site: Site) -> Site:
    """A site whose syncs end in a commit."""
    site.configure(git=COMMIT)
    return site


def put_pages(site: Site, number: int = 5) -> list[str]:
    """Puts a page of each form; returns the videos."""
    videos = ids(number)
    for place, video in enumerate(videos):
        site.put(f"content/{place}.md", FORMS[place % len(FORMS)](video, 1, 2))
    return videos


def committed(report: SyncReport) -> str:
    assert report.exit == 0, report.problems
    assert report.commit is not None
    return report.commit


def test_the_commit_has_the_counts_and_the_working_tree_is_clean(site: Site, youtube: Simulator) -> None:
    videos = put_pages(site)
    repository = in_git(site)
    before = repository.head()
    commit = committed(site.sync())
    assert repository.head() == commit
    assert repository.git("rev-parse", f"{commit}^").strip() == before
    assert repository.status() == []
    for place, video in enumerate(videos):
        expected = FORMS[place % len(FORMS)](video, *counts(youtube, video))
        assert repository.show(f"content/{place}.md") == expected
    assert repository.git("show", "--numstat", "--format=", "HEAD").count("\n") == len(videos)
    assert site.sync(NOON + timedelta(hours=1)).commit is None
    assert repository.git("fsck", "--strict") == ""


def test_unstaged_work_in_the_same_page_stays_in_the_working_tree(site: Site, youtube: Simulator) -> None:
    video = ids(1)[0]
    page = site.put("content/a.md", plain(video, 1, 2))
    repository = in_git(site)
    edited = page.read_bytes().replace(b"viewcount: 7", b"viewcount: 8 (edited body)")
    page.write_bytes(edited)
    committed(site.sync())
    views, likes = counts(youtube, video)
    assert repository.show("content/a.md") == plain(video, views, likes)
    assert repository.show("content/a.md", "") == plain(video, views, likes)
    assert page.read_bytes() == plain(video, views, likes).replace(b"viewcount: 7", b"viewcount: 8 (edited body)")
    assert repository.status() == [" M content/a.md"]


def test_staged_work_in_the_same_page_stays_staged(site: Site, youtube: Simulator) -> None:
    video = ids(1)[0]
    page = site.put("content/a.md", plain(video, 1, 2))
    repository = in_git(site)
    page.write_bytes(page.read_bytes() + b"staged\n")
    repository.git("add", "content/a.md")
    page.write_bytes(page.read_bytes() + b"unstaged\n")
    staged, unstaged = repository.git("diff", "--cached", "-U0"), repository.git("diff", "-U0")
    committed(site.sync())
    views, likes = counts(youtube, video)
    assert repository.show("content/a.md") == plain(video, views, likes)
    assert repository.show("content/a.md", "") == plain(video, views, likes) + b"staged\n"
    assert page.read_bytes() == plain(video, views, likes) + b"staged\nunstaged\n"
    assert added(repository.git("diff", "--cached", "-U0")) == added(staged) == ["+staged"]
    assert added(repository.git("diff", "-U0")) == added(unstaged) == ["+unstaged"]


def added(diff: str) -> list[str]:
    return [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in {"+++", "---"}]


@pytest.mark.parametrize(("limit", "commits"), [(5, True), (4, False)])
def test_a_sync_that_is_stopped_commits_a_few_pages_and_leaves_many_to_the_next_one(
    site: Site, limit: int, commits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_pages(site)
    repository = in_git(site)
    before = repository.head()
    monkeypatch.setattr(syncer.sync.publish, "MAX_PAGES_ONCE_CANCELLED", limit)
    stopped = threading.Event()
    environment = Environment(KEY, lambda: NOON, stopped.wait, stopped.is_set)
    listener = Listener(changed=lambda _: stopped.set())
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    report = make_sync(config, Options(), environment, listener)
    assert (report.exit, report.changed_pages) == (130, 5)
    assert (report.commit, repository.head() != before) == (repository.head() if commits else None, commits)
    if not commits:
        said = "stopped before 5 pages were committed; the next sync commits them"
        assert report.problems == (Problem(ProblemKind.NOT_COMMITTED, "git", said),)
        assert committed(site.sync(NOON + timedelta(hours=1))) == repository.head()
    assert repository.status() == []
