"""`syncer plan`: what the next sync requests and why, how far the quota goes, on sites in each state."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from syncer.decide.forecast import Drifts, forecast
from syncer.model import VideoId
from syncer.simulator.server import Simulator
from syncer.simulator.world import VideoState
from syncer.state.database import open_database
from tests.daemon_process import Daemon
from tests.forks import PIPE, Fork
from tests.site import KEY, Run, Site, crlf, ids, tree, world_with
from tests.terminal import on_a_terminal

VIDEOS = [VideoId(video) for video in ids(120, seed=161)]
GONE = VideoId(ids(1, seed=162)[0])


@pytest.fixture
def now() -> datetime:
    """When the test begins: the run of all tests lasts longer than a reading is fresh."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def large(site: Site, youtube: Simulator) -> Site:
    """A site with more videos than its units reach: 100 a day, and 121 in each of four syncs."""
    youtube.world = world_with({GONE: VideoState.DELETED})
    for video in (*VIDEOS, GONE):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    site.configure(quota="stats_units_per_day: 1, general_units_per_day: 1, reserve: 0")
    return site


def drift(site: Site, drifts: dict[VideoId, float], read_at: datetime) -> None:
    """Sets what the state knows of some videos."""
    with open_database(site.state, site.root) as database, database.transaction() as connection:
        connection.executemany(
            "UPDATE videos SET drift = ?, read_at = ? WHERE id = ?",
            [(rate, int(read_at.timestamp()), video) for video, rate in drifts.items()],
        )


@pytest.mark.parametrize("command", [["plan"], ["plan", "--json"], ["plan", "--days", "30"]])
def test_a_site_never_synced_is_planned_from_its_pages_and_no_state_is_made(
    site: Site, syncer: Run, command: list[str]
) -> None:
    for video in VIDEOS[:3]:
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    before = tree(site.root)
    ran = syncer(*command)
    assert (ran.code, ran.err) == (0, "")
    assert tree(site.root) == before
    plan = syncer("plan", "--json").document
    assert (plan["videos"], plan["never_read"], plan["next"]["why"]) == (3, 3, {"never-read": 3})
    first = {video["video_id"]: video["pages"] for video in plan["next"]["first"]}
    assert first == {video: [f"content/{video}.md"] for video in VIDEOS[:3]}
    assert "requests 3 of 3 videos with 1 unit" in syncer("plan").out


def test_a_site_without_videos_says_so(site: Site, syncer: Run) -> None:
    ran = syncer("plan")
    assert (ran.code, ran.out) == (0, "No videos: no page of the collections names one. Run `syncer check`.\n")
    assert syncer("plan", "--json").document["videos"] == 0


def test_a_directory_that_is_missing_is_exit_2_before_and_after_the_first_sync(site: Site, syncer: Run) -> None:
    page = site.put(f"content/{VIDEOS[0]}.md", crlf(VIDEOS[0], 1, 2))
    page.parent.rename(site.root / "elsewhere")
    ran = syncer("plan", "--json")
    assert (ran.code, ran.document["error"]["kind"]) == (2, "usage")
    assert "content is not a directory; set `site` and `collections`" in ran.document["error"]["message"]

    (site.root / "elsewhere").rename(page.parent)
    (site.root / "content/lists").mkdir(exist_ok=True)
    site.sync()
    page.parent.rename(site.root / "elsewhere")
    assert (syncer("plan").code, syncer("sync").code) == (2, 2)


