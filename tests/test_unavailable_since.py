"""`fields.unavailable_since`: the day since which a video does not play, written, removed, logged and undone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.config.parse import parse_config
from syncer.decide.availability import Availability, PlayState
from syncer.decide.details import CheckedVideo, detail_changes
from syncer.decide.unconfirmed import Brake
from syncer.errors import ConfigError
from syncer.front_matter.find import find
from syncer.front_matter.rewrite import rewrite
from syncer.model import Change, Count, Detail, Fields, Page, ProblemKind, Signature, Slot, VideoId, Why
from syncer.simulator.playing import Playing
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, World
from syncer.status.report import brake_outline, brake_sentence_of
from syncer.sync.options import Options
from tests.crash.warm import Order, Warm
from tests.examples import PROVING, examples, storms_but
from tests.front_matter.drawing import pages
from tests.repository import in_git
from tests.site import NOON, Run, Site, ids
from tests.test_recover import CUT, UNWRITTEN, WRITTEN

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
A, B = (VideoId(video) for video in sorted(ids(2, seed=36)))
NOT_HERE = Video(playing=Playing(embeddable=False), counts={"viewCount": 7})
HERE = Video(counts={"viewCount": 7})
EVERYTHING = Options(everything=True)
COLLECTIONS = """\
  - directory: content
    exclude: ["/lists/"]
    fields:
      video_id: vid_id
      counts: {viewCount: views}
      checked_at: checked
      unavailable_since: gone
