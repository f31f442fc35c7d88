"""A sync, from the command line to the bytes on disk, against the simulator over HTTP."""

from __future__ import annotations

import gc
from datetime import timedelta

import pytest

from syncer.simulator.server import Simulator
from syncer.simulator.world import VideoState
from syncer.sync.options import Options
from tests.site import FORMS, NOON, Run, Site, counts, crlf, ids, pair, plain, tree, world_with


def test_every_count_becomes_youtubes_and_every_other_byte_stays(site: Site, youtube: Simulator, syncer: Run) -> None:
    videos = ids(len(FORMS) + 2)
    for number, (form, video) in enumerate(zip(FORMS, videos, strict=False)):
        site.put(f"content/{number}.md", form(video, 1, 2))
    first, second = videos[-2:]
    site.put("content/lists/both.md", pair((first, 3, 4), (second, 5, 6)))
    site.put("content/other.md", b"no front matter, viewcount: 7\r\n")
    ran = syncer("sync", "--json")
    assert (ran.code, ran.err) == (0, "")
    for number, (form, video) in enumerate(zip(FORMS, videos, strict=False)):
        assert (site.root / f"content/{number}.md").read_bytes() == form(video, *counts(youtube, video)), form.__name__
    both = pair((first, *counts(youtube, first)), (second, *counts(youtube, second)))
    assert (site.root / "content/lists/both.md").read_bytes() == both
    assert (site.root / "content/other.md").read_bytes() == b"no front matter, viewcount: 7\r\n"
    assert ran.document["changed_counts"] == len(site.log_lines()) == 2 * len(videos)


def test_a_second_sync_asks_nothing_and_changes_nothing(site: Site, youtube: Simulator, syncer: Run) -> None:
    for video in ids(3):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    syncer("sync")
    before, requests = tree(site.root / "content"), youtube.requests
    ran = syncer("sync", "--json")
    assert ran.code == 0
    assert youtube.requests == requests
    assert tree(site.root / "content") == before, "a page that is true is not even touched"
    report = ran.document
    assert (report["asked"], report["answered"], report["changed_counts"]) == (0, 0, 0)
    assert report["left_out"] == {"fresh": 3, "over_quota": 0, "open": 0}
    assert report["units"] == {"stats": 0, "general": 0}
    assert len(site.log_lines()) == 6


def test_all_asks_about_fresh_videos_too_and_takes_what_has_grown(site: Site, youtube: Simulator, syncer: Run) -> None:
    (video,) = ids(1)
    page = site.put("content/a.md", crlf(video, 1, 2))
    syncer("sync")
    before = counts(youtube, video)
    youtube.clock.advance(timedelta(days=30))
    assert syncer("sync").code == 0
    assert page.read_bytes() == crlf(video, *before), "it is fresh: nothing was asked"
    assert syncer("sync", "--all", "--json").document["asked"] == 1
    after = counts(youtube, video)
    assert page.read_bytes() == crlf(video, *after) != crlf(video, *before)
    assert [(line["old"], line["new"]) for line in site.log_lines() if line["count"] == "viewCount"] == [
        ("1", str(before[0])),
        (str(before[0]), str(after[0])),
    ]


@pytest.mark.parametrize(("number", "units"), [(1, 1), (50, 1), (51, 2), (120, 3)])
def test_fifty_videos_cost_one_unit(site: Site, youtube: Simulator, syncer: Run, number: int, units: int) -> None:
    for video in ids(number):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    assert syncer("sync", "--json").document["units"] == {"stats": units, "general": 0}
    assert youtube.units == {"stats": units, "general": 0}


def test_all_absent_videos_are_confirmed_together_by_one_unit(site: Site, youtube: Simulator, syncer: Run) -> None:
    videos = ids(120)
    gone = videos[::30]
    youtube.world = world_with(
        dict.fromkeys(gone[:2], VideoState.DELETED) | dict.fromkeys(gone[2:], VideoState.PRIVATE)
    )
    for video in videos:
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    ran = syncer("sync", "--json")
    assert ran.code == 0, "a missing video is no failure"
    report = ran.document
    assert report["units"] == {"stats": 3, "general": 1} == youtube.units
    assert report["missing"] == sorted(gone)
    assert (report["videos"], report["asked"], report["answered"]) == (120, 120, 116)
    for video in gone:
        assert (site.root / f"content/{video}.md").read_bytes() == crlf(video, 1, 2)


