"""How many random examples a test draws: all of them in the storms, a quarter where somebody waits for the result."""

from __future__ import annotations

import os

from hypothesis import settings

FEWER = "SYNCER_FEWER_EXAMPLES" in os.environ
"""Set by `./dev test`; `./dev storms` makes up for it."""


def examples(number: int) -> settings:
    """So many examples, each of which may take its time: a busy machine is no failure."""
    return settings(max_examples=max(20, number // 4) if FEWER else number, deadline=None)
