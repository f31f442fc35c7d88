"""Tells people once when something needs them and when all is well again, and pings a watchdog elsewhere."""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from syncer.diff_log.log import timestamp
from syncer.errors import ConfigError, ExitCode, Stopped, SyncerError
from syncer.own_files import PUBLIC, open_own, read_file, remove_own
from syncer.status.report import SyncReport
from syncer.wording import utc

if TYPE_CHECKING:
    from syncer.config.sections import Notify

MEMORY = "told.json"
"""The file beside the state that remembers what people were told, across restarts."""

LARGEST_MEMORY = 1 << 24
"""Bytes read of it."""

PATIENCE = 10.0
"""Seconds that a ping may take."""

LAST_WORDS = 2.0
"""Seconds that what is still to be told gets when the daemon stops."""

FAILURES = 3
"""Syncs in a row without an answer after which a person is told: shorter outages pass by themselves, bugs do not."""

LONGEST_LIST = 10
"""How many problems one message names."""

log = logging.getLogger("syncer.daemon")


def require_apprise(settings: Notify) -> None:
    """Raise ConfigError where people are to be told, and what tells them is not installed or takes no such address."""
    if not settings.urls:
        return
    try:
        import apprise
    except ImportError:
        message = "notify.urls needs apprise, which is not installed: `pip install 'syncer-youtube[notify]'`"
        raise ConfigError(message) from None
    for number, url in enumerate(settings.urls):
        if not apprise.Apprise().add(url):
            raise ConfigError(f"notify.urls[{number}] is no address that apprise knows; see its list of services")


class Notifier:
    """Sends from a thread of its own, so that no sync waits for it. What cannot be sent is one line in the log."""

    def __init__(self, settings: Callable[[], Notify], site: str, state: Path, clock: Callable[[], datetime]) -> None:
        """Take how to get the settings in force, the site's name for messages, and the state's directory."""
        self._settings = settings
        self._site = site
        self._memory = state / MEMORY
        self._clock = clock
        self._failures = 0
        self._unreachable = False
        self._errands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="notify", daemon=True)
        self._thread.start()

    @contextmanager
    def notifying(self) -> Iterator[Callable[[SyncReport], SyncReport]]:
        """Tell how a sync goes that is made in the block: its report passes through what is given."""
        self._ping("/start", "")
        try:
            yield self._end
        except Stopped:
            raise
        except SyncerError as error:
            self._fail(str(error))
            raise
        except BaseException as error:
            self._fail(f"a bug: {type(error).__name__}; the log of the daemon has the traceback", patience=1)
            raise

    def close(self) -> None:
        """Send what is still to be sent, if that is quick."""
        self._errands.put(None)
        self._thread.join(LAST_WORDS)

    def _end(self, report: SyncReport) -> SyncReport:
        if report.exit != ExitCode.INTERRUPTED:
            self._judge(report)
        return report

    def _judge(self, report: SyncReport) -> None:
        """Tell how a sync ended: a failure is one in which nothing was answered, or which a brake holds."""
        if report.exit == ExitCode.NOTHING_ANSWERED:
            self._fail("; ".join(sorted({problem.message for problem in report.problems})) or "nothing was answered")
            return
        self._failures = 0
        self._ping("/fail" if report.brake else "", f"sync {report.sync} ended with {report.exit}")
        self._tell(needs_of(report))

    def _fail(self, reason: str, patience: int = FAILURES) -> None:
        """Note that there was no sync; after so many in a row a person is told."""
        self._failures += 1
        self._ping("/fail", reason)
        if self._failures >= patience:
            failed = "A sync" if self._failures == 1 else f"{self._failures} syncs in a row"
            self._tell({"failing": f"{failed} failed: {reason}"})

    def _ping(self, suffix: str, text: str) -> None:
        url = self._settings().ping
        if url:
            self._errands.put(lambda: self._send(url, lambda: _ping(url, suffix, text)))

    def _tell(self, needs: Mapping[str, str]) -> None:
        """Tell what is new among the things that need a person, or that nothing does any more."""
        urls = self._settings().urls
        if not urls:
            return
        known = self._remembered()
        now = self._clock()
        new = [text for name, text in needs.items() if name not in known]
        if not new and (needs or not known):
            return
        since = min([*known.values(), timestamp(now)])  # what a clock ahead of its time noted is not to come
        title, body = _new(self._site, new) if new else _well(self._site, datetime.fromisoformat(since), now)
        for url in urls:
            self._errands.put(lambda url=url: self._send(url, lambda: _tell(url, title, body)))  # type: ignore[misc]
        self._remember({name: known.get(name, timestamp(now)) for name in needs})

    def _remembered(self) -> dict[str, str]:
        try:
            found = json.loads(read_file(self._memory, LARGEST_MEMORY))
            if not isinstance(found, dict) or not all(datetime.fromisoformat(at).tzinfo for at in found.values()):
                return {}
        except (OSError, ValueError, TypeError, RecursionError):  # none yet, or damaged: you are notified once more
            return {}
        return found

    def _remember(self, known: Mapping[str, str]) -> None:
        new = self._memory.with_suffix(".new")
        try:
            remove_own(new)
            with open(open_own(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PUBLIC), "wb") as file:
                file.write(json.dumps(known).encode())
            os.replace(new, self._memory)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._memory, error, extra={"event": "not-remembered"})

    def _work(self) -> None:
        while errand := self._errands.get():
            errand()

    def _send(self, url: str, send: Callable[[], None]) -> None:
        """Send, and tell in the log when that begins to fail. An address may hold a secret: only its host is told."""
        try:
            send()
        except Exception as error:  # noqa: BLE001 - whatever apprise and the network raise, the next one is sent
            if not self._unreachable:
                facts = {"event": "not-notified"}
                log.warning("%s cannot be told: %s", urlsplit(url).hostname, type(error).__name__, extra=facts)
            self._unreachable = True
        else:
            self._unreachable = False


