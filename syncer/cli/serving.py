"""Serves the status page and the API while the daemon runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from syncer.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from syncer.config.sections import Config, StatusPage
    from syncer.status_page.metrics import Counters
    from syncer.status_page.sites import Sites

SHORTEST_TOKEN = 16
"""Characters: `openssl rand -hex 16` prints twice as many."""

log = logging.getLogger("syncer.daemon")


@contextmanager
def serving(
    page: StatusPage | None,
    path: Path,
    sites: Sites,
    counters: Counters,
    environ: Mapping[str, str],
    named: Callable[[], None],
) -> Iterator[None]:
    """Serve the sites while the block runs: always on a Unix socket at `path`, and on TCP where `page` says.

    The token is in `environ`. `named` is called once the socket listens, before the log says that the page is served:
    it lets `syncer trigger` find the socket. Raises ConfigError.
    """
    from syncer.status_page.app import make_app
    from syncer.status_page.guard import Entry
    from syncer.status_page.serve import served
    from syncer.status_page.sockets import address_of, listening

    entry = Entry((*page.hosts, page.listen_host), _token(page, environ)) if page else Entry((), None)
    app = make_app(sites, counters, entry)
    with listening(page.listen if page else None, path) as sockets, served(app, sockets, path):
        named()
        if page:
            log.info("Status page at %s", address_of(sockets[0]), extra={"event": "serving"})
        yield


def require_serving(config: Config, environ: Mapping[str, str], *, is_running: bool) -> None:
    """Raise ConfigError where `serving` would. `is_running`: this site's daemon has the port and the socket."""
    from syncer.status_page.sockets import require_listening, socket_path

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
