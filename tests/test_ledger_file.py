"""The file of a shared ledger: created safely, shared by a group only where you say so, never another program's."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from random import Random

import pytest

from syncer.decide.quota import quota_day
from syncer.errors import LedgerUnreachable, StateDamaged, StateError
from syncer.model import Bucket
from syncer.state.file_system import FUSE, MACOS_LOCAL, linux_name, macos_name, network_file_system
from syncer.state.ledger_file import LedgerFile, copy_ledger_file, open_ledger_file, read_ledger_file
from syncer.state.ledger_schema import MIGRATIONS
from syncer.state.shared_ledger import SharedLedger, look_at_ledger, open_shared_ledger
from tests.examples import examples
from tests.forks import PIPE, Fork
from tests.places import NOBODY, everybodys_directory, fill, run_python, small_disk
from tests.site import NOON
from tests.test_own_files import VICTIM, dangling, device, directory, link, listens, pipe, second_name, somebody_elses
from tests.test_shared_ledger import member

WAYS = [link, dangling, second_name, pipe, directory, listens, device, somebody_elses]
SUFFIXES = ("", "-wal", "-shm", "-journal")
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as several users")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "quota.sqlite3"


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def files(path: Path) -> Iterator[Path]:
    """The ledger and what SQLite creates beside it, where they exist."""
    return (file for suffix in SUFFIXES if (file := path.with_name(path.name + suffix)).exists())


def look(path: Path, file_system: Callable[[str], str | None] = network_file_system) -> None:
    with read_ledger_file(path, file_system):
        pass


OPENINGS = (open_ledger_file, copy_ledger_file, look)


def spend(path: Path, units: int = 1, name: str = "a", limit: int = 100) -> int:
    with open_shared_ledger(path, member(name, limit), NOON, writes=True) as ledger:
        return ledger.take(Bucket.STATS, NOON, units, scheduled=False)


def spent(path: Path) -> int:
    with open_shared_ledger(path, member("a", 100), NOON, writes=False) as ledger:
        return ledger.balances(NOON)[Bucket.STATS].project_spent


def seen(path: Path) -> int:
    return sum(look_at_ledger(path, quota_day(NOON)).spent[Bucket.STATS].values())


def refusal(opening: Callable[[], object]) -> str:
    """Returns what is said instead of opening a ledger: never an error for which the site's state is set aside."""
    with pytest.raises(StateError) as refused:
        opening()
    assert not isinstance(refused.value, StateDamaged)
    return str(refused.value)


def refusals(path: Path) -> list[str]:
    """Returns what each way to open a ledger says instead."""
    return [refusal(partial(opened, path)) for opened in OPENINGS]


