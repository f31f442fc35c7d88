"""The sites of a fleet, spread over its hosts: each host has its configs, its page, and its way to the database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from syncer.model import ServerAddress
from tests.forks import run
from tests.many_sites.accounts import AccountedYouTube
from tests.many_sites.ground import Ground, Quota, SiteGround
from tests.ports import free_port
from tests.postgres import PostgreSQL
from tests.proxy import Proxy

HOSTS = ("a", "b", "c")


class FleetGround(Ground):
    """All sites below a directory, and their configs in `a.d`, `b.d` and `c.d`."""

    PROGRAM = ("-c", "from tests.fleet.hurry import run\nrun(0)")

    def __init__(
        self,
        directory: Path,
        number: int,
        pages: int,
        youtube: AccountedYouTube,
        every: int,
        postgres: PostgreSQL,
        *,
        all_in_git: bool = False,
    ) -> None:
        self.postgres = postgres
        self.proxies: Mapping[str, Proxy] = {host: Proxy(postgres.port) for host in HOSTS}
        self.ports: Mapping[str, int] = {host: free_port() for host in HOSTS}
        self.place: ServerAddress | None = None
        """The database, while there is one."""
        self._all_in_git = all_in_git
        super().__init__(directory, number, pages, youtube, every)

    def close(self) -> None:
        for proxy in self.proxies.values():
            proxy.close()

    @property
    def folders(self) -> Sequence[Path]:
        return [self.folder_of(host) for host in HOSTS]

    def folder_of(self, host: str) -> Path:
        """Return the directory of a host's configs."""
        return self.work / f"{host}.d"

    def folder(self, site: SiteGround) -> Path:
        return self.folder_of(host_of(site.name))

    def page_port(self, site: SiteGround) -> int:
        return self.ports[host_of(site.name)]

    def quota(self, site: SiteGround) -> Quota:
        """Return what the config of a site says: a host reaches the database through its own proxy."""
        if self.place is None:
            return site.quota
        name, port = self.place.rpartition("/")[2], self.proxies[host_of(site.name)].port
        return replace(super().quota(site), ledger=self.postgres.address(name, port=port))

    @contextmanager
    def restored(self, disks: Collection[str] = ()) -> Iterator[None]:
        """Put all back as it was prepared, with a new database; remove it at the end."""
        with super().restored(disks):
            place = self.postgres.new_database()
            try:
                self.join(place)
                yield
            finally:
                self.place = None
                name = place.rpartition("/")[2]
                self.postgres.execute(self.postgres.address("postgres"), f"DROP DATABASE {name} WITH (FORCE)")

    def join(self, place: ServerAddress) -> str:
        """Make all sites a fleet with this database; return what `syncer fleet init` prints."""
        done = run("-m", "syncer", "fleet", "init", place)
        assert done.returncode == 0, done.stdout + done.stderr
        self.place = place
        for site in self.sites.values():
            self.configure(site)
        return done.stdout

    def _quota_of(self, _place: int, _number: int) -> Quota:
        return Quota()

    def _is_in_git(self, place: int) -> bool:
        return self._all_in_git or super()._is_in_git(place)


def host_of(site: str) -> str:
    """Return the host that has a site, by the number in its name."""
    return HOSTS[int(site.rpartition("-")[2]) % len(HOSTS)]
