"""Syncs that ask whether videos play: when, for how many units, what is reported once, and what is never believed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from sqlite3 import connect

import pytest

from syncer.config.parse import parse_config
from syncer.decide.availability import PlayState
from syncer.decide.unconfirmed import NOT_PLAYING
from syncer.errors import StateDamaged
from syncer.model import Bucket, VideoId
from syncer.simulator.faults import parse_fault
from syncer.simulator.playing import Playing
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, VideoState, World
from syncer.state.database import open_state
from syncer.state.directory import DATABASE_FILE
from syncer.state.play_states import StateChange, VideoPlay, count_states, video_plays
from syncer.state.videos import missing_videos
from syncer.status.buckets import open_ledger
from syncer.status.report import SyncReport, brake_sentence_of
from syncer.status.tables import TABLES
from syncer.sync.forget import Selection, forget
from syncer.sync.options import Options
from syncer.sync.outlook import PlayChecksAhead, look_ahead
from tests.old_states import back_to
from tests.site import NOON, Run, Site, crlf, ids

ROOT = Path(__file__).resolve().parent.parent
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
VIDEOS = [VideoId(video) for video in ids(20, seed=17)]
A, B = VIDEOS[:2]
DEAD = Video(VideoState.PRIVATE)
NOT_HERE = Video(playing=Playing(embeddable=False))


@pytest.fixture
def site(site: Site) -> Site:
    for number, video in enumerate(VIDEOS):
        site.put(f"content/{number:02d}.md", crlf(video, 1, 1))
    site.configure(availability="every: 7d")
    return site


def plays(site: Site) -> dict[VideoId, VideoPlay]:
    with open_state(site.state, site.root) as database:
        return {play.video_id: play for play in video_plays(database)}


def changes(report: SyncReport) -> list[tuple[VideoId, PlayState | None, PlayState]]:
    found = report.playing.changes if report.playing else ()
    return [(change.video_id, change.before, change.after) for change in found]


def test_the_first_sync_checks_all_and_reports_only_what_does_not_play(site: Site, youtube: Simulator) -> None:
    youtube.world = World(videos={A: NOT_HERE, B: Video(VideoState.UNLISTED)})
    report = site.sync()
    assert report.playing is not None
    assert (report.playing.due, report.playing.checked) == (20, 20)
    assert report.playing.changes == (StateChange(A, None, PlayState.NOT_EMBEDDABLE, NOON),)
    assert report.units == {Bucket.STATS: 1, Bucket.GENERAL: 1}
    assert report.exit == 0
    with open_state(site.state, site.root) as database:
        states = {PlayState.PUBLIC: 18, PlayState.NOT_EMBEDDABLE: 1, PlayState.UNLISTED: 1}
        assert count_states(database) == states
    found = plays(site)[A]
    assert (found.since, found.checked_at, found.pages) == (NOON, NOON, ["content/00.md"])
    assert found.availability.made_for_kids is False


def test_a_missing_video_is_reported_after_two_readings_a_day_apart_and_once(site: Site, youtube: Simulator) -> None:
    site.sync()
    youtube.world = World(videos={A: DEAD})
    reports = [site.sync(NOON + HOUR * hours, Options(everything=True)) for hours in (6, 12, 24, 29)]
    assert all(changes(report) == [] for report in reports)
    assert plays(site)[A].availability.state is PlayState.PUBLIC
    report = site.sync(NOON + HOUR * 31)
    assert changes(report) == [(A, PlayState.PUBLIC, PlayState.MISSING)]
    assert plays(site)[A].since == NOON + HOUR * 6
    assert changes(site.sync(NOON + HOUR * 60)) == []
    youtube.world = World()
    back = site.sync(NOON + HOUR * 90)
    assert changes(back) == [(A, PlayState.MISSING, PlayState.PUBLIC)]
    assert changes(site.sync(NOON + HOUR * 96)) == []
    assert plays(site)[A].since == NOON + HOUR * 90
    assert site.sync(NOON + HOUR * 102).missing == ()
    with open_state(site.state, site.root) as database:
        assert missing_videos(database) == []


def test_a_video_that_is_missing_for_weeks_stays_so_and_since_when(site: Site, youtube: Simulator) -> None:
    youtube.world = World(videos={A: DEAD})
    for day in range(40):
        site.sync(NOON + DAY * day)
    assert plays(site)[A].availability.state is PlayState.MISSING
    assert plays(site)[A].since == NOON


def test_what_youtube_says_in_words_is_believed_at_once_and_looked_at_in_each_sync(
    site: Site, youtube: Simulator
) -> None:
    site.sync()
    youtube.world = World(videos={A: NOT_HERE})
    assert changes(site.sync(NOON + HOUR, Options(videos=frozenset({A}), everything=True))) == [
        (A, PlayState.PUBLIC, PlayState.NOT_EMBEDDABLE)
    ]
    youtube.world = World()
    assert changes(site.sync(NOON + HOUR * 7)) == [(A, PlayState.NOT_EMBEDDABLE, PlayState.PUBLIC)]


def test_each_video_is_checked_once_in_the_interval_and_not_all_in_one_sync(site: Site) -> None:
    site.sync()
    checked = []
    for number in range(1, 29):
        report = site.sync(NOON + HOUR * 6 * number)
        checked.append(report.playing.checked if report.playing else 0)
        assert report.units.get(Bucket.GENERAL, 0) == (1 if checked[-1] else 0)
    assert sum(checked) == len(VIDEOS)
    assert max(checked) <= 5


def test_what_is_left_out_for_a_while_is_checked_again_as_soon_as_it_is_back(site: Site, youtube: Simulator) -> None:
    youtube.world = World(videos={A: NOT_HERE})
    site.sync()
    youtube.world = World(videos={A: DEAD})
    assert changes(site.sync(NOON + HOUR * 6)) == []
    youtube.world, youtube.faults = World(), [parse_fault("internal@general")]
    assert changes(site.sync(NOON + HOUR * 12, sleep=lambda _: None)) == []
    youtube.faults = []
    assert changes(site.sync(NOON + HOUR * 18)) == [(A, PlayState.NOT_EMBEDDABLE, PlayState.PUBLIC)]


def test_checks_leave_units_that_confirm_absent_videos(site: Site) -> None:
    for video in ids(500, seed=19):
        site.put(f"content/{video}.md", crlf(video, 1, 1))
    site.configure(availability="every: 7d", quota="general_units_per_day: 204, reserve: 200")
    report = site.sync()
    assert report.playing
    assert report.playing.checked == 50, "of four units, one is for confirmations, and half of the rest for this sync"


def test_a_broadcast_is_upcoming_then_live_then_over(site: Site, youtube: Simulator) -> None:
    starts, ends = NOON + HOUR * 5, NOON + HOUR * 7
    playing = Playing(scheduled=starts, started=starts, ended=ends, lag_seconds=7200)
    youtube.world = World(videos={A: Video(playing=playing)})
    site.sync()
    found = plays(site)[A].availability
    assert (found.state, found.starts_at) == (PlayState.UPCOMING, starts)
    youtube.clock.set(NOON + HOUR * 6)
    assert changes(site.sync(NOON + HOUR * 6)) == [(A, PlayState.UPCOMING, PlayState.LIVE)]
    youtube.clock.set(NOON + HOUR * 30)
    assert changes(site.sync(NOON + HOUR * 30)) == [(A, PlayState.LIVE, PlayState.PUBLIC)]


def test_a_block_in_one_of_the_regions_counts_from_the_next_check_on(site: Site, youtube: Simulator) -> None:
    youtube.world = World(videos={A: Video(playing=Playing(blocked=("DE",)))})
    site.sync()
    assert plays(site)[A].availability.state is PlayState.PUBLIC
    site.configure(availability="every: 7d, regions: [DE]")
    assert changes(site.sync(NOON + HOUR)) == [(A, PlayState.PUBLIC, PlayState.BLOCKED)]
    assert plays(site)[A].availability.blocked_in == "DE"


def test_other_regions_in_the_config_are_no_reason_for_the_brake(site: Site, youtube: Simulator) -> None:
    youtube.world = World(videos=dict.fromkeys(VIDEOS[:15], Video(playing=Playing(blocked=("DE",)))))
    site.sync()
    site.configure(availability="every: 7d, regions: [DE]")
    report = site.sync(NOON + HOUR)
    assert (report.brake, report.exit, len(changes(report))) == (None, 0, 15)
    youtube.world = World(videos=dict.fromkeys(VIDEOS, Video(playing=Playing(blocked=("DE",)))))
    site.configure(availability="every: 7d, regions: []")
    assert len(changes(site.sync(NOON + HOUR * 2))) == 15
    site.configure(availability="every: 7d, regions: [DE]")
    youtube.world = World(videos=dict.fromkeys(VIDEOS, NOT_HERE))
    assert site.sync(NOON + HOUR * 3).brake is not None, "that is not what the config changed"


BLOCKED = Playing(blocked=("DE",), made_for_kids=True)


@pytest.mark.parametrize(
    ("whole", "part", "state"),
    [
        (BLOCKED, replace(BLOCKED, without=("contentDetails",)), PlayState.BLOCKED),
        (Playing(age_restricted=True), Playing(without=("contentDetails",)), PlayState.AGE_RESTRICTED),
        (Playing(embeddable=False), Playing(embeddable=None), PlayState.NOT_EMBEDDABLE),
        (Playing(embeddable=False), Playing(without=("status",)), PlayState.NOT_EMBEDDABLE),
        (
            Playing(embeddable=False, started=NOON - HOUR),
            Playing(started=NOON - HOUR, without=("status",)),
            PlayState.NOT_EMBEDDABLE,
        ),
        (
            Playing(scheduled=NOON + DAY * 9),
            Playing(scheduled=NOON + DAY * 9, without=("snippet",)),
            PlayState.UPCOMING,
        ),
        (
            Playing(scheduled=NOON + DAY * 9),
            Playing(without=("snippet", "liveStreamingDetails")),
            PlayState.UPCOMING,
        ),
        (Playing(), replace(BLOCKED, without=("contentDetails",)), PlayState.PUBLIC),
    ],
)
def test_an_answer_with_parts_left_out_changes_no_state_and_what_is_known_beside_it_stays(
    site: Site, youtube: Simulator, whole: Playing, part: Playing, state: PlayState
) -> None:
    site.configure(availability="every: 7d, regions: [DE]")
    youtube.world = World(videos={A: Video(playing=whole)})
    site.sync()
    before = plays(site)[A]
    assert before.availability.state is state
    youtube.world = World(videos={A: Video(playing=part)})
    report = site.sync(NOON + HOUR, Options(everything=True))
    assert (changes(report), report.exit) == ([], 0)
    after = plays(site)[A]
    assert (after.since, after.checked_at) == (before.since, NOON + HOUR)
    kids = before.availability.made_for_kids if "status" in part.without else part.made_for_kids
    assert after.availability == replace(before.availability, made_for_kids=kids)
    youtube.world = World(videos={A: Video(playing=whole)})
    assert changes(site.sync(NOON + HOUR * 2, Options(everything=True))) == []


def test_many_videos_that_stop_playing_at_once_are_held_until_they_are_accepted(site: Site, youtube: Simulator) -> None:
    site.sync()
    youtube.world = World(videos=dict.fromkeys(VIDEOS[:15], NOT_HERE))
    report = site.sync(NOON + HOUR, Options(everything=True))
    assert report.exit == 1
    assert report.playing is not None
    assert report.playing.brake == report.brake
    assert report.brake is not None
    assert (report.brake.struck, report.brake.of) == (15, 20)
    sentence = "The safety brake holds what YouTube says about playing: 15 of 20 videos would stop playing (limit 50%)."
    remedy = "If YouTube is right, run `yes`. If not, wait: the next sync requests the same videos again."
    assert brake_sentence_of(report, "yes") == f"{sentence} {remedy}"
    assert changes(report) == []
    assert {play.availability.state for play in plays(site).values()} == {PlayState.PUBLIC}
    accepted = site.sync(NOON + HOUR * 2, Options(everything=True, accept=True))
    assert accepted.exit == 0
    assert len(changes(accepted)) == 15


@pytest.mark.parametrize("why", ["all", "paths", "due"])
def test_what_the_brake_holds_is_asked_again_by_each_sync_whatever_asked_for_it(
    site: Site, youtube: Simulator, syncer: Run, why: str
) -> None:
    site.sync()
    youtube.world = World(videos=dict.fromkeys(VIDEOS[:15], NOT_HERE))
    at = NOON + (DAY * 9 if why == "due" else HOUR)
    narrowed = Options(paths=("content",), everything=True)
    assert site.sync(at, {"all": Options(everything=True), "paths": narrowed, "due": Options()}[why]).exit == 1
    for hours in (1, 2):
        report = site.sync(at + HOUR * hours)
        assert (report.exit, report.brake and report.brake.struck) == (1, 15)
        status, shown = syncer("status", "--json").document, syncer("status").out
        assert (status["held_by_brake"], status["not_playing"]) == (20, [])
        assert "The safety brake holds what YouTube says about playing: 15 of 20 videos would stop playing" in shown
        assert "If YouTube is right, run `syncer sync --accept`." in shown
    narrowed = Options(videos=frozenset({VIDEOS[19]}), everything=True)
    assert site.sync(at + HOUR * 3, narrowed).exit == 1, "19 are still held"
    assert len(changes(site.sync(at + HOUR * 4, Options(accept=True)))) == 15
    assert syncer("status", "--json").document["held_by_brake"] == 0
    assert "The safety brake" not in syncer("status").out
    assert site.sync(at + HOUR * 5).exit == 0


def test_what_the_brake_holds_is_forgotten_when_youtube_says_otherwise(site: Site, youtube: Simulator) -> None:
    site.sync()
    youtube.world = World(videos=dict.fromkeys(VIDEOS[:15], NOT_HERE))
    assert site.sync(NOON + HOUR, Options(everything=True)).exit == 1
    youtube.world = World(videos={A: NOT_HERE})
    report = site.sync(NOON + HOUR * 2)
    assert (report.exit, changes(report)) == (0, [(A, PlayState.PUBLIC, PlayState.NOT_EMBEDDABLE)])


def test_the_brake_tells_how_many_of_the_videos_that_would_stop_playing_are_still_held(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    site.sync()
    youtube.world = World(videos=dict.fromkeys(VIDEOS[:15], NOT_HERE))
    assert site.sync(NOON + HOUR, Options(everything=True)).exit == 1
    youtube.world = World()
    report = site.sync(NOON + HOUR * 2, Options(videos=frozenset(VIDEOS[:12]), everything=True))
    assert report.brake
    assert (report.brake.struck, report.brake.of) == (3, 8)
    assert "about playing: 3 of 8 videos would stop playing" in syncer("status").out
    report = site.sync(NOON + HOUR * 3, Options(videos=frozenset(VIDEOS[12:15]), everything=True))
    assert (report.brake, report.exit) == (None, 0)
    assert syncer("status", "--json").document["held_by_brake"] == 0


def test_an_outage_a_cut_quota_or_a_refused_key_changes_no_state(site: Site, youtube: Simulator) -> None:
    site.sync()
    for number, fault in enumerate(
        ["internal@general", "quota-exceeded@general", "key-ip", "all-missing@general", "no-items@general", "html-200"]
    ):
        youtube.faults = [parse_fault(fault)]
        report = site.sync(NOON + DAY * (number + 1), Options(everything=True))
        assert changes(report) == [], fault
        assert {play.availability.state for play in plays(site).values()} == {PlayState.PUBLIC}
    youtube.faults = []
    assert changes(site.sync(NOON + DAY * 10, Options(everything=True))) == []


def test_an_outage_that_leaves_out_all_videos_for_days_is_held(site: Site, youtube: Simulator) -> None:
    site.sync()
    youtube.faults = [parse_fault("all-missing")]
    for day in range(1, 5):
        assert changes(site.sync(NOON + DAY * day)) == []
    assert {play.availability.state for play in plays(site).values()} == {PlayState.PUBLIC}


def test_the_units_of_a_day_are_shared_among_its_syncs(site: Site) -> None:
    for video in ids(180, seed=18):
        site.put(f"content/{video}.md", crlf(video, 1, 1))
    site.configure(availability="every: 7d", quota="general_units_per_day: 202, reserve: 200")
    reports = [site.sync(NOON + HOUR * hours) for hours in (0, 6)]  # at noon and at six in California
    assert [report.playing.checked for report in reports if report.playing] == [50, 50]


def test_the_reserve_is_not_touched(site: Site) -> None:
    site.configure(availability="every: 7d", quota="general_units_per_day: 201, reserve: 200")
    report = site.sync()
    assert report.units.get(Bucket.GENERAL, 0) == 1
    site.configure(availability="every: 1h", quota="general_units_per_day: 201, reserve: 200")
    report = site.sync(NOON + HOUR * 2)
    assert report.playing is not None
    assert (report.playing.due, report.playing.checked) == (20, 0)
    assert report.units.get(Bucket.GENERAL, 0) == 0


def test_a_dry_run_tells_what_a_sync_would_and_writes_nothing(site: Site, youtube: Simulator) -> None:
    youtube.world = World(videos={A: NOT_HERE})
    report = site.sync(options=Options(dry_run=True))
    assert changes(report) == [(A, None, PlayState.NOT_EMBEDDABLE)]
    assert report.units[Bucket.GENERAL] == 1
    assert not site.state.exists()
    assert changes(site.sync()) == changes(report)
    youtube.world = World(videos=dict.fromkeys(VIDEOS[:15], NOT_HERE))
    files = {path: path.read_bytes() for path in site.state.iterdir()}
    report = site.sync(NOON + DAY, Options(dry_run=True, everything=True))
    assert report.brake is not None
    assert (report.brake.reason, report.exit) == (NOT_PLAYING, 1)
    assert {path: path.read_bytes() for path in files} == files


def test_a_narrowed_sync_checks_its_own_videos(site: Site) -> None:
    report = site.sync(options=Options(videos=frozenset({A})))
    assert report.playing is not None
    assert report.playing.checked == 1


def test_nothing_is_asked_where_the_config_says_so(site: Site) -> None:
    site.configure(availability="every: null")
    report = site.sync()
    assert report.playing is None
    assert report.units.get(Bucket.GENERAL, 0) == 0


def test_purged_videos_are_forgotten_and_so_is_what_is_too_old(site: Site) -> None:
    site.sync()
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    forget(config, Selection(video=A), dry_run=False, clock=lambda: NOON, sleep=lambda _seconds: None)
    site.configure(availability="every: null")
    site.sync(NOON + DAY * 1)
    assert plays(site)[A].checked_at is None
    assert plays(site)[B].checked_at == NOON
    site.sync(NOON + DAY * 29)
    assert plays(site)[B].checked_at is None


def test_an_export_of_the_videos_says_whether_they_play(site: Site, youtube: Simulator) -> None:
    starts = NOON + DAY
    upcoming, blocked = Playing(scheduled=starts), Playing(allowed=("US",), made_for_kids=True)
    youtube.world = World(videos={A: Video(playing=upcoming), B: Video(playing=blocked)})
    site.configure(availability="every: 7d, regions: [DE]")
    site.sync()
    names = ("video_id", "state", "state_since", "checked_at", "made_for_kids", "blocked_in", "starts_at")
    table, noon = TABLES["videos"], "2026-11-22T20:00:00Z"
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows(config, None)]
    found = {row["video_id"]: tuple(row[name] for name in names[1:]) for row in rows}
    assert found[A] == ("upcoming", noon, noon, False, None, "2026-11-23T20:00:00Z")
    assert found[B] == ("blocked", noon, noon, True, "all but US", None)


@pytest.mark.parametrize("facts", ["", "[]", "{", '{"made_for_kids": 1}', '{"blocked_in": []}', '{"starts_at": -1}'])
def test_facts_that_syncer_did_not_write_are_damage(site: Site, facts: str) -> None:
    site.sync()
    with connect(site.state / DATABASE_FILE) as state:
        state.execute("UPDATE availability SET facts = ? WHERE id = ?", (facts, A))
    with pytest.raises(StateDamaged):
        plays(site)
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    with pytest.raises(StateDamaged):
        list(TABLES["videos"].rows(config, None))


def test_a_state_without_this_table_is_updated_and_all_is_checked(site: Site) -> None:
    site.sync()
    with connect(site.state / DATABASE_FILE) as state:
        back_to(state, 9)
    report = site.sync(NOON + HOUR)
    assert report.playing is not None
    assert report.playing.checked == len(VIDEOS)


def test_a_change_whose_report_was_lost_in_a_crash_is_reported_by_the_next_sync(site: Site, youtube: Simulator) -> None:
    youtube.world = World(videos={A: NOT_HERE})
    site.sync()
    with connect(site.state / DATABASE_FILE) as state:
        state.execute("UPDATE availability SET reported = NULL")  # as between the check and the end of the sync
    assert changes(site.sync(NOON + HOUR)) == [(A, None, PlayState.NOT_EMBEDDABLE)]


def test_a_sync_in_which_no_video_is_due_loads_nothing_of_this(site: Site) -> None:
    site.sync()
    first = max(NOON, *(play.checked_at or NOON for play in plays(site).values()))
    code = (
        "import sys; from datetime import datetime; from pathlib import Path; from tests.site import Site\n"
        "report = Site(Path(sys.argv[1]), '').sync(datetime.fromisoformat(sys.argv[2]))\n"
        "assert report.answered and report.playing is None, report\n"
        "print(*sorted(name for name in sys.modules if name.startswith('syncer.')))"
    )
    at = (first + timedelta(minutes=6)).isoformat()
    ran = subprocess.run(
        [sys.executable, "-c", code, str(site.root), at], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert ran.returncode == 0, ran.stderr
    loaded = ran.stdout.split()
    assert "syncer.sync.make" in loaded
    assert {
        "syncer.sync.check_playing",
        "syncer.decide.availability",
        "syncer.state.checks",
        "syncer.state.play_states",
    }.isdisjoint(loaded)


def test_the_plan_says_how_many_checks_are_due_and_what_they_cost(site: Site) -> None:
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)

    def checks(at: datetime) -> PlayChecksAhead | None:
        with open_state(site.state, site.root) as database, open_ledger(config, database, at) as ledger:
            return look_ahead(config, database, ledger, at, starts=None, days=1).checks

    before = checks(NOON)
    site.sync()
    after, later = checks(NOON), checks(NOON + DAY * 8)
    assert before is not None
    assert after is not None
    assert later is not None
    assert (before.due, before.units, after.due, later.due, later.units) == (20, 1, 0, 20, 1)
    assert after.units_a_day == pytest.approx(20 / 7)  # each at a moment of its own: fewer than one a sync
