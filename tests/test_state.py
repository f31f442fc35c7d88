"""The state: opened, refused, copied, read, forgotten; the ledger of units; readings and syncs."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncer.config.parse import parse_config
from syncer.config.sections import Config
from syncer.diff_log.lines import LOG, entry_of, read_log
from syncer.diff_log.log import DiffLog
from syncer.errors import StateDamaged, StateError
from syncer.model import Bucket, Change, Count, Reading, VideoId, Why
from syncer.state.database import Database, open_copy, open_database, open_to_read
from syncer.state.directory import DATABASE_FILE
from syncer.state.judging import accept_pending, pending_readings
from syncer.state.ledger import UnitStock
from syncer.state.schema import MIGRATIONS, SCHEMA_1
from syncer.state.search import hidden_counts
from syncer.state.syncs import (
    begin_sync,
    end_sync,
    forget_reports,
    forget_syncs,
    has_sync,
    last_seq,
    last_syncs,
    last_whole_sync,
)
from syncer.state.videos import (
    accepted_readings,
    count_readings,
    forget_readings,
    forget_readings_before,
    history,
    last_read,
    missing_videos,
    save_readings,
)
from syncer.sync.forget import Selection, forget
from tests.ledgers import ledger_of, parked_buckets, spent_units
from tests.places import everybodys_directory, fill, give_away, run_python, small_disk
from tests.site import Site, tree

SITE = "/srv/site"
NOON = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
DAY = timedelta(days=1)
A, B = VideoId("5HjkiQJx-CY"), VideoId("kq3vT7mZ_dE")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / ".syncer"


@pytest.fixture
def database(directory: Path) -> Iterator[Database]:
    with open_database(directory, SITE) as database:
        yield database


def given(video: VideoId = A, at: datetime = NOON, views: int | None = 7, likes: int | None = 3) -> Reading:
    counts = {Count.VIEWS: views, Count.LIKES: likes, Count.COMMENTS: 1}
    return Reading(video, at, {count: number for count, number in counts.items() if number is not None})


def absent(video: VideoId = A, at: datetime = NOON) -> Reading:
    return Reading(video, at, None)


def saved(database: Database, *readings: Reading, at: datetime | None = None, name: str = "") -> int:
    """Save readings of a sync of their own."""
    started = at or (readings[0].at if readings else NOON)
    sync = begin_sync(database, name or f"{started:%Y%m%dT%H%M%SZ}-{os.urandom(4).hex()}", started)
    save_readings(database, sync, readings)
    accept_pending(database, frozenset(Count))
    return sync


def accepted(database: Database, video: VideoId = A) -> Mapping[Count, int] | None:
    reading = accepted_readings(database, [video]).get(video)
    return None if reading is None else reading.statistics


# --- opening ---------------------------------------------------------------------------------------------------------


def test_a_state_is_made_once_and_found_again(directory: Path) -> None:
    with open_database(directory, SITE) as database:
        saved(database, given())
    with open_database(directory, SITE) as database:
        assert accepted(database) == given().statistics
    assert sorted(os.listdir(directory)) == [".gitignore", DATABASE_FILE]


def test_the_schemas_number_is_the_number_of_migrations(database: Database) -> None:
    with database.read() as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert connection.execute("PRAGMA secure_delete").fetchone()[0] == 1


OPENERS: list[Callable[[Path, str], Database | None]] = [open_database, open_to_read, open_copy]


def file_of(directory: Path, *statements: str) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / ".gitignore").write_text("*\n")
    connection = sqlite3.connect(directory / DATABASE_FILE)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return directory / DATABASE_FILE


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_a_state_of_a_newer_version_is_refused_and_not_touched(
    directory: Path, opener: Callable[[Path, str], object], journal: str
) -> None:
    file = file_of(directory, f"PRAGMA journal_mode = {journal}", "CREATE TABLE t (x)", "PRAGMA user_version = 99")
    before = file.read_bytes()

    with pytest.raises(StateError, match=r"newer syncer \(schema 99") as raised:
        opener(directory, SITE)
    assert raised.value.exit_code == 2
    assert file.read_bytes() == before


@pytest.mark.parametrize("opener", [open_to_read, open_copy])
def test_a_state_of_an_older_version_is_read_as_a_copy_and_not_touched(
    directory: Path, opener: Callable[[Path, str], Database | None]
) -> None:
    file = file_of(
        directory,
        *SCHEMA_1.strip().split(";\n"),
        f"INSERT INTO meta VALUES ('site', '{SITE}')",
        f"INSERT INTO videos VALUES (1, '{A}', 100, 5, NULL)",
        "INSERT INTO readings VALUES (5, 1, 100, 1, 7, 3, 1)",
        "PRAGMA user_version = 1",
    )
    before = file.read_bytes()

    opened = opener(directory, SITE)
    assert opened is not None
    with opened:
        assert accepted(opened) == {Count.VIEWS: 7, Count.LIKES: 3, Count.COMMENTS: 1}
        assert list(pending_readings(opened, frozenset(Count))) == []
    assert file.read_bytes() == before


@pytest.mark.parametrize("opener", OPENERS)
def test_the_state_of_another_site_is_refused_and_not_touched(
    directory: Path, opener: Callable[[Path, str], object]
) -> None:
    with open_database(directory, "/srv/another") as database:
        saved(database, given())
    before = (directory / DATABASE_FILE).read_bytes()

    with pytest.raises(StateError, match="belongs to the site /srv/another, not to /srv/site"):
        opener(directory, SITE)
    assert (directory / DATABASE_FILE).read_bytes() == before


@pytest.mark.parametrize("opener", OPENERS)
def test_a_file_that_is_no_database_is_refused_and_not_touched(
    directory: Path, opener: Callable[[Path, str], object]
) -> None:
    content = b"no database at all, but long enough for a header " * 99
    directory.mkdir()
    (directory / DATABASE_FILE).write_bytes(content)

    with pytest.raises(StateError, match=DATABASE_FILE):
        opener(directory, SITE)
    assert (directory / DATABASE_FILE).read_bytes() == content


@pytest.mark.parametrize("opener", OPENERS)
def test_a_database_of_another_program_is_refused(directory: Path, opener: Callable[[Path, str], object]) -> None:
    file_of(directory, "CREATE TABLE theirs (x)", "PRAGMA user_version = 1")

    with pytest.raises(StateDamaged, match="its tables do not match schema 1"):
        opener(directory, SITE)


def test_a_database_with_damaged_pages_is_an_error_not_a_traceback(directory: Path) -> None:
    with open_database(directory, SITE) as database:
        saved(database, *(given(VideoId(f"{number:011}")) for number in range(2000)))
    file = directory / DATABASE_FILE
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    file.write_bytes(content)

    with pytest.raises(StateError, match=r"malformed|corrupt"), open_database(directory, SITE) as database:
        history(database, VideoId("00000000007"))
    with pytest.raises(StateError, match=r"malformed|corrupt"):
        open_copy(directory, SITE)


@pytest.mark.parametrize("opener", [open_to_read, open_copy])
def test_reading_makes_no_state_where_there_is_none(tmp_path: Path, opener: Callable[[Path, str], object]) -> None:
    made = opener(tmp_path / "site/.syncer", SITE)
    if isinstance(made, Database):
        with made as database:
            assert read_times(database) == {}

    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_a_state_that_is_being_made_or_was_not_made_to_the_end_is_none_yet(
    directory: Path, opener: Callable[[Path, str], Database | None], journal: str
) -> None:
    file_of(directory, f"PRAGMA journal_mode = {journal}")

    with opener(directory, SITE) or open_copy(directory, SITE) as database:
        assert read_times(database) == {}


def test_a_state_directory_below_a_file_is_an_error_for_a_writer_and_no_state_for_a_reader(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert open_to_read(tmp_path / "file/.syncer", SITE) is None
    with pytest.raises(StateError, match=r"Cannot create the state in .*: Not a directory"):
        open_database(tmp_path / "file/.syncer", SITE)


@pytest.mark.parametrize("mode", [0o000, 0o555])
def test_a_state_that_may_not_be_written_is_an_error_that_says_so(mode: int) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom syncer.errors import StateDamaged, StateError\n"
        "from syncer.state.database import open_database, open_to_read\n"
        "from tests.places import drop_powers\ndrop_powers()\n"
        "try: open_database(Path(sys.argv[1]), '/srv/site')\n"
        "except StateError as error: print(error)\n"
        "try: open_to_read(Path(sys.argv[1]), '/srv/site')\n"
        "except StateError as error: print(error)"
    )
    with everybodys_directory() as site:
        directory = site / ".syncer"
        with open_database(directory, SITE):
            pass
        for path in (directory, *directory.iterdir()):
            give_away(path)
        directory.chmod(mode)
        printed = run_python(code, directory).splitlines()
        directory.chmod(0o755)

    assert all(str(directory) in line for line in printed)
    assert printed


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a state of another user")
def test_a_state_of_another_user_is_an_error_that_says_how_to_read_it() -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom syncer.errors import StateError\n"
        "from syncer.state.database import open_to_read\n"
        "from tests.places import drop_powers\ndrop_powers()\n"
        "try: open_to_read(Path(sys.argv[1]), '/srv/site')\n"
        "except StateError as error: print(error)"
    )
    with everybodys_directory() as site, open_database(site / ".syncer", SITE):
        printed = run_python(code, site / ".syncer")
    assert "only the user root may. Run the command as that user, with `sudo -u root`." in printed


def test_an_odd_path_is_only_a_path(tmp_path: Path) -> None:
    directory = tmp_path / "a?b#c %41 ü&mode=memory"
    with open_database(directory, SITE) as database:
        saved(database, given())

    for opened in (open_to_read(directory, SITE), open_copy(directory, SITE)):
        assert opened is not None
        with opened as database:
            assert accepted(database) == given().statistics


def test_a_transaction_is_all_or_nothing(database: Database) -> None:
    sync = begin_sync(database, "a", NOON)

    with pytest.raises(AttributeError):
        save_readings(database, sync, [given(A), given(B)._replace(at=None)])  # type: ignore[arg-type]

    assert read_times(database) == {}
    saved(database, given(B))
    assert set(read_times(database)) == {B}


def test_two_writers_wait_for_each_other(directory: Path) -> None:
    def write(number: int) -> None:
        with open_database(directory, SITE) as database:
            for video in range(10):
                saved(database, given(VideoId(f"{number:05}-{video:05}")))

    with open_database(directory, SITE) as database, ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
        assert len(read_times(database)) == 40


def test_a_full_disk_is_an_error_that_says_so_and_the_state_works_again_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 400) as disk, open_database(disk / ".syncer", SITE) as database:
        saved(database, given())
        filler = fill(disk)

        with pytest.raises(StateError, match="full"):
            saved(database, *(given(VideoId(f"{number:011}")) for number in range(5000)))
        assert accepted(database) == given().statistics

        filler.unlink()
        saved(database, given(views=8))
        assert accepted(database) == given(views=8).statistics


# --- the copy for a dry run ------------------------------------------------------------------------------------------


def test_a_copy_says_what_the_state_says_and_writes_nothing_back(directory: Path, tmp_path: Path) -> None:
    with open_database(directory, SITE) as database:
        saved(database, given(A), given(B), at=NOON - DAY)
        saved(database, given(A, views=8), absent(B, NOON))
        assert spend(database, NOON, limit=9)
        ledger_of(database).park(Bucket.GENERAL, NOON + DAY / 4)
    before = tree(tmp_path)

    with open_copy(directory, SITE) as copy:
        assert accepted(copy) == given(views=8).statistics
        assert accepted(copy, B) == given().statistics
        assert [one.video_id for one in missing_videos(copy)] == [B]
        assert spent_units(copy, NOON) == {Bucket.STATS: 1, Bucket.GENERAL: 0}
        assert parked_buckets(copy, NOON) == {Bucket.GENERAL: NOON + DAY / 4}
        saved(copy, given(A, views=9))
        assert accepted(copy) == given(views=9).statistics

    after = {path: seen for path, seen in tree(tmp_path).items() if not path.endswith(("-wal", "-shm"))}
    assert {path: seen for path, seen in after.items() if path != ".syncer"} == {
        path: seen for path, seen in before.items() if path != ".syncer"
    }
    with open_database(directory, SITE) as database:
        assert accepted(database) == given(views=8).statistics


def test_a_copy_made_beside_a_running_sync_is_of_one_moment(directory: Path) -> None:
    videos = [VideoId(f"{number:011}") for number in range(200)]
    stop = threading.Event()

    def write() -> None:
        with open_database(directory, SITE) as database:
            for views in range(10_000):
                saved(database, *(given(video, views=views) for video in videos))
                if stop.is_set():
                    return

    with open_database(directory, SITE) as database:
        saved(database, *(given(video) for video in videos))
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(60):
            with open_copy(directory, SITE) as copy:
                found = accepted_readings(copy, videos).values()
                assert len(found) == len(videos)
                assert len({(one.statistics or {})[Count.VIEWS] for one in found}) == 1
    finally:
        stop.set()
        writer.join()


# --- the ledger ------------------------------------------------------------------------------------------------------


def spend(database: Database, at: datetime, bucket: Bucket = Bucket.STATS, limit: int = 10, reserve: int = 0) -> bool:
    return ledger_of(database, limit, reserve).take(bucket, at, 1, scheduled=True) == 1


def test_units_are_taken_down_to_the_reserve_and_not_beyond(database: Database) -> None:
    assert [spend(database, NOON, limit=5, reserve=2) for _ in range(5)] == [True] * 3 + [False] * 2
    assert [spend(database, NOON, limit=5) for _ in range(3)] == [True] * 2 + [False]
    assert spent_units(database, NOON) == {Bucket.STATS: 5, Bucket.GENERAL: 0}


def test_a_limit_below_what_is_spent_gives_nothing(database: Database) -> None:
    assert [spend(database, NOON) for _ in range(3)] == [True] * 3

    assert not spend(database, NOON, limit=1)
    assert not spend(database, NOON, limit=100, reserve=200)


@pytest.mark.parametrize(
    ("midnight", "hours"),
    [
        (datetime(2026, 11, 22, 8, tzinfo=UTC), 24),
        (datetime(2026, 7, 1, 7, tzinfo=UTC), 24),
        (datetime(2026, 3, 8, 8, tzinfo=UTC), 23),
        (datetime(2026, 11, 1, 7, tzinfo=UTC), 25),
    ],
)
def test_a_bucket_is_full_again_at_midnight_pacific_and_only_then(
    database: Database, midnight: datetime, hours: int
) -> None:
    second, next_midnight = timedelta(seconds=1), midnight + timedelta(hours=hours)

    assert spend(database, midnight - second, limit=1)
    assert not spend(database, midnight - second, limit=1)
    assert spend(database, midnight, limit=1)
    for hour in range(hours):
        assert not spend(database, midnight + timedelta(hours=hour), limit=1)
    assert not spend(database, next_midnight - second, limit=1)
    assert spend(database, next_midnight, limit=1)
    assert spent_units(database, next_midnight - second)[Bucket.STATS] == 1


def test_threads_and_processes_together_never_take_more_than_there_is(directory: Path) -> None:
    with open_database(directory, SITE) as one, open_database(directory, SITE) as other:
        databases = [one, other]
        with ThreadPoolExecutor(16) as pool:
            taken = list(pool.map(lambda number: spend(databases[number % 2], NOON, limit=50), range(200)))

        assert sum(taken) == 50
        assert spent_units(one, NOON)[Bucket.STATS] == 50


class Clock:
    now = NOON

    def __call__(self) -> datetime:
        return self.now


def stock_of(database: Database, limit: int = 100, reserve: int = 0, clock: Clock | None = None) -> UnitStock:
    return UnitStock(ledger_of(database, limit, reserve), clock or Clock(), scheduled=True)


def test_a_stock_takes_ten_units_at_a_time_and_gives_back_the_rest(database: Database) -> None:
    stock = stock_of(database)
    spent = []
    for _ in range(12):
        assert stock.spend(Bucket.STATS)
        spent.append(spent_units(database, NOON)[Bucket.STATS])
    assert spent == [10] * 10 + [20] * 2, "each unit is in the ledger before it is spent"
    assert stock.spend(Bucket.GENERAL)
    stock.give_back()
    assert spent_units(database, NOON) == {Bucket.STATS: 12, Bucket.GENERAL: 1}
    stock.give_back()
    assert spent_units(database, NOON) == {Bucket.STATS: 12, Bucket.GENERAL: 1}


@pytest.mark.parametrize(("limit", "reserve"), [(0, 0), (7, 0), (10, 0), (25, 2), (30, 40)])
def test_a_stock_ends_exactly_at_the_reserve(database: Database, limit: int, reserve: int) -> None:
    spend(database, NOON, limit=1)
    stock = stock_of(database, limit, reserve)
    left = max(0, limit - reserve - 1) if limit else 0
    assert [stock.spend(Bucket.STATS) for _ in range(left + 3)] == [True] * left + [False] * 3
    assert spent_units(database, NOON)[Bucket.STATS] == left + 1


def test_a_stock_of_yesterday_is_given_back_to_yesterday(database: Database) -> None:
    clock = Clock()
    stock = stock_of(database, 12, clock=clock)
    assert [stock.spend(bucket) for bucket in (Bucket.STATS, Bucket.STATS, Bucket.GENERAL)] == [True] * 3
    clock.now += DAY
    assert [stock.spend(Bucket.STATS) for _ in range(13)] == [True] * 12 + [False]
    assert spent_units(database, NOON) == {Bucket.STATS: 2, Bucket.GENERAL: 1}
    assert stock.spend(Bucket.GENERAL)
    stock.give_back()
    assert spent_units(database, NOON + DAY) == {Bucket.STATS: 12, Bucket.GENERAL: 1}
    assert spent_units(database, NOON) == {Bucket.STATS: 2, Bucket.GENERAL: 1}


def test_a_stock_of_a_parked_bucket_is_empty_once_it_is_given_back(database: Database) -> None:
    stock = stock_of(database)
    assert stock.spend(Bucket.STATS)
    ledger_of(database).park(Bucket.STATS, NOON + timedelta(hours=12))
    stock.give_back()
    assert not stock.spend(Bucket.STATS)
    assert stock.spend(Bucket.GENERAL)
    assert spent_units(database, NOON) == {Bucket.STATS: 1, Bucket.GENERAL: 10}


def test_threads_and_stocks_together_never_take_more_than_there_is(directory: Path) -> None:
    with open_database(directory, SITE) as one, open_database(directory, SITE) as other:
        stocks = [stock_of(one, 55), stock_of(other, 55)]
        with ThreadPoolExecutor(16) as pool:
            taken = list(pool.map(lambda number: stocks[number % 2].spend(Bucket.STATS), range(200)))

        assert sum(taken) == 55
        assert spent_units(one, NOON)[Bucket.STATS] == 55


def test_each_bucket_is_a_purse_of_its_own(database: Database) -> None:
    assert spend(database, NOON, Bucket.STATS, limit=1)
    assert not spend(database, NOON, Bucket.STATS, limit=1)
    assert spend(database, NOON, Bucket.GENERAL, limit=1)


def test_nothing_is_taken_from_a_parked_bucket_until_its_time(database: Database) -> None:
    until = NOON + timedelta(hours=12)
    ledger_of(database).park(Bucket.STATS, until)

    assert not spend(database, until - timedelta(seconds=1))
    assert parked_buckets(database, until - timedelta(seconds=1)) == {Bucket.STATS: until}
    assert spend(database, NOON, Bucket.GENERAL)
    assert parked_buckets(database, until) == {}
    assert spend(database, until)


def test_what_is_spent_and_parked_is_known_after_a_restart(directory: Path) -> None:
    with open_database(directory, SITE) as database:
        assert spend(database, NOON, limit=1)
        ledger_of(database).park(Bucket.GENERAL, NOON + DAY / 4)
    with open_database(directory, SITE) as database:
        assert not spend(database, NOON, limit=1)
        assert not spend(database, NOON, Bucket.GENERAL)


# --- readings --------------------------------------------------------------------------------------------------------


def test_the_newest_counts_are_the_accepted_ones(database: Database) -> None:
    saved(database, given(views=7), at=NOON - DAY)
    saved(database, given(views=9))

    assert accepted(database) == given(views=9).statistics
    assert read_times(database) == {A: int(NOON.timestamp())}


def test_an_absent_video_keeps_its_accepted_counts_and_is_missing_since_the_first_time(database: Database) -> None:
    times = [NOON + DAY * number for number in range(5)]
    saved(database, given(at=times[0]))
    saved(database, absent(at=times[1]))
    saved(database, absent(at=times[2]))

    (missing,) = missing_videos(database)
    assert (missing.video_id, missing.since, missing.read_at) == (A, times[1], times[2])
    assert accepted(database) == given().statistics

    saved(database, given(at=times[3], views=8))
    assert missing_videos(database) == []
    assert accepted(database) == given(views=8).statistics

    saved(database, absent(at=times[4]))
    assert [one.since for one in missing_videos(database)] == [times[4]]


def test_a_video_that_was_never_there_has_no_counts(database: Database) -> None:
    saved(database, absent())

    assert accepted_readings(database, [A]) == {}
    assert read_times(database) == {A: int(NOON.timestamp())}


def test_the_longest_missing_come_first(database: Database) -> None:
    saved(database, absent(B, NOON - DAY))
    saved(database, absent(A, NOON))
    saved(database, absent(B, NOON))

    assert [one.video_id for one in missing_videos(database)] == [B, A]


def test_a_hidden_count_is_absent_and_zero_is_a_count(database: Database) -> None:
    saved(database, given(A, likes=None), given(B, likes=0))

    assert accepted(database, A) == {Count.VIEWS: 7, Count.COMMENTS: 1}
    assert accepted(database, B) == {Count.VIEWS: 7, Count.LIKES: 0, Count.COMMENTS: 1}
    assert hidden_counts(database, [Count.VIEWS, Count.LIKES]) == [(A, Count.LIKES)]
    assert hidden_counts(database, [Count.VIEWS]) == []


def test_a_count_that_is_hidden_no_more_is_forgotten_as_hidden(database: Database) -> None:
    saved(database, given(likes=None), at=NOON - DAY)
    saved(database, given())

    assert hidden_counts(database, list(Count)) == []


def test_the_largest_count_survives(database: Database) -> None:
    saved(database, given(views=2**63 - 1))

    assert (accepted(database) or {})[Count.VIEWS] == 2**63 - 1


def test_history_is_in_the_order_of_the_syncs(database: Database) -> None:
    readings = [given(at=NOON + timedelta(hours=hour), views=hour) for hour in range(5)]
    for reading in (*readings[3:], *readings[:3]):
        saved(database, reading)
    saved(database, given(B))
    saved(database, absent(at=NOON + DAY))

    assert history(database, A) == [*readings[3:], *readings[:3], absent(at=NOON + DAY)]
    assert history(database, VideoId("___________")) == []


def test_readings_of_one_second_are_in_the_order_of_syncs(database: Database) -> None:
    readings = [given(views=views) for views in (5, 3, 9, 1)]
    for reading in readings:
        saved(database, reading)

    assert history(database, A) == readings


def test_a_video_read_twice_in_one_sync_keeps_the_later_reading(database: Database) -> None:
    sync = saved(database, given(views=1))
    save_readings(database, sync, [given(views=2)])

    assert accepted(database) == given(views=2).statistics
    assert len(history(database, A)) == 1


def test_times_are_utc_whole_seconds_wherever_they_were_said(database: Database) -> None:
    from zoneinfo import ZoneInfo

    saved(database, given(at=NOON.astimezone(ZoneInfo("Asia/Kolkata")) + timedelta(microseconds=999_999)))

    (reading,) = history(database, A)
    assert reading.at == NOON
    assert reading.at.tzinfo is UTC


# --- forgetting ------------------------------------------------------------------------------------------------------


def test_readings_of_old_syncs_are_forgotten_and_newer_ones_stay(database: Database) -> None:
    saved(database, given(A, NOON - 3 * DAY), given(B, NOON - 3 * DAY))
    saved(database, given(A, NOON, views=8))

    assert count_readings(database, before=NOON - DAY) == 2
    assert sum(forget_readings_before(database, NOON - DAY)) == 2
    assert accepted(database) == given(views=8).statistics
    assert history(database, B) == []
    assert set(read_times(database)) == {A}


def test_a_sync_is_old_only_when_it_began_before_the_time(database: Database) -> None:
    saved(database, given())

    assert sum(forget_readings_before(database, NOON)) == 0
    assert sum(forget_readings_before(database, NOON + timedelta(seconds=1))) == 1


def test_a_missing_video_whose_last_counts_are_too_old_is_still_missing_since_then(database: Database) -> None:
    saved(database, given(A, NOON - 30 * DAY))
    for days in (29, 2, 0):
        saved(database, absent(A, NOON - days * DAY))

    sum(forget_readings_before(database, NOON - 28 * DAY))

    assert accepted_readings(database, [A]) == {}
    (missing,) = missing_videos(database)
    assert missing.since == NOON - 29 * DAY
    saved(database, given(A, NOON + DAY))
    assert accepted(database) == given().statistics


def test_all_of_one_video_is_forgotten_and_nothing_of_another(database: Database) -> None:
    saved(database, given(A), given(B))
    saved(database, absent(A, NOON + DAY), given(B, NOON + DAY))

    assert count_readings(database, video=A) == 2
    assert forget_readings(database, video=A) == 2
    assert set(read_times(database)) == {B}
    assert missing_videos(database) == []
    assert len(history(database, B)) == 2
    assert forget_readings(database, video=VideoId("___________")) == 0


def test_all_readings_are_forgotten_and_the_units_stay_spent(database: Database) -> None:
    saved(database, given(A), given(B))
    spend(database, NOON)

    assert count_readings(database) == forget_readings(database) == 2
    assert read_times(database) == {}
    assert spent_units(database, NOON)[Bucket.STATS] == 1


VIEWS = {A: 0x1A2B3C4D5E6F7788, B: 0x1122334455667788}


def traces(directory: Path, video: VideoId) -> list[str]:
    """Where a video's id or its views can still be read, by anybody who looks at the bytes."""
    wanted = (video.encode(), VIEWS[video].to_bytes(8, "big"), str(VIEWS[video]).encode())
    return [path.name for path in directory.iterdir() for mark in wanted if mark in path.read_bytes()]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    site = Site(tmp_path, "http://127.0.0.1:9/")
    site.configure()
    return parse_config(site.config.read_text(encoding="utf-8"), site.config)


