"""Reads the states of several sites, or ledgers, in threads: one whose disk hangs keeps no other waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from syncer.errors import StateError

READS_AT_ONCE = 4
"""Requests about one site that read at once, of all sites; the others wait. Those that take long no longer count."""

SITE_READS_AT_ONCE = 2
"""Reads of one site at once."""

SITE_WAITING_LIMIT = 8
"""Requests about one site that wait or read; any others get a 503."""

SLOW_SECONDS = 1.0
"""After this time a read most likely waits for its disk, so another one may begin beside it."""

READ_TIMEOUT = 10.0
"""Seconds that a request about one site waits for its read."""

READ_OF_ALL_TIMEOUT = 5.0
"""Seconds that a request about all sites waits for the read of each. By default, Prometheus waits for ten."""

STOPPING = "The daemon is stopping."
"""The message to those who still wait then: the server cancels their requests."""

T = TypeVar("T")


@dataclass(slots=True)
class _Site:
    """The reads of one site."""

    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SITE_READS_AT_ONCE))
    requests: int = 0
    hanging: int = 0
    """Threads that still read for a request that no longer waits."""


class SiteReads:
    """Reads for requests. All methods are called in the thread of the event loop."""

    def __init__(self, what: str, *, all_timeout: float | None = None) -> None:
        """Read `what` of each site: a part of the message where that fails."""
        self._what = what
        self._all_timeout = all_timeout
        self._sites: dict[str, _Site] = {}
        self._turns = asyncio.Semaphore(READS_AT_ONCE)
        self._turns_of_all = asyncio.Semaphore(READS_AT_ONCE // 2)
        """For requests about all sites: a request about one does not wait until all are read."""

    async def read(self, name: str, function: Callable[[], T]) -> T:
        """Return what the function returns in a thread of its own; it reads the state of this site.

        Raises what it raises, and StateError where it takes too long, where an earlier read still does, or where too
        many requests wait.
        """
        try:
            return await self._read(name, function, self._turns, READ_TIMEOUT)
        except asyncio.CancelledError:
            raise StateError(STOPPING) from None

    async def read_all(self, functions: Iterable[tuple[str, Callable[[], T]]]) -> dict[str, T | Exception]:
        """Return for each site what its function returns, or what went wrong with it.

        Raises StateError where the daemon stops.
        """
        calls, limit = dict(functions), self._all_timeout or READ_OF_ALL_TIMEOUT
        reads = (self._read(name, call, self._turns_of_all, limit) for name, call in calls.items())
        try:
            results = await asyncio.gather(*reads, return_exceptions=True)
        except asyncio.CancelledError:
            raise StateError(STOPPING) from None
        return {name: _error_or_result(result) for name, result in zip(calls, results, strict=True)}

    async def _read(self, name: str, function: Callable[[], T], turns: asyncio.Semaphore, timeout: float) -> T:
        site = self._sites.setdefault(name, _Site())
        if site.requests >= SITE_WAITING_LIMIT:
            raise StateError(f"Too many requests wait for {self._what} {name}. Try again in a few seconds.")
        site.requests += 1
        try:
            async with site.turns:
                if site.hanging:
                    raise StateError(f"Cannot read {self._what} {name}: its disk does not respond.")
                future = await _in_turn(site, name, function, turns, timeout)
        finally:
            site.requests -= 1
        if not future.done():
            raise StateError(f"Cannot read {self._what} {name}: its disk did not respond within {timeout:g} s.")
        return future.result()


async def _in_turn(
    site: _Site, name: str, function: Callable[[], T], turns: asyncio.Semaphore, timeout: float
) -> asyncio.Future[T]:
    """Return the result of the function, or of its thread that still runs after `timeout` seconds."""
    await turns.acquire()
    future = _in_thread(name, function)
    try:
        try:
            await asyncio.wait([future], timeout=min(SLOW_SECONDS, timeout))
        finally:
            turns.release()
        await asyncio.wait([future], timeout=max(0, timeout - SLOW_SECONDS))
    finally:
        _count_hanging(site, future)
    return future


def _count_hanging(site: _Site, future: asyncio.Future[T]) -> None:
    """Count a read that nobody waits for any more, until it ends."""
    if future.done():
        return

    def ended(future: asyncio.Future[T]) -> None:
        site.hanging -= 1
        future.exception()  # else asyncio logs that nobody took it

    site.hanging += 1
    future.add_done_callback(ended)


def _in_thread(name: str, function: Callable[[], T]) -> asyncio.Future[T]:
    """Call the function in a thread that does not keep the process from its end."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            settle = partial(future.set_result, function())
        except BaseException as error:  # noqa: BLE001 - who waits for the future gets it
            settle = partial(future.set_exception, error)
        with suppress(RuntimeError):  # the loop is closed: the daemon has stopped
            loop.call_soon_threadsafe(settle)

    threading.Thread(target=run, name=f"read {name}", daemon=True).start()
    return future


def _error_or_result(result: T | BaseException) -> T | Exception:
    if isinstance(result, BaseException) and not isinstance(result, Exception):
        raise result
    return result
