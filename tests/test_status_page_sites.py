"""The status page, the API and the metrics of a daemon with several sites, over real HTTP."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from syncer.config.sections import Config
from syncer.control import LastSync, SyncProgress
from syncer.errors import ConfigError
from syncer.simulator.server import Simulator
from syncer.status_page import guard, site_reads, sockets
from syncer.status_page.metrics import Counters
from tests.daemon_process import Daemon
from tests.ports import free_port
from tests.site import KEY, Site, crlf, ids, plain
from tests.steered import Served, ServedSites, served, served_sites
from tests.test_status_page import Reader, samples
from tests.test_status_page_crowd import read_all, send
from tests.waiting import until

HOUR = timedelta(hours=1)
NOW = datetime.now(UTC)
GOOD = LastSync("20261122T150003Z-9f2c", NOW - 2 * HOUR, 0, 20, 3, 12, 0, 1)
OLD = "The last successful sync of the whole site started 13 hours ago, more than twice the sync interval."
ODD_NAMES = ("a&b <i>", "100%", "%41", "caf\u00e9 #1?", "..", "x\\y", "sites")
"""Names that an address or a page can break on. The config refuses `..`; the page must not depend on that."""


def make_site(directory: Path, youtube: Simulator, name: str) -> Site:
    site = Site(directory / name, youtube.url)
    (site.root / "content" / "lists").mkdir(parents=True)
    site.configure()
    return site


@pytest.fixture
def sites(tmp_path: Path, youtube: Simulator) -> list[Site]:
    """Two sites; the first has a page."""
    made = [make_site(tmp_path, youtube, name) for name in ("blog", "shop")]
    made[0].put("content/a.md", crlf(ids(1)[0], 1, 2))
    return made


@pytest.fixture
def page(sites: list[Site]) -> Iterator[ServedSites]:
    with served_sites(*sites) as running:
        yield running


def triggered(page: ServedSites, name: str) -> dict[str, object]:
    """Triggers a sync of a site by the API, follows it, and returns its report."""
    answer = page.post(f"/sites/{quote(name, safe='')}/api/v1/triggers")
    location = answer.headers["location"]
    assert location == f"/sites/{quote(name, safe='')}/api/v1/triggers/{answer.document['trigger']}"
    until(lambda: page.get(location).document["state"] == "done")
    report: dict[str, object] = page.get(location).document["report"]
    return report


def set_state(page: ServedSites, name: str, **changes: object) -> None:
    steered = page.sites[name]
    steered.daemon_state = replace(steered.daemon_state, **changes)  # type: ignore[arg-type]


def rows(page: Served) -> dict[str, list[str]]:
    """The rows of the overview, by name in their order: the texts of their cells."""
    found = re.findall(r'<tr><th scope="row"><a href="[^"]*">(.*?)</a></th>(.*?)</tr>', page.get("/").text)
    return {name: [re.sub("<[^>]*>", "", cell) for cell in cells.split("</td>")[:-1]] for name, cells in found}


def test_the_overview_has_a_row_for_each_site_from_what_the_daemon_knows(page: ServedSites) -> None:
    set_state(page, "blog", last=GOOD, last_whole=NOW)
    shown = rows(page)
    last, next_sync = (f"{at:%Y-%m-%d %H:%M}" for at in (GOOD.finished, page.sites["blog"].state().next_sync or NOW))
    assert shown["blog"] == ["idle", f"{last}, 2 hours ago", "12", "0", "1", next_sync]
    assert shown["shop"][:2] == ["idle. No sync yet.", "-"]
    assert "2 sites. None needs attention." in page.get("/").text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"stalled": True, "running": True},
            "needs attention. The running sync does not respond: a disk may hang, or a program that it started.",
        ),
        ({"trouble": "/srv is gone"}, "needs attention. The last sync could not run: /srv is gone."),
        ({"last": replace(GOOD, exit=3)}, "needs attention. The last sync read nothing from YouTube."),
        (
            {"last_whole": NOW - 13 * HOUR},
            f"needs attention. {OLD}",
        ),
        ({"config_error": "a: b"}, "needs attention. The new config is invalid, so the old one is still in use: a: b."),
        ({"last": replace(GOOD, exit=1, problems=2)}, "needs attention. There are 2 problems."),
        ({"last": replace(GOOD, exit=1, brake=True)}, "needs attention. The safety brake holds readings."),
        (
            {"last": replace(GOOD, exit=1, over_quota=3)},
            "needs attention. The last sync left out 3 videos for lack of quota.",
        ),
        ({"last_whole": None}, "needs attention. No sync of the whole site has finished yet."),
    ],
)
def test_a_site_that_needs_attention_comes_first_with_the_reason(
    page: ServedSites, changes: dict[str, object], words: str
) -> None:
    for name in ("blog", "shop"):
        set_state(page, name, last=GOOD, last_whole=NOW)
    assert list(rows(page)) == ["blog", "shop"]
    set_state(page, "shop", **changes)
    shown = rows(page)
    assert list(shown) == ["shop", "blog"]
    assert shown["shop"][0] == words
    assert "2 sites. 1 needs attention." in page.get("/").text


def test_a_site_that_syncs_shows_how_far_it_is_and_the_page_refreshes(page: ServedSites) -> None:
    assert 'http-equiv="refresh"' not in page.get("/").text
    set_state(page, "shop", running=True, progress=SyncProgress("write", 5, 20), next_sync=None)
    assert rows(page)["shop"] == ["syncing. Writing pages: 5 of 20.", "-", "-", "-", "-", "-"]
    assert 'http-equiv="refresh"' in page.get("/").text
    assert "1 syncing." in page.get("/").text


def test_configs_that_are_left_out_are_shown_with_the_reason(page: ServedSites) -> None:
    assert "Left out" not in page.get("/").text
    page.left_out["/etc/sites.d/x.yaml"] = "line 6: schedule.evry: unknown <key>\nno `site`"
    page.left_out["/etc/sites.d/y.yaml"] = "no key"
    shown = page.get("/").text
    findings = "line 6: schedule.evry: unknown &lt;key&gt;; no <code>site</code>"
    assert f'<li><span class="path">/etc/sites.d/x.yaml</span>: {findings}</li>' in shown
    assert '<li><span class="path">/etc/sites.d/y.yaml</span>: no key</li>' in shown
    assert "2 sites. None of them needs attention, but 2 configs are left out." in shown
    assert 'class="verdict wrong"' in shown
    entries = [{"config": path, "message": message} for path, message in page.left_out.items()]
    assert page.get("/api/v1/status").document["left_out"] == entries
    assert page.get("/api/v1/sites").document == {"sites": ["blog", "shop"], "left_out": entries}
    assert samples(page)["syncer_sites_left_out"] == 2


def test_a_config_whose_name_is_not_utf_8_is_named_with_escapes(page: ServedSites) -> None:
    page.left_out["/etc/sites.d/caf\udce9.yaml"] = "invalid"
    for document in ("status", "sites", "daemon"):
        assert page.get(f"/api/v1/{document}").document["left_out"][0]["config"] == "/etc/sites.d/caf\udce9.yaml"
    assert "left out: /etc/sites.d/caf\\udce9.yaml" in page.get("/readyz").text
    assert page.get("/").status == 200


def test_each_site_has_the_whole_page_of_today_below_its_name(sites: list[Site], page: ServedSites) -> None:
    sites[0].put("content/odd.md", plain(ids(2)[1], "1.2M", 2))
    sync = triggered(page, "blog")["sync"]
    video = ids(1)[0]
    paths = ["", "videos", "problems", f"videos/{video}", f"syncs/{sync}", "api/v1/status", "api/v1/quota"]
    paths += ["api/v1/syncs", f"api/v1/syncs/{sync}", "api/v1/videos", f"api/v1/videos/{video}/history", "readyz"]
    assert {path: page.get(f"/sites/blog/{path}").status for path in paths} == dict.fromkeys(paths, 200)
    assert page.get("/sites/shop/readyz").status == 503
    assert page.get("/sites/shop/api/v1/syncs").document == {"syncs": []}
    assert [site.state.joinpath("diff.jsonl").exists() for site in sites] == [True, False]
    for gone in ("/videos", "/api/v1/syncs", f"/syncs/{sync}", "/triggers/1", "/api/v1/triggers/1"):
        assert page.get(gone).status == 404, "without a site's name these are nobody's"
    assert page.post("/api/v1/triggers").status == page.post("/triggers").status == 404


def test_the_pages_of_a_site_are_those_that_it_has_alone_but_for_their_links_and_the_switcher(
    sites: list[Site],
) -> None:
    """So the pages of one plain config are what they were: this compares all but the frame and the prefix."""
    site = sites[0]
    site.put("content/odd.md", plain(ids(2)[1], "1.2M", 2))
    syncs = [site.sync(NOW - hours * HOUR).sync for hours in (2, 1)]
    paths = ["/", "/videos", f"/videos/{ids(1)[0]}", "/problems", f"/syncs/{syncs[0]}", f"/syncs/{syncs[1]}"]
    paths += ["/nothing", "/api/v1/syncs", f"/api/v1/syncs/{syncs[0]}", "/api/v1/videos?search=a", "/api/v1/nothing"]
    with served(site) as alone:
        texts = {path: alone.get(path).text for path in paths}
    with served_sites(*sites) as page:
        for path, text in texts.items():
            shown = page.get(f"/sites/blog{path}").text
            assert not re.search(r'(href|action)="/(?!sites|style.css|icon.svg|")', shown), path
            shown = re.sub("<form [^>]*switcher.*?</form>", "", shown, count=1).replace("/sites/blog", "")
            shown = shown.replace(" - blog - syncer</title>", " - syncer</title>").replace(
                "syncer</a> blog", "syncer</a>"
            )
            shown = re.sub('<li><a href="/">All sites</a></li>', "", shown, count=1)
            assert without_times(shown) == without_times(text), path
    assert 'class="switcher"' not in "".join(texts.values())
    assert "/sites" not in "".join(texts.values())


def without_times(text: str) -> str:
    return re.sub(r"\d+ (second|minute|hour)s?|<time.*?</time>", "", text)


def test_the_forms_and_redirects_of_a_site_stay_with_it(sites: list[Site], page: ServedSites) -> None:
    answer = page.post("/sites/blog/triggers", b"")
    assert (answer.status, answer.headers["location"]) == (303, "/sites/blog/triggers/1")
    until(lambda: page.get("/sites/blog/triggers/1").status == 303)
    assert page.get("/sites/blog/triggers/1").headers["location"].startswith("/sites/blog/syncs/2")
    assert page.get("/sites/shop/triggers/1").status == 404
    for path in ("videos", "api/v1/videos"):
        answer = page.get(f"/sites/blog/{path}?state=doubtful")
        assert (answer.status, answer.headers["location"]) == (308, f"/sites/blog/{path}?state=unconfirmed")
    assert page.get("/sites/blog").headers["location"] == "/sites/blog/"
    assert not sites[1].log_lines()


def test_the_switcher_names_all_sites_and_leads_to_the_chosen_one(page: ServedSites) -> None:
    for path in ("/sites/shop/", "/sites/shop/videos", "/sites/shop/nothing", "/sites/shop/triggers/9"):
        shown = page.get(path).text
        assert "<option>blog</option><option selected>shop</option>" in shown, path
        assert '<a href="/">All sites</a>' in shown
    answer = page.get("/sites?name=blog")
    assert (answer.status, answer.headers["location"]) == (303, "/sites/blog/")
    assert page.get("/sites").headers["location"] == "/"
    assert page.get("/sites?name=none").status == 404
    assert page.get("/sites?name=//evil.example").status == 404


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_with_odd_characters_works_in_addresses_pages_and_metrics(sites: list[Site], name: str) -> None:
    with served_sites(*sites, names=(name, "A")) as page:
        assert triggered(page, name)["changed_counts"] == 2
        [link, _] = re.findall(r'<th scope="row"><a href="([^"]*)"', page.get("/").text)
        assert link == f"/sites/{quote(name, safe='')}/"
        assert "Café" in page.get(f"{link}videos").text
        answer = page.get(f"/sites?name={quote(name, safe='')}")
        assert answer.headers["location"] == link
        assert page.get(link.rstrip("/")).headers["location"] == link
        sync = page.get(f"{link}api/v1/syncs").document["syncs"][0]["sync"]
        assert page.get(f"{link}triggers/1").headers["location"] == f"{link}syncs/{sync}"
        assert page.get("/sites/A/api/v1/syncs").document["syncs"] == []
        assert set(page.get("/api/v1/status").document["sites"]) == {name, "A"}
        escaped = name.replace("\\", r"\\")
        assert samples(page)[f'syncer_pages{{site="{escaped}"}}'] == 1
        assert "<i>" not in page.get("/").text + page.get(link).text


@pytest.mark.parametrize(
    "path",
    ["none/", "none", "none/videos", "../", "..", "%2e%2e/", "blog%2f/", "%2fblog/", "BLOG/", "blog%00/", "/", "%ff/"],
)
def test_a_name_that_no_site_has_is_not_found(page: ServedSites, path: str) -> None:
    answer = page.get(f"/sites/{path}")
    assert answer.status == 404
    assert answer.text.startswith("<!doctype html>")
    assert "syncer" in answer.text


@pytest.mark.parametrize("path", ["none/api/v1/status", "none/readyz", "blog/api/v1/none", "blog/api/v1/syncs/x"])
def test_errors_below_a_site_s_api_are_json(page: ServedSites, path: str) -> None:
    answer = page.get(f"/sites/{path}")
    assert (answer.status, answer.document["error"]["kind"]) == (404, "http")


def test_each_shared_ledger_is_shown_once_however_many_sites_use_it(sites: list[Site], tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite3"
    for site in sites:
        site.configure(quota=f"ledger: '{ledger}', stats_units_per_day: 5000")
        site.put("content/b.md", crlf(ids(1)[0], 1, 2))
        site.sync(NOW)
    with served_sites(*sites) as page:
        shown = page.get("/").text.partition('id="ledgers"')[2]
        assert shown.count(f"2 sites use {ledger}: ") == 1
        assert re.search(r"[12] of 5,000 stats units", shown)
        for text in (shown, page.get("/sites/blog/").text.partition('id="now"')[2]):
            assert "Requests to <code>videos.batchGetStats</code> take stats units." in text
            assert "Requests to <code>videos.list</code> take general units." in text
        ledger.write_bytes(b"no ledger" * 100)
        answer = page.get("/")
        assert (answer.status, list(rows(page))) == (200, ["blog", "shop"])
        assert str(ledger) in answer.text.partition('id="ledgers"')[2]


def attention(page: ServedSites, name: str) -> list[str]:
    """What the API says of a site."""
    found: list[str] = page.get("/api/v1/status").document["sites"][name]["attention"]
    return found


def test_what_is_wrong_with_a_ledger_is_said_by_the_overview_and_the_api(
    sites: list[Site], tmp_path: Path, youtube: Simulator
) -> None:
    """Of all its sites in one place, of one site in its row; a site with a ledger of its own is well."""
    blog, shop = sites
    lone, ledger = make_site(tmp_path, youtube, "lone"), f"ledger: '{tmp_path}/ledger.sqlite3'"
    blog.configure(quota=f"{ledger}, share: 1%, reserve: 200")
    shop.configure(quota=ledger)
    for site in (blog, shop, lone):
        site.put("content/b.md", crlf(ids(1)[0], 1, 2))
        site.sync(NOW)
    with served_sites(*sites, lone) as page:
        for name in ("blog", "shop", "lone"):
            set_state(page, name, last=GOOD, last_whole=NOW)
        shown = rows(page)
        assert "quota.reserve keeps" in shown["blog"][0]
        assert "3 sites. 1 needs attention." in page.get("/").text
        assert [shown[name][0] for name in ("shop", "lone")] == ["idle", "idle"]
        assert any("`quota.reserve` keeps" in sentence for sentence in attention(page, "blog"))
        assert [attention(page, name) for name in ("shop", "lone")] == [[], []]


def test_a_ledger_on_a_disk_that_hangs_keeps_the_overview_only_once(
    sites: list[Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = tmp_path / "ledger.sqlite3"
    sites[0].configure(quota=f"ledger: '{ledger}'")
    sites[0].sync(NOW)
    monkeypatch.setattr("syncer.status_page.all_sites.LEDGER_TIMEOUT", 0.2)
    with served_sites(*sites) as page:
        with locked(ledger):
            assert "it did not respond within 0.2 s" in page.get("/").text
            assert timed(lambda: page.get("/")) < 5
            assert f"Cannot read the ledger {ledger}: it does not respond" in page.get("/").text
        until(lambda: "1 site uses" in page.get("/").text)


def test_a_site_that_comes_and_goes_is_shown_at_once_and_its_series_end(page: ServedSites) -> None:
    assert samples(page)['syncer_syncs_total{outcome="ok",site="shop"}'] == 0
    page.remove("shop")
    assert list(rows(page)) == ["blog"]
    assert page.get("/sites/shop/").status == 404
    assert "shop" not in page.get("/metrics").text + page.get("/sites/blog/").text
    assert samples(page)["syncer_sites"] == 1
    page.remove("blog")
    assert "No sites" in page.get("/").text
    assert page.get("/api/v1/status").document == {"sites": {}, "left_out": []}
    assert (page.get("/readyz").status, page.get("/readyz").text) == (503, "not ready: no site is left\n")
    assert samples(page)["syncer_sites"] == 0


def test_the_status_and_quota_of_all_sites_are_those_of_each(page: ServedSites) -> None:
    triggered(page, "blog")
    for document in ("status", "quota"):
        whole = page.get(f"/api/v1/{document}").document["sites"]
        assert whole == {name: page.get(f"/sites/{name}/api/v1/{document}").document for name in ("blog", "shop")}


def test_it_is_ready_when_all_sites_are_and_none_is_left_out(page: ServedSites) -> None:
    set_state(page, "blog", last_whole=NOW - 11 * HOUR)
    assert page.get("/readyz").text == "not ready: no good sync of the whole site within two intervals: shop\n"
    set_state(page, "shop", last_whole=NOW - 13 * HOUR)
    assert page.get("/readyz").status == 503
    set_state(page, "shop", last_whole=NOW)
    assert page.get("/readyz").text == "ready\n"
    page.left_out["/x.yaml"] = "invalid"
    assert (page.get("/readyz").status, page.get("/readyz").text) == (503, "not ready: left out: /x.yaml\n")


def test_a_real_daemon_knows_in_memory_how_its_syncs_went(sites: list[Site]) -> None:
    site, port = sites[0], free_port()
    site.configure(status_page=f"listen: '127.0.0.1:{port}'")
    with Daemon(site, "-c", str(site.config)) as daemon:
        daemon.until("Status page at")
        page = Served(None, port, site.state)  # type: ignore[arg-type] # its daemon is a real one
        until(lambda: page.get("/readyz").status == 200)
        until(lambda: "1 site. None needs attention." in page.get("/").text)
        until(lambda: rows(page)["blog"][2:5] == ["2", "0", "0"])
        assert page.get("/sites/blog/videos").status == 200
        assert samples(page)['syncer_syncs_total{outcome="ok",site="blog"}'] == 1


def test_the_metrics_are_those_of_one_site_with_its_name_and_some_about_all(
    sites: list[Site], page: ServedSites
) -> None:
    triggered(page, "blog")
    text = page.get("/metrics").text
    for line in set(re.findall("^# (?:HELP|TYPE) .*$", text, re.MULTILINE)):
        assert text.count(f"{line}\n") == 1, "help and type are given once"
    now = samples(page)
    assert now['syncer_changes_total{count="viewCount",site="blog"}'] == 1
    assert now['syncer_changes_total{count="viewCount",site="shop"}'] == 0
    assert now['syncer_videos{site="blog",state="known"}'] == 1
    assert (now['syncer_site_up{site="shop"}'], now["syncer_sites"], now["syncer_sites_left_out"]) == (1, 2, 0)
    with served(sites[0]) as alone:
        plain_names = {name for name in samples(alone) if name.startswith("syncer_") and "_created" not in name}
        families = re.findall("^# TYPE (syncer_.*)$", alone.get("/metrics").text, re.MULTILINE)
    blog = {name for name in now if 'site="blog"' in name} | {name for name in now if "build_info" in name}
    without = {re.sub(r',?site="blog"', "", name).replace("{,", "{").replace("{}", "") for name in blog}
    assert without - {"syncer_site_up"} == plain_names
    ours = re.findall("^# TYPE (syncer_.*)$", text, re.MULTILINE)
    new = ["syncer_sites gauge", "syncer_sites_left_out gauge", "syncer_site_up gauge"]
    assert ours == [family for family in families if "_created" not in family] + new


def test_counters_that_are_forgotten_begin_again_at_zero() -> None:
    counters = Counters(several=True)
    kept = counters.of("a")
    kept.failed()
    assert counters.of("a") is kept
    counters.forget("a")
    counters.forget("a")
    assert counters.of("a") is not kept


def test_a_site_whose_state_is_broken_keeps_the_others_in_all_documents(sites: list[Site], page: ServedSites) -> None:
    triggered(page, "blog")
    triggered(page, "shop")
    (sites[1].state / "state.sqlite3").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    assert page.get("/sites/shop/").status == 503
    status = page.get("/api/v1/status").document["sites"]
    assert status["blog"]["syncs"]
    assert status["shop"]["error"]["kind"] == "state"
    assert set(page.get("/api/v1/quota").document["sites"]["shop"]) == {"error"}
    now = samples(page)
    assert (now['syncer_site_up{site="blog"}'], now['syncer_site_up{site="shop"}']) == (1, 0)
    assert now['syncer_videos{site="blog",state="known"}'] == 1
    assert not [name for name in now if name.startswith("syncer_videos") and "shop" in name]
    assert now['syncer_syncs_total{outcome="ok",site="shop"}'] == 1, "what is counted in memory stays"
    assert list(rows(page)) == ["blog", "shop"], "the overview reads no state"


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Keeps whoever opens the database waiting while the block runs, as a disk does that does not respond."""
    with closing(sqlite3.connect(database, isolation_level=None)) as state:
        state.execute("PRAGMA locking_mode = EXCLUSIVE")
        state.execute("BEGIN EXCLUSIVE")
        yield


