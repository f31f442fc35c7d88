"""The key, in every weather: what the command line wrote, to whatever place, is searched for it byte by byte."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from syncer.git.run import git
from syncer.simulator.faults import GROUPS, KINDS
from syncer.simulator.server import Simulator
from syncer.simulator.units import BucketName
from syncer.simulator.world import World
from tests.examples import PROVING
from tests.site import FORMS, Site, pair
from tests.weather.command_line import CommandLine, Order
from tests.weather.expected import ends
from tests.weather.ground import BUCKETS, IN_TURN, PAUSE, VIDEOS, mostly_storms, set_weather
from tests.weather.test_matrix import WAITING

KEYS = {
    "letters": "AKeyOfLettersOnly",  # could be the name of an error, as far as one can see
    "signs": "a/key+of=16signs",  # is another one in an address
    "google": "AIza" + "Sy" + "0123456789abcdefghijklmnopqrstu_-",
}
SENT_BACK = [*GROUPS["The key sent back"], "project-suspended"]
"""Faults that know the key: they are tried with each."""
AUTHOR = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false", "-c", "gc.auto=0")
MINE = VIDEOS[:6]
READERS = (
    ["check"],
    ["status", "--json"],
    ["log"],
    ["history", MINE[0], "--json"],
    ["check", "--json"],
    ["status"],
    ["log", "--json"],
    ["history", MINE[0]],
)
"""What else is run; a case takes one of these."""


class Case(NamedTuple):
    fault: str
    bucket: BucketName
    key: str
    reader: list[str]

    @property
    def is_tried_again(self) -> bool:
        """A try that is repeated is told as well; but it takes its time."""
        return self.fault in SENT_BACK and (self.bucket, self.key) == ("stats", "letters")

    def __str__(self) -> str:
        return f"{self.fault}@{self.bucket}-{self.key}"


def cases() -> Iterator[Case]:
    """Faults that do not know the key strike one method each; `./dev prove` tries them with both."""
    number, turns = count(), cycle(KEYS)
    for fault in KINDS:
        knows = fault in SENT_BACK
        for bucket in BUCKETS if knows or PROVING else [IN_TURN[fault]]:
            for key in KEYS if knows else [next(turns)]:
                yield Case(fault, bucket, key, READERS[next(number) % len(READERS)])


@dataclass(frozen=True)
class Shell:
    """Where the commands run, and what they printed."""

    commands: CommandLine
    site: Site
    saved: Path
    printed: Path

    def begin(self, youtube: Simulator, case: Case) -> None:
        """Puts the site back as it was after its first sync; YouTube has another address now."""
        for place in (self.site.root, self.printed):
            shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.saved, self.site.root)
        self.printed.mkdir()
        timeout, attempts = (1 if case.fault in WAITING else 5), (2 if case.is_tried_again else 1)
        retry = f"retry: {{attempts: {attempts}, longest_wait: 1s, deadline: 20s}}"
        Site(self.site.root, youtube.url).configure(youtube=f"timeout: {timeout}s, {retry}")

    def run(self, key: str, *arguments: str) -> int:
        number = len(list(self.printed.iterdir())) // 2
        out, err = (str(self.printed / f"{number}.{stream}") for stream in ("out", "err"))
        return self.commands.run(Order(list(arguments), str(self.site.root), key, out, err))


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A site in a git repository that had one good sync, and a process that runs commands in it."""
    root = tmp_path_factory.mktemp("key")
    with Simulator(World()) as youtube, CommandLine() as commands:
        site = Site(root / "site", youtube.url)
        site.configure()
        for form, video in zip(FORMS, MINE, strict=False):
            site.put(f"content/{video}.md", form(video, 1, 2))
        site.put("content/lists/two.md", pair((MINE[-2], 1, 2), (MINE[-1], 1, 2)))
        (root / "printed").mkdir()
        shell = Shell(commands, site, root / "saved", root / "printed")
        assert shell.run("a-key-before", "sync") == 0
        git(site.root, "init", "--quiet", "--template=")
        commit(site)
        shutil.copytree(site.root, shell.saved)
        yield shell


