"""How the patterns of `include` and `exclude` may be written."""

from __future__ import annotations

import re
import warnings

from pathspec import GitIgnoreSpec


def check_pattern(glob: str) -> str:
    """Return the pattern as it is, if .gitignore can have it and it names something; raises ValueError."""
    if not glob.strip():
        raise ValueError("is an empty pattern; write one such as `**/*.md`, or take the item out")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of brackets in brackets, which a later Python may read in another way
            (pattern,) = GitIgnoreSpec.from_lines([glob]).patterns
    except (ValueError, re.error, FutureWarning):
        raise ValueError("is not a valid .gitignore pattern; check its brackets, its `!` and its backslashes") from None
    if pattern.include is None:
        raise ValueError(
            "names nothing; put a backslash before a `#` at its start, and before a `[` that is not closed"
        )
    return glob


def check_patterns(globs: tuple[str, ...]) -> tuple[str, ...]:
    """Return the patterns of `include` as they are, if they can take a file; raises ValueError."""
    if globs and all(glob.startswith("!") for glob in globs):
        raise ValueError(
            "only excludes files, with `!`; write patterns of the files to include before them, such as `**/*.md`"
        )
    return globs
