"""The first page: is all well, when is the next sync, how did the last ones go, what changed, what needs attention."""

from __future__ import annotations

from datetime import datetime

from starlette.responses import HTMLResponse

from syncer.control import DaemonState, Stage
from syncer.status.buckets import in_words
from syncer.status.status import Status
from syncer.status_page.chart import ENDINGS, sync_bars
from syncer.status_page.layout import (
    changes_table,
    facts,
    minute,
    moment,
    page,
    section,
    sync_button,
    sync_link,
    table,
    video_link,
)
from syncer.status_page.markup import Child, Markup, tag, together
from syncer.status_page.reading import Overview
from syncer.status_page.verdict import needs_of, verdict
from syncer.wording import counted

REFRESH_SECONDS = 5
"""Seconds, while a sync goes on; else the page stays as it is."""

NEW_CONFIG = "The new config is invalid, so the old one is still in use: "

TABLE_ROWS = 10
"""Rows of a table here; the other pages show all."""

LEGEND = (
    ("took all-well", "duration"),
    ("took with-problems", "with problems"),
    ("took no-answer", "no answer, or stopped"),
    ("changed", "counts changed"),
)
"""What the bars of the last syncs mean: their classes in the style sheet, and the words."""

STAGES: dict[Stage, str] = {"scan": "reading pages", "ask": "asking YouTube", "write": "writing pages"}


def overview_page(seen: Overview) -> HTMLResponse:
    """Return the first page."""
    headline, refused = verdict(seen), seen.daemon.config_error
    accept = sync_button(accept=True) if seen.status.braked else None
    needs = [tag("li", need.sentence, " ", tag("a", "Show them", href=need.href)) for need in needs_of(seen)]
    changes = changes_table("The last changes, newest first", seen.changes) if seen.changes else "Nothing yet."
    return page(
        "Overview",
        tag("h1", "Counts of ", tag("span", seen.status.site, class_="path")),
        tag("p", tag("strong", headline.sentence), class_=f"verdict {headline.state}", role="status"),
        tag("p", NEW_CONFIG, refused.replace("\n", "; "), class_="verdict wrong") if refused else None,
        _now(seen),
        section("Needs a person", tag("ul", needs), accept, id_="needs") if needs else None,
        _syncs(seen.status),
        section("What changed last", changes, id_="changes"),
        _videos(seen.status),
        here="/",
        refresh=REFRESH_SECONDS if seen.daemon.running else None,
    )


def going_on(daemon: DaemonState) -> str:
    """Return what the daemon is at, in words."""
    if not daemon.running:
        return "Nothing: it waits for the next sync."
    progress = daemon.progress
    if progress is None:
        return "A sync begins."
    far = f"{progress.done:,} of {progress.of:,}" if progress.of is not None else f"{progress.done:,} so far"
    return f"A sync goes on: {STAGES[progress.stage]}, {far}."


def _now(seen: Overview) -> Markup:
    status = seen.status
    quota = [
        (
            f"Quota: {bucket.value}",
            together(tag("meter", min=0, max=left.limit, value=left.left, aria_hidden="true"), f"{in_words(left)}."),
        )
        for bucket, left in status.buckets.items()
    ]
    held = counted(status.suppressed, "count")
    undone = [("Undone", f"{held} held until YouTube gives other numbers")] if status.suppressed else []
    soon = "when this one has ended" if seen.daemon.running else "not known"
    return section(
        "Now",
        facts(
            ("At work", going_on(seen.daemon)),
            ("Next sync", moment(seen.daemon.next_sync) if seen.daemon.next_sync else soon),
            ("Quota is filled again", moment(status.quota_resets)),
            *quota,
            *undone,
        ),
        sync_button(),
        id_="now",
    )


def _syncs(status: Status) -> Markup:
    if not status.syncs:
        return section("Last syncs", tag("p", "None yet."), id_="syncs")
    heads = ("sync", "ended (UTC)", "pages changed", "counts changed", "problems", "how")
    rows = [
        (
            sync_link(sync["sync"]),
            minute(datetime.fromisoformat(sync["finished"])),
            f"{sync['changed_pages']:,}",
            f"{sync['changed_counts']:,}",
            f"{sync['problems']:,}",
            ENDINGS[sync["exit"]],
        )
        for sync in status.syncs[:TABLE_ROWS]
    ]
    legend = []
    for kind, text in LEGEND:
        square = tag("rect", width=12, height=12, rx=2, class_=kind)
        legend.append(tag("li", tag("svg", square, viewBox="0 0 12 12", aria_hidden="true"), text))
    return section(
        "Last syncs",
        tag("div", sync_bars(status.syncs[::-1]), class_="drawing"),
        tag("ul", legend, class_="legend"),
        tag("details", tag("summary", "As a table"), table("The last syncs", heads, rows, numbers=(2, 3, 4))),
        id_="syncs",
    )


def _videos(status: Status) -> Markup:
    rows: list[tuple[Child, ...]] = [
        (
            video_link(video.video_id),
            "gone" if video.gone else "missing",
            together("not given by YouTube since ", moment(video.since)),
        )
        for video in status.missing[:TABLE_ROWS]
    ]
    rows += [
        (video_link(video), "unconfirmed", f"{count.value} fell far; held until the next reading says the same")
        for video, count in status.unconfirmed[:TABLE_ROWS]
    ]
    rows += [
        (video_link(video), "hidden", f"{count.value} is hidden; the pages keep what they have")
        for video, count in status.hidden[:TABLE_ROWS]
    ]
    links = [
        (", " if number else "", tag("a", state, href=f"/videos?state={state}"))
        for number, state in enumerate(("missing", "unconfirmed", "hidden"))
    ]
    whole = len(status.missing) + len(status.unconfirmed) + len(status.hidden)
    if not rows:
        return section("Videos to know of", tag("p", "YouTube gives every video with its counts."), id_="videos")
    return section(
        "Videos to know of",
        table("Videos that YouTube left out, or gave without a count", ("video", "state", "what"), rows),
        tag("p", f"{counted(whole, 'entry').replace('entrys', 'entries')} in all. All that are ", links, ".")
        if whole > len(rows)
        else None,
        id_="videos",
    )
