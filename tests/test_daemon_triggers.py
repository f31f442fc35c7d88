"""What moves the daemon's next sync besides the schedule: triggers, other commands, failures, a new config."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

import pytest

from syncer.config.sections import Schedule
from syncer.control import Ticket
from syncer.daemon.agenda import QuotaRetry
from syncer.daemon.site import DaemonConfig, DaemonSite, PastSyncs, SiteEnvironment, SyncRequest
from syncer.decide.quota import next_reset
from syncer.errors import Locked
from syncer.status.report import SyncReport
from tests.clockwork import START, Clock, Daemon, messages, report
from tests.waiting import TIMEOUT, until

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


class Gate:
    """A sync that goes on until it is released."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self._open = threading.Semaphore(0)

    def sync(self) -> SyncReport:
        self.begun.release()
        assert self._open.acquire(timeout=TIMEOUT)
        return report()

    def wait(self) -> None:
        assert self.begun.acquire(timeout=TIMEOUT)

    def release(self) -> None:
        self._open.release()


def ended(daemon: Daemon, number: int) -> Ticket:
    """Waits for the end of a triggered sync."""

    def is_done() -> bool:
        ticket = daemon.control.ticket(number)
        return ticket is not None and ticket.state == "done"

    until(is_done)
    ticket = daemon.control.ticket(number)
    assert ticket
    return ticket


def test_a_trigger_leads_to_a_sync_at_once_that_may_use_the_reserve(clock: Clock) -> None:
    with Daemon(clock, every="6h", last=START) as daemon:
        ticket = daemon.control.trigger(False)
        assert (ticket.number, ticket.state) == (1, "waiting")
        assert daemon.next() == START
        done = ended(daemon, 1)
        assert daemon.request.triggered
        assert not daemon.request.accept
        daemon.idle()
        assert daemon.settle() == 0
        daemon.move(6 * HOUR)
        daemon.next()
        assert not daemon.request.triggered
    assert done.error is None
    assert json.loads(done.report or "")["changed_counts"] == 4


def test_all_triggers_during_a_sync_lead_to_exactly_one_more(clock: Clock) -> None:
    gate = Gate()
    with Daemon(clock, every="6h", last=START) as daemon:
        daemon.doing = gate.sync
        daemon.move(6 * HOUR)
        gate.wait()
        tickets = [daemon.control.trigger(accept) for accept in (False, True, False, False)]
        assert {ticket.number for ticket in tickets} == {1}
        assert daemon.control.state().running
        gate.release()
        gate.wait()
        assert daemon.request.accept, "one of the four wants to accept"
        assert daemon.control.ticket(1) == Ticket(1, "running", None, None)
        later = daemon.control.trigger(False)
        assert later.number == 2
        gate.release()
        gate.wait()
        assert not daemon.request.accept
        gate.release()
        ended(daemon, 2)
        daemon.idle()
        assert daemon.syncs.qsize() == 3
        assert daemon.settle() == 3
        assert daemon.control.ticket(99) is None


def test_a_hundred_threads_that_trigger_at_once_lead_to_one_sync_or_two(clock: Clock) -> None:
    with Daemon(clock, every="6h", last=START) as daemon:
        start = threading.Barrier(100)
        numbers: list[int] = []

        def trigger() -> None:
            start.wait(TIMEOUT)
            numbers.append(daemon.control.trigger(False).number)

        threads = [threading.Thread(target=trigger) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT)
        for number in set(numbers):
            ended(daemon, number)
        daemon.idle()
        assert len(numbers) == 100
        assert daemon.syncs.qsize() == max(numbers), "no sync without a ticket, no ticket without a sync"


def test_the_ticket_of_a_failed_sync_has_the_reason_and_the_exit_code(clock: Clock) -> None:
    def locked() -> SyncReport:
        raise Locked("another syncer is writing")

    def bug() -> SyncReport:
        raise ZeroDivisionError

    with Daemon(clock, every="6h", last=START) as daemon:
        daemon.doing = locked
        failed = ended(daemon, daemon.control.trigger(False).number)
        daemon.doing = bug
        broken = ended(daemon, daemon.control.trigger(False).number)
    assert failed.error == "another syncer is writing"
    assert json.loads(failed.report or "") == {
        "error": {"kind": "locked", "message": "another syncer is writing"},
        "exit": 4,
    }
    assert "ZeroDivisionError" in (broken.error or "")
    assert json.loads(broken.report or "")["exit"] == 70


def test_an_interval_is_counted_from_a_sync_of_another_process(clock: Clock) -> None:
    with Daemon(clock, every="6h", last=START - HOUR) as daemon:
        assert daemon.control.state().next_sync == START + 5 * HOUR
        daemon.move(2 * HOUR)
        daemon.last = START + 2 * HOUR
        until(lambda: daemon.control.state().next_sync == START + 8 * HOUR)
        daemon.move(5 * HOUR)
        assert daemon.settle() == 0
        daemon.move(HOUR)
        assert daemon.next() == START + 8 * HOUR


