"""A sync that is stopped for longer than a lease lasts never writes into the text of the program that waited for it.

The kernel takes a lease away after a time, and a process that was stopped between its last look and its write would
write into what somebody saved since. A timer ends it first. The same without the timer shows that this can happen.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from syncer.content.lease import BREAK_TIME, SHORTEST_BREAK_SECONDS
from syncer.simulator.server import Simulator
from tests.crash.ground import Ground, prepare
from tests.crash.interference import edited
from tests.crash.points import PROVING, traced
from tests.crash.test_acts import PAGE, is_stopped
from tests.crash.warm import Child, Ended, Warm
from tests.disks import disk
from tests.waiting import until

pytestmark = [
    pytest.mark.storm,
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root sets how long a lease lasts"),
]

KINDS = ("tmpfs", "ext4", "xfs", "btrfs") if PROVING else ("tmpfs", "ext4")
MOMENTS = (("pread", "sleep"), ("pread", "+sleep"), ("pwrite", "sleep"), ("stat", "sleep"))
"""Before the page is read under the lease, after that, before the write, and after it."""

RESTORE = 'cat > /dev/null; echo "$1" > "$2"'
"""Waits until the test has ended, however it ends, and only then puts the setting back."""

UNARMED = "import signal; signal.setitimer = lambda *_: (0.0, 0.0)"
"""In the process of the sync: no timer."""


@dataclass(frozen=True)
class Stopped:
    """A sync that is stopped at its page, and an author who waits for it."""

    ground: Ground
    child: Child
    author: int
    text: bytes
    """What the author saves."""
    call: str
    act: str
    armed: bool

    @property
    def page(self) -> Path:
        return self.ground.site.root / PAGE

    def __str__(self) -> str:
        return f"{self.ground.site.root}, {self.act} at {self.call}, {'with' if self.armed else 'without'} the timer"


@contextmanager
def short_leases() -> Iterator[None]:
    """Have the kernel take leases away as soon as may be; a setting of the whole machine, so one test at a time."""
    setting = Path(BREAK_TIME)
    with Path(tempfile.gettempdir(), "syncer-lease-break-time").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = ["sh", "-c", RESTORE, "sh", setting.read_text(encoding="ascii").strip(), BREAK_TIME]
        with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True):
            try:
                setting.write_text(f"{SHORTEST_BREAK_SECONDS}\n", encoding="ascii")
            except OSError as error:
                pytest.skip(f"cannot be set here: {error.strerror}")
            yield


def test_a_sync_that_is_stopped_for_longer_than_a_lease_lasts_writes_into_no_edit(
    warm: Warm, later: Simulator, tmp_path: Path
) -> None:
    """All at once: each of them takes as long as a lease lasts."""
    with ExitStack() as stack:
        places = [stack.enter_context(disk(kind, tmp_path.resolve())).place for kind in KINDS]
        stack.enter_context(short_leases())
        waiting = []
        for place in places:
            for stopped in stopped_syncs(warm, later, tmp_path.resolve(), place):
                stack.callback(stopped.child.kill)
                waiting.append(stopped)
        assert [warm.ended(stopped.author) for stopped in waiting] == [0] * len(waiting), (
            "the author never waits longer"
        )
        for stopped in waiting:
            assert stopped.page.read_bytes() == stopped.text
            os.kill(stopped.child.number, signal.SIGCONT)
        for stopped in waiting:
            assert_unharmed(stopped, stopped.child.ended())


def stopped_syncs(warm: Warm, later: Simulator, room: Path, place: Path) -> Iterator[Stopped]:
    """Stop syncs at each moment of a lease, with the timer and without."""
    for number, ((call, act), armed) in enumerate(product(MOMENTS, (True, False))):
        here = room / f"{place.name}-{number}"
        here.mkdir()
        ground = prepare(warm, later, here, 2, aged=False, root=place / str(number))
        calls = [call.name for call in traced(ground, only=PAGE)]
        ground.restore()
        step = in_lease(calls, call)
        child = ground.start("sync", "--json", at=step, act=act, only=PAGE, first="" if armed else UNARMED)
        until(lambda child=child: is_stopped(child.number))  # type: ignore[misc]
        text = edited(ground.pages[PAGE].old, "in-front")
        (here / "word-text").write_bytes(text)
        author = warm.act("truncate-write", ground.site.root / PAGE, here / "word")
        yield Stopped(ground, child, author, text, call, act, armed)


def in_lease(calls: Sequence[str], name: str) -> int:
    """The number of a call while the lease is held: the read, the write, or the look at the name after it."""
    write = calls.index("pwrite")
    return write - calls[write::-1].index(name) + 1 if name == "pread" else write + calls[write:].index(name) + 1


def assert_unharmed(stopped: Stopped, ended: Ended) -> None:
    page = stopped.page.read_bytes()
    if stopped.call == "pwrite" and not stopped.armed:
        assert page != stopped.text, f"{stopped}: no harm, so this test does not show what the timer is for"
        [problem] = json.loads(ended.out)["problems"]
        assert "Correct the page by hand." in problem["message"], f"{stopped}: harm is at least reported"
        return
    assert page == stopped.text, f"{stopped}: harm was done: {page!r}"
    if stopped.armed:
        assert ended.code == -signal.SIGALRM, f"{stopped}: {ended}"
    else:
        kinds = {problem["kind"] for problem in json.loads(ended.out)["problems"]}
        assert kinds <= {"edited-meanwhile"}, (
            f"{stopped}: the kernel had taken the lease away, which is no error: {ended}"
        )
    stopped.ground.run("sync")
    assert stopped.page.read_bytes() == edited(stopped.ground.pages[PAGE].new, "in-front")
