"""Prints what a sync changed: a table, or for a dry run a diff."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import nullcontext, redirect_stdout

from syncer.cli.show import (
    ROWS_SHOWN,
    rest,
    show,
    show_held,
    show_held_back,
    show_open,
    show_over_quota,
    show_problems,
    show_shared,
    show_suppressed,
    show_table,
    show_videos,
)
from syncer.errors import ExitCode
from syncer.model import Change, Detail, Problem, ProblemKind
from syncer.status.report import (
    ACCEPT,
    GONE,
    HIDDEN,
    MISSING,
    UNCONFIRMED,
    SyncReport,
    accepted_outline,
    brake_sentence_of,
    summary_of,
)
from syncer.wording import counted, counts_and_dates, named_field, safe


class ChangeList:
    """The first changes of a sync, without the dates that go with a count, or in full all; the diff log has all.

    Where they are not all printed, those that say whether a video plays are first: counts change in each sync.
    """

    def __init__(self, *, keep_all: bool = False) -> None:
        self.changes: list[Change] = []
        self._playing: list[Change] = []
        self._previews: list[tuple[str, bytes, bytes]] = []
        self._keep_all = keep_all
        self._rows = 0

    def add(self, changes: Sequence[Change]) -> None:
        """Take a batch of changes."""
        if self._keep_all:
            self.changes += changes
        else:
            rows = [change for change in changes if change.kind is not Detail.CHECKED_AT]
            self.changes += rows[: ROWS_SHOWN - len(self.changes)]
            playing = [change for change in rows if change.kind is Detail.UNAVAILABLE_SINCE]
            self._playing += playing[: ROWS_SHOWN - len(self._playing)]
            self._rows += len(rows)

    def preview(self, path: str, old: bytes, new: bytes) -> None:
        """Take a page of a dry run."""
        if len(self._previews) < ROWS_SHOWN:
            self._previews.append((path, old, new))

    def show(self, report: SyncReport, *, quiet: bool) -> None:
        """Print what the sync did; `quiet`: only what needs attention, and on standard error, for cron to mail."""
        if not quiet:
            self.show_changes(report)
            _show_sums(report)
            if report.oldest_shared is not None:
                show_shared(report.shared, report.oldest_shared, report.finished)
        with redirect_stdout(sys.stderr) if quiet else nullcontext():
            show_wrong(report)

    def show_changes(self, report: SyncReport) -> None:
        """Print the changes; in a dry run, as a diff."""
        if self._previews:
            from syncer.cli.page_diff import page_diff

            for path, old, new in self._previews:
                for line in page_diff(path, old, new):
                    show(safe(line), _STYLES.get(line[0], ""))
                show()
        if self.changes and not report.dry_run:
            shown = self.changes
            if self._rows > ROWS_SHOWN:
                others = [change for change in shown if change.kind is not Detail.UNAVAILABLE_SINCE]
                shown = [*self._playing, *others][:ROWS_SHOWN]
            paths = [None, *(change.path for change in shown)]
            rows = [
                (
                    "" if change.path == before else change.path,
                    named_field(change.field, change.video_id),
                    change.old or "-",
                    change.new or "-",
                )
                for before, change in zip(paths, shown, strict=False)
            ]
            show_table(("page", "count", "old", "new"), rows, right=(2, 3))
        if report.dry_run:
            rest(report.changed_pages, "page", "name a PATH to see its pages (--json has all)")
        else:
            rest(self._rows, "change", f"`syncer log --sync {report.sync}` has all")


def failures(report: SyncReport) -> Sequence[Problem]:
    """Return the failed requests of a sync in which all failed: they are printed as the command's error instead."""
    if report.exit != ExitCode.NOTHING_ANSWERED:
        return ()
    return [problem for problem in report.problems if problem.kind is ProblemKind.REQUEST_FAILED]


