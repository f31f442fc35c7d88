"""The frame of every page: head, navigation, footer; and the parts that several pages share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from starlette.responses import HTMLResponse

from syncer import __version__
from syncer.diff_log.lines import Line, timestamp
from syncer.status_page.markup import Child, Markup, tag, together
from syncer.wording import utc

SECTIONS = (("/", "Overview"), ("/videos", "Videos"), ("/problems", "Problems"))

FOOTER_LINKS = (
    ("https://www.youtube.com/t/terms", "YouTube's Terms of Service"),
    ("http://www.google.com/policies/privacy", "Google's Privacy Policy"),
)
"""What YouTube asks programs to link to (`docs/terms.md`)."""

NUMBER = "number"
"""The class of a column of numbers."""


def page(title: str, *content: Child, here: str = "", refresh: int | None = None, status: int = 200) -> HTMLResponse:
    """Return a page; `here` is the address of its section, `refresh` after how many seconds it loads itself again."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="refresh", content=refresh) if refresh else None,
        tag("title", f"{title} - syncer"),
        tag("link", rel="stylesheet", href="/style.css"),
        tag("link", rel="icon", href="/icon.svg", type="image/svg+xml"),
    )
    sections = [
        tag("li", tag("a", name, href=href, aria_current="page" if href == here else None)) for href, name in SECTIONS
    ]
    body = tag(
        "body",
        tag("a", "Skip to the content", class_="skip", href="#content"),
        tag(
            "header",
            tag("p", tag("a", "syncer", href="/"), class_="name"),
            tag("nav", tag("ul", sections), aria_label="Sections"),
        ),
        tag("main", *content, id="content"),
        tag(
            "footer",
            tag(
                "p",
                "Source of all counts: ",
                tag("a", "YouTube", href="https://www.youtube.com/", rel="noreferrer"),
                ", read with the YouTube Data API. syncer is no product of YouTube's.",
                [(" · ", tag("a", name, href=href, rel="noreferrer")) for href, name in FOOTER_LINKS],
            ),
            tag("p", f"syncer {__version__}"),
        ),
    )
    html = together(Markup("<!doctype html>\n"), tag("html", head, body, lang="en"))
    return HTMLResponse(html, status)


def section(heading: str, *content: Child, id_: str) -> Markup:
    """Return a part of a page under a heading, which names it to screen readers too."""
    return tag("section", tag("h2", heading, id=id_), *content, aria_labelledby=id_)


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Child]], numbers: Iterable[int] = ()) -> Markup:
    """Return a table that scrolls by itself where it is too wide; the first cell of a row is its head."""
    right = set(numbers)

    def class_of(column: int) -> str | None:
        return NUMBER if column in right else None

    head = tag("tr", [tag("th", name, scope="col", class_=class_of(n)) for n, name in enumerate(heads)])
    lines = [
        tag(
            "tr",
            [
                tag("td" if n else "th", cell, scope=None if n else "row", class_=class_of(n))
                for n, cell in enumerate(row)
            ],
        )
        for row in rows
    ]
    whole = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", lines))
    return tag("div", whole, class_="scroll", tabindex=0, role="region", aria_label=caption)


def changes_table(caption: str, lines: Iterable[Line]) -> Markup:
    """Return lines of the diff log as a table."""
    heads = ("video", "field", "old", "new", "at (UTC)", "page")
    rows = [
        (
            video_link(str(line["video_id"])),
            tag("span", str(line["field"]), class_="field"),
            _digits(line["old"]),
            _digits(line["new"]),
            minute(datetime.fromisoformat(str(line["at"]))),
            tag("span", str(line["path"]), class_="path"),
        )
        for line in lines
    ]
    return table(caption, heads, rows, numbers=(2, 3))


def facts(*pairs: tuple[str, Child]) -> Markup:
    """Return names and what they are."""
    return tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs], class_="facts")


def moment(at: datetime) -> Markup:
    """Return a time for people and for programs."""
    return tag("time", utc(at), datetime=timestamp(at.astimezone(UTC)))


def minute(at: datetime) -> Markup:
    """Return a time without its seconds and `UTC`, which the head of the table says."""
    return tag("time", f"{at.astimezone(UTC):%Y-%m-%d %H:%M}", datetime=timestamp(at.astimezone(UTC)))


def video_link(video_id: str, text: str | None = None) -> Markup:
    """Return a link to a video's page here."""
    return tag("a", text or video_id, href=f"/videos/{quote(video_id)}", class_=None if text else "id")


def sync_link(sync: str) -> Markup:
    """Return a link to a sync's page."""
    return tag("a", sync, href=f"/syncs/{quote(sync)}", class_="id")


def sync_button(*, accept: bool = False) -> Markup:
    """Return the form that triggers a sync."""
    return tag(
        "form",
        tag("input", type="hidden", name="accept", value="true") if accept else None,
        tag("button", "Accept what is held, and sync" if accept else "Sync now"),
        method="post",
        action="/triggers",
    )


def neighbours(
    name: str, address: str, query: Mapping[str, str], *, limit: int, offset: int, total: int
) -> Markup | None:
    """Return links to the parts of a list before and after the one that is shown: `limit` items after `offset`."""
    offsets = [("Earlier", max(0, offset - limit))] if offset else []
    if offset + limit < total:
        offsets.append(("Next", offset + limit))
    links = [
        (tag("a", text, href=f"{address}?{urlencode({**query, 'offset': start})}"), " ") for text, start in offsets
    ]
    return tag("nav", links, aria_label=name, class_="more") if links else None


def ago(seconds: float) -> str:
    """Return a length of time in one unit: `5 minutes`."""
    for name, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {name}s"
    return f"{max(0, int(seconds))} seconds"


def _digits(count: str | int | None) -> str:
    text = str(count) if count is not None else "-"
    return f"{int(text):,}" if text.isascii() and text.isdigit() else text
