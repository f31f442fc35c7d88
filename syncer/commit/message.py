"""The message of a commit: the largest changes, the totals, the missing videos and the sync."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple

from syncer.model import Change, Count, VideoId
from syncer.wording import counted, counts_and_dates, safe, utc

TRAILER = "Syncer-Sync"
"""The key of the last line. A commit without it is not syncer's; one with it may still have a copied message."""

PAGES_TRAILER = "Syncer-Pages"
"""The key of the line before it: on how many pages the changes are seen. CI can decide by it whether to build."""

CLAIM = re.compile(rf"(?m)^{TRAILER}: ")
"""Finds that line anywhere in a message."""

NAMED_ITEMS = 10
"""The largest number of changes, and of missing videos, that a message names."""


@dataclass(slots=True)
class CommitContents:
    """Totals of a commit's changes, collected while it is built."""

    pages: int = 0
    in_pages: set[str] = field(default_factory=set)
    """The files that are pages themselves."""
    in_data_files: set[VideoId] = field(default_factory=set)
    """The videos whose counts changed in the data file of `write.file`, which other pages show."""
    counts: int = 0
    named: int = 0
    """The changes of which a message names the largest."""
    dates: int = 0
    """Dates on pages without a changed count."""
    largest: list[tuple[int, int, Change]] = field(default_factory=list)
    """The size of a change, a tie-breaker, and the change: a heap, smallest first."""
    first: datetime | None = None
    last: datetime | None = None
    sync: str = ""
    """The newest of the syncs that wrote these counts."""

    def add(self, changes: Sequence[Change], *, own_file: bool = False) -> None:
        """Add a page's changes to the totals. Its dates are named and counted only if it has no count.

        `own_file`: the page is the data file of `write.file`.
        """
        self.pages += 1
        if own_file:
            self.in_data_files.update(change.video_id for change in changes)
        else:
            self.in_pages.update(change.path for change in changes[:1])
        of_counts = [change for change in changes if isinstance(change.kind, Count)]
        self.counts += len(of_counts)
        self.dates += 0 if of_counts else len(changes)
        for change in of_counts or changes:
            by = int(change.new) - int(change.old or 0) if isinstance(change.kind, Count) else 0
            self.named += 1
            self.first = min(self.first or change.as_of, change.as_of)
            self.last = max(self.last or change.as_of, change.as_of)
            heapq.heappush(self.largest, (abs(by), -self.named, change))
            if len(self.largest) > NAMED_ITEMS:
                heapq.heappop(self.largest)


class Wording(NamedTuple):
    """What the commit message of a sync or a review is made from."""

    template: str | None
    """The configured first line, with words in braces; None: the default."""
    sync: str | None = None
    """The sync that commits; None: the newest of those that wrote the counts."""
    missing: Sequence[VideoId] = ()
    """The videos that YouTube did not return in this sync."""
    pages_of: Callable[[Collection[VideoId], Collection[str]], int] = lambda videos, pages: len(videos) + len(pages)
    """Returns how many pages name any of these videos, or are one of these pages."""

    def message(self, contents: CommitContents) -> str:
        """Return the message of a commit."""
        subject = f"Update YouTube counts: {counted(contents.pages, 'page')}"
        words = {"subject": subject, "pages": str(contents.pages), "counts": str(contents.counts)}
        first = subject if self.template is None else re.sub(r"\{(\w+)\}", lambda word: words[word[1]], self.template)
        changes = [line_of(change) for _, _, change in sorted(contents.largest, key=itemgetter(0, 1), reverse=True)]
        if contents.named > NAMED_ITEMS:
            changes.insert(0, "The largest changes:")
        totals = [_in_all(contents)]
        if contents.first and contents.last:
            since = "" if contents.first == contents.last else f"{utc(contents.first)} to "
            totals.append(f"Read from YouTube: {since}{utc(contents.last)}.")
        if self.missing:
            named = ", ".join(self.missing[:NAMED_ITEMS]) + (", ..." if len(self.missing) > NAMED_ITEMS else "")
            totals.append(f"Missing on YouTube: {counted(len(self.missing), 'video')} ({named}).")
        in_pages, in_data_files = contents.in_pages, contents.in_data_files
        shown_on = self.pages_of(in_data_files, in_pages) if in_data_files else len(in_pages)
        trailer = f"{PAGES_TRAILER}: {shown_on}\n{TRAILER}: {self.sync or contents.sync}\n"
        return "\n\n".join([first, "\n".join(changes), "\n".join(totals), trailer])


