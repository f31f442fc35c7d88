"""Several hosts, each with a worker, and one PostgreSQL server: who syncs what, and what is left when one dies."""

from __future__ import annotations

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from syncer.model import ServerAddress
from syncer.simulator.server import Simulator
from tests.hosts import AFTER_A_KILL, QUICKLY, Fleet, is_right, published
from tests.postgres import PostgreSQL
from tests.proxy import Network, Proxy
from tests.remotes import push_all
from tests.shared_daemon import NEVER, synced
from tests.site import counts, crlf, ids
from tests.waiting import until

pytestmark = pytest.mark.storm

SET_STATUS = "SET search_path = syncer_queue; UPDATE procrastinate_jobs SET status ="


@pytest.fixture
def fleet(tmp_path: Path, youtube: Simulator, postgres: PostgreSQL) -> Fleet:
    return Fleet(tmp_path, youtube, postgres.new_fleet())


# --- jobs ------------------------------------------------------------------------------------------------------------


def test_each_host_syncs_its_own_sites_and_each_scheduled_sync_is_a_job(fleet: Fleet, youtube: Simulator) -> None:
    blog, shop = fleet.site("a", "blog", schedule=NEVER), fleet.site("b", "shop", schedule=NEVER)
    with fleet.worker("a") as one, fleet.worker("b") as other:
        synced(one, "blog")
        synced(other, "shop")
        until(lambda: sorted(fleet.jobs("succeeded")) == ["blog", "shop"])
        assert fleet.rows("SELECT site, host FROM syncer.fleet_sites ORDER BY 1") == [("blog", "a"), ("shop", "b")]
        for worker in (one, other):
            worker.send(signal.SIGTERM)
            assert worker.ended()[0] == 0
        assert not any("shop" in line for line in one.lines)
    assert is_right(blog, youtube)
    assert is_right(shop, youtube)
    assert fleet.rows("SELECT worker FROM syncer.hosts") == [(None,), (None,)]
    assert fleet.rows("SELECT * FROM syncer_queue.procrastinate_workers") == []


def test_jobs_carry_neither_a_key_nor_a_count(fleet: Fleet) -> None:
    fleet.site("a", "blog")
    with fleet.worker("a") as worker:
        synced(worker, "blog", 2)
    assert {str(arguments) for (arguments,) in fleet.rows("SELECT args FROM syncer_queue.procrastinate_jobs")} == {
        "{'site': 'blog', 'triggered': False}"
    }


def test_a_job_of_a_killed_worker_is_repeated_and_no_change_is_logged_twice(fleet: Fleet, youtube: Simulator) -> None:
    site = fleet.site("a", "blog", schedule=NEVER)
    killed = f"""{QUICKLY}
import os
from syncer.sync import write
def die(*_, **__): os.kill(os.getpid(), 9)
write.mark_done = die
"""
    with fleet.worker("a", first=killed) as worker:
        worker.ended()
    assert fleet.jobs("doing") == ["blog"]
    with fleet.worker("a", first=AFTER_A_KILL) as worker:
        synced(worker, "blog")
        until(lambda: "blog" in fleet.jobs("succeeded") and not fleet.jobs("doing"))
    assert is_right(site, youtube)
    log = (site.state / "diff.jsonl").read_text("utf-8").splitlines()
    assert len(log) == 4


def test_a_site_whose_job_was_never_noted_as_done_syncs_all_the_same(fleet: Fleet, postgres: PostgreSQL) -> None:
    fleet.site("a", "blog")
    with fleet.worker("a") as worker:
        synced(worker, "blog")
        fleet.change(
            postgres,
            "INSERT INTO syncer_queue.procrastinate_jobs (queue_name, task_name, lock, args, status)"
            " VALUES ('a', 'sync', 'blog on a', '{\"site\": \"blog\"}', 'doing')",
        )
        synced(worker, "blog", 3)
        until(lambda: fleet.jobs("doing") == [])


def test_a_requested_sync_does_not_wait_for_a_job_that_was_never_noted_as_done(
    fleet: Fleet, postgres: PostgreSQL
) -> None:
    fleet.site("a", "blog", schedule=NEVER)
    with fleet.worker("a") as worker:
        synced(worker, "blog")
        until(lambda: fleet.jobs("succeeded") == ["blog"])
        fleet.change(
            postgres,
            "INSERT INTO syncer_queue.procrastinate_jobs (queue_name, task_name, lock, args, status)"
            " VALUES ('a', 'sync', 'blog on a', '{\"site\": \"blog\"}', 'doing')",
        )
        assert fleet.command("a", "sync", "blog").returncode == 0
        assert fleet.jobs("doing") == []
        later = "SELECT count(*) FROM syncer_queue.procrastinate_jobs WHERE scheduled_at > now() - interval '1 year'"
        assert fleet.rows(later) == [(0,)], "the clock of this machine does not count"


