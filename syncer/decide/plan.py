"""Decides which videos to request now, in which windows, and when a missing video is gone."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple, overload

from syncer.decide.drift import DAY_SECONDS, PRIOR
from syncer.model import BATCH_SIZE, VideoId


class LastRead(NamedTuple):
    """When a video was last read, whatever the result."""

    video_id: VideoId
    at: int
    """Seconds since 1970."""
    misses: int
    """How many times in a row, at least a day apart, YouTube left it out."""
    held: bool = False
    """Whether that reading is held: no page gets it until it is confirmed or accepted."""
    drift: float = PRIOR
    """The relative change of its counts in a day, as it is estimated (`decide.drift`)."""


ID_BYTES = 11


class VideoIds(Sequence[VideoId]):
    """Videos in a sixth of the memory that a list of them takes."""

    def __init__(self, joined: bytes) -> None:
        """Take the IDs, one after the other."""
        self.joined = joined

    def __len__(self) -> int:
        """Return how many videos there are."""
        return len(self.joined) // ID_BYTES

    @overload
    def __getitem__(self, number: int) -> VideoId: ...
    @overload
    def __getitem__(self, number: slice) -> list[VideoId]: ...
    def __getitem__(self, number: int | slice) -> VideoId | list[VideoId]:
        """Return a video by its number, from 0, or several. Raises IndexError."""
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        start = range(len(self))[number] * ID_BYTES
        return VideoId(self.joined[start : start + ID_BYTES].decode())

    def __eq__(self, other: object) -> bool:
        """Whether the other sequence has the same videos in the same order."""
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        """Return the same for the same videos."""
        return hash(tuple(self))


@dataclass(frozen=True, slots=True)
class Plan:
    """Which videos to request now, and what was left out."""

    videos: Sequence[VideoId]
    """Those to request, in their order."""
    fresh: int
    """Videos that were read less than five minutes ago, or are gone and not due yet."""
    over_quota: int
    gone: int = 0
    """Those of the fresh that are gone and not due yet."""
    later: int = 0
    """Videos that a later scheduled sync requests: their turn by the plan has not come."""


class Windows:
    """The videos to request, in as few windows as possible: at least one, and all of one size up to a batch.

    Where there are several, each is a random sample of the videos; the same `seed` draws the same ones.
    """

    def __init__(self, videos: Sequence[VideoId], seed: str) -> None:
        self._key = seed.encode()
        self._starts: Sequence[int] = ()
        """The lot from which on a video is in the second window, in the third, and so on."""
        self.windows: list[Sequence[VideoId]] = [videos]
        if len(videos) > WINDOW_VIDEOS:
            number, batches = math.ceil(len(videos) / WINDOW_VIDEOS), math.ceil(len(videos) / BATCH_SIZE)
            lots = array("Q", map(self._lot, videos))
            ordered = sorted(lots)
            self._starts = [ordered[batches * window // number * BATCH_SIZE] for window in range(1, number)]
            drawn = [bytearray() for _ in range(number)]
            for video, lot in zip(videos, lots, strict=True):
                drawn[bisect_right(self._starts, lot)] += video.encode()
            self.windows = [VideoIds(bytes(joined)) for joined in drawn]

    def window_of(self, video: VideoId) -> int:
        """Return the number of a video's window, from 0; for one that is not requested, that of any window."""
        return bisect_right(self._starts, self._lot(video)) if self._starts else 0

    def is_after(self, window: int, video: VideoId) -> bool:
        """Return whether a video is in a later window than this one."""
        return bool(self._starts) and self.window_of(video) > window

    def _lot(self, video: VideoId) -> int:
        return int.from_bytes(blake2b(video.encode(), digest_size=8, key=self._key).digest())


FRESH_SECONDS = 300
"""How long a reading is fresh: YouTube's counts change about once in five minutes (`docs/youtube.md`)."""

WINDOW_VIDEOS = 5_000
"""The most videos that are requested, judged and written together (decision record 0025)."""

GONE_MISSES = 3
"""After so many misses, a day apart, a missing video is gone."""

_HELD = 1e300
"""The rank of a video whose reading is held: a second one shows whether it is right."""

LONGEST_REST_SECONDS = 28 * DAY_SECONDS
"""The longest time between two requests of a gone video."""


