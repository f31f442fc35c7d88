"""The config files of the daemon: which there are, and which have changed since they were last read."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from syncer.cli.arguments import absolute
from syncer.cli.settings import configs_in
from syncer.errors import ConfigError, SyncerError, UsageError

if TYPE_CHECKING:
    from syncer.cli.settings import Settings

Stamp: TypeAlias = tuple[int, int, int] | None
"""Inode, time and size of a file; None: there is none."""

log = logging.getLogger("syncer.daemon")


class Listing(NamedTuple):
    """Which configs there are at one moment."""

    stamps: Mapping[str, Stamp]
    """By their paths as the command line names them, in their order."""
    unreadable: Mapping[str, ConfigError]
    """The directories that cannot be read, and why: what is below them is as it was."""


class ConfigFiles:
    """Finds the configs that the command line names, and which of them have changed."""

    def __init__(self, settings: Settings) -> None:
        """Find them. Raises ConfigError where a directory cannot be read, or has none."""
        self._settings = settings
        self._directories = {path for path in settings.config_paths if os.path.isdir(absolute(path))}
        self._unreadable: AbstractSet[str] = frozenset()
        """The directories that could not be read at the last look."""
        self.found: Mapping[str, Settings] = {each.config_paths[0]: each for each in settings.each()}
        """The settings of each config, by its path as the command line names it, in their order."""
        self._seen: Mapping[str, Stamp] = {path: _stamp(path) for path in self.found}
        """The stamps at the last look."""
        self._read = dict(self._seen)
        """The stamps when they were read."""

    def listing(self) -> Listing:
        """Return which configs there are now. Safe in any thread: a disk that hangs keeps it from its end."""
        paths: dict[str, str] = {}
        unreadable: dict[str, ConfigError] = {}
        for named in self._settings.config_paths:
            found = [named]
            if named in self._directories:
                directory = named.rstrip("/")
                try:
                    found = configs_in(absolute(named), named)
                except ConfigError as error:
                    unreadable[directory] = error
                    found = [path for path in self.found if os.path.dirname(path) == directory]
            for path in found:
                paths.setdefault(os.path.realpath(absolute(path)), path)
        return Listing({path: _stamp(path) for path in paths.values()}, unreadable)

    def look(self, listing: Listing, *, read_all: bool) -> Sequence[str]:
        """Take the configs that there are now; return the paths of those to read again: they are new, or changed.

        One that is being written is returned once it is the same at two looks. `read_all`: return all.
        """
        for directory, error in listing.unreadable.items():
            if directory not in self._unreadable:
                log.error("Its sites keep their configs: %s", error, extra={"event": "config-refused"})
        self._unreadable = listing.unreadable.keys()
        kept = {path for path in listing.stamps if os.path.dirname(path) in self._unreadable}
        seen = {path: self._read.get(path) if path in kept else stamp for path, stamp in listing.stamps.items()}
        self.found = {path: self._settings.only(path) for path in seen}
        unchanged = {path for path, stamp in self._read.items() if path in seen and stamp == seen[path]}
        settled = {path for path, stamp in self._seen.items() if path in seen and stamp == seen[path]}
        to_read = [path for path in seen if path not in kept and (read_all or path in settled - unchanged)]
        self._seen = seen
        self._read = {path: stamp for path, stamp in self._read.items() if path in seen}
        self._read |= {path: seen[path] for path in to_read}
        return to_read


def findings_in(path: str, error: SyncerError) -> list[str]:
    """Return what is wrong with the config at this path, one finding each, without the path: `line 8: ...`."""
    paths = [path]
    with suppress(UsageError):  # the working directory was removed
        paths.append(str(Path(absolute(path))))
    names = "|".join(map(re.escape, paths))
    findings = [re.sub(f"^(?:{names}): ?", "", line) for line in str(error).split("\n")]
    return [re.sub(r"^(\d+): ", r"line \1: ", finding) for finding in findings]


def _stamp(path: str) -> Stamp:
    try:
        status = os.stat(absolute(path))
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
