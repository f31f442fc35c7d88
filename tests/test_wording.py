"""Numbers and times are said in one form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from syncer.wording import counted, utc


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 pages"), (1, "1 page"), (2, "2 pages"), (1001, "1,001 pages"), (1_000_000, "1,000,000 pages")],
)
def test_one_is_singular_and_thousands_have_commas(number: int, said: str) -> None:
    assert counted(number, "page") == said


def test_a_time_is_printed_in_utc_wherever_it_was_taken() -> None:
    at = datetime(2026, 11, 22, 17, 48, 54, 999, tzinfo=UTC)
    assert utc(at) == utc(at.astimezone(timezone(timedelta(hours=-8)))) == "2026-11-22 17:48:54 UTC"
