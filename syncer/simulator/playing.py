"""Whether a simulated video plays: where, for whom, and when its broadcast begins and ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Playing:
    """What a world fixes about who can play a video. Everything that can be absent in an answer is None."""

    embeddable: bool | None = True
    age_restricted: bool = False
    made_for_kids: bool | None = False
    blocked: tuple[str, ...] | None = None
    """Countries in which it does not play, as ISO 3166-1 alpha-2."""
    allowed: tuple[str, ...] | None = None
    """The only countries in which it plays."""
    scheduled: datetime | None = None
    """When its broadcast was to begin; None and no `started`: it is not a broadcast."""
    started: datetime | None = None
    ended: datetime | None = None
    lag_seconds: int = 0
    """Seconds by which `liveBroadcastContent` is behind the times of the broadcast, as has been reported."""
    without: tuple[str, ...] = ()
    """Parts that are left out of its item."""

    def broadcast(self, at: datetime) -> Broadcast | None:
        """Return how its broadcast stands at a time; None: it is no broadcast."""
        if self.scheduled is None and self.started is None:
            return None
        times = {"scheduledStartTime": self.scheduled}
        if self._phase(at) != "upcoming":
            times["actualStartTime"] = self.started
        if self._phase(at) == "none":
            times["actualEndTime"] = self.ended
        word = self._phase(at - timedelta(seconds=self.lag_seconds))
        return Broadcast(self._phase(at), word, {name: time for name, time in times.items() if time})

    def _phase(self, at: datetime) -> str:
        """Return `upcoming`, `live` or `none`."""
        if self.started is None or at < self.started:
            return "upcoming"
        return "live" if self.ended is None or at < self.ended else "none"


class Broadcast(NamedTuple):
    """A broadcast at one time."""

    phase: str
    """What is true: `upcoming`, `live`, or `none` once it has ended."""
    word: str
    """What `liveBroadcastContent` says, which may lag behind."""
    times: Mapping[str, datetime]
    """Those that `liveStreamingDetails` has, by name."""
