"""Notifications and pings over real HTTP: what needs attention once, and each sync's start and end."""

from __future__ import annotations

import json
import queue
import re
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from syncer.config.calls import Notify
from syncer.daemon.notify import Notifier, require_apprise
from syncer.decide.availability import PlayState
from syncer.decide.unconfirmed import Brake
from syncer.errors import ConfigError, Locked, Stopped
from syncer.model import VideoId
from syncer.state.play_states import StateChange
from syncer.status.play_report import PlayReport
from syncer.status.report import SyncReport
from syncer.wording import utc
from tests.clockwork import START, report
from tests.daemon_process import Daemon, fill
from tests.site import Run, Site, ids
from tests.test_daemon import OTHER, TYPO
from tests.waiting import TIMEOUT

pytest.importorskip("apprise")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in what apprise imports

BRAKED = replace(report(code=1), brake=Brake("missing", 7, 12))


class Ear:
    """A server that hears what is posted to it."""

    def __init__(self) -> None:
        heard = self.heard = queue.Queue[tuple[str, str]]()
        ear = self
        self.status = 200
        self.responds = threading.Event()
        self.responds.set()

        class Listener(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                heard.put((self.path, body))
                ear.responds.wait(TIMEOUT)
                self.send_response(ear.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
        self.place = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def next(self) -> tuple[str, str]:
        return self.heard.get(timeout=TIMEOUT)

    def message(self) -> tuple[str, str]:
        """The next message that apprise sent: title and text."""
        document = json.loads(self.next()[1])
        return document["title"], document["message"]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def ear() -> Iterator[Ear]:
    made = Ear()
    yield made
    made.close()


@pytest.fixture
def notifier(ear: Ear, tmp_path: Path) -> Iterator[Callable[..., Notifier]]:
    made: list[Notifier] = []

    def make(**keys: object) -> Notifier:
        settings = Notify.model_validate(keys or {"urls": (f"json://{ear.place}/",)})
        made.append(Notifier(lambda: settings, "mysite", tmp_path, lambda: START))
        return made[-1]

    yield make
    for each in made:
        each.close()


def notified(notifier: Notifier, *endings: SyncReport | Exception) -> None:
    for ending in endings:
        notifier.before_sync()
        if isinstance(ending, Exception):
            notifier.after_error(ending)
        else:
            notifier.after_report(ending)


def test_each_thing_that_needs_attention_is_notified_once_and_the_end_of_all_too(
    ear: Ear, notifier: Callable[..., Notifier]
) -> None:
    made = notifier()
    notified(
        made, report(), report([TYPO], 1), report([TYPO], 1), report([TYPO, OTHER], 1), report([OTHER], 1), report()
    )
    assert ear.message() == ("syncer: mysite needs attention", "content/a.md:7: viewcount: 1.2M is no count")
    assert ear.message() == ("syncer: mysite needs attention", "content/b.md:3: viewcount stands there twice")
    title, text = ear.message()
    assert title == "syncer: mysite is OK again"
    assert "from 2026-06-01 04:00:00 UTC" in text
    made.close()
    assert ear.heard.empty()


def test_a_restart_does_not_notify_again(ear: Ear, notifier: Callable[..., Notifier]) -> None:
    notified(notifier(), BRAKED)
    assert "`syncer trigger --accept`" in ear.message()[1]
    second = notifier()
    notified(second, BRAKED, report())
    assert ear.message()[0] == "syncer: mysite is OK again"


def test_an_outage_is_notified_after_three_failures_and_its_end_once(
    ear: Ear, notifier: Callable[..., Notifier]
) -> None:
    made, down, away = notifier(), report(code=3), Locked("the disk is away")
    notified(made, down, down, report(), down, away, Stopped("stopped"), ZeroDivisionError(), away, away, report())
    assert ear.message()[1].startswith("3 syncs in a row failed: a bug in syncer (ZeroDivisionError); the")
    assert ear.message()[0] == "syncer: mysite is OK again"
    made.close()
    assert ear.heard.empty()


def test_a_bug_is_notified_immediately_and_once(ear: Ear, notifier: Callable[..., Notifier]) -> None:
    made = notifier()
    notified(made, ZeroDivisionError(), ZeroDivisionError(), report())
    assert ear.message()[1].startswith("A sync failed: a bug in syncer (ZeroDivisionError); the")
    assert ear.message()[0] == "syncer: mysite is OK again"
    made.close()
    assert ear.heard.empty()


def test_a_message_names_some_of_many(ear: Ear, notifier: Callable[..., Notifier]) -> None:
    problems = [replace(TYPO, subject=f"content/{number}.md") for number in range(25)]
    notified(notifier(), report(problems, 1))
    lines = ear.message()[1].splitlines()
    assert (len(lines), lines[-1]) == (11, "... and 15 more (see `syncer status`)")


def test_each_sync_pings_the_heartbeat_monitor(ear: Ear, notifier: Callable[..., Notifier]) -> None:
    made = notifier(ping=f"http://{ear.place}/check?rid=1")
    notified(made, report(), report([TYPO], 1), BRAKED, report(code=3), Locked("the disk is away"))
    heard = [ear.next() for _ in range(10)]
    assert [path for path, _ in heard[::2]] == ["/check/start?rid=1"] * 5
    assert [path for path, _ in heard[1::2]] == ["/check?rid=1"] * 2 + ["/check/fail?rid=1"] * 3
    assert heard[-1][1] == "the disk is away"


def test_an_address_that_fails_is_one_line_of_the_log_and_no_sync_waits_for_it(
    ear: Ear, notifier: Callable[..., Notifier], caplog: pytest.LogCaptureFixture
) -> None:
    ear.status = 500
    made = notifier(ping=f"http://{ear.place}/s3cret")
    ear.responds.clear()
    notified(made, *[report()] * 5)
    ear.responds.set()
    for _ in range(10):
        ear.next()
    made.close()
    assert [record.getMessage() for record in caplog.records] == ["Cannot notify 127.0.0.1: HTTPError"]


def test_each_address_that_begins_to_fail_is_logged(
    ear: Ear, notifier: Callable[..., Notifier], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "addresses"
    file.write_text(f"json://{ear.place}/\n")
    made = notifier(urls=(f"file://{file}", f"json://{ear.place}/"))
    notified(made, report([TYPO], 1))
    for _ in range(2):
        ear.message()
    file.write_text(f"no address\njson://{ear.place}/\n")
    notified(made, report([OTHER], 1))
    for _ in range(2):
        ear.message()
    file.unlink()
    notified(made, report([TYPO], 1), report([OTHER], 1))
    made.close()
    reasons = ("ValueError", "FileNotFoundError")
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("syncer")]
    assert logged == [f"Cannot notify file://{file}: {reason}" for reason in reasons]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("urls: ['nonsense://x']", "syncer.yaml: notify.urls[0]: this is not an address that apprise knows"),
        ("ping: 'hc-ping.com/x'", "notify.ping: must be a full URL"),
        ("ping: 'ftp://hc-ping.com/x'", "notify.ping: must be a full URL"),
        ("urls: nonsense", "notify.urls"),
    ],
)
def test_an_address_that_is_not_valid_is_an_error_at_the_start(site: Site, syncer: Run, keys: str, words: str) -> None:
    site.configure(notify=keys)
    ran = syncer("daemon")
    assert ran.code == 2
    assert words in ran.err


