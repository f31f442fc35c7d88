"""A sync leaves what another program writes to for a later one: it is no failure, until it is so for the third time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from syncer.config.parse import parse_config
from syncer.simulator.server import Simulator
from syncer.status.report import SyncReport
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Options
from tests.site import KEY, NOON, Run, Site, counts, crlf, ids

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a page open")

SLOW = ids(1)[0]
QUICK = ids(2)[1]


@pytest.fixture
def file(site: Site) -> Path:
    site.put("content/quick.md", crlf(QUICK, 1, 2))
    return site.put("content/slow.md", crlf(SLOW, 1, 2))


def sync(site: Site, sleep: Callable[[float], object], options: Options | None = None) -> SyncReport:
    """Make a sync that waits as it is told."""
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    return make_sync(config, options or Options(), Environment(key=KEY, clock=lambda: NOON, sleep=sleep))


def kinds(report: SyncReport) -> list[tuple[str, str]]:
    return [(problem.kind.value, problem.subject) for problem in report.problems]


def test_a_page_that_is_still_open_is_counted_and_written_by_the_next_sync(
    site: Site, file: Path, youtube: Simulator
) -> None:
    slept: list[float] = []
    with file.open("r+b"):
        report = sync(site, slept.append)
        assert (report.open, report.exit, report.problems, report.changed_pages) == (1, 0, (), 1)
        assert slept == [0.1, 1.0]
        assert file.read_bytes() == crlf(SLOW, 1, 2)
        assert {line["path"] for line in site.log_lines()} == {"content/quick.md"}
    report = sync(site, slept.append)
    assert (report.open, report.exit, report.changed_counts, slept) == (0, 0, 2, [0.1, 1.0])
    assert file.read_bytes() == crlf(SLOW, *counts(youtube, SLOW))
    assert [line["seq"] for line in site.log_lines()] == [1, 2, 3, 4]


@pytest.mark.parametrize("tries", [1, 2])
def test_a_page_that_is_closed_within_the_sync_is_written_by_it(
    site: Site, file: Path, youtube: Simulator, tries: int
) -> None:
    author = file.open("r+b")
    pauses = [0.1, 1.0][:tries]

    def sleep(seconds: float) -> None:
        assert seconds == pauses.pop(0)
        if not pauses:
            author.close()

    report = sync(site, sleep)
    assert (report.open, report.exit, report.changed_counts) == (0, 0, 4)
    assert file.read_bytes() == crlf(SLOW, *counts(youtube, SLOW))


def test_what_was_saved_while_the_sync_waited_wins(site: Site, file: Path) -> None:
    author = file.open("ab")

    def sleep(_: float) -> None:
        author.write(b"one more line\n")
        author.close()

    report = sync(site, sleep)
    assert kinds(report) == [("edited-meanwhile", "content/slow.md")]
    assert file.read_bytes() == crlf(SLOW, 1, 2) + b"one more line\n"


def test_one_who_stops_the_sync_need_not_wait_for_it(site: Site, file: Path) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> bool:
        slept.append(seconds)
        return True

    with file.open("r+b"):
        assert (sync(site, sleep).open, slept) == (1, [0.1])


def test_the_third_sync_in_a_row_makes_a_problem_of_it(site: Site, file: Path) -> None:
    never = Options(paths=("content/quick.md",))

    def wait(_: float) -> None: ...

    with file.open("r+b"):
        assert [sync(site, wait).exit for _ in range(2)] == [0, 0]
        assert sync(site, wait, never).exit == 0, "it is about another page"
        third = sync(site, wait)
        assert (kinds(third), third.exit, third.open) == ([("open-elsewhere", "content/slow.md")], 1, 1)
        assert "in the last 3 syncs" in third.problems[0].message
        assert "in the last 4 syncs" in sync(site, wait).problems[0].message
    assert (sync(site, wait).exit, file.read_bytes() != crlf(SLOW, 1, 2)) == (0, True)
    site.put("content/slow.md", crlf(SLOW, 1, 2))
    with file.open("r+b"):
        assert (sync(site, wait).problems, sync(site, wait).open) == ((), 1), "it counts from one again"


def test_report_status_and_json_say_how_many(site: Site, file: Path, syncer: Run) -> None:
    with file.open("r+b"):
        ran = syncer("sync", "--json")
        assert (ran.code, ran.document["left_out"]["open"], ran.document["problems"]) == (0, 1, [])
        assert "Skipped 1 page open for writing in another program" in syncer("sync", "--all").out
    assert "Skipped 1 page open for writing in another program" in syncer("status").out
    assert syncer("status", "--json").document["open"] == 1
    syncer("sync")
    assert "open for writing" not in syncer("status").out
    assert syncer("status", "--json").document["open"] == 0


def test_an_undo_names_the_page_because_no_later_sync_repeats_it(site: Site, file: Path) -> None:
    name = site.sync().sync
    written = file.read_bytes()
    with file.open("r+b"):
        report = site.undo(name, sleep=lambda _: None)
        assert (kinds(report), report.exit) == ([("open-elsewhere", "content/slow.md")], 1)
        assert file.read_bytes() == written
    assert site.undo(name).changed_pages == 1
    assert file.read_bytes() == crlf(SLOW, 1, 2)