@pytest.fixture
def used(config: Config) -> Path:
    """A state with a reading, a report and log lines of A, three days ago, and of B, now."""
    directory = config.state_directory
    with open_database(directory, os.path.realpath(config.site)) as database, DiffLog(directory / LOG, 0) as log:
        for video, at in ((A, NOON - 3 * DAY), (B, NOON)):
            sync = saved(database, given(video, at, views=VIEWS[video]), at=at, name=f"sync-{video[:2]}")
            change = Change("x.md", video, "v", Count.VIEWS, None, str(VIEWS[video]), at, Why.CHANGED)
            log.append("sync", at, [entry_of(change)], log.last_seq + 1)
            report = f'{{"missing": ["{video}"], "note": "{VIEWS[video]}"}}' if video == A else f'["{video}"]'
            end_sync(database, sync, report, whole=True, last_seq=log.last_seq)
    assert traces(directory, A)
    assert traces(directory, B)
    return directory


def read_times(database: Database) -> dict[VideoId, int]:
    return {video: at for video, at, *_ in last_read(database)}


def noon() -> datetime:
    return NOON


def never(_: float) -> None:
    raise AssertionError("nobody else holds the lock")


def test_purging_what_is_old_leaves_no_byte_of_it(config: Config, used: Path) -> None:
    assert forget(config, Selection(before=NOON - DAY), dry_run=False, clock=noon, sleep=never) == (1, 1)

    assert traces(used, A) == []
    assert traces(used, B)


