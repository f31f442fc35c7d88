"""Being told to stop: by signals at any moment, with several threads that wait."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time

import pytest

from syncer.cli.stopping import StopSignal, stop_on_signals
from tests.waiting import TIMEOUT


def test_it_waits_for_the_given_time_and_returns_that_it_was_not_stopped() -> None:
    began = time.monotonic()
    assert StopSignal().wait(0.05) is False
    assert time.monotonic() - began >= 0.05


def test_everybody_who_waits_is_woken_and_who_comes_later_does_not_wait() -> None:
    stop, woken = StopSignal(), threading.Barrier(5, timeout=TIMEOUT)

    def wait() -> None:
        assert stop.wait(60)
        woken.wait()

    threads = [threading.Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    stop.set()
    woken.wait()
    for thread in threads:
        thread.join(TIMEOUT)
    assert stop.is_set()
    assert stop.wait(60)


@pytest.mark.parametrize("name", ["StopSignal", "WakeSignal"])
def test_a_process_that_was_suspended_for_longer_than_its_wait_goes_on(name: str) -> None:
    """Another signal came meanwhile: where that is later than its time, `SimpleQueue.get` waits for ever."""
    code = (
        f"import signal\nfrom syncer.cli.stopping import {name} as Waits\nwaits = Waits()\n"
        "signal.signal(signal.SIGHUP, lambda *_: None)\n"
        "while True:\n    waits.wait(0.05)\n    print(flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            for _ in range(12):
                assert select.select([process.stdout], [], [], TIMEOUT)[0], "it waits for ever"
                process.stdout.readline()
                process.send_signal(signal.SIGSTOP)
                process.send_signal(signal.SIGHUP)
                time.sleep(0.08)  # longer than its wait
                process.send_signal(signal.SIGCONT)
        finally:
            process.kill()


def test_the_first_signal_is_noted_the_second_interrupts_and_afterwards_all_is_as_before() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with stop_on_signals() as stopped:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopped.wait(TIMEOUT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_signal_may_come_at_any_moment_of_a_wait() -> None:
    """`threading.Event` waits for ever here within a second: its lock is held where the signal comes."""
    stop, hits = StopSignal(), 0

    def hit(_number: int, _frame: object) -> None:
        nonlocal hits
        hits += 1
        stop.set()

    before = signal.signal(signal.SIGALRM, hit)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            stop.wait(0.00001)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert hits > 100