@pytest.fixture
def hanging(sites: list[Site], page: ServedSites, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedSites]:
    """The state of the second site cannot be read; time is short."""
    triggered(page, "blog")
    triggered(page, "shop")
    monkeypatch.setattr(site_reads, "SLOW_SECONDS", 0.1)
    monkeypatch.setattr(site_reads, "READ_TIMEOUT", 1.0)
    monkeypatch.setattr(site_reads, "READ_OF_ALL_TIMEOUT", 1.0)
    with locked(sites[1].state / "state.sqlite3"):
        yield page
    until(lambda: page.get("/sites/shop/videos").status == 200)
    assert samples(page)['syncer_site_up{site="shop"}'] == 1, "it is up again once its disk responds"


def test_a_site_whose_disk_hangs_delays_no_other_site(hanging: ServedSites) -> None:
    address = ("127.0.0.1", hanging.port)
    request = b"GET /sites/shop/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with ExitStack() as stack:
        waiting = [stack.enter_context(send(address, request)) for _ in range(3 * site_reads.SITE_WAITING_LIMIT)]
        began = time.monotonic()
        for path in ("", "videos", "api/v1/status", "readyz"):
            assert hanging.get(f"/sites/blog/{path}").status == 200
        for path in ("/", "/healthz", "/api/v1/sites", "/sites/shop/triggers/1", "/style.css"):
            assert hanging.get(path).status in {200, 303}, path
        assert time.monotonic() - began < 8, "SQLite alone waits ten seconds"
        assert {each.makefile("rb").readline().split()[1] for each in waiting} == {b"503"}
    refused = hanging.get("/sites/shop/api/v1/status")
    assert (refused.status, refused.document["error"]["kind"]) == (503, "state")
    assert "its disk does not respond" in refused.document["error"]["message"]