def test_the_name_of_a_host_may_be_as_long_as_dns_allows(fleet: Fleet) -> None:
    fleet.site("a", "blog", schedule=NEVER)
    with fleet.worker("a", name=".".join(["long" * 15] * 4)) as worker:
        synced(worker, "blog")
        until(lambda: fleet.jobs("succeeded") == ["blog"])


# --- what one host asks of another -----------------------------------------------------------------------------------


def test_a_sync_can_be_requested_from_another_host(fleet: Fleet, youtube: Simulator) -> None:
    site = fleet.site("a", "blog", schedule=NEVER)
    fleet.site("b", "shop", schedule=NEVER)
    with fleet.worker("a") as worker:
        synced(worker, "blog")
        until(lambda: fleet.jobs("succeeded") == ["blog"])
        site.put(f"content/{ids(1)[0]}.md", crlf(ids(1)[0], 5, 6))
        done = fleet.command("b", "sync", "blog")
        assert (done.returncode, done.stdout) == (0, "blog: 2 counts changed on a, 0 problems.\n"), done.stderr
        assert is_right(site, youtube)
        site.put("content/broken.md", b"---\nvid_id: [\n---\n")
        done = fleet.command("b", "sync", "blog")
        assert (done.returncode, "1 problem" in done.stdout) == (1, True)
        assert "no host of the fleet has a site called 'none'" in fleet.command("b", "sync", "none").stderr
        assert fleet.command("b", "sync", "none").returncode == 2
        done = fleet.command("b", "sync", "blog", "--no-wait")
        assert (done.returncode, "Requested a sync of blog on a." in done.stdout) == (0, True), done.stderr


def test_a_worker_that_drains_ends_its_sync_begins_no_other_and_stops(fleet: Fleet) -> None:
    fleet.site("a", "blog")
    fleet.site("a", "shop")
    with fleet.worker("a") as worker:
        synced(worker, "blog")
        done = fleet.command("a", "drain", "--host", "a")
        assert (done.returncode, done.stdout) == (0, "The worker of a has stopped.\n"), done.stderr
        assert worker.ended()[0] == 0
    assert fleet.jobs("doing") == []
    assert fleet.rows("SELECT host FROM syncer.fleet_sites") == [("a",), ("a",)], "its sites stay its own"
    again = fleet.command("a", "drain", "--host", "a")
    assert (again.returncode, "no worker runs on a" in again.stderr) == (2, True)
    with fleet.worker("a") as worker:
        synced(worker, "blog")
        synced(worker, "shop")


def test_a_drain_ends_though_another_worker_is_started_at_once(fleet: Fleet) -> None:
    from syncer.state.fleet_tables import open_fleet

    fleet.site("a", "blog")
    with closing(open_fleet(fleet.place)) as tables, ThreadPoolExecutor(1) as thread:
        assert tables.take_host("a", "first", "1")
        drained = thread.submit(fleet.command, "a", "drain", "--host", "a")
        until(lambda: tables.beat("a", "first") is True)
        tables.leave("a", "first")
        assert tables.take_host("a", "second", "1")
        assert drained.result().stdout == "The worker of a has stopped.\n"
        assert tables.beat("a", "second") is False


