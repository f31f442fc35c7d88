"""The daemon's loop, with APScheduler as it is and a clock that can be moved."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from syncer.daemon.daemon_log import SyncResultLog
from syncer.decide.availability import PlayState
from syncer.decide.unconfirmed import Brake
from syncer.errors import Locked, Stopped
from syncer.model import Problem, ProblemKind, VideoId
from syncer.state.play_states import StateChange
from syncer.status.play_report import PlayReport
from syncer.status.report import SyncReport
from syncer.wording import utc
from tests.clockwork import START, Clock, Daemon, messages, report
from tests.site import ids
from tests.waiting import TIMEOUT

HOUR = timedelta(hours=1)
TYPO = Problem(ProblemKind.NOT_A_COUNT, "content/a.md", "viewcount: 1.2M is no count", 7)
OTHER = Problem(ProblemKind.DUPLICATE_KEY, "content/b.md", "viewcount stands there twice", 3)


def test_without_a_sync_before_one_begins_at_once_and_then_one_each_interval(clock: Clock) -> None:
    with Daemon(clock, every="6h") as daemon:
        assert daemon.next() == START
        for number in range(1, 9):
            daemon.move(timedelta(hours=5, minutes=59))
            assert daemon.settle() == 0
            daemon.move(timedelta(minutes=1))
            assert daemon.next() == START + number * 6 * HOUR
            assert daemon.settle() == 0, "one, and not one more"


def test_a_bug_that_comes_up_between_syncs_is_logged_with_its_traceback_and_keeps_no_sync_from_its_time(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with Daemon(clock, every="1h") as daemon:
        daemon.next()
        daemon.idle()
        daemon.bug = KeyError("finished")
        assert daemon.settle() == 0
        daemon.move(HOUR)
        assert daemon.next() == START + HOUR
    found = [record for record in caplog.records if getattr(record, "event", None) == "state-not-read"]
    assert found
    assert found[0].exc_info


def test_real_time_passes_as_well(clock: Clock) -> None:
    """A busy machine may make a sync late, and the next one is on time again; none is early."""
    start = clock.now()
    with Daemon(clock, every="1s") as daemon:
        began = [daemon.syncs.get(timeout=TIMEOUT) for _ in range(3)]
    assert all(at >= start + timedelta(seconds=number) for number, at in enumerate(began))


def test_after_a_restart_it_counts_from_the_last_sync(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with Daemon(clock, last=START - 2 * HOUR, every="6h") as daemon:
        assert daemon.settle() == 0
        assert messages(caplog, "scheduled") == ["Next sync at 2026-06-01 08:00:00 UTC"]
        daemon.move(4 * HOUR)
        assert daemon.next() == START + 4 * HOUR


def test_jitter_delays_each_sync_and_adds_nothing_to_the_next(clock: Clock) -> None:
    with Daemon(clock, last=START - HOUR, every="1h", jitter="30m") as daemon:
        found = [daemon.next()]
        for _ in range(6 * 60):
            daemon.move(timedelta(minutes=1))
            if daemon.settle():
                found.append(daemon.next())
    assert found[0] == START, "one that is due at the start is not delayed"
    assert [(at - START) // HOUR for at in found] == [0, 1, 2, 3, 4, 5][: len(found)]
    delays = [(at - START) % HOUR for at in found[1:]]
    assert len(delays) == 5
    assert max(delays) < timedelta(minutes=32)
    assert len(set(delays)) > 1


def test_a_nightly_cron_runs_once_a_night_all_year(clock: Clock) -> None:
    zone = ZoneInfo("Europe/Berlin")
    new_year = datetime(2026, 1, 1, tzinfo=zone).astimezone(UTC)
    nights = {datetime(2026, 1, 1, 2, 30, tzinfo=zone) + timedelta(days=day) for day in range(365)}
    require_syncs(
        clock, new_year, new_year + timedelta(days=365), 8 * HOUR, {night.astimezone(UTC) for night in nights}
    )


@pytest.mark.parametrize("moment", ["2026-03-29T01:30:00Z", "2026-10-25T00:30:00Z"])
def test_on_the_days_when_the_clocks_change_it_runs_once_as_well(clock: Clock, moment: str) -> None:
    """At 03:30 in spring, when there is no 02:30; in autumn when 02:30 comes first."""
    due = datetime.fromisoformat(moment)
    require_syncs(clock, due - 5 * HOUR, due + 5 * HOUR, timedelta(minutes=15), {due})


def require_syncs(clock: Clock, start: datetime, end: datetime, step: timedelta, due: Collection[datetime]) -> None:
    """Runs a daemon at 02:30 Berlin time; fails unless each step with a due time has a sync, and no other step."""
    clock.slower = 100
    clock.move(start - START)
    with Daemon(clock, last=start, cron="30 2 * * *", timezone="Europe/Berlin") as daemon:
        while start < end:
            start += step
            daemon.move(step)
            if any(start - step < moment <= start for moment in due):
                assert daemon.next() == start
                daemon.idle()
            assert daemon.settle() == 0


def test_a_machine_that_slept_makes_up_for_all_it_missed_with_one_sync(clock: Clock) -> None:
    with Daemon(clock, every="6h") as daemon:
        daemon.next()
        daemon.idle()
        daemon.move(40 * HOUR)
        assert daemon.next() == START + 40 * HOUR
        daemon.idle()
        assert daemon.settle() == 0
        daemon.move(2 * HOUR)
        assert daemon.next() == START + 42 * HOUR, "the grid of six hours is where it was"


def test_a_clock_set_back_does_not_starve_the_next_sync(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with Daemon(clock, every="6h") as daemon:
        daemon.next()
        daemon.move(HOUR)
        daemon.settle()
        daemon.move(-1000 * HOUR)
        assert daemon.settle() == 0
        for _ in range(3):
            daemon.move(timedelta(hours=4, minutes=58))
            assert daemon.settle() == 0
            daemon.move(timedelta(minutes=4))
            daemon.next()
            daemon.move(timedelta(minutes=58))
    assert len(messages(caplog, "clock-set-back")) == 1


def test_a_clock_set_back_over_a_named_time_does_not_serve_it_twice(clock: Clock) -> None:
    with Daemon(clock, last=START - HOUR, cron="0 4 * * *") as daemon:
        assert daemon.next() == START
        daemon.move(HOUR)
        daemon.settle()
        daemon.move(-2 * HOUR)
        daemon.settle()
        daemon.move(10 * HOUR)
        assert daemon.settle() == 0
        daemon.move(15 * HOUR)
        assert daemon.next() == START + 24 * HOUR


def test_a_clock_that_is_disciplined_moves_nothing(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with Daemon(clock, every="6h") as daemon:
        daemon.next()
        daemon.move(timedelta(seconds=-50))
        daemon.settle()
    assert messages(caplog, "clock-set-back") == []


def bug() -> SyncReport:
    raise ZeroDivisionError("a bug")


def leave() -> SyncReport:
    raise SystemExit(3)


@pytest.mark.parametrize("ending", [bug, leave])
def test_a_bug_in_a_sync_is_logged_with_its_traceback_and_the_next_one_comes(
    clock: Clock, caplog: pytest.LogCaptureFixture, ending: Callable[[], SyncReport]
) -> None:
    with Daemon(clock, every="6h", last=START) as daemon:
        daemon.doing = ending
        daemon.move(6 * HOUR)
        daemon.next()
        daemon.idle()
        assert len(messages(caplog, "sync-failed")) == 1
        trouble = daemon.control.state().trouble
        assert trouble
        assert trouble.startswith("a bug in syncer ")
        daemon.doing = report
        daemon.move(6 * HOUR)
        daemon.next()
        daemon.idle()
        assert daemon.control.state().trouble is None
    assert len(messages(caplog, "synced")) == 1
    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.levelno == logging.ERROR


def test_an_expected_error_is_one_line_without_a_traceback(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    def locked() -> SyncReport:
        raise Locked("another syncer is writing")

    with Daemon(clock, every="6h", last=START) as daemon:
        daemon.doing = locked
        for _ in range(2):
            daemon.move(6 * HOUR)
            daemon.next()
            daemon.idle()
    failed = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in failed] == [
        "Sync failed, next try at 2026-06-01 10:01:00 UTC: another syncer is writing",
        "Sync failed, next try at 2026-06-01 16:02:00 UTC: another syncer is writing",
    ]
    assert not any(record.exc_info for record in failed)


def test_a_sync_that_was_stopped_before_it_did_anything_is_no_error(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    def stopped() -> SyncReport:
        raise Stopped("stopped while another syncer was writing; nothing was done")

    with Daemon(clock, every="6h", last=START) as daemon:
        daemon.doing = stopped
        daemon.move(6 * HOUR)
        daemon.next()
        daemon.idle()
    assert messages(caplog, "sync-stopped") == ["No sync: stopped while another syncer was writing; nothing was done"]
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


@pytest.mark.parametrize(
    ("brake", "words"),
    [
        (Brake("missing", 7, 12), "7 of 12 videos are missing"),
        (Brake("falling", 9, 16), "9 of 16 counts fell"),
    ],
)
def test_the_safety_brake_is_logged(clock: Clock, caplog: pytest.LogCaptureFixture, brake: Brake, words: str) -> None:
    with Daemon(clock, every="6h", last=START) as daemon:
        daemon.doing = lambda: replace(report(code=1), brake=brake)
        daemon.move(6 * HOUR)
        daemon.next()
        daemon.idle()
    (told,) = messages(caplog, "braked")
    assert words in told
    assert "`syncer trigger --accept`" in told


def test_a_problem_is_logged_when_it_is_new_and_not_after_every_sync(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    rounds = [[TYPO], [TYPO, OTHER, OTHER], [TYPO, OTHER], [OTHER], [TYPO, OTHER]]
    with Daemon(clock, every="6h", last=START) as daemon:
        for problems in rounds:
            daemon.doing = lambda problems=problems: report(problems, 1)  # type: ignore[misc]
            daemon.move(6 * HOUR)
            daemon.next()
            daemon.idle()
    typo, other = "content/a.md:7: viewcount: 1.2M is no count", "content/b.md:3: viewcount stands there twice"
    assert messages(caplog, "problem") == [typo, other, typo]


def test_of_very_many_problems_of_a_kind_some_are_logged_and_the_number_of_the_others(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    many = [replace(TYPO, subject=f"content/{number:04}.md") for number in range(1000)]
    with Daemon(clock, every="6h", last=START) as daemon:
        for problems in ([*many, OTHER], many):
            daemon.doing = lambda problems=problems: report(problems, 1)  # type: ignore[misc]
            daemon.move(6 * HOUR)
            daemon.next()
            daemon.idle()
    told = messages(caplog, "problem")
    assert len([line for line in told if "1.2M" in line]) == 20
    assert [line for line in told if "1.2M" not in line] == [
        "content/b.md:3: viewcount stands there twice",
        "... and 980 more problems of the kind not-a-count (see `syncer status`)",
    ]


def test_videos_that_stop_or_begin_to_play_are_logged_once_and_those_that_stop_as_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    back = StateChange(VideoId(ids(1)[0]), PlayState.BLOCKED, PlayState.PUBLIC, START)
    gone = [StateChange(VideoId(video), None, PlayState.BLOCKED, START) for video in ids(22)[1:]]
    daemon_log = SyncResultLog()
    daemon_log.log_report(replace(report(), playing=PlayReport(22, 22, (back, *gone))), START)
    daemon_log.log_report(replace(report(), playing=PlayReport(22, 22)), START)
    records = [record for record in caplog.records if record.__dict__["event"] == "playing"]
    told = [(record.levelname, record.getMessage()) for record in records]
    assert len(told) == 22
    assert told[0] == ("WARNING", f"{gone[0].video_id} does not play on your site: blocked since {utc(START)}")
    assert told[20] == ("WARNING", "... and 1 more that stopped playing (see `syncer videos`)")
    assert told[21] == ("INFO", f"{back.video_id} plays again: public since {utc(START)}")


def test_a_quiet_day_is_a_handful_of_lines_and_the_scheduler_says_nothing(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with Daemon(clock, every="6h") as daemon:
        daemon.next()
        for _ in range(24):
            daemon.move(HOUR)
            daemon.settle()
    assert len(caplog.records) <= 6
    assert {record.name for record in caplog.records} == {"syncer.daemon"}


def test_a_sync_that_outlasts_the_interval_is_not_joined_by_another(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ended = threading.Event()

    def slow() -> SyncReport:
        ended.wait(TIMEOUT)
        return report()

    with Daemon(clock, every="6h", last=START) as daemon:
        daemon.doing = slow
        daemon.move(6 * HOUR)
        daemon.next()
        daemon.move(6 * HOUR)
        assert daemon.settle() == 0
        assert messages(caplog, "sync-left-out") == ["A sync was due, but the previous one is still running"]
        ended.set()
        daemon.idle()
        daemon.move(6 * HOUR)
        assert daemon.next() == START + 18 * HOUR
    assert {record.name for record in caplog.records} == {"syncer.daemon"}


def test_it_ends_after_the_sync_in_progress(clock: Clock) -> None:
    ended = threading.Event()

    def ending() -> SyncReport:
        daemon.stopped.wait(TIMEOUT)
        threading.Event().wait(0.2)  # the batch in hand
        ended.set()
        return report(code=130)

    with Daemon(clock, last=START, every="6h") as daemon:
        daemon.doing = ending
        daemon.move(6 * HOUR)
        daemon.next()
    assert ended.is_set()


@pytest.mark.parametrize(("code", "level"), [(0, logging.INFO), (1, logging.INFO), (3, logging.ERROR)])
def test_a_sync_without_an_answer_is_an_error_in_the_log(
    clock: Clock, caplog: pytest.LogCaptureFixture, code: int, level: int
) -> None:
    with Daemon(clock, last=START, every="6h") as daemon:
        daemon.doing = lambda: report(code=code)
        daemon.move(6 * HOUR)
        daemon.next()
    (record,) = [record for record in caplog.records if getattr(record, "event", None) == "synced"]
    assert record.levelno == level
