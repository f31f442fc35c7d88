"""Draws SVG: a video's counts over time, and the last syncs as a row of bars. Their styles are in the style sheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from math import ceil, log10, sqrt
from typing import NamedTuple

from syncer.errors import ExitCode
from syncer.model import Count, Reading
from syncer.status.stored_reports import FINE, Outline
from syncer.status_page.frame import Frame
from syncer.status_page.markup import Markup, tag, together
from syncer.wording import counted, counts_and_dates, utc

WIDTH, HEIGHT = 640, 230
LEFT, RIGHT, TOP, BOTTOM = 92, 20, 42, 34
"""The margins around the plot, for the labels."""

COUNT_NAMES = {Count.VIEWS: "views", Count.LIKES: "likes", Count.COMMENTS: "comments"}

BARS_WIDTH, UP, DOWN, ABOVE = 606, 150, 100, 16
"""Of the row of bars: its width, the longest bar above and below the line, and the room for a mark."""

SLOTS_MINIMUM = 8
"""With fewer syncs the bars do not get wider."""

BAR_SHARE = 0.7
"""A bar's share of its slot; the rest is the gap to the next."""


class _Scale(NamedTuple):
    """Maps a value to a coordinate: `first` to `start`, `last` to `stop`."""

    first: float
    last: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        share = (value - self.first) / ((self.last - self.first) or 1)
        return round(self.start + share * (self.stop - self.start), 1)


def count_chart(count: Count, readings: Sequence[Reading], meanings: Sequence[date]) -> Markup | None:
    """Return the chart of one count of a video, from readings in order of time; None where no reading has the count.

    `meanings` are the days on which YouTube changed how it counts views.
    """
    points = [(reading.at, reading.statistics.get(count)) for reading in readings if reading.statistics]
    numbers = [number for _, number in points if number is not None]
    if not numbers:
        return None
    unit, radius = COUNT_NAMES[count], 4 if len(numbers) <= 40 else 2.5
    ticks = _round_values(min(numbers), max(numbers))
    x = _time_scale(readings)
    y = _Scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    name = f"chart-{unit}"
    first, last = numbers[0], numbers[-1]
    description = (
        f"From {first:,} to {last:,} {unit} in {counted(len(numbers), 'reading')} "
        f"between {utc(readings[0].at)} and {utc(readings[-1].at)}."
    )
    return tag(
        "svg",
        tag("title", f"{unit.capitalize()} over time", id=f"{name}-title"),
        tag("desc", description, id=f"{name}-desc"),
        tag("text", unit, x=0, y=18, class_="unit"),
        [_level(y(tick), tick) for tick in ticks],
        list(_days(x)),
        [_meaning(x(datetime.combine(day, time(), UTC).timestamp()), day) for day in meanings if count is Count.VIEWS],
        [
            tag("polyline", points=" ".join(f"{x(at.timestamp())},{y(number)}" for at, number in run), class_="line")
            for run in _runs(readings, count)
        ],
        [
            tag(
                "circle",
                tag("title", f"{utc(at)}: {number:,} {unit}"),
                cx=x(at.timestamp()),
                cy=y(number),
                r=radius,
                class_="dot",
            )
            for at, number in points
            if number is not None
        ],
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        class_="chart",
        aria_labelledby=f"{name}-title {name}-desc",
    )


def sync_bars(frame: Frame, syncs: Sequence[Outline]) -> Markup:
    """Return the bars of syncs, oldest first, and what they mean: above a line the time taken, below it the changes.

    Where no sync took longer than a second, which is all that reports can tell apart, the changes are the only bars.
    """
    seconds, changes = [_seconds(sync) for sync in syncs], [sync["changed_counts"] for sync in syncs]
    timed = max(seconds) > 1
    upward = _lengths(seconds, UP) if timed else _lengths(changes, UP + DOWN)
    downward = _lengths(changes, DOWN) if timed else [0] * len(syncs)
    line = ABOVE + (UP if timed else UP + DOWN)
    slot = BARS_WIDTH / max(len(syncs), SLOTS_MINIMUM)
    kinds = [
        "" if sync["result"] in FINE else "attention" if sync["exit"] <= ExitCode.PROBLEMS else "wrong"
        for sync in syncs
    ]
    bars = [
        _bar(
            sync,
            number * slot,
            line,
            (up, down),
            slot=slot,
            kind=f"{'took' if timed else 'changed'} {kind}".strip(),
            href=frame.address(f"/syncs/{sync['sync']}"),
        )
        for number, (sync, kind, up, down) in enumerate(zip(syncs, kinds, upward, downward, strict=True))
    ]
    meanings = (
        ("took", f"time taken (longest: {max(seconds):,.0f} s)", timed),
        ("changed", f"counts changed (most: {max(changes):,})", True),
        ("attention", "needs attention", "attention" in kinds),
        ("wrong", "failed or stopped", "wrong" in kinds),
    )
    square = {"width": 12, "height": 12, "rx": 2}
    legend = [
        tag("li", tag("svg", tag("rect", class_=kind, **square), viewBox="0 0 12 12", aria_hidden="true"), text)
        for kind, text, shown in meanings
        if shown
    ]
    name = "The last syncs, oldest first: " + " and ".join(text for _, text, shown in meanings[:2] if shown)
    drawing = tag(
        "svg",
        tag("title", name, id="bars-title"),
        bars,
        tag("line", x1=0, x2=BARS_WIDTH, y1=line, y2=line, class_="axis"),
        viewBox=f"0 0 {BARS_WIDTH} {ABOVE + UP + DOWN + 6}",
        class_="bars",
        role="group",
        aria_labelledby="bars-title",
    )
    return together(drawing, tag("ul", legend, class_="legend"))


