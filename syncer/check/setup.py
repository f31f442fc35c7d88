"""Checks the setup: pages, permissions, clock, git, state, quota and API key."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from syncer.check.findings import Finding, Level
from syncer.check.pages import FoundPages, check_pages, find_pages
from syncer.check.quota import check_quota
from syncer.commit.build import Author, require_tip
from syncer.commit.entry_changes import describe_refused
from syncer.config.api_key import CREDENTIAL
from syncer.config.formats import LONGEST_UNAUTHORIZED, duration
from syncer.config.hook_address import CREDENTIAL as HOOK_CREDENTIAL
from syncer.content.walk import Candidate
from syncer.decide.schedule import longest_interval
from syncer.diff_log.lines import LOG, oldest_time
from syncer.errors import GitError, KeyMissing, StateError, SyncerError
from syncer.git.remote import require_remote
from syncer.git.repository import Repository, find_repository, relative_to_top
from syncer.model import Bucket, Count, VideoId
from syncer.state.database import Database, open_copy, open_state
from syncer.state.directory import require_place
from syncer.state.ledger import QuotaLedger, UnitStock
from syncer.state.lock import is_held, require_writable
from syncer.state.search import oldest_reading
from syncer.state.syncs import last_whole_sync
from syncer.status.buckets import open_ledger
from syncer.status.leftovers import find_leftovers
from syncer.sync.open_state import saved_problems
from syncer.sync.options import Environment
from syncer.sync.readings import open_client
from syncer.wording import counted, utc
from syncer.youtube.answer import Outcome
from syncer.youtube.batches import TAKEN_OVER

if TYPE_CHECKING:
    from syncer.config.sections import Config

ANY_VIDEO = VideoId("dQw4w9WgXcQ")
"""Requested if the pages name no video: the check is whether YouTube answers at all."""

CONTAINER_SECRETS = "/run/secrets"
"""Where Podman and Docker mount secrets: nothing in the container can change their mode."""

OLDEST_PLAUSIBLE_YEAR = 2026
"""A clock with an earlier year is wrong: this program was made in this one."""


def check(
    config: Config,
    find_key: Callable[[], str],
    *,
    environ: Mapping[str, str],
    clock: Callable[[], datetime],
    sleep: Callable[[float], object],
    offline: bool,
) -> Iterator[Finding]:
    """Yield a finding for each thing looked at. Unless `offline`, one video is requested: one unit, counted in memory.

    `find_key` finds the API key or raises KeyMissing.
    """
    found, is_remote = find_pages(config), is_to_be_cloned(config)
    if is_remote:
        from syncer.check.in_fleet import check_clone

        yield from check_clone(config, offline=offline)
    else:
        yield from check_pages(config, found)
    if environ.get("SYSTEMD_EXEC_PID") == str(os.getpid()):  # a shell that a service started is no service
        yield from _check_service(config, environ)
    now = clock()
    if now.year < OLDEST_PLAUSIBLE_YEAR:
        message = f"The clock says {now:%Y-%m-%d}. Set it: with a wrong date, YouTube's certificate is refused."
        yield Finding("clock", Level.ERROR, message)
    else:
        yield Finding("clock", Level.OK, utc(now))
    yield from _check_thresholds(config)
    yield from _check_intervals(config, now)
    yield from () if is_remote else _check_git(config)
    try:
        _require_state(config, is_remote=is_remote)
        database = open_copy(config.state_directory, config.site)
    except SyncerError as error:
        yield Finding("state", Level.ERROR, str(error))
        yield _check_key(config, find_key)
        return
    with database:
        yield from _check_state(config, database, clock())
        yield from _check_kept(config, clock())
        yield from _check_leftovers(config, database, found)
        of_key = _check_key(config, find_key)
        key = find_key() if of_key.level is not Level.ERROR else ""
        with ExitStack() as stack:
            ledger: QuotaLedger | None = None
            try:
                ledger = stack.enter_context(open_ledger(config, database, clock(), key=key))
                yield from check_quota(config, ledger, clock())
                if isinstance(config.ledger_place, str):
                    from syncer.check.in_fleet import check_owner

                    yield from check_owner(config, config.ledger_place)
            except StateError as error:
                yield Finding("ledger", Level.ERROR, str(error))
            yield of_key
            if ledger and key and not offline:
                environment = Environment(key, clock, sleep)
                yield _check_youtube(config, environment, ledger, min(found.videos, default=ANY_VIDEO))


def is_to_be_cloned(config: Config) -> bool:
    """Whether the site is only in git: the worker of its host clones it."""
    return config.git.remote_is_url and isinstance(config.ledger_place, str) and not os.path.lexists(config.site)


def _require_state(config: Config, *, is_remote: bool) -> None:
    """Raise StateError where the state cannot be made or written; `is_remote`: the site is not here yet."""
    site, directory = Path(os.path.normpath(config.site)), config.state_directory
    if not is_remote:
        require_place(site, directory)
    if not (is_remote and directory.is_relative_to(site)):
        require_writable(directory)


def _check_service(config: Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield whether systemd's unit fits: its user, its sandbox, its credential."""
    wrong: list[Finding] = []
    us = os.geteuid()
    places = [os.path.join(config.site, collection.directory) for collection in config.collections]
    if config.write.file is not None:  # pages are only read
        places = [os.path.join(config.site, os.path.dirname(config.write.file))]
    state = config.state_directory
    for place in dict.fromkeys([*places, str(state if os.path.exists(state) else state.parent)]):
        if not os.path.isdir(place):
            continue  # reported above
        owner = os.stat(place).st_uid
        if owner != us:
            message = f"{place} belongs to user {owner}, but the service runs as user {us}. Set `User=` in the unit."
            wrong.append(Finding("service", Level.WARNING, message))
        if not os.access(place, os.W_OK):
            message = f"The service cannot write {place}. Add it to `ReadWritePaths=` in the unit."
            wrong.append(Finding("service", Level.ERROR, message))
    if config.youtube.api_key_file is None:
        line = f"LoadCredential={CREDENTIAL}:PATH"
        if environ.get(config.youtube.api_key_env):
            message = f"The API key is in the unit's environment, which every user can read. Use `{line}` instead."
            wrong.append(Finding("service", Level.WARNING, message))
        elif not os.path.exists(os.path.join(environ.get("CREDENTIALS_DIRECTORY", ""), CREDENTIAL)):
            wrong.append(Finding("service", Level.ERROR, f"The unit has no API key. Add `{line}` to it."))
    if environ.get(config.deploy.hook_env or ""):
        line = f"LoadCredential={HOOK_CREDENTIAL}:PATH"
        message = (
            f"The build hook's address is in the unit's environment, which every user can read. Use `{line}` instead."
        )
        wrong.append(Finding("service", Level.WARNING, message))
    yield from wrong or [Finding("service", Level.OK, "the unit's user, sandbox and credential are right")]