@pytest.mark.parametrize(
    ("cron", "every", "reaches"),
    [
        ("0 4 * * 1", timedelta(days=7), (100, 357)),
        ("0 4 1 * *", timedelta(days=1461) / 48, (100, 100)),
        ("0 4 31 * *", timedelta(days=1461) / 28, (100, 100)),
        ("0 4 1 6 *", timedelta(days=1461) / 4, (100, 100)),
        ("0 4 29 2 *", timedelta(days=1461), (100, 100)),
    ],
)
def test_a_rare_cron_has_the_units_of_the_days_on_which_it_syncs(
    large: Site, syncer: Run, now: datetime, cron: str, every: timedelta, reaches: tuple[int, int]
) -> None:
    large.sync(now - timedelta(hours=5))
    large.configure(schedule=f"cron: '{cron}'", quota="stats_units_per_day: 1, general_units_per_day: 1, reserve: 0")
    plan = syncer("plan", "--json", "--days", "9").document
    forecast = plan["forecast"]
    assert forecast["every"] == pytest.approx(every.total_seconds(), rel=0.05)
    assert (plan["reaches"]["in_each_sync"], plan["reaches"]["within_refresh"]) == reaches
    assert (forecast["units_needed"], forecast["suffices"]) == (3, False)
    assert forecast["units_used"] <= 2 * timedelta(days=1) / every + 0.1
    assert forecast["longest"] >= forecast["every"]
    assert all(day["requests"] <= 100 and (day["syncs"] or not day["requests"]) for day in plan["days"])
    sentence = "the syncs of a day would need 3 units, and may use 2: what is most out of date is requested first."
    assert sentence in syncer("plan").out


def test_where_the_units_suffice_every_sync_requests_every_video(
    site: Site, syncer: Run, youtube: Simulator, now: datetime
) -> None:
    youtube.world = world_with({GONE: VideoState.DELETED})
    for video in (*VIDEOS[:4], GONE):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    site.sync(now - timedelta(hours=5))
    before = tree(site.root / "content"), (site.state / "state.sqlite3").read_bytes()
    plan = syncer("plan", "--json").document
    assert plan["next"]["why"] == {"due": 5}
    assert plan["next"]["left"] == {"fresh": 0, "gone": 0, "later": 0, "over_quota": 0}
    assert plan["forecast"]["suffices"]
    assert plan["forecast"]["units_needed"] == 4, "five videos, a unit in each of four syncs a day"
    assert plan["quotas"] == [], "more quota would change nothing"
    assert plan["next"]["first"][0]["pages"]
    text = syncer("plan").out
    assert "Every sync can request every video: that takes 4 units a day of 19,600.\n" in text
    assert "more units" not in text
    assert (tree(site.root / "content"), (site.state / "state.sqlite3").read_bytes()) == before, "it only reads"


def test_what_was_just_read_and_what_is_gone_is_told_apart(
    site: Site, syncer: Run, youtube: Simulator, now: datetime
) -> None:
    youtube.world = world_with({GONE: VideoState.DELETED})
    for video in (*VIDEOS[:4], GONE):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    for days in (4, 2.5, 1):
        site.sync(now - timedelta(days=days))
    site.put(f"content/{VIDEOS[4]}.md", crlf(VIDEOS[4], 1, 2))
    site.sync(now)
    plan = syncer("plan", "--json").document
    assert (plan["videos"], plan["gone"]) == (6, 1)
    assert plan["next"]["left"] == {"fresh": 5, "gone": 1, "later": 0, "over_quota": 0}
    assert plan["next"]["videos"] == plan["next"]["units"] == 0
    text = syncer("plan").out
    assert "5  not requested  read less than 5 minutes ago" in text
    assert "1  not requested  gone, not due yet" in text


def test_where_the_units_do_not_suffice_the_most_out_of_date_come_first_and_it_says_what_more_quota_buys(
    large: Site, syncer: Run, now: datetime
) -> None:
    large.sync(now - timedelta(days=2))
    large.sync(now - timedelta(days=1))
    fast = VIDEOS[:40]
    drift(large, {video: 0.03 if video in fast else 0.0001 for video in VIDEOS}, now - timedelta(hours=8))
    plan = syncer("plan", "--json").document
    requested = [video for video in plan["next"]["first"] if video["why"] == "out-of-date"]
    assert {video["video_id"] for video in requested} >= set(fast)
    assert requested[0]["error"] == pytest.approx(0.01, rel=0.1)
    assert not plan["forecast"]["suffices"]
    assert plan["forecast"]["keeps_up"]
    assert plan["budget"] == 2
    assert [quota["budget"] for quota in plan["quotas"]] == [4, 12]
    errors = [plan["forecast"]["mean_error"], *(quota["mean_error"] for quota in plan["quotas"])]
    assert errors == sorted(errors, reverse=True)
    assert sum(band["videos"] for band in plan["bands"]) == 121
    assert plan["reaches"] == {"in_each_sync": 0, "within_refresh": 2500}
    text = syncer("plan").out
    assert "requested      most out of date" in text
    assert "Most out of date:" in text
    assert "https://support.google.com/youtube/contact/yt_api_form" in text
    assert "outgrown" not in text


