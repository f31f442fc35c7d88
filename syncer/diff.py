"""Compares what pages say with what YouTube last said."""

from __future__ import annotations

from collections.abc import Container, Mapping

from syncer.model import Change, Page, Reading, VideoId, Why


def diff(page: Page, accepted: Mapping[VideoId, Reading], only: Container[VideoId] | None = None) -> tuple[Change, ...]:
    """Return the changes that bring the page's counts to the accepted readings; `only` narrows to these videos.

    A video without a reading, and a count that YouTube hides, change nothing.
    """
    changes = []
    for slot in page.slots:
        reading = accepted.get(slot.video_id)
        if reading is None or reading.statistics is None or (only is not None and slot.video_id not in only):
            continue
        for value in slot.values:
            number = reading.statistics.get(value.count)
            if number is None or (value.text is not None and int(value.text) == number):
                continue
            why = Why.CHANGED if value.present else Why.INSERTED
            changes.append(
                Change(page.path, slot.video_id, value.field, value.count, value.text, str(number), reading.at, why)
            )
    return tuple(changes)
