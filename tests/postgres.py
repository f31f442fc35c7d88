"""Starts a PostgreSQL of the tests' own, on a free port of the loopback interface, and makes ledgers on it.

Its program is that of Debian's package `postgresql`, or that of pip's `pgserver`. It refuses to run as root, so root
starts it as another user.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from syncer.model import ServerAddress
from tests.ports import free_port
from tests.waiting import until

OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "shared_buffers": "16MB",
    "max_connections": "200",
    "autovacuum": "off",
    "authentication_timeout": "5s",
    "lc_messages": "C",
}

NO_OPTIONS: Mapping[str, str] = {}

_numbers = count()


class PostgreSQL:
    """A server with a directory of its own, which can be stopped and started again."""

    def __init__(self, programs: Path, directory: Path, user: str | None, more: Mapping[str, str]) -> None:
        """`more`: other settings than those of `OPTIONS`."""
        self._programs, self.data, self._user = programs, directory / "data", user
        self._options = {**OPTIONS, **more}
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        made = self._run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync")
        assert made.wait() == 0, made.args

    def start(self) -> None:
        options = [word for name, value in self._options.items() for word in ("-c", f"{name}={value}")]
        self._process = self._run("postgres", "-D", self.data, "-p", str(self.port), *options)
        until(self._answers, 0.05)

    def stop(self, number: int = signal.SIGINT) -> None:
        """Ends it, and its connections at once."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def send(self, number: int) -> None:
        """Sends a signal to all its processes."""
        assert self._process, "it was started"
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], check=True, capture_output=True, text=True).stdout
        pairs = [line.split() for line in listed.splitlines()]
        for pid in [self._process.pid, *(int(pid) for pid, parent in pairs if int(parent) == self._process.pid)]:
            with suppress(ProcessLookupError):  # one that has ended meanwhile
                os.kill(pid, number)

    def address(self, database: str, user: str = "postgres", port: int | None = None) -> ServerAddress:
        return ServerAddress(f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}")

    def execute(self, place: ServerAddress, sql: str) -> list[Any]:
        """Runs one statement; returns its rows, if it has any."""
        import psycopg

        with closing(psycopg.connect(place, autocommit=True)) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def new_database(self) -> ServerAddress:
        name = f"ledger_{next(_numbers)}"
        self.execute(self.address("postgres"), f"CREATE DATABASE {name}")
        return self.address(name)

    def new_ledger(self) -> ServerAddress:
        from syncer.state.ledger_server import create_ledger

        place = self.new_database()
        create_ledger(place)
        return place

    def new_fleet(self) -> ServerAddress:
        pytest.importorskip("procrastinate", reason="a fleet needs it: pip install -r requirements-fleet.lock")
        from syncer.fleet.queue import migrations, schema
        from syncer.state.fleet_tables import create_fleet

        place = self.new_ledger()
        create_fleet(place, schema(), migrations())
        return place

    def _run(self, program: str, *words: str | Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [self._programs / program, *words], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, user=self._user, group=pwd.getpwnam(self._user).pw_gid if self._user else None,
            extra_groups=[] if self._user else None, env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        )  # fmt: skip

    def _answers(self) -> bool:
        import psycopg

        assert self._process, "it was started"
        assert self._process.poll() is None, "PostgreSQL ended"
        try:
            psycopg.connect(self.address("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@cache
def programs() -> Path | None:
    """The directory of PostgreSQL's programs; None if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    package = find_spec("pgserver")
    if package and package.origin:
        found.insert(0, Path(package.origin).parent / "pginstall" / "bin" / "postgres")
    if there := shutil.which("postgres"):
        found.append(Path(there))
    return found[-1].parent if found else None


@contextmanager
def running_postgres(more: Mapping[str, str] = NO_OPTIONS) -> Iterator[PostgreSQL]:
    """Gives a server that is running, perhaps with more settings; skips the test where none can be had."""
    pytest.importorskip("psycopg", reason="a ledger on a server needs psycopg: pip install -r requirements-fleet.lock")
    place = programs()
    if place is None:
        pytest.skip("there is no PostgreSQL: apt-get install postgresql, or pip install pgserver")
    user = None if os.geteuid() else _other_user()
    directory = Path(tempfile.mkdtemp(prefix="syncer-postgres-"))
    try:
        if user:
            shutil.chown(directory, user)
        server = PostgreSQL(place, directory, user, more)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)  # nothing of it is needed any more
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _other_user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


NewLedger = Callable[[], "Path | ServerAddress"]
"""Gives the place of a ledger that nobody has used."""
