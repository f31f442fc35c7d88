"""Calls the build hook when a build is worth it, in a sync, for the daemon between two syncs, and for `syncer deploy`.

The state's lock is held from the decision to the end of the call, so two processes never call for the same changes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from syncer.build_hook import NO_RESPONSE, call_build_hook
from syncer.config.hook_address import no_hook
from syncer.decide.due_build import HookCall, next_call
from syncer.model import Problem, ProblemKind
from syncer.state.builds import (
    begin_call,
    end_call,
    note_pushed,
    note_site_pages,
    set_back_times,
    unbuilt_pages,
)
from syncer.state.database import Database
from syncer.status.build_status import BuildStatus, build_sentence, build_status, response_of
from syncer.sync.open_state import open_for_writing
from syncer.sync.options import Environment, Sync
from syncer.wording import counted, utc

if TYPE_CHECKING:
    from syncer.config.sections import Config

log = logging.getLogger("syncer.deploy")


def call_before(sync: Sync) -> bool:
    """Make a call that an earlier sync left: what this one changes would put it off again.

    Return whether there are changes that are not pushed, although syncs push.
    """
    if sync.options.whole:
        note_site_pages(sync.database, sync.tally.pages)
    if call := call_if_due(sync.config, sync.database, sync.environment, early=True):
        sync.tally.build = sentence_of(call)
    return unbuilt_pages(sync.database, pushes=sync.config.git.push).unpushed


def call_after(sync: Sync, *, unpushed: bool) -> None:
    """Make a call that is due now that the sync has written, and pushed if it does; note what needs attention.

    `unpushed` is what `call_before` returned: a sync of some pages does not push the changes of others.
    """
    if sync.tally.pushed_to and not (sync.options.is_narrowed and unpushed):
        note_pushed(sync.database)
    call = call_if_due(sync.config, sync.database, sync.environment, early=True)
    status = build_status(sync.config, sync.database, sync.environment.clock())
    assert status, "the config names a hook"
    if status.needs_attention:
        sync.tally.problems.append(problem_of(status))
    elif call:
        sync.tally.build = sentence_of(call)
    elif status.unbuilt.changed:
        sync.tally.build = f"Build hook not called: {build_sentence(status)}."
        if status.next_call.is_due(status.at) and not sync.environment.hook:
            sync.tally.build = f"Build hook not called: {no_hook(str(sync.config.deploy.hook_env))}."
        log.info("%s", sync.tally.build, extra={"event": "build-pending", "changed_pages": status.unbuilt.changed})


def call_between(
    config: Config,
    environment: Environment,
    *,
    at_request: bool = False,
    is_pushed: Callable[[], bool] = lambda: False,
) -> HookCall | None:
    """Make a call that is due, outside of a sync; return it. Raises Locked, Stopped and StateError.

    `at_request`: for `syncer deploy`, which repeats a call that failed at once. `is_pushed` is called if changes wait
    for a push: whether you have pushed them yourself.
    """
    with open_for_writing(config, clock=environment.clock, sleep=environment.sleep) as opened:
        if unbuilt_pages(opened.database, pushes=config.git.push).unpushed and is_pushed():
            note_pushed(opened.database)
        return call_if_due(config, opened.database, environment, retry_at_once=at_request, early=at_request)


def call_if_due(
    config: Config,
    database: Database,
    environment: Environment,
    *,
    retry_at_once: bool = False,
    early: bool,
) -> HookCall | None:
    """Make a call if it is due and its address is known; return it. The state's lock must be held.

    The call is noted durably before it is made: whatever happens to this process, none is made more often than said.
    """
    now, hook = environment.clock(), environment.hook
    set_back_times(database, now)
    unbuilt = unbuilt_pages(database, pushes=config.git.push)
    following = next_call(unbuilt, config.deploy.as_model(), now, retry_at_once=retry_at_once, early=early)
    if not following.is_due(now) or hook is None or environment.cancelled():
        return None
    number = begin_call(database, now)
    status = call_build_hook(hook, environment.cancelled)
    was_stopped = status == NO_RESPONSE and environment.cancelled()  # nobody knows whether the host has it
    call = HookCall(now, None if was_stopped else status)
    if not was_stopped:
        end_call(database, number, status)
    changed = counted(unbuilt.changed, "page")
    facts = {"event": "build-called", "status": call.status, "changed_pages": unbuilt.changed}
    level = logging.INFO if call.succeeded or retry_at_once else logging.WARNING  # `syncer deploy` prints it
    log.log(level, "%s %s changed since the last successful call", sentence_of(call), changed, extra=facts)
    return call


def sentence_of(call: HookCall) -> str:
    """Return how a call ended, and what comes next."""
    if call.succeeded:
        return "Called the build hook."
    return f"The build hook {response_of(call)}. It is called again later, or by `syncer deploy`."


def problem_of(status: BuildStatus) -> Problem:
    """Return the Problem of calls that fail, and when `syncer deploy` can call again, if it cannot now."""
    last, *earlier = status.unbuilt.failures
    if last.was_refused:
        remedy = "its address is probably wrong or no longer valid: copy it again from your host"
    else:
        remedy = "check your host's status page and the network of this machine"
    also = f", and {counted(len(earlier), 'call')} before it failed too" if earlier else ""
    again = next_call(status.unbuilt, status.rules, status.at, retry_at_once=True, early=True)
    can = "" if again.at is None or again.is_due(status.at) else f", which can call again after {utc(again.at)}"
    message = f"the build hook {response_of(last)}{also}; {remedy}, then run `syncer deploy`{can}"
    return Problem(ProblemKind.DEPLOY_FAILED, "deploy", message)