def test_times_that_are_named_stay_where_they_are_whoever_syncs(clock: Clock) -> None:
    with Daemon(clock, cron="0 */6 * * *", last=START) as daemon:
        daemon.move(HOUR)
        daemon.last = START + HOUR
        daemon.settle()
        assert daemon.control.state().next_sync == START + 2 * HOUR


def test_its_own_syncs_are_late_by_chance_and_that_moves_nothing(clock: Clock) -> None:
    with Daemon(clock, every="6h", last=START) as daemon:

        def late() -> SyncReport:
            daemon.last = clock.now().replace(microsecond=0)  # as the state has it
            return replace(report(), started=clock.now())

        daemon.doing = late
        daemon.move(7 * MINUTE)
        for number in range(1, 20):
            daemon.move(6 * HOUR)
            daemon.next()
            daemon.idle()
            daemon.settle()
            until(lambda due=number + 1: daemon.control.state().next_sync == START + due * 6 * HOUR)  # type: ignore[misc]


@pytest.mark.parametrize("code", [pytest.param(3, marks=pytest.mark.storm), None])
def test_an_outage_of_a_day_is_some_thirty_tries_a_line_each_and_no_storm_at_its_end(
    clock: Clock, caplog: pytest.LogCaptureFixture, code: int | None
) -> None:
    def down() -> SyncReport:
        if code is None:
            raise Locked("the disk is away")
        return report(code=code)

    with Daemon(clock, every="6h", last=START) as daemon:
        daemon.doing = down
        daemon.move(6 * HOUR)
        tries = [daemon.next()]
        daemon.idle()
        for _ in range(24 * 60):
            daemon.move(MINUTE)
            if daemon.settle():
                tries.append(daemon.next())
                daemon.idle()
        gaps = [(later - earlier) // MINUTE for earlier, later in pairwise(tries)]
        lines = [r for r in caplog.records if r.levelname == "ERROR"]
        daemon.doing = report
        daemon.move(HOUR)
        daemon.next()
        daemon.idle()
        daemon.move(HOUR)
        assert daemon.settle() == 0, "one sync, and then the schedule again"
        assert daemon.control.state().next_sync == START + 36 * HOUR
    assert gaps[:7] == pytest.approx([1, 2, 4, 8, 16, 32, 60], abs=1)
    assert set(gaps[7:]) <= {60, 61}
    assert len(lines) == len(tries)
    assert all("next try at " in line.getMessage().lower() for line in lines)


def test_a_short_interval_is_tried_again_after_that_interval(clock: Clock) -> None:
    with Daemon(clock, every="1s", last=START) as daemon:
        daemon.doing = lambda: report(code=3)
        began = [daemon.syncs.get(timeout=TIMEOUT) for _ in range(3)]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(began)]
    assert gaps == pytest.approx([1, 2], abs=0.5)


def test_a_new_schedule_counts_from_the_last_sync_and_an_old_one_stays(clock: Clock) -> None:
    with Daemon(clock, every="6h", last=START - HOUR) as daemon:
        daemon.new_schedule = {"every": "2h"}
        until(lambda: daemon.control.state().next_sync == START + HOUR)
        assert daemon.control.state().interval == 2 * HOUR
        daemon.new_schedule = {"every": "2h"}
        daemon.settle()
        assert daemon.control.state().next_sync == START + HOUR
        daemon.move(HOUR)
        assert daemon.next() == START + HOUR


def test_a_new_config_after_a_failure_is_tried_at_once(clock: Clock) -> None:
    with Daemon(clock, every="6h", last=START) as daemon:
        daemon.doing = lambda: report(code=3)
        daemon.move(6 * HOUR)
        daemon.next()
        daemon.idle()
        assert daemon.settle() == 0
        daemon.new_schedule = {"every": "6h"}
        daemon.next()


def test_a_sync_that_fails_after_its_config_was_replaced_is_repeated_at_once(clock: Clock) -> None:
    """The new config was read too early to end the wait: a repaired key was tried hours later."""
    gate = Gate()
    with Daemon(clock, every="6h", last=START) as daemon:
        daemon.doing = lambda: replace(gate.sync(), exit=3)
        daemon.move(6 * HOUR)
        gate.wait()
        daemon.new_schedule = {"every": "6h"}
        daemon.settle()
        gate.release()
        gate.wait()
        gate.release()
        daemon.idle()
        due = daemon.control.state().next_sync
        assert due
        assert due > clock.now(), "it failed with the new config, too"


