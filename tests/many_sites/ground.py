"""The sites of a storm: made once, and put back as they were before each round."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random

from syncer.simulator.clock import Clock
from syncer.simulator.world import START, Video, VideoState, World
from tests.forks import run
from tests.many_sites.accounts import AccountedYouTube, Accounts
from tests.many_sites.pages import LIST_VIDEOS, Sheet, new_sheets, new_videos
from tests.many_sites.promises import Facts
from tests.ports import free_port
from tests.repository import Repository, in_git
from tests.site import COLLECTIONS, Site

JITTER_SECONDS = 1
UNITS = 10**7
"""Of each bucket a day, so that a sync's part of them is enough for all videos of a site."""
DISK_BYTES = 16 << 20
PREPARATION_SECONDS = 300.0
SHARED_VIDEOS = 0.2
"""The share of a site's videos that are on other sites of its ledger, too."""
HIDDEN = {VideoState.LIKES_HIDDEN: 0.03, VideoState.PRIVATE: 0.02, VideoState.COUNTS_HIDDEN: 0.01}
"""From the beginning, shares of all videos."""


@dataclass(frozen=True)
class Quota:
    """What a config says of the quota."""

    ledger: str | None = None
    """The name of a file, or the address of a server."""
    share: int | None = None
    """Percent."""
    units: int = UNITS
    reserve: int = 0

    def __str__(self) -> str:
        place = self.ledger if "://" in (self.ledger or "") else f"../../ledgers/{self.ledger}.sqlite3"
        ledger = f"ledger: '{place}', " if self.ledger else ""
        share = f"share: {self.share}%, " if self.share else ""
        units = f"stats_units_per_day: {self.units}, general_units_per_day: {self.units}"
        return f"{{{ledger}{share}{units}, reserve: {self.reserve}}}"


@dataclass
class SiteGround:
    """One site: where it is, and what its author knows."""

    name: str
    root: Path
    key: str
    quota: Quota
    in_git: bool
    videos: Sequence[str]
    sheets: Mapping[str, Sheet]
    log_lost: bool = False

    @property
    def facts(self) -> Facts:
        return Facts(self.name, self.root, self.sheets, self.log_lost, self.in_git)

    def save(self, path: str) -> None:
        """Its author's editor saves a page, with the counts that it was opened with, whatever they are by now."""
        sheet = self.sheets[path]
        sheet.by_hand.update(text for slot in sheet.slots for text in slot[1:])
        replace_file(self.root / path, sheet.page)


