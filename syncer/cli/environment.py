"""What a command that syncs needs: the time, signals that stop it, and a progress bar on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from syncer.cli.settings import Settings
from syncer.cli.stopping import StopSignal, stop_on_signals
from syncer.control import Stage
from syncer.sync.options import Environment, Listener, Options

if TYPE_CHECKING:
    from rich.progress import TaskID

    from syncer.cli.changes import ChangeList
    from syncer.config.sections import Config
    from syncer.status.report import SyncReport

STAGES: dict[Stage, str] = {"scan": "Scanning pages", "ask": "Requesting counts", "write": "Writing pages"}
DRY_RUN_STAGES: dict[Stage, str] = STAGES | {"write": "Comparing pages"}

BAR_COLOUR = "cyan"
"""The bar's colour: Rich's own is the red of an error."""


@contextmanager
def stoppable(
    settings: Settings,
    *,
    key: str = "",
    hook: str | None = None,
    dry_run: bool = False,
    stopped: StopSignal | None = None,
) -> Iterator[tuple[Environment, Listener]]:
    """Give what a sync needs, and whom it informs, while the block runs.

    `key` is the API key, if one is needed; `hook` the address of the build hook, if it is known;
    `stopped` is what a signal sets, if it stops more than this block.
    """
    with ProgressBar(enabled=not settings.quiet, dry_run=dry_run) as progress, stop_on_signals(stopped) as stop:
        environment = Environment(key, lambda: datetime.now(UTC), stop.wait, stop.is_set, hook)
        yield environment, Listener(progress=progress.advance)


def sync_one(
    settings: Settings,
    config: Config,
    secrets: tuple[str, str | None],
    options: Options,
    *,
    keep_all: bool,
    stopped: StopSignal | None = None,
) -> tuple[SyncReport, ChangeList]:
    """Sync a site with a progress bar, and return the report and the changes to show: the first, or `keep_all`.

    `secrets` are the API key and the address of the build hook. `stopped` is what a signal sets, if it stops more than
    this sync. Raises what `make_sync` raises.
    """
    from syncer.cli.changes import ChangeList
    from syncer.sync.make import make_sync

    changes, (key, hook) = ChangeList(keep_all=keep_all), secrets
    with stoppable(settings, key=key, hook=hook, dry_run=options.dry_run, stopped=stopped) as (environment, progress):
        listener = replace(progress, changed=changes.add, previewed=changes.preview)
        return make_sync(config, options, environment, listener), changes


class ProgressBar:
    """A bar for each stage that a sync has reached; nothing where standard error is not a terminal."""

    def __init__(self, *, enabled: bool, dry_run: bool = False) -> None:
        self._bars = None
        self._stages = DRY_RUN_STAGES if dry_run else STAGES
        self._tasks: dict[Stage, TaskID] = {}
        self._stack = ExitStack()
        if enabled and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(complete_style=BAR_COLOUR, finished_style=BAR_COLOUR, pulse_style=BAR_COLOUR),
                MofNCompleteColumn(),
            )
            self._bars = Progress(*columns, console=Console(stderr=True), transient=True)

    def advance(self, stage: Stage, done: int, total: int | None) -> None:
        """Show how far a stage is."""
        if self._bars is None:
            return
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(self._stages[stage], total=total)
        self._bars.update(self._tasks[stage], completed=done, total=total)

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._stack.enter_context(self._bars)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()
