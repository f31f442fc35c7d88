"""Runs a sync in a process of its own that is killed, or refused, at the N-th step that it takes in git.

Arguments: the config; N, or 0 for never; `before` or `after` the step, or `at` it while its command runs; `kill`, or an
errno's name. A step is a git command that is begun, or a link, rename or removal in git's directory. It prints the
steps, a line each, and at the end how the sync ended.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from syncer.config.parse import parse_config
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Options
from tests.site import KEY

Command = subprocess.Popen


class Steps:
    """Counts the steps, and ends the process, or fails, at one of them."""

    def __init__(self, at: int, when: str, how: str) -> None:
        self._at, self._when, self._how = at, when, how
        self._number = 0

    def meet(self, name: str, do: Callable[[], Any]) -> Any:  # whatever the real one returns
        self._number += 1
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
        now = self._number == self._at
        if now and self._when == "before":
            self._end(name)
        done = do()
        if now:
            if isinstance(done, Command) and self._when == "after":
                if done.stdin:
                    done.stdin.close()
                done.wait()
            self._end(name)
        return done

    def _end(self, name: str) -> None:
        if self._how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)  # the signal comes; no step may be taken until it does
        code = getattr(errno, self._how)
        raise OSError(code, os.strerror(code), name)


def watch(steps: Steps) -> None:
    """Put the steps in the place of what takes them."""
    for function in ("link", "replace", "unlink"):
        real = getattr(os, function)

        def counted(path: Any, *rest: Any, real: Any = real, function: str = function, **named: Any) -> Any:
            if "/.git/" in os.fspath(path):
                return steps.meet(f"{function} {Path(path).name}", lambda: real(path, *rest, **named))
            return real(path, *rest, **named)

        setattr(os, function, counted)

    def begun(command: Any, *rest: Any, **named: Any) -> Any:
        return steps.meet(" ".join(command), lambda: Command(command, *rest, **named))

    subprocess.Popen = begun  # type: ignore[assignment,misc]


def main() -> None:
    config, at, when, how = sys.argv[1:5]
    watch(Steps(int(at), when, how))
    file = Path(config)
    environment = Environment(KEY, lambda: datetime.now(UTC), lambda _: None)
    report = make_sync(parse_config(file.read_text(encoding="utf-8"), file), Options(everything=True), environment)
    sys.stdout.write(f"ended {report.exit} {report.problems}\n")


if __name__ == "__main__":
    main()
