"""Compares what pages say with what YouTube last said."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from syncer.model import Change, Count, Page, Reading, Statistics, Value, VideoId, Why


def diff(page: Page, accepted: Mapping[VideoId, Reading], only: Container[VideoId] | None = None) -> tuple[Change, ...]:
    """Return the changes that bring the page's counts to the accepted readings; `only` narrows to these videos.

    A video without a reading, and a count that YouTube hides, change nothing.
    """
    return tuple(
        Change(
            page.path,
            reading.video_id,
            value.field,
            value.count,
            value.text,
            str(given[value.count]),
            reading.at,
            Why.CHANGED if value.present else Why.INSERTED,
        )
        for value, reading, given in _compared(page, accepted, only)
        if value.count in given and (value.text is None or int(value.text) != given[value.count])
    )


def hidden(
    page: Page, accepted: Mapping[VideoId, Reading], only: Container[VideoId] | None = None
) -> Iterator[tuple[VideoId, Count]]:
    """Yield the counts that the page has and YouTube did not give."""
    for value, reading, given in _compared(page, accepted, only):
        if value.count not in given:
            yield reading.video_id, value.count


def _compared(
    page: Page, accepted: Mapping[VideoId, Reading], only: Container[VideoId] | None
) -> Iterator[tuple[Value, Reading, Statistics]]:
    for slot in page.slots:
        reading = accepted.get(slot.video_id)
        if reading is None or reading.statistics is None or (only is not None and slot.video_id not in only):
            continue
        for value in slot.values:
            yield value, reading, reading.statistics
