"""A server that answers canned bytes, for what the simulator is too well-behaved to say."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

CLOSE = b"close without a word"
RESET = b"reset the connection"
STALL = b"say nothing"


@dataclass(frozen=True)
class Endless:
    """An answer that begins in one way, goes on in another, and ends when the client hangs up."""

    head: bytes
    piece: bytes


class Canned:
    """Answers the first request with the first answer, and so on; the last answer is given for ever.

    An answer is a whole HTTP message, `CLOSE`, `RESET`, `STALL` or `Endless`. `requests` holds the head of each request
    that arrived, in order.
    """

    def __init__(self, answers: Sequence[bytes | Endless]) -> None:
        self._answers = list(answers)
        self.requests: list[bytes] = []
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for connection in self._connections:
            _shut(connection)
        for thread in self._threads:
            thread.join()

    @property
    def connections_made(self) -> int:
        return len(self._connections)

    def wait_until_hung_up(self) -> None:
        """Returns when all clients have hung up; a test that waits here for ever has found one that does not."""
        for thread in self._threads[1:]:
            thread.join()

    def _start(self, target: object, *args: object) -> None:
        assert callable(target)
        thread = threading.Thread(target=target, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                while (head := _read_head(connection)) and self._answer(connection, head):
                    pass
        except OSError:
            return

    def _answer(self, connection: socket.socket, head: bytes) -> bool:
        """Gives the next answer; False: the connection is done with."""
        with self._lock:
            answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
            self.requests.append(head)
        if isinstance(answer, Endless):
            connection.sendall(answer.head)
            while True:
                connection.sendall(answer.piece)
        elif answer == RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif answer == STALL:
            connection.recv(1)
        elif answer != CLOSE:
            connection.sendall(answer)
            return b"connection: close" not in answer.lower()
        return False


def message(status: int, body: bytes, *headers: str) -> bytes:
    """Returns a whole HTTP answer."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def ok(document: object) -> bytes:
    """Returns a whole HTTP answer with status 200."""
    return message(200, json.dumps(document).encode(), "Content-Type: application/json; charset=UTF-8")


def error(code: int, text: str | None = "Broken.", *, reason: str = "backendError", **more: object) -> bytes:
    """Returns an error body in Google's form: `status=` and `details=` come in `more`."""
    entry = {"message": text, "domain": "global", "reason": reason}
    return json.dumps({"error": {"code": code, "message": text, "errors": [entry], **more}}, indent=2).encode()


def error_info(reason: str, **metadata: str) -> dict[str, object]:
    """Returns the detail of an error that names it."""
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": reason, "domain": "googleapis.com", "metadata": metadata}


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(65536)
        if not piece:
            return b""
        head += piece
    return head


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        connection.close()