def test_since_when_a_video_is_missing_is_remembered_until_it_returns(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    (video,) = ids(1)
    page = site.put("content/a.md", crlf(video, 1, 2))
    youtube.world = world_with({video: VideoState.DELETED})
    for day in range(3):
        report = site.sync(NOON + timedelta(days=day))
        assert (report.missing, report.exit) == ((video,), 0)
        assert report.gone == ((video,) if day == 2 else ())
    assert page.read_bytes() == crlf(video, 1, 2)
    status = syncer("status", "--json").document
    assert status["missing"] == [{"video_id": video, "since": "2026-11-22T20:00:00Z"}]
    assert [reading["present"] for reading in syncer("history", video, "--json").document["readings"]] == [False] * 3
    assert status["gone"] == status["missing"], "missing for three syncs, a day apart"
    youtube.world = world_with({})
    assert site.sync(NOON + timedelta(days=3)).asked == 0, "the gone are asked about less often"
    assert site.sync(NOON + timedelta(days=4)).missing == ()
    assert page.read_bytes() == crlf(video, *counts(youtube, video))
    assert syncer("status", "--json").document["missing"] == []


def test_a_video_that_vanishes_keeps_the_counts_that_were_written(site: Site, youtube: Simulator) -> None:
    (video,) = ids(1)
    page = site.put("content/a.md", crlf(video, 1, 2))
    site.sync()
    written = page.read_bytes()
    youtube.world = world_with({video: VideoState.PRIVATE})
    assert site.sync(NOON + timedelta(days=1)).changed_counts == 0
    assert page.read_bytes() == written


def test_a_hidden_count_is_kept_and_reported(site: Site, youtube: Simulator, syncer: Run) -> None:
    shown, hidden, bare = ids(3)
    youtube.world = world_with({hidden: VideoState.LIKES_HIDDEN, bare: VideoState.NO_STATISTICS})
    for video in (shown, hidden, bare):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    report = syncer("sync", "--json").document
    youtube_says = youtube.world.statistics(hidden, youtube.clock.now()) or {}
    assert (site.root / f"content/{hidden}.md").read_bytes() == crlf(hidden, youtube_says["viewCount"], 2)
    assert (site.root / f"content/{bare}.md").read_bytes() == crlf(bare, 1, 2)
    entries = [(entry["video_id"], entry["count"]) for entry in report["hidden"]]
    assert entries == sorted([(hidden, "likeCount"), (bare, "likeCount"), (bare, "viewCount")])
    assert (report["answered"], report["missing"], report["exit"]) == (3, [], 0)
    assert syncer("status", "--json").document["hidden"] == report["hidden"]


def test_a_video_in_several_pages_and_slots_is_requested_once_and_each_slot_is_written_and_logged(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    shared, other = ids(2)
    site.put("content/a.md", crlf(shared, 1, 2))
    site.put("content/b.md", plain(shared, 3, 4))
    site.put("content/lists/c.md", pair((shared, 5, 6), (shared, 7, 8)))
    site.put("content/d.md", crlf(other, 1, 2))
    report = syncer("sync", "--json").document
    assert (report["pages"], report["videos"], report["asked"], report["answered"]) == (4, 2, 2, 2)
    assert (report["changed_pages"], report["changed_counts"]) == (4, 10)
    true = counts(youtube, shared)
    assert (site.root / "content/lists/c.md").read_bytes() == pair((shared, *true), (shared, *true))
    fields = [(line["path"], line["field"]) for line in site.log_lines() if line["video_id"] == shared]
    assert fields == [
        ("content/a.md", "viewcount"),
        ("content/a.md", "likeCount"),
        ("content/b.md", "viewcount"),
        ("content/b.md", "likeCount"),
        ("content/lists/c.md", "videos[0].viewcount"),
        ("content/lists/c.md", "videos[0].likeCount"),
        ("content/lists/c.md", "videos[1].viewcount"),
        ("content/lists/c.md", "videos[1].likeCount"),
    ]


def test_a_count_edited_by_hand_is_restored_from_the_state_without_a_request(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    (video,) = ids(1)
    page = site.put("content/a.md", crlf(video, 1, 2))
    syncer("sync")
    true, requests = counts(youtube, video), youtube.requests
    page.write_bytes(crlf(video, 999, true[1]))
    report = syncer("sync", "--json").document
    assert page.read_bytes() == crlf(video, *true)
    assert (report["asked"], report["changed_counts"], youtube.requests) == (0, 1, requests)
    assert (site.log_lines()[-1]["old"], site.log_lines()[-1]["new"]) == ("999", str(true[0]))


def test_an_absent_count_is_inserted_only_where_the_config_says_so(site: Site, youtube: Simulator, syncer: Run) -> None:
    (video,) = ids(1)
    bare = f'---\r\n  vid_id: "{video}"\r\n  title: x\r\n---\r\n'.encode()
    page = site.put("content/a.md", bare)
    assert syncer("sync", "--json").document["changed_counts"] == 0
    assert page.read_bytes() == bare
    collections = (
        "  - directory: content\n    fields: {video_id: vid_id, counts: {viewCount: views}, insert_missing: true}\n"
    )
    site.configure(collections=collections)
    assert syncer("sync", "--json").document["changed_counts"] == 1
    views = counts(youtube, video)[0]
    assert page.read_bytes() == f'---\r\n  vid_id: "{video}"\r\n  views: {views}\r\n  title: x\r\n---\r\n'.encode()
    (line,) = site.log_lines()
    assert (line["old"], line["why"], line["field"]) == (None, "inserted", "views")


@pytest.mark.parametrize(("named", "quote"), [("", ""), (", insert_as: number", ""), (", insert_as: string", '"')])
def test_inserted_counts_of_a_site_are_of_one_type_however_its_ids_are_quoted(
    site: Site, youtube: Simulator, named: str, quote: str
) -> None:
    videos = ids(4)
    pages = [
        site.put(f"content/{number}.md", f"---\nvid_id: {mark}{video}{mark}\n---\n".encode())
        for number, (video, mark) in enumerate(zip(videos, ["", '"', "", '"'], strict=True))
    ]
    fields = f"{{video_id: vid_id, counts: {{viewCount: views}}, insert_missing: true{named}}}"
    site.configure(collections=f"  - directory: content\n    fields: {fields}\n")

    assert site.sync().changed_counts == 4

    for page, video in zip(pages, videos, strict=True):
        assert f"\nviews: {quote}{counts(youtube, video)[0]}{quote}\n" in page.read_text(encoding="utf-8")


def test_an_empty_count_is_filled_and_logged_as_null(site: Site, youtube: Simulator, syncer: Run) -> None:
    (video,) = ids(1)
    page = site.put("content/a.md", crlf(video, "", 2))
    syncer("sync")
    assert page.read_bytes() == crlf(video, *counts(youtube, video))
    assert [line["old"] for line in site.log_lines()] == [None, "2"]
    assert [line["why"] for line in site.log_lines()] == ["changed", "changed"]


def test_an_empty_state_costs_history_and_nothing_else(site: Site, youtube: Simulator) -> None:
    (video,) = ids(1)
    page = site.put("content/a.md", crlf(video, 1, 2))
    site.sync()
    for file in site.state.iterdir():
        file.unlink()
    report = site.sync(NOON + timedelta(seconds=10))
    assert (report.asked, report.changed_counts, report.exit) == (1, 0, 0)
    assert page.read_bytes() == crlf(video, *counts(youtube, video))


def test_a_scheduled_sync_leaves_the_reserve_to_people(site: Site, youtube: Simulator) -> None:
    site.configure(quota="stats_units_per_day: 3, general_units_per_day: 3, reserve: 2")
    for video in ids(120):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    scheduled = site.sync(options=Options(scheduled=True))
    assert (scheduled.asked, scheduled.over_quota, scheduled.exit) == (100, 20, 1)
    assert youtube.units == {"stats": 1, "general": 1}
    by_hand = site.sync(NOON + timedelta(seconds=1))
    assert (by_hand.asked, by_hand.over_quota, by_hand.exit) == (20, 0, 0)


def test_sync_after_sync_leaves_nothing_in_memory(site: Site) -> None:
    (video,) = ids(1)
    site.put("content/a.md", crlf(video, 1, 2))

    def tracked_after(syncs: int) -> int:
        for number in range(syncs):
            site.sync(NOON + timedelta(hours=number))
        return len(gc.get_objects())

    before = tracked_after(40)
    assert tracked_after(40) < before * 1.2, "what a sync makes is found by Python's own search for cycles"
