"""Who shares a ledger, in words and in JSON, and what is wrong with how it is shared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypedDict

from syncer.decide.quota import BucketStatus
from syncer.diff_log.lines import timestamp
from syncer.model import Bucket
from syncer.wording import counted

if TYPE_CHECKING:
    from syncer.state.shared_ledger import Sharing

SITES_NAMED = 3
"""The sites with another key that are named."""


class SiteOfLedger(TypedDict):
    """One of the sites that share a ledger."""

    name: str
    site: str
    share: float | None
    units: dict[str, int]
    last_sync: str | None


class LedgerDocument(TypedDict):
    """A shared ledger; the units are those spent today."""

    path: str
    units_per_day: dict[str, int]
    keys: int
    sites: list[SiteOfLedger]
    error: str | None


def sharing_json(sharing: Sharing, balances: Mapping[Bucket, BucketStatus]) -> LedgerDocument:
    """Return who shares the ledger, what the project has a day, and what each site has spent today."""
    return {
        "path": sharing.place,
        "units_per_day": {bucket.value: status.project_limit for bucket, status in balances.items()},
        "keys": sharing.keys,
        "sites": [
            {
                "name": each.name,
                "site": each.site,
                "share": None if each.share is None else each.share / 100,
                "units": {bucket.value: units for bucket, units in each.units.items()},
                "last_sync": timestamp(each.seen) if each.seen else None,
            }
            for each in sharing.sites
        ],
        "error": sharing.unreachable,
    }


def sharing_outline(sharing: Sharing, balances: Mapping[Bucket, BucketStatus]) -> str:
    """Return in words how many sites share the ledger, and what they have spent today."""
    if sharing.unreachable:
        return f"{sharing.place} cannot be reached, so it is unknown how many units are left"
    sites = "1 site uses" if len(sharing.sites) == 1 else f"{counted(len(sharing.sites), 'site')} use"
    spent = " and ".join(
        f"{status.project_spent:,} of {counted(status.project_limit, f'{bucket} unit')}"
        for bucket, status in balances.items()
    )
    return f"{sites} {sharing.place}: {spent} used today"


def sharing_warnings(sharing: Sharing, balances: Mapping[Bucket, BucketStatus]) -> Iterator[str]:
    """Yield what is wrong with the ledger and how it is shared, and what to do: of all its sites, then of this one."""
    if sharing.unreachable:
        yield unreachable_outline(sharing.unreachable)
    if sharing.keys > 1:
        number, of_them = ("Two", "both") if sharing.keys == 2 else (sharing.keys, "all")
        others = [site.name for site in sharing.sites if site.has_other_key]
        more = f" and {len(others) - SITES_NAMED:,} more" if len(others) > SITES_NAMED else ""
        yield (
            f"{number} keys use this ledger; {of_them} must be of one Google project. This is expected while you"
            " replace a key, until each site has synced with the new one. Sites whose key differs from that of most"
            f" sites: {', '.join(others[:SITES_NAMED])}{more}"
        )
    shares = sum(each.share or 0 for each in sharing.sites)
    if shares > 100:
        yield (
            f"The shares of the sites are {shares}% together, so the last sites to sync on a day find less than their"
            " shares, and sites without a share get no units. Lower some shares"
        )
    for bucket, status in balances.items():
        if why := no_budget(bucket, status):
            yield why


def unreachable_outline(why: str) -> str:
    """Return in words that the ledger cannot be reached, and what that means."""
    return f"{why}. While it cannot be reached, syncs request nothing from YouTube"


def no_budget(bucket: Bucket, status: BucketStatus) -> str | None:
    """Return why scheduled syncs can never use a unit of a bucket, and what to change; None if they can."""
    if status.budget:
        return None
    if not status.limit:
        return (
            f"This site has no `quota.share`, and the shares of the others leave it none of"
            f" {counted(status.project_limit, f'{bucket} unit')} a day, so no sync uses any. Lower the shares of the"
            " others, or give this site one"
        )
    return (
        f"This site may spend {counted(status.limit, f'{bucket} unit')} of {status.project_limit:,} a day, and"
        " `quota.reserve` keeps at least as many, so scheduled syncs use none. Lower `reserve`, or give the site more"
        " with `quota.share`"
    )
