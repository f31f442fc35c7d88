"""Notifies systemd of what the daemon is doing, as sd_notify(3) does: a datagram to the socket that the unit gets."""

from __future__ import annotations

import logging
import socket
import time

log = logging.getLogger(__name__)


class Systemd:
    """The socket in `$NOTIFY_SOCKET`; without one, nothing is sent."""

    def __init__(self, address: str | None) -> None:
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address  # the abstract namespace

    def ready(self, status: str) -> None:
        """Notify that the daemon has started, or has reloaded its config."""
        self._notify("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Notify that it reloads its config, and when, as `Type=notify-reload` of systemd 253 requires."""
        self._notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Notify that it is stopping."""
        self._notify("STOPPING=1", "STATUS=Stopping")

    def alive(self, status: str) -> None:
        """Reset the watchdog's timer."""
        self._notify("WATCHDOG=1", f"STATUS={status}")

    def _notify(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.sendto("\n".join(lines).encode(), socket.MSG_DONTWAIT, self._address)
        except BlockingIOError:  # nothing reads there, and the daemon must not wait
            log.debug("The notify socket is full: %s was not sent", lines[0])
        except OSError as error:
            log.warning("Cannot notify systemd of %s: %s", lines[0], error, extra={"event": "not-notified"})
