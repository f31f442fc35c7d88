"""A damaged state: no command fails with a bug, what is damaged is set aside once, and then everything works."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from syncer.config.parse import parse_config
from syncer.control import DaemonState, Ticket
from syncer.daemon.watched_state import WatchedState
from syncer.errors import StateDamaged, StateError
from syncer.git.run import git
from syncer.model import Count, Fields
from syncer.simulator.faults import parse_fault
from syncer.simulator.server import Simulator
from syncer.simulator.world import VideoState
from syncer.state.database import SUSPECT, _shape, open_database, open_to_read
from syncer.state.directory import DATABASE_FILE
from syncer.state.intents import record_intents
from syncer.state.schema import MIGRATIONS
from syncer.state.syncs import last_whole_sync
from syncer.status.stored_reports import stored_report
from syncer.status_page.reading import Sources, gauges, one_sync, overview, videos
from tests.crash.points import PROVING
from tests.daemon_process import Daemon, fill
from tests.examples import storms_but
from tests.site import Run, Site, crlf, ids, world_with

SEEDS = storms_but({0}, range(300 if PROVING else 5))

VIDEOS = ids(12, seed=5)
NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Used:
    """A site with a state that has seen much."""

    site: Site
    before: dict[Path, bytes]
    """All its files but git's."""
    last: str
    """The name of a sync with changes."""

    def restore(self) -> None:
        for path in self.site.state.iterdir():
            path.unlink()
        for path, content in self.before.items():
            path.write_bytes(content)

    @property
    def file(self) -> Path:
        return self.site.state / DATABASE_FILE


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Used]:
    with Simulator(world_with({VIDEOS[0]: VideoState.PRIVATE})) as youtube:
        site = Site(tmp_path_factory.mktemp("damage") / "site", youtube.url)
        site.configure()
        (site.root / "content/lists").mkdir(parents=True)
        for number, video in enumerate(VIDEOS):
            site.put(f"content/p{number}.md", crlf(video, 1, 2))
        site.put("content/bad.md", b"---\nvid_id: nonsense\nviewcount: 1\n---\n")
        git(site.root, "init", "--quiet")
        git(site.root, "add", "--all")
        git(site.root, "-c", "user.name=A", "-c", "user.email=a@localhost", "commit", "--quiet", "--message", "pages")
        for hours in (60, 30):
            site.sync(NOW - hours * HOUR)
            youtube.clock.advance(30 * HOUR)
        last = site.sync(NOW - 3 * HOUR)
        site.undo(last.sync, NOW - 2 * HOUR)
        youtube.faults = [parse_fault("falling")]
        site.sync(NOW - HOUR)
        youtube.faults = []
        with open_database(site.state, os.path.realpath(site.root)) as database:
            entry = json.loads((site.state / "diff.jsonl").read_bytes().splitlines()[0])
            fields = Fields("vid_id", {Count.VIEWS: "viewcount", Count.LIKES: "likeCount"})
            entry = {key: entry[key] for key in entry if key not in {"seq", "sync", "at"}}
            record_intents(database, "20261101T000000Z-0000", [(fields, [json.dumps(entry)] * 2)])
            # while it is open, what was written last is in SQLite's own file beside it
            paths = [*site.state.iterdir(), *(site.root / "content").glob("*.md")]
            before = {path: path.read_bytes() for path in paths if path.suffix != ".sqlite3-shm"}
        assert any(path.name == f"{DATABASE_FILE}-wal" and content for path, content in before.items())
        yield Used(site, before, last.sync)


def commands(used: Used) -> list[tuple[str, ...]]:
    return [
        ("status",),
        ("status", "--json"),
        ("sync", "--dry-run"),
        ("check", "--offline"),
        ("log",),
        ("log", "--json"),
        ("history", VIDEOS[3]),
        ("review", "--json"),
        ("purge", "--dry-run"),
        ("trigger",),
        ("sync",),
        ("undo", used.last),
        ("purge",),
        ("sync", "--all"),
        ("sync",),
    ]


def run_all(used: Used, run: Run) -> dict[tuple[str, ...], int]:
    """Run every command, and look at everything that the daemon shows; each ends, and in none is a bug."""
    site, ended = used.site, {}
    for command in commands(used):
        ran = run("-c", str(site.config), *command)
        assert ran.code in {0, 1, 2}, (command, ran)
        ended[command] = ran.code
        if command == ("status",):
            look(site)
    return ended


