"""What goes wrong in a fleet besides kills: jobs left over, hosts that seem silent, drains, clones that are gone."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import closing
from pathlib import Path

import pytest

from syncer.simulator.server import Simulator
from tests.disks import dead
from tests.hosts import QUICKLY, Fleet, is_right, published, slowly
from tests.ledgers import rows_of
from tests.postgres import PostgreSQL
from tests.shared_daemon import NEVER, synced
from tests.waiting import until

pytestmark = pytest.mark.storm

DAY = 24 * 3600

OUT = "Out of the fleet"

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
def fleet(tmp_path: Path, youtube: Simulator, postgres: PostgreSQL) -> Fleet:
    return Fleet(tmp_path, youtube, postgres.new_fleet())


# --- whose a site is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["away", "clock"])
def test_where_the_server_was_away_for_a_day_or_its_clock_has_jumped_no_host_loses_its_sites(
    fleet: Fleet, postgres: PostgreSQL, change: str
) -> None:
    from syncer.state.fleet_tables import open_fleet

    with closing(open_fleet(fleet.place)) as tables:
        for host in ("a", "b"):
            assert tables.take_host(host, host, "1")
        assert not tables.claim("a", {"blog": "/srv/blog"}, only=True)
        fleet.change(postgres, f"UPDATE syncer.hosts SET seen = seen - {DAY + 60}, steady = steady - {DAY + 90}")
        assert tables.take_host("b", "b", "1") if change == "away" else tables.beat("b", "b") is False
        assert tables.claim("b", {"blog": "/srv/blog"}, only=True) == {"blog": "a"}
        fleet.change(postgres, "UPDATE syncer.hosts SET steady = steady - 121 WHERE host = 'b'")
        assert tables.claim("b", {"blog": "/srv/blog"}, only=True) == {}, "host a is silent indeed"
        tables.leave("b", "b")
        assert tables.release("b")
        assert tables.take_host("a", "a", "1")
        assert tables.claim("a", {"blog": "/srv/blog"}, only=True) == {}, "what is given up can be had at once"


def test_an_answer_that_comes_late_is_heard(fleet: Fleet) -> None:
    from syncer.state.fleet_tables import open_fleet

    with closing(open_fleet(fleet.place)) as tables:
        assert tables.take_host("a", "a", "1")
        tables.claim("a", {"blog": "/srv/blog"}, only=True)
        fleet.site("b", "blog", schedule=NEVER)
        with fleet.worker("b", first=f"{QUICKLY}\nworker.OWNERS_SECONDS = 0.0\n") as worker:
            worker.until("The site blog is synced on a, so not here")


def test_a_host_whose_configs_all_vanish_keeps_its_sites(fleet: Fleet) -> None:
    """Their disk is away, or they are being replaced."""
    blog, shop = fleet.site("a", "blog"), fleet.site("a", "shop")
    with fleet.worker("a") as worker:
        synced(worker, "blog")
        away = blog.configs.rename(blog.configs.with_name("away"))
        blog.configs.mkdir()
        worker.until("No site is left")
        beats = "SELECT seen FROM syncer.hosts"
        seen = fleet.rows(beats)
        until(lambda: fleet.rows(beats) != seen)
        seen = fleet.rows(beats)
        until(lambda: fleet.rows(beats) != seen)
        assert fleet.rows("SELECT site FROM syncer.fleet_sites ORDER BY 1") == [("blog",), ("shop",)]
        blog.configs.rmdir()
        away.rename(shop.configs)
        synced(worker, "blog")


def test_a_site_whose_config_is_away_for_a_moment_stays(fleet: Fleet) -> None:
    """As in a deploy that replaces the configs one by one."""
    shop = fleet.site("a", "shop", schedule=NEVER)
    fleet.site("a", "blog", schedule=NEVER)
    known = "SELECT site FROM syncer.fleet_sites WHERE last_sync IS NOT NULL ORDER BY 1"
    with fleet.worker("a", first=f"{QUICKLY}\nworker.GIVE_UP_SECONDS = 60.0\n") as worker:
        until(lambda: fleet.rows(known) == [("blog",), ("shop",)])
        away = shop.config.rename(shop.config.with_suffix(".away"))
        worker.until("No longer synced")
        beats = "SELECT seen FROM syncer.hosts"
        seen = fleet.rows(beats)
        until(lambda: fleet.rows(beats) != seen)
        assert fleet.rows(known) == [("blog",), ("shop",)]
        away.rename(shop.config)
        worker.until("shop: Next sync")


def test_a_worker_that_has_lost_its_name_touches_nothing_of_its_successor(fleet: Fleet, postgres: PostgreSQL) -> None:
    import psycopg

    fleet.site("a", "blog", schedule=NEVER)
    with fleet.worker("a") as worker, closing(psycopg.connect(fleet.place)) as successor:
        synced(worker, "blog")
        successor.execute("UPDATE syncer.hosts SET worker = 'another', backend = pg_backend_pid()")
        until(lambda: postgres.execute(fleet.place, WAITING) == [(1,)])  # for that, before it claims any site
        successor.execute("INSERT INTO syncer.fleet_sites VALUES ('shop', 'a', '/srv/shop', 'machine')")
        successor.commit()
        worker.until("another worker has its name")
        assert fleet.rows("SELECT site FROM syncer.fleet_sites ORDER BY 1") == [("blog",), ("shop",)]


def test_a_clone_that_was_removed_with_its_config_is_made_again(fleet: Fleet, tmp_path: Path) -> None:
    remote, _ = published(fleet, tmp_path)
    blog = fleet.git_site("a", "blog", remote)
    fleet.site("a", "shop")
    with fleet.worker("a") as worker:
        synced(worker, "blog")
        text = blog.config.read_text("utf-8")
        blog.config.unlink()
        worker.until("No longer synced")
        synced(worker, "shop")
        shutil.rmtree(blog.root)
        blog.config.write_text(text, encoding="utf-8")
        synced(worker, "blog")


def test_a_disk_that_hangs_under_a_site_only_in_git_keeps_no_other_waiting(
    fleet: Fleet, postgres: PostgreSQL, tmp_path: Path
) -> None:
    from syncer.state.fleet_tables import open_fleet

    remote, _ = published(fleet, tmp_path)
    blog = fleet.git_site("a", "blog", remote)
    cold = tmp_path / "cold"
    cold.mkdir()
    text = blog.config.read_text("utf-8")
    blog.config.write_text(text.replace(f"site: {blog.root}", f"site: {cold / 'blog'}"), encoding="utf-8")
    fleet.site("a", "shop")
    fleet.site("a", "wiki")
    with (
        closing(open_fleet(fleet.place)) as tables,
        fleet.worker("a", first=f"{QUICKLY}daemon_sites.DISK_TIMEOUT = 0.5\n") as worker,
    ):
        synced(worker, "blog")
        assert tables.take_host("b", "b", "1")
        with dead(cold):
            fleet.change(postgres, "UPDATE syncer.fleet_sites SET host = 'b' WHERE site = 'wiki'")
            worker.until("The site wiki is synced on b, so not here")  # it looks at all sites again
            synced(worker, "shop", 3)


def test_a_reason_that_is_not_unicode_keeps_no_host_out_of_the_fleet(fleet: Fleet) -> None:
    blog = fleet.site("a", "blog")
    fleet.site("a", "shop")
    odd = os.fsencode(blog.config.with_name("b")) + b"\xff.yaml"
    os.rename(blog.config, odd)
    with fleet.worker("a") as worker:
        synced(worker, "blog")
        Path(os.fsdecode(odd)).write_text("site: [", encoding="utf-8")
        worker.until("Site left out")
        until(lambda: fleet.rows("SELECT trouble IS NULL FROM syncer.fleet_sites WHERE site = 'blog'") == [(False,)])
        synced(worker, "shop")
        assert not any(OUT in line for line in worker.lines)


# --- jobs that nobody does -------------------------------------------------------------------------------------------


def test_jobs_that_a_lost_host_left_do_not_keep_its_sites_waiting_elsewhere(fleet: Fleet, postgres: PostgreSQL) -> None:
    blog = fleet.site("a", "blog")
    with fleet.worker("a") as worker:
        synced(worker, "blog")
        worker.send(signal.SIGSTOP)
        assert fleet.command("a", "sync", "blog", "--no-wait").returncode == 0
        until(lambda: "blog" in fleet.jobs("todo"))
        worker.send(signal.SIGKILL)
        worker.ended()
    fleet.change(postgres, f"UPDATE syncer.hosts SET seen = seen - {DAY + 1} WHERE host = 'a'")
    shutil.rmtree(blog.root)
    taken = fleet.site("b", "blog")
    with fleet.worker("b") as worker:
        synced(worker, "blog", 3)
        assert is_right(taken, fleet.youtube)
        assert fleet.command("b", "sync", "blog").returncode == 0
        assert not any(OUT in line for line in worker.lines)


def test_the_job_of_a_site_that_is_removed_before_its_turn_is_over(fleet: Fleet, tmp_path: Path) -> None:
    fleet.site("a", "blog")
    shop = fleet.site("a", "shop")
    gate = tmp_path / "gate"

    def running() -> list[str]:
        return [str(site) for (site,) in fleet.rows("SELECT site FROM syncer.fleet_sites WHERE running")]

    with fleet.worker("a", first=slowly(gate), options=["--sites-at-once", "1"]) as worker:
        until(lambda: sorted(fleet.jobs("doing")) == ["blog", "shop"] and len(running()) == 1)
        (first,) = running()
        other = "shop" if first == "blog" else "blog"
        shop.config.with_name(f"{other}.yaml").unlink()
        until(lambda: fleet.jobs("doing") == [first])
        gate.touch()
        synced(worker, first, 2)


def test_jobs_that_ended_long_ago_are_forgotten_also_those_of_hosts_that_are_gone(
    fleet: Fleet, postgres: PostgreSQL
) -> None:
    fleet.change(
        postgres,
        "SET search_path = syncer_queue; INSERT INTO procrastinate_jobs (queue_name, task_name, args, status)"
        " VALUES ('gone', 'sync', '{\"site\": \"old\"}', 'succeeded');"
        "INSERT INTO procrastinate_events (job_id, type, at) SELECT id, 'succeeded', now() - interval '8 days'"
        " FROM procrastinate_jobs",
    )
    fleet.change(postgres, "UPDATE syncer_queue.procrastinate_events SET at = now() - interval '8 days'")
    fleet.site("a", "blog")
    with fleet.worker("a") as worker:
        synced(worker, "blog")
        until(lambda: "old" not in fleet.jobs("succeeded"))


# --- the database ----------------------------------------------------------------------------------------------------


def test_a_database_of_another_encoding_is_refused(fleet: Fleet, postgres: PostgreSQL) -> None:
    fleet.site("a", "blog")
    postgres.execute(postgres.address("postgres"), "CREATE DATABASE odd ENCODING 'SQL_ASCII' TEMPLATE template0")
    done = fleet.command("a", "init", postgres.address("odd"))
    assert (done.returncode, "is not in UTF-8; create one with ENCODING 'UTF8'" in done.stderr) == (2, True), (
        done.stderr
    )
    assert rows_of(postgres.address("odd"), "SELECT to_regnamespace('syncer') IS NULL") == [(True,)]


@pytest.mark.parametrize(
    ("name", "words"),
    [("fleet", "was written by a newer syncer; upgrade"), ("queue", "was made by a newer Procrastinate (99); upgrade")],
)
def test_tables_of_a_newer_version_are_not_made_older(
    fleet: Fleet, postgres: PostgreSQL, name: str, words: str
) -> None:
    fleet.site("a", "blog")
    fleet.change(postgres, f"UPDATE syncer.meta SET value = '99' WHERE name = '{name}'")
    done = fleet.command("a", "init")
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert fleet.rows(f"SELECT value FROM syncer.meta WHERE name = '{name}'") == [("99",)]


def test_a_sync_that_gets_no_thread_begins_later(fleet: Fleet) -> None:
    """As where the system has too many for a moment."""
    refusing = f"""{QUICKLY}
import threading
real, refused = threading.Thread.start, []
def start(thread):
    if thread.name == "sync" and not refused:
        refused.append(thread)
        raise RuntimeError("can't start new thread")
    real(thread)
threading.Thread.start = start
"""
    fleet.site("a", "blog", schedule=NEVER)
    with fleet.worker("a", first=refusing) as worker:
        worker.until("Cannot begin a sync: can't start new thread")
        synced(worker, "blog")
        until(lambda: fleet.jobs("succeeded") == ["blog"])
