"""What a person keeps is committed as a sync would commit it, and nothing else happens."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncer.config.parse import parse_config
from syncer.review.act import Choice, act
from syncer.review.look import look
from syncer.simulator.server import Simulator
from syncer.sync.options import Environment, Options
from tests.repository import Repository, in_git
from tests.site import NOON, Run, Site, counts, ids, plain, tree
from tests.terminal import typed_ahead
from tests.test_review import written

VIDEOS = dict(zip("abc", ids(3, seed=71), strict=True))
A, B, C = (f"content/{name}.md" for name in VIDEOS)
LESS = 7
"""How much a page lacks of what YouTube says."""


@pytest.fixture
def waiting(site: Site) -> Repository:
    """A repository in which both counts of three pages wait."""
    return wait(site)


def wait(site: Site) -> Repository:
    for name, video in VIDEOS.items():
        site.put(f"content/{name}.md", plain(video, 1, 2))
    repository = in_git(site)
    assert site.sync().exit == 0
    return repository


def new(youtube: Simulator, path: str) -> bytes:
    """A page as a sync makes it."""
    video = VIDEOS[Path(path).stem]
    return plain(video, *counts(youtube, video))


def test_the_counts_of_the_named_pages_are_committed_and_no_others(
    waiting: Repository, site: Site, youtube: Simulator, syncer: Run
) -> None:
    content, log, parent = tree(site.root / "content"), site.log_lines(), waiting.head()
    ran = syncer("-v", "review", "--keep", A, B)
    assert ran.code == 0
    assert ran.err == f"INFO Committed as {waiting.head()[:12]}\n"
    still = "Still not committed: 2 counts on 1 page (see `syncer review`).\n"
    assert ran.out == f"Committed 4 counts on 2 pages as {waiting.head()[:12]}.\n{still}"
    assert waiting.git("rev-parse", "HEAD^").strip() == parent
    assert [waiting.show(path) for path in (A, B)] == [new(youtube, A), new(youtube, B)]
    assert waiting.status() == [f" M {C}"]
    assert tree(site.root / "content") == content, "keeping changes no count"
    assert site.log_lines() == log, "and writes no line"
    assert waiting.git("fsck", "--strict") == ""


def test_the_commit_is_as_a_sync_would_make_it(site: Site, tmp_path: Path, syncer: Run) -> None:
    settings = "message: 'Counts: {subject} [skip ci]', author: 'Bot <bot@example.org>'"
    site.configure(git=settings)
    repository = wait(site)
    report = syncer("review", "--keep", ".", "--json").document
    kept = repository.git("show", "--format=%an%n%ae%n%cn%n%B", "--no-patch")

    repository.git("reset", "--quiet", "--hard", "HEAD~1")
    site.configure(git=f"commit: true, {settings}")
    site.state.rename(tmp_path / "state")
    assert site.sync().commit
    synced = repository.git("show", "--format=%an%n%ae%n%cn%n%B", "--no-patch")
    assert without_sync(kept) == without_sync(synced)
    assert kept.startswith("Bot\nbot@example.org\nBot\nCounts: Update YouTube counts: 3 pages [skip ci]\n")
    assert report["kept"]["counts"] == 6


def without_sync(message: str) -> str:
    return re.sub("Syncer-Sync: .*", "Syncer-Sync: ...", message)


def test_the_trailer_names_the_newest_sync_of_what_is_committed(site: Site, syncer: Run) -> None:
    for name, video in VIDEOS.items():
        site.put(f"content/{name}.md", plain(video, 1, 2))
    repository = in_git(site)
    first, second = (
        site.sync(NOON + timedelta(hours=hour), Options(paths=(path,))) for hour, path in enumerate((A, B))
    )
    site.sync(NOON + timedelta(hours=2), Options(paths=(C,)))
    assert syncer("review", "--keep", A, "--keep", B).code == 0
    assert trailer(repository) == second.sync
    repository.git("reset", "--quiet", "--soft", "HEAD~1")
    assert syncer("review", "--keep", A).code == 0
    assert trailer(repository) == first.sync


def trailer(repository: Repository) -> str:
    return repository.git("log", "-1", "--format=%(trailers:key=Syncer-Sync,valueonly)").strip()


def test_what_the_author_changed_is_not_committed_and_is_listed_as_left(
    waiting: Repository, site: Site, youtube: Simulator, syncer: Run
) -> None:
    page = site.root / A
    likes = counts(youtube, VIDEOS["a"])[1]
    page.write_bytes(page.read_bytes().replace(b"likeCount:   ", b"likeCount:   1") + b"more\n")
    edited = page.read_bytes()
    document = syncer("review", "--json", "--keep", A).document
    assert document["kept"] == {"commit": waiting.head(), "pages": 1, "counts": 1, "dates": 0}
    [left] = document["pages"]
    assert [(count["field"], count["new"], count["ours"]) for count in left["counts"]] == [
        ("likeCount", f"1{likes}", False)
    ]
    assert waiting.show(A) == plain(VIDEOS["a"], counts(youtube, VIDEOS["a"])[0], 2)
    assert page.read_bytes() == edited
    ran = syncer("review", "--keep", A)
    assert ran.out.startswith("Nothing to keep or drop.\nLeft unchanged:\n")
    assert syncer("review", "--json", "--keep", A).document["kept"] is None


def test_staged_work_stays_staged(waiting: Repository, site: Site, syncer: Run) -> None:
    site.put("content/new.md", b"new\n")
    site.put(B, (site.root / B).read_bytes() + b"staged\n")
    waiting.git("add", "content/new.md", B)
    assert syncer("review", "--keep", A).code == 0
    assert waiting.status() == [f"M  {B}", f" M {C}", "A  content/new.md"]


def test_with_push_the_next_sync_pushes(site: Site, tmp_path: Path, syncer: Run) -> None:
    site.configure(git="commit: true, push: true")
    for name, video in VIDEOS.items():
        site.put(f"content/{name}.md", plain(video, 1, 2))
    repository = in_git(site)
    remote = Repository(tmp_path)
    remote.git("init", "--quiet", "--bare", "remote.git")
    repository.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    repository.git("push", "--quiet", "origin", "main")
    site.configure()
    site.sync()
    site.configure(git="commit: true, push: true")
    before = repository.git("ls-remote", "origin", "main")
    ran = syncer("review", "--keep", A)
    assert ".\nThe next sync pushes this commit.\n" in ran.out
    assert repository.git("ls-remote", "origin", "main") == before
    assert site.sync(NOON + timedelta(hours=1)).exit == 0
    assert repository.git("ls-remote", "origin", "main").split()[0] == repository.head()


@pytest.mark.parametrize("which", ["rebase-merge", "MERGE_HEAD"])
def test_in_the_middle_of_something_nothing_is_committed(waiting: Repository, syncer: Run, which: str) -> None:
    (waiting.top / ".git" / which).mkdir()
    head = waiting.head()
    ran = syncer("review", "--keep", A)
    assert (ran.code, ran.out) == (2, "")
    assert "in the middle of a" in ran.err
    assert waiting.head() == head


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--keep", "/etc"), "/etc: outside the site"),
        (("--keep", A, "/etc"), "/etc: outside the site"),
        (("--drop", "nowhere.md"), "nowhere.md: no such file or directory"),
        (("--keep", "config"), "config: no collection in the config includes a page there"),
        (("--keep", A, "--drop", B, f"./{A}"), "content/a.md is in both --keep and --drop; name each page once"),
        (("--keep", A, "--drop", "content"), "content/a.md is in both --keep and --drop; name each page once"),
        (("--keep", ".", "--drop", A), "content/a.md is in both --keep and --drop; name each page once"),
        (("--keep", A, "--drop", "."), "content/a.md is in both --keep and --drop; name each page once"),
        (("--keep", A, "--drop", "config"), "config: no collection in the config includes a page there"),
        (("--keep",), "option '--keep' requires an argument"),
        ((A,), "unexpected extra argument (content/a.md)"),
    ],
)
def test_what_cannot_be_meant_is_exit_2_and_nothing_is_done(
    waiting: Repository, site: Site, syncer: Run, arguments: tuple[str, ...], said: str
) -> None:
    head, before = waiting.head(), tree(site.root / "content")
    ran = syncer("review", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert (waiting.head(), tree(site.root / "content")) == (head, before)


def test_a_page_that_waits_for_nothing_is_no_mistake(waiting: Repository, syncer: Run) -> None:
    assert syncer("review", "--keep", A).code == 0
    ran = syncer("review", "--keep", A)
    still = "Still not committed: 4 counts on 2 pages (see `syncer review`).\n"
    assert (ran.code, ran.out) == (0, f"Nothing to keep or drop.\n{still}")


def test_on_a_terminal_it_asks_page_by_page_and_commits_once_at_the_end(
    waiting: Repository, site: Site, youtube: Simulator, syncer: Run
) -> None:
    parent = waiting.head()
    shown = typed_ahead(site, b"y\nwhat\nN\n  y  \n", "review", NO_COLOR="1").decode().replace("\r\n", "\n")
    assert [line for line in shown.splitlines() if line.startswith("\x1b[1m(")] == [
        f"\x1b[1m({number}/3) {path}\x1b[0m" for number, path in enumerate((A, B, C), start=1)
    ]
    assert shown.count("y - keep: commit the counts of this page\n") == 1
    assert "Committed 4 counts on 2 pages as " in shown
    assert waiting.git("rev-parse", "HEAD^").strip() == parent
    assert (waiting.show(A), waiting.show(B), waiting.show(C)) == (
        new(youtube, A), plain(VIDEOS["b"], 1, 2), new(youtube, C)
    )  # fmt: skip


@pytest.mark.parametrize("end", [b"q\n", b"\x04"], ids=["q", "the end of the input"])
def test_to_quit_is_to_do_what_was_chosen(waiting: Repository, site: Site, end: bytes) -> None:
    shown = typed_ahead(site, b"y\n" + end, "review").decode()
    assert "(3/3)" not in shown
    assert waiting.status() == [f" M {B}", f" M {C}"]


def test_whoever_chooses_nothing_changes_nothing(waiting: Repository, site: Site) -> None:
    head, before = waiting.head(), written(site)
    typed_ahead(site, b"n\nn\nn\n", "review")
    assert (waiting.head(), written(site)) == (head, before)


@pytest.mark.parametrize("more", [["--json"], ["--keep", C]])
def test_with_an_option_there_is_no_prompt(waiting: Repository, site: Site, more: list[str]) -> None:
    assert b"[y,n,d,q,?]" not in typed_ahead(site, b"y\ny\ny\n", "review", *more)


def test_a_page_that_changed_during_the_prompt_is_skipped(waiting: Repository, site: Site, youtube: Simulator) -> None:
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    shown = look(config, ()).pages
    youtube.clock.advance(timedelta(days=10))
    assert site.sync(NOON + timedelta(days=10), Options(paths=(A,))).exit == 0
    choice = Choice(keep=[A, B])
    environment = Environment(key="", clock=lambda: datetime.now(UTC), sleep=lambda _: None)
    result = act(config, choice, shown, environment)
    assert result.kept
    assert (result.kept.pages, [page.path for page in result.remaining.pages]) == (1, [A])
    result = act(config, Choice(keep=[A]), shown, environment)
    assert result.kept is None
    assert waiting.status() == [f" M {A}", f" M {C}"]