class IdleDaemon:
    """A daemon that nobody triggers."""

    def state(self) -> DaemonState:
        return DaemonState(running=False, progress=None, next_sync=None, started=NOW, interval=HOUR)

    def trigger(self, accept: bool) -> Ticket:
        raise NotImplementedError

    def ticket(self, number: int) -> Ticket | None:
        return None


def look(site: Site) -> None:
    """Read what the daemon and its page read: what is damaged is an error that says so."""
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    sources = Sources(lambda: config, IdleDaemon(), lambda: NOW)
    WatchedState(site.state, os.path.realpath(site.root), last_whole_sync)()
    reads: list[Callable[[], object]] = [
        lambda: overview(sources),
        lambda: gauges(sources),
        lambda: videos(sources, "p", None, limit=99, offset=0),
    ]
    for read in reads:
        with suppress(StateError):
            read()
    with suppress(StateError):
        for sync in overview(sources).status.syncs:
            one_sync(sources, sync["sync"], limit=99)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], syncer: Run, used: Used, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(used.site.root)
    return syncer


def assert_survived(used: Used, run: Run) -> None:
    run_all(used, run)
    healed = run_all(used, run)
    may_find_nothing = {("trigger",), ("history", VIDEOS[3]), ("undo", used.last)}
    assert {command for command, code in healed.items() if code == 2} <= may_find_nothing, healed
    report = run("-c", str(used.site.config), "sync", "--json").document
    assert "state-lost" not in {problem["kind"] for problem in report["problems"]}
    assert len(list(used.site.state.glob(f"{DATABASE_FILE}.damaged-*[0-9Z]"))) <= 1, "set aside once"


def test_without_damage_nothing_is_set_aside(used: Used, run: Run) -> None:
    used.restore()
    ended = run_all(used, run)
    assert {command for command, code in ended.items() if code == 2} == {("trigger",)}
    assert not list(used.site.state.glob("*.damaged-*"))


# --- bytes -----------------------------------------------------------------------------------------------------------


def flipped(content: bytearray, random: Random) -> None:
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)


def overwritten(content: bytearray, random: Random) -> None:
    at, length = random.randrange(len(content)), random.choice([1, 8, 100, 4096])
    content[at : at + length] = random.randbytes(len(content[at : at + length]))


def zeroed(content: bytearray, random: Random) -> None:
    at = random.randrange(len(content)) // 4096 * 4096
    content[at : at + 4096] = bytes(len(content[at : at + 4096]))


def cut(content: bytearray, random: Random) -> None:
    del content[random.randrange(len(content)) :]


def mixed_up(content: bytearray, random: Random) -> None:
    pages = len(content) // 4096
    if pages > 1:
        one, other = (random.randrange(pages) * 4096 for _ in range(2))
        first, second = content[one : one + 4096], content[other : other + 4096]
        content[one : one + 4096], content[other : other + 4096] = second, first


def header_flipped(content: bytearray, random: Random) -> None:
    content[random.randrange(min(100, len(content)))] ^= 1 << random.randrange(8)


DAMAGES = [flipped, flipped, flipped, flipped, header_flipped, overwritten, zeroed, cut, mixed_up]


@pytest.mark.parametrize("seed", SEEDS)
def test_no_damage_to_the_bytes_of_a_state_is_permanent(used: Used, run: Run, seed: int) -> None:
    random = Random(seed)
    used.restore()
    if random.random() < 0.5:  # all in the one file
        with open_database(used.site.state, os.path.realpath(used.site.root)):
            pass
    names = [DATABASE_FILE, DATABASE_FILE, DATABASE_FILE, DATABASE_FILE, f"{DATABASE_FILE}-wal", "diff.jsonl", "lock"]
    victims = [path for name in names if (path := used.site.state / name).exists() and path.stat().st_size]
    victim = random.choice(victims)
    for _ in range(random.choice([1, 1, 1, 3])):
        content = bytearray(victim.read_bytes())
        if content:
            random.choice(DAMAGES)(content, random)
            victim.write_bytes(content)

    assert_survived(used, run)


# --- values ----------------------------------------------------------------------------------------------------------

