"""The status of the build hook: what waits for a call, when the next one is made, and how the last ones went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

from syncer.config.formats import duration
from syncer.decide.due_build import BuildRules, NextCall, Unbuilt, WaitsFor, next_call
from syncer.diff_log.lines import timestamp
from syncer.state.builds import unbuilt_pages
from syncer.state.database import Database
from syncer.wording import counted, utc

if TYPE_CHECKING:
    from syncer.config.sections import Config


@dataclass(frozen=True, slots=True)
class BuildStatus:
    """The status of the build hook at one time."""

    unbuilt: Unbuilt
    rules: BuildRules
    next_call: NextCall
    at: datetime


class BuildDocument(TypedDict):
    """The status of the build hook as the JSON documents have it."""

    changed_pages: int
    pages: int
    last_call: str | None
    """When the last call was made that the host accepted."""
    calls_last_24h: int
    failed_calls: int
    """Calls in a row that failed since."""
    next_call: str | None
    waits_for: str
    """`change`, `push`, `share`, `quiet`, `limit` or `retry`; `now` if the call is due."""


def build_status(config: Config, database: Database, now: datetime, *, at_request: bool = False) -> BuildStatus | None:
    """Return the status of the build hook; None if the config has none.

    `at_request`: for `syncer deploy`, which repeats a call that failed at once. Raises StateError.
    """
    if config.deploy.hook_env is None:
        return None
    unbuilt, rules = unbuilt_pages(database, pushes=config.git.push), config.deploy.as_model()
    following = next_call(unbuilt, rules, now, retry_at_once=at_request, early=at_request)
    return BuildStatus(unbuilt, rules, following, now)


def build_json(status: BuildStatus) -> BuildDocument:
    """Return the status as `syncer status --json` prints it."""
    unbuilt, following = status.unbuilt, status.next_call
    return BuildDocument(
        changed_pages=unbuilt.changed,
        pages=unbuilt.pages,
        last_call=timestamp(unbuilt.last_success) if unbuilt.last_success else None,
        calls_last_24h=unbuilt.recent_calls(status.at),
        failed_calls=len(unbuilt.failures),
        next_call=timestamp(following.at) if following.at else None,
        waits_for="now" if following.is_due(status.at) else following.waits_for.value,
    )


def changed_of(unbuilt: Unbuilt) -> str:
    """Return `12 of 1,200 pages`; `12 pages` where no whole sync has counted the site's pages yet."""
    of_all = f"{unbuilt.changed:,} of " if unbuilt.pages else ""
    return f"{of_all}{counted(unbuilt.pages or unbuilt.changed, 'page')}"


def build_sentence(status: BuildStatus) -> str:
    """Return what waits for the build hook, and until when: `12 of 1,200 pages changed since the last call. ...`."""
    unbuilt, following = status.unbuilt, status.next_call
    last = f"the last call at {utc(unbuilt.last_success)}" if unbuilt.last_success else "the build hook was set up"
    if following.waits_for is WaitsFor.CHANGE:
        return f"no page has changed since {last}"
    changed = f"{changed_of(unbuilt)} changed since {last}"
    if following.at is None:
        # what is not pushed may not be committed either, so the remote-tracking branch alone does not tell
        manual = "if you push them yourself, the next sync of the whole site notices"
        return f"{changed}; the call waits until the changes are pushed; {manual}"
    if following.is_due(status.at):
        return f"{changed}; the call is due"
    reasons = {
        WaitsFor.SHARE: f"fewer than {status.rules.when * 100:g}% of the pages changed",
        WaitsFor.QUIET: f"it waits until no page has changed for {duration(status.rules.quiet)}",
        WaitsFor.LIMIT: f"{counted(status.rules.at_most_per_day, 'call')} in 24 hours is the limit",
        WaitsFor.RETRY: f"{counted(len(unbuilt.failures), 'call')} in a row failed",
    }
    return f"{changed}; the next call is due at {utc(following.at)}, because {reasons[following.waits_for]}"
