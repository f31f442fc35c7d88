"""How the tests ask the simulator: by plain HTTP, so that every byte and every header field can be seen."""

from __future__ import annotations

import gzip
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPMessage
from typing import Any
from urllib.parse import urlencode, urlsplit

from syncer.simulator.faults import parse_fault
from syncer.simulator.server import Simulator

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
