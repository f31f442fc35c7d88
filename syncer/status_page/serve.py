"""Serves the app on a Unix socket and on TCP, in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from syncer.errors import ConfigError
from syncer.state.disk_calls import call_aside
from syncer.status_page.sockets import replace_removed

CONNECTION_TIMEOUT = 30.0
"""Seconds after which a connection is closed: it serves one request."""

CONNECTION_LIMIT = 256
"""Open connections over TCP, and as many on the Unix socket; a new one closes the oldest that waits for its client.

This is more than `guard.WAITING_LIMIT` requests, so there always is such a connection.
"""

UNREAD_LIMIT_BYTES = 16 << 20
"""Of responses that clients have not read yet, over TCP, and as many on the Unix socket; then the oldest is closed."""

ACCEPTED_AT_ONCE = 32
"""New connections accepted at once: requests that have arrived are read before the next ones make them old."""

BACKLOG = 1024
"""New connections that the kernel keeps waiting."""

LARGEST_HEAD_BYTES = 16_384
"""Bytes of a request's line and headers."""

THREAD_LIMIT = 4
"""Requests that read the state at once; the others wait."""

STOP_TIMEOUT = 1
"""Seconds that running requests get when the daemon stops."""

LOOK_SECONDS = 5.0
"""Between two looks whether the Unix socket is still there."""

log = logging.getLogger("syncer.daemon")


@contextmanager
def served(app: ASGIApp, sockets: list[socket.socket], path: Path) -> Iterator[None]:
    """Serve the app on these listening sockets while the block runs; replace the one at `path` if it is removed."""
    config = uvicorn.Config(
        app,
        http=_OneRequest,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=ACCEPTED_AT_ONCE,
        h11_max_incomplete_event_size=LARGEST_HEAD_BYTES,
        timeout_graceful_shutdown=STOP_TIMEOUT,
    )
    server = _Server(config, path)
    thread = threading.Thread(target=server.run, args=(sockets,), name="status-page")
    thread.start()
    try:
        yield
    finally:
        server.stop()
        thread.join()


class _Server(uvicorn.Server):
    """Sleeps until `stop` is called, but for its looks at the Unix socket; uvicorn's own looks ten times a second."""

    _loop: asyncio.AbstractEventLoop | None = None

    def __init__(self, config: uvicorn.Config, path: Path) -> None:
        super().__init__(config)
        self._path = path
        self._look: Future[socket.socket | None] | None = None
        """The last look at the socket: what replaces it, if it was removed."""
        self._logged_lost = False

    def stop(self) -> None:
        """Make it stop. Safe in any thread.

        The flag is set before the loop is read here, and `main_loop` sets the loop before it reads the flag:
        whichever thread is first, one of them sees what the other did.
        """
        self.should_exit = True
        if self._loop:
            self._loop.call_soon_threadsafe(self._stop_event.set)

    async def main_loop(self) -> None:
        self._stop_event = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        while not self.should_exit:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop_event.wait(), LOOK_SECONDS)
            if self._look is None or self._look.done():
                await self._take(self._look)
                self._look = call_aside(partial(replace_removed, self._path))

    async def _take(self, look: Future[socket.socket | None] | None) -> None:
        """Serve on the socket that replaces a removed one, if the last look made one."""
        try:
            made = look.result() if look else None
        except ConfigError as error:
            if not self._logged_lost:
                message = "The socket of this daemon was removed, and other commands cannot reach it: %s"
                log.warning(message, error, extra={"event": "socket-lost"})
            self._logged_lost = True
            return
        if made:
            others = [each for each in self.servers if each.sockets[0].family != socket.AF_UNIX]
            for each in self.servers:
                if each not in others:
                    each.close()
            await self.startup([made])
            self.servers += others
            self._logged_lost = False
            log.info("Made the socket again that was removed: %s", self._path, extra={"event": "socket-made"})

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        current_default_thread_limiter().total_tokens = THREAD_LIMIT
        await super().startup(sockets)
        for each in sockets or ():
            each.listen(BACKLOG)  # uvicorn has set it to what is accepted at once


class _OneRequest(H11Protocol):
    """A connection for one request, which ends in time. Clients that are slow, or many, close the connections of others
    alone that are as slow, and came the same way: over TCP, or by the Unix socket.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self.made = self.loop.time()
        self.is_dropped = False
        self.is_tcp = self.server is not None and self.server[1] is not None
        self._end = self.loop.call_later(CONNECTION_TIMEOUT, transport.abort)
        alike = self._alike()
        if len(alike) > CONNECTION_LIMIT:
            next(each for each in alike if not each.awaits_answer).drop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Close connections whose clients read too slowly, where too much waits for them: asyncio calls this."""
        super().pause_writing()
        sizes = {each: each.transport.get_write_buffer_size() for each in self._alike()}
        unread = sum(sizes.values())
        for each, size in sizes.items():
            if unread > UNREAD_LIMIT_BYTES and size and each is not self:
                unread -= size
                each.drop()

    @property
    def awaits_answer(self) -> bool:
        """Whether the request is complete, and nothing of the response is sent yet."""
        begun = self.cycle is not None
        return begun and not (self.cycle.more_body or self.cycle.response_started)

    def drop(self) -> None:
        """Close the connection now, whatever is unsent."""
        self.is_dropped = True
        self.transport.abort()

    def _alike(self) -> list[_OneRequest]:
        """Return the connections that came the same way as this one, which is among them, the oldest first."""
        ours = (each for each in self.connections if isinstance(each, _OneRequest))
        alike = (each for each in ours if each.is_tcp == self.is_tcp and not each.is_dropped)
        return sorted(alike, key=lambda each: each.made)
