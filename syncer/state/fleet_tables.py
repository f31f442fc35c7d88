"""What the hosts of a fleet know of each other: which host has which site, and how each site is.

The tables are on the PostgreSQL server of the shared ledger. All times in them are the server's, so no host's clock
counts. Of each site one host is the owner, which alone syncs it; another becomes the owner only when that host has
been silent for a day.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, fields
from typing import ClassVar, Final

from syncer.errors import StateError
from syncer.model import ServerAddress
from syncer.state.damage import YEAR_10000_SECONDS, OddValue, moment
from syncer.state.fleet import ALIVE_SECONDS, Fleet, HostRow, SiteReport, SiteRow, SyncAnswer
from syncer.state.ledger_connection import ServerConnection, connect
from syncer.state.ledger_schema import COPIED, SCHEMA
from syncer.state.ledger_server import WRITE, LedgerServer, save_meta

BEAT_SECONDS: Final = 10
"""How often a host says that it is alive."""

MOVE_SECONDS: Final = 24 * 3600
"""After so long without that, another host may take the sites of a host."""

STEADY_SECONDS: Final = 120
"""For so long a host must have said so without a break before it takes any: where the server was away for a day, or its
clock has jumped, all hosts seem to have been silent.
"""

QUEUE_SCHEMA: Final = "syncer_queue"
"""The schema of PostgreSQL that has the tables of the queue."""

MIGRATIONS: Final = (
    (
        """CREATE TABLE hosts (
            host text PRIMARY KEY,
            worker text,                  -- the process that syncs there; null: it was stopped
            seen bigint NOT NULL,         -- when it last said that it is alive
            steady bigint NOT NULL,       -- since when it has said so without a break
            draining boolean NOT NULL,    -- whether it is to end its syncs and stop
            version text NOT NULL,        -- of its syncer
            backend integer               -- the server's process for the connection of that worker
        )""",
        """CREATE TABLE fleet_sites (
            site text PRIMARY KEY,        -- its name
            host text NOT NULL,           -- the owner
            path text NOT NULL,           -- where it is there
            machine text NOT NULL,        -- what that host calls itself
            running boolean NOT NULL DEFAULT false,
            last_sync text,               -- the name of the last sync; null: there was none
            finished bigint,              -- when that ended
            exit_code integer,
            changed_counts integer,
            problems integer,
            missing integer,
            next_sync bigint,             -- when the next one begins
            late_after bigint,            -- when it is late without another good sync
            trouble text                  -- why the last attempt made no sync
        )""",
        """CREATE TABLE answers (
            job bigint PRIMARY KEY,       -- that requested a sync
            at bigint NOT NULL,
            exit_code integer NOT NULL,
            text text NOT NULL            -- how the sync went, or why there was none
        )""",
    ),
)
"""Forward only, as of the ledger."""

_NOW: Final = "CAST(extract(epoch FROM clock_timestamp()) AS bigint)"

_TABLES: Final = (*COPIED, "readings", "checks", "hosts", "fleet_sites", "answers")
_QUEUE_TABLES: Final = ("procrastinate_jobs", "procrastinate_workers", "procrastinate_events")

_TO_UPDATE: Final = "has no tables, or older ones; run `syncer fleet init`"

_REPORTED: Final = tuple(field.name for field in fields(SiteReport))
_NOW_KNOWN: Final = frozenset({"running", "next_sync", "trouble"})
"""What a report says in any case. The rest is of the last sync, and stays as it is if the report has none."""

_TIMES: Final = frozenset({"finished", "next_sync", "late_after"})
_TEXTS: Final = frozenset({"site", "last_sync", "trouble"})

_KEPT_SECONDS: Final = 24 * 3600
"""How long an answer is kept."""

_LONGEST: Final = 500
"""Characters of a text that are read: another host may have written anything."""


class FleetTables(LedgerServer):
    """The tables of a fleet, on an open connection. Every method raises StateError, and LedgerUnreachable.

    A transaction locks only the rows that it changes.
    """

    BEGIN: ClassVar = WRITE

    def require_queue(self, newest: str) -> None:
        """Raise StateError unless the tables of the queue are as the newest migration that is known here left them."""
        with self.read() as connection:
            made_by = _queue_version(connection)
        if made_by != newest:
            raise StateError(
                f"The queue of {self.place} is of another Procrastinate ({made_by}, here {newest}); upgrade syncer and"
                " Procrastinate on all machines, and run `syncer fleet init`"
            )

    def take_host(self, host: str, worker: str, version: str) -> bool:
        """Let this process be the worker of a host; return whether it is, because no other one is alive.

        One that was killed is connected no more. One that does not answer has its name for a while.
        """
        with self.transaction() as connection:
            taken = connection.execute(
                f"""INSERT INTO hosts AS h VALUES (:host, :worker, {_NOW}, {_NOW}, false, :version, pg_backend_pid())
                ON CONFLICT (host) DO UPDATE SET worker = :worker, seen = {_NOW}, version = :version,
                steady = CASE WHEN h.worker = :worker AND {_is_steady("h.seen")} THEN h.steady ELSE {_NOW} END,
                draining = h.draining AND h.worker = :worker, backend = pg_backend_pid()
                WHERE h.worker IS NULL OR h.worker = :worker OR h.seen < {_NOW} - {ALIVE_SECONDS}
                OR NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = h.backend) RETURNING 1""",
                {"host": host, "worker": worker, "version": version},
            )
            return taken.fetchone() is not None

    def beat(self, host: str, worker: str) -> bool | None:
        """Say that the worker of a host is alive; return whether it is to drain, None if it is no longer the worker."""
        with self.transaction() as connection:
            row = connection.execute(
                f"UPDATE hosts SET seen = {_NOW}, steady ="
                f" CASE WHEN {_is_steady('seen')} THEN steady ELSE {_NOW} END"
                " WHERE host = :host AND worker = :worker RETURNING draining",
                {"host": host, "worker": worker},
            ).fetchone()
            return None if row is None else bool(row[0])

    def leave(self, host: str, worker: str) -> None:
        """Say that the worker of a host has stopped. Its sites stay its own."""
        with self.transaction() as connection:
            connection.execute(
                f"UPDATE hosts SET worker = NULL, draining = false, seen = {_NOW}"
                " WHERE host = :host AND worker = :worker",
                {"host": host, "worker": worker},
            )

    def drain(self, host: str) -> bool:
        """Tell the worker of a host to end its syncs and stop; return whether there is one."""
        with self.transaction() as connection:
            row = connection.execute(
                "UPDATE hosts SET draining = true WHERE host = :host AND worker IS NOT NULL RETURNING 1",
                {"host": host},
            ).fetchone()
            return row is not None

    def release(self, host: str) -> bool:
        """Forget a host, and let its sites be any other one's, unless it has a worker; return whether that was done."""
        with self.transaction() as connection:
            connection.execute(
                f"DELETE FROM hosts WHERE host = :host AND (worker IS NULL OR seen < {_NOW} - {ALIVE_SECONDS})",
                {"host": host},
            )
            if connection.execute("SELECT FROM hosts WHERE host = :host", {"host": host}).fetchone() is not None:
                return False
            connection.execute("DELETE FROM fleet_sites WHERE host = :host", {"host": host})
            return True

    def claim(self, host: str, paths: Mapping[str, str], *, only: bool) -> Mapping[str, str]:
        """Claim sites for a host: their paths by name. Return the owners of those that another host has.

        `only`: the host has no other sites, so those that it had are forgotten.
        """
        free = f"""(NOT EXISTS (SELECT FROM hosts h WHERE h.host = s.host) OR (
            NOT EXISTS (SELECT FROM hosts h WHERE h.host = s.host AND h.seen >= {_NOW} - {MOVE_SECONDS})
            AND EXISTS (SELECT FROM hosts h WHERE h.host = :host AND h.steady <= {_NOW} - {STEADY_SECONDS})))"""
        machine = socket.gethostname()
        with self.transaction() as connection:
            rows = connection.execute(
                f"SELECT site, host, path, machine, {free} FROM fleet_sites s"
                f" WHERE host = :host OR site IN ({self.LISTED})",
                {"host": host, "list": json.dumps(list(paths))},
            ).fetchall()
            own = {site: (path, there) for site, owner, path, there, _ in rows if owner == host}
            others = {site: owner for site, owner, _, _, is_free in rows if owner != host and not is_free}
            for site, path in sorted(paths.items()):  # sorted: two hosts lock rows in the same order
                if site in others or own.get(site) == (path, machine):
                    continue
                taken = connection.execute(
                    f"""INSERT INTO fleet_sites AS s (site, host, path, machine)
                    VALUES (:site, :host, :path, :machine)
                    ON CONFLICT (site) DO UPDATE SET host = :host, path = :path, machine = :machine
                    WHERE s.host = :host OR {free} RETURNING 1""",
                    {"site": site, "host": host, "path": path, "machine": machine},
                ).fetchone()
                if not taken:  # meanwhile
                    others[site] = "another host"
            if only and (gone := own.keys() - paths.keys()):
                connection.execute(
                    f"DELETE FROM fleet_sites WHERE host = :host AND site IN ({self.LISTED})",
                    {"host": host, "list": json.dumps(list(gone))},
                )
        return others

    def report(self, host: str, reports: Iterable[SiteReport]) -> None:
        """Say how sites are, of those that the host owns."""
        values = ", ".join(
            f"{name} = {new}" if name in _NOW_KNOWN else f"{name} = coalesce({new}, {name})"
            for name in _REPORTED
            for new in [f"{_NOW} + CAST(:{name} AS bigint)" if name in _TIMES else f":{name}"]
        )
        with self.transaction() as connection:
            connection.executemany(
                f"UPDATE fleet_sites SET {values} WHERE site = :site AND host = :host",
                [{**asdict(report), "host": host} for report in sorted(reports, key=lambda report: report.site)],
            )

    def answer(self, job: int, answer: SyncAnswer) -> None:
        """Say what became of the sync that a job requested."""
        with self.transaction() as connection:
            connection.execute(f"DELETE FROM answers WHERE at < {_NOW} - {_KEPT_SECONDS}")
            connection.execute(
                f"""INSERT INTO answers VALUES (:job, {_NOW}, :exit_code, :text)
                ON CONFLICT (job) DO UPDATE SET at = {_NOW}, exit_code = :exit_code, text = :text""",
                {"job": job, **asdict(answer)},
            )

    def answer_to(self, job: int) -> SyncAnswer | None:
        """Return what became of the sync that a job requested; None if nobody has said."""
        with self.read() as connection:
            row = connection.execute(
                f"SELECT exit_code, {_bounded('text')} FROM answers WHERE job = :job", {"job": job}
            ).fetchone()
        return None if row is None else SyncAnswer(*row)

    def look(self) -> Fleet:
        """Return all hosts and sites."""
        reported = ", ".join(
            _seconds_until(name) if name in _TIMES else _bounded(name) if name in _TEXTS else name for name in _REPORTED
        )
        with self.read() as connection:
            ((at,),) = connection.execute(f"SELECT {_NOW}").fetchall()
            hosts = connection.execute(
                f"SELECT {_bounded('host')}, worker IS NOT NULL, -({_seconds_until('seen')}), draining,"
                f" {_bounded('version')} FROM hosts ORDER BY host"
            ).fetchall()
            sites = connection.execute(
                f"SELECT {_bounded('host')}, {_bounded('path')}, {reported} FROM fleet_sites ORDER BY site"
            ).fetchall()
        return Fleet(
            moment(at),
            [HostRow(*row) for row in hosts],
            [SiteRow(host, path, SiteReport(*row)) for host, path, *row in sites],
        )


