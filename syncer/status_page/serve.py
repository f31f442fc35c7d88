"""Serves the app on a Unix socket and on TCP, in a thread of its own."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir, mkdtemp

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from syncer.errors import ConfigError
from syncer.state.directory import DAEMON_SOCKET

LONGEST_PATH_BYTES = 107 if sys.platform == "linux" else 103
"""Bytes that the path of a Unix socket may have: the size of `sun_path` without its closing zero."""

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

PROBE_TIMEOUT = 1.0
"""Seconds that a program has to say whose daemon it is."""

PROBE_BYTES = 1 << 20
"""Bytes of its response that are read: it may be any program."""

SITES_NAMED = 2
"""The sites of another daemon that are named."""

SERVICE_SOCKET = "syncer.sock"
"""The socket's name in the runtime directory that systemd gives a unit."""


def socket_path(environment: Mapping[str, str], site: str, state_directory: Path) -> Path:
    """Return where the daemon of a site has its Unix socket: `site` is its real path. Raises ConfigError."""
    path = _in_runtime_directory(environment, site) or state_directory / DAEMON_SOCKET
    return _short_enough(path, "Set XDG_RUNTIME_DIR, or a shorter `state.directory`.")


def shared_socket_path(environment: Mapping[str, str], configs: Iterable[str]) -> Path:
    """Return where the daemon of several sites has its Unix socket: in no site's state, because each can be removed.

    `configs` are the real paths of what the command line names. Without a runtime directory, the socket is in a
    directory of this user among the temporary files, which is created if need be. Raises ConfigError.
    """
    named = "\0".join(["sites", *configs])
    path = _in_runtime_directory(environment, named) or _private_directory() / _name_for(named)
    return _short_enough(path, "Set XDG_RUNTIME_DIR to a directory with a shorter path.")


def _in_runtime_directory(environment: Mapping[str, str], owner: str) -> Path | None:
    """Return the path of a socket in the runtime directory of the unit or the user; None: there is none."""
    runtime = environment.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    of_user = environment.get("XDG_RUNTIME_DIR", "")
    if runtime:
        return Path(runtime, SERVICE_SOCKET)
    return Path(of_user, _name_for(owner)) if of_user and os.path.isdir(of_user) else None


def _name_for(owner: str) -> str:
    return f"syncer-{sha256(os.fsencode(owner)).hexdigest()[:12]}.sock"


def _short_enough(path: Path, remedy: str) -> Path:
    if len(os.fsencode(path)) > LONGEST_PATH_BYTES:
        reason = f"the path is too long for a Unix socket (at most {LONGEST_PATH_BYTES} bytes)"
        raise ConfigError(f"{path}: {reason}. {remedy}")
    return path


def _private_directory() -> Path:
    """Return a directory of this user's sockets, made if need be, that no other user can open.

    Another user who took its name first must not keep the daemon from its start: then it is a new one with any name.
    Raises ConfigError.
    """
    among, name = gettempdir(), f"syncer-{os.geteuid()}"
    path = Path(among, name)
    try:
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        status = path.lstat()
        is_own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
        is_private = is_own and not stat.S_IMODE(status.st_mode) & 0o077
        return path if is_private else Path(mkdtemp(prefix=f"{name}-", dir=among))
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"{path}: cannot make this directory for a socket: {reason}. Set XDG_RUNTIME_DIR.") from error


@contextmanager
def served(app: ASGIApp, sockets: list[socket.socket]) -> Iterator[None]:
    """Serve the app on these listening sockets while the block runs."""
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
    server = _Server(config)
    thread = threading.Thread(target=server.run, args=(sockets,), name="status-page")
    thread.start()
    try:
        yield
    finally:
        server.stop()
        thread.join()


@contextmanager
def listening(listen: str | None, path: Path) -> Iterator[list[socket.socket]]:
    """Yield the sockets to serve on: a Unix socket, and `HOST:PORT` where one is given. Raises ConfigError."""
    with ExitStack() as stack:
        sockets = [_tcp(listen)] if listen else []
        for each in sockets:
            stack.enter_context(each)
        sockets.append(stack.enter_context(_unix(path)))
        stack.callback(path.unlink, missing_ok=True)
        yield sockets


