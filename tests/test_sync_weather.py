"""A bad day at YouTube's costs a sync some tries or a part of its videos, and is told in a few lines."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from syncer.model import Bucket, ProblemKind
from syncer.simulator.faults import parse_fault
from syncer.simulator.server import Simulator
from syncer.sync.options import Options, Tally
from syncer.sync.readings import early_end
from syncer.youtube.answer import Outcome
from syncer.youtube.batches import Breaker
from syncer.youtube.deadline import Deadline
from tests.forks import PIPE, Fork
from tests.site import KEY, NOON, Run, Site, counts, crlf, ids
from tests.waiting import until

ONE_AT_ONCE = "connections: 1, timeout: 5s, retry: {attempts: 1, longest_wait: 1s, deadline: 5s}"
TWO_TRIES = "connections: 2, timeout: 5s, retry: {attempts: 2, longest_wait: 1s, deadline: 5s}"


def fill(site: Site, number: int) -> Sequence[str]:
    for video in ids(number):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    return ids(number)


def written(site: Site, youtube: Simulator) -> set[str]:
    """The videos whose pages have the counts that YouTube gives; no other page was touched."""
    pages = {page.stem: page.read_bytes() for page in site.root.glob("content/*.md")}
    right = {video for video, page in pages.items() if page == crlf(video, *counts(youtube, video))}
    assert all(page == crlf(video, 1, 2) for video, page in pages.items() if video not in right)
    return right


def weather(youtube: Simulator, *faults: str) -> None:
    youtube.faults = map(parse_fault, faults)


def hours(number: int) -> datetime:
    return NOON + timedelta(hours=number)


def test_what_keeps_failing_is_requested_no_more_and_the_next_sync_begins_with_one_request(
    site: Site, youtube: Simulator
) -> None:
    site.configure(youtube=ONE_AT_ONCE)
    fill(site, 400)
    weather(youtube, "unavailable")
    first = site.sync()
    assert (youtube.requests, first.asked, first.exit, first.over_quota) == (5, 250, 3, 0)
    (problem,) = first.problems
    assert (problem.kind, problem.subject) == (ProblemKind.REQUEST_FAILED, "videos.batchGetStats")
    assert "503" in problem.message
    assert (
        "After 5 failures in a row, syncer stopped sending requests; the next sync starts with one." in problem.message
    )
    for hour in (1, 2):
        later = site.sync(hours(hour))
        assert (youtube.requests, later.asked, later.exit, later.over_quota) == (5 + hour, 50, 3, 0)
        assert "as in the last sync" in later.problems[0].message
    weather(youtube)
    good = site.sync(hours(3))
    assert (good.answered, good.exit, good.problems) == (400, 0, ())
    weather(youtube, "unavailable")
    assert site.sync(hours(4)).asked == 250, "an answer has closed the breaker again"


def test_what_was_answered_before_the_trouble_is_written(site: Site, youtube: Simulator) -> None:
    site.configure(youtube=ONE_AT_ONCE)
    fill(site, 400)
    weather(youtube, "unavailable:3-")
    report = site.sync()
    assert (report.answered, report.asked, report.exit, report.over_quota) == (100, 350, 1, 0)
    assert len(written(site, youtube)) == 100


def test_a_video_that_youtube_rejects_is_a_problem_and_costs_the_others_nothing(site: Site, youtube: Simulator) -> None:
    site.configure(youtube=ONE_AT_ONCE)
    videos = fill(site, 100)
    weather(youtube, f"invalid-filters@{videos[70]}")
    report = site.sync()
    (problem,) = report.problems
    assert (problem.kind, problem.subject) == (ProblemKind.REFUSED_VIDEO, videos[70])
    assert (report.exit, report.asked, report.answered, report.missing) == (1, 100, 99, ())
    assert report.over_quota == 0
    assert report.units == {Bucket.STATS: 2 + 2 * 6} or report.units == {Bucket.STATS: 2 + 2 * 5}
    assert written(site, youtube) == {*videos} - {videos[70]}


@pytest.mark.parametrize("fault", ["bad-request", "html-400", "html-413"])
def test_where_youtube_rejects_everything_no_video_is_blamed(site: Site, youtube: Simulator, fault: str) -> None:
    site.configure(youtube=ONE_AT_ONCE)
    fill(site, 1000)
    weather(youtube, fault)
    report = site.sync()
    assert {problem.kind for problem in report.problems} == {ProblemKind.REQUEST_FAILED}
    assert (report.exit, report.over_quota) == (3, 0)
    assert report.units[Bucket.STATS] == youtube.requests <= 12


@pytest.fixture
def bad_day(site: Site, youtube: Simulator) -> Iterator[Site]:
    """Twelve batches of which every fifth request fails, and every ninth is no answer."""
    site.configure(youtube=TWO_TRIES)
    fill(site, 600)
    weather(youtube, "backend-503:*/5", "html-200:*/9")
    yield site
    assert len(written(site, youtube)) >= 500


@pytest.mark.usefixtures("bad_day")
def test_with_v_a_bad_day_is_logged_in_a_few_lines(syncer: Run) -> None:
    ran = syncer("-v", "sync")
    lines = [line for line in ran.err.splitlines() if "YouTube" in line or "videos." in line]
    assert 3 <= len(lines) <= 8, ran.err
    assert sum("503" in line and "attempt 1 failed" in line for line in lines) == 1, "a failure like it is logged once"
    (told,) = [line for line in lines if line.startswith("INFO Sent ")]
    assert "for 12 batches" in told
    assert " x YouTube has an internal error (503 backendError)" in told
    assert " x The response is not from YouTube" in told
    assert re.search(r"\n[1-9]\d* attempts failed \(-v shows why\)\.\n", ran.out)


@pytest.mark.usefixtures("bad_day")
def test_each_try_and_each_batch_is_a_record_for_machines_and_the_sums_are_theirs(
    syncer: Run, youtube: Simulator
) -> None:
    ran = syncer("-vv", "--log-format", "json", "sync", "--json")
    records = [record for record in map(json.loads, ran.err.splitlines()) if record["logger"] == "syncer.youtube"]
    tries = [record for record in records if record["event"] == "retry"]
    batches = [record for record in records if record["event"] == "batch"]
    (total,) = (record for record in records if record["event"] == "asked")
    assert len(records) == len(tries) + len(batches) + 1
    assert tries[0].keys() >= {"method", "attempt", "wait_s", "class", "why"}
    assert {record["class"] for record in tries} == {"retry"}
    assert batches[0].keys() >= {"method", "outcome", "videos", "attempts", "units", "seconds", "waited_s", "class"}
    assert sum(record["videos"] for record in batches) == 600
    assert total["batches"] == len(batches) == 12
    assert total["retries"] == len(tries)
    assert total["requests"] == sum(record["units"] for record in batches) == youtube.requests
    assert total["units"] == ran.document["units"] == {"stats": youtube.requests, "general": 0}
    assert total["waited_s"] == pytest.approx(sum(record["wait_s"] for record in tries), abs=0.1)
    failed = sum(record["outcome"] == "failed" for record in batches)
    assert total["classes"] == {"retry": len(tries) + failed}


def tally(unsettled: int, *outcomes: Outcome) -> Tally:
    return Tally("a-sync", NOON, unsettled=unsettled, requests=Counter((Bucket.STATS, end) for end in outcomes))


def breakers() -> dict[Bucket, Breaker]:
    return {bucket: Breaker() for bucket in Bucket}


@pytest.mark.parametrize("so_far", [tally(3), tally(0, Outcome.STOPPED)])
def test_that_the_time_was_up_is_said_and_is_no_lack_of_quota(so_far: Tally) -> None:
    reasons = early_end(so_far, breakers(), Deadline(0))
    assert list(reasons) == [Bucket.STATS]
    assert "took longer than 0 s" in reasons[Bucket.STATS]
    report = replace(so_far, given_up=bool(reasons)).report(NOON, Options(), cancelled=False)
    assert report.over_quota == 0


@pytest.mark.parametrize(
    ("so_far", "deadline"),
    [(tally(3), Deadline()), (tally(0), Deadline(0)), (tally(3), Deadline(cancelled=lambda: True))],
)
def test_where_time_was_left_or_nothing_to_do_or_it_was_cancelled_nothing_is_said(
    so_far: Tally, deadline: Deadline
) -> None:
    assert not early_end(so_far, breakers(), deadline)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("fault", ["stall", "drip"])
def test_a_sync_that_hangs_ends_about_a_second_after_it_was_stopped_and_loses_nothing(
    site: Site, youtube: Simulator, number: signal.Signals, fault: str
) -> None:
    site.configure(youtube="connections: 2, timeout: 60s")
    fill(site, 400)
    weather(youtube, f"{fault}:3-")
    environment = {**os.environ, "YOUTUBE_API_KEY": KEY}
    command = ("-m", "syncer", "-c", str(site.config), "sync", "--json")
    with Fork(*command, cwd=site.root, env=environment, stdout=PIPE, stderr=PIPE) as process:
        until(lambda: youtube.requests >= 4 or process.poll() is not None)
        process.send_signal(number)
        began = time.monotonic()
        out, err = process.communicate(timeout=20)
        seconds = time.monotonic() - began
    report = json.loads(out)
    assert (process.returncode, report["exit"], err) == (130, 130, "")
    assert seconds < 10, "half a second, and what a busy machine takes; the timeout is a minute"
    assert (report["answered"], report["problems"]) == (100, [])
    weather(youtube)
    before = youtube.requests
    rest = site.sync(datetime.now(UTC))
    assert (rest.exit, rest.answered, youtube.requests - before) == (0, 300, 6), "what was answered was saved"
    assert len(written(site, youtube)) == 400


NO_RESOLVER = """
import socket, sys, threading
def look_up(*_):
    print("looks up", file=sys.stderr, flush=True)
    threading.Event().wait()
socket.getaddrinfo = look_up
from syncer.cli.main import main
sys.exit(main())
"""


def test_a_sync_does_not_wait_for_a_resolver_that_hangs_not_even_at_its_very_end(site: Site) -> None:
    site.configure(youtube="connections: 2, timeout: 60s")
    fill(site, 1)
    command = [sys.executable, "-c", NO_RESOLVER, "-c", str(site.config), "sync", "--json"]
    environment = {**os.environ, "YOUTUBE_API_KEY": KEY}
    with subprocess.Popen(
        command, cwd=site.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        assert process.stderr.readline() == "looks up\n"
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        out, err = process.communicate(timeout=20)
        seconds = time.monotonic() - began
    assert (process.returncode, json.loads(out)["units"], err) == (130, {"stats": 0, "general": 0}, "")
    assert seconds < 10, "half a second, and what a busy machine takes; the timeout is a minute"
