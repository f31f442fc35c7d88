"""The five fields of a cron text, checked and spelt out, without a scheduler at hand."""

from __future__ import annotations

import re
from dataclasses import dataclass

WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class Cron:
    """When to sync: each field as the sorted values it names."""

    text: str
    """As the config has it."""
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    """Of the month."""
    months: tuple[int, ...]
    weekdays: tuple[str, ...]
    """Names, from `sun` to `sat`: schedulers do not agree on which day is number 0."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    first: int
    last: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("weekday", 0, 7, WEEKDAYS),
)


def parse_cron(text: str) -> Cron:
    """Return what a five-field cron text names, weekdays 0 and 7 being Sunday as in crontab(5); raises ValueError."""
    parts = text.lower().split()
    if len(parts) != len(_FIELDS):
        raise ValueError(
            f"must have five fields (minute, hour, day of the month, month, weekday), such as `17 */6 * * *`,"
            f" but has {len(parts)}"
        )
    minutes, hours, days, months, weekdays = (
        tuple(sorted({value for item in part.split(",") for value in _item(item, field)}))
        for part, field in zip(parts, _FIELDS, strict=True)
    )
    if all(_LONGEST_MONTHS[month - 1] < days[0] for month in months):
        raise ValueError(f"names day {days[0]} of months that do not have that day: it would never run")
    if not (parts[2].startswith("*") or parts[4].startswith("*")):
        raise ValueError(
            "names both days of the month and weekdays, which cron reads as either; write `*` for one of the two"
        )
    named = {WEEKDAYS[number % 7] for number in weekdays}
    return Cron(text, minutes, hours, days, months, tuple(day for day in WEEKDAYS if day in named))


def _item(item: str, field: _Field) -> range:
    """Return the values of one item of a field's list: a number, a name or a range, each with an optional step."""
    span, slash, step = item.partition("/")
    match = re.fullmatch(r"(?P<star>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?", span, re.ASCII)
    if match is None:
        raise ValueError(f"has `{item[:20]}` as {field.name}; write a number, `1-5`, `*/6` or a list such as `1,3,5`")
    if match["star"]:
        # 7 is Sunday again: left out, so that the steps of `*/2` count from 0 to 6
        first, last = field.first, 6 if field.name == "weekday" else field.last
    else:
        first = _number(match["first"], field)
        last = _number(match["last"], field) if match["last"] else first
        if field.name == "weekday" and last == 0 and match["last"]:
            last = 7
    if last < first:
        raise ValueError(f"has the range `{item[:20]}` as {field.name}, which is reversed; write it as two ranges")
    if slash and not (match["star"] or match["last"]):
        raise ValueError(f"has `{item[:20]}` as {field.name}; a step needs a range or `*` before it, such as `*/6`")
    if slash and (not re.fullmatch("[0-9]{1,2}", step) or not 1 <= int(step) <= field.last):
        raise ValueError(f"has the step `{step[:20]}` as {field.name}; it must be from 1 to {field.last}")
    return range(first, last + 1, int(step) if slash else 1)


def _number(text: str, field: _Field) -> int:
    if text in field.names:
        return field.names.index(text) + field.first
    if re.fullmatch("[0-9]{1,2}", text) and field.first <= int(text) <= field.last:
        return int(text)
    names = f" or a name from `{field.names[0]}` to `{field.names[-1]}`" if field.names else ""
    raise ValueError(f"has `{text[:20]}` as {field.name}; it must be from {field.first} to {field.last}{names}")