def test_a_crowd_at_one_site_is_refused_before_it_shuts_out_what_needs_no_state(
    sites: list[Site], page: ServedSites, monkeypatch: pytest.MonkeyPatch
) -> None:
    triggered(page, "shop")
    monkeypatch.setattr(site_reads, "SITE_WAITING_LIMIT", 3)
    request = b"GET /sites/shop/videos HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with ExitStack() as stack:
        with locked(sites[1].state / "state.sqlite3"):
            waiting = [stack.enter_context(send(("127.0.0.1", page.port), request)) for _ in range(3)]
            until(lambda: "Too many requests wait for the state of shop." in page.get("/sites/shop/").text)
            assert page.get("/sites/blog/").status == 200
            monkeypatch.setattr(guard, "WAITING_LIMIT", 3)
            assert page.get("/sites/blog/").headers["retry-after"] == "5"
            for path in (
                "/",
                "/healthz",
                "/readyz",
                "/api/v1/sites",
                "/api/v1/daemon",
                "/sites?name=blog",
                "/style.css",
            ):
                assert "retry-after" not in page.get(path).headers, path
            assert page.post("/sites/blog/api/v1/triggers").status == 202
            assert page.post("/sites/blog/triggers").status == 303
            assert page.get("/sites/blog/api/v1/triggers/1").status == 200
        assert {each.makefile("rb").readline() for each in waiting} == {b"HTTP/1.1 200 OK\r\n"}


