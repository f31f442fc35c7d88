"""What happens in a storm: each event says what it was, and which sites it troubles."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

from syncer.simulator.faults import parse_fault
from syncer.simulator.world import Video, VideoState, World
from tests.forks import Fork
from tests.many_sites.ground import Ground, SiteGround, replace_file

BROKEN_CONFIGS = ("collections: [", "collections: []\n", "colections: 1\n", "", "\x00", "site: /nowhere\n")
BROKEN_PAGE = b"---\nvid_id: one\nvid_id: two\n---\n"
OUTAGES = ("backend-503", "unavailable", "reset", "html-502", "minute-limit", "truncated-json")
BLOCK = 1 << 16
COMMANDS = (
    ["sync", "--all"],
    ["sync", "--json"],
    ["trigger", "--no-wait"],
    ["trigger"],
    ["status", "--json"],
    ["check", "--offline"],
)
EXIT_CODES = {0, 1, 2, 3, 4, 130}
LOCK_SECONDS = 150.0
"""For how long a command may wait for a lock, and then sync."""
MOST_HANGS = 1
"""Syncs that may hang at once. Two take both places, until each has made no progress for long enough."""

Event = Callable[[], str | None]


@dataclass(frozen=True)
class Cast:
    """Which sites have which part in a round, by name."""

    victims: Sequence[str]
    """Those that may be troubled; nothing happens to the others but that their authors write and the daemon dies."""
    disks: Sequence[str]
    """Victims on small disks of their own."""
    absent: Sequence[str]
    """Victims whose configs are not there at the start."""
    tight: Sequence[str]
    """The sites of a ledger that has too few units in this round."""


class Events:
    """Lets things happen to the sites of a round. `troubled` are the sites that must not be expected to be on time."""

    def __init__(self, ground: Ground, random: Random, cast: Cast, only: Collection[str] = ()) -> None:
        """`only` are the names of the events that may happen, if not all."""
        self.troubled = {*cast.absent, *cast.tight}
        self.send: Callable[[int], None]
        self._ground = ground
        self._random = random
        self._victims = cast.victims
        self._tight = cast.tight
        self._disks = list(cast.disks)
        self._absent = list(cast.absent)
        self._stack = ExitStack()
        self._full: set[str] = set()
        self._hangs = 0
        self._beside: list[Fork] = []
        self._chances = {e: chance for e, chance in self.chances(cast).items() if not only or e.__name__ in only}

    def chances(self, cast: Cast) -> Mapping[Event, int]:
        return {
            self.edit_pages: 10,
            self.write_counts: 6,
            self.break_page: 3,
            self.hide_videos: 4,
            self.hang_up: 4,
            self.break_config: 4,
            self.truncate_config: 1,
            self.remove_config: 2,
            self.rename_config: 2,
            self.add_config: 4,
            self.copy_config: 2,
            self.config_without_end: 1,
            self.change_schedule: 2,
            self.run_beside: 10 if cast.tight else 4,
            self.revoke_key: 3,
            self.write_wrong_key: 2,
            self.lose_key: 2,
            self.fill_disk: 6 if cast.disks else 0,
            self.lock_repository: 4,
            self.hang_git: 2,
            self.hold_lock: 2,
            self.stall_youtube: 2,
            self.hold_ledger: 1,
            self.remove_state: 2,
            self.damage_state: 2,
            self.outage_of_youtube: 1,
        }

    def happen(self) -> str:
        """Let time pass and something happen; return what it was."""
        self._ground.youtube.clock.advance(timedelta(minutes=self._random.randrange(1, 10)))
        while True:
            (event,) = self._random.choices(list(self._chances), list(self._chances.values()))
            if what := event():
                return what

    def leave_one_config_each(self) -> None:
        """Of a site with two configs remove one: a daemon does not start with two sites of one name."""
        for site in self._ground.sites.values():
            if self._ground.config_file(site).exists():
                self._renamed(site).unlink(missing_ok=True)

    def clear(self) -> None:
        """Repair everything; the world stands still from now on."""
        self._stack.close()
        while self._beside:
            self._end_command(self._beside.pop())
        ground = self._ground
        ground.quotas.clear()
        ground.youtube.faults = ()
        ground.youtube.accounts.revoked.clear()
        wanted = {ground.config_file(site) for site in ground.sites.values()}
        for file in (file for folder in ground.folders for file in folder.iterdir()):
            if file not in wanted:
                file.unlink()
        for site in ground.sites.values():
            (site.root / "filler").unlink(missing_ok=True)
            for path in site.sheets:
                if (site.root / path).read_bytes() == BROKEN_PAGE:
                    site.save(path)
            (site.root / ".git/index.lock").unlink(missing_ok=True)
            ground.write_key(site, site.key)
            ground.configure(site)

    # authors

    def edit_pages(self) -> str | None:
        site = self._with_room()
        for path in self._random.sample(sorted(site.sheets), min(5, len(site.sheets))):
            site.sheets[path].end += b"And another line.\r\n"
            site.save(path)
        return f"{site.name}: the author edits pages"

    def write_counts(self) -> str | None:
        site = self._with_room()
        for path in self._random.sample(sorted(site.sheets), 2):
            sheet = site.sheets[path]
            views, likes = str(self._random.randrange(10**4)), str(self._random.randrange(10**2))
            sheet.slots = [slot._replace(views=views, likes=likes) for slot in sheet.slots]
            site.save(path)
        return f"{site.name}: the author writes counts"

    def break_page(self) -> str | None:
        site = self._with_room()
        replace_file(site.root / self._random.choice(sorted(site.sheets)), BROKEN_PAGE)
        return f"{site.name}: the author breaks a page"

    # YouTube

    def hide_videos(self) -> str:
        site = self._any()
        state = self._random.choice([VideoState.PRIVATE, VideoState.LIKES_HIDDEN, VideoState.COUNTS_HIDDEN])
        videos = self._random.sample(site.videos, max(1, len(site.videos) // 20))
        world = self._ground.youtube.world
        self._ground.youtube.world = World(videos={**world.videos, **{video: Video(state) for video in videos}})
        return f"{site.name}: {len(videos)} videos are {state}"

    def revoke_key(self) -> str | None:
        site = self._victim()
        self._ground.youtube.accounts.revoked.add(site.key)
        return f"{site.name}: YouTube refuses its key"

    def stall_youtube(self) -> str | None:
        site = self._victim()
        others = {video for other in self._ground.sites.values() if other is not site for video in other.videos}
        own = [video for video in site.videos if video not in others]
        stalls = [parse_fault(f"stall@{video}") for video in self._random.sample(own, 2)]
        self._ground.youtube.faults = (*self._ground.youtube.faults, *stalls)
        return f"{site.name}: YouTube never answers about some videos"

    def outage_of_youtube(self) -> str | None:
        self._ground.youtube.faults = (parse_fault(self._random.choice(OUTAGES)),)
        return f"YouTube: {self._ground.youtube.faults[0].name}"

    # whoever runs it

    def hang_up(self) -> str:
        self.send(signal.SIGHUP)
        return "SIGHUP"

    def break_config(self) -> str | None:
        site = self._victim()
        replace_file(self._ground.config_file(site), self._random.choice(BROKEN_CONFIGS).encode())
        return f"{site.name}: a broken config{self._perhaps_hang_up()}"

    def truncate_config(self) -> str | None:
        site = self._victim()
        with suppress(FileNotFoundError), self._ground.config_file(site).open("r+b") as file:
            file.truncate(self._random.randrange(300))
        return f"{site.name}: half a config{self._perhaps_hang_up()}"

    def remove_config(self) -> str | None:
        site = self._victim()
        self._ground.config_file(site).unlink(missing_ok=True)
        return f"{site.name}: its config is removed{self._perhaps_hang_up()}"

    def rename_config(self) -> str | None:
        site = self._victim()
        with suppress(FileNotFoundError):
            self._ground.config_file(site).rename(self._renamed(site))
        return f"{site.name}: its config is renamed{self._perhaps_hang_up()}"

    def add_config(self) -> str | None:
        if not self._absent:
            return None
        site = self._ground.sites[self._absent.pop()]
        self._ground.configure(site)
        return f"{site.name}: its config is added{self._perhaps_hang_up()}"

    def copy_config(self) -> str | None:
        """One that nothing happens to keeps syncing, whatever a second config says of it."""
        name = self._random.choice(sorted(self._ground.sites.keys() - set(self._victims)))
        site = self._ground.sites[name]
        copy = self._ground.folder(site) / f"z-copy-of-{name}.yaml"
        replace_file(copy, f"name: copy-of-{name}\n{self._ground.config(site)}".encode())
        return f"{name}: its config is copied{self._perhaps_hang_up()}"

    def config_without_end(self) -> str | None:
        place = self._ground.folders[0] / "pipe.yaml"
        if place.exists():
            return None
        os.mkfifo(place)
        return f"a FIFO among the configs{self._perhaps_hang_up()}"

    def change_schedule(self) -> str | None:
        site = self._victim()
        self._ground.configure(site, every=self._random.choice([2, 3, 900]))
        return f"{site.name}: another schedule{self._perhaps_hang_up()}"

    def write_wrong_key(self) -> str | None:
        site = self._victim()
        self._ground.write_key(site, "invalid")
        self.send(signal.SIGHUP)
        return f"{site.name}: a wrong key, SIGHUP"

    def lose_key(self) -> str | None:
        site = self._victim()
        self._ground.key_file(site).unlink(missing_ok=True)
        self.send(signal.SIGHUP)
        return f"{site.name}: no key, SIGHUP"

    def run_beside(self) -> str | None:
        """Another command, on all sites or on one that is in trouble: one with too few units, if there is any."""
        words = self._random.choice(COMMANDS)
        name = self._random.choice(self._tight) if self._tight else self._victim().name
        site = ["--site", name] if words[0] in {"sync", "trigger"} else []
        return self._run(self._ground.folder(self._ground.sites[name]), *words, *site)

    # the machine

    def fill_disk(self) -> str | None:
        if not self._disks:
            return None
        site = self._ground.sites[self._disks.pop()]
        self.troubled.add(site.name)
        self._full.add(site.name)
        filler = os.open(site.root / "filler", os.O_WRONLY | os.O_CREAT)
        with suppress(OSError):  # it is full
            while True:
                os.write(filler, b"x" * BLOCK)
        with suppress(OSError):
            while True:
                os.write(filler, b"x")
        os.close(filler)
        return f"{site.name}: its disk is full"

    def lock_repository(self) -> str | None:
        site = self._victim_in_git()
        if site is None:
            return None
        with suppress(FileExistsError), (site.root / ".git/index.lock").open("x"):
            pass
        return f"{site.name}: its repository is locked"

    def hang_git(self) -> str | None:
        site = self._victim_in_git()
        if site is None or self._hangs == MOST_HANGS:
            return None
        index, aside = site.root / ".git/index", site.root / ".git/index.aside"
        if aside.exists():
            return None
        self._hangs += 1
        index.rename(aside)
        os.mkfifo(index)

        def end() -> None:
            with suppress(OSError):  # nobody waits for it
                os.close(os.open(index, os.O_WRONLY | os.O_NONBLOCK))
            aside.replace(index)

        self._stack.callback(end)
        return f"{site.name}: git hangs"

    def hold_lock(self) -> str | None:
        if self._hangs == MOST_HANGS:
            return None
        site = self._victim()
        with suppress(FileNotFoundError, BlockingIOError):  # its state was removed; it is syncing
            descriptor = os.open(site.root / ".syncer/lock", os.O_RDWR)
            self._stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._hangs += 1
            return f"{site.name}: another program holds its lock"
        return None

    def hold_ledger(self) -> str | None:
        """Another program writes into a ledger and does not come to an end."""
        ledger = self._random.choice(["one", "two"])
        sites = [name for name, site in self._ground.sites.items() if site.quota.ledger == ledger]
        path = self._ground.work / "ledgers" / f"{ledger}.sqlite3"
        if self._hangs == MOST_HANGS or not path.exists():
            return None
        connection = sqlite3.connect(path, timeout=1, isolation_level=None)
        self._stack.callback(connection.close)
        with suppress(sqlite3.OperationalError):
            connection.execute("BEGIN IMMEDIATE")
            self._hangs += 1
            self.troubled.update(sites)
            return f"another program holds the ledger {ledger}"
        return None

    def remove_state(self) -> str | None:
        site = self._victim()
        shutil.rmtree(site.root / ".syncer", ignore_errors=True)
        site.log_lost = True
        return f"{site.name}: its state is removed"

    def damage_state(self) -> str | None:
        site = self._victim()
        for name in ("state.sqlite3-wal", "state.sqlite3-shm"):
            (site.root / ".syncer" / name).unlink(missing_ok=True)
        with suppress(FileNotFoundError):  # it was removed
            replace_file(site.root / ".syncer/state.sqlite3", b"no database" * 1000)
        site.log_lost = True
        return f"{site.name}: its state is damaged"

    def _any(self) -> SiteGround:
        return self._ground.sites[self._random.choice(sorted(self._ground.sites))]

    def _with_room(self) -> SiteGround:
        return self._ground.sites[self._random.choice(sorted(self._ground.sites.keys() - self._full))]

    def _run(self, folder: Path, *words: str) -> str:
        """Start a command beside the daemon, with these configs; return what was started."""
        with self._output().open("wb") as file:
            command = [*self._ground.PROGRAM, "-c", str(folder), *words]
            self._beside.append(Fork(*command, stdout=file.fileno(), stderr=file.fileno()))
        return f"$ syncer {' '.join(words)}"

    def _end_command(self, command: Fork) -> None:
        """Wait for the end of a command beside the daemon. Fails where it ends as none should."""
        code = command.wait(LOCK_SECONDS)
        said = self._output().read_text(encoding="utf-8")
        assert code in EXIT_CODES, f"{command.words} ended with {code}: {said}"
        assert not any(site.key in said for site in self._ground.sites.values()), said

    def _output(self) -> Path:
        """Return where the next command, or the last one, writes what it says."""
        return self._ground.work / f"said-{len(self._beside)}"

    def _victim(self) -> SiteGround:
        """Return one of the sites that may be troubled."""
        name = self._random.choice([name for name in self._victims if name not in self._full])
        self.troubled.add(name)
        return self._ground.sites[name]

    def _victim_in_git(self) -> SiteGround | None:
        names = [name for name in self._victims if name not in self._full and self._ground.sites[name].in_git]
        if not names:
            return None
        name = self._random.choice(names)
        self.troubled.add(name)
        return self._ground.sites[name]

    def _renamed(self, site: SiteGround) -> Path:
        return self._ground.folder(site) / f"renamed-{site.name}.yaml"

    def _perhaps_hang_up(self) -> str:
        if self._random.random() < 0.6:
            self.send(signal.SIGHUP)
            return ", SIGHUP"
        return ""
