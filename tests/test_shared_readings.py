"""A video on several sites of one ledger is requested once; each site judges its reading by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncer.config.parse import parse_config
from syncer.decide import plan
from syncer.model import Bucket, Count, LedgerPlace, VideoId
from syncer.simulator.faults import parse_fault
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, VideoState, World
from syncer.state.database import open_to_read
from syncer.state.videos import history
from syncer.status.buckets import open_ledger
from syncer.status.report import SyncReport, report_json
from syncer.sync.forget import Selection, forget
from syncer.sync.options import Options
from syncer.sync.outlook import look_ahead
from tests.ledgers import change_ledger, refuse_odd_types, rows_of
from tests.postgres import NewLedger
from tests.site import COLLECTIONS, NOON, Run, Site, counts, crlf, ids, pair, tree

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
VIDEOS = ids(12)
SCHEDULED = Options(scheduled=True)


@dataclass
class Sites:
    """Two sites with the same videos and one ledger."""

    ours: Site
    theirs: Site
    youtube: Simulator
    ledger: LedgerPlace

    def configure(self, **theirs: str) -> None:
        quota = f"ledger: '{self.ledger}'"
        self.ours.configure(quota=quota)
        self.theirs.configure(**{"quota": quota, **theirs})

    def sync(self, site: Site, at: datetime, options: Options = SCHEDULED) -> SyncReport:
        """Makes a sync when YouTube's clock shows the same."""
        self.youtube.clock.set(at)
        return site.sync(at, options)

    def stored(self) -> dict[str, int]:
        """The videos of the ledger, and when they were read."""
        return dict(rows_of(self.ledger, "SELECT id, at FROM readings"))


@pytest.fixture
def sites(site: Site, youtube: Simulator, tmp_path: Path, new_ledger: NewLedger) -> Sites:
    theirs = Site(tmp_path / "theirs", site.url)
    for each in (site, theirs):
        (each.root / "content" / "lists").mkdir(parents=True, exist_ok=True)
        for number, video in enumerate(VIDEOS):
            each.put(f"content/{number}.md", crlf(video, 1, 2))
    both = Sites(site, theirs, youtube, new_ledger())
    both.configure()
    return both


def page(site: Site, number: int = 0) -> bytes:
    return (site.root / f"content/{number}.md").read_bytes()


def claims(ledger: LedgerPlace) -> list[tuple[object, ...]]:
    return rows_of(ledger, "SELECT * FROM claims")


def read_at(site: Site, video: str) -> list[datetime]:
    database = open_to_read(site.state, str(site.root))
    assert database
    with database:
        return [reading.at for reading in history(database, VideoId(video))]


def test_what_one_site_has_read_the_other_does_not_request(sites: Sites, youtube: Simulator) -> None:
    first = sites.sync(sites.ours, NOON)
    assert (first.asked, first.units, first.shared) == (12, {Bucket.STATS: 1}, 0)
    then, requests = [counts(youtube, video) for video in VIDEOS], youtube.requests
    second = sites.sync(sites.theirs, NOON + 5 * HOUR)
    assert (second.videos, second.asked, second.answered, second.shared, second.fresh) == (12, 0, 0, 12, 0)
    assert (youtube.requests, second.oldest_shared, second.exit) == (requests, NOON, 0)
    assert [counts(youtube, video) for video in VIDEOS] != then
    shown = [page(sites.theirs, number) for number in range(12)]
    assert shown == [crlf(video, *of) for video, of in zip(VIDEOS, then, strict=True)], "as they were then"
    assert {line["as_of"] for line in sites.theirs.log_lines()} == {"2026-11-22T20:00:00Z"}
    assert {line["at"] for line in sites.theirs.log_lines()} == {"2026-11-23T01:00:00Z"}
    assert read_at(sites.theirs, VIDEOS[0]) == [NOON]


