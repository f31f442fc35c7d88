"""The faults that are switched on: which of them affect a request, and what they do to its answer."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import blake2b

from syncer.simulator.acts import Alter, Distort, Look, Refuse, Scene, See
from syncer.simulator.faults import KINDS, Fault
from syncer.simulator.request import Request
from syncer.simulator.units import BucketName
from syncer.simulator.wire import Json, Reply
from syncer.simulator.world import Sight


@dataclass(frozen=True, slots=True)
class Struck:
    """The faults that affect one request, each with its scene, in the order of the setting."""

    faults: Sequence[tuple[Fault, Scene]] = ()

    def refuse(self, *, free: bool) -> None:
        """Raise the first error that takes a unit, or takes none."""
        for fault, scene in self.faults:
            act = KINDS[fault.name].act
            if isinstance(act, Refuse) and act.free == free:
                raise act.refusal(scene)

    def look(self, look: Look) -> Look:
        """Return how the API sees its videos under these faults."""
        for fault, scene in self.faults:
            act = KINDS[fault.name].act
            if isinstance(act, See):
                look = partial(_look, act, look, scene)
        return look

    def alter(self, document: Json) -> Json:
        """Return the document of a good answer, changed by these faults."""
        for fault, scene in self.faults:
            act = KINDS[fault.name].act
            if isinstance(act, Alter) and isinstance(document, dict):
                document = act.alter(document, scene)
        return document

    def distort(self, reply: Reply) -> Reply:
        """Return the response, changed by these faults."""
        for fault, scene in self.faults:
            act = KINDS[fault.name].act
            if isinstance(act, Distort):
                reply = act.distort(reply, scene)
        return reply


class Weather:
    """The faults from one moment on, until they are replaced; safe to use from several threads."""

    def __init__(self, faults: Sequence[Fault], since: datetime, seed: int, pause: float) -> None:
        """`since` is the moment by the simulator's clock; `pause`: seconds between two parts of a slow response."""
        self.faults = tuple(faults)
        self._since = since
        self._seed = seed
        self._pause = pause
        self._lock = threading.Lock()
        self._positions = [0] * len(self.faults)

    def strike(self, request: Request, bucket: BucketName, at: datetime) -> Struck:
        """Count the request, and return the faults that affect it."""
        if not self.faults:
            return CALM
        ids = request.listed("id")
        struck = []
        for number, fault in enumerate(self.faults):
            if fault.bucket in {None, bucket} and (fault.video is None or fault.video in ids):
                with self._lock:
                    self._positions[number] += 1
                    position = self._positions[number]
                digest = blake2b(f"{self._seed}:{fault}:{position}".encode(), digest_size=4).digest()
                if fault.when.holds(position, at, luck=int.from_bytes(digest) / 2**32):
                    struck.append((fault, Scene(request, bucket, at, self._since, self._pause, fault.video)))
        return Struck(struck)


CALM = Struck()


def _look(act: See, look: Look, scene: Scene, video_id: str, at: datetime) -> Sight | None:
    if not scene.concerns(video_id):
        return look(video_id, at)
    return act.see(look, video_id, scene)