def test_a_site_whose_disk_hangs_is_left_out_of_the_gauges_and_is_an_error_in_the_status(hanging: ServedSites) -> None:
    now = samples(hanging)
    assert (now['syncer_site_up{site="blog"}'], now['syncer_site_up{site="shop"}']) == (1, 0)
    assert 'syncer_videos{site="blog",state="known"}' in now
    assert 'syncer_videos{site="shop",state="known"}' not in now
    assert "disk does not respond" in hanging.get("/api/v1/status").document["sites"]["shop"]["error"]["message"]
    assert hanging.get("/api/v1/status").document["sites"]["blog"]["syncs"]


@pytest.mark.parametrize("path", ["/sites/shop/", "/api/v1/status"])
def test_a_disk_that_hangs_delays_no_stop_and_who_waits_for_it_is_told(
    sites: list[Site], caplog: pytest.LogCaptureFixture, path: str
) -> None:
    sites[1].sync(NOW)
    with ExitStack() as stack:
        with served_sites(*sites) as page:
            stack.enter_context(locked(sites[1].state / "state.sqlite3"))
            request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            waiting = stack.enter_context(send(("127.0.0.1", page.port), request))
            until(lambda: "read shop" in [thread.name for thread in threading.enumerate()])
            began = time.monotonic()
        assert time.monotonic() - began < 8, "SQLite alone waits ten seconds"
        response = read_all(waiting)
    assert response.startswith(b"HTTP/1.1 503")
    assert b"The daemon is stopping." in response
    assert "Traceback" not in caplog.text


