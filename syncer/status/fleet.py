"""How a fleet is: which of its sites and hosts need attention, in words and in JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from syncer.diff_log.lines import timestamp
from syncer.errors import ExitCode
from syncer.state.fleet import Fleet, HostRow, SiteRow
from syncer.status.attention import ORDER, Mark
from syncer.wording import ago, counted

HOSTS_NAMED = 3
"""The hosts that the first sentence names."""


class SiteCondition(NamedTuple):
    """How a site is."""

    row: SiteRow
    mark: Mark
    """The most serious of all that is so."""
    words: str
    """What it does."""
    reasons: Sequence[str]
    """Why it needs attention, a sentence each, the most serious first."""


class HostCondition(NamedTuple):
    """How a host is."""

    row: HostRow
    state: Literal["running", "draining", "silent", "stopped"]
    sites: int
    """How many sites it has."""
    reason: str | None
    """Why it needs attention, as a sentence; None: it does not."""


class FleetCondition(NamedTuple):
    """How a fleet is."""

    at: datetime
    """When, by the server's clock."""
    outline: str
    """All of it in one sentence."""
    attention: Sequence[str]
    """What of that needs attention, in words."""
    hosts: Sequence[HostCondition]
    sites: Sequence[SiteCondition]
    """Both with those first that need attention."""

    def moment(self, seconds: int | None) -> datetime | None:
        """Return a time of a row, by the server's clock."""
        return None if seconds is None else self.at + timedelta(seconds=seconds)


class Outage(NamedTuple):
    """A worker is out of its fleet: it cannot use the server, or another one has its name."""

    since: datetime
    why: str
    """A sentence without its full stop."""
    syncs_continue: bool = True

    @property
    def effect(self) -> str:
        """Return what that means for the syncs, as a sentence without its full stop."""
        if self.syncs_continue:
            return "Syncs continue without the queue"
        return "Nothing is synced here until the name is free"


@dataclass(frozen=True, slots=True)
class FleetView:
    """What a worker knows of its fleet, in memory. Its times are by the clock of its host."""

    host: str
    """Where it runs."""
    fleet: Fleet | None = None
    """As it was last read; None: it was not read yet."""
    read: datetime | None = None
    """When that was."""
    outage: Outage | None = None
    """None: the last try succeeded."""

    @property
    def is_current(self) -> bool:
        """Whether the fleet was read at the last try."""
        return self.fleet is not None and self.outage is None


def condition_of(fleet: Fleet) -> FleetCondition:
    """Return how a fleet is."""
    number = Counter(row.host for row in fleet.sites)
    hosts = [_host(row, number[row.host]) for row in fleet.hosts]
    by_name = {each.row.host: each for each in hosts}
    sites = [_site(row, by_name.get(row.host)) for row in fleet.sites]
    attention, draining = _attention(hosts, sites), [each for each in hosts if each.state == "draining" and each.sites]
    parts = [f"{counted(len(hosts), 'host')}, {counted(len(sites), 'site')}", *attention]
    parts += [_named(draining, "draining")] if draining else []
    parts += ["none needs attention"] if len(parts) == 1 and sites else []
    return FleetCondition(
        fleet.at,
        f"{'; '.join(parts)}.",
        attention,
        sorted(hosts, key=lambda host: not host.reason),
        sorted(sites, key=lambda site: (ORDER[site.mark], not site.reasons)),
    )


def fleet_json(condition: FleetCondition) -> dict[str, object]:
    """Return the JSON document of a fleet. All times are by the server's clock."""
    return {
        "at": timestamp(condition.at),
        "outline": condition.outline,
        "hosts": [
            {
                "host": row.host,
                "state": state,
                "seen": timestamp(condition.at - timedelta(seconds=row.silent_seconds)),
                "version": row.version,
                "sites": sites,
                "attention": [reason] if reason else [],
            }
            for row, state, sites, reason in condition.hosts
        ],
        "sites": [_site_json(condition, each) for each in condition.sites],
    }


def view_json(view: FleetView) -> dict[str, object]:
    """Return the JSON document of what a worker knows of its fleet."""
    outage = view.outage
    return {
        "host": view.host,
        "read": timestamp(view.read) if view.read else None,
        "out_of_fleet": {"since": timestamp(outage.since), "message": outage.why} if outage else None,
        "fleet": fleet_json(condition_of(view.fleet)) if view.fleet else None,
    }


