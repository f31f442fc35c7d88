"""The app: which address is answered by what, and what is said where something goes wrong."""

from __future__ import annotations

import json
from importlib import resources
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from syncer.errors import SyncerError
from syncer.status.report import StoredReport
from syncer.status_page import api
from syncer.status_page.guard import Entry, Guard
from syncer.status_page.layout import page
from syncer.status_page.markup import tag
from syncer.status_page.metrics import Counters
from syncer.status_page.overview import overview_page
from syncer.status_page.problems import problems_page
from syncer.status_page.reading import Sources, one_sync, one_video, overview, problems, videos
from syncer.status_page.requests import (
    found_or_404,
    page_of,
    renamed_state,
    search_of,
    sources_of,
    state_of,
    sync_of,
    ticket_of,
    video_of,
)
from syncer.status_page.sync_pages import CHANGES_PER_PAGE, sync_page, ticket_page
from syncer.status_page.video_pages import VIDEOS_PER_PAGE, video_page, videos_page

FOR_PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics")
"""Addresses that programs request: their errors are JSON."""


def make_app(sources: Sources, counters: Counters, entry: Entry) -> ASGIApp:
    """Return the app, with its guard before it."""
    app = Starlette(
        routes=[*ROUTES, _file("style.css", "text/css"), _file("icon.svg", "image/svg+xml"), *api.ROUTES],
        exception_handlers={HTTPException: explain, SyncerError: explain, Exception: explain},
    )
    app.state.sources, app.state.counters = sources, counters
    return Guard(app, entry)


def first(request: Request) -> Response:
    """Answer `GET /`."""
    return overview_page(overview(sources_of(request)))


def search(request: Request) -> Response:
    """Answer `GET /videos`."""
    if renamed := renamed_state(request):
        return renamed
    wanted, state = search_of(request), state_of(request)
    _, offset = page_of(request)
    total, found = videos(sources_of(request), wanted, state, limit=VIDEOS_PER_PAGE, offset=offset)
    return videos_page(total, found, wanted, state, offset=offset)


def video(request: Request) -> Response:
    """Answer `GET /videos/{video}`."""
    found = one_video(sources_of(request), video_of(request))
    return video_page(found_or_404(found, "nothing is known of this video"))


def sync(request: Request) -> Response:
    """Answer `GET /syncs/{sync}`."""
    _, offset = page_of(request)
    found = one_sync(sources_of(request), sync_of(request), limit=CHANGES_PER_PAGE, offset=offset)
    return sync_page(*found_or_404(found, "no report of this sync is kept"), offset=offset)


def wrong(request: Request) -> Response:
    """Answer `GET /problems`."""
    return problems_page(*problems(sources_of(request)))


async def trigger(request: Request) -> Response:
    """Answer `POST /triggers`."""
    accept = parse_qs((await request.body()).decode(errors="replace")).get("accept") == ["true"]
    ticket = sources_of(request).control.trigger(accept)
    return RedirectResponse(f"/triggers/{ticket.number}", 303)


async def triggered(request: Request) -> Response:
    """Answer `GET /triggers/{number}`."""
    control = sources_of(request).control
    ticket = ticket_of(request, control)
    if ticket.report and not ticket.error:
        report: StoredReport = json.loads(ticket.report)
        return RedirectResponse(f"/syncs/{report['sync']}", 303)
    return ticket_page(ticket, control.state())


ROUTES = [
    Route("/", first),
    Route("/videos", search),
    Route("/videos/{video}", video),
    Route("/syncs/{sync}", sync),
    Route("/problems", wrong),
    Route("/triggers", trigger, methods=["POST"]),
    Route("/triggers/{number}", triggered),
]


def _file(name: str, media_type: str) -> Route:
    """Return the route of a file that ships with the package: it is named here, not by a request."""
    content = resources.files(__package__).joinpath(name).read_bytes()
    headers = {"Cache-Control": "max-age=3600"}

    def file(_request: Request) -> Response:
        return Response(content, media_type=media_type, headers=headers)

    return Route(f"/{name}", file)


def explain(request: Request, error: Exception) -> Response:
    """Answer a request that ended in an error: with JSON where programs ask, else with a page."""
    match error:
        case HTTPException():
            status, kind, message = error.status_code, "http", error.detail
        case SyncerError():
            status, kind, message = 503, error.kind, str(error)
        case _:
            status, kind, message = 500, "bug", f"a bug: {type(error).__name__}; the log has the traceback"
    if request.url.path.startswith(FOR_PROGRAMS):
        return JSONResponse({"error": {"kind": kind, "message": message}}, status)
    return page(
        "Not so",
        tag("h1", f"{status}"),
        tag("p", message, class_="verdict wrong"),
        tag("p", tag("a", "To the overview", href="/")),
        status=status,
    )
