"""The pages of one site: what each address returns."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from syncer.model import VideoId
from syncer.state.search import SearchState
from syncer.status.stored_reports import StoredReport
from syncer.status_page.overview import overview_page
from syncer.status_page.problems import problems_page
from syncer.status_page.reading import (
    names_on,
    one_sync,
    one_video,
    overview,
    page_names,
    pending_videos,
    problems,
    videos,
)
from syncer.status_page.requests import (
    found_or_404,
    frame_of,
    page_of,
    renamed_state,
    search_of,
    sources_of,
    state_of,
    sync_of,
    ticket_of,
    video_of,
)
from syncer.status_page.sync_pages import CHANGES_PER_PAGE, MISSING_SHOWN, sync_page, ticket_page
from syncer.status_page.video_pages import VIDEOS_PER_PAGE, video_page, videos_page


def first(request: Request) -> Response:
    """Respond to `GET /`."""
    sources = sources_of(request)
    seen = overview(sources)
    return overview_page(frame_of(request), seen, names_on(sources, seen))


def search(request: Request) -> Response:
    """Respond to `GET /videos`."""
    if renamed := renamed_state(request):
        return renamed
    wanted, state = search_of(request), state_of(request)
    _, offset = page_of(request)
    sources = sources_of(request)
    total, found = videos(sources, wanted, state, limit=VIDEOS_PER_PAGE, offset=offset)
    names = page_names(sources, [video.video_id for video in found])
    pending = pending_videos(sources) if state in {SearchState.NOT_PLAYING, SearchState.CONFIRMED_MISSING} else 0
    return videos_page(
        frame_of(request), total, found, names, search=wanted, state=state, offset=offset, pending=pending
    )


def video(request: Request) -> Response:
    """Respond to `GET /videos/{video}`."""
    found = one_video(sources_of(request), video_of(request))
    return video_page(
        frame_of(request), found_or_404(found, "No page names this video, and syncer has no readings of it.")
    )


def sync(request: Request) -> Response:
    """Respond to `GET /syncs/{sync}`."""
    _, offset = page_of(request)
    sources = sources_of(request)
    found = one_sync(sources, sync_of(request), limit=CHANGES_PER_PAGE, offset=offset)
    report, changes = found_or_404(found, "There is no report of this sync.")
    missing = [VideoId(video) for video in report["missing"][:MISSING_SHOWN]]
    names = page_names(sources, missing, (str(line["path"]) for line in changes))
    return sync_page(frame_of(request), report, changes, names, offset=offset)


def wrong(request: Request) -> Response:
    """Respond to `GET /problems`."""
    return problems_page(frame_of(request), *problems(sources_of(request)))


async def trigger(request: Request) -> Response:
    """Respond to `POST /triggers`."""
    accept = parse_qs((await request.body()).decode(errors="replace")).get("accept") == ["true"]
    ticket = sources_of(request).control.trigger(accept)
    return RedirectResponse(frame_of(request).address(f"/triggers/{ticket.number}"), 303)


async def triggered(request: Request) -> Response:
    """Respond to `GET /triggers/{number}`."""
    control = sources_of(request).control
    ticket = ticket_of(request, control)
    if ticket.report and not ticket.error:
        report: StoredReport = json.loads(ticket.report)
        return RedirectResponse(frame_of(request).address(f"/syncs/{report['sync']}"), 303)
    return ticket_page(frame_of(request), ticket, control.state())


ROUTES = [
    Route("/", first),
    Route("/videos", search),
    Route("/videos/{video}", video),
    Route("/syncs/{sync}", sync),
    Route("/problems", wrong),
    Route("/triggers", trigger, methods=["POST"]),
    Route("/triggers/{number}", triggered),
]