def execute(path: Path, statement: str) -> None:
    """Changes a database as another program does."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


# --- whose it is -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
@pytest.mark.parametrize(
    ("of_directory", "of_file"), [(0o755, 0o600), (0o777, 0o600), (0o2770, 0o660), (0o2750, 0o660)]
)
def test_only_its_owner_may_open_a_ledger_except_in_a_setgid_directory(
    tmp_path: Path, umask: int, of_directory: int, of_file: int
) -> None:
    place = tmp_path / "ledger"
    place.mkdir()
    place.chmod(of_directory)
    before = os.umask(umask)
    try:
        with open_shared_ledger(place / "q", member(), NOON, writes=True) as ledger:
            assert ledger.take(Bucket.STATS, NOON, 1, scheduled=False) == 1
            modes = {file.name: mode(file) for file in files(place / "q")}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("q", "q-wal", "q-shm"), of_file)


def test_a_ledger_that_others_could_open_is_restricted(path: Path) -> None:
    spend(path)
    path.chmod(0o666)
    spend(path)
    assert mode(path) == 0o600


def test_a_directory_that_becomes_a_group_s_later_is_shared_from_the_next_sync_on(path: Path) -> None:
    spend(path)
    path.parent.chmod(0o2770)
    spend(path)
    assert mode(path) == 0o660
    assert spent(path) == 2


@root
@pytest.mark.skipif(sys.platform != "linux", reason="macOS gives every file the group of its directory")
def test_users_of_a_group_share_a_ledger_in_a_setgid_directory_and_no_other_does(tmp_path: Path) -> None:
    group, strangers = 4242, 4343
    code = (
        "import os, sys; from pathlib import Path; from tests.places import load_all; load_all()\n"
        "from tests.test_ledger_file import spend\n"
        "os.umask(0o077); os.setgroups([int(sys.argv[3])]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))\n"
        "try: print(spend(Path(sys.argv[1]), 60))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    with everybodys_directory() as place:
        os.chown(place, 0, group)
        place.chmod(0o2770)
        path = place / "quota.sqlite3"
        assert run_python(code, path, "5001", str(group)) == "60\n"
        assert run_python(code, path, "5002", str(group)) == "40\n"
        refused = run_python(code, path, "5003", str(strangers))
        assert refused.startswith("LedgerUnreachable Cannot use the ledger")
        assert "Permission denied" in refused
        assert {(file.stat().st_gid, mode(file)) for file in files(path)} == {(group, 0o660)}
        assert spend(path) == 0, "root sees the same units"


@root
def test_a_file_of_another_group_is_not_used_in_a_setgid_directory(path: Path) -> None:
    path.parent.chmod(0o2770)
    path.touch(0o660)
    os.chown(path, NOBODY, NOBODY)
    words = f"belongs to group {NOBODY}, but its directory to group 0; change its group"
    assert words in refusal(partial(spend, path))


@pytest.mark.parametrize("shared", [False, True], ids=["own", "setgid"])
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_nothing_but_a_file_of_one_s_own_is_a_ledger(tmp_path: Path, way: object, suffix: str, shared: bool) -> None:
    place, victim = tmp_path / "ledger", tmp_path / "victim"
    place.mkdir()
    if shared:
        place.chmod(0o2770)
    victim.write_bytes(VICTIM)
    if suffix:
        spend(place / "q")
    at = place / f"q{suffix}"
    way(at, victim)  # type: ignore[operator]
    before = os.lstat(at)
    for opened in OPENINGS:
        refusal(partial(opened, place / "q"))
    assert victim.read_bytes() == VICTIM
    assert not victim.with_name("new").exists()
    assert os.lstat(at)[:7] == before[:7], "not even its mode is changed"


# --- what it is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [VICTIM, b"x", bytes(4096), b"SQLite format 3\0" + b"x" * 100])
def test_a_file_that_is_no_database_is_never_written(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o644)
    for words in refusals(path):
        assert "is a file of another program" in words
    assert path.read_bytes() == content
    assert mode(path) == 0o644
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE bookmarks (url)", "PRAGMA user_version = 3", "PRAGMA application_id = 7"]
)
def test_a_database_of_another_program_is_never_written(path: Path, statement: str) -> None:
    execute(path, statement)
    before = path.read_bytes()
    for words in refusals(path):
        assert "is a database of another program; set `quota.ledger` to a file" in words
    assert path.read_bytes() == before


def test_the_state_of_a_site_is_no_ledger(tmp_path: Path) -> None:
    from syncer.state.database import open_database

    open_database(tmp_path / ".syncer", tmp_path).__exit__(None, None, None)
    assert "is a database of another program" in refusal(partial(spend, tmp_path / ".syncer" / "state.sqlite3"))


def test_a_ledger_that_was_cut_to_nothing_is_damaged_and_never_taken_for_a_new_one(path: Path) -> None:
    spend(path)
    os.truncate(path, 0)
    for words in refusals(path):
        assert (
            "is damaged, or is a file of another program: it has only 0 bytes. If it is the ledger, stop what uses it"
            in words
        )
    assert path.stat().st_size == 0


def test_nothing_is_counted_in_a_ledger_that_was_moved_or_replaced_while_it_was_open(path: Path) -> None:
    """The next process would not see it: 32 requests were sent where 20 are allowed."""
    with closing(open_ledger_file(path)) as opened:
        path.rename(path.with_name("moved"))
        for _ in range(2):
            with (
                pytest.raises(LedgerUnreachable, match="was moved or replaced while a sync used it"),
                opened.transaction(),
            ):
                pytest.fail("it counts")
            open_ledger_file(path).close()


def test_what_a_crash_left_of_a_ledger_that_was_being_created_is_replaced(path: Path) -> None:
    for suffix in SUFFIXES:
        path.with_name(f"{path.name}-syncer-new{suffix}").write_bytes(b"torn")
    assert spend(path) == 1
    assert {file.name for file in path.parent.iterdir()} == {path.name}


def test_a_ledger_whose_creation_is_killed_is_not_there_and_is_created_by_the_next_sync(path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from tests.test_ledger_file import spend\n"
        "Path.rename = lambda *_: os._exit(9)\n"
        "spend(Path(sys.argv[1]))"
    )
    with Fork("-c", code, str(path), cwd=Path(__file__).parent.parent) as killed:
        assert killed.wait() == 9
    assert not path.exists()
    assert spent(path) == 0
    assert spend(path) == 1
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_ledger_of_a_newer_version_is_refused(path: Path) -> None:
    spend(path)
    execute(path, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    for words in refusals(path):
        assert f"written by a newer syncer (schema {len(MIGRATIONS) + 1}" in words
        assert "upgrade syncer" in words


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE units SET spent = 'many'",
        "UPDATE units SET spent = -1",
        "UPDATE sites SET seen = 9e99",
        "UPDATE sites SET share = 'half'",
        "DROP TABLE parked",
        "ALTER TABLE sites ADD COLUMN more",
    ],
)
def test_values_and_tables_that_are_no_ledger_s_are_an_error_that_says_what_to_do(path: Path, statement: str) -> None:
    spend(path)
    execute(path, statement)
    before = path.read_bytes()
    for words in refusals(path):
        assert "is damaged" in words
        assert "stop what uses it, move it away" in words
        assert "Today's count of used units is lost" in words
    assert path.read_bytes() == before, "other processes use it: nothing is repaired or set aside"


@pytest.mark.parametrize("seed", range(examples(40).max_examples))
def test_no_damage_to_the_bytes_is_anything_but_a_state_error(path: Path, seed: int) -> None:
    random = Random(seed)
    for name in "abc":
        spend(path, 3, name)
    content = bytearray(path.read_bytes())
    if seed % 2:
        start = random.randrange(len(content))
        content[start : start + 64] = random.randbytes(64)[: len(content) - start]
    else:
        del content[random.randrange(len(content)) :]
    path.write_bytes(content)
    taken = 0
    with suppress(StateError):
        for name in "abcd":
            taken += spend(path, 30, name)
    assert taken <= 100


# --- where it is -----------------------------------------------------------------------------------------------------


def test_a_missing_directory_is_not_created(tmp_path: Path) -> None:
    words = "No such file or directory; check `quota.ledger`, and that its directory exists"
    assert words in refusal(partial(spend, tmp_path / "missing" / "q"))
    assert not list(tmp_path.iterdir())


def test_a_directory_that_may_not_be_written_is_an_error() -> None:
    code = (
        "import sys; from pathlib import Path; from tests.places import drop_powers; drop_powers()\n"
        "from tests.test_ledger_file import spend\n"
        "try: spend(Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    with everybodys_directory() as place:
        place.chmod(0o500)
        assert run_python(code, place / "q").startswith("LedgerUnreachable Cannot use the ledger")
        place.chmod(0o700)
        spend(place / "q")
        os.chown(place / "q", NOBODY, NOBODY)
        place.chmod(0o500)
        assert run_python(code, place / "q").startswith("LedgerUnreachable Cannot write the ledger")


def test_a_ledger_that_was_read_only_for_a_while_can_be_written_again() -> None:
    """SQLite gives the files that it creates beside a database the mode of that."""
    code = (
        "import sys; from pathlib import Path; from tests.places import drop_powers; drop_powers()\n"
        "from tests.test_ledger_file import seen, spend\n"
        "from syncer.errors import LedgerUnreachable; from syncer.state.ledger_file import require_unlocked\n"
        "path = Path(sys.argv[1]); spend(path); path.chmod(0o400); print(seen(path))\n"
        "try: spend(path)\n"
        "except LedgerUnreachable as error: print(str(error)[:16])\n"
        "path.chmod(0o600)\n"
        "if sys.argv[2] == 'check': require_unlocked(path)\n"
        "print(spend(path), seen(path))"
    )
    for first in ("sync", "check"):
        with everybodys_directory() as place:
            assert run_python(code, place / "q", first).splitlines() == ["1", "Cannot write the", "1 2"]


def note_many(ledger: SharedLedger) -> None:
    for number in range(10_000):
        ledger.note_refusal(Bucket.STATS, NOON, number)


def test_a_full_disk_is_an_error_and_what_was_taken_stays_taken(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 256) as disk:
        path = disk / "q"
        with open_shared_ledger(path, member("a", 100), NOON, writes=True) as ledger:
            assert ledger.take(Bucket.STATS, NOON, 7, scheduled=False) == 7
            filler = fill(disk)
            words = refusal(partial(note_many, ledger))
            assert "Cannot write the ledger" in words
            assert "check the free disk space" in words
            filler.unlink()
            assert ledger.take(Bucket.STATS, NOON, 7, scheduled=False) == 7
        assert spent(path) == 14


def test_a_network_file_system_is_refused_before_anything_is_created(path: Path) -> None:
    for opened in OPENINGS:
        words = refusal(partial(opened, path, lambda directory: linux_name(0x6969, directory)))
        assert "on a network file system, NFS. There, several processes cannot lock a file" in words
    assert not path.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the numbers of Linux")
@pytest.mark.parametrize(
    ("number", "name"),
    [(0x6969, "NFS"), (0xFF534D42, "SMB"), (0xFE534D42, "SMB"), (0x01021997, "9p"), (0xC36400, "Ceph"),
     (0x5346414F, "AFS"), (0xBD00BD0, "Lustre"), (0xEF53, None), (0x58465342, None), (0x9123683E, None),
     (0x01021994, None), (0x794C7630, None)],
)  # fmt: skip
def test_file_systems_of_several_machines_are_known_by_their_numbers(
    tmp_path: Path, number: int, name: str | None
) -> None:
    assert linux_name(number, str(tmp_path)) == name


@pytest.mark.skipif(sys.platform != "linux", reason="FUSE of Linux")
def test_fuse_is_refused_with_the_kind_that_the_mount_table_names(tmp_path: Path) -> None:
    kind = linux_name(FUSE, str(tmp_path))
    assert kind
    assert kind.startswith("FUSE (")
    assert "unknown" not in kind, "the table has each directory's file system"


@pytest.mark.parametrize(("flags", "name"), [(0, "smbfs"), (MACOS_LOCAL, None)])
def test_macos_says_itself_what_is_local(flags: int, name: str | None) -> None:
    statfs = bytearray(2168)
    statfs[64:68] = flags.to_bytes(4, sys.byteorder)
    statfs[72:78] = b"smbfs\0"
    assert macos_name(bytes(statfs)) == name


def test_the_disk_of_the_tests_is_local(tmp_path: Path) -> None:
    assert network_file_system(str(tmp_path)) is None
    assert network_file_system(str(tmp_path / "missing")) is None


# --- beside other processes and threads -------------------------------------------------------------------------------


def test_a_reader_does_not_wait_for_a_process_that_writes(path: Path, tmp_path: Path) -> None:
    spend(path, 5)
    os.mkfifo(gate := tmp_path / "gate")
    code = (
        "import os, sys; from pathlib import Path; from syncer.state.ledger_file import open_ledger_file\n"
        "with open_ledger_file(Path(sys.argv[1])).transaction() as connection:\n"
        "    connection.execute('UPDATE units SET spent = 50'); print('ready', flush=True)\n"
        "    os.open(sys.argv[2], os.O_RDONLY)"
    )
    with Fork("-c", code, str(path), str(gate), cwd=Path(__file__).parent.parent, stdout=PIPE) as writer:
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
        assert spent(path) == seen(path) == 5
        with gate.open("wb"):
            assert writer.wait() == 0
    assert spent(path) == seen(path) == 50


def test_a_look_creates_no_ledger_and_cannot_write_to_one(path: Path) -> None:
    assert seen(path) == 0
    assert not path.exists()
    spend(path, 5)
    before = path.read_bytes()
    with pytest.raises(StateError, match="readonly database"), read_ledger_file(path) as connection:
        connection.execute("UPDATE units SET spent = 50")
    assert path.read_bytes() == before
    assert seen(path) == 5


def test_closing_one_of_two_connections_of_a_process_does_not_end_the_locks_of_the_other(path: Path) -> None:
    """Closing any descriptor of a file ends all locks that a process has on it: so nothing else may open the file."""
    with open_shared_ledger(path, member("a", 100), NOON, writes=True) as one:
        spend(path, 5, "b")
        assert spent(path) == 5
        code = (
            "import sys; from pathlib import Path; from tests.test_ledger_file import spend\n"
            "print(spend(Path(sys.argv[1]), 6, 'c'))"
        )
        assert run_python(code, path) == "6\n"
        assert path.with_name("quota.sqlite3-wal").exists(), "the other process was not the last that had it open"
        assert one.take(Bucket.STATS, NOON, 7, scheduled=False) == 7
    assert spent(path) == 18


def test_a_transaction_that_fails_leaves_nothing(path: Path) -> None:
    file: LedgerFile = open_ledger_file(path)
    with suppress(ZeroDivisionError), file.transaction() as connection:
        connection.execute("INSERT INTO parked VALUES ('stats', 1)")
        raise ZeroDivisionError
    with file.read() as connection:
        assert connection.execute("SELECT count(*) FROM parked").fetchone() == (0,)
    file.close()
