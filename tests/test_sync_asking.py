"""How a sync asks: within the quota, with the other method where one does not serve, and unharmed by bad answers."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from syncer.config.parse import parse_config
from syncer.model import Bucket, ProblemKind
from syncer.simulator.faults import parse_fault
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from syncer.state.database import open_to_read
from syncer.state.syncs import last_whole_sync
from syncer.state.videos import count_readings
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Listener, Options
from tests.canned_youtube import CLOSE, STALL, Canned, error, message, ok
from tests.ledgers import spent_units
from tests.ports import refusing_port
from tests.site import KEY, NOON, Run, Site, counts, crlf, ids, tree
from tests.waiting import until

MIDNIGHT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
"""The one after NOON, in California."""


def fill(site: Site, number: int) -> list[str]:
    videos = ids(number)
    for video in videos:
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    return videos


def untouched(site: Site, videos: Sequence[str]) -> set[str]:
    return {video for video in videos if (site.root / f"content/{video}.md").read_bytes() == crlf(video, 1, 2)}


def test_a_small_quota_goes_round_the_site_and_takes_those_left_out_first(site: Site, youtube: Simulator) -> None:
    site.configure(quota="stats_units_per_day: 1, general_units_per_day: 1, reserve: 0")
    videos = fill(site, 120)
    first = site.sync()
    assert (first.asked, first.over_quota, first.exit) == (100, 20, 1)
    assert first.units == {Bucket.STATS: 1, Bucket.GENERAL: 1}
    left = untouched(site, videos)
    assert len(left) == 20
    before_midnight = site.sync(MIDNIGHT - timedelta(seconds=1))
    assert (before_midnight.asked, before_midnight.over_quota, before_midnight.exit) == (0, 120, 1)
    youtube.clock.set(MIDNIGHT)
    after = site.sync(MIDNIGHT)
    assert (after.asked, after.over_quota) == (100, 20)
    assert untouched(site, videos) == set()
    assert all((site.root / f"content/{v}.md").read_bytes() == crlf(v, *counts(youtube, v)) for v in left)


def test_the_rest_of_a_sync_is_what_it_left_out_and_does_not_count_for_the_schedule(
    site: Site, youtube: Simulator
) -> None:
    site.configure(quota="stats_units_per_day: 1, general_units_per_day: 1, reserve: 0")
    videos = fill(site, 120)
    left = untouched(site, videos) if site.sync().over_quota else set()
    youtube.clock.set(MIDNIGHT)
    rest = site.sync(MIDNIGHT, Options(scheduled=True, unread_since=NOON))
    assert (len(left), rest.asked, rest.fresh, rest.over_quota, rest.exit) == (20, 20, 100, 0, 0)
    assert all((site.root / f"content/{v}.md").read_bytes() == crlf(v, *counts(youtube, v)) for v in left)
    database = open_to_read(site.state, os.path.realpath(site.root))
    assert database
    with database:
        assert last_whole_sync(database) == NOON


def test_quota_that_runs_out_is_reported_and_is_exit_1(site: Site, syncer: Run) -> None:
    site.configure(quota="stats_units_per_day: 1, general_units_per_day: 1, reserve: 0")
    fill(site, 101)
    ran = syncer("sync")
    assert ran.code == 1
    assert "Left out 1 video for lack of quota." in ran.out
    report = syncer("sync", "--json").document
    assert (report["left_out"], report["exit"]) == ({"fresh": 100, "over_quota": 1, "open": 0}, 1)
    assert report["problems"] == [], "it fixes itself"


def test_videos_list_takes_over_down_to_its_reserve_when_the_first_bucket_is_spent(
    site: Site, youtube: Simulator
) -> None:
    site.configure(quota="stats_units_per_day: 2, general_units_per_day: 4, reserve: 1")
    fill(site, 300)
    report = site.sync(options=Options(scheduled=False))
    assert report.units == {Bucket.STATS: 2, Bucket.GENERAL: 3}, "the general reserve is nobody's"
    assert (report.asked, report.answered, report.over_quota, report.exit) == (250, 250, 50, 1)
    assert youtube.units == {"stats": 2, "general": 3}


def test_absent_videos_that_cannot_be_confirmed_are_not_called_missing(site: Site, youtube: Simulator) -> None:
    site.configure(quota="stats_units_per_day: 2, general_units_per_day: 1, reserve: 0")
    (video,) = fill(site, 1)
    impossible = video[:-1] + "B"
    site.put("content/odd.md", crlf(impossible, 1, 2))
    assert site.sync().missing == (impossible,)
    report = site.sync(NOON + timedelta(hours=1))
    assert (report.asked, report.answered, report.missing, report.over_quota, report.exit) == (2, 1, (), 1, 1)


def test_a_bucket_that_youtube_calls_spent_is_parked_until_after_midnight_pacific(site: Site) -> None:
    videos = fill(site, 120)
    with Simulator(World(), stats_units_per_day=1) as youtube:
        Site(site.root, youtube.url).configure(youtube="connections: 1")
        first = site.sync()
        assert (first.answered, first.exit) == (120, 1)
        assert [problem.kind for problem in first.problems] == [ProblemKind.QUOTA_CUT], "far below what the config says"
        assert first.units == {Bucket.STATS: 2, Bucket.GENERAL: 2}, "the refused request cost a unit too"
        assert untouched(site, videos) == set()
        assert site.sync(NOON + timedelta(hours=1)).units == {Bucket.GENERAL: 3}, "the parked method is not asked"
        youtube.clock.set(MIDNIGHT)
        assert site.sync(MIDNIGHT).units == {Bucket.GENERAL: 3}, "not all programs of the world at midnight sharp"
        assert site.sync(MIDNIGHT + timedelta(minutes=11)).units[Bucket.STATS] == 2


@pytest.mark.parametrize("faults", [["no-items"], ["no-items@stats", "private@general"]], ids=str)
def test_where_both_methods_find_none_of_the_videos_all_are_missing_and_no_request_failed(
    site: Site, youtube: Simulator, faults: list[str]
) -> None:
    videos = fill(site, 4)
    youtube.faults = [parse_fault(text) for text in faults]
    report = site.sync()
    assert (list(report.missing), report.answered, report.problems, report.exit) == (sorted(videos), 0, (), 0)
    assert report.units == {Bucket.STATS: 1, Bucket.GENERAL: 1}
    assert untouched(site, videos) == set(videos)


def test_no_items_of_one_method_are_confirmed_by_the_other(site: Site, youtube: Simulator) -> None:
    videos = fill(site, 60)
    youtube.faults = [parse_fault("no-items@stats")]
    report = site.sync()
    assert (report.missing, report.answered, report.exit) == ((), 60, 0)
    assert untouched(site, videos) == set()


def test_where_the_method_does_not_exist_videos_list_serves_for_this_sync(site: Site) -> None:
    videos = sorted(fill(site, 60))
    absent = message(404, b"<!DOCTYPE html><title>404</title>", "Content-Type: text/html; charset=UTF-8")
    with Canned([absent, _list(videos[:50]), _list(videos[50:])] * 2) as server:
        Site(site.root, f"{server.url}/").configure(youtube="connections: 1")
        for day in range(2):
            report = site.sync(NOON + timedelta(days=day))
            assert (report.exit, report.answered, report.problems) == (0, 60, ())
        asked = [head.split(b"?")[0] for head in server.requests]
    stats, plain_list = b"GET /youtube/v3/videos:batchGetStats", b"GET /youtube/v3/videos"
    assert asked == [stats, plain_list, plain_list] * 2, "the next sync tries the better method again"
    assert all((site.root / f"content/{video}.md").read_bytes() == crlf(video, 77, 8) for video in videos)


def _list(videos: Sequence[str]) -> bytes:
    statistics = {"viewCount": "77", "likeCount": "8"}
    items = [{"kind": "youtube#video", "id": video, "statistics": statistics} for video in videos]
    return ok({"kind": "youtube#videoListResponse", "items": items})


def test_a_refused_key_ends_all_requests_with_exit_3_and_one_sentence(
    site: Site, youtube: Simulator, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(site, 300)
    before = tree(site.root / "content")
    monkeypatch.setenv("YOUTUBE_API_KEY", "invalid")
    ran = syncer("sync")
    assert ran.code == 3
    assert ran.err.count("\n") == 1
    assert ran.err.startswith("syncer: The API key is not valid.")
    assert youtube.requests <= 4, "no more than were under way"
    assert tree(site.root / "content") == before


def test_without_a_network_a_sync_ends_with_exit_3_and_one_sentence(site: Site, syncer: Run) -> None:
    fill(site, 300)
    before = tree(site.root / "content")
    with refusing_port() as port:
        Site(site.root, f"http://127.0.0.1:{port}/").configure()
        ran = syncer("sync")
        report = syncer("sync", "--json").document
    assert (ran.code, ran.err.count("\n")) == (3, 1)
    assert ran.err.startswith("syncer: The server refused the connection.")
    assert tree(site.root / "content") == before
    assert [problem["kind"] for problem in report["problems"]] == ["request-failed"], "once, not once a batch"
    assert (report["left_out"]["over_quota"], report["units"]["stats"]) == (0, 0)


def test_pages_are_mended_from_the_state_while_youtube_cannot_be_reached(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    (video,) = fill(site, 1)
    syncer("sync")
    site.put(f"content/{video}.md", crlf(video, 999, 999))
    Site(site.root, "http://127.0.0.1:9/").configure()
    assert syncer("sync", "--all").code == 3
    assert (site.root / f"content/{video}.md").read_bytes() == crlf(video, *counts(youtube, video))


BAD_ANSWERS = {
    "a redirect": message(302, b"", "Location: http://127.0.0.1:9/youtube/v3/videos"),
    "a login page": message(200, b"<html>Sign in to the hotel</html>", "Content-Type: text/html"),
    "half a body": message(200, b'{"kind": "youtube#videoListRes', "Content-Type: application/json"),
    "a list": ok([1, 2, 3]),
    "no kind": ok({"items": []}),
    "another kind": ok({"kind": "youtube#channelListResponse", "items": []}),
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "nothing": CLOSE,
    "a broken server": message(503, error(503)),
    "a bug of ours": message(400, error(400, "Request contains an invalid argument.", reason="badRequest")),
}


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_an_answer_that_is_none_is_exit_3_and_leaves_every_page_alone(site: Site, syncer: Run, answer: str) -> None:
    with Canned([BAD_ANSWERS[answer]]) as server:
        Site(site.root, f"{server.url}/").configure()
        fill(site, 3)
        before = tree(site.root / "content")
        ran = syncer("sync")
    assert ran.code == 3
    assert ran.err.startswith("syncer: ")
    assert ran.err.count("\n") == 1
    assert tree(site.root / "content") == before
    assert site.log_lines() == []


@pytest.mark.parametrize("count", ["", "-1", "1.5", "1e9", "٣", "9223372036854775808", None, 12.0, True, [], "0x10"])
def test_a_count_that_is_no_plain_number_never_reaches_a_page(site: Site, syncer: Run, count: object) -> None:
    (video,) = fill(site, 1)
    kind = "youtube#batchGetStatsResponse"
    item = {"kind": "youtube#video", "id": video, "statistics": {"viewCount": count, "likeCount": "5"}}
    with Canned([ok({"kind": kind, "items": [item]})]) as server:
        Site(site.root, f"{server.url}/").configure()
        ran = syncer("sync", "--json")
    assert (site.root / f"content/{video}.md").read_bytes() in {crlf(video, 1, 5), crlf(video, 1, 2)}
    assert ran.code in {1, 3}
    assert ran.document["problems"] != []


def ledger(site: Site) -> Mapping[Bucket, int]:
    state = open_to_read(site.root / ".syncer", site.root)
    assert state
    with state:
        return spent_units(state, NOON)


def test_after_a_sync_the_ledger_shows_the_units_that_were_spent_and_no_more(site: Site, youtube: Simulator) -> None:
    fill(site, 620)
    youtube.faults = [parse_fault("private")]
    report = site.sync()
    assert ledger(site) == report.units == {Bucket.STATS: 13, Bucket.GENERAL: 13}
    assert youtube.units == {"stats": 13, "general": 13}


def test_a_sync_that_fails_between_requests_gives_back_what_it_did_not_use(site: Site, youtube: Simulator) -> None:
    site.configure(youtube="connections: 1")
    fill(site, 620)

    def fail(stage: str, done: int, _total: int | None) -> None:
        if stage == "ask" and done >= 100:
            raise LookupError

    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    with pytest.raises(LookupError):
        make_sync(
            config,
            Options(),
            Environment(key=KEY, clock=lambda: NOON, sleep=lambda _: None),
            Listener(progress=fail),
        )
    assert ledger(site) == {**youtube.units}
    assert 2 <= ledger(site)[Bucket.STATS] <= 13


def test_an_answer_is_in_the_state_a_second_later_while_others_are_awaited(site: Site) -> None:
    videos = sorted(fill(site, 60))
    items = [{"id": video, "statistics": {"viewCount": "7"}} for video in videos[:50]]
    first = ok({"kind": "youtube#batchGetStatsResponse", "items": items})
    cancelled = threading.Event()
    with Canned([first, STALL]) as youtube:
        Site(site.root, youtube.url).configure(youtube="connections: 1")
        config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
        environment = Environment(key=KEY, clock=lambda: NOON, sleep=lambda _: None, cancelled=cancelled.is_set)
        with ThreadPoolExecutor(1) as pool:
            syncing = pool.submit(make_sync, config, Options(), environment)
            until(lambda: len(youtube.requests) == 2)
            state = open_to_read(site.root / ".syncer", site.root)
            assert state
            with state:
                until(lambda: count_readings(state) == 50)
            assert not syncing.done()
            cancelled.set()
            assert syncing.result().answered == 50