def test_purging_everything_leaves_no_byte_of_any_video(config: Config, used: Path) -> None:
    assert forget(config, Selection(), dry_run=False, clock=noon, sleep=never) == (2, 2)

    assert traces(used, A) == traces(used, B) == []
    assert (used / LOG).read_bytes() == b""


def test_purging_one_video_leaves_no_byte_of_its_id_and_counts(config: Config, used: Path) -> None:
    assert forget(config, Selection(video=B), dry_run=False, clock=noon, sleep=never) == (1, 1)

    assert traces(used, B) == []
    assert traces(used, A)


def test_a_purge_leaves_no_byte_even_while_another_process_has_the_state_open(config: Config, used: Path) -> None:
    reader = open_to_read(used, os.path.realpath(config.site))
    assert reader is not None
    with reader:
        assert history(reader, A)

        forget(config, Selection(), dry_run=False, clock=noon, sleep=never)

        assert traces(used, A) == traces(used, B) == []
        assert history(reader, A) == []


@pytest.mark.parametrize("selection", [Selection(), Selection(video=B), Selection(before=NOON - DAY)])
def test_a_purge_on_trial_counts_the_same_and_changes_nothing(config: Config, used: Path, selection: Selection) -> None:
    before = {path.name: path.read_bytes() for path in used.iterdir()}

    counted = forget(config, selection, dry_run=True, clock=noon, sleep=never)

    for name, content in before.items():
        assert (used / name).read_bytes() == content
    assert forget(config, selection, dry_run=False, clock=noon, sleep=never) == counted