def test_status_says_how_far_the_quota_goes_and_which_video_waits_longest(
    large: Site, syncer: Run, now: datetime
) -> None:
    assert syncer("status", "--json").document["units_a_day"] == {"needed": 0.0, "budget": 2}
    large.sync(now - timedelta(days=2))
    large.sync(now - timedelta(days=1))
    waits = VIDEOS[7]
    drift(large, {waits: 0.001}, now - timedelta(days=3))
    status = syncer("status", "--json").document
    assert status["units_a_day"] == {"needed": 12.0, "budget": 2}
    assert status["longest_unread"] == {"video_id": waits, "read_at": f"{now - timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}"}
    text = syncer("status").out
    assert "To request every video, the syncs of a day would need 12 units, and may use 2: " in text
    assert (
        f"Longest unread: {waits}, since {now - timedelta(days=3):%Y-%m-%d %H:%M:%S} UTC (more: `syncer plan`).\n"
        in text
    )


def test_a_site_that_is_not_read_within_the_time_of_the_terms_has_outgrown_its_quota(site: Site, syncer: Run) -> None:
    pages = "".join(f"  - {{id: {video}, viewcount: 1, likeCount: 1}}\n" for video in ids(2600, seed=163))
    site.put("content/lists/all.md", f"---\nvideos:\n{pages}---\n".encode())
    site.configure(quota="stats_units_per_day: 2, general_units_per_day: 2, reserve: 1")
    plan = syncer("plan", "--json").document
    assert not plan["forecast"]["keeps_up"]
    assert (
        "This site has outgrown its quota: to read every video within 25d, it needs 2.1 units a day."
        in syncer("plan").out
    )


def test_a_site_that_grows_says_when_it_outgrows_its_quota(large: Site, syncer: Run, now: datetime) -> None:
    large.sync(now - timedelta(days=10))
    assert syncer("plan", "--json").document["outgrown_at"] is None, "it did not grow"
    pages = "".join(f"  - {{id: {video}, viewcount: 1, likeCount: 1}}\n" for video in ids(100, seed=164))
    large.put("content/lists/new.md", f"---\nvideos:\n{pages}---\n".encode())
    large.sync(now - timedelta(days=1))
    plan = syncer("plan", "--json").document
    assert plan["growth"] == pytest.approx(10, rel=0.01)
    days = (2500 - 221) / 10
    assert datetime.fromisoformat(plan["outgrown_at"]) - now == pytest.approx(
        timedelta(days=days), abs=timedelta(days=1)
    )
    assert "It gained 10.0 videos a day lately. If that continues, it outgrows the quota on " in syncer("plan").out


def test_beside_a_daemon_the_next_scheduled_sync_is_planned_with_its_share(
    large: Site, syncer: Run, now: datetime
) -> None:
    large.configure(quota="stats_units_per_day: 6, general_units_per_day: 6, reserve: 1", schedule="every: 30m")
    with Daemon(large) as daemon:
        daemon.until("returned")
        plan = syncer("plan", "--json").document
        assert plan["next"]["scheduled"]
        assert plan["next"]["at"] > now.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert syncer("plan").out.startswith("Next sync: ")


def test_the_days_ahead_stay_within_the_units_of_each_day(large: Site, syncer: Run, now: datetime) -> None:
    large.sync(now - timedelta(days=1))
    plan = syncer("plan", "--json", "--days", "9").document
    days = [day["day"] for day in plan["days"]]
    assert days == sorted(set(days))
    assert len(days) == 9
    assert all(day["units"] <= day["budget"] for day in plan["days"][1:])
    assert all(day["syncs"] == 4 for day in plan["days"][1:])


