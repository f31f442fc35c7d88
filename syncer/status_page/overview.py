"""The overview: what needs attention, the next sync and the quota, the last syncs, the last changes, odd videos."""

from __future__ import annotations

from datetime import datetime

from starlette.responses import HTMLResponse

from syncer.control import DaemonState, Stage
from syncer.decide.availability import PlayState
from syncer.model import VideoId
from syncer.state.search import SearchState
from syncer.status.buckets import in_words
from syncer.status.build_status import build_sentence
from syncer.status.demand import demand_outline
from syncer.status.held_back import held_back_outline
from syncer.status.sharing import sharing_outline
from syncer.status.status import Status
from syncer.status_page.chart import sync_bars
from syncer.status_page.frame import Frame, page
from syncer.status_page.layout import (
    changes_table,
    facts,
    moment,
    page_list,
    prose,
    section,
    sync_button,
    sync_link,
    table,
    video_link,
)
from syncer.status_page.markup import Child, Markup, tag, together
from syncer.status_page.problems import problem_items
from syncer.status_page.reading import VIDEOS_SHOWN, Overview, PageNames
from syncer.status_page.verdict import shown_needs, verdict
from syncer.wording import counted
from syncer.youtube.answer import METHODS

REFRESH_SECONDS = 5
"""Seconds between two refreshes while a sync is running; otherwise the page is not refreshed."""

SYNCS_LISTED = 6
"""Rows of the table beside the bars, which show more."""

UNITS = " ".join(f"Requests to `{method}` take {bucket} units." for bucket, method in METHODS.items())
"""What the two kinds of units are, where a page shows them."""

STAGES: dict[Stage, str] = {"scan": "Reading pages", "ask": "Requesting counts from YouTube", "write": "Writing pages"}


def overview_page(frame: Frame, seen: Overview, names: PageNames) -> HTMLResponse:
    """Return the first page; `names` are those of the pages of its videos and changes."""
    headline = verdict(seen)
    accept = sync_button(frame, accept=True) if seen.status.brake else None
    needs = [
        tag(
            "li",
            prose(need.sentence),
            (" ", tag("a", need.link, href=frame.address(need.href))) if need.link else None,
            problem_items(need.problems) if need.problems else None,
        )
        for need in shown_needs(seen)
    ]
    changes = (
        changes_table(frame, "Newest first", seen.changes, names.titles) if seen.changes else tag("p", "None yet.")
    )
    return page(
        frame,
        "Overview",
        tag("h1", "Overview ", tag("span", seen.status.site, class_="path")),
        tag("p", tag("strong", prose(headline.sentence)), class_=f"verdict {headline.state}", role="status"),
        section("Needs attention", tag("ul", needs), accept, id_="needs") if needs else None,
        _now(frame, seen),
        _syncs(frame, seen.status),
        section("Last changes", changes, id_="changes"),
        _videos(frame, seen.status, names),
        _stopped(frame, seen.status, names),
        here="/",
        refresh=REFRESH_SECONDS if seen.daemon.running else None,
    )


def progress_of(daemon: DaemonState) -> str:
    """Return how far the running sync is, in words."""
    progress = daemon.progress
    if progress is None:
        return "The sync is starting."
    done = f"{progress.done:,} of {progress.of:,}" if progress.of is not None else f"{progress.done:,} so far"
    return f"{STAGES[progress.stage]}: {done}."


