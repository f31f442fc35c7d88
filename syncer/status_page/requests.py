"""Reads the parameters of a request: a sync, a video, a search, a part of a list. Wrong ones raise HTTPException."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse

from syncer.control import Control, Ticket
from syncer.front_matter.address import ID
from syncer.model import VideoId
from syncer.state.search import SearchState
from syncer.status_page.frame import Frame
from syncer.status_page.reading import Sources
from syncer.status_page.sites import Sites

if TYPE_CHECKING:
    from syncer.status_page.site_reads import SiteReads

SYNC_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}")

LARGEST_LIMIT = 1000
"""Items in one response, at most."""

DEFAULT_LIMIT = 100
"""Items in one response where the request has no `limit`."""

LONGEST_SEARCH = 200
"""Characters."""

RENAMED_STATES = {"doubtful": SearchState.UNCONFIRMED}
"""Former names of a `state`: old links and bookmarks still work."""

T = TypeVar("T")


def sites_of(request: Request) -> Sites:
    """Return the sites of the app."""
    sites: Sites = request.app.state.sites
    return sites


def site_of(request: Request) -> tuple[str, Sources]:
    """Return the site that a request is about, and the sources of its data. Raises HTTPException."""
    sites = sites_of(request)
    current = sites.current()
    if not sites.several:
        return next(iter(current.items()))
    name = str(request.path_params["site"])
    return name, found_or_404(current.get(name), f"There is no site of the name {name}.")


def sources_of(request: Request) -> Sources:
    """Return the sources of the data of the site that a request is about. Raises HTTPException."""
    return site_of(request)[1]


def reads_of(request: Request) -> SiteReads:
    """Return what reads the states of several sites."""
    reads: SiteReads = request.app.state.reads
    return reads


def frame_of(request: Request) -> Frame:
    """Return the frame of the page that is the response to a request."""
    sites = sites_of(request)
    if not sites.several:
        return Frame()
    names, name = list(sites.current()), request.path_params.get("site")
    return Frame(names, name if name in names else None)


def path_of(request: Request) -> str:
    """Return the path of a request's address without what the addresses of its site begin with."""
    path, name = str(request.scope["path"]), request.path_params.get("site")
    return path if name is None else path.removeprefix(f"/sites/{name}")


def found_or_404(found: T | None, otherwise: str) -> T:
    """Return what was found; raise HTTPException with the message `otherwise` where that is None."""
    if found is None:
        raise HTTPException(404, otherwise)
    return found


def ticket_of(request: Request, control: Control) -> Ticket:
    """Return the ticket whose number is in the address of a request. Raises HTTPException."""
    number = _number("trigger", request.path_params["number"])
    return found_or_404(
        control.ticket(number),
        "There is no trigger with this number. The daemon keeps the last ones only, and none after a restart.",
    )


def sync_of(request: Request) -> str:
    """Return the ID of the sync in the address of a request. Raises HTTPException."""
    name = str(request.path_params["sync"])
    return found_or_404(name if SYNC_NAME.fullmatch(name) else None, "This is not the ID of a sync.")


def video_of(request: Request) -> VideoId:
    """Return the video ID in the address of a request. Raises HTTPException."""
    name = str(request.path_params["video"])
    return VideoId(found_or_404(name if ID.fullmatch(name) else None, "This is not a video ID."))


def search_of(request: Request) -> str:
    """Return the text that a request searches for. Raises HTTPException."""
    search = request.query_params.get("search", "").strip()
    if len(search) > LONGEST_SEARCH:
        raise HTTPException(400, f"search: must have at most {LONGEST_SEARCH} characters")
    return search


def state_of(request: Request) -> SearchState | None:
    """Return the state that a request limits its search to; None for all videos. Raises HTTPException."""
    state = request.query_params.get("state", "")
    if state not in {"", *SearchState}:
        raise HTTPException(400, f"state: must be one of {', '.join(SearchState)}")
    return SearchState(state) if state else None


def renamed_state(request: Request) -> RedirectResponse | None:
    """Return a redirect where the request has the former name of a state; None otherwise."""
    state = RENAMED_STATES.get(request.query_params.get("state", ""))
    if state is None:
        return None
    query = urlencode({**request.query_params, "state": state})
    return RedirectResponse(f"{frame_of(request).address(path_of(request))}?{query}", 308)


def page_of(request: Request) -> tuple[int, int]:
    """Return the limit and the offset of a request. Raises HTTPException."""
    limit = _number("limit", request.query_params.get("limit", str(DEFAULT_LIMIT)))
    if not 1 <= limit <= LARGEST_LIMIT:
        raise HTTPException(400, f"limit: must be from 1 to {LARGEST_LIMIT}")
    return limit, _number("offset", request.query_params.get("offset", "0"))


def _number(name: str, text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise HTTPException(400, f"{name}: must be a whole number")
    return int(text)
