"""Notifies systemd of what the daemon is doing, by sd_notify(3): a datagram to the socket that the unit is given."""

from __future__ import annotations

import logging
import socket
import time

log = logging.getLogger(__name__)


class Systemd:
    """The socket in `$NOTIFY_SOCKET`; without one nobody is notified."""

    def __init__(self, address: str | None) -> None:
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address  # the abstract namespace

    def ready(self, status: str) -> None:
        """Say that the daemon has begun, or has read its config again."""
        self._notify("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Say that it reads its config again, and when, as `Type=notify-reload` of systemd 253 requires."""
        self._notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that it was asked to stop."""
        self._notify("STOPPING=1", "STATUS=stopping")

    def alive(self, status: str) -> None:
        """Say that it is well: the watchdog starts to wait again."""
        self._notify("WATCHDOG=1", f"STATUS={status}")

    def _notify(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.sendto("\n".join(lines).encode(), socket.MSG_DONTWAIT, self._address)
        except BlockingIOError:  # nobody reads there, and the daemon must not wait for whoever should
            log.debug("the notify socket is full: %s is not sent", lines[0])
        except OSError as error:
            log.warning("systemd cannot be told %s: %s", lines[0], error, extra={"event": "not-notified"})
