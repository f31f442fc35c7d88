"""The report of a sync: as a value, as JSON, as sentences, and as the state stores it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from syncer.decide.unconfirmed import NOT_PLAYING, Brake
from syncer.diff_log.lines import line_of, timestamp
from syncer.model import Bucket, Change, Count, Problem, VideoId
from syncer.wording import counted, counts_and_dates
from syncer.youtube.answer import Outcome, Tries

if TYPE_CHECKING:
    from syncer.decide.thresholds import HeldBackCounts
    from syncer.status.play_report import PlayReport
    from syncer.status.stored_reports import StoredProblem


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did."""

    sync: str
    """Its name: the time it began and four random characters."""
    started: datetime
    finished: datetime
    dry_run: bool
    pages: int
    videos: int
    asked: int
    """Distinct video IDs that were requested."""
    answered: int
    """Distinct video IDs that YouTube returned, with or without counts."""
    units: Mapping[Bucket, int]
    changed_pages: int
    changed_counts: int
    missing: tuple[VideoId, ...]
    """The video IDs that were requested, by this site or for `shared`, and that neither method returned, sorted."""
    hidden: tuple[tuple[VideoId, Count], ...]
    """Counts that pages have and YouTube does not return, sorted."""
    unconfirmed: tuple[tuple[VideoId, Count], ...]
    """Counts that dropped to zero or below a tenth, and wait for a second reading, sorted."""
    fresh: int
    over_quota: int
    """Videos that were not requested, or not settled, for lack of quota."""
    brake: Brake | None
    problems: tuple[Problem, ...]
    exit: int
    brake_limit: float = 0
    """The share of videos or counts, from 0 to 1, above which the safety brake stops a sync."""
    held: Sequence[tuple[str, ...]] = ()
    """Some of what made it do so, a row each: a video, and its count or state."""
    gone_not_due: int = 0
    """Those of the fresh that are gone, and that are requested less often."""
    pages_of: Mapping[VideoId, Sequence[str]] = field(default_factory=dict)
    """The pages, relative to the site and sorted, of each video that is missing, hidden, unconfirmed, or changed."""
    requests: Mapping[tuple[Bucket, Outcome], int] = field(default_factory=dict)
    """How many requests ended in which way, each counted once however often it was sent."""
    gone: tuple[VideoId, ...] = ()
    """Those of the missing that are gone, sorted."""
    commit: str | None = None
    """The name of the commit that the sync ended in."""
    committed: tuple[int, int, int] = 0, 0, 0
    """How many counts that commit has, dates on pages without a count, and pages. Some may be older."""
    pushed_to: str | None = None
    """The remote that has all of syncer's commits now, if the sync pushed."""
    build: str | None = None
    """What became of the build hook's call, in a sentence; None: nothing waits for one."""
    tries: Tries = field(default_factory=Tries)
    left: int = 0
    """Counts and dates that an undo or a drop could not restore."""
    changed_dates: int = 0
    removed: tuple[str, int] = "", 0
    """The last file that was written, and how many videos were removed from it."""
    suppressed: int = 0
    """Numbers that were not written because an undo or a drop removed them from these pages."""
    held_back: HeldBackCounts | None = None
    """The counts that `write.min_change` and its siblings held back; None where the config has none of them."""
    open: int = 0
    """Pages that were not written because another program had them open for writing; a later sync writes them."""
    accepted: Mapping[VideoId, bool] = field(default_factory=dict)
    """The videos whose readings of earlier syncs were held until this one, and whether they are missing."""
    braked: AbstractSet[VideoId] = frozenset()
    """The videos whose readings the safety brake holds: whether they are missing is not known."""
    playing: PlayReport | None = None
    """What was found out about whether videos play; None: no video was due."""
    in_texts: int = 0
    """Distinct video IDs in the text of pages that are none of `videos`: their counts are not requested."""
    shared: int = 0
    """Videos that were not requested because another site of the ledger had just read them."""
    oldest_shared: datetime | None = None
    """When YouTube returned the oldest of these readings; None: there are none."""


def report_json(report: SyncReport, changes: Sequence[Change] | None = None) -> dict[str, object]:
    """Return the report as `syncer sync --json` prints it; `changes` are those of a dry run."""
    left_out = {"fresh": report.fresh, "over_quota": report.over_quota, "open": report.open}
    document: dict[str, object] = {
        "sync": report.sync,
        "started": timestamp(report.started),
        "finished": timestamp(report.finished),
        "dry_run": report.dry_run,
        "pages": report.pages,
        "videos": report.videos,
        "asked": report.asked,
        "answered": report.answered,
        "units": {bucket.value: report.units.get(bucket, 0) for bucket in Bucket},
        "changed_pages": report.changed_pages,
        "changed_counts": report.changed_counts,
        "missing": list(report.missing),
        "hidden": [{"video_id": video, "count": count.value} for video, count in report.hidden],
        "unconfirmed": [{"video_id": video, "count": count.value} for video, count in report.unconfirmed],
        "left_out": left_out,
        "brake": asdict(report.brake) if report.brake else None,
        "problems": [problem_json(problem) for problem in report.problems],
        "commit": report.commit,
        "exit": report.exit,
    }
    if report.oldest_shared is not None:
        document["left_out"] = {**left_out, "shared": report.shared}
        document["oldest_shared"] = timestamp(report.oldest_shared)
    if changes is not None:
        document["changes"] = [dict(line_of(report.sync, report.finished, change)) for change in changes]
    return document


