"""A ledger on a PostgreSQL server: never over a limit, and never waited for longer than seconds, whatever happens."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from syncer.config.parse import parse_config
from syncer.errors import LedgerUnreachable, StateError
from syncer.model import ProblemKind, ServerAddress
from syncer.simulator.server import Simulator
from syncer.state.ledger import UnitStock
from syncer.state.shared_ledger import look_at_ledger, open_shared_ledger
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Listener, Options
from tests.forks import PIPE, Fork
from tests.ledgers import rows_of
from tests.postgres import PostgreSQL
from tests.proxy import Network, Proxy
from tests.site import KEY, NOON, Run, Site, counts, crlf, ids, tree
from tests.test_shared_ledger import STATS, member, take
from tests.waiting import until

pytestmark = pytest.mark.storm

HOUR = timedelta(hours=1)
VIDEOS = ids(60)
CUT_SECONDS = 15 + 5
"""How long a cut network may keep a command waiting; five seconds more, because the machine is busy."""


@pytest.fixture
def place(postgres: PostgreSQL) -> ServerAddress:
    return postgres.new_ledger()


def put_pages(site: Site) -> None:
    for number, video in enumerate(VIDEOS):
        site.put(f"content/{number}.md", crlf(video, 1, 2))


def configure(site: Site, place: ServerAddress) -> None:
    site.configure(quota=f"ledger: '{place}'")


@pytest.fixture
def synced(site: Site, place: ServerAddress) -> Site:
    """A site with 60 pages that was synced once, after which its pages got old counts."""
    configure(site, place)
    put_pages(site)
    assert site.sync(NOON).exit == 0
    put_pages(site)
    return site


def is_repaired(site: Site, youtube: Simulator) -> bool:
    pages = enumerate(VIDEOS)
    return all(
        (site.root / f"content/{number}.md").read_bytes() == crlf(video, *counts(youtube, video))
        for number, video in pages
    )


@pytest.fixture
def proxy(postgres: PostgreSQL) -> Iterator[Proxy]:
    made = Proxy(postgres.port)
    yield made
    made.close()


def through(proxy: Proxy, place: ServerAddress) -> ServerAddress:
    return ServerAddress(f"postgresql://postgres@127.0.0.1:{proxy.port}/{place.rpartition('/')[2]}")


# --- units -----------------------------------------------------------------------------------------------------------


def test_what_one_transaction_has_read_no_other_changes_before_it_ends(place: ServerAddress) -> None:
    waiting = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with (
        open_shared_ledger(place, member("a", 100), NOON, writes=True) as one,
        open_shared_ledger(place, member("b", 100), NOON, writes=True) as other,
        ThreadPoolExecutor(1) as thread,
    ):
        with one._file.transaction() as connection:
            assert one.balances(NOON)[STATS].left == 100
            taken = thread.submit(take, other, 100)
            until(lambda: taken.done() or rows_of(place, waiting) != [])
            assert not taken.done()
            connection.execute("INSERT INTO units VALUES ('2026-11-22', 'stats', '/sites/a', 60)")
        assert taken.result() == 40


@pytest.mark.parametrize("wrong", [timedelta(days=1), timedelta(hours=-13), timedelta(days=-9000)], ids=str)
def test_a_machine_whose_clock_is_wrong_counts_on_the_day_of_the_server(
    place: ServerAddress, monkeypatch: pytest.MonkeyPatch, wrong: timedelta
) -> None:
    real = time.time
    with monkeypatch.context() as patched:
        patched.setattr("time.time", lambda: real() + wrong.total_seconds())
        opened = open_shared_ledger(place, member("wrong", 100), NOON + wrong, writes=True)
        ledger = opened.__enter__()
    stock = UnitStock(ledger, lambda: NOON + wrong, scheduled=False)
    with open_shared_ledger(place, member("right"), NOON, writes=True) as other:
        for _ in range(55):
            assert stock.spend(STATS)
        assert take(other, 100) == 40, "it knows the units that were taken by the other clock"
        stock.give_back()
        assert take(other, 100) == 5
        ledger.park(STATS, NOON + wrong + HOUR)
        assert other.balances(NOON)[STATS].parked_until == NOON + HOUR
        ledger.note_refusal(STATS, NOON + wrong, 7)
        assert other.refusals(NOON) == {STATS: 7}
    opened.__exit__(None, None, None)


HOLD = (
    "import sys; from tests.test_ledger_server import *\n"
    "with open_shared_ledger(ServerAddress(sys.argv[1]), member('stopped', 100), NOON, writes=True) as ledger:\n"
    "    try:\n"
    "        with ledger._file.transaction() as connection:\n"
    "            connection.execute(\"INSERT INTO units VALUES ('2026-11-22', 'stats', '/sites/stopped', 60)\")\n"
    "            print('holds', flush=True); sys.stdin.readline()\n"
    "        print('written')\n"
    "    except LedgerUnreachable as error: print(error)\n"
)


def test_a_writer_that_is_stopped_in_its_transaction_is_thrown_out_and_others_continue(place: ServerAddress) -> None:
    read, write = os.pipe()
    with (
        Fork("-c", HOLD, place, cwd=Path(__file__).parent.parent, stdin=read, stdout=PIPE) as stopped,
        open_shared_ledger(place, member("b", 100), NOON, writes=True) as other,
    ):
        assert stopped.stdout
        assert stopped.stdout.readline() == "holds\n"
        stopped.send_signal(signal.SIGSTOP)
        try:
            start = time.monotonic()
            assert take(other, 10) == 10
            waited = time.monotonic() - start
            assert other.balances(NOON)[STATS].project_spent == 10, "what it had taken is undone"
        finally:
            stopped.send_signal(signal.SIGCONT)
        os.write(write, b"\n")
        assert "Cannot write the ledger" in stopped.stdout.read()
    os.close(read)
    os.close(write)
    assert waited < 10
    assert rows_of(place, "SELECT site, spent FROM units") == [("/sites/b", 10)]


# --- a server that cannot be reached ---------------------------------------------------------------------------------


def test_where_the_server_is_down_nothing_is_requested_pages_are_repaired_and_later_syncs_continue(
    synced: Site, postgres: PostgreSQL, youtube: Simulator, syncer: Run
) -> None:
    spent = dict(youtube.units)
    postgres.stop()
    try:
        report = synced.sync(NOON + HOUR)
        put_pages(synced)
        ran = syncer("sync", "--json")
    finally:
        postgres.start()
    assert dict(youtube.units) == spent
    assert (report.exit, report.changed_pages, [each.kind for each in report.problems]) == (
        *(3, 60),
        [ProblemKind.LEDGER_UNREACHABLE],
    )
    message = report.problems[0].message
    assert "Cannot connect to the ledger postgresql://postgres@127.0.0.1" in message
    assert "Connection refused; check that the server runs, and that this machine reaches it" in message
    assert (ran.code, ran.document["problems"][0]["kind"]) == (3, "ledger-unreachable")
    assert is_repaired(synced, youtube)
    after = synced.sync(NOON + 2 * HOUR)
    assert (after.exit, after.answered, after.problems) == (0, 60, ())


def test_a_server_that_stops_in_the_middle_of_a_sync_ends_its_requests_and_the_next_sync_continues(
    site: Site, place: ServerAddress, postgres: PostgreSQL, youtube: Simulator
) -> None:
    many = ids(1_500, seed=4)
    site.configure(quota=f"ledger: '{place}'", youtube="connections: 1")
    for number, video in enumerate(many):
        site.put(f"content/{number}.md", crlf(video, 1, 2))

    def stop(stage: str, done: int, _: int | None) -> None:
        if stage == "ask" and done:
            postgres.stop()

    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    try:
        environment = Environment(key=KEY, clock=lambda: NOON, sleep=lambda _: None)
        report = make_sync(config, Options(), environment, Listener(progress=stop))
    finally:
        postgres.stop()
        postgres.start()
    (counted,) = rows_of(place, "SELECT sum(spent) FROM units WHERE bucket = 'stats'")[0]
    assert 0 < youtube.units["stats"] <= counted <= 20, "each unit that YouTube counted is in the ledger"
    assert (report.exit, [each.kind for each in report.problems]) == (3, [ProblemKind.LEDGER_UNREACHABLE])
    assert report.changed_pages == report.fresh
    after = site.sync(NOON)
    assert (after.exit, after.answered) == (0, 1_500 - report.fresh)


def test_a_network_that_is_cut_is_noticed_within_seconds(place: ServerAddress, proxy: Proxy) -> None:
    cut_off = through(proxy, place)
    with open_shared_ledger(cut_off, member("a", 100), NOON, writes=True) as ledger:
        assert take(ledger, 10) == 10
        proxy.network = Network.SWALLOWS
        start = time.monotonic()
        with pytest.raises(LedgerUnreachable, match="no answer for 14 s"):
            take(ledger, 10)
        with pytest.raises(LedgerUnreachable):
            take(ledger, 10)
    assert time.monotonic() - start < CUT_SECONDS
    start = time.monotonic()
    with pytest.raises(LedgerUnreachable, match="timeout"):
        look_at_ledger(cut_off, NOON.date())
    assert time.monotonic() - start < CUT_SECONDS
    with open_shared_ledger(place, member("b", 100), NOON, writes=True) as other:
        assert take(other, 100) == 90, "what it asked for was not taken, or the server has undone it"


def test_a_transaction_that_another_program_keeps_open_is_waited_for_for_ten_seconds(place: ServerAddress) -> None:
    import psycopg

    with (
        psycopg.connect(place) as program,
        open_shared_ledger(place, member("a", 100), NOON, writes=True) as ledger,
    ):
        program.execute("SELECT pg_advisory_xact_lock(1398361667)")
        with pytest.raises(LedgerUnreachable, match="locked it for more than 10 s: wait for it, or end it"):
            take(ledger, 10)
        program.rollback()
        assert take(ledger, 10) == 10, "the connection can be used again"


# --- a config that is wrong ------------------------------------------------------------------------------------------


def refused(place: ServerAddress) -> StateError:
    with pytest.raises(StateError) as caught:
        look_at_ledger(place, NOON.date())
    with pytest.raises(StateError) as again, open_shared_ledger(place, member(), NOON, writes=True):
        pass
    assert str(again.value) == str(caught.value)
    return caught.value


def test_what_no_waiting_repairs_ends_the_command_before_anything_is_done(
    synced: Site, postgres: PostgreSQL, syncer: Run
) -> None:
    pages = tree(synced.root / "content")
    for place, words in {
        postgres.address("none"): 'database "none" does not exist; check `quota.ledger`',
        postgres.address("postgres", user="none"): 'role "none" does not exist; check `quota.ledger`',
        ServerAddress(f"{postgres.address('postgres')}?colour=red"): 'invalid URI query parameter: "colour"',
        postgres.new_database(): "has no ledger yet; run `syncer fleet init`",
    }.items():
        error = refused(place)
        assert type(error) is StateError, error
        assert words in str(error)
        configure(synced, place)
        ran = syncer("sync", "--json")
        assert (ran.code, ran.document["error"]["kind"]) == (2, "state")
        assert words in ran.document["error"]["message"]
    assert tree(synced.root / "content") == pages


def test_tables_of_another_version_are_not_used(place: ServerAddress, postgres: PostgreSQL) -> None:
    from syncer.state.ledger_server import create_ledger

    assert create_ledger(place) == (2, 2), "there is nothing to do"
    for version, words in (("3", "written by a newer syncer (schema 3, this one knows 2); upgrade"), ("1", "an older")):
        postgres.execute(place, f"UPDATE syncer.meta SET value = '{version}' WHERE name = 'schema'")
        error = refused(place)
        assert type(error) is StateError
        assert words in str(error)
    postgres.execute(place, "DROP TABLE syncer.checks")
    assert create_ledger(place) == (1, 2)
    assert take_one(place) == 1
    postgres.execute(place, "UPDATE syncer.meta SET value = '3' WHERE name = 'schema'")
    with pytest.raises(StateError, match="upgrade syncer"):
        create_ledger(place)


def take_one(place: ServerAddress) -> int:
    with open_shared_ledger(place, member("a", 100), NOON, writes=True) as ledger:
        return take(ledger, 1)


def test_a_user_who_lacks_rights_is_told_which(
    place: ServerAddress, postgres: PostgreSQL, site: Site, syncer: Run
) -> None:
    name = place.rpartition("/")[2]
    theirs = postgres.address(name, user=f"user_{name}")
    postgres.execute(place, f"CREATE ROLE user_{name} LOGIN")
    assert "permission denied for schema syncer" in str(refused(theirs))
    postgres.execute(place, f"GRANT USAGE ON SCHEMA syncer TO user_{name}")
    postgres.execute(place, f"GRANT SELECT ON ALL TABLES IN SCHEMA syncer TO user_{name}")
    assert look_at_ledger(theirs, NOON.date()).sites == {}
    with pytest.raises(LedgerUnreachable, match="permission denied for table"):
        take_one(theirs)
    configure(site, theirs)
    put_pages(site)
    found = {each["name"]: each for each in syncer("check", "--offline", "--json").document["checks"]}
    assert "may not write checks, claims, meta, parked" in found["ledger"]["message"]
    postgres.execute(place, f"GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA syncer TO user_{name}")
    assert take_one(theirs) == 1


def test_values_that_syncer_does_not_store_are_not_used(place: ServerAddress, postgres: PostgreSQL) -> None:
    take_one(place)
    postgres.execute(place, "UPDATE syncer.units SET bucket = 'none'")
    with pytest.raises(LedgerUnreachable, match="values that syncer does not store"):
        take_one(place)
    postgres.execute(place, "UPDATE syncer.units SET bucket = 'stats', spent = -5")
    with (
        pytest.raises(LedgerUnreachable, match="the table units has values of the wrong type"),
        open_shared_ledger(place, member(), NOON, writes=False),
    ):
        pass


# --- passwords -------------------------------------------------------------------------------------------------------

PASSWORD = "s3cret-of-the-ledger-8Wq"


@pytest.fixture
def locked(place: ServerAddress, postgres: PostgreSQL) -> Iterator[ServerAddress]:
    """The same ledger, for a user who needs a password."""
    name = place.rpartition("/")[2]
    (rules,) = postgres.execute(place, "SHOW hba_file")[0]
    file = Path(rules)
    before = file.read_text(encoding="utf-8")
    postgres.execute(place, f"CREATE ROLE locked_{name} LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
    file.write_text(f"host all locked_{name} 127.0.0.1/32 scram-sha-256\n{before}", encoding="utf-8")
    postgres.execute(place, "SELECT pg_reload_conf()")
    yield postgres.address(name, user=f"locked_{name}")
    file.write_text(before, encoding="utf-8")
    postgres.execute(place, "SELECT pg_reload_conf()")


def test_the_password_comes_from_the_environment_a_passfile_or_a_credential_and_is_never_shown(
    locked: ServerAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("PGPASSWORD", "PGPASSFILE", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    caplog.set_level("DEBUG")
    error = refused(locked)
    assert type(error) is StateError
    assert "no password supplied" in str(error)
    assert "syncer reads the password from PGPASSWORD, ~/.pgpass or systemd's credential ledger-password" in str(error)

    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    credential = tmp_path / "ledger-password"
    credential.write_text("wrong-password\n", encoding="utf-8")
    error = refused(locked)
    assert "password authentication failed" in str(error)
    assert "wrong-password" not in f"{error!r} {error.__cause__!r} {caplog.text}"
    credential.write_text("\n", encoding="utf-8")
    assert "has no password" in str(refused(locked))
    credential.write_text(f"{PASSWORD}\n", encoding="utf-8")
    assert take_one(locked) == 1
    credential.unlink()

    passfile = tmp_path / "passfile"
    passfile.write_text(f"127.0.0.1:*:*:*:{PASSWORD}\n", encoding="utf-8")
    passfile.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    assert take_one(locked) == 1
    monkeypatch.delenv("PGPASSFILE")

    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    credential.write_text("wrong-password\n", encoding="utf-8")
    assert take_one(locked) == 1, "the environment is first, as for the API key"
    assert PASSWORD not in caplog.text


# --- what sites on several machines see ------------------------------------------------------------------------------


def test_status_check_and_plan_show_the_server_and_name_each_site_with_its_machine(
    synced: Site, place: ServerAddress, syncer: Run
) -> None:
    document = syncer("status", "--json").document["quota"]["ledger"]
    assert document["path"] == place
    assert [each["site"] for each in document["sites"]] == [f"{os.uname().nodename}:{os.path.realpath(synced.root)}"]
    assert f"1 site uses {place}: 0 of 10,000 stats units" in syncer("status").out, "today, and not on that day"
    checks = syncer("check", "--offline", "--json").document["checks"]
    assert [each["level"] for each in checks if each["name"] == "ledger"] == ["ok"]
    assert syncer("plan", "--json").code == 0


def test_a_dry_run_uses_readings_of_other_machines_and_writes_nothing_to_the_server(
    synced: Site, place: ServerAddress
) -> None:
    def stored() -> list[object]:
        tables = ("meta", "sites", "units", "parked", "refused", "claims", "readings", "checks")
        return [sorted(rows_of(place, f"SELECT * FROM {table}"), key=str) for table in tables]

    before = stored()
    (synced.state / "state.sqlite3").unlink()
    report = synced.sync(NOON + timedelta(minutes=2), Options(dry_run=True))
    assert (report.exit, report.shared, report.asked) == (0, 60, 0)
    assert stored() == before


def test_purge_deletes_what_youtube_returned_from_the_server(synced: Site, place: ServerAddress, syncer: Run) -> None:
    assert len(rows_of(place, "SELECT id FROM readings")) == 60
    assert syncer("purge", "--video", VIDEOS[0]).code == 0
    assert len(rows_of(place, "SELECT id FROM readings")) == 59
    assert syncer("purge", "--all").code == 0
    assert rows_of(place, "SELECT id FROM readings") == []


# --- syncer fleet init -----------------------------------------------------------------------------------------------


def test_fleet_init_creates_the_tables_once_and_names_no_password(
    site: Site, postgres: PostgreSQL, syncer: Run
) -> None:
    place = postgres.new_database()
    configure(site, place)
    put_pages(site)
    assert "run `syncer fleet init`" in syncer("sync").err
    assert syncer("fleet", "init").out == f"The ledger {place} was created (schema 2).\n"
    assert syncer("sync").code == 0
    assert syncer("fleet", "init", place).out == f"The ledger {place} has the newest tables (schema 2).\n"
    assert sum(spent for (spent,) in rows_of(place, "SELECT spent FROM units")) == 2, "nothing is lost"
    refused = syncer("fleet", "init", place.replace("@", f":{PASSWORD}@"))
    assert (refused.code, PASSWORD in refused.err) == (2, False)
    assert "has a password" in refused.err
    for words, says in (([], "no server is named"), (["quota.sqlite3"], "is not that of a PostgreSQL server")):
        site.configure()
        ran = syncer("fleet", "init", *words)
        assert (ran.code, says in ran.err) == (2, True)


def test_git_and_what_it_starts_do_not_see_the_password(
    synced: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    seen = tmp_path / "seen"
    program = tmp_path / "git"
    program.write_text(f'#!/bin/sh\nenv >> {seen}\nPATH=/usr/bin:/bin exec git "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert syncer("check", "--offline").code == 0
    assert "GIT_TERMINAL_PROMPT" in seen.read_text(encoding="utf-8"), "git was started"
    assert PASSWORD not in seen.read_text(encoding="utf-8")
