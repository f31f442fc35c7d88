"""A process that has loaded the program and waits; each sync is a fork of it, which saves the half second of loading.

Orders come as JSON lines on standard input, answers go as JSON lines to standard output: `{"start": {...}}` forks a
child and answers with its process id, `{"wait": PID, "seconds": S}` answers with how it ended. `{"act": NAME, "page":
PATH, "word": PATH}` has somebody else act on a page, in a process of its own, and answers with its id.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from tests.crash.acts import begin
from tests.crash.interference import Interference
from tests.places import drop_powers, load_all
from tests.site import KEY

DEADLINE = 30.0
"""Seconds after which a command is said to hang."""

HUNG = "hung"
PR_SET_PDEATHSIG = 1
"""prctl(2): which signal a process gets when its parent ends."""


@dataclass(frozen=True)
class Order:
    """A command to run, and what happens to it."""

    arguments: tuple[str, ...]
    directory: str
    """The working directory, and what is watched: a site's root."""
    out: str
    err: str
    at: int = 0
    act: str = ""
    """See `Interference`."""
    trace: str = ""
    """Where to write down what was called, if it comes to that."""
    lock_timeout: float = 60
    """Seconds to wait for another writer."""
    also: tuple[tuple[int, str], ...] = ()
    """The same."""
    nobody: bool = False
    """True: without root's powers."""
    first: str = ""
    """Python to run in the child before the command."""
    only: str = ""
    """The file whose calls alone are counted; see `Interference`."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: with an exit code, or a signal's number below zero."""

    code: int
    out: str
    err: str

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Child:
    """A command that runs, in a process of its own."""

    def __init__(self, warm: Warm, order: Order, number: int) -> None:
        self._warm = warm
        self._order = order
        self.number = number

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        with suppress(ProcessLookupError):
            os.kill(self.number, signal.SIGKILL)

    def ended(self, deadline: float = DEADLINE) -> Ended:
        """Waits for the end; fails where it does not come."""
        code = self._warm.ask({"wait": self.number, "seconds": deadline})
        files = Path(self._order.out), Path(self._order.err)
        said = [file.read_bytes().decode("utf-8", "surrogateescape") if file.exists() else "" for file in files]
        assert code != HUNG, f"{self._order.arguments} hangs; so far: {said}"
        return Ended(code, *said)


class Warm:
    """The process, from the outside."""

    def __enter__(self) -> Self:
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.warm"],
            cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, bufsize=1,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=DEADLINE)

    def start(self, order: Order) -> Child:
        return Child(self, order, self.ask({"start": asdict(order)}))

    def act(self, name: str, page: Path, word: Path) -> int:
        """Somebody else acts on a page, see `acts`; return the process once that is done, or waits for a lease."""
        return int(self.ask({"act": name, "page": str(page), "word": str(word)}))

    def ended(self, process: int) -> int | str:
        """Wait for the end of a process that acts; return its exit code."""
        return self.ask({"wait": process, "seconds": DEADLINE})  # type: ignore[no-any-return]

    def ask(self, request: Mapping[str, object]) -> Any:  # JSON as it comes
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        return json.loads(self._process.stdout.readline())


def _serve() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    os.environ["YOUTUBE_API_KEY"] = KEY
    for name in ("SYNCER_CONFIG", "FORCE_COLOR", "NO_COLOR"):
        os.environ.pop(name, None)
    load_all()
    gc.collect()
    gc.freeze()  # a fork need not copy what it never changes
    assert threading.active_count() == 1, "a fork takes one thread along"
    for line in sys.stdin:
        request = json.loads(line)
        if "start" in request:
            answers.write(f"{_fork(Order(**request['start']))}\n")
        elif "act" in request:
            answers.write(f"{begin(request['act'], Path(request['page']), Path(request['word']))}\n")
        else:
            answers.write(json.dumps(_wait(request["wait"], request["seconds"])) + "\n")


def _fork(order: Order) -> int:
    number = os.fork()
    if number == 0:
        if sys.platform == "linux":  # a child that is stopped would outlive tests that are killed
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        try:
            os._exit(_run(order))
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(99)
    return number


def _run(order: Order) -> int:
    for descriptor, path, flags in ((0, os.devnull, os.O_RDONLY), (1, order.out, _NEW), (2, order.err, _NEW)):
        os.dup2(os.open(path, flags, 0o644), descriptor)
    os.chdir(order.directory)
    _set_lock_timeout(order.lock_timeout)
    if order.nobody:
        drop_powers()
    watch = Interference(order.directory, order.at, order.act, order.also, order.only)
    if order.at or order.also or order.trace:
        watch.install()
    exec(order.first, {})
    code = import_module("syncer.cli.main").main(list(order.arguments))
    sys.stdout.flush()
    sys.stderr.flush()
    if order.trace:
        watch.save(order.trace)
    return int(code)


def _set_lock_timeout(seconds: float) -> None:
    """Shorten the minute that a writer waits for another, wherever it is known."""
    loaded = (module for name, module in sys.modules.items() if name.startswith("syncer."))
    places = [module for module in loaded if hasattr(module, "LOCK_TIMEOUT")]
    assert len(places) > 1
    for module in places:
        module.LOCK_TIMEOUT = seconds  # type: ignore[attr-defined]


_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def _wait(number: int, seconds: float) -> int | str:
    end = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(number, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(number, signal.SIGKILL)
            os.waitpid(number, 0)
            return HUNG
        time.sleep(0.001)


if __name__ == "__main__":
    _serve()
