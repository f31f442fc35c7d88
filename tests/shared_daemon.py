"""Several sites whose configs are in one directory, and one daemon for all of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.daemon_process import BUSY, Daemon
from tests.site import Site, crlf, ids

OFTEN = "every: 1s, jitter: 0s"
NEVER = "every: 900h, jitter: 0s"

HASTY = f"""{BUSY}
from syncer.cli import daemon_sites
from syncer.daemon import loop, site
daemon_sites.RETRY_SECONDS = 0.3
"""
"""A daemon that also tries again soon what it left out."""

IMPATIENT = f"{HASTY}site.WATCHDOG_STALL_SECONDS = 2.0\nloop.READ_TIMEOUT = daemon_sites.DISK_TIMEOUT = 0.5\n"
"""One that also takes a sync for hung after two seconds."""


@dataclass(frozen=True)
class OneOfMany(Site):
    """A site whose config is in a directory with those of other sites."""

    configs: Path

    @property
    def config(self) -> Path:
        return self.configs / f"{self.root.name}.yaml"

    def configure(self, *, name: str | None = None, **sections: str) -> None:
        """Writes the config at once, as a careful editor does."""
        beside = Site(self.root, self.url)
        beside.configure(**sections)
        text = f"site: {self.root}\n{f'name: {name}' if name else ''}\n{beside.config.read_text('utf-8')}"
        draft = self.configs / f".{self.root.name}"
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.config)


def make_sites(directory: Path, url: str, *names: str, pages: int = 2, schedule: str = OFTEN) -> list[OneOfMany]:
    """Makes sites that sync every second, unless told otherwise."""
    configs = directory / "sites.d"
    configs.mkdir(exist_ok=True)
    return [make_site(directory / name, url, configs, pages, schedule) for name in names]


def make_site(root: Path, url: str, configs: Path, pages: int = 1, schedule: str = OFTEN) -> OneOfMany:
    """Makes one site, wherever it is, with its config among those of the others."""
    site = OneOfMany(root, url, configs)
    (site.root / "content" / "lists").mkdir(parents=True)
    for video in ids(pages):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    site.configure(schedule=schedule)
    return site


def daemon_of(
    site: OneOfMany,
    *options: str,
    first: str = HASTY,
    environment: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    forked: bool = True,
) -> Daemon:
    """The daemon of all sites in the directory of this one's config. Its socket is in a state, not in the runtime."""
    own = {"XDG_RUNTIME_DIR": "", **(environment or {})}
    return Daemon(site, *options, first=first, config=site.configs, environment=own, arguments=arguments, forked=forked)


def synced(daemon: Daemon, name: str, times: int = 1) -> str:
    """Waits until a site has synced so many times more; returns the last line."""
    line = ""
    for _ in range(times):
        line = daemon.until(f"{name}: Sync 2")
    return line


def is_root() -> bool:
    return os.geteuid() == 0