def test_only_what_the_other_site_lacks_is_requested(sites: Sites) -> None:
    more = ids(3, seed=2)
    for number, video in enumerate(more):
        sites.theirs.put(f"content/more-{number}.md", crlf(video, 1, 2))
    sites.sync(sites.ours, NOON)
    report = sites.sync(sites.theirs, NOON + HOUR)
    assert (report.videos, report.asked, report.shared) == (15, 3, 12)
    assert set(sites.stored()) == {*VIDEOS, *more}


def test_its_own_newer_reading_is_not_replaced_by_an_older_one_and_none_comes_back(sites: Sites) -> None:
    sites.sync(sites.ours, NOON)
    sites.sync(sites.theirs, NOON + 5 * HOUR, Options(everything=True))
    again = sites.sync(sites.ours, NOON + 6 * HOUR)
    assert (again.asked, again.shared, again.oldest_shared) == (0, 12, NOON + 5 * HOUR)
    assert sites.sync(sites.theirs, NOON + 11 * HOUR).asked == 12, "the newest reading is its own"


def test_a_reading_is_taken_no_longer_than_the_interval_of_a_scheduled_sync_and_while_it_is_fresh_by_hand(
    sites: Sites,
) -> None:
    sites.sync(sites.ours, NOON)
    assert sites.sync(sites.theirs, NOON + 6 * MINUTE, Options(dry_run=True)).shared == 0
    assert sites.sync(sites.theirs, NOON + 4 * MINUTE, Options(dry_run=True)).shared == 12
    assert sites.sync(sites.theirs, NOON + 4 * MINUTE, Options(dry_run=True, everything=True)).shared == 0
    late = sites.sync(sites.theirs, NOON + 6 * HOUR + 6 * MINUTE)
    assert (late.asked, late.shared) == (12, 0)


def test_a_site_with_a_long_interval_stores_no_reading_beyond_what_the_terms_allow(sites: Sites) -> None:
    sites.configure(schedule="every: 7d", history="keep: 29d")
    sites.sync(sites.ours, NOON)
    assert sites.sync(sites.theirs, NOON + 25 * HOUR, Options(scheduled=True, dry_run=True)).shared == 0
    assert sites.sync(sites.theirs, NOON + 24 * HOUR).shared == 12


def test_a_dry_run_takes_readings_and_writes_nothing(sites: Sites) -> None:
    sites.sync(sites.ours, NOON)
    before, ledger = tree(sites.theirs.root), sites.stored()
    report = sites.sync(sites.theirs, NOON + HOUR, Options(scheduled=True, dry_run=True))
    assert (report.asked, report.shared, report.changed_pages) == (0, 12, 12)
    assert (tree(sites.theirs.root), sites.stored()) == (before, ledger)
    youtube_only = sites.sync(sites.theirs, NOON + 7 * HOUR, Options(dry_run=True))
    assert (youtube_only.asked, sites.stored()) == (12, ledger)


def test_a_reading_serves_a_site_that_shows_other_counts(sites: Sites, youtube: Simulator) -> None:
    collections = COLLECTIONS.replace("viewCount: viewcount, likeCount: likeCount", "viewCount: viewcount", 1)
    sites.ours.configure(collections=collections, quota=f"ledger: '{sites.ledger}'")
    sites.sync(sites.ours, NOON)
    then = counts(youtube, VIDEOS[0])
    assert page(sites.ours) == crlf(VIDEOS[0], then[0], 2)
    assert sites.sync(sites.theirs, NOON + HOUR).shared == 12
    assert page(sites.theirs) == crlf(VIDEOS[0], *then)


def test_what_is_hidden_stays_hidden(sites: Sites, youtube: Simulator) -> None:
    youtube.world = World(
        videos={VIDEOS[0]: Video(VideoState.LIKES_HIDDEN), VIDEOS[1]: Video(VideoState.COUNTS_HIDDEN)}
    )
    sites.sync(sites.ours, NOON)
    report = sites.sync(sites.theirs, NOON + HOUR)
    assert (report.asked, report.shared) == (0, 12)
    hidden = [(VIDEOS[0], Count.LIKES), (VIDEOS[1], Count.LIKES), (VIDEOS[1], Count.VIEWS)]
    assert sorted(report.hidden) == sorted(hidden)
    assert page(sites.theirs, 1) == crlf(VIDEOS[1], 1, 2)


