"""The JSON document of a review."""

from __future__ import annotations

from syncer.review.act import Done
from syncer.review.look import Review, WaitingCount, WaitingPage
from syncer.status.report import SyncReport, problem_json

DIGITS = 6
"""Places after the point: a millionth more is nothing more."""


def review_json(review: Review, done: Done | None = None) -> dict[str, object]:
    """Return a review as `syncer review --json` prints it, with what was done if something was."""
    kept, dropped = (done.kept, done.dropped) if done else (None, None)
    return {
        "head": review.head,
        "kept": {"commit": kept.commit, "pages": kept.pages, "counts": kept.counts} if kept else None,
        "dropped": _dropped(dropped) if dropped else None,
        "pages": [_page(page) for page in review.pages],
        "problems": [problem_json(problem) for problem in (done.problems if done else review.problems)],
        "exit": done.exit if done else review.exit,
    }


def _dropped(report: SyncReport) -> dict[str, object]:
    return {"sync": report.sync, "pages": report.changed_pages, "counts": report.changed_counts}


def _page(page: WaitingPage) -> dict[str, object]:
    return {
        "path": page.path,
        "other_lines": page.other_lines,
        "counts": [_count(count) for count in page.counts],
    }


def _count(count: WaitingCount) -> dict[str, object]:
    waiting = count.waiting
    return {
        "video_id": waiting.place.video_id,
        "field": waiting.place.field,
        "count": waiting.count.value,
        "old": waiting.old,
        "new": waiting.new,
        "relative": None if count.relative is None else round(count.relative, DIGITS),
        "large_change": count.large_change,
        "ours": count.ours,
    }