def test_a_host_whose_worker_is_started_again_meanwhile_is_not_released(fleet: Fleet, postgres: PostgreSQL) -> None:
    from syncer.state.fleet_tables import open_fleet

    fleet.site("a", "blog")
    with closing(open_fleet(fleet.place)) as tables, ThreadPoolExecutor(1) as thread:
        assert tables.take_host("a", "first", "1")
        assert not tables.claim("a", {"blog": "/srv/blog"}, only=True)
        released = thread.submit(fleet.command, "a", "drain", "--release", "--host", "a")
        until(lambda: tables.beat("a", "first") is True)
        fleet.change(postgres, "UPDATE syncer.hosts SET worker = 'second', draining = false")
        done = released.result()
        assert (done.returncode, "the worker of a runs again" in done.stderr) == (2, True), done.stderr
        assert fleet.rows("SELECT host FROM syncer.fleet_sites") == [("a",)]
        tables.leave("a", "second")
        assert fleet.command("a", "drain", "--release", "--host", "a").returncode == 0
        assert fleet.rows("SELECT host FROM syncer.fleet_sites") == []


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ("UPDATE syncer.hosts SET seen = seen - 100", 130, "the worker of a has been silent for 1"),
        ("UPDATE syncer.hosts SET worker = NULL", 130, "the worker of a has stopped; the sync begins once it runs"),
        (f"{SET_STATUS} 'failed'", 2, "could not say how the sync went"),
        (f"{SET_STATUS} 'aborted'", 2, "could not say how the sync went"),
    ],
    ids=["silent", "stopped", "failed", "aborted"],
)
def test_a_requested_sync_that_nobody_can_tell_of_is_not_waited_for(
    fleet: Fleet, postgres: PostgreSQL, change: str, code: int, words: str
) -> None:
    from syncer.state.fleet_tables import open_fleet

    fleet.site("a", "blog")
    with closing(open_fleet(fleet.place)) as tables, ThreadPoolExecutor(1) as thread:
        assert tables.take_host("a", "first", "1")
        assert not tables.claim("a", {"blog": "/srv/blog"}, only=True)
        requested = thread.submit(fleet.command, "a", "sync", "blog")
        until(lambda: fleet.jobs("todo") == ["blog"])
        fleet.change(postgres, change)
        done = requested.result()
        assert (done.returncode, words in done.stderr) == (code, True), done.stderr


# --- who has which site ----------------------------------------------------------------------------------------------


def test_a_site_of_another_host_is_not_synced_here_until_that_was_silent_for_a_day(
    fleet: Fleet, postgres: PostgreSQL
) -> None:
    fleet.site("a", "blog")
    with fleet.worker("a") as worker:
        synced(worker, "blog")
    fleet.site("b", "blog")
    fleet.site("b", "shop")
    with fleet.worker("b") as worker:
        worker.until("The site blog is synced on a, so not here")
        synced(worker, "shop")
        fleet.change(postgres, f"UPDATE syncer.hosts SET seen = seen - {24 * 3600 - 120} WHERE host = 'a'")
        synced(worker, "shop", 2)
        assert not any("blog: Sync" in line for line in worker.lines), "it may be back within the day"
        fleet.change(postgres, "UPDATE syncer.hosts SET seen = seen - 180 WHERE host = 'a'")
        synced(worker, "blog")
        with fleet.worker("a") as former:
            former.until("The site blog is synced on b, so not here")


def test_a_site_that_is_removed_is_forgotten_and_one_whose_config_is_broken_is_not(fleet: Fleet) -> None:
    blog, shop = fleet.site("a", "blog"), fleet.site("a", "shop")
    with fleet.worker("a") as worker:
        synced(worker, "blog")
        synced(worker, "shop")
        blog.config.write_text("site: [", encoding="utf-8")
        worker.until("Site left out")
        synced(worker, "shop", 2)
        assert fleet.rows("SELECT site FROM syncer.fleet_sites ORDER BY 1") == [("blog",), ("shop",)]
        blog.config.unlink()
        until(lambda: fleet.rows("SELECT site FROM syncer.fleet_sites") == [("shop",)])
        assert shop.config.exists()


def test_the_directory_of_a_site_may_have_any_name(fleet: Fleet) -> None:
    fleet.site("a", "blog")
    odd = fleet.site("a", "odd")
    moved = odd.root.rename(odd.root.with_name("two\nlines"))
    text = odd.config.read_text("utf-8").replace(f"site: {odd.root}\nname: odd", f"site: {json.dumps(str(moved))}")
    odd.config.write_text(text, encoding="utf-8")
    with fleet.worker("a") as worker:
        synced(worker, r"two\nlines")
        until(lambda: sorted(fleet.jobs("succeeded"))[-1:] == [r"two\nlines"])