def plan(
    videos: Iterable[VideoId],
    known: Iterable[LastRead],
    now: datetime,
    *,
    units: int,
    share: int | None = None,
    left_today: int | None = None,
    overdue: datetime | None = None,
    everything: bool = False,
    accept: bool = False,
    unread_since: datetime | None = None,
) -> Plan:
    """Return which of `videos` to request: all that are due, as far as `units` requests reach.

    A video may be repeated. `known` are those that were ever read, longest unread first. Due are those that are not
    fresh. A gone video is requested less and less often, but at least every four weeks. `everything`: also what is
    fresh or gone; `unread_since`: what was read since then is fresh. A held reading is not fresh, unless it is about to
    be accepted. A reading from the future, after the clock was set back, is not fresh either: its age is unknown.

    `share` is how many of the units are this sync's, if it is a scheduled one; None: all. If all that is due fits, all
    is requested, longest unread first. If it does not, these come in turn: videos that were never read, for which all
    `units` may be used; those whose age is unknown; those last read at `overdue` or before, and gone ones, longest
    unread first; held ones; and then those with the highest `drift x (time since the reading)^2`, in whole batches.
    What a scheduled sync leaves to later ones of the same day is not left out for lack of quota, unless it was overdue;
    nor is what it leaves to another day, because other sites share the ledger, and `left_today` of all their units are
    left; None: as many as `units`.
    """
    seconds = now.timestamp()
    end = math.inf if unread_since is None else unread_since.timestamp() // 1
    at_once = -math.inf if overdue is None else overdue.timestamp()
    unread, undated, due, ranks = set(videos), bytearray(), bytearray(), array("d")
    fresh = gone = 0
    for video, read_at, misses, held, drift in known:
        if video not in unread:
            continue
        unread.remove(video)
        age, has_gone = seconds - read_at, is_gone(misses)
        rest = rest_of_gone(misses) if has_gone else FRESH_SECONDS
        if age < 0:
            undated += video.encode()
        elif read_at < end and (everything or (held and not accept) or age >= rest):
            due += video.encode()
            if read_at <= at_once or has_gone:
                ranks.append(math.inf)
            else:
                ranks.append(_HELD if held else drift * age * age)
        else:
            fresh += 1
            gone += has_gone
    first = VideoIds("".join(sorted(unread)).encode() + undated)
    paced = units if share is None else min(units, max(share, math.ceil(len(first) / BATCH_SIZE)))
    room = paced * BATCH_SIZE
    chosen = due if room >= len(first) + len(ranks) else _highest(due, ranks, max(0, room - len(first)))
    requested = VideoIds(first.joined[: room * ID_BYTES] + chosen)
    left = len(first) + len(ranks) - len(requested)
    over_quota = left
    if share is not None and (paced or left_today):
        over_quota = max(0, len(first) + ranks.count(math.inf) - room)
    return Plan(requested, fresh=fresh, over_quota=over_quota, gone=gone, later=left - over_quota)


def _highest(videos: bytes | bytearray, ranks: array[float], number: int) -> bytes:
    """Return so many of the videos, those of the highest ranks, in their order; of two equals, the earlier."""
    candidates, level, equals = ranks, math.inf, 0
    wanted = number
    while wanted and not equals:  # in arrays: a sorted list of a million numbers takes 32 MB
        level = candidates[len(candidates) // 2]
        above = array("d", filter(level.__lt__, candidates))
        same = candidates.count(level)
        if len(above) >= wanted:
            candidates = above
        elif len(above) + same >= wanted:
            equals = wanted - len(above)
        else:
            wanted -= len(above) + same
            candidates = array("d", filter(level.__gt__, candidates))
    chosen = bytearray()
    for start, rank in zip(range(0, len(videos), ID_BYTES), ranks, strict=True):
        if rank > level or (rank == level and equals):
            equals -= rank == level
            chosen += videos[start : start + ID_BYTES]
    return bytes(chosen)


def is_gone(misses: int) -> bool:
    """Whether a video that was missing so many times in a row, a day apart, is gone."""
    return misses >= GONE_MISSES


def rest_of_gone(misses: int) -> int:
    """Return after how many seconds a gone video is requested again: two days, then four, eight and so on."""
    return int(min(DAY_SECONDS * 2 ** (misses - GONE_MISSES + 1), LONGEST_REST_SECONDS))
