"""Sites that share a ledger, end to end: what they request, what `status` and `check` say, and who is not affected."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from syncer.config.parse import parse_config
from syncer.control import DaemonState
from syncer.decide.quota import next_reset
from syncer.errors import StateError
from syncer.model import Bucket, ProblemKind
from syncer.simulator.faults import parse_fault
from syncer.simulator.server import Simulator
from syncer.state.database import open_state
from syncer.status.buckets import LedgerLooks, open_ledger
from syncer.status.status import Status, status_of
from syncer.status_page.frame import Frame
from syncer.status_page.overview import overview_page
from syncer.status_page.reading import Overview, PageNames
from syncer.sync.options import Options
from tests.forks import PIPE, Fork
from tests.site import KEY, NOON, QUICK, Run, Site, crlf, ids
from tests.steered import served
from tests.terminal import environment

STATS, GENERAL = Bucket.STATS, Bucket.GENERAL
LEDGER = "ledger: ../quota.sqlite3"
Make = Callable[..., Site]


@pytest.fixture
def make(tmp_path: Path, youtube: Simulator) -> Make:
    """Makes sites side by side that share a ledger, each with pages and videos of its own."""
    others = iter(ids(2_000))

    def made(name: str, quota: str = LEDGER, videos: int = 120) -> Site:
        site = Site(tmp_path / name, youtube.url)
        site.configure(quota=quota, youtube=f"{QUICK}, connections: 1")
        (site.root / "content" / "lists").mkdir(parents=True)
        for video in islice(others, videos):
            site.put(f"content/{video}.md", crlf(video, 1, 2))
        return site

    return made


def status(site: Site, ledgers: LedgerLooks | None = None) -> Status:
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    with open_state(config.state_directory, config.site) as database:
        return status_of(config, database, NOON, syncs=1, ledgers=ledgers)


def shown(site: Site, ledgers: LedgerLooks | None = None) -> int:
    """Returns how many units all sites have spent."""
    return status(site, ledgers).buckets[STATS].project_spent


def spent(site: Site) -> dict[str, dict[Bucket, int]]:
    sharing = status(site).sharing
    assert sharing
    return {each.name: dict(each.units) for each in sharing.sites}


def test_sites_of_one_ledger_never_request_more_than_the_project_has(make: Make, youtube: Simulator) -> None:
    small = f"{LEDGER}, stats_units_per_day: 4, general_units_per_day: 1, reserve: 0"
    one, other = make("one", small), make("other")
    assert (one.sync().answered, one.sync(options=Options(everything=True)).answered) == (120, 100)
    assert other.sync().asked == 0, "the limit that the other site states is the project's"
    assert youtube.units == {"stats": 4, "general": 1}
    assert spent(one) == {"one": {STATS: 4, GENERAL: 1}, "other": {STATS: 0, GENERAL: 0}}


def test_a_default_is_no_statement_about_the_project(make: Make) -> None:
    large = make("large", f"{LEDGER}, stats_units_per_day: 30000")
    make("other").sync()
    large.sync()
    buckets = status(large).buckets
    assert (buckets[STATS].limit, buckets[GENERAL].limit) == (30_000, 10_000)


def test_status_shows_when_each_site_synced_last_and_not_when_it_was_looked_at(make: Make) -> None:
    one, new = make("one"), make("new")
    one.sync(NOON - timedelta(hours=1))
    for site in (one, new):
        sharing = status(site).sharing
        assert sharing
        seen = {each.name: each.seen for each in sharing.sites}
        assert seen == {"one": NOON - timedelta(hours=1)} | ({"new": None} if site is new else {})


def test_a_share_leaves_the_others_their_units(make: Make, youtube: Simulator) -> None:
    units = "stats_units_per_day: 10, general_units_per_day: 10, reserve: 0"
    half, rest = make("half", f"{LEDGER}, {units}, share: 30%", 400), make("rest", LEDGER, 120)
    assert half.sync().answered == 300, "three units of each bucket"
    assert rest.sync().answered == 120
    assert sum(youtube.units.values()) == 9


def test_what_the_ledger_counts_is_what_youtube_counts(make: Make, youtube: Simulator) -> None:
    sites = [make(name) for name in ("one", "other")]
    for site in sites * 2:
        site.sync(options=Options(everything=True))
    assert sum(units[STATS] for units in spent(sites[0]).values()) == youtube.units["stats"] == 12


def test_a_day_that_youtube_ends_for_one_site_ends_for_all_and_is_reported_as_a_cut_once(
    make: Make, youtube: Simulator
) -> None:
    one, other = make("one"), make("other")
    youtube.faults = [parse_fault("day-limit@stats:2-")]
    cut = one.sync()
    assert [problem.kind for problem in cut.problems] == [ProblemKind.QUOTA_CUT]
    youtube.faults = []
    before = youtube.units["stats"]
    there = other.sync()
    assert (there.answered, there.units[GENERAL], youtube.units["stats"]) == (120, 3, before)
    assert [problem.kind for problem in there.problems] == [ProblemKind.QUOTA_CUT], "it is of one project"
    assert status(other).buckets[STATS].parked_until
    tomorrow = next_reset(NOON) + timedelta(minutes=11)
    assert one.sync(tomorrow).units == {STATS: 3}
    assert other.sync(tomorrow).problems == ()


def test_a_common_bucket_of_youtube_is_no_cut_once_half_of_the_units_is_used_by_all_sites(
    make: Make, youtube: Simulator
) -> None:
    units = f"{LEDGER}, stats_units_per_day: 10, general_units_per_day: 10, reserve: 0"
    one, other = make("one", units, 100), make("other", units, 150)
    one.sync()
    youtube.faults = [parse_fault("day-limit@stats:3-"), parse_fault("quota-exceeded@general:1-")]
    report = other.sync()
    assert (report.answered, report.over_quota) == (100, 50)
    assert report.problems == (), "one site spent two units, the other two and one more that failed: half of ten"


def test_a_dry_run_counts_in_memory_and_writes_nothing_to_the_ledger(make: Make, youtube: Simulator) -> None:
    site = make("one")
    ledger = site.root.parent / "quota.sqlite3"
    assert site.sync(options=Options(dry_run=True)).asked == 120
    assert not ledger.exists()
    site.sync()
    before = ledger.read_bytes()
    dry = make("other").sync(options=Options(dry_run=True))
    assert (dry.asked, dry.units) == (120, {STATS: 3})
    assert ledger.read_bytes() == before
    assert list(spent(site)) == ["one"]


def test_scheduled_syncs_leave_the_reserve_of_a_share(make: Make) -> None:
    units = f"{LEDGER}, stats_units_per_day: 20, general_units_per_day: 20, share: 20%, reserve: 3"
    site = make("one", units, 400)
    report = site.sync(options=Options(scheduled=True))
    assert (report.answered, dict(report.units)) == (100, {STATS: 1, GENERAL: 1})
    assert site.sync().answered == 150, "stats: the reserve is for the syncs that you start"


def test_a_ledger_that_cannot_be_used_ends_the_sync_before_anything_is_requested(
    make: Make, youtube: Simulator
) -> None:
    site = make("one", "ledger: ../no/such/directory/quota.sqlite3")
    with pytest.raises(StateError, match=r"Cannot use the ledger .* No such file or directory; check `quota\.ledger`"):
        site.sync()
    assert not sum(youtube.units.values())
    assert make("other", "reserve: 0").sync().answered == 120, "a site without that ledger is not affected"


def test_without_a_ledger_no_site_is_in_the_status(site: Site, syncer: Run) -> None:
    site.sync()
    assert syncer("status", "--json").document["quota"]["ledger"] is None
    assert "ledger" not in syncer("status").out


def test_status_shows_who_shares_the_ledger_and_what_each_has_spent_today(make: Make, syncer: Run, site: Site) -> None:
    one = make("one", f"{LEDGER}, share: 20%")
    site.configure(quota=LEDGER)
    site.put("content/a.md", crlf(ids(2_000)[-1], 1, 2))
    assert syncer("-c", str(one.config), "sync").code == syncer("sync").code == 0
    document = syncer("status", "--json").document["quota"]["ledger"]
    assert document["path"].endswith("/quota.sqlite3")
    assert document["units_per_day"] == {"stats": 10_000, "general": 10_000}
    assert [(each["name"], each["share"], each["units"]) for each in document["sites"]] == [
        ("one", 0.2, {"stats": 3, "general": 0}),
        ("site", None, {"stats": 1, "general": 0}),
    ]
    shown = syncer("status").out
    assert "Quota stats: 7,999 of 8,000 units left today (scheduled syncs may use 7,799)." in shown
    assert f"Quota ledger: 2 sites use {document['path']}: 4 of 10,000 stats units and 0 of" in shown
    assert re.search(r"^one +20% +3 +0 .*\nsite +- +1 +0 ", shown, re.MULTILINE)


@pytest.mark.parametrize("command", [("status",), ("check", "--offline")])
def test_a_share_that_leaves_scheduled_syncs_nothing_is_said(site: Site, syncer: Run, command: tuple[str, ...]) -> None:
    site.configure(quota=f"{LEDGER}, share: 1%")
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    ran = syncer(*command)
    assert "This site may spend 100 stats units of 10,000 a day, and `quota.reserve` keeps" in ran.out


def test_a_site_that_never_gets_a_unit_is_told_what_to_change_and_not_to_wait(
    site: Site, syncer: Run, make: Make
) -> None:
    """By `check`, by the shell and by the page alike."""
    for name, share in (("one", "70%"), ("two", "60%")):
        other = make(name, f"{LEDGER}, share: {share}", 1)
        assert syncer("-c", str(other.config), "sync").code == 0
    site.configure(quota=LEDGER)
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    syncer("sync")
    check, shown = syncer("check", "--offline").out, syncer("status").out
    assert "You need to do nothing" not in check
    for said in (check, shown):
        assert "This site has no `quota.share`, and the shares of the others leave it none" in said
        assert "The shares of the sites are 130% together" in said
        assert "sites without a share get no units" in said
    config, now = parse_config(site.config.read_text(encoding="utf-8"), site.config), datetime.now(UTC)
    with open_state(config.state_directory, config.site) as database:
        seen = status_of(config, database, now, syncs=1)
    daemon = DaemonState(False, None, None, now, timedelta(hours=6))
    page = bytes(overview_page(Frame(), Overview(now, daemon, seen, []), PageNames({}, {})).body).decode()
    assert "leave it none" in page.partition('id="needs"')[2].partition('id="now"')[0]
    assert page.count("are 130% together") == 1


def test_two_keys_are_a_warning_of_check_and_of_status(
    site: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.configure(quota=LEDGER)
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    other = Site(site.root.parent / "other", site.url)
    other.configure(quota=LEDGER)
    (other.root / "content" / "lists").mkdir(parents=True)
    assert syncer("sync").code == 0
    monkeypatch.setenv("YOUTUBE_API_KEY", KEY[::-1])
    words = "Two keys use this ledger; both must be of one Google project."
    assert words not in syncer("status").out
    assert syncer("-c", str(other.config), "sync").code == 0
    assert words in syncer("status").out
    assert "Sites whose key differs from that of most sites: " in syncer("status").out
    monkeypatch.setenv("YOUTUBE_API_KEY", KEY)
    found = json.loads(syncer("check", "--json").out)["checks"]
    assert [each["level"] for each in found if each["message"].startswith(words)] == ["warning"]
    monkeypatch.setenv("YOUTUBE_API_KEY", KEY[::-1])
    assert words not in syncer("check").out, "the next sync would use the new key"
    assert syncer("sync", "--all").code == 0
    assert words not in syncer("status").out, "each site uses the new key"


def test_check_says_what_is_wrong_with_a_ledger_and_checks_the_rest(site: Site, syncer: Run) -> None:
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    place = site.root.parent / "ledger"
    place.mkdir(mode=0o700)
    site.configure(quota="ledger: ../ledger/q")
    assert syncer("check", "--offline").code == 0
    assert not list(place.iterdir()), "nothing is created"
    place.chmod(0o777)
    open_to_all = syncer("check", "--offline")
    assert (open_to_all.code, f"Run `chmod o-w {place}`." in open_to_all.out) == (0, True)
    (place / "q").write_text("no ledger")
    broken = syncer("check", "--json").document["checks"]
    assert [each["message"] for each in broken if each["level"] == "error"] == [
        each["message"] for each in broken if each["name"] == "ledger"
    ]
    assert {"key", "git", "state"} <= {each["name"] for each in broken}


def test_check_compares_the_key_that_the_next_sync_would_use(
    site: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.configure(quota=LEDGER)
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    now = datetime.now(UTC)
    with open_state(site.root / "other", site.root) as database:
        other = config.model_copy(update={"site": site.root.parent / "other"})
        with open_ledger(other, database, now, key="another-key", writes=True):
            pass
    before = (site.root.parent / "quota.sqlite3").read_bytes()
    assert "Two keys use this ledger" in syncer("check").out
    assert (site.root.parent / "quota.sqlite3").read_bytes() == before, "and notes nothing"


def test_the_page_the_metrics_and_the_plan_use_the_numbers_of_the_ledger(site: Site, syncer: Run, make: Make) -> None:
    one = make("one", f"{LEDGER}, stats_units_per_day: 1000, general_units_per_day: 500, reserve: 10")
    site.configure(quota=f"{LEDGER}, share: 20%, reserve: 10")
    site.put("content/a.md", crlf(ids(2_000)[-1], 1, 2))
    assert syncer("-c", str(one.config), "sync").code == syncer("sync").code == 0
    with served(site) as page:
        shown = page.get("/").text
        metrics = page.get("/metrics").text
        quota = page.get("/api/v1/quota").document["quota"]
    assert "199 of 200 units left today (scheduled syncs may use 189)." in shown
    assert "2 sites use " in shown
    assert 'syncer_quota_units_left{bucket="stats"} 199.0' in metrics
    assert quota == syncer("status", "--json").document["quota"]
    assert [each["name"] for each in quota["ledger"]["sites"]] == ["one", "site"]
    assert syncer("plan", "--json").document["budget"] == 190 + 90


def test_the_sites_of_one_request_see_a_ledger_at_one_moment(make: Make) -> None:
    sites = [make("one"), make("two")]
    sites[0].sync(NOON)
    ledgers = LedgerLooks()
    assert shown(sites[0], ledgers) == shown(sites[0]) == 3
    sites[1].sync(NOON)
    assert shown(sites[1], ledgers) == 3, "it was read once for all"
    assert shown(sites[1]) == 6


def test_names_that_another_user_wrote_into_the_ledger_reach_neither_terminal_nor_page_as_they_are(
    site: Site, syncer: Run
) -> None:
    site.configure(quota=LEDGER)
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    assert syncer("sync").code == 0
    with closing(sqlite3.connect(site.root.parent / "quota.sqlite3")) as connection:
        name = "\x1b[31m<script>alert(1)</script>"
        connection.execute("UPDATE sites SET name = ?, site = ? || '2'", (name, name))
        connection.commit()
    assert syncer("status").code == 0
    assert "\x1b" not in syncer("status").out
    assert "\x1b" not in syncer("status", "--json").out
    with served(site) as page:
        assert "<script>alert" not in page.get("/").text


def test_syncs_of_several_processes_at_once_never_request_more_than_the_project_has(
    make: Make, youtube: Simulator
) -> None:
    names = ["a", "b", "c", "d"]
    units = "stats_units_per_day: 25, general_units_per_day: 3, reserve: 0"
    sites = [make(name, f"{LEDGER}, {units}", 400) for name in names]
    env = {**environment(), "YOUTUBE_API_KEY": KEY}
    started = [Fork("-m", "syncer", "sync", cwd=site.root, env=env, stdout=PIPE, stderr=PIPE) for site in sites]
    ended = [(each.communicate(), each.wait()) for each in started]
    assert {code for _, code in ended} <= {0, 1}, ended
    assert youtube.units["stats"] > 25 - 10, "the last ones may be in the stock of a sync that does not need them"
    assert youtube.units["stats"] <= 25
    assert youtube.units["general"] <= 3
    with open_state(sites[0].state, sites[0].root) as database:
        config = parse_config(sites[0].config.read_text(encoding="utf-8"), sites[0].config)
        found = status_of(config, database, datetime.now(UTC), syncs=1).sharing
    assert found
    assert sum(each.units[STATS] for each in found.sites) == youtube.units["stats"]
