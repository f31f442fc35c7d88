"""What the tests of pages on disk share: a site's root, collections, pages, and work done without root's powers."""

from __future__ import annotations

import io
import os
import pkgutil
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from syncer.content.pages import Pages
from syncer.content.scan import read_pages
from syncer.content.walk import Candidate, LeftoverFile, walk
from syncer.front_matter.keys import keys_of
from syncer.model import Collection, Count, Detail, Fields, Page, Problem
from tests.forks import run

ID = "kq3vT7mZ_dE"
OTHER_ID = "-b5Nw0yRfhs"

FIELDS = Fields("vid_id", {Count.VIEWS: "viewcount", Count.LIKES: "likeCount"})

DATES = {Detail.CHECKED_AT: "viewsUpdated"}

NOBODY = 65534
"""A user without any right of its own."""


def page(video: str = ID, views: int | str = 48210, body: str = "Gates, paddles and patience.\n") -> bytes:
    """Return a page of one video."""
    return f'---\ntitle: "Locks"\nvid_id: "{video}"\nviewcount: "{views}"\nlikeCount: "517"\n---\n{body}'.encode()


def put(file: Path, content: bytes | None = None) -> Path:
    """Write a file, by default a page, and the directories above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(page() if content is None else content)
    return file


def collection(
    directory: str = "content",
    include: Sequence[str] = ("**/*.md", "**/*.markdown"),
    exclude: Sequence[str] = (),
    fields: Fields = FIELDS,
) -> Collection:
    """Return a collection; what is not said is as in the config's defaults."""
    return Collection(directory, tuple(include), tuple(exclude), fields)


def walked(site: Path, *collections: Collection) -> list[Candidate | LeftoverFile | Problem]:
    """Return all that a walk yields."""
    return list(walk(os.path.realpath(site), collections or [collection()]))


def names(site: Path, *collections: Collection) -> list[str]:
    """Return the paths that a walk yields, which must meet with no problem."""
    found = walked(site, *collections)
    assert not [one for one in found if isinstance(one, Problem)]
    return [one.path for one in found if isinstance(one, Candidate)]


def problems(found: Sequence[object]) -> list[tuple[str, str]]:
    """Return kind and subject of the problems among what was found."""
    return [(one.kind.value, one.subject) for one in found if isinstance(one, Problem)]


def scanned(site: Path, *collections: Collection) -> list[Page | Problem]:
    """Return pages and problems of a whole scan."""
    found = walked(site, *collections)
    candidates = [one for one in found if isinstance(one, Candidate)]
    read = Pages()
    others = list(read_pages(os.path.realpath(site), candidates, read))
    return [item for item in (*found, *others, *read) if isinstance(item, Page | Problem)]


def pages(site: Path, *collections: Collection) -> list[Page]:
    """Return the pages of a whole scan, which must meet with no problem."""
    found = scanned(site, *collections)
    assert not problems(found), problems(found)
    return [one for one in found if isinstance(one, Page)]


def run_python(code: str, *arguments: str | Path) -> str:
    """Run Python code in a process of its own and return what it prints."""
    done = run("-c", code, *map(str, arguments), cwd=Path(__file__).parent.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout


LATER = [
    *("googleapiclient.http", "httplib2", "ctypes", "pathspec", "rich.console", "rich.table", "_strptime"),
    *("encodings.idna", "encodings.ascii", "encodings.latin_1", "encodings.unicode_escape"),
]
"""What the program loads when it needs it: quicker when it is there, and a user without powers may not reach it."""


OF_EXTRAS = {"psycopg", "procrastinate", "apprise"}


def load_all() -> None:
    """Load all of the program, and what it loads later; not what needs an extra that is not installed."""
    import syncer

    for module in pkgutil.walk_packages(syncer.__path__, "syncer."):
        if not module.name.endswith("__main__"):
            try:
                import_module(module.name)
            except ModuleNotFoundError as error:
                if error.name not in OF_EXTRAS:
                    raise
    for name in LATER:
        import_module(name)
    import_module("rich.emoji").Emoji.replace("")  # it loads its table now
    for video_id, dates in (("vid_id", {}), ("videos[].id", {}), ("vid_id", DATES), ("videos[].id", DATES)):
        keys_of(replace(FIELDS, video_id=video_id, details=dates))  # the patterns of what most of the tests' sites map
    _compute_what_is_kept()


def _compute_what_is_kept() -> None:
    """Have computed what a process computes once, and what is the same in each: half of what a short command does."""
    from syncer.cli.main import main
    from syncer.config.parse import parse_config
    from syncer.state import database, ledger_file
    from syncer.state.schema import MIGRATIONS

    config = Path(__file__).parents[1] / "config" / "syncer.yaml"
    parse_config(config.read_text(encoding="utf-8"), config)  # pydantic and PyYAML prepare themselves
    database._shape(len(MIGRATIONS))
    ledger_file._shape()
    with redirect_stdout(io.StringIO()):
        main(["--version"])


def drop_powers() -> None:
    """Be no longer root, for good: for a process of its own.

    The code may be in a home that others may not enter, so all of it is loaded before.
    """
    if os.geteuid() == 0:
        load_all()
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


@contextmanager
def everybodys_directory() -> Iterator[Path]:
    """Give a directory that a user without powers can reach and owns; pytest keeps its own to itself."""
    with TemporaryDirectory(prefix="syncer-test-") as name:
        directory = Path(name).resolve()
        directory.chmod(0o755)
        give_away(directory)
        yield directory


def give_away(path: Path) -> None:
    """Make the user without powers the owner of a file or directory."""
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)


def need(program: str) -> None:
    """Skip the test where the machine does not have a program."""
    if not shutil.which(program):
        pytest.skip(f"needs {program}")


@contextmanager
def small_disk(place: Path, kibibytes: int, files: int = 0) -> Iterator[Path]:
    """Give a disk of this size, for so many files (0: any number); skip the test where none can be mounted."""
    need("mount")
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k,nr_inodes={files}", "tmpfs", str(place)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(command, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        yield place.resolve()
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Fill a disk to the last byte; return the file that does it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler
