"""Returns memory to the system after each sync: a daemon is idle most of the time."""

from __future__ import annotations

import gc

from syncer.own_files import libc

M_ARENA_MAX = -8
"""The number that glibc's <malloc.h> gives to the setting of how many arenas there may be."""


def share_one_arena() -> None:
    """Let all threads take memory from one arena; to be called before a second thread starts.

    glibc gives each thread an arena of its own, and memory that is free in one cannot be used by another thread.
    """
    _call("mallopt", M_ARENA_MAX, 1)


def give_back() -> None:
    """Return free memory to the system; by itself, glibc returns only the end of its heap.

    Reference cycles are collected first: a client of Google's library is two megabytes of them, in too few objects for
    Python to collect them soon.
    """
    gc.collect()
    _call("malloc_trim", 0)


def _call(name: str, *numbers: int) -> None:
    """Call a function of the C library, where it has one: musl and macOS have neither."""
    function = getattr(libc(), name, None)
    if function:
        function(*numbers)
