"""The pages about videos: the search, and one video with its counts over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from starlette.responses import HTMLResponse

from syncer.model import Count, Reading
from syncer.state.search import KnownVideo, SearchState
from syncer.status.documents import meaning_changes
from syncer.status_page.chart import COUNT_NAMES, count_chart
from syncer.status_page.layout import minute, moment, neighbours, page, section, table, video_link
from syncer.status_page.markup import Child, Markup, tag, together
from syncer.status_page.reading import VideoDetails
from syncer.wording import counted

VIDEOS_PER_PAGE = 50

READING_ROWS = 200
"""Rows of the table of readings, the newest; `syncer history` prints all."""


def videos_page(
    total: int, found: Sequence[KnownVideo], search: str, state: SearchState | None, *, offset: int
) -> HTMLResponse:
    """Return what a search for videos found."""
    rows = [
        (
            video_link(video.video_id),
            *(_number(video.reading, count) for count in Count),
            together("missing since ", moment(video.missing_since))
            if video.missing_since
            else moment(video.reading.at)
            if video.reading
            else "not read yet",
            tag("span", video.path, class_="path") if video.path else "no page",
        )
        for video in found
    ]
    heads = ("video", *COUNT_NAMES.values(), "as of", "page")
    query = {"search": search, "state": state or ""}
    return page(
        "Videos",
        tag("h1", "Videos"),
        _search(search, state),
        tag("p", f"{counted(total, 'video')} found."),
        table("Videos found", heads, rows, numbers=(1, 2, 3)) if rows else None,
        neighbours("More videos", "/videos", query, limit=VIDEOS_PER_PAGE, offset=offset, total=total),
        here="/videos",
    )


def video_page(seen: VideoDetails) -> HTMLResponse:
    """Return the page of one video."""
    title = next((title for _, title in seen.pages if title), seen.video_id)
    meanings = meaning_changes(seen.readings) if seen.readings else []
    pages = [
        tag("li", (title, ": ") if title else None, tag("span", path, class_="path")) for path, title in seen.pages
    ]
    return page(
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
            "YouTube leaves this video out since ",
            moment(seen.missing_since),
            ". The pages keep the counts they have.",
            class_="verdict person",
        )
        if seen.missing_since
        else None,
        tag("p", "A count fell far. It is held until the next reading says the same.", class_="verdict person")
        if seen.unconfirmed
        else None,
        tag("div", _charts(seen.readings, meanings), _readings(seen.readings), class_="beside"),
        section("Pages", tag("ul", pages) if pages else tag("p", "No page names it."), id_="pages"),
        here="/videos",
    )


def _search(search: str, state: SearchState | None) -> Markup:
    states = (("", "all"), *((each.value, each.value) for each in SearchState))
    chosen = state.value if state else ""
    return tag(
        "form",
        tag("label", "Part of a video ID or of a page's path", for_="search"),
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
        action="/videos",
        role="search",
        class_="search",
    )


def _charts(readings: Sequence[Reading], meanings: Sequence[date]) -> Markup:
    by_time = sorted(readings, key=lambda reading: reading.at)  # a clock that was wrong puts them in another order
    charts = [chart for count in Count if by_time and (chart := count_chart(count, by_time, meanings))]
    shown: Child = [tag("div", chart, class_="drawing") for chart in charts] or tag("p", "No reading has a count yet.")
    notes = [
        tag("p", f"From {day} on YouTube counts views in another way: do not compare across that day.", class_="note")
        for day in meanings
    ]
    return section("Counts over time", shown, notes, id_="charts")


def _readings(readings: Sequence[Reading]) -> Markup:
    newest = readings[::-1][:READING_ROWS]
    rows = [(minute(reading.at), *(_number(reading, count) for count in Count)) for reading in newest]
    left = len(readings) - len(newest)
    return section(
        "Readings",
        table("What YouTube said, newest first", ("read at (UTC)", *COUNT_NAMES.values()), rows, numbers=(1, 2, 3)),
        tag("p", f"And {counted(left, 'older reading')}: ", tag("code", "syncer history"), " prints all.")
        if left
        else None,
        id_="readings",
    )


def _number(reading: Reading | None, count: Count) -> str:
    if reading is None:
        return "-"
    if reading.statistics is None:
        return "missing"
    number = reading.statistics.get(count)
    return "hidden" if number is None else f"{number:,}"