def _check_thresholds(config: Config) -> Iterator[Finding]:
    """Yield where `min_change` names a count that no key is mapped to."""
    own = [
        (f"collections[{number}].write.min_change", each.write.min_change or {}, set(each.fields.counts))
        for number, each in enumerate(config.collections)
    ]
    for key, thresholds, counts in [("write.min_change", config.write.min_change, config.mapped_counts), *own]:
        if set(thresholds) < set(Count):  # one number is for all three
            for count in sorted(set(thresholds) - counts):
                message = f"`{key}` has `{count}`, but `fields.counts` does not, so that has no effect. Remove it."
                yield Finding("write", Level.WARNING, message)


def _check_intervals(config: Config, now: datetime) -> Iterator[Finding]:
    """Yield where pages show numbers for longer than YouTube's terms allow, and where syncs are too rare."""
    pages = [(each.directory, each.fields) for each in config.collection_models()]
    for place, fields in [config.data_file] if config.data_file else pages:
        policy = fields.policy
        if policy is None or config.history.authorized:
            continue
        if policy.at_least_every is None and (policy.min_change or policy.display):
            wrong = "`min_change` or `rounding` is set without `at_least_every`"
        elif any(every and every > LONGEST_UNAUTHORIZED for every in (policy.at_least_every, policy.at_most_every)):
            wrong = "`at_least_every` or `at_most_every` is longer than 30 days"
        else:
            continue
        message = (
            f"{place}: {wrong}, so a number can stay for longer than the 30 days that YouTube's terms allow. Set"
            " `at_least_every: 28d`, and `at_most_every`, if you use it, to no more than that."
        )
        yield Finding("write", Level.WARNING, message)
    longest, within = longest_interval(config.schedule.as_model(), now), config.schedule.refresh_within
    if longest - config.schedule.jitter > within:
        message = (
            f"Up to {counted(longest.days, 'day')} pass between two scheduled syncs. That is longer than"
            f" `refresh_within` ({duration(within)}). Sync more often."
        )
        yield Finding("schedule", Level.WARNING, message)


