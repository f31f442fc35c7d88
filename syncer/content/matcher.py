"""Decides which files a collection takes, and which directories it does not enter."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from pathspec import GitIgnoreSpec

from syncer.model import Collection


class Matcher:
    """Says which paths a collection takes.

    Directories whose names begin with a dot, and `node_modules`, hold the files of editors, of tools and of other
    people's packages: they are skipped, unless a pattern of `include` names them. `everywhere` takes from them too.
    """

    def __init__(self, collection: Collection, *, everywhere: bool = False) -> None:
        self.mappings = (collection.fields,)
        self.directory = "" if collection.directory in {".", ""} else collection.directory.strip("/")
        self._prefix = f"{self.directory}/" if self.directory else ""
        self._includes = _matches(collection.include)
        self._excludes = _matches(collection.exclude) if collection.exclude else None
        self._names = (lambda _name: True) if everywhere else _names_directory(collection.include)

    def takes(self, path: str) -> bool:
        """Whether the collection takes the file at this path, relative to the site."""
        if not path.startswith(self._prefix):
            return False
        inner = path[len(self._prefix) :]
        if not self._includes(inner) or (self._excludes and self._excludes(inner)):
            return False
        # each file of the site comes here: first a look that costs next to nothing
        if "/." not in inner and "node_modules/" not in inner and inner[0] != ".":
            return True
        return not any(map(self._skips_name, inner.split("/")[:-1]))

    def prunes(self, path: str) -> bool:
        """Whether nothing below this directory can be taken."""
        return self._excludes is not None and self._excludes(path[len(self._prefix) :] + "/")

    def skips(self, path: str) -> bool:
        """Whether this directory, below the collection's own, is skipped for its name."""
        return self._skips_name(path.rpartition("/")[2])

    def _skips_name(self, name: str) -> bool:
        return (name.startswith(".") or name == "node_modules") and not self._names(name)


def _matches(patterns: Sequence[str]) -> Callable[[str], bool]:
    spec = GitIgnoreSpec.from_lines(patterns)
    suffixes = tuple(pattern[4:] for pattern in patterns if re.fullmatch(r"\*\*/\*[\w.-]+", pattern))
    if len(suffixes) < len(patterns):
        return spec.match_file
    inside = tuple(f"{suffix}/" for suffix in suffixes)  # a directory of such a name is taken with all that is in it
    return lambda path: path.endswith(suffixes) or any(directory in path for directory in inside)


def _names_directory(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a function that says whether patterns name a directory that is skipped otherwise.

    `.notes/**` and `.n*/` name `.notes`; `**/*.md` and `*/` name nothing: a wildcard is no dot.
    """
    segments = {segment for pattern in patterns if not pattern.startswith(("!", "#")) for segment in pattern.split("/")}
    named = [one for one in segments if one.removeprefix("\\").startswith(".") or one == "node_modules"]
    return GitIgnoreSpec.from_lines(named).match_file
