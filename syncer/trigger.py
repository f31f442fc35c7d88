"""Tells a running daemon to sync now, over its Unix socket, and follows it."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from syncer.control import SyncProgress
from syncer.errors import DaemonEnded, NoDaemon

NO_DAEMON = "no daemon runs on this state; `syncer daemon` runs one, `syncer sync` needs none"

ANSWER_TIMEOUT = 30.0
"""Seconds that a daemon may take to answer: it does not wait for the sync."""


@dataclass(frozen=True, slots=True)
class TriggerProgress:
    """How far a triggered sync is."""

    progress: SyncProgress | None
    report: dict[str, Any] | None
    """What `syncer sync --json` would have printed, once it is done."""


def trigger(path: Path, *, accept: bool) -> str:
    """Trigger a sync; `accept` lets through what a brake or an unconfirmed count holds. Return where to look for it.

    Raises NoDaemon.
    """
    try:
        status, location, answer = _request(path, "POST", "/api/v1/triggers", json.dumps({"accept": accept}))
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NoDaemon(NO_DAEMON) from error
    except OSError as error:
        reason = error.strerror or error
        raise NoDaemon(f"{path}: the daemon cannot be reached: {reason}; is it yours, or your group's?") from error
    if status != http.client.ACCEPTED:
        raise NoDaemon(f"{path}: the daemon refuses: {answer.decode(errors='replace')[:200]}")
    return location


def look(path: Path, location: str) -> TriggerProgress:
    """Look how far the sync is. Raises DaemonEnded."""
    try:
        status, _, answer = _request(path, "GET", location, None)
    except OSError as error:
        _end(error)
    if status != http.client.OK:
        _end(None)  # another daemon: it knows nothing of the trigger
    ticket = json.loads(answer)
    progress = SyncProgress(**ticket["progress"]) if ticket["progress"] else None
    return TriggerProgress(progress, ticket["report"])


def _end(cause: OSError | None) -> NoReturn:
    raise DaemonEnded("the daemon ended before the sync did; the next one goes on where it was") from cause


class _BySocket(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ANSWER_TIMEOUT)
        self.sock.connect(str(self._path))


def _request(path: Path, method: str, target: str, body: str | None) -> tuple[int, str, bytes]:
    """Return status, `Location` and body of the answer. Raises OSError."""
    connection = _BySocket(path)
    try:
        connection.request(method, target, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.headers.get("Location", ""), response.read()
    except http.client.HTTPException as error:
        raise ConnectionError(f"its answer is no HTTP: {error!r}") from error
    finally:
        connection.close()
