"""How a commit's first line, its author and a remote may be written."""

from __future__ import annotations

import re

WORDS = ("subject", "pages", "counts")
"""What may stand in braces in the first line."""


def check_first_line(line: str) -> str:
    """Return the line as it is, if a commit can begin with it; raises ValueError."""
    if not line.strip() or not line.isprintable():
        raise ValueError("must be one line of text; what follows it in the message is syncer's")
    unknown = set(re.findall(r"\{(\w*)\}", line)) - set(WORDS)
    if unknown:
        known = ", ".join(f"`{{{word}}}`" for word in WORDS)
        raise ValueError(f"has `{{{min(unknown)}}}`, which means nothing here; there are {known}")
    return line


def check_author(author: str) -> str:
    """Return the author as it is, if git can take it; raises ValueError."""
    if not author.isprintable() or not re.fullmatch(r"[^<>]*[^<>\s][^<>]* <[^<>\s]+>", author):
        raise ValueError("must be a name and an address, such as `Counts <counts@example.org>`")
    return author


def check_remote(remote: str) -> str:
    """Return the name as it is, if a remote can have it; raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.\-/]*", remote):
        raise ValueError("must be the name of a remote, such as `origin`, not its address")
    return remote
