"""The queue of a fleet: jobs in PostgreSQL, kept by Procrastinate (https://procrastinate.readthedocs.io).

A job is `sync(site)`. Each host has a queue, which its worker alone reads. There, a site has one lock: of its jobs only
one is in hand at a time. A job may be repeated at will: the site's state decides what is left to do.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Protocol

from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, ProcrastinateException, UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.schema import SchemaManager

from syncer.errors import LedgerUnreachable
from syncer.model import ServerAddress
from syncer.state.fleet_tables import QUEUE_SCHEMA
from syncer.state.ledger_connection import (
    IDLE_SECONDS,
    LOCK_SECONDS,
    STATEMENT_SECONDS,
    connection_options,
    explained,
    with_settings,
)
from syncer.wording import safe

UNDEFINED_TABLE: Final = "42P01"
"""PostgreSQL's code (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""

TASK: Final = "sync"

LONGEST_QUEUE: Final = 40
"""Bytes of a queue's name: with a prefix it names a channel of PostgreSQL, whose names have 63."""

DEFER_TRIES: Final = 3
"""How often a job is put into the queue: the same one may just have begun."""

FETCH_SECONDS: Final = 5.0
"""How often a worker looks for jobs that it got no notice of: they waited for the lock of their site."""

STALLED_SECONDS: Final = 30.0
"""After so long without a heartbeat, Procrastinate forgets a worker."""

SHUTDOWN_SECONDS: Final = 2.0
"""How long the jobs in hand have to end when the worker stops."""

KEPT_HOURS: Final = 7 * 24
"""How long the tables of the queue keep a job that has ended."""

AT_ONCE: Final = datetime.fromtimestamp(0, UTC)
"""When a job is repeated: before now by the server's clock, whatever this machine's says."""

log = logging.getLogger("syncer.daemon")

_WAITS_ALREADY: Final = (AlreadyEnqueued, UniqueViolation, AssertionError)
"""Raised where the same job waits. Procrastinate reads why in the server's message; an assertion fails if that is not
English.
"""

SyncSite = Callable[[str, int | None], Awaitable[None]]
"""Syncs a site, and returns when the sync has ended; the second is the number of the job if somebody requested it."""


