"""`syncer status`, `check` and `trigger` of several sites."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import threading
import time
from dataclasses import replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer

import pytest

from syncer.diff_log.lines import timestamp
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from syncer.state.lock import DaemonLock, daemon_address
from syncer.trigger import ANSWER_TIMEOUT, ask
from tests.daemon_process import Daemon, fill
from tests.forks import PIPE, Fork
from tests.repository import Repository
from tests.several import Sites
from tests.site import Run, Site
from tests.steered import get_by_socket, served
from tests.terminal import environment, on_a_terminal
from tests.waiting import TIMEOUT, until

BROKEN = "collections: [\n"
NEVER = "every: 900h, jitter: 0s"
PROBLEM = b"---\nvid_id: nonsense\nviewcount: 1\n---\n"


@pytest.fixture
def sites(tmp_path: Path, youtube: Simulator, syncer: Run, monkeypatch: pytest.MonkeyPatch) -> Sites:
    """No site yet; the working directory is the one above all, and `sites.d/` in it."""
    monkeypatch.chdir(tmp_path)
    return Sites(tmp_path, youtube.url)


def damage(site: Site) -> None:
    """Makes the state one of a newer version."""
    site.state.mkdir(exist_ok=True)
    with sqlite3.connect(site.state / "state.sqlite3") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


def test_status_has_a_line_for_each_site_and_says_which_need_attention_and_why(sites: Sites, syncer: Run) -> None:
    for name in ("blog", "docs", "new", "shop"):
        sites.add(name)
    sites.add("notes")
    sites.config("notes").write_text(BROKEN, encoding="utf-8")
    sites["shop"].put("content/bad.md", PROBLEM)
    syncer("-c", "sites.d", "sync", "--site", "blog", "--site", "shop")
    damage(sites["docs"])
    ran = syncer("-c", "sites.d", "status")
    head, blog, docs, new, shop, daemon, count, *reasons, end = ran.out.splitlines()
    assert head == "site  last sync (UTC)   changed  problems  missing  next sync (UTC)"
    assert blog[:4] == "blog"
    assert blog.split()[3:] == ["2", "0", "0", "-"]
    assert docs.split() == ["docs", *"-----"]
    assert new.split() == ["new", "-", "-", "-", "0", "-"]
    assert shop.split()[3:] == ["2", "1", "0", "-"]
    assert daemon == "No daemon is running; `syncer -c sites.d sync` updates the counts now."
    assert count == "3 of 5 sites need attention:"
    assert [reason.split(": ")[0] for reason in reasons] == [f"  {sites.config('notes')}:1", "  docs", "  shop"]
    assert reasons[2] == "  shop: There is 1 problem."
    assert end == "Run `syncer -c sites.d status --site NAME` to see more of a site."
    assert ran.code == 2
    assert [line.split(": ")[1] for line in ran.err.splitlines()] == [f"{sites.config('notes')}:1", "docs"]


def test_status_names_the_first_mistake_of_an_invalid_config_and_what_shows_all(sites: Sites, syncer: Run) -> None:
    for name in ("blog", "my notes"):
        sites.add(name)
    config = sites.config("my notes")
    text = config.read_text(encoding="utf-8").replace("fields:", "feilds:", 1)
    config.write_text(text, encoding="utf-8")
    shown = syncer("-c", "sites.d", "status").out
    assert ".feilds: unknown key; did you mean `fields`?\n" in shown
    assert "more error" not in shown
    config.write_text(f"{text}colour: red\n", encoding="utf-8")
    check = "`syncer -c 'sites.d/my notes.yaml' check`"
    assert f"did you mean `fields`? (and 1 more error: run {check})\n" in syncer("-c", "sites.d", "status").out


def test_status_shows_all_of_a_site_with_site_or_v_below_its_name(sites: Sites, syncer: Run) -> None:
    for name in ("blog", "shop"):
        sites.add(name)
    blog, shop = (syncer("-c", f"sites.d/{name}.yaml", "status").out for name in ("blog", "shop"))
    assert syncer("-c", "sites.d", "status", "--site", "shop").out == f"shop:\n{shop}"
    both = syncer("-c", "sites.d", "-v", "status").out
    assert both == f"blog:\n{blog}\nshop:\n{shop}"


def test_status_as_json_has_the_document_of_each_site(sites: Sites, syncer: Run) -> None:
    for name in ("blog", "shop"):
        sites.add(name)
    syncer("-c", "sites.d", "sync")
    alone = {name: syncer("-c", f"sites.d/{name}.yaml", "status", "--json").document for name in ("blog", "shop")}
    assert syncer("-c", "sites.d", "status", "--json").document == {"sites": alone, "exit": 0}


def test_the_table_of_sites_fits_a_terminal(sites: Sites) -> None:
    for name in ("a-site-name", "blog"):
        sites.add(name, git="commit: false")
    shown = on_a_terminal(sites["blog"], "-c", str(sites.folder), "status", COLUMNS="80").decode()
    assert "a-site-name  -" in shown, "the name is on the line of its site"


def test_status_says_of_a_running_daemon_when_the_next_sync_is(sites: Sites, syncer: Run) -> None:
    sites.add("blog", schedule=NEVER)
    sites.add("shop", schedule=NEVER)
    with Daemon(sites["shop"]) as daemon:
        daemon.until("Sync 2")
        _, blog, shop, without, *_ = syncer("-c", "sites.d", "status").out.splitlines()
    assert (blog.split()[-1], without) == ("-", "No daemon syncs blog.")
    assert len(shop.split()[-2]) == len("2026-11-28")


def test_check_checks_each_site_and_lists_the_mistakes_of_an_invalid_config(sites: Sites, syncer: Run) -> None:
    for name in ("blog", "notes", "shop"):
        sites.add(name, key="NO_SUCH_KEY" if name == "shop" else None)
    sites.config("notes").write_text(BROKEN, encoding="utf-8")
    ran = syncer("-c", "sites.d", "check", "--json")
    document = ran.document
    assert (ran.code, document["exit"], list(document["sites"])) == (1, 1, ["sites.d/notes.yaml", "blog", "shop"])
    errors = {
        name: [check["name"] for check in entry["checks"] if check["level"] == "error"]
        for name, entry in document["sites"].items()
    }
    assert errors == {"sites.d/notes.yaml": ["config"], "blog": [], "shop": ["key"]}
    assert [entry["exit"] for entry in document["sites"].values()] == [1, 0, 1]
    text = syncer("-c", "sites.d", "check", "--offline").out
    heads = re.findall(r"^(.+): \d+ checks?, ", text, re.MULTILINE)
    assert heads == ["sites.d/notes.yaml", "blog", "shop"]
    assert text.endswith("\n\n3 sites, 2 with errors: sites.d/notes.yaml, shop; 2 with warnings: blog, shop.\n")


@pytest.fixture
def one_locked(sites: Sites) -> Sites:
    """Two sites: all is ok in `blog`; in `shop`, no page can be written."""
    for name in ("blog", "shop"):
        sites.add(name, quota="stats_units_per_day: 5000")
        Repository(sites[name].root).git("init", "--quiet")
    next(sites["shop"].root.glob("content/*.md")).chmod(0o444)
    return sites


def names(lines: list[str]) -> list[str]:
    """The levels and names of findings, without their messages: one has the time."""
    return [re.sub(":.+", ":", line) for line in lines]


def test_check_of_several_sites_shows_what_is_not_ok_and_with_site_or_v_all(one_locked: Sites, syncer: Run) -> None:
    alone = {name: syncer("-c", f"sites.d/{name}.yaml", "check", "--offline").out for name in ("blog", "shop")}
    lines = {name: text.splitlines() for name, text in alone.items()}
    wrong = [line for line in lines["shop"] if not line.startswith("ok")]
    assert len(wrong) == 1
    short = syncer("-c", "sites.d", "check", "--offline").out.splitlines()
    assert short == [
        f"blog: {len(lines['blog'])} checks, all ok",
        f"shop: {len(lines['shop'])} checks, 1 not ok:",
        *wrong,
        "",
        "2 sites, 1 with errors: shop; none with warnings.",
    ]
    in_full = [["blog:", *names(lines["blog"])], ["shop:", *names(lines["shop"])]]
    both = syncer("-c", "sites.d", "-v", "check", "--offline").out.splitlines()
    assert names(both) == [*in_full[0], "", *in_full[1], "", "2 sites, 1 with errors:"]
    assert names(syncer("-c", "sites.d", "check", "--offline", "--site", "blog").out.splitlines()) == in_full[0]


def test_a_quiet_check_prints_only_warnings_and_errors_on_standard_error(one_locked: Sites, syncer: Run) -> None:
    fine = syncer("-c", "sites.d/blog.yaml", "-q", "check", "--offline")
    assert (fine.out, fine.err) == ("", "")
    shop = syncer("-c", "sites.d/shop.yaml", "-q", "check", "--offline")
    assert (shop.out, shop.err.count("\n")) == ("", 1)
    assert shop.err.startswith("error   permissions: ")
    both = syncer("-c", "sites.d", "-q", "check", "--offline")
    head, *rest = both.err.splitlines(keepends=True)
    assert (both.out, head[:6], "".join(rest)) == ("", "shop: ", shop.err)
    as_json = syncer("-c", "sites.d", "-q", "check", "--offline", "--json")
    assert (as_json.err, list(as_json.document["sites"])) == ("", ["blog", "shop"])


def findings(syncer: Run, *options: str) -> dict[str, list[tuple[str, str, str]]]:
    """What a check says beyond `ok`, without what it says of each site of the tests."""
    document = syncer("-c", "sites.d", "check", "--offline", "--json", *options).document
    return {
        name: [
            (check["name"], check["level"], check["message"])
            for check in entry["checks"]
            if check["level"] != "ok" and check["name"] != "git"
        ]
        for name, entry in document["sites"].items()
    }


def test_check_warns_of_one_key_without_one_ledger(sites: Sites, syncer: Run) -> None:
    for name in ("blog", "docs", "shop"):
        sites.add(name)
    found = findings(syncer)
    assert found["blog"] == []
    assert [each[:2] for each in found["docs"]] == [("quota", "warning")]
    [(_, _, message)] = found["shop"]
    assert message.startswith("The API key is also that of 'blog', 'docs'. Together, the sites with this key may use")
    assert "may use 30,000 stats units a day, but a Google project has 10,000" in message
    for name in ("blog", "shop"):
        sites.configure(name, quota="ledger: ../ledger.sqlite3")
    assert [found for found in findings(syncer)["shop"] if "30,000" in found[2]] == [], "a ledger counts once"
    sites.configure("docs", quota="ledger: ../ledger.sqlite3")
    assert [found for found in findings(syncer)["shop"] if "API key" in found[2]] == []


@pytest.mark.parametrize(("units", "warns"), [(5000, False), (5001, True), (10_000, True)])
def test_a_quota_is_divided_by_hand_if_the_parts_are_no_more_than_the_whole(
    sites: Sites, syncer: Run, units: int, warns: bool
) -> None:
    for name in ("blog", "docs"):
        sites.add(name, quota=f"stats_units_per_day: {units}")
    assert bool(findings(syncer)["docs"]) == warns


def test_sites_of_one_ledger_have_one_endpoint(sites: Sites, syncer: Run) -> None:
    for name in ("blog", "docs"):
        sites.add(name, quota="ledger: ../ledger.sqlite3")
    assert [found for found in findings(syncer)["docs"] if found[1] == "error"] == []
    text = sites.config("docs").read_text(encoding="utf-8")
    sites.config("docs").write_text(text.replace("http://127.0.0.1", "http://localhost"), encoding="utf-8")
    [(name, _, message)] = [found for found in findings(syncer)["docs"] if found[1] == "error"]
    assert name == "ledger"
    assert message.startswith("`youtube.endpoint` differs from that of 'blog', which has the same `quota.ledger`.")


def test_check_adds_up_the_shares_that_the_configs_state_before_any_site_has_synced(sites: Sites, syncer: Run) -> None:
    for name, share in (("blog", "70%"), ("docs", "60%"), ("shop", "5%")):
        sites.add(name, quota=f"ledger: ../ledger.sqlite3, share: {share}")
    said = [name for name, found in findings(syncer).items() if any("are 130% together" in each[2] for each in found)]
    assert said == ["docs"]


def test_the_table_of_status_has_each_ledger_once_and_each_warning_once(
    sites: Sites, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP", "another-key-of-the-same-project")
    for name in ("blog", "docs", "shop"):
        sites.add(name, key="SHOP" if name == "shop" else None, quota="ledger: ../ledger.sqlite3")
    syncer("-c", "sites.d", "sync")
    out = syncer("-c", "sites.d", "status").out
    assert [line[:27] for line in out.splitlines() if "Quota" in line] == ["Quota ledger: 3 sites use /"]
    assert "\n  blog, docs, shop: Two keys use" in out
    assert out.count("Two keys") == 1
    assert "\n3 of 3 sites need attention:\n" in out


def test_two_sites_have_their_own_states_and_directories(sites: Sites, syncer: Run) -> None:
    sites.add("blog")
    sites.add("docs", state=f"directory: {sites['blog'].state}")
    sites.add("shop")
    text = sites.config("shop").read_text(encoding="utf-8")
    again = text.replace(str(sites["shop"].root), str(sites["blog"].root))
    sites.config("shop").write_text(f"{again}name: shop\n", encoding="utf-8")
    found = findings(syncer)
    [docs], [shop] = found["sites.d/docs.yaml"], found["sites.d/shop.yaml"]
    assert (found.keys() >= {"blog"}, docs[:2], shop[:2]) == (True, ("config", "error"), ("config", "error"))
    assert docs[2].startswith("sites.d/docs.yaml: `state.directory`: sites.d/blog.yaml uses the same one")
    assert shop[2].startswith("sites.d/shop.yaml: sites.d/blog.yaml has the same site")


def test_a_page_of_two_sites_is_a_warning(sites: Sites, syncer: Run) -> None:
    sites.add("outer", pages=2)
    sites.add("inner", inside="outer/content", pages=2)
    [warning] = [found for found in findings(syncer)["outer"] if found[0] == "content"]
    first = min(f"content/inner/content/{video}.md" for video in sites.videos("inner", 2))
    assert warning[1] == "warning"
    assert f"2 files also in a collection of 'inner', which writes the same counts: {first}" in warning[2]
    shutil.rmtree(sites["outer"].root / "content/lists")
    text = sites.config("outer").read_text(encoding="utf-8").replace('["/lists/"]', '["/lists/", "/inner/"]')
    (sites["outer"].root / "content/lists").mkdir()
    sites.config("outer").write_text(text, encoding="utf-8")
    assert [found for found in findings(syncer)["outer"] if found[0] == "content"] == []


def test_a_status_page_of_a_later_config_is_the_first_one_or_an_error(sites: Sites, syncer: Run) -> None:
    for name in ("blog", "shop"):
        sites.add(name)
    assert [found for found in findings(syncer)["shop"] if found[0] == "daemon"] == []
    sites.configure("shop", status_page="listen: '127.0.0.1:8799', hosts: [example.org]")
    found = [found for found in findings(syncer)["shop"] if found[0] == "daemon"]
    [(_, level, text)] = found
    assert (level, "`status_page.listen` differs from the one in sites.d/blog.yaml" in text) == ("error", True)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        for name in ("blog", "shop"):
            sites.configure(name, status_page=f"listen: '127.0.0.1:{taken}'")
        found_by_site = findings(syncer)
        assert [any(f"{taken}" in found[2] for found in found_by_site[name]) for name in ("blog", "shop")] == [
            True,
            False,
        ], "the first one's is the daemon's"
    text = sites.config("shop").read_text(encoding="utf-8")
    without = "\n".join(line for line in text.splitlines() if not line.startswith("status_page"))
    sites.config("shop").write_text(f"{without}\n", encoding="utf-8")
    assert [found for found in findings(syncer)["shop"] if found[0] == "daemon"] == [], "it does not set any"


def test_ctrl_c_stops_a_check_at_once_and_begins_no_other(sites: Sites) -> None:
    with Simulator(World(), latency=3.0) as slow:
        for name in ("blog", "shop"):
            sites.add(name)
            text = sites.config(name).read_text(encoding="utf-8")
            sites.config(name).write_text(re.sub("'http[^']*'", f"'{slow.url}'", text), encoding="utf-8")
        words = ["-m", "syncer", "-c", "sites.d", "check", "--json"]
        with Fork(*words, cwd=sites.root, env=environment(), stdout=PIPE, stderr=PIPE) as process:
            until(lambda: slow.requests >= 1 or process.poll() is not None)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=TIMEOUT)
    document = json.loads(out)
    assert process.returncode == document["exit"] == 130
    assert [entry["error"]["kind"] for entry in document["sites"].values()] == ["stopped", "stopped"]
    assert err.endswith("syncer: stopped before the turn of shop\n")


def test_trigger_makes_all_daemons_sync_and_prints_each_result_below_its_name(sites: Sites, syncer: Run) -> None:
    for name in ("blog", "docs", "shop"):
        sites.add(name, schedule=NEVER)
    with Daemon(sites["blog"]) as blog, Daemon(sites["shop"]) as shop:
        for daemon in (blog, shop):
            daemon.until("Sync 2")
        sites["shop"].put("content/bad.md", PROBLEM)
        ran = syncer("-c", "sites.d", "trigger")
        assert ran.out == (
            "blog:\n1 page, 1 video: none requested. Changed 0 counts on 0 pages.\n"
            "Skipped 1 video checked less than 5 minutes ago or gone"
            " (`syncer -c sites.d/blog.yaml sync --all` includes them).\n\n"
            "shop:\n1 page, 1 video: none requested. Changed 0 counts on 0 pages.\n"
            "Skipped 1 video checked less than 5 minutes ago or gone"
            " (`syncer -c sites.d/shop.yaml sync --all` includes them).\n"
            "1 problem: run `syncer -c sites.d/shop.yaml status` to see it.\n\n"
            "3 sites, 2 need attention: docs, shop.\n"
        )
        assert ran.err.startswith("syncer: docs: no daemon syncs this site; ")
        assert ran.code == 2
        ran = syncer("-c", "sites.d", "trigger", "--no-wait", "--site", "blog")
        to_see = "Run `syncer -c sites.d status` to see how it went."
        assert (ran.code, ran.out) == (0, f"The daemon syncs blog now. {to_see}\n")
    ran = syncer("-c", "sites.d", "trigger")
    assert (ran.code, ran.out, ran.err.count("no daemon is running")) == (2, "", 1), "said once"


def test_all_sites_are_triggered_before_the_first_is_waited_for(sites: Sites) -> None:
    with Simulator(World(), latency=0.5) as slow:
        for name in ("blog", "shop"):
            sites.add(name, schedule=NEVER)
        Site(sites["blog"].root, slow.url).configure(schedule=NEVER, youtube="connections: 1")
        with Daemon(sites["blog"]) as blog, Daemon(sites["shop"]) as shop:
            for daemon in (blog, shop):
                daemon.until("Sync 2")
            fill(sites["blog"], 200)
            asked = slow.requests
            with Fork(
                "-m", "syncer", "-c", "sites.d", "trigger", cwd=sites.root, env=environment(), stderr=PIPE
            ) as ran:
                until(lambda: slow.requests > asked)
                shop.until("Sync 2")
                ran.send_signal(signal.SIGINT)
                _, err = ran.communicate(timeout=TIMEOUT)
    assert ran.returncode == 130
    assert err == (
        "syncer: blog: stopped waiting; the daemon continues the sync\nsyncer: stopped before the turn of shop\n"
    )


def test_the_sites_of_one_daemon_are_triggered_through_its_one_socket(sites: Sites, syncer: Run) -> None:
    for name in ("blog", "caf\u00e9 & co", "first"):
        sites.add(name, schedule=NEVER)
    sites.config("first").unlink()
    with Daemon(sites["first"], "-c", str(sites.folder)) as daemon:
        for _ in range(3):
            daemon.until("Sync 2")
        for name in ("blog", "caf\u00e9 & co"):
            fill(sites[name], 5)
        ran = syncer("-c", "sites.d", "trigger")
        assert (ran.code, ran.err) == (0, "")
        blog, cafe, end = ran.out.split("\n\n")
        assert blog.startswith("blog:\n6 pages, 6 videos: 5 requested, 5 returned. Changed 10 counts on 5 pages.\n")
        assert cafe.startswith("caf\u00e9 & co:\n6 pages, 6 videos: 5 requested, 5 returned. Changed 10 counts")
        assert end == "2 sites, none needs attention.\n"
        rows = syncer("-c", "sites.d", "status").out.splitlines()[1:3]
        assert [row.split()[-1] == "-" for row in rows] == [False, False], "a daemon syncs both"
        sites.config("blog").write_text(BROKEN, encoding="utf-8")
        daemon.until("Site left out")
        assert syncer("-c", "sites.d", "trigger", "--no-wait").code == 1
    assert "no daemon is running" in syncer("-c", f"{sites['first'].config}", "trigger").err


def test_status_shows_when_the_daemon_syncs_next_and_not_only_what_follows_from_the_schedule(
    sites: Sites, syncer: Run
) -> None:
    """The first interval of each site is shorter, by chance."""
    names = ("blog", "caf\u00e9 & co", "shop")
    for name in names:
        sites.add(name, schedule=NEVER)
    alone = {name: syncer("-c", f"sites.d/{name}.yaml", "status", "--json").document["next_sync"] for name in names}
    with Daemon(sites["blog"], config=sites.folder) as daemon:
        for _ in names:
            daemon.until("Sync 2")
        view = ask(socket_of(sites["blog"]))
        found = syncer("-c", "sites.d", "status", "--json").document["sites"]
        one = syncer("-c", "sites.d/shop.yaml", "status", "--json").document
        rows = syncer("-c", "sites.d", "status").out.splitlines()[1:4]
    assert view
    known = {name: each.next_sync for name, each in view.sites.items() if each.next_sync}
    assert {name: datetime.fromisoformat(each["next_sync"]) for name, each in found.items()} == known
    assert one["next_sync"] == found["shop"]["next_sync"]
    assert [row.split()[-2:] for row in rows] == [f"{at:%Y-%m-%d %H:%M}".split() for at in known.values()]
    assert len({*alone.values(), *(each["next_sync"] for each in found.values())}) > len(names)


def test_a_daemon_of_one_site_is_asked_too(site: Site, syncer: Run) -> None:
    with served(site) as page:
        DaemonLock(site.state).name_socket(page.socket, "")
        at = page.steered.daemon_state.next_sync
        assert at
        assert syncer("status", "--json").document["next_sync"] == timestamp(at)
        planned = syncer("plan", "--json").document["next"]
        assert (planned["scheduled"], planned["at"]) == (True, timestamp(at)), "plan says when, too"
        page.steered.daemon_state = replace(page.steered.daemon_state, next_sync=None)
        assert syncer("status", "--json").document["next_sync"] != timestamp(at)
        page.steered.daemon_state = replace(page.steered.daemon_state, trouble="The disk is gone.")
        assert "The last sync could not run: The disk is gone.\n" in syncer("status").out
        assert syncer("status", "--json").document["daemon"] == page.get("/api/v1/status").document["daemon"]
        assert "the last sync could not run: The disk is gone.\n" in syncer("check", "--offline").out


def test_what_a_daemon_leaves_out_says_why_in_status_check_and_trigger(
    sites: Sites, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("blog", "shop"):
        sites.add(name, schedule=NEVER)
    sites.configure("shop", schedule=NEVER, youtube=f"api_key_file: {sites.root}/nowhere")
    with Daemon(sites["blog"], config=sites.folder) as daemon:
        daemon.until("Sync 2")
        one = syncer("-c", "sites.d", "status", "--site", "shop").out
        documents = syncer("-c", "sites.d", "status", "--json").document["sites"]
        said = get_by_socket(socket_of(sites["blog"]), "/api/v1/daemon").document
        every = syncer("-c", "sites.d", "status").out
        checked = syncer("-c", "sites.d", "check", "--offline", "--site", "shop").out
        asked = syncer("-c", "sites.d", "trigger", "--site", "shop")
        lock = DaemonLock(sites["shop"].state)
        lock.name_socket(socket_of(sites["blog"]), "/sites/shop")
        refused = syncer("-c", "sites.d/shop.yaml", "trigger")
        assert "No daemon is running" in syncer("-c", "sites.d/shop.yaml", "status").out
        lock.close()
    assert "The daemon leaves out this site: " in one
    assert (documents["blog"]["daemon"], documents["blog"]["left_out"]) == (said["sites"]["blog"], [])
    assert (documents["shop"]["daemon"], documents["shop"]["left_out"]) == (None, said["left_out"])
    assert "shop: The daemon leaves it out: " in every
    assert "No daemon syncs" not in every
    assert "daemon: The running daemon leaves out this site: " in checked
    assert (asked.code, "the daemon leaves out this site: " in asked.err) == (2, True)
    assert (refused.code, "no daemon syncs this site" in refused.err) == (2, True)


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{}", b'{"sites": 3}', b'{"sites": {"a": 7}, "left_out": []}', b'{"sites": {}}', b"\xff", b"[" * 100_000,
     b'{"sites": {"a": {"next_sync": "soon", "trouble": null}}, "left_out": []}', None],
)  # fmt: skip
def test_a_daemon_that_does_not_say_when_it_syncs_is_no_error(tmp_path: Path, body: bytes | None) -> None:
    """Of another version, or it does not respond: `None`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        ended = threading.Event()
        thread = threading.Thread(target=answer_once, args=(listener, body, ended))
        thread.start()
        before = time.monotonic()
        assert ask(tmp_path / "s") is None
        assert time.monotonic() - before < ANSWER_TIMEOUT
        ended.set()
        thread.join()