def _show_sums(report: SyncReport) -> None:
    """Print a report's sums, and what is missing, hidden or unconfirmed."""
    show(summary_of(report), "bold")
    if report.removed[1]:
        verb = "Would remove" if report.dry_run else "Removed"
        show(f"{verb} {counted(report.removed[1], 'video')} from {safe(report.removed[0])}.")
    if report.playing and not report.playing.due and not report.videos and report.in_texts:
        them, verb = ("it", "plays") if report.in_texts == 1 else ("they", "play")
        show(f"Whether {them} {verb} was checked before (use --all to check again).")
    if report.playing and report.playing.due and not report.asked:
        due, verb = report.playing.due, "plays" if report.playing.due == 1 else "play"
        what, checked = f"whether {counted(due, 'video')} {verb}", report.playing.checked
        has_asked = checked or any(report.units.values())
        show(f"Checked {what}: {checked:,} returned." if has_asked else f"Did not check {what}: nothing was requested.")
    if report.tries.repeated:
        show(f"{counted(sum(report.tries.failures.values()), 'attempt')} failed (-v shows why).")
    if fresh := report.fresh - report.gone_not_due:
        show(f"Skipped {counted(fresh, 'video')} checked less than 5 minutes ago (use --all to include them).")
    if resting := report.gone_not_due:
        verb = "is" if resting == 1 else "are"
        show(f"Skipped {counted(resting, 'video')} that {verb} gone and not due yet (use --all to include them).")
    if report.accepted:
        show(accepted_outline(len(report.accepted), dry_run=report.dry_run))
    show_suppressed(report.suppressed)
    show_held_back(report.held_back, "Would hold back" if report.dry_run else "Held back")
    show_open(report.open)
    if report.commit:
        pushed = f" and pushed to {report.pushed_to}" if report.pushed_to else ""
        counts, dates, pages = report.committed
        is_other = pages and (counts, pages) != (report.changed_counts, report.changed_pages)
        what = f"{counts_and_dates(counts, dates)} on {counted(pages, 'page')} " if is_other else ""
        show(f"Committed {what}as {report.commit[:12]}{pushed}.")
    if report.build:
        show(report.build)
    missing = {*report.missing, *(video for video, is_missing in report.accepted.items() if is_missing)}
    stopped = [change.video_id for change in report.playing.stopped()] if report.playing else []
    lists = {
        MISSING: [(video,) for video in sorted(missing.difference(report.gone, report.braked, stopped))],
        GONE: [(video,) for video in report.gone],
        UNCONFIRMED: report.unconfirmed,
        HIDDEN: report.hidden,
    }
    show_videos(lists, report.pages_of, "`syncer status --json`")


def show_put_back(report: SyncReport) -> None:
    """Print what an undo or a drop restored."""
    sums = counts_and_dates(report.changed_counts, report.changed_dates)
    until = "YouTube returns different numbers" if report.changed_counts else "the states of their videos change"
    show(f"Restored {sums} on {counted(report.changed_pages, 'page')}. A sync changes them only when {until}.", "bold")
    show(f"To reverse this, run `syncer undo {report.sync}`.")


def show_way_back(paths: AbstractSet[str], own_file: str | None) -> None:
    """Print how to remove the counts inserted in these files, which an undo or a drop does not do.

    `own_file` is the data file that syncer writes.
    """
    if paths - {own_file}:
        show(
            "Inserted counts are not removed. Remove them by hand: delete the key and its value; in a table, empty the"
        )
        show("cell. If they are not committed, you can also run `git restore PAGE`, which discards all your changes of")
        show("the page since its last commit.")
    if own_file in paths:
        show("Inserted counts in a data file are not removed, because the next sync would write them again. To have no")
        show("such file, remove `write.to` and `write.file` from the config, then delete the file.")


def show_wrong(report: SyncReport) -> None:
    """Print what needs attention, videos that stopped playing or play again included: no later sync tells of them."""
    if report.playing and report.playing.changes:
        from syncer.status.play_report import RESUMED, STOPPED, change_rows

        played = {STOPPED: change_rows(report.playing.stopped()), RESUMED: change_rows(report.playing.resumed())}
        show_videos(played, report.pages_of, "`syncer videos`")
    if report.exit == ExitCode.INTERRUPTED:
        show("Stopped before the end. The next sync does the rest.", "yellow")
    if braked := brake_sentence_of(report, ACCEPT):
        show(braked, "bold yellow")
        show_held(report.brake, report.held, report.pages_of)
    show_over_quota(report.over_quota)
    shown_as_errors = failures(report)
    problems = [problem for problem in report.problems if problem not in shown_as_errors]
    if problems:
        show(f"Problems: {len(problems):,}", "bold")
        show_problems(problems)


_STYLES = {"+": "green", "-": "red", "@": "cyan"}
