"""What sites that share a project's units reach together: nearly the least possible error, less than otherwise divided.

The same code runs on larger sites, and longer: `benchmarks/BUDGETS.md` has those figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from benchmarks.budgets.sharing import (
    DIVISIONS,
    OURS,
    SITES,
    PlainLedger,
    SiteKind,
    least_error,
    mean_error,
    simulate,
)
from tests.examples import PROVING

SMALL: Sequence[SiteKind] = [replace(kind, videos=max(12, kind.videos // 4)) for kind in SITES]
UNITS, DAYS, SETTLING = 14, 30, 12

LONG = pytest.mark.skipif(not PROVING, reason="takes minutes; ./dev prove runs it")


def errors(kinds: Sequence[SiteKind], units: int, days: int, settling: int) -> dict[str, float]:
    found = {}
    for name, division in DIVISIONS.items():
        ledger = PlainLedger(units)
        sites = simulate(kinds, ledger, division, days, settling)
        found[name] = mean_error(sites, days - settling)
        assert all(spent.total() <= units for spent in ledger.days.values())
        if name == OURS:
            assert sum(spent.total() for spent in ledger.days.values()) > 0.95 * units * days, "hardly any is lost"
    return found


@pytest.mark.parametrize(
    ("kinds", "units", "days", "settling"),
    [(SMALL, UNITS, DAYS, SETTLING), pytest.param(SITES, 60, 120, 20, marks=LONG)],
    ids=["small", "large"],
)
def test_one_level_for_all_sites_is_near_the_least_possible_error_and_better_than_every_other_division(
    kinds: Sequence[SiteKind], units: int, days: int, settling: int
) -> None:
    found = errors(kinds, units, days, settling)
    assert found[OURS] < 0.8 * min(error for name, error in found.items() if name != OURS), found
    assert found[OURS] < 1.2 * least_error(kinds, units), found
