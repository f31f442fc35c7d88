"""The worker of a host, as systemd runs it: started again whenever it ends by itself."""

from __future__ import annotations

import signal
import time
from collections.abc import Collection, Iterable, Iterator, Sequence

from tests.fleet.ground import HOSTS, FleetGround, host_of
from tests.many_sites.judges import wrong_lines
from tests.many_sites.process import Line, SitesDaemon
from tests.many_sites.promises import Life, SyncTime
from tests.waiting import until

STOP_SECONDS = 20.0


class Worker:
    """`syncer -c a.d fleet worker --host a`, again and again."""

    def __init__(self, ground: FleetGround, host: str) -> None:
        self.host = host
        self.ends: list[tuple[float, int]] = []
        """When it ended by itself, and with which exit code."""
        self.past: list[SitesDaemon] = []
        self.daemon: SitesDaemon | None = None
        self.is_stopped = False
        """Whether its processes are stopped by SIGSTOP."""
        self._ground = ground

    def start(self, skew: float = 0) -> None:
        """Start it, by a clock that is so many seconds ahead."""
        program = f"from tests.fleet.hurry import run\nrun({skew})"
        folder = self._ground.folder_of(self.host)
        self.daemon = SitesDaemon(folder, ("fleet", "worker", "--host", self.host), program, skew)

    @property
    def is_serving(self) -> bool:
        """Whether its page must answer."""
        daemon = self.daemon
        return bool(
            daemon
            and not self.is_stopped
            and daemon.process.poll() is None
            and any('"event": "serving"' in line.text for line in list(daemon.lines))
        )

    def look(self) -> int | None:
        """Return the exit code if it has ended by itself, once."""
        if self.daemon is None or (code := self.daemon.process.poll()) is None:
            return None
        self.ends.append((time.monotonic(), code))
        self._put_away()
        return code

    def kill(self) -> None:
        if self.daemon:
            self.daemon.kill()
            self._put_away()

    def stop(self) -> tuple[int, float]:
        """Tell it to stop; return its exit code, and how many seconds that took."""
        assert self.daemon, "it was started"
        _, code, took = self.daemon.stop()
        self._put_away()
        return code, took

    def send(self, number: int) -> None:
        if self.daemon:
            self.is_stopped = number == signal.SIGSTOP or (self.is_stopped and number != signal.SIGCONT)
            self.daemon.send(number)

    def syncs(self) -> list[SyncTime]:
        """Return all syncs of all its lives."""
        return [sync for daemon in self._all() for sync in daemon.syncs()]

    def lines(self) -> list[Line]:
        """Return all lines of its log."""
        return [line for daemon in self._all() for line in list(daemon.lines)]

    def life(self, since: float, until: float) -> Life:
        """Return what it did in a time in which it should always have run."""
        return Life(since, until, [sync for sync in self.syncs() if since <= sync.began and sync.exit == 0])

    def owns(self, site: str) -> bool:
        return host_of(site) == self.host

    def _put_away(self) -> None:
        if self.daemon:
            self.past.append(self.daemon)
        self.daemon, self.is_stopped = None, False

    def _all(self) -> Iterator[SitesDaemon]:
        yield from self.past
        if self.daemon:
            yield self.daemon


class Workers:
    """The workers of all hosts."""

    def __init__(self, ground: FleetGround) -> None:
        self.of = {host: Worker(ground, host) for host in HOSTS}
        self._ground = ground

    def __iter__(self) -> Iterator[Worker]:
        return iter(self.of.values())

    def start(self, skews: Iterable[float] = (0, 0, 0)) -> None:
        """Start all, and wait until they serve their pages."""
        for worker, skew in zip(self, skews, strict=True):
            worker.start(skew)
        until(lambda: all(worker.is_serving for worker in self), 0.02)

    def kill(self) -> None:
        for worker in self:
            worker.kill()

    def stop(self) -> Iterator[str]:
        """Tell all to stop; yield what is wrong with how they end, and with their logs."""
        for worker in self:
            code, took = worker.stop()
            if code != 0 or took > STOP_SECONDS:
                yield f"told to stop, the worker of {worker.host} ended with {code} after {took:.1f} seconds"
            yield from (f"{worker.host}: {sentence}" for sentence in wrong_lines(self._ground, worker.lines()))

    def syncs(self) -> Sequence[SyncTime]:
        return [sync for worker in self for sync in worker.syncs()]

    def unsettled(self, cleared: float, tight: Collection[str] = ()) -> Iterator[str]:
        """Yield the sites that have not had two good syncs, the last of which could see all that is right now.

        In the first interval, a sync may take counts that another site requested before. If units were few, what one
        site may take depends on whether the others know that there are more.
        """
        good = [sync for sync in self.syncs() if sync.exit == 0 and sync.began >= cleared]
        firsts = {sync.site: sync.ended for sync in reversed(good)}
        waits = [firsts.get(name, time.monotonic()) for name in tight]
        since = max([cleared + self._ground.interval + 1, *waits])
        for name in self._ground.sites:
            own = [sync.began for sync in good if sync.site == name]
            if len(own) < 2 or max(own) < since:
                yield name
