"""The config files of the daemon: which there are, and which have changed since they were last read."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from syncer.cli.arguments import absolute
from syncer.cli.settings import configs_in
from syncer.errors import SyncerError, UsageError

if TYPE_CHECKING:
    from syncer.cli.settings import Settings

Stamp: TypeAlias = tuple[int, int, int] | None
"""Inode, time and size of a file; None: there is none."""

log = logging.getLogger("syncer.daemon")


class FoundConfig(NamedTuple):
    """A config that is there at one moment."""

    path: str
    """As the command line names it, or the directory that it is in."""
    stamp: Stamp


Listing: TypeAlias = Mapping[str, FoundConfig]
"""The configs that one path of the command line stands for, by their real paths, in their order."""


class ConfigFiles:
    """Finds the configs that the command line names, and which of them have changed."""

    def __init__(self, settings: Settings) -> None:
        """Find them. Raises ConfigError where a directory cannot be read, or has none."""
        self._settings = settings
        self.named = settings.config_paths
        """The files and directories that the command line names."""
        self._directories = {path for path in self.named if os.path.isdir(absolute(path))}
        self.found: Mapping[str, Settings] = {each.config_paths[0]: each for each in settings.each()}
        """The settings of each config, by its path as the command line names it, in their order."""
        self._listings = {path: self.listing(path) for path in self.named}
        """The last ones that could be made."""
        self._unlisted: AbstractSet[str] = frozenset()
        """The paths for which none could be made at the last look."""
        self._seen: Mapping[str, Stamp] = {path: _stamp(path) for path in self.found}
        """The stamps at the last look."""
        self._read = dict(self._seen)
        """The stamps when they were read."""

    def listing(self, named: str) -> Listing:
        """Return the configs that a path of the command line stands for now. Safe in any thread. Raises ConfigError.

        A disk that hangs keeps it from its end.
        """
        paths = configs_in(absolute(named), named) if named in self._directories else [named]
        return {os.path.realpath(absolute(path)): FoundConfig(path, _stamp(path)) for path in paths}

    def look(self, listings: Mapping[str, Listing | SyncerError], *, read_all: bool) -> Sequence[str]:
        """Take the listings of all paths; return the configs to read again: they are new, or have changed.

        A path without a listing keeps its configs as they are. A config that is being written is returned once it is
        the same at two looks. `read_all`: return all.
        """
        unlisted = {path: error for path, error in listings.items() if isinstance(error, SyncerError)}
        for path in unlisted.keys() - self._unlisted:
            log.error("Its sites keep their configs: %s", unlisted[path], extra={"event": "config-refused"})
        self._unlisted = unlisted.keys()
        self._listings |= {path: new for path, new in listings.items() if not isinstance(new, SyncerError)}
        configs: dict[str, FoundConfig] = {}
        kept: set[str] = set()
        for named in self.named:
            for real, config in self._listings[named].items():
                if configs.setdefault(real, config) is config and named in unlisted:
                    kept.add(config.path)
        seen: dict[str, Stamp] = {config.path: config.stamp for config in configs.values()}
        self.found = {path: self._settings.only(path) for path in seen}
        changed = dict(seen.items() & self._seen.items() - self._read.items())
        to_read = [path for path in seen if path not in kept and (read_all or path in changed)]
        self._seen = seen
        self._read = {path: stamp for path, stamp in self._read.items() if path in seen}
        self._read |= {path: seen[path] for path in to_read}
        return to_read


def full_path(path: str) -> str:
    """Return the absolute path of a config, as errors name it; where the working directory was removed, as it is."""
    try:
        return str(Path(absolute(path)))
    except UsageError:
        return path


def findings_in(path: str, error: SyncerError) -> list[str]:
    """Return what is wrong with the config at this path, one finding each, without the path: `line 8: ...`."""
    names = "|".join(map(re.escape, (path, full_path(path))))
    findings = [re.sub(f"^(?:{names}): ?", "", line) for line in str(error).split("\n")]
    return [re.sub(r"^(\d+): ", r"line \1: ", finding) for finding in findings]


def _stamp(path: str) -> Stamp:
    try:
        status = os.stat(absolute(path))
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