def _host(row: HostRow, sites: int) -> HostCondition:
    if row.is_silent:
        since = ago(row.silent_seconds)
        has = f" It has {counted(sites, 'site')}." if sites else ""
        reason = f"It has been silent for {since}.{has} Check its worker, and that it reaches the server."
        return HostCondition(row, "silent", sites, reason)
    if not row.is_running:
        reason = f"It is stopped, and has {counted(sites, 'site')}. Start its worker."
        return HostCondition(row, "stopped", sites, reason if sites else None)
    return HostCondition(row, "draining" if row.draining else "running", sites, None)


def _site(row: SiteRow, host: HostCondition | None) -> SiteCondition:
    state, report = host.state if host else "stopped", row.report
    is_alive = state in {"running", "draining"}
    reasons = [*_wrong(row, host, state)]
    mark: Mark = "wrong" if reasons else "well"
    if report.problems:
        reasons.append(f"There {'is' if report.problems == 1 else 'are'} {counted(report.problems, 'problem')}.")
    elif report.exit_code and not reasons:
        reasons.append(f"The last sync ended with exit code {report.exit_code}.")
    if reasons and mark == "well":
        mark = "attention"
    words = "idle" if report.last_sync else "no sync yet"
    if not is_alive:
        words, mark = f"host {state}", "attention" if mark == "well" else mark
    elif report.running:
        words, mark = "syncing", "busy" if mark == "well" else mark
    return SiteCondition(row, mark, words, reasons)


def _wrong(row: SiteRow, host: HostCondition | None, state: str) -> Iterator[str]:
    """Yield why the counts of a site are not updated."""
    report = row.report
    if row.is_late and report.late_after is not None:
        why = ""
        if state == "silent" and host:
            why = f" Its host has been silent for {ago(host.row.silent_seconds)}."
        elif state == "stopped":
            why = " Its host is stopped."
        yield f"It is late: a good sync was due {ago(-report.late_after)} ago.{why}"
    if report.trouble:
        yield f"It was not synced: {report.trouble.strip().rstrip('.')}."
    elif state == "running" and row.is_unreported:
        yield "It has never synced, and its host has not said when it will. If that stays so, read its worker's log."
    elif report.exit_code == ExitCode.NOTHING_ANSWERED:
        yield "The last sync read nothing from YouTube."


def _attention(hosts: Sequence[HostCondition], sites: Sequence[SiteCondition]) -> Sequence[str]:
    late = sum(site.row.is_late for site in sites)
    others = sum(bool(site.reasons) for site in sites) - late
    silent = [host for host in hosts if host.state == "silent"]
    parts = []
    if late:
        parts.append(f"{counted(late, 'site')} {'is' if late == 1 else 'are'} late")
    if others:
        more = f"{others:,} more" if late else counted(others, "site")
        parts.append(f"{more} need{'s' * (others == 1)} attention")
    if len(silent) == 1:
        parts.append(f"host {silent[0].row.host} has been silent for {ago(silent[0].row.silent_seconds)}")
    elif silent:
        parts.append(_named(silent, "silent"))
    stopped = [host for host in hosts if host.state == "stopped" and host.sites]
    return [*parts, _named(stopped, "stopped")] if stopped else parts


def _named(hosts: Sequence[HostCondition], state: str) -> str:
    names = [host.row.host for host in hosts]
    if len(names) == 1:
        return f"host {names[0]} is {state}"
    if len(names) <= HOSTS_NAMED:
        return f"hosts {', '.join(names[:-1])} and {names[-1]} are {state}"
    return f"{len(names):,} hosts are {state}"


def _site_json(condition: FleetCondition, site: SiteCondition) -> dict[str, object]:
    report = site.row.report

    def stamp(seconds: int | None) -> str | None:
        at = condition.moment(seconds)
        return timestamp(at) if at else None

    return {
        "site": report.site,
        "host": site.row.host,
        "path": site.row.path,
        "running": report.running,
        "late": site.row.is_late,
        "last_sync": report.last_sync,
        "finished": stamp(report.finished),
        "exit": report.exit_code,
        "changed_counts": report.changed_counts,
        "problems": report.problems,
        "missing": report.missing,
        "next_sync": stamp(report.next_sync),
        "late_after": stamp(report.late_after),
        "trouble": report.trouble,
        "attention": list(site.reasons),
    }