def open_fleet(place: ServerAddress) -> FleetTables:
    """Connect to the tables of a fleet. Raises StateError where they are missing or newer, and LedgerUnreachable."""
    tables = FleetTables(connect(place), place)
    try:
        with tables.read() as connection:
            _require_version(_version(connection), place)
    except BaseException:
        tables.close()
        raise
    return tables


def find_other_owner(place: ServerAddress, site: str, path: str) -> str | None:
    """Return the host that has a site, unless it has it at this path of this machine.

    None also if no host has it, or if the server has a ledger but no fleet. Raises StateError as `open_fleet`.
    """
    with closing(FleetTables(connect(place), place)) as tables, tables.read() as connection:
        if not (version := _version(connection)):
            return None
        _require_version(version, place)
        row = connection.execute(
            "SELECT host FROM fleet_sites WHERE site = :site AND (machine, path) <> (:machine, :path)",
            {"site": site, "machine": socket.gethostname(), "path": path},
        ).fetchone()
        return None if row is None else str(row[0])


def create_fleet(place: ServerAddress, queue: str, migrations: Sequence[tuple[str, str]]) -> bool:
    """Create the tables of a fleet beside those of the ledger, or update them; return whether that changed anything.

    `queue` is a script that makes the tables of the queue as they are now; `migrations` led to them, by their names.
    Raises StateError.
    """
    with closing(FleetTables(connect(place), place)) as tables, tables.transaction() as connection:
        connection.execute("LOCK TABLE meta")
        if (version := _version(connection)) > len(MIGRATIONS):
            _require_version(version, place)
        statements = [statement for migration in MIGRATIONS[version:] for statement in migration]
        for statement in statements:
            connection.execute(statement)
        save_meta(connection, "fleet", str(len(MIGRATIONS)))
        has_changed = _update_queue(connection, place, queue, migrations) or bool(statements)
        _require_tables(connection, place)
        return has_changed


