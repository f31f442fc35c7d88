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
from syncer.status_page.api import (
    api_routes,
    found_or_404,
    page_of,
    search_of,
    standing_of,
    sync_of,
    ticket_of,
    video_of,
)
from syncer.status_page.guard import Entry, Guard
from syncer.status_page.layout import page
from syncer.status_page.markup import tag
from syncer.status_page.metrics import Counters
from syncer.status_page.overview import overview_page
from syncer.status_page.problems import problems_page
from syncer.status_page.reading import Sources, one_sync, one_video, overview, problems, videos
from syncer.status_page.syncs import CHANGES, sync_page, ticket_page
from syncer.status_page.videos import PER_PAGE, video_page, videos_page

PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics")
"""Addresses that programs ask: they are told in JSON what is wrong."""


def make_app(sources: Sources, counters: Counters, entry: Entry) -> ASGIApp:
    """Return the app, with its guard before it."""
    app = Starlette(
        routes=[*_page_routes(sources), *_file_routes(), *api_routes(sources, counters)],
        exception_handlers={HTTPException: _say, SyncerError: _say_cannot, Exception: _say_bug},
    )
    return Guard(app, entry)


def _page_routes(sources: Sources) -> list[Route]:
    def first(_request: Request) -> Response:
        return overview_page(overview(sources))

    def search(request: Request) -> Response:
        wanted, standing = search_of(request), standing_of(request)
        _, after = page_of(request)
        total, found = videos(sources, wanted, standing, most=PER_PAGE, after=after)
        return videos_page(total, found, wanted, standing, after=after)

    def video(request: Request) -> Response:
        return video_page(found_or_404(one_video(sources, video_of(request)), "nothing is known of this video"))

    def sync(request: Request) -> Response:
        _, after = page_of(request)
        found = one_sync(sources, sync_of(request), most=CHANGES, after=after)
        return sync_page(*found_or_404(found, "no report of this sync is kept"), after=after)

    def wrong(_request: Request) -> Response:
        return problems_page(*problems(sources))

    async def trigger(request: Request) -> Response:
        accept = parse_qs((await request.body()).decode(errors="replace")).get("accept") == ["true"]
        ticket = sources.control.trigger(accept)
        return RedirectResponse(f"/triggers/{ticket.number}", 303)

    def ticket(request: Request) -> Response:
        asked = ticket_of(request, sources.control)
        if asked.report and not asked.error:
            report: StoredReport = json.loads(asked.report)
            return RedirectResponse(f"/syncs/{report['sync']}", 303)
        return ticket_page(asked, sources.control.live())

    return [
        Route("/", first),
        Route("/videos", search),
        Route("/videos/{video}", video),
        Route("/syncs/{sync}", sync),
        Route("/problems", wrong),
        Route("/triggers", trigger, methods=["POST"]),
        Route("/triggers/{number}", ticket),
    ]


def _file_routes() -> list[Route]:
    """Return the routes of the two files that ship with the package: they are named here, not by a request."""
    return [_file("style.css", "text/css"), _file("icon.svg", "image/svg+xml")]


def _file(name: str, media_type: str) -> Route:
    content = resources.files(__package__).joinpath(name).read_bytes()
    headers = {"Cache-Control": "max-age=3600"}

    def file(_request: Request) -> Response:
        return Response(content, media_type=media_type, headers=headers)

    return Route(f"/{name}", file)


def _say(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(request, error.status_code, "http", error.detail)


def _say_cannot(request: Request, error: Exception) -> Response:
    assert isinstance(error, SyncerError)
    return _answer(request, 503, error.kind, str(error))


def _say_bug(request: Request, error: Exception) -> Response:
    return _answer(request, 500, "bug", f"a bug: {type(error).__name__}; the log has the traceback")


def _answer(request: Request, status: int, kind: str, message: str) -> Response:
    if request.url.path.startswith(PROGRAMS):
        return JSONResponse({"error": {"kind": kind, "message": message}}, status)
    return page(
        "Not so",
        tag("h1", f"{status}"),
        tag("p", message, class_="verdict wrong"),
        tag("p", tag("a", "To the overview", href="/")),
        status=status,
    )