def test_a_site_only_in_git_is_cloned_by_one_host_and_moves_when_that_was_silent_for_a_day(
    fleet: Fleet, postgres: PostgreSQL, youtube: Simulator, tmp_path: Path
) -> None:
    remote, author = published(fleet, tmp_path)
    fleet.git_site("a", "blog", remote)
    blog = fleet.git_site("b", "blog", remote)
    with fleet.worker("a") as worker:
        worker.until("The site blog is being cloned from file://")
        synced(worker, "blog")
        with fleet.worker("b") as other:
            other.until("The site blog is synced on a, so not here")
        author.git("pull", "-q")
        (author.top / "content/new.md").write_bytes(crlf(ids(3)[2], 1, 2))
        push_all(author)
        until(lambda: remote.show("content/new.md", "main") == crlf(ids(3)[2], *counts(youtube, ids(3)[2])))
    assert not blog.root.exists()
    fleet.change(postgres, f"UPDATE syncer.hosts SET seen = seen - {24 * 3600 + 1} WHERE host = 'a'")
    author.git("pull", "-q")
    (author.top / "content/new.md").write_bytes(crlf(ids(3)[2], 5, 6))
    push_all(author)
    with fleet.worker("b") as worker:
        synced(worker, "blog")
        until(lambda: remote.show("content/new.md", "main") == crlf(ids(3)[2], *counts(youtube, ids(3)[2])))
        with fleet.worker("a") as former:
            former.until("The site blog is synced on b, so not here")


def test_a_clone_that_fails_is_tried_again_and_the_other_sites_do_not_wait(fleet: Fleet, tmp_path: Path) -> None:
    remote, _ = published(fleet, tmp_path)
    hidden = remote.top.rename(tmp_path / "hidden")
    fleet.git_site("a", "blog", remote)
    fleet.site("a", "shop")
    soon = f"{QUICKLY}\nfrom syncer.cli import fleet_worker\nfleet_worker.CLONE_RETRY_SECONDS = 0.5\n"
    with fleet.worker("a", first=soon) as worker:
        assert "does not appear to be a git repository" in worker.until("Site left out")
        synced(worker, "shop")
        hidden.rename(remote.top)
        synced(worker, "blog")


def test_clones_that_fail_are_tried_once_a_minute_however_many_there_are(fleet: Fleet, tmp_path: Path) -> None:
    remote, _ = published(fleet, tmp_path)
    remote.top.rename(tmp_path / "hidden")
    for name in ("one", "two", "three"):
        fleet.git_site("a", name, remote)
    fleet.site("a", "shop")
    counted = f"""{QUICKLY}
import sys
from syncer.git import clone
real = clone.clone
def counting(*arguments):
    print("CLONES", file=sys.stderr, flush=True)
    real(*arguments)
clone.clone = counting
"""
    with fleet.worker("a", first=counted) as worker:
        for _ in range(3):
            worker.until("Site left out")
        synced(worker, "shop", 3)
        assert sum("CLONES" in line for line in worker.lines) == 3
        until(lambda: fleet.rows("SELECT trouble FROM syncer.fleet_sites WHERE site = 'two'") != [(None,)])
        done = fleet.command("a", "sync", "two")
        assert done.returncode == 2
        assert "two: no sync on a: " in done.stdout
        assert "does not appear to be a git repository" in done.stdout


def test_only_so_many_clones_are_made_at_once(fleet: Fleet, tmp_path: Path) -> None:
    remote, _ = published(fleet, tmp_path)
    names = [f"blog-{number}" for number in range(7)]
    for name in names:
        fleet.git_site("a", name, remote)
    counted = f"""{QUICKLY}
import sys, threading, time
from syncer.git import clone
real, running = clone.clone, threading.Semaphore(4)
def counting(*arguments):
    if not running.acquire(blocking=False):
        print("TOO MANY", file=sys.stderr, flush=True)
    time.sleep(0.2)
    real(*arguments)
    running.release()
clone.clone = counting
"""
    with fleet.worker("a", first=counted) as worker:
        worker.until("waits to be cloned from")
        until(lambda: all(any(f"{name}: Sync " in line for line in worker.lines) for name in names))
        assert not any("TOO MANY" in line for line in worker.lines)


def test_a_site_that_is_left_out_says_so_to_all_and_keeps_what_is_known_of_its_last_sync(fleet: Fleet) -> None:
    blog, _ = fleet.site("a", "blog"), fleet.site("a", "shop")
    with fleet.worker("a") as worker:
        synced(worker, "blog")
        until(lambda: fleet.rows("SELECT exit_code FROM syncer.fleet_sites WHERE site = 'blog'") == [(0,)])
        right = blog.config.read_text("utf-8")
        blog.config.write_text(f"{right}\nbogus: 1\n", encoding="utf-8")
        worker.until("Site left out")
        shown = "trouble LIKE '%bogus%', exit_code, last_sync IS NOT NULL"
        said = f"SELECT {shown} FROM syncer.fleet_sites WHERE site = 'blog'"
        until(lambda: fleet.rows(said) == [(True, 0, True)])
        done = fleet.command("a", "sync", "blog")
        assert (done.returncode, "blog: no sync on a: " in done.stdout, "bogus" in done.stdout) == (2, True, True)
        blog.config.write_text(right, encoding="utf-8")
        until(lambda: fleet.rows("SELECT trouble FROM syncer.fleet_sites") == [(None,), (None,)])


