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


@dataclass(slots=True)
class CheckedSite:
    """One of several sites, for comparison with the others."""

    config: Config
    key: str | None = field(repr=False)
    """Its API key, None if it has none; it stays in memory."""
    root: str = field(init=False)
    ledger: str | None = field(init=False)
    """The real path of the ledger that it shares with others."""
    collections: list[str] = field(init=False)
    """The real paths of the directories."""
    files: frozenset[str] | None = None
    """The real paths of the files in them, once they were needed."""

    def __post_init__(self) -> None:
        self.root = os.path.realpath(self.config.site)
        ledger = self.config.ledger_path
        self.ledger = None if ledger is None else os.path.realpath(ledger)
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
    if site.key and (apart := [each for each in earlier if each.key == site.key and not _share_ledger(each, site)]):
        yield from _compare_quota([each.config for each in apart], site.config)
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


def _compare_quota(earlier: Sequence[Config], config: Config) -> Iterator[Finding]:
    """Yield that sites with one key may use its project's whole quota each, where their configs do not divide it."""
    undivided = [each for each in (config, *earlier) if "stats_units_per_day" not in each.quota.model_fields_set]
    if undivided[:1] == [config] and len(undivided) > 1:
        others = examples([f"'{each.site_name}'" for each in undivided[1:]])
        message = (
            f"The API key is also that of {others}, and each site may use the whole quota of its project. Set"
            " `quota.ledger` to one file in all these configs."
        )
        yield Finding("quota", Level.WARNING, message)


def _compare_ledger(earlier: Sequence[Config], config: Config) -> Iterator[Finding]:
    """Yield where sites cannot be of one project, although they share a ledger."""
    endpoint = config.youtube.endpoint
    if unlike := [f"'{each.site_name}'" for each in earlier if each.youtube.endpoint != endpoint]:
        message = (
            f"`youtube.endpoint` differs from that of {examples(unlike)}, which has the same `quota.ledger`. Use one"
            " ledger for the sites of one Google project only."
        )
        yield Finding("ledger", Level.ERROR, message)
