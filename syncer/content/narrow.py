"""Narrows a walk to the paths that a person names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from syncer.content.scan import Candidate
from syncer.errors import UsageError
from syncer.model import Problem


def narrow(found: Iterable[Candidate | Problem], paths: Iterable[str]) -> Iterator[Candidate | Problem]:
    """Yield what is at one of these paths or below it; without paths, everything.

    Paths are relative to the site; `` is the site. At the end, raises UsageError for paths with nothing there.
    """
    wanted = set(paths)
    unused = set(wanted)
    for one in found:
        at = one.subject if isinstance(one, Problem) else one.path
        matching = wanted.intersection(and_above(at)) if wanted else ()
        unused.difference_update(matching)
        if matching or not wanted:
            yield one
    if unused:
        raise UsageError(f"{', '.join(sorted(unused))}: no collection of the config has a page there")


def and_above(path: str) -> Iterator[str]:
    """Yield a path and the directories that it is in."""
    yield path
    while path:
        path = path.rpartition("/")[0]
        yield path