def test_a_missing_video_is_missing_on_every_site_and_asked_about_once(sites: Sites, youtube: Simulator) -> None:
    youtube.world = World(videos={VIDEOS[0]: Video(VideoState.DELETED)})
    sites.sync(sites.ours, NOON)
    report = sites.sync(sites.theirs, NOON + HOUR)
    assert (report.asked, report.shared, report.missing) == (0, 12, (VIDEOS[0],))
    assert report.pages_of == {VIDEOS[0]: ["content/0.md"]}
    assert page(sites.theirs) == crlf(VIDEOS[0], 1, 2)


def test_a_video_that_only_one_method_left_out_is_not_shared(sites: Sites, youtube: Simulator) -> None:
    youtube.world = World(videos={VIDEOS[0]: Video(VideoState.DELETED)})
    youtube.faults = [parse_fault("not-implemented@stats")]
    first = sites.sync(sites.ours, NOON)
    assert (first.missing, first.units) == ((VIDEOS[0],), {Bucket.STATS: 1, Bucket.GENERAL: 1})
    youtube.faults = []
    report = sites.sync(sites.theirs, NOON + HOUR)
    assert (report.asked, report.shared, report.missing) == (1, 11, (VIDEOS[0],))


def test_a_video_of_which_youtube_returned_something_invalid_is_not_shared(sites: Sites, youtube: Simulator) -> None:
    """Its count is absent for the other site, too, but not because it is hidden."""
    youtube.faults = [parse_fault(f"count-comma@{VIDEOS[0]}")]
    assert {problem.subject for problem in sites.sync(sites.ours, NOON).problems} == {VIDEOS[0]}
    youtube.faults = []
    report = sites.sync(sites.theirs, NOON + HOUR)
    assert (report.asked, report.shared, report.hidden) == (1, 11, ())


def test_what_a_simulator_says_is_not_what_youtube_says(sites: Sites, youtube: Simulator) -> None:
    with Simulator(World(seed=2)) as another:
        elsewhere = Site(sites.theirs.root, another.url)
        elsewhere.configure(quota=f"ledger: '{sites.ledger}'")
        sites.sync(sites.ours, NOON)
        another.clock.set(NOON + HOUR)
        report = elsewhere.sync(NOON + HOUR, SCHEDULED)
        assert (report.asked, report.shared) == (12, 0)
        assert page(elsewhere) == crlf(VIDEOS[0], *counts(another, VIDEOS[0]))
    sites.configure()
    report = sites.sync(sites.ours, NOON + 2 * HOUR)
    assert report.shared == 0


def test_each_site_judges_for_itself(sites: Sites, youtube: Simulator) -> None:
    """What would empty one site's pages stops that site; the other one had no better counts."""
    low = World(videos={video: Video(counts={"viewCount": 5, "likeCount": 5}) for video in VIDEOS})
    sites.theirs.sync(NOON - 24 * HOUR)
    change_ledger(sites.ledger, "DELETE FROM readings")
    youtube.world = low
    assert sites.sync(sites.ours, NOON).brake is None
    assert page(sites.ours) != crlf(VIDEOS[0], 1, 2)
    kept = page(sites.theirs)
    report = sites.sync(sites.theirs, NOON + HOUR)
    assert report.brake is not None
    assert (report.brake.reason, report.shared, report.asked, report.exit) == ("falling", 12, 0, 1)
    assert page(sites.theirs) == kept


