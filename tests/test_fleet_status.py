"""`syncer fleet status`: what it says of a fleet, first what needs attention."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from syncer.model import ServerAddress
from syncer.state.fleet import ALIVE_SECONDS, Fleet, HostRow, SiteReport, SiteRow
from syncer.status.fleet import condition_of, fleet_json
from tests.ledgers import change_ledger
from tests.postgres import PostgreSQL
from tests.several import Sites
from tests.site import Run, Site

if TYPE_CHECKING:
    from syncer.state.fleet_tables import FleetTables

AT = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
HOUR = 3600
GOOD = SiteReport("blog", False, "20261129T110000Z-9f2c", -HOUR, 0, 12, 0, 1, 5 * HOUR, 11 * HOUR, None)
NEVER: dict[str, Any] = {"last_sync": None, "finished": None, "exit_code": None, "late_after": None, "next_sync": None}
UNREPORTED = "It has never synced, and its host has not said when it will. If that stays so, read its worker's log."
ALIVE = HostRow("a", True, 3, False, "0.1.0")


def fleet(*reports: SiteReport, hosts: tuple[HostRow, ...] = (ALIVE,)) -> Fleet:
    """A fleet with these sites, which the last host has."""
    return Fleet(AT, hosts, [SiteRow(hosts[-1].host, f"/srv/{report.site}", report) for report in reports])


@pytest.mark.parametrize(
    ("changes", "mark", "reasons"),
    [
        ({}, "well", []),
        ({"last_sync": None, "finished": None, "exit_code": None, "late_after": 60}, "well", []),
        ({"running": True}, "busy", []),
        ({"late_after": -1}, "wrong", ["It is late: a good sync was due 1 second ago."]),
        ({"late_after": 0}, "well", []),
        ({"trouble": "/srv is gone."}, "wrong", ["It was not synced: /srv is gone."]),
        ({**NEVER, "trouble": "unknown key `x`"}, "wrong", ["It was not synced: unknown key `x`."]),
        ({**NEVER, "next_sync": 60}, "well", []),
        ({**NEVER, "running": True}, "busy", []),
        (NEVER, "wrong", [UNREPORTED]),
        ({"exit_code": 3}, "wrong", ["The last sync read nothing from YouTube."]),
        ({"exit_code": 1, "problems": 1}, "attention", ["There is 1 problem."]),
        ({"exit_code": 1}, "attention", ["The last sync ended with exit code 1."]),
        (
            {"late_after": -7200, "problems": 2, "exit_code": 1, "running": True},
            "wrong",
            ["It is late: a good sync was due 2 hours ago.", "There are 2 problems."],
        ),
    ],
)
def test_a_site_needs_attention_for_these_reasons(changes: dict[str, object], mark: str, reasons: list[str]) -> None:
    (site,) = condition_of(fleet(replace(GOOD, **changes))).sites  # type: ignore[arg-type]
    assert (site.mark, list(site.reasons)) == (mark, reasons)


@pytest.mark.parametrize("change", [{"is_running": False}, {"draining": True}, {"silent_seconds": 99}])
def test_a_site_that_never_synced_is_not_blamed_on_a_host_that_does_not_sync(change: dict[str, Any]) -> None:
    (site,) = condition_of(fleet(replace(GOOD, **NEVER), hosts=(replace(ALIVE, **change),))).sites
    assert site.reasons == []


def test_one_sentence_says_how_the_fleet_is_and_what_needs_attention_is_first() -> None:
    late = [replace(GOOD, site=name, late_after=-60) for name in ("docs", "shop")]
    silent = replace(ALIVE, host="b", silent_seconds=300)
    odd = replace(GOOD, site="zoo", problems=1)
    seen = condition_of(fleet(GOOD, *late, odd, hosts=(ALIVE, silent)))
    says = "2 hosts, 4 sites; 2 sites are late; 1 more needs attention; host b has been silent for 5 minutes."
    assert seen.outline == says
    assert [site.row.report.site for site in seen.sites] == ["docs", "shop", "zoo", "blog"]
    assert seen.sites[0].reasons == [
        "It is late: a good sync was due 1 minute ago. Its host has been silent for 5 minutes."
    ]
    assert [(host.row.host, host.state, host.sites) for host in seen.hosts] == [("b", "silent", 4), ("a", "running", 0)]
    assert seen.sites[3][1:] == ("attention", "host silent", []), (
        "what it did when it was last heard of is not what it does"
    )


@pytest.mark.parametrize(
    ("hosts", "says"),
    [
        ((ALIVE,), "1 host, 1 site; none needs attention."),
        ((replace(ALIVE, silent_seconds=ALIVE_SECONDS),), "1 host, 1 site; none needs attention."),
        ((replace(ALIVE, is_running=False),), "1 host, 1 site; host a is stopped."),
        ((replace(ALIVE, is_running=False), replace(ALIVE, host="b")), "2 hosts, 1 site; none needs attention."),
        ((replace(ALIVE, draining=True),), "1 host, 1 site; host a is draining."),
        (
            tuple(replace(ALIVE, host=name, silent_seconds=ALIVE_SECONDS + 1) for name in "abc"),
            "3 hosts, 1 site; hosts a, b and c are silent.",
        ),
        (
            tuple(replace(ALIVE, host=name, silent_seconds=99) for name in "abcd"),
            "4 hosts, 1 site; 4 hosts are silent.",
        ),
    ],
)
def test_the_sentence_names_hosts_that_do_not_sync_their_sites(hosts: tuple[HostRow, ...], says: str) -> None:
    assert condition_of(fleet(GOOD, hosts=hosts)).outline == says


def test_sites_that_are_not_late_but_need_attention_are_counted_apart() -> None:
    sites = [replace(GOOD, late_after=-1), *(replace(GOOD, site=name, problems=1) for name in ("docs", "shop"))]
    assert condition_of(fleet(*sites)).outline == "1 host, 3 sites; 1 site is late; 2 more need attention."
    assert condition_of(fleet(sites[1])).outline == "1 host, 1 site; 1 site needs attention."
    assert condition_of(Fleet(AT, [], [])).outline == "0 hosts, 0 sites."


def test_all_times_in_the_document_are_by_the_clock_of_the_server() -> None:
    document: Any = fleet_json(condition_of(fleet(GOOD, hosts=(replace(ALIVE, silent_seconds=20),))))
    site, host = document["sites"][0], document["hosts"][0]
    assert document["at"] == "2026-11-29T12:00:00Z"
    assert (site["finished"], site["next_sync"], site["late_after"]) == (
        "2026-11-29T11:00:00Z",
        "2026-11-29T17:00:00Z",
        "2026-11-29T23:00:00Z",
    )
    assert host["seen"] == "2026-11-29T11:59:40Z"


# --- the command, and a real server ----------------------------------------------------------------------------------


@pytest.fixture
def place(postgres: PostgreSQL) -> ServerAddress:
    return postgres.new_fleet()


@pytest.fixture
def tables(place: ServerAddress) -> Iterator[FleetTables]:
    from syncer.state.fleet_tables import open_fleet

    with closing(open_fleet(place)) as found:
        for host, sites in (("a", ["blog", "docs"]), ("b", ["shop"])):
            found.take_host(host, f"worker of {host}", "0.1.0")
            found.claim(host, {site: f"/srv/{site}" for site in sites}, only=True)
            found.report(host, [replace(GOOD, site=site) for site in sites])
        yield found


@pytest.mark.storm
def test_it_shows_sites_hosts_and_units_in_a_few_lines(place: ServerAddress, tables: FleetTables, syncer: Run) -> None:
    tables.report("a", [replace(GOOD, site="docs", late_after=-60)])
    change_ledger(place, "UPDATE hosts SET seen = seen - 300 WHERE host = 'b'")
    ran = syncer("fleet", "status", place)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[:3] == [
        "2 hosts, 3 sites; 1 site is late; host b has been silent for 5 minutes.",
        "  Host b: It has been silent for 5 minutes. It has 1 site. Check its worker, and that it reaches the server.",
        "  docs on a: It is late: a good sync was due 1 minute ago.",
    ]
    assert [line.split()[:3] for line in lines[4:7]] == [
        ["docs", "a", "idle"],
        ["shop", "b", "host"],
        ["blog", "a", "idle"],
    ]
    assert [line.split()[:3] for line in lines[8:10]] == [["b", "silent", "1"], ["a", "running", "2"]]
    assert lines[10:] == [
        f"Quota ledger: 0 sites use {place}: 0 of 10,000 stats units and 0 of 10,000 general units used today."
    ]


@pytest.mark.storm
def test_the_units_are_those_of_the_whole_project(
    place: ServerAddress, tables: FleetTables, syncer: Run, tmp_path: Path
) -> None:
    sites = Sites(tmp_path, "http://127.0.0.1:1")
    for name, units in (("blog", 5_000), ("shop", 4_000)):
        sites.add(name, quota=f"ledger: '{place}', share: 40%, stats_units_per_day: {units}")
        syncer("-c", str(sites.config(name)), "sync")
    change_ledger(place, "DELETE FROM units")
    now = tables.look().at
    day = (now - timedelta(hours=8)).date()
    change_ledger(
        place, f"INSERT INTO units SELECT '{day}', 'stats', site, 70 FROM sites UNION SELECT '{day}', 'stats', 'x', 1"
    )
    ran = syncer("-c", str(sites.folder), "fleet", "status", "--json")
    (document,) = ran.document["fleets"]
    assert ran.code == ran.document["exit"] == 0
    assert document["ledger"] == place
    assert document["quota"]["stats"] == {"spent": 141, "left": 3859, "parked_until": None}
    assert document["quota"]["ledger"]["units_per_day"] == {"stats": 4000, "general": 10_000}
    assert [each["units"]["stats"] for each in document["quota"]["ledger"]["sites"]] == [70, 70]


@pytest.mark.storm
def test_each_server_that_the_configs_name_is_shown_once_and_one_that_is_down_hides_no_other(
    place: ServerAddress, tables: FleetTables, syncer: Run, tmp_path: Path
) -> None:
    sites = Sites(tmp_path, "http://127.0.0.1:1")
    down = "postgresql://x@127.0.0.1:1/db"
    for name, ledger in (("blog", place), ("docs", place), ("shop", down)):
        sites.add(name, quota=f"ledger: '{ledger}'")
    sites.add("other")
    ran = syncer("-c", str(sites.folder), "fleet", "status")
    assert (ran.code, ran.out.count("2 hosts, 3 sites"), f"{place}:\n" in ran.out) == (2, 1, True)
    assert f"Cannot connect to the ledger {down}" in ran.err
    ran = syncer("-c", str(sites.folder), "fleet", "status", "--json")
    first, second = ran.document["fleets"]
    assert (ran.code, ran.document["exit"], len(first["sites"])) == (2, 2, 3)
    assert (second["ledger"], second["error"]["kind"], second["exit"]) == (down, "state", 2)
    assert "2 hosts, 3 sites" in syncer("-c", str(sites.config("blog")), "fleet", "status").out
    sites.config("docs").write_text("nonsense: 1\n", encoding="utf-8")
    ran = syncer("-c", str(sites.config("docs")), "-c", str(sites.config("blog")), "fleet", "status")
    assert (ran.code, "nonsense" in ran.err, "2 hosts, 3 sites" in ran.out) == (1, True, True)


@pytest.mark.storm
def test_without_a_server_or_its_tables_it_says_what_to_do(site: Site, postgres: PostgreSQL, syncer: Run) -> None:
    ran = syncer("fleet", "status")
    assert (ran.code, "no server is named" in ran.err) == (2, True)
    ran = syncer("fleet", "status", "--json", postgres.new_ledger())
    assert (ran.code, "run `syncer fleet init`" in ran.document["error"]["message"]) == (2, True)


@pytest.mark.storm
def test_what_another_host_wrote_acts_on_no_terminal_and_breaks_nothing(
    place: ServerAddress, tables: FleetTables, syncer: Run
) -> None:
    odd = "\x1b[2J\u202e" + "x" * 100_000
    tables.report("b", [replace(GOOD, site="shop", trouble=odd, last_sync=odd, exit_code=-1, problems=-1)])
    change_ledger(place, f"UPDATE fleet_sites SET late_after = {2**63 - 1}, finished = {-(2**63)}, path = site")
    change_ledger(place, f"UPDATE hosts SET seen = {-(2**63)}, version = repeat('v', 100000)")
    change_ledger(place, "UPDATE fleet_sites SET site = E'\\x1b]0;x' || repeat('s', 2000) WHERE site = 'docs'")
    for words in ([], ["--json"]):
        ran = syncer("fleet", "status", *words, place)
        assert ran.code == 0
        assert not {"\x1b", "\u202e"} & set(ran.out)
        assert len(ran.out) < 20_000
