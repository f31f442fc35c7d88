"""What a commit of counts does about names, keys, hooks, locks, links and other repositories."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest

import syncer.git.advance
from syncer.simulator.server import Simulator
from tests.authored import LIST, PAGES, UNTOUCHED, VIDEOS, Author, authored, body
from tests.places import NOBODY, everybodys_directory, give_away, need, run_python
from tests.repository import Repository, in_git
from tests.site import NOON, Site, counts, crlf, ids, plain
from tests.snapshot import snapshot, status_of

HOOKS = (
    "applypatch-msg", "commit-msg", "fsmonitor-watchman", "post-applypatch", "post-checkout", "post-commit",
    "post-index-change", "post-merge", "post-rewrite", "pre-applypatch", "pre-auto-gc", "pre-commit",
    "pre-merge-commit", "pre-push", "pre-rebase", "prepare-commit-msg", "reference-transaction", "update",
)  # fmt: skip


@pytest.fixture
def author(site: Site, youtube: Simulator) -> Author:
    return authored(site, youtube)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git knows of nobody by the machine's own settings."""
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def test_no_hook_is_run(author: Author) -> None:
    author.works()
    ran = author.room / "ran"
    for name in HOOKS:
        hook = author.site.root / ".git/hooks" / name
        hook.write_text(f"#!/bin/sh\necho {name} >> '{ran}'\nexit 1\n", encoding="utf-8")
        hook.chmod(0o755)
    author.repository.git("commit", "--quiet", "--allow-empty", "--message", "No", check=False)
    assert "pre-commit" in ran.read_text(), "else they prove nothing"
    ran.unlink()
    before = author.repository.head()
    assert author.site.sync().commit == author.repository.head() != before
    assert not ran.exists(), ran.read_text()


@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_each_form_of_repository_gets_its_commit(site: Site, youtube: Simulator, form: str) -> None:
    author = authored(site, youtube, f"--object-format={form}")
    author.works()
    author.require_commit()


def test_variables_about_another_repository_are_not_heard(author: Author, monkeypatch: pytest.MonkeyPatch) -> None:
    author.works()
    with monkeypatch.context() as patch:
        for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_WORK_TREE", "GIT_NAMESPACE"):
            patch.setenv(name, str(author.room / "elsewhere"))
        report = author.site.sync()
    assert report.commit == author.repository.head()


def signing(author: Author, program: str = "ssh-keygen") -> Path:
    """Has git sign with a new key; the key's file."""
    need("ssh-keygen")
    key = author.room / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    allowed = author.room / "allowed"
    allowed.write_text(f"ada@example.org {key.with_suffix('.pub').read_text()}", encoding="utf-8")
    for name, value in {
        "gpg.format": "ssh", "user.signingKey": str(key), "commit.gpgSign": "true",
        "gpg.ssh.allowedSignersFile": str(allowed), "gpg.ssh.program": program,
    }.items():  # fmt: skip
        author.repository.git("config", name, value)
    return key


def test_the_commit_is_signed_where_git_is_set_to_sign(author: Author) -> None:
    signing(author)
    author.works()
    author.require_commit()
    author.repository.git("verify-commit", "HEAD")


def test_where_signing_fails_nothing_is_committed_and_the_next_sync_does_it(author: Author) -> None:
    signing(author, "false")
    author.works()
    assert author.is_left_alone().startswith("git commit-tree failed: ")
    author.repository.git("config", "gpg.ssh.program", "ssh-keygen")
    author.require_commit()


@pytest.mark.usefixtures("nobody")
def test_where_git_knows_no_name_nothing_is_committed_and_the_sync_says_what_to_do(author: Author) -> None:
    for name in ("user.name", "user.email"):
        author.repository.git("config", "--unset", name)
    author.works()
    assert author.is_left_alone() == (
        "git has no name and email address to commit with; set `git.author` in the config, or run"
        " `git config user.name NAME` and `git config user.email ADDRESS`"
    )


@pytest.mark.usefixtures("nobody")
def test_the_configs_author_is_author_and_committer(author: Author) -> None:
    for name in ("user.name", "user.email"):
        author.repository.git("config", "--unset", name)
    author.site.configure(git="commit: true, author: 'Count Robot <counts@example.org>'")
    assert author.site.sync().commit
    said = author.repository.git("log", "-1", "--format=%an <%ae>, %cn <%ce>").strip()
    assert said == "Count Robot <counts@example.org>, Count Robot <counts@example.org>"


def test_another_commands_lock_is_waited_for_and_then_left_alone(
    author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syncer.git.advance, "LOCK_TIMEOUT", 0.05)
    author.works()
    lock = author.site.root / ".git/index.lock"
    lock.write_bytes(b"")
    before = snapshot(author.repository)
    report = author.site.sync()
    assert [problem.message for problem in report.problems] == [
        f"{lock.resolve()} exists: another git command is running, or one crashed; if none is running, remove it"
    ]
    lock.unlink()
    assert author.repository.head() == before.head
    author.require_commit()


