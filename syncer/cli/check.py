"""`syncer check`: checks the setup."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, redirect_stdout
from typing import TYPE_CHECKING

import click

from syncer.cli.settings import Settings
from syncer.cli.site_option import only_config, site_option

if TYPE_CHECKING:
    from syncer.check.findings import Finding


@click.command()
@click.option("--offline", is_flag=True, help="Request nothing from YouTube. Without it, the check costs one unit.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@site_option
@click.pass_obj
def command(settings: Settings, offline: bool, as_json: bool, site_names: tuple[str, ...]) -> int:
    """Check the setup: config, pages, API key, quota, git, state.

    With several sites, also what they must not have in common. The check costs one unit for each site. Of several
    sites, it shows what is not ok; use --site or -v to see all.
    """
    from syncer.cli.process import printed
    from syncer.cli.show import show_json
    from syncer.cli.site_check import show_findings

    with redirect_stdout(sys.stderr) if settings.quiet and not as_json else nullcontext():
        if settings.several and _has_configs(settings):
            from syncer.cli.check_sites import check_sites

            return printed(check_sites(settings, site_names, offline=offline, as_json=as_json))
        findings = _findings(settings, site_names, offline=offline)
        document, code = show_findings(findings, as_json=as_json, only_wrong=settings.quiet)
    if as_json:
        show_json(document)
    return printed(code)


def _has_configs(settings: Settings) -> bool:
    """Whether there is a config to check; if not, that is the one finding, as for a config that is missing."""
    from syncer.errors import ConfigError

    try:
        return bool(settings.each())
    except ConfigError:
        return False


def _findings(settings: Settings, site_names: Sequence[str], *, offline: bool) -> Iterator[Finding]:
    from syncer.cli.daemon_seen import Daemons
    from syncer.cli.site_check import findings_of, invalid
    from syncer.errors import ConfigError

    try:
        config = only_config(settings, site_names)
    except ConfigError as error:
        yield from invalid(error)
        return
    yield from findings_of(settings, config, offline=offline, daemon=Daemons().of(config.state_directory))
