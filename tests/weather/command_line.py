"""Runs command lines of `syncer` one after the other in one process, whose standard streams are real files.

A Python that begins from nothing takes half a second, and the search for the key runs a thousand commands.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

ROOT = Path(__file__).parent.parent.parent
LONGEST = 30
"""Seconds after which a command that does not end is killed, and the process with it."""


class Order(NamedTuple):
    """What is to be run where, and which files become its standard output and error."""

    arguments: list[str]
    directory: str
    key: str
    out: str
    err: str


class CommandLine:
    """The process, from `with` until its end."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.weather.command_line"], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def run(self, order: Order) -> int:
        """Runs the command and returns its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())


def serve() -> None:
    """Runs one order after the other."""
    with os.fdopen(os.dup(1), "w") as answers:
        for line in sys.stdin:
            print(run(Order(*json.loads(line))), file=answers, flush=True)


def run(order: Order) -> int:
    from syncer.cli.main import main

    signal.alarm(LONGEST)
    for number, name in ((1, order.out), (2, order.err)):
        file = os.open(name, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    os.chdir(order.directory)
    os.environ["YOUTUBE_API_KEY"] = order.key
    code = main(order.arguments)
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    serve()
