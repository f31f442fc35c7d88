"""`syncer undo`: restores the counts that a sync replaced, and lists those it could not restore."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from syncer.cli.settings import Settings, settings_of
from syncer.errors import SyncerError

if TYPE_CHECKING:
    from syncer.review.put_back import SkippedCount

COMPLETED_SYNCS = 20
"""How many of the last syncs a shell's completion offers."""


def _names(ctx: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Return the IDs of syncs that changed something, newest first, for a shell's completion."""
    from syncer.state.database import open_state
    from syncer.state.syncs import last_syncs
    from syncer.status.stored_reports import stored_report

    try:
        config = settings_of(ctx.find_root().params["configs"]).config()
        with open_state(config.state_directory, config.site) as database:
            syncs = list(last_syncs(database, COMPLETED_SYNCS))
    except SyncerError:  # a shell's completion cannot show errors
        return []
    reports = ((sync.id, stored_report(sync.report)) for sync in syncs if sync.id.startswith(begun))
    return [name for name, report in reports if report and (report["changed_counts"] or report.get("changed_dates"))]


def _rows(skipped: Sequence[SkippedCount]) -> Iterator[Sequence[str]]:
    """Yield a row for each count; the page, and why, are named in the first of those that have the same."""
    before: SkippedCount | None = None
    for count in skipped:
        same_page = before and before.path == count.path
        yield (
            "" if same_page else count.path,
            count.field,
            "" if same_page and before and before.why == count.why else count.why,
        )
        before = count


@click.command()
@click.argument("sync", metavar="SYNC", required=False, shell_complete=_names)
@click.pass_obj
def command(settings: Settings, sync: str | None) -> int:
    """Restore the counts that a sync replaced.

    SYNC is the ID of a sync, as `syncer status` and `syncer log` show it. Counts that have changed since are not
    restored. The undo is a sync of its own, and you can undo it too.
    """
    from syncer.cli.changes import ChangeList, show_put_back, show_way_back, show_wrong
    from syncer.cli.environment import stoppable
    from syncer.cli.show import ROWS_SHOWN, rest, show, show_table
    from syncer.errors import ExitCode
    from syncer.review.undo import INSERTED, undo
    from syncer.wording import counted

    if sync is None:
        raise click.UsageError("missing argument 'SYNC'; `syncer status` lists the IDs", click.get_current_context())
    config = settings.config()
    changes = ChangeList()
    with stoppable(settings) as (environment, progress):
        listener = replace(progress, changed=changes.add)
        report, skipped = undo(config, sync, environment, listener, ROWS_SHOWN)
    if not settings.quiet:
        changes.show_changes(report)
        if report.changed_counts or report.changed_dates:
            show_put_back(report)
        elif not report.exit:
            show("Nothing to restore: the pages already have the old values.")
    if report.left:
        show(f"Not restored: {counted(report.left, 'value')}", "bold")
        show_table(("page", "count", "why"), _rows(skipped))
        rest(report.left, "value", f"`syncer log --sync {sync}` lists all changes of that sync")
    show_way_back({count.path for count in skipped if count.why == INSERTED}, config.write.file)
    show_wrong(report)
    if report.exit == ExitCode.INTERRUPTED or report.changed_pages < report.pages:
        show(f"Run `syncer undo {sync}` again to restore the remaining values.")
    return report.exit
