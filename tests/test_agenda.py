"""The agenda: when the next sync begins, after each event. No thread, no clock, no randomness."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.config import sections
from syncer.daemon.agenda import PUNCTUAL_WITHIN, Agenda, QuotaRetry, phase_of
from syncer.decide.quota import next_reset
from syncer.decide.schedule import Schedule
from syncer.errors import ContentGone, ExitCode, Locked, Stopped
from tests.clockwork import START, report
from tests.examples import examples

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SCHEDULES: tuple[dict[str, str], ...] = (
    {"every": "6h"},
    {"every": "1s"},
    {"every": "24h", "jitter": "30m"},
    {"cron": "0 4 * * *"},
    {"cron": "30 */6 * * *", "jitter": "5m"},
    {"cron": "30 2 * * *", "timezone": "Europe/Berlin"},
)
SHARES = st.floats(0, 1)


def schedule(**keys: str) -> Schedule:
    return sections.Schedule.model_validate({"jitter": "0s", **keys}).as_model()


def agenda(**keys: str) -> Agenda:
    """The agenda of a daemon that begins when a sync was just made."""
    return Agenda.at_start(schedule(**(keys or {"every": "6h"})), START, START, 0.5)


def begun(before: Agenda, now: datetime, share: float = 0.5) -> Agenda:
    """The agenda while the sync runs that began now, as the scheduler moves it."""
    return replace(before, start=before.next_start(now, share))


def ended(
    before: Agenda,
    now: datetime,
    share: float = 0.5,
    *,
    triggered: bool = False,
    since: datetime | None = None,
    **facts: Any,
) -> Agenda:
    """The agenda after a sync that began and ended now."""
    made = replace(report(), started=now, finished=now, **facts)
    return begun(before, now).after_report(made, now, share, triggered=triggered, unread_since=since)


@pytest.mark.parametrize(
    ("keys", "last", "share", "start"),
    [
        ({"every": "6h"}, None, 0.5, timedelta(0)),
        ({"every": "6h", "jitter": "30m"}, START - 7 * HOUR, 0.5, timedelta(0)),  # one that is due is not delayed
        ({"every": "6h", "jitter": "30m"}, START - HOUR, 0.5, 5 * HOUR + 15 * MINUTE),
        ({"every": "6h"}, START + HOUR, 0.5, timedelta(0)),  # nobody can say how long ago that was
        ({"cron": "0 5 * * *", "jitter": "30m"}, START - HOUR, 1, HOUR + 30 * MINUTE),
    ],
)
def test_it_begins_with_what_is_due(
    keys: dict[str, str], last: datetime | None, share: float, start: timedelta
) -> None:
    assert Agenda.at_start(schedule(**keys), last, START, share).start == START + start


def test_a_delay_and_a_missed_sync_move_none_that_comes_later() -> None:
    of = agenda(every="6h", jitter="30m")
    assert of.next_start(START + 6 * HOUR + 20 * MINUTE, 0) == START + 12 * HOUR
    assert of.next_start(START + 50 * HOUR, 1) == START + 54 * HOUR + 30 * MINUTE


def test_failures_back_off_up_to_an_hour_and_an_answer_resets_them() -> None:
    of, now, waits = agenda(), START, []
    for number in range(9):
        failed = begun(of, now)
        unanswered = replace(report(code=3), started=now, finished=now)
        of = (
            failed.after_error(Locked("another syncer is writing"), now)
            if number % 2
            else failed.after_report(unanswered, now, 0.5, triggered=False, unread_since=None)
        )
        waits.append((of.start - now) // MINUTE)
        now = of.start
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert of.failures == 9
    well = ended(of, now)
    assert well.failures == 0
    assert well.start == of.next_start(now, 0.5)
    assert ended(well, well.start, exit=ExitCode.NOTHING_ANSWERED).start == well.start + MINUTE


def test_a_failure_is_not_followed_by_a_longer_wait_than_the_schedule_has() -> None:
    assert ended(agenda(every="1s"), START, exit=ExitCode.NOTHING_ANSWERED).start == START + timedelta(seconds=1)


def test_an_interrupted_sync_is_neither_a_failure_nor_the_end_of_one() -> None:
    failing = ended(agenda(), START, exit=ExitCode.NOTHING_ANSWERED)
    assert ended(failing, failing.start, exit=ExitCode.INTERRUPTED).failures == 1


@pytest.mark.parametrize("error", [Stopped("stopped"), ZeroDivisionError(), SystemExit(3)])
def test_what_was_stopped_or_has_a_bug_is_not_repeated_before_its_time(error: BaseException) -> None:
    running = replace(begun(agenda(), START), failures=2)
    assert running.after_error(error, START) == running


@pytest.mark.parametrize("error", [Locked("locked"), ContentGone("gone")])
def test_an_expected_error_is_a_failure(error: Exception) -> None:
    after = begun(agenda(), START).after_error(error, START)
    assert (after.failures, after.start) == (1, START + MINUTE)


@examples(100)
@given(keys=st.sampled_from(SCHEDULES), at=st.timedeltas(timedelta(0), timedelta(days=400)), share=SHARES)
def test_what_the_quota_left_out_is_requested_after_the_reset_if_no_sync_comes_before(
    keys: dict[str, str], at: timedelta, share: float
) -> None:
    now = START + at
    of = Agenda.at_start(schedule(**keys), now, now, 0.5)
    full, spent = ended(of, now, share), ended(of, now, share, over_quota=7)
    assert spent.quota_retry
    assert spent.quota_retry.since == now
    assert timedelta(minutes=10) <= spent.quota_retry.at - next_reset(now) <= timedelta(minutes=20)
    assert spent.start == min(full.start, spent.quota_retry.at)
    assert ended(spent, spent.start).quota_retry is None, "whatever sync answers all ends it"


def test_what_is_left_out_again_still_waits_since_the_first_sync_that_left_it_out() -> None:
    spent = ended(agenda(), START, over_quota=7)
    assert spent.quota_retry
    again = ended(spent, spent.quota_retry.at, since=START, over_quota=3)
    assert again.quota_retry
    assert again.quota_retry.since == START
    assert again.quota_retry.at > next_reset(spent.quota_retry.at)


@pytest.mark.parametrize(
    ("late", "since"),
    [
        (timedelta(seconds=-1), None),
        (timedelta(0), START),
        (PUNCTUAL_WITHIN - timedelta(seconds=1), START),
        (PUNCTUAL_WITHIN, None),  # the machine slept: a scheduled sync may have been missed
    ],
)
def test_a_sync_is_about_the_rest_alone_where_it_comes_on_time_for_it(late: timedelta, since: datetime | None) -> None:
    retry = QuotaRetry(START, START + 3 * HOUR)
    assert replace(agenda(), quota_retry=retry).unread_since(retry.at + late) == since
    assert agenda().unread_since(retry.at + late) is None


def test_an_every_counts_from_another_process_s_sync_and_a_cron_does_not() -> None:
    other = START + HOUR
    after = agenda(every="6h").after_last_sync(other, other + MINUTE, 0)
    assert after.start == other + 6 * HOUR
    assert after.next_start(after.start, 0) == other + 12 * HOUR
    cron = agenda(cron="0 6 * * *", jitter="30m")
    assert cron.after_last_sync(other, other + MINUTE, 1) == replace(cron, last_sync=other)


def test_an_every_counts_from_a_triggered_sync_and_not_from_a_scheduled_one() -> None:
    late = START + 6 * HOUR + 17 * MINUTE + timedelta(microseconds=5)
    in_the_state = late.replace(microsecond=0)
    scheduled = ended(agenda(), late).after_last_sync(in_the_state, late, 0)
    assert scheduled.start == START + 12 * HOUR
    triggered = ended(agenda(), late, triggered=True).after_last_sync(in_the_state, late, 0)
    assert triggered.start == in_the_state + 6 * HOUR


@pytest.mark.parametrize("last", [None, START, START + 2 * HOUR])
def test_a_last_sync_that_is_unknown_or_known_or_to_come_moves_nothing(last: datetime | None) -> None:
    failing = replace(agenda(), failures=1, start=START + 61 * MINUTE)
    after = failing.after_last_sync(last, START + HOUR, 0)
    assert after == replace(failing, last_sync=last or START)


def test_a_sync_of_another_process_moves_neither_a_triggered_sync_nor_a_due_retry_beyond_its_time() -> None:
    waiting = agenda().after_trigger(START + HOUR)
    assert waiting.after_last_sync(START + HOUR, START + HOUR, 0) == waiting
    retry = QuotaRetry(START, START + 3 * HOUR)
    resting = replace(agenda(), quota_retry=retry, start=retry.at)
    assert resting.after_last_sync(START + HOUR, START + HOUR, 0).start == retry.at
    past = resting.after_last_sync(START + 4 * HOUR, START + 4 * HOUR, 0)
    assert past.start == START + 10 * HOUR, "what is past is not made up for by itself"


def test_a_triggered_sync_begins_at_once_and_is_moved_once() -> None:
    waiting = agenda().after_trigger(START + HOUR)
    assert waiting.start == START + HOUR
    running = begun(waiting, START + HOUR)
    assert running.after_trigger(START + 2 * HOUR) == running, "else it would begin twice"
    assert ended(waiting, START + HOUR).after_trigger(START + 2 * HOUR).start == START + 2 * HOUR
    for error in (Locked("locked"), Stopped("stopped"), ZeroDivisionError()):
        assert running.after_error(error, START + HOUR).after_trigger(START + 2 * HOUR).start == START + 2 * HOUR


def test_a_triggered_sync_that_has_not_begun_stays_whatever_else_happens() -> None:
    waiting, now = agenda(cron="0 6 * * *").after_trigger(START + HOUR), START + HOUR
    assert waiting.after_config(schedule(every="24h"), now, 0.5).start == now
    assert waiting.after_set_back(now - 3 * HOUR, 3 * HOUR).start == now - 3 * HOUR


def test_while_a_triggered_sync_runs_a_new_schedule_counts_for_the_next_one() -> None:
    running = begun(agenda().after_trigger(START + HOUR), START + HOUR)
    assert running.after_config(schedule(every="24h"), START + 2 * HOUR, 0).start == START + 24 * HOUR
    assert running.after_set_back(START, HOUR).start == START + 5 * HOUR


def test_a_config_with_the_same_schedule_moves_nothing() -> None:
    late = START + 24 * HOUR + 17 * MINUTE
    spent = replace(ended(agenda(every="24h"), late, over_quota=7), last_sync=late)
    same = spent.after_config(schedule(every="24h"), late + HOUR, 0.5)
    assert same == spent
    assert same.has_times_of(spent)
    for other in (replace(spent, schedule=schedule(every="1h")), replace(spent, counted_from=START + HOUR)):
        assert not other.has_times_of(spent)


def test_a_new_schedule_counts_from_the_last_sync_and_keeps_what_the_quota_left_out() -> None:
    spent = ended(agenda(every="1h"), START, over_quota=7)
    assert spent.quota_retry
    after = spent.after_config(schedule(every="10h", jitter="1h"), START + HOUR, 0.5)
    assert after.quota_retry == spent.quota_retry
    assert (after.last_sync, after.own_sync) == (spent.last_sync, spent.own_sync)
    assert after.interval == 11 * HOUR
    assert after.start == spent.quota_retry.at
    whole = agenda(every="1h").after_config(schedule(every="10h", jitter="1h"), START + HOUR, 0.5)
    assert whole.start == START + 10 * HOUR + 30 * MINUTE
    soon = spent.after_config(schedule(every="2h"), START + HOUR, 0.5)
    assert soon.start == START + 2 * HOUR
    assert spent.after_config(schedule(every="5m"), START + HOUR, 0.5).start == START + HOUR, "it is due"


@pytest.mark.parametrize("every", ["6h", "24h"])
def test_a_new_config_ends_the_back_off_and_is_tried_at_once(every: str) -> None:
    failing = replace(agenda(every="6h"), failures=5, start=START + 2 * HOUR)
    after = failing.after_config(schedule(every=every), START + HOUR, 0.5)
    assert (after.start, after.failures) == (START + HOUR, 0)


@examples(60)
@given(
    backs=st.lists(
        st.tuples(st.timedeltas(timedelta(0), timedelta(hours=5)), st.timedeltas(MINUTE, timedelta(days=400))),
        max_size=8,
    ),
    late=st.timedeltas(timedelta(0), timedelta(hours=1)),
)
def test_a_clock_that_is_set_back_neither_loses_nor_doubles_a_sync(
    backs: list[tuple[timedelta, timedelta]], late: timedelta
) -> None:
    """By a clock on the wall that nobody touches, there are six hours from one sync to the next, whenever it is set."""
    of, wrong, wall = agenda(every="6h"), timedelta(0), START
    starts: list[datetime] = []
    for wait, back in [*backs, (timedelta(0), MINUTE)]:
        wall += wait
        while of.start <= wall - wrong:
            starts.append(of.start + wrong)
            of = ended(of, of.start + min(late, wall - wrong - of.start))
        wrong += back
        of = of.after_set_back(wall - wrong, back)
    starts.append(of.start + wrong)
    assert starts == [START + number * 6 * HOUR for number in range(1, len(starts) + 1)]


@examples(60)
@given(waits=st.lists(st.timedeltas(3 * HOUR, timedelta(hours=30)), max_size=12), back=st.timedeltas(MINUTE, 3 * HOUR))
def test_a_time_that_a_cron_names_is_served_once_however_often_the_clock_is_set_back_over_it(
    waits: list[timedelta], back: timedelta
) -> None:
    of, now, served = agenda(cron="0 4 * * *"), START, []
    for wait in waits:
        now += wait
        while of.start <= now:
            served.append(of.start)
            of = ended(of, of.start)
        now -= back
        of = of.after_set_back(now, back)
    served.append(of.start)
    assert served == [START + timedelta(days=number) for number in range(1, len(served) + 1)]


FACTS = st.fixed_dictionaries(
    {
        "exit": st.sampled_from([0, 1, 3, 130]),
        "over_quota": st.sampled_from([0, 7]),
    }
)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["sync", "trigger", "error", "bug", "config", "other", "set back", "nothing"]),
        st.timedeltas(timedelta(0), timedelta(hours=30)),
        FACTS,
        st.sampled_from(SCHEDULES),
        SHARES,
    ),
    max_size=30,
)


@examples(100)
@given(keys=st.sampled_from(SCHEDULES), events=EVENTS)
def test_whatever_happens_the_next_sync_is_never_before_now_nor_further_off_than_the_schedule_or_a_retry(
    keys: dict[str, str], events: list[tuple[str, timedelta, dict[str, int], dict[str, str], float]]
) -> None:
    now, of = START, agenda(**keys)
    for event, wait, facts, new, share in events:
        now += wait
        before = of
        if event == "set back":
            now -= 2 * wait
            of = of.after_set_back(now, 2 * wait)
        elif event == "config":
            of = of.after_config(schedule(**new), now, share)
        elif event == "other":
            of = of.after_last_sync(now.replace(microsecond=0), now, share)
        elif event == "trigger":
            of = of.after_trigger(now)
        elif event in {"error", "bug"}:
            error = Locked("locked") if event == "error" else ZeroDivisionError()
            of = begun(of, now, share).after_error(error, now)
        elif event == "sync":
            of = ended(of, now, share, triggered=of.triggered, since=of.unread_since(now), **facts)
        assert of.start >= now or of.start == before.start, event
        if of.start < now:  # it is due, and begins now
            of = begun(of, now, share)
        assert of.start - now <= 2 * of.interval + HOUR, event  # a retry may follow the second time of a cron
        if of.quota_retry and of.quota_retry.at > now and event == "sync":
            assert of.start <= of.quota_retry.at


# --- several sites: each has its own times ----------------------------------------------------------------------------


PHASES = st.floats(0, 1, exclude_max=True)


@given(st.sampled_from(SCHEDULES), st.one_of(st.none(), st.timedeltas(-HOUR, 60 * 24 * HOUR)), SHARES, PHASES)
@examples(200)
def test_one_of_several_sites_syncs_in_each_interval_at_its_own_time_whoever_else_syncs(
    keys: dict[str, str], ago: timedelta | None, share: float, phase: float
) -> None:
    last = None if ago is None else START - ago
    alone = Agenda.at_start(schedule(**keys), last, START, share)
    of = Agenda.at_start(schedule(**keys), last, START, share, phase=phase)
    if "cron" in keys:
        assert (of.start, of.has_times_of(alone)) == (alone.start, True), "a cron means what it says"
        return
    every, jitter = of.schedule.every, of.schedule.jitter
    assert START <= of.start <= alone.start + jitter, "never later than if it were alone"
    first = of.next_start(START, 0)
    assert START < first <= START + every
    assert of.next_start(first, 0) == first + every
    elsewhere = of.after_last_sync(START, START + jitter, share)
    assert elsewhere.next_start(START, 0) == first, "no sync of another process moves it"
    restarted = Agenda.at_start(schedule(**keys), first, first + every / 2, 0, phase=phase)
    assert restarted.start == first + every, "nor does a restart"


def test_a_time_that_was_missed_is_caught_up_on_at_once() -> None:
    def started(last: datetime) -> datetime:
        return Agenda.at_start(schedule(every="6h"), last, START, 0, phase=0.5).start

    own = START - HOUR  # START is at 04:00, and half of six hours after midnight is 03:00
    assert [started(own - HOUR), started(own), started(own + MINUTE)] == [START, own + 6 * HOUR, own + 6 * HOUR]


def test_sites_that_were_synced_together_are_spread_over_the_interval() -> None:
    phases = [phase_of(f"/srv/site-{number}") for number in range(200)]
    starts = sorted(Agenda.at_start(schedule(every="6h"), START, START, 0, phase=phase).start for phase in phases)
    assert starts[-1] - starts[0] > 5.5 * HOUR
    assert max(later - earlier for earlier, later in pairwise(starts)) < 20 * MINUTE
