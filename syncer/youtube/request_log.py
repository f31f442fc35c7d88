"""Logs what happens while a client requests: each attempt and each batch for machines, the sum for people."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Final

from syncer.model import Bucket, VideoId
from syncer.youtube.answer import METHODS, Answer, Tries
from syncer.youtube.classify import Failure, FailureKind

_log = logging.getLogger("syncer.youtube")

_NOT_YOUTUBE: Final = frozenset({FailureKind.NO_UNIT, FailureKind.STOPPED})
"""What YouTube has no part in: it is not a failed attempt."""


@dataclass(slots=True)
class BatchRequest:
    """The request of one batch from one method, with all its attempts."""

    bucket: Bucket
    videos: tuple[VideoId, ...]
    units: int = 0
    """Requests that went out, silent ones of the library included."""
    waited: float = 0.0
    """Seconds between attempts."""


class RequestLog:
    """Counts attempts, waits and failures, from several threads, and logs them with an `event` and facts.

    Of failures with the same words only the first is logged at INFO, all else at DEBUG: a bad day is a few lines, and
    the sum at the end.
    """

    def __init__(self) -> None:
        """Begin with nothing logged."""
        self._retries = 0
        self._waited = 0.0
        self._batches = 0
        self.units: Counter[Bucket] = Counter()
        """Requests that went out, of the batches that ended."""
        self._failures: Counter[str] = Counter()
        self._classes: Counter[str] = Counter()
        self._logged: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    @property
    def tries(self) -> Tries:
        """What failures have cost so far; to be read when no request is under way."""
        return Tries(self._retries, dict(self._classes))

    def log_retry(self, request: BatchRequest, failure: Failure, attempt: int, wait: float) -> None:
        """Log an attempt that failed, and the `wait` in seconds before the next one."""
        request.waited += wait
        with self._lock:
            self._retries += 1
            self._waited += wait
            level = self._note(failure, "retry")
        facts = {
            "event": "retry",
            "method": METHODS[request.bucket],
            "attempt": attempt,
            "wait_s": round(wait, 3),
            "class": failure.kind.value,
            "why": failure.message,
        }
        _log.log(level, "%(method)s: try %(attempt)d failed, next in %(wait_s).1f s: %(why)s", facts, extra=facts)

    def log_batch(self, request: BatchRequest, answer: Answer, failure: Failure | None, *, seconds: float) -> None:
        """Log how the request of a batch ended: with which answer, and after so many seconds, waits included."""
        with self._lock:
            self._batches += 1
            self.units += Counter({request.bucket: request.units})
            level = self._note(failure, "batch") if failure else logging.DEBUG
        if not _log.isEnabledFor(level):
            return
        facts = {
            "event": "batch",
            "method": METHODS[request.bucket],
            "outcome": answer.outcome.value,
            "videos": len(request.videos),
            "attempts": answer.attempts,
            "units": request.units,
            "seconds": round(seconds, 3),
            "waited_s": round(request.waited, 3),
            "class": failure.kind.value if failure else None,
            "why": failure.message if failure else "",
        }
        text = "%(method)s: %(videos)d videos %(outcome)s, tries: %(attempts)d, %(seconds).1f s %(why)s"
        _log.log(level, text.removesuffix("" if failure else " %(why)s"), facts, extra=facts)

    def log_sum(self, seconds: float) -> None:
        """Log all together, once, after so many seconds, when no request is under way."""
        if not self._batches:
            return
        facts = {
            "event": "asked",
            "batches": self._batches,
            "requests": self.units.total(),
            "units": {bucket.value: self.units[bucket] for bucket in Bucket},
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
        """Count a failure, and return the level at which it is logged."""
        if failure.kind not in _NOT_YOUTUBE:
            self._failures[failure.message] += 1
            self._classes[failure.kind.value] += 1
        level = logging.DEBUG if (event, failure.message) in self._logged else logging.INFO
        self._logged.add((event, failure.message))
        return level
