"""Opens the state for a command that writes: takes the lock, and completes what a crash interrupted."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from syncer.content.left_over import Save, settle_left_over
from syncer.content.page_file import touch
from syncer.decide.diff import suppressed_by
from syncer.diff_log.lines import LOG
from syncer.diff_log.log import DiffLog
from syncer.errors import Locked, StateDamaged, StateError
from syncer.model import Change, Problem, ProblemKind
from syncer.state.database import Database, open_database, open_to_read, set_aside
from syncer.state.directory import DATABASE_FILE, make_directories_above, require_place, save_edit, saved_edits
from syncer.state.intents import Record, forget_intents, mark_done, unsettled_batches
from syncer.state.lock import LOCK_TIMEOUT, hold_lock
from syncer.state.syncs import has_sync, last_seq
from syncer.status.leftovers import find_leftovers, new_files, real_pages, unwritten_intents
from syncer.sync.options import Environment, Listener, Options, Sync, Tally
from syncer.sync.sync_log import log_edit_saved, log_recovered, log_state_lost, log_unsettled

if TYPE_CHECKING:
    from syncer.config.sections import Config


@dataclass(frozen=True, slots=True)
class OpenState:
    """A site's state and diff log, open for writing; no other command writes meanwhile."""

    database: Database
    diff_log: DiffLog
    problems: Sequence[Problem]
    """What could not be completed, and what a lost state costs."""


@contextmanager
def open_for_writing(
    config: Config,
    *,
    clock: Callable[[], datetime],
    sleep: Callable[[float], object],
    lost: str | None = None,
    timeout: float | None = None,
) -> Iterator[OpenState]:
    """Hold the lock and give the state and the diff log, with all settled that a crash left behind.

    A damaged state is set aside, and a new one is started; `lost` says that this has just happened. If the block finds
    damage, the state is set aside after it. `timeout`: seconds to wait for another writer; None: a minute. Raises
    Locked, Stopped, StateError and, after setting it aside, StateDamaged.
    """
    directory = config.state_directory
    if not (os.path.isdir(config.site) and os.path.isdir(directory.parent)):
        require_own_place(config)
    with hold_lock(directory, timeout=LOCK_TIMEOUT if timeout is None else timeout, sleep=sleep):
        try:
            state = _open(config, clock(), lost)
        except StateDamaged:
            aside = set_aside(directory, clock())
            state = _open(config, clock(), f"was damaged and was renamed to {aside.name}")
        try:
            with state.database, state.diff_log:
                yield state
        except StateDamaged as error:
            aside = set_aside(directory, clock())
            raise StateDamaged(error.what, f"it was renamed to {aside.name}; run the command again") from error


def require_own_place(config: Config) -> None:
    """Raise StateError where the state may not be created: the site is missing or empty, as without its disk.

    Directories between the site and its state are created.
    """
    site, directory = Path(os.path.normpath(config.site)), config.state_directory
    require_place(site, directory)
    if not directory.parent.is_dir():
        make_directories_above(directory, site)


def settle(config: Config, clock: Callable[[], datetime]) -> None:
    """Complete what a crash interrupted, and nothing else; if another command is writing now, it has done that already.

    A problem with the state itself is left to the next sync, which reports it.
    """
    site = os.path.realpath(config.site)
    try:
        database = open_to_read(config.state_directory, site)
        if database is None:
            return
        with database:
            leftovers = find_leftovers(site, database)
        if leftovers.any:
            with suppress(Locked), open_for_writing(config, clock=clock, sleep=lambda _: None, timeout=0):
                pass
    except StateError as error:
        log_unsettled(error)


def begin(
    config: Config,
    options: Options,
    environment: Environment,
    listener: Listener,
    state: OpenState,
    *,
    started: datetime,
) -> Sync:
    """Return a sync that writes; it has done nothing yet."""
    tally = new_tally(state.database, started)
    tally.problems += state.problems
    site = os.path.realpath(config.site)
    return Sync(config, options, environment, listener, site, state.database, state.diff_log, tally)


