"""Which videos are asked about: a partition that loses none, the longest unread first, whatever the clock did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.decide.plan import DAY_SECONDS, FRESH_SECONDS, GONE_MISSES, LastRead, Plan, plan
from syncer.model import BATCH_SIZE, VideoId

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


def video(number: int) -> VideoId:
    return VideoId(f"{number:011}")


def known(read_at: Mapping[VideoId, int]) -> list[LastRead]:
    """As the state tells it."""
    return [LastRead(one, at, 0) for one, at in sorted(read_at.items(), key=lambda item: (item[1], item[0]))]


videos = st.lists(st.integers(0, 150).map(video), max_size=150)
times = st.dictionaries(
    st.integers(0, 200).map(video),
    st.integers(SECONDS - 2 * FRESH_SECONDS, SECONDS + FRESH_SECONDS) | st.integers(0, 2**33),
)
few_units = st.integers(0, 4)


def is_fresh(at: int | None) -> bool:
    return at is not None and SECONDS - FRESH_SECONDS < at <= SECONDS


@given(videos, times, few_units, st.booleans())
def test_every_video_is_requested_or_fresh_or_over_quota_and_counted_once(
    wanted: list[VideoId], read_at: dict[VideoId, int], units: int, everything: bool
) -> None:
    made = plan(set(wanted), known(read_at), NOW, units=units, everything=everything)

    fresh = {one for one in wanted if is_fresh(read_at.get(one)) and not everything}
    assert made.fresh == len(fresh)
    assert len(made.videos) + made.fresh + made.over_quota == len(set(wanted))
    assert len(set(made.videos)) == len(made.videos)
    assert set(made.videos) <= set(wanted) - fresh
    assert len(made.videos) == min(len(set(wanted) - fresh), units * BATCH_SIZE)


@given(videos, times, few_units)
def test_what_is_requested_has_waited_at_least_as_long_as_what_is_not(
    wanted: list[VideoId], read_at: dict[VideoId, int], units: int
) -> None:
    made = plan(set(wanted), known(read_at), NOW, units=units, everything=True)

    def since(one: VideoId) -> tuple[bool, int]:
        """Never, then from a clock that ran ahead, then the oldest."""
        at = read_at.get(one, -1)
        return 0 <= at <= SECONDS, at

    waited = [since(one) for one in made.videos]
    left_out = [since(one) for one in set(wanted) - set(made.videos)]
    assert waited == sorted(waited)
    assert not left_out or not waited or max(waited) <= min(left_out)


def ask(read_at: int | None, *, everything: bool = False) -> Plan:
    times = {} if read_at is None else {video(1): read_at}
    return plan({video(1)}, known(times), NOW, units=1, everything=everything)


def test_a_reading_is_fresh_for_less_than_five_minutes() -> None:
    assert ask(SECONDS).fresh == 1
    assert ask(SECONDS - FRESH_SECONDS + 1).fresh == 1
    assert ask(SECONDS - FRESH_SECONDS).videos == (video(1),)


def test_all_asks_about_fresh_videos_too() -> None:
    assert ask(SECONDS, everything=True).videos == (video(1),)


def test_what_was_read_since_a_time_is_fresh_and_all_that_was_not_is_requested_as_ever() -> None:
    since = NOW - timedelta(hours=9)
    start = int(since.timestamp())
    times = {video(1): start - 1, video(2): start, video(3): start + 1, video(4): SECONDS}

    made = plan({*times, video(5)}, known(times), NOW, units=1, unread_since=since)

    assert made.videos == (video(5), video(1))
    assert (made.fresh, made.over_quota) == (3, 0)


@given(videos, times, st.sets(st.integers(0, 200).map(video)), few_units)
def test_what_is_held_is_never_fresh_unless_it_is_about_to_be_accepted(
    wanted: list[VideoId], read_at: dict[VideoId, int], held: set[VideoId], units: int
) -> None:
    rows = [last._replace(held=last.video_id in held) for last in known(read_at)]
    assert plan(set(wanted), rows, NOW, units=units, accept=True) == plan(set(wanted), known(read_at), NOW, units=units)
    made = plan(set(wanted), rows, NOW, units=1000)
    assert set(made.videos) >= held & set(wanted)


def test_a_reading_from_the_future_is_not_fresh() -> None:
    assert ask(SECONDS + 1).videos == (video(1),)
    assert ask(SECONDS + 10**6).videos == (video(1),)


@pytest.mark.parametrize(("misses", "days"), [(3, 2), (4, 4), (5, 8), (6, 16), (7, 28), (8, 28), (1000, 28)])
def test_the_gone_are_requested_less_and_less_often_but_once_in_four_weeks(misses: int, days: int) -> None:
    def asked(seconds: int) -> bool:
        last = LastRead(video(1), SECONDS - seconds, misses)
        return plan({video(1)}, [last], NOW, units=1, everything=False).videos == (video(1),)

    assert (asked(days * DAY_SECONDS - 1), asked(days * DAY_SECONDS)) == (False, True)


@pytest.mark.parametrize("misses", [0, 1, 2])
def test_a_video_that_is_missing_and_not_gone_is_requested_as_often_as_others(misses: int) -> None:
    last = LastRead(video(1), SECONDS - FRESH_SECONDS, misses)
    assert plan({video(1)}, [last], NOW, units=1, everything=False).videos == (video(1),)


def test_a_video_that_was_never_read_is_requested_at_any_time() -> None:
    assert ask(None).videos == (video(1),)
    for at in (datetime(1970, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, tzinfo=UTC)):
        assert plan({video(1)}, [], at, units=1, everything=False).videos == (video(1),)


def test_never_read_videos_come_before_all_others() -> None:
    made = plan(set(map(video, range(60))), known({video(n): 1 for n in range(30)}), NOW, units=1, everything=False)

    assert made.videos[:30] == list(map(video, range(30, 60)))
    assert made.over_quota == 10


def test_a_small_quota_goes_round_the_whole_site() -> None:
    everything = [video(number) for number in range(3 * BATCH_SIZE)]
    read_at: dict[VideoId, int] = {}
    asked: list[VideoId] = []
    for day in range(3):
        now = NOW + timedelta(days=day)
        made = plan(set(everything), known(read_at), now, units=1, everything=False)
        asked += made.videos
        read_at.update(dict.fromkeys(made.videos, int(now.timestamp())))

    assert sorted(asked) == everything


def test_of_the_fresh_those_that_are_gone_and_not_due_are_counted_apart() -> None:
    seconds = int(NOW.timestamp())
    rows = [LastRead(video(2), seconds - DAY_SECONDS, GONE_MISSES), LastRead(video(1), seconds, 0)]
    assert plan({video(1), video(2)}, rows, NOW, units=9) == Plan((), fresh=2, over_quota=0, gone=1)
    assert plan({video(1), video(2)}, rows, NOW, units=9, everything=True).gone == 0


def test_without_units_nothing_is_requested() -> None:
    assert plan({video(1)}, [], NOW, units=0, everything=True) == Plan((), 0, 1)


def test_without_videos_nothing_is_requested() -> None:
    assert plan(set(), known({video(1): 0}), NOW, units=9, everything=False) == Plan((), 0, 0)
