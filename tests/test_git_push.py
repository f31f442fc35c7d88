"""A sync's commit is pushed: on top of what others pushed, with what the author has not committed left as it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from syncer.model import ProblemKind
from syncer.simulator.server import Simulator
from syncer.status.report import SyncReport
from tests.examples import storms_but
from tests.remotes import SharedSite, bare_at, cloned, left_over, push_all
from tests.repository import Repository
from tests.site import NOON, Run, Site, counts, ids, plain

VIDEOS = ids(3)
PAGES = [f"content/{number}.md" for number in range(3)]


class Pair(SharedSite):
    """A shared site whose syncs end in a push."""

    def expected(self, number: int, edit: Callable[[bytes], bytes] = lambda page: page) -> bytes:
        return edit(plain(VIDEOS[number], *counts(self.youtube, VIDEOS[number])))

    def require_settled(self) -> None:
        """Fails unless remote, branch, index and working tree are one, the counts are right, and nothing lies about."""
        assert self.tip() == self.ours.head()
        assert self.ours.status() == []
        assert left_over(self.ours) == []
        for number, page in enumerate(PAGES):
            assert self.ours.show(page) == self.expected(number), page


@pytest.fixture
def pair(site: Site, youtube: Simulator, tmp_path: Path) -> Pair:
    site.configure(git="commit: true, push: true")
    for page, video in zip(PAGES, VIDEOS, strict=True):
        site.put(page, plain(video, 1, 2))
    site.put("notes.txt", b"a note\n")
    return Pair.of(site, youtube, tmp_path)


def pushed(report: SyncReport) -> None:
    assert report.exit == 0, report.problems


def refused(report: SyncReport) -> str:
    """The sentence of a sync that committed and could not push."""
    assert report.exit == 1
    [problem] = report.problems
    assert (problem.kind, problem.subject) == (ProblemKind.NOT_PUSHED, "git")
    return problem.message


def test_a_sync_prints_that_its_commit_is_pushed(pair: Pair, syncer: Run) -> None:
    assert f"Committed as {pair.tip()[:12]}" not in syncer("sync", "--dry-run").out
    printed = syncer("sync").out
    assert f"Committed as {pair.tip()[:12]} and pushed to origin." in printed


def test_the_commit_is_pushed(pair: Pair) -> None:
    pushed(pair.sync())
    pair.require_settled()
    before = pair.tip()
    pushed(pair.sync())
    assert pair.tip() == before


def test_a_sync_says_where_its_commit_was_pushed(pair: Pair, syncer: Run) -> None:
    out = syncer("sync").out
    assert f"\nCommitted as {pair.ours.head()[:12]} and pushed to origin.\n" in out
    pair.grow()
    with pair.without_remote():
        out = syncer("sync", "--all").out
    assert f"\nCommitted as {pair.ours.head()[:12]}.\n" in out


def test_a_branch_that_is_new_goes_to_the_remote_under_its_name(pair: Pair) -> None:
    pair.ours.git("switch", "--quiet", "--create", "counts")
    pushed(pair.sync())
    assert pair.tip("counts") == pair.ours.head()


def test_a_branch_that_follows_another_name_is_pushed_there(pair: Pair) -> None:
    pair.ours.git("switch", "--quiet", "--create", "work", "--track", "origin/main")
    pushed(pair.sync())
    assert pair.tip() == pair.ours.head()
    assert pair.remote.git("branch", "--list", "work") == ""


@pytest.mark.parametrize(
    "what",
    storms_but({"body", "count", "new"}, ["other-file", "body", "front-matter", "count", "deleted", "renamed", "new"]),
)
def test_if_others_pushed_first_syncers_commit_goes_on_top(pair: Pair, what: str) -> None:
    page = pair.other.top / PAGES[0]
    text = page.read_bytes()
    match what:
        case "other-file":
            (pair.other.top / "notes.txt").write_bytes(b"another note\n")
        case "body":
            page.write_bytes(text + b"more\n")
        case "front-matter":
            page.write_bytes(text.replace(b"# by hand", b"# as it is"))
        case "count":
            page.write_bytes(text.replace(b"   2 ", b"   77 "))
        case "deleted":
            page.unlink()
        case "renamed":
            page.rename(page.with_name("renamed.md"))
        case "new":
            (pair.other.top / "content/new.md").write_bytes(plain(ids(4)[3], 5, 6))
    theirs = push_all(pair.other)
    pushed(pair.sync())
    assert pair.tip() == pair.ours.head()
    assert pair.ours.status() == []
    assert left_over(pair.ours) == []
    assert pair.ours.git("rev-parse", "HEAD^").strip() == theirs
    for number in (1, 2):
        assert pair.ours.show(PAGES[number]) == pair.expected(number)
    pushed(pair.sync())
    assert pair.tip() == pair.ours.head()
    edits = {
        "body": lambda text: text + b"more\n",
        "front-matter": lambda text: text.replace(b"# by hand", b"# as it is"),
    }
    if what not in {"deleted", "renamed"}:
        assert pair.ours.show(PAGES[0]) == pair.expected(0, edits.get(what, lambda text: text))
    assert pair.ours.status() == []


def test_an_edit_in_the_way_of_what_is_new_stays_and_the_sync_says_so(pair: Pair) -> None:
    for page in ("notes.txt", PAGES[0]):
        (pair.other.top / page).write_bytes(b"theirs\n" + (pair.other.top / page).read_bytes())
    push_all(pair.other)
    mine = pair.site.put("notes.txt", b"a note of mine\n")
    said = refused(pair.sync())
    assert "what others pushed cannot be merged" in said
    assert "notes.txt" in said
    assert mine.read_bytes() == b"a note of mine\n"
    assert pair.ours.status() == [" M notes.txt"]
    assert pair.ours.show(PAGES[1]) == pair.expected(1), "the commit is made"
    pair.ours.git("restore", "notes.txt")
    pushed(pair.sync())
    assert pair.tip() == pair.ours.head()
    assert left_over(pair.ours) == []


@pytest.mark.parametrize("ignored", [False, True])
def test_an_untracked_file_in_the_way_stays(pair: Pair, ignored: bool) -> None:
    (pair.other.top / "new.txt").write_bytes(b"theirs\n")
    push_all(pair.other)
    if ignored:
        (pair.ours.top / ".git/info/exclude").write_text("new.txt\n")
    mine = pair.site.put("new.txt", b"mine\n")
    said = refused(pair.sync())
    assert said == "what others pushed would overwrite untracked files: new.txt; move or commit them"
    assert mine.read_bytes() == b"mine\n"
    mine.unlink()
    pushed(pair.sync())
    assert pair.tip() == pair.ours.head()


def test_staged_work_stays_staged_when_the_branch_moves_on(pair: Pair) -> None:
    (pair.other.top / PAGES[0]).write_bytes((pair.other.top / PAGES[0]).read_bytes() + b"theirs\n")
    push_all(pair.other)
    pair.site.put("notes.txt", b"staged\n")
    pair.site.put("content/mine.md", b"staged, new\n")
    page = pair.site.root / PAGES[1]
    page.write_bytes(page.read_bytes() + b"staged\n")
    pair.ours.git("add", "notes.txt", "content/mine.md", PAGES[1])
    pair.site.put("notes.txt", b"staged, and more\n")
    pushed(pair.sync())
    assert pair.tip() == pair.ours.head()
    assert pair.ours.status() == ["M  content/1.md", "A  content/mine.md", "MM notes.txt"]
    assert pair.ours.show("notes.txt", "") == b"staged\n"
    assert pair.ours.show(PAGES[1], "") == pair.expected(1) + b"staged\n"
    assert page.read_bytes() == pair.expected(1) + b"staged\n"


def test_staged_work_in_what_is_new_is_left_alone(pair: Pair) -> None:
    (pair.other.top / PAGES[0]).write_bytes((pair.other.top / PAGES[0]).read_bytes() + b"theirs\n")
    push_all(pair.other)
    page = pair.site.root / PAGES[0]
    page.write_bytes(page.read_bytes() + b"mine\n")
    pair.ours.git("add", PAGES[0])
    assert "content/0.md" in refused(pair.sync())
    assert page.read_bytes() == pair.expected(0) + b"mine\n"
    assert pair.ours.show(PAGES[0], "") == pair.expected(0) + b"mine\n"


def test_an_upstream_that_was_rewritten_is_left_alone(pair: Pair) -> None:
    pair.site.put("notes.txt", b"two\n")
    pair.ours.commit_all()
    pair.ours.git("push", "-q")
    pair.ours.git("push", "-q", "origin", "main:kept")
    pair.other.git("commit", "--quiet", "--amend", "--message", "Another history")
    pair.other.git("push", "--quiet", "--force")
    head, theirs = pair.ours.head(), pair.tip()
    assert "have diverged; run `git pull --rebase origin main`, then `git push origin HEAD:main`" in refused(
        pair.sync()
    )
    assert pair.tip() == theirs
    assert pair.ours.git("rev-parse", "HEAD^").strip() == head
    assert "have diverged; run `git pull --rebase origin main`, then `git push origin HEAD:main`" in refused(
        pair.sync()
    )


def test_commits_of_the_author_are_not_pushed(pair: Pair) -> None:
    before = pair.tip()
    pair.site.put("notes.txt", b"not ready\n")
    pair.ours.commit_all()
    assert "1 commit of yours" in refused(pair.sync())
    assert pair.tip() == before
    pair.ours.git("push", "-q")
    pushed(pair.sync())
    pair.require_settled()


def test_commits_of_the_author_on_another_remote_branch_are_not_pushed_to_this_one(pair: Pair) -> None:
    before = pair.tip()
    pair.site.put("notes.txt", b"not ready\n")
    pair.ours.commit_all()
    pair.ours.git("push", "-q", "origin", "main:feature")
    refused(pair.sync())
    assert pair.tip() == before


def test_what_was_taken_back_at_the_remote_is_not_published_again(pair: Pair) -> None:
    pair.site.put("notes.txt", b"pushed too early\n")
    pair.ours.commit_all()
    pair.ours.git("push", "-q")
    pair.other.git("pull", "-q")
    pair.other.git("push", "-q", "--force", "origin", "HEAD~1:main")
    before = pair.tip()
    for _ in range(2):
        assert "1 commit of yours that origin does not have" in refused(pair.sync())
        pair.grow()
    assert pair.tip() == before
    pair.ours.git("push", "-q")
    pushed(pair.sync())
    pair.require_settled()


def test_a_branch_that_is_gone_at_the_remote_is_pushed_as_a_new_one(pair: Pair) -> None:
    """Forges remove a branch when its pull request is merged."""
    pair.ours.git("switch", "-q", "--create", "counts")
    pushed(pair.sync())
    pair.remote.git("branch", "--delete", "--force", "counts")
    pair.grow()
    pushed(pair.sync())
    assert pair.tip("counts") == pair.ours.head()


def test_what_could_not_be_pushed_is_pushed_later(pair: Pair) -> None:
    pair.remote.top.rename(pair.remote.top.with_name("gone"))
    for _ in range(3):
        assert "does not appear to be a git repository" in refused(pair.sync())
        pair.grow()
    pair.remote.top.with_name("gone").rename(pair.remote.top)
    pushed(pair.sync())
    pair.require_settled()
    assert pair.remote.git("rev-list", "--count", "main") == "5\n"


def test_several_commits_become_one_on_what_is_new(pair: Pair) -> None:
    pair.remote.top.rename(pair.remote.top.with_name("gone"))
    for _ in range(2):
        refused(pair.sync())
        pair.grow()
    pair.remote.top.with_name("gone").rename(pair.remote.top)
    (pair.other.top / "notes.txt").write_bytes(b"new\n")
    push_all(pair.other)
    pushed(pair.sync())
    pair.require_settled()
    assert pair.remote.git("rev-list", "--count", "main") == "3\n"


def test_an_unknown_host_costs_a_sentence(pair: Pair) -> None:
    pair.ours.git("remote", "set-url", "origin", "https://ada:s3cret@host.invalid/site.git")
    said = refused(pair.sync())
    assert "Could not resolve host: host.invalid" in said
    for file in [file for file in pair.site.state.rglob("*") if file.is_file()]:
        assert b"s3cret" not in file.read_bytes(), file


def test_no_remote_costs_a_sentence(pair: Pair) -> None:
    pair.ours.git("remote", "remove", "origin")
    assert "no remote called origin" in refused(pair.sync())


def test_a_remote_that_declines_is_heard(pair: Pair) -> None:
    hook = pair.remote.top / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'main is protected: open a pull request' >&2\nexit 1\n")
    hook.chmod(0o755)
    said = refused(pair.sync())
    assert "main is protected: open a pull request" in said


def test_what_the_commits_of_a_year_leave_is_packed(pair: Pair) -> None:
    pair.ours.git("config", "gc.auto", "1")
    pair.ours.git("config", "gc.autoDetach", "false")
    loose = pair.ours.top / ".git/objects/17"  # by how much is in this one, git guesses how much there is
    loose.mkdir(exist_ok=True)
    for number in range(3):
        pair.ours.git("hash-object", "-w", "--stdin", fed=b"a text %d" % number)
        (loose / f"{number:038x}").write_bytes(b"")
    pushed(pair.sync())
    assert list((pair.ours.top / ".git/objects/pack").glob("*.pack"))


def test_tags_are_not_pushed_along(pair: Pair) -> None:
    pair.ours.git("config", "push.followTags", "true")
    pair.ours.git("tag", "-a", "-m", "mine", "draft")
    pushed(pair.sync())
    assert pair.remote.git("tag") == ""


def test_what_an_empty_remote_lacks_is_the_authors_to_push(pair: Pair, tmp_path: Path) -> None:
    bare = bare_at(tmp_path / "empty.git")
    pair.ours.git("remote", "set-url", "origin", str(bare.top))
    pair.ours.git("fetch", "-q", "--prune")
    assert "1 commit of yours" in refused(pair.sync())


def test_a_shallow_clone_pushes_and_moves_on(pair: Pair, tmp_path: Path) -> None:
    pair.site.put("notes.txt", b"new\n")
    pair.ours.commit_all()
    pair.ours.git("push", "-q")
    clone = cloned(pair.remote, tmp_path / "shallow", "--depth=1", "--no-local")
    site = Site(clone.top, pair.youtube.url)
    (site.root / "content/lists").mkdir()
    site.configure(git="commit: true, push: true")
    pushed(site.sync())
    pair.other.git("pull", "-q")
    push_all(pair.other)
    pair.grow()
    pushed(site.sync(NOON + timedelta(hours=1)))
    assert pair.tip() == clone.head()


def test_a_linked_working_tree_pushes_and_moves_on(pair: Pair, tmp_path: Path) -> None:
    pair.ours.git("worktree", "add", "-q", "-b", "counts", "--track", str(tmp_path / "tree"), "origin/main")
    push_all(pair.other)
    site = Site(tmp_path / "tree", pair.youtube.url)
    (site.root / "content/lists").mkdir()
    site.configure(git="commit: true, push: true")
    pushed(site.sync())
    tree = Repository(site.root)
    assert pair.tip() == tree.head()
    assert left_over(tree) == []


def test_a_clone_that_converts_line_ends_moves_on(pair: Pair) -> None:
    pair.ours.git("config", "core.autocrlf", "true")
    (pair.other.top / PAGES[0]).write_bytes((pair.other.top / PAGES[0]).read_bytes() + b"theirs\n")
    push_all(pair.other)
    pushed(pair.sync())
    assert pair.tip() == pair.ours.head()
    assert pair.ours.status() == []
    assert pair.ours.show(PAGES[0]) == pair.expected(0) + b"theirs\n"


def test_work_in_a_submodule_is_left_alone(pair: Pair, tmp_path: Path) -> None:
    sub = bare_at(tmp_path / "theme.git")
    theme = cloned(sub, tmp_path / "theme")
    (theme.top / "a").write_bytes(b"1")
    push_all(theme)
    pair.ours.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(sub.top), "theme")
    pair.ours.commit_all()
    pair.ours.git("push", "-q")
    (pair.ours.top / "theme/b").write_bytes(b"dirty")
    pair.other.git("pull", "-q")
    push_all(pair.other)
    pushed(pair.sync())
    assert pair.tip() == pair.ours.head()
    assert pair.ours.status() == [" M theme"]
