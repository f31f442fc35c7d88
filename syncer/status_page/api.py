"""The JSON API: the shapes are those that the commands print with `--json`."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from syncer.control import Control, Ticket
from syncer.diff_log.log import timestamp
from syncer.front_matter.address import ID
from syncer.model import VideoId
from syncer.state.places import Standing
from syncer.status.documents import history_json, known_json, quota_json, status_json
from syncer.status_page.metrics import CONTENT_TYPE, Counters, exposition
from syncer.status_page.reading import (
    Sources,
    gauges,
    is_ready,
    one_sync,
    overview,
    readings_of,
    videos,
)

SYNC = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}")
"""The name of a sync."""

MOST = 1000
"""How many items one answer holds at most."""

USUAL = 100
"""How many it holds where nobody says."""

LONGEST_SEARCH = 200
"""Characters."""

T = TypeVar("T")


def api_routes(sources: Sources, counters: Counters) -> list[BaseRoute]:
    """Return the routes of the API, of health and of metrics."""
    routes = [*_sync_routes(sources), *_trigger_routes(sources), *_video_routes(sources)]
    return [Mount("/api/v1", routes=routes), *_watch_routes(sources, counters)]


def _sync_routes(sources: Sources) -> list[Route]:
    def status(_request: Request) -> Response:
        seen = overview(sources, changes=0)
        live = {**asdict(seen.live), "started": timestamp(seen.live.started)}
        live["interval"] = seen.live.interval.total_seconds()
        live["next_sync"] = timestamp(seen.live.next_sync) if seen.live.next_sync else None
        return JSONResponse({**status_json(seen.status), "daemon": live})

    def syncs(request: Request) -> Response:
        most, after = page_of(request)
        return JSONResponse({"syncs": list(overview(sources, changes=0).status.syncs)[after : after + most]})

    def sync(request: Request) -> Response:
        most, after = page_of(request)
        found = found_or_404(
            one_sync(sources, sync_of(request), most=most, after=after), "no report of this sync is kept"
        )
        report, changes = found
        return JSONResponse({**report, "changes": [dict(line) for line in changes]})

    def quota(_request: Request) -> Response:
        seen = overview(sources, changes=0).status
        return JSONResponse({"quota": quota_json(seen.buckets), "quota_resets": timestamp(seen.quota_resets)})

    return [
        Route("/status", status),
        Route("/quota", quota),
        Route("/syncs", syncs),
        Route("/syncs/{sync}", sync),
    ]


def _trigger_routes(sources: Sources) -> list[Route]:
    async def trigger(request: Request) -> Response:
        ticket = sources.control.trigger(_accepts(await request.body()))
        answer = JSONResponse(ticket_json(ticket, sources.control), 202)
        answer.headers["Location"] = f"/api/v1/triggers/{ticket.number}"
        return answer

    def ticket(request: Request) -> Response:
        return JSONResponse(ticket_json(ticket_of(request, sources.control), sources.control))

    return [Route("/triggers", trigger, methods=["POST"]), Route("/triggers/{number}", ticket)]


def _video_routes(sources: Sources) -> list[Route]:
    def search(request: Request) -> Response:
        most, after = page_of(request)
        total, found = videos(sources, search_of(request), standing_of(request), most=most, after=after)
        return JSONResponse({"total": total, "videos": [known_json(video) for video in found]})

    def history(request: Request) -> Response:
        video = video_of(request)
        readings = found_or_404(readings_of(sources, video) or None, "no reading of this video is kept")
        return JSONResponse(history_json(video, readings))

    return [Route("/videos", search), Route("/videos/{video}/history", history)]


def _watch_routes(sources: Sources, counters: Counters) -> list[Route]:
    def live(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    def ready(_request: Request) -> Response:
        if is_ready(sources):
            return PlainTextResponse("ready\n")
        return PlainTextResponse("the last good sync is older than two intervals\n", 503)

    def metrics(_request: Request) -> Response:
        return Response(exposition(counters, lambda: gauges(sources)), media_type=CONTENT_TYPE)

    return [Route("/healthz", live), Route("/readyz", ready), Route("/metrics", metrics)]


def ticket_json(ticket: Ticket, control: Control) -> dict[str, object]:
    """Return a ticket with the progress of its sync."""
    progress = control.live().progress if ticket.state == "running" else None
    return {
        "trigger": ticket.number,
        "state": ticket.state,
        "progress": asdict(progress) if progress else None,
        "report": json.loads(ticket.report) if ticket.report else None,
        "error": ticket.error,
    }


def found_or_404(found: T | None, otherwise: str) -> T:
    """Return what was found. Raises HTTPException where nothing was."""
    if found is None:
        raise HTTPException(404, otherwise)
    return found


def ticket_of(request: Request, control: Control) -> Ticket:
    """Return the ticket that a request names. Raises HTTPException."""
    number = request.path_params["number"]
    return found_or_404(control.ticket(_number("trigger", number)), "there is no such trigger, or it is forgotten")


def sync_of(request: Request) -> str:
    """Return the name of a sync that a request names. Raises HTTPException."""
    name = str(request.path_params["sync"])
    return found_or_404(name if SYNC.fullmatch(name) else None, "this is no name of a sync")


def video_of(request: Request) -> VideoId:
    """Return the video that a request names. Raises HTTPException."""
    name = str(request.path_params["video"])
    return VideoId(found_or_404(name if ID.fullmatch(name) else None, "this is no video ID"))


def search_of(request: Request) -> str:
    """Return what a request searches for. Raises HTTPException."""
    search = request.query_params.get("search", "").strip()
    if len(search) > LONGEST_SEARCH:
        raise HTTPException(400, f"search: has more than {LONGEST_SEARCH} characters")
    return search


def standing_of(request: Request) -> Standing | None:
    """Return which videos a request wants; None: all. Raises HTTPException."""
    state = request.query_params.get("state", "")
    if state not in {"", *Standing}:
        raise HTTPException(400, f"state: is none of {', '.join(Standing)}")
    return Standing(state) if state else None


def page_of(request: Request, usual: int = USUAL) -> tuple[int, int]:
    """Return how many items a request wants, and after how many others. Raises HTTPException."""
    limit = _number("limit", request.query_params.get("limit", str(usual)))
    if not 1 <= limit <= MOST:
        raise HTTPException(400, f"limit: must be from 1 to {MOST}")
    return limit, _number("offset", request.query_params.get("offset", "0"))


def _number(name: str, text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise HTTPException(400, f"{name}: must be a whole number")
    return int(text)


def _accepts(body: bytes) -> bool:
    """Return what the body of a trigger says. Raises HTTPException."""
    try:
        asked = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict) or asked.keys() - {"accept"} or not isinstance(asked.get("accept", False), bool):
        raise HTTPException(400, 'the body must be JSON such as {"accept": false}')
    return bool(asked.get("accept", False))
