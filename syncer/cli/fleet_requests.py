"""What one host of a fleet asks of another: to sync a site, or to stop."""

from __future__ import annotations

import asyncio
import shlex
import time
from contextlib import closing
from typing import TYPE_CHECKING

from syncer.cli.fleet_place import fleet_place, host_name
from syncer.cli.show import show
from syncer.cli.stopping import StopSignal, stop_on_signals
from syncer.errors import DaemonEnded, LedgerUnreachable, StateError, Stopped, UsageError
from syncer.state.ledger_place import require_packages
from syncer.wording import counted, safe

if TYPE_CHECKING:
    from syncer.cli.settings import Settings
    from syncer.fleet.queue import Queue
    from syncer.model import ServerAddress
    from syncer.state.fleet import Fleet, HostRow, SyncAnswer
    from syncer.state.fleet_tables import FleetTables

LOOK_SECONDS = 0.3
"""Between two looks at what was asked for."""

OUTAGE_SECONDS = 60.0
"""How long the server may be away while a requested sync is waited for."""


def request_sync(settings: Settings, site: str, *, wait: bool) -> int:
    """Let the host that has a site sync it; return the exit code.

    Raises UsageError, StateError, Stopped, and DaemonEnded where the worker is gone meanwhile.
    """
    place = _place(settings)
    from syncer.fleet.queue import newest_migration
    from syncer.state.fleet_tables import open_fleet

    with stop_on_signals() as stopped:
        with closing(open_fleet(place)) as tables:
            tables.require_queue(newest_migration())
            host = _host_of(site, tables.look())
        answer = asyncio.run(_request(place, host, site, stopped if wait else None))
    if answer is None:
        show(f"Requested a sync of {safe(site)} on {safe(host)}. Run `syncer fleet status` to see how it went.")
        return 0
    show(f"{safe(site)}: {safe(answer.text)}")
    return answer.exit_code


def request_drain(settings: Settings, host: str | None, *, wait: bool) -> None:
    """Let the worker of a host stop once its syncs have ended. Raises UsageError, StateError and Stopped."""
    name, place = host_name(host), _place(settings)
    from syncer.state.fleet_tables import open_fleet

    with stop_on_signals() as stopped, closing(open_fleet(place)) as tables:
        if not tables.drain(name):
            raise UsageError(f"no worker runs on {name}; `syncer fleet status` lists the hosts")
        if wait and (silent := _wait_for_end(tables, name, stopped)):
            raise UsageError(
                f"the worker of {name} has been silent for {silent} s; if it is back, it stops, and you must start it"
                f" again; if the machine is lost, run `syncer fleet drain --release --host {shlex.quote(name)}`"
            )
    show(f"The worker of {safe(name)} {'has stopped' if wait else 'stops once its syncs have ended'}.")


def request_release(settings: Settings, host: str | None) -> None:
    """Forget a host, once its worker has stopped if there is one. Raises UsageError, StateError and Stopped."""
    name, place = host_name(host), _place(settings)
    from syncer.state.fleet_tables import open_fleet

    with stop_on_signals() as stopped, closing(open_fleet(place)) as tables:
        fleet = tables.look()
        sites = [row.report.site for row in fleet.sites if row.host == name]
        if not sites and all(row.host != name for row in fleet.hosts):
            raise UsageError(f"the fleet has no host called {name}; `syncer fleet status` lists the hosts")
        tables.drain(name)
        silent = _wait_for_end(tables, name, stopped)
        if not tables.release(name):
            raise UsageError(f"the worker of {name} runs again; stop it there, and repeat this")
    others = f", and other hosts may take {counted(len(sites), 'site')}: {safe(', '.join(sites))}" if sites else ""
    show(f"{safe(name)} is no longer a host of the fleet{others}.")
    if silent:
        show(f"Its worker has been silent for {silent} s. If it still runs, it joins again: stop it there.", "yellow")


def _wait_for_end(tables: FleetTables, host: str, stopped: StopSignal) -> int:
    """Wait until a worker that drains has stopped; return 0, or since how many seconds it is silent. Raises Stopped.

    One that is started after it does not drain.
    """
    while (row := _running(host, tables.look())) and row.draining:
        if row.is_silent:
            return row.silent_seconds
        if stopped.wait(LOOK_SECONDS):
            raise Stopped("stopped waiting; the worker stops once its syncs have ended")
    return 0


def _place(settings: Settings) -> ServerAddress:
    require_packages("psycopg", "procrastinate")
    return fleet_place(settings)


def _running(host: str, fleet: Fleet) -> HostRow | None:
    return next((row for row in fleet.hosts if row.host == host and row.is_running), None)


def _host_of(site: str, fleet: Fleet) -> str:
    """Return the host that is to sync a site. Raises UsageError where none can."""
    host = next((row.host for row in fleet.sites if row.report.site == site), None)
    if host is None:
        raise UsageError(f"no host of the fleet has a site called '{site}'; `syncer fleet status` lists the sites")
    running = _running(host, fleet)
    if running and not running.is_silent and not running.draining:
        return host
    if running is None:
        raise UsageError(f"{site} is a site of {host}, where no worker runs; start it there")
    if running.draining:
        raise UsageError(f"{site} is a site of {host}, whose worker drains; start it again once it has stopped")
    raise UsageError(
        f"{site} is a site of {host}, whose worker has been silent for {running.silent_seconds} s; check it"
    )


async def _request(place: ServerAddress, host: str, site: str, stopped: StopSignal | None) -> SyncAnswer | None:
    """Put a job into the queue of the host; unless `stopped` is None, wait until it is over, and return the answer.

    Raises Stopped, DaemonEnded where the worker is gone meanwhile, and StateError.
    """
    from syncer.fleet.queue import Queue
    from syncer.state.fleet_tables import open_fleet

    async with Queue.opened(place, host) as queue:
        job = await queue.defer(site, triggered=True)
    deadline = 0.0
    while stopped:
        try:
            with closing(open_fleet(place)) as tables:
                async with Queue.opened(place, host) as queue:
                    deadline = 0.0
                    return await _answer(queue, tables, host, job, stopped)
        except LedgerUnreachable as error:
            deadline = deadline or time.monotonic() + OUTAGE_SECONDS
            if time.monotonic() > deadline or stopped.wait(LOOK_SECONDS):
                raise Stopped(f"stopped waiting; the sync goes on. {error}") from error
    return None


async def _answer(queue: Queue, tables: FleetTables, host: str, job: int, stopped: StopSignal) -> SyncAnswer:
    """Wait until a job is over, and return the answer. Raises Stopped, DaemonEnded and StateError."""
    while True:
        has_ended = await queue.has_ended(job)
        if answer := tables.answer_to(job):
            return answer
        if has_ended:
            raise StateError("The worker could not say how the sync went; run `syncer fleet status` to see it")
        row = _running(host, tables.look())
        if row is None or row.is_silent:
            since = f"has been silent for {row.silent_seconds} s" if row else "has stopped"
            raise DaemonEnded(f"the worker of {host} {since}; the sync begins once it runs again")
        if stopped.is_set():
            raise Stopped("stopped waiting; the sync goes on")
        await asyncio.sleep(LOOK_SECONDS)
