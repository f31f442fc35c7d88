"""Remotes that ask, hang, or are away: a push ends in its time, tells no password, and takes nothing back."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

import syncer.git.remote
import syncer.git.run
from syncer.config.parse import parse_config
from syncer.model import ProblemKind
from syncer.simulator.server import Simulator
from syncer.status.report import SyncReport
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Options
from tests.remotes import asking_for_a_password, cloned, push_all, remote_of
from tests.repository import Repository, in_git
from tests.site import KEY, NOON, Site, counts, ids, plain

PUSH = "commit: true, push: true"
LATER = NOON + timedelta(days=20)


@pytest.fixture
def site(site: Site) -> Site:
    """A site whose syncs end in a push."""
    site.configure(git=PUSH)
    for number, video in enumerate(ids(4)):
        site.put(f"content/{number}.md", plain(video, 1, 2))
    site.put("content/lists/readme.txt", b"No page, but the directory is in git.\n")
    return site


@pytest.fixture
def here(site: Site, tmp_path: Path) -> Repository:
    """Where the syncs are made: everything is pushed."""
    here = in_git(site)
    remote_of(here, tmp_path)
    return here


@pytest.fixture
def bare(here: Repository, tmp_path: Path) -> Repository:
    return Repository(tmp_path / "remote.git")


@pytest.fixture
def other(bare: Repository, tmp_path: Path) -> Repository:
    """Somebody else's clone."""
    return cloned(bare, tmp_path / "other")


def not_pushed(report: SyncReport) -> str:
    """Return the sentence."""
    assert report.exit == 1
    problem = report.problems[-1]
    assert (problem.kind, problem.subject) == (ProblemKind.NOT_PUSHED, "git")
    return problem.message


def same_everywhere(report: SyncReport, here: Repository, bare: Repository) -> None:
    assert (report.exit, report.problems) == (0, ())
    assert bare.head() == here.head() == report.commit
    assert bare.git("fsck", "--strict", "--no-dangling") == here.git("fsck", "--strict", "--no-dangling") == ""


def a_day_later(site: Site, youtube: Simulator, options: Options | None = None) -> SyncReport:
    """Make a sync when all counts have grown."""
    youtube.clock.advance(timedelta(days=1))
    return site.sync(youtube.clock.now(), options)


def right(youtube: Simulator, number: int) -> bytes:
    video = ids(4)[number]
    return plain(video, *counts(youtube, video))


def test_a_sync_of_some_pages_does_not_take_back_what_earlier_ones_committed(
    site: Site, here: Repository, bare: Repository, other: Repository, youtube: Simulator
) -> None:
    bare.top.rename(bare.top.with_name("gone"))
    not_pushed(site.sync())
    before = counts(youtube, ids(4)[1])
    bare.top.with_name("gone").rename(bare.top)
    (other.top / "new.txt").write_bytes(b"theirs\n")
    push_all(other)
    said = not_pushed(a_day_later(site, youtube, Options(paths=("content/0.md",))))
    assert "3 files outside this sync" in said
    assert (here.top / "content/0.md").read_bytes() == right(youtube, 0)
    assert (here.top / "content/1.md").read_bytes() == plain(ids(4)[1], *before)
    same_everywhere(a_day_later(site, youtube), here, bare)
    assert here.show("content/1.md") == right(youtube, 1)


@pytest.mark.parametrize("url", ["https://ada:s3cr@t-word@nowhere.invalid/x.git", "ssh://nowhere.invalid/x.git"])
def test_a_remote_that_cannot_be_reached_costs_a_sentence_without_the_password(
    url: str, site: Site, here: Repository, bare: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    here.git("remote", "set-url", "origin", url)
    report = site.sync()
    assert "failed" in not_pushed(report)
    assert report.commit == here.head()
    kept = [file.read_bytes() for file in site.state.iterdir() if file.is_file()]
    assert not [text for text in (*kept, repr(report).encode(), caplog.text.encode()) if b"t-word" in text]


def test_a_remote_that_asks_for_a_password_is_not_waited_for(site: Site, here: Repository) -> None:
    with asking_for_a_password() as host:
        for who in ("", "ada:secret-word@"):
            here.git("remote", "set-url", "origin", f"http://{who}{host}/x.git")
            began = time.monotonic()
            said = not_pushed(site.sync())
            assert "could not read Username" in said or "Authentication failed" in said
            assert "secret-word" not in said
            assert time.monotonic() - began < 20
            site.put("content/9.md", plain(ids(4)[0], 1, 2))
            here.git("add", "--all")


def test_a_push_that_takes_too_long_is_ended_with_all_that_it_started(
    site: Site, here: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "ssh"
    script.write_text(f'#!/bin/sh\nsleep 300 &\necho $! > "{tmp_path}/sleeping"\nwait\n')
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    monkeypatch.setattr(syncer.git.remote, "NETWORK_TIMEOUT", 1)
    here.git("remote", "set-url", "origin", "ssh://nowhere.invalid/x.git")
    began = time.monotonic()
    assert "git push took more than 1 seconds" in not_pushed(site.sync())
    assert time.monotonic() - began < 10
    sleeping = int((tmp_path / "sleeping").read_text())
    deadline = time.monotonic() + 5
    while alive(sleeping):
        assert time.monotonic() < deadline


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_push_does_not_wait_for_what_ssh_leaves_running(
    site: Site, here: Repository, bare: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "ssh"
    script.write_text('#!/bin/sh\nsetsid sleep 20 <&- >&- &\nfor last; do :; done\nexec sh -c "$last"\n')
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    monkeypatch.setenv("GIT_SSH_VARIANT", "simple")
    here.git("remote", "set-url", "origin", f"ssh://localhost{bare.top}")
    began = time.monotonic()
    same_everywhere(site.sync(), here, bare)
    assert time.monotonic() - began < 15


def hanging(script: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes an ssh that never gets anywhere, and returns the file that is there once it was called."""
    begun = script.with_name("begun")
    script.write_text(f'#!/bin/sh\n: > "{begun}"\nsleep 300\n')
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    return begun


def test_a_push_ends_when_the_sync_is_stopped(
    site: Site, here: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = hanging(tmp_path / "ssh", monkeypatch)
    here.git("remote", "set-url", "origin", "ssh://nowhere.invalid/x.git")
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    environment = Environment(key=KEY, clock=lambda: NOON, sleep=time.sleep, cancelled=begun.exists)
    began = time.monotonic()
    report = make_sync(config, Options(), environment)
    assert time.monotonic() - began < 10
    assert [problem.kind for problem in report.problems] == [ProblemKind.NOT_PUSHED]
    assert (report.exit, report.commit) == (130, here.head())


def test_a_text_that_only_the_remote_has_is_not_waited_for_without_end(
    site: Site, here: Repository, bare: Repository, other: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partial clone asks the remote for a text when it is wanted."""
    bare.git("config", "uploadpack.allowFilter", "true")
    (other.top / "content/0.md").write_bytes(plain(ids(4)[0], 5, 6))
    push_all(other)
    here.git("fetch", "--quiet", "--filter=blob:none", "origin")
    here.git("reset", "--quiet", "--soft", "origin/main")
    hanging(tmp_path / "ssh", monkeypatch)
    monkeypatch.setattr(syncer.git.run, "STREAM_TIMEOUT", 1)
    site.configure(git="commit: true")
    here.git("remote", "set-url", "origin", "ssh://nowhere.invalid/x.git")
    began = time.monotonic()
    report = site.sync()
    assert time.monotonic() - began < 10
    assert [problem.kind for problem in report.problems] == [ProblemKind.NOT_COMMITTED]
