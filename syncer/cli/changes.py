"""What a sync changed, as people read it: a table; for a dry run a diff."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from syncer.cli.show import SHOWN, rest, safe, show, show_problems, show_table
from syncer.front_matter.video_id import is_possible
from syncer.model import Change, SyncReport, VideoId


class ChangeList:
    """The first changes of a sync; the diff log has all."""

    def __init__(self, *, keep_all: bool = False) -> None:
        self.changes: list[Change] = []
        self._previews: list[tuple[str, bytes, bytes]] = []
        self._keep_all = keep_all

    def add(self, changes: Sequence[Change]) -> None:
        """Take a batch of changes."""
        room = None if self._keep_all else SHOWN - len(self.changes)
        self.changes += changes[:room]

    def preview(self, path: str, old: bytes, new: bytes) -> None:
        """Take a page of a dry run."""
        if len(self._previews) < SHOWN:
            self._previews.append((path, old, new))

    def show(self, report: SyncReport, *, quiet: bool) -> None:
        """Print what the sync did; `quiet`: only what went wrong."""
        if not quiet:
            self._show_changes(report)
            _show_sums(report)
        _show_wrong(report)

    def _show_changes(self, report: SyncReport) -> None:
        for path, old, new in self._previews:
            _show_diff(path, old, new)
        if self.changes and not report.dry_run:
            show_table(("page", "count", "old", "new"), map(_row, self.changes), right=(2, 3))
        if report.dry_run:
            rest(report.changed_pages, "pages")
        else:
            rest(report.changed_counts, "changes", f"`syncer log --sync {report.sync}` has all")


def _show_sums(report: SyncReport) -> None:
    """Print a report's sums, and what is missing and hidden."""
    verb = "would change" if report.dry_run else "changed"
    show(
        f"{report.pages:,} pages, {report.videos:,} videos: {report.asked:,} asked, {report.answered:,} answered; "
        f"{verb} {report.changed_counts:,} counts on {report.changed_pages:,} pages.",
        "bold",
    )
    if report.retries:
        show(f"Tries that failed and were repeated: {report.retries:,} (-v says why).")
    if report.fresh:
        show(f"Not asked again, read less than five minutes ago: {report.fresh:,} (--all asks).")
    if report.missing:
        show(f"Missing on YouTube, counts left as they are: {', '.join(map(_missing, report.missing[:SHOWN]))}")
        rest(len(report.missing), "missing videos", "`syncer status` has all")
    if report.hidden:
        names = ", ".join(f"{video} ({count})" for video, count in report.hidden[:SHOWN])
        show(f"Hidden by the owner, left as they are: {names}")
        rest(len(report.hidden), "hidden counts", "`syncer status` has all")


def _show_wrong(report: SyncReport) -> None:
    if report.over_quota:
        show(f"Left out for lack of quota: {report.over_quota:,}; the next syncs take them first.", "yellow")
    if report.problems:
        show(f"Problems: {len(report.problems):,}", "bold")
        show_problems(report.problems)


def _row(change: Change) -> tuple[str, str, str, str]:
    return change.path, change.field, change.old if change.old is not None else "-", change.new


def _missing(video: VideoId) -> str:
    return video if is_possible(video) else f"{video} (a typo?)"


def _show_diff(path: str, old: bytes, new: bytes) -> None:
    lines = difflib.unified_diff(_lines(old), _lines(new), f"a/{path}", f"b/{path}", n=1, lineterm="")
    for line in lines:
        show(safe(line), _STYLES.get(line[0], ""))


def _lines(page: bytes) -> list[str]:
    return page.decode("utf-8", "backslashreplace").splitlines()


_STYLES = {"+": "green", "-": "red", "@": "cyan"}
