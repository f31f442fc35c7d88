"""Tells what happened while a client asked: each try and each batch for machines, the sum for people."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Final

from syncer.model import Bucket, VideoId
from syncer.youtube.answer import METHODS, Outcome, Tries
from syncer.youtube.classify import Failure, Kind

_log = logging.getLogger("syncer.youtube")

_HARMLESS: Final = frozenset({Kind.NO_UNIT, Kind.STOPPED})
"""What YouTube has no part in: it is no failed try."""


@dataclass(slots=True)
class Errand:
    """The asking of one method about one batch, with all its tries."""

    bucket: Bucket
    videos: tuple[VideoId, ...]
    units: int = 0
    """Requests that went out, silent ones of the library included."""
    waited: float = 0.0
    """Seconds between tries."""


class Story:
    """Counts tries, waits and failures, from several threads, and logs them with an `event` and facts.

    Only the first of failures with the same words is told to who asks for a little more (INFO): a bad day is a few
    lines then, and the sum at the end. All else is DEBUG.
    """

    def __init__(self) -> None:
        """Begin with nothing told."""
        self._retries = 0
        self._waited = 0.0
        self._batches = 0
        self._units: Counter[Bucket] = Counter()
        self._failures: Counter[str] = Counter()
        self._classes: Counter[str] = Counter()
        self._told: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    @property
    def tries(self) -> Tries:
        """What failures have cost so far."""
        return Tries(self._retries, self._waited, dict(self._classes))

    def tell_retry(self, errand: Errand, failure: Failure, attempt: int, wait: float) -> None:
        """Tell of a try that failed, and of the `wait` in seconds before the next one."""
        errand.waited += wait
        with self._lock:
            self._retries += 1
            self._waited += wait
            level = self._note(failure, "retry")
        facts = {
            "event": "retry",
            "method": METHODS[errand.bucket],
            "attempt": attempt,
            "wait_s": round(wait, 3),
            "class": failure.kind.value,
            "why": failure.message,
        }
        _log.log(level, "%(method)s: try %(attempt)d failed, next in %(wait_s).1f s: %(why)s", facts, extra=facts)

    def tell_batch(
        self, errand: Errand, outcome: Outcome, failure: Failure | None, *, attempts: int, seconds: float
    ) -> None:
        """Tell how the asking about a batch ended: after so many tries and seconds, waits included."""
        with self._lock:
            self._batches += 1
            self._units[errand.bucket] += errand.units
            level = self._note(failure, "batch") if failure else logging.DEBUG
        if not _log.isEnabledFor(level):
            return
        facts = {
            "event": "batch",
            "method": METHODS[errand.bucket],
            "outcome": outcome.value,
            "videos": len(errand.videos),
            "attempts": attempts,
            "units": errand.units,
            "seconds": round(seconds, 3),
            "waited_s": round(errand.waited, 3),
            "class": failure.kind.value if failure else None,
            "why": failure.message if failure else "",
        }
        text = "%(method)s: %(videos)d videos %(outcome)s, tries: %(attempts)d, %(seconds).1f s %(why)s"
        _log.log(level, text.removesuffix("" if failure else " %(why)s"), facts, extra=facts)

    def tell_sum(self, seconds: float) -> None:
        """Tell of all together, once, after so many seconds."""
        if not self._batches:
            return
        facts = {
            "event": "asked",
            "batches": self._batches,
            "requests": self._units.total(),
            "units": {bucket.value: self._units[bucket] for bucket in Bucket},
            "seconds": round(seconds, 3),
            "retries": self._retries,
            "waited_s": round(self._waited, 3),
            "classes": dict(self._classes),
        }
        text = "asked YouTube: batches %(batches)d, requests %(requests)d, in %(seconds).1f s"
        if self._failures:
            text += "; tried again %(retries)d times, waited %(waited_s).1f s; "
        failures = "; ".join(f"{times} x {why}" for why, times in self._failures.most_common())
        _log.info(text + failures.replace("%", "%%"), facts, extra=facts)

    def _note(self, failure: Failure, event: str) -> int:
        """Count a failure, and return the level at which it is told."""
        if failure.kind not in _HARMLESS:
            self._failures[failure.message] += 1
            self._classes[failure.kind.value] += 1
        level = logging.DEBUG if (event, failure.message) in self._told else logging.INFO
        self._told.add((event, failure.message))
        return level