def test_a_reading_of_another_site_confirms_an_unconfirmed_count(sites: Sites, youtube: Simulator) -> None:
    sites.sync(sites.ours, NOON - 24 * HOUR)
    youtube.world = World(videos={VIDEOS[0]: Video(counts={"viewCount": 0, "likeCount": 1})}, start=NOON)
    held = sites.sync(sites.ours, NOON)
    assert (VIDEOS[0], Count.VIEWS) in held.unconfirmed
    sites.sync(sites.theirs, NOON + HOUR, Options(everything=True))
    report = sites.sync(sites.ours, NOON + 6 * HOUR)
    assert (report.asked, report.shared, report.unconfirmed) == (0, 12, ())


@pytest.mark.parametrize("by", [timedelta(days=400), timedelta(hours=1)])
def test_a_count_from_the_future_is_never_taken(sites: Sites, by: timedelta) -> None:
    sites.sync(sites.ours, NOON + by)
    report = sites.sync(sites.theirs, NOON)
    assert (report.asked, report.shared) == (12, 0)
    assert set(sites.stored().values()) == {int(NOON.timestamp())}, "and it is replaced"


def test_after_its_own_clock_ran_ahead_a_site_requests_once_and_then_takes_readings_again(sites: Sites) -> None:
    sites.sync(sites.ours, NOON + timedelta(days=400))
    sites.sync(sites.theirs, NOON)
    back = sites.sync(sites.ours, NOON + HOUR)
    assert (back.asked, back.shared) == (12, 0), "how old its own readings are is not known"
    assert sites.sync(sites.theirs, NOON + 6 * HOUR).shared == 12
    sites.sync(sites.theirs, NOON + 7 * HOUR, Options(everything=True))
    assert sites.sync(sites.ours, NOON + 8 * HOUR).shared == 12


def test_a_purge_of_a_video_or_of_all_deletes_it_in_the_ledger_too(sites: Sites) -> None:
    sites.sync(sites.ours, NOON)
    config = parse_config(sites.ours.config.read_text(encoding="utf-8"), sites.ours.config)
    purge = {"dry_run": False, "clock": lambda: NOON, "sleep": lambda _: None}
    forget(config, Selection(video=VideoId(VIDEOS[0])), **purge)  # type: ignore[arg-type]
    assert set(sites.stored()) == set(VIDEOS[1:])
    if isinstance(sites.ledger, Path):
        assert VIDEOS[0].encode() not in sites.ledger.read_bytes()
        assert VIDEOS[1].encode() in sites.ledger.read_bytes()
    forget(config, Selection(), **purge)  # type: ignore[arg-type]
    assert sites.stored() == {}


def test_a_purge_deletes_what_is_too_old_in_the_ledger_too(sites: Sites) -> None:
    sites.sync(sites.ours, NOON)
    config = parse_config(sites.ours.config.read_text(encoding="utf-8"), sites.ours.config)
    for late, left in ((timedelta(0), 12), (timedelta(seconds=1), 0)):
        now = NOON + config.history.keep + late
        selection = Selection(before=now - config.history.keep)
        forget(config, selection, dry_run=False, clock=lambda now=now: now, sleep=lambda _: None)  # type: ignore[misc]
        assert len(sites.stored()) == left
        if isinstance(sites.ledger, Path):
            assert (VIDEOS[0].encode() in sites.ledger.read_bytes()) == bool(left), "the file has no trace of them"
    seen = rows_of(sites.ledger, "SELECT seen FROM sites")
    assert seen == [(int(NOON.timestamp()),)], "a purge is no sync"


def test_where_youtube_answers_nothing_old_readings_are_deleted_from_the_ledger(
    sites: Sites, youtube: Simulator
) -> None:
    sites.sync(sites.ours, NOON)
    youtube.faults = [parse_fault("key-invalid")]
    sites.sync(sites.theirs, NOON + timedelta(days=28, seconds=1))
    assert sites.stored() == {}


