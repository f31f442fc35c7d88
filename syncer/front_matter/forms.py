"""How the values of mapped fields look as text, and what is said of a text that looks otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from syncer.model import COUNT_PATTERN, Count, Detail, ProblemKind, ValueKind


class ValueForm(NamedTuple):
    """How a value looks, in any kind of file, without quotes. Unquoted, all YAML parsers must read it as it is."""

    noun: str
    """What messages call the value."""
    wanted: str
    """What to write, in words."""
    pattern: str
    """What the whole text matches."""
    characters: str
    """All characters that it can have, as a set of a pattern."""
    stand_in: str
    """A value that stands for any other while two texts are compared in all else."""
    wrong: ProblemKind
    """What a text of another form is."""


DATE_PATTERN = "[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
"""What each date matches as it is written in a page: all have the same length."""

QUOTED_AFTER_COLON: Final = ' "'
"""What comes before a date that is written to a key of YAML without a value."""

_COUNT = ValueForm("count", "only digits", COUNT_PATTERN, "0-9", "0", ProblemKind.NOT_A_COUNT)
_DATE = ValueForm("date", "a date like 2026-11-22", DATE_PATTERN, "0-9-", "0001-01-01", ProblemKind.NOT_A_DATE)

FORMS: Final[Mapping[ValueKind, ValueForm]] = {
    **dict.fromkeys(Count, _COUNT),
    Detail.CHECKED_AT: _DATE,
    Detail.UNAVAILABLE_SINCE: _DATE,
}

MEANT_AS_COUNT = re.compile(r"\W*\d.{0,30}|\W+|n/?a|none|unknown|tb[ad]", re.IGNORECASE | re.DOTALL)
"""A text that somebody wrote as a count, or instead of one: `31,147`, `1.2M`, `0x10`, `12 views`, `-`, `n/a`."""

_SHOWN_CHARACTERS = 40


def can_be_empty(kind: ValueKind) -> bool:
    """Return whether a value can be removed, so that nothing is there."""
    return not (isinstance(kind, Count) or kind is Detail.CHECKED_AT)


def describe_wrong(kind: ValueKind, name: str, source: str, empty: str = "leave it empty") -> tuple[ProblemKind, str]:
    """Return the kind and the message of the Problem of a value under this name, by its text in the file.

    `empty` says what to write otherwise.
    """
    form, shown = FORMS[kind], " ".join(source.split())
    shown = shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[: _SHOWN_CHARACTERS - 3]}..."
    message = f"The {form.noun} {name!r} is {shown}, which syncer does not overwrite: write {form.wanted}, or {empty}."
    return form.wrong, message