def test_a_host_that_is_released_is_forgotten_and_another_one_takes_its_sites(
    fleet: Fleet, postgres: PostgreSQL
) -> None:
    fleet.site("a", "blog")
    with fleet.worker("a") as worker:
        synced(worker, "blog")
        fleet.site("b", "blog")
        fleet.site("b", "shop")
        with fleet.worker("b") as other:
            other.until("The site blog is synced on a, so not here")
            done = fleet.command("b", "drain", "--release", "--host", "a")
            assert done.stdout == "a is no longer a host of the fleet, and other hosts may take 1 site: blog.\n", done
            assert worker.ended()[0] == 0
            synced(other, "blog")
    assert fleet.rows("SELECT host FROM syncer.hosts") == [("b",)]
    assert fleet.command("b", "drain", "--release", "--host", "a").returncode == 2
    fleet.change(postgres, "UPDATE syncer.hosts SET seen = seen - 60")
    done = fleet.command("b", "drain", "--release", "--host", "b")
    assert (done.returncode, fleet.rows("SELECT host FROM syncer.hosts")) == (0, []), "its worker was killed"


@pytest.mark.parametrize("others", [True, False])
def test_a_site_only_in_git_is_not_cloned_while_nobody_can_say_whose_it_is(
    fleet: Fleet, postgres: PostgreSQL, tmp_path: Path, others: bool
) -> None:
    remote, _ = published(fleet, tmp_path)
    blog = fleet.git_site("a", "blog", remote)
    if others:
        fleet.site("a", "shop")
    postgres.stop()
    try:
        with fleet.worker("a") as worker:
            assert "cannot check in the database which host owns it" in worker.until("Site left out")
            if others:
                synced(worker, "shop")
            assert not blog.root.exists()
            postgres.start()
            synced(worker, "blog")
    finally:
        postgres.stop()
        postgres.start()


def test_a_config_with_another_ledger_is_left_out(fleet: Fleet, postgres: PostgreSQL) -> None:
    fleet.site("a", "blog")
    fleet.site("a", "other", place=postgres.new_fleet())
    with fleet.worker("a") as worker:
        assert "`quota.ledger` is not postgresql://" in worker.until("Site left out")
        synced(worker, "blog")


def test_a_second_worker_of_one_name_syncs_nothing_until_the_first_has_ended(fleet: Fleet) -> None:
    """A cloned machine has the name and the sites of another one."""
    fleet.site("a", "blog")
    fleet.site("b", "shop")
    with fleet.worker("a") as first:
        synced(first, "blog")
        second = fleet.worker("b", name="a")
        with second:
            said = (
                "Another worker is called a. Give this one another name. Nothing is synced here until the name is free",
                "The site shop is synced on another host called a, so not here",
            )
            until(lambda: all(any(words in line for line in second.lines) for words in said))
            synced(first, "blog", 2)
            assert not any("shop: Sync" in line for line in second.lines)
            first.send(signal.SIGTERM)
            first.ended()
            synced(second, "shop")


# --- a server that comes and goes ------------------------------------------------------------------------------------


def test_while_the_server_is_down_syncs_go_on_without_requests_and_jobs_follow_when_it_is_back(
    fleet: Fleet, postgres: PostgreSQL, youtube: Simulator
) -> None:
    site = fleet.site("a", "blog")
    with fleet.worker("a") as worker:
        synced(worker, "blog")
        until(lambda: fleet.jobs("succeeded") != [])
        postgres.stop()
        try:
            worker.until("Out of the fleet")
            synced(worker, "blog", 2)
            requests = youtube.requests
            site.put(f"content/{ids(1)[0]}.md", crlf(ids(1)[0], 5, 6))
            synced(worker, "blog", 2)
            until(lambda: is_right(site, youtube))
            assert youtube.requests == requests
        finally:
            postgres.start()
        worker.until("In the fleet of")
        before = len(fleet.jobs("succeeded"))
        until(lambda: len(fleet.jobs("succeeded")) > before)
        worker.send(signal.SIGTERM)
        assert worker.ended()[0] == 0
        assert not any("Error" in line for line in worker.lines), "no class of Python says what is wrong"


