"""The client of a running daemon: makes it sync now, over its Unix socket, and follows that sync."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from syncer.control import SyncProgress
from syncer.errors import DaemonEnded, NoDaemon

NO_DAEMON = "no daemon is running; start one with `syncer daemon`, or run `syncer sync`, which needs none"

ANSWER_TIMEOUT = 30.0
"""Seconds that a daemon may take to respond: it does so before the sync ends."""


@dataclass(frozen=True, slots=True)
class TriggerProgress:
    """How far a triggered sync is."""

    progress: SyncProgress | None
    report: dict[str, Any] | None
    """What `syncer sync --json` would print, once the sync has ended."""


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
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ANSWER_TIMEOUT)
        self.sock.connect(str(self._path))


def _request(path: Path, method: str, target: str, body: str | None) -> tuple[int, str, bytes]:
    """Return status, `Location` and body of the response. Raises OSError."""
    connection = _BySocket(path)
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