def summary(
    pages: int,
    videos: int,
    asked: int,
    answered: int,
    *,
    changed_counts: int,
    changed_pages: int,
    changed_dates: int = 0,
    in_texts: int = 0,
    dry_run: bool = False,
) -> str:
    """Return how a sync went, in a line: `12 pages, 13 videos: 13 requested, 12 returned. Changed 22 counts ...`.

    `in_texts` is how many more videos are in the text of pages: their counts are not requested.
    """
    requested = f"{asked:,} requested, {answered:,} returned" if asked else "none requested"
    found = f"{counted(pages, 'page')}, {counted(videos, 'video')}"
    if in_texts and videos:
        found += f", and {counted(in_texts, 'video')} in texts"
    elif in_texts:
        found, requested = f"{counted(in_texts, 'video')} in texts", "no counts are requested"
    changed = f"{'Would change' if dry_run else 'Changed'} {counts_and_dates(changed_counts, changed_dates)}"
    return f"{found}: {requested}. {changed} on {counted(changed_pages, 'page')}."


def accepted_outline(readings: int, *, dry_run: bool = False) -> str:
    """Return how many readings, which an earlier sync held, were accepted."""
    held = "1 reading that was" if readings == 1 else f"{readings:,} readings that were"
    return f"{'Would accept' if dry_run else 'Accepted'} {held} held."


def summary_of(report: SyncReport) -> str:
    """Return the `summary` of a report."""
    return summary(
        report.pages,
        report.videos,
        report.asked,
        report.answered,
        changed_counts=report.changed_counts,
        changed_pages=report.changed_pages,
        changed_dates=report.changed_dates,
        in_texts=report.in_texts,
        dry_run=report.dry_run,
    )


ACCEPT = "syncer sync --accept"
"""The command that accepts what is held, whether or not a daemon runs."""

AGAIN = "the next sync requests the same videos again"
"""What becomes of readings that the safety brake holds if YouTube is wrong."""

MISSING = "Not returned by YouTube, counts kept:"
GONE = "Gone (missing for days, requested less and less often), counts kept:"
UNCONFIRMED = "Not written: count dropped by more than 90% (waiting for a second reading to confirm):"
HIDDEN = "Hidden by the owner, counts kept:"
"""The headings of the lists of videos."""


def brake_sentence(
    brake: Brake, limit: float, *, written: tuple[int, int], accept: str, stopped: str = "this sync"
) -> str:
    """Return why the safety brake holds readings, and what to do.

    `limit` is the share above which it does, from 0 to 1; `written` is how many counts and dates the sync wrote before
    the brake stopped it, and `stopped` is what to call this sync; `accept` is the command that accepts what is held.
    """
    return f"{brake_outline(brake, written, f' (limit {limit * 100:g}%)', stopped)} {brake_remedy(accept)}"


def brake_remedy(accept: str) -> str:
    """Return what to do about what the safety brake holds; `accept` is the command that accepts it."""
    return f"If YouTube is right, run `{accept}`. If not, wait: {AGAIN}."


def brake_outline(brake: Brake, written: tuple[int, int], limit: str = "", stopped: str = "this sync") -> str:
    """Return why the safety brake holds readings, without what to do. Takes what `brake_sentence` takes."""
    share = brake_share(brake)
    if brake.reason == NOT_PLAYING:
        return f"The safety brake holds what YouTube says about playing: {share}{limit}."
    if brake.earlier:
        return f"The safety brake still holds the readings of an earlier sync: {share}{limit}."
    before = f"{counts_and_dates(*written)} had been written before" if any(written) else "Nothing was written"
    return f"The safety brake stopped {stopped}: {share}{limit}. {before}."


def brake_sentence_of(report: SyncReport, accept: str) -> str | None:
    """Return the `brake_sentence` of a report; None if the safety brake holds nothing."""
    if not report.brake:
        return None
    written = report.changed_counts, report.changed_dates
    return brake_sentence(report.brake, report.brake_limit, written=written, accept=accept)


def brake_share(brake: Brake) -> str:
    """Return what made the safety brake stop a sync: `8 of 13 videos are missing`; the sync was named just before."""
    verbs = {"missing": ("videos", "are missing"), NOT_PLAYING: ("videos", "would stop playing")}
    noun, verb = verbs.get(brake.reason, ("counts", "fell"))
    return f"{brake.struck:,} of {brake.of:,} {noun} {'in one part of it ' if brake.part else ''}{verb}"


def stored_json(report: SyncReport, restored: str = "", *, part: bool = False) -> str:
    """Return the report as the state keeps it.

    `restored`: why, if it only restored values; `part`: it was about a part of the site.
    """
    more: dict[str, object] = {"retries": report.tries.repeated, "left": report.left}
    more["changed_dates"] = report.changed_dates
    optional = {"in_texts": report.in_texts, "accepted": len(report.accepted), "restored": restored, "part": part}
    more |= {name: value for name, value in optional.items() if value}
    return json.dumps({**report_json(report), **more})


def problem_json(problem: Problem) -> StoredProblem:
    """Return a problem as the JSON documents print it."""
    return {
        "kind": problem.kind.value,
        "subject": problem.subject,
        "line": problem.line,
        "message": problem.message,
    }
