"""Begins what writes: takes the lock, opens the state and the diff log, and settles what a crash left behind."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from syncer.diff_log.lines import LOG
from syncer.diff_log.log import DiffLog
from syncer.errors import Locked, StateDamaged, StateError
from syncer.model import Problem, ProblemKind
from syncer.state.database import NAME, Database, open_database, open_to_read, set_aside
from syncer.state.lock import LOCK_TIMEOUT, hold_lock
from syncer.state.syncs import has_sync, last_seq
from syncer.status.leftovers import find_remains
from syncer.sync.options import Environment, Listener, Options, Sync
from syncer.sync.recover import recover, saving
from syncer.sync.sync_log import log_unsettled, tell_lost, tell_recovered
from syncer.sync.tally import Tally

if TYPE_CHECKING:
    from syncer.config.sections import Config


@dataclass(frozen=True, slots=True)
class Opened:
    """What is open for writing, and for nobody else meanwhile."""

    database: Database
    diff_log: DiffLog
    problems: tuple[Problem, ...]
    """What could not be settled, and what a lost state costs."""


@contextmanager
def open_for_writing(
    config: Config,
    *,
    clock: Callable[[], datetime],
    sleep: Callable[[float], object],
    lost: str | None = None,
    timeout: float | None = None,
) -> Iterator[Opened]:
    """Hold the lock and give the state and the diff log, with all settled that a crash left behind.

    A damaged state is set aside, and a new one begun; `lost` says that this has happened just now. Damage that the
    block meets is set aside after it. `timeout`: seconds to wait for another writer, else a minute. Raises Locked,
    Stopped, StateError and, after that, StateDamaged.
    """
    directory = config.state_directory
    with hold_lock(directory, timeout=LOCK_TIMEOUT if timeout is None else timeout, sleep=sleep):
        try:
            opened = _open(config, clock(), lost)
        except StateDamaged:
            aside = set_aside(directory, clock())
            opened = _open(config, clock(), f"was damaged, and is now {aside.name}")
        try:
            with opened.database, opened.diff_log:
                yield opened
        except StateDamaged as error:
            aside = set_aside(directory, clock())
            raise StateDamaged(error.what, f"it is set aside as {aside.name}; run the command again") from error


def settle(config: Config, clock: Callable[[], datetime]) -> None:
    """Settle what a crash left behind, and nothing else; where another command writes right now, it has done so.

    A problem of the state itself is left to the next sync, which reports it.
    """
    site = os.path.realpath(config.site)
    try:
        database = open_to_read(config.state_directory, site)
        if database is None:
            return
        with database:
            remains = find_remains(site, database)
        if remains.any:
            with suppress(Locked), open_for_writing(config, clock=clock, sleep=lambda _: None, timeout=0):
                pass
    except StateError as error:
        log_unsettled(error)


def begin(
    config: Config,
    options: Options,
    environment: Environment,
    listener: Listener,
    opened: Opened,
    *,
    started: datetime,
) -> Sync:
    """Return a sync that writes; nothing of it is done yet."""
    tally = new_tally(opened.database, started)
    tally.problems += opened.problems
    site = os.path.realpath(config.site)
    return Sync(config, options, environment, listener, site, opened.database, opened.diff_log, tally)


def new_tally(database: Database, started: datetime) -> Tally:
    """Return the tally of a sync with a name of its own, also where the clock stands still."""
    while True:
        name = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
        if not has_sync(database, name):
            return Tally(name, started)


def _open(config: Config, now: datetime, lost: str | None) -> Opened:
    """Open both and settle what a crash left behind. `lost` is what became of the state before; None: look."""
    site, directory = os.path.realpath(config.site), config.state_directory
    lost = lost or ("is gone" if _is_gone(directory) else None)
    with ExitStack() as stack:
        database = stack.enter_context(open_database(directory, site))
        diff_log = stack.enter_context(DiffLog(directory / LOG, last_seq(database)))
        remains = recover(site, database, diff_log, now, saving(directory, now))
        tell_recovered(remains)
        problems = [*remains.problems]
        if lost:
            problems.append(_state_lost(lost))
            tell_lost(lost)
        stack.pop_all()
    return Opened(database, diff_log, tuple(problems))


def _is_gone(directory: Path) -> bool:
    """Whether there is a log and no state beside it."""
    state, log = directory / NAME, directory / LOG
    return not (state.exists() and state.stat().st_size) and log.exists() and log.stat().st_size > 0


def _state_lost(what: str) -> Problem:
    return Problem(
        ProblemKind.STATE_LOST,
        NAME,
        f"The state {what}. With it went the videos' histories, what was undone and is held, since when videos are"
        " missing, and how many units were spent today; a new one is begun from the pages and the diff log."
        " There is nothing to do.",
    )