def form(template: str | None) -> re.Pattern[str]:
    """Return a pattern for the messages that `Wording` makes with this template, and for no other text.

    Earlier versions wrote `Missing at YouTube`, sums of what the counts gained, `0 counts` where only dates changed,
    and no number of pages in a trailer.
    """
    subject = "Update YouTube counts: [0-9,]+ pages?"
    words = {"subject": subject, "pages": "[0-9]+", "counts": "[0-9]+"}
    first = re.split(r"\{(\w+)\}", template or "{subject}")  # texts, and between them words
    line = "".join(words[part] if number % 2 else re.escape(part) for number, part in enumerate(first))
    time = "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} UTC"
    return re.compile(
        rf"(?:{subject}|{line})\n\n"
        r"(?:The largest changes:\n)?(?:- [^\n]+: [^\n]+ (?:none|[0-9-]+) -> [0-9-]+\n)+\n"
        rf"In all: (?:[0-9,]+ counts?|[0-9,]+ dates?|[0-9,]+ counts? and [0-9,]+ dates?) on [0-9,]+ pages?{_GAINED}\.\n"
        rf"Read from YouTube: (?:{time} to )?{time}\.\n"
        r"(?:Missing (?:on|at) YouTube: [0-9,]+ videos? \([0-9A-Za-z_-]+(?:, [0-9A-Za-z_-]+)*(?:, \.\.\.)?\)\.\n)?\n"
        rf"(?:{PAGES_TRAILER}: [0-9]+\n)?{TRAILER}: [0-9TZ]{{16}}-[0-9a-f]+\n*"
    )


def fits(text: str, contents: CommitContents, lines: Collection[str]) -> bool:
    """Return whether a message of this form describes these changes; `lines` are their lines, as `line_of` writes them.

    Of several changes of the same size, a message may name any. How many pages showed a data file's videos when the
    commit was made is not known later: at least those that it changed, and at least one.
    """
    named = re.findall(r"(?m)^- .+ -> (?:[0-9-]+|none)$", text)
    pages = [int(number) for number in re.findall(rf"(?m)^{PAGES_TRAILER}: ([0-9]+)$", text)]
    in_pages = len(contents.in_pages)
    return len(named) == len(set(named)) == min(contents.named, NAMED_ITEMS) and (
        set(named) <= set(lines)
        and (not pages or (pages[0] >= max(1, in_pages) if contents.in_data_files else pages == [in_pages]))
        and any(f"\n{total}\n" in re.sub(_GAINED, "", text) for total in (_in_all(contents), _in_all_before(contents)))
        and ("\nThe largest changes:\n" in text) is (contents.named > NAMED_ITEMS)
    )


def line_of(change: Change) -> str:
    """Return a change's line in a message."""
    old = "none" if change.old is None else change.old
    return f"- {safe(change.path)}: {safe(change.field)} {old} -> {change.new or 'none'}"


def _in_all(contents: CommitContents) -> str:
    return f"In all: {counts_and_dates(contents.counts, contents.dates)} on {counted(contents.pages, 'page')}."


def _in_all_before(contents: CommitContents) -> str:
    return f"In all: {counted(contents.counts, 'count')} on {counted(contents.pages, 'page')}."


_GAINED = r"(?: \([A-Za-z]+ [+-][0-9,]+(?:, [A-Za-z]+ [+-][0-9,]+)*\))?"
"""Sums of what the counts gained, which earlier versions wrote. YouTube's terms forbid sums over several channels."""