def test_a_daemon_notifies_and_reloads_the_addresses_after_a_hangup(site: Site, ear: Ear) -> None:
    fill(site, 3)
    site.put("content/odd.md", b"---\nvid_id: nonsense\nviewcount: 1\n---\n")
    site.configure(schedule="every: 1s, jitter: 0s", notify=f"ping: 'http://{ear.place}/a'")
    with Daemon(site) as daemon:
        assert [ear.next()[0] for _ in range(2)] == ["/a/start", "/a"]
        site.configure(schedule="every: 1s, jitter: 0s", notify=f"urls: ['json://{ear.place}/b']")
        daemon.send(signal.SIGHUP)
        daemon.until("Config reloaded")
        while True:
            path, body = ear.next()
            if path == "/b":
                break
        assert "content/odd.md" in json.loads(body)["message"]
        daemon.send(signal.SIGTERM)
        code, seconds = daemon.ended()
    assert code == 0
    assert seconds < 20


def test_a_daemon_logs_and_notifies_wrong_keys_once(site: Site, ear: Ear) -> None:
    fill(site, 3)
    site.configure(
        collections="  - directory: content\n    fields: {video_id: vid_id, counts: {viewCount: veiwcount}}\n",
        schedule="every: 1s, jitter: 0s",
        notify=f"urls: ['json://{ear.place}/']",
    )
    with Daemon(site) as daemon:
        title, text = ear.message()
        for _ in range(3):
            daemon.until("Sync 2")
        daemon.send(signal.SIGTERM)
        assert daemon.ended()[0] == 0
    assert title.endswith("needs attention")
    assert text.startswith("content: No page has `veiwcount`; pages have `viewcount`.")
    assert len([line for line in daemon.lines if "No page has" in line]) == 1
    assert ear.heard.empty()


