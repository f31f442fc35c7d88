"""How the units of a Google project are divided among the sites that share a ledger."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncer.model import Bucket

SEEN_WITHIN = timedelta(days=7)
"""A site that has not synced for so long no longer counts: its config, its share and its key."""

FAR_AHEAD = timedelta(days=31)
"""A site that was seen so far ahead had a clock that was wrong; one whose clock is a little ahead counts."""


@dataclass(frozen=True, slots=True)
class SiteTerms:
    """What the config of a site says about its project's quota."""

    stated: Mapping[Bucket, int]
    """Units a day, of the buckets for which the config states them."""
    share: int | None
    """The site's part of each bucket in percent, from 1 to 100; None: it uses what the shares of others leave."""


def project_limit(bucket: Bucket, sites: Collection[SiteTerms], default: int) -> int:
    """Return the units a day of a project: the smallest number that one of its sites states, else the default."""
    return min((site.stated[bucket] for site in sites if bucket in site.stated), default=default)


def part_of(limit: int, share: int | None, shares: Collection[int]) -> int:
    """Return how many of a project's `limit` units a day a site may spend.

    That is its share, rounded down; without one, what `shares`, those of all sites, leave: the sites without a share
    have that together.
    """
    if share is not None:
        return limit * share // 100
    return max(0, limit - sum(limit * each // 100 for each in shares))


def counts_still(seen: datetime, at: datetime) -> bool:
    """Whether a site that synced last at the moment `seen` still counts at the moment `at`.

    One that was seen far ahead does not, because one of the two times comes from a clock that was wrong. If it is the
    site's, its next sync notes the right time.
    """
    return at - SEEN_WITHIN < seen < at + FAR_AHEAD
