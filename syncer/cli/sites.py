"""The sites that a command is about, where `-c` names several: each has its turn, whatever happens to the others."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat
from typing import TYPE_CHECKING

from syncer.cli.settings import USED, Settings
from syncer.errors import ConfigError, ExitCode, Stopped, SyncerError, UsageError

if TYPE_CHECKING:
    from syncer.cli.stopping import StopSignal
    from syncer.config.sections import Config

NAMES_SHOWN = 20
"""Names of sites that one sentence lists."""

Result = tuple[Mapping[str, object], int]
"""What a command has to say of one site: the document, with `--json`, and the exit code."""

Results = Mapping[str, Result | SyncerError]
"""The results of a command by site, or what went wrong; for an invalid config, by its path."""


@dataclass(frozen=True, slots=True)
class ChosenSite:
    """A site that a command is about."""

    name: str
    settings: Settings
    """Those for this site alone."""
    config: Config


class LeftOut(ConfigError):
    """The config of one site of several is invalid. The others have their turn."""

    exit_code = ExitCode.PROBLEMS


@dataclass(frozen=True, slots=True)
class SiteChoice:
    """The sites that a command is about, in the order of their configs."""

    sites: Sequence[ChosenSite]
    left_out: Mapping[str, ConfigError]
    """The paths of the configs that cannot be used, and what is wrong with each."""
    every: Sequence[ChosenSite]
    """Also those that the command is not about."""

    def only(self, names: Collection[str]) -> SiteChoice:
        """Return those with these names; no name: all of them. Raises UsageError where no site can have a name.

        If all names are found, an invalid config is about another site. Else it may be the one of a missing site.
        """
        if not names:
            return self
        known = [site.name for site in self.sites]
        unknown = [name for name in names if name not in known]
        if unknown and not self.left_out:
            raise unknown_site(unknown[0], known)
        chosen = [site for site in self.sites if site.name in names]
        return replace(self, sites=chosen, left_out=self.left_out if unknown else {})


def choose_sites(settings: Settings, names: Collection[str] = ()) -> SiteChoice:
    """Return the sites with these names, or all. Raises what `only` raises.

    Raises ConfigError, with all that is wrong, also where no config is valid.
    """
    choice = read_sites(settings).only(names)
    if not choice.sites:
        raise ConfigError("\n".join(map(str, choice.left_out.values())))
    if missing := [name for name in names if all(name != site.name for site in choice.sites)]:
        print(f"syncer: --site: no valid config is of a site called {listed(missing)}", file=sys.stderr)
    return choice


def read_sites(settings: Settings) -> SiteChoice:
    """Read all configs. One that is invalid, or that has the name, site or state of one before it, leaves out its site.

    What they say about the status page, which only a daemon has, does not matter.
    """
    from syncer.config.conflicts import find_conflicts, identity_of

    valid: dict[str, ChosenSite] = {}
    left_out: dict[str, ConfigError] = {}
    for own in settings.each():
        path = own.config_paths[0]
        try:
            config = own.config()
        except ConfigError as error:
            left_out[path] = LeftOut(str(error))
        else:
            valid[path] = ChosenSite(config.site_name, own, config)
    identities = [replace(identity_of(path, site.config), page={}) for path, site in valid.items()]
    for path, conflict in find_conflicts(identities, {}).items():
        left_out[path] = ConfigError(f"{path}: {conflict}")
    every = [site for path, site in valid.items() if path not in left_out]
    USED.update((site.name, site.settings) for site in every)
    return SiteChoice(every, left_out, every)


def unknown_site(name: str, known: Sequence[str]) -> UsageError:
    """Return the error for a name that no site has."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    meant = f"; did you mean '{near[0]}'?" if near else ""
    sites = f"the sites are {listed(known)}" if len(known) > 1 else f"the only site is {known[0]}"
    return UsageError(f"--site: no site is called '{name}'; {sites}{meant}")


def in_turn(
    turns: Mapping[str, Callable[[], Result]], left_out: Mapping[str, ConfigError], stopped: StopSignal
) -> Results:
    """Give each site its turn, by its name, and return all results; those of what is left out are the first.

    An error in a turn is printed, and does not keep the others from theirs; a stop does.
    """
    from syncer.cli.log_setup import name_sites
    from syncer.cli.show_error import show_error

    name_sites()
    for invalid in left_out.values():
        show_error(invalid)
    results: dict[str, Result | SyncerError] = dict(left_out)
    late: list[str] = []
    for name, turn in turns.items():
        if stopped.is_set():
            results[name] = Stopped("stopped before its turn; nothing was done")
            late.append(name)
        else:
            results[name] = _take_turn(name, turn, stopped)
    if late:
        print(f"syncer: stopped before the turn of {listed(late)}", file=sys.stderr)
    return results


def _take_turn(name: str, turn: Callable[[], Result], stopped: StopSignal) -> Result | SyncerError:
    """Return the result of a site, or print what went wrong and return that."""
    from syncer.cli.show_error import logged_bug, show_error
    from syncer.daemon.site_names import about

    error: SyncerError
    with about(name):
        try:
            return turn()
        except SyncerError as raised:
            error = raised
        except KeyboardInterrupt:  # the first signal, or the second if the first sets `stopped`
            stopped.set()
            error = Stopped("stopped immediately; run the command again")
        except Exception as raised:  # noqa: BLE001 - its traceback is logged, and the others have their turn
            error = logged_bug(raised)
        show_error(error, site=name)
    return error


def conclude(
    results: Results,
    *,
    as_json: bool,
    quiet: bool = False,
    failing: str = "",
    also: Mapping[str, Sequence[str]] | None = None,
) -> int:
    """Print all documents as one, or unless `quiet` which sites failed; return the highest exit code.

    `failing`: what to say of those, if not that they need attention. `also`: what to say of which other sites.
    """
    from syncer.cli.show import show, show_json
    from syncer.cli.show_error import error_document
    from syncer.daemon.site_names import about
    from syncer.wording import counted

    ended: dict[str, Result] = {}
    for name, each in results.items():
        with about(name):  # the commands that an error suggests are about this site
            ended[name] = (error_document(each), each.exit_code) if isinstance(each, SyncerError) else each
    code = max(code for _, code in ended.values())
    if as_json:
        show_json({"sites": {name: document for name, (document, _) in ended.items()}, "exit": code})
    elif not quiet and len(ended) > 1:
        wrong = [name for name, (_, code) in ended.items() if code]
        failing = failing or ("needs attention" if len(wrong) < 2 else "need attention")
        groups = {failing: wrong, **(also or {})}.items()
        numbers = [f"{len(names):,} {what}: {listed(names)}" if names else f"none {what}" for what, names in groups]
        show()
        show(f"{counted(len(results), 'site')}, {'; '.join(numbers)}.", "bold")
    return code


def headings() -> Callable[[str], None]:
    """Return what prints the name of a site, before what is printed of it; an empty line is above all but the first."""
    from syncer.cli.show import show
    from syncer.wording import safe

    gaps = chain([""], repeat("\n"))
    return lambda name: show(f"{next(gaps)}{safe(name)}:", "bold")


def listed(names: Sequence[str]) -> str:
    """Return names as a part of a sentence: the first, and how many others there are."""
    from syncer.wording import safe

    more = f" and {len(names) - NAMES_SHOWN:,} others" if len(names) > NAMES_SHOWN else ""
    return ", ".join(map(safe, names[:NAMES_SHOWN])) + more
