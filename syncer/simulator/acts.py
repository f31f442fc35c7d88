"""Owns what a fault can be: where it takes hold of an answer, and what it knows when it strikes."""

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
    """What a fault knows when it strikes."""

    request: Request
    bucket: BucketName
    at: datetime
    since: datetime
    """When the fault was switched on, by the simulator's clock."""
    pause: float
    """Seconds between two pieces of a slow answer."""
    video: str | None
    """The one video that the fault is about; None: all."""

    def concerns(self, video_id: object) -> bool:
        """Return whether the fault is about this video."""
        return self.video is None or self.video == video_id


Look: TypeAlias = Callable[[str, datetime], Sight | None]
"""Sees a video at a time; None: the public does not."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The API gives an error in place of an answer."""

    refusal: Callable[[Scene], Refusal]
    free: bool = False
    """It takes no unit, as errors of key, project and quota do not; all others cost one."""


@dataclass(frozen=True, slots=True)
class See:
    """The API looks at its videos through this: numbers and videos are wrong, answers are not."""

    see: Callable[[Look, str, Scene], Sight | None]


@dataclass(frozen=True, slots=True)
class Alter:
    """The document of a good answer is another one; `fields` has been applied before."""

    alter: Callable[[Item, Scene], Json]


@dataclass(frozen=True, slots=True)
class Distort:
    """The answer, good or bad, arrives as another one, or in another way."""

    distort: Callable[[Reply, Scene], Reply]


Act: TypeAlias = Refuse | See | Alter | Distort


class Kind(NamedTuple):
    """A kind of fault."""

    sentence: str
    """One sentence that says what happens."""
    act: Act
