"""Which videos are asked about: a partition that loses none, the longest unread first, whatever the clock did."""

from __future__ import annotations

import math
import sys
import time
import tracemalloc
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.decide.drift import DAY_SECONDS, PRIOR
from syncer.decide.plan import FRESH_SECONDS, GONE_MISSES, LastRead, Plan, plan
from syncer.model import BATCH_SIZE, VideoId
from tests.examples import examples

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


# --- when the units do not suffice ------------------------------------------------------------------------------------


def rows(
    ages: Mapping[VideoId, int],
    drifts: Mapping[VideoId, float],
    held: AbstractSet[VideoId] = frozenset(),
    misses: int = 0,
) -> list[LastRead]:
    """As the state tells it: videos by how many seconds ago they were read, longest unread first."""
    ordered = sorted(ages, key=lambda one: (-ages[one], one))
    return [LastRead(one, SECONDS - ages[one], misses, one in held, drifts.get(one, PRIOR)) for one in ordered]


OVERDUE = timedelta(days=25)
old_or_new = st.dictionaries(st.integers(0, 300).map(video), st.integers(FRESH_SECONDS, 30 * DAY_SECONDS), max_size=250)
drifts_of = st.dictionaries(st.integers(0, 300).map(video), st.floats(0, 50, allow_subnormal=False))
some = st.sets(st.integers(0, 300).map(video), max_size=120)


def urgency(age: int, drift: float) -> float:
    return math.inf if age >= OVERDUE.total_seconds() else drift * age**2


def paced(
    ages: Mapping[VideoId, int],
    drifts: Mapping[VideoId, float],
    new: AbstractSet[VideoId],
    *,
    units: int,
    share: int | None,
) -> Plan:
    return plan({*ages, *new}, rows(ages, drifts), NOW, units=units, share=share, overdue=NOW - OVERDUE)


@examples(40)
@given(old_or_new, drifts_of, some, few_units, st.none() | few_units)
def test_the_most_urgent_are_requested_in_whole_batches_and_nothing_twice(
    ages: dict[VideoId, int], drifts: dict[VideoId, float], new: set[VideoId], units: int, share: int | None
) -> None:
    new -= ages.keys()
    made = paced(ages, drifts, new, units=units, share=share)

    wanted = len(ages) + len(new)
    batches = units if share is None else min(units, max(share, math.ceil(len(new) / BATCH_SIZE)))
    assert len(made.videos) == len(set(made.videos)) == min(wanted, batches * BATCH_SIZE)
    assert len(made.videos) + made.later + made.over_quota == wanted
    requested = set(made.videos)
    assert requested >= new or requested <= new, "what was never read comes first"
    urgencies = {one: urgency(age, drifts.get(one, PRIOR)) for one, age in ages.items()}
    most = max((u for one, u in urgencies.items() if one not in requested), default=-1)
    assert all(urgencies[one] >= most for one in requested - new)


@examples(40)
@given(old_or_new, drifts_of, some, few_units, few_units)
def test_a_scheduled_sync_that_leaves_videos_to_later_ones_left_none_out_unless_one_is_overdue(
    ages: dict[VideoId, int], drifts: dict[VideoId, float], new: set[VideoId], units: int, share: int
) -> None:
    new -= ages.keys()
    made = paced(ages, drifts, new, units=units, share=share)
    left = {*ages, *new} - set(made.videos)
    overdue = {one for one in left if one in new or ages[one] >= OVERDUE.total_seconds()}
    if min(units, share):
        assert (made.over_quota, made.later) == (len(overdue), len(left - overdue))
    one_off = paced(ages, drifts, new, units=units, share=None)
    assert (one_off.over_quota, one_off.later) == (max(0, len(ages) + len(new) - units * BATCH_SIZE), 0)


@examples(40)
@given(old_or_new, drifts_of, some, st.randoms())
def test_if_the_units_suffice_everything_is_requested_longest_unread_first(
    ages: dict[VideoId, int], drifts: dict[VideoId, float], new: set[VideoId], rng: Random
) -> None:
    new -= ages.keys()
    enough = math.ceil((len(ages) + len(new)) / BATCH_SIZE)
    made = paced(ages, drifts, new, units=enough + rng.randrange(3), share=enough)
    assert made.videos == [*sorted(new), *(row.video_id for row in rows(ages, {}))]
    assert (made.over_quota, made.later) == (0, 0)


