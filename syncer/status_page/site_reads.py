"""Reads the states of several sites, or ledgers, in threads: one whose disk hangs keeps no other waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from syncer.errors import StateError
from syncer.state.disk_calls import call_aside

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
    left: list[Future[Any]] = field(default_factory=list)
    """Reads for which no request waits any more."""


class SiteReads:
    """Reads for requests. All methods are called in the thread of the event loop."""

    def __init__(self, what: str, waited_for: str, *, all_timeout: float | None = None) -> None:
        """Read `what` of each site, for which `waited_for` must respond: parts of the message where that fails."""
        self._what, self._waited_for = what, waited_for
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
                site.left = [each for each in site.left if not each.done()]
                if site.left:
                    raise StateError(f"Cannot read {self._what} {name}: {self._waited_for} does not respond.")
                read = await _in_turn(site, partial(call_aside, function, thread=f"read {name}"), turns, timeout)
        finally:
            site.requests -= 1
        if not read.done():
            raise StateError(
                f"Cannot read {self._what} {name}: {self._waited_for} did not respond within {timeout:g} s."
            )
        return read.result()


async def _in_turn(site: _Site, begin: Callable[[], Future[T]], turns: asyncio.Semaphore, timeout: float) -> Future[T]:
    """Begin a read, and return it once it has ended, or after `timeout` seconds."""
    read: Future[T] | None = None
    try:
        async with turns:
            read = begin()
            await _wait(read, min(SLOW_SECONDS, timeout))
        await _wait(read, max(0, timeout - SLOW_SECONDS))
    finally:
        if read is not None and not read.done():
            site.left.append(read)
    return read


async def _wait(read: Future[T], seconds: float) -> None:
    """Wait until the read has ended, but not longer."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def end(_: Future[T]) -> None:
        with suppress(RuntimeError):  # the loop is closed: the daemon has stopped
            loop.call_soon_threadsafe(ended.set)

    read.add_done_callback(end)
    with suppress(TimeoutError):
        await asyncio.wait_for(ended.wait(), seconds)


def _error_or_result(result: T | BaseException) -> T | Exception:
    if isinstance(result, BaseException) and not isinstance(result, Exception):
        raise result
    return result
