"""Serves the status page and the API while the daemon runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syncer.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from syncer.config.sections import Config, StatusPage
    from syncer.control import Control
    from syncer.status_page.metrics import Counters

SHORTEST_TOKEN = 16
"""Characters: `openssl rand -hex 16` prints twice as many."""

log = logging.getLogger("syncer.daemon")


@contextmanager
def serving(
    config: Callable[[], Config],
    control: Control,
    counters: Counters,
    environ: Mapping[str, str],
    name_socket: Callable[[Path], None],
) -> Iterator[None]:
    """Serve while the block runs: always on a Unix socket, and on TCP if the config says so.

    `config` returns the daemon's current config; its `status_page` is read at the start only. The token is in
    `environ`. `name_socket` lets `syncer trigger` find the socket, before the log says that the page is served.
    Raises ConfigError.
    """
    from syncer.state.directory import prepare_directory
    from syncer.status_page.app import make_app
    from syncer.status_page.guard import Entry
    from syncer.status_page.reading import Sources
    from syncer.status_page.serve import address_of, listening, served, socket_path

    at_start = config()
    page = at_start.status_page
    entry = Entry((*page.hosts, page.listen_host), _token(page, environ)) if page else Entry((), None)
    app = make_app(Sources(config, control, lambda: datetime.now(UTC)), counters, entry)
    path = socket_path(environ, os.path.realpath(at_start.site), at_start.state_directory)
    prepare_directory(at_start.state_directory)
    with listening(page.listen if page else None, path) as sockets, served(app, sockets):
        name_socket(path)
        if page:
            log.info("Status page at %s", address_of(sockets[0]), extra={"event": "serving"})
        yield


def require_serving(config: Config, environ: Mapping[str, str], *, is_running: bool) -> None:
    """Raise ConfigError where `serving` would. `is_running`: this site's daemon has the port and the socket."""
    from syncer.status_page.serve import require_listening, socket_path

    page = config.status_page
    if page:
        _token(page, environ)
    path = socket_path(environ, os.path.realpath(config.site), config.state_directory)
    if not is_running:
        require_listening(page.listen if page else None, path)


def _token(page: StatusPage, environ: Mapping[str, str]) -> str | None:
    if page.token_env is None:
        return None
    token = environ.get(page.token_env, "").strip()
    if len(token) < SHORTEST_TOKEN:
        raise ConfigError(
            f"status_page.token_env: the environment variable {page.token_env} has no token of at least "
            f"{SHORTEST_TOKEN} characters. Set it, for example to the output of `openssl rand -hex 16`."
        )
    return token
