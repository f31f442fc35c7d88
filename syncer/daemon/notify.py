"""Notifies you once when something needs attention and when nothing does any more, and pings a heartbeat monitor."""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
import urllib.request
from collections.abc import Callable, Mapping
from contextvars import copy_context
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from syncer.diff_log.lines import timestamp
from syncer.errors import Bug, ConfigError, ExitCode, Stopped, SyncerError
from syncer.own_files import PUBLIC_MODE, open_own, read_file, remove_own
from syncer.status.report import SyncReport, brake_sentence_of
from syncer.wording import counted, utc

if TYPE_CHECKING:
    from syncer.config.calls import Notify

NOTIFIED_FILE = "told.json"
"""The file beside the state that remembers, across restarts, what was notified and when."""

NOTIFIED_FILE_BYTES = 1 << 24
"""How much of it is read at most."""

FILE_URL = "file://"
"""How an address begins that names a file of addresses."""

ADDRESSES_BYTES = 1 << 16
"""How much of such a file is read at most."""

PING_TIMEOUT = 10.0
"""Seconds that a ping may take."""

CLOSE_TIMEOUT = 2.0
"""Seconds for sending what is left when the daemon stops."""

FAILURES_BEFORE_NOTICE = 3
"""Failed syncs in a row before a notification: shorter outages end by themselves. A bug is notified at once."""

PROBLEMS_IN_A_MESSAGE = 10
"""How many problems one message names."""

log = logging.getLogger("syncer.daemon")


def require_apprise(settings: Notify) -> None:
    """Raise ConfigError where `notify.urls` is set and cannot be used.

    That is where apprise is not installed, where it does not know an address, and where a file of addresses cannot be
    read or has none.
    """
    if not settings.urls:
        return
    try:
        import apprise
    except ImportError:
        message = (
            "notify.urls needs apprise, which is not installed; run `pipx inject syncer-youtube apprise`,"
            " or `pip install apprise` in the virtual environment of syncer"
        )
        raise ConfigError(message) from None
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it logs addresses with their passwords
    for number, url in enumerate(settings.urls):
        try:
            addresses = _addresses(url)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not a text file"
            raise ConfigError(f"notify.urls[{number}]: cannot read {url}: {reason}") from None
        if not addresses:
            raise ConfigError(f"notify.urls[{number}]: {url} has no address; write one on each line")
        for line, address in addresses.items():
            if not apprise.Apprise().add(address):
                where = f"line {line} of {url}" if url.startswith(FILE_URL) else "this"
                sentence = f"{where} is not an address that apprise knows (see https://github.com/caronc/apprise)"
                raise ConfigError(f"notify.urls[{number}]: {sentence}")


