"""Gives a test's repository a remote that others push to as well."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from syncer.simulator.server import Simulator
from syncer.status.report import SyncReport
from syncer.sync.options import Options
from tests.repository import Repository, in_git
from tests.site import NOON, Site


@dataclass
class SharedSite:
    """A site in a repository, its remote, and somebody else's clone of that."""

    site: Site
    ours: Repository
    remote: Repository
    other: Repository
    youtube: Simulator
    hours: int = 0

    @classmethod
    def of(cls, site: Site, youtube: Simulator, room: Path) -> Self:
        """Puts the site into a repository, pushes it, and clones it."""
        ours = in_git(site)
        remote = remote_of(ours, room)
        return cls(site, ours, remote, cloned(remote, room / "other"), youtube)

    def sync(self, options: Options | None = None) -> SyncReport:
        """Makes a sync an hour after the one before."""
        self.hours += 1
        return self.site.sync(NOON + timedelta(hours=self.hours), options)

    def grow(self) -> None:
        """Lets counts grow."""
        self.youtube.clock.advance(timedelta(days=30))

    def tip(self, branch: str = "main") -> str:
        return self.remote.git("rev-parse", branch).strip()

    @contextmanager
    def without_remote(self) -> Iterator[None]:
        """The remote is away while the block runs."""
        away = self.remote.top.with_name("away")
        self.remote.top.rename(away)
        yield
        away.rename(self.remote.top)


def remote_of(repository: Repository, room: Path, *words: str) -> Repository:
    """Makes a bare repository, `origin`, and pushes the branch to it."""
    bare = bare_at(room / "remote.git", *words)
    repository.git("remote", "add", "origin", str(bare.top))
    repository.git("push", "--quiet", "--set-upstream", "origin", "main")
    return bare


def bare_at(place: Path, *words: str) -> Repository:
    """Makes an empty bare repository."""
    place.mkdir()
    bare = Repository(place)
    bare.git("init", "--quiet", "--bare", "--initial-branch", "main", *words)
    return bare


def cloned(remote: Repository, place: Path, *words: str) -> Repository:
    """Makes a clone, in which somebody else works."""
    remote.git("clone", "--quiet", *words, str(remote.top), str(place))
    clone = Repository(place)
    clone.git("config", "user.name", "Bob")
    clone.git("config", "user.email", "bob@example.org")
    return clone


def push_all(clone: Repository, message: str = "Somebody else's work") -> str:
    """Commits everything in a clone and pushes it, as somebody else would: after a pull."""
    commit = clone.commit_all(message)
    clone.git("push", "--quiet", "origin", "HEAD")
    return commit


@contextmanager
def asking_for_a_password() -> Iterator[str]:
    """Gives the address of a server that lets nobody in without a name and a password: `127.0.0.1:PORT`."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def left_over(repository: Repository) -> list[str]:
    """What of ours, or of git's locks, lies in git's directory."""
    place = Path(repository.git("rev-parse", "--absolute-git-dir").strip())
    names = [path.name for path in place.rglob("*")]
    return [
        name for name in names if "syncer" in name or name.endswith(".lock") or name.startswith(("fast_import", "tmp_"))
    ]
