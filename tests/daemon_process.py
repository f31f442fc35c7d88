"""`syncer daemon` as a process: what it says, and the signals it gets."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.forks import PIPE, Fork, run
from tests.site import KEY, Site, crlf, ids
from tests.waiting import TIMEOUT

BUSY = """
from syncer.cli import daemon
daemon.LOOK_SECONDS = 0.1
"""
"""A daemon that looks at its clock, configs and states ten times a second."""


class Daemon:
    """A running `syncer daemon`: a fork, or a Python of its own where its memory is looked at.

    `program` is the module that is run; another one than `syncer` is no fork. `first` is code that a fork runs before.
    `config` may be a directory of configs; otherwise it is the site's. `arguments` follow the command, which another
    than `daemon` may be.
    """

    def __init__(
        self,
        site: Site,
        *options: str,
        environment: Mapping[str, str] | None = None,
        program: str = "syncer",
        forked: bool = True,
        first: str = BUSY,
        config: Path | None = None,
        arguments: Sequence[str] = (),
        command: Sequence[str] = ("daemon",),
    ) -> None:
        self._command = command
        self.lines: list[str] = []
        self._environment = {**os.environ, "YOUTUBE_API_KEY": KEY, **(environment or {})}
        self._site = site
        self._options = options
        self._program = program
        self._first = first
        self._config = config or site.config
        self._arguments = arguments
        self._forked = forked and program == "syncer"
        self._said: queue.Queue[str] = queue.Queue()

    def __enter__(self) -> Self:
        command = ["-m", self._program, "-c", str(self._config), *self._options, *self._command, *self._arguments]
        self.process: Fork | subprocess.Popen[str]
        if self._forked:
            if self._first:
                command[:2] = ["-c", f"{self._first}\nfrom syncer.__main__ import main\nraise SystemExit(main())"]
            self.process = Fork(*command, stderr=PIPE, env=self._environment)
        else:
            self.process = subprocess.Popen(
                [sys.executable, *command], stderr=subprocess.PIPE, text=True, env=self._environment
            )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def until(self, text: str) -> str:
        """Waits for a line of the log that holds this text, and returns it. Other lines do not prolong the wait."""
        end = time.monotonic() + TIMEOUT
        while True:
            line = self._said.get(timeout=max(0, end - time.monotonic()))
            if text in line:
                return line

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self) -> tuple[int, float]:
        """Waits for the end; returns the exit code and the seconds it took."""
        began = time.monotonic()
        code = self.process.wait(TIMEOUT)
        self._reader.join()
        return code, time.monotonic() - began

    def _read(self) -> None:
        assert self.process.stderr
        with self.process.stderr as pipe:
            for line in pipe:
                self.lines.append(line.rstrip("\n"))
                self._said.put(line)


def start_another(site: Site) -> subprocess.CompletedProcess[str]:
    """Runs `syncer daemon` until it ends: it must find that it may not run."""
    return run("-m", "syncer", "-c", str(site.config), "daemon", env={**os.environ, "YOUTUBE_API_KEY": KEY})


def fill(site: Site, number: int) -> Sequence[str]:
    videos = ids(number)
    for video in videos:
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    return videos