def _check_git(config: Config) -> Iterator[Finding]:
    """Yield whether changes can be reviewed and, if the config says so, whether they could be committed and pushed."""
    commit = config.git.commit
    try:
        repository = find_repository(os.path.realpath(config.site))
        if repository is None:
            without = (
                ", so counts cannot be committed. Run `git init`." if commit else ". Run `git init` to review changes."
            )
            level = Level.ERROR if commit else Level.WARNING
            yield Finding("git", level, f"The site is not in a git repository{without}")
            return
        yield Finding("git", Level.OK, "the site is in a git repository; `git diff` shows what syncer changes")
        if commit:
            yield from _check_commit(config, repository)
    except GitError as error:
        yield Finding("git", Level.ERROR if commit else Level.WARNING, str(error))


def _check_commit(config: Config, repository: Repository) -> Iterator[Finding]:
    try:
        Author(config.git.author).variables(repository)
        if config.git.push:
            require_remote(repository, config.git.remote, is_url=config.git.remote_is_url)
    except GitError as error:
        yield Finding("git", Level.ERROR, str(error))
        return
    try:
        tip = require_tip(repository)
    except GitError as error:
        yield Finding("git", Level.WARNING, str(error))
        return
    if config.data_file:
        path, fields = config.data_file
        real = relative_to_top(repository, os.path.realpath(os.path.join(config.site, path)))
        files = [(real, Candidate(path, (fields,)))] if real else []
        for sentence in describe_refused(repository, tip.commit, files):
            yield Finding("git", Level.WARNING, f"{sentence}.")
    branch = tip.branch.removeprefix("refs/heads/")
    message = f"each sync commits to {branch}"
    if config.git.push:
        remote = config.git.remote
        message += f" and pushes to {remote}. Not tested here: run `git push --dry-run {quote(remote)} HEAD`."
    yield Finding("git", Level.OK, message)


def _check_state(config: Config, database: Database, now: datetime) -> Iterator[Finding]:
    """Yield when the last sync was, and whether other users can replace the files of the state."""
    last = last_whole_sync(database)
    if last is None:
        yield Finding("state", Level.OK, f"{config.state_directory}: no sync yet")
    elif last > now:
        message = f"The last sync was at {utc(last)}, which is in the future. Set the clock."
        yield Finding("state", Level.WARNING, message)
    else:
        yield Finding("state", Level.OK, f"{config.state_directory}: last sync at {utc(last)}")
    directory = config.state_directory
    if not directory.is_dir():
        return
    status = directory.stat()
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX:
        yield Finding(
            "state", Level.WARNING, f"Other users can write {directory}. Run `chmod go-w {quote(str(directory))}`."
        )
    if status.st_uid not in {os.geteuid(), 0} and os.geteuid():
        message = f"{directory} belongs to user {status.st_uid}, who can replace its files. Change its owner."
        yield Finding("state", Level.WARNING, message)


