"""Two syncs at once, and ten: they follow one another or give up, and no two of them ever write at the same time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from syncer.simulator.faults import parse_fault
from syncer.simulator.server import Simulator
from tests.crash.ground import Ground, prepare
from tests.crash.interference import Call
from tests.crash.warm import Ended, Warm
from tests.site import KEY

pytestmark = pytest.mark.storm

PAGES = 60
MINUTE = 60.0
DAEMON_TIMEOUT = 20.0
"""Seconds that a daemon may take to start or to end."""
STARTED = "Next sync at"
WRITES = {"create", "write", "pwrite", "replace", "rename", "renameat2", "commit", "fsync", "syncfs", "unlink"}


class Turn(NamedTuple):
    """A sync that wrote: from when till when, by the monotonic clock that all processes share."""

    since: float
    till: float


@pytest.fixture
def slow(warm: Warm, later: Simulator, tmp_path: Path) -> Iterator[Ground]:
    """A site whose YouTube takes its time, so that a sync lasts long enough to be in the way."""
    with Simulator(later.world, later.clock, pause=0.04) as youtube:
        youtube.faults = [parse_fault("slow-headers")]
        yield prepare(warm, youtube, tmp_path.resolve(), PAGES, aged=False)


@pytest.mark.parametrize("number", [2, 10])
def test_syncs_that_wait_for_each_other_follow_one_another(slow: Ground, number: int) -> None:
    ended, turns = at_once(slow, number, MINUTE)
    assert [one.code for one in ended] == [0] * number, ended
    assert len(turns) == number
    assert_in_turn(turns)
    slow.assert_settled()
    assert sum(json.loads(one.out)["changed_pages"] for one in ended) == len(slow.pages), "each page is written once"


@pytest.mark.parametrize("number", [2, 10])
def test_syncs_that_have_no_patience_give_up_with_exit_4(slow: Ground, number: int) -> None:
    ended, turns = at_once(slow, number, 0.2)
    codes = [one.code for one in ended]
    assert set(codes) == {0, 4}, ended
    for one in ended:
        document = json.loads(one.out)
        assert (one.code == 4) == ("error" in document)
        assert one.code == 0 or (document["error"]["kind"], document["exit"]) == ("locked", 4)
    assert len(turns) == codes.count(0), "who gives up has written nothing"
    assert_in_turn(turns)
    slow.assert_settled()


def test_a_second_daemon_on_the_same_state_refuses_to_start(slow: Ground) -> None:
    with a_daemon(slow) as first:
        assert STARTED in said_until_started(first)
        with a_daemon(slow) as second:
            said = said_until_started(second)
            assert STARTED not in said
            assert second.wait(DAEMON_TIMEOUT) in {2, 4}
            assert str(first.pid) in said, "it says who is there"
            assert "Traceback" not in said
        first.send_signal(signal.SIGTERM)
        assert first.wait(DAEMON_TIMEOUT) == 0
    with a_daemon(slow) as third:
        assert STARTED in said_until_started(third), "the first one has ended"


def at_once(site: Ground, number: int, lock_timeout: float) -> tuple[list[Ended], list[Turn]]:
    """Start so many syncs; return how they ended, and the turns of those that wrote."""
    traces = [str(site.room / f"trace-{one}") for one in range(number)]
    children = [site.start("sync", "--json", trace=trace, lock_timeout=lock_timeout) for trace in traces]
    ended = [child.ended() for child in children]
    return ended, [turn for trace in traces for turn in turns_in(trace)]


def turns_in(trace: str) -> Iterator[Turn]:
    """The time from the first write to the last, if there is any. The lock and its directory are made without one."""
    calls = [Call(*call) for call in json.loads(Path(trace).read_text(encoding="utf-8"))]
    times = [call.at for call in calls if call.name in WRITES and Path(call.place).name not in {"lock", ".gitignore"}]
    if times:
        yield Turn(min(times), max(times))


def assert_in_turn(turns: Sequence[Turn]) -> None:
    for earlier, later in pairwise(sorted(turns)):
        assert earlier.till < later.since, f"two wrote at a time: {earlier}, {later}"


@contextmanager
def a_daemon(site: Ground) -> Iterator[subprocess.Popen[str]]:
    """Give a running `syncer daemon`."""
    command = [sys.executable, "-m", "syncer", "-c", str(site.site.config), "daemon"]
    environment = {**os.environ, "YOUTUBE_API_KEY": KEY}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        end = threading.Timer(2 * DAEMON_TIMEOUT, process.kill)
        end.start()
        try:
            yield process
        finally:
            end.cancel()
            process.kill()


def said_until_started(process: subprocess.Popen[str]) -> str:
    """Return what a daemon says until it has started, or has ended without; a timer ends it in any case."""
    assert process.stderr
    said = ""
    for line in process.stderr:
        said += line
        if STARTED in line:
            break
    return said
