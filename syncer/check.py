"""The doctor: looks at config, content, key, quota, git, clock, permissions and state, and says what to do."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from syncer.commit.build import Author, require_tip
from syncer.config.api_key import CREDENTIAL
from syncer.content.replace import is_read_only
from syncer.content.scan import MiscasedKey, miscased_problems, read_pages
from syncer.content.walk import Candidate, LeftoverFile, walk
from syncer.errors import GitError, KeyMissing, SyncerError
from syncer.front_matter.video_id import is_possible
from syncer.git.remote import require_remote
from syncer.git.repository import Repository, find_repository
from syncer.model import Bucket, Page, Problem, VideoId
from syncer.state.database import Database, open_copy
from syncer.state.lock import is_held
from syncer.state.syncs import last_whole_sync
from syncer.status.buckets import bucket_statuses, in_words
from syncer.status.leftovers import find_leftovers
from syncer.sync.open_state import saved_problems
from syncer.sync.options import Environment
from syncer.sync.readings import open_client, spending
from syncer.wording import counted, utc
from syncer.youtube.answer import Outcome

if TYPE_CHECKING:
    from syncer.config.sections import Config

SHOWN_EXAMPLES = 5
"""Examples named in one finding."""

ANY_VIDEO = VideoId("dQw4w9WgXcQ")
"""Requested where the pages name no video: what counts is whether YouTube answers at all."""

CONTAINER_SECRETS = "/run/secrets"
"""Where Podman and Docker mount secrets: nothing in the container can change their mode."""

OLDEST_PLAUSIBLE_YEAR = 2026
"""A clock that says an earlier one is wrong: this program was made in it."""


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    name: str
    level: Level
    message: str
    """What is so and, unless all is well, what to do."""


@dataclass(slots=True)
class _Content:
    """What the pages hold."""

    pages: set[str] = field(default_factory=set)
    """Their paths: a page of two collections is one page."""
    values: int = 0
    videos: set[VideoId] = field(default_factory=set)
    read_only: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    miscased: list[Problem] = field(default_factory=list)
    """Keys in other letters than the config has."""
    skipped: set[str] = field(default_factory=set)
    """The paths of pages that a sync skips."""


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
    content = _read_content(config)
    yield from _check_content(config, content)
    yield from _check_permissions(config, content)
    if environ.get("SYSTEMD_EXEC_PID") == str(os.getpid()):  # a shell that a service started is no service
        yield from _check_service(config, environ)
    now = clock()
    if now.year < OLDEST_PLAUSIBLE_YEAR:
        message = f"the clock says {now:%Y-%m-%d}; set it, or YouTube's certificate is refused"
        yield Finding("clock", Level.ERROR, message)
    else:
        yield Finding("clock", Level.OK, utc(now))
    yield from _check_git(config)
    try:
        database = open_copy(config.state_directory, config.site)
    except SyncerError as error:
        yield Finding("state", Level.ERROR, str(error))
        return
    with database:
        yield from _check_state(config, database, clock())
        yield from _check_leftovers(config, database, content)
        for bucket, status in bucket_statuses(config, database, clock()).items():
            if status.scheduled:
                yield Finding("quota", Level.OK, f"{bucket}: {in_words(status)}")
            else:
                remedy = "nothing to do: a new quota day begins at midnight Pacific"
                yield Finding("quota", Level.WARNING, f"{bucket}: {in_words(status)}; {remedy}")
        yield from _check_key(config, find_key, database, content, clock=clock, sleep=sleep, offline=offline)


def _read_content(config: Config) -> _Content:
    """Read the pages of the directories that exist, and those that a sync skips."""
    content, site = _Content(), os.path.realpath(config.site)
    collections = config.collection_models()
    present = [c for c in collections if os.path.isdir(os.path.join(site, c.directory))]
    found = list(walk(site, present, skipped=True))
    skipped = [item for item in found if isinstance(item, Candidate) and item.skipped]
    pages: list[Page] = []
    miscased: list[MiscasedKey] = []
    for item in read_pages(site, (item for item in found if not (isinstance(item, Candidate) and item.skipped))):
        match item:
            case Page():
                pages.append(item)
                content.videos.update(slot.video_id for slot in item.slots)
                content.values += sum(len(slot.values) for slot in item.slots)
                path = os.path.join(site, item.path)
                is_locked = is_read_only(path, os.stat(path)) or not os.access(os.path.dirname(path), os.W_OK)
                if is_locked and item.path not in content.pages:
                    content.read_only.append(item.path)
                content.pages.add(item.path)
            case MiscasedKey():
                miscased.append(item)
            case LeftoverFile():
                content.left_over.append(item.path)
            case Problem():
                content.problems.append(item)
    content.miscased += miscased_problems(present, pages, miscased)
    content.skipped.update(page.path for page in read_pages(site, skipped) if isinstance(page, Page))
    return content


def _check_content(config: Config, content: _Content) -> Iterator[Finding]:
    site = os.path.realpath(config.site)
    for collection in config.collections:
        if not os.path.isdir(os.path.join(site, collection.directory)):
            message = f"{collection.directory} is no directory of {site}; correct the config"
            yield Finding("content", Level.ERROR, message)
    pages = counted(len(content.pages), "page")
    if not content.pages:
        message = "no page names a video; check `directory`, `include` and `fields.video_id`, or run `syncer init`"
        yield Finding("content", Level.ERROR, message)
    elif not content.values:
        message = f"{pages}, but no count; check `fields.counts`, or set insert_missing: true"
        yield Finding("content", Level.WARNING, message)
    else:
        videos, counts = counted(len(content.videos), "video"), counted(content.values, "count")
        yield Finding("content", Level.OK, f"{pages} with {videos} and {counts}")
    for problem in content.miscased:
        yield Finding("content", Level.WARNING, f"{problem.subject}: {problem.message}")
    if content.problems:
        kinds = ", ".join(f"{kind} ({number:,})" for kind, number in Counter(p.kind for p in content.problems).items())
        yield Finding("content", Level.WARNING, f"problems in the pages: {kinds}; `syncer sync --dry-run` names them")
    if content.skipped:
        directories = "directories whose names begin with a dot, or in node_modules"
        message = (
            f"{counted(len(content.skipped), 'page')} with a video skipped, in {directories}:"
            f" {_examples(sorted(content.skipped))}; to sync them, name the directory in `include`; to hide this line,"
            " name it in `exclude`"
        )
        yield Finding("content", Level.WARNING, message)
    odd = sorted(video for video in content.videos if not is_possible(video))
    if odd:
        yield Finding("ids", Level.WARNING, f"YouTube gives out no such ids, look for typos: {_examples(odd)}")
    else:
        yield Finding("ids", Level.OK, "every id is one that YouTube can have given out")


def _check_permissions(config: Config, content: _Content) -> Iterator[Finding]:
    if content.read_only:
        message = (
            f"{counted(len(content.read_only), 'page')} read-only, or in a read-only directory: "
            f"{_examples(content.read_only)}; allow writing, or exclude"
        )
        yield Finding("permissions", Level.ERROR, message)
    place = config.state_directory
    while not os.path.exists(place):
        place = place.parent
    listed = place == config.state_directory and os.path.isdir(place) and os.access(place, os.R_OK)
    own = place.iterdir() if listed else ()
    stuck = [path for path in (place, *own) if not os.access(path, os.W_OK)]
    if stuck or not os.path.isdir(place):
        message = f"{stuck[0] if stuck else place} cannot be written; allow it, or set state.directory"
        yield Finding("permissions", Level.ERROR, message)
    elif not content.read_only:
        yield Finding("permissions", Level.OK, "pages and state can be written")


def _check_service(config: Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look whether systemd's unit fits: its user, its sandbox, its credential."""
    wrong: list[Finding] = []
    us = os.geteuid()
    places = [os.path.join(config.site, collection.directory) for collection in config.collections]
    state = config.state_directory
    for place in dict.fromkeys([*places, str(state if os.path.exists(state) else state.parent)]):
        if not os.path.isdir(place):
            continue  # reported above
        owner = os.stat(place).st_uid
        if owner != us:
            message = f"{place} belongs to user {owner}, and the service runs as {us}; set User= of the unit"
            wrong.append(Finding("service", Level.WARNING, message))
        if not os.access(place, os.W_OK):
            message = f"the service may not write {place}; add it to ReadWritePaths= of the unit"
            wrong.append(Finding("service", Level.ERROR, message))
    if config.youtube.api_key_file is None:
        line = f"LoadCredential={CREDENTIAL}:PATH"
        if environ.get(config.youtube.api_key_env):
            message = f"the key is in the unit's environment, which every user may read; write `{line}` instead"
            wrong.append(Finding("service", Level.WARNING, message))
        elif not os.path.exists(os.path.join(environ.get("CREDENTIALS_DIRECTORY", ""), CREDENTIAL)):
            wrong.append(Finding("service", Level.ERROR, f"the unit hands over no key; write `{line}` in it"))
    yield from wrong or [Finding("service", Level.OK, "the unit's user, sandbox and credential fit")]


