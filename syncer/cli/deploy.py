"""`syncer deploy`: calls the build hook if a build is due, or says when it will be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from syncer.cli.settings import Settings

if TYPE_CHECKING:
    from syncer.status.build_status import BuildStatus


@click.command()
@click.option("--dry-run", is_flag=True, help="Only show whether the build hook would be called.")
@click.pass_obj
def command(settings: Settings, dry_run: bool) -> int:
    """Call your host's build hook if a build is due.

    The keys of `deploy` in the config say when that is. A call that failed is repeated at once. The exit code is 0
    whether a call is due or not; it is 1 if calls fail and that needs attention.
    """
    from syncer.cli.environment import stoppable
    from syncer.cli.log_setup import REDACTOR
    from syncer.cli.show import show, show_problems
    from syncer.config.hook_address import no_hook
    from syncer.errors import ConfigError, ExitCode, Stopped
    from syncer.review.look import is_pushed
    from syncer.state.database import open_state
    from syncer.status.build_status import build_sentence, build_status, changed_of
    from syncer.sync.call_hook import call_between, problem_of, sentence_of

    config = settings.config()
    hook = settings.hook(config)
    REDACTOR.learn(hook=hook)
    if config.deploy.hook_env is None:
        raise ConfigError("deploy.hook_env is not set; name the environment variable with your build hook's address")

    def look(*, pushed: bool = False) -> BuildStatus:
        with open_state(config.state_directory, config.site) as database:
            status = build_status(config, database, datetime.now(UTC), at_request=True, pushed=pushed)
        assert status, "the config names a hook"
        return status

    status = look(pushed=dry_run and config.git.push and is_pushed(config))
    may_be_due = hook is not None and (status.unbuilt.unpushed or status.unbuilt.is_ahead_of(status.at))
    if dry_run or not (status.next_call.is_due(status.at) or may_be_due):
        would = "would be called" if status.next_call.is_due(status.at) else "would not be called"
        show(f"Build hook {would if dry_run else 'not called'}: {build_sentence(status)}.")
        return ExitCode.OK
    if hook is None:
        raise ConfigError(no_hook(config.deploy.hook_env))
    with stoppable(settings, hook=hook) as (environment, _):
        call = call_between(config, environment, at_request=True, is_pushed=lambda: is_pushed(config))
        if environment.cancelled() and (call is None or call.status is None):
            called = "the build hook was called, and may start a build; run `syncer deploy` again to be sure"
            raise Stopped(f"stopped; {called if call else 'the build hook was not called'}")
    after = look()
    if call is None:
        show(f"Build hook not called: {build_sentence(after)}.")
    elif call.succeeded:
        show(f"Build hook called: {changed_of(status.unbuilt)} had changed.")
    elif not after.needs_attention:
        show(sentence_of(call), "yellow")
    if after.needs_attention:
        show_problems([problem_of(after)])
        return ExitCode.PROBLEMS
    return ExitCode.OK
