"""Calls a build hook: one POST without a body, which starts a build at the site's host."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from syncer import __version__

CALL_TIMEOUT = 20.0
"""Seconds that a call may take, from the name lookup to the response's head."""

STOP_CHECK_INTERVAL = 0.2
"""Seconds between two checks whether the caller is being stopped."""

NO_RESPONSE = 0
"""The status of a call without a response."""


def call_build_hook(url: str, stopped: Callable[[], bool] = lambda: False, timeout: float = CALL_TIMEOUT) -> int:
    """Send one POST without a body to `url`, and return the HTTP status of the response; `NO_RESPONSE` if none came.

    The certificate is verified, redirects are not followed, and nothing is sent twice. Nothing that is raised or
    returned has the address, which is a secret. The wait ends after `timeout` seconds, or once `stopped` returns true.
    """
    # a thread, because a name lookup cannot be ended, and a response that comes byte by byte has no end either
    call = _Call(url, timeout)
    call.start()
    waited = 0.0
    while call.is_alive() and waited < timeout and not stopped():
        call.join(STOP_CHECK_INTERVAL)
        waited += STOP_CHECK_INTERVAL
    return call.status


class _Call(threading.Thread):
    """The thread of one call; it may be abandoned."""

    def __init__(self, url: str, timeout: float) -> None:
        super().__init__(name="build-hook", daemon=True)
        self.status = NO_RESPONSE
        self._url = url
        self._timeout = timeout

    def run(self) -> None:
        parts = urlsplit(self._url)
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        # what goes wrong is no response: the message of the error could have the address in it
        with suppress(OSError, http.client.HTTPException, ValueError):
            if parts.scheme == "https":
                context = ssl.create_default_context()
                connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                    parts.hostname or "", parts.port, timeout=self._timeout, context=context
                )
            else:
                connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self._timeout)
            try:
                connection.request("POST", target, headers={"User-Agent": f"syncer/{__version__}"})
                self.status = connection.getresponse().status
            finally:
                connection.close()
