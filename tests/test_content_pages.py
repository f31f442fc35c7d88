"""The compact store of a scan gives back its pages, and the state records which page names which video."""

from __future__ import annotations

import string
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncer.content.pages import MANY_SLOTS, PART_SLOTS, Pages
from syncer.decide.diff import diff, hidden, pages_naming
from syncer.front_matter import packed_slots
from syncer.front_matter.keys import value_fields
from syncer.front_matter.packed_slots import PackedSlots, pack
from syncer.model import Count, Detail, Fields, Page, Reading, Signature, Slot, ValueField, VideoId
from syncer.state.database import open_database
from syncer.state.naming_pages import forget_video_pages, pages_of_videos
from syncer.state.videos import save_video_pages
from tests.site import NOON

MAPPINGS = [Fields("vid", {Count.VIEWS: "views"}) for _ in range(3)]
"""Equal, but not the same: each is another collection's."""

BYTES_A_PAGE = 130
"""With an eighth more than is used, as a growing array reserves."""

paths = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=9)
video_ids = st.text(string.ascii_letters + string.digits + "-_", min_size=11, max_size=11).map(VideoId)
texts = st.none() | st.text(string.digits, min_size=1, max_size=19)


@st.composite
def slots(draw: st.DrawFn) -> Slot:
    """One slot; its fields are often equal to those of another one, and often not the same object."""
    counts = draw(st.lists(st.sampled_from(Count), unique=True))
    fields = tuple(
        ValueField(count, f"videos[{draw(st.integers(0, 2))}].{count}", draw(st.booleans())) for count in counts
    )
    line = draw(st.integers(1, 1 << 40))
    return Slot(draw(video_ids), line, fields, tuple(draw(texts) for _ in fields))


@st.composite
def some_pages(draw: st.DrawFn) -> Page:
    """One page; now and then it has the path of another one, or no video."""
    signature = Signature(draw(st.integers(-(1 << 63), (1 << 63) - 1)))
    path = draw(paths | st.sampled_from("ab"))
    return Page(path, signature, draw(st.sampled_from(MAPPINGS)), tuple(draw(st.lists(slots(), max_size=4))))


@given(st.lists(some_pages(), max_size=12), st.sampled_from([0, 1, MANY_SLOTS]))
def test_pages_come_back_equal_and_with_the_very_mapping(appended: list[Page], many_slots: int) -> None:
    pages = Pages(appended, many_slots)
    assert len(pages) == len(appended)
    assert list(pages) == appended == [pages[number] for number in range(len(pages))]
    assert all(kept.fields is page.fields for kept, page in zip(pages, appended, strict=True))
    named = [(page.path, [slot.video_id for slot in page.slots]) for page in appended]
    assert list(pages.named()) == named
    assert [pages.path(number) for number in range(len(pages))] == [page.path for page in appended]
    parts = list(pages.places())
    assert set().union(*(pairs for _, pairs in parts)) == {(video, path) for path, videos in named for video in videos}
    assert all(video.startswith(character) for character, pairs in parts for video, _ in pairs)
    for mapping in (*MAPPINGS, Fields("vid", {Count.VIEWS: "views"})):
        own = [page for page in appended if page.fields is mapping]
        assert list(pages.of(mapping)) == own
        assert pages.count(mapping) == len(own)
        found = {field for page in own for slot in page.slots for field in slot.fields}
        if many_slots == MANY_SLOTS:
            assert set(pages.value_fields(mapping)) == found
        assert {(field.kind, field.present) for field in pages.value_fields(mapping)} == {
            (field.kind, field.present) for field in found
        }
    for number in (-1, len(pages)):
        with pytest.raises(IndexError):
            pages[number]


numbers = st.integers(0, 2)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), numbers, st.none() | st.sampled_from(["0", "1", "01"])), max_size=3),
    st.dictionaries(st.sampled_from("ab"), st.none() | st.dictionaries(st.sampled_from(Count), numbers)),
)
@example([("a", 0, None)], {"a": {Count.LIKES: 1}})
def test_nothing_is_to_be_done_about_a_page_that_shows_the_readings_and_that_is_seen_where_it_shows_their_digits(
    named: list[tuple[str, int, str | None]], known: dict[str, dict[Count, int] | None]
) -> None:
    readings = {VideoId(name * 11): Reading(VideoId(name * 11), NOON, counts) for name, counts in known.items()}
    page = Page(
        "a.md",
        Signature(1),
        MAPPINGS[0],
        tuple(
            Slot(VideoId(name * 11), 2, (ValueField(list(Count)[count], "n", present=True),), (text,))
            for name, count, text in named
        ),
    )
    seen = Pages([page]).shows(0, readings)
    assert Pages([page], many_slots=0).shows(0, readings) == seen
    assert seen == all(
        text is not None and text == str((known.get(name) or {}).get(list(Count)[count])) for name, count, text in named
    )
    if seen:
        assert (diff(page, readings), list(hidden([page], readings))) == ((), [])


def test_a_date_is_no_reason_to_compare_a_page_that_shows_the_counts() -> None:
    views, day = (ValueField(kind, "x", present=True) for kind in (Count.VIEWS, Detail.CHECKED_AT))
    video = VideoId("a" * 11)
    page = Page("a.md", Signature(1), MAPPINGS[0], (Slot(video, 2, (views, day), ("5", "2026-01-01")),))
    assert Pages([page]).shows(0, {video: Reading(video, NOON, {Count.VIEWS: 5})})
    assert not Pages([page]).shows(0, {video: Reading(video, NOON, {Count.VIEWS: 6})})


