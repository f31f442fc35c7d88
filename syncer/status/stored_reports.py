"""The reports of past syncs, as the state stores them: checked when they are read, because a state can be damaged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple, NotRequired, TypedDict, cast

from syncer.control import LastSync
from syncer.errors import ExitCode
from syncer.model import Problem, ProblemKind
from syncer.state.database import Database
from syncer.state.syncs import last_syncs
from syncer.wording import counted

COMPLETE = "complete"
"""The result of a sync after which nothing needs attention."""

FINE = {COMPLETE, "undo", "dropped"}
"""The same, and those of syncs that only restored values, and all of them."""


class Outline(TypedDict):
    """A past sync in a line, as `syncer status --json` prints it."""

    sync: str
    started: str
    finished: str
    changed_pages: int
    changed_counts: int
    changed_dates: int
    problems: int
    result: str
    """`complete`, or in words what is not: `2 problems`, `safety brake`, `failed`, `stopped`; of an undo: `undo`."""
    exit: int


class StoredProblem(TypedDict):
    """A problem as the JSON documents have it."""

    kind: str
    subject: str
    line: int | None
    message: str


class StoredBrake(TypedDict):
    """Why the safety brake held a sync."""

    reason: str
    struck: int
    of: int
    earlier: NotRequired[bool]
    """Absent from reports of versions in which a sync that was stopped wrote nothing at all."""
    part: NotRequired[bool]
    """The same."""


class StoredReport(TypedDict):
    """The parts of a stored report that are read again."""

    sync: str
    started: str
    finished: str
    pages: int
    videos: int
    asked: int
    answered: int
    units: dict[str, int]
    changed_pages: int
    changed_counts: int
    missing: list[str]
    left_out: dict[str, int]
    brake: StoredBrake | None
    problems: list[StoredProblem]
    commit: str | None
    retries: NotRequired[int]
    """Absent from reports of versions that did not count them."""
    left: NotRequired[int]
    """The same."""
    changed_dates: NotRequired[int]
    """The same."""
    restored: NotRequired[str]
    """Why it restored values and requested nothing: `undo` or `dropped`. Absent for all other syncs."""
    accepted: NotRequired[int]
    """Absent if no reading that was held was accepted."""
    in_texts: NotRequired[int]
    """Absent if there are none, too."""
    oldest_shared: NotRequired[str]
    """The same."""
    part: NotRequired[bool]
    """Whether it was narrowed to a part of the site. Absent for all other syncs."""
    exit: int


class PastResults(NamedTuple):
    """How the past syncs of a site went."""

    newest: Sequence[Outline]
    """The newest ones, newest first."""
    last: LastSync | None
    """The last one that covered the site; before there was one, the last about a part; None where there is none."""
    problems: Sequence[Problem]
    """What it found, and what later ones about parts of the site found."""
    open: int
    """Pages that it left out because another program had them open for writing."""


_NUMBERS = ("pages", "videos", "asked", "answered", "changed_pages", "changed_counts")
_FAILURES: Mapping[int, str] = {ExitCode.NOTHING_ANSWERED: "failed", ExitCode.INTERRUPTED: "stopped"}
_EXITS = {ExitCode.OK, ExitCode.PROBLEMS, *_FAILURES}
_KINDS = [*ProblemKind]
_LEFT_OUT = {"fresh", "over_quota"}


def stored_report(text: str) -> StoredReport | None:
    """Return the report; None where the text is damaged, or a newer version wrote values unknown to this one."""
    with suppress(ValueError, RecursionError):
        report = json.loads(text)
        json.dumps(report, ensure_ascii=False).encode()  # half a character is in no report
        if isinstance(report, dict) and _is_report(report):
            return cast("StoredReport", report)
    return None


def past_results(database: Database, limit: int = 0) -> PastResults:
    """Return how the past syncs went, with at most `limit` of the newest ones. Raises StateError.

    What a sync found remains until one that covers the site, and runs to its end, finds otherwise. Of one subject, the
    newest problems count. Damaged reports are skipped.
    """
    newest: list[Outline] = []
    problems: list[Problem] = []
    last: StoredReport | None = None
    is_covered = False
    for number, past in enumerate(last_syncs(database)):
        if is_covered and number >= limit:
            break
        report = stored_report(past.report)
        if report and number < limit:
            newest.append(outline(report))
        if report is None or is_covered or "restored" in report:
            continue
        is_covered = not report.get("part") and report["exit"] != ExitCode.INTERRUPTED
        last = report if is_covered else last or report
        subjects = {problem.subject for problem in problems}
        problems[:0] = [problem for problem in problems_of(report) if problem.subject not in subjects]
    return PastResults(
        newest,
        replace(last_sync(last), problems=len(problems)) if last else None,
        problems,
        last["left_out"].get("open", 0) if last else 0,
    )


def last_sync(report: StoredReport) -> LastSync:
    """Return what the daemon keeps in memory of the last sync's report."""
    return LastSync(
        report["sync"],
        datetime.fromisoformat(report["finished"]),
        report["exit"],
        report["pages"],
        report["changed_pages"],
        report["changed_counts"],
        len(report["problems"]),
        len(report["missing"]),
        report["left_out"]["over_quota"],
        report["brake"] is not None,
    )


