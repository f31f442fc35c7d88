"""The pages about one sync: one that has ended, and one that somebody asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from starlette.responses import HTMLResponse

from syncer.control import DaemonState, Ticket
from syncer.diff_log.lines import Line
from syncer.status.report import StoredReport, problems_of
from syncer.status_page.chart import ENDINGS
from syncer.status_page.layout import changes_table, facts, moment, neighbours, page, section, sync_button, video_link
from syncer.status_page.markup import Markup, tag
from syncer.status_page.overview import going_on
from syncer.status_page.problems import problems_list
from syncer.wording import counted

REFRESH = 1
"""Seconds between two looks at a sync that goes on."""


CHANGES = 500
"""How many changes a page lists."""


def sync_page(report: StoredReport, changes: Sequence[Line], *, offset: int) -> HTMLResponse:
    """Return the page of a sync that has ended; `changes` are a part of its changes, from `offset` on."""
    started, finished = (datetime.fromisoformat(report[name]) for name in ("started", "finished"))
    made = report["changed_counts"]
    left_alone = report.get("left", 0)
    problems = problems_of(report)
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
            ("Left out", _left_out(report["left_out"])),
            ("Units", ", ".join(f"{bucket} {units:,}" for bucket, units in report["units"].items())),
            ("Retries", f"{report.get('retries', 0):,}"),
            ("Changed", f"{counted(report['changed_counts'], 'count')} on {counted(report['changed_pages'], 'page')}"),
            *([("Left as they are", counted(left_alone, "count"))] if left_alone else []),
            ("Commit", report["commit"][:12] if report["commit"] else "none"),
            ("For programs", tag("a", "the report", href=f"/api/v1/syncs/{report['sync']}")),
        ),
        _brake(report),
        section("Problems", problems_list(problems, level="h3") if problems else tag("p", "None."), id_="problems"),
        section(
            "Changes",
            changes_table("Counts that were written, in their order", changes) if changes else tag("p", "None."),
            neighbours("More changes", f"/syncs/{report['sync']}", {}, limit=CHANGES, offset=offset, total=made),
            id_="changes",
        ),
        section("Missing on YouTube", tag("ul", missing), id_="missing") if missing else None,
    )


def _left_out(left_out: Mapping[str, int]) -> str:
    pages = left_out.get("open", 0)
    said = f"{left_out['fresh']:,} fresh, {left_out['over_quota']:,} over quota"
    return f"{said}, {counted(pages, 'page')} open elsewhere" if pages else said


def ticket_page(ticket: Ticket, live: DaemonState) -> HTMLResponse:
    """Return the page of a sync that somebody asked for: it looks again by itself until that has ended."""
    if ticket.state == "done":
        said = ticket.error or "It has ended."
        return page("Sync", tag("h1", "No sync"), tag("p", said, class_="verdict wrong", role="status"), sync_button())
    waits = ticket.state == "waiting"
    said = "It begins as soon as the one before has ended." if waits and live.running else going_on(live)
    return page(
        "Sync",
        tag("h1", "A sync was asked for"),
        tag("p", said, class_="verdict person", role="status"),
        tag("p", "This page looks again by itself. ", tag("a", "Look now", href=f"/triggers/{ticket.number}")),
        refresh=REFRESH,
    )


def _brake(report: StoredReport) -> Markup | None:
    brake = report["brake"]
    if not brake:
        return None
    what = "videos were suddenly missing" if brake["reason"] == "missing" else "counts fell"
    return tag(
        "p",
        f"A brake held it all: {brake['struck']:,} of {brake['of']:,} {what}. Nothing was written.",
        class_="verdict person",
    )