def test_no_more_threads_wait_for_a_disk_than_a_site_may_have(hanging: ServedSites) -> None:
    for _ in range(3):
        assert samples(hanging)['syncer_site_up{site="shop"}'] == 0
        assert hanging.get("/sites/shop/problems").status == 503
    names = [thread.name for thread in threading.enumerate()]
    assert 1 <= names.count("read shop") <= site_reads.SITE_READS_AT_ONCE


def test_a_bug_in_one_site_s_reads_is_logged_and_keeps_the_others(
    page: ServedSites, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Config:
        raise ZeroDivisionError

    page.sources["shop"] = replace(page.sources["shop"], config=broken)
    status = page.get("/api/v1/status").document["sites"]
    assert (status["shop"]["error"]["kind"], "error" in status["blog"]) == ("bug", False)
    assert "ZeroDivisionError" in caplog.text
    assert page.get("/sites/shop/").status == 500


def test_two_hundred_sites_are_drawn_in_a_moment(tmp_path: Path, youtube: Simulator) -> None:
    site = make_site(tmp_path, youtube, "site")
    with served_sites(*[site] * 200, names=[f"customer-{number:03}" for number in range(200)]) as page:
        for name in page.sites:
            set_state(page, name, last=GOOD, last_whole=NOW)
        page.get("/")
        fastest = min(timed(lambda: page.get("/")) for _ in range(20))
        assert fastest < 0.1
        assert len(page.get("/").body) < 64_000
        assert len(page.get("/sites/customer-007/").body) < 16_000
        assert len(rows(page)) == 200


def timed(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


@pytest.mark.parametrize("path", ["/sites/blog/triggers", "/sites/blog/api/v1/triggers"])
@pytest.mark.parametrize("headers", [{"Sec_Fetch_Site": "cross-site"}, {"Origin": "http://evil.example"}])
def test_no_page_of_another_site_starts_a_sync_of_one_of_several(
    page: ServedSites, path: str, headers: dict[str, str]
) -> None:
    assert page.post(path, **headers).status == 403
    assert page.sites["blog"].ticket(1) is None
    assert page.post(path, Origin=page.url).status in {202, 303}


def test_a_host_name_that_only_points_to_this_machine_is_refused_for_all_sites(page: ServedSites) -> None:
    for path in ("/", "/sites/blog/", "/sites/none/", "/api/v1/sites", "/sites?name=blog"):
        answer = page.get(path, Host="evil.example")
        assert (answer.status, "blog" in answer.text) == (421, False)
        assert page.ask_by_socket("GET", path, Host="evil.example").status in {200, 303, 404}


def test_every_response_about_several_sites_forbids_scripts_and_has_no_key(page: ServedSites) -> None:
    triggered(page, "blog")
    for path in ("/", "/sites/blog/", "/sites/none", "/api/v1/status", "/metrics", "/sites?name=shop", "/readyz"):
        answer = page.get(path)
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert KEY not in answer.text
        assert page.ask("PUT", path).status == 405


def test_the_pages_of_several_sites_are_complete_html_for_screen_readers(page: ServedSites) -> None:
    triggered(page, "blog")
    page.left_out["/x.yaml"] = "invalid"
    for path in ("/", "/sites/blog/", "/sites/blog/videos", "/sites/blog/problems", "/sites/none/", "/nothing"):
        read = Reader()
        read.feed(page.get(path).text)
        assert read.open == [], path
        assert [read.seen.count(each) for each in ("header", "main", "footer", "h1")] == [1] * 4, path
        assert len(read.ids) == len(set(read.ids)), path
        assert read.named <= set(read.ids), path
        assert read.seen.count("table") == read.seen.count("caption")


def test_who_has_the_socket_or_the_port_is_named_by_its_sites(sites: list[Site], page: ServedSites) -> None:
    with pytest.raises(ConfigError, match="the daemon of blog and shop uses it"):
        sockets.require_listening(None, page.socket)
    with pytest.raises(ConfigError, match="the daemon of blog and shop uses it"):
        sockets.require_listening(f"127.0.0.1:{page.port}", page.socket.with_name("other"))
    page.sources |= {f"site-{number}": page.sources["blog"] for number in range(9)}
    with pytest.raises(ConfigError, match="the daemon of blog, shop and 9 more uses it"):
        sockets.require_listening(None, page.socket)
    page.sources.clear()
    with pytest.raises(ConfigError, match="a daemon without a site uses it"):
        sockets.require_listening(None, page.socket)
    with served(sites[0]) as alone, pytest.raises(ConfigError, match=f"the daemon of {sites[0].root} uses it"):
        sockets.require_listening(None, alone.socket)
