"""The JSON API, health and metrics. The documents are those that the commands print with `--json`."""

from __future__ import annotations

import json
from dataclasses import asdict

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from syncer.control import Control, DaemonState, Ticket
from syncer.diff_log.lines import timestamp
from syncer.status.documents import history_json, quota_json, status_json, video_json
from syncer.status_page.json_response import JsonResponse
from syncer.status_page.metrics import CONTENT_TYPE, Counters, exposition
from syncer.status_page.reading import Sources, gauges, is_ready, one_sync, overview, readings_of, videos
from syncer.status_page.requests import (
    found_or_404,
    frame_of,
    page_of,
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
from syncer.status_page.sites import Sites


def status(request: Request) -> Response:
    """Respond to `GET /api/v1/status`."""
    return JsonResponse(site_status_json(sources_of(request)))


def quota(request: Request) -> Response:
    """Respond to `GET /api/v1/quota`."""
    return JsonResponse(site_quota_json(sources_of(request)))


def syncs(request: Request) -> Response:
    """Respond to `GET /api/v1/syncs`."""
    limit, offset = page_of(request)
    outlines = overview(sources_of(request), changes=0).status.syncs
    return JsonResponse({"syncs": list(outlines)[offset : offset + limit]})


def sync(request: Request) -> Response:
    """Respond to `GET /api/v1/syncs/{sync}`."""
    limit, offset = page_of(request)
    found = one_sync(sources_of(request), sync_of(request), limit=limit, offset=offset)
    report, changes = found_or_404(found, "There is no report of this sync.")
    return JsonResponse({**report, "changes": [dict(line) for line in changes]})


async def trigger(request: Request) -> Response:
    """Respond to `POST /api/v1/triggers`."""
    control = sources_of(request).control
    ticket = control.trigger(_accepts(await request.body()))
    headers = {"Location": frame_of(request).address(f"/api/v1/triggers/{ticket.number}")}
    return JsonResponse(ticket_json(ticket, control), 202, headers)


async def triggered(request: Request) -> Response:
    """Respond to `GET /api/v1/triggers/{number}`."""
    control = sources_of(request).control
    return JsonResponse(ticket_json(ticket_of(request, control), control))


def search(request: Request) -> Response:
    """Respond to `GET /api/v1/videos`."""
    if renamed := renamed_state(request):
        return renamed
    limit, offset = page_of(request)
    wanted, state = search_of(request), state_of(request)
    total, found = videos(sources_of(request), wanted, state, limit=limit, offset=offset)
    return JsonResponse({"total": total, "videos": [video_json(video) for video in found]})


def history(request: Request) -> Response:
    """Respond to `GET /api/v1/videos/{video}/history`."""
    video = video_of(request)
    readings = readings_of(sources_of(request), video)
    return JsonResponse(history_json(video, found_or_404(readings or None, "There are no readings of this video.")))


async def live(_request: Request) -> Response:
    """Respond to `GET /healthz`."""
    return PlainTextResponse("ok\n")


async def of_daemon(request: Request) -> Response:
    """Respond to `GET /api/v1/daemon`, from memory."""
    sites = sites_of(request)
    documents = {name: daemon_json(sources.control.state()) for name, sources in sites.current().items()}
    return JsonResponse({"sites": documents, "left_out": left_out_json(sites)})


def ready(request: Request) -> Response:
    """Respond to `GET /readyz`."""
    if is_ready(sources_of(request)):
        return PlainTextResponse("ready\n")
    return PlainTextResponse("not ready: no good sync of the whole site within two intervals\n", 503)


def metrics(request: Request) -> Response:
    """Respond to `GET /metrics`."""
    counters: Counters = request.app.state.counters
    name, sources = site_of(request)
    return Response(exposition(counters, {name: gauges(sources)}), media_type=CONTENT_TYPE)


SITE_ROUTES = [
    Route("/api/v1/status", status),
    Route("/api/v1/quota", quota),
    Route("/api/v1/syncs", syncs),
    Route("/api/v1/syncs/{sync}", sync),
    Route("/api/v1/triggers", trigger, methods=["POST"]),
    Route("/api/v1/triggers/{number}", triggered),
    Route("/api/v1/videos", search),
    Route("/api/v1/videos/{video}/history", history),
    Route("/readyz", ready),
]
"""The addresses that each site has."""

ROUTES = [
    *SITE_ROUTES,
    Route("/api/v1/daemon", of_daemon),
    Route("/healthz", live),
    Route("/metrics", metrics),
]
"""The addresses of a daemon with one site."""


def site_status_json(sources: Sources) -> dict[str, object]:
    """Return the JSON document of the status of one site. Raises StateError."""
    seen = overview(sources, changes=0)
    attention = [need.sentence for need in seen.needs]
    return {**status_json(seen.status), "attention": attention, "daemon": daemon_json(seen.daemon)}


def left_out_json(sites: Sites) -> list[dict[str, str]]:
    """Return the JSON document of the configs that are left out."""
    return [{"config": path, "message": message} for path, message in sites.left_out().items()]


def site_quota_json(sources: Sources) -> dict[str, object]:
    """Return the JSON document of the quota of one site. Raises StateError."""
    seen = overview(sources, changes=0).status
    return {"quota": quota_json(seen.buckets, seen.sharing), "quota_resets": timestamp(seen.quota_resets)}


def daemon_json(daemon: DaemonState) -> dict[str, object]:
    """Return the JSON document of what the daemon does for a site. The last sync is in the rest of the status."""
    return {
        "running": daemon.running,
        "progress": asdict(daemon.progress) if daemon.progress else None,
        "next_sync": _next_sync(daemon),
        "started": timestamp(daemon.started),
        "interval": daemon.interval.total_seconds(),
        "stalled": daemon.stalled,
        "trouble": daemon.trouble,
        "config_error": daemon.config_error,
    }


def _next_sync(daemon: DaemonState) -> str | None:
    return timestamp(daemon.next_sync) if daemon.next_sync else None


def ticket_json(ticket: Ticket, control: Control) -> dict[str, object]:
    """Return the JSON document of a trigger, with the progress of its sync."""
    progress = control.state().progress if ticket.state == "running" else None
    return {
        "trigger": ticket.number,
        "state": ticket.state,
        "progress": asdict(progress) if progress else None,
        "report": json.loads(ticket.report) if ticket.report else None,
        "error": ticket.error,
    }


def _accepts(body: bytes) -> bool:
    """Return the value of `accept` in a trigger's body. Raises HTTPException."""
    try:
        document = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        document = None
    accept = document.get("accept", False) if isinstance(document, dict) and document.keys() <= {"accept"} else None
    if not isinstance(accept, bool):
        raise HTTPException(400, 'The body must be empty, or JSON such as {"accept": false}.')
    return accept