def test_before_the_first_commit_there_is_nothing_to_commit_to(site: Site, youtube: Simulator) -> None:
    site.configure(git="commit: true")
    site.put("content/a.md", plain(ids(1)[0], 1, 2))
    repository = Repository(site.root)
    repository.git("init", "--quiet", "--initial-branch", "main")
    repository.git("add", "--all")
    before = repository.git("ls-files", "--stage")
    (problem,) = site.sync().problems
    assert problem.message == (
        "no branch with a commit is checked out; run `git switch BRANCH`, and the next sync commits the counts"
    )
    assert repository.git("ls-files", "--stage") == before
    assert repository.git("for-each-ref") == ""


def test_outside_of_a_repository_the_sync_says_so(site: Site, youtube: Simulator) -> None:
    site.configure(git="commit: true")
    page = site.put("content/a.md", plain(ids(1)[0], 1, 2))
    report = site.sync()
    assert [problem.message for problem in report.problems] == [
        "the site is not in a git repository; run `git init`, or set `git.commit` to false"
    ]
    assert page.read_bytes() == plain(ids(1)[0], *counts(youtube, ids(1)[0]))


def test_without_git_the_sync_says_so(author: Author, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(author.room))
        report = author.site.sync()
    assert [problem.message for problem in report.problems] == ["the `git` command was not found; install git"]


def test_without_a_directory_for_temporary_files_the_sync_says_so(
    author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(author.room / "removed"))
        report = author.site.sync()
    assert {problem.message for problem in report.problems} == {
        "syncer cannot write a temporary file for git: No such file or directory. Free some space, or set TMPDIR"
    }
    assert author.site.sync(NOON + timedelta(hours=1)).commit


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_repository_that_git_does_not_trust_is_left_alone_in_gits_own_words(author: Author) -> None:
    os.chown(author.site.root, NOBODY, NOBODY)
    (problem,) = author.site.sync().problems
    assert "detected dubious ownership" in problem.message
    assert "safe.directory" in problem.message
    os.chown(author.site.root, 0, 0)
    assert author.site.sync(NOON + timedelta(hours=1)).commit


SYNC = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from syncer.config.parse import parse_config
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Options
from tests.places import drop_powers
path = Path(sys.argv[1])
config = parse_config(path.read_text(), path)
environment = Environment(key="k", clock=lambda: datetime(2026, 11, 22, 20, tzinfo=UTC), sleep=lambda _: None)
make_sync(config, Options(dry_run=True), environment)
drop_powers()
for problem in make_sync(config, Options(), environment).problems:
    print(problem.message)
