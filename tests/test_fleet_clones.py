"""A worker clones what its configs say now: not what they said when a clone was begun, or failed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncer.cli.fleet_worker import FleetHost
from syncer.config.parse import parse_config
from syncer.config.sections import Config
from syncer.errors import NotSyncedHere, StateError
from syncer.simulator.server import Simulator
from tests.hosts import QUICKLY, Fleet, published
from tests.postgres import PostgreSQL
from tests.repository import Repository
from tests.shared_daemon import OneOfMany, synced
from tests.waiting import until

pytestmark = pytest.mark.storm


@pytest.fixture
def fleet(tmp_path: Path, youtube: Simulator, postgres: PostgreSQL) -> Fleet:
    return Fleet(tmp_path, youtube, postgres.new_fleet())


def config_with(site: OneOfMany, url: str) -> Config:
    """Changes the URL of the remote in its config."""
    text = site.config.read_text("utf-8")
    before = parse_config(text, site.config).git.remote
    site.config.write_text(text.replace(before, url), encoding="utf-8")
    return parse_config(site.config.read_text("utf-8"), site.config)


@contextmanager
def joined(fleet: Fleet) -> Iterator[tuple[FleetHost, threading.Event]]:
    """A host that has heard of its fleet, and what is set when it is to look again."""
    host, news = FleetHost(fleet.place, "a"), threading.Event()
    with host.joined(dict, news.set, lambda: None):
        until(lambda: host.view().is_current)
        yield host, news


def test_a_corrected_url_is_cloned_at_once_and_a_reload_tries_again_what_failed(fleet: Fleet, tmp_path: Path) -> None:
    remote, _ = published(fleet, tmp_path)
    blog = fleet.git_site("a", "blog", Repository(tmp_path / "wrong.git"))
    shop = fleet.git_site("a", "shop", Repository(tmp_path / "later.git"))
    late = f"{QUICKLY}\nfrom syncer.cli import fleet_worker\nfleet_worker.CLONE_RETRY_SECONDS = 900.0\n"
    with fleet.worker("a", first=late) as worker:
        for _ in range(2):
            worker.until("does not appear to be a git repository")
        config_with(blog, f"file://{remote.top}")
        synced(worker, "blog")
        remote.git("clone", "--quiet", "--bare", str(remote.top), str(tmp_path / "later.git"))
        assert not shop.root.exists()
        worker.send(signal.SIGHUP)
        synced(worker, "shop")


def test_a_clone_ends_where_the_remote_changes_and_the_new_one_is_cloned(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote, _ = published(fleet, tmp_path)
    begun, script = tmp_path / "begun", tmp_path / "ssh"
    script.write_text(f'#!/bin/sh\n: > "{begun}"\nsleep 300\n')
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    site = fleet.git_site("a", "blog", remote)
    former, path = config_with(site, "ssh://nowhere.invalid/x.git"), str(site.config)
    with joined(fleet) as (host, news):
        assert str(host.ensure_cloned(path, former)) == "The site blog is being cloned from ssh://nowhere.invalid/x.git"
        until(begun.exists)
        config = config_with(site, f"file://{remote.top}")
        said = host.ensure_cloned(path, config)
        assert isinstance(said, NotSyncedHere)
        assert str(said) == f"The site blog waits to be cloned from file://{remote.top}"
        for _ in range(2):  # the end of the one, and of the other
            assert news.wait(30)
            news.clear()
            host.ensure_cloned(path, config)
        assert host.ensure_cloned(path, config) is None
    assert Repository(site.root).git("config", "remote.origin.url").strip() == f"file://{remote.top}"


def test_a_clone_that_ended_before_the_change_of_its_remote_was_seen_is_not_taken_for_the_new_one(
    fleet: Fleet, tmp_path: Path
) -> None:
    remote, _ = published(fleet, tmp_path)
    other = tmp_path / "other.git"
    remote.git("clone", "--quiet", "--bare", str(remote.top), str(other))
    site = fleet.git_site("a", "blog", Repository(other))
    former, path = config_with(site, f"file://{other}"), str(site.config)
    with joined(fleet) as (host, news):
        host.ensure_cloned(path, former)
        assert news.wait(30)
        news.clear()
        config = config_with(site, f"file://{remote.top}")
        for _ in range(2):
            said = host.ensure_cloned(path, config)
            assert isinstance(said, StateError)
            assert f"is no clone of file://{remote.top}; rename it" in str(said)
        site.root.rename(tmp_path / "aside")
        assert isinstance(host.ensure_cloned(path, config), NotSyncedHere)
        assert news.wait(30)
        assert host.ensure_cloned(path, config) is None