class Notifier:
    """Sends from a thread of its own, so that no sync waits for it. A failure to send is logged once until it works.

    The thread starts with the first message.
    """

    def __init__(self, settings: Callable[[], Notify], site: str, state: Path, clock: Callable[[], datetime]) -> None:
        """Take how to get the current settings, the site's name for messages, and the state's directory."""
        self._settings = settings
        self._site = site
        self._notified_file = state / NOTIFIED_FILE
        self._clock = clock
        self._failures = 0
        self._failing: dict[str | None, str] = {}
        self._outbox: queue.SimpleQueue[tuple[str, Callable[[], None]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def before_sync(self) -> None:
        """Ping that a sync begins."""
        self._ping("/start", "")

    def after_report(self, report: SyncReport) -> None:
        """Notify of how a sync ended, and of videos that stopped playing or play again.

        It failed if YouTube returned nothing, or if the safety brake stopped it.
        """
        if report.playing and report.playing.changes:
            self._notify_playing(report)
        if report.exit == ExitCode.NOTHING_ANSWERED:
            self._fail(
                "; ".join(sorted({problem.message for problem in report.problems})) or "YouTube returned nothing"
            )
        elif report.exit != ExitCode.INTERRUPTED:
            self._failures = 0
            self._ping("/fail" if report.brake else "", f"sync {report.sync} ended with {report.exit}")
            self._notify(needs_of(report))

    def after_error(self, error: BaseException) -> None:
        """Notify of what ended a sync without a report; a sync that was stopped did not fail."""
        if isinstance(error, Stopped):
            return
        if isinstance(error, SyncerError):
            self._fail(str(error))
        else:
            self._fail(str(Bug(error, "the daemon's log")), notice_after=1)

    def close(self) -> None:
        """Send what is left, if that is quick."""
        if self._thread:
            self._outbox.put(None)
            self._thread.join(CLOSE_TIMEOUT)

    def _fail(self, reason: str, notice_after: int = FAILURES_BEFORE_NOTICE) -> None:
        """Note a failed sync; notify after `notice_after` in a row."""
        self._failures += 1
        self._ping("/fail", reason)
        if self._failures >= notice_after:
            failed = "A sync" if self._failures == 1 else f"{self._failures} syncs in a row"
            self._notify({"failing": f"{failed} failed: {reason}"})

    def _ping(self, suffix: str, text: str) -> None:
        url = self._settings().ping
        if url:
            self._send(url, partial(_ping, url, suffix, text))

    def _notify(self, needs: Mapping[str, str]) -> None:
        """Notify of what is new among the things that need attention, or that nothing does any more."""
        urls = self._settings().urls
        if not urls:
            return
        known = self._notified()
        now = self._clock()
        new = [text for name, text in needs.items() if name not in known]
        if not new and (needs or not known):
            return
        if new:
            rest = len(new) - PROBLEMS_IN_A_MESSAGE
            more = [f"... and {rest} more (see `syncer status`)"] if rest > 0 else []
            title, body = f"syncer: {self._site} needs attention", "\n".join([*new[:PROBLEMS_IN_A_MESSAGE], *more])
        else:
            since = min([*known.values(), timestamp(now)])  # not a time that a clock ahead of its time noted
            title = f"syncer: {self._site} is OK again"
            until = f"from {utc(datetime.fromisoformat(since))} to {utc(now)}"
            body = f"Nothing needs attention now. Something did {until}."
        for url in urls:
            self._send(url, partial(_send_message, url, title, body))
        self._remember({name: known.get(name, timestamp(now)) for name in needs})

    def _notify_playing(self, report: SyncReport) -> None:
        """Send one message about all videos that stopped playing or play again. A sync reports each change once."""
        from syncer.status.play_report import RESUMED, STOPPED, change_rows

        assert report.playing is not None
        stopped, resumed = report.playing.stopped(), report.playing.resumed()
        lines = []
        for head, changes in ((STOPPED, stopped), (RESUMED, resumed)):
            rows = change_rows(changes)
            lines += [head] if rows else []
            lines += [
                f"{video}: {state}, on {', '.join(report.pages_of.get(video, ()))}"
                for video, state in rows[:PROBLEMS_IN_A_MESSAGE]
            ]
            rest = len(rows) - PROBLEMS_IN_A_MESSAGE
            lines += [f"... and {rest:,} more (see `syncer videos`)"] if rest > 0 else []
        if lines:
            what = f"{counted(len(stopped), 'video')} stopped playing" if stopped else ""
            back = f"{counted(len(resumed), 'video')} can be played again" if resumed else ""
            title = f"syncer: {self._site}: {', '.join(filter(None, (what, back)))}"
            for url in self._settings().urls:
                self._send(url, partial(_send_message, url, title, "\n".join(lines)))

    def _notified(self) -> dict[str, str]:
        """Return what was notified, and when; nothing where the file is missing or damaged."""
        try:
            found = json.loads(read_file(self._notified_file, NOTIFIED_FILE_BYTES))
            if not isinstance(found, dict) or not all(datetime.fromisoformat(at).tzinfo for at in found.values()):
                return {}
        except (OSError, ValueError, TypeError, RecursionError):  # it is notified once more
            return {}
        return found

    def _remember(self, notified: Mapping[str, str]) -> None:
        new = self._notified_file.with_suffix(".new")
        try:
            remove_own(new)
            with open(open_own(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PUBLIC_MODE), "wb") as file:
                file.write(json.dumps(notified).encode())
            os.replace(new, self._notified_file)
        except OSError as error:
            log.warning("Cannot write %s: %s", self._notified_file, error, extra={"event": "not-remembered"})

    def _send(self, url: str, send: Callable[[], None]) -> None:
        """Have it sent after what waits. Only the thread of the site's sync calls this."""
        if self._thread is None:  # in the context of that thread, for the log
            run = partial(copy_context().run, self._send_all)
            self._thread = threading.Thread(target=run, name="notify", daemon=True)
            self._thread.start()
        self._outbox.put((url, send))

    def _send_all(self) -> None:
        """Send, and log each new failure. An address may hold a secret: only its host or file is logged."""
        while message := self._outbox.get():
            url, send = message
            where = url if url.startswith(FILE_URL) else urlsplit(url).hostname
            try:
                send()
                self._failing.pop(where, None)
            except Exception as error:  # noqa: BLE001 - whatever apprise and the network raise, the next one is sent
                reason = type(error).__name__
                if self._failing.get(where) != reason:
                    log.warning("Cannot notify %s: %s", where, reason, extra={"event": "not-notified"})
                self._failing[where] = reason


def needs_of(report: SyncReport) -> dict[str, str]:
    """Return what needs attention after a sync: a name that stays the same from sync to sync, and a sentence."""
    braked = brake_sentence_of(report, "syncer trigger --accept")
    needs = {"brake": braked} if braked else {}
    for problem in report.problems:
        where = f"{problem.subject}:{problem.line}" if problem.line else problem.subject
        needs[f"{problem.kind.value} {problem.subject}"] = f"{where}: {problem.message}"
    return needs


def _ping(url: str, suffix: str, text: str) -> None:
    parts = urlsplit(url)
    target = urlunsplit(parts._replace(path=parts.path.rstrip("/") + suffix))
    request = urllib.request.Request(target, data=text.encode(), headers={"User-Agent": "syncer"})  # noqa: S310 - the config takes http and https only
    with urllib.request.urlopen(request, timeout=PING_TIMEOUT):  # noqa: S310
        pass


def _send_message(url: str, title: str, body: str) -> None:
    from apprise import Apprise

    sender = Apprise()
    known = [sender.add(address) for address in _addresses(url).values()]
    if not sender.notify(title=title, body=body):
        raise ConnectionError(url)
    if not all(known):
        raise ValueError(url)


def _addresses(url: str) -> Mapping[int, str]:
    """Return the address, or those in the file that it names, by line. Empty lines and comments are skipped.

    Raises OSError, and ValueError for a file that is not text.
    """
    if not url.startswith(FILE_URL):
        return {1: url}
    text = read_file(Path(url.removeprefix(FILE_URL)), ADDRESSES_BYTES, follow=True).decode()
    lines = {number: line.strip() for number, line in enumerate(text.splitlines(), 1)}
    return {number: line for number, line in lines.items() if line and not line.startswith("#")}