def outline(report: StoredReport) -> Outline:
    """Return the main numbers of a stored report."""
    return Outline(
        sync=report["sync"],
        started=report["started"],
        finished=report["finished"],
        changed_pages=report["changed_pages"],
        changed_counts=report["changed_counts"],
        changed_dates=report.get("changed_dates", 0),
        problems=len(report["problems"]),
        result=result_of(report),
        exit=report["exit"],
    )


def result_of(report: StoredReport) -> str:
    """Return how a sync went, in words: `complete`, or what needs attention."""
    if report["exit"] in _FAILURES:
        return _FAILURES[report["exit"]]
    found = (
        ("restored" in report, report.get("restored", "")),
        (report["brake"] is not None, "safety brake"),
        (report["problems"], counted(len(report["problems"]), "problem")),
        (report["left_out"]["over_quota"], f"{counted(report['left_out']['over_quota'], 'video')} left out"),
        (report.get("left"), f"{counted(report.get('left', 0), 'value')} not restored"),
    )
    return ", ".join(text for needed, text in found if needed) or COMPLETE


def problems_of(report: StoredReport) -> tuple[Problem, ...]:
    """Return the problems of a stored report."""
    return tuple(
        Problem(ProblemKind(problem["kind"]), problem["subject"], problem["message"], problem["line"])
        for problem in report["problems"]
    )


def _is_report(report: Mapping[str, object]) -> bool:
    """Whether everything is present and of its type. Raises ValueError if a time is not valid."""
    problems, missing, brake = report.get("problems"), report.get("missing"), report.get("brake")
    return (
        isinstance(report.get("sync"), str)
        and all(_is_time(report.get(name)) for name in ("started", "finished"))
        and all(_is_number(report.get(name)) for name in _NUMBERS)
        and all(
            _is_number(report.get(name, 0)) for name in ("retries", "left", "changed_dates", "in_texts", "accepted")
        )
        and _is_numbers(report.get("units"))
        and _is_numbers(report.get("left_out"), _LEFT_OUT)
        and isinstance(missing, list)
        and all(isinstance(video, str) for video in missing)
        and isinstance(problems, list)
        and all(_is_problem(problem) for problem in problems)
        and (brake is None or (isinstance(brake, dict) and isinstance(brake.get("reason"), str)))
        and (brake is None or all(_is_number(brake.get(name)) for name in ("struck", "of")))
        and (brake is None or all(isinstance(brake.get(name, False), bool) for name in ("earlier", "part")))
        and isinstance(report.get("commit"), str | None)
        and isinstance(report.get("restored", ""), str)
        and isinstance(report.get("part", False), bool)
        and ("oldest_shared" not in report or _is_time(report["oldest_shared"]))
        and _is_number(report.get("exit"))
        and report["exit"] in _EXITS
    )


def _is_problem(problem: object) -> bool:
    if not isinstance(problem, dict) or problem.get("kind") not in _KINDS:
        return False
    line = problem.get("line")
    return all(isinstance(problem.get(name), str) for name in ("subject", "message")) and (
        line is None or _is_number(line)
    )


def _is_numbers(value: object, names: AbstractSet[str] = frozenset()) -> bool:
    return isinstance(value, dict) and value.keys() >= names and all(map(_is_number, value.values()))


def _is_number(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_time(value: object) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