def _check_git(config: Config) -> Iterator[Finding]:
    """Look whether what syncer changes can be reviewed and, if it is to commit and to push, whether it could now."""
    commit = config.git.commit
    try:
        repository = find_repository(os.path.realpath(config.site))
        if repository is None:
            without = "syncer cannot commit; run `git init`" if commit else "`git init` lets you review what changes"
            level = Level.ERROR if commit else Level.WARNING
            yield Finding("git", level, f"the site is in no git repository; {without}")
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
            require_remote(repository, config.git.remote)
    except GitError as error:
        yield Finding("git", Level.ERROR, str(error))
        return
    try:
        tip = require_tip(repository)
    except GitError as error:
        yield Finding("git", Level.WARNING, str(error))
        return
    branch = tip.branch.removeprefix("refs/heads/")
    there = f", and pushed to {config.git.remote}" if config.git.push else ""
    yield Finding("git", Level.OK, f"counts are committed to {branch}{there}")


def _check_state(config: Config, database: Database, now: datetime) -> Iterator[Finding]:
    """Yield when the last sync was, and whether others can replace the files of the state."""
    last = last_whole_sync(database)
    if last is None:
        yield Finding("state", Level.OK, f"{config.state_directory}: no sync yet")
    elif last > now:
        message = f"the last sync was at {utc(last)}, which is to come; set the clock"
        yield Finding("state", Level.WARNING, message)
    else:
        yield Finding("state", Level.OK, f"{config.state_directory}: last sync at {utc(last)}")
    directory = config.state_directory
    if not directory.is_dir():
        return
    status = directory.stat()
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX:
        yield Finding("state", Level.WARNING, f"{directory} can be written by other users; chmod go-w it")
    if status.st_uid not in {os.geteuid(), 0} and os.geteuid():
        message = f"{directory} belongs to user {status.st_uid}, who can replace what is in it; change its owner"
        yield Finding("state", Level.WARNING, message)


