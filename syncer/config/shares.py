"""Shares as the config writes them: whole percents."""

from __future__ import annotations

import re

SHARE_PATTERN = "^([0-9]{1,2}|100)%$"


def parse_share(value: object) -> float:
    """Return the share that `0%` to `100%` stands for, from 0 to 1; raises ValueError."""
    if not isinstance(value, str) or not re.fullmatch("([0-9]{1,2}|100)%", value):
        raise ValueError("must be a share from `0%` to `100%`, such as `50%`")
    return int(value[:-1]) / 100


def format_share(share: float) -> str:
    """Return the text that stands for the share."""
    return f"{round(share * 100)}%"