class _IfCancelled(BaseRetryStrategy):
    """Repeats a job in hand when its worker stops: the next one does it."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:  # noqa: ARG002
        return RetryDecision(retry_at=AT_ONCE) if isinstance(exception, asyncio.CancelledError) else None


class _Connection(Protocol):
    @property
    def closed(self) -> bool: ...
    def fileno(self) -> int: ...


class Queue:
    """The queue of one host, on an open connection."""

    def __init__(self, app: App, host: str) -> None:
        self._app = app
        self._name = name_of(host)
        self._connections: list[_Connection] = []
        self._in_hand: set[int | None] = set()
        """The numbers of the jobs that are being done."""
        self._suspects: set[int] = set()
        """Those that were not at the last look, though the server says so."""

    @classmethod
    @asynccontextmanager
    async def opened(cls, place: ServerAddress, host: str) -> AsyncIterator[Queue]:
        """Yield the queue; close its connections in the end. Raises StateError, also where the block loses it."""
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)  # what fails is logged as syncer's own
        logging.getLogger("psycopg").setLevel(logging.CRITICAL)
        asyncio.get_running_loop().set_exception_handler(_ignore_lost_server)
        connections: list[_Connection] = []

        async def configure(connection: _Connection) -> None:
            connections[:] = [*(each for each in connections if not each.closed), connection]

        settings = {
            "search_path": QUEUE_SCHEMA,
            "lock_timeout": f"{LOCK_SECONDS}s",
            "statement_timeout": f"{STATEMENT_SECONDS}s",
            "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",  # a stopped worker would keep rows locked
            "default_transaction_isolation": r"read\ committed",  # this and what follows, whatever the role's is
            "default_transaction_read_only": "off",
            "datestyle": "ISO",
        }
        kwargs = {**connection_options(), "options": with_settings(place, settings)}
        app = App(
            connector=PsycopgConnector(conninfo=place, min_size=1, max_size=2, configure=configure, kwargs=kwargs)
        )
        queue = cls(app, host)
        queue._connections = connections
        try:
            with explained("use the queue of", place):  # not every error is Procrastinate's while it connects
                async with app.open_async():
                    yield queue
        except ConnectorException as error:
            why = safe(str(error.__cause__ or error).partition("\n")[0])
            is_gone = getattr(error.__cause__, "sqlstate", None) == UNDEFINED_TABLE
            remedy = "run `syncer fleet init`" if is_gone else "check that the server runs"
            raise LedgerUnreachable(f"Cannot use the queue of {place}: {why}; {remedy}") from error

    async def work(self, sync: SyncSite) -> None:
        """Do the jobs of the queue until this is cancelled."""

        async def do(context: JobContext, site: str, triggered: bool = False) -> None:  # noqa: FBT001, FBT002 - the job's
            self._in_hand.add(context.job.id)
            try:
                await sync(site, context.job.id if triggered else None)
            finally:
                self._in_hand.discard(context.job.id)

        self._app.task(name=TASK, pass_context=True, retry=_IfCancelled())(do)
        await self._app.run_worker_async(
            queues=[self._name],
            concurrency=1000,  # the daemon's turns decide how many sync at once
            fetch_job_polling_interval=FETCH_SECONDS,
            abort_job_polling_interval=3600.0,
            shutdown_graceful_timeout=SHUTDOWN_SECONDS,
            install_signal_handlers=False,
            stalled_worker_timeout=STALLED_SECONDS,
        )

    async def repeat_all(self) -> None:
        """Repeat all jobs that a process had in hand which is gone, before `work`."""
        self._suspects = await self._left_behind()
        await self.repeat_lost()

    async def repeat_lost(self) -> None:
        """Repeat the jobs that nobody has in hand, nor had at the last call: how they ended could not be noted."""
        left_behind = await self._left_behind()
        for job in left_behind & self._suspects:
            try:
                await self._app.job_manager.retry_job_by_id_async(job, AT_ONCE)
            except _WAITS_ALREADY:
                await self._app.job_manager.finish_job_by_id_async(job, Status.ABORTED, delete_job=False)
        self._suspects = left_behind

    async def forget_old(self) -> None:
        """Delete the jobs that ended long ago, of all hosts: some may be gone. If that fails, the next call does it."""
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                await self._app.job_manager.delete_old_jobs(
                    KEPT_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
                )
        except (ConnectorException, TimeoutError) as error:
            why = safe(str(error.__cause__ or error).partition("\n")[0]) or "it takes too long"
            log.warning("Cannot delete old jobs: %s. Retrying tomorrow", why, extra={"event": "old-jobs"})

    async def _left_behind(self) -> set[int]:
        """Return the numbers of the jobs that are in progress for the server, and not here."""
        jobs = await self._app.job_manager.list_jobs_async(queue=self._name, status=Status.DOING.value)
        return {job.id for job in jobs if job.id is not None} - self._in_hand

    async def defer(self, site: str, *, triggered: bool = False) -> int:
        """Put a job into the queue, unless the same waits there already; return its number."""
        lock = f"{site} on {self._name}"  # a host that is gone may have left jobs of the site
        same = f"{'triggered' if triggered else 'due'} {lock}"
        task = self._app.configure_task(TASK, queue=self._name, lock=lock, queueing_lock=same)
        for _ in range(DEFER_TRIES):
            with suppress(*_WAITS_ALREADY):
                return await task.defer_async(site=site, triggered=triggered)
            waiting = await self._app.job_manager.list_jobs_async(queue=self._name, queueing_lock=same, status="todo")
            if found := [job.id for job in waiting if job.id is not None]:
                return found[0]
        raise LedgerUnreachable("The queue takes no job; try again")

    async def has_ended(self, job: int) -> bool:
        """Return whether a job is over, however it ended."""
        status = await self._app.job_manager.get_job_status_async(job)
        return status not in {Status.TODO, Status.DOING}

    def cut(self) -> None:
        """End all connections at once: a server behind a network that is cut answers to nothing, a goodbye included."""
        for connection in self._connections:
            with suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as copy:  # else it is closed
                copy.shutdown(socket.SHUT_RDWR)


def _ignore_lost_server(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what ended a task that nobody waits for, unless it is that the server is lost: that is noticed elsewhere."""
    if not isinstance(context.get("exception"), ProcrastinateException):
        loop.default_exception_handler(context)


def name_of(host: str) -> str:
    """Return the name of a host's queue."""
    if len(os.fsencode(host)) <= LONGEST_QUEUE:
        return host
    return blake2b(os.fsencode(host), digest_size=LONGEST_QUEUE // 2).hexdigest()


def schema() -> str:
    """Return the script that makes the queue's tables as they are now."""
    return SchemaManager.get_schema()


def migrations() -> Sequence[tuple[str, str]]:
    """Return the scripts that led to the tables of now, by their names, the oldest first."""
    paths = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    return [(path.name, path.read_text(encoding="utf-8")) for path in paths]


def newest_migration() -> str:
    """Return the name of the newest of these scripts."""
    return migrations()[-1][0]
