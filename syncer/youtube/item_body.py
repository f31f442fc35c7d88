"""Requests what `videos.list` says about playing, and reads it from the body of the response."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

from syncer.decide.availability import FIELDS, Availability, availability_of
from syncer.model import Bucket, Problem, VideoId
from syncer.youtube.body import CheckedBody, ForeignBody, bad, items_of
from syncer.youtube.client import Question


def about_playing(regions: Collection[str]) -> Question:
    """Return what to request from `videos.list`: whether videos play, where only blocks in these countries count.

    All parts together cost one unit, as one does (`docs/youtube.md`, videos.list).
    """
    parts = ",".join(f"{part}({','.join(names)})" for part, names in FIELDS.items())
    return Question(",".join(FIELDS), f"kind,items(id,{parts})", partial(check_items, regions))


def check_items(
    regions: Collection[str], body: bytes, bucket: Bucket, videos: Sequence[VideoId]
) -> CheckedBody | ForeignBody:
    """Return what is valid in the body of a 200 to a request for these `videos`.

    A value of an unknown form is ignored, and is a problem. A body that is not about any of the videos is foreign.
    """
    items = items_of(body, bucket)
    if isinstance(items, ForeignBody):
        return items
    requested = {str(video): video for video in videos}
    found, differing, problems, unrequested = dict[VideoId, Availability](), set[VideoId](), list[Problem](), 0
    for item in items:
        video = requested.get(name) if isinstance(item, dict) and isinstance(name := item.get("id"), str) else None
        if video is None or not isinstance(item, dict):
            unrequested += 1
            continue
        availability, wrong = availability_of(item, regions)
        if video not in found:
            found[video] = availability
            message = "which is not in a form that syncer knows. It was ignored."
            problems += (bad(video, f"YouTube returned {name} of this video, {message}") for name in wrong)
        elif found[video] != availability:
            differing.add(video)
    if items and not found:
        return ForeignBody("it has none of the requested videos")
    for video in sorted(differing):
        found[video] = Availability(None)
        problems.append(bad(video, "YouTube returned this video twice, with different facts. They were ignored."))
    return CheckedBody({}, tuple(problems), unrequested, found)
