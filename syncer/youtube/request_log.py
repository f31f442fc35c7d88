"""Logs the requests of a client: each attempt and each batch, and the totals."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Final

from syncer.model import Bucket, VideoId
from syncer.wording import counted
from syncer.youtube.answer import METHODS, Answer, Tries
from syncer.youtube.classify import Failure, FailureKind

_log = logging.getLogger("syncer.youtube")

_NOT_YOUTUBE: Final = frozenset({FailureKind.NO_UNIT, FailureKind.STOPPED})
"""Kinds that are not YouTube's doing: they do not count as failed attempts."""


@dataclass(slots=True)
class BatchRequest:
    """The request of one batch from one method, with all its attempts."""

    bucket: Bucket
    videos: tuple[VideoId, ...]
    units: int = 0
    """Requests that were sent, including the silent ones of the library."""
    waited: float = 0.0
    """Seconds between attempts."""


class RequestLog:
    """Counts attempts, waits and failures, from several threads, and logs them with an `event` and facts.

    Of failures with the same message, only the first is logged at INFO and the others at DEBUG: a bad day is a few
    lines, and the totals at the end.
    """

    def __init__(self) -> None:
        """Start with nothing logged."""
        self._retries = 0
        self._waited = 0.0
        self._batches = 0
        self.units: Counter[Bucket] = Counter()
        """Requests that were sent, of the batches that ended."""
        self._failures: Counter[str] = Counter()
        self._classes: Counter[str] = Counter()
        self._logged: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    @property
    def tries(self) -> Tries:
        """How much was retried so far; to be read when no request is running."""
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
        _log.log(level, "%(method)s: attempt %(attempt)d failed, next in %(wait_s).1f s: %(why)s", facts, extra=facts)

    def log_batch(self, request: BatchRequest, answer: Answer, failure: Failure | None, *, seconds: float) -> None:
        """Log how the request of a batch ended, after so many seconds, waits included."""
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
        text = "%(method)s: videos %(videos)d, %(outcome)s, attempts %(attempts)d, %(seconds).1f s %(why)s"
        _log.log(level, text.removesuffix("" if failure else " %(why)s"), facts, extra=facts)

    def log_sum(self, seconds: float) -> None:
        """Log the totals, once, after so many seconds, when no request is running."""
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
        batches = f"{self._batches:,} batch{'' if self._batches == 1 else 'es'}"
        text = f"Sent {counted(self.units.total(), 'request')} to YouTube for {batches} in {seconds:.1f} s"
        if self._failures:
            failures = "; ".join(f"{times} x {why}" for why, times in self._failures.most_common())
            text += f"; retried {self._retries:,}, waited {self._waited:.1f} s; {failures}"
        _log.info(text, extra=facts)

    def _note(self, failure: Failure, event: str) -> int:
        """Count a failure, and return the level at which it is logged."""
        if failure.kind not in _NOT_YOUTUBE:
            self._failures[failure.message] += 1
            self._classes[failure.kind.value] += 1
        level = logging.DEBUG if (event, failure.message) in self._logged else logging.INFO
        self._logged.add((event, failure.message))
        return level
