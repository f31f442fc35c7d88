"""A network between a client and a server that can be cut, in each of the ways in which networks are."""

from __future__ import annotations

import select
import socket
import struct
import threading
from contextlib import suppress
from enum import Enum, auto


class Network(Enum):
    """What becomes of what one side sends."""

    WORKS = auto()
    REFUSES = auto()
    """Connections break, and a new one is refused."""
    SWALLOWS = auto()
    """Nobody is told, and nothing arrives any more."""


RESET = struct.pack("ii", 1, 0)
"""As SO_LINGER: the other side of the connection is told that it broke."""


class Proxy:
    """Listens on a port of the loopback interface for a server on another one. `network` may be set in any thread."""

    def __init__(self, target: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.network = Network.WORKS
        self._target = target
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._breaks, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def break_connections(self) -> None:
        """Break those that there are; new ones work."""
        self._breaks.set()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._listening.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            network = self.network
            self._refuse(refuses=network is Network.REFUSES)
            if self._breaks.is_set() or network is Network.REFUSES:
                self._breaks.clear()
                self._break_all()
            if network is not Network.WORKS:
                self._ended.wait(0.02)
                continue
            readable, _, _ = select.select([self._listening, *self._pairs], [], [], 0.02)
            for each in readable:
                if self.network is Network.WORKS:
                    self._move(each)
        self._break_all()

    def _refuse(self, *, refuses: bool) -> None:
        if refuses:
            self._listening.close()
        elif self._listening.fileno() == -1:
            self._listening = socket.create_server(("127.0.0.1", self.port))

    def _move(self, side: socket.socket) -> None:
        if side is self._listening:
            client, _ = side.accept()
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                client.close()
                return
            self._pairs |= {client: server, server: client}
        elif side in self._pairs:
            with suppress(OSError):
                if part := side.recv(65536):
                    self._pairs[side].sendall(part)
                    return
            other = self._pairs.pop(side)
            del self._pairs[other]
            side.close()
            other.close()

    def _break_all(self) -> None:
        for each in self._pairs:
            with suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            each.close()
        self._pairs.clear()
