"""`./dev fleet`: three workers sync twenty sites, one of them is killed, and a table shows that every promise holds."""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from tests.fleet.figures import LOGGED, measure
from tests.fleet.ground import HOSTS, FleetGround, host_of
from tests.fleet.workers import Workers
from tests.forks import run, stop
from tests.many_sites.ground import SiteGround, new_youtube
from tests.many_sites.judges import right_pages, spent_units, wrong_on_disk, wrong_units
from tests.postgres import PostgreSQL, running_postgres

SITES, PAGES, EVERY = 20, 6, 5
UNITS = 500
"""Of each bucket that all sites may use together in a day."""
KILLED, CALLER = "b", "a"
PATIENCE_SECONDS = 60.0
_PAUSE = threading.Event()


class Show:
    """What a viewer sees, from `run` to the table."""

    def __init__(self, ground: FleetGround) -> None:
        self._ground = ground
        self._workers = Workers(ground)
        self._began = time.monotonic()
        self.wrong: list[str] = []

    def run(self) -> None:
        """Let everything happen, and judge it."""
        ground = self._ground
        ground.make()
        for name, site in ground.sites.items():
            ground.quotas[name] = replace(site.quota, units=UNITS)
        place = ground.postgres.new_database()
        self._say(f"$ syncer fleet init {place}")
        self._say(f"  {ground.join(place).strip()}")
        with ExitStack() as stack:
            stack.callback(self._workers.kill)
            self._workers.start()
            self._say(f"The workers of {', '.join(HOSTS)} have started. All sites are due.")
            self._kill()
            self._wait("every site has been synced", lambda: not set(ground.sites) - self._good_since(self._began))
            self._say("Every site has been synced.")
            ground.youtube.clock.advance(timedelta(hours=3))
            changed = time.monotonic()
            self._say("On YouTube, three hours pass: all counts grow.")
            self._sync_from_elsewhere()
            self._wait("every site shows the new counts", lambda: not any(self._workers.unsettled(changed)))
            self._say("Every site has been synced twice since then.")
            self.wrong += self._workers.stop()
            self._say("The workers have stopped.")
        self.wrong += wrong_on_disk(ground)
        self.wrong += wrong_units(ground, list(ground.sites.values()), UNITS)

    def table(self) -> Table:
        """Return what each host did."""
        jobs, twice = self._jobs()
        table = Table()
        for name in ("host", "sites", "jobs done", "run twice", "pages right", "log lines"):
            table.add_column(name, justify="left" if name == "host" else "right")
        for host in HOSTS:
            sites = [site for site in self._ground.sites.values() if host_of(site.name) == host]
            pages, right = sum(len(site.sheets) for site in sites), sum(right_pages(self._ground, s) for s in sites)
            lines = sum(map(_log_lines, sites))
            table.add_row(host, *map(str, (len(sites), jobs[host], twice[host], f"{right} of {pages}", lines)))
            if right != pages:
                self.wrong.append(f"{pages - right} pages of {host} do not show what YouTube returns")
        return table

    def units(self) -> str:
        """Return what the project used of its units."""
        units = spent_units(self._ground, self._ground.sites.values())
        return ", ".join(f"{number} of {UNITS} ({bucket})" for bucket, number in units.items())

    def _kill(self) -> None:
        """Kill a worker while one of its sites waits for YouTube's response; start it again two seconds later."""
        keys = {site.key: site.name for site in self._ground.sites.values() if host_of(site.name) == KILLED}

        def requested() -> Sequence[str]:
            return [keys[seen.key] for seen in self._ground.youtube.accounts.requests if seen.key in keys]

        self._wait(f"a site of {KILLED} sends a request", lambda: len(requested()) > 2)
        self._workers.of[KILLED].kill()
        killed = time.monotonic()
        site = self._ground.sites[requested()[-1]]
        self._say(f"kill -9: the worker of {KILLED}, in the middle of the sync of {site.name}.")
        path = min(site.sheets)
        site.sheets[path].end += b"And another line.\r\n"
        site.save(path)
        self._say(f"The author of {site.name} edits {path}.")
        self._wait("two seconds pass", lambda: time.monotonic() > killed + 2)
        self._workers.of[KILLED].start()
        self._say(f"The worker of {KILLED} has been started again.")

    def _sync_from_elsewhere(self) -> None:
        site = next(name for name in self._ground.sites if host_of(name) == "c")
        self._say(f"$ syncer fleet sync {site}   (on {CALLER}; {site} is on c)")
        done = run(*self._ground.PROGRAM, "-c", str(self._ground.folder_of(CALLER)), "fleet", "sync", site)
        self._say(f"  {done.stdout.strip() or done.stderr.strip()}")
        if done.returncode != 0:
            self.wrong.append(f"`syncer fleet sync` ended with {done.returncode}: {done.stderr.strip()}")

    def _good_since(self, moment: float) -> set[str]:
        return {sync.site for sync in self._workers.syncs() if sync.exit == 0 and sync.began >= moment}

    def _wait(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait until something is so. Raises AssertionError if it does not come, or a worker ends."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            for worker in self._workers:
                if (code := worker.look()) is not None:
                    raise AssertionError(f"The worker of {worker.host} has ended with {code}")
            assert time.monotonic() < end, f"Waited {PATIENCE_SECONDS:g} seconds until {what}, in vain"
            _PAUSE.wait(0.002)

    def _jobs(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Return how many jobs of each host are done, and how many were begun more than once."""
        assert self._ground.place, "it was joined"
        rows = self._ground.postgres.execute(
            self._ground.place,
            "SELECT queue_name, (SELECT count(*) FROM syncer_queue.procrastinate_events e WHERE e.job_id = j.id"
            " AND e.type = 'started') FROM syncer_queue.procrastinate_jobs j WHERE status = 'succeeded'",
        )
        return Counter(host for host, _ in rows), Counter(host for host, starts in rows if starts > 1)

    def _say(self, what: str) -> None:
        print(f"{time.monotonic() - self._began:5.1f} s  {what}", flush=True)


def main() -> int:
    """Run the show. Returns 1 where a promise was broken, or there is no database."""
    parser = argparse.ArgumentParser(prog="./dev fleet", description=__doc__)
    parser.add_argument("--figures", action="store_true", help="measure what a worker costs instead (Linux only)")
    figures = parser.parse_args().figures
    try:
        with (
            running_postgres(LOGGED if figures else {}) as postgres,
            tempfile.TemporaryDirectory(prefix="syncer-fleet-") as directory,
        ):
            if figures:
                with Simulator(World()) as youtube:
                    print(*measure(Path(directory), postgres, youtube).lines(), sep="\n")
                return 0
            return _run(Path(directory), postgres)
    except pytest.skip.Exception as reason:
        print(f"dev: no fleet: {reason}", file=sys.stderr)
        return 1
    finally:
        stop()


def _run(directory: Path, postgres: PostgreSQL) -> int:
    with (
        new_youtube() as youtube,
        closing(FleetGround(directory, SITES, PAGES, youtube, EVERY, postgres, all_in_git=True)) as ground,
    ):
        print(f"{len(HOSTS)} hosts, {SITES} sites of {PAGES} pages in git, PostgreSQL, and a local YouTube.")
        print("What usually takes half a minute, such as noticing a dead host, takes seconds here.\n")
        show = Show(ground)
        try:
            show.run()
        except AssertionError as error:
            show.wrong.append(str(error))
        print()
        Console().print(show.table())
        print("A job may run twice; a change is in a diff log once.")
        print(f"Units of the project: {show.units()}.")
    for sentence in show.wrong[:50]:
        print(f"BROKEN: {sentence[:1000]}")
    print("\nEvery promise holds." if not show.wrong else f"\nBroken promises: {len(show.wrong)}.")
    return 1 if show.wrong else 0


def _log_lines(site: SiteGround) -> int:
    log = site.root / ".syncer" / "diff.jsonl"
    return len(log.read_bytes().splitlines()) if log.exists() else 0


if __name__ == "__main__":
    sys.exit(main())