def _now(frame: Frame, seen: Overview) -> Markup:
    status, running = seen.status, seen.daemon.running
    quota = [
        (
            f"Quota: {bucket.value}",
            together(tag("meter", min=0, max=left.limit, value=left.left, aria_hidden="true"), f"{in_words(left)}."),
        )
        for bucket, left in status.buckets.items()
    ]
    suppressed = f"{counted(status.suppressed, 'count')}, not written until YouTube returns a different number"
    held = status.held_back
    ledger = prose(f"{sharing_outline(status.sharing, status.buckets)}.") if status.sharing else None
    later = "scheduled when this sync ends" if running else "not scheduled"
    return section(
        f"Status: {'syncing' if running else 'idle'}",
        tag("p", progress_of(seen.daemon)) if running else None,
        facts(
            ("Next sync", moment(seen.daemon.next_sync) if seen.daemon.next_sync else later),
            ("Quota resets", together(moment(status.quota_resets), " (midnight Pacific)")),
            *([("Quota ledger", ledger)] if ledger else []),
            *([("Units a day", prose(f"{demand_outline(status.demand)}."))] if status.demand.videos else []),
            *([("Undone or dropped", suppressed)] if status.suppressed else []),
            *([("Held back", held_back_outline(held))] if held and held.counts else []),
            *([("Build hook", f"{build_sentence(status.build)}.")] if status.build else []),
        ),
        *((facts(*quota), tag("p", prose(UNITS), class_="note")) if quota else ()),
        sync_button(frame),
        id_="now",
    )


def _syncs(frame: Frame, status: Status) -> Markup:
    if not status.syncs:
        return section("Last syncs", tag("p", "None yet."), id_="syncs")
    rows = [
        (
            sync_link(frame, sync["sync"], moment(datetime.fromisoformat(sync["finished"]), zone=False)),
            f"{sync['changed_counts']:,}",
            sync["result"],
        )
        for sync in status.syncs[:SYNCS_LISTED]
    ]
    listed = table("Newest first", ("ended (UTC)", "counts changed", "result"), rows, numbers=(1,))
    drawn = tag("div", sync_bars(frame, status.syncs[::-1]), class_="drawing")
    return section("Last syncs", tag("div", drawn, listed, class_="halves"), id_="syncs")


def _videos(frame: Frame, status: Status, names: PageNames) -> Markup:
    confirmed = {video for video, state, _ in status.not_playing if state is PlayState.MISSING}
    found: list[tuple[VideoId, str, Child]] = [
        (
            video.video_id,
            "missing" if video.gone or video.video_id in confirmed else "not returned",
            together("not returned since ", moment(video.since)),
        )
        for video in status.missing[:VIDEOS_SHOWN]
    ]
    found += [
        (video, "unconfirmed", f"{count.value} dropped by more than 90%; waiting for a second reading to confirm")
        for video, count in status.unconfirmed[:VIDEOS_SHOWN]
    ]
    found += [
        (video, "hidden", f"the owner hides {count.value}; pages keep their count")
        for video, count in status.hidden[:VIDEOS_SHOWN]
    ]
    heading = "Missing and hidden videos"
    if not found:
        held = f" confirmed: the safety brake holds {counted(status.braked, 'reading')}" if status.brake else ""
        return section(heading, tag("p", f"None{held}."), id_="videos")
    rows = [
        (video_link(frame, video), state, details, page_list(frame, video, names.pages.get(video, ()), names.titles))
        for video, state, details in found
    ]
    states = (
        (SearchState.MISSING, status.missing),
        (SearchState.UNCONFIRMED, status.unconfirmed),
        (SearchState.HIDDEN, status.hidden),
    )
    links = [
        tag(
            "li",
            tag("a", f"All {len(videos):,} that are {state.value}", href=frame.address(f"/videos?state={state.value}")),
        )
        for state, videos in states
        if len(videos) > VIDEOS_SHOWN
    ]
    return section(
        heading,
        table("The pages keep the counts that they have", ("video", "state", "details", "pages"), rows),
        tag("ul", links) if links else None,
        id_="videos",
    )


def _stopped(frame: Frame, status: Status, names: PageNames) -> Markup | None:
    rows = [
        (
            video_link(frame, video),
            state.value,
            moment(since, zone=False),
            page_list(frame, video, names.pages[video], names.titles),
        )
        for video, state, since in status.not_playing[:VIDEOS_SHOWN]
    ]
    total = len(status.not_playing)
    link = tag(
        "a", f"All {total:,} that do not play", href=frame.address(f"/videos?state={SearchState.NOT_PLAYING.value}")
    )
    return (
        section(
            "Videos that do not play",
            table("On the pages of your site", ("video", "state", "since (UTC)", "pages"), rows),
            tag("p", link) if total > VIDEOS_SHOWN else None,
            id_="stopped",
        )
        if rows
        else None
    )
