"""Where the directory of a site is not there, as without its disk, nothing creates it, nor anything in its place."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from syncer.errors import StateError
from syncer.simulator.server import Simulator
from syncer.state.lock import hold_lock
from tests.daemon_process import Daemon
from tests.shared_daemon import OFTEN, OneOfMany, daemon_of, make_sites, synced
from tests.site import Run, tree

COMMANDS: Sequence[Sequence[str]] = (
    ("sync",),
    ("sync", "--dry-run"),
    ("check", "--offline"),
    ("status",),
    ("purge", "--all"),
    ("undo", "20261122T150003Z-9f2c"),
    ("review",),
    ("deploy",),
    ("plan",),
    ("daemon",),
)
PLACES = {"in-the-site": "", "beside-it": "directory: ../states", "deep-in-it": "directory: var/syncer"}


def lose(site: OneOfMany, how: str) -> None:
    shutil.move(site.root, site.root.with_name("away"))
    if how == "empty":
        site.root.mkdir()


@pytest.fixture
def blog(tmp_path: Path, youtube: Simulator) -> OneOfMany:
    (blog,) = make_sites(tmp_path, youtube.url, "blog")
    return blog


@pytest.mark.parametrize("how", ["missing", "empty"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_creates_anything(
    blog: OneOfMany, syncer: Run, tmp_path: Path, command: Sequence[str], place: str, how: str
) -> None:
    blog.configure(schedule=OFTEN, state=place)
    lose(blog, how)
    before = tree(tmp_path)
    ran = syncer("-c", str(blog.config), *command)
    assert tree(tmp_path) == before
    if command[0] in {"sync", "daemon"}:
        assert ran.code == 2
        assert str(blog.root) in ran.err


def test_a_state_deep_in_a_site_is_created(blog: OneOfMany, syncer: Run) -> None:
    blog.configure(state="directory: var/lib/syncer")
    assert syncer("-c", str(blog.config), "sync").code == 0
    assert (blog.root / "var/lib/syncer/state.sqlite3").is_file()


def test_a_state_outside_of_the_site_is_created_in_an_existing_directory_only(blog: OneOfMany, syncer: Run) -> None:
    blog.configure(state="directory: ../disk/states")
    ran = syncer("-c", str(blog.config), "sync")
    assert (ran.code, blog.root.with_name("disk").exists()) == (2, False)
    assert f"{blog.root.with_name('disk')} does not exist" in ran.err
    assert syncer("-c", str(blog.config), "check", "--offline").code == 1
    blog.root.with_name("disk").mkdir()
    assert syncer("-c", str(blog.config), "sync").code == 0


def test_a_ledger_is_created_in_an_existing_directory_only(blog: OneOfMany, syncer: Run) -> None:
    blog.configure(quota="ledger: ../disk/quota.sqlite3")
    ran = syncer("-c", str(blog.config), "sync")
    assert (ran.code, blog.root.with_name("disk").exists()) == (2, False)
    assert "its directory exists" in ran.err


def test_a_lock_creates_the_directory_of_the_state_alone(tmp_path: Path) -> None:
    with (
        pytest.raises(StateError, match="site does not exist"),
        hold_lock(tmp_path / "site/.syncer", timeout=0, sleep=print),
    ):
        pass
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_site_that_is_missing_at_the_start_or_when_it_is_added_is_left_out_until_it_is_back(
    tmp_path: Path, youtube: Simulator, how: str
) -> None:
    lab, shop, vault = make_sites(tmp_path, youtube.url, "lab", "shop", "vault")
    away, config = tmp_path / "vault-away", vault.config.read_text("utf-8")
    vault.config.unlink()
    vault.root.rename(away)
    lose(lab, how)
    with daemon_of(shop) as daemon:
        assert f"The site's directory {lab.root} is {how}" in daemon.until("left out: ")
        vault.config.write_text(config, encoding="utf-8")
        assert f"The site's directory {vault.root} is missing" in daemon.until("left out: ")
        synced(daemon, "shop", 2)
        assert not vault.root.exists()
        assert list(lab.root.glob("*")) == []
        if how == "empty":
            lab.root.rmdir()  # as a disk is mounted on it
        (tmp_path / "away").rename(lab.root)
        away.rename(vault.root)
        synced(daemon, "lab")
        synced(daemon, "shop", 2)
        assert (vault.root / ".syncer").is_dir()


@pytest.mark.parametrize("several", [True, False], ids=["several", "one"])
@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_site_that_vanishes_at_runtime_is_not_created_and_goes_on_when_it_is_back(
    tmp_path: Path, youtube: Simulator, how: str, several: bool
) -> None:
    lab, shop = make_sites(tmp_path, youtube.url, "lab", "shop")
    with daemon_of(shop) if several else Daemon(lab, environment={"XDG_RUNTIME_DIR": ""}) as daemon:
        daemon.until("lab: Sync 2" if several else "Sync 2")
        lose(lab, how)
        assert f"The site's directory {lab.root} is {how}" in daemon.until("Sync failed")
        daemon.until("Sync failed")
        assert list(lab.root.glob("*")) == []
        assert lab.root.exists() == (how == "empty")
        if how == "empty":
            lab.root.rmdir()
        (tmp_path / "away").rename(lab.root)
        daemon.until("lab: Sync 2" if several else "Sync 2")
