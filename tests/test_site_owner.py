"""Only the host that owns a site in its fleet pushes it; where that cannot be known, nobody does."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from syncer.config.parse import parse_config
from syncer.model import ProblemKind, ServerAddress
from syncer.simulator.server import Simulator
from syncer.status.report import SyncReport
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Options
from tests.postgres import PostgreSQL
from tests.remotes import SharedSite, push_all
from tests.site import KEY, NOON, Site, counts, ids, plain

if TYPE_CHECKING:
    from syncer.state.fleet_tables import FleetTables

pytestmark = pytest.mark.storm

VIDEO = ids(1)[0]
PAGE = "content/page.md"
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
def shared(site: Site, youtube: Simulator, tmp_path: Path, place: ServerAddress) -> SharedSite:
    """A site whose syncs push, and whose ledger is on the server."""
    site.configure(git="commit: true, push: true", quota=f"ledger: '{place}'")
    site.put(PAGE, plain(VIDEO, 1, 2))
    site.put("notes.txt", b"a note\n")
    return SharedSite.of(site, youtube, tmp_path)


def synced(shared: SharedSite) -> SyncReport:
    file = shared.site.config
    environment = Environment(KEY, lambda: NOON, lambda _: None)
    return make_sync(parse_config(file.read_text(encoding="utf-8"), file), Options(everything=True), environment)


def is_pushed(shared: SharedSite, report: SyncReport) -> bool:
    assert (report.exit, report.problems) == (0, ())
    right = plain(VIDEO, *counts(shared.youtube, VIDEO))
    return shared.remote.show(PAGE, "main") == right


def not_pushed(shared: SharedSite, report: SyncReport, *more: ProblemKind) -> str:
    """The sentence of a sync that committed, and pushed nothing."""
    assert [problem.kind for problem in report.problems] == [*more, ProblemKind.NOT_PUSHED]
    assert shared.remote.show(PAGE, "main") == plain(VIDEO, 1, 2)
    return report.problems[-1].message


def test_the_owner_pushes(shared: SharedSite, tables: FleetTables) -> None:
    tables.claim(MACHINE, {"site": str(shared.site.root)}, only=True)
    assert is_pushed(shared, synced(shared))


def test_a_machine_that_is_called_another_name_is_the_owner_once_its_worker_said_so(
    shared: SharedSite, tables: FleetTables, place: ServerAddress, postgres: PostgreSQL
) -> None:
    """As a container that was made anew; and a second machine of one name is not the owner."""
    tables.claim("a", {"site": str(shared.site.root)}, only=True)
    postgres.execute(place, "UPDATE syncer.fleet_sites SET machine = 'another'")
    said = not_pushed(shared, synced(shared))
    assert "the host a has the site site now, so it is not pushed from here; if this is an old copy, remove" in said
    tables.claim("a", {"site": str(shared.site.root)}, only=True)
    assert is_pushed(shared, synced(shared))


def test_a_sync_by_hand_on_the_machine_of_the_owner_pushes_whatever_its_worker_is_called(
    shared: SharedSite, tables: FleetTables
) -> None:
    tables.claim("a", {"site": f"{shared.site.root}-2"}, only=True)
    assert "the host a has the site site now" in not_pushed(shared, synced(shared))
    tables.claim("a", {"site": str(shared.site.root)}, only=True)
    assert is_pushed(shared, synced(shared))


def test_a_host_that_lost_the_site_keeps_its_commit_and_pushes_it_if_it_gets_the_site_back(
    shared: SharedSite, tables: FleetTables, place: ServerAddress, postgres: PostgreSQL
) -> None:
    tables.claim("b", {"site": "/srv/site"}, only=True)
    report = synced(shared)
    said = not_pushed(shared, report)
    assert "remove its config, and run `syncer fleet sync site`, which syncs it on b" in said
    assert report.exit == 1
    assert report.commit == shared.ours.head()
    assert report.pushed_to is None
    here = f"host = 'a', machine = '{MACHINE}', path = '{shared.site.root}'"
    postgres.execute(place, f"UPDATE syncer.fleet_sites SET {here}")
    assert is_pushed(shared, synced(shared))


def test_a_site_that_no_host_has_is_pushed(shared: SharedSite, tables: FleetTables) -> None:
    tables.claim("b", {"another": "/srv/another"}, only=True)
    assert is_pushed(shared, synced(shared))


def test_a_ledgers_server_without_a_fleet_changes_nothing(shared: SharedSite, postgres: PostgreSQL) -> None:
    place = postgres.new_ledger()
    shared.site.configure(git="commit: true, push: true", quota=f"ledger: '{place}'")
    assert is_pushed(shared, synced(shared))


def test_a_server_that_is_away_keeps_the_commit_here_and_the_next_sync_pushes_it(
    shared: SharedSite, tables: FleetTables, postgres: PostgreSQL
) -> None:
    tables.claim(MACHINE, {"site": str(shared.site.root)}, only=True)
    assert synced(shared).exit == 0
    shared.grow()
    before = shared.tip()
    shared.site.put(PAGE, plain(VIDEO, 1, 2))
    shared.ours.git("commit", "--quiet", "--all", "--message", "Old counts")
    shared.ours.git("push", "--quiet")
    postgres.stop()
    try:
        report = synced(shared)
    finally:
        postgres.start()
    said = not_pushed(shared, report, ProblemKind.LEDGER_UNREACHABLE)
    assert said.startswith("cannot find out whether another host has the site now: Cannot connect to the ledger")
    assert report.commit == shared.ours.head() != before
    report = synced(shared)
    assert is_pushed(shared, report)
    assert shared.tip() == shared.ours.head()


def test_tables_of_another_version_are_not_believed(
    shared: SharedSite, place: ServerAddress, postgres: PostgreSQL
) -> None:
    postgres.execute(place, "UPDATE syncer.meta SET value = '99' WHERE name = 'fleet'")
    assert "was written by a newer syncer; upgrade syncer" in not_pushed(shared, synced(shared))


def test_a_host_that_loses_the_site_between_two_tries_to_push_does_not_push(
    shared: SharedSite, tables: FleetTables, place: ServerAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others pushed first: the commit is made again on top of theirs, and meanwhile another host takes the site."""
    tables.claim("a", {"site": str(shared.site.root)}, only=True)
    (shared.other.top / "notes.txt").write_bytes(b"theirs\n")
    theirs = push_all(shared.other)
    taking = tmp_path / "taking.py"
    sql = "UPDATE syncer.fleet_sites SET host = 'b', machine = 'another'"
    taking.write_text(f"import psycopg\npsycopg.connect({str(place)!r}, autocommit=True).execute({sql!r})\n")
    script = tmp_path / "ssh"
    script.write_text(
        "#!/bin/sh\nfor last; do :; done\n"
        f'case "$last" in *upload-pack*) "{sys.executable}" "{taking}";; esac\nexec sh -c "$last"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    monkeypatch.setenv("GIT_SSH_VARIANT", "simple")
    shared.ours.git("remote", "set-url", "origin", f"ssh://localhost{shared.remote.top}")
    assert "the host b has the site site now" in not_pushed(shared, synced(shared))
    assert shared.tip() == theirs
    assert shared.ours.git("rev-parse", "HEAD^").strip() == theirs, "the commit was made again"