def new_tally(database: Database, started: datetime) -> Tally:
    """Return the tally of a sync with a new name, also if the clock shows the same time twice."""
    while True:
        name = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
        if not has_sync(database, name):
            return Tally(name, started)


def saving(directory: Path, now: datetime) -> Save:
    """Return what saves an author's edit in this state's directory, and logs it."""

    def save(path: str, page: str) -> None:
        log_edit_saved(page, save_edit(directory, path, page, now))

    return save


def saved_problems(directory: Path) -> list[Problem]:
    """Return a Problem for each edit that is saved in this state's directory, until you remove its copy."""
    return [
        Problem(
            ProblemKind.EDIT_SAVED,
            edit.page,
            f"This page was saved just as a sync was interrupted. That version is kept in {edit.file}: compare it with"
            " the page, copy what you need, then remove it.",
        )
        for edit in saved_edits(directory)
    ]


def _open(config: Config, now: datetime, lost: str | None) -> OpenState:
    """Open both and complete what a crash interrupted. `lost`: what happened to the state before; None: find out."""
    site, directory = os.path.realpath(config.site), config.state_directory
    state, log = directory / DATABASE_FILE, directory / LOG
    if not (lost or (state.exists() and state.stat().st_size)) and log.exists() and log.stat().st_size:
        lost = "is gone"
    with ExitStack() as stack:
        database = stack.enter_context(open_database(directory, site))
        diff_log = stack.enter_context(DiffLog(log, last_seq(database)))
        leftovers = find_leftovers(site, database)
        problems = _recover(config, database, diff_log, now, saving(directory, now))
        log_recovered(leftovers)
        if lost:
            message = (
                f"The state {lost}, so syncer started a new one. Lost are the histories of videos, what you undid,"
                " which readings were held, since when videos are missing, which pages wait for the build hook, and the"
                " units spent today, unless `quota.ledger` counts them. There is nothing to do."
            )
            problems.append(Problem(ProblemKind.STATE_LOST, DATABASE_FILE, message))
            log_state_lost(lost)
        stack.pop_all()
    return OpenState(database, diff_log, problems)


def _recover(config: Config, database: Database, diff_log: DiffLog, now: datetime, save: Save) -> list[Problem]:
    """Complete what a crash interrupted, and return what could not be. The lock must be held. Raises StateError.

    The intents that a page shows were written, and are logged; the others were not, or were overwritten since. Being
    interrupted here, too, does no harm. `save` keeps what an author wrote at the last moment, if only a left-over file
    has it.
    """
    site, problems = os.path.realpath(config.site), list[Problem]()
    for batch in unsettled_batches(database):
        pages = real_pages(site, batch)
        problems += settle_left_over(site, new_files(pages), batch.mappings, pages.__contains__, save)
        not_done = unwritten_intents(site, batch)  # after that: what was put back there is not done
        at, first = batch.done_at, batch.first_seq
        if at is None:
            at, first = now, diff_log.last_seq + 1
            done = [change for number, change in batch.changes.items() if number not in not_done]
            touch(pages & {os.path.realpath(os.path.join(site, change.path)) for change in done})
            records = records_with(config, database, done, at, started=at, began=at)
            mark_done(database, batch.number, not_done, at, first, suppressed=suppressed_by(done), records=records)
        entries = [intent.entry for number, intent in batch.intents.items() if number not in not_done]
        diff_log.append(batch.sync, at, entries, first)
        forget_intents(database, batch.number)
    return problems


def records_with(
    config: Config, database: Database, done: Sequence[Change], at: datetime, *, started: datetime, began: datetime
) -> list[Record]:
    """Return what to record with a batch besides its lines: for the config's write policies, and for its build hook.

    `at` is when the batch was written, `started` and `began` are when its sync started and its round began.
    """
    records: list[Record] = []
    if config.policies:
        from syncer.sync.hold_back import recording_of

        records.append(recording_of(config, done, started, began))
    if config.deploy.hook_env and done:
        from syncer.state.builds import note_changed_pages, pages_to_build

        records.append(partial(note_changed_pages, paths=pages_to_build(database, done, config.write.file), at=at))
    return records
