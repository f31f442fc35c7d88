"""Requests what `videos.list` says about playing, and reads it from the body of the response."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from syncer.decide.availability import FIELDS, Availability, availability_of
from syncer.decide.details import details_of, requested_parts
from syncer.model import Bucket, Problem, VideoId
from syncer.youtube.body import CheckedBody, ForeignBody, bad, read_items
from syncer.youtube.client import Question


def about_playing(regions: Collection[str]) -> Question:
    """Return what to request from `videos.list`: whether videos play, where only blocks in these countries count.

    All parts together cost one unit, as one does (`docs/youtube.md`, videos.list).
    """
    requested = requested_parts(FIELDS)
    parts = ",".join(f"{part}({','.join(names)})" for part, names in requested.items())
    return Question(",".join(requested), f"kind,items(id,{parts})", partial(check_items, regions))


def check_items(
    regions: Collection[str], body: bytes, bucket: Bucket, videos: Sequence[VideoId]
) -> CheckedBody | ForeignBody:
    """Return what is valid in the body of a 200 to a request for these `videos`.

    A value of an unknown form is ignored, and is a problem. A body that is not about any of the videos is foreign.
    """
    read = read_items(body, bucket, videos, partial(_availability, regions), nothing=Availability(None), what="facts")
    if isinstance(read, ForeignBody):
        return read
    found, problems, unrequested = read
    return CheckedBody({}, problems, unrequested, found)


def _availability(
    regions: Collection[str], video: VideoId, item: Mapping[str, object]
) -> tuple[Availability, list[Problem]]:
    availability, wrong = availability_of(item, regions)
    details, others = details_of(item)
    message = "which is not in a form that syncer knows. It was ignored."
    problems = [bad(video, f"YouTube returned {name} of this video, {message}") for name in (*wrong, *others)]
    return replace(availability, details=details), problems
