"""The parts that several pages share: sections, tables, facts, times, links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from syncer.diff_log.lines import Line, timestamp
from syncer.status_page.frame import Frame
from syncer.status_page.markup import Child, Markup, tag, together
from syncer.wording import counted, utc

NUMBER = "number"
"""The class of a column of numbers."""

PAGES_PER_VIDEO = 10
"""Pages that a row of a table names; the page of the video names all."""


def section(heading: str, *content: Child, id_: str) -> Markup:
    """Return a part of a page under a heading, which is also its name for screen readers."""
    return tag("section", tag("h2", heading, id=id_), *content, aria_labelledby=id_)


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[Child]],
    numbers: Iterable[int] = (),
    *,
    narrow: bool = False,
) -> Markup:
    """Return a table; the first cell of a row is its heading, `numbers` are the columns that are aligned right.

    On a phone each row becomes a block with a label before each value, unless the table is `narrow` enough to fit. The
    roles are what a browser would know by itself, if the style sheet did not turn rows into blocks.
    """
    right = set(numbers)

    def class_of(column: int) -> str | None:
        return NUMBER if column in right else None

    head = [
        tag("th", name, scope="col", role="columnheader", class_=class_of(column)) for column, name in enumerate(heads)
    ]
    lines = [
        tag(
            "tr",
            tag("th", first, scope="row", role="rowheader"),
            [
                tag("td", cell, role="cell", class_=class_of(column), data_label=heads[column])
                for column, cell in enumerate(rest, 1)
            ],
            role="row",
        )
        for first, *rest in rows
    ]
    whole = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", head, role="row"), role="rowgroup"),
        tag("tbody", lines, role="rowgroup"),
        role="table",
    )
    class_ = "scroll narrow" if narrow else "scroll stacked"
    return tag("div", whole, class_=class_, tabindex=0, role="region", aria_label=caption)


def changes_table(frame: Frame, caption: str, lines: Iterable[Line], titles: Mapping[str, str]) -> Markup:
    """Return lines of the diff log as a table; `titles` are those of pages, by path."""
    heads = ("video", "field", "old", "new", "at (UTC)", "page")
    rows = [
        (
            video_link(frame, str(line["video_id"])),
            tag("span", str(line["field"]), class_="field"),
            _digits(line["old"]),
            _digits(line["new"]),
            moment(datetime.fromisoformat(str(line["at"])), zone=False),
            page_list(frame, str(line["video_id"]), [str(line["path"])], titles),
        )
        for line in lines
    ]
    return table(caption, heads, rows, numbers=(2, 3))


def page_list(frame: Frame, video: str, paths: Sequence[str], titles: Mapping[str, str]) -> Markup:
    """Return the pages of a video, each with its path, and its title where that is known: a link to the video."""
    pages = [
        tag(
            "li",
            (tag("span", video_link(frame, video, titles[path]), class_="title"), " ") if path in titles else None,
            tag("span", path, class_="path"),
        )
        for path in paths[:PAGES_PER_VIDEO]
    ]
    left = len(paths) - PAGES_PER_VIDEO
    more = tag("li", f"and {counted(left, 'more page')}") if left > 0 else None
    return tag("ul", pages, more, class_="pages") if paths else tag("span", "no page")


def prose(text: str) -> Markup:
    """Return a text in which what is between backticks is code."""
    return together(
        tag("code", part) if number % 2 else part for number, part in enumerate(re.split("`([^`]+)`", text))
    )


def facts(*pairs: tuple[str, Child]) -> Markup:
    """Return names with their values."""
    return tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs], class_="facts")


def moment(at: datetime, *, zone: bool = True) -> Markup:
    """Return a time as text, without `UTC` where the heading of the column has it, and in the form for programs."""
    return tag("time", utc(at) if zone else utc(at).removesuffix(" UTC"), datetime=timestamp(at.astimezone(UTC)))


def minute(at: datetime) -> Markup:
    """Return a time as text to the minute, in UTC, and in the form for programs."""
    utc_at = at.astimezone(UTC)
    return tag("time", f"{utc_at:%Y-%m-%d %H:%M}", datetime=f"{utc_at:%Y-%m-%dT%H:%MZ}")


def video_link(frame: Frame, video_id: str, text: str | None = None) -> Markup:
    """Return a link to a video's page here."""
    return tag("a", text or video_id, href=frame.address(f"/videos/{quote(video_id)}"), class_=None if text else "id")


def sync_link(frame: Frame, sync: str, text: Markup | None = None) -> Markup:
    """Return a link to a sync's page."""
    return tag("a", text or sync, href=frame.address(f"/syncs/{quote(sync)}"), class_=None if text else "id")


def sync_button(frame: Frame, *, accept: bool = False) -> Markup:
    """Return the form that triggers a sync."""
    return tag(
        "form",
        tag("input", type="hidden", name="accept", value="true") if accept else None,
        tag("button", "Accept held values and sync" if accept else "Sync now"),
        method="post",
        action=frame.address("/triggers"),
    )


def neighbours(
    name: str, address: str, query: Mapping[str, str], *, limit: int, offset: int, total: int
) -> Markup | None:
    """Return links to the previous and the next part of a list of which `limit` items after `offset` are shown."""
    offsets = [("Previous", max(0, offset - limit))] if offset else []
    if offset + limit < total:
        offsets.append(("Next", offset + limit))
    links = [
        (tag("a", text, href=f"{address}?{urlencode({**query, 'offset': start})}"), " ") for text, start in offsets
    ]
    return tag("nav", links, aria_label=name, class_="more") if links else None


def _digits(count: str | int | None) -> str:
    text = str(count) if count is not None else "-"
    return f"{int(text):,}" if text.isascii() and text.isdigit() else text
