"""Runs the program as it is, but in a hurry, and by a clock that may be wrong.

What a fleet waits for takes seconds here, where it takes half a minute elsewhere, so that a storm of half a minute has
room for hosts that fall silent, are taken for dead, and come back.
"""

from __future__ import annotations

import datetime as dt
import importlib
import pkgutil
import time
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

import syncer

REAL = dt.datetime
IMMEDIATE = 0.5
SECONDS: Mapping[str, float] = {
    "FRESH_SECONDS": 1,
    "LOOK_SECONDS": IMMEDIATE,
    "RETRY_SECONDS": 1.0,
    "WATCHDOG_STALL_SECONDS": 6.0,
    "BEAT_SECONDS": IMMEDIATE,
    "ALIVE_SECONDS": 3,
    "CONNECT_SECONDS": 2,
    "LOCK_SECONDS": 2,
    "STATEMENT_SECONDS": 3,
    "IDLE_SECONDS": 1,
    "ANSWER_SECONDS": 3,
    "OWNERS_SECONDS": 3,
    "DEFER_SECONDS": 1.5,
    "WAIT_SECONDS": 4.0,
    "GIVE_UP_SECONDS": IMMEDIATE,
    "END_SECONDS": 1.5,
    "FETCH_SECONDS": 1.0,
    "SHUTDOWN_SECONDS": 1.0,
    "STALLED_SECONDS": 3.0,
}
"""How long some things take here, by the names of what says so, wherever that is."""

LIMITS = {"'10s'": "'2s'", "'12s'": "'2500ms'", "'5s'": "'1s'"}
"""How long the server waits: for a lock, for a statement, for the next one."""

LONGEST_RETRY = dt.timedelta(seconds=3)


class _Time(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, REAL)


def run(skew: float) -> None:
    """Run the command line, by a clock that is so many seconds ahead; end with its exit code."""
    modules = load_all()
    shorten(modules, SECONDS)
    hurry_server()
    hurry_queue(IMMEDIATE)
    _of(modules, "syncer.decide.schedule").LONGEST_RETRY = LONGEST_RETRY
    if skew:
        _shift_clock([*modules, importlib.import_module("apscheduler.schedulers.base")], skew)
    raise SystemExit(importlib.import_module("syncer.__main__").main())


def shorten(modules: Iterable[ModuleType], lengths: Mapping[str, float]) -> None:
    """Let things take so long, by the names of what says so."""
    for module in modules:
        for name, seconds in lengths.items():
            if name in vars(module):
                setattr(module, name, seconds)


def hurry_server() -> None:
    """Let the server of a ledger wait less for a process."""
    ledger, tables = (importlib.import_module(f"syncer.state.{name}") for name in ("ledger_server", "fleet_tables"))
    for where in (ledger, ledger.LedgerServer, tables.FleetTables):
        for name in ("_READ", "BEGIN"):
            if name in vars(where):
                text = vars(where)[name]
                for usual, short in LIMITS.items():
                    text = text.replace(usual, short)
                setattr(where, name, text)


def hurry_queue(heartbeat: float) -> None:
    """Let a worker of the queue say so often that it is alive: it is taken for dead after `STALLED_SECONDS`."""
    from procrastinate.worker import Worker

    begin: Callable[..., None] = Worker.__init__

    def begin_in_a_hurry(self: Worker, *parts: Any, **options: Any) -> None:
        begin(self, *parts, **options, update_heartbeat_interval=heartbeat)

    setattr(Worker, "__init__", begin_in_a_hurry)  # noqa: B010 - mypy would not have it otherwise


def load_all() -> list[ModuleType]:
    """Load all of the program."""
    names = [each.name for each in pkgutil.walk_packages(syncer.__path__, "syncer.")]
    return [importlib.import_module(name) for name in names if not name.endswith("__main__")]


def _of(modules: list[ModuleType], name: str) -> Any:  # what a module has
    return next(module for module in modules if module.__name__ == name)


def _shift_clock(modules: list[ModuleType], skew: float) -> None:
    """Let all modules read a clock that is wrong."""
    ahead = dt.timedelta(seconds=skew)

    class Shifted(REAL, metaclass=_Time):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return REAL.now(tz) + ahead

    real = time.time
    time.time = lambda: real() + skew
    setattr(importlib.import_module("procrastinate.utils"), "utcnow", lambda: REAL.now(dt.UTC) + ahead)  # noqa: B010 - mypy
    for module in modules:
        if vars(module).get("datetime") is REAL:
            setattr(module, "datetime", Shifted)  # noqa: B010 - no module is known to have one