def test_readings_of_the_ledger_are_deleted_when_the_first_of_its_sites_may_not_keep_them(sites: Sites) -> None:
    sites.sync(sites.ours, NOON)
    sites.theirs.put("content/only.md", crlf(ids(1, seed=3)[0], 1, 2))
    for number in range(12):
        (sites.theirs.root / f"content/{number}.md").unlink()
    sites.sync(sites.theirs, NOON + timedelta(days=27))
    assert len(sites.stored()) == 13
    sites.sync(sites.theirs, NOON + timedelta(days=28, seconds=1))
    assert set(sites.stored()) == {ids(1, seed=3)[0]}


def test_a_sync_that_ends_between_its_own_state_and_the_ledger_costs_the_other_site_a_request(
    sites: Sites,
) -> None:
    sites.sync(sites.ours, NOON)
    change_ledger(sites.ledger, "DELETE FROM readings")  # as if it had ended before they were written
    assert read_at(sites.ours, VIDEOS[0]) == [NOON]
    report = sites.sync(sites.theirs, NOON + HOUR)
    assert (report.asked, report.shared) == (12, 0)
    report = sites.sync(sites.ours, NOON + 2 * HOUR)
    assert (report.asked, report.shared, report.problems) == (0, 12, ())


@pytest.mark.parametrize("change", ["views = 'many'", "views = -1", "present = 7", "views = 2 << 62"], ids=str)
def test_what_is_no_reading_in_the_ledger_never_becomes_a_count(sites: Sites, change: str) -> None:
    refuse_odd_types(sites.ledger, change, ["views = 'many'", "views = 2 << 62"])
    sites.sync(sites.ours, NOON)
    change_ledger(sites.ledger, f"UPDATE readings SET {change} WHERE id = '{VIDEOS[0]}'")
    report = sites.sync(sites.theirs, NOON + HOUR)
    assert (report.exit, report.asked, report.shared) == (3, 0, 0)
    wrong = "is damaged" if isinstance(sites.ledger, Path) else "has values that syncer does not store"
    assert f"The ledger {sites.ledger} {wrong}" in report.problems[0].message
    assert page(sites.theirs) == crlf(VIDEOS[0], 1, 2)


def test_a_reading_without_a_time_is_replaced(sites: Sites) -> None:
    change = "at = 'noon'"
    refuse_odd_types(sites.ledger, change, [change])
    sites.sync(sites.ours, NOON)
    change_ledger(sites.ledger, f"UPDATE readings SET {change} WHERE id = '{VIDEOS[0]}'")
    report = sites.sync(sites.theirs, NOON + HOUR)
    assert (report.asked, report.shared) == (1, 11)
    assert sites.stored()[VIDEOS[0]] == (NOON + HOUR).timestamp()


def test_a_scheduled_sync_uses_its_part_of_the_units_and_one_by_hand_what_is_left(sites: Sites) -> None:
    quota = f"ledger: '{sites.ledger}', stats_units_per_day: 3, general_units_per_day: 3, reserve: 1"
    for number, site in enumerate((sites.ours, sites.theirs)):
        site.configure(quota=quota)
        for video in ids(188, seed=10 + number):
            site.put(f"content/{video}.md", crlf(video, 1, 2))
        for day in range(-6, 0, 2):  # each has its days, so that all have been read
            sites.sync(site, NOON + timedelta(days=day + number), Options())
    midnight = NOON - timedelta(hours=11)
    reports = [sites.sync(site, midnight + number * MINUTE) for number, site in enumerate((sites.ours, sites.theirs))]
    assert [report.asked for report in reports] == [50, 50], "of four units, each has two, for two of its syncs"
    assert [(report.over_quota, report.exit) for report in reports] == [(0, 0)] * 2
    again = [sites.sync(sites.ours, NOON - (10 - turn) * HOUR) for turn in range(3)]
    assert [report.asked for report in again] == [50, 0, 0]
    assert [(report.over_quota, report.exit) for report in again] == [(0, 0)] * 3, "its turn comes on another day"
    before = claims(sites.ledger)
    config = parse_config(sites.theirs.config.read_text(encoding="utf-8"), sites.theirs.config)
    database = open_to_read(sites.theirs.state, str(sites.theirs.root))
    assert database
    with database, open_ledger(config, database, NOON) as ledger:
        daemon, alone = (look_ahead(config, database, ledger, NOON, starts=at, days=2) for at in (NOON, None))
    assert (daemon.budget, daemon.units, [day.budget for day in daemon.days]) == (2, 1, [1, 2]), "of four a day"
    assert alone.budget == 4
    assert claims(sites.ledger) == before, "it only looks"
    assert sites.sync(sites.theirs, NOON, Options()).asked == 50 * 2, "with the reserve of the first bucket"


