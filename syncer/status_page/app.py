"""The app: what each address returns, and what an error looks like."""

from __future__ import annotations

import json
from functools import partial
from importlib import resources
from inspect import iscoroutinefunction
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp

from syncer.errors import SyncerError
from syncer.model import VideoId
from syncer.state.search import SearchState
from syncer.status.report import StoredReport
from syncer.status_page import api, sites_api
from syncer.status_page.explained import explained
from syncer.status_page.frame import page, site_prefix
from syncer.status_page.guard import AT_ONCE, AT_ONCE_OF_SITES, Entry, Guard
from syncer.status_page.markup import tag
from syncer.status_page.metrics import Counters
from syncer.status_page.overview import overview_page
from syncer.status_page.problems import problems_page
from syncer.status_page.reading import (
    by_ledger,
    ledger_use,
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
    path_of,
    reads_of,
    renamed_state,
    search_of,
    site_of,
    sites_of,
    sources_of,
    state_of,
    sync_of,
    ticket_of,
    video_of,
)
from syncer.status_page.site_reads import SiteReads
from syncer.status_page.sites import Sites
from syncer.status_page.sites_page import SiteLine, sites_page
from syncer.status_page.sync_pages import CHANGES_PER_PAGE, MISSING_SHOWN, sync_page, ticket_page
from syncer.status_page.video_pages import VIDEOS_PER_PAGE, video_page, videos_page

FOR_PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics")
"""Addresses for programs: their errors are JSON."""

LEDGER_TIMEOUT = 1.0
"""Seconds that the overview of all sites waits for a shared ledger, which is on a disk."""

HEADINGS = {
    400: "Invalid request",
    404: "Page not found",
    405: "Method not allowed",
    500: "Internal error",
    503: "Not available",
}
"""The heading of an error's page, by its HTTP status."""


def make_app(sites: Sites, counters: Counters, entry: Entry) -> ASGIApp:
    """Return the app behind its guard."""
    routes = routes_of_sites() if sites.several else [*ROUTES, *api.ROUTES]
    app = Starlette(
        routes=[_file("style.css", "text/css"), _file("icon.svg", "image/svg+xml"), *routes],
        exception_handlers={HTTPException: explain, SyncerError: explain, Exception: explain},
    )
    app.router.redirect_slashes = not sites.several  # its redirects do not keep what is encoded in the name of a site
    app.state.sites, app.state.counters = sites, counters
    app.state.reads = SiteReads("the state of")
    app.state.ledger_reads = SiteReads("the ledger", all_timeout=LEDGER_TIMEOUT)
    return Guard(app, entry, AT_ONCE_OF_SITES if sites.several else AT_ONCE)


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


async def all_sites(request: Request) -> Response:
    """Respond to `GET /` where there may be several sites: from memory, except for what the ledgers say."""
    sites = sites_of(request)
    lines = [SiteLine(name, sources.control.state(), sources.clock()) for name, sources in sites.current().items()]
    reads: SiteReads = request.app.state.ledger_reads
    ledgers = await reads.read_all(
        (path, partial(ledger_use, each)) for path, each in by_ledger(sites.current().values()).items()
    )
    return sites_page(frame_of(request), lines, sites.left_out(), ledgers)


async def chosen(request: Request) -> Response:
    """Respond to `GET /sites?name=NAME`, which the form that switches between sites sends."""
    name = request.query_params.get("name")
    if name is None:
        return RedirectResponse("/", 303)
    found_or_404(sites_of(request).current().get(name), f"There is no site of the name {name}.")
    return RedirectResponse(f"{site_prefix(name)}/", 303)


async def without_slash(request: Request) -> Response:
    """Respond to `GET /sites/{site}`."""
    return RedirectResponse(f"{site_prefix(site_of(request)[0])}/", 308)


ROUTES = [
    Route("/", first),
    Route("/videos", search),
    Route("/videos/{video}", video),
    Route("/syncs/{sync}", sync),
    Route("/problems", wrong),
    Route("/triggers", trigger, methods=["POST"]),
    Route("/triggers/{number}", triggered),
]


def routes_of_sites() -> list[BaseRoute]:
    """Return the routes of a daemon that may have several sites: about all of them, and those of each."""
    of_each = Router([_in_time(route) for route in (*ROUTES, *api.SITE_ROUTES)], redirect_slashes=False)
    return [
        Route("/", all_sites),
        *sites_api.ROUTES,
        Route("/sites", chosen),
        Route("/sites/{site}", without_slash),
        Mount("/sites/{site}", of_each),
    ]


def _in_time(route: Route) -> Route:
    """Return the route of a site among several: what reads its state has a limited time, and delays no other site."""
    respond = route.endpoint
    if iscoroutinefunction(respond):
        return route

    async def respond_in_time(request: Request) -> Response:
        name, _ = site_of(request)
        response: Response = await reads_of(request).read(name, partial(respond, request))
        return response

    return Route(route.path, respond_in_time)


def _file(name: str, media_type: str) -> Route:
    """Return the route of a file of the package. Its name is fixed here; no request can name one."""
    content = resources.files(__package__).joinpath(name).read_bytes()
    headers = {"Cache-Control": "max-age=3600"}

    def file(_request: Request) -> Response:
        return Response(content, media_type=media_type, headers=headers)

    return Route(f"/{name}", file)


async def explain(request: Request, error: Exception) -> Response:
    """Return the response to a request that ended in an error: JSON for programs, otherwise a page."""
    status, kind, message = explained(error)
    if path_of(request).startswith(FOR_PROGRAMS):
        return JSONResponse({"error": {"kind": kind, "message": message}}, status)
    frame = frame_of(request)
    heading = HEADINGS.get(status, f"Error {status}")
    return page(
        frame,
        heading,
        tag("h1", heading),
        tag("p", message, class_="verdict wrong"),
        tag("p", tag("a", "Go to the overview", href=frame.address("/"))),
        status=status,
    )
