"""A YouTube that keeps accounts: what it gave for each video, what each key requested, and which units that took."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from syncer.simulator.api import Api, _Method
from syncer.simulator.clock import Clock
from syncer.simulator.request import Request
from syncer.simulator.server import Simulator
from syncer.simulator.units import BucketName
from syncer.simulator.weather import Struck
from syncer.simulator.wire import Json, Reply
from syncer.simulator.world import World

PLENTY = 10**9


class Seen(NamedTuple):
    """A request."""

    at: float
    """By the monotonic clock of this process."""
    key: str
    videos: Sequence[str]


class Accounts:
    """What a YouTube gave and took; safe in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.given: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        """By video and count, each number that was ever in an answer."""
        self.units: Counter[tuple[str, BucketName]] = Counter()
        """By key."""
        self.requests: list[Seen] = []
        self.revoked: set[str] = set()
        """Keys that are refused."""

    def note_request(self, key: str, videos: Sequence[str]) -> None:
        with self._lock:
            self.requests.append(Seen(time.monotonic(), key, videos))

    def note_unit(self, key: str, bucket: BucketName) -> None:
        with self._lock:
            self.units[key, bucket] += 1

    def note_items(self, items: Iterable[tuple[str, str, str]]) -> None:
        with self._lock:
            for video, count, number in items:
                self.given[video, count].add(number)

    def units_of(self, keys: Iterable[str], bucket: BucketName) -> int:
        """Return the units that these keys took of a bucket."""
        with self._lock:
            return sum(self.units[key, bucket] for key in keys)


class AccountedYouTube(Simulator):
    """A simulator that keeps accounts. `accounts` may be replaced."""

    def __init__(self, world: World, clock: Clock | None = None) -> None:
        super().__init__(world, clock, stats_units_per_day=PLENTY, general_units_per_day=PLENTY, pause=0.2)
        api = self._api
        self._accounted = _AccountedApi(api.world, api.clock, api.days, api.minutes, api.assumptions, api.weather)
        self._api = self._accounted

    @property
    def accounts(self) -> Accounts:
        return self._accounted.accounts

    @accounts.setter
    def accounts(self, accounts: Accounts) -> None:
        self._accounted.accounts = accounts


class _AccountedApi(Api):
    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]
        self.accounts = Accounts()
        self._now = threading.local()

    def answer(self, request: Request) -> Reply:
        key = request.key or ""
        self._now.key = key
        self.accounts.note_request(key, request.listed("id"))
        if key in self.accounts.revoked:
            request = Request(request.path, request.parameters, "invalid", request.reads, request.target, request.host)
        return super().answer(request)

    def _charge(self, bucket: BucketName, at: datetime) -> None:
        super()._charge(bucket, at)
        self.accounts.note_unit(self._now.key, bucket)

    def _document(self, method: _Method, request: Request, at: datetime, struck: Struck) -> Json:
        document = super()._document(method, request, at, struck)
        self.accounts.note_items(_counts_of(document))
        return document


def _counts_of(document: Json) -> Iterable[tuple[str, str, str]]:
    """Yield video, count and number, of all that an answer holds."""
    items = document.get("items") if isinstance(document, dict) else None
    for item in items if isinstance(items, list) else ():
        statistics = item.get("statistics") if isinstance(item, dict) else None
        if isinstance(item, dict) and isinstance(statistics, dict):
            for count, number in statistics.items():
                yield str(item.get("id")), count, str(number)
