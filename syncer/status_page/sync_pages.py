"""The pages about one sync: a finished one, and one that was just triggered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from starlette.responses import HTMLResponse

from syncer.control import DaemonState, Ticket
from syncer.decide.unconfirmed import Brake
from syncer.diff_log.lines import Line
from syncer.model import VideoId
from syncer.status.report import brake_outline
from syncer.status.stored_reports import StoredReport, problems_of, result_of
from syncer.status_page.frame import Frame, page
from syncer.status_page.layout import (
    changes_table,
    facts,
    moment,
    neighbours,
    page_list,
    section,
    sync_button,
    table,
    video_link,
)
from syncer.status_page.markup import Markup, tag
from syncer.status_page.overview import progress_of
from syncer.status_page.problems import problems_list
from syncer.status_page.reading import PageNames
from syncer.wording import counted, counts_and_dates

REFRESH_SECONDS = 1
"""Seconds between two refreshes while a sync is running."""

CHANGES_PER_PAGE = 500
"""How many changes a page lists."""

MISSING_SHOWN = 200
"""How many missing videos a page lists."""


def sync_page(
    frame: Frame, report: StoredReport, changes: Sequence[Line], names: PageNames, *, offset: int
) -> HTMLResponse:
    """Return the page of a finished sync; `changes` are a part of its changes, from `offset` on."""
    started, finished = (datetime.fromisoformat(report[name]) for name in ("started", "finished"))
    made = report["changed_counts"]
    dates = report.get("changed_dates", 0)
    brake = None
    if stored := report["brake"]:
        earlier, part = stored.get("earlier", made > 0), stored.get("part", False)
        brake = Brake(stored["reason"], stored["struck"], stored["of"], earlier, part)
    in_texts = f", {counted(report['in_texts'], 'video')} in texts" if report.get("in_texts") else ""
    left_alone = report.get("left", 0)
    problems = problems_of(report)
    return page(
        frame,
        f"Sync {report['sync']}",
        tag("h1", "Sync ", tag("span", report["sync"], class_="id")),
        section(
            "Summary",
            facts(
                ("Result", result_of(report)),
                ("Started", moment(started)),
                ("Took", f"{(finished - started).total_seconds():.0f} s"),
                ("Found", f"{counted(report['videos'], 'video')} on {counted(report['pages'], 'page')}{in_texts}"),
                ("Requested", f"{counted(report['asked'], 'video')}, {report['answered']:,} returned"),
                ("Skipped", _skipped(report)),
                ("Changed", f"{counts_and_dates(made, dates)} on {counted(report['changed_pages'], 'page')}"),
                *([("Not restored", f"{counted(left_alone, 'value')}, changed since")] if left_alone else []),
                ("Quota units used", ", ".join(f"{bucket} {units:,}" for bucket, units in report["units"].items())),
                ("Retries", f"{report.get('retries', 0):,}"),
                ("Commit", report["commit"][:12] if report["commit"] else "none"),
                ("Report", tag("a", "JSON", href=frame.address(f"/api/v1/syncs/{report['sync']}"))),
            ),
            id_="summary",
        ),
        tag("p", brake_outline(brake, (made, dates)), class_="verdict attention") if brake else None,
        section("Problems", problems_list(problems, level="h3") if problems else tag("p", "None."), id_="problems"),
        _missing(frame, report, names),
        section(
            "Changes",
            changes_table(frame, "In the order in which they were written", changes, names.titles)
            if changes
            else tag("p", "None."),
            neighbours(
                "More changes",
                frame.address(f"/syncs/{report['sync']}"),
                {},
                limit=CHANGES_PER_PAGE,
                offset=offset,
                total=made + dates,
            ),
            id_="changes",
        ),
    )


def ticket_page(frame: Frame, ticket: Ticket, daemon: DaemonState) -> HTMLResponse:
    """Return the page of a triggered sync, which refreshes itself until the sync ends."""
    if ticket.state == "done":
        sentence = ticket.error or "The sync has ended."
        return page(
            frame,
            "Sync failed",
            tag("h1", "The sync could not run"),
            tag("p", sentence, class_="verdict wrong", role="status"),
            sync_button(frame),
        )
    waits = ticket.state == "waiting"
    sentence = (
        "Another sync is running. This one starts when it ends." if waits and daemon.running else progress_of(daemon)
    )
    return page(
        frame,
        "Syncing",
        tag("h1", "Syncing"),
        tag("p", sentence, class_="verdict attention", role="status"),
        tag(
            "p",
            "This page refreshes by itself. ",
            tag("a", "Refresh now", href=frame.address(f"/triggers/{ticket.number}")),
        ),
        refresh=REFRESH_SECONDS,
    )


def _skipped(report: StoredReport) -> str:
    left_out = report["left_out"]
    parts = (
        (left_out["fresh"], "video", "not due"),
        (left_out.get("shared", 0), "video", "read by other sites"),
        (left_out["over_quota"], "video", "for lack of quota"),
        (left_out.get("open", 0), "page", "open in another program"),
    )
    return ", ".join(f"{counted(number, noun)} {why}" for number, noun, why in parts if number) or "none"


def _missing(frame: Frame, report: StoredReport, names: PageNames) -> Markup | None:
    videos = [VideoId(video) for video in report["missing"]]
    if not videos:
        return None
    rows = [
        (video_link(frame, video), page_list(frame, video, names.pages.get(video, ()), names.titles))
        for video in videos[:MISSING_SHOWN]
    ]
    left = len(videos) - MISSING_SHOWN
    return section(
        "Missing videos",
        table(
            "YouTube did not return these videos. Their pages keep the counts that they have.", ("video", "pages"), rows
        ),
        tag("p", f"and {left:,} more: see the report.") if left > 0 else None,
        id_="missing",
    )