@pytest.mark.parametrize(
    ("schedule", "every", "syncs"),
    [
        ("every: 6h", 6, 4),
        ("cron: '17 */6 * * *'", 6, 4),
        ("cron: '0 3 * * *', timezone: Europe/Berlin", 24, 1),
        ("every: 1m, jitter: 0s", 1 / 12, 1440),
    ],
)
def test_the_interval_is_that_of_the_schedule_but_no_video_is_read_twice_in_five_minutes(
    large: Site, syncer: Run, schedule: str, every: float, syncs: int
) -> None:
    large.configure(schedule=schedule)
    plan = syncer("plan", "--json").document
    assert plan["forecast"]["every"] == every * 3600
    assert plan["forecast"]["units_needed"] == pytest.approx(3 * 24 / every, abs=0.1)
    assert plan["days"][1]["syncs"] == syncs


def test_a_day_of_syncs_every_minute_requests_no_video_twice_in_five_minutes(large: Site, syncer: Run) -> None:
    large.configure(schedule="every: 1m, jitter: 0s", quota="stats_units_per_day: 10000")
    plan = syncer("plan", "--json").document
    assert plan["forecast"]["units_needed"] < plan["days"][1]["budget"]
    assert plan["days"][1]["requests"] <= 121 * 25 * 12


def test_without_units_left_today_nothing_is_requested_today(large: Site, syncer: Run, now: datetime) -> None:
    large.sync()
    large.sync(now)
    plan = syncer("plan", "--json").document
    assert plan["next"]["videos"] == 0
    assert plan["next"]["left"]["over_quota"] > 0
    assert plan["days"][0]["budget"] == plan["days"][0]["requests"] == 0
    assert "left out for lack of quota" in syncer("plan").out


@pytest.mark.parametrize("days", ["0", "-1", "367", "x"])
def test_other_days_are_wrong_usage(syncer: Run, days: str) -> None:
    ran = syncer("plan", "--json", "--days", days)
    assert (ran.code, ran.document["error"]["kind"]) == (2, "usage")


@pytest.mark.parametrize("width", [20, 60, 200])
def test_on_a_terminal_of_any_width_it_says_the_same_and_no_color_is_honoured(
    large: Site, width: int, now: datetime
) -> None:
    large.sync(now - timedelta(days=1))
    shown = on_a_terminal(large, "plan", COLUMNS=str(width), NO_COLOR="1").decode()
    assert "\x1b[3" not in shown
    assert "What another interval or quota would change" in " ".join(shown.split())


def test_a_reader_who_leaves_early_is_no_error(large: Site) -> None:
    read, write = os.pipe()
    os.close(read)
    environment = {**os.environ, "YOUTUBE_API_KEY": KEY}
    with Fork("-m", "syncer", "-c", str(large.config), "plan", stdout=write, stderr=PIPE, env=environment) as plan:
        os.close(write)
        _, err = plan.communicate()
    assert (plan.returncode, err) == (0, "")


def test_while_the_units_do_not_reach_for_all_each_day_uses_all_of_them(
    large: Site, syncer: Run, now: datetime
) -> None:
    large.sync(now - timedelta(days=2))
    large.sync(now - timedelta(days=1))
    days = syncer("plan", "--json", "--days", "5").document["days"]
    assert [(day["requests"], day["units"], day["budget"]) for day in days[1:]] == [(100, 2.0, 2)] * 4


def test_a_forecast_spends_the_units_and_a_longer_interval_never_makes_counts_better() -> None:
    rng = Random(4)
    drifts = Drifts([min(0.05, rng.lognormvariate(-6, 1.5)) for _ in range(20_000)])
    within = timedelta(days=25)
    found = [forecast(drifts, units=400, every=timedelta(hours=n), refresh_within=within) for n in (1, 6, 24, 168)]
    assert all(one.units_spent <= 400 * 1.001 for one in found)
    assert [one.mean_error for one in found] == sorted(one.mean_error for one in found)
    assert found[0].units_spent > 398
