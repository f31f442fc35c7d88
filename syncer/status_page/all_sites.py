"""The addresses of a daemon that may have several sites: those about all of them, and those of each."""

from __future__ import annotations

from functools import partial
from inspect import iscoroutinefunction

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route, Router

from syncer.status_page import api, site_pages, sites_api
from syncer.status_page.frame import site_prefix
from syncer.status_page.reading import by_ledger, ledger_use
from syncer.status_page.requests import found_or_404, frame_of, reads_of, site_of, sites_of
from syncer.status_page.site_reads import SiteReads
from syncer.status_page.sites_page import site_line, sites_page

LEDGER_TIMEOUT = 3.0
"""Seconds that the overview of all sites waits for a shared ledger, which may be on a server far away."""


def add_sites(app: Starlette) -> None:
    """Add the addresses about all sites and those of each to an app, and what reads their states."""
    of_each = Router([_in_time(route) for route in (*site_pages.ROUTES, *api.SITE_ROUTES)], redirect_slashes=False)
    app.router.routes += [
        Route("/", all_sites),
        *sites_api.ROUTES,
        Route("/sites", chosen),
        Route("/sites/{site}", without_slash),
        Mount("/sites/{site}", of_each),
    ]
    app.router.redirect_slashes = False  # its redirects do not keep what is encoded in the name of a site
    app.state.reads = SiteReads("the state of", "its disk")
    app.state.ledger_reads = SiteReads("the ledger", "it", all_timeout=LEDGER_TIMEOUT)


async def all_sites(request: Request) -> Response:
    """Respond to `GET /` where there may be several sites: from memory, except for what the ledgers say."""
    sites, reads = sites_of(request), request.app.state.ledger_reads
    current = sites.current()
    of_ledgers = by_ledger(current)
    ledgers = await reads.read_all((str(path), partial(ledger_use, path, each)) for path, each in of_ledgers.items())
    ledger_of = {name: ledgers[str(path)] for path, each in of_ledgers.items() for name in each}
    lines = [site_line(name, sources, ledger_of.get(name)) for name, sources in current.items()]
    fleet = None
    if view := sites.fleet():
        from syncer.status_page.fleet_section import fleet_part

        fleet = fleet_part(view, current)
    return sites_page(frame_of(request), lines, sites.left_out(), ledgers.values(), fleet)


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