def _check_leftovers(config: Config, database: Database, content: _Content) -> Iterator[Finding]:
    if is_held(config.state_directory):
        yield Finding("state", Level.OK, "a sync is writing right now")
        return
    for problem in saved_problems(config.state_directory):
        yield Finding("state", Level.WARNING, f"{problem.subject}: {problem.message}")
    leftovers = find_leftovers(os.path.realpath(config.site), database)
    files = [path for path in leftovers.files.union(content.left_over) if os.path.exists(path)]
    if files or leftovers.written or leftovers.unwritten:
        yield Finding(
            "state",
            Level.WARNING,
            f"the last sync was cut short; the next one logs {counted(leftovers.written, 'count')} that it had written,"
            f" forgets {counted(leftovers.unwritten, 'count')} that it had not, "
            f"and removes {counted(len(files), 'left-over file')}",
        )


def _check_key(
    config: Config,
    find_key: Callable[[], str],
    database: Database,
    content: _Content,
    *,
    clock: Callable[[], datetime],
    sleep: Callable[[float], object],
    offline: bool,
) -> Iterator[Finding]:
    try:
        key = find_key()
    except KeyMissing as error:
        yield Finding("key", Level.ERROR, str(error))
        return
    name = config.youtube.api_key_file
    file = None if name is None else config.site / name
    if file is not None and os.path.exists(file) and file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        is_secret = file.is_relative_to(CONTAINER_SECRETS)
        remedy = "mount the secret with `uid=$(id -u),mode=0400`" if is_secret else f"run `chmod 600 {file}`"
        yield Finding("key", Level.WARNING, f"other users can read {file}; {remedy}")
    else:
        yield Finding("key", Level.OK, "there is an API key")
    if offline:
        return
    spend = spending(config, database, clock, scheduled=False)
    with open_client(config, Environment(key, clock, sleep), spend) as client:
        answer = client.fetch(Bucket.STATS, [min(content.videos, default=ANY_VIDEO)])
    if answer.outcome is Outcome.ANSWERED:
        cost = counted(client.request_log.units.total(), "unit")
        yield Finding("youtube", Level.OK, f"YouTube answers; this check cost {cost}")
    elif answer.outcome is Outcome.UNAVAILABLE:
        yield Finding("youtube", Level.WARNING, f"videos.list is asked instead: {answer.message}")
    else:
        yield Finding("youtube", Level.ERROR, answer.message or answer.outcome.value)


def _examples(names: list[str] | list[VideoId]) -> str:
    more = f" and {len(names) - SHOWN_EXAMPLES:,} more" if len(names) > SHOWN_EXAMPLES else ""
    return ", ".join(names[:SHOWN_EXAMPLES]) + more
