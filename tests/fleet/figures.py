"""Measures what a worker of a fleet costs: memory and queries while it idles, and what a job adds to a sync."""

from __future__ import annotations

import os
import re
import signal
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from syncer.model import ServerAddress
from syncer.simulator.server import Simulator
from tests.daemon_process import Daemon
from tests.forks import run
from tests.postgres import PostgreSQL
from tests.several import Sites
from tests.site import KEY
from tests.waiting import until

SITES = 17
JOBS = 8
SPEED = 20
"""How many times faster than usual an idle worker works while its queries are counted."""

LOGGED: Mapping[str, str] = {
    "logging_collector": "on",
    "log_filename": "server.log",
    "log_statement": "all",
    "log_line_prefix": "%c|",
}
"""The settings of a server whose queries can be counted."""

STATEMENT = re.compile(r"^([0-9a-f.]+)\|LOG:  (?:statement|execute .*?): (.*)", re.MULTILINE)

FASTER = f"""
from tests.fleet import hurry
modules = hurry.load_all()
for name in ("BEAT_SECONDS", "FETCH_SECONDS"):
    module = next(each for each in modules if name in vars(each))
    hurry.shorten(modules, {{name: vars(module)[name] / {SPEED}}})
hurry.hurry_queue(10 / {SPEED})
"""

TIMED = """
import sys, time
from syncer.daemon.turns import Turns
due, run = Turns._do_submit_job, Turns._run
def timed_due(self, job, times):
    print(f"due {time.time()}", file=sys.stderr, flush=True)
    due(self, job, times)
def timed_run(self, *turn):
    began = time.time()
    run(self, *turn)
    print(f"ran {time.time() - began}", file=sys.stderr, flush=True)
Turns._do_submit_job, Turns._run = timed_due, timed_run
"""


@dataclass(frozen=True)
class Figures:
    """What a worker with seventeen sites costs."""

    idle_mb: float
    idle_queries: Mapping[str, float]
    """In a minute: of the queue, and of the tables of fleet and ledger. A transaction has at least three."""
    job_queries: Mapping[str, float]
    """Those of its sync, which requests nothing, and of the beat after it included."""
    job_seconds: Sequence[float]
    """What each job took, but for its sync."""

    def lines(self) -> Sequence[str]:
        """Return the figures, with their bars where the project has any."""
        fastest, median = min(self.job_seconds) * 1000, statistics.median(self.job_seconds) * 1000
        return [
            f"Memory of an idle worker with {SITES} sites: {self.idle_mb:.0f} MB (bar: 80)",
            f"Queries of an idle worker in a minute: {_listed(self.idle_queries)}",
            f"Queries of a job: {_listed(self.job_queries)}",
            f"A job adds to its sync: {median:.0f} ms (median; fastest {fastest:.0f}; bar: 50)",
        ]


def measure(directory: Path, postgres: PostgreSQL, youtube: Simulator) -> Figures:
    """Run a worker with seventeen sites, at first with nothing to do. The server must have the settings `LOGGED`."""
    place = postgres.new_database()
    done = run("-m", "syncer", "fleet", "init", place)
    assert done.returncode == 0, done.stderr
    sites = Sites(directory, youtube.url)
    for number in range(SITES):
        _add(sites, number, place)
    options = ["-c", str(sites.folder), "sync", "-q"]
    assert run("-m", "syncer", *options, env={**os.environ, "YOUTUBE_API_KEY": KEY}).returncode == 0
    with _worker(sites, first="", forked=False) as worker:
        worker.until("In the fleet")
        until(lambda: sum("Next sync at" in line for line in worker.lines) == SITES, 0.05)
        memory = _megabytes(worker.process.pid)
        _end(worker)
    with _worker(sites, first=FASTER) as worker:
        worker.until("In the fleet")
        until(lambda: sum("Next sync at" in line for line in worker.lines) == SITES, 0.05)
        with _Counted(postgres) as idle:
            time.sleep(60 / SPEED)  # a minute of such a worker
        _end(worker)
    _configure(sites, 0, place, every="1s")
    with _worker(sites, first=TIMED) as worker:
        worker.until("In the fleet")
        worker.until("ran ")
        with _Counted(postgres) as busy:
            began, before = time.monotonic(), len(worker.lines)
            until(lambda: sum("ran " in line for line in worker.lines[before:]) == JOBS, 0.005)
            minutes = (time.monotonic() - began) / 60
        _end(worker)
    added = _added(postgres, place, worker.lines)
    a_job = {kind: (number - idle.queries[kind] * minutes) / JOBS for kind, number in busy.queries.items()}
    return Figures(memory, idle.queries, a_job, added)


class _Counted:
    """Counts the queries that a server gets while a block runs."""

    def __init__(self, postgres: PostgreSQL) -> None:
        self._log = postgres.data / "log" / "server.log"
        self.queries: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._before = len(self._log.read_bytes())
        return self

    def __exit__(self, *_: object) -> None:
        text = self._log.read_bytes()
        of_queue = {s for s, query in STATEMENT.findall(text.decode()) if "procrastinate" in query}
        for session, _query in STATEMENT.findall(text[self._before :].decode()):
            self.queries["queue" if session in of_queue else "fleet and ledger"] += 1


def _worker(sites: Sites, *, first: str, forked: bool = True) -> Daemon:
    name = next(iter(sites.folder.iterdir())).stem
    return Daemon(
        sites[name],
        first=first,
        forked=forked,
        config=sites.folder,
        command=("fleet", "worker"),
        arguments=("--host", "a"),
    )


def _end(worker: Daemon) -> None:
    """Let it leave the fleet, so that the next one can have its name at once."""
    worker.send(signal.SIGTERM)
    assert worker.ended()[0] == 0, worker.lines[-1]


def _add(sites: Sites, number: int, place: ServerAddress) -> None:
    sites.add(f"site-{number:02}", pages=6, **_sections(place, "900h"))


def _configure(sites: Sites, number: int, place: ServerAddress, every: str) -> None:
    sites.configure(f"site-{number:02}", **_sections(place, every))


def _sections(place: ServerAddress, every: str) -> Mapping[str, str]:
    return {"schedule": f"every: {every}, jitter: 0s", "quota": f"ledger: '{place}'"}


def _megabytes(pid: int) -> float:
    text = Path(f"/proc/{pid}/statm").read_text(encoding="ascii")
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _added(postgres: PostgreSQL, place: ServerAddress, lines: Sequence[str]) -> Sequence[float]:
    """Return what each job took from when its sync was due until the queue knew that it had ended, but for the sync."""
    lines = lines[next(number for number, line in enumerate(lines) if "In the fleet" in line) :]
    due = [float(line.split()[1]) for line in lines if line.startswith("due ")]
    ran = [float(line.split()[1]) for line in lines if line.startswith("ran ")]
    ended = postgres.execute(
        place,
        "SELECT CAST(extract(epoch FROM at) AS float8) FROM syncer_queue.procrastinate_events"
        f" WHERE type = 'succeeded' AND at > to_timestamp({due[0]}) ORDER BY at",
    )
    return [at - began - took for (at,), began, took in zip(ended, due, ran, strict=False)][:JOBS]


def _listed(queries: Mapping[str, float]) -> str:
    return ", ".join(f"{number:.0f} ({kind})" for kind, number in sorted(queries.items()))
