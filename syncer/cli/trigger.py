"""`syncer trigger`: makes the running daemon sync now, and follows that sync."""

from __future__ import annotations

import click

from syncer.cli.settings import ACCEPT_HELP, Settings
from syncer.cli.site_option import only_config, site_option


@click.command()
@click.option("--no-wait", is_flag=True, help="Do not wait until the sync has ended.")
@click.option("--accept", is_flag=True, help=ACCEPT_HELP)
@site_option
@click.pass_obj
def command(settings: Settings, no_wait: bool, accept: bool, site_names: tuple[str, ...]) -> int:
    """Make the running daemon sync now, and wait until that sync has ended.

    The exit code is the one of the sync. If a sync is already running, one more follows it, however many triggers
    there are. Ctrl-C stops the wait, not the sync. Several sites are triggered at once.
    """
    from syncer.cli.show import show
    from syncer.cli.triggered import show_triggered, trigger_site

    if settings.several:
        from syncer.cli.trigger_sites import trigger_sites

        return trigger_sites(settings, site_names, wait=not no_wait, accept=accept)
    config = only_config(settings, site_names)
    from syncer.cli.stopping import stop_on_signals

    if no_wait:
        trigger_site(config, accept=accept)
        show("The daemon syncs now. Run `syncer status` to see how it went.")
        return 0
    with stop_on_signals() as stopped:
        document = trigger_site(config, accept=accept).follow(stopped, quiet=settings.quiet)
    return show_triggered(document, config.write.brake)
