"""The compact store of a scan's pages gives back what was put in."""

from __future__ import annotations

import string
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.content.pages import Pages
from syncer.model import Count, CountField, Fields, Page, Signature, Slot, VideoId, count_fields

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
        CountField(count, f"videos[{draw(st.integers(0, 2))}].{count}", draw(st.booleans())) for count in counts
    )
    line = draw(st.integers(1, 1 << 40))
    return Slot(draw(video_ids), line, fields, tuple(draw(texts) for _ in fields))


@st.composite
def some_pages(draw: st.DrawFn) -> Page:
    """One page; now and then it has the path of another one, or no video."""
    signature = Signature(draw(st.integers(-(1 << 63), (1 << 63) - 1)))
    path = draw(paths | st.sampled_from("ab"))
    return Page(path, signature, draw(st.sampled_from(MAPPINGS)), tuple(draw(st.lists(slots(), max_size=4))))


@given(st.lists(some_pages(), max_size=12))
def test_pages_come_back_equal_and_with_the_very_mapping(appended: list[Page]) -> None:
    pages = Pages(appended)
    assert len(pages) == len(appended)
    assert list(pages) == appended == [pages[number] for number in range(len(pages))]
    assert all(kept.fields is page.fields for kept, page in zip(pages, appended, strict=True))
    assert [list(videos) for videos in pages.videos()] == [[slot.video_id for slot in page.slots] for page in appended]
    for mapping in (*MAPPINGS, Fields("vid", {Count.VIEWS: "views"})):
        own = [page for page in appended if page.fields is mapping]
        assert list(pages.of(mapping)) == own
        assert pages.count(mapping) == len(own)
        assert set(pages.count_fields(mapping)) == {
            field for page in own for slot in page.slots for field in slot.fields
        }
    for number in (-1, len(pages)):
        with pytest.raises(IndexError):
            pages[number]


def test_a_file_in_two_collections_is_two_pages_and_one_file() -> None:
    names = ("a.md", "b.md", "b.md", "c.md")
    pages = Pages(Page(name, Signature(number), MAPPINGS[number % 2], ()) for number, name in enumerate(names))
    assert (len(pages), pages.files) == (4, 3)


def test_a_page_takes_little_memory_also_where_its_fields_are_never_the_same_object() -> None:
    tracemalloc.start()
    try:
        pages = Pages()
        count_fields.cache_clear()
        before, _ = tracemalloc.get_traced_memory()
        for number in range(20_000):
            path = f"content/_posts/{number % 100:03}/2022-04-25-{number:06}-bread.md"
            fields = tuple(CountField(count, f"videos[0].{count}", present=True) for count in Count)
            slot = Slot(VideoId(f"{number:011}"), 4, fields, (f"{number * 7}", "00", None))
            pages.append(Page(path, Signature(number << 40), MAPPINGS[0], (slot,)))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / len(pages) < BYTES_A_PAGE