@examples(40)
@given(old_or_new, drifts_of, few_units, st.randoms())
def test_the_plan_is_stable(ages: dict[VideoId, int], drifts: dict[VideoId, float], units: int, rng: Random) -> None:
    first = paced(ages, drifts, set(), units=units, share=None)
    assert paced(ages, drifts, set(), units=units, share=None) == first
    shuffled = plan(rng.sample([*ages], len(ages)), rows(ages, drifts), NOW, units=units, overdue=NOW - OVERDUE)
    assert shuffled == first

    requested = set(first.videos)
    if ages:
        one = rng.choice([*ages])
        other = paced(ages, drifts | {one: rng.random()}, set(), units=units, share=None)
        assert len(requested ^ set(other.videos)) <= 2, "one drift changes the place of one video"
    near = paced(ages, {n: d * rng.uniform(0.99, 1.01) for n, d in drifts.items()}, set(), units=units, share=None)
    flipped = [urgency(ages[each], drifts.get(each, PRIOR)) for each in requested ^ set(near.videos)]
    assert not flipped or max(flipped) <= 1.03 * min(flipped), "only what was near the limit changes its side"


def test_what_is_held_comes_before_what_drifts_and_after_what_is_overdue() -> None:
    everything = {video(n): 3600 for n in range(150)} | {video(n): 26 * DAY_SECONDS for n in range(150, 170)}
    held = set(map(video, range(20)))
    known = rows(everything, {video(140): 40.0}, held)
    made = plan(everything, known, NOW, units=1, share=1, overdue=NOW - OVERDUE)
    assert set(made.videos) >= held | set(map(video, range(150, 170))) | {video(140)}


def test_gone_videos_keep_their_own_clock_where_the_units_do_not_suffice() -> None:
    drifting = {video(n): 3600 for n in range(100)}
    gone = rows({video(200): 2 * DAY_SECONDS, video(201): DAY_SECONDS}, {}, misses=GONE_MISSES)
    fast = rows(drifting, dict.fromkeys(drifting, 10_000.0))
    made = plan({*drifting, video(200), video(201)}, [*gone, *fast], NOW, units=1, share=1)
    assert video(200) in made.videos
    assert video(201) not in made.videos
    assert (made.gone, made.fresh, made.later) == (1, 1, 51)


@examples(10)
@given(st.lists(st.floats(0, 5), min_size=250, max_size=350), st.integers(4, 6), st.randoms())
def test_no_video_starves_however_fast_the_others_change(drifts: list[float], a_day: int, rng: Random) -> None:
    """Within two days, as far as the units reach: 350 videos need 175 requests a day, and get 200 or more."""
    every, within = timedelta(days=1) / a_day, timedelta(days=2)
    drift_of = {video(n): drift * rng.choice([1, 1, 100]) for n, drift in enumerate(drifts)}
    read_at: dict[VideoId, int] = {}
    for number in range(a_day * 8):
        now = NOW + number * every
        known = [LastRead(one, at, 0, drift=drift_of[one]) for one, at in sorted(read_at.items(), key=lambda i: i[1])]
        made = plan(drift_of, known, now, units=1, share=1, overdue=now + every - within)
        read_at |= dict.fromkeys(made.videos, int(now.timestamp()))
        if number >= a_day * 2:
            assert len(read_at) == len(drifts)
            assert int(now.timestamp()) - min(read_at.values()) <= within.total_seconds()


@pytest.mark.storm
def test_a_million_videos_are_planned_in_seconds_and_in_little_memory() -> None:
    ids = [video(number) for number in range(1_000_000)]
    rng = Random(1)
    ages = sorted((rng.randrange(FRESH_SECONDS, 30 * DAY_SECONDS) for _ in ids), reverse=True)
    known = [LastRead(one, SECONDS - age, 0, drift=rng.random()) for one, age in zip(ids, ages, strict=True)]
    started = time.process_time()
    made = plan(ids, known, NOW, units=19_600, share=4_900, overdue=NOW - OVERDUE)
    assert time.process_time() - started < 6
    assert len(made.videos) == 4_900 * BATCH_SIZE
    del made, ids[200_000:], known[200_000:]
    tracemalloc.start()
    plan(ids, known, NOW, units=19_600, share=980, overdue=NOW - OVERDUE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (sys.getsizeof(set(ids)) + 40 * len(ids)) * 1.1, (
        "the set of what is not read yet, and 40 bytes a video"
    )
