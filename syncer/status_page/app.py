"""The app behind its guard: one site or several, and what an error looks like."""

from __future__ import annotations

from importlib import resources

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from syncer.errors import SyncerError
from syncer.status_page import api, site_pages
from syncer.status_page.explained import explained
from syncer.status_page.frame import page
from syncer.status_page.guard import AT_ONCE, AT_ONCE_OF_SITES, Entry, Guard
from syncer.status_page.json_response import JsonResponse
from syncer.status_page.markup import tag
from syncer.status_page.metrics import Counters
from syncer.status_page.requests import frame_of, path_of
from syncer.status_page.sites import Sites

FOR_PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics")
"""Addresses for programs: their errors are JSON."""

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
    app = Starlette(
        routes=[_file("style.css", "text/css"), _file("icon.svg", "image/svg+xml")],
        exception_handlers={HTTPException: explain, SyncerError: explain, Exception: explain},
    )
    app.state.sites, app.state.counters = sites, counters
    if sites.several:
        from syncer.status_page.all_sites import add_sites

        add_sites(app)
    else:
        app.router.routes += [*site_pages.ROUTES, *api.ROUTES]
    return Guard(app, entry, AT_ONCE_OF_SITES if sites.several else AT_ONCE)


def _file(name: str, media_type: str) -> Route:
    """Return the route of a file of the package. Its name is fixed here; no request can name one."""
    content = resources.files(__package__).joinpath(name).read_bytes()
    headers = {"Cache-Control": "max-age=3600"}

    def file(_request: Request) -> Response:
        return Response(content, media_type=media_type, headers=headers)

    return Route(f"/{name}", file)


async def explain(request: Request, error: Exception) -> Response:
    """Return the response to a request that ended in an error: JSON for programs, otherwise a page."""
    found = explained(error)
    if path_of(request).startswith(FOR_PROGRAMS):
        return JsonResponse(found.document, found.status)
    frame = frame_of(request)
    heading = HEADINGS.get(found.status, f"Error {found.status}")
    return page(
        frame,
        heading,
        tag("h1", heading),
        tag("p", found.message, class_="verdict wrong"),
        tag("p", tag("a", "Go to the overview", href=frame.address("/"))),
        status=found.status,
    )
