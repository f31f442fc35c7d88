"""How the tests ask the simulator: by plain HTTP, so that every byte and every header field can be seen."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPMessage
from typing import Any
from urllib.parse import urlencode, urlsplit

from syncer.model import Bucket
from syncer.simulator.faults import parse_fault
from syncer.simulator.server import Simulator
from syncer.youtube.client import Client, Terms

KEY = {"x-goog-api-key": "a-key"}
LIST = "/youtube/v3/videos"
STATS = "/youtube/v3/videos:batchGetStats"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: HTTPMessage
    raw: bytes

    @property
    def body(self) -> bytes:
        return gzip.decompress(self.raw) if self.headers.get("Content-Encoding") == "gzip" else self.raw

    @property
    def document(self) -> Any:  # JSON as it comes
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        return str(self.document["error"]["errors"][0]["reason"])


def connect(simulator: Simulator) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(simulator.url).netloc, timeout=10)


def ask(
    simulator: Simulator,
    path: str = STATS,
    headers: Mapping[str, str] = KEY,
    verb: str = "GET",
    body: bytes | None = None,
    **parameters: str,
) -> Answer:
    """One request on a connection of its own."""
    target = f"{path}?{urlencode(parameters)}" if parameters else path
    connection = connect(simulator)
    try:
        return send(connection, target, headers, verb, body)
    finally:
        connection.close()


def send(
    connection: http.client.HTTPConnection,
    target: str,
    headers: Mapping[str, str] = KEY,
    verb: str = "GET",
    body: bytes | None = None,
) -> Answer:
    connection.request(verb, target, body, dict(headers))
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


def in_weather(simulator: Simulator, *faults: str) -> Simulator:
    """The simulator in this weather."""
    simulator.faults = tuple(parse_fault(text) for text in faults)
    return simulator


def statistics(simulator: Simulator, path: str, ids: str) -> Answer:
    """Asks about videos as syncer does."""
    return ask(simulator, path, part="statistics", id=ids)


def counts(item: Any) -> dict[str, int]:
    """The counts of an item of either method."""
    return {name: int(count) for name, count in item["statistics"].items() if name != "favoriteCount"}


@contextmanager
def client_with_units(simulator: Simulator, *, stats: int) -> Iterator[tuple[Client, dict[Bucket, int]]]:
    """A client whose first bucket has so many units, and the units that it spent."""
    units, lock = dict.fromkeys(Bucket, 0), threading.Lock()

    def spend(bucket: Bucket) -> bool:
        with lock:
            if bucket is Bucket.STATS and units[bucket] == stats:
                return False
            units[bucket] += 1
            return True

    terms = Terms(
        endpoint=simulator.url,
        key="some-key",
        spend=spend,
        clock=lambda: datetime(2026, 11, 22, 20, 0, tzinfo=UTC),
        sleep=lambda _: None,
        timeout=5,
    )
    with Client(terms) as client:
        yield client, units
