"""Gives memory back to the system after each sync: a daemon sleeps most of its life."""

from __future__ import annotations

import ctypes
import gc

M_ARENA_MAX = -8
"""The number that glibc's <malloc.h> gives to the setting of how many arenas there may be."""


def share_one_arena() -> None:
    """Let all threads take memory from one arena; for a program that has no second thread yet.

    glibc gives each thread an arena of its own, and what is free in one serves no other thread.
    """
    _call("mallopt", M_ARENA_MAX, 1)


def give_back() -> None:
    """Give the system what is free. By itself glibc gives back no more than the end of its heap.

    Python looks for cycles before: a client of Google's library is two megabytes of them, in too few objects for
    Python to look soon.
    """
    gc.collect()
    _call("malloc_trim", 0)


def _call(name: str, *numbers: int) -> None:
    """Call a function of the C library, where it has one: musl and macOS have neither."""
    function = getattr(ctypes.CDLL(None), name, None)
    if function:
        function(*numbers)
