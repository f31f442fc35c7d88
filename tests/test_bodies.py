"""Collections with `bodies`: whether the videos in the text of pages play is reported, and nothing is written there."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from syncer.decide.availability import PlayState
from syncer.errors import ConfigError, ContentGone, UsageError
from syncer.front_matter.block import MAX_TEXT_BYTES
from syncer.model import Bucket, Count, ProblemKind, VideoId
from syncer.simulator.faults import parse_fault
from syncer.simulator.playing import Playing
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, VideoState, World
from syncer.state.database import open_state
from syncer.state.play_states import VideoPlay, video_plays
from syncer.state.search import SearchState, find_videos
from syncer.status.report import SyncReport
from syncer.sync.options import Options
from tests.site import NOON, Run, Site, crlf, ids
from tests.steered import served

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NAMED, BOTH, TEXT, MORE, *OTHERS = map(VideoId, ids(12, seed=18))
FIELDS = "fields: {video_id: vid_id, counts: {viewCount: viewcount, likeCount: likecount}}"
BODIES = f"  - {{directory: content, bodies: true, {FIELDS}}}"
ONLY_BODIES = "  - {directory: content, bodies: true}"
DEAD = Video(VideoState.PRIVATE)
NOT_HERE = Video(playing=Playing(embeddable=False))


@pytest.fixture
def site(site: Site) -> Site:
    """A page with a video in front matter, one with another in its text, too, and one with a video in its text only."""
    site.put("content/a.md", crlf(NAMED, 1, 1))
    of_b = f"{{{{< youtube {BOTH} >}}}}\r\n{{{{< youtube {TEXT} >}}}}\r\n"
    of_c = f"# No front matter\n\n{{% youtube {TEXT} %}}\n\n```\nhttps://youtu.be/{MORE}\n```\n"
    site.put("content/b.md", crlf(BOTH, 1, 1) + of_b.encode())
    site.put("content/c.md", of_c.encode())
    site.configure(collections=BODIES, availability="every: 7d")
    return site


def plays(site: Site) -> dict[VideoId, VideoPlay]:
    with open_state(site.state, site.root) as database:
        return {play.video_id: play for play in video_plays(database)}


def changes(report: SyncReport) -> list[tuple[VideoId, PlayState | None, PlayState]]:
    found = report.playing.changes if report.playing else ()
    return [(change.video_id, change.before, change.after) for change in found]


def texts(site: Site) -> dict[Path, bytes]:
    """What is after the front matter of each page."""
    return {path: path.read_bytes().rpartition(b"\n---\r\n")[2] for path in site.root.rglob("*.md")}


def lines_of(site: Site, name: str) -> list[int]:
    data = (site.root / "content" / name).read_bytes()
    return [number for number, line in enumerate(data.split(b"\n"), 1) if TEXT.encode() in line]


def test_videos_in_texts_are_checked_and_never_requested_for_counts_or_written(site: Site, youtube: Simulator) -> None:
    before = texts(site)
    report = site.sync()
    assert report.playing is not None
    assert (report.playing.due, report.playing.checked) == (3, 3)
    assert (report.pages, report.videos, report.asked, report.answered) == (2, 2, 2, 2)
    assert report.units == {Bucket.STATS: 1, Bucket.GENERAL: 1}
    assert {line["video_id"] for line in site.log_lines()} == {NAMED, BOTH}
    assert texts(site) == before
    found = plays(site)
    assert set(found) == {NAMED, BOTH, TEXT}
    assert found[TEXT].pages == ["content/b.md", "content/c.md"]
    assert found[TEXT].embeds == [("content/b.md", lines_of(site, "b.md")[0]), ("content/c.md", 3)]
    assert (found[BOTH].pages, len(found[BOTH].embeds)) == (["content/b.md"], 1)
    assert found[NAMED].embeds == []


def test_without_bodies_no_text_is_read(site: Site) -> None:
    site.configure(collections=f"  - {{directory: content, {FIELDS}}}", availability="every: 7d")
    report = site.sync()
    assert report.playing is not None
    assert report.playing.due == 2
    assert set(plays(site)) == {NAMED, BOTH}


def test_a_video_of_texts_is_missing_after_two_checks_a_day_apart_and_then_back(site: Site, youtube: Simulator) -> None:
    site.sync()
    before = texts(site)
    youtube.world = World(videos={TEXT: DEAD})
    reports = [site.sync(NOON + HOUR * hours, Options(everything=True)) for hours in (6, 12, 29)]
    assert all(changes(report) == [] for report in reports)
    assert plays(site)[TEXT].availability.state is PlayState.PUBLIC
    report = site.sync(NOON + HOUR * 31, Options(everything=True))
    assert changes(report) == [(TEXT, PlayState.PUBLIC, PlayState.MISSING)]
    assert report.pages_of[TEXT] == ["content/b.md", "content/c.md"]
    assert report.missing == (), "it has no count"
    assert plays(site)[TEXT].since == NOON + HOUR * 6
    assert changes(site.sync(NOON + HOUR * 60)) == []
    assert plays(site)[TEXT].since == NOON + HOUR * 6
    youtube.world = World()
    assert changes(site.sync(NOON + HOUR * 62)) == [(TEXT, PlayState.MISSING, PlayState.PUBLIC)]
    assert changes(site.sync(NOON + HOUR * 63)) == []
    assert texts(site) == before


def test_two_misses_with_a_check_between_them_that_has_the_video_are_not_two_in_a_row(
    site: Site, youtube: Simulator
) -> None:
    site.sync()
    for hours, is_dead in ((6, True), (18, False), (31, True), (54, True)):
        youtube.world = World(videos={TEXT: DEAD} if is_dead else {})
        assert changes(site.sync(NOON + HOUR * hours, Options(everything=True))) == []
    assert changes(site.sync(NOON + HOUR * 56, Options(everything=True))) == [
        (TEXT, PlayState.PUBLIC, PlayState.MISSING)
    ]


def test_a_first_miss_is_checked_again_on_the_usual_schedule(site: Site, youtube: Simulator) -> None:
    youtube.world = World(videos={TEXT: DEAD})
    found = [changes(site.sync(NOON + HOUR * hours)) for hours in range(0, 43, 6)]
    assert found == [[], [], [], [], [(TEXT, None, PlayState.MISSING)], [], [], []]


def test_a_state_in_words_counts_at_once(site: Site, youtube: Simulator) -> None:
    site.sync()
    youtube.world = World(videos={TEXT: NOT_HERE})
    report = site.sync(NOON + HOUR, Options(everything=True))
    assert changes(report) == [(TEXT, PlayState.PUBLIC, PlayState.NOT_EMBEDDABLE)]


def test_an_outage_is_no_miss(site: Site, youtube: Simulator) -> None:
    site.sync()
    youtube.world = World(videos={TEXT: DEAD})
    site.sync(NOON + HOUR, Options(everything=True))
    youtube.faults = [parse_fault("unavailable")]
    site.sync(NOON + HOUR * 26, Options(everything=True), sleep=lambda _seconds: None)
    assert plays(site)[TEXT].availability.state is PlayState.PUBLIC


def test_an_answer_without_any_video_is_no_miss_until_it_is_so_for_a_week(site: Site, youtube: Simulator) -> None:
    site.configure(collections=ONLY_BODIES, availability="every: 2d")
    site.put("content/d.md", f"https://youtu.be/{MORE}\n".encode())
    site.sync()
    youtube.faults = [parse_fault("all-missing")]
    for hours in range(6, 7 * 24, 6):
        assert changes(site.sync(NOON + HOUR * hours)) == []
    youtube.faults = []
    assert changes(site.sync(NOON + DAY * 7)) == []
    youtube.world = World(videos=dict.fromkeys((BOTH, TEXT, MORE), DEAD))
    reports = [changes(site.sync(NOON + DAY * (8 + day))) for day in range(10)]
    assert [len(found) for found in reports if found] == [3]
    youtube.world = World()
    assert len(changes(site.sync(NOON + DAY * 20))) == 3


def test_videos_that_play_are_asked_about_where_there_is_room(site: Site, youtube: Simulator) -> None:
    site.sync()
    youtube.world = World(videos={TEXT: NOT_HERE})
    site.sync(NOON + HOUR, Options(videos=frozenset({TEXT}), everything=True))
    report = site.sync(NOON + HOUR * 3)
    assert report.playing is not None
    assert (report.playing.due, report.playing.checked, report.units.get(Bucket.GENERAL)) == (1, 1, 1)
    checked = {video for video, play in plays(site).items() if play.checked_at == NOON + HOUR * 3}
    assert checked == {NAMED, BOTH, TEXT}


def test_the_brake_holds_when_most_videos_of_texts_would_be_missing(site: Site, youtube: Simulator) -> None:
    site.put("content/d.md", "".join(f"https://youtu.be/{video}\n\n" for video in OTHERS).encode())
    site.sync()
    youtube.world = World(videos=dict.fromkeys(OTHERS, DEAD))
    assert changes(site.sync(NOON + HOUR, Options(everything=True))) == []
    held = site.sync(NOON + HOUR * 26, Options(everything=True))
    assert (changes(held), held.playing and held.playing.brake is not None) == ([], True)
    accepted = site.sync(NOON + HOUR * 27, Options(everything=True, accept=True))
    assert changes(accepted) == [(video, PlayState.PUBLIC, PlayState.MISSING) for video in sorted(OTHERS)]


def test_a_video_that_moves_from_front_matter_into_a_text_is_checked_by_itself(site: Site, youtube: Simulator) -> None:
    youtube.world = World(videos={NAMED: DEAD})
    site.sync()
    site.put("content/a.md", f"https://youtu.be/{NAMED}\n".encode())
    assert changes(site.sync(NOON + HOUR, Options(everything=True))) == []
    assert site.sync(NOON + HOUR * 2).playing is None, "the next turn of each is later"
    assert changes(site.sync(NOON + HOUR * 20, Options(everything=True))) == []
    assert changes(site.sync(NOON + HOUR * 26, Options(everything=True))) == [(NAMED, None, PlayState.MISSING)]
    youtube.world = World()
    assert changes(site.sync(NOON + HOUR * 28)) == [(NAMED, PlayState.MISSING, PlayState.PUBLIC)]


def test_embeds_that_are_removed_or_no_longer_looked_for_are_forgotten(site: Site, youtube: Simulator) -> None:
    site.sync()
    site.put("content/c.md", f"\n\n\n{{% youtube {TEXT} %}}\n".encode())
    site.sync(NOON + HOUR)
    assert ("content/c.md", 4) in plays(site)[TEXT].embeds
    (site.root / "content/c.md").unlink()
    site.sync(NOON + HOUR * 2)
    assert plays(site)[TEXT].pages == ["content/b.md"]
    site.configure(collections=f"  - {{directory: content, {FIELDS}}}", availability="every: 7d")
    youtube.world = World(videos={TEXT: NOT_HERE})
    report = site.sync(NOON + HOUR * 3, Options(everything=True))
    assert changes(report) == []
    assert set(plays(site)) == {NAMED, BOTH}


def test_a_narrowed_sync_checks_the_videos_of_its_pages_or_the_one_that_is_named(site: Site) -> None:
    site.sync()
    of_page = site.sync(NOON + HOUR, Options(paths=("content/c.md",), everything=True))
    assert of_page.playing is not None
    assert (of_page.playing.due, of_page.asked) == (1, 0)
    of_video = site.sync(NOON + HOUR, Options(videos=frozenset({TEXT}), everything=True))
    assert of_video.playing is not None
    assert (of_video.playing.due, of_video.asked) == (1, 0)
    with pytest.raises(UsageError, match="no page names this video"):
        site.sync(NOON + HOUR, Options(videos=frozenset({MORE})))
    assert len(plays(site)[TEXT].pages) == 2, "what is outside of a narrowed sync stays"


def test_a_dry_run_counts_them_as_due_and_keeps_nothing(site: Site) -> None:
    report = site.sync(NOON, Options(dry_run=True))
    assert report.playing is not None
    assert report.playing.due == 3
    assert not site.state.exists()


def test_a_collection_without_fields_is_only_searched(site: Site, youtube: Simulator, syncer: Run) -> None:
    site.configure(collections=ONLY_BODIES, availability="every: 7d")
    before = {path: path.read_bytes() for path in site.root.rglob("*.md")}
    youtube.world = World(videos={TEXT: NOT_HERE})
    report = site.sync()
    assert (report.exit, report.problems, report.pages, report.units) == (0, (), 0, {Bucket.GENERAL: 1})
    assert changes(report) == [(TEXT, None, PlayState.NOT_EMBEDDABLE)]
    assert {path: path.read_bytes() for path in site.root.rglob("*.md")} == before
    check = syncer("check", "--offline")
    assert "2 videos in the text of 2 pages" in check.out
    assert "No page names a video" not in check.out
    assert (syncer("status").code, syncer("plan").code) == (0, 0)


def test_init_names_a_collection_that_finds_the_videos_that_it_saw(site: Site, syncer: Run) -> None:
    (site.root / "content/a.md").unlink()
    site.put("content/b.md", f"---\ntitle: B\n---\n{{{{< youtube {BOTH} >}}}}\n".encode())
    site.config.unlink()
    ran = syncer("init")
    assert ran.code == 1
    assert "Saw 2 videos in the text of 2 pages, such as content/b.md." in ran.out
    assert not site.config.exists()
    advised = "- {directory: ., bodies: true}"
    assert f"write `{advised}` below\n`collections:` in config/syncer.yaml" in ran.out
    site.configure(collections=f"  {advised}", availability="every: 7d")
    report = site.sync()
    assert report.playing is not None
    assert (report.exit, report.playing.due) == (0, 2)


def test_a_site_of_texts_whose_disk_is_not_mounted_is_an_error(site: Site) -> None:
    site.configure(collections=ONLY_BODIES, availability="every: 7d")
    site.put("content/d.md", "".join(f"https://youtu.be/{video}\n\n" for video in OTHERS).encode())
    site.sync()
    for path in site.root.rglob("*.md"):
        path.unlink()
    with pytest.raises(ContentGone):
        site.sync(NOON + HOUR)


def test_a_page_that_is_too_large_is_a_problem_and_its_front_matter_is_updated(site: Site) -> None:
    site.put("content/a.md", crlf(NAMED, 1, 1) + b"x" * MAX_TEXT_BYTES)
    report = site.sync()
    assert [(problem.kind, problem.subject) for problem in report.problems] == [(ProblemKind.TOO_LARGE, "content/a.md")]
    assert NAMED in {line["video_id"] for line in site.log_lines()}


def test_data_files_have_no_text(site: Site) -> None:
    site.put("content/d.yml", f"vid_id: {MORE}\nviewcount: 1\ntext: |\n  https://youtu.be/{OTHERS[0]}\n".encode())
    site.configure(
        collections=BODIES.replace("bodies: true", 'bodies: true, include: ["*.md", "*.yml"]'), availability="every: 7d"
    )
    site.sync()
    assert set(plays(site)) == {NAMED, BOTH, TEXT, MORE}


def test_videos_lists_pages_with_lines(site: Site, youtube: Simulator, syncer: Run) -> None:
    youtube.world = World(videos={TEXT: NOT_HERE})
    site.sync()
    line = lines_of(site, "b.md")[0]
    row = next(row for row in syncer("videos").out.splitlines() if row.startswith(TEXT))
    assert row.split("  ")[-1].strip() == f"content/b.md:{line}, content/c.md:3"
    found = {each["video_id"]: each for each in syncer("videos", "--json").document["videos"]}
    assert found[TEXT]["pages"] == ["content/b.md", "content/c.md"]
    assert found[TEXT]["embeds"] == [{"path": "content/b.md", "line": line}, {"path": "content/c.md", "line": 3}]
    assert found[NAMED]["embeds"] == []
    exported = [json.loads(each) for each in syncer("export", "videos", "--jsonl", "-").out.splitlines()]
    assert next(each for each in exported if each["video_id"] == TEXT)["path"] == "content/b.md"
    assert TEXT in syncer("status").out


@pytest.mark.parametrize(
    ("collection", "more", "message"),
    [
        ("{directory: content}", "every: 7d", "fields: is missing"),
        ("{directory: content, bodies: false}", "every: 7d", "; only pages with `bodies: true` need none$"),
        ("{directory: content, bodies: null}", "every: 7d", r"^[^\n]*bodies: must be `true` or `false`, but is empty$"),
        (
            f"{{directory: content, bodies: true, format: yaml, {FIELDS}}}",
            "every: 7d",
            "bodies: has no effect on data files",
        ),
        ("{directory: content, bodies: true}", "every: null", "bodies: needs checks whether videos play"),
    ],
)
def test_configs_in_which_bodies_can_have_no_effect_are_errors(
    site: Site, collection: str, more: str, message: str
) -> None:
    site.configure(collections=f"  - {collection}", availability=more)
    with pytest.raises(ConfigError, match=message):
        site.sync()


def test_the_list_of_the_status_page_has_them_by_id_and_by_page(site: Site, youtube: Simulator) -> None:
    youtube.world = World(videos={TEXT: NOT_HERE})
    site.sync()
    with open_state(site.state, site.root) as database:
        for search in (TEXT, "content/c.md"):
            _, found = find_videos(database, search, None, counts={Count.VIEWS}, limit=10)
            assert [(video.video_id, video.pages, video.path) for video in found] == [(TEXT, 2, "content/b.md")]
        total, _ = find_videos(database, "", SearchState.NOT_PLAYING, counts={Count.VIEWS}, limit=10)
        assert total == 1


def test_a_video_is_forgotten_with_its_embeds(site: Site, syncer: Run) -> None:
    site.sync()
    assert syncer("purge", "--video", TEXT).code == 0
    assert set(plays(site)) == {NAMED, BOTH}
    site.sync(NOON + HOUR)
    assert set(plays(site)) == {NAMED, BOTH, TEXT}


def test_the_status_page_expects_counts_only_of_videos_that_front_matter_names(site: Site, youtube: Simulator) -> None:
    site.sync()
    site.put("content/d.md", crlf(MORE, 1, 1) + f"{{% youtube {MORE} %}}\n".encode())
    youtube.faults = [parse_fault("unavailable")]
    site.sync(NOON + HOUR, sleep=lambda _seconds: None)
    with served(site) as page:
        rows = page.get("/videos").text.split("<tr ")
        shown = {video: row for video in (NAMED, BOTH, TEXT, MORE) for row in rows if f"/videos/{video}" in row}
        assert [video for video in shown if "in texts only: no counts are requested" in shown[video]] == [TEXT]
        assert [video for video in shown if "not requested yet" in shown[video]] == [MORE]
        assert "None: in texts only: no counts are requested." in page.get(f"/videos/{TEXT}").text
        assert "None yet." in page.get(f"/videos/{MORE}").text


def test_the_status_page_has_those_of_texts_that_youtube_has_begun_to_leave_out(site: Site, youtube: Simulator) -> None:
    site.sync()
    youtube.world = World(videos={TEXT: DEAD, NAMED: DEAD})
    with served(site) as page:
        pending = "not returned by YouTube; "
        assert pending not in page.get("/videos?state=not-playing").text
        site.sync(NOON + HOUR * 6, Options(everything=True))
        assert "2 more were not returned by YouTube; they are missing" in page.get("/videos?state=not-playing").text
        assert pending not in page.get("/videos?state=public").text
        found = {video["video_id"]: video for video in page.get("/api/v1/videos?state=missing").document["videos"]}
        assert set(found) == {NAMED, TEXT}
        assert (found[TEXT]["missing_since"], found[TEXT]["state"]) == ("2026-11-23T02:00:00Z", "public")
        text = page.get(f"/videos/{TEXT}").text
        assert re.search("YouTube has not returned this video since .*2026-11-23 02:00:00.*It is in texts only.", text)
        site.sync(NOON + HOUR * 32, Options(everything=True))
        confirmed = page.get("/videos?state=confirmed-missing").text
        assert (TEXT in confirmed, NAMED in confirmed, pending in confirmed) == (True, True, False)
        youtube.world = World()
        site.sync(NOON + HOUR * 34, Options(everything=True))
        assert page.get("/api/v1/videos?state=missing").document["total"] == 0


def test_what_was_not_returned_before_it_moved_into_a_text_is_back_with_the_next_check(
    site: Site, youtube: Simulator
) -> None:
    youtube.world = World(videos={NAMED: DEAD})
    site.sync()
    assert plays(site)[NAMED].left_out_since == NOON
    site.put("content/a.md", f"https://youtu.be/{NAMED}\n".encode())
    youtube.world = World()
    site.sync(NOON + HOUR, Options(everything=True))
    assert (plays(site)[NAMED].availability.state, plays(site)[NAMED].left_out_since) == (PlayState.PUBLIC, None)


def test_each_place_of_a_video_is_a_row_with_its_line(site: Site, youtube: Simulator, syncer: Run) -> None:
    site.put(
        "content/c.md", f"---\nvid_id: {BOTH}\n---\n\n{{% youtube {BOTH} %}}\n\nhttps://youtu.be/{BOTH}\n".encode()
    )
    youtube.world = World(videos={TEXT: DEAD})
    site.sync()
    rows = list(csv.DictReader(io.StringIO(syncer("videos", "--csv").out)))
    line = str(next(line for path, line in plays(site)[BOTH].embeds if path == "content/b.md"))
    places = [(row["path"], row["line"]) for row in rows if row["video_id"] == BOTH]
    assert places == [
        *(("content/b.md", ""), ("content/b.md", line)),
        *(("content/c.md", ""), ("content/c.md", "5"), ("content/c.md", "7")),
    ]
    assert [(row["path"], row["line"]) for row in rows if row["video_id"] == NAMED] == [("content/a.md", "")]
    listed = next(row for row in syncer("videos").out.splitlines() if row.startswith(BOTH))
    shown = f"content/b.md, content/b.md:{line}, content/c.md, content/c.md:5, content/c.md:7"
    assert listed.split("  ")[-1].strip() == shown
    assert {row["not_returned_since"] for row in rows if row["video_id"] == TEXT} == {"2026-11-22T20:00:00Z"}
    exported = [json.loads(each) for each in syncer("export", "videos", "--jsonl", "-").out.splitlines()]
    assert {each["video_id"] for each in exported if each["missing_since"]} == {TEXT}


def test_the_summary_names_the_videos_in_texts_of_which_no_counts_are_requested(site: Site, syncer: Run) -> None:
    assert "\n2 pages, 2 videos, and 1 video in texts: 2 requested, 2 returned. " in syncer("sync").out
    assert "in_texts" not in syncer("sync", "--json").document
    asked = syncer("sync", "--dry-run", "--all", "--video", NAMED).out
    assert "1 page, 1 video: 1 requested, 1 returned. " in asked
    number = syncer("status", "--json").document["syncs"][-1]["sync"]
    with served(site) as browser:
        assert "2 videos on 2 pages, 1 video in texts" in browser.get(f"/syncs/{number}").text


@pytest.mark.parametrize("narrowed", [["--video", TEXT], ["content/c.md"]], ids=["video", "path"])
def test_a_sync_of_a_video_in_texts_says_that_no_counts_are_requested_and_whether_it_plays(
    site: Site, syncer: Run, youtube: Simulator, narrowed: list[str]
) -> None:
    found = "1 video in texts: no counts are requested. Changed 0 counts on 0 pages.\n"
    assert syncer("sync", *narrowed).out == f"{found}Checked whether 1 video plays: 1 returned.\n"
    syncer("sync")
    again = syncer("sync", *narrowed).out
    assert again == f"{found}Whether it plays was checked before (use --all to check again).\n"
    assert "Checked whether 1 video plays: 1 returned.\n" in syncer("sync", "--all", *narrowed).out


def test_a_video_that_the_user_names_is_checked_if_it_was_not_just_now(site: Site, youtube: Simulator) -> None:
    site.sync()
    youtube.world = World(videos={TEXT: NOT_HERE})
    for minutes, due in ((4, 0), (6, 1)):
        report = site.sync(NOON + timedelta(minutes=minutes), Options(videos=frozenset({TEXT})))
        assert report.playing
        assert (report.playing.due, len(report.playing.stopped())) == (due, due)


def test_history_says_that_no_counts_are_requested_of_a_video_in_texts(site: Site, syncer: Run) -> None:
    syncer("sync")
    ran = syncer("history", TEXT)
    assert ran.code == 2
    only = "is only in the text of pages, so no counts are requested; `syncer videos` shows whether it plays"
    assert ran.err == f"syncer: {TEXT} {only}\n"
    assert f"no readings of {MORE} are stored; run `syncer sync --video {MORE}`" in syncer("history", MORE).err
    assert syncer("history", BOTH).code == 0
