"""Owns the faults of what the API believes of its videos: counts that lag, fall or stand still, videos that hide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from syncer.simulator.acts import Kind, Look, Scene, See
from syncer.simulator.world import Sight

LAG = timedelta(hours=1)
"""How old the counts of a stale replica are."""


def _counts(change: Callable[[Mapping[str, int]], Mapping[str, int]]) -> See:
    def see(look: Look, video_id: str, scene: Scene) -> Sight | None:
        sight = look(video_id, scene.at)
        return sight and replace(sight, counts=change(sight.counts))

    return See(see)


def _scaled(numerator: int, denominator: int) -> See:
    return _counts(lambda counts: {name: count * numerator // denominator for name, count in counts.items()})


COUNTS: Mapping[str, Kind] = {
    "stale": Kind(
        "A replica answers with the counts of an hour ago.",
        See(lambda look, video_id, scene: look(video_id, scene.at - LAG)),
    ),
    "frozen": Kind(
        "Counts stand still from the moment when the fault is switched on.",
        See(lambda look, video_id, scene: look(video_id, scene.since)),
    ),
    "falling": Kind("Counts are a tenth lower than they are, as after an audit.", _scaled(9, 10)),
    "collapsed": Kind("Counts are a twentieth of what they are.", _scaled(1, 20)),
    "zero": Kind("Counts are 0.", _scaled(0, 1)),
    "private": Kind("The videos are private, and left out.", See(lambda _look, _video_id, _scene: None)),
    "likes-hidden": Kind(
        "The owners hide the likes.",
        _counts(lambda counts: {name: count for name, count in counts.items() if name != "likeCount"}),
    ),
    "counts-hidden": Kind("Statistics are there, without counts.", _counts(lambda _: {})),
}
"""All of it comes back when the fault ends."""
