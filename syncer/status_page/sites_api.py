"""The JSON API, health and metrics of a daemon that may have several sites: about all of them at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from syncer.status.attention import is_old
from syncer.status.buckets import LedgerLooks
from syncer.status_page.api import left_out_json, live, of_daemon, site_quota_json, site_status_json
from syncer.status_page.explained import explained
from syncer.status_page.json_response import JsonResponse
from syncer.status_page.metrics import CONTENT_TYPE, Counters, exposition
from syncer.status_page.reading import Sources, gauges
from syncer.status_page.requests import found_or_404, reads_of, sites_of
from syncer.wording import safe

T = TypeVar("T")

log = logging.getLogger("syncer.daemon")


async def status(request: Request) -> Response:
    """Respond to `GET /api/v1/status`."""
    documents = await _documents(request, site_status_json)
    return JsonResponse({"sites": documents, "left_out": left_out_json(sites_of(request))})


async def quota(request: Request) -> Response:
    """Respond to `GET /api/v1/quota`."""
    return JsonResponse({"sites": await _documents(request, site_quota_json)})


async def names(request: Request) -> Response:
    """Respond to `GET /api/v1/sites`, from memory."""
    sites = sites_of(request)
    return JsonResponse({"sites": list(sites.current()), "left_out": left_out_json(sites)})


async def fleet(request: Request) -> Response:
    """Respond to `GET /api/v1/fleet`, from memory."""
    from syncer.status.fleet import view_json

    view = found_or_404(sites_of(request).fleet(), "This daemon is in no fleet.")
    return JsonResponse(view_json(view))


async def ready(request: Request) -> Response:
    """Respond to `GET /readyz`, from memory."""
    sites = sites_of(request)
    current = sites.current()
    late = [name for name, sources in current.items() if not _is_ready(sources)]
    not_ready = [] if current else ["no site is left"]
    not_ready += [f"no good sync of the whole site within two intervals: {', '.join(late)}"] if late else []
    if left_out := sites.left_out():
        not_ready.append(f"left out: {safe(', '.join(left_out))}")
    if not_ready:
        return PlainTextResponse(f"not ready: {'; '.join(not_ready)}\n", 503)
    return PlainTextResponse("ready\n")


async def metrics(request: Request) -> Response:
    """Respond to `GET /metrics`. A site whose state cannot be read in time has no gauges from it."""
    counters: Counters = request.app.state.counters
    read = await _read_all(request, gauges)
    found = {name: None if isinstance(each, Exception) else each for name, each in read.items()}
    left_out = len(sites_of(request).left_out())
    view = sites_of(request).fleet()
    text = await run_in_threadpool(partial(exposition, counters, found, left_out=left_out, fleet=view))
    return Response(text, media_type=CONTENT_TYPE)


ROUTES = [
    Route("/api/v1/status", status),
    Route("/api/v1/quota", quota),
    Route("/api/v1/sites", names),
    Route("/api/v1/daemon", of_daemon),
    Route("/api/v1/fleet", fleet),
    Route("/healthz", live),
    Route("/readyz", ready),
    Route("/metrics", metrics),
]


def _is_ready(sources: Sources) -> bool:
    daemon = sources.control.state()
    return daemon.last_whole is not None and not is_old(daemon.last_whole, daemon.interval, sources.clock())


async def _documents(request: Request, function: Callable[[Sources], dict[str, object]]) -> dict[str, object]:
    """Return a document of each site; that of a site whose state cannot be read is an error."""
    found = await _read_all(request, function)
    return {name: explained(each).document if isinstance(each, Exception) else each for name, each in found.items()}


async def _read_all(request: Request, function: Callable[[Sources], T]) -> dict[str, T | Exception]:
    """Return for each site what the function returns, or what went wrong. A bug is logged with its traceback."""
    ledgers = LedgerLooks()
    current = {name: replace(each, ledgers=ledgers) for name, each in sites_of(request).current().items()}
    found = await reads_of(request).read_all((name, partial(function, sources)) for name, sources in current.items())
    for name, each in found.items():
        if isinstance(each, Exception) and explained(each).kind == "bug":
            log.error("A bug in syncer kept the state of %s from being read; please report it", name, exc_info=each)
    return found
