"""Of a video on several sites of one ledger, YouTube is asked once whether it plays; each site judges by itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from syncer.config.parse import parse_config
from syncer.decide.availability import PlayState
from syncer.model import Bucket, LedgerPlace, VideoId
from syncer.simulator.playing import Playing
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, VideoState, World
from syncer.state.database import open_to_read
from syncer.state.play_states import known_states
from syncer.status.report import SyncReport
from syncer.sync.forget import Selection, forget
from syncer.sync.options import Options
from tests.ledgers import change_ledger, rows_of
from tests.postgres import NewLedger
from tests.site import NOON, Site, crlf, ids

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
VIDEOS = ids(12)
BLOCKED = Video(playing=Playing(embeddable=False))


class Sites:
    """Two sites with the same videos and one ledger, whose YouTube has the time of the sync."""

    def __init__(self, place: Path, youtube: Simulator, ledger: LedgerPlace) -> None:
        self.youtube, self.ledger = youtube, ledger
        self.ours, self.theirs = (Site(place / name, youtube.url) for name in ("ours", "theirs"))
        for site in (self.ours, self.theirs):
            (site.root / "content" / "lists").mkdir(parents=True)
            for number, video in enumerate(VIDEOS):
                site.put(f"content/{number}.md", crlf(video, 1, 2))
            self.configure(site)

    def configure(self, site: Site, availability: str = "every: 7d", **sections: str) -> None:
        site.configure(**{"quota": f"ledger: '{self.ledger}'", "availability": availability, **sections})

    def sync(self, site: Site, after: timedelta = timedelta(0), options: Options | None = None) -> SyncReport:
        self.youtube.clock.set(NOON + after)
        return site.sync(NOON + after, options or Options(scheduled=True))

    def general(self) -> int:
        return self.youtube.units["general"]

    def become(self, video: Video, *videos: str) -> None:
        """From now on, YouTube has these videos like this, and all others are public."""
        self.youtube.world = World(videos=dict.fromkeys(videos, video))

    def stored(self) -> dict[str, int]:
        """The videos of the ledger, and when YouTube was asked."""
        return dict(rows_of(self.ledger, "SELECT id, at FROM checks"))


@pytest.fixture
def sites(tmp_path: Path, youtube: Simulator, new_ledger: NewLedger) -> Sites:
    return Sites(tmp_path, youtube, new_ledger())


def states(site: Site) -> Mapping[VideoId, PlayState | None]:
    database = open_to_read(site.state, str(site.root))
    assert database
    with database:
        return known_states(database, [VideoId(each) for each in VIDEOS])


def test_whether_a_video_plays_is_requested_once_for_all_sites(sites: Sites) -> None:
    sites.sync(sites.ours)
    asked = sites.general()
    report = sites.sync(sites.theirs, timedelta(seconds=1))
    assert sites.general() == asked == 1
    assert report.playing
    assert (report.playing.due, report.playing.checked) == (12, 12)
    assert states(sites.theirs) == states(sites.ours) == dict.fromkeys(map(VideoId, VIDEOS), PlayState.PUBLIC)
    with closing(sqlite3.connect(sites.theirs.state / "state.sqlite3")) as database:
        times = {at for (at,) in database.execute("SELECT checked_at FROM availability")}
    assert times == {int(NOON.timestamp())}, "its age is that of the request"


def test_a_check_is_taken_no_longer_than_the_site_itself_would_wait(sites: Sites) -> None:
    sites.sync(sites.ours)
    sites.configure(sites.theirs, "every: 1d")
    report = sites.sync(sites.theirs, 24 * HOUR)
    assert report.units[Bucket.GENERAL] == 1, "by its own config, each is due again after a day"
    assert set(sites.stored().values()) == {int((NOON + 24 * HOUR).timestamp())}


def test_what_does_not_play_is_reported_on_each_site_and_held_by_each_site_s_own_brake(sites: Sites) -> None:
    for site in (sites.ours, sites.theirs):
        sites.sync(site)
    sites.become(BLOCKED, *VIDEOS[:10])
    sites.configure(sites.ours, write="brake: {missing: 100%}")
    ours = sites.sync(sites.ours, WEEK + HOUR)
    assert ours.playing
    assert not ours.brake
    assert len(ours.playing.stopped()) == 10
    asked = sites.general()
    theirs = sites.sync(sites.theirs, WEEK + HOUR + timedelta(seconds=1))
    assert sites.general() == asked
    assert theirs.brake, "10 of 12 would stop at once, which its own brake holds"
    assert states(sites.theirs) == dict.fromkeys(map(VideoId, VIDEOS), PlayState.PUBLIC)


def test_sites_that_care_for_other_regions_do_not_use_each_other_s_checks(sites: Sites) -> None:
    sites.sync(sites.ours)
    sites.configure(sites.theirs, "every: 7d, regions: [DE]")
    asked = sites.general()
    sites.sync(sites.theirs, timedelta(seconds=1))
    assert sites.general() == asked + 1


def test_a_check_that_is_older_than_what_the_site_knows_is_not_taken(sites: Sites) -> None:
    sites.sync(sites.ours)
    sites.configure(sites.theirs, quota="reserve: 0")
    sites.become(BLOCKED, VIDEOS[0])
    sites.sync(sites.theirs, HOUR)
    assert states(sites.theirs)[VideoId(VIDEOS[0])] is PlayState.NOT_EMBEDDABLE
    sites.configure(sites.theirs)
    asked = sites.general()
    sites.sync(sites.theirs, 3 * HOUR)
    assert sites.general() == asked + 1
    assert states(sites.theirs)[VideoId(VIDEOS[0])] is PlayState.NOT_EMBEDDABLE


def test_a_video_that_youtube_left_out_since_is_not_called_playing_by_an_older_check(sites: Sites) -> None:
    sites.sync(sites.ours)
    sites.become(Video(VideoState.DELETED), VIDEOS[0])
    sites.configure(sites.theirs, availability="every: null")
    report = sites.sync(sites.theirs, 7 * HOUR)
    assert report.missing == (VideoId(VIDEOS[0]),)
    sites.configure(sites.theirs)
    sites.sync(sites.theirs, 8 * HOUR)
    assert VIDEOS[0] not in states(sites.theirs)


def test_what_an_answer_does_not_say_is_requested_by_the_other_site_too(sites: Sites) -> None:
    sites.become(Video(playing=Playing(without=("contentDetails",))), VIDEOS[0])
    sites.sync(sites.ours)
    assert sites.stored().keys() == set(VIDEOS[1:])
    asked = sites.general()
    sites.sync(sites.theirs, timedelta(seconds=1))
    assert sites.general() == asked + 1


def test_all_asks_again_whatever_others_know(sites: Sites) -> None:
    sites.sync(sites.ours)
    asked = sites.general()
    sites.sync(sites.theirs, timedelta(seconds=1), Options(everything=True))
    assert sites.general() == asked + 1


@pytest.mark.parametrize("change", ["facts = '[]'", "state = 'well'", "facts = 'x'"])
def test_what_is_no_check_in_the_ledger_is_never_taken(sites: Sites, change: str) -> None:
    sites.sync(sites.ours)
    change_ledger(sites.ledger, f"UPDATE checks SET {change} WHERE id = '{VIDEOS[0]}'")
    report = sites.sync(sites.theirs, timedelta(seconds=1))
    assert report.problems[0].kind == "ledger-unreachable"
    assert not states(sites.theirs)


def test_a_dry_run_takes_checks_and_writes_none(sites: Sites) -> None:
    sites.sync(sites.ours, options=Options(dry_run=True))
    if isinstance(sites.ledger, Path):
        assert not sites.ledger.exists()
    else:
        assert not sites.stored()
    sites.sync(sites.ours)
    asked, before = sites.general(), sites.stored()
    sites.sync(sites.theirs, timedelta(seconds=1), Options(dry_run=True))
    assert sites.general() == asked
    assert sites.stored() == before


def test_a_purge_deletes_checks_from_the_ledger_too_and_time_does_it_after_28_days(sites: Sites) -> None:
    sites.sync(sites.ours)
    config = parse_config(sites.ours.config.read_text(encoding="utf-8"), sites.ours.config)
    video = VideoId(VIDEOS[0])
    forget(config, Selection(video=video), dry_run=False, clock=lambda: NOON, sleep=lambda _: None)
    assert sites.stored().keys() == set(VIDEOS[1:])
    sites.configure(sites.ours, "every: null")
    sites.sync(sites.ours, timedelta(days=29))
    assert not sites.stored()