@pytest.mark.parametrize("case", mostly_storms(cases()), ids=str)
def test_no_byte_that_is_written_anywhere_tells_the_key(case: Case, shell: Shell) -> None:
    key = KEYS[case.key]
    with Simulator(World(), pause=PAUSE) as youtube:
        shell.begin(youtube, case)
        first = ["not-implemented@stats"] if case.bucket == "general" else []
        set_weather(youtube, *first, f"{case.fault}@{case.bucket}")
        with closing(sqlite3.connect(shell.site.state / "state.sqlite3")) as state:
            state.execute("SELECT * FROM meta").fetchall()  # who reads keeps the -wal file from being removed
            assert shell.run(key, "-vv", "sync", "--all") == ends(case.fault, case.bucket).always.code
            assert shell.run(key, "-vv", "--log-format", "json", "sync", "--all", "--accept", "--json") in {0, 1, 3}
            assert shell.run(key, "-vv", *case.reader) in {0, 1}
            commit(shell.site)
            written = everything(shell, state)
    assert {"0.out", "0.err", "site/.syncer/state.sqlite3-wal", "site/.syncer/diff.jsonl", "git"} <= written.keys()
    secret = told(key)
    assert {place: found for place, content in written.items() if (found := secret.findall(content))} == {}


def everything(shell: Shell, state: sqlite3.Connection) -> Mapping[str, bytes]:
    """All that was written, by its place: what was printed, every file of site and state, every row, every object."""
    written = {path.name: path.read_bytes() for path in shell.printed.iterdir()}
    for path in shell.site.root.rglob("*"):
        if path.is_file():
            written[f"site/{path.relative_to(shell.site.root)}"] = path.read_bytes()
    for (table,) in state.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        written[f"table {table}"] = repr(state.execute(f"SELECT * FROM {table}").fetchall()).encode()
    written["git"] = os.fsencode(git(shell.site.root, "cat-file", "--batch-all-objects", "--batch"))
    return written


def told(key: str) -> re.Pattern[bytes]:
    """Finds either half of the key, plain or as in an address, the key in base64, and any key of Google's."""
    half = len(key) // 2
    spelled = [f"(?:{re.escape(letter)}|%(?i:{ord(letter):02x}))" for letter in key]
    forms = ["".join(spelled[:half]), "".join(spelled[half:]), "AIza[0-9A-Za-z_-]{35}"]
    for before in range(3):  # the letters of base64 depend on where in it the key begins, and the last one on its end
        text = b64encode(b"\0" * before + key.encode()).decode().rstrip("=")[before and before + 1 : -1]
        forms += [re.escape(text), re.escape(text.translate(str.maketrans("+/", "-_")))]
    return re.compile("|".join(forms).encode())


@pytest.mark.parametrize("key", KEYS.values(), ids=list(KEYS))
@pytest.mark.parametrize(
    "hide",
    [
        str,
        quote,
        lambda key: "".join(f"%{ord(letter):02x}" for letter in key),
        lambda key: b64encode(key.encode()).decode(),
        lambda key: b64encode(f"u:{key}:p".encode()).decode(),
        lambda key: urlsafe_b64encode(f"user:{key}".encode()).decode(),
        lambda key: key[:-4],
        lambda key: "AIza" + "x" * 35,
    ],
)
def test_the_search_finds_a_key_in_every_form(key: str, hide: Callable[[str], str]) -> None:
    assert told(key).search(f"before {hide(key)} after".encode())


def commit(site: Site) -> None:
    """As the author does, who has seen what changed."""
    git(site.root, "add", "--all")
    git(site.root, *AUTHOR, "commit", "--quiet", "--allow-empty", "--message", "counts")
