"""A remote is cloned in one step: whatever kills or stops a clone, there is never half a site."""

from __future__ import annotations

import fcntl
import os
import stat
import sys
import time
from pathlib import Path

import pytest

import syncer.git.clone
from syncer.errors import GitError
from syncer.git.clone import clone
from tests.doc_blocks import ROOT
from tests.examples import examples
from tests.forks import PIPE, Fork
from tests.remotes import asking_for_a_password, bare_at, cloned, push_all
from tests.repository import Repository
from tests.waiting import until

KILLS = 40


def never() -> bool:
    return False


@pytest.fixture
def remote(tmp_path: Path) -> Repository:
    """A remote with a commit, which is on its default branch."""
    remote = bare_at(tmp_path / "remote.git")
    other = cloned(remote, tmp_path / "other")
    for number in range(200):
        (other.top / f"{number}.md").write_bytes(b"a page\n" * number)
    other.git("switch", "--quiet", "--create", "main")
    push_all(other)
    return remote


@pytest.fixture
def sites(tmp_path: Path) -> Path:
    place = tmp_path / "sites"
    place.mkdir()
    return place


def url_of(remote: Repository) -> str:
    return f"file://{remote.top}"


def is_whole(site: Path, remote: Repository) -> bool:
    """Whether a clone has all, and nothing that git does not know."""
    here = Repository(site)
    return (
        here.status() == []
        and here.head() == remote.git("rev-parse", "main").strip()
        and here.git("fsck", "--strict", "--no-progress") == ""
        and len(list(site.glob("*.md"))) == 200
    )


def test_a_clone_is_a_working_tree_that_follows_the_remotes_branch(remote: Repository, sites: Path) -> None:
    clone(url_of(remote), sites / "blog", never)
    here = Repository(sites / "blog")
    assert is_whole(here.top, remote)
    assert here.git("config", "remote.origin.url").strip() == url_of(remote)
    assert here.git("rev-parse", "--abbrev-ref", "HEAD@{upstream}").strip() == "origin/main"
    assert os.listdir(sites) == ["blog"]


def test_a_clone_is_as_open_to_others_as_the_users_files(remote: Repository, sites: Path) -> None:
    before = os.umask(0o027)
    try:
        clone(url_of(remote), sites / "blog", never)
    finally:
        os.umask(before)
    assert stat.S_IMODE((sites / "blog").stat().st_mode) == 0o750


@pytest.mark.parametrize("kind", ["directory", "file", "dangling link"])
def test_what_exists_is_left_alone(kind: str, remote: Repository, sites: Path) -> None:
    place = sites / "blog"
    match kind:
        case "directory":
            place.mkdir()
        case "file":
            place.write_bytes(b"mine")
        case _:
            place.symlink_to(sites / "nowhere")
    before = place.lstat()
    with pytest.raises(GitError, match="blog exists already"):
        clone(url_of(remote), place, never)
    assert place.lstat() == before


def test_no_directory_is_made_above_the_clone(remote: Repository, sites: Path) -> None:
    """Without its disk, the clone would be on another one."""
    with pytest.raises(GitError, match="disk does not exist; create it, or mount"):
        clone(url_of(remote), sites / "disk" / "blog", never)
    assert os.listdir(sites) == []


def test_a_directory_that_appears_meanwhile_is_not_replaced(
    remote: Repository, sites: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = sites / "blog"
    script = sites.parent / "ssh"
    script.write_text(f'#!/bin/sh\nmkdir "{place}"\n: > "{place}/page.md"\nfor last; do :; done\nexec sh -c "$last"\n')
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    monkeypatch.setenv("GIT_SSH_VARIANT", "simple")
    with pytest.raises(GitError, match="Directory not empty"):
        clone(f"ssh://localhost{remote.top}", place, never)
    assert os.listdir(sites) == ["blog"]
    assert os.listdir(place) == ["page.md"]


@pytest.mark.parametrize("what", ["empty", "no such branch"])
def test_a_remote_without_a_commit_on_its_branch_is_no_site(what: str, remote: Repository, sites: Path) -> None:
    if what == "empty":
        remote = bare_at(sites.parent / "empty.git")
    else:
        remote.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    with pytest.raises(GitError, match="has no commit on its default branch; push the site there first"):
        clone(url_of(remote), sites / "blog", never)
    assert os.listdir(sites) == []


def test_a_remote_whose_head_is_no_branch_is_no_site(remote: Repository, sites: Path) -> None:
    commit = remote.git("rev-parse", "main").strip()
    other = remote.git("commit-tree", "-m", "Another", "-p", commit, f"{commit}^{{tree}}").strip()
    remote.git("update-ref", "--no-deref", "HEAD", other)
    with pytest.raises(GitError, match="has no default branch: its HEAD is a commit"):
        clone(url_of(remote), sites / "blog", never)
    assert os.listdir(sites) == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("--upload-pack=touch ran", "repository '--upload-pack=touch ran' does not exist"),
        ("ssh://-oProxyCommand=touch ran/x", "strange hostname '-oProxyCommand=touch ran' blocked"),
        *((f"{name}::x", f"transport '{name}' not allowed") for name in ("ext", "fd", "odd")),
        *((f"{name}://127.0.0.1:9/x", f"transport '{name}' not allowed") for name in ("http", "git", "ftp")),
    ],
)
def test_a_url_that_is_an_option_or_runs_a_command_does_nothing(url: str, said: str, sites: Path) -> None:
    """The config refuses them, too."""
    with pytest.raises(GitError, match=said):
        clone(url, sites / "blog", never)
    assert os.listdir(sites) == []


