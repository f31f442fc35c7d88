"""What pages show of videos beside their counts is written together with them: each page at most once a sync."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from syncer.config.parse import parse_config
from syncer.decide.availability import Availability, PlayState, availability_from
from syncer.decide.details import DETAILS, CheckedVideo, DetailRule, Said, detail_changes, details_of, requested_parts
from syncer.model import Change, Detail, Fields, Page, Signature, Slot, ValueField, VideoId, Why
from syncer.simulator.faults import parse_fault
from syncer.simulator.playing import Playing
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, VideoState, World
from syncer.sync import write
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Listener, Options
from tests.site import KEY, NOON, Site, ids

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
VIDEOS = ids(10, seed=41)
A, B = VIDEOS[:2]
FIELDS = "{video_id: vid_id, counts: {viewCount: views}, checked_at: checked, unavailable_since: gone}"
EVERYTHING = Options(everything=True)


@pytest.fixture
def youtube() -> Iterator[Simulator]:
    with Simulator(World()) as running:
        yield running


@pytest.fixture
def site(site: Site, youtube: Simulator) -> Site:
    site.configure(collections=f"  - {{directory: content, fields: {FIELDS}}}\n", availability="every: 7d")
    youtube.world = of_all(plays=True)
    for number, video in enumerate(VIDEOS):
        site.put(f"content/{number}.md", page(video))
    return site


def of_all(*, plays: bool, views: int = 7) -> World:
    return World(
        videos={video: Video(playing=Playing(embeddable=plays), counts={"viewCount": views}) for video in VIDEOS}
    )


def page(video: str, views: int = 7, gone: str = "", checked: str = "") -> bytes:
    return f'---\nvid_id: "{video}"\nviews: {views}\nchecked: "{checked}"\ngone: "{gone}"\n---\n'.encode()


def text(site: Site, number: int) -> bytes:
    return (site.root / f"content/{number}.md").read_bytes()


AS_SAID = {Detail.UNAVAILABLE_SINCE: DetailRule(Said("contentDetails", "duration", "PT[0-9]+S"))}
"""As a field would be that shows what YouTube says."""


def test_what_a_field_shows_as_youtube_says_it_is_requested_stored_and_replaced() -> None:
    assert requested_parts({"status": ("a",), "contentDetails": ("b",)}, AS_SAID) == {
        "status": ["a"],
        "contentDetails": ["b", "duration"],
    }
    said, wrong = details_of({"contentDetails": {"duration": "PT7S"}}, AS_SAID)
    assert (said, wrong) == ({"unavailable_since": "PT7S"}, [])
    stored = availability_from(PlayState.PUBLIC, Availability(PlayState.PUBLIC, details=said).facts())
    assert stored == Availability(PlayState.PUBLIC, details=said)
    field = ValueField(Detail.UNAVAILABLE_SINCE, "length", present=True)
    absent = ValueField(Detail.UNAVAILABLE_SINCE, "length", present=False)

    def shown(old: str | None, known: Availability, field: ValueField = field) -> list[tuple[str, Why]]:
        shown = Page("a.md", Signature(1), Fields("id", {}), (Slot(VideoId(A), 1, (field,), (old,)),))
        changes = detail_changes(shown, {VideoId(A): CheckedVideo(known, NOON, NOON)}, rules=AS_SAID)
        return [(change.new, change.why) for change in changes]

    assert shown(None, stored, absent) == [("PT7S", Why.INSERTED)]
    assert shown("PT6S", stored) == [("PT7S", Why.CHANGED)]
    assert shown("PT7S", stored) == []
    assert shown("PT7S", Availability(PlayState.MISSING)) == [], "what is not said removes nothing"
    assert shown("PT7S", Availability(PlayState.PUBLIC, details={"unavailable_since": "x"})) == [], "of a damaged state"


@pytest.mark.parametrize("value", ["7", 7, None, "", "PT7S\n", ["PT7S"]])
def test_what_youtube_says_for_a_field_in_another_form_is_ignored_and_named(value: object) -> None:
    assert details_of({"contentDetails": {"duration": value}}, AS_SAID) == ({}, ["duration"])


@pytest.mark.parametrize("item", [{}, {"contentDetails": {}}, {"contentDetails": "x"}])
def test_what_youtube_does_not_say_for_a_field_is_no_problem(item: dict[str, object]) -> None:
    assert details_of(item, AS_SAID) == ({}, [])


def test_a_page_is_written_once_with_its_counts_and_its_day(site: Site, youtube: Simulator) -> None:
    site.sync()
    youtube.world = of_all(plays=False, views=8)
    written: list[Sequence[Change]] = []
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    environment = Environment(key=KEY, clock=lambda: NOON + HOUR, sleep=lambda _: None)
    options = Options(everything=True, accept=True)
    report = make_sync(config, options, environment, Listener(changed=written.append))
    assert len(written) == 1
    assert [change.field for change in written[0] if change.path == "content/3.md"] == ["views", "checked", "gone"]
    assert text(site, 3) == page(VIDEOS[3], 8, "2026-11-22", "2026-11-22")
    assert (report.changed_pages, report.changed_counts, report.changed_dates) == (10, 10, 20)


def test_checks_that_fail_keep_no_count_from_being_written(site: Site, youtube: Simulator) -> None:
    youtube.world = of_all(plays=False, views=8)
    youtube.faults = [parse_fault("internal@general")]
    report = site.sync(sleep=lambda _: None)
    assert text(site, 3) == page(VIDEOS[3], 8, "", "2026-11-22")
    assert (report.changed_counts, report.exit) == (10, 1)
    youtube.faults = []
    site.sync(NOON + HOUR)
    assert text(site, 3) == page(VIDEOS[3], 8, "2026-11-22", "2026-11-22")


def test_the_brake_on_playing_holds_the_days_and_not_the_counts(site: Site, youtube: Simulator) -> None:
    site.sync()
    youtube.world = of_all(plays=False, views=8)
    report = site.sync(NOON + HOUR, EVERYTHING)
    assert report.brake
    assert report.exit == 1
    assert text(site, 3) == page(VIDEOS[3], 8, "", "2026-11-22")
    site.sync(NOON + HOUR * 2, Options(everything=True, accept=True))
    assert text(site, 3) == page(VIDEOS[3], 8, "2026-11-22", "2026-11-22")


def test_the_brake_on_counts_holds_the_pages_and_their_days_follow(site: Site, youtube: Simulator) -> None:
    site.sync()
    youtube.world = World(
        videos=dict.fromkeys(VIDEOS[2:], Video(VideoState.PRIVATE)) | {A: Video(playing=Playing(embeddable=False))}
    )
    report = site.sync(NOON + HOUR, EVERYTHING)
    assert report.brake
    assert report.changed_pages == 0
    assert text(site, 0) == page(A)
    assert [change.video_id for change in report.playing.changes if report.playing] == [A]  # type: ignore[union-attr]
    youtube.world = World(
        videos=dict.fromkeys(VIDEOS, Video(counts={"viewCount": 7}))
        | {A: Video(playing=Playing(embeddable=False), counts={"viewCount": 7})}
    )
    site.sync(NOON + HOUR * 2, EVERYTHING)
    assert text(site, 0) == page(A, gone="2026-11-22")


def test_a_video_that_is_confirmed_as_missing_gets_its_day_in_the_same_sync(site: Site, youtube: Simulator) -> None:
    site.sync()
    youtube.world = World(videos=dict.fromkeys(VIDEOS, Video(counts={"viewCount": 7})) | {A: Video(VideoState.PRIVATE)})
    site.sync(NOON + HOUR)
    site.sync(NOON + HOUR * 20)
    assert text(site, 0) == page(A)
    dry = site.sync(NOON + HOUR * 26, Options(dry_run=True))
    assert dry.changed_dates == 1
    assert text(site, 0) == page(A)
    report = site.sync(NOON + HOUR * 26)
    assert text(site, 0) == page(A, gone="2026-11-22")
    assert report.playing
    assert [change.video_id for change in report.playing.changes] == [A]


def test_a_narrowed_sync_writes_its_own_days(site: Site, youtube: Simulator) -> None:
    youtube.world = of_all(plays=False)
    site.put("content/0.md", page(A).replace(b"---\n", f'---\nother: "{B}"\n'.encode(), 1))
    site.sync(options=Options(videos=frozenset({VideoId(A)})))
    assert b'gone: "2026-11-22"' in text(site, 0)
    assert text(site, 1) == page(B)


def test_two_mappings_that_show_the_same_day_write_it_once(site: Site, youtube: Simulator) -> None:
    likes = FIELDS.replace("viewCount: views", "likeCount: likes").replace("checked_at: checked, ", "")
    site.configure(
        collections="".join(f"  - {{directory: content, fields: {each}}}\n" for each in (FIELDS, likes)),
        availability="every: 7d",
    )
    youtube.world = World(videos={A: Video(playing=Playing(embeddable=False), counts={"viewCount": 7, "likeCount": 2})})
    site.put("content/0.md", page(A).replace(b"gone", b"likes: 1\ngone"))
    site.sync(options=Options(paths=("content/0.md",)))
    assert text(site, 0) == page(A, gone="2026-11-22").replace(b"gone", b"likes: 2\ngone")
    assert [line["field"] for line in site.log_lines()] == ["gone", "likes"]


def test_an_older_state_brings_no_day_back_that_the_log_says_is_over(site: Site, youtube: Simulator) -> None:
    youtube.world = of_all(plays=False)
    site.sync()
    shutil.copytree(site.state, site.root / "kept")
    youtube.world = of_all(plays=True)
    site.sync(NOON + HOUR * 2, EVERYTHING)
    assert text(site, 3) == page(VIDEOS[3])
    log = (site.state / "diff.jsonl").read_bytes()
    shutil.rmtree(site.state)
    shutil.move(site.root / "kept", site.state)
    (site.state / "diff.jsonl").write_bytes(log)
    youtube.faults = [parse_fault("internal@general")]
    site.sync(NOON + HOUR * 3, sleep=lambda _: None)
    assert text(site, 3) == page(VIDEOS[3])


def test_an_undone_day_stays_removed_while_its_counts_go_on(site: Site, youtube: Simulator) -> None:
    youtube.world = of_all(plays=False)
    first = site.sync()
    assert site.undo(first.sync, NOON + HOUR).changed_dates == 10
    youtube.world = of_all(plays=False, views=9)
    site.sync(NOON + HOUR * 3, EVERYTHING)
    assert text(site, 3) == page(VIDEOS[3], 9, "", "2026-11-22")


def test_a_day_is_written_while_a_policy_holds_the_counts_back(site: Site, youtube: Simulator) -> None:
    site.configure(
        collections=f"  - {{directory: content, fields: {FIELDS}}}\n",
        availability="every: 7d",
        write="min_change: 1000",
    )
    youtube.world = of_all(plays=False, views=8)
    report = site.sync()
    assert text(site, 3) == page(VIDEOS[3], 7, "2026-11-22")
    assert (report.changed_counts, report.changed_dates) == (0, 10)


def test_a_value_that_you_undid_is_written_again_only_when_it_is_another(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = ["2026-01-01"]
    monkeypatch.setitem(DETAILS, Detail.UNAVAILABLE_SINCE, DetailRule(text=lambda _known, _shown: days[-1]))
    first = site.sync()
    assert text(site, 3) == page(VIDEOS[3], gone="2026-01-01")
    assert site.undo(first.sync, NOON + HOUR).changed_dates == 10
    site.sync(NOON + HOUR * 2, EVERYTHING)
    assert text(site, 3) == page(VIDEOS[3])
    days.append("2026-02-02")
    site.sync(NOON + HOUR * 3, EVERYTHING)
    assert text(site, 3) == page(VIDEOS[3], gone="2026-02-02")


def test_days_of_a_large_table_are_written_part_by_part(
    site: Site, youtube: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "PAGES_AT_ONCE", 2)
    videos = ids(130, seed=43)
    fields = "{video_id: id, counts: {viewCount: views}, unavailable_since: gone}"
    site.configure(collections=f"  - {{directory: _data, format: csv, fields: {fields}}}\n", availability="every: 7d")
    file = site.put("_data/library.csv", "".join(["id,views,gone\n", *(f"{video},7,\n" for video in videos)]).encode())
    gone = Video(playing=Playing(embeddable=False), counts={"viewCount": 7})
    youtube.world = World(videos=dict.fromkeys(videos, gone))
    report = site.sync()
    assert (report.problems, report.changed_pages, report.changed_dates) == ((), 1, 130)
    assert file.read_text().splitlines()[1:] == [f"{video},7,2026-11-22" for video in videos]
