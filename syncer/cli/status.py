"""`syncer status`: the last syncs, the next one, the quota, and what needs attention."""

from __future__ import annotations

import click

from syncer.cli.settings import Settings
from syncer.cli.site_option import only_config, site_option


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@site_option
@click.pass_obj
def command(settings: Settings, as_json: bool, site_names: tuple[str, ...]) -> int:
    """Show the last and next sync, the quota, and what needs attention.

    Of several sites, it shows a line each; with --site or -v, all of each.
    """
    from syncer.cli.daemon_seen import Daemons
    from syncer.cli.process import printed
    from syncer.cli.show import show_json
    from syncer.cli.status_output import look, seen_json, show_status

    if settings.several:
        from syncer.cli.status_sites import status_of_sites

        return printed(status_of_sites(settings, site_names, as_json=as_json))
    config = only_config(settings, site_names)
    seen = look(config, Daemons().of(config.state_directory))
    if as_json:
        show_json(seen_json(seen, settings.config_path))
    else:
        show_status(seen)
    return printed()
