"""What a command that writes has around it: the time, a progress bar, and signals that stop it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from syncer.cli.progress import Progress
from syncer.cli.settings import Settings
from syncer.cli.stopping import stop_on_signals
from syncer.sync.options import Surroundings


@contextmanager
def stoppable(settings: Settings, *, key: str = "", dry_run: bool = False) -> Iterator[Surroundings]:
    """Give the surroundings while the block runs. `key` is YouTube's, where it is asked."""
    with Progress(enabled=not settings.quiet, dry_run=dry_run) as progress, stop_on_signals() as stopped:
        yield Surroundings(
            key=key,
            clock=lambda: datetime.now(UTC),
            sleep=stopped.wait,
            cancelled=stopped.is_set,
            progress=progress.advance,
        )