def test_addresses_can_be_in_a_file_that_is_not_published_with_the_config(
    ear: Ear, notifier: Callable[..., Notifier], tmp_path: Path
) -> None:
    file = tmp_path / "addresses"
    file.write_text(f"# mail and chat\n\njson://{ear.place}/one\n  json://user:s3cret@{ear.place}/two  \n")
    file.chmod(0o600)
    settings = {"urls": (f"file://{file}",)}
    require_apprise(Notify.model_validate(settings))
    notified(notifier(**settings), BRAKED)
    assert {ear.next()[0] for _ in range(2)} == {"/one", "/two"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot read file://{}: No such file or directory"),
        ("# none\n", "file://{} has no address; write one on each line"),
        (
            "\nmailto://user:s3cret\n",
            "line 2 of file://{} is not an address that apprise knows (see https://github.com/caronc/apprise)",
        ),
    ],
)
def test_a_file_of_addresses_that_cannot_be_used_is_an_error_at_the_start_and_no_password_is_logged(
    tmp_path: Path, text: str | None, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "addresses"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(f"notify.urls[0]: {words.format(file)}")):
        require_apprise(Notify.model_validate({"urls": (f"file://{file}",)}))
    assert "s3cret" not in caplog.text


def test_one_message_tells_of_all_videos_that_stopped_or_play_again(
    ear: Ear, notifier: Callable[..., Notifier]
) -> None:
    first, second, third, fourth = map(VideoId, ids(4))
    changes = (
        StateChange(first, PlayState.PUBLIC, PlayState.BLOCKED, START),
        StateChange(second, None, PlayState.MISSING, START),
        StateChange(third, PlayState.MISSING, PlayState.PUBLIC, START),
        StateChange(fourth, PlayState.UPCOMING, PlayState.LIVE, START),
    )
    pages = {first: ["a.md", "b.md"], second: ["b.md"], third: ["c.md"]}
    made = notifier()
    notified(made, replace(report(), playing=PlayReport(4, 4, changes), pages_of=pages), report())
    notified(made, replace(report(), playing=PlayReport(1, 1, changes[3:])))
    title, text = ear.message()
    assert title == "syncer: mysite: 2 videos stopped playing, 1 video can be played again"
    since = utc(START)
    assert text.splitlines() == [
        "Videos that do not play on your site:",
        f"{first}: blocked since {since}, on a.md, b.md",
        f"{second}: missing since {since}, on b.md",
        "Videos that play again:",
        f"{third}: public since {since}, on c.md",
    ]
    made.close()
    assert ear.heard.empty()


def test_a_message_names_the_first_videos_and_counts_the_others(ear: Ear, notifier: Callable[..., Notifier]) -> None:
    changes = [StateChange(VideoId(video), None, PlayState.BLOCKED, START) for video in ids(12)]
    notified(notifier(), replace(report(), playing=PlayReport(12, 12, changes)))
    title, text = ear.message()
    assert title == "syncer: mysite: 12 videos stopped playing"
    assert len(text.splitlines()) == 12
    assert text.endswith("\n... and 2 more (see `syncer videos`)")
