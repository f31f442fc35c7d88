"""A host that takes calls of its build hook: a real HTTP server on a loopback address."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple, Self

SECRET = "/build_hooks/5f3a9c0e7b1d4a68?trigger_title=counts"
"""What follows the host in the address of the hook: nothing that syncer writes may show it."""


class Call(NamedTuple):
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Says nothing of a client that was killed."""


class Host:
    """Answers each call with the next of these statuses, and the last of them from then on."""

    def __init__(
        self, *statuses: int, before: Callable[[], object] = lambda: None, certificate: tuple[Path, Path] | None = None
    ) -> None:
        self.calls: list[Call] = []
        self._statuses = list(statuses or (200,))
        self._before = before
        host = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                host.calls.append(Call(self.command, self.path, dict(self.headers.items()), body))
                host._before()
                status = host._statuses.pop(0) if len(host._statuses) > 1 else host._statuses[0]
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", f"{host.url[: -len(SECRET)]}/elsewhere")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            do_POST = do_GET = do_PUT = answer  # noqa: N815 - as http.server has it

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._start = "http://127.0.0.1"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._start = "https://localhost"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"{self._start}:{self._server.server_address[1]}{SECRET}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
