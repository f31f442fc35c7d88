"""Waits for what must happen, however busy the machine is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

TIMEOUT = 60.0
"""Seconds after which something that should happen is said not to."""

_never = threading.Event()


def until(condition: Callable[[], bool], pause: float = 0.001) -> None:
    """Waits until something is so, with so many seconds between two looks; fails where it does not come."""
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        _never.wait(pause)
