"""The status of the build hook: what waits for a call, when the next one is made, and how the last ones went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

from syncer.config.formats import duration
from syncer.decide.due_build import BuildRules, HookCall, NextCall, Unbuilt, WaitsFor, next_call
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

    @property
    def needs_attention(self) -> bool:
        """Whether calls fail in a way that time alone does not repair, or that the limit forbids to repeat soon."""
        must_wait = self.next_call.waits_for is WaitsFor.LIMIT and not self.next_call.is_due(self.at)
        return self.unbuilt.needs_attention or bool(self.unbuilt.failures and must_wait)


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


def build_status(
    config: Config, database: Database, now: datetime, *, at_request: bool = False, pushed: bool = False
) -> BuildStatus | None:
    """Return the status of the build hook; None if the config has none.

    `at_request`: for `syncer deploy`, which repeats a call that failed at once. `pushed`: all changes are pushed,
    whatever the state says. Raises StateError.
    """
    if config.deploy.hook_env is None:
        return None
    unbuilt, rules = unbuilt_pages(database, pushes=config.git.push and not pushed), config.deploy.as_model()
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


def response_of(call: HookCall) -> str:
    """Return how a call ended, after `the build hook`: `returned 500`."""
    if call.status is None:
        return "was called, but syncer ended before the response"
    return f"returned {call.status}" if call.status else "did not respond"


def build_sentence(status: BuildStatus) -> str:
    """Return what waits for the build hook, until when, and how the last call failed, if it did.

    `12 of 1,200 pages changed since the last successful call at 2026-11-22 15:01:07 UTC; the call is due`.
    """
    unbuilt, following = status.unbuilt, status.next_call
    last = "the build hook was set up"
    if unbuilt.last_success:
        last = f"the last successful call at {utc(unbuilt.last_success)}"
    if following.waits_for is WaitsFor.CHANGE:
        return f"no page has changed since {last}"
    changed = f"{changed_of(unbuilt)} changed since {last}"
    for call in unbuilt.failures[:1]:
        changed += f"; the last call failed at {utc(call.at)}: the build hook {response_of(call)}"
    if following.at is None:
        # what is not pushed may not be committed either, so the remote-tracking branch alone does not tell
        manual = "if you push them yourself, `syncer deploy` and the next sync of the whole site notice"
        return f"{changed}; the call waits until the changes are pushed; {manual}"
    if following.is_due(status.at):
        return f"{changed}; the call is due"
    reasons = {
        WaitsFor.SHARE: f"fewer than {status.rules.when * 100:g}% of the pages changed",
        WaitsFor.QUIET: f"a page changed less than {duration(status.rules.quiet)} ago",
        WaitsFor.LIMIT: f"{counted(status.rules.at_most_per_day, 'call')} in 24 hours is the limit",
        WaitsFor.RETRY: f"{counted(len(unbuilt.failures), 'call')} in a row failed",
    }
    sentence = f"{changed}; the next call is due at {utc(following.at)}, because {reasons[following.waits_for]}"
    if unbuilt.is_ahead_of(status.at):
        sentence += "; the clock was set back, so this time is fixed by the next sync or `syncer deploy`"
    return sentence
