"""What a commit of counts says: how many, which most, what was missing, and of which sync."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from syncer.model import Change, Count, VideoId
from syncer.wording import counted, safe, utc

TRAILER = "Syncer-Sync"
"""The last line's key: by it a commit is known as ours."""

MOST = 10
"""Changes and missing videos that are named one by one."""


@dataclass(slots=True)
class Contents:
    """What goes into a commit, counted while it is made."""

    pages: int = 0
    counts: int = 0
    gained: Counter[Count] = field(default_factory=Counter)
    largest: list[tuple[int, int, Change]] = field(default_factory=list)
    """By how much a count differs, a number that tells equals apart, and the change: a heap, smallest first."""
    first: datetime | None = None
    last: datetime | None = None
    sync: str = ""
    """The newest of the syncs that wrote these counts."""

    def add(self, changes: Sequence[Change]) -> None:
        """Count a page's changes in."""
        self.pages += 1
        for change in changes:
            by = int(change.new) - int(change.old or 0)
            self.counts += 1
            self.gained[change.count] += by
            self.first = min(self.first or change.as_of, change.as_of)
            self.last = max(self.last or change.as_of, change.as_of)
            heapq.heappush(self.largest, (abs(by), -self.counts, change))
            if len(self.largest) > MOST:
                heapq.heappop(self.largest)


def message(contents: Contents, sync: str, missing: Sequence[VideoId], template: str | None) -> str:
    """Return the message of a commit; `template` is a first line of one's own, with words in braces."""
    subject = f"Update YouTube counts: {counted(contents.pages, 'page')}"
    words = {"subject": subject, "pages": str(contents.pages), "counts": str(contents.counts)}
    first = subject if template is None else re.sub(r"\{(\w+)\}", lambda found: words[found[1]], template)
    paragraphs = [first, "\n".join(_largest(contents)), "\n".join(_totals(contents, missing)), f"{TRAILER}: {sync}"]
    return "\n\n".join(paragraphs) + "\n"


def _largest(contents: Contents) -> Iterable[str]:
    if contents.counts > MOST:
        yield "The largest changes:"
    for _, _, change in sorted(contents.largest, key=lambda one: one[:2], reverse=True):
        old = "none" if change.old is None else change.old
        yield f"- {safe(change.path)}: {safe(change.field)} {old} -> {change.new}"


def _totals(contents: Contents, missing: Sequence[VideoId]) -> Iterable[str]:
    gained = ", ".join(f"{count.value} {by:+,}" for count, by in sorted(contents.gained.items()))
    yield f"In all: {counted(contents.counts, 'count')} on {counted(contents.pages, 'page')} ({gained})."
    if contents.first and contents.last:
        since = "" if contents.first == contents.last else f"{utc(contents.first)} to "
        yield f"Read from YouTube: {since}{utc(contents.last)}."
    if missing:
        named = ", ".join(missing[:MOST]) + (", ..." if len(missing) > MOST else "")
        yield f"Missing at YouTube: {counted(len(missing), 'video')} ({named})."
