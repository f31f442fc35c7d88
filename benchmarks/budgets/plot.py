"""Draws the errors of the simulations by day, in SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

WIDTH, LEFT, RIGHT, PANEL, HEAD = 800, 70, 150, 170, 44
"""In pixels: all of it, the space for the axis, that for the names of the lines, a panel, and its heading."""

COLOURS = {"syncer": "#2a6f97", "uniform": "#8a8a8a", "proportional": "#c77d2e", "age ladder": "#7b5ea7"}

Lines = Mapping[str, Sequence[float]]
"""By policy, the mean error of each day."""


def plot(laws: Mapping[str, Lines], least: Mapping[str, float], title: str) -> str:
    """Return the errors of each law, one below the other; `least` are the least possible ones, where they are known."""
    height = HEAD + len(laws) * PANEL
    parts = [part for number, law in enumerate(laws) for part in _panel(law, laws[law], least.get(law), number)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"'
        f' font-size="12" role="img">\n<title>{title}</title>\n<rect width="{WIDTH}" height="{height}" fill="white"/>\n'
        f'<text x="10" y="20" font-size="13" font-weight="bold">{title}</text>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _panel(law: str, lines: Lines, least: float | None, number: int) -> Iterator[str]:
    top, bottom = HEAD + number * PANEL + 20, HEAD + (number + 1) * PANEL - 26
    most = max(max(days) for days in lines.values())
    days = len(next(iter(lines.values())))
    right = WIDTH - RIGHT

    def x(day: float) -> float:
        return LEFT + (right - LEFT) * day / max(1, days - 1)

    def y(error: float) -> float:
        return bottom - (bottom - top) * error / most

    yield f'<text x="10" y="{top - 6}" font-weight="bold">{law}</text>'
    step = 10 ** math.floor(math.log10(most)) * (1 if most / 10 ** math.floor(math.log10(most)) < 4 else 2)
    for mark in range(int(most / step) + 1):
        level = y(mark * step)
        yield f'<path d="M{LEFT} {level:.1f}H{right}" stroke="#dddddd"/>'
        percent = f"{100 * mark * step:.2g}%"
        yield f'<text x="{LEFT - 6}" y="{level + 4:.1f}" text-anchor="end" fill="#555555">{percent}</text>'
    for day in range(0, days, 30):
        yield f'<text x="{x(day):.1f}" y="{bottom + 14}" text-anchor="middle" fill="#555555">day {day}</text>'
    if least is not None:
        level = y(least)
        yield f'<path d="M{LEFT} {level:.1f}H{right}" stroke="black" stroke-dasharray="4 3"/>'
    labels = sorted(lines, key=lambda name: lines[name][-1], reverse=True)
    lowest = top - 4.0
    for name in labels:
        points = " ".join(f"{x(day):.1f},{y(error):.1f}" for day, error in enumerate(lines[name]))
        wide = 2.5 if name == "syncer" else 1.3
        yield f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="{wide}"/>'
        lowest = max(lowest + 14, y(lines[name][-1]) + 4)
        yield f'<text x="{right + 8}" y="{lowest:.1f}" fill="{COLOURS[name]}">{name}</text>'
    if least is not None:
        yield f'<text x="{right + 8}" y="{lowest + 14:.1f}">least possible</text>'