def _update_queue(
    connection: ServerConnection, place: ServerAddress, queue: str, migrations: Sequence[tuple[str, str]]
) -> bool:
    """Return whether that changed anything. Raises StateError."""
    names = [name for name, _ in migrations]
    made_by = _queue_version(connection)
    if made_by is None:
        connection.execute(f"CREATE SCHEMA {QUEUE_SCHEMA}")
        scripts = [queue]
    elif made_by in names:
        scripts = [script for _, script in migrations[names.index(made_by) + 1 :]]
    else:
        raise StateError(f"The queue of {place} was made by a newer Procrastinate ({made_by}); upgrade syncer and that")
    connection.execute(f"SET LOCAL search_path = {QUEUE_SCHEMA}")
    for script in scripts:
        connection.run(script)
    connection.execute(f"SET LOCAL search_path = {SCHEMA}")
    save_meta(connection, "queue", names[-1])
    return bool(scripts)


def _queue_version(connection: ServerConnection) -> str | None:
    """Return the name of the migration that the tables of the queue have; None if there are none."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'queue'").fetchone()
    return None if row is None else str(row[0])


def _require_tables(connection: ServerConnection, place: ServerAddress) -> None:
    """Raise StateError where one of the tables is not there, though all were created."""
    names = [f"{SCHEMA}.{name}" for name in _TABLES] + [f"{QUEUE_SCHEMA}.{name}" for name in _QUEUE_TABLES]
    rows = connection.execute(
        "SELECT name FROM json_array_elements_text(CAST(:list AS json)) AS name WHERE to_regclass(name) IS NULL",
        {"list": json.dumps(names)},
    ).fetchall()
    if rows:
        raise StateError(
            f"The ledger {place} lacks {', '.join(name for (name,) in rows)}, which somebody removed; use an empty"
            " database: nothing in this one is worth keeping"
        )


def _seconds_until(time: str) -> str:
    """Return the SQL for the seconds from now to the time in a column, whatever number that is."""
    return f"CASE WHEN {time} IS NOT NULL THEN least(greatest({time}, 0), {YEAR_10000_SECONDS - 1}) - {_NOW} END"


def _is_steady(seen: str) -> str:
    """Return the SQL for whether a heartbeat follows the one at the time in a column without a break."""
    return f"abs({_NOW} - {seen}) <= {ALIVE_SECONDS}"


def _bounded(text: str) -> str:
    return f"left({text}, {_LONGEST})"


def _require_version(version: int, place: ServerAddress) -> None:
    if version != len(MIGRATIONS):
        what = "was written by a newer syncer; upgrade syncer" if version > len(MIGRATIONS) else _TO_UPDATE
        raise StateError(f"The fleet of {place} {what}")


def _version(connection: ServerConnection) -> int:
    """Return the number of the schema of the tables; 0 if there are none. Raises OddValue."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'fleet'").fetchone()
    if row is None:
        return 0
    if not row[0].isdecimal():
        raise OddValue("the schema of its fleet has no number")
    return int(row[0])