@pytest.mark.parametrize("network", [Network.REFUSES, Network.SWALLOWS], ids=str)
def test_a_network_that_is_cut_keeps_no_sync_waiting_for_long(
    fleet: Fleet, postgres: PostgreSQL, network: Network
) -> None:
    proxy = Proxy(postgres.port)
    place = ServerAddress(f"postgresql://postgres@127.0.0.1:{proxy.port}/{fleet.place.rpartition('/')[2]}")
    fleet.site("a", "blog", place=place)
    quickly = f"{QUICKLY}\nfrom syncer.state import ledger_connection as c\nc.ANSWER_SECONDS = c.CONNECT_SECONDS = 2\n"
    try:
        with fleet.worker("a", first=quickly) as worker:
            synced(worker, "blog")
            proxy.network = network
            worker.until("Out of the fleet")
            synced(worker, "blog", 2)
            proxy.network = Network.WORKS
            worker.until("In the fleet of")
            before = len(fleet.jobs("succeeded"))
            until(lambda: len(fleet.jobs("succeeded")) > before)
            worker.send(signal.SIGTERM)
            assert worker.ended()[0] == 0
    finally:
        proxy.close()


def test_a_worker_that_was_stopped_for_so_long_that_it_was_forgotten_joins_again(
    fleet: Fleet, postgres: PostgreSQL
) -> None:
    fleet.site("a", "blog")
    with fleet.worker("a") as worker:
        synced(worker, "blog")
        until(lambda: fleet.jobs("succeeded") != [])
        worker.send(signal.SIGSTOP)
        fleet.change(postgres, "DELETE FROM syncer_queue.procrastinate_workers")
        worker.send(signal.SIGCONT)
        worker.until("In the fleet of")
        before = len(fleet.jobs("succeeded"))
        until(lambda: len(fleet.jobs("succeeded")) > before)


# --- the tables ------------------------------------------------------------------------------------------------------


def test_a_table_that_somebody_removed_is_named(fleet: Fleet, postgres: PostgreSQL) -> None:
    fleet.site("a", "blog")
    fleet.change(postgres, "DROP TABLE syncer_queue.procrastinate_jobs CASCADE")
    done = fleet.command("a", "init")
    assert (done.returncode, "lacks syncer_queue.procrastinate_jobs, which somebody removed" in done.stderr) == (
        2,
        True,
    )


def test_the_tables_of_an_older_queue_are_updated(postgres: PostgreSQL, tmp_path: Path, youtube: Simulator) -> None:
    from syncer.fleet.queue import migrations

    place = postgres.new_ledger()
    fleet = Fleet(tmp_path, youtube, place)
    fleet.site("a", "blog", schedule=NEVER)
    old = [script for name, script in migrations() if name < "03.03"]
    fleet.change(postgres, "CREATE SCHEMA syncer_queue")
    for script in old:
        fleet.change(postgres, f"SET search_path = syncer_queue; {script}")
    fleet.change(postgres, "INSERT INTO syncer.meta VALUES ('queue', '03.02.00_50_post_batch_defer_jobs.sql')")
    assert "has no tables, or older ones; run" in fleet.command("a", "sync", "blog").stderr
    assert fleet.command("a", "init").stdout == f"The ledger {place} was updated (schema 2).\n"
    assert fleet.command("a", "init").stdout == f"The ledger {place} has the newest tables (schema 2).\n"
    with fleet.worker("a") as worker:
        synced(worker, "blog")
        until(lambda: fleet.jobs("succeeded") == ["blog"])


@pytest.mark.parametrize("other", ["03.02.00_50_post_batch_defer_jobs.sql", "99.00.00_01_pre_unknown.sql"])
def test_a_queue_of_another_version_is_used_by_nobody_and_both_are_named(
    fleet: Fleet, postgres: PostgreSQL, other: str
) -> None:
    fleet.site("a", "blog")
    with fleet.worker("a") as worker:
        synced(worker, "blog")
        fleet.change(postgres, f"UPDATE syncer.meta SET value = '{other}' WHERE name = 'queue'")
        done = fleet.command("a", "sync", "blog")
        assert (done.returncode, f"({other}, here " in done.stderr) == (2, True), done.stderr
    with fleet.worker("a") as worker:
        assert "fleet init`" in worker.until(f"({other}, here ")
        synced(worker, "blog")