def require_listening(listen: str | None, path: Path) -> None:
    """Raise ConfigError where `listening` would. No socket is made at the path, and none is removed."""
    if listen:
        _tcp(listen).close()
    try:
        _is_left_over(path)
        if not os.access(path.parent, os.W_OK | os.X_OK) and (path.parent.exists() or path.name != DAEMON_SOCKET):
            raise PermissionError(errno.EACCES, f"cannot write in {path.parent}. Check its permissions")
    except OSError as error:
        raise _no_socket(path, error) from error


def address_of(tcp: socket.socket) -> str:
    """Return the URL for a browser of what is served on this socket."""
    host, port = tcp.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class _Server(uvicorn.Server):
    """Sleeps until `stop` is called, where uvicorn's own looks ten times a second."""

    _loop: asyncio.AbstractEventLoop | None = None

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
        if not self.should_exit:
            await self._stop_event.wait()

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


def _tcp(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, int(port)))
        made.listen(128)
    except OSError as error:
        made.close()
        reason = error.strerror
        if error.errno == errno.EADDRINUSE:
            with socket.socket(made.family, socket.SOCK_STREAM) as probe:
                reason = f"{_user_of(probe, (host, int(port)))} uses it"
        wrong = "an address of this machine" if error.errno == errno.EADDRNOTAVAIL else "another port"
        raise ConfigError(
            f"status_page.listen: cannot listen on {listen}: {reason}. "
            f"Set {wrong}, or `status_page: null` to turn the page off."
        ) from error
    return made


def _unix(path: Path) -> socket.socket:
    """Listen on a path, in place of a socket that a crash left; only its owner and group may connect."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if _is_left_over(path):
            path.unlink()
        made.bind(str(path))
        path.chmod(0o660)  # not by the umask: it is the process's, and syncs make files meanwhile
        made.listen(128)  # nobody could connect before
    except OSError as error:
        made.close()
        raise _no_socket(path, error) from error
    return made


def _no_socket(path: Path, error: OSError) -> ConfigError:
    message = f"{path}: cannot make a Unix socket here: {error.strerror or error}."
    if error.errno == errno.EADDRINUSE:
        own = ", or give this unit its own `RuntimeDirectory=`" if path.name == SERVICE_SOCKET else ""
        message += f" Stop it first{own}."
    return ConfigError(message)


def _is_left_over(path: Path) -> bool:
    """Whether a socket is there on which nobody listens, or a link to one, as a daemon of several sites makes it.

    Raises OSError where somebody listens, or where it is something else.
    """
    try:
        kind = path.lstat().st_mode
        if not (stat.S_ISSOCK(kind) or stat.S_ISLNK(kind)):
            raise FileExistsError(errno.EEXIST, "another file has this name. Move it away")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            user = _user_of(probe, str(path))
    except FileNotFoundError:
        return path.is_symlink()
    except ConnectionRefusedError:
        return True
    raise OSError(errno.EADDRINUSE, f"{user} uses it")


def _user_of(probe: socket.socket, address: str | tuple[str, int]) -> str:
    """Return who listens on an address: the daemon of a site or of several, or another program.

    Raises FileNotFoundError and ConnectionRefusedError if nobody does.
    """
    try:
        names = _document(probe, address, "/api/v1/sites").get("sites")
        if isinstance(names, list):
            return _daemon_of(names)
        with socket.socket(probe.family, socket.SOCK_STREAM) as again:
            return f"the daemon of {_document(again, address, '/api/v1/status')['site']}"
    except (FileNotFoundError, ConnectionRefusedError):
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "another program"


def _document(probe: socket.socket, address: str | tuple[str, int], path: str) -> dict[str, object]:
    """Return the JSON document at a path, of whatever program responds there; anything can be wrong with it."""
    probe.settimeout(PROBE_TIMEOUT)
    probe.connect(address)
    probe.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    answer, until = b"", time.monotonic() + PROBE_TIMEOUT
    while len(answer) < PROBE_BYTES and time.monotonic() < until and (piece := probe.recv(PROBE_BYTES)):
        answer += piece
    _, _, body = answer.partition(b"\r\n\r\n")
    document: dict[str, object] = json.loads(body)
    return document


def _daemon_of(names: list[object]) -> str:
    """Return what a daemon with these sites is called."""
    if not names:
        return "a daemon without a site"
    if len(names) <= SITES_NAMED:
        return f"the daemon of {' and '.join(map(str, names))}"
    return f"the daemon of {', '.join(map(str, names[:SITES_NAMED]))} and {len(names) - SITES_NAMED} more"
