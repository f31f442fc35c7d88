"""The two methods of the API: the checks of a request, in their order, and the units that they cost."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from syncer.simulator import refusals, resources
from syncer.simulator.assumptions import Assumptions
from syncer.simulator.clock import Clock
from syncer.simulator.error_form import Refusal
from syncer.simulator.mask import Mask, MaskError, Schema, apply, check, parse
from syncer.simulator.request import Request
from syncer.simulator.units import BucketName, Ledger, pacific_day
from syncer.simulator.weather import Struck, Weather
from syncer.simulator.wire import Json, Reply, html_reply, json_reply
from syncer.simulator.world import Sight, World

MAX_IDS = 50

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(slots=True)
class Api:
    """Both methods, over a world at the time of a clock. `world` and `weather` can be replaced at any time."""

    world: World
    clock: Clock
    days: Mapping[BucketName, Ledger]
    minutes: Ledger
    assumptions: Assumptions
    weather: Weather
    given: dict[str, dict[str, set[int]]] = field(default_factory=dict)
    """The counts that were returned for each video while there were faults, so that tests find invented numbers."""

    def answer(self, request: Request) -> Reply:
        """Return the answer to one request; an error is an answer too."""
        at = self.clock.now()
        method = _METHODS.get(request.path)
        if method is None or not request.reads:
            return not_found(request.path)
        if any(_CONTROL.search(value) for value in request.parameters.get("id", ())):
            return html_reply(400, "The request holds a control character.")
        struck = self.weather.strike(request, method.bucket, at)
        pretty = request.parameters.get("prettyPrint", ["true"])[0].lower() not in {"false", "0"}
        try:
            _admit(request.key)
            struck.refuse(free=True)
            self._charge(method.bucket, at)
            struck.refuse(free=False)
            reply = json_reply(200, self._document(method, request, at, struck), pretty=pretty)
        except Refusal as refusal:
            reply = json_reply(refusal.status, refusal.document, pretty=pretty)
        return struck.distort(reply)

    def _charge(self, bucket: BucketName, at: datetime) -> None:
        """Take a unit, also for an invalid request. Assumption: a request over a limit takes none."""
        if not self.minutes.take(at):
            raise refusals.minute_quota_exceeded(self.minutes.limit)
        if self.days[bucket].take(at):
            return
        if bucket == "stats":
            raise refusals.stats_quota_exceeded(self.days[bucket].limit, pacific_day(at))
        raise refusals.general_quota_exceeded()

    def _document(self, method: _Method, request: Request, at: datetime, struck: Struck) -> Json:
        parts, mask, requested = self._checked(method, request)
        wanted = list(dict.fromkeys(requested)) if self.assumptions.duplicates_once else requested
        look = struck.look(self.world.see)
        seen = [(video_id, look(video_id, at)) for video_id in wanted]
        if self.weather.faults:
            for video_id, sight in seen:
                for name, count in sight.counts.items() if sight else ():
                    self.given.setdefault(video_id, {}).setdefault(name, set()).add(count)
        items = [method.item(video_id, sight, parts) for video_id, sight in seen if sight is not None]
        if not self.assumptions.in_request_order:
            items.sort(key=lambda item: str(item["etag"]))
        return struck.alter(apply(mask, method.envelope(items, requested, self.assumptions)))

    def _checked(self, method: _Method, request: Request) -> tuple[list[str], Mask, list[str]]:
        """Return the parts, the mask in `fields`, and the ids. Assumption: an empty mask counts as none."""
        parts, ids = request.listed("part"), request.listed("id")
        if not parts:
            raise refusals.missing_parameter("part")
        for part in parts:
            if part in {"kind", "etag"} or part not in method.schema["items"]:
                raise refusals.unknown_part(part)
        text = ",".join(request.parameters.get("fields", ()))
        try:
            mask = parse(text) if text else {}
            if self.assumptions.unknown_fields_refused:
                check(mask, method.schema)
        except MaskError as error:
            raise refusals.invalid_fields(str(error)) from error
        if not ids:
            raise refusals.no_filter(method.filters)
        if len(ids) > MAX_IDS and method.bucket == "general":
            raise refusals.too_many_ids_for_list()
        if len(ids) > MAX_IDS and self.assumptions.batch_refuses_over_50:
            raise refusals.invalid_argument()
        return parts, mask, ids


def not_found(path: str) -> Reply:
    """Return the front end's page for an unknown path."""
    shown = path.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return html_reply(404, f"The requested URL <code>{shown}</code> was not found on this server.")


def _admit(key: str | None) -> None:
    """Accept any key but `invalid`. Assumption: a request without a valid key costs nothing."""
    if key is None:
        raise refusals.no_key()
    if not key:
        raise refusals.empty_key()
    if key == "invalid":
        raise refusals.invalid_key()


@dataclass(frozen=True, slots=True)
class _Method:
    """What differs between the two methods."""

    bucket: BucketName
    filters: str
    """The filters that the error for a request without an ID names."""
    schema: Schema
    """The names that its answer can have; those of an item are also its parts."""
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
