"""The client of a running daemon, over its Unix socket: asks when it syncs, makes it sync, and follows that sync."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from syncer.control import SyncProgress
from syncer.errors import DaemonEnded, NoDaemon

NO_DAEMON = "no daemon is running; start one with `syncer daemon`, or run `syncer sync`, which needs none"

ANSWER_TIMEOUT = 30.0
"""Seconds that a daemon may take to respond: it does so before the sync ends."""

NEXT_SYNCS_TIMEOUT = 1.0
"""Seconds that a daemon may take to say when it syncs, which it knows; without its response, others can be shown."""


@dataclass(frozen=True, slots=True)
class TriggerProgress:
    """How far a triggered sync is."""

    progress: SyncProgress | None
    report: dict[str, Any] | None
    """What `syncer sync --json` would print, once the sync has ended."""


def next_syncs(path: Path) -> dict[str, datetime]:
    """Return when the daemon that listens on this socket begins the next sync of each site, by the site's name.

    A site of which it does not say so is absent; so are all if it is of another version, or does not respond in time.
    """
    try:
        status, _, answer = _request(path, "GET", "/api/v1/next-syncs", None, NEXT_SYNCS_TIMEOUT)
        sites = json.loads(answer)["sites"] if status == http.client.OK else {}
        times = {str(name): datetime.fromisoformat(at) for name, at in sites.items() if at is not None}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}
    return {name: at for name, at in times.items() if at.tzinfo}


def trigger(path: Path, prefix: str = "", *, accept: bool) -> str:
    """Trigger a sync over this socket, and return where to look for it. Raises NoDaemon.

    `prefix` is how the paths of the site's URLs begin, where the daemon has several. `accept`: accept what the safety
    brake or an unconfirmed count holds.
    """
    try:
        status, location, answer = _request(path, "POST", f"{prefix}/api/v1/triggers", json.dumps({"accept": accept}))
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NoDaemon(NO_DAEMON) from error
    except OSError as error:
        reason = error.strerror or error
        raise NoDaemon(f"{path}: cannot reach the daemon: {reason}; only its own user and group may") from error
    if status != http.client.ACCEPTED:
        raise NoDaemon(f"{path}: the daemon refused: {answer.decode(errors='replace')[:200]}")
    return location


def look(path: Path, location: str) -> TriggerProgress:
    """Return how far the sync is. Raises DaemonEnded."""
    try:
        status, _, answer = _request(path, "GET", location, None)
    except OSError as error:
        _end(error)
    if status != http.client.OK:
        _end(None)  # another daemon, which does not know this trigger
    ticket = json.loads(answer)
    progress = SyncProgress(**ticket["progress"]) if ticket["progress"] else None
    return TriggerProgress(progress, ticket["report"])


def _end(cause: OSError | None) -> NoReturn:
    raise DaemonEnded("the daemon stopped before the sync ended; the next sync completes it") from cause


class _BySocket(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _request(
    path: Path, method: str, target: str, body: str | None, timeout: float = ANSWER_TIMEOUT
) -> tuple[int, str, bytes]:
    """Return status, `Location` and body of the response. Raises OSError."""
    connection = _BySocket(path, timeout)
    try:
        connection.request(method, target, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.headers.get("Location", ""), response.read()
    except http.client.HTTPException as error:
        raise ConnectionError(f"its response is not HTTP: {error!r}") from error
    except UnicodeError as error:  # the prefix is from a file, and can be damaged
        raise ConnectionError(f"its address is damaged: {target!r}") from error
    finally:
        connection.close()
