"""Owns how a request becomes an answer: the order of the checks, the units they cost, and the two methods."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from syncer.simulator import refusals, resources
from syncer.simulator.assumptions import Assumptions
from syncer.simulator.clock import Clock
from syncer.simulator.ledger import Ledger, pacific_day
from syncer.simulator.mask import Mask, MaskError, Schema, apply, check, parse
from syncer.simulator.wire import Json, Reply, html_reply, json_reply
from syncer.simulator.world import Sight, World

BucketName = Literal["stats", "general"]
"""`stats` is batchGetStats' own bucket; all else takes from `general`."""

MOST_IDS = 50

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked, taken from the HTTP request."""

    path: str
    parameters: Mapping[str, Sequence[str]]
    key: str | None
    """None: the request names no key."""
    reads: bool
    """It is a GET, or a POST that stands for one because the URL would be too long."""

    @staticmethod
    def of(verb: str, target: str, headers: Mapping[str, str], form: str) -> Request:
        """Return the request; header names are in lower case. Raises ValueError for a target that is no URL."""
        url = urlsplit(target)
        stands_for_get = verb == "POST" and headers.get("x-http-method-override", "").upper() == "GET"
        query = f"{url.query}&{form}" if stands_for_get else url.query
        parameters = parse_qs(query, keep_blank_values=True)
        key = parameters.get("key", [headers.get("x-goog-api-key")])[0]
        return Request(unquote(url.path), parameters, key, verb == "GET" or stands_for_get)

    def listed(self, name: str) -> list[str]:
        """Return the values of a parameter that may be repeated, and may hold several between commas."""
        values = ",".join(self.parameters.get(name, ())).split(",")
        return [value.strip() for value in values if value.strip()]


@dataclass(slots=True)
class Api:
    """Both methods, over a world at the time of a clock. `world` may be exchanged at any time."""

    world: World
    clock: Clock
    days: Mapping[BucketName, Ledger]
    minutes: Ledger
    assumptions: Assumptions = field(default_factory=Assumptions)

    def answer(self, request: Request) -> Reply:
        """Return the answer to one request; what is wrong with the request is an answer too."""
        at = self.clock.now()
        method = _METHODS.get(request.path)
        if method is None or not request.reads:
            return not_found(request.path)
        if any(_CONTROL.search(value) for value in request.parameters.get("id", ())):
            return html_reply(400, "The request holds a control character.")
        pretty = request.parameters.get("prettyPrint", ["true"])[0].lower() not in {"false", "0"}
        try:
            _admit(request.key)
            self._charge(method.bucket, at)
            return json_reply(200, self._document(method, request, at), pretty=pretty)
        except refusals.Refusal as refusal:
            return json_reply(refusal.status, refusal.document, pretty=pretty)

    def _charge(self, bucket: BucketName, at: datetime) -> None:
        """Take a unit, also for a request that turns out wrong. Assumption: a request over a limit takes none."""
        if not self.minutes.take(at):
            raise refusals.minute_quota_exceeded(self.minutes.limit)
        if self.days[bucket].take(at):
            return
        if bucket == "stats":
            raise refusals.stats_quota_exceeded(self.days[bucket].limit, pacific_day(at))
        raise refusals.general_quota_exceeded()

    def _document(self, method: _Method, request: Request, at: datetime) -> Json:
        parts, mask, asked = _parts(method, request), self._mask(method, request), self._ids(method, request)
        wanted = list(dict.fromkeys(asked)) if self.assumptions.duplicates_once else asked
        world = self.world
        seen = ((video_id, world.see(video_id, at)) for video_id in wanted)
        items = [method.item(video_id, sight, parts) for video_id, sight in seen if sight is not None]
        if not self.assumptions.in_request_order:
            items.sort(key=lambda item: str(item["etag"]))
        return apply(mask, method.envelope(items, asked, self.assumptions))

    def _ids(self, method: _Method, request: Request) -> list[str]:
        ids = request.listed("id")
        if not ids:
            raise refusals.no_filter(method.filters)
        if len(ids) > MOST_IDS and method.bucket == "general":
            raise refusals.too_many_ids_for_list()
        if len(ids) > MOST_IDS and self.assumptions.batch_refuses_over_50:
            raise refusals.invalid_argument()
        return ids

    def _mask(self, method: _Method, request: Request) -> Mask:
        """Return the mask in `fields`. Assumption: an empty one is as good as none."""
        text = ",".join(request.parameters.get("fields", ()))
        try:
            mask = parse(text) if text else {}
            if self.assumptions.unknown_fields_refused:
                check(mask, method.schema)
        except MaskError as error:
            raise refusals.invalid_fields(str(error)) from error
        return mask


def not_found(path: str) -> Reply:
    """Return the front end's page for a path that it does not know."""
    shown = path.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return html_reply(404, f"The requested URL <code>{shown}</code> was not found on this server.")


def _admit(key: str | None) -> None:
    """Any key will do but `invalid`. Assumption: without a good key no project pays, so the request costs nothing."""
    if key is None:
        raise refusals.no_key()
    if not key:
        raise refusals.empty_key()
    if key == "invalid":
        raise refusals.invalid_key()


def _parts(method: _Method, request: Request) -> list[str]:
    parts = request.listed("part")
    if not parts:
        raise refusals.missing_parameter("part")
    for part in parts:
        if part in {"kind", "etag"} or part not in method.schema["items"]:
            raise refusals.unknown_part(part)
    return parts


@dataclass(frozen=True, slots=True)
class _Method:
    """In what the two methods differ."""

    bucket: BucketName
    filters: str
    """What it names to a request without an id."""
    schema: Schema
    """The names that its answer can have; those of an item are its parts, too."""
    item: Callable[[str, Sight, Sequence[str]], resources.Item]
    envelope: Callable[[Sequence[resources.Item], Sequence[str], Assumptions], resources.Item]


_METHODS = {
    "/youtube/v3/videos": _Method(
        "general", "myRating, chart, id", resources.LIST_SCHEMA, resources.video, resources.video_list
    ),
    "/youtube/v3/videos:batchGetStats": _Method(
        "stats", "id", resources.STATS_SCHEMA, resources.video_stats, resources.batch_stats
    ),
}
