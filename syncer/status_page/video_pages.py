"""The pages about videos: the search, and one video with its counts over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from starlette.responses import HTMLResponse

from syncer.model import Count, Reading
from syncer.state.search import KnownVideo, SearchState
from syncer.status.documents import meaning_changes
from syncer.status.play_report import UNKNOWN, pending_sentence, play_details
from syncer.status_page.chart import COUNT_NAMES, count_chart
from syncer.status_page.frame import Frame, page
from syncer.status_page.layout import moment, neighbours, page_list, section, table, video_link
from syncer.status_page.markup import Markup, tag, together
from syncer.status_page.reading import PageNames, VideoDetails
from syncer.wording import counted

VIDEOS_PER_PAGE = 50

STATE_NAMES = {
    SearchState.BRAKED: "held by the safety brake",
    SearchState.MISSING: "missing or not returned",
    SearchState.CONFIRMED_MISSING: "missing",
}
"""What a state is called where its value is not the word for it."""

IN_TEXTS_ONLY = "in texts only: no counts are requested"
"""Where counts would be shown."""

READING_ROWS = 200
"""Rows of the table of readings: the newest ones."""


def videos_page(
    frame: Frame,
    total: int,
    found: Sequence[KnownVideo],
    names: PageNames,
    *,
    search: str,
    state: SearchState | None,
    offset: int,
    pending: int = 0,
) -> HTMLResponse:
    """Return the results of a search for videos; `pending`: how many more YouTube did not return."""
    rows = [
        (
            video_link(frame, video.video_id),
            *(_number(video.reading, count) for count in Count),
            together("not returned since ", moment(video.missing_since, zone=False))
            if video.missing_since
            else moment(video.reading.at, zone=False)
            if video.reading
            else IN_TEXTS_ONLY
            if video.in_texts_only
            else "not requested yet",
            together(
                (video.said.state, " since ", moment(video.since, zone=False))
                if video.said.state and video.since
                else UNKNOWN,
                f" ({details})" if (details := play_details(video.said)) else None,
            ),
            page_list(frame, video.video_id, names.pages.get(video.video_id, ()), names.titles),
        )
        for video in found
    ]
    heads = ("video", *COUNT_NAMES.values(), "as of (UTC)", "state", "pages")
    query = {"search": search, "state": state or ""}
    return page(
        frame,
        "Videos",
        tag("h1", "Videos"),
        _search(frame, search, state),
        tag("p", f"{counted(total, 'video')} found."),
        tag("p", "The first sync finds the videos on your pages.") if not (total or search or state) else None,
        table("In the order of their IDs", heads, rows, numbers=(1, 2, 3)) if rows else None,
        tag(
            "p",
            pending_sentence(pending),
            ": ",
            tag("a", "show them", href=frame.address(f"/videos?state={SearchState.MISSING}")),
            ".",
        )
        if pending
        else None,
        neighbours("More videos", frame.address("/videos"), query, limit=VIDEOS_PER_PAGE, offset=offset, total=total),
        here="/videos",
    )


def video_page(frame: Frame, seen: VideoDetails) -> HTMLResponse:
    """Return the page of one video."""
    title = next((title for _, title in seen.pages if title), seen.video_id)
    meanings = meaning_changes(seen.readings) if seen.readings else []
    pages = [
        tag("li", (tag("span", title, class_="title"), " ") if title else None, tag("span", path, class_="path"))
        for path, title in seen.pages
    ]
    said = seen.play.availability if seen.play else None
    lists = (
        _readings(seen.readings, in_texts_only=seen.in_texts_only),
        section("Pages", tag("ul", pages, class_="pages") if pages else tag("p", "None."), id_="pages"),
    )
    return page(
        frame,
        title,
        tag("h1", title),
        tag(
            "p",
            tag("span", seen.video_id, class_="id"),
            " · ",
            tag("a", "Watch on YouTube", href=f"https://www.youtube.com/watch?v={seen.video_id}", rel="noreferrer"),
        ),
        tag(
            "p",
            "YouTube has not returned this video since ",
            moment(seen.missing_since),
            ". It is in texts only." if seen.in_texts_only else ". Its pages keep the counts that they have.",
            class_="verdict attention",
        )
        if seen.missing_since
        else None,
        tag(
            "p",
            f"This video is {said.state}, and does not play on your site, since ",
            moment(seen.play.since),
            ".",
            class_="verdict attention",
        )
        if seen.play and seen.play.since and said and said.state and not said.state.plays and not seen.missing_since
        else None,
        tag("p", f"YouTube says: {details}.") if said and (details := play_details(said)) else None,
        tag(
            "p",
            "A count of this video dropped by more than 90%. It is not written until a second reading confirms it.",
            class_="verdict attention",
        )
        if seen.unconfirmed
        else None,
        tag("div", _charts(seen.readings, meanings), tag("div", lists), class_="beside")
        if any(reading.statistics for reading in seen.readings)
        else lists,
        here="/videos",
    )


def _search(frame: Frame, search: str, state: SearchState | None) -> Markup:
    states = (("", "all"), *((each.value, STATE_NAMES.get(each, each.value)) for each in SearchState))
    chosen = state.value if state else ""
    return tag(
        "form",
        tag("label", "Video ID or page path, or a part of one", for_="search"),
        tag("input", type="search", id="search", name="search", value=search, maxlength=200),
        tag("label", "State", for_="state"),
        tag(
            "select",
            [tag("option", name, value=value, selected=value == chosen) for value, name in states],
            id="state",
            name="state",
        ),
        tag("button", "Search"),
        method="get",
        action=frame.address("/videos"),
        role="search",
        class_="search",
    )


def _charts(readings: Sequence[Reading], meanings: Sequence[date]) -> Markup:
    by_time = sorted(readings, key=lambda reading: reading.at)  # they are in another order if the clock was wrong
    charts = [chart for count in Count if (chart := count_chart(count, by_time, meanings))]
    shown = [tag("div", chart, class_="drawing") for chart in charts]
    notes = [
        tag(
            "p",
            f"YouTube changed how it counts views on {day}. Do not compare views from before and after that day.",
            class_="note",
        )
        for day in meanings
    ]
    return section("Counts over time", shown, notes, id_="charts")


def _readings(readings: Sequence[Reading], *, in_texts_only: bool) -> Markup:
    newest = readings[::-1][:READING_ROWS]
    rows = [(moment(reading.at, zone=False), *(_number(reading, count) for count in Count)) for reading in newest]
    left = len(readings) - len(newest)
    return section(
        "Readings",
        table("Newest first", ("read at (UTC)", *COUNT_NAMES.values()), rows, numbers=(1, 2, 3), narrow=True)
        if rows
        else tag("p", f"None: {IN_TEXTS_ONLY}." if in_texts_only else "None yet."),
        tag("p", f"{counted(left, 'older reading')} not shown. Run ", tag("code", "syncer history"), " to see all.")
        if left
        else None,
        id_="readings",
    )


def _number(reading: Reading | None, count: Count) -> str:
    if reading is None:
        return "-"
    if reading.statistics is None:
        return "missing" if count is Count.VIEWS else "-"  # one word a row is enough
    number = reading.statistics.get(count)
    return "hidden" if number is None else f"{number:,}"
