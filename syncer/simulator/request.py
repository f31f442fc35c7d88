"""Owns what a client requests, read out of its HTTP form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """What a client requests, taken from the HTTP request."""

    path: str
    parameters: Mapping[str, Sequence[str]]
    key: str | None
    """None: the request names no key."""
    reads: bool
    """It is a GET, or a POST that stands for one because the URL would be too long."""
    target: str
    """Path and query as they were sent."""
    host: str
    """The server as the client calls it, with the port; empty if it did not say."""

    @staticmethod
    def of(verb: str, target: str, headers: Mapping[str, str], form: str) -> Request:
        """Return the request; header names are in lower case. Raises ValueError for a target that is no URL."""
        url = urlsplit(target)
        stands_for_get = verb == "POST" and headers.get("x-http-method-override", "").upper() == "GET"
        query = f"{url.query}&{form}" if stands_for_get else url.query
        parameters = parse_qs(query, keep_blank_values=True)
        key = parameters.get("key", [headers.get("x-goog-api-key")])[0]
        reads = verb == "GET" or stands_for_get
        return Request(unquote(url.path), parameters, key, reads, target, headers.get("host", ""))

    def listed(self, name: str) -> list[str]:
        """Return the values of a parameter that may be repeated, and may hold several between commas."""
        values = ",".join(self.parameters.get(name, ())).split(",")
        return [value.strip() for value in values if value.strip()]