class Ground:
    """All sites below a directory, and their configs in `sites.d`."""

    PROGRAM: Sequence[str] = ("-m", "syncer")
    """How a command is started beside the daemon."""

    def __init__(self, directory: Path, number: int, pages: int, youtube: AccountedYouTube, every: int) -> None:
        self.work, self._saved = directory / "work", directory / "saved"
        self.youtube = youtube
        self.every = every
        self.port = free_port()
        self.first = self._new_sites(number, pages)
        videos = sorted({video for site in self.first for video in site.videos})
        random = Random(7)
        self._hidden = {
            video: Video(state)
            for state, share in HIDDEN.items()
            for video in random.sample(videos, round(share * len(videos)))
        }
        self.sites: Mapping[str, SiteGround] = {}
        self.quotas: dict[str, Quota] = {}
        """What some configs say now of the quota, by the site's name."""

    @property
    def folders(self) -> Sequence[Path]:
        """The directories of configs: one for each daemon."""
        return [self.work / "sites.d"]

    def folder(self, _site: SiteGround) -> Path:
        """Return the directory of a site's config."""
        return self.folders[0]

    def config_file(self, site: SiteGround) -> Path:
        return self.folder(site) / f"{site.name}.yaml"

    def quota(self, site: SiteGround) -> Quota:
        """Return what the config of a site says now of the quota."""
        return self.quotas.get(site.name, site.quota)

    def page_port(self, _site: SiteGround) -> int:
        """Return where the daemon of a site serves its page."""
        return self.port

    @property
    def interval(self) -> float:
        """The longest time between two syncs, in seconds."""
        return self.every + JITTER_SECONDS

    def prepare(self) -> None:
        """Make the sites, sync each once, and keep a copy of everything."""
        self.make()
        for folder in self.folders:
            done = run("-m", "syncer", "-c", str(folder), "sync", "-q", timeout=PREPARATION_SECONDS)
            assert done.returncode == 0, done.stdout + done.stderr
        for ledger in (self.work / "ledgers").iterdir():
            ledger.unlink()
        self.work.rename(self._saved)

    def make(self) -> None:
        """Make all sites, with pages that have never been synced."""
        self.work.mkdir(parents=True)
        for folder in (*self.folders, self.work / "keys", self.work / "ledgers"):
            folder.mkdir()
        self.sites = {site.name: site for site in self.first}
        self.youtube.world = World(videos=self._hidden)
        for site in self.sites.values():
            (site.root / "content/lists").mkdir(parents=True)
            for path in site.sheets:
                site.save(path)
            self.write_key(site, site.key)
            self.configure(site)
            if site.in_git:
                in_git(Site(site.root, ""))
                (site.root / ".git/info/exclude").write_text("/filler\n", encoding="utf-8")
                Repository(site.root).git("gc", "--quiet")

    @contextmanager
    def restored(self, disks: Collection[str]) -> Iterator[None]:
        """Put all back as it was prepared, with some sites on small disks of their own; remove it at the end."""
        given = self.youtube.accounts.given
        self.youtube.accounts = Accounts()
        for place, numbers in given.items():
            self.youtube.accounts.given[place] = set(numbers)
        self.youtube.faults = ()
        self.quotas.clear()
        self.youtube.world = World(videos=self._hidden)
        self.youtube.clock.set(START + timedelta(days=1))
        self.sites = {site.name: replace(site, sheets=new_sheets(site.videos), log_lost=False) for site in self.first}
        for site in self.sites.values():
            for sheet in site.sheets.values():
                sheet.by_hand |= {"1", "2"}
        mounts = [self.sites[name].root for name in disks]
        try:
            for mount in mounts:
                mount.mkdir(parents=True)
                subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(mount)], check=True)
            subprocess.run(["cp", "-a", f"{self._saved}/.", str(self.work)], check=True)
            yield
        finally:
            for mount in mounts:
                subprocess.run(["umount", "--lazy", str(mount)], check=False)
            shutil.rmtree(self.work, ignore_errors=True)

    def configure(self, site: SiteGround, every: int | None = None) -> None:
        """Write the config of a site as it should be now, or with another `every`."""
        replace_file(self.config_file(site), self.config(site, every).encode())

    def config(self, site: SiteGround, every: int | None = None) -> str:
        """Return the config of a site as it should be now, or with another `every`."""
        key = os.path.relpath(self.key_file(site), site.root)
        commit = "{commit: true, author: 'syncer <syncer@example.org>'}" if site.in_git else "{commit: false}"
        retry = "{attempts: 2, longest_wait: 1s, deadline: 5s}"
        youtube = f"endpoint: '{self.youtube.url}', api_key_file: '{key}', timeout: 2s, connections: 2, retry: {retry}"
        return (
            f"site: ../sites/{site.name}\ncollections:\n{COLLECTIONS}youtube: {{{youtube}}}\n"
            f"quota: {self.quota(site)}\n"
            f"schedule: {{every: {every or self.every}s, jitter: {JITTER_SECONDS}s}}\ngit: {commit}\n"
            f"availability: {{every: null}}\nstatus_page: {{listen: '127.0.0.1:{self.page_port(site)}'}}\n"
        )

    def key_file(self, site: SiteGround) -> Path:
        return self.work / "keys" / site.name

    def write_key(self, site: SiteGround, key: str) -> None:
        replace_file(self.key_file(site), f"{key}\n".encode())
        self.key_file(site).chmod(0o600)

    def _new_sites(self, number: int, pages: int) -> list[SiteGround]:
        random = Random(number * pages)
        pools = {name: new_videos(pages, random) for name in ("one", "two", "own")}
        sites = []
        for place in range(number):
            name = f"site-{place:02}"
            quota = self._quota_of(place, number)
            group = quota.ledger or "own"
            videos = new_videos(pages - 1 + LIST_VIDEOS, random)
            for each in random.sample(range(len(videos)), int(SHARED_VIDEOS * len(videos))):
                videos[each] = random.choice(pools[group])
            key = f"key-of-{name}-{random.randbytes(8).hex()}"
            root = self.work / "sites" / name
            sites.append(SiteGround(name, root, key, quota, self._is_in_git(place), list(dict.fromkeys(videos)), {}))
        return [replace(site, sheets=new_sheets(site.videos)) for site in sites]

    def _is_in_git(self, place: int) -> bool:
        return place % 5 == 1

    def _quota_of(self, place: int, number: int) -> Quota:
        """Of four sites two have one ledger, one has another with a share, and one has its own quota."""
        if place % 4 == 2:
            return Quota("two", max(1, 100 // (number // 4 + 1)))
        return Quota(None if place % 4 == 3 else "one")


def new_youtube() -> AccountedYouTube:
    return AccountedYouTube(World(), Clock(START))


def can_mount(directory: Path) -> bool:
    """Whether small disks can be mounted here."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    place = directory / "disk"
    place.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=65536", "tmpfs", str(place)]
    done = subprocess.run(command, check=False, capture_output=True).returncode == 0
    if done:
        subprocess.run(["umount", str(place)], check=True)
    return done


def replace_file(path: Path, content: bytes) -> None:
    """Save as editors do: a new file, which is renamed."""
    new = path.with_name(f".{path.name}#")
    new.write_bytes(content)
    new.replace(path)