def test_after_a_purge_the_schedule_still_knows_when_it_synced(config: Config, used: Path) -> None:
    forget(config, Selection(), dry_run=False, clock=noon, sleep=never)

    with open_database(used, os.path.realpath(config.site)) as database:
        assert last_whole_sync(database) == NOON
        assert list(last_syncs(database, 9)) == []


def test_numbers_of_the_log_go_on_after_a_purge_even_if_the_last_sync_crashed(config: Config, used: Path) -> None:
    with DiffLog(used / LOG, 0) as log:  # a crash: the state never heard of these
        log.append("s", NOON, [entry_of(Change("x.md", A, "v", Count.VIEWS, None, "1", NOON, Why.CHANGED))] * 5, 3)

    forget(config, Selection(), dry_run=False, clock=noon, sleep=never)

    with open_database(used, os.path.realpath(config.site)) as database:
        assert last_seq(database) == 7
    assert list(read_log(used / LOG)) == []


# --- syncs -----------------------------------------------------------------------------------------------------------


def test_a_sync_is_known_by_its_name_from_its_beginning(database: Database) -> None:
    begin_sync(database, "a", NOON)

    assert has_sync(database, "a")
    assert not has_sync(database, "b")


def test_finished_syncs_are_listed_newest_first(database: Database) -> None:
    for number in range(3):
        sync = begin_sync(database, f"s{number}", NOON + number * DAY)
        if number != 1:
            end_sync(database, sync, f"report {number}", whole=False, last_seq=number)

    assert [(one.id, one.report) for one in last_syncs(database, 9)] == [("s2", "report 2"), ("s0", "report 0")]
    assert [one.id for one in last_syncs(database, 1)] == ["s2"]
    assert last_seq(database) == 2