def test_a_file_in_two_collections_is_two_pages_and_one_file() -> None:
    names = ("a.md", "b.md", "b.md", "c.md")
    pages = Pages(Page(name, Signature(number), MAPPINGS[number % 2], ()) for number, name in enumerate(names))
    assert (len(pages), pages.files) == (4, 3)


def test_a_page_takes_little_memory_also_where_its_fields_are_never_the_same_object() -> None:
    tracemalloc.start()
    try:
        pages = Pages()
        value_fields.cache_clear()
        before, _ = tracemalloc.get_traced_memory()
        for number in range(20_000):
            path = f"content/_posts/{number % 100:03}/2022-04-25-{number:06}-bread.md"
            fields = tuple(ValueField(count, f"videos[0].{count}", present=True) for count in Count)
            slot = Slot(VideoId(f"{number:011}"), 4, fields, (f"{number * 7}", "00", None))
            pages.append(path, Signature(number << 40), MAPPINGS[0], (slot,))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / len(pages) < BYTES_A_PAGE


def test_a_file_with_many_slots_takes_little_memory_and_time_for_each() -> None:
    tracemalloc.start()
    try:
        slots = [
            Slot(
                VideoId(f"{number:011}"),
                number + 2,
                tuple(ValueField(count, f"[{number}].{count}", present=True) for count in Count),
                (f"{number * 7}", "00", None),
            )
            for number in range(20_000)
        ]
        before, _ = tracemalloc.get_traced_memory()
        pages = Pages()
        pages.append("_data/library.csv", Signature(1), MAPPINGS[0], slots)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / len(slots) < BYTES_A_PAGE
    assert max(len(page.slots) for page in pages) == PART_SLOTS
    (page,) = pages.whole()
    assert page == Page("_data/library.csv", Signature(1), MAPPINGS[0], page.slots)
    assert list(page.slots) == slots
    assert (pages.files, pages.count(MAPPINGS[0])) == (1, 1)
    assert {(page.path, page.signature, page.fields is MAPPINGS[0]) for page in pages} == {(page.path, 1, True)}


@given(st.lists(st.tuples(st.sampled_from(MAPPINGS), st.lists(slots(), max_size=45)), max_size=5))
def test_the_parts_of_a_page_with_many_slots_are_the_page(appended: list[tuple[Fields, list[Slot]]]) -> None:
    found = [Page(f"{number}.yml", Signature(0), *each) for number, each in enumerate(appended)]
    pages = Pages(found, many_slots=0)
    assert list(map(list, (page.slots for page in pages.whole()))) == [page.slots for page in found]
    assert [pages.count(mapping) for mapping in MAPPINGS] == [
        sum(page.fields is mapping for page in found) for mapping in MAPPINGS
    ]
    assert pages.files == len(found)


@given(st.lists(slots()), st.integers(0, 9))
def test_packed_slots_equal_those_that_were_packed(unpacked: list[Slot], few: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed_slots, "FEW_SLOTS", 2)
        packed = pack(unpacked)
        assert (list(packed), len(packed), [packed[each] for each in range(len(packed))]) == (
            unpacked,
            len(unpacked),
            unpacked,
        )
        assert list(packed[few:]) == unpacked[few:]
        assert isinstance(packed, PackedSlots) == (len(unpacked) > 2)
        assert (PackedSlots(unpacked) == PackedSlots(unpacked[few:])) == (few == 0 or not unpacked)


def page_of(path: str, *videos: str) -> Page:
    """One page that names these videos."""
    return Page(path, Signature(0), MAPPINGS[0], tuple(Slot(VideoId(video), 1, (), ()) for video in videos))


def test_the_state_has_the_places_of_the_last_scan_and_no_others(tmp_path: Path) -> None:
    seen: set[VideoId] = set()

    @given(st.lists(some_pages(), max_size=6))
    def scan(found: list[Page]) -> None:
        pages = Pages(found)
        save_video_pages(database, pages.places(), pages.digest())
        seen.update(slot.video_id for page in found for slot in page.slots)
        assert pages_of_videos(database, seen) == pages_naming(pages.named(), seen)

    with open_database(tmp_path, "/srv/site") as database:
        scan()


def test_places_are_written_only_when_they_differ_from_the_last_scan_or_were_deleted(tmp_path: Path) -> None:
    one, other = "5HjkiQJx-CY", "kq3vT7mZ_dE"
    pages = Pages([page_of("a.md", one, other), page_of("b.md", other)])
    moved = Pages([page_of("a.md", one), page_of("b.md", other), page_of("c.md", other)])

    def writes(found: Pages) -> int:
        with database.read() as connection:
            before = connection.total_changes
            save_video_pages(database, found.places(), found.digest())
            return connection.total_changes - before

    with open_database(tmp_path, "/srv/site") as database:
        assert [writes(each) for each in (pages, pages, moved, moved)] == [4, 0, 3, 0], "places, and the digest"
        forget_video_pages(database, VideoId(one))
        assert [writes(moved), writes(moved)] == [2, 0]
        with database.transaction() as connection:  # an older version saves no digest
            connection.execute("DELETE FROM places WHERE id = ?", (other,))
        assert [writes(moved), writes(moved)] == [3, 0]


def test_a_digest_is_the_same_only_for_the_same_videos_on_the_same_pages() -> None:
    one, other = "5HjkiQJx-CY", "kq3vT7mZ_dE"
    sites = [
        [page_of("a.md", one), page_of("b.md", other)],
        [page_of("b.md", other), page_of("a.md", one)],
        [page_of("a.md", one, other)],
        [page_of("a.md", one, "b.md", other)],
        [page_of("a.md", other), page_of("b.md", one)],
    ]
    assert len({Pages(site).digest() for site in sites}) == len(sites)
