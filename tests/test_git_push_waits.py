"""Pushing never waits for a person, nor for ever; and others who push all the time lose nothing by it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.crash.points import PROVING
from tests.test_git_push import Pair, pair, pushed, refused

__all__ = ["pair"]

RACE = 60 if PROVING else 4
"""Seconds."""


class Asks(BaseHTTPRequestHandler):
    """A server that wants a password."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="site"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def server() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Asks) as serving:
        threading.Thread(target=serving.serve_forever).start()
        yield serving.server_port
        serving.shutdown()


def test_a_server_that_asks_for_a_password_gets_none(pair: Pair) -> None:
    with server() as port:
        pair.ours.git("remote", "set-url", "origin", f"http://127.0.0.1:{port}/site.git")
        assert "could not read Username" in refused(pair.sync())


def test_an_ssh_that_hangs_is_ended_with_all_that_it_started(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = tmp_path / "number"
    slow = tmp_path / "slow-ssh"
    slow.write_text(f"#!/bin/sh\nsleep 300 &\necho $! > {number}\nwait\n")
    slow.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(slow))
    monkeypatch.setattr("syncer.git.remote.PATIENCE", 1)
    pair.ours.git("remote", "set-url", "origin", "ssh://host.invalid/site.git")
    begun = time.monotonic()
    assert "git push took more than 1 seconds" in refused(pair.sync())
    assert time.monotonic() - begun < 20
    until_gone(int(number.read_text()))


def until_gone(process: int) -> None:
    end = time.monotonic() + 10
    place = Path(f"/proc/{process}/stat")
    while place.exists() and " Z " not in place.read_text():
        assert time.monotonic() < end, "the sleeper still runs"
        time.sleep(0.02)


def test_somebody_who_commits_and_pushes_all_the_time_loses_nothing(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.site._never", time.sleep)  # a process that the other thread starts has our lock, shortly
    theirs: list[str] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            pair.other.git("pull", "--quiet", "--rebase")
            page = pair.other.top / "content/0.md"
            page.write_bytes(page.read_bytes() + b"%d\n" % len(theirs))
            push_all_if_first(pair, theirs)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        end = time.monotonic() + RACE
        while time.monotonic() < end:
            pair.sync()
            pair.grow()
    finally:
        stop.set()
        worker.join()
    pair.grow()
    pushed(pair.sync())
    assert pair.tip() == pair.ours.head()
    assert pair.ours.status() == []
    body = b"".join(b"%d\n" % number for number in range(len(theirs)))
    assert pair.ours.show("content/0.md") == pair.expected(0) + body
    assert pair.ours.show("content/1.md") == pair.expected(1)
    assert pair.ours.git("rev-list", "--merges", "HEAD") == "", "the history is a line"


def push_all_if_first(pair: Pair, theirs: list[str]) -> None:
    """Pushes; where a sync came first, that is seen to by a rebase, until it works."""
    pair.other.commit_all()
    while pair.other.git("push", "--quiet", "--porcelain", check=False) is not None:
        pair.other.git("fetch", "--quiet")
        if pair.other.git("rev-list", "origin/main..HEAD") == "":
            theirs.append(pair.other.head())
            return
        pair.other.git("pull", "--quiet", "--rebase")