def test_three_sites_request_each_video_once_in_each_interval(sites: Sites, tmp_path: Path) -> None:
    third = Site(tmp_path / "third", sites.ours.url)
    (third.root / "content" / "lists").mkdir(parents=True)
    third.configure(quota=f"ledger: '{sites.ledger}'")
    for number, video in enumerate(VIDEOS[:6]):
        third.put(f"content/{number}.md", crlf(video, 1, 2))
    asked = [
        [sites.sync(site, NOON + (6 * turn + number) * HOUR).asked for number, site in enumerate(order)]
        for turn, order in enumerate([(sites.ours, sites.theirs, third)] * 4)
    ]
    assert asked == [[12, 0, 0]] * 4


def test_the_report_says_how_many_came_from_other_sites_and_how_old_they_are(sites: Sites, syncer: Run) -> None:
    first = sites.sync(sites.ours, NOON)
    assert report_json(first)["left_out"] == {"fresh": 0, "over_quota": 0, "open": 0}
    document = report_json(sites.sync(sites.theirs, NOON + 3 * HOUR))
    assert document["left_out"] == {"fresh": 0, "over_quota": 0, "open": 0, "shared": 12}
    assert document["oldest_shared"] == "2026-11-22T20:00:00Z"
    now = datetime.now(UTC)
    sites.theirs.put("content/one.md", crlf(ids(1, seed=4)[0], 1, 2))
    sites.ours.put("content/one.md", crlf(ids(1, seed=4)[0], 1, 2))
    sites.sync(sites.theirs, now - 3 * MINUTE, Options(everything=True))
    ran = syncer("-v", "sync")
    assert "\nUsed readings of other sites for 13 videos (oldest: 3 min ago).\n" in ran.out
    assert "0 to request, 0 fresh, 13 read by other sites, 0 left out" in ran.err


def test_a_site_without_a_ledger_shares_nothing(sites: Sites) -> None:
    sites.sync(sites.ours, NOON)
    sites.theirs.configure()
    report = sites.sync(sites.theirs, NOON + HOUR)
    assert (report.asked, report.shared) == (12, 0)


def test_readings_are_judged_in_the_windows_of_a_large_site(
    sites: Sites, youtube: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of another site belong to any window, and so do their pages, also those with a requested video beside."""
    monkeypatch.setattr(plan, "WINDOW_VIDEOS", 100)
    own = ids(400, seed=20)
    items = "".join(f'  - id: "{video}"\n    viewcount: 1\n    likeCount: 2\n' for video in own)
    sites.theirs.put("content/lists/large.md", f"---\nvideos:\n{items}---\n".encode())
    for number, video in enumerate(VIDEOS):
        sites.theirs.put(f"content/lists/{number}.md", pair((video, 1, 2), (own[number], 1, 2)))
    sites.sync(sites.ours, NOON)
    then = [counts(youtube, video) for video in VIDEOS]
    report = sites.sync(sites.theirs, NOON + 5 * HOUR)
    assert (report.asked, report.shared, report.problems) == (400, 12, ())
    for number, video in enumerate(VIDEOS):
        assert page(sites.theirs, number) == crlf(video, *then[number])
        beside = (own[number], *counts(youtube, own[number]))
        expected = pair((video, *then[number]), beside)
        assert (sites.theirs.root / f"content/lists/{number}.md").read_bytes() == expected
