"""Checks the setup of one site, and prints what is found."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from syncer.cli.settings import Settings
from syncer.cli.suggested import SUGGESTED, spelled

if TYPE_CHECKING:
    from syncer.check.findings import Finding
    from syncer.cli.daemon_seen import SeenDaemon
    from syncer.config.sections import Config
    from syncer.errors import ConfigError

COLOURS = {"ok": "green", "warning": "yellow", "error": "bold red"}


def show_findings(
    findings: Iterable[Finding], *, as_json: bool, only_wrong: bool = False
) -> tuple[dict[str, object], int]:
    """Print each finding once it is found, or `only_wrong` those that are not ok, or with `as_json` none.

    Return the JSON document of all, and the exit code.
    """
    from rich.text import Text

    from syncer.check.findings import Level
    from syncer.cli.show import console
    from syncer.errors import ExitCode
    from syncer.wording import safe

    checks, code = [], ExitCode.OK
    for finding in findings:
        message = SUGGESTED.sub(spelled, finding.message)
        checks.append({"name": finding.name, "level": finding.level.value, "message": message})
        if finding.level is Level.ERROR:
            code = ExitCode.PROBLEMS
        if not (as_json or (only_wrong and finding.level is Level.OK)):
            line = Text(f"{finding.level:<8}", style=COLOURS[finding.level])
            line.append(f"{finding.name}: {safe(message)}", style="default")
            console().print(line, soft_wrap=True)
    return {"checks": checks, "exit": code}, code


def invalid(error: ConfigError) -> Iterator[Finding]:
    """Yield a finding for each mistake in a config."""
    from syncer.check.findings import Finding, Level

    yield from (Finding("config", Level.ERROR, line) for line in str(error).splitlines())


def findings_of(
    settings: Settings, config: Config, *, offline: bool, daemon: SeenDaemon, serves: bool = True
) -> Iterator[Finding]:
    """Yield what is found in a site whose config is valid; `serves`: its `status_page` is the one of the daemon."""
    from syncer.check.findings import Finding, Level
    from syncer.check.pages import check_generator
    from syncer.check.setup import check, is_to_be_cloned
    from syncer.cli.log_setup import REDACTOR

    yield Finding("config", Level.OK, f"{settings.config_path} is valid")
    if config.deploy.model_fields_set and "hook_env" not in config.deploy.model_fields_set:  # null is on purpose
        message = (
            "`deploy` has no `hook_env`, so no build hook is called, except with the credential `deploy-hook`."
            " Add the environment variable that has its address, such as `hook_env: DEPLOY_HOOK`, or `hook_env: null`."
        )
        yield Finding("config", Level.WARNING, message)

    def find_key() -> str:
        key = settings.key(config)
        REDACTOR.learn(key)
        return key

    can_start = not is_to_be_cloned(config)  # by a worker
    for finding in check(
        config,
        find_key,
        environ=settings.environ,
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        offline=offline,
    ):
        can_start &= finding.level is not Level.ERROR or finding.name not in {"key", "state"}
        yield finding
    yield from check_generator(config, settings.config_path)
    served = config if serves else config.model_copy(update={"status_page": None})
    yield from _check_daemon(served, settings.environ, daemon, can_start=can_start)


def _check_daemon(
    config: Config, environ: Mapping[str, str], daemon: SeenDaemon, *, can_start: bool
) -> Iterator[Finding]:
    """Yield what would keep `syncer daemon` from starting, or that nothing does.

    `can_start`: nothing else that would keep it from starting, such as no key, was found.
    """
    from syncer.check.findings import Finding, Level
    from syncer.cli.serving import require_serving
    from syncer.config.hook_address import require_hook
    from syncer.daemon.notify import require_apprise
    from syncer.errors import ConfigError

    running = bool(daemon.syncs or daemon.left_out)
    wrong = []
    for require in (
        partial(require_apprise, config.notify),
        partial(require_serving, config, environ, is_running=running),
        partial(require_hook, environ, config.deploy.hook_env),
    ):
        try:
            require()
        except ConfigError as error:
            wrong.append(Finding("daemon", Level.ERROR, f"The daemon cannot start: {error}"))
    if daemon.left_out:
        message = f"The running daemon leaves out this site: {daemon.left_out}"
        wrong.append(Finding("daemon", Level.ERROR, message))
    if daemon.said and daemon.said.trouble:
        message = f"It is running, but the last sync could not run: {daemon.said.trouble}"
        wrong.append(Finding("daemon", Level.WARNING, message))
    yield from wrong
    if not wrong and (running or can_start):
        yield Finding("daemon", Level.OK, "it is running" if running else "it can start")
