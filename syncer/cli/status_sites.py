"""`syncer status` of several sites: a line for each, or with `--site` or `-v` all of each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from shlex import quote
from typing import TYPE_CHECKING

from syncer.cli.daemon_seen import Daemons
from syncer.cli.show import MINUTES, NONE, show, show_table
from syncer.cli.show_error import message_of
from syncer.cli.sites import ChosenSite, Result, choose_sites, conclude, headings, in_turn, listed
from syncer.cli.status_output import SeenStatus, look, seen_json, show_status
from syncer.cli.stopping import StopSignal
from syncer.errors import ExitCode, SyncerError
from syncer.status.attention import NeedKind
from syncer.status.buckets import LedgerLooks
from syncer.status.report import ACCEPT, brake_remedy
from syncer.status.sharing import sharing_outline
from syncer.wording import counted, safe

if TYPE_CHECKING:
    from syncer.cli.settings import Settings


def status_of_sites(settings: Settings, names: Sequence[str], *, as_json: bool) -> int:
    """Show the status of the sites with these names, or of all; return the highest exit code.

    Raises UsageError for a name that no site has, ConfigError where no config is valid.
    """
    seen: dict[str, SeenStatus] = {}
    in_full = bool(names or settings.verbose)
    choice, ledgers, daemons, show_heading = choose_sites(settings, names), LedgerLooks(), Daemons(), headings()

    def turn(site: ChosenSite) -> Result:
        if in_full and not as_json:
            show_heading(site.name)
        seen[site.name] = status = look(site.config, daemons.beside(site, choice.every), ledgers)
        if in_full and not as_json:
            show_status(status)
        return seen_json(status, site.settings.config_path) if as_json else {}, ExitCode.OK

    turns = {site.name: partial(turn, site) for site in choice.sites}
    results = in_turn(turns, choice.left_out, StopSignal())
    if not (as_json or in_full):
        _show_table([name for name in results if name not in choice.left_out], seen)
        failed = {
            name: _outline(each, name if name in choice.left_out else None)
            for name, each in results.items()
            if isinstance(each, SyncerError)
        }
        _show_attention(seen, failed, choice.left_out)
        show("Run `syncer status --site NAME` to see more of a site.")
    return conclude(results, as_json=as_json, quiet=True)


def _show_table(names: Sequence[str], seen: Mapping[str, SeenStatus]) -> None:
    rows = [(name, *(_cells(seen[name]) if name in seen else [NONE] * 5)) for name in names]
    heads = ("site", "last sync (UTC)", "changed", "problems", "missing", "next sync (UTC)")
    show_table(heads, rows, right=(2, 3, 4))


def _cells(seen: SeenStatus) -> Iterator[str]:
    """Yield the cells of a site's line, after its name."""
    status = seen.status
    if last := status.last:
        yield last.finished.strftime(MINUTES)
        yield f"{last.changed_counts:,}"
        yield f"{last.problems:,}"
    else:
        yield from [NONE] * 3
    yield f"{len(status.missing):,}"
    yield "syncing now" if status.running else status.next_sync.strftime(MINUTES) if seen.daemon.syncs else NONE


def _show_attention(seen: Mapping[str, SeenStatus], failed: Mapping[str, str], configs: Collection[str]) -> None:
    """Print which sites need attention, and why.

    `failed`: those whose status is not known, each with the reason; `configs`: those of them that are invalid configs.
    """
    idle = [name for name, each in seen.items() if not (each.daemon.syncs or each.daemon.left_out)]
    if len(idle) == len(seen):
        show("No daemon is running; `syncer sync` updates the counts now.")
    elif idle:
        show(f"No daemon syncs {listed(idle)}.")
    ledgers = {each.status.sharing.place: each.status for each in seen.values() if each.status.sharing}
    for status in ledgers.values():
        assert status.sharing
        show(f"Quota ledger: {sharing_outline(status.sharing, status.buckets)}.")
    names_of: dict[str, list[str]] = {}
    for name, reason in [*failed.items(), *((site, why) for site in seen for why in _reasons(site, seen[site]))]:
        names_of.setdefault(reason, []).append(name)
    if total := len(set(chain.from_iterable(names_of.values()))):
        verb = "needs" if total == 1 else "need"
        show(f"{total:,} of {counted(len(seen) + len(failed), 'site')} {verb} attention:", "bold yellow")
        for reason, names in names_of.items():
            subject = "" if names[0] in configs else f"{listed(names)}: "  # an invalid config is named in the reason
            show(f"  {subject}{safe(reason)}")


def _outline(error: SyncerError, config: str | None) -> str:
    """Return the first line of an error; if it is about this config and has more lines, with what shows them all."""
    first, *others = message_of(error).split("\n")
    if config is None or not others:
        return first
    return f"{first} (and {counted(len(others), 'more error')}: run `syncer -c {quote(config)} check`)"


def _reasons(name: str, seen: SeenStatus) -> Iterator[str]:
    """Yield why the site of this name needs attention, and how to accept what the safety brake holds."""
    if seen.daemon.left_out:
        yield f"The daemon leaves it out: {seen.daemon.left_out.splitlines()[0]}"
    for need in seen.needs:
        remedy = f" {brake_remedy(f'{ACCEPT} --site {quote(name)}')}" if need.kind is NeedKind.BRAKE else ""
        yield f"{need.sentence.partition(chr(10))[0]}{remedy}"