def test_a_clone_runs_no_hook(remote: Repository, sites: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one that a template of the user brings into each new repository."""
    hook = sites.parent / "template/hooks/post-checkout"
    hook.parent.mkdir(parents=True)
    hook.write_text(f"#!/bin/sh\ntouch {sites}/ran\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "init.templateDir")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(hook.parents[1]))
    clone(url_of(remote), sites / "blog", never)
    assert os.listdir(sites) == ["blog"]
    assert not (sites / "blog/.git/hooks").exists()


def test_a_remote_that_is_away_costs_a_sentence(remote: Repository, sites: Path) -> None:
    with pytest.raises(GitError, match=r"git clone failed: .*away\.git"):
        clone(f"file://{remote.top.parent}/away.git", sites / "blog", never)
    assert os.listdir(sites) == []


def test_a_remote_that_asks_for_a_password_is_not_waited_for(sites: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncer.git.clone, "TRANSPORTS", {"GIT_ALLOW_PROTOCOL": "http"})
    began = time.monotonic()
    with asking_for_a_password() as host, pytest.raises(GitError, match="could not read Username"):
        clone(f"http://{host}/x.git", sites / "blog", never)
    assert time.monotonic() - began < 20
    assert os.listdir(sites) == []


@pytest.mark.parametrize("how", ["cancelled", "too long"])
def test_a_clone_that_does_not_end_is_ended(how: str, sites: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = sites.parent / "begun"
    script = sites.parent / "ssh"
    script.write_text(f'#!/bin/sh\n: > "{begun}"\nsleep 300\n')
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    if how == "too long":
        monkeypatch.setattr(syncer.git.clone, "CLONE_TIMEOUT", 1)
    began = time.monotonic()
    with pytest.raises(GitError, match=r"git clone (was stopped|took more than 1 seconds)"):
        clone("ssh://nowhere.invalid/x.git", sites / "blog", begun.exists if how == "cancelled" else never)
    assert time.monotonic() - began < 10
    assert os.listdir(sites) == []


PROGRAM = """
from pathlib import Path
from syncer.git.clone import clone
print("begun", flush=True)
clone(sys.argv[1], Path(sys.argv[2]), lambda: False)
print("ended", flush=True)
"""


@pytest.mark.storm
def test_a_clone_that_is_killed_at_any_moment_leaves_no_site_or_a_whole_one(remote: Repository, sites: Path) -> None:
    """The git of a killed clone lives on for a moment: it works in a directory of its own."""
    place = sites / "blog"
    kills = examples(KILLS).max_examples
    for number in range(kills):
        program = Fork("-c", PROGRAM, url_of(remote), str(place), stdout=PIPE)
        with program:
            assert program.stdout
            assert program.stdout.readline() == "begun\n"
            end = time.monotonic() + number * 0.3 / kills
            while time.monotonic() < end and program.poll() is None:
                time.sleep(0.001)
            program.kill()
        if not place.exists():
            clone(url_of(remote), place, never)
        assert is_whole(place, remote), number
        removed = sites.parent / f"done-{number}"
        place.rename(removed)
    clone(url_of(remote), place, never)
    assert is_whole(place, remote)

    def is_alone_after_a_clone() -> bool:
        place.rename(sites.parent / f"done-{time.monotonic()}")
        clone(url_of(remote), place, never)
        return os.listdir(sites) == ["blog"]

    until(is_alone_after_a_clone, 0.05)


def test_a_clone_that_is_being_made_is_not_removed_by_another_one(
    remote: Repository, sites: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = sites.parent / "ssh"
    code = "from pathlib import Path; from syncer.git.clone import clone; import sys; "
    code += "clone(sys.argv[1], Path(sys.argv[2]), bool)"
    other = f'"{sys.executable}" -c "{code}" "file://{sites}/nowhere" "{sites}/blog"'
    script.write_text(f'#!/bin/sh\nfor last; do :; done\n{other} 2>"{sites.parent}/said"\nexec sh -c "$last"\n')
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    monkeypatch.setenv("GIT_SSH_VARIANT", "simple")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    clone(f"ssh://localhost{remote.top}", sites / "blog", never)
    assert is_whole(sites / "blog", remote)
    assert "syncer.errors.GitError: git clone failed" in (sites.parent / "said").read_text()


def test_what_a_killed_clone_left_is_removed_and_what_another_process_makes_is_not(
    remote: Repository, sites: Path
) -> None:
    kept = [".blog.syncer-0000ffff~", ".blog2.syncer-0000ffff~"]
    for name in (*kept, ".blog.syncer-0123abcd~"):
        (sites / name / ".git").mkdir(parents=True)
    (sites / ".blog.syncer-11111111~").symlink_to(sites.parent)
    lock = os.open(sites / kept[0], os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        clone(url_of(remote), sites / "blog", never)
    finally:
        os.close(lock)
    assert sorted(os.listdir(sites)) == [kept[0], ".blog.syncer-11111111~", kept[1], "blog"]
    assert remote.top.exists()
