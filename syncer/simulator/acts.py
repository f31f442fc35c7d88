"""The acts of faults: what a fault can change, and what it knows when it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias

from syncer.simulator.error_form import Refusal
from syncer.simulator.request import Request
from syncer.simulator.resources import Item
from syncer.simulator.units import BucketName
from syncer.simulator.wire import Json, Reply
from syncer.simulator.world import Sight


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault knows about the request that it affects."""

    request: Request
    bucket: BucketName
    at: datetime
    since: datetime
    """When the fault was switched on, by the simulator's clock."""
    pause: float
    """Seconds between two parts of a slow response."""
    video: str | None
    """The one video that the fault is about; None: all."""

    def concerns(self, video_id: object) -> bool:
        """Return whether the fault is about this video."""
        return self.video is None or self.video == video_id


Look: TypeAlias = Callable[[str, datetime], Sight | None]
"""Sees a video at a time; None: the public does not."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The API returns an error instead of an answer."""

    refusal: Callable[[Scene], Refusal]
    free: bool = False
    """It costs no unit, like errors of key, project and quota; all others cost one."""


@dataclass(frozen=True, slots=True)
class See:
    """The API sees its videos through this: counts and videos are wrong, the form of the answer is not."""

    see: Callable[[Look, str, Scene], Sight | None]


@dataclass(frozen=True, slots=True)
class Alter:
    """The document of a good answer is changed, after `fields` was applied."""

    alter: Callable[[Item, Scene], Json]


@dataclass(frozen=True, slots=True)
class Distort:
    """The response, good or bad, is changed, or arrives in another way."""

    distort: Callable[[Reply, Scene], Reply]


Act: TypeAlias = Refuse | See | Alter | Distort


class Kind(NamedTuple):
    """A kind of fault."""

    sentence: str
    """One sentence that says what happens."""
    act: Act
