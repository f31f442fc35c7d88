"""Hosts of a fleet, each with a worker of its own, and one PostgreSQL server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

from syncer.model import ServerAddress
from syncer.simulator.server import Simulator
from tests.daemon_process import Daemon
from tests.forks import run
from tests.ledgers import rows_of
from tests.postgres import PostgreSQL
from tests.remotes import cloned, remote_of
from tests.repository import Repository, in_git
from tests.shared_daemon import HASTY, OFTEN, OneOfMany, make_site
from tests.site import KEY, Site, counts, crlf, ids

QUICKLY = f"""{HASTY}
from syncer.fleet import worker
worker.BEAT_SECONDS = worker.RETRY_SECONDS = 0.2
worker.WAIT_SECONDS = 2.0
worker.GIVE_UP_SECONDS = 0.0
from syncer.state import fleet_tables
fleet_tables.STEADY_SECONDS = 0
"""
"""A worker that speaks to the server five times a second, and takes over at once what a silent host had."""

AFTER_A_KILL = f"{QUICKLY}fleet_tables.ALIVE_SECONDS = 0\n"
"""One that also takes its name back at once from one that was killed."""

JOBS = "SELECT args->>'site', status::text FROM syncer_queue.procrastinate_jobs ORDER BY id"


@dataclass(frozen=True)
class Fleet:
    """The hosts of one server, each with a directory of configs."""

    directory: Path
    youtube: Simulator
    place: ServerAddress

    def site(self, host: str, name: str, *, schedule: str = OFTEN, place: ServerAddress | None = None) -> OneOfMany:
        """Makes a site of a host, with two pages."""
        configs = self.directory / host / "sites.d"
        configs.mkdir(parents=True, exist_ok=True)
        site = make_site(self.directory / host / name, self.youtube.url, configs, 2, schedule)
        self.configure(site, schedule=schedule, place=place)
        return site

    def configure(
        self, site: OneOfMany, *, schedule: str = OFTEN, place: ServerAddress | None = None, **sections: str
    ) -> None:
        site.configure(name=site.root.name, schedule=schedule, quota=f'ledger: "{place or self.place}"', **sections)

    def git_site(self, host: str, name: str, remote: Repository) -> OneOfMany:
        """Makes the config of a site that is only in git, on one of the hosts that may sync it."""
        configs = self.directory / host / "sites.d"
        configs.mkdir(parents=True, exist_ok=True)
        site = OneOfMany(self.directory / host / name, self.youtube.url, configs)
        git = f'commit: true, push: true, author: "Counts <c@example.org>", remote: "file://{remote.top}"'
        self.configure(site, git=git)
        shutil.rmtree(site.root)
        return site

    def worker(
        self, host: str, *, first: str = QUICKLY, name: str | None = None, options: Sequence[str] = ()
    ) -> Daemon:
        configs = self.directory / host / "sites.d"
        site = OneOfMany(self.directory / host, self.youtube.url, configs)
        return Daemon(
            site, first=first, config=configs, environment={"XDG_RUNTIME_DIR": ""},
            command=["fleet", "worker", "--host", name or host, *options],
        )  # fmt: skip

    def command(self, host: str, *words: str) -> CompletedProcess[str]:
        configs = self.directory / host / "sites.d"
        return run("-m", "syncer", "-c", str(configs), "fleet", *words, env={**os.environ, "YOUTUBE_API_KEY": KEY})

    def rows(self, query: str) -> Sequence[tuple[object, ...]]:
        found: Sequence[tuple[object, ...]] = rows_of(self.place, query)
        return found

    def jobs(self, status: str) -> Sequence[str]:
        """The sites of the jobs in this state."""
        return [str(site) for site, state in self.rows(JOBS) if state == status]

    def change(self, postgres: PostgreSQL, sql: str) -> None:
        postgres.execute(self.place, sql)


def published(fleet: Fleet, room: Path) -> tuple[Repository, Repository]:
    """Makes a repository with two pages that everybody pushes to, and an author's clone of it."""
    site = Site(room / "first", fleet.youtube.url)
    (site.root / "content" / "lists").mkdir(parents=True)
    for video in ids(2):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    (site.root / "content/lists/.keep").touch()
    repository = in_git(site)
    remote = remote_of(repository, room)
    return remote, cloned(remote, room / "author")


def is_right(site: OneOfMany, youtube: Simulator) -> bool:
    """Whether all its pages show what YouTube says."""
    return all(
        (site.root / f"content/{video}.md").read_bytes() == crlf(video, *counts(youtube, video)) for video in ids(2)
    )


def slowly(gate: Path) -> str:
    """A worker whose syncs that write something end when this file is there; until then `waits` is beside it."""
    return f"""{QUICKLY}
import time
from pathlib import Path
from syncer.sync import write
real = write.mark_done
def wait(*arguments, **named):
    Path({str(gate)!r}).with_name("waits").touch()
    while not Path({str(gate)!r}).exists():
        time.sleep(0.01)
    return real(*arguments, **named)
write.mark_done = wait
"""
