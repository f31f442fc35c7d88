"""What is said of a value that is neither a count nor a date, whatever kind of file has it."""

from __future__ import annotations

from syncer.model import Count, Date, ProblemKind, ValueKind

WRONG_KINDS = {Count: ProblemKind.NOT_A_COUNT, Date: ProblemKind.NOT_A_DATE}
_WORDS = {
    Count: ("count", "only digits"),
    Date: ("date", "a date like 2026-11-22"),
}
_SHOWN_CHARACTERS = 40


def describe_wrong(kind: ValueKind, name: str, source: str, empty: str = "leave it empty") -> tuple[ProblemKind, str]:
    """Return the kind and the message of the Problem of a value under this name, by its text in the file.

    `empty` says what to write otherwise.
    """
    noun, wanted = _WORDS[type(kind)]
    shown = " ".join(source.split())
    shown = shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[: _SHOWN_CHARACTERS - 3]}..."
    message = f"The {noun} {name!r} is {shown}, which syncer does not overwrite: write {wanted}, or {empty}."
    return WRONG_KINDS[type(kind)], message
