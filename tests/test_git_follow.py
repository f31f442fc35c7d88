"""A site that is only in git: each sync pulls what others pushed, before it looks at the pages."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

import syncer.git.remote
from syncer.config.parse import parse_config
from syncer.errors import UsageError
from syncer.git.clone import clone
from syncer.model import ProblemKind
from syncer.review.look import is_pushed
from syncer.simulator.server import Simulator
from syncer.status.report import SyncReport
from syncer.sync.options import Options
from tests.remotes import SharedSite, bare_at, cloned, left_over, push_all
from tests.repository import NO_MAINTENANCE, Repository
from tests.site import Run, Site, counts, ids, plain

VIDEOS = ids(4)
PAGES = [f"content/{number}.md" for number in range(3)]


class Followed(SharedSite):
    """A site whose clone only syncer uses, and somebody else's clone."""

    @classmethod
    def made(cls, site: Site, youtube: Simulator, room: Path) -> Followed:
        """Pushes the site to a remote, and clones it in its place."""
        remote = bare_at(room / "remote.git")
        url = f"file://{remote.top}"
        site.configure(git=f"commit: true, push: true, remote: '{url}', author: 'Counts <counts@example.org>'")
        for page, video in zip(PAGES, VIDEOS, strict=False):
            site.put(page, plain(video, 1, 2))
        site.put("notes.txt", b"a note\n")
        site.put("content/lists/readme.txt", b"No page, but the directory is in git.\n")
        other = cloned(remote, room / "other")
        other.git("switch", "--quiet", "--create", "main")
        shutil.copytree(site.root, other.top, dirs_exist_ok=True)
        push_all(other, "The pages as they were")
        shutil.rmtree(site.root)
        clone(url, site.root, lambda: False)
        return cls(site, Repository(site.root), remote, other, youtube)

    def right(self, number: int) -> bytes:
        return plain(VIDEOS[number], *counts(self.youtube, VIDEOS[number]))

    def later(self, options: Options | None = None) -> SyncReport:
        """Make a sync when all counts have grown."""
        self.grow()
        self.hours += 24 * 30
        return self.sync(options)

    def push(self, path: str = "notes.txt", text: bytes = b"theirs\n") -> str:
        """Somebody pushes a file, after a pull."""
        self.other.git("pull", "--quiet", "--rebase", "origin", "main")
        file = self.other.top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)
        return push_all(self.other)

    def require_settled(self, report: SyncReport) -> None:
        """Fails unless nothing is left to do, and clone and remote are one."""
        assert (report.exit, report.problems) == (0, ())
        assert self.tip() == self.ours.head()
        assert self.ours.status() == []
        assert left_over(self.ours) == []
        assert self.ours.git("fsck", "--strict", "--no-dangling", "--no-progress") == ""


