"""What the tests share."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

from syncer.cli.main import main
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from tests.clockwork import Clock
from tests.crash.warm import Warm
from tests.examples import examples, some_cases
from tests.forks import stop
from tests.postgres import NewLedger, PostgreSQL, running_postgres
from tests.site import KEY, Ran, Run, Site, kept_log

MEMORY_DIRECTORY = "/dev/shm"
"""Where Linux has a file system in memory."""

FREE_BYTES = 2 << 30
"""Bytes that must be free there, of which the tests take a tenth."""


def is_memory_usable() -> bool:
    """Whether the tests' directories can lie in memory: there, nothing waits for a disk, as half of the tests would."""
    if "TMPDIR" in os.environ or not os.access(MEMORY_DIRECTORY, os.W_OK):
        return False
    about = os.statvfs(MEMORY_DIRECTORY)
    forbidden = os.ST_NOEXEC | (os.ST_NODEV if os.geteuid() == 0 else 0)
    return about.f_bavail * about.f_frsize >= FREE_BYTES and not about.f_flag & forbidden


if is_memory_usable():
    os.environ["TMPDIR"] = tempfile.tempdir = MEMORY_DIRECTORY

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else every Python that the tests start compiles all of syncer
sys.dont_write_bytecode = False


def pytest_collection(session: pytest.Session) -> None:
    """Has each worker begin with another share of the tests' files: what one has compiled, the others load."""
    number, of = (os.environ.get(name, "") for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"))
    if not number or session.config.args != session.config.getini("testpaths"):
        return
    files = sorted(Path(__file__).parent.rglob("test_*.py"))
    first = len(files) * int(number.removeprefix("gw")) // int(of)
    for file in files[first:] + files[:first]:
        try:
            import_module(".".join(file.relative_to(Path(__file__).parents[1]).with_suffix("").parts))
        except (Exception, pytest.skip.Exception):  # noqa: BLE001 - the collection reports it
            return


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Try a part of the cases of large storms, if only a part of the examples is wanted; and begin with long tests.

    Each worker does so: while the last long test takes its time, the others find short ones.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    short = [item for item in items if not item.get_closest_marker("storm")]
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("storm"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    long = [item for each in cases.values() for item in some_cases(each)]
    config.hook.pytest_deselected(items=[item for each in cases.values() for item in each if item not in set(long)])
    items[:] = [item for number in range(workers) for each in (long, short) for item in _share(each, number, workers)]


def _share(items: list[pytest.Item], number: int, of: int) -> list[pytest.Item]:
    return items[len(items) * number // of : len(items) * (number + 1) // of]


settings.register_profile("the same each time", derandomize=True, max_examples=examples(100).max_examples)
if "SYNCER_PROVE" not in os.environ:
    settings.load_profile("the same each time")  # a newcomer's first run is no lottery; `./dev prove` draws anew


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """A shell that runs us in the background has us ignore it, and what we start would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """Runs the command line in processes of their own, which may be killed, and which end or are said to hang."""
    with Warm() as process:
        yield process


@pytest.fixture(scope="session", autouse=True)
def forks_end() -> Iterator[None]:
    """What starts programs by a fork ends with the tests."""
    yield
    stop()


@pytest.fixture(scope="session", autouse=True)
def runtime_directory() -> Iterator[None]:
    """A short path for the sockets of the daemons: a test's own directory is too deep on some machines."""
    with TemporaryDirectory(prefix="syncer-") as directory, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", directory)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    """A PostgreSQL that runs. A test that stops it starts it again."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["file", pytest.param("server", marks=pytest.mark.storm)])
def new_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> NewLedger:
    """Gives ledgers: on disk, where no file is yet, and on a server, where the tables are empty."""
    if request.param == "file":
        names = count()
        return lambda: tmp_path / f"quota-{next(names)}.sqlite3"
    server: PostgreSQL = request.getfixturevalue("postgres")
    return server.new_ledger


@pytest.fixture
def youtube() -> Iterator[Simulator]:
    """A YouTube in which every possible video exists, and time stands still."""
    with Simulator(World()) as simulator:
        yield simulator


@pytest.fixture
def site(tmp_path: Path, youtube: Simulator) -> Site:
    """A site with a config and without a page."""
    made = Site(tmp_path / "site", youtube.url)
    (made.root / "content" / "lists").mkdir(parents=True)
    made.configure()
    return made


@pytest.fixture
def syncer(site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line in this process, with the site as the working directory."""
    monkeypatch.chdir(site.root)
    for name in ("SYNCER_CONFIG", "NO_COLOR", "FORCE_COLOR", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("YOUTUBE_API_KEY", KEY)

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(arguments)
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def there(tmp_path: Path, syncer: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that is the working directory."""
    place = tmp_path / "new"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """The command line starts a log of its own, and a test may run it in this process."""
    with kept_log():
        yield


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Clock]:
    """A clock that APScheduler reads too."""
    made = Clock()
    monkeypatch.setattr("apscheduler.schedulers.base.datetime", made)
    monkeypatch.setattr("syncer.daemon.loop.BackgroundScheduler", made.scheduler)
    caplog.set_level(logging.INFO)
    level = logging.getLogger("apscheduler").level
    yield made
    logging.getLogger("apscheduler").setLevel(level)