def _lengths(values: Sequence[float], longest: int) -> list[int]:
    """Return the lengths of bars: roots, with which small values stay visible."""
    most = max(values) or 1
    return [round(longest * sqrt(value / most)) for value in values]


def _bar(sync: Outline, x: float, line: int, lengths: tuple[int, int], *, slot: float, kind: str, href: str) -> Markup:
    """Return the bars of one sync, in its slot from `x` on; `kind` are the classes of the one above the line."""
    left, width = round(x + (1 - BAR_SHARE) / 2 * slot, 1), round(BAR_SHARE * slot, 1)
    up, down = max(4, lengths[0]), lengths[1]
    description = (
        f"{utc(datetime.fromisoformat(sync['finished']))}: {sync['result']}, "
        f"{counts_and_dates(sync['changed_counts'], sync['changed_dates'])} changed, {_seconds(sync):.0f} s"
    )
    mark = tag("circle", cx=round(x + slot / 2, 1), cy=line - up - 7, r=4, class_="mark")
    return tag(
        "a",
        tag("title", description),
        tag("rect", x=left, y=0, width=width, height=ABOVE + UP + DOWN, class_="touch"),
        tag("rect", x=left, y=line - up, width=width, height=up, rx=2, class_=kind),
        tag("rect", x=left, y=line, width=width, height=down, rx=2, class_="changed") if down else None,
        mark if kind else None,
        href=href,
        aria_label=description,
    )


def _seconds(sync: Outline) -> float:
    return (datetime.fromisoformat(sync["finished"]) - datetime.fromisoformat(sync["started"])).total_seconds()


def _time_scale(readings: Sequence[Reading]) -> _Scale:
    first, last = readings[0].at.timestamp(), readings[-1].at.timestamp()
    if first == last:
        first, last = first - 3600, last + 3600
    return _Scale(first, last, LEFT + 8, WIDTH - RIGHT - 8)


def _runs(readings: Sequence[Reading], count: Count) -> Iterator[list[tuple[datetime, int]]]:
    """Yield the readings that a line joins: a reading without the count ends the line."""
    run: list[tuple[datetime, int]] = []
    for reading in readings:
        number = (reading.statistics or {}).get(count)
        if number is not None:
            run.append((reading.at, number))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _round_values(low: int, high: int) -> list[int]:
    """Return about four round values, from at most `low` to at least `high`."""
    rough = max(1.0, (high - low) / 3)
    size = 10 ** int(log10(rough))
    step = int(next(step * size for step in (1, 2, 5, 10) if step * size >= rough))
    first, last = low // step * step, ceil(high / step) * step
    if first == last:
        last += step
    return list(range(first, last + 1, step))


def _level(y: float, value: int) -> Markup:
    return tag(
        "g",
        tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"),
        tag("text", f"{value:,}", x=LEFT - 10, y=y + 4, class_="end"),
    )


def _days(x: _Scale) -> Iterator[Markup]:
    """Yield the labels of the time axis: at the first and the last reading, and two between."""
    pattern = "%d %b %H:%M" if x.last - x.first < 3 * 86_400 else "%d %b"
    for number in range(4):
        at = x.first + number / 3 * (x.last - x.first)
        anchor = "start" if number == 0 else "end" if number == 3 else "middle"
        text = f"{datetime.fromtimestamp(at, UTC):{pattern}}"
        yield tag("line", x1=x(at), x2=x(at), y1=HEIGHT - BOTTOM, y2=HEIGHT - BOTTOM + 5, class_="axis")
        yield tag(
            "text", text, x=x(at), y=HEIGHT - 10, class_=f"{anchor} {'between' if 0 < number < 3 else ''}".strip()
        )


def _meaning(x: float, day: date) -> Markup:
    return tag(
        "g",
        tag("title", f"YouTube changed how it counts views on {day}"),
        tag("line", x1=x, x2=x, y1=8, y2=HEIGHT - BOTTOM, class_="meaning"),
        tag("text", f"new way of counting views, {day:%d %b %Y}", x=x - 6, y=18, class_="end note"),
    )
