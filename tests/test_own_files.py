"""Whose a state file must be: no link is followed, nothing hangs, nobody else's file is written or can be locked."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncer.config.calls import Notify
from syncer.daemon.notify import Notifier
from syncer.diff_log.log import DiffLog
from syncer.errors import StateError
from syncer.git.run import git
from syncer.model import Problem, ProblemKind
from syncer.own_files import UnsafeFile, open_own, read_file
from syncer.state.database import FILES as DATABASE
from syncer.state.database import open_database
from syncer.state.directory import OWN_PATTERNS
from syncer.state.lock import DaemonAddress, DaemonLock, daemon_address, hold_lock
from tests.crash.warm import Ended, Order, Warm
from tests.examples import storms_but
from tests.places import NOBODY, everybodys_directory, give_away, run_python
from tests.site import KEY, Run, Site, crlf, ids, tree

VICTIM = b"---\ntitle: not yours\n---\n"

FILES = ("lock", "daemon.lock", ".gitignore", "diff.jsonl", "state.sqlite3", "state.sqlite3-wal", "state.sqlite3-shm")


def link(place: Path, victim: Path) -> None:
    place.symlink_to(victim)


def dangling(place: Path, victim: Path) -> None:
    place.symlink_to(victim.with_name("new"))


def second_name(place: Path, victim: Path) -> None:
    place.hardlink_to(victim)


def pipe(place: Path, _: Path) -> None:
    os.mkfifo(place)


def directory(place: Path, _: Path) -> None:
    place.mkdir()


def listens(place: Path, _: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        before = Path.cwd()
        os.chdir(place.parent)  # a socket's path must be short
        try:
            made.bind(place.name)
        finally:
            os.chdir(before)


def device(place: Path, _: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a device")
    os.mknod(place, stat.S_IFCHR | 0o600, os.makedev(1, 5))


def somebody_elses(place: Path, _: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    place.write_bytes(VICTIM)
    os.chown(place, NOBODY, NOBODY)


KINDS = [link, dangling, second_name, pipe, directory, listens, device, somebody_elses]

COMMANDS = (("sync",), ("sync", "--dry-run"), ("status",), ("check", "--offline"), ("log",), ("purge",))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(name, kind, marks=[pytest.mark.storm] if (row + column) % 3 else [], id=f"{name}-{kind.__name__}")
        for row, name in enumerate(FILES)
        for column, kind in enumerate(KINDS)
    ],
)  # each file and each kind has its part in those that are no storm
def test_a_file_that_is_not_syncers_is_never_written_nor_waited_for(
    warm: Warm, site: Site, name: str, kind: Callable[[Path, Path], None]
) -> None:
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    site.sync()
    (site.state / name).unlink(missing_ok=True)
    victim = site.put("victim.md", VICTIM)
    kind(site.state / name, victim)
    before = victim.stat()
    is_only_read = name == ".gitignore" and kind in {second_name, somebody_elses}

    for command in COMMANDS:
        ended = run(warm, site, *command)
        assert ended.code in {0, 1, 2}, (command, ended)
        if command in {("sync",), ("purge",)} and name != "daemon.lock" and not is_only_read:
            assert ended.code == 2, (command, ended)
            assert str(site.state / name) in ended.err, "it says which"
    if name in {"daemon.lock", ".gitignore"} and not is_only_read:
        with pytest.raises(StateError, match=name):
            DaemonLock(site.state)

    assert victim.read_bytes() == VICTIM
    assert (victim.stat().st_mtime_ns, victim.stat().st_mode) == (before.st_mtime_ns, before.st_mode)
    assert not victim.with_name("new").exists()


def run(warm: Warm, site: Site, *arguments: str, config: Path | None = None) -> Ended:
    """Run a command that ends within 20 seconds, or is said to hang."""
    out, err = (str(site.root.parent / name) for name in ("out", "err"))
    return warm.start(Order(("-c", str(config or site.config), *arguments), str(site.root), out, err)).ended(20)


@pytest.mark.parametrize(
    "name", ["daemon.address", "told.json", "told.new", ".syncer-diff-log~", "state.sqlite3.suspect"]
)
@pytest.mark.parametrize("kind", storms_but({link, pipe}, [link, dangling, second_name, pipe]))
def test_files_that_the_state_can_do_without_are_not_followed_either(
    warm: Warm, site: Site, name: str, kind: Callable[[Path, Path], None]
) -> None:
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    site.sync(datetime.now(UTC) - timedelta(days=40))
    victim = site.put("victim.md", VICTIM)
    kind(site.state / name, victim)
    report = site.sync(datetime.now(UTC))
    notifier = Notifier(lambda: Notify(urls=("json://127.0.0.1:9",)), "site", site.state, lambda: datetime.now(UTC))
    with closing(notifier):
        notifier.after_report(replace(report, problems=(Problem(ProblemKind.UNWRITABLE, "a", "b"),)))

    assert daemon_address(site.state) is None
    assert run(warm, site, "trigger").code == 2
    assert run(warm, site, "purge", "--all").code == 0
    assert victim.read_bytes() == VICTIM
    assert not victim.with_name("new").exists()


IN_THE_WAY = {
    *FILES,
    *(f"state.sqlite3{end}" for end in ("-journal", ".suspect")),
}
"""Names that a sync cannot do without."""


@pytest.mark.parametrize(
    "name", sorted({*IN_THE_WAY, ".syncer-diff-log~", "daemon.address", "daemon.sock", "told.json", "told.new"})
)
def test_a_directory_with_the_name_of_one_of_syncers_files_is_an_error_not_a_bug(
    warm: Warm, site: Site, name: str
) -> None:
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    made = site.sync(datetime.now(UTC) - timedelta(days=40)).sync
    (site.state / name).unlink(missing_ok=True)
    (site.state / name).mkdir()
    ended = None
    for command in (*COMMANDS, ("undo", made), ("history", ids(1)[0]), ("purge", "--all")):
        ended = run(warm, site, *command)
        assert ended.code in {0, 1, 2}, (command, ended)
        if command in {("sync",), ("purge", "--all")} and name in IN_THE_WAY - {"daemon.lock"}:
            assert (ended.code, "move it away" in ended.err) == (2, True), (command, ended)
            assert str(site.state / name) in ended.err, command
    if name == ".syncer-diff-log~":
        assert ended
        assert f"{site.state / name} is a directory, not a file; move it away" in ended.err


@pytest.mark.parametrize("kind", ["file", "dangling"])
def test_a_file_or_broken_link_where_the_state_belongs_is_named(warm: Warm, site: Site, kind: str) -> None:
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    if kind == "file":
        site.put(site.state.name, b"mine")
    else:
        site.state.symlink_to("none")
    said = (
        "not a directory; move it away, or set" if kind == "file" else "a link to a missing directory; mount its disk"
    )
    for command in (("sync",), ("sync", "--dry-run"), ("status",), ("purge",)):
        ended = run(warm, site, *command)
        assert ended.code == 2, (command, ended)
        assert f"{site.state} is {said}" in ended.err, (command, ended)
    assert not (site.root / "none").exists()


# --- files that the config names --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [pipe, directory, listens, device], ids=lambda kind: kind.__name__)
def test_a_config_and_a_key_that_are_no_files_are_an_error_and_nothing_waits(
    warm: Warm, site: Site, kind: Callable[[Path, Path], None]
) -> None:
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    odd = site.root / "odd"
    kind(odd, odd)
    for command in COMMANDS:
        ended = run(warm, site, *command, config=odd)
        assert (ended.code, str(odd) in ended.out + ended.err) == (1 if command[0] == "check" else 2, True), ended
    site.configure(youtube=f"api_key_file: {odd}")
    ended = run(warm, site, "sync")
    assert (ended.code, str(odd) in ended.err) == (2, True), ended
    assert run(warm, site, "check").code == 1


def test_a_config_without_end_is_an_error(warm: Warm, site: Site) -> None:
    huge = site.root / "huge.yaml"
    huge.touch()
    os.truncate(huge, 1 << 40)

    ended = run(warm, site, "status", config=huge)

    assert (ended.code, "the limit is 1 MiB" in ended.err) == (2, True), ended


def test_a_config_and_a_key_may_be_links_as_others_put_them_there(warm: Warm, site: Site) -> None:
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    site.put("mounted/..data/key", KEY.encode())
    (site.root / "mounted/key").symlink_to("..data/key")
    site.configure(youtube="api_key_file: mounted/key")
    site.config.rename(site.root / "mounted/..data/syncer.yaml")
    site.config.symlink_to("../mounted/..data/syncer.yaml")

    assert run(warm, site, "sync").code == 0


# --- locks, and who can hold them -------------------------------------------------------------------------------------

STRANGER = """
import fcntl, os, sys
from tests.places import drop_powers
drop_powers()
for name in sys.argv[1:]:
    try:
        fcntl.flock(os.open(name, os.O_RDONLY), fcntl.LOCK_SH)
        print("held", name)
    except PermissionError:
        pass
