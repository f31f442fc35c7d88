"""What differs between pages and accepted readings: no number is made up, and none is left behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.decide.diff import Suppression, diff, hidden, suppressed_by, without_older
from syncer.front_matter.keys import slot_of
from syncer.model import (
    LARGEST_COUNT,
    Change,
    Count,
    Detail,
    Edit,
    Fields,
    Page,
    Place,
    Reading,
    Signature,
    Slot,
    Value,
    VideoId,
    Why,
)

AT = datetime(2026, 11, 22, 15, 0, 5, tzinfo=UTC)
IDS = [VideoId(f"{number:011}") for number in range(4)]
A, B = IDS[:2]

numbers = st.integers(0, LARGEST_COUNT) | st.integers(0, 3)
texts = st.none() | numbers.map(str) | numbers.map(lambda number: f"{number:019}")
statistics = st.dictionaries(st.sampled_from(list(Count)), numbers)
readings = st.dictionaries(st.sampled_from(IDS), st.none() | statistics).map(
    lambda said: {video: Reading(video, AT, counts) for video, counts in said.items()}
)


def page(*slots: Slot) -> Page:
    return Page("content/a.md", Signature(1), Fields("id", {}), slots)


def slot(number: int, video: VideoId, counts: Mapping[Count, str | None], present: bool = True) -> Slot:
    values = (
        Value(count, f"videos[{number}].{count.value.lower()}", text, present or text is not None)
        for count, text in counts.items()
    )
    return slot_of(video, 3, list(values))


all_counts = st.dictionaries(st.sampled_from(list(Count)), texts)
made_pages = st.lists(st.tuples(st.sampled_from(IDS), all_counts, st.booleans()), max_size=5).map(
    lambda some: page(*(slot(number, *one) for number, one in enumerate(some)))
)


def applied(to: Page, changes: tuple[Change, ...]) -> Page:
    """The page as it says once the changes are written."""
    new = {(change.video_id, change.field): change.new for change in changes}

    def write(video: VideoId, value: Value) -> Value:
        text = new.get((video, value.field))
        return value if text is None else replace(value, text=text, present=True)

    written = (
        slot_of(one.video_id, one.line, [write(one.video_id, value) for value in one.values]) for one in to.slots
    )
    return to._replace(slots=tuple(written))


@given(made_pages, readings)
def test_once_the_changes_are_written_nothing_differs(a_page: Page, accepted: dict[VideoId, Reading]) -> None:
    assert diff(applied(a_page, diff(a_page, accepted)), accepted) == ()


@given(made_pages, readings)
def test_each_change_is_of_a_count_that_youtube_gave_and_the_page_has_otherwise(
    a_page: Page, accepted: dict[VideoId, Reading]
) -> None:
    stands = {(one.video_id, value.field): value for one in a_page.slots for value in one.values}
    for change in diff(a_page, accepted):
        value = stands[change.video_id, change.field]
        said = accepted[change.video_id].statistics
        assert said is not None
        assert isinstance(change.kind, Count)
        assert (change.old, change.kind, change.path) == (value.text, value.kind, a_page.path)
        assert change.new == str(said[change.kind])
        assert value.text is None or int(value.text) != said[change.kind]
        assert change.as_of == AT
        assert (change.why is Why.INSERTED) == (not value.present)


@given(made_pages, readings)
def test_a_count_is_changed_or_hidden_or_right_or_unknown_and_never_two_of_these(
    a_page: Page, accepted: dict[VideoId, Reading]
) -> None:
    changed = {(change.video_id, change.kind) for change in diff(a_page, accepted)}
    concealed = set(hidden([a_page], accepted))

    assert not changed & concealed
    for video, count in concealed:
        said = accepted[video].statistics
        assert said is not None
        assert count not in said


@given(made_pages)
def test_absent_and_unknown_videos_and_hidden_counts_change_nothing(a_page: Page) -> None:
    for accepted in (
        {},
        {video: Reading(video, AT, None) for video in IDS},
        {video: Reading(video, AT, {}) for video in IDS},
    ):
        assert diff(a_page, accepted) == ()


def test_zero_is_a_count_and_not_a_hidden_one() -> None:
    a_page = page(slot(0, A, {Count.LIKES: "517"}))

    (change,) = diff(a_page, {A: Reading(A, AT, {Count.LIKES: 0})})

    assert (change.old, change.new) == ("517", "0")


def test_leading_zeros_are_no_difference() -> None:
    a_page = page(slot(0, A, {Count.VIEWS: "0031147"}))

    assert diff(a_page, {A: Reading(A, AT, {Count.VIEWS: 31147})}) == ()


def test_an_empty_count_is_filled_and_an_absent_one_inserted() -> None:
    accepted = {A: Reading(A, AT, {Count.VIEWS: 0})}

    (filled,) = diff(page(slot(0, A, {Count.VIEWS: None})), accepted)
    (inserted,) = diff(page(slot(0, A, {Count.VIEWS: None}, present=False)), accepted)

    assert (filled.old, filled.new, filled.why) == (None, "0", Why.CHANGED)
    assert (inserted.old, inserted.new, inserted.why) == (None, "0", Why.INSERTED)


def test_a_hidden_count_is_reported_for_each_page_that_has_it_and_no_other() -> None:
    a_page = page(slot(0, A, {Count.VIEWS: "1", Count.LIKES: "2"}), slot(1, B, {Count.VIEWS: "3"}))
    accepted = {video: Reading(video, AT, {Count.VIEWS: 1}) for video in (A, B)}

    assert list(hidden([a_page], accepted)) == [(A, Count.LIKES)]


@given(made_pages, readings, st.data())
def test_a_suppressed_number_is_not_written_to_its_place_and_all_else_is(
    a_page: Page, accepted: dict[VideoId, Reading], data: st.DataObject
) -> None:
    changes = diff(a_page, accepted)
    suppressed = {
        (change.place, int(change.new) + data.draw(st.sampled_from([0, 0, 1])))
        for change in changes
        if data.draw(st.booleans())
    }
    assert diff(a_page, accepted, suppressed=suppressed) == tuple(
        change for change in changes if (change.place, int(change.new)) not in suppressed
    )
    elsewhere = {(place._replace(path="content/b.md"), number) for place, number in suppressed}
    assert diff(a_page, accepted, suppressed=elsewhere) == changes


def test_a_narrowed_diff_is_about_these_videos_only() -> None:
    a_page = page(slot(0, A, {Count.VIEWS: "1", Count.LIKES: "1"}), slot(1, B, {Count.VIEWS: "1", Count.LIKES: "1"}))
    accepted = {video: Reading(video, AT, {Count.VIEWS: 2}) for video in (A, B)}

    assert [change.video_id for change in diff(a_page, accepted, {B})] == [B]
    assert list(hidden([a_page], accepted, {B})) == [(B, Count.LIKES)]
    assert diff(a_page, accepted, set()) == ()


@pytest.mark.parametrize("why", Why)
def test_only_what_an_undo_or_a_drop_replaces_is_suppressed_at_its_place(why: Why) -> None:
    change = Change("content/a.md", A, "videos[0].views", Count.VIEWS, "31250", "31147", AT, why)
    expected = [Suppression(Place("content/a.md", "videos[].views", A), Count.VIEWS, 31250, 31147)]
    assert list(suppressed_by([change])) == (expected if why in {Why.UNDO, Why.DROPPED} else [])


def test_a_date_goes_with_the_last_of_its_counts_and_never_back() -> None:
    """After a restored state: the log has later readings of counts, of the date, or of neither."""
    video, fields = (
        VideoId("a" * 11),
        Fields("id", {Count.VIEWS: "v", Count.LIKES: "l"}, details={Detail.CHECKED_AT: "d"}),
    )
    of = partial(Change, "a.md", video, as_of=AT)
    views = of(field="v", kind=Count.VIEWS, old="1", new="2", why=Why.CHANGED)
    likes = of(field="l", kind=Count.LIKES, old="1", new="2", why=Why.CHANGED)
    day = of(field="d", kind=Detail.CHECKED_AT, old="2026-01-01", new="2026-11-22", why=Why.CHECKED)
    edits = [Edit("a.md", Signature(1), ((fields, (views, likes, day)),))]
    later = AT + timedelta(hours=1)

    def left(*logged: str | None) -> list[Change]:
        lines = [
            {"path": "a.md", "video_id": video, "field": "d", "count": count, "as_of": later.isoformat()}
            for count in logged
        ]
        kept = without_older(edits, lines, AT - timedelta(hours=1), later)
        return [change for edit in kept for change in edit.changes]

    assert left("commentCount") == [views, likes, day]
    assert left("viewCount") == [likes, day]
    assert left("viewCount", "likeCount") == []
    assert left("viewCount", None) == [likes]
