"""What a command that syncs needs: the time, signals that stop it, and a progress bar on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from syncer.cli.settings import Settings
from syncer.cli.stopping import stop_on_signals
from syncer.control import Stage
from syncer.sync.options import Environment, Listener

if TYPE_CHECKING:
    from rich.progress import TaskID

STAGES: dict[Stage, str] = {"scan": "Scanning pages", "ask": "Requesting counts", "write": "Writing pages"}
DRY_RUN_STAGES: dict[Stage, str] = STAGES | {"write": "Comparing pages"}

BAR_COLOUR = "cyan"
"""The bar's colour: Rich's own is the red of an error."""


@contextmanager
def stoppable(
    settings: Settings, *, key: str = "", hook: str | None = None, dry_run: bool = False
) -> Iterator[tuple[Environment, Listener]]:
    """Give what a sync needs, and whom it informs, while the block runs.

    `key` is the API key, if one is needed; `hook` the address of the build hook, if it is known.
    """
    with ProgressBar(enabled=not settings.quiet, dry_run=dry_run) as progress, stop_on_signals() as stopped:
        environment = Environment(key, lambda: datetime.now(UTC), stopped.wait, stopped.is_set, hook)
        yield environment, Listener(progress=progress.advance)


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
