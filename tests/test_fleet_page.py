"""The page, the API and the metrics of all sites say how the fleet of the daemon is, from memory."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncer.simulator.server import Simulator
from syncer.state.fleet import Fleet, HostRow
from syncer.status.fleet import FleetView, Outage
from syncer.status_page import fleet_section
from tests.daemon_process import BUSY, Daemon
from tests.ports import free_port
from tests.postgres import PostgreSQL
from tests.site import Run, Site, crlf, ids
from tests.steered import Served, ServedSites, served_sites
from tests.test_fleet_status import ALIVE, AT, GOOD, fleet
from tests.test_status_page import samples
from tests.waiting import until

LATE = replace(GOOD, site="shop", late_after=-120)
SILENT = replace(ALIVE, host="b", silent_seconds=300)


@pytest.fixture
def page(tmp_path: Path, youtube: Simulator) -> Iterator[ServedSites]:
    """The page of a daemon that has the site `blog`."""
    site = Site(tmp_path / "blog", youtube.url)
    (site.root / "content" / "lists").mkdir(parents=True)
    site.configure()
    with served_sites(site) as running:
        yield running


def both(*hosts: HostRow) -> Fleet:
    """Host `a` has `blog`, and host `b` has `shop`, which is late."""
    ours, theirs = fleet(GOOD), fleet(LATE, hosts=(ALIVE, SILENT))
    return Fleet(AT, hosts or theirs.hosts, [*ours.sites, *theirs.sites])


def section_of(page: Served) -> str:
    found = re.search(r'<section aria-labelledby="fleet">.*?</section>', page.get("/").text, re.DOTALL)
    return found[0] if found else ""


def cells(text: str) -> list[list[str]]:
    """The texts of the cells of all rows but the heads."""
    rows = re.findall(r"<tr role=\"row\">(<th scope=\"row\".*?)</tr>", text)
    return [[re.sub("<[^>]*>", "", cell) for cell in re.split("</t[hd]>", row)[:-1]] for row in rows]


def test_a_daemon_in_no_fleet_says_nothing_of_one(page: ServedSites) -> None:
    assert section_of(page) == ""
    assert page.get("/api/v1/fleet").status == 404
    assert not [name for name in samples(page) if "fleet" in name]


def test_the_page_shows_all_hosts_and_sites_and_links_to_those_of_this_host(page: ServedSites) -> None:
    page.fleet = FleetView("a", both(), AT + timedelta(seconds=2))
    shown = section_of(page)
    assert "<strong>2 hosts, 2 sites; 1 site is late; host b has been silent for 5 minutes.</strong>" in shown
    late = "It is late: a good sync was due 2 minutes ago. Its host has been silent for 5 minutes."
    silent = "It has been silent for 5 minutes. It has 1 site. Check its worker, and that it reaches the server."
    assert cells(shown) == [
        ["shop", "b", f"needs attention. {late}", "2026-11-29 11:00", "0", "1", "2026-11-29 17:00"],
        ["blog", "a", "idle", "2026-11-29 11:00", "0", "1", "2026-11-29 17:00"],
        [
            "b",
            f"silent. {silent}",
            "1",
            "5 minutes ago",
            "0.1.0",
        ],
        ["a", "running", "1", "3 seconds ago", "0.1.0"],
    ]
    assert re.findall('href="([^"]*)"', shown) == ["/sites/blog/"]
    assert "2026-11-29 12:00:02 UTC" in shown, "when it was read"


def banner(page: Served) -> tuple[str, str]:
    """The mark and the text at the top of the page."""
    found = re.search(r'<p class="verdict (\w+)" role="status"><strong>(.*?)</strong>', page.get("/").text)
    assert found
    return found[1], found[2]


def test_the_first_sentence_is_about_the_whole_fleet(page: ServedSites) -> None:
    here = "1 site on this host. None needs attention."
    stopped, silent = replace(ALIVE, host="b", is_running=False), replace(ALIVE, host="b", silent_seconds=300)
    theirs = replace(GOOD, site="shop")
    for reports, hosts, expected in [
        ([GOOD, theirs], (ALIVE, replace(ALIVE, host="b")), ("well", here)),
        ([GOOD, theirs], (ALIVE, replace(stopped, is_running=True, draining=True)), ("well", here)),
        ([GOOD, theirs], (ALIVE, stopped), ("attention", f"{here} In the fleet, host b is stopped.")),
        ([GOOD, theirs], (ALIVE, silent), ("attention", f"{here} In the fleet, host b has been silent for 5 minutes.")),
        ([GOOD, LATE], (ALIVE, stopped), ("wrong", f"{here} In the fleet, 1 site is late; host b is stopped.")),
    ]:
        page.fleet = FleetView("a", fleet(*reports, hosts=hosts), AT)
        assert banner(page) == expected
    page.fleet = FleetView("a", both(), AT, Outage(AT, "no network"))
    assert banner(page) == ("wrong", f"{here} This host is out of the fleet: see below.")
    page.remove("blog")
    page.fleet = FleetView("a", fleet(GOOD, hosts=(ALIVE, replace(ALIVE, host="b"))), AT)
    assert banner(page) == ("well", "No sites: this host has none of the fleet.")


def test_what_was_read_before_an_outage_is_marked_as_old_before_all_of_it(page: ServedSites) -> None:
    page.fleet = FleetView("a", both(), AT + timedelta(seconds=2), Outage(AT, "no network"))
    shown = section_of(page)
    assert " ago</td>" not in shown, "nobody knows that"
    top = shown[: shown.index("<strong>2 hosts, 2 sites")]
    assert "This is how the fleet was at " in top
    assert "2026-11-29 12:00:02 UTC" in top
    assert [row[3] for row in cells(shown)[2:]] == ["2026-11-29 11:55:00 UTC", "2026-11-29 11:59:57 UTC"]


def test_a_site_of_another_host_has_no_link_even_if_one_here_has_its_name(page: ServedSites) -> None:
    page.fleet = FleetView("b", both(), AT)
    assert "href" not in section_of(page)


def test_while_the_worker_is_out_of_the_fleet_the_page_says_since_when_and_why(page: ServedSites) -> None:
    outage = Outage(AT, "Cannot connect to <the> ledger; check `quota.ledger`")
    page.fleet = FleetView("a", outage=outage)
    says = "has been out of the fleet since"
    assert "Cannot connect to &lt;the&gt; ledger; check <code>quota.ledger</code>." in section_of(page)
    assert says in section_of(page)
    assert "Syncs continue without the queue." in section_of(page)
    assert cells(section_of(page)) == []
    page.fleet = FleetView("a", outage=outage._replace(syncs_continue=False))
    assert "Nothing is synced here until the name is free." in section_of(page)
    page.fleet = FleetView("a", both(), AT, outage)
    assert says in section_of(page)
    assert len(cells(section_of(page))) == 4, "what it knew"
    page.fleet = FleetView("a")
    assert "The fleet has not been read yet." in section_of(page)


def test_the_api_says_the_same(page: ServedSites) -> None:
    page.fleet = FleetView("a", both(), AT, Outage(AT, "no network"))
    document = page.get("/api/v1/fleet").document
    assert (document["host"], document["read"]) == ("a", "2026-11-29T12:00:00Z")
    assert document["out_of_fleet"] == {"since": "2026-11-29T12:00:00Z", "message": "no network"}
    found = document["fleet"]
    assert found["outline"] == "2 hosts, 2 sites; 1 site is late; host b has been silent for 5 minutes."
    assert [(site["site"], site["host"], site["late"]) for site in found["sites"]] == [
        ("shop", "b", True),
        ("blog", "a", False),
    ]
    assert [(host["host"], host["state"], host["sites"]) for host in found["hosts"]] == [
        ("b", "silent", 1),
        ("a", "running", 1),
    ]
    page.fleet = FleetView("a")
    assert page.get("/api/v1/fleet").document == {"host": "a", "read": None, "out_of_fleet": None, "fleet": None}


def test_the_metrics_are_of_all_sites_and_hosts_while_the_worker_is_in_the_fleet(page: ServedSites) -> None:
    stopped = replace(ALIVE, host="c", is_running=False)
    page.fleet = FleetView("a", both(ALIVE, SILENT, stopped), AT)
    assert {name: value for name, value in samples(page).items() if "fleet" in name} == {
        "syncer_fleet_joined": 1,
        'syncer_fleet_site_late{host="a",site="blog"}': 0,
        'syncer_fleet_site_late{host="b",site="shop"}': 1,
        'syncer_fleet_host_up{host="a"}': 1,
        'syncer_fleet_host_up{host="b"}': 0,
        'syncer_fleet_host_up{host="c"}': 0,
    }
    page.fleet = replace(page.fleet, outage=Outage(AT, "no network"))
    assert {name: value for name, value in samples(page).items() if "fleet" in name} == {"syncer_fleet_joined": 0}


def test_what_another_host_wrote_is_text(page: ServedSites, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = "<script>x</script>\"'&\x1b\u202e\n"
    report = replace(GOOD, site=odd, trouble=odd, last_sync=odd, late_after=-1)
    page.fleet = FleetView("a", fleet(report, hosts=(replace(ALIVE, host=odd, version=odd),)), AT, Outage(AT, odd))
    shown = page.get("/").text
    assert "<script" not in shown
    assert not {"\x1b", "\u202e"} & set(shown)
    assert page.get("/api/v1/fleet").document["fleet"]["sites"][0]["site"] == odd
    page.fleet = replace(page.fleet, outage=None)
    assert [value for name, value in samples(page).items() if "site_late" in name] == [1]
    monkeypatch.setattr(fleet_section, "ROWS_SHOWN", 2)
    page.fleet = FleetView("a", fleet(*(replace(GOOD, site=f"s{number}") for number in range(5))), AT)
    assert len(cells(section_of(page))) == 2 + 1
    assert "And 3 more sites: see <code>/api/v1/fleet</code>." in section_of(page)


@pytest.mark.storm
def test_a_real_worker_shows_its_fleet_also_while_the_server_is_down(
    postgres: PostgreSQL, site: Site, syncer: Run
) -> None:
    place, port = postgres.new_database(), free_port()
    assert syncer("fleet", "init", place).code == 0
    site.configure(status_page=f"listen: '127.0.0.1:{port}'", quota=f"ledger: '{place}'")
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    seconds = "worker.BEAT_SECONDS = worker.RETRY_SECONDS = worker.END_SECONDS = 0.3"
    with Daemon(
        site, command=("fleet", "worker", "--host", "a"), first=f"{BUSY}from syncer.fleet import worker\n{seconds}\n"
    ) as daemon:
        daemon.until("Status page at")
        page = Served(None, port, site.state)  # type: ignore[arg-type] # its daemon is a real one

        def document() -> Any:
            return page.get("/api/v1/fleet").document

        until(lambda: document()["fleet"] and document()["fleet"]["sites"][0]["last_sync"] is not None, 0.02)
        assert cells(section_of(page))[0][:3] == ["site", "a", "idle"]
        assert document()["out_of_fleet"] is None
        assert syncer("fleet", "status").out.startswith("1 host, 1 site; none needs attention.\n")
        postgres.stop()
        try:
            until(lambda: document()["out_of_fleet"] is not None, 0.02)
            assert "has been out of the fleet since" in section_of(page)
            assert document()["fleet"]["sites"][0]["site"] == "site", "what it knew"
            assert samples(page)["syncer_fleet_joined"] == 0
        finally:
            postgres.start()
        until(lambda: document()["out_of_fleet"] is None, 0.02)
        assert samples(page)["syncer_fleet_joined"] == 1


def test_the_page_needs_no_driver_of_a_database() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = sys.modules['procrastinate'] = None\n"
        "import syncer.status_page.fleet_section, syncer.status_page.sites_api, syncer.status_page.all_sites"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_daemon_and_a_check_without_a_fleet_import_nothing_of_it() -> None:
    code = (
        "import sys, syncer.cli.daemon_sites, syncer.cli.serving, syncer.check.setup\n"
        "own = ('syncer.fleet', 'syncer.cli.fleet', 'syncer.check.in_fleet', 'syncer.git.clone', 'psycopg')\n"
        "sys.exit(', '.join(name for name in sys.modules if name.startswith(own)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