def answer_once(listener: socket.socket, body: bytes | None, ended: threading.Event) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        if body is not None:
            connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        ended.wait(TIMEOUT)


def socket_of(site: Site) -> Path:
    address = daemon_address(site.state)
    assert address
    return address.socket


class Asked(BaseHTTPRequestHandler):
    """A daemon of several sites that has just one response."""

    paths: list[str] = []  # noqa: RUF012 - one server at a time

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.paths.append(self.path)
        self.send_response(202)
        self.send_header("Location", f"{self.path}/1")
        self.end_headers()

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.send_response(200)
        self.end_headers()
        report = {"error": {"kind": "git", "message": "as asked"}, "exit": 2}
        self.wfile.write(json.dumps({"progress": None, "report": report}).encode())

    def log_message(self, *_: object) -> None: ...


def test_the_prefix_in_the_address_of_a_daemon_is_part_of_what_is_requested(sites: Sites, syncer: Run) -> None:
    made = sites.add("blog")
    made.state.mkdir()
    path = Path(os.environ["XDG_RUNTIME_DIR"], "other.sock")
    lock = DaemonLock(made.state)
    with UnixStreamServer(str(path), Asked) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        lock.name_socket(path, "/sites/a%20blog")
        ran = syncer("-c", "sites.d", "trigger")
        lock.name_socket(path, "/sites/caf\u00e9 \n")
        damaged = syncer("-c", "sites.d", "trigger")
        server.shutdown()
        thread.join()
    lock.close()
    assert Asked.paths == ["/sites/a%20blog/api/v1/triggers", "/sites/a%20blog/api/v1/triggers/1"]
    assert (ran.code, ran.err) == (2, "syncer: blog: as asked\n")
    assert (damaged.code, "cannot reach the daemon" in damaged.err, "Traceback" in damaged.err) == (2, True, False)
