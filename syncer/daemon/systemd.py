"""Tells systemd how the daemon is: the protocol of sd_notify(3), a datagram to the socket that the unit is given."""

from __future__ import annotations

import logging
import socket
import time

log = logging.getLogger(__name__)


class Systemd:
    """The socket in `$NOTIFY_SOCKET`; without one nobody is told."""

    def __init__(self, address: str | None) -> None:
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address  # the abstract namespace

    def ready(self, status: str) -> None:
        """Say that the daemon has begun, or has read its config again."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Say that it reads its config again, and when: `Type=notify-reload` of systemd 253 wants to know."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that it was told to stop."""
        self._tell("STOPPING=1", "STATUS=stopping")

    def alive(self, status: str) -> None:
        """Say that it is well: the watchdog waits anew."""
        self._tell("WATCHDOG=1", f"STATUS={status}")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            log.warning("systemd cannot be told %s: %s", lines[0], error, extra={"event": "not-notified"})