def test_a_spent_quota_is_logged_once_a_day_with_the_time_of_its_reset(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with Daemon(clock, every="6h", last=START) as daemon:
        daemon.doing = lambda: replace(report(code=1), over_quota=7, finished=clock.now())
        for _ in range(5):
            daemon.move(6 * HOUR)
            daemon.next()
            daemon.idle()
    first, second = messages(caplog, "over-quota")
    assert "7 videos left out until it resets at 2026-06-02 07:00:00 UTC" in first
    assert "2026-06-03 07:00:00 UTC" in second


def spent(clock: Clock) -> Callable[[], SyncReport]:
    return lambda: replace(report(code=1), over_quota=7, started=clock.now(), finished=clock.now())


def test_videos_left_out_by_the_quota_are_requested_soon_after_midnight_pacific_all_year_and_the_schedule_stays(
    clock: Clock,
) -> None:
    noon = START + 15 * HOUR
    clock.slower = 100
    with Daemon(clock, every="24h", last=noon - 24 * HOUR) as daemon:
        daemon.doing = spent(clock)
        daemon.move(noon - START)
        for day in range(365):
            assert daemon.next() == noon + day * 24 * HOUR
            assert daemon.request.unread_since is None, "about all"
            daemon.idle()
            assert daemon.settle() == 0
            began, goes_on = clock.now(), daemon.control.state().next_sync
            assert goes_on
            assert 10 * MINUTE <= goes_on - next_reset(began) <= 20 * MINUTE
            daemon.move(goes_on - began)
            daemon.syncs.get(timeout=TIMEOUT)
            daemon.idle()
            assert daemon.request.unread_since
            assert abs(daemon.request.unread_since - began) < MINUTE, "about those that were not read since"
            assert daemon.settle() == 0, "what is left out again waits for the next day"
            daemon.move(noon + (day + 1) * 24 * HOUR - clock.now())


@pytest.mark.parametrize("schedule", [{"every": "1h"}, {"cron": "30 * * * *"}])
def test_where_a_sync_is_due_before_the_rest_is_none_is_added(clock: Clock, schedule: dict[str, str]) -> None:
    with Daemon(clock, last=START, **schedule) as daemon:
        daemon.doing = spent(clock)
        for _ in range(24):
            daemon.move(HOUR)
            daemon.next()
            daemon.idle()
            assert daemon.request.unread_since is None
            assert daemon.settle() == 0


def test_a_sync_that_comes_before_the_rest_or_too_late_for_it_is_about_all(clock: Clock) -> None:
    with Daemon(clock, every="24h", last=START - 23 * HOUR) as daemon:
        daemon.doing = spent(clock)
        daemon.move(HOUR)
        daemon.next()
        daemon.idle()
        daemon.doing = report
        daemon.control.trigger(False)
        daemon.next()
        daemon.idle()
        daemon.move(20 * HOUR)
        assert daemon.settle() == 0, "the sync that was triggered left nothing out"
        daemon.doing = spent(clock)
        daemon.move(4 * HOUR)
        daemon.next()
        daemon.idle()
        daemon.move(30 * HOUR)
        daemon.next()
        assert daemon.request.unread_since is None, "it makes up for one that was slept over"


def test_others_see_how_far_a_sync_is_and_when_the_next_one_begins(clock: Clock) -> None:
    gate = Gate()
    with Daemon(clock, every="6h", last=START) as daemon:
        daemon.doing = gate.sync
        live = daemon.control.state()
        assert (live.running, live.progress, live.next_sync) == (False, None, START + 6 * HOUR)
        assert abs(live.started - START) < MINUTE
        daemon.control.trigger(False)
        gate.wait()
        daemon.request.progress("ask", 2, 7)
        live = daemon.control.state()
        assert live.running
        assert live.progress is not None
        assert (live.progress.stage, live.progress.done, live.progress.of) == ("ask", 2, 7)
        gate.release()
        until(lambda: not daemon.control.state().running)
        assert daemon.control.state().progress is None


def test_a_sync_that_begins_before_the_end_of_the_one_before_it_is_known_is_about_all(clock: Clock) -> None:
    """As where one is due each second. Until the end of both is known, a sync is running for all who look."""
    began: list[datetime | None] = []

    def sync(request: SyncRequest) -> SyncReport:
        began.append(request.unread_since)
        return report()

    environment = SiteEnvironment(lambda: START, lambda: None, lambda: PastSyncs(START - HOUR, None), lambda: None)
    schedule = Schedule.model_validate({"every": "6h"}).as_model()
    site = DaemonSite(DaemonConfig(schedule, sync), environment, Random(1))
    site.note(replace(site.agenda, quota_retry=QuotaRetry(START - HOUR, START)))
    for _ in range(2):
        site.hand_over(site.sync())
    assert began == [START - HOUR, None]
    assert site.state().running
    site.settle(START)
    assert not site.state().running
