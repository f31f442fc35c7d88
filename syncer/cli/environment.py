"""What a command that writes needs: the time, a progress bar, and signals that stop it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from syncer.cli.progress import Progress
from syncer.cli.settings import Settings
from syncer.cli.stopping import stop_on_signals
from syncer.sync.options import Environment, Listener


@contextmanager
def stoppable(settings: Settings, *, key: str = "", dry_run: bool = False) -> Iterator[tuple[Environment, Listener]]:
    """Give what a sync needs and whom it informs, while the block runs. `key` is the API key, where one is needed."""
    with Progress(enabled=not settings.quiet, dry_run=dry_run) as progress, stop_on_signals() as stopped:
        environment = Environment(key, lambda: datetime.now(UTC), stopped.wait, stopped.is_set)
        yield environment, Listener(progress=progress.advance)
