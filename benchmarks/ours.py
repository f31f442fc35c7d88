"""Syncer's part in the contests, and the one place where the benchmarks call syncer's inner rooms."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measured import Measured, Task, measuring
from benchmarks.pages import settle
from benchmarks.repository import add_and_commit, committed_files, make_repository
from benchmarks.site import true_counts, up_to_date, video_ids
from syncer.model import BATCH_SIZE, Bucket, Count, Reading, VideoId

if TYPE_CHECKING:
    from syncer.config.sections import Config
    from syncer.content.pages import Pages
    from syncer.sync.options import Sync

KEY = "benchmark"

CONFIG = """\
collections:
  - directory: content
    fields:
      video_id: vid_id
      counts: {{viewCount: viewcount, likeCount: likeCount}}
youtube:
  endpoint: {endpoint}
  connections: {connections}
quota: {{stats_units_per_day: 1000000000}}
schedule: {{jitter: 0s}}
status_page: {{listen: "127.0.0.1:0"}}
"""


def our_scan(task: Task) -> Measured:
    """Walk and read all pages as a sync does, and keep what it keeps."""
    config = _config(task)
    settle(task)
    with measuring() as measured:
        measured.pages = len(_scan(config))
    return measured


def our_rewrite(task: Task) -> Measured:
    """Write all counts as a sync does once YouTube's answers are judged: crash-safe, durable and logged."""
    from syncer.sync.write import finish_writing, write_pages

    with _answered_sync(task) as (sync, pages):
        settle(task)
        with measuring() as measured:
            write_pages(sync, pages, range(len(pages)))
            finish_writing(sync)
    measured.pages = min(sync.tally.changed_pages, up_to_date(task.root))
    return measured


def our_commit(task: Task) -> Measured:
    """Commit counts that wait in the working tree as a sync does: in the last commit's texts, and nothing else."""
    from syncer.sync.publish import publish

    with _waiting_counts(task) as (sync, pages), measuring() as measured:
        publish(sync, pages, ())
    measured.pages = committed_files(task.root)
    return measured


def git_commit(task: Task) -> Measured:
    """Commit the same counts with `git add` and `git commit`."""
    with _waiting_counts(task), measuring() as measured:
        add_and_commit(task.root)
    measured.pages = committed_files(task.root)
    return measured


def our_sync(task: Task) -> Measured:
    """Make one whole sync, fresh videos too, by the real client over real HTTP."""
    from syncer.sync.make import make_sync
    from syncer.sync.options import Environment, Options

    config = _config(task)
    environment = Environment(key=KEY, clock=_now, sleep=time.sleep)
    with measuring() as measured:
        report = make_sync(config, Options(everything=True), environment)
        measured.pages = report.changed_pages
    if report.exit or report.answered != report.pages:
        first = [f"{problem.subject} {problem.message}" for problem in report.problems[:3]]
        raise SystemExit(
            f"the sync ended with {report.exit}: {report.answered} answers for {report.pages} pages,"
            f" {report.over_quota} over quota, brake {report.brake}, {len(report.problems)} problems: {first}"
        )
    if measured.pages:
        measured.pages = min(measured.pages, up_to_date(task.root))
    return measured


def our_fetch(task: Task) -> Measured:
    """Ask as a sync does: the Google client, retries at hand, a ledger on disk, every answer checked."""
    import googleapiclient.http  # noqa: F401 - loaded beforehand, as the least there is has loaded all it needs

    from syncer.state.database import open_database
    from syncer.state.ledger import OwnLedger, UnitStock
    from syncer.youtube.batches import Breaker, WindowRequests
    from syncer.youtube.client import Client, Terms
    from syncer.youtube.deadline import Deadline

    videos = [VideoId(video) for video in video_ids(task.pages)]
    deadline = Deadline(600, cancelled=lambda: False)
    with measuring() as measured, open_database(task.root / ".ledger", task.site) as database:
        stock = UnitStock(OwnLedger(database, dict.fromkeys(Bucket, 10**9), 0), _now, scheduled=False)
        terms = Terms(
            endpoint=task.endpoint,
            key=KEY,
            spend=stock.spend,
            clock=_now,
            sleep=time.sleep,
            timeout=20,
            deadline=deadline,
        )
        breakers = {bucket: Breaker() for bucket in Bucket}
        with (
            Client(terms) as client,
            WindowRequests(
                [videos], client.fetch, connections=task.connections, deadline=deadline, breakers=breakers
            ) as requests,
        ):
            while (arrival := requests.take()) and arrival.answer:
                measured.pages += len(arrival.answer.statistics)
        stock.give_back()
    return measured


@contextmanager
def _waiting_counts(task: Task) -> Iterator[tuple[Sync, Pages]]:
    """Give a sync of a repository as it stands when its pages are written, and its pages."""
    from syncer.sync.write import write_pages

    make_repository(task.root)
    with _answered_sync(task) as (sync, pages):
        write_pages(sync, pages, range(len(pages)))
        settle(task)
        yield sync, pages


@contextmanager
def _answered_sync(task: Task) -> Iterator[tuple[Sync, Pages]]:
    """Give a sync as it stands before it writes, and its pages: scanned, and every video's counts accepted."""
    from syncer.decide.unconfirmed import NOTHING_COMPARED
    from syncer.state.syncs import begin_sync
    from syncer.state.videos import save_readings
    from syncer.sync.open_state import open_for_writing
    from syncer.sync.options import NO_LISTENER, Environment, Options, Sync, Tally
    from syncer.sync.readings import judge_window

    config = _config(task)
    pages = _scan(config)
    environment = Environment(key=KEY, clock=_now, sleep=time.sleep)
    with open_for_writing(config, clock=_now, sleep=time.sleep) as opened:
        tally = Tally("benchmark", _now())
        number = begin_sync(opened.database, tally.sync, tally.started)
        readings = _true_readings(task.root)
        for start in range(0, len(readings), BATCH_SIZE):
            save_readings(opened.database, number, readings[start : start + BATCH_SIZE])
        site, database, diff_log = os.path.realpath(task.site), opened.database, opened.diff_log
        sync = Sync(config, Options(), environment, NO_LISTENER, site, database, diff_log, tally)
        judge_window(sync, pages, NOTHING_COMPARED, lambda _: False, last=True)
        yield sync, pages


def _true_readings(site: Path) -> list[Reading]:
    at = _now()
    return [
        Reading(VideoId(video), at, {Count(count): number for count, number in counts.items()})
        for video, counts in true_counts(site).items()
    ]


def _scan(config: Config) -> Pages:
    from syncer.content.pages import Pages
    from syncer.content.scan import read_pages
    from syncer.content.walk import walk

    site = os.path.realpath(config.site)
    collections = config.collection_models()
    pages = Pages()
    for _ in read_pages(site, walk(site, collections), pages):
        pass
    return pages


def write_config(task: Task) -> Path:
    """Write the site's config; return its path."""
    path = task.root / "config" / "syncer.yaml"
    path.parent.mkdir(exist_ok=True)
    text = CONFIG.format(endpoint=task.endpoint or "http://127.0.0.1:9/", connections=task.connections)
    path.write_text(text, encoding="utf-8")
    return path


def _config(task: Task) -> Config:
    from syncer.config.parse import parse_config

    path = write_config(task)
    return parse_config(path.read_text(encoding="utf-8"), path)


def _now() -> datetime:
    return datetime.now(UTC)
