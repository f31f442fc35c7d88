"""What cannot reach its ledger requests nothing, because nobody would count the units; pages are still updated."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from syncer.config.parse import parse_config
from syncer.errors import LedgerUnreachable, StateError
from syncer.model import ProblemKind
from syncer.simulator.server import Simulator
from syncer.state import ledger_file
from syncer.state.ledger_file import open_ledger_file
from syncer.status.report import SyncReport
from syncer.sync import readings
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Listener, Options
from tests.places import NOBODY, everybodys_directory, run_python
from tests.site import KEY, NOON, QUICK, Run, Site, counts, crlf, ids, tree
from tests.steered import served

HOUR = timedelta(hours=1)
VIDEOS = ids(60)
ALL_BATCHES = ids(1_500, seed=4)
Trouble = Callable[[Path], object]


@pytest.fixture
def ledger(site: Site) -> Path:
    """The ledger of a site with 60 pages that was synced once, after which its pages got old counts."""
    site.configure(quota="ledger: ../q", youtube=f"{QUICK}, connections: 1")
    put_pages(site)
    assert site.sync(NOON).exit == 0
    put_pages(site)
    return site.root.parent / "q"


def put_pages(site: Site) -> None:
    for number, video in enumerate(VIDEOS):
        site.put(f"content/{number}.md", crlf(video, 1, 2))


def kinds(report: SyncReport) -> list[ProblemKind]:
    return [problem.kind for problem in report.problems]


def garbage(ledger: Path) -> None:
    ledger.write_bytes(b"SQLite format 3\0" + b"x" * 5_000)


def tables_of_another_schema(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as database:
        database.execute("DROP TABLE parked")
        database.commit()


def value_of_another_type(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as database:
        database.execute("UPDATE units SET spent = 'many'")
        database.commit()


def cut_short(ledger: Path) -> None:
    os.truncate(ledger, 5_000)


DAMAGE: list[Trouble] = [garbage, tables_of_another_schema, value_of_another_type, cut_short]


@pytest.mark.parametrize("options", [Options(), Options(scheduled=True)], ids=["by hand", "scheduled"])
@pytest.mark.parametrize("trouble", DAMAGE, ids=lambda each: each.__name__)
def test_what_cannot_reach_its_ledger_requests_nothing_says_so_and_updates_pages_from_its_state(
    site: Site, ledger: Path, youtube: Simulator, trouble: Trouble, options: Options
) -> None:
    spent = dict(youtube.units)
    trouble(ledger)
    broken = ledger.read_bytes()
    report = site.sync(NOON + HOUR, options)
    assert dict(youtube.units) == spent, "no unit is spent that nobody counts"
    assert (report.exit, report.asked, report.videos, report.over_quota) == (3, 0, 60, 0)
    assert kinds(report) == [ProblemKind.LEDGER_UNREACHABLE]
    assert f"The ledger {ledger} is damaged" in report.problems[0].message
    assert "it requested nothing from YouTube" in report.problems[0].message
    assert report.changed_pages == 60
    for number, video in enumerate(VIDEOS):
        assert (site.root / f"content/{number}.md").read_bytes() == crlf(video, *counts(youtube, video))
    assert ledger.read_bytes() == broken, "nothing is repaired: other processes use it"
    for file in ledger.parent.glob("q*"):
        file.unlink()
    after = site.sync(NOON + 2 * HOUR, options)
    assert (after.exit, after.answered, kinds(after)) == (0, 60, [])


def test_a_ledger_that_another_program_keeps_locked_is_waited_for_and_then_done_without(
    site: Site, ledger: Path, youtube: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_file, "BUSY_SECONDS", 0.2)
    spent = dict(youtube.units)
    with closing(sqlite3.connect(ledger, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        report = site.sync(NOON + HOUR)
    assert dict(youtube.units) == spent
    assert (report.exit, report.changed_pages, kinds(report)) == (3, 60, [ProblemKind.LEDGER_UNREACHABLE])
    assert "another program has locked it for more than 0.2 s: wait for it, or end it" in report.problems[0].message


def test_the_check_waits_for_a_locked_ledger_as_a_sync_does_and_says_that_it_cannot_be_written(
    ledger: Path, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_file, "BUSY_SECONDS", 0.2)
    before = ledger.read_bytes()
    with closing(sqlite3.connect(ledger, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ran = syncer("check", "--offline", "--json")
    (found,) = (each for each in ran.document["checks"] if each["name"] == "ledger")
    assert (ran.code, found["level"]) == (1, "error")
    assert f"Cannot write the ledger {ledger}" in found["message"]
    assert "another program has locked it" in found["message"]
    (found,) = (each for each in syncer("check", "--offline", "--json").document["checks"] if each["name"] == "ledger")
    assert found["level"] == "ok"
    assert ledger.read_bytes() == before


def test_a_ledger_that_is_locked_while_a_sync_requests_ends_its_requests_and_what_was_returned_is_written(
    site: Site, youtube: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_file, "BUSY_SECONDS", 0.5)
    monkeypatch.setattr(readings, "SAVE_SECONDS", 0.05)  # what comes while a request waits for its unit is saved
    site.configure(quota="ledger: ../q", youtube=f"{QUICK}, connections: 1")
    for number, video in enumerate(ALL_BATCHES):
        site.put(f"content/{number}.md", crlf(video, 1, 2))
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    open_ledger_file(site.root.parent / "q").close()
    with closing(sqlite3.connect(site.root.parent / "q", isolation_level=None, check_same_thread=False)) as other:

        def lock(stage: str, done: int, _: int | None) -> None:
            if stage == "ask" and done and not other.in_transaction:
                other.execute("BEGIN IMMEDIATE")

        environment = Environment(key=KEY, clock=lambda: NOON, sleep=lambda _: None)
        report = make_sync(config, Options(), environment, Listener(progress=lock))
        other.execute("ROLLBACK")
        (counted,) = other.execute("SELECT sum(spent) FROM units WHERE bucket = 'stats'").fetchone()
    sent = youtube.units["stats"]
    assert 0 < sent <= counted, "each unit that YouTube counted is in the ledger"
    assert sent <= 20
    assert (report.exit, kinds(report)) == (3, [ProblemKind.LEDGER_UNREACHABLE])
    assert report.changed_pages == report.fresh
    assert 50 <= report.fresh <= 50 * sent
    assert site.sync(NOON).answered == 1_500 - report.fresh


def test_a_ledger_that_may_not_be_read_stops_requests_alone(youtube: Simulator) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.places import drop_powers; drop_powers()\n"
        "from tests.site import Site, crlf, ids\n"
        "place = Path(sys.argv[1]); site = Site(place / 'site', sys.argv[2])\n"
        "site.configure(quota='ledger: ../closed/q'); (site.root / 'content/lists').mkdir(parents=True)\n"
        "site.put('content/a.md', crlf(ids(1)[0], 1, 2))\n"
        "report = site.sync(); print(int(report.exit), report.problems[0].kind, report.problems[0].message)"
    )
    if os.geteuid():
        pytest.skip("only root can act as several users")
    with everybodys_directory() as place:
        (place / "closed").mkdir(mode=0o500)
        os.chown(place / "closed", NOBODY, NOBODY)
        said = run_python(code, place, youtube.url)
    assert said.startswith("3 ledger-unreachable Cannot use the ledger"), said
    assert "Permission denied" in said
    assert not sum(youtube.units.values())


def test_a_dry_run_says_that_the_ledger_cannot_be_reached_and_shows_what_it_would_write(
    site: Site, ledger: Path
) -> None:
    garbage(ledger)
    before = tree(site.root / "content"), ledger.read_bytes(), site.log_lines()
    report = site.sync(NOON + HOUR, Options(dry_run=True))
    assert (report.exit, report.changed_pages, kinds(report)) == (3, 60, [ProblemKind.LEDGER_UNREACHABLE])
    assert (tree(site.root / "content"), ledger.read_bytes(), site.log_lines()) == before


def test_where_nothing_is_due_an_unreachable_ledger_is_a_problem_and_no_failure(site: Site, ledger: Path) -> None:
    garbage(ledger)
    report = site.sync(NOON)
    assert (report.exit, report.fresh, report.changed_pages) == (1, 60, 60)
    assert kinds(report) == [ProblemKind.LEDGER_UNREACHABLE]


def test_a_state_that_is_damaged_too_is_recreated_and_nothing_is_requested(
    site: Site, ledger: Path, youtube: Simulator
) -> None:
    spent = dict(youtube.units)
    garbage(ledger)
    (site.state / "state.sqlite3").write_bytes(b"x" * 5_000)
    report = site.sync(NOON + HOUR)
    assert dict(youtube.units) == spent
    assert report.exit == 3
    assert set(kinds(report)) == {ProblemKind.LEDGER_UNREACHABLE, ProblemKind.STATE_LOST}


def test_what_is_known_of_a_site_is_shown_while_its_ledger_cannot_be_reached(
    site: Site, ledger: Path, syncer: Run
) -> None:
    before = syncer("status", "--json").document
    garbage(ledger)
    ran = syncer("status")
    assert (ran.code, ran.err) == (0, "")
    (last,) = before["syncs"]
    assert last["sync"] in ran.out
    assert f"Quota ledger: {ledger} cannot be reached, so it is unknown how many units are left." in ran.out
    assert "While it cannot be reached, syncs request nothing from YouTube." in ran.out
    after = syncer("status", "--json").document
    (sentence,) = after["attention"]
    assert sentence.startswith(f"The ledger {ledger} is damaged")
    assert (after["quota"]["stats"], after["quota"]["general"], after["units_a_day"]["budget"]) == (None, None, None)
    assert f"{after['quota']['ledger']['error']}." in sentence
    unknown = ("quota", "units_a_day", "attention", "next_sync", "quota_resets")
    assert {key: after[key] for key in after if key not in unknown} == {
        key: before[key] for key in before if key not in unknown
    }
    assert after["units_a_day"]["needed"] == before["units_a_day"]["needed"]


def test_sites_whose_ledger_cannot_be_reached_are_shown_with_one_reason_for_all(
    site: Site, ledger: Path, syncer: Run, tmp_path: Path
) -> None:
    other = Site(tmp_path / "other", site.url)
    other.configure(quota="ledger: ../q")
    (other.root / "content/lists").mkdir(parents=True)
    other.put("content/a.md", crlf(ids(1, seed=9)[0], 1, 2))
    other.sync(NOON)
    garbage(ledger)
    ran = syncer("-c", str(site.config), "-c", str(other.config), "status")
    assert ran.code == 0
    assert len(re.findall(r"^(?:site|other) +2026-11-22 20:00 ", ran.out, re.MULTILINE)) == 2
    assert "2 of 2 sites need attention:" in ran.out
    assert ran.out.count("is damaged") == 1


def test_the_page_the_api_and_the_metrics_show_what_is_known_without_the_ledger(site: Site, ledger: Path) -> None:
    garbage(ledger)
    with served(site) as page:
        overview = page.get("/")
        assert overview.status == 200
        assert f"{ledger} cannot be reached" in overview.text
        assert "is damaged" in overview.text.partition('id="needs"')[2].partition("</section>")[0]
        quota = page.get("/api/v1/quota").document["quota"]
        assert (quota["stats"], quota["general"]) == (None, None)
        assert "is damaged" in quota["ledger"]["error"]
        assert "is damaged" in " ".join(page.get("/api/v1/status").document["attention"])
        metrics = page.get("/metrics").text
        assert "syncer_quota_units_left{" not in metrics, "unknown is not zero"
        assert 'syncer_videos{state="known"} 60.0' in metrics


@pytest.mark.parametrize("in_state", [True, False], ids=["synced", "never synced"])
def test_the_plan_without_a_ledger_says_that_nothing_is_requested_and_why(
    site: Site, ledger: Path, syncer: Run, in_state: bool
) -> None:
    if not in_state:
        shutil.rmtree(site.state)
    garbage(ledger)
    ran = syncer("plan")
    assert (ran.code, ran.err) == (0, "")
    assert "`syncer sync` now requests 0 of 60 videos with 0 units." in ran.out
    assert "    60  not requested  left out: no ledger\n" in ran.out
    assert "is damaged" in ran.out
    assert "While it cannot be reached, syncs request nothing" in ran.out
    assert "quota day" not in ran.out, "no forecast from units that nobody knows"
    plan = syncer("plan", "--json").document
    assert (plan["videos"], plan["next"]["videos"], plan["budget"], plan["forecast"]) == (60, 0, None, None)
    assert (plan["days"], plan["bands"]) == ([], [])
    assert "is damaged" in plan["attention"][0]
    for file in ledger.parent.glob("q*"):
        file.unlink()
    plan = syncer("plan", "--json").document
    assert (plan["next"]["videos"], plan["budget"], plan["attention"]) == (60, 19_600, [])


def a_link(ledger: Path) -> None:
    ledger.rename(ledger.with_name("other"))
    ledger.symlink_to(ledger.with_name("other"))


def a_directory(ledger: Path) -> None:
    ledger.unlink()
    ledger.mkdir()


def another_program_s(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as database:
        database.execute("PRAGMA application_id = 7")


def of_a_newer_version(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as database:
        database.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize("wrong", [a_link, a_directory, another_program_s, of_a_newer_version])
def test_a_ledger_that_the_config_names_wrongly_ends_the_command_before_anything_is_done(
    site: Site, ledger: Path, syncer: Run, wrong: Trouble
) -> None:
    wrong(ledger)
    pages = tree(site.root / "content")
    ran = syncer("sync", "--json")
    assert (ran.code, json.loads(ran.out)["error"]["kind"]) == (2, "state")
    assert [syncer("status").code, syncer("plan").code] == [2, 2]
    assert tree(site.root / "content") == pages


def test_a_ledger_on_a_network_file_system_is_named_wrongly_and_not_just_out_of_reach(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="is on a network file system, NFS") as refused:
        open_ledger_file(tmp_path / "q", lambda _: "NFS")
    assert not isinstance(refused.value, LedgerUnreachable)


def test_a_ledger_whose_disk_hangs_keeps_nobody_waiting_who_uses_another(tmp_path: Path) -> None:
    hangs, released = threading.Event(), threading.Event()

    def hang(_: str) -> None:
        hangs.set()
        released.wait()

    waiting = threading.Thread(target=lambda: open_ledger_file(tmp_path / "one", hang).close())
    opening = threading.Thread(target=lambda: open_ledger_file(tmp_path / "other").close(), daemon=True)
    waiting.start()
    hangs.wait()
    opening.start()
    opening.join(30)
    still = opening.is_alive()
    released.set()
    waiting.join()
    assert not still
