"""Durations and shares as the config writes them: `6h`, a whole number and a unit; `50%`."""

from __future__ import annotations

import re
from datetime import timedelta

DURATION_PATTERN = "^[0-9]{1,9}[smhd]$"
POSITIVE_DURATION_PATTERN = "^0*[1-9][0-9]{0,8}[smhd]$"
SHARE_PATTERN = "^([0-9]{1,2}|100)%$"

_MAX_DURATION = timedelta(days=3650)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: object) -> timedelta:
    """Return the time that `90s`, `15m`, `6h` or `28d` stands for, ten years at most; raises ValueError."""
    if not isinstance(value, str) or not re.fullmatch(DURATION_PATTERN, value):
        raise ValueError("must be a whole number and a unit (s, m, h or d), such as `90s`, `15m`, `6h` or `28d`")
    seconds = int(value[:-1]) * _SECONDS[value[-1]]
    if seconds > _MAX_DURATION.total_seconds():
        raise ValueError("is too long; ten years (`3650d`) is the most")
    return timedelta(seconds=seconds)


def parse_positive_duration(value: object) -> timedelta:
    """Return the time that the text stands for, which must not be zero; raises ValueError."""
    duration = parse_duration(value)
    if not duration:
        raise ValueError("must be longer than zero, such as `90s`")
    return duration


def format_duration(duration: timedelta) -> str:
    """Return the shortest text that stands for the duration, a whole number of seconds."""
    seconds = int(duration.total_seconds())
    unit = next(unit for unit in reversed(_SECONDS) if seconds % _SECONDS[unit] == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"


def parse_share(value: object) -> float:
    """Return the share that `0%` to `100%` stands for, from 0 to 1; raises ValueError."""
    if not isinstance(value, str) or not re.fullmatch(SHARE_PATTERN, value):
        raise ValueError("must be a share from `0%` to `100%`, such as `50%`")
    return int(value[:-1]) / 100


def format_share(share: float) -> str:
    """Return the text that stands for the share."""
    return f"{round(share * 100)}%"
