"""A client's request, read from HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """A client's request."""

    path: str
    parameters: Mapping[str, Sequence[str]]
    key: str | None
    """None: the request has no key."""
    reads: bool
    """It is a GET, or a POST that replaces one because the URL would be too long."""
    target: str
    """Path and query as they were sent."""
    host: str
    """The server's name in the request, with the port; empty if there is none."""

    @staticmethod
    def of(verb: str, target: str, headers: Mapping[str, str], form: str) -> Request:
        """Return the request; header names are in lower case. Raises ValueError for a target that is not a URL."""
        url = urlsplit(target)
        is_long_get = verb == "POST" and headers.get("x-http-method-override", "").upper() == "GET"
        query = f"{url.query}&{form}" if is_long_get else url.query
        parameters = parse_qs(query, keep_blank_values=True)
        key = parameters.get("key", [headers.get("x-goog-api-key")])[0]
        reads = verb == "GET" or is_long_get
        return Request(unquote(url.path), parameters, key, reads, target, headers.get("host", ""))

    def listed(self, name: str) -> list[str]:
        """Return the values of a parameter that can be repeated and can have several values, separated by commas."""
        values = ",".join(self.parameters.get(name, ())).split(",")
        return [value.strip() for value in values if value.strip()]
