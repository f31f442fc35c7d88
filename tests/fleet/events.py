"""What happens to a fleet in a storm, beside what happens to sites anyway."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Collection, Mapping
from random import Random

from tests.fleet.ground import HOSTS, FleetGround, host_of
from tests.fleet.workers import Worker
from tests.many_sites.events import LOCK_SECONDS, Cast, Event, Events
from tests.proxy import Network

SKEWS = (0, 0, 40, -600, 7200, 86_400, -86_400)
"""Seconds that a host's clock may be ahead."""
LONGEST_SECONDS = 5.0
"""How long a trouble lasts at most: longer than it takes until a host is taken for dead."""


class FleetEvents(Events):
    """Lets things happen to the sites and hosts of a round. Most troubles of hosts end some seconds later."""

    def __init__(
        self,
        ground: FleetGround,
        random: Random,
        cast: Cast,
        workers: Mapping[str, Worker],
        supervise: Callable[[], None],
        only: Collection[str] = (),
    ) -> None:
        """`supervise` starts workers again that have ended."""
        self._supervise = supervise
        self._fleet = ground
        self._workers = workers
        self._ends: dict[str, tuple[float, Callable[[], None]]] = {}
        """When a trouble ends, and how, by what is in trouble."""
        self.drained: set[str] = set()
        """Hosts whose workers may end by themselves."""
        super().__init__(ground, random, cast, only)
        self.send = self._send

    def chances(self, cast: Cast) -> Mapping[Event, int]:
        return {
            self.edit_pages: 8,
            self.write_counts: 4,
            self.break_page: 2,
            self.hide_videos: 3,
            self.hang_up: 2,
            self.break_config: 2,
            self.revoke_key: 2,
            self.lock_repository: 2,
            self.hold_lock: 1,
            self.remove_state: 1,
            self.outage_of_youtube: 1,
            self.run_beside: 3,
            self.sync_from_elsewhere: 5,
            self.kill_worker: 6,
            self.stop_worker: 6,
            self.restart_database: 2,
            self.crash_database: 2,
            self.stop_database: 2,
            self.cut_network: 7,
            self.break_connections: 3,
            self.forget_worker: 2,
            self.drain_host: 2,
        }

    def happen(self) -> str:
        self._end_those_due()
        return super().happen()

    def clear(self) -> None:
        """End all troubles of hosts, each in its time, then those of sites."""
        while self._ends:
            self._end_those_due()
            self._let_pass()
        self._stack.close()  # a command may wait for what others hold, or for a worker that was drained
        end = time.monotonic() + LOCK_SECONDS
        while any(command.poll() is None for command in self._beside) and time.monotonic() < end:
            self._let_pass()
        super().clear()

    def _let_pass(self) -> None:
        self._supervise()
        time.sleep(0.01)

    # hosts

    def kill_worker(self) -> str | None:
        """SIGKILL; when it starts again, its clock may have been set."""
        host = self._free(HOSTS)
        if host is None:
            return None
        self._workers[host].kill()
        skew = self._random.choice(SKEWS)
        self._later(host, lambda: self._workers[host].start(skew))
        return f"{host}: SIGKILL; its clock will be {skew} s ahead"

    def stop_worker(self) -> str | None:
        host = self._free(HOSTS)
        if host is None:
            return None
        self._workers[host].send(signal.SIGSTOP)
        self._later(host, lambda: self._workers[host].send(signal.SIGCONT))
        return f"{host}: SIGSTOP"

    def drain_host(self) -> str | None:
        host = self._free(HOSTS)
        if host is None:
            return None
        self.drained.add(host)
        return self._run(self._fleet.folder_of(self._random.choice(HOSTS)), "fleet", "drain", "--host", host)

    def sync_from_elsewhere(self) -> str:
        site = self._any()
        others = [host for host in HOSTS if host != host_of(site.name)]
        return self._run(self._fleet.folder_of(self._random.choice(others)), "fleet", "sync", site.name)

    # the database, and the network

    def restart_database(self) -> str | None:
        return self._end_database(signal.SIGINT, "fast")

    def crash_database(self) -> str | None:
        return self._end_database(signal.SIGQUIT, "immediately")

    def stop_database(self) -> str | None:
        if self._free(["database"]) is None:
            return None
        self._fleet.postgres.send(signal.SIGSTOP)
        self._later("database", lambda: self._fleet.postgres.send(signal.SIGCONT))
        return "the database: SIGSTOP"

    def cut_network(self) -> str | None:
        host = self._free([f"network of {host}" for host in HOSTS])
        if host is None:
            return None
        proxy = self._fleet.proxies[host[-1]]
        proxy.network = self._random.choice([Network.REFUSES, Network.SWALLOWS])
        self._later(host, lambda: setattr(proxy, "network", Network.WORKS))
        return f"{host}: {proxy.network.name}"

    def break_connections(self) -> str:
        host = self._random.choice(HOSTS)
        self._fleet.proxies[host].break_connections()
        return f"network of {host}: its connections break"

    def forget_worker(self) -> str | None:
        """The queue takes the workers for dead."""
        if "database" in self._ends or self._fleet.place is None:
            return None
        self._fleet.postgres.execute(
            self._fleet.place,
            "SET statement_timeout = '10s';"  # no stopped worker may keep its row locked for so long
            " UPDATE syncer_queue.procrastinate_workers SET last_heartbeat = now() - INTERVAL '1 hour'",
        )
        return "the database: all workers are said to be silent"

    def _end_database(self, number: signal.Signals, how: str) -> str | None:
        if self._free(["database"]) is None:
            return None
        self._fleet.postgres.stop(number)
        self._later("database", self._fleet.postgres.start)
        return f"the database ends {how}"

    def _send(self, number: int) -> None:
        self._workers[self._random.choice(HOSTS)].send(number)

    def _free(self, names: Collection[str]) -> str | None:
        """Return one that is in no trouble; None if all are."""
        free = [name for name in names if name not in self._ends]
        return self._random.choice(free) if free else None

    def _later(self, name: str, end: Callable[[], None]) -> None:
        self._ends[name] = time.monotonic() + self._random.uniform(0, LONGEST_SECONDS), end

    def _end_those_due(self) -> None:
        for name, (at, end) in list(self._ends.items()):
            if at <= time.monotonic():
                del self._ends[name]
                end()
