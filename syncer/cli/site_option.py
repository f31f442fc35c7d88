"""The option `--site` of the commands that serve several sites, and its completion in a shell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from syncer.cli.settings import USED, Settings, settings_of
from syncer.errors import SyncerError, UsageError

if TYPE_CHECKING:
    from syncer.config.sections import Config


def only_config(settings: Settings, names: Sequence[str]) -> Config:
    """Return what `settings.config` returns and raise what it raises, and UsageError for a name of another site."""
    config = settings.config()
    for name in names:
        if name != config.site_name:
            from syncer.cli.sites import unknown_site

            raise unknown_site(name, [config.site_name])
    return config


def without_site_option(settings: Settings, command: str, words: Sequence[str]) -> UsageError:
    """Return the error for a command that has no `--site`, but has it in its words: it names the config of that site.

    Raises UsageError for a name that no site has, and ConfigError.
    """
    from syncer.cli.sites import choose_sites

    if named := re.search(r"--site[=\0]([^\0]+)", "\0".join(words)):
        USED[None] = choose_sites(settings, [named[1]]).sites[0].settings  # the suggested command is about this site
    return UsageError(f"`{command}` is about one site and has no --site; run `syncer {command}`")


def _names(ctx: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Return the names of sites that begin like this, for a shell's completion."""
    from syncer.cli.sites import choose_sites

    try:
        sites = choose_sites(settings_of(ctx.find_root().params["configs"])).sites
    except SyncerError:  # a shell's completion cannot show errors
        return []
    return [site.name for site in sites if site.name.startswith(begun)]


site_option = click.option(
    "--site",
    "site_names",
    multiple=True,
    metavar="NAME",
    shell_complete=_names,
    help="Only the site with this name, where -c names several. May be repeated.",
)
