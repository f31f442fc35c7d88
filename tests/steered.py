"""A status page that is really served, beside a daemon of the tests that syncs when it is told to."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

from syncer.cli.serving import serving
from syncer.config.parse import parse_config
from syncer.config.sections import Config, StatusPage
from syncer.control import DaemonState, SyncProgress, Ticket
from syncer.errors import SyncerError
from syncer.state.directory import prepare_directory
from syncer.status.fleet import FleetView
from syncer.status.report import report_json
from syncer.status_page.metrics import Counters, SiteCounters
from syncer.status_page.reading import Sources
from syncer.status_page.sites import Sites
from syncer.status_page.sockets import socket_path
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Listener, Options
from tests.ports import free_port
from tests.site import KEY, Site


class Steered:
    """Syncs a site in a thread, one sync at a time, when it is told to."""

    def __init__(self, site: Site, counters: SiteCounters) -> None:
        self.go = threading.Event()
        self.go.set()
        now = datetime.now(UTC)
        self.daemon_state = DaemonState(False, None, now + timedelta(hours=5), now, timedelta(hours=6))
        self._site = site
        self._counters = counters
        self._tickets: dict[int, Ticket] = {}
        self._threads: list[threading.Thread] = []

    def state(self) -> DaemonState:
        return self.daemon_state

    def ticket(self, number: int) -> Ticket | None:
        return self._tickets.get(number)

    def trigger(self, accept: bool) -> Ticket:
        ticket = Ticket(len(self._tickets) + 1, "waiting", None, None)
        self._tickets[ticket.number] = ticket
        thread = threading.Thread(target=self._sync, args=(ticket, accept))
        self._threads.append(thread)
        thread.start()
        return ticket

    def end(self) -> None:
        self.go.set()
        for thread in self._threads:
            thread.join()

    def _sync(self, ticket: Ticket, accept: bool) -> None:
        self._tickets[ticket.number] = replace(ticket, state="running")
        self.daemon_state = replace(self.daemon_state, running=True, progress=SyncProgress("ask", 50, 120))
        self.go.wait(20)
        config = parse_config(self._site.config.read_text(encoding="utf-8"), self._site.config)
        never = threading.Event()
        environment = Environment(KEY, lambda: datetime.now(UTC), never.wait)
        listener, options = Listener(changed=self._counters.changed), Options(accept=accept, everything=True)
        try:
            report = make_sync(config, options, environment, listener)
        except SyncerError as error:
            self._counters.failed()
            done = replace(ticket, state="done", error=str(error))
        else:
            self._counters.ended(report)
            done = replace(ticket, state="done", report=json.dumps(report_json(report)))
        self._tickets[ticket.number] = done
        self.daemon_state = replace(self.daemon_state, running=False, progress=None)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    """A served page, and how it is asked."""

    steered: Steered
    port: int
    socket: Path
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, b"", **headers)

    def post(self, path: str, body: bytes = b"", /, **headers: str) -> Answer:
        return self.ask("POST", path, body, **headers)

    def ask(self, method: str, path: str, body: bytes = b"", /, **headers: str) -> Answer:
        """Asks over TCP; `Sec_Fetch_Site` names the header with dashes."""
        return _ask(HTTPConnection("127.0.0.1", self.port, timeout=20), method, path, body, headers)

    def ask_by_socket(self, method: str, path: str, body: bytes = b"", /, **headers: str) -> Answer:
        return _ask(_ByFile(self.socket), method, path, body, headers)


class _ByFile(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(20)
        self.sock.connect(str(self._path))


def get_by_socket(path: Path, target: str) -> Answer:
    """Asks whatever listens on this socket."""
    return _ask(_ByFile(path), "GET", target, b"", {})


def _ask(connection: HTTPConnection, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response: HTTPResponse = connection.getresponse()
    answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    connection.close()
    return answer


@contextmanager
def served(site: Site) -> Iterator[Served]:
    """Serves the page of a site on a free port."""
    counters, port = Counters(), free_port()
    text = site.config.read_text(encoding="utf-8").replace("127.0.0.1:0", f"127.0.0.1:{port}")
    config = parse_config(text, site.config)
    steered = Steered(site, counters.of(config.site_name))
    sources = Sources(lambda: config, steered, lambda: datetime.now(UTC))
    path = socket_path(os.environ, os.path.realpath(site.root), site.state)
    prepare_directory(site.state)
    sites = Sites(False, lambda: {config.site_name: sources})
    with serving(config.status_page, path, sites, counters, os.environ, lambda: None):
        try:
            yield Served(steered, port, path)
        finally:
            steered.end()


@dataclass
class ServedSites(Served):
    """The served pages of several sites, which can come and go."""

    sites: dict[str, Steered] = field(default_factory=dict)
    sources: dict[str, Sources] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    counters: Counters = field(default_factory=lambda: Counters(several=True))
    fleet: FleetView | None = None

    def remove(self, name: str) -> None:
        del self.sources[name]
        self.counters.forget(name)


@contextmanager
def served_sites(*sites: Site, names: Sequence[str] = (), now: datetime | None = None) -> Iterator[ServedSites]:
    """Serves the pages of several sites on a free port; they are named by their directories, or by `names`."""
    configs = [parse_config(site.config.read_text(encoding="utf-8"), site.config) for site in sites]
    port, path = free_port(), sites[0].root.parent / "sites.sock"
    counters = Counters(several=True)
    steered, sources = {}, {}
    for site, config, name in zip(sites, configs, names or [each.site_name for each in configs], strict=True):
        steered[name] = Steered(site, counters.of(name))
        sources[name] = Sources(partial(_same, config), steered[name], lambda: now or datetime.now(UTC))
    first = next(iter(steered.values()))
    page = ServedSites(first, port, path, sites=steered, sources=sources, counters=counters)
    all_sites = Sites(True, lambda: dict(page.sources), lambda: dict(page.left_out), lambda: page.fleet)
    listen = StatusPage(listen=f"127.0.0.1:{port}")
    with serving(listen, path, all_sites, counters, os.environ, lambda: None):
        try:
            yield page
        finally:
            for each in steered.values():
                each.end()


def _same(config: Config) -> Config:
    return config
