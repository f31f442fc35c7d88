"""`syncer videos`, and what `syncer sync` prints about videos that stop or begin to play."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest

from syncer.cli.show import ROWS_SHOWN
from syncer.simulator.playing import Playing
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, VideoState, World
from syncer.sync.options import Options
from tests.repository import in_git
from tests.site import NOON, Run, Site, crlf, ids

PUBLIC, BLOCKED, KIDS, DEAD = sorted(ids(4, seed=171))
HOUR = timedelta(hours=1)
BLOCKED_VIDEO = Video(playing=Playing(blocked=("DE", "CH")))


@pytest.fixture
def full(site: Site, youtube: Simulator) -> Site:
    """A site with videos that play, and some that do not."""
    youtube.world = World(
        videos={
            BLOCKED: BLOCKED_VIDEO,
            KIDS: Video(playing=Playing(made_for_kids=True, embeddable=False)),
            DEAD: Video(VideoState.DELETED),
        }
    )
    for video in (PUBLIC, BLOCKED, KIDS, DEAD):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    site.put("content/=again.md", crlf(BLOCKED, 1, 2))
    site.configure(availability="every: 7d, regions: [DE]")
    return site


def test_before_the_first_sync_there_is_nothing_to_show(full: Site, syncer: Run) -> None:
    ran = syncer("videos")
    assert (ran.code, ran.out) == (0, "No videos yet. Run `syncer sync`.\n")
    assert syncer("videos", "--json").document == {"videos": []}


def test_each_video_is_shown_with_its_state_since_when_and_its_pages(full: Site, syncer: Run) -> None:
    for hours in (0, 12, 26):
        full.sync(NOON + HOUR * hours)
    noon = "2026-11-22 20:00:00 UTC"
    lines = [line.split("  ") for line in syncer("videos").out.splitlines()]
    rows = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert rows == [
        ["video_id", "state", "since", "details", "pages"],
        [BLOCKED, "blocked", noon, "blocked in CH, DE", f"content/=again.md, content/{BLOCKED}.md"],
        [KIDS, "not-embeddable", noon, "made for kids", f"content/{KIDS}.md"],
        [DEAD, "missing", noon, f"content/{DEAD}.md"],
        [PUBLIC, "public", noon, f"content/{PUBLIC}.md"],
        ["4 videos: 1 blocked, 1 missing, 1 not-embeddable, 1 public."],
    ]


def test_a_video_is_not_returned_before_it_is_missing_and_each_list_has_it_once(full: Site, syncer: Run) -> None:
    full.sync()
    shown = syncer("videos").out
    assert re.search(
        f"{DEAD} +unknown +- +not returned since 2026-11-22 20:00:00 UTC, missing if that lasts a day ", shown
    )
    pending = "1 more was not returned by YouTube; it is missing if that lasts a day: `syncer videos` shows it.\n"
    for state in ("missing", "not-playing"):
        assert syncer("videos", "--state", state).out.endswith(pending)
    assert "1 more" not in shown + syncer("videos", "--state", "missing", "--state", "unknown").out
    assert "1 more" not in syncer("videos", "--state", "public").out
    status = syncer("status").out
    assert f"Not returned by YouTube, counts kept:\n  {DEAD}  since" in status
    full.sync(NOON + HOUR * 26)
    assert "not returned" not in syncer("videos").out + syncer("videos", "--state", "not-playing").out
    status = syncer("status").out
    assert "Not returned by YouTube" not in status
    listed = status.split("Videos that do not play on your site:\n")[1]
    dead = [video["video_id"] for video in syncer("videos", "--json", "--state", "not-playing").document["videos"]]
    assert [line.split()[0] for line in listed.splitlines() if line.startswith("  ")] == dead == [BLOCKED, KIDS, DEAD]


def test_what_does_not_play_is_first_and_one_long_remark_does_not_widen_the_other_rows(full: Site, syncer: Run) -> None:
    full.sync()
    heads, *rows, _ = syncer("videos").out.splitlines()
    assert [row.split()[0] for row in rows] == [BLOCKED, KIDS, DEAD, PUBLIC]
    pages = {row.find("content/") for row in (*rows[:2], rows[3])}
    assert pages == {heads.find("pages")}, "their column is where its head is"
    assert "missing if that lasts a day  content/" in rows[2]
    assert rows[3].find("content/") < 80
    ordered = [video["video_id"] for video in syncer("videos", "--json").document["videos"]]
    assert ordered == [PUBLIC, BLOCKED, KIDS, DEAD], "a document is in the order of IDs"


@pytest.mark.parametrize(
    ("states", "found"),
    [
        (["missing"], []),
        (["unknown"], [DEAD]),
        (["not-playing"], [BLOCKED, KIDS]),
        (["public", "blocked"], [PUBLIC, BLOCKED]),
    ],
)
def test_videos_are_limited_to_states(full: Site, syncer: Run, states: list[str], found: list[str]) -> None:
    full.sync()
    options = [word for state in states for word in ("--state", state)]
    assert [video["video_id"] for video in syncer("videos", "--json", *options).document["videos"]] == found


def test_json_and_csv_have_all_that_is_known(full: Site, syncer: Run) -> None:
    full.sync()
    noon = "2026-11-22T20:00:00Z"
    video = {"video_id": BLOCKED, "state": "blocked", "since": noon, "checked_at": noon, "made_for_kids": False}
    more = {
        "blocked_in": "CH, DE",
        "starts_at": None,
        "not_returned_since": None,
        "pages": ["content/=again.md", f"content/{BLOCKED}.md"],
    }
    assert syncer("videos", "--json", "--state", "blocked").document == {"videos": [video | more | {"embeds": []}]}
    rows = list(csv.DictReader(io.StringIO(syncer("videos", "--csv").out)))
    assert [row["path"] for row in rows if row["video_id"] == BLOCKED] == more["pages"]
    assert {row["made_for_kids"] for row in rows if row["video_id"] == KIDS} == {"true"}
    assert {row["line"] for row in rows} == {""}
    assert {(row["state"], row["not_returned_since"]) for row in rows if row["video_id"] == DEAD} == {("", noon)}
    assert {row["not_returned_since"] for row in rows if row["video_id"] != DEAD} == {""}
    [dead] = syncer("videos", "--json", "--state", "unknown").document["videos"]
    assert dead["not_returned_since"] == noon


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--state", "blokced"], "no such state 'blokced'; did you mean 'blocked'?"),
        (["--state", "x"], "no such state 'x'; choose from missing, blocked, not-embeddable, age-restricted, upcoming"),
        (["--csv", "--json"], "use either --csv or --json, not both"),
    ],
)
def test_wrong_words_say_what_is_right(full: Site, syncer: Run, arguments: list[str], message: str) -> None:
    ran = syncer("videos", *arguments)
    assert ran.code == 2
    assert message in ran.out + ran.err


def test_a_sync_prints_each_change_once_with_its_pages(full: Site, youtube: Simulator, syncer: Run) -> None:
    first = syncer("sync").out
    assert first.count("Videos that do not play on your site:\n") == 1
    assert f"  {BLOCKED}  blocked since " in first
    assert f" content/=again.md, content/{BLOCKED}.md\n" in first
    assert "play" not in syncer("sync", "--all").out
    youtube.world = World()
    again = syncer("sync", "--all").out
    assert "do not play" not in again
    assert f"Videos that play again:\n  {BLOCKED}  public since " in again
    assert "play again" not in syncer("sync", "--all").out


def test_a_quiet_sync_prints_videos_that_stop_or_begin_to_play_on_standard_error(
    full: Site, youtube: Simulator, syncer: Run
) -> None:
    ran = syncer("-q", "sync")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.startswith(f"Videos that do not play on your site:\n  {BLOCKED}  blocked since ")
    youtube.world = World()
    ran = syncer("-q", "sync", "--all")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.startswith(f"Videos that play again:\n  {BLOCKED}  public since ")
    assert syncer("-q", "sync", "--all").err == ""


def test_what_played_and_still_plays_is_not_printed(full: Site, youtube: Simulator, syncer: Run) -> None:
    full.sync()
    youtube.world = World(videos={PUBLIC: Video(VideoState.UNLISTED), BLOCKED: BLOCKED_VIDEO})
    report = full.sync(NOON + HOUR, Options(everything=True))
    assert report.playing is not None
    assert [change.video_id for change in report.playing.resumed()] == [KIDS]
    assert report.playing.stopped() == []
    assert len(report.playing.changes) == 2


def test_status_lists_what_does_not_play_beside_what_is_missing(full: Site, syncer: Run) -> None:
    assert "Whether videos play" not in syncer("status").out
    for hours in (0, 12, 26):
        full.sync(NOON + HOUR * hours)
    out = syncer("status").out
    assert "Whether videos play: 1 blocked, 1 missing, 1 not-embeddable, 1 public (see `syncer videos`).\n" in out
    stopped = out.partition("Videos that do not play on your site:\n")[2].splitlines()
    assert [line.split()[:2] for line in stopped] == [[BLOCKED, "blocked"], [KIDS, "not-embeddable"], [DEAD, "missing"]]
    document = syncer("status", "--json").document
    assert document["states"] == {"blocked": 1, "missing": 1, "not-embeddable": 1, "public": 1}
    assert [video["video_id"] for video in document["not_playing"]] == [BLOCKED, KIDS, DEAD]


@pytest.mark.parametrize("pages", [ROWS_SHOWN - 1, ROWS_SHOWN, 3 * ROWS_SHOWN])
def test_dates_are_first_where_a_list_is_cut_and_in_their_place_where_it_is_not(
    site: Site, youtube: Simulator, syncer: Run, pages: int
) -> None:
    fields = "fields: {video_id: id, counts: {viewCount: views}, unavailable_since: gone}"
    site.configure(collections=f"  - {{directory: content, {fields}}}", availability="every: 7d")
    videos = ids(pages, seed=174)
    for number, video in enumerate(videos):
        site.put(f"content/{number:04}.md", f"---\nid: {video}\nviews: 1\ngone:\n---\n".encode())
    in_git(site)
    youtube.world = World(videos={videos[-1]: Video(playing=Playing(embeddable=False))})
    last = f"content/{pages - 1:04}.md"
    synced = syncer("sync").out
    is_cut = pages + 1 > ROWS_SHOWN
    for printed, total, cut in ((synced, f"{pages} pages, ", is_cut), (syncer("review").out, "Not committed:", False)):
        assert total in printed
        heads, *rows = [line.split()[:2] for line in printed.partition(total)[0].splitlines() if "more" not in line]
        assert heads == ["page", "count"]
        named = [row[0] for row in rows if row[0].startswith("content/")]
        if cut:
            assert rows[0] == [last, "gone"]
            assert named[1:] == [f"content/{number:04}.md" for number in range(ROWS_SHOWN - 1)]
            assert len(rows) == ROWS_SHOWN
        else:
            assert named == sorted(named)
            assert rows[-1] == ["gone", "-"]