def test_the_schedule_counts_from_whole_syncs_only(database: Database) -> None:
    assert last_whole_sync(database) is None
    for number, whole in enumerate((True, False)):
        end_sync(database, begin_sync(database, f"s{number}", NOON + number * DAY), "{}", whole=whole, last_seq=0)
    begin_sync(database, "crashed", NOON + 2 * DAY)

    assert last_whole_sync(database) == NOON


def test_old_syncs_are_forgotten_except_the_newest_and_those_with_readings(database: Database) -> None:
    begin_sync(database, "old and empty", NOON - 9 * DAY)
    saved(database, given(), at=NOON - 8 * DAY, name="old with a reading")
    newest = begin_sync(database, "newest", NOON - 7 * DAY)

    forget_syncs(database, NOON)

    with database.read() as connection:
        kept = [row[0] for row in connection.execute("SELECT id FROM syncs ORDER BY sync")]
    assert kept == ["old with a reading", "newest"]
    assert begin_sync(database, "next", NOON) > newest


def test_a_report_forgets_one_video_and_stays_a_report(database: Database) -> None:
    sync = begin_sync(database, "s", NOON)
    end_sync(database, sync, f'{{"missing": ["{A}", "{B}"]}}', whole=True, last_seq=0)

    forget_reports(database, A)

    assert [one.report for one in last_syncs(database, 1)] == [f'{{"missing": ["(forgotten)", "{B}"]}}']
