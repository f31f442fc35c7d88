"""The pages about one sync: one that has ended, and one that somebody asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from starlette.responses import HTMLResponse

from syncer.control import DaemonState, Ticket
from syncer.diff_log.lines import Line
from syncer.status.report import StoredReport, problems_of
from syncer.status_page.chart import ENDINGS
from syncer.status_page.layout import changes_table, facts, moment, neighbours, page, section, sync_button, video_link
from syncer.status_page.markup import tag
from syncer.status_page.overview import going_on
from syncer.status_page.problems import problems_list
from syncer.wording import counted

REFRESH_SECONDS = 1
"""Seconds between two looks at a sync that goes on."""

CHANGES_PER_PAGE = 500
"""How many changes a page lists."""


def sync_page(report: StoredReport, changes: Sequence[Line], *, offset: int) -> HTMLResponse:
    """Return the page of a sync that has ended; `changes` are a part of its changes, from `offset` on."""
    started, finished = (datetime.fromisoformat(report[name]) for name in ("started", "finished"))
    made = report["changed_counts"]
    left_alone = report.get("left", 0)
    problems, brake, left_out = problems_of(report), report["brake"], report["left_out"]
    open_elsewhere = f", {counted(left_out['open'], 'page')} open elsewhere" if left_out.get("open") else ""
    missing = [tag("li", video_link(video)) for video in report["missing"]]
    return page(
        f"Sync {report['sync']}",
        tag("h1", "Sync ", tag("span", report["sync"], class_="id")),
        facts(
            ("Ended", ENDINGS[report["exit"]]),
            ("Began", moment(started)),
            ("Took", f"{(finished - started).total_seconds():.0f} s"),
            ("Pages and videos", f"{counted(report['pages'], 'page')}, {counted(report['videos'], 'video')}"),
            ("Asked and answered", f"{report['asked']:,} asked, {report['answered']:,} answered"),
            ("Left out", f"{left_out['fresh']:,} fresh, {left_out['over_quota']:,} over quota{open_elsewhere}"),
            ("Units", ", ".join(f"{bucket} {units:,}" for bucket, units in report["units"].items())),
            ("Retries", f"{report.get('retries', 0):,}"),
            ("Changed", f"{counted(report['changed_counts'], 'count')} on {counted(report['changed_pages'], 'page')}"),
            *([("Left as they are", counted(left_alone, "count"))] if left_alone else []),
            ("Commit", report["commit"][:12] if report["commit"] else "none"),
            ("For programs", tag("a", "the report", href=f"/api/v1/syncs/{report['sync']}")),
        ),
        tag(
            "p",
            f"A brake held it all: {brake['struck']:,} of {brake['of']:,}",
            " videos were suddenly missing" if brake["reason"] == "missing" else " counts fell",
            ". Nothing was written.",
            class_="verdict person",
        )
        if brake
        else None,
        section("Problems", problems_list(problems, level="h3") if problems else tag("p", "None."), id_="problems"),
        section(
            "Changes",
            changes_table("Counts that were written, in their order", changes) if changes else tag("p", "None."),
            neighbours(
                "More changes", f"/syncs/{report['sync']}", {}, limit=CHANGES_PER_PAGE, offset=offset, total=made
            ),
            id_="changes",
        ),
        section("Missing on YouTube", tag("ul", missing), id_="missing") if missing else None,
    )


def ticket_page(ticket: Ticket, daemon: DaemonState) -> HTMLResponse:
    """Return the page of a sync that somebody asked for: it looks again by itself until that has ended."""
    if ticket.state == "done":
        sentence = ticket.error or "It has ended."
        return page(
            "Sync", tag("h1", "No sync"), tag("p", sentence, class_="verdict wrong", role="status"), sync_button()
        )
    waits = ticket.state == "waiting"
    sentence = "It begins as soon as the one before has ended." if waits and daemon.running else going_on(daemon)
    return page(
        "Sync",
        tag("h1", "A sync was asked for"),
        tag("p", sentence, class_="verdict person", role="status"),
        tag("p", "This page looks again by itself. ", tag("a", "Look now", href=f"/triggers/{ticket.number}")),
        refresh=REFRESH_SECONDS,
    )
