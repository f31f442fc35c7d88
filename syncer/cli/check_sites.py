"""`syncer check` of several sites: each alone, and what they must not have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from syncer.check.findings import Finding, Level
from syncer.check.together import CheckedSite, compare
from syncer.cli.daemon_seen import Daemons
from syncer.cli.show import show
from syncer.cli.site_check import findings_of, invalid, show_findings
from syncer.cli.sites import ChosenSite, Result, conclude, headings, in_turn, read_sites
from syncer.cli.stopping import StopSignal
from syncer.config.conflicts import find_conflicts, identity_of, page_keys
from syncer.config.sections import StatusPage
from syncer.errors import KeyMissing
from syncer.wording import counted, safe

if TYPE_CHECKING:
    from syncer.cli.settings import Settings


def check_sites(settings: Settings, names: Sequence[str], *, offline: bool, as_json: bool) -> int:
    """Check the sites with these names, or all, each in its turn; return the highest exit code.

    Print what is not ok, or all with names or `-v`. What is wrong with an invalid config is a finding. Each site is
    compared with those before it, also with those that are not named. Raises UsageError for a name that no site has.
    """
    every, daemons = read_sites(settings), Daemons()
    choice = every.only(names)
    identities = [identity_of(site.settings.config_path, site.config) for site in every.sites]
    conflicts = find_conflicts(identities, page_keys(StatusPage()))
    serving = next((number for number, each in enumerate(identities) if each.page and each.path not in conflicts), 0)
    checked = [CheckedSite(site.config, _key(site)) for site in every.sites]
    in_full, show_heading = bool(names or settings.verbose) and not settings.quiet, headings()
    warned: list[str] = []

    def turn(name: str, findings: Iterable[Finding]) -> Result:
        found = list(findings)
        wrong = [each.level for each in found if each.level is not Level.OK]
        warned.extend([name] * (Level.WARNING in wrong))
        if in_full and not as_json:
            show_heading(name)
        elif not as_json and (wrong or not settings.quiet):
            outline = f"{len(wrong):,} not ok:" if wrong else "all ok"
            show(f"{safe(name)}: {counted(len(found), 'check')}, {outline}", "bold")
        return show_findings(found, as_json=as_json, only_wrong=not in_full)

    turns = {path: partial(turn, path, invalid(error)) for path, error in choice.left_out.items()}
    for number, site in enumerate(every.sites):
        if site.name in names or not names:
            daemon = daemons.beside(site, every.sites)
            own = findings_of(site.settings, site.config, offline=offline, daemon=daemon, serves=number == serving)
            shared = compare(checked[number], checked[:number])
            left_out = _left_out(conflicts.get(identities[number].path))
            turns[site.name] = partial(turn, site.name, chain(own, shared, left_out))
    results = in_turn(turns, {}, StopSignal())
    return conclude(
        results, as_json=as_json, quiet=settings.quiet, failing="with errors", also={"with warnings": warned}
    )


def _left_out(conflict: str | None) -> Iterator[Finding]:
    """Yield why the daemon does not serve a site beside those before it."""
    if conflict:
        yield Finding("daemon", Level.ERROR, f"The daemon leaves out this site: {conflict}.")


def _key(site: ChosenSite) -> str | None:
    """Return the API key of a site, only to compare it with those of others."""
    with suppress(KeyMissing):  # its own check reports that
        return site.settings.key(site.config)
    return None
