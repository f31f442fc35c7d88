"""How many examples a test has: all of them in the storms, a part or a few where somebody waits for the result.

What takes long even in the storms has all its examples in `./dev prove` only.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

import pytest
from hypothesis import settings

T = TypeVar("T")

PART = int(os.environ.get("SYNCER_PART_OF_EXAMPLES", "1"))
"""One of so many examples is tried: `./dev test` tries a sixth of them."""

MANY_CASES = 12
"""Of a storm with more cases than that, only a part is tried, too."""

PROVING = "SYNCER_PROVE" in os.environ
"""Set by `./dev prove`."""


def examples(number: int) -> settings:
    """So many examples, each of which may take its time: a busy machine is no failure."""
    return settings(max_examples=max(20, number // PART) if PART > 1 else number, deadline=None)


def some_cases(cases: Sequence[T]) -> Sequence[T]:
    """The cases of a storm that are tried, at equal distances, the same each time."""
    number = min(len(cases), max(MANY_CASES, len(cases) // PART))
    return [cases[place * len(cases) // number] for place in range(number)]


def storms_but(kept: Collection[object], values: Iterable[object]) -> list[object]:
    """The values as `parametrize` takes them: all but the kept ones are storms."""
    return [value if value in kept else pytest.param(value, marks=pytest.mark.storm) for value in values]
