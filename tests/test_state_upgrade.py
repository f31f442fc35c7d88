"""A state that an older version wrote keeps all that is in it: `tests/states/` holds one of each older form."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncer.config.parse import parse_config
from syncer.decide.unconfirmed import Brake
from syncer.model import Bucket, Count, Fields, Place, VideoId
from syncer.state.database import Database, open_copy, open_database, open_to_read
from syncer.state.directory import DATABASE_FILE
from syncer.state.intents import unsettled_batches
from syncer.state.judging import accept_held, count_suppressed, current_brake, suppressed_numbers, unconfirmed_counts
from syncer.state.ledger import failing_buckets
from syncer.state.naming_pages import pages_of_videos
from syncer.state.schema import MIGRATIONS
from syncer.state.search import hidden_counts
from syncer.state.syncs import last_seq, last_syncs, last_whole_sync, open_pages, past_sync
from syncer.state.videos import (
    accepted_readings,
    count_readings,
    history,
    missing_videos,
)
from syncer.status.stored_reports import stored_report
from syncer.sync.open_state import settle
from tests.ledgers import ledger_of, parked_buckets, spent_units
from tests.site import Run, Site, crlf
from tests.steered import served

SCHEMA_5 = Path(__file__).parent / "states" / "schema_5.sql"

SITE = "/srv/site"
NOON = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SYNC = "20261123T200000Z-f391"

UNDONE, HIDDEN = VideoId("ByE6KsGhAWs"), VideoId("DVSmehsb4dc")
UNCONFIRMED, BRAKED, MISSING = VideoId("N1uPopZ1AEg"), VideoId("VrdMN-NeXv0"), VideoId("uJCUsPIEBGs")

OPENERS: list[Callable[[Path, str], Database | None]] = [open_database, open_to_read, open_copy]


def write_state(directory: Path, site: str) -> Path:
    """Writes the older state as that of a site; returns its file."""
    directory.mkdir(parents=True)
    file = directory / DATABASE_FILE
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(SCHEMA_5.read_text(encoding="utf-8"))
        connection.execute("UPDATE meta SET value = ? WHERE value = ?", (site, SITE))
        connection.commit()
    file.chmod(0o600)
    return file


@pytest.fixture(params=OPENERS, ids=lambda opener: opener.__name__)
def database(tmp_path: Path, request: pytest.FixtureRequest) -> Database:
    write_state(tmp_path / ".syncer", SITE)
    opened: Database = request.param(tmp_path / ".syncer", SITE)
    return opened


def test_an_older_state_keeps_its_history_and_what_is_missing_since_when(database: Database) -> None:
    with database:
        assert count_readings(database) == 11
        accepted = accepted_readings(database, [UNDONE, HIDDEN, UNCONFIRMED, BRAKED, MISSING])
        views = {video: (reading.statistics or {})[Count.VIEWS] for video, reading in accepted.items()}
        assert views == {UNDONE: 28139, HIDDEN: 1568, UNCONFIRMED: 15927, BRAKED: 52489, MISSING: 67564}
        assert [reading.at for reading in history(database, BRAKED)] == [NOON, NOON + DAY, NOON + 2 * DAY]
        assert [(one.video_id, one.since, one.misses) for one in missing_videos(database)] == [(MISSING, NOON + DAY, 1)]
        assert hidden_counts(database, list(Count)) == [(HIDDEN, Count.LIKES)]
        assert pages_of_videos(database, [BRAKED]) == {BRAKED: ["content/e.md"]}


def test_an_older_state_keeps_what_is_held_and_what_was_undone(database: Database) -> None:
    with database:
        assert unconfirmed_counts(database) == [(UNCONFIRMED, Count.LIKES), (UNCONFIRMED, Count.VIEWS)]
        assert current_brake(database, frozenset(Count)) == Brake("missing", 1, 1, earlier=True)
        assert suppressed_numbers(database, ["content/a.md", "content/e.md"]) == {
            (Place("content/a.md", "viewcount", UNDONE), 1),
            (Place("content/e.md", "viewcount", BRAKED), 52489),
        }
        assert count_suppressed(database) == 2


def test_an_older_state_keeps_what_a_crash_left_behind(database: Database) -> None:
    with database:
        done, begun = unsettled_batches(database)
        assert (done.done_at, done.first_seq, begun.done_at) == (NOON + 2 * DAY, 1000, None)
        assert done.mappings == begun.mappings == (Fields("vid_id", {Count.VIEWS: "viewcount"}, insert_missing=False),)
        assert open_pages(database) == {"content/d.md": 3}


def test_an_older_state_keeps_the_ledger_and_the_last_numbers(database: Database) -> None:
    with database:
        assert spent_units(database, NOON + DAY) == {Bucket.STATS: 1, Bucket.GENERAL: 1}
        assert parked_buckets(database, NOON + 3 * DAY - DAY / 24) == {Bucket.GENERAL: NOON + 3 * DAY}
        assert ledger_of(database).refusals(NOON + 2 * DAY) == {Bucket.STATS: 40}
        assert failing_buckets(database) == {Bucket.STATS}
        assert (last_seq(database), last_whole_sync(database)) == (14, NOON + DAY)


def test_past_reports_have_their_new_key_and_are_otherwise_what_they_were(tmp_path: Path) -> None:
    file = write_state(tmp_path / ".syncer", SITE)
    with closing(sqlite3.connect(file)) as connection:
        before = [text for (text,) in connection.execute("SELECT report FROM syncs WHERE report NOT NULL")]
    with open_database(tmp_path / ".syncer", SITE) as database:
        after = [past.report for past in last_syncs(database, 9)][::-1]
        report = past_sync(database, SYNC)
    assert [text.replace('"doubtful"', '"unconfirmed"') for text in before] == after
    assert len(after) == 3
    assert all(stored_report(text) for text in after)
    assert report is not None
    assert [count["count"] for count in json.loads(report.report)["unconfirmed"]] == ["likeCount", "viewCount"]


def test_a_report_that_is_no_json_stays_as_it_is(tmp_path: Path) -> None:
    file = write_state(tmp_path / ".syncer", SITE)
    texts = ["", "{", '{"doubtful": [', '{"subject": "a \\"doubtful\\": [ b"}', "\0"]
    with closing(sqlite3.connect(file)) as connection:
        for number, text in enumerate(texts, 100):
            connection.execute("INSERT INTO syncs VALUES (?, ?, 1, 0, ?)", (number, str(number), text))
        connection.commit()
    with open_database(tmp_path / ".syncer", SITE) as database:
        kept = [past.report for past in last_syncs(database, len(texts))][::-1]
    assert kept == [text.replace('{"doubtful": [', '{"unconfirmed": [') for text in texts]


def test_an_older_state_is_updated_to_the_newest_schema_once_and_accepts_what_is_held(tmp_path: Path) -> None:
    write_state(tmp_path / ".syncer", SITE)
    for _ in range(2):
        with open_database(tmp_path / ".syncer", SITE) as database, database.read() as connection:
            assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
    with open_database(tmp_path / ".syncer", SITE) as database:
        accept_held(database, frozenset(Count))
        assert (unconfirmed_counts(database), current_brake(database, frozenset(Count))) == ([], None)
        assert (accepted_readings(database, [UNCONFIRMED])[UNCONFIRMED].statistics or {})[Count.VIEWS] == 0


def test_a_command_that_only_reads_shows_an_older_state_and_does_not_touch_it(site: Site, syncer: Run) -> None:
    file = write_state(site.state, os.path.realpath(site.root))
    before = file.read_bytes()
    status = syncer("status", "--json").document
    assert [entry["video_id"] for entry in status["unconfirmed"]] == [UNCONFIRMED] * 2
    assert [past["sync"] for past in status["syncs"]][1] == SYNC
    assert (status["held_by_brake"], status["held_by_undo"]) == (1, 2)
    assert len(syncer("history", BRAKED, "--json").document["readings"]) == 3
    with served(site) as page:
        document = page.get(f"/api/v1/syncs/{SYNC}").document
    assert [entry["count"] for entry in document["unconfirmed"]] == ["likeCount", "viewCount"]
    assert "doubtful" not in document
    assert file.read_bytes() == before


def test_the_next_sync_completes_what_the_older_version_began(site: Site, syncer: Run) -> None:
    """Of an undo that was cut short, what is on disk is logged, and its old number is suppressed there from then on."""
    write_state(site.state, os.path.realpath(site.root))
    site.put("content/a.md", crlf(UNDONE, 1, 158))
    site.put("content/d.md", crlf(HIDDEN, 2, 11))
    settle(parse_config(site.config.read_text(encoding="utf-8"), site.config), lambda: NOON + 3 * DAY)
    lines = [(line["seq"], line["path"], line["new"], line["why"]) for line in site.log_lines()]
    assert lines == [(1000, "content/a.md", "2", "undo"), (1001, "content/d.md", "2", "undo")]
    with open_database(site.state, os.path.realpath(site.root)) as database:
        assert suppressed_numbers(database, ["content/d.md"]) == {(Place("content/d.md", "viewcount", HIDDEN), 1568)}
        assert unsettled_batches(database) == []
    ran = syncer("sync", "--all", "--json")
    assert (ran.code, ran.document["unconfirmed"]) == (0, []), ran
