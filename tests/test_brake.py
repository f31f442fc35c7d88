"""What is hard to believe never becomes a number: a brake holds a whole sync, an unconfirmed count its video."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from syncer.decide.unconfirmed import Brake
from syncer.model import Count, Reading, VideoId
from syncer.simulator.faults import parse_fault
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, VideoState, World
from syncer.state.database import open_database
from syncer.state.syncs import begin_sync
from syncer.state.videos import save_readings
from syncer.status.report import SyncReport
from syncer.sync.options import Options
from tests.site import NOON, Run, Site, counts, crlf, ids, world_with

LATER = NOON + timedelta(hours=6)
ACCEPT = Options(accept=True)


def put_pages(site: Site, videos: list[str]) -> None:
    for number, video in enumerate(videos):
        site.put(f"content/{number}.md", crlf(video, 0, 0))


def pages(site: Site) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted((site.root / "content").glob("*.md"))}


def in_weather(site: Site, youtube: Simulator, at: datetime, *faults: str, accept: bool = False) -> SyncReport:
    youtube.faults = [parse_fault(text) for text in faults]
    try:
        return site.sync(at, Options(accept=accept))
    finally:
        youtube.faults = []


@pytest.mark.parametrize("many", [1, 2, 4])
def test_of_a_few_videos_all_may_vanish_without_a_brake(site: Site, youtube: Simulator, many: int) -> None:
    put_pages(site, ids(many))
    site.sync()
    youtube.world = world_with(dict.fromkeys(ids(many), VideoState.DELETED))
    report = site.sync(LATER)
    assert (report.brake, report.exit, len(report.missing)) == (None, 0, many)


@pytest.mark.parametrize("many", [5, 50, 60])
def test_when_more_than_half_vanish_at_once_nothing_is_written_and_nobody_is_missing(
    site: Site, youtube: Simulator, syncer: Run, many: int
) -> None:
    videos = ids(many)
    put_pages(site, videos)
    site.sync()
    gone = max(5, many // 2 + 1)
    before = pages(site)
    youtube.world = world_with(dict.fromkeys(videos[:gone], VideoState.PRIVATE))
    youtube.clock.advance(timedelta(days=400))
    report = site.sync(LATER)
    assert (report.brake, report.exit) == (Brake("missing", gone, many), 1)
    assert (report.changed_counts, pages(site)) == (0, before)
    status = syncer("status", "--json").document
    assert (status["missing"], status["held_by_brake"]) == ([], many)


def test_a_braked_sync_says_what_it_saw_and_how_to_accept_it(site: Site, youtube: Simulator, syncer: Run) -> None:
    put_pages(site, ids(6))
    site.sync()
    youtube.world = world_with(dict.fromkeys(ids(6), VideoState.DELETED))
    ran = syncer("sync")
    assert ran.code == 1
    assert "The safety brake stopped this sync: 6 of 6 videos are missing (limit 50%). Nothing was written." in ran.out
    assert "`syncer sync --accept`" in ran.out
    sentence = "The safety brake stopped the last sync: 6 of 6 videos are missing (limit 50%). Nothing was written."
    shown = syncer("status").out
    assert sentence in shown
    listed = "".join(f"\n  {video}  content/{ids(6).index(video)}.md" for video in sorted(ids(6)))
    for out in (ran.out, shown):
        assert f"Videos that YouTube did not return, for example:{listed}\n" in out


def test_a_brake_names_the_counts_that_fell_most(site: Site, youtube: Simulator, syncer: Run) -> None:
    videos = sorted(ids(14))
    put_pages(site, videos)
    youtube.world = World(
        videos={video: Video(counts={"viewCount": 10_000 + n, "likeCount": 50}) for n, video in enumerate(videos)}
    )
    site.sync()
    fallen = {video: Video(counts={"viewCount": 9_000 - n, "likeCount": 49}) for n, video in enumerate(videos)}
    youtube.world = World(videos=fallen)
    ran = syncer("sync", "--dry-run")
    assert "28 of 28 counts fell" in ran.out
    rows = [[video, "viewCount", str(10_000 + n), "->", str(9_000 - n)] for n, video in enumerate(videos)]
    for out in (ran.out, syncer("sync").out, syncer("status").out):
        listed = out.split("The counts that fell most:\n")[1].splitlines()[:10]
        assert [line.split()[:5] for line in listed] == rows[:-11:-1]


def test_status_says_that_the_brake_holds_readings_of_an_earlier_sync_after_one_that_learned_nothing(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    put_pages(site, ids(6))
    site.sync()
    assert in_weather(site, youtube, LATER, "falling").brake is not None
    assert in_weather(site, youtube, LATER + timedelta(hours=6), "unavailable").brake is not None
    assert "The safety brake still holds the readings of an earlier sync: 12 of 12 counts" in syncer("status").out


def test_a_sync_that_accepts_says_how_many_readings_were_held_back_and_lists_the_missing(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    videos = sorted(ids(7))
    put_pages(site, videos)
    site.sync()
    youtube.world = world_with(dict.fromkeys(videos[1:], VideoState.DELETED))
    assert syncer("sync", "--all").code == 1
    assert "Would accept 7 readings that were held.\n" in syncer("sync", "--accept", "--dry-run").out
    ran = syncer("sync", "--accept")
    assert "Accepted 7 readings that were held.\n" in ran.out
    listed = "".join(f"  {video}  content/{number}.md\n" for number, video in enumerate(videos) if number)
    assert f"Not returned by YouTube, counts kept:\n{listed}" in ran.out
    assert "Accepted" not in syncer("sync", "--accept").out


def test_accept_accepts_what_a_brake_holds_without_requesting_it_again(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    videos = ids(8)
    put_pages(site, videos)
    site.sync()
    youtube.world = world_with(dict.fromkeys(videos[:7], VideoState.DELETED))
    youtube.clock.advance(timedelta(days=400))
    assert site.sync(LATER).brake is not None
    report = site.sync(LATER + timedelta(seconds=1), ACCEPT)
    assert (report.asked, report.brake, report.exit) == (0, None, 0)
    assert pages(site)["7.md"] == crlf(videos[7], *counts(youtube, videos[7]))
    assert len(syncer("status", "--json").document["missing"]) == 7


def test_a_brake_is_forgotten_when_the_next_sync_is_in_good_weather(site: Site, youtube: Simulator) -> None:
    videos = ids(10)
    put_pages(site, videos)
    site.sync()
    youtube.clock.advance(timedelta(days=40))
    assert in_weather(site, youtube, LATER, "private").brake == Brake("missing", 10, 10)
    report = site.sync(LATER + timedelta(hours=6))
    assert (report.brake, report.exit, report.missing) == (None, 0, ())
    assert pages(site) == {f"{n}.md": crlf(video, *counts(youtube, video)) for n, video in enumerate(videos)}


def test_a_brake_that_still_holds_is_reported_by_every_sync_and_each_one_requests_again(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    put_pages(site, ids(6))
    site.sync()
    youtube.world = world_with(dict.fromkeys(ids(6), VideoState.DELETED))
    for seconds in (0, 1, 299, 3600):
        report = site.sync(LATER + timedelta(seconds=seconds))
        assert (report.asked, report.fresh) == (6, 0)
        assert (report.brake, report.exit) == (Brake("missing", 6, 6), 1)
    ran = syncer("sync", "--json")
    brake = {"reason": "missing", "struck": 6, "of": 6, "earlier": False, "part": False}
    assert (ran.code, ran.document["brake"]) == (1, brake)


@pytest.mark.parametrize("faults", [["unavailable"], ["quota-exceeded"], ["key-invalid"]], ids=str)
def test_a_brake_is_reported_also_by_a_sync_that_learns_nothing(
    site: Site, youtube: Simulator, faults: list[str]
) -> None:
    put_pages(site, ids(6))
    site.sync()
    assert in_weather(site, youtube, LATER, "falling").brake is not None
    site.put("content/0.md", crlf(ids(6)[0], 5, 5))
    report = in_weather(site, youtube, LATER + timedelta(hours=6), *faults)
    assert report.brake == Brake("falling", 12, 12, earlier=True)
    assert report.exit in {1, 3}
    assert report.changed_counts == 2, "what was accepted before is written all the same"


def test_a_narrowed_sync_writes_what_it_accepts_and_says_that_the_brake_holds_the_others(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    videos = [VideoId(video) for video in ids(6)]
    put_pages(site, list(videos))
    site.sync()
    assert in_weather(site, youtube, LATER, "falling").brake is not None
    youtube.clock.advance(timedelta(days=40))
    report = site.sync(LATER + timedelta(days=1), Options(videos=frozenset(videos[:1])))
    assert (report.asked, report.changed_counts, report.exit) == (1, 2, 1)
    assert report.brake == Brake("falling", 10, 10, earlier=True)
    assert pages(site)["0.md"] == crlf(videos[0], *counts(youtube, videos[0]))
    assert (
        "The safety brake still holds the readings of an earlier sync: 10 of 10 counts fell (limit 50%)"
        in syncer("status").out
    )


def test_a_brake_of_an_earlier_sync_tells_what_is_still_held(site: Site, youtube: Simulator, syncer: Run) -> None:
    videos = ids(12)
    put_pages(site, videos)
    site.sync()
    assert in_weather(site, youtube, LATER, "all-missing").brake == Brake("missing", 12, 12)
    youtube.world = world_with(dict.fromkeys(videos[:2], VideoState.DELETED))
    no_second_method = "quota-exceeded@general"
    report = in_weather(site, youtube, LATER + timedelta(hours=6), no_second_method)
    assert (report.answered, report.brake) == (10, Brake("missing", 2, 2, earlier=True))
    assert report.braked == set(videos[:2])
    status = syncer("status", "--json").document
    assert status["held_by_brake"] == 2
    assert "earlier sync: 2 of 2 videos are missing" in syncer("status").out


@pytest.mark.parametrize("reason", ["missing", "falling"])
def test_a_brake_holds_nothing_once_youtube_denies_all_for_which_it_stopped_a_sync(
    site: Site, youtube: Simulator, syncer: Run, reason: str
) -> None:
    videos = ids(9)
    put_pages(site, videos)
    site.sync()
    fault = "private" if reason == "missing" else "falling"
    struck = in_weather(site, youtube, LATER, *(f"{fault}@{video}" for video in videos[:6])).brake
    assert struck is not None
    assert struck.reason == reason
    report = site.sync(LATER + timedelta(hours=6), Options(videos=frozenset(map(VideoId, videos[:6]))))
    assert (report.brake, report.braked, report.exit) == (None, frozenset(), 0)
    assert syncer("status", "--json").document["held_by_brake"] == 0
    assert "The safety brake" not in syncer("status").out


def test_a_brake_is_the_last_sync_s_where_it_holds_readings_of_several_and_an_unconfirmed_one_is_not_its(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    videos = ids(11)
    put_pages(site, videos)
    youtube.clock.advance(timedelta(days=400))
    site.sync()
    paths = [f"content/{number}.md" for number in range(len(videos))]
    youtube.faults = [parse_fault(f"zero@{videos[0]}")]
    assert site.sync(LATER, Options(paths=(paths[0],))).unconfirmed
    youtube.faults, youtube.world = [], world_with(dict.fromkeys(videos, VideoState.DELETED))
    report = site.sync(LATER + timedelta(hours=1), Options(paths=tuple(paths[1:])))
    assert (report.brake, report.braked) == (Brake("missing", 10, 10), frozenset(videos[1:]))
    report = site.sync(LATER + timedelta(hours=2), Options(paths=tuple(paths[1:6])))
    assert (report.brake, report.braked) == (Brake("missing", 5, 5), frozenset(videos[1:]))
    assert "The safety brake stopped the last sync: 5 of 5 videos are missing" in syncer("status").out


def test_what_a_brake_holds_of_videos_that_no_page_names_any_more_is_let_go(site: Site, youtube: Simulator) -> None:
    put_pages(site, ids(12))
    site.sync()
    assert in_weather(site, youtube, LATER, *(f"private@{video}" for video in ids(12)[:9])).brake is not None
    for number in range(12):
        (site.root / f"content/{number}.md").unlink()
    put_pages(site, ids(20)[12:])
    report = site.sync(LATER + timedelta(hours=6))
    assert (report.brake, report.exit) == (None, 0)


def test_a_brake_of_a_version_that_noted_no_reason_is_reported_too(site: Site, youtube: Simulator) -> None:
    put_pages(site, ids(6))
    site.sync()
    in_weather(site, youtube, LATER, "falling")
    with open_database(site.state, str(site.root.resolve())) as database, database.transaction() as connection:
        connection.execute("DELETE FROM meta WHERE name = 'brake'")
    report = in_weather(site, youtube, LATER + timedelta(hours=6), "unavailable")
    assert report.brake is not None
    assert report.brake.struck == 6


def test_what_is_accepted_is_fresh_again(site: Site, youtube: Simulator) -> None:
    put_pages(site, ids(6))
    site.sync()
    in_weather(site, youtube, LATER, "falling")
    assert site.sync(LATER + timedelta(seconds=1), ACCEPT).fresh == 6
    assert site.sync(LATER + timedelta(seconds=2)).fresh == 6


def test_when_most_counts_fall_nothing_is_written(site: Site, youtube: Simulator, syncer: Run) -> None:
    put_pages(site, ids(10))
    site.sync()
    before = pages(site)
    report = in_weather(site, youtube, LATER, "falling")
    assert report.brake is not None
    assert (report.brake.reason, report.brake.of, report.exit) == ("falling", 20, 1)
    assert pages(site) == before
    assert syncer("sync", "--json").document["brake"] is None, "fresh, and good weather says nothing new"


def test_a_first_sync_is_braked_by_what_the_pages_say(site: Site, youtube: Simulator) -> None:
    videos = ids(6)
    for number, video in enumerate(videos):
        views, likes = counts(youtube, video)
        site.put(f"content/{number}.md", crlf(video, views + 1, likes + 1))
    before = pages(site)
    assert site.sync().brake == Brake("falling", 12, 12)
    assert pages(site) == before
    assert site.sync(NOON + timedelta(seconds=9), ACCEPT).changed_counts == 12


def test_a_dry_run_brakes_too_and_holds_nothing(site: Site, youtube: Simulator, syncer: Run) -> None:
    put_pages(site, ids(6))
    site.sync()
    youtube.world = world_with(dict.fromkeys(ids(6), VideoState.DELETED))
    assert site.sync(LATER, Options(dry_run=True)).brake is not None
    assert syncer("status", "--json").document["held_by_brake"] == 0


def test_the_share_is_the_config_s(site: Site, youtube: Simulator) -> None:
    put_pages(site, ids(20))
    site.configure(write="brake: {missing: 20%, falling: 50%}")
    site.sync()
    youtube.world = world_with(dict.fromkeys(ids(20)[:5], VideoState.DELETED))
    assert site.sync(LATER).brake == Brake("missing", 5, 20)


def test_a_count_that_falls_to_zero_is_held_until_a_later_sync_says_the_same(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    videos = ids(9)
    put_pages(site, videos)
    site.sync()
    before = pages(site)
    fault = f"zero@{videos[0]}"
    report = in_weather(site, youtube, LATER, fault)
    assert (report.exit, report.brake) == (0, None)
    assert {video for video, _ in report.unconfirmed} == {videos[0]}
    assert pages(site)["0.md"] == before["0.md"]
    unconfirmed = {entry["video_id"] for entry in syncer("status", "--json").document["unconfirmed"]}
    assert unconfirmed == {videos[0]}
    head = "Not written: count dropped by more than 90% (waiting for a second reading to confirm):"
    assert (
        f"{head}\n  {videos[0]}  likeCount  content/0.md\n  {videos[0]}  viewCount  content/0.md\n"
        in syncer("status").out
    )
    confirmed = in_weather(site, youtube, LATER + timedelta(hours=6), fault)
    assert confirmed.unconfirmed == ()
    assert pages(site)["0.md"] == crlf(videos[0], 0, 0)


def test_an_unconfirmed_count_that_the_next_reading_clears_never_reaches_a_page(site: Site, youtube: Simulator) -> None:
    videos = ids(3)
    put_pages(site, videos)
    site.sync()
    before = pages(site)
    in_weather(site, youtube, LATER, f"collapsed@{videos[1]}")
    report = site.sync(LATER + timedelta(hours=6))
    assert (report.unconfirmed, report.exit) == ((), 0)
    assert pages(site) == before
    assert all(line["new"] != "0" for line in site.log_lines())


def test_accept_lets_an_unconfirmed_count_through_at_once(site: Site, youtube: Simulator) -> None:
    (video,) = ids(1)
    put_pages(site, [video])
    site.sync()
    report = in_weather(site, youtube, LATER, "zero", accept=True)
    assert (report.unconfirmed, report.changed_counts) == ((), 2)
    assert pages(site)["0.md"] == crlf(video, 0, 0)


def test_a_count_that_no_collection_maps_is_no_reason_to_wait(site: Site, youtube: Simulator) -> None:
    (video,) = ids(1)
    site.configure(collections="  - {directory: content, fields: {video_id: vid_id, counts: {likeCount: likeCount}}}\n")
    views, likes = counts(youtube, video)
    site.put("content/0.md", crlf(video, views, likes))
    site.sync()
    report = in_weather(site, youtube, LATER, "zero")
    assert report.unconfirmed == ((VideoId(video), Count.LIKES),)


def test_an_ordinary_fall_is_data_and_is_written(site: Site, youtube: Simulator) -> None:
    videos = ids(5)
    put_pages(site, videos)
    site.sync()
    report = in_weather(site, youtube, LATER, f"falling@{videos[2]}")
    assert (report.brake, report.unconfirmed) == (None, ())
    assert {line["video_id"] for line in site.log_lines() if int(line["new"]) < int(line["old"])} == {videos[2]}


def test_readings_that_a_crash_left_unjudged_are_judged_by_the_next_sync(site: Site, youtube: Simulator) -> None:
    (video,) = ids(1)
    put_pages(site, [video])
    with open_database(site.state, str(site.root.resolve())) as database:
        number = begin_sync(database, "20261122T200000Z-dead", NOON)
        save_readings(database, number, [Reading(VideoId(video), NOON, {Count.VIEWS: 77, Count.LIKES: 8})])
    report = site.sync(NOON + timedelta(seconds=5))
    assert (report.asked, report.changed_counts) == (0, 2)
    assert pages(site)["0.md"] == crlf(video, 77, 8)