def _check_kept(config: Config, now: datetime) -> Iterator[Finding]:
    """Yield how old the oldest stored number is, and what else has old numbers, which syncer cannot delete."""
    directory = config.state_directory
    try:
        with open_state(directory, config.site) as database:
            times = [oldest_reading(database), oldest_time(directory / LOG)]
    except StateError as error:
        yield Finding("history", Level.ERROR, str(error))
        return
    oldest = min((at for at in times if at), default=None)
    if oldest is None:
        return
    age = now - oldest
    message = f"the oldest stored number is {counted(max(0, age.days), 'day')} old"
    if age > max(config.history.keep, LONGEST_UNAUTHORIZED):
        message = f"{message.capitalize()}, older than `history.keep`. Run `syncer purge`, and sync regularly."
        yield Finding("history", Level.WARNING, message)
    else:
        message += ". Old numbers in git's history and in backups are outside of syncer's reach."
        yield Finding("history", Level.OK, message)


def _check_leftovers(config: Config, database: Database, found: FoundPages) -> Iterator[Finding]:
    if is_held(config.state_directory):
        yield Finding("state", Level.OK, "a sync is writing now")
        return
    for problem in saved_problems(config.state_directory):
        yield Finding("state", Level.WARNING, f"{problem.subject}: {problem.message}")
    leftovers = find_leftovers(os.path.realpath(config.site), database)
    files = [path for path in leftovers.files.union(found.left_over) if os.path.exists(path)]
    if files or leftovers.written or leftovers.unwritten:
        yield Finding(
            "state",
            Level.WARNING,
            f"The last sync was interrupted. The next one logs {counted(leftovers.written, 'value')} that it had"
            f" written, discards {counted(leftovers.unwritten, 'value')} that it had not, and removes"
            f" {counted(len(files), 'temporary file')}.",
        )


def _check_key(config: Config, find_key: Callable[[], str]) -> Finding:
    """Return whether there is an API key that only its owner can read."""
    try:
        find_key()
    except KeyMissing as error:
        return Finding("key", Level.ERROR, str(error))
    name = config.youtube.api_key_file
    file = None if name is None else config.site / name
    if file is not None and os.path.exists(file) and file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        is_secret = file.is_relative_to(CONTAINER_SECRETS)
        remedy = (
            "Mount the secret with `uid=$(id -u),mode=0400`" if is_secret else f"Run `chmod 600 {quote(str(file))}`"
        )
        return Finding("key", Level.WARNING, f"Other users can read {file}. {remedy}.")
    return Finding("key", Level.OK, "an API key is set")


def _check_youtube(config: Config, environment: Environment, ledger: QuotaLedger, video: VideoId) -> Finding:
    """Request one video, and return whether YouTube answers: as in a sync, one method takes over from the other."""
    stock = UnitStock(ledger, environment.clock, scheduled=False)  # it counts in memory: nothing has to be given back
    with open_client(config, environment, stock.spend) as client:
        first = answer = client.fetch(Bucket.STATS, [video])
        if first.outcome in TAKEN_OVER:
            answer = client.fetch(Bucket.GENERAL, [video])
    if first is not answer and answer.outcome is Outcome.ANSWERED:
        return Finding("youtube", Level.WARNING, f"Syncs use videos.list instead: {first.message}")
    if answer.outcome is Outcome.ANSWERED:
        cost = counted(client.request_log.units.total(), "unit")
        return Finding("youtube", Level.OK, f"YouTube answers; this check cost {cost}")
    level = Level.WARNING if answer.outcome is Outcome.SPENT else Level.ERROR
    return Finding("youtube", level, answer.message or answer.outcome.value)