@pytest.fixture
def followed(site: Site, youtube: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Followed:
    for name, value in NO_MAINTENANCE.items():
        monkeypatch.setenv(name, value)
    return Followed.made(site, youtube, tmp_path)


def not_pushed(report: SyncReport) -> str:
    """The sentence of a sync that pushed nothing, and has no other problem."""
    assert report.exit == 1
    [problem] = report.problems
    assert (problem.kind, problem.subject) == (ProblemKind.NOT_PUSHED, "git")
    assert report.pushed_to is None
    return problem.message


def test_a_new_clone_is_synced_and_pushed_to_the_url(followed: Followed, syncer: Run) -> None:
    out = syncer("sync").out
    assert f"and pushed to file://{followed.remote.top}." in out
    assert followed.tip() == followed.ours.head()
    assert followed.remote.show(PAGES[0], "main") == followed.right(0)
    assert followed.remote.git("log", "-1", "--format=%an", "main") == "counts\n".title()


def test_a_page_that_others_pushed_gets_its_counts_in_the_same_sync(followed: Followed) -> None:
    followed.require_settled(followed.sync())
    followed.push("content/3.md", plain(VIDEOS[3], 1, 2))
    report = followed.later()
    followed.require_settled(report)
    assert report.pages == 4
    assert followed.remote.show("content/3.md", "main") == followed.right(3)


def test_what_others_pushed_is_there_although_no_count_changed(followed: Followed) -> None:
    followed.require_settled(followed.sync())
    theirs = followed.push()
    followed.require_settled(followed.sync())
    assert followed.ours.head() == theirs
    assert (followed.site.root / "notes.txt").read_bytes() == b"theirs\n"


def test_a_dry_run_takes_nothing_over(followed: Followed) -> None:
    before = followed.ours.head()
    followed.push()
    assert followed.sync(Options(dry_run=True)).problems == ()
    assert followed.ours.head() == before
    shutil.rmtree(followed.site.root / "content")
    with pytest.raises(UsageError, match="content is not a directory"):
        followed.sync(Options(dry_run=True))


def test_a_remote_with_a_name_is_not_fetched_before_the_sync(followed: Followed) -> None:
    followed.site.configure(git="commit: true, push: true, author: 'Counts <counts@example.org>'")
    assert followed.sync().exit == 0
    before = followed.ours.head()
    followed.push()
    assert followed.sync().problems == ()
    assert followed.ours.head() == before


def test_commits_that_could_not_be_pushed_go_on_top_of_what_others_pushed(
    followed: Followed,
) -> None:
    followed.require_settled(followed.sync())
    with followed.without_remote():
        said = not_pushed(followed.later())
    assert said.startswith("what others pushed could not be pulled, so this sync pushes nothing: git fetch failed: ")
    assert followed.ours.show(PAGES[0]) == followed.right(0), "it is committed"
    theirs = followed.push(PAGES[1], followed.remote.show(PAGES[1], "main") + b"theirs\n")
    followed.require_settled(followed.sync())
    assert followed.ours.git("rev-parse", "HEAD^").strip() == theirs
    assert followed.ours.show(PAGES[0]) == followed.right(0)
    assert followed.ours.show(PAGES[1]) == followed.right(1) + b"theirs\n"


def test_a_commit_that_could_not_be_pushed_stays_as_it_is_if_nobody_else_pushed(followed: Followed) -> None:
    with followed.without_remote():
        not_pushed(followed.sync())
    before = followed.ours.head()
    followed.require_settled(followed.sync())
    assert followed.tip() == before


def test_a_remote_that_cannot_be_reached_is_waited_for_once(
    followed: Followed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync that cannot fetch does not try to push: each may take minutes."""
    calls = tmp_path / "calls"
    script = tmp_path / "ssh"
    script.write_text(f'#!/bin/sh\necho "$@" >> "{calls}"\nexit 1\n')
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    url = "ssh://git@nowhere.invalid/x.git"
    followed.ours.git("remote", "set-url", "origin", url)
    text = followed.site.config.read_text(encoding="utf-8").replace(f"file://{followed.remote.top}", url)
    followed.site.config.write_text(text, encoding="utf-8")
    followed.ours.git("commit", "--quiet", "--all", "--message", "The author's work")
    not_pushed(followed.sync())
    assert len(calls.read_text().splitlines()) == 1


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("instead", [True, False])
def test_a_history_that_was_rewritten_is_followed_and_nothing_removed_there_comes_back(
    own: bool, instead: bool, followed: Followed
) -> None:
    """`instead`: there are commits in the place of those that were removed."""
    followed.push("secret.txt", b"removed soon\n")
    followed.push("notes.txt", b"kept\n")
    followed.require_settled(followed.sync())
    if own:
        with followed.without_remote():
            not_pushed(followed.later())
    followed.other.git("reset", "--quiet", "--hard", "HEAD~2")
    if instead:
        (followed.other.top / "notes.txt").write_bytes(b"rewritten\n")
        followed.other.commit_all()
    followed.other.git("push", "--quiet", "--force", "origin", "main")
    theirs = followed.tip()
    followed.require_settled(followed.later())
    assert followed.ours.git("log", "--format=%H", "main", "--", "secret.txt") == ""
    assert followed.ours.git("merge-base", "main", theirs).strip() == theirs
    assert (followed.site.root / "notes.txt").read_bytes() == (b"rewritten\n" if instead else b"a note\n")
    assert not (followed.site.root / "secret.txt").exists()
    assert followed.remote.show(PAGES[0], "main") == followed.right(0)


def test_counts_that_were_removed_at_the_remote_are_not_pushed_again_as_they_were(followed: Followed) -> None:
    before = followed.tip()
    followed.require_settled(followed.sync())
    removed = followed.tip()
    followed.remote.git("update-ref", "refs/heads/main", before)
    followed.require_settled(followed.later())
    assert followed.ours.git("rev-parse", "main^").strip() == before
    assert removed not in followed.remote.git("rev-list", "main")


def test_a_directory_that_others_replaced_by_a_file_is_followed_unless_something_of_the_author_is_in_it(
    followed: Followed,
) -> None:
    followed.push("img/a.txt", b"an image\n")
    followed.require_settled(followed.sync())
    followed.other.git("pull", "--quiet", "--rebase", "origin", "main")
    followed.other.git("rm", "--quiet", "-r", "img")
    (followed.other.top / "img").write_bytes(b"a file now\n")
    push_all(followed.other)
    (followed.site.root / "img" / "mine.txt").write_bytes(b"untracked\n")
    assert "would overwrite untracked files: img/mine.txt; move or commit them" in not_pushed(followed.later())
    (followed.site.root / "img" / "mine.txt").unlink()
    followed.require_settled(followed.later())
    assert (followed.site.root / "img").read_bytes() == b"a file now\n"


def test_a_rewritten_history_is_followed_although_a_crash_came_after_the_fetch(followed: Followed) -> None:
    followed.push("secret.txt", b"removed soon\n")
    followed.require_settled(followed.sync())
    followed.other.git("reset", "--quiet", "--hard", "HEAD~1")
    (followed.other.top / "notes.txt").write_bytes(b"rewritten\n")
    followed.other.commit_all()
    followed.other.git("push", "--quiet", "--force", "origin", "main")
    followed.ours.git("fetch", "--quiet", "origin", "+refs/heads/main:refs/remotes/origin/main")
    followed.require_settled(followed.later())
    assert not (followed.site.root / "secret.txt").exists()


def test_a_history_with_another_beginning_is_followed(followed: Followed) -> None:
    followed.require_settled(followed.sync())
    followed.other.git("pull", "--quiet", "--rebase", "origin", "main")
    followed.other.git("checkout", "--quiet", "--orphan", "new")
    followed.other.commit_all("One commit")
    followed.other.git("push", "--quiet", "--force", "origin", "new:main")
    followed.require_settled(followed.later())
    assert followed.ours.git("rev-list", "--count", "HEAD") == "2\n"


def test_a_branch_that_was_removed_is_not_made_again(followed: Followed) -> None:
    followed.require_settled(followed.sync())
    followed.remote.git("branch", "--move", "main", "trunk")
    assert "couldn't find remote ref refs/heads/main" in not_pushed(followed.later())
    assert followed.remote.git("branch", "--list", "main") == ""
    assert (followed.site.root / PAGES[0]).read_bytes() == followed.right(0)
    followed.remote.git("branch", "--move", "trunk", "main")
    followed.require_settled(followed.later())


def test_the_authors_uncommitted_work_in_the_clone_stays(followed: Followed) -> None:
    followed.require_settled(followed.sync())
    mine = followed.site.put("notes.txt", b"mine\n")
    followed.push("elsewhere.txt")
    report = followed.later()
    assert (report.exit, followed.tip()) == (0, followed.ours.head()), "it is in nobody's way"
    theirs = followed.push()
    said = not_pushed(followed.later())
    assert "commit your changes of these files, or run `git stash`" in said
    assert mine.read_bytes() == b"mine\n"
    assert followed.tip() == theirs
    assert (followed.site.root / PAGES[0]).read_bytes() == followed.right(0)
    mine.write_bytes(followed.ours.show("notes.txt"))
    followed.require_settled(followed.later())


def test_the_authors_commits_in_the_clone_stay_and_are_not_pushed(followed: Followed) -> None:
    followed.require_settled(followed.sync())
    followed.site.put("notes.txt", b"mine\n")
    mine = followed.ours.commit_all("Mine")
    theirs = followed.push("elsewhere.txt")
    said = not_pushed(followed.later())
    assert "has 1 commit of yours that origin does not have; run `git pull --rebase origin main` there" in said
    assert followed.tip() == theirs
    assert mine in followed.ours.git("rev-list", "HEAD")
    followed.ours.git("pull", "--quiet", "--rebase", "origin", "main")
    followed.ours.git("push", "--quiet", "origin", "HEAD:main")
    followed.require_settled(followed.sync())


def test_counts_that_a_crash_left_uncommitted_are_in_nobodys_way(followed: Followed) -> None:
    followed.require_settled(followed.sync())
    config = followed.site.config.read_text(encoding="utf-8")
    followed.site.config.write_text(
        config.replace("commit: true, push: true, remote:", "author: null} #"), encoding="utf-8"
    )
    assert followed.later().commit is None
    followed.site.config.write_text(config, encoding="utf-8")
    assert followed.ours.status() == [f" M {page}" for page in PAGES]
    followed.push(PAGES[0], followed.remote.show(PAGES[0], "main") + b"theirs\n")
    followed.require_settled(followed.sync())
    assert followed.ours.show(PAGES[0]) == followed.right(0) + b"theirs\n"


def test_a_directory_of_pages_may_come_with_what_others_pushed(followed: Followed) -> None:
    followed.other.git("mv", "content", "posts")
    push_all(followed.other)
    text = followed.site.config.read_text(encoding="utf-8").replace("directory: content", "directory: posts")
    followed.site.config.write_text(text, encoding="utf-8")
    report = followed.sync()
    assert (report.exit, report.pages) == (0, 3)
    followed.push("notes.txt")
    followed.other.git("rm", "--quiet", "-r", "posts")
    push_all(followed.other)
    with pytest.raises(UsageError, match="posts is not a directory"):
        followed.sync()


def test_other_commands_know_the_remote_by_its_url(followed: Followed, syncer: Run) -> None:
    url = f"file://{followed.remote.top}"
    with followed.without_remote():
        not_pushed(followed.sync())
    assert f"each sync commits to main and pushes to {url}." in syncer("check", "--offline").out
    config = parse_config(followed.site.config.read_text(encoding="utf-8"), followed.site.config)
    assert not is_pushed(config)
    followed.require_settled(followed.sync())
    assert is_pushed(config)
    followed.ours.git("remote", "set-url", "origin", f"{url}x")
    assert f"no remote has the URL {url}; run `git remote set-url origin {url}`" in syncer("check", "--offline").out
    assert not is_pushed(config)
    assert f"no remote has the URL {url}" in not_pushed(followed.later())


def test_a_remote_of_any_name_is_found_by_its_url(followed: Followed) -> None:
    followed.ours.git("remote", "set-head", "origin", "--delete")
    followed.ours.git("remote", "remove", "origin")
    followed.ours.git("remote", "add", "origin", "https://git.example.org/another.git")
    followed.ours.git("remote", "add", "upstream", f"file://{followed.remote.top}")
    followed.push()
    followed.require_settled(followed.sync())


def test_a_command_to_paste_holds_the_name_of_a_branch_in_quotes(followed: Followed) -> None:
    followed.require_settled(followed.sync())
    followed.remote.git("branch", "--move", "main", "main;id>x")
    followed.ours.git("config", "branch.main.merge", "refs/heads/main;id>x")
    followed.site.put("notes.txt", b"mine\n")
    followed.ours.commit_all("Mine")
    said = not_pushed(followed.later())
    assert "`git push origin HEAD:'main;id>x'`" in said
    followed.other.git("pull", "--quiet", "origin", "main;id>x")
    (followed.other.top / "elsewhere.txt").write_bytes(b"theirs\n")
    followed.other.commit_all()
    followed.other.git("push", "--quiet", "origin", "HEAD:main;id>x")
    assert "run `git pull --rebase origin 'main;id>x'` there, then `git push origin HEAD:'main;id>x'`" in not_pushed(
        followed.later()
    )


@pytest.mark.parametrize("setting", ["url.http://127.0.0.1:9/.insteadOf", "remote.origin.pushurl"])
def test_no_setting_of_git_leads_a_pull_or_a_push_to_another_transport(followed: Followed, setting: str) -> None:
    value = "http://127.0.0.1:9/x" if setting.endswith("pushurl") else f"file://{followed.remote.top}"
    followed.ours.git("config", setting, value)
    assert "transport 'http' not allowed" in not_pushed(followed.sync())


def test_a_remote_that_hangs_keeps_a_pull_no_longer_than_a_push(
    followed: Followed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "ssh"
    script.write_text("#!/bin/sh\nsleep 30\n")
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    monkeypatch.setattr(syncer.git.remote, "NETWORK_TIMEOUT", 1)
    followed.ours.git("config", "url.ssh://nowhere.invalid/.insteadOf", f"file://{followed.remote.top}")
    assert "git fetch took more than 1 seconds" in not_pushed(followed.sync())


def test_without_the_driver_of_the_database_a_sync_says_what_to_install(
    followed: Followed, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for name in ("syncer.sync.site_owner", "syncer.state.fleet_tables", "syncer.state.ledger_server"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    git = f"commit: true, push: true, remote: 'file://{followed.remote.top}', author: 'Counts <counts@example.org>'"
    followed.site.configure(git=git, quota="ledger: 'postgresql://u@127.0.0.1:9/x'")
    ran = syncer("sync")
    assert (ran.code, "needs the extra `fleet`, which is not installed; install syncer again" in ran.err) == (2, True)