def needs_of(report: SyncReport) -> dict[str, str]:
    """Return what of a sync needs a person: a name that stays the same from sync to sync, and a sentence."""
    needs = {}
    if report.brake:
        needs["brake"] = (
            f"A brake holds what YouTube said ({report.brake.reason}: {report.brake.struck} of {report.brake.of});"
            " look at some of the videos, and if YouTube is right: `syncer trigger --accept`."
        )
    for problem in report.problems:
        where = f"{problem.subject}:{problem.line}" if problem.line else problem.subject
        needs[f"{problem.kind.value} {problem.subject}"] = f"{where}: {problem.message}"
    return needs


def _new(site: str, texts: list[str]) -> tuple[str, str]:
    rest = len(texts) - LONGEST_LIST
    more = [f"And {rest} more: `syncer status` lists them all."] if rest > 0 else []
    return f"syncer: {site} needs you", "\n".join([*texts[:LONGEST_LIST], *more])


def _well(site: str, since: datetime, now: datetime) -> tuple[str, str]:
    return (
        f"syncer: {site} is well again",
        f"Nothing needs you now. Something did from {utc(since)} to {utc(now)}.",
    )


def _ping(url: str, suffix: str, text: str) -> None:
    parts = urlsplit(url)
    target = urlunsplit(parts._replace(path=parts.path.rstrip("/") + suffix))
    request = urllib.request.Request(target, data=text.encode(), headers={"User-Agent": "syncer"})  # noqa: S310 - the config takes http and https only
    with urllib.request.urlopen(request, timeout=PATIENCE):  # noqa: S310
        pass


def _tell(url: str, title: str, body: str) -> None:
    from apprise import Apprise

    teller = Apprise()
    teller.add(url)
    if not teller.notify(title=title, body=body):
        raise ConnectionError(url)
