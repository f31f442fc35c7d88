"""The growth of invented videos: a seed and an ID give a publish date, a length and counts at any time."""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime
from hashlib import blake2b
from typing import NamedTuple

DAY_SECONDS = 86_400

FIRST_PUBLISHED = datetime(2008, 1, 1, tzinfo=UTC)
LAST_PUBLISHED = datetime(2025, 12, 31, tzinfo=UTC)
"""Every invented video is published between the two, so all of them exist from 2026 on."""

_FIRST = FIRST_PUBLISHED.timestamp()
_SPAN = LAST_PUBLISHED.timestamp() - _FIRST
_SHARE = 1 / 2**32


class Growth(NamedTuple):
    """One video's growth: a burst of views after publication that fades, and a steady number of views a day.

    A named tuple, because fifty of them are made for each answer, and a frozen dataclass takes five times as long.
    """

    published: float
    """Seconds since 1970."""
    duration: int
    """Seconds."""
    views_a_day: float
    burst: float
    """Views of the burst in total."""
    fading: float
    """Seconds in which the burst fades to a third."""
    likes_a_view: float
    comments_a_view: float

    def views(self, at: float) -> int:
        """Return the views at a time in seconds since 1970; it never falls."""
        age = max(0.0, at - self.published)
        return int(self.burst * (1 - math.exp(-age / self.fading)) + self.views_a_day * age / DAY_SECONDS)


def growth(seed: int, video_id: str) -> Growth:
    """Return the growth of a video: always the same for the same seed and ID.

    The steady part is between 0.2 and 1,600 views a day, most often about 16: nearly every video changes within a
    day, about one in four within five minutes.
    """
    digest = blake2b(f"{seed}:{video_id}".encode(), digest_size=32).digest()
    born, length, pace, luck, burst, fading, likes, comments = (n * _SHARE for n in struct.unpack("<8I", digest))
    views_a_day = 10 ** (-0.8 + 2 * (pace + luck))
    return Growth(
        published=float(int(_FIRST + born * _SPAN)),
        duration=int(15 * 10 ** (2.8 * length)),
        views_a_day=views_a_day,
        burst=views_a_day * 10 ** (0.5 + 2 * burst),
        fading=DAY_SECONDS * 10 ** (0.5 + 1.3 * fading),
        likes_a_view=0.005 * 10**likes,
        comments_a_view=0.0003 * 10 ** (1.3 * comments),
    )