"""


def test_a_repository_that_may_not_be_written_is_left_alone(youtube: Simulator) -> None:
    with everybodys_directory() as room:
        author = authored(Site(room / "site", youtube.url), youtube)
        author.works()
        before = snapshot(author.repository)
        for path in (author.site.root, *author.site.root.rglob("*")):
            give_away(path)
        closed = [path for path in (author.site.root / ".git").rglob("*") if path.is_dir()] + [
            author.site.root / ".git"
        ]
        for path in closed:
            path.chmod(0o555)
        said = run_python(SYNC, author.site.config)
        for path in (author.site.root, *author.site.root.rglob("*")):
            os.chown(path, os.geteuid(), os.getegid())
            path.chmod(0o755 if path.is_dir() else 0o644)
        assert re.fullmatch(r".*(Permission denied|insufficient permission).*\n", said)
        after = snapshot(author.repository)
        assert (after.head, after.index, after.lying) == (before.head, before.index, before.lying)


def test_counts_in_a_submodule_are_left_to_it_and_the_sync_says_so(author: Author) -> None:
    video = ids(1, seed=72)[0]
    theme = Repository(author.room / "theme")
    Site(theme.top, "").put("page.md", plain(video, 1, 2))
    theme.git("init", "--quiet")
    theme.commit_all()
    author.repository.git(
        "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(theme.top), "content/theme"
    )
    author.repository.commit_all("A theme")
    author.works()
    report = author.site.sync()
    (problem,) = report.problems
    assert problem.message == (
        "content/theme is a git repository of its own, so its counts are not committed; commit them there, or give it"
        " its own config"
    )
    assert report.commit == author.repository.head()
    assert status_of(author.repository)["content/theme"] == " M"
    within = Repository(author.site.root / "content/theme")
    assert within.show("page.md") == plain(video, 1, 2)
    assert (within.top / "page.md").read_bytes() == plain(video, *counts(author.youtube, video))


def test_pages_that_git_stores_as_something_else_are_left_alone_and_the_sync_says_so(author: Author) -> None:
    repository = author.repository
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    repository.git("config", "filter.lfs.clean", f"cat >/dev/null; printf '{pointer}'")
    author.site.put(".gitattributes", b"content/large/* filter=lfs\n")
    videos = ids(2, seed=73)
    for number, video in enumerate(videos):
        author.site.put(f"content/large/{number}.md", plain(video, 1, 2))
    repository.commit_all("Large pages")
    author.works()
    report = author.site.sync()
    (problem,) = report.problems
    assert problem.message == (
        "2 pages, such as content/large/0.md, cannot be committed, because git stores them in another form (filter"
        " lfs); commit their counts yourself"
    )
    assert report.commit == repository.head()
    for number, video in enumerate(videos):
        assert repository.show(f"content/large/{number}.md") == pointer.encode()
        page = author.site.root / f"content/large/{number}.md"
        assert page.read_bytes() == plain(video, *counts(author.youtube, video))
    assert repository.git("diff", "--name-only", "HEAD^", "HEAD").split() == sorted([LIST, *PAGES])


def test_two_sites_of_one_repository_commit_each_its_own(youtube: Simulator, tmp_path: Path) -> None:
    first, second = (Site(tmp_path / name, youtube.url) for name in ("one", "two"))
    video = ids(1, seed=74)[0]
    pages = []
    for site in (first, second):
        (site.root / "content/lists").mkdir(parents=True)
        site.configure(git="commit: true")
        pages.append(site.put("content/page.md", crlf(video, 1, 2)))
    repository = in_git(Site(tmp_path, ""))
    pages[1].write_bytes(body(pages[1].read_bytes()))
    repository.git("add", "two")
    new = crlf(video, *counts(youtube, video))
    assert first.sync().commit == repository.head()
    assert repository.git("diff", "--name-only", "HEAD^", "HEAD") == "one/content/page.md\n"
    assert repository.show("two/content/page.md", "") == body(crlf(video, 1, 2))
    assert second.sync().commit == repository.head()
    assert repository.git("diff", "--name-only", "HEAD^", "HEAD") == "two/content/page.md\n"
    assert (repository.show("two/content/page.md"), repository.show("two/content/page.md", "")) == (new, body(new))


def test_a_page_behind_a_link_is_committed_where_it_is(author: Author) -> None:
    video, other = ids(2, seed=75)
    author.site.put("store/real.md", crlf(video, 1, 2))
    author.site.put("store/more/page.md", crlf(other, 1, 2))
    (author.site.root / "content/link.md").symlink_to("../store/real.md")
    (author.site.root / "content/linked").symlink_to("../store/more")
    author.repository.commit_all("Links")
    author.edit("store/real.md", body)
    author.works()
    assert author.site.sync().commit == author.repository.head()
    new = crlf(video, *counts(author.youtube, video))
    assert author.repository.show("store/real.md") == new
    assert (author.site.root / "store/real.md").read_bytes() == body(new)
    assert author.repository.show("store/more/page.md") == crlf(other, *counts(author.youtube, other))
    assert author.repository.show("content/link.md") == b"../store/real.md"


@pytest.mark.parametrize("before", ["a link", "a directory"])
def test_a_page_that_replaces_something_else_is_not_committed(author: Author, before: str) -> None:
    place = author.site.root / "content/changed.md"
    if before == "a link":
        place.symlink_to("untouched.md")
        author.repository.commit_all("A link")
        place.unlink()
    else:
        author.site.put("content/changed.md/note.txt", b"a note\n")
        author.repository.commit_all("A directory")
        (place / "note.txt").unlink()
        place.rmdir()
    place.write_bytes(crlf(ids(1, seed=76)[0], 1, 2))
    author.works()
    before_sync = snapshot(author.repository)
    assert author.site.sync().commit == author.repository.head()
    after = snapshot(author.repository)
    for layer in ("commit", "index"):
        changed = {path: file for path, file in getattr(after, layer).items() if path.startswith("content/changed.md")}
        assert changed == {
            path: file for path, file in getattr(before_sync, layer).items() if path.startswith("content/changed.md")
        }


def test_what_waits_is_committed_once_it_may_be(author: Author, youtube: Simulator) -> None:
    """A sync commits counts of earlier syncs too; of what the author has staged, ours take the new ones with them."""
    author.site.configure(git="commit: false")
    author.site.sync()
    first = counts(youtube, VIDEOS[0])
    author.repository.git("add", UNTOUCHED)
    author.edit(
        PAGES[1], lambda page: page.replace(b'viewcount: "%d"' % counts(youtube, VIDEOS[1])[0], b'viewcount: "3"')
    )
    author.repository.git("add", PAGES[1])
    youtube.clock.advance(timedelta(days=30))
    author.site.configure(git="commit: true")
    report = author.site.sync(NOON + timedelta(days=30))
    second = counts(youtube, VIDEOS[0])
    assert first != second
    assert report.commit == author.repository.head()
    assert [author.repository.show(UNTOUCHED, at) for at in ("HEAD", "")] == [crlf(VIDEOS[0], *second)] * 2
    views, likes = counts(youtube, VIDEOS[1])
    assert author.repository.show(PAGES[1]) == crlf(VIDEOS[1], views, likes)
    assert author.repository.show(PAGES[1], "") == crlf(VIDEOS[1], 3, likes), "the author's own count stays staged"
    assert status_of(author.repository) == {PAGES[1]: "MM"}


def test_counts_that_wait_without_a_new_one_are_committed(author: Author) -> None:
    author.site.configure(git="commit: false")
    assert author.site.sync().commit is None
    author.site.configure(git="commit: true")
    report = author.site.sync(NOON + timedelta(minutes=10))
    assert report.changed_counts == 0
    assert report.commit == author.repository.head()
    assert status_of(author.repository) == {}
