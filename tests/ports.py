"""Ports of this machine that a test can name before something listens on them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import SystemRandom

NOT_EPHEMERAL = range(10_000, 32_000)
"""Neither Linux nor macOS gives these to who binds port 0 or connects: nobody takes one between look and use."""


def free_port() -> int:
    """A port on which nothing listens."""
    while True:
        with socket.socket() as taken, suppress(OSError):
            port = SystemRandom().choice(NOT_EPHEMERAL)
            taken.bind(("127.0.0.1", port))
            return port


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port that refuses every connection, because who has bound it does not listen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
