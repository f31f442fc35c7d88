"""Checks what several sites should not have in common: pages, and the quota of one key."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from syncer.check.findings import Finding, Level, examples
from syncer.content.walk import Candidate, walk
from syncer.wording import counted

if TYPE_CHECKING:
    from syncer.config.sections import Config


WHOLE = 100
"""All of a ledger, in percent."""


@dataclass(slots=True)
class CheckedSite:
    """One of several sites, for comparison with the others."""

    config: Config
    key: str | None = field(repr=False)
    """Its API key, None if it has none; it stays in memory."""
    root: str = field(init=False)
    ledger: str | None = field(init=False)
    """The real path of the ledger that it shares with others, or the address of its server."""
    collections: list[str] = field(init=False)
    """The real paths of the directories."""
    files: frozenset[str] | None = None
    """The real paths of the files in them, once they were needed."""

    def __post_init__(self) -> None:
        self.root = os.path.realpath(self.config.site)
        ledger = self.config.ledger_place
        self.ledger = ledger if ledger is None or isinstance(ledger, str) else os.path.realpath(ledger)
        directories = {os.path.join(self.root, each.directory) for each in self.config.collections}
        self.collections = [os.path.join(os.path.realpath(each), "") for each in directories]

    def listed(self) -> frozenset[str]:
        """Return the real paths of all files that a collection includes."""
        if self.files is None:
            present = [
                each for each in self.config.collection_models() if os.path.isdir(f"{self.root}/{each.directory}")
            ]
            found = (item.path for item in walk(self.root, present) if isinstance(item, Candidate))
            self.files = frozenset(os.path.realpath(os.path.join(self.root, path)) for path in found)
        return self.files


def compare(site: CheckedSite, earlier: Sequence[CheckedSite]) -> Iterator[Finding]:
    """Yield a finding for each thing that a site should not have in common with one before it, or differ in."""
    for other in earlier:
        yield from _compare(other, site)
    with_key = [each for each in earlier if site.key and each.key == site.key]
    if any(not _share_ledger(each, site) for each in with_key):
        yield from _compare_quota(with_key, site)
    if sharing := [each.config for each in earlier if _share_ledger(each, site)]:
        yield from _compare_ledger(sharing, site.config)


def _compare(earlier: CheckedSite, site: CheckedSite) -> Iterator[Finding]:
    other = earlier.config.site_name
    nested = any(a.startswith(b) or b.startswith(a) for a in site.collections for b in earlier.collections)
    if nested and (both := site.listed() & earlier.listed()):
        shown = examples([os.path.relpath(path, site.root) for path in sorted(both)])
        message = (
            f"{counted(len(both), 'file')} also in a collection of '{other}', which writes the same counts: {shown}."
        )
        yield Finding("content", Level.WARNING, f"{message} Add them to `exclude` in one of the configs.")


def _share_ledger(one: CheckedSite, other: CheckedSite) -> bool:
    return one.ledger is not None and one.ledger == other.ledger


def _compare_quota(earlier: Sequence[CheckedSite], site: CheckedSite) -> Iterator[Finding]:
    """Yield that sites with one key may together use more than a project has by default; a ledger counts once."""
    by_default = type(site.config.quota)().stats_units_per_day
    limits: dict[str, int] = {}
    for each in (*earlier, site):
        place, limit = each.ledger or each.root, each.config.quota.stats_units_per_day
        limits[place] = min(limit, limits.get(place, limit))
    if (total := sum(limits.values())) > by_default:
        others = examples([f"'{each.config.site_name}'" for each in earlier if not _share_ledger(each, site)])
        message = (
            f"The API key is also that of {others}. Together, the sites with this key may use {total:,} stats units a"
            f" day, but a Google project has {by_default:,}, unless YouTube granted it more. Set `quota.ledger` to one"
            " ledger in all these configs."
        )
        yield Finding("quota", Level.WARNING, message)


def _compare_ledger(earlier: Sequence[Config], config: Config) -> Iterator[Finding]:
    """Yield where sites cannot be of one project, although they share a ledger."""
    shares = sum(each.quota.share or 0 for each in (*earlier, config))
    if shares > WHOLE >= shares - (config.quota.share or 0):  # once, at the site with which they are too many
        message = (
            f"The `quota.share` of the sites of {config.ledger_place} are {shares}% together. Lower some: the last"
            " sites to sync on a day find less than their shares, and sites without a share get no units."
        )
        yield Finding("ledger", Level.WARNING, message)
    endpoint = config.youtube.endpoint
    if unlike := [f"'{each.site_name}'" for each in earlier if each.youtube.endpoint != endpoint]:
        message = (
            f"`youtube.endpoint` differs from that of {examples(unlike)}, which has the same `quota.ledger`. Use one"
            " ledger for the sites of one Google project only."
        )
        yield Finding("ledger", Level.ERROR, message)
