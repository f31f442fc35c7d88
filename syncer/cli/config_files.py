"""The config files of the daemon: which there are, and which have changed since they were last read."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from syncer.cli.arguments import absolute
from syncer.cli.settings import configs_in
from syncer.errors import ConfigError, SyncerError, UsageError

if TYPE_CHECKING:
    from syncer.cli.settings import Settings

Stamp: TypeAlias = tuple[int, int, int] | None
"""Inode, time and size of a file; None: there is none."""

log = logging.getLogger("syncer.daemon")


class ConfigFiles:
    """Finds the configs that the command line names, and looks at their stamps."""

    def __init__(self, settings: Settings) -> None:
        """Find them. Raises ConfigError where a directory cannot be read, or has none."""
        self._settings = settings
        self._directories = {path for path in settings.config_paths if os.path.isdir(absolute(path))}
        self._unreadable: set[str] = set()
        """Those that cannot be read now: nothing is read in them."""
        self.found = {one.config_paths[0]: one for one in settings.each()}
        """The settings of each config, by its path as the command line names it, in their order."""
        self._seen: Mapping[str, Stamp] = {path: _stamp(path) for path in self.found}
        """The stamps at the last look."""
        self._read = dict(self._seen)
        """The stamps when they were read."""

    def look(self, *, read_all: bool) -> Sequence[str]:
        """Look for configs that came, went or changed; return the paths of those to read again.

        One that is being written is returned once it is the same at two looks. `read_all`: return all.
        """
        self.found = self._listed()
        kept = {path for path in self.found if os.path.dirname(path) in self._unreadable}
        seen = {path: self._read.get(path) if path in kept else _stamp(path) for path in self.found}
        unchanged = {path for path, stamp in self._read.items() if path in seen and stamp == seen[path]}
        settled = {path for path, stamp in self._seen.items() if path in seen and stamp == seen[path]}
        to_read = [path for path in seen if path not in kept and (read_all or path in settled - unchanged)]
        self._seen = seen
        self._read = {path: stamp for path, stamp in self._read.items() if path in seen}
        self._read |= {path: seen[path] for path in to_read}
        return to_read

    def _listed(self) -> dict[str, Settings]:
        paths: dict[str, str] = {}
        for named in self._settings.config_paths:
            for path in self._paths_of(named) if named in self._directories else [named]:
                paths.setdefault(os.path.realpath(absolute(path)), path)
        return {path: self._settings.only(path) for path in paths.values()}

    def _paths_of(self, directory: str) -> list[str]:
        """Return the configs in a directory; those of before where it cannot be read."""
        try:
            paths = configs_in(absolute(directory), directory)
        except ConfigError as error:
            if directory.rstrip("/") not in self._unreadable:
                self._unreadable.add(directory.rstrip("/"))
                log.error("Its sites keep their configs: %s", error, extra={"event": "config-refused"})  # noqa: TRY400
            return [path for path in self.found if os.path.dirname(path) == directory.rstrip("/")]
        self._unreadable.discard(directory.rstrip("/"))
        return paths


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
