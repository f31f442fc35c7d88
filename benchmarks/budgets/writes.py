"""Simulates a year of writing, committing and building, with the real decisions: how often, and how wrong pages are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from benchmarks.budgets.laws import AGEING, views
from benchmarks.budgets.requests import BEGIN, INTERVAL, SYNCS_A_DAY
from syncer.decide.due_build import BuildRules, HookCall, Unbuilt, next_call
from syncer.decide.thresholds import Round, judge_change, round_opens
from syncer.model import Change, Count, Threshold, VideoId, Why, WritePolicy

YEAR_DAYS = 365

HOOK = BuildRules(0.05, timedelta(hours=24), 4, timedelta(minutes=10))
"""The defaults of `deploy`."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A way to write, as the config has it."""

    says: str
    policy: WritePolicy
    rules: BuildRules = HOOK


def setting(
    says: str,
    *,
    share: int = 0,
    display: bool = False,
    least: int = 0,
    most_hours: int = 0,
    rules: BuildRules = HOOK,
) -> Setting:
    """Return a setting; `share` in hundredths of a percent, `least` in days; 0: none."""
    change = {Count.VIEWS: Threshold(share=share)} if share else {}
    at_least, at_most = timedelta(days=least) or None, timedelta(hours=most_hours) or None
    return Setting(says, WritePolicy(change, display=display, at_least_every=at_least, at_most_every=at_most), rules)


WEEKLY = BuildRules(0.5, timedelta(days=7), 1, timedelta(minutes=10))
"""`deploy: {when: 50%, at_least_every: 7d, at_most_per_day: 1}`."""

NAMED = "write: {at_most_every: 292h}"
"""The setting for at most 30 commits and 60 builds a year: 8,760 hours are 30 times 292."""

SETTINGS: Sequence[Setting] = (
    setting("every change"),
    setting("every change; deploy: 50% or 7d", rules=WEEKLY),
    setting("write: {min_change: 1%}", share=100),
    setting("write: {min_change: 1%, at_least_every: 28d}", share=100, least=28),
    setting("write: {min_change: 1%, at_least_every: 28d}; deploy: 50% or 7d", share=100, least=28, rules=WEEKLY),
    setting("write: {min_change: 2%, at_least_every: 28d}", share=200, least=28),
    setting("write: {min_change: 5%, at_least_every: 28d}", share=500, least=28),
    setting("write: {rounding: display}", display=True),
    setting("write: {rounding: display, at_least_every: 28d}", display=True, least=28),
    setting("write: {at_most_every: 24h}", most_hours=24),
    setting("write: {at_most_every: 7d}", most_hours=168),
    setting(NAMED, most_hours=292),
    setting("write: {at_most_every: 292h, min_change: 1%, at_least_every: 28d}", most_hours=292, share=100, least=28),
    setting("write: {at_most_every: 28d}", most_hours=672),
)


@dataclass(slots=True)
class Year:
    """What a year with a setting costs, and how wrong pages are."""

    commits: int = 0
    writes: int = 0
    """Pages written, each time counted."""
    builds: int = 0
    """Calls of the build hook."""
    stale: float = 0.0
    """The mean relative error of the pages in the repository."""
    stale_live: float = 0.0
    """The same of the site that visitors see: as it was last built by the hook."""


def counts_of_a_year(pages: int, days: int = YEAR_DAYS) -> list[list[int]]:
    """Return the views of each page's video at each sync of a year: ageing videos, some with a burst."""
    paths = AGEING.paths(pages)
    return [[views(path, sync / SYNCS_A_DAY) for path in paths] for sync in range(days * SYNCS_A_DAY)]


def year_of(chosen: Setting, counts: Sequence[Sequence[int]]) -> Year:
    """Simulate one setting."""
    policy, year, size = chosen.policy, Year(), len(counts[0])
    pages, live = list(counts[0]), list(counts[0])
    written = [BEGIN] * size
    changes = [Change("page", VideoId("0" * 11), "views", Count.VIEWS, None, "0", BEGIN, Why.CHANGED)] * size
    hook, last, changed = Hook(chosen.rules, size), Round(BEGIN, complete=True, written=BEGIN), set[int]()
    for number, now_counts in enumerate(counts):
        now = BEGIN + number * INTERVAL
        opens = round_opens(policy.at_most_every, last, now, whole=True)
        writes = 0
        for page, count in enumerate(now_counts):
            old = pages[page]
            if count != old:
                change = changes[page]._replace(old=str(old), new=str(count))
                if isinstance(judge_change(change, policy, written[page], now, opens), Change):
                    pages[page], written[page] = count, now
                    changed.add(page)
                    writes += 1
        if writes:
            year.writes, year.commits, last = (
                year.writes + writes,
                year.commits + 1,
                Round(now, complete=True, written=now),
            )
        if hook.called(len(changed), number, wrote=bool(writes)):
            live, year.builds = pages.copy(), year.builds + 1
            changed.clear()
        year.stale += _error(pages, now_counts) / len(counts)
        year.stale_live += _error(live, now_counts) / len(counts)
    return year


class Hook:
    """The build hook of a site: looked at once after each sync, when `quiet` has passed."""

    def __init__(self, rules: BuildRules, pages: int) -> None:
        self.rules, self.pages = rules, pages
        self.calls: list[HookCall] = []
        self.since = self.last_change = BEGIN

    def called(self, changed: int, sync: int, *, wrote: bool) -> bool:
        """Whether the hook is called after this sync."""
        now = BEGIN + sync * INTERVAL
        if wrote:
            self.last_change = now
            self.since = now if not changed or self.since is None else self.since
        calls = tuple(self.calls[-self.rules.at_most_per_day :])
        unbuilt = Unbuilt(changed, self.pages, self.since, self.last_change, unpushed=False, calls=calls)
        at = now + self.rules.quiet
        if not next_call(unbuilt, self.rules, at).is_due(at):
            return False
        self.calls.append(HookCall(at, 200))
        return True


def _error(pages: Sequence[int], counts: Sequence[int]) -> float:
    return sum(abs(count - page) / max(count, 1) for page, count in zip(pages, counts, strict=True)) / len(pages)


def years(pages: int, settings: Sequence[Setting] = SETTINGS) -> Mapping[str, Year]:
    """Simulate a year of each setting."""
    counts = counts_of_a_year(pages)
    return {each.says: year_of(each, counts) for each in settings}
