"""`syncer check`: the doctor."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from syncer.cli.settings import Settings

if TYPE_CHECKING:
    from syncer.check import Finding

COLOURS = {"ok": "green", "warning": "yellow", "error": "bold red"}


@click.command()
@click.option("--offline", is_flag=True, help="Do not ask YouTube; else the check costs one unit.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@click.pass_obj
def command(settings: Settings, offline: bool, as_json: bool) -> int:
    """Look at config, content, ids, key, quota, git, clock, permissions and state, and say what to do."""
    from rich.text import Text

    from syncer.check import Level
    from syncer.cli.show import console, show_json
    from syncer.errors import ExitCode
    from syncer.wording import safe

    findings = []
    for finding in _findings(settings, offline=offline):
        findings.append(finding)
        if not as_json:
            line = Text(f"{finding.level:<8}", style=COLOURS[finding.level])
            line.append(f"{finding.name}: {safe(finding.message)}", style="default")
            console().print(line, soft_wrap=True)
    failed = any(finding.level is Level.ERROR for finding in findings)
    code = ExitCode.PROBLEMS if failed else ExitCode.OK
    if as_json:
        checks = [{"name": f.name, "level": f.level.value, "message": f.message} for f in findings]
        show_json({"checks": checks, "exit": code})
    return code


def _findings(settings: Settings, *, offline: bool) -> Iterator[Finding]:
    from syncer.check import Finding, Level, check
    from syncer.errors import ConfigError

    try:
        config = settings.config()
    except ConfigError as error:
        yield from (Finding("config", Level.ERROR, line) for line in str(error).splitlines())
        return
    yield Finding("config", Level.OK, f"{settings.config_path} is sound")

    def find_key() -> str:
        key = settings.key(config)
        settings.start_log(key)
        return key

    yield from check(
        config,
        find_key,
        environ=settings.environ,
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        offline=offline,
    )
