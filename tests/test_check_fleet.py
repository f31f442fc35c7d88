"""The check of a site in a fleet says whether it can be cloned, and whether another host owns its name."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from syncer.model import ServerAddress
from tests.postgres import PostgreSQL
from tests.remotes import bare_at, cloned, push_all
from tests.repository import Repository
from tests.site import Run, Site, crlf, ids, tree

if TYPE_CHECKING:
    from syncer.state.fleet_tables import FleetTables

pytestmark = pytest.mark.storm

MACHINE = socket.gethostname()


@pytest.fixture
def place(postgres: PostgreSQL) -> ServerAddress:
    return postgres.new_fleet()


@pytest.fixture
def tables(place: ServerAddress) -> Iterator[FleetTables]:
    from syncer.state.fleet_tables import open_fleet

    with closing(open_fleet(place)) as tables:
        yield tables


@pytest.fixture
def remote(tmp_path: Path) -> Repository:
    remote = bare_at(tmp_path / "remote.git")
    other = cloned(remote, tmp_path / "other")
    (other.top / "page.md").write_bytes(crlf(ids(1)[0], 1, 2))
    other.git("switch", "--quiet", "--create", "main")
    push_all(other)
    return remote


@pytest.fixture
def absent(site: Site, place: ServerAddress, remote: Repository, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The config of a site that is only in git."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")
    return config_of(site, place, f"file://{remote.top}")


def config_of(site: Site, place: ServerAddress, url: str, where: str = "blog", author: str = "A <a@b.example>") -> Path:
    author = f", author: '{author}'" if author else ""
    site.configure(git=f"commit: true, push: true, remote: '{url}'{author}", quota=f"ledger: '{place}'")
    folder = site.root.parent / "sites"
    folder.mkdir(exist_ok=True)
    config = folder / "blog.yaml"
    config.write_text(f"site: {where}\n{site.config.read_text(encoding='utf-8')}", encoding="utf-8")
    return config


def found(syncer: Run, config: Path | None, name: str, *more: str) -> list[tuple[str, str]]:
    ran = syncer(*(["-c", str(config)] if config else []), "check", "--json", *more)
    return [(each["level"], each["message"]) for each in ran.document["checks"] if each["name"] == name]


def test_a_sync_by_hand_says_what_clones_a_site_that_is_only_in_git(absent: Path, syncer: Run) -> None:
    ran = syncer("-c", str(absent), "sync")
    assert (ran.code, "fleet worker`, which clones file://" in ran.err) == (2, True), ran.err


def test_a_site_that_is_only_in_git_is_no_error_and_nothing_is_created(
    absent: Path, syncer: Run, remote: Repository, tmp_path: Path
) -> None:
    before = tree(tmp_path)
    ran = syncer("-c", str(absent), "check")
    assert (ran.code, "error" in ran.out, "git init" in ran.out, "Correct" in ran.out) == (0, False, False, False)
    assert tree(tmp_path) == before
    place, url = absent.parent / "blog", f"file://{remote.top}"
    assert found(syncer, absent, "content") == [
        ("ok", f"{place} is not here. The worker of the host that owns the site clones {url} there")
    ]
    assert found(syncer, absent, "git")[0][1].startswith(f"each sync commits, and pushes to {url}. It answers")
    assert found(syncer, absent, "daemon") == [], "only a worker can start"


def test_the_remote_must_answer_and_have_a_commit(
    absent: Path, syncer: Run, site: Site, place: ServerAddress, tmp_path: Path
) -> None:
    config = config_of(site, place, f"file://{tmp_path}/none.git")
    ((level, message),) = found(syncer, config, "git")
    assert (level, "git ls-remote failed" in message) == ("error", True)
    assert found(syncer, config, "git", "--offline")[0][0] == "ok", "it is not asked"
    empty = bare_at(tmp_path / "empty.git")
    config = config_of(site, place, f"file://{empty.top}")
    ((level, message),) = found(syncer, config, "git")
    assert (level, "Push the site there first" in message) == ("error", True)


def test_there_must_be_an_author_and_a_directory_above(
    absent: Path, syncer: Run, site: Site, place: ServerAddress, remote: Repository
) -> None:
    config = config_of(site, place, f"file://{remote.top}", where="disk/blog", author="")
    assert "set `git.author` in the config" in found(syncer, config, "git")[0][1]
    ((level, message),) = found(syncer, config, "permissions")
    assert (level, message.startswith(f"{config.parent / 'disk'} does not exist.")) == ("error", True)


def test_a_site_without_a_fleet_that_is_not_here_is_still_an_error(
    absent: Path, syncer: Run, place: ServerAddress
) -> None:
    text = absent.read_text(encoding="utf-8")
    absent.write_text(text.replace(f"ledger: '{place}'", "ledger: ../q"), encoding="utf-8")
    assert found(syncer, absent, "content")[0][0] == "error"


def test_another_host_with_a_site_of_the_same_name_is_a_warning(
    site: Site, syncer: Run, place: ServerAddress, tables: FleetTables
) -> None:
    site.configure(quota=f"ledger: '{place}'")
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    assert found(syncer, None, "fleet") == [], "no host has it"
    tables.claim("web-1", {"site": "/srv/site"}, only=True)
    ((level, message),) = found(syncer, None, "fleet")
    assert level == "warning"
    assert message.startswith("Another host, web-1, syncs a site called site, at /srv/site, so no worker here does.")
    assert "set `name`" in message
    tables.claim("web-1", {"site": str(site.root)}, only=True)
    assert found(syncer, None, "fleet") == [], "it is this machine, by another name"
    tables.claim("web-1", {}, only=True)
    tables.claim(MACHINE, {"site": "/srv/site"}, only=True)
    assert found(syncer, None, "fleet")[0][0] == "warning", "it is another checkout on this machine"


def test_a_host_that_stands_by_for_a_site_that_is_only_in_git_is_not_warned(
    absent: Path, syncer: Run, tables: FleetTables
) -> None:
    tables.claim("web-1", {"blog": "/srv/blog"}, only=True)
    ((level, message),) = found(syncer, absent, "fleet")
    assert (level, message.startswith("the host web-1 syncs the site, at /srv/blog")) == ("ok", True)


def test_a_server_without_a_fleet_is_not_mentioned(site: Site, syncer: Run, postgres: PostgreSQL) -> None:
    site.configure(quota=f"ledger: '{postgres.new_ledger()}'")
    assert found(syncer, None, "fleet") == []
    assert all(level == "ok" for level, _ in found(syncer, None, "ledger"))
