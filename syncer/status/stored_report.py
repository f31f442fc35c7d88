"""Reads the report of a past sync from the state, and checks it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import datetime
from typing import cast

from syncer.errors import ExitCode
from syncer.model import ProblemKind
from syncer.status.report import StoredReport

NUMBERS = ("pages", "videos", "asked", "answered", "changed_pages", "changed_counts")
EXITS = {ExitCode.OK, ExitCode.PROBLEMS, ExitCode.NOTHING_ANSWERED, ExitCode.INTERRUPTED}
KINDS = [*ProblemKind]
LEFT_OUT = {"fresh", "over_quota"}


def stored_report(text: str) -> StoredReport | None:
    """Return the report; None where the text is damaged, or a newer version wrote values unknown to this one."""
    with suppress(ValueError, RecursionError):
        report = json.loads(text)
        json.dumps(report, ensure_ascii=False).encode()  # half a character is in no report
        if isinstance(report, dict) and _is_report(report):
            return cast("StoredReport", report)
    return None


def _is_report(report: Mapping[str, object]) -> bool:
    """Whether all is there, and of its type. Raises ValueError where a time is none."""
    problems, missing, brake = report.get("problems"), report.get("missing"), report.get("brake")
    return (
        isinstance(report.get("sync"), str)
        and all(_is_time(report.get(name)) for name in ("started", "finished"))
        and all(_is_number(report.get(name)) for name in NUMBERS)
        and all(_is_number(report.get(name, 0)) for name in ("retries", "left"))
        and _is_numbers(report.get("units"))
        and _is_numbers(report.get("left_out"), LEFT_OUT)
        and isinstance(missing, list)
        and all(isinstance(video, str) for video in missing)
        and isinstance(problems, list)
        and all(_is_problem(problem) for problem in problems)
        and (brake is None or _is_brake(brake))
        and isinstance(report.get("commit"), str | None)
        and _is_number(report.get("exit"))
        and report["exit"] in EXITS
    )


def _is_problem(problem: object) -> bool:
    if not isinstance(problem, dict) or problem.get("kind") not in KINDS:
        return False
    line = problem.get("line")
    return all(isinstance(problem.get(name), str) for name in ("subject", "message")) and (
        line is None or _is_number(line)
    )


def _is_brake(brake: object) -> bool:
    if not isinstance(brake, dict):
        return False
    return isinstance(brake.get("reason"), str) and _is_number(brake.get("struck")) and _is_number(brake.get("of"))


def _is_numbers(value: object, names: AbstractSet[str] = frozenset()) -> bool:
    return isinstance(value, dict) and value.keys() >= names and all(map(_is_number, value.values()))


def _is_number(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_time(value: object) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
