"""The client of a running daemon, over its Unix socket: asks what it does, makes it sync, and follows that sync."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from syncer.control import SyncProgress
from syncer.errors import DaemonEnded, NoDaemon, NotRunning, NotSynced

NO_DAEMON = "no daemon is running; start one with `syncer daemon`, or run `syncer sync`, which needs none"

ANSWER_TIMEOUT = 30.0
"""Seconds that a daemon may take to respond: it does so before the sync ends."""

NOT_SYNCED = "no daemon syncs this site; if the daemon left it out, its log says why; `syncer sync` needs no daemon"

VIEW_TIMEOUT = 1.0
"""Seconds that a daemon may take to say what it does, which it knows; without its response, the rest can be shown."""


@dataclass(frozen=True, slots=True)
class SiteOfDaemon:
    """What a daemon says about one of its sites."""

    next_sync: datetime | None
    """When it begins the next sync, if it knows."""
    trouble: str | None
    """Why the last attempt made no sync, in a sentence."""
    document: Mapping[str, Any]
    """All that it says, as `daemon` in the documents of the status."""
    stalled: bool = False
    """Whether the running sync has made no progress for minutes."""
    config_error: str | None = None
    """Why the config that was last read is not in use, one finding a line."""


@dataclass(frozen=True, slots=True)
class DaemonView:
    """What a daemon says."""

    sites: Mapping[str, SiteOfDaemon]
    """By name."""
    left_out: Mapping[str, str]
    """The paths of the configs that are left out, each with the reason, one finding a line."""


@dataclass(frozen=True, slots=True)
class TriggerProgress:
    """How far a triggered sync is."""

    progress: SyncProgress | None
    report: dict[str, Any] | None
    """What `syncer sync --json` would print, once the sync has ended."""


def ask(path: Path) -> DaemonView | None:
    """Return what the daemon that listens on this socket says.

    None: it is of another version, does not respond in time, or may not be asked.
    """
    try:
        status, _, answer = _request(path, "GET", "/api/v1/daemon", None, VIEW_TIMEOUT)
        document = json.loads(answer) if status == http.client.OK else {}
        sites = {name: _site_of_daemon(each) for name, each in document["sites"].items()}
        left_out = {str(each["config"]): str(each["message"]) for each in document["left_out"]}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return DaemonView(sites, left_out)


def _site_of_daemon(document: Mapping[str, Any]) -> SiteOfDaemon:
    at = datetime.fromisoformat(document["next_sync"]) if document["next_sync"] is not None else None
    trouble, config_error = document["trouble"], document.get("config_error")
    return SiteOfDaemon(
        at if at and at.tzinfo else None,
        None if trouble is None else str(trouble),
        document,
        document.get("stalled") is True,
        None if config_error is None else str(config_error),
    )


def trigger(path: Path, prefix: str = "", *, accept: bool) -> str:
    """Trigger a sync over this socket, and return where to look for it. Raises NoDaemon.

    `prefix` is how the paths of the site's URLs begin, where the daemon has several. `accept`: accept what the safety
    brake or an unconfirmed count holds.
    """
    try:
        status, location, answer = _request(path, "POST", f"{prefix}/api/v1/triggers", json.dumps({"accept": accept}))
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NotRunning(NO_DAEMON) from error
    except OSError as error:
        reason = error.strerror or error
        raise NoDaemon(f"{path}: cannot reach the daemon: {reason}; only its own user and group may") from error
    if status == http.client.NOT_FOUND:  # it went on without this site
        raise NotSynced(NOT_SYNCED)
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