"""


def test_no_other_user_can_hold_a_lock_and_what_was_looser_is_tightened() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs two users")
    with everybodys_directory() as directory:
        state = directory / ".syncer"
        for _ in range(2):
            with (
                hold_lock(state, timeout=0, sleep=lambda _: None),
                open_database(state, str(directory)),
                closing(DaemonLock(state)),
            ):
                files = [state / name for name in ("lock", "daemon.lock", *DATABASE)]
                assert all(file.exists() for file in files if not file.name.endswith("-journal"))
                assert run_python(STRANGER, *(file for file in files if file.exists())) == ""
            for file in files:
                if file.exists():
                    file.chmod(0o666)  # as an older version, or somebody, left it


def test_a_log_that_others_can_write_is_tightened_and_they_may_still_read_it(tmp_path: Path) -> None:
    log = tmp_path / "diff.jsonl"
    log.touch()
    for before, after in ((0o666, 0o644), (0o640, 0o640), (0o600, 0o600), (0o664, 0o644)):
        log.chmod(before)
        with DiffLog(log, 0):
            assert stat.S_IMODE(log.stat().st_mode) == after


def test_root_may_use_the_files_of_the_directorys_owner_and_nobody_elses() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with everybodys_directory() as directory:
        file = directory / "lock"
        file.touch()
        give_away(file)
        os.close(open_own(file, os.O_RDWR))
        os.chown(file, 4321, -1)
        with pytest.raises(UnsafeFile, match="belongs to user 4321"):
            open_own(file, os.O_RDWR)


def test_an_open_that_a_lease_keeps_out_is_tried_again(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("leases are Linux's")
    file = tmp_path / "lock"
    file.write_bytes(b"x")
    code = (
        "import fcntl, os, signal, sys\n"
        "fd = os.open(sys.argv[1], os.O_RDWR)\n"
        "def let_go(*_): fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK); sys.exit()\n"
        "signal.signal(signal.SIGIO, let_go)\n"
        "fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)\n"
        "print('held', flush=True)\n"
        "signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(file)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert read_file(file, 9) == b"x"


@pytest.mark.parametrize("kind", [link, directory, second_name])
def test_only_a_socket_of_the_same_user_is_spoken_to(site: Site, kind: Callable[[Path, Path], None]) -> None:
    place = site.root / "s"
    with closing(DaemonLock(site.state)) as lock:
        lock.name_socket(place)
        assert daemon_address(site.state) is None, "it is gone"
        kind(place, site.put("victim.md", VICTIM))
        assert daemon_address(site.state) is None
        shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
        listens(place, place)
        assert daemon_address(site.state) == DaemonAddress(place)
        if os.geteuid() == 0:
            os.chown(place, NOBODY, NOBODY)
            assert daemon_address(site.state) is None


# --- the directory ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["content", "config", ".", "sub"])
def test_a_directory_that_holds_other_things_is_no_state_and_stays_as_it_is(warm: Warm, site: Site, where: str) -> None:
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    site.put("sub/notes.txt", b"mine")
    site.configure(state=f"directory: {where}")
    before = tree(site.root)

    for command in COMMANDS:
        ended = run(warm, site, *command)
        if command != ("log",):
            assert ended.code == (1 if command[0] == "check" else 2), (command, ended)
            assert "state.directory" in ended.out + ended.err
    assert tree(site.root) == before


@pytest.mark.parametrize("what", ["lost+found", ".DS_Store", ".gitkeep"])
def test_a_directory_that_nobody_uses_can_be_a_state(site: Site, what: str) -> None:
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    site.put(f"data/{what}", b"")
    site.configure(state="directory: data")

    assert site.sync().exit == 0


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("where", [".syncer", "data"])
def test_git_ignores_syncers_files_and_none_of_the_authors(site: Site, where: str, linked: bool) -> None:
    state = site.root / where
    if linked:  # to another disk, perhaps
        (site.root.parent / "elsewhere").mkdir()
        state.symlink_to(site.root.parent / "elsewhere")
        (site.root / ".gitignore").write_text(f"/{where}\n")
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    site.configure(state=f"directory: {where}")
    git(site.root, "init", "--quiet")
    site.sync()
    for name in OWN_PATTERNS:
        if not (state / name.replace("*", "x")).exists():
            (state / name.replace("*", "x")).touch()
    status = git(site.root, "status", "--porcelain", "--untracked-files=all")
    assert where not in status.replace(".gitignore", ""), status

    if not linked:
        site.put(f"{where}/talks.csv", b"mine")
        site.put(f"{where}/sub/lock", b"mine")
        if where == ".syncer":
            site.sync()  # there it is seen from the next sync on
        status = git(site.root, "status", "--porcelain", "--untracked-files=all")
        assert f"{where}/talks.csv" in status
        assert f"{where}/sub/lock" in status


def test_a_gitignore_of_everything_is_kept_if_all_files_are_syncers(site: Site) -> None:
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    site.put("data/.gitignore", b"*\n")
    site.configure(state="directory: data")
    site.sync()

    assert (site.root / "data/.gitignore").read_bytes() == b"*\n"


def test_a_link_to_a_disk_that_is_not_mounted_is_no_new_state(site: Site) -> None:
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    site.state.symlink_to(site.root / "disk/state")

    with pytest.raises(StateError, match="is a link to a missing directory; mount its disk"):
        site.sync()
    assert not (site.root / "disk").exists()


def test_check_warns_of_a_directory_that_others_can_write(site: Site, syncer: Run) -> None:
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    site.sync()
    assert "Other users can write " not in syncer("check", "--offline").out
    site.state.chmod(0o775)
    assert "Other users can write " in syncer("check", "--offline").out
    before = os.umask(0o002)
    try:
        shutil.rmtree(site.state)
        site.sync()
    finally:
        os.umask(before)
    assert stat.S_IMODE(site.state.stat().st_mode) == 0o755