ODD: list[object] = [
    None, 0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 1.5, float("inf"), "", "x", "\0", b"\xff\xfe", b"",
    "[]", "{}", "[1]", "null", '"x"', "[" * 5000, '{"x": 1}', "brake,", "viewCount,nonsense", "9" * 5000, "1e400",
    '[["a", {"x": "y"}, 1]]', '{"path": 7}',
    '{"path": "a\\u0000b", "video_id": "", "field": "", "count": "", "old": null, "new": ""}',
]  # fmt: skip


def odd(value: object, random: Random) -> object:
    """A value in place of another: of another type, or like it and a little wrong."""
    if isinstance(value, str) and len(value) > 1 and random.random() < 0.6:
        at = random.randrange(len(value))
        return random.choice(
            [value[:at], value[at:], value[:at] + "\x7f" + value[at + 1 :], value[:at] + value[at + 1 :]]
        )
    return random.choice(ODD)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_odd_value_in_a_state_is_permanent(used: Used, run: Run, seed: int) -> None:
    random = Random(seed)
    used.restore()
    with closing(sqlite3.connect(used.file)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        while not spoiled(connection, random.choice(tables), random):
            pass
        connection.commit()

    assert_survived(used, run)


def spoiled(connection: sqlite3.Connection, table: str, random: Random) -> bool:
    """Put an odd value into a table; False where there is no row, or SQLite refuses that."""
    key, *columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    column = random.choice([key, *columns])
    rows = connection.execute(f"SELECT {key}, {column} FROM {table}").fetchall()
    if not rows:
        return False
    name, value = random.choice(rows)
    new = odd(value, random)
    text = "CAST(? AS TEXT)" if isinstance(new, bytes) and random.random() < 0.7 else "?"
    where = f"{key} IS ? AND {column} IS ?"
    try:
        connection.execute(f"UPDATE OR REPLACE {table} SET {column} = {text} WHERE {where}", (new, name, value))
    except sqlite3.DatabaseError:
        return False
    return True


@pytest.mark.parametrize(
    "version",
    storms_but(
        {0, len(MIGRATIONS) + 1}, [-1, 0, 1, len(MIGRATIONS) - 1, len(MIGRATIONS) + 1, 2**24 + 5, 2**31 - 1, -(2**31)]
    ),
)
def test_an_odd_number_of_the_schema_is_damage_and_no_newer_version(used: Used, run: Run, version: int) -> None:
    used.restore()
    with closing(sqlite3.connect(used.file)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")

    assert_survived(used, run)


def test_a_daemon_sets_a_damaged_state_aside_in_its_first_sync(site: Site) -> None:
    fill(site, 1)
    site.sync()
    (site.state / DATABASE_FILE).write_bytes(b"no database at all, but long enough for a header " * 99)
    with Daemon(site) as daemon:
        daemon.until("The state was damaged and was renamed to")
        daemon.until("Sync 2")
    assert len(list(site.state.glob(f"{DATABASE_FILE}.damaged-*"))) == 1


def test_what_only_a_reader_meets_is_set_aside_by_the_next_sync(used: Used, run: Run) -> None:
    """A sync reads little of the history: who finds damage there leaves a note."""
    used.restore()
    with closing(sqlite3.connect(used.file)) as connection:
        oldest = "(SELECT min(sync) FROM readings)"
        connection.execute(f"UPDATE readings SET views = 'many' WHERE sync = {oldest}")
        connection.commit()

    assert run("sync").code == 1, "the page with a problem is all that is wrong"
    assert "state-lost" not in run("sync", "--json").out
    ran = run("history", VIDEOS[3])
    assert (ran.code, "run `syncer sync`, which sets it aside" in ran.err) == (2, True)
    assert (used.site.state / SUSPECT).exists()
    assert "state-lost" in run("sync", "--json").out
    assert not (used.site.state / SUSPECT).exists()
    assert "state-lost" not in run("sync", "--json").out


def test_a_note_about_damage_that_is_none_costs_a_look_and_nothing_else(used: Used, run: Run) -> None:
    used.restore()
    (used.site.state / SUSPECT).touch()

    assert "state-lost" not in run("sync", "--json").out
    assert not (used.site.state / SUSPECT).exists()
    assert run("history", VIDEOS[3]).code == 0


def test_damage_that_a_command_meets_is_set_aside_and_the_next_one_works(used: Used, run: Run) -> None:
    used.restore()
    with closing(sqlite3.connect(used.file)) as connection:
        connection.execute("UPDATE readings SET at = 'noon'")
        connection.commit()
    undone = used.site.log_lines()[-1]["sync"]

    ran = run("undo", undone)
    assert (ran.code, "run the command again" in ran.err) == (2, True), ran
    assert run("undo", undone).code in {0, 1}


def test_a_value_of_another_type_is_found_whatever_column_it_is_in(used: Used) -> None:
    tried = 0
    for table, columns in _shape(len(MIGRATIONS)).items():
        for column, *_ in columns:
            used.restore()
            with closing(sqlite3.connect(used.file)) as connection, suppress(sqlite3.DatabaseError):
                connection.execute(f"UPDATE OR REPLACE {table} SET {column} = x'00'")
                connection.commit()
                if table == "readings" or not connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]:
                    continue  # readings are looked at when they are read
                with pytest.raises(StateDamaged):
                    open_to_read(used.site.state, os.path.realpath(used.site.root))
                tried += 1
    assert tried > 20


def test_a_value_that_only_a_sync_understands_is_set_aside_by_that_sync(used: Used, run: Run) -> None:
    used.restore()
    with closing(sqlite3.connect(used.file)) as connection:
        connection.execute("INSERT INTO parked VALUES ('nonsense', ?)", (int((NOW + HOUR).timestamp()),))
        connection.commit()

    assert "state-lost" in run("sync", "--json").out
    assert "state-lost" not in run("sync", "--json").out


def test_a_name_in_the_schema_that_is_no_text_any_more_is_damage(used: Used, run: Run) -> None:
    """SQLite quotes it in its message, which Python then cannot read."""
    used.restore()
    with open_database(used.site.state, os.path.realpath(used.site.root)):
        pass  # all in the one file
    content = bytearray(used.file.read_bytes())
    content[content.index(b"tableintent_batches") + 5] ^= 0x80
    used.file.write_bytes(content)

    assert_survived(used, run)


# --- reports ---------------------------------------------------------------------------------------------------------

REPORT: dict[str, list[object]] = {
    "sync": [None, 7],
    "started": [None, "", "yesterday", "2026-11-22", "2026-11-22T15:00:07"],
    "finished": [None, 7],
    "pages": [None, "7", -1, 1.5, True],
    "units": [None, [], {"stats": "7"}],
    "missing": [None, {}, [7]],
    "left_out": [None, {}, {"fresh": 1}, {"fresh": 1, "over_quota": None}],
    "brake": [7, {}, {"reason": "missing", "struck": "5", "of": 7}],
    "problems": [None, {}, [7], [{}], [{"kind": "nonsense", "subject": "a", "message": "b"}], [{"kind": []}]],
    "commit": [7, []],
    "exit": [None, 7, "0", [], 2],
    "retries": ["7", None],
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param(key, value, marks=[pytest.mark.storm] if number else [])
        for key, values in REPORT.items()
        for number, value in enumerate(values)
    ],
)
def test_a_damaged_report_is_left_out_and_the_others_are_shown(used: Used, run: Run, key: str, value: object) -> None:
    used.restore()
    before = run("status", "--json").document["syncs"]
    with closing(sqlite3.connect(used.file)) as connection:
        (text,) = connection.execute("SELECT report FROM syncs ORDER BY sync DESC LIMIT 1").fetchone()
        assert stored_report(text)
        spoiled_report = json.dumps({**json.loads(text), key: value})
        connection.execute("UPDATE syncs SET report = ? WHERE report = ?", (spoiled_report, text))
        connection.commit()

    assert run("status", "--json").document["syncs"] == before[1:]
    look(used.site)
    assert run("sync").code in {0, 1}


@pytest.mark.parametrize("text", ["", "x", "7", "[]", "{}", "[" * 100_000, '{"sync": "\\ud800"}', "\0"])
def test_any_text_instead_of_a_report_is_not_a_report(text: str) -> None:
    assert stored_report(text) is None


def test_no_two_schemas_have_the_same_shape() -> None:
    """Or a number that a flipped bit made would not be told from that of a newer version."""
    shapes = [_shape(version) for version in range(len(MIGRATIONS) + 1)]
    assert all(one != other for number, one in enumerate(shapes) for other in shapes[:number])
