"""`syncer sync`: one sync now, with a progress bar, a table of changes, and what needs attention."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from syncer.cli.settings import ACCEPT_HELP, Settings
from syncer.cli.site_option import only_config, site_option


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path())
@click.option("--dry-run", is_flag=True, help="Request counts and show what would change; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--all", "everything", is_flag=True, help="Include gone videos and those checked less than 5 minutes ago."
)
@click.option("--accept", is_flag=True, help=ACCEPT_HELP)
@click.option(
    "--fail-on",
    multiple=True,
    metavar="WHAT",
    help="What ends with exit code 1: problems, left-out, brake, not-pushed. Separate several by commas. Default: all.",
)
@click.option("--video", "videos", multiple=True, metavar="ID", help="Only this video (ID or URL). May be repeated.")
@site_option
@click.pass_obj
def command(
    settings: Settings,
    paths: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    everything: bool,
    accept: bool,
    fail_on: tuple[str, ...],
    videos: tuple[str, ...],
    site_names: tuple[str, ...],
) -> int:
    """Update the counts once, now.

    PATHs are files or directories. PATHs and --video narrow the sync to what matches; with both, to what matches both.
    """
    from syncer.cli.arguments import failures_named, site_paths, video_id
    from syncer.cli.changes import failures
    from syncer.cli.environment import sync_one
    from syncer.cli.log_setup import REDACTOR
    from syncer.cli.process import printed
    from syncer.cli.show import show_json
    from syncer.status.report import report_json
    from syncer.sync.options import Options

    options = Options(
        dry_run=dry_run,
        everything=everything,
        accept=accept,
        videos=frozenset(map(video_id, videos)),
        fail_on=failures_named(fail_on),
    )
    if settings.several:
        from syncer.cli.sync_sites import sync_sites

        return sync_sites(settings, site_names, paths, options, as_json=as_json)
    config = only_config(settings, site_names) if site_names else settings.config()  # one site alone pays nothing
    key, hook = settings.key(config), settings.hook(config)
    REDACTOR.learn(key, hook)
    if paths:
        options = replace(options, paths=site_paths(config.site, paths))
    report, changes = sync_one(settings, config, (key, hook), options, keep_all=dry_run and as_json)
    if as_json:
        show_json(report_json(report, changes.changes if dry_run else None))
    else:
        changes.show(report, quiet=settings.quiet)
    for message in dict.fromkeys(problem.message for problem in failures(report)):
        print(f"syncer: {message}", file=sys.stderr)
    return printed(report.exit) if dry_run else report.exit