"""


@pytest.fixture
def youtube() -> Iterator[Simulator]:
    with Simulator(World(videos={A: HERE, B: HERE})) as running:
        yield running


@pytest.fixture
def site(site: Site) -> Site:
    site.configure(collections=COLLECTIONS, availability="every: 7d")
    site.put("content/draft.md", b"---\nviews:\nchecked:\ngone:\n---\n")
    return site


def page(gone: str, views: int = 7) -> bytes:
    return f'---\nvid_id: "{A}"\nviews: {views}\ngone: {gone}\ntitle: x\n---\nBody.\n'.encode()


def lines_of(site: Site) -> list[tuple[object, ...]]:
    return [(line["field"], line["count"], line["old"], line["new"], line["why"]) for line in site.log_lines()]


def test_the_day_is_written_when_a_video_stops_and_removed_when_it_plays_again(site: Site, youtube: Simulator) -> None:
    site.put("content/a.md", page('""'))
    site.sync()
    assert (site.root / "content/a.md").read_bytes() == page('""')
    youtube.world = World(videos={A: NOT_HERE})
    report = site.sync(NOON + HOUR, EVERYTHING)
    assert (site.root / "content/a.md").read_bytes() == page('"2026-11-22"')
    assert (report.changed_pages, report.changed_counts, report.changed_dates, report.exit) == (1, 0, 1, 0)
    site.sync(NOON + DAY * 2, EVERYTHING)
    assert (site.root / "content/a.md").read_bytes() == page('"2026-11-22"')
    youtube.world = World(videos={A: HERE})
    site.sync(NOON + DAY * 3, EVERYTHING)
    assert (site.root / "content/a.md").read_bytes() == page('""')
    assert lines_of(site) == [
        ("gone", None, None, "2026-11-22", "unavailable"),
        ("gone", None, "2026-11-22", None, "available"),
    ]


def test_a_count_of_the_same_sync_is_written_too_and_its_day(site: Site, youtube: Simulator) -> None:
    text = page('""', 6).replace(b"title", b"checked:\ntitle")
    site.put("content/a.md", text)
    youtube.world = World(videos={A: NOT_HERE})
    report = site.sync()
    expected = page('"2026-11-22"').replace(b"title", b'checked: "2026-11-22"\ntitle')
    assert (site.root / "content/a.md").read_bytes() == expected
    assert (report.changed_pages, report.changed_counts, report.changed_dates) == (1, 1, 2)
    assert [line[4] for line in lines_of(site)] == ["changed", "checked", "unavailable"]


def test_a_dry_run_shows_the_day_and_writes_nothing(site: Site, youtube: Simulator) -> None:
    youtube.world = World(videos={A: NOT_HERE})
    site.put("content/a.md", page('""'))
    report = site.sync(options=Options(dry_run=True))
    assert (report.changed_pages, report.changed_dates) == (1, 1), "before the first sync, too"
    site.sync()
    site.put("content/a.md", page('""'))
    report = site.sync(NOON + HOUR, Options(dry_run=True))
    assert (report.changed_pages, report.changed_dates) == (1, 1)
    youtube.world = World(videos={A: Video(playing=Playing(embeddable=False), counts={"viewCount": 9})})
    report = site.sync(NOON + HOUR, Options(dry_run=True))
    assert (report.changed_pages, report.changed_counts, report.changed_dates) == (1, 1, 1)
    assert (site.root / "content/a.md").read_bytes() == page('""')


def test_a_day_that_a_page_has_stays_while_the_video_does_not_play(site: Site, youtube: Simulator) -> None:
    site.put("content/a.md", page("2024-01-31"))
    youtube.world = World(videos={A: NOT_HERE})
    site.sync()
    assert (site.root / "content/a.md").read_bytes() == page("2024-01-31")


def test_an_unknown_state_changes_nothing() -> None:
    fields = mapping_of("plain.md")
    for empty, full in FORMS.values():
        for text in (empty, full):
            slots = find(text.format(id=A, day="2026-11-22").encode(), fields, "plain.md").slots
            assert detail_changes(Page("plain.md", Signature(1), fields, slots), {}) == ()


def test_it_needs_checks_whether_videos_play(site: Site) -> None:
    site.configure(collections=COLLECTIONS, availability="every: null")
    with pytest.raises(ConfigError, match="unavailable_since: needs checks whether videos play; set `availability"):
        parse_config(site.config.read_text(encoding="utf-8"), site.config)


def test_an_item_of_a_data_file_keeps_its_day_and_its_undo_when_others_are_added_above(
    site: Site, youtube: Simulator
) -> None:
    fields = '{video_id: "[].id", counts: {viewCount: views}, unavailable_since: gone}'
    lists = f"  - directory: _data\n    format: data\n    fields: {fields}\n"
    site.configure(collections=lists, availability="every: 7d")
    first, second = (f'- id: "{video}"\n  views: 7\n  gone: ""\n' for video in (A, B))
    gone = second.replace('""', '"2026-11-22"')
    file = site.put("_data/talks.yml", (first + second).encode())
    youtube.world = World(videos={A: HERE, B: NOT_HERE})
    report = site.sync()
    assert file.read_text(encoding="utf-8") == first + gone
    assert lines_of(site) == [("[1].gone", None, None, "2026-11-22", "unavailable")]
    file.write_text(gone + first, encoding="utf-8")
    site.sync(NOON + HOUR, EVERYTHING)
    assert file.read_text(encoding="utf-8") == gone + first
    assert site.undo(report.sync, NOON + HOUR * 2).changed_dates == 1
    file.write_text(first + second, encoding="utf-8")
    site.sync(NOON + HOUR * 3, EVERYTHING)
    assert file.read_text(encoding="utf-8") == first + second


def test_an_undone_day_stays_removed_until_the_state_changes(site: Site, youtube: Simulator) -> None:
    site.put("content/a.md", page('""'))
    youtube.world = World(videos={A: NOT_HERE})
    first = site.sync()
    assert site.undo(first.sync, NOON + HOUR).changed_dates == 1
    assert (site.root / "content/a.md").read_bytes() == page('""')
    site.sync(NOON + DAY, EVERYTHING)
    assert (site.root / "content/a.md").read_bytes() == page('""')
    youtube.world = World(videos={A: HERE})
    site.sync(NOON + DAY * 8, EVERYTHING)
    youtube.world = World(videos={A: NOT_HERE})
    last = site.sync(NOON + DAY * 9, EVERYTHING)
    assert (site.root / "content/a.md").read_bytes() == page('"2026-12-01"')
    assert [line[4] for line in lines_of(site)] == ["unavailable", "undo", "unavailable"]
    assert last.exit == 0


def test_an_undone_removal_puts_the_day_back(site: Site) -> None:
    site.put("content/a.md", page('"2024-01-31"'))
    removal = site.sync()
    assert (site.root / "content/a.md").read_bytes() == page('""')
    assert site.undo(removal.sync, NOON + HOUR).changed_dates == 1
    assert (site.root / "content/a.md").read_bytes() == page('"2024-01-31"')


@pytest.mark.parametrize("gone", ["2024-01-31", "2024-01-31 # a note", "2024-01-31  ", '"2024-01-31"'])
def test_an_undone_removal_keeps_the_day_a_date_or_a_text(site: Site, gone: str) -> None:
    file = site.put("content/a.md", page(gone))
    flow = site.put("content/b.md", f"---\n{{vid_id: {B}, gone: {gone.partition(' ')[0]}, x: 1}}\n---\n".encode())
    texts = file.read_bytes(), flow.read_bytes()
    removal = site.sync()
    assert b"2024" not in file.read_bytes() + flow.read_bytes()
    assert site.undo(removal.sync, NOON + HOUR).changed_dates == 2
    assert (file.read_bytes(), flow.read_bytes()) == texts


def test_where_the_brake_says_that_nothing_was_written_no_date_was(site: Site, youtube: Simulator) -> None:
    videos = [VideoId(video) for video in ids(6, seed=360)]
    files = [site.put(f"content/{video}.md", page('""').replace(A.encode(), video.encode())) for video in videos]
    youtube.world = World(videos=dict.fromkeys(videos, NOT_HERE))
    site.sync()
    before = [file.read_bytes() for file in files]
    assert all(b'gone: "2' in text for text in before)
    youtube.world = World(videos=dict.fromkeys(videos, Video(counts={"viewCount": 6})))
    report = site.sync(NOON + DAY, EVERYTHING)
    assert "Nothing was written." in (brake_sentence_of(report, "syncer sync --accept") or "")
    assert ([file.read_bytes() for file in files], report.changed_dates) == (before, 0)


def test_a_brake_says_how_much_was_written_before() -> None:
    brake = Brake("falling", 6, 10)
    assert brake_outline(brake, (0, 0)).endswith(". Nothing was written.")
    assert brake_outline(brake, (1, 0)).endswith(". 1 count had been written before.")
    assert brake_outline(brake, (0, 2)).endswith(". 2 dates had been written before.")
    assert brake_outline(brake, (3, 2)).endswith(". 3 counts and 2 dates had been written before.")


def test_each_sentence_names_dates_where_only_dates_change(site: Site, youtube: Simulator, syncer: Run) -> None:
    file, folder = site.put("content/a.md", page('""')), str(site.root / "content")
    repository = in_git(site)
    youtube.world = World(videos={A: NOT_HERE})
    out = syncer("sync").out
    assert re.search(r"\ncontent/a\.md +gone +- +\d{4}-\d\d-\d\d\n", out)
    assert "Changed 1 date on 1 page.\n" in out
    name = syncer("status", "--json").document["syncs"][0]["sync"]
    head, row = syncer("status").out.splitlines()[:2]
    assert head.split() == ["sync", "finished", "pages", "counts", "dates", "result"]
    assert row.split()[-4:] == ["1", "0", "1", "complete"]
    written = file.read_bytes()
    assert "\nNot committed: 1 date on 1 page.\n" in syncer("review").out

    ran = syncer("undo", name)
    assert (ran.code, file.read_bytes()) == (0, page('""'))
    assert "Restored 1 date on 1 page. A sync changes them only when the states of their videos change.\n" in ran.out
    again = ran.out.split("To reverse this, run `syncer undo ")[1].split("`")[0]
    assert "Restored 1 date on 1 page." in syncer("undo", again).out
    assert file.read_bytes() == written
    assert "Restored 1 date on 1 page." in syncer("review", "--drop", folder).out
    assert (file.read_bytes(), repository.status()) == (page('""'), [])
    assert syncer("undo", name).out == "Nothing to restore: the pages already have the old values.\n"


def test_a_commit_has_the_day_and_its_removal_and_a_review_drops_it(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    site.put("content/a.md", page('""'))
    repository = in_git(site)
    youtube.world = World(videos={A: NOT_HERE})
    site.sync()
    shown = syncer("review", "--json").document
    [count] = shown["pages"][0]["counts"]
    assert (count["old"], count["new"]) == (None, "2026-11-22")
    assert syncer("review", "--drop", "content").code == 0
    assert (site.root / "content/a.md").read_bytes() == page('""')
    site.configure(collections=COLLECTIONS, availability="every: 7d", git="commit: true")
    site.put("content/b.md", page('""').replace(A.encode(), B.encode()))
    repository.commit_all()
    youtube.world = World(videos={A: NOT_HERE, B: NOT_HERE})
    assert site.sync(NOON + HOUR, EVERYTHING).commit
    assert b'gone: "2026-11-22"' in repository.show("content/b.md")
    youtube.world = World(videos={A: HERE, B: HERE})
    assert site.sync(NOON + DAY, EVERYTHING).commit
    assert b'gone: ""' in repository.show("content/b.md")
    assert repository.status() == []


FORMS = {
    "plain.md": ("---\nid: {id}\nv: 7\ngone:\n---\n", '---\nid: {id}\nv: 7\ngone: "{day}"\n---\n'),
    "quoted.md": ("---\nid: {id}\nv: 7\ngone: ''\n---\n", "---\nid: {id}\nv: 7\ngone: '{day}'\n---\n"),
    "absent.md": ("---\nid: {id}\nv: 7\n---\n", '---\nid: {id}\ngone: "{day}"\nv: 7\n---\n'),
    "block.md": ("+++\nid = '{id}'\nv = 7\ngone = ''\n+++\n", "+++\nid = '{id}'\nv = 7\ngone = '{day}'\n+++\n"),
    "json.md": ('{{"id": "{id}", "v": 7, "gone": null}}\n', '{{"id": "{id}", "v": 7, "gone": "{day}"}}\n'),
    "list.yml": ("- {{id: {id}, v: 7, gone: ''}}\n", "- {{id: {id}, v: 7, gone: '{day}'}}\n"),
    "list.json": ('[{{"id": "{id}", "v": 7, "gone": ""}}]', '[{{"id": "{id}", "v": 7, "gone": "{day}"}}]'),
    "table.csv": ("id,v,gone\n{id},7,\n", "id,v,gone\n{id},7,{day}\n"),
    "quoted.csv": ('id,v,gone\n{id},7,""\n', 'id,v,gone\n{id},7,"{day}"\n'),
}
REMOVED = {
    "bare.md": ("---\nid: {id}\nv: 7\ngone: {day} # c\n---\n", "---\nid: {id}\nv: 7\ngone:  # c\n---\n"),
    "bare-toml.md": ("+++\nid = '{id}'\nv = 7\ngone = {day}\n+++\n", "+++\nid = '{id}'\nv = 7\ngone = \"\"\n+++\n"),
    "flow.md": ("---\n{{id: {id}, v: 7, gone: {day}}}\n---\n", "---\n{{id: {id}, v: 7, gone: }}\n---\n"),
    "bare.csv": ("id,v,gone\n{id},7,{day}\n", "id,v,gone\n{id},7,\n"),
}


def mapping_of(name: str) -> Fields:
    item = "[]." if name.startswith("list") else ""
    dates = {Detail.UNAVAILABLE_SINCE: "gone"}
    return Fields(f"{item}id", {Count.VIEWS: "v"}, details=dates, insert_missing=not name.endswith("csv"))


def changed(name: str, data: bytes, state: PlayState) -> bytes:
    """The file after what a state changes in it."""
    fields = mapping_of(name)
    found = find(data, fields, name)
    assert found.problems == ()
    shown = Page(name, Signature(1), fields, found.slots)
    changes = detail_changes(shown, {A: CheckedVideo(Availability(state), NOON, NOON)})
    assert [change.why for change in changes] == [Why.AVAILABLE if state.plays else Why.UNAVAILABLE]
    new = rewrite(data, fields, changes, name)
    assert isinstance(new, bytes), new
    again = Page(name, Signature(1), fields, find(new, fields, name).slots)
    assert detail_changes(again, {A: CheckedVideo(Availability(state), NOON, NOON)}) == ()
    return new


@pytest.mark.parametrize("name", FORMS)
def test_each_form_gets_the_day_and_is_as_before_without_it(name: str) -> None:
    empty, full = (text.format(id=A, day="2026-11-22").encode() for text in FORMS[name])
    assert changed(name, empty, PlayState.MISSING) == full
    removed = changed(name, full, PlayState.PUBLIC)
    assert changed(name, removed, PlayState.BLOCKED) == full


@pytest.mark.parametrize("name", REMOVED)
def test_a_day_without_quotes_is_removed_too(name: str) -> None:
    full, empty = (text.format(id=A, day="2026-11-22").encode() for text in REMOVED[name])
    assert changed(name, full, PlayState.PUBLIC) == empty
    changed(name, empty, PlayState.BLOCKED)


def test_only_this_day_can_be_removed() -> None:
    fields = mapping_of("a.md")
    for kind, old in ((Count.VIEWS, "7"), (Detail.CHECKED_AT, "2026-11-22")):
        change = Change("a.md", A, "v", kind, old, "", NOON, Why.CHANGED)
        with pytest.raises(ValueError, match="only values of a known form"):
            rewrite(f"---\nid: {A}\nv: 7\n---\n".encode(), fields, [change], "a.md")


def test_the_day_is_written_whatever_a_policy_holds_back_and_begins_no_round(site: Site, youtube: Simulator) -> None:
    site.configure(collections=COLLECTIONS, availability="every: 7d", write="at_most_every: 12d")
    site.put("content/a.md", page('""'))
    site.sync()
    youtube.world = World(videos={A: Video(playing=Playing(embeddable=False), counts={"viewCount": 8})})
    site.sync(NOON + DAY, EVERYTHING)
    first = (site.root / "content/a.md").read_bytes()
    assert b'gone: "2026-11-23"' in first
    assert json.loads(json.dumps(lines_of(site)))[-1][4] == "unavailable"


def test_a_data_file_of_counts_has_no_such_day(site: Site) -> None:
    text = site.config.read_text(encoding="utf-8") + "write: {to: data_file, file: _data/youtube.yml}\n"
    with pytest.raises(ConfigError, match="unavailable_since: is a date in pages"):
        parse_config(text.replace("      checked_at: checked\n", ""), site.config)


CRASHES = list(product([*WRITTEN, *UNWRITTEN], ['""', '"2024-01-31"']))
"""Where, and the day that the page has before."""


@pytest.mark.parametrize(
    "crash", storms_but([each for number, each in enumerate(CRASHES) if (number + number // 2) % 2], CRASHES)
)
def test_a_crash_loses_no_line_of_a_day_and_writes_none_twice(
    site: Site, youtube: Simulator, warm: Warm, crash: tuple[tuple[str, str, str], str]
) -> None:
    where, gone = crash
    site.put("content/a.md", page(gone))
    site.configure(collections=COLLECTIONS, availability="every: 7d", write="in_place: false")
    youtube.world = World(videos={A: NOT_HERE if gone == '""' else HERE})
    out, err = (str(site.root.parent / name) for name in ("out", "err"))
    assert warm.start(Order(("sync",), str(site.root), out, err, first=CUT.format(where=where))).ended().killed
    now = datetime.now(UTC)
    site.sync(now, EVERYTHING)
    day = f"{now:%Y-%m-%d}"
    shown = f'"{day}"' if gone == '""' else '""'
    assert (site.root / "content/a.md").read_bytes() == page(shown)
    expected = [("gone", None, None, day, "unavailable")]
    assert lines_of(site) == (expected if gone == '""' else [("gone", None, "2024-01-31", None, "available")])


@examples(200 if PROVING else 80)
@given(pages(), st.sampled_from(["vid_id", "videos[].id"]), st.booleans())
def test_in_any_page_a_day_comes_and_goes_and_nothing_else_changes(data: bytes, key: str, insert: bool) -> None:
    fields = Fields(
        key, {Count.VIEWS: "viewcount"}, details={Detail.UNAVAILABLE_SINCE: "updated"}, insert_missing=insert
    )

    def after(data: bytes, state: PlayState) -> bytes:
        found = find(data, fields, "a.md")
        states = {slot.video_id: CheckedVideo(Availability(state), NOON, NOON) for slot in found.slots}
        new = rewrite(data, fields, detail_changes(Page("a.md", Signature(1), fields, found.slots), states), "a.md")
        if not isinstance(new, bytes):
            assert new.kind is ProblemKind.CANNOT_PLACE
            return data
        texts = [text for slot in find(new, fields, "a.md").slots for text in dates_of(slot)]
        assert len(texts) >= sum(len(dates_of(slot)) for slot in found.slots)
        assert all((text is None) is state.plays for text in texts)
        return new

    def dates_of(slot: Slot) -> list[str | None]:
        return [value.text for value in slot.values if value.kind is Detail.UNAVAILABLE_SINCE]

    removed = after(data, PlayState.PUBLIC)
    assert after(removed, PlayState.UNLISTED) == removed
    full = after(removed, PlayState.MISSING)
    empty = after(full, PlayState.LIVE)
    assert after(after(empty, PlayState.BLOCKED), PlayState.PUBLIC) == empty
