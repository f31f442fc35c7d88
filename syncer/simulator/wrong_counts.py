"""Faults of what the API knows about its videos: counts that lag, fall or stop, and hidden videos."""

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
        "Counts are an hour old, as from a replica that lags.",
        See(lambda look, video_id, scene: look(video_id, scene.at - LAG)),
    ),
    "frozen": Kind(
        "Counts stop growing when the fault is switched on.",
        See(lambda look, video_id, scene: look(video_id, scene.since)),
    ),
    "falling": Kind("Counts are 10% too low, as after an audit.", _scaled(9, 10)),
    "collapsed": Kind("Counts are 5% of the real ones.", _scaled(1, 20)),
    "zero": Kind("Counts are 0.", _scaled(0, 1)),
    "private": Kind("Videos are private, so they are left out.", See(lambda _look, _video_id, _scene: None)),
    "likes-hidden": Kind(
        "Like counts are hidden by the owner.",
        _counts(lambda counts: {name: count for name, count in counts.items() if name != "likeCount"}),
    ),
    "counts-hidden": Kind("Statistics are returned without counts.", _counts(lambda _: {})),
}
"""Everything is normal again when the fault ends."""
