"""Content that was made to hurt: no command hangs, crashes, writes outside the site, or lets a name act on screens."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from syncer.git.run import git
from syncer.simulator.server import Simulator
from tests.crash.points import PROVING
from tests.crash.test_bad_disk import assert_contract
from tests.crash.warm import Ended, Order, Warm
from tests.examples import storms_but
from tests.forks import PIPE, Fork
from tests.places import NOBODY, everybodys_directory, give_away
from tests.site import KEY, Site, counts, crlf, ids, plain, tree

DEADLINE = 60.0
"""Seconds that any command may take here; the slowest takes about one."""

GOOD, BAD = ids(2, seed=77)
"""The videos of a page that must be written in any company, and of the one that was made to hurt."""

ALL_COMMANDS = (
    ("sync", "--dry-run"),
    ("sync", "--dry-run", "--json"),
    ("sync", "--json"),
    ("-vv", "sync", "--all"),
    ("--log-format", "json", "-vv", "sync"),
    ("check", "--offline"),
    ("check", "--offline", "--json"),
    ("status",),
    ("status", "--json"),
    ("log",),
    ("log", "--json"),
    ("videos",),
    ("videos", "--json"),
)
"""Every command that names pages."""
TWO_COMMANDS = (("sync", "--json"), ("check", "--offline"))
SYNC_ALONE = (("sync", "--json"),)

_ACTS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What can act on a terminal: control characters but for newline and tab, and what turns the direction of a line."""


@dataclass(frozen=True)
class Place:
    """A site in bad company."""

    warm: Warm
    youtube: Simulator
    site: Site

    def run(self, *arguments: str, nobody: bool = False) -> Ended:
        """Run a command, and look at all that must hold whatever it meets."""
        out, err = (str(self.site.root.parent / name) for name in ("out", "err"))
        order = Order(arguments, str(self.site.root), out, err, nobody=nobody)
        ended = self.warm.start(order).ended(DEADLINE)
        said = ended.out + ended.err
        assert ended.code in {0, 1, 2}, f"{arguments}: {ended.code} {ended.err[-900:]}"
        assert "Traceback" not in said, f"{arguments}: {said[-900:]}"
        assert _ACTS.search(said) is None, f"{arguments}: {said[:900]!r}"
        return ended

    def endure(
        self, commands: Sequence[Sequence[str]] = ALL_COMMANDS if PROVING else TWO_COMMANDS
    ) -> Sequence[tuple[str, str]]:
        """Run commands; return kind and subject of each problem of the sync, once the good page is true."""
        good = self.site.put("content/good.md", crlf(GOOD, 1, 2))
        outside = tree(self.site.root.parent / "outside")
        ended = {arguments: self.run(*arguments) for arguments in commands}
        for arguments, one in ended.items():
            assert "\nINJECTED" not in one.out + one.err, f"{arguments}: a name makes a line of its own"
        assert good.read_bytes() == crlf(GOOD, *counts(self.youtube, GOOD))
        assert tree(self.site.root.parent / "outside") == outside, "nothing outside the site is touched"
        assert [name for _, _, names in os.walk(self.site.root) for name in names if name.startswith(".syncer-")] == []
        assert_contract(ended["sync", "--json"])
        report = json.loads(ended["sync", "--json"].out)
        return [(problem["kind"], problem["subject"]) for problem in report["problems"]]


@pytest.fixture
def place(tmp_path: Path, youtube: Simulator, warm: Warm) -> Place:
    """A site, and beside it a page that does not belong to it."""
    site = Site(tmp_path.resolve() / "site", youtube.url)
    (site.root / "content" / "lists").mkdir(parents=True)
    site.configure()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "page.md").write_bytes(crlf(BAD, 1, 2))
    return Place(warm, youtube, site)


# --- what is no plain file -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leads", ["to itself", "in a circle", "up", "to the site"])
def test_links_in_circles_end(place: Place, leads: str) -> None:
    content = place.site.root / "content"
    if leads == "to itself":
        (content / "x.md").symlink_to("x.md")
        (content / "x").symlink_to("x")
    elif leads == "in a circle":
        for one, other in (("a", "b"), ("b", "c"), ("c", "a")):
            (content / f"{one}.md").symlink_to(f"{other}.md")
            (content / one).symlink_to(other)
    elif leads == "up":
        (content / "sub").mkdir()
        (content / "sub" / "up").symlink_to("..")
        (content / "sub" / "again").symlink_to("../sub")
    else:
        (content / "all").symlink_to(place.site.root)
    assert place.endure() == []


@pytest.mark.parametrize("target", ["../../outside/page.md", "../../outside", "/", "/dev/zero", "/proc/self/environ"])
def test_files_outside_the_site_are_not_touched_through_links(place: Place, target: str) -> None:
    (place.site.root / "content" / "link.md").symlink_to(target)
    assert set(place.endure()) <= {("outside-site", "content/link.md")}


def test_a_collection_outside_the_site_is_not_touched_not_even_to_clean_up(place: Place) -> None:
    lists = place.site.root / "content" / "lists"
    lists.rmdir()
    lists.symlink_to("../../outside")
    (place.site.root.parent / "outside" / ".syncer-0a1b2c3d~").touch()
    assert place.endure() == [("outside-site", "content/lists")]


def test_pipes_sockets_and_directories_named_like_pages_are_passed_over(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = place.site.root / "content"
    os.mkfifo(content / "pipe.md")
    (content / "linked-pipe.md").symlink_to("pipe.md")
    (content / "folder.md").mkdir()
    monkeypatch.chdir(content)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.md")
        assert place.endure() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make devices")
@pytest.mark.parametrize(("kind", "major", "minor"), [(stat.S_IFCHR, 1, 5), (stat.S_IFCHR, 5, 0), (stat.S_IFBLK, 7, 0)])
def test_devices_named_like_pages_are_skipped(place: Place, kind: int, major: int, minor: int) -> None:
    try:
        os.mknod(place.site.root / "content" / "x.md", kind | 0o666, os.makedev(major, minor))
    except PermissionError:
        pytest.skip("this machine lets nobody make devices")
    assert place.endure() == []


def test_a_git_directory_inside_the_content_is_not_touched(place: Place) -> None:
    content = place.site.root / "content"
    git(content, "init", "--quiet")
    for name in (".git/page.md", ".git/refs/page.md", "sub/.git/page.md"):
        place.site.put(f"content/{name}", crlf(BAD, 1, 2))
    before = tree(content / ".git")
    assert place.endure() == []
    assert tree(content / ".git") == before


def test_a_page_with_two_names_is_left_alone_and_stays_one_file(place: Place) -> None:
    page = place.site.put("content/a.md", crlf(BAD, 1, 2))
    os.link(page, place.site.root / "content" / "b.md")
    os.link(page, place.site.root.parent / "outside" / "c.md")
    assert place.endure() == [("unwritable", "content/a.md"), ("unwritable", "content/b.md")]
    assert page.stat().st_nlink == 3
    assert page.read_bytes() == crlf(BAD, 1, 2)


# --- front matter ----------------------------------------------------------------------------------------------------


def laughs() -> str:
    """Nine levels of ten aliases each: a thousand million values to who makes them all."""
    levels = ["l0: &l0 [ha, ha]"]
    levels += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(levels)


def many_keys(form: str) -> str:
    return "\n".join(form.format(n) for n in range(40_000))


def in_yaml(more: str) -> bytes:
    return f"---\nvid_id: {BAD}\nviewcount: 1\nlikeCount: 2\n{more}\n---\nBody.\n".encode()


def in_toml(more: str) -> bytes:
    return f'+++\nvid_id = "{BAD}"\nviewcount = 1\nlikeCount = 2\n{more}\n+++\nBody.\n'.encode()


def in_json(more: str) -> bytes:
    return f'{{"vid_id": "{BAD}", "viewcount": 1, "likeCount": 2, {more}}}\nBody.\n'.encode()


NESTED = 20_000
PAGES: Mapping[str, Callable[[], bytes]] = {
    "40,000 keys of YAML": lambda: in_yaml(many_keys("k{:x}: 1")),
    "40,000 keys of TOML": lambda: in_toml(many_keys("k{:x}=1")),
    "40,000 keys of JSON": lambda: in_json(many_keys('"{:x}":1,') + '"z":1'),
    "40,000 times the same key": lambda: in_yaml(many_keys("k: {:x}")),
    "10 MB of YAML": lambda: in_yaml("x: '" + "y" * 10_000_000 + "'"),
    "10 MB of lines": lambda: in_yaml("\n".join(["# nothing"] * 1_000_000)),
    "10 MB of TOML": lambda: in_toml("x = '" + "y" * 10_000_000 + "'"),
    "10 MB of JSON": lambda: in_json('"x": "' + "y" * 10_000_000 + '"'),
    "10 MB of blank lines": lambda: b"\n" * 10_000_000 + in_yaml(""),
    "10 MB without a newline": lambda: b"---" + b"-" * 10_000_000,
    "a fence that never ends": lambda: b"---\nvid_id: " + BAD.encode() + b"\n" + b"---x\n" * 200_000,
    "deep lists of YAML": lambda: in_yaml("x: " + "[" * NESTED + "]" * NESTED),
    "deep maps of YAML": lambda: in_yaml("x: " + "{a: " * NESTED + "}" * NESTED),
    "deep blocks of YAML": lambda: in_yaml("\n".join(" " * n + "a:" for n in range(1, 1200))),
    "deep dashes of YAML": lambda: in_yaml("x:\n  " + "- " * NESTED),
    "deep lists of TOML": lambda: in_toml("x = " + "[" * NESTED + "]" * NESTED),
    "deep keys of TOML": lambda: in_toml(".".join("a" * NESTED) + " = 1"),
    "deep tables of TOML": lambda: in_toml("x = " + "{a = " * NESTED + "1" + "}" * NESTED),
    "deep lists of JSON": lambda: in_json('"x": ' + "[" * NESTED + "]" * NESTED),
    "deep maps of JSON": lambda: in_json('"x": ' + '{"a":' * NESTED + "1" + "}" * NESTED),
    "open brackets": lambda: in_yaml("x: " + "[" * 300_000),
    "billion laughs": lambda: in_yaml(laughs()),
    "a list that holds itself": lambda: in_yaml("x: &x [*x, *x]"),
    "a merge of itself": lambda: in_yaml("x: &x\n  <<: *x"),
    "a Python object": lambda: in_yaml("x: !!python/object/apply:os.system ['touch /tmp/hostile']"),
    "a number of 100,000 digits": lambda: in_yaml(f"x: {'9' * 100_000}"),
    "a count of 100,000 digits": lambda: in_yaml("").replace(b"viewcount: 1", b"viewcount: " + b"9" * 100_000),
    "an integer of 100,000 digits in TOML": lambda: in_toml(f"x = {'9' * 100_000}"),
    "an integer of 100,000 digits in JSON": lambda: in_json(f'"x": {"9" * 100_000}'),
    "sexagesimal": lambda: in_yaml("x: " + "1:" * 50_000 + "1"),
    "a date that is none": lambda: in_yaml("x: 2026-13-99"),
    "NUL and controls": lambda: in_yaml("x: \x00\x01\x1b[31m\x07"),
    "lone surrogates": lambda: in_json(r'"x": "\ud800"'),
    "not UTF-8": lambda: in_yaml("").replace(b"---\nBody", b"x: \xff\xfe\n---\nBody"),
    "UTF-16": lambda: in_yaml("").decode().encode("utf-16"),
    "many quotes": lambda: in_json('"x": "' + '\\"' * 400_000 + '"'),
    "many braces": lambda: b"{" * 500_000 + b'"vid_id": "' + BAD.encode() + b'"',
    "many blanks": lambda: b"---" + b" \t" * 400_000 + b"\nvid_id: " + BAD.encode() + b"\n---\n",
    "many anchors": lambda: in_yaml("\n".join(f"k{n}: &a{n} 1" for n in range(40_000))),
    "a key of 500,000 characters": lambda: in_yaml(f"? {'k' * 500_000}\n: 1"),
    "escapes in the id": lambda: in_yaml("").replace(BAD.encode(), b'"\\e[31m\\a"'),
    "escapes in a count": lambda: in_yaml("").replace(b"viewcount: 1", b'viewcount: "\\e[31m\\a"'),
    "raw escapes in a key": lambda: in_yaml("viewcount\x1b[31m: [\n").replace(b"likeCount", b"likeCount\xc2\x9b31m"),
}


LARGE = {name for name in PAGES if name.startswith("40,000 ")} | {"many anchors"}
"""Pages that take seconds."""


@pytest.mark.parametrize("name", storms_but(PAGES.keys() - LARGE, PAGES))
def test_a_hostile_page_is_written_whole_or_left_unchanged(place: Place, name: str) -> None:
    page = place.site.put("content/bad.md", PAGES[name]())
    before = page.read_bytes()
    problems = place.endure(TWO_COMMANDS if PROVING else SYNC_ALONE)
    assert {subject for _, subject in problems} <= {"content/bad.md"}
    views, likes = counts(place.youtube, BAD)
    viewed, liked = (
        (re.compile(rb"(" + key + rb'"?(?: = |: ))[12]\b'), rb"\g<1>%d" % number)
        for key, number in ((b"viewcount", views), (b"likeCount", likes))
    )
    new = liked[0].sub(liked[1], viewed[0].sub(viewed[1], before, count=1), count=1)
    only_likes = liked[0].sub(liked[1], before, count=1)
    assert page.read_bytes() in ({before, only_likes} if problems else {before, new}), problems


# --- names -----------------------------------------------------------------------------------------------------------

NAMES = (
    "a\nINJECTED.md",
    "a\r\nINJECTED.md",
    "\x1b[31mred\x1b[0m\x07.md",
    "\x1b]0;title\x07.md",
    "\x9b31m.md",
    "\u202egpj.md",
    "\u2066\u2028\u2029.md",
    "\x7f\x08\x08\x08.md",
    "tab\there.md",
    "-rf.md",
    "--all.md",
    "[red]x[/red].md",
    "[link=javascript:0]x[/link].md",
    "%s%n{0}{}$(id)`id`.md",
    "\"'\\.md",
    " .md",
    "~.md",
    "a:b*c?.md",
    "e\u0301\u00e9.md",
    "x" * 252 + ".md",
)
TROUBLE = f"---\nvid_id: {BAD}\nviewcount: 1.2M\n---\n".encode()


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS takes fewer names")
def test_any_name_is_written_logged_and_printed_safely(place: Place) -> None:
    videos = dict(zip(NAMES, ids(len(NAMES), seed=5), strict=True))
    for name, video in videos.items():
        place.site.put(f"content/{name}", plain(video, 1, 2))
        place.site.put(f"content/bad/{name}", TROUBLE)
    problems = place.endure(ALL_COMMANDS)
    assert sorted(problems) == sorted(("not-a-count", f"content/bad/{name}") for name in NAMES)
    for name, video in videos.items():
        page = place.site.root / "content" / name
        assert page.read_bytes() == plain(video, *counts(place.youtube, video)), name
    logged = json.loads(place.run("log", "--json").out)
    assert {f"content/{name}" for name in NAMES} <= {line["path"] for line in logged}
    for name in ("\x1b[31mred.md", "a\nINJECTED.md"):
        for arguments in (
            ["sync", f"content/none/{name}"],
            ["-c", name, "status"],
            ["log", "--path", name],
            ["init", name],
        ):
            place.run(*arguments)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS takes fewer names")
@pytest.mark.parametrize("form", storms_but({"text"}, ["text", "json"]))
def test_the_daemon_logs_any_name_safely(place: Place, form: str) -> None:
    for name in NAMES:
        place.site.put(f"content/bad/{name}", TROUBLE)
    command = ("-m", "syncer", "-c", str(place.site.config), "--log-format", form, "-vv", "daemon")
    with Fork(*command, stderr=PIPE, env={**os.environ, "YOUTUBE_API_KEY": KEY}) as process:
        assert process.stderr
        said = []
        for line in process.stderr:
            said.append(line)
            if "1.2M" in line and sum("1.2M" in one for one in said) == len(NAMES):
                process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
    assert _ACTS.search("".join(said)) is None, [line for line in said if _ACTS.search(line)][:3]
    assert [line for line in said if line.startswith("INJECTED")] == []


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has UTF-8 names only")
def test_names_that_are_not_utf8_are_reported_and_left_alone(place: Place) -> None:
    content = os.fsencode(place.site.root / "content")
    os.mkdir(content + b"/caf\xe9")
    for name in (b"/\xff\x1b[31m.md", b"/caf\xe9/a.md"):
        Path(os.fsdecode(content + name)).write_bytes(crlf(BAD, 1, 2))
    assert {kind for kind, _ in place.endure()} == {"unreadable"}


@pytest.mark.parametrize("name", ["a.md", "a-long-enough-name.md"])
def test_a_path_of_4095_bytes_is_written_or_named(place: Place, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = place.site.root / "content"
    length = len(os.fsencode(content)) + 1 + len(name)
    parts = []
    while length < 4095:
        part = "d" * min(200, 4095 - length - 1)
        if 4095 - length - 1 - len(part) == 1:
            part = part[:-1]
        parts.append(part)
        length += len(part) + 1
    monkeypatch.chdir(content)
    for part in parts:
        os.mkdir(part)
        os.chdir(part)
    Path(name).write_bytes(crlf(BAD, 1, 2))
    problems = place.endure()
    assert len(problems) <= 1
    assert Path(name).read_bytes() == crlf(BAD, *((1, 2) if problems else counts(place.youtube, BAD)))
    assert os.listdir(".") == [name], "nothing is left beside it"
    assert bool(problems) == (name == "a.md"), "there is no room in the path for a new file beside a short name"
    os.mkdir("deeper-than-any-path")
    assert {kind for kind, _ in place.endure()} <= {"unreadable", "unwritable"}


# --- rights ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def public(youtube: Simulator, warm: Warm) -> Iterator[Place]:
    """A site that a user without powers can write."""
    with everybodys_directory() as directory:
        site = Site(directory / "site", youtube.url)
        for path in ("", "content", "content/lists", "content/closed", "config"):
            (site.root / path).mkdir(exist_ok=True)
            give_away(site.root / path)
        site.configure()
        for path in ("out", "err"):
            (directory / path).touch()
            give_away(directory / path)
        yield Place(warm, youtube, site)


def test_without_roots_powers_what_may_not_be_written_is_a_problem_and_stays_as_it_is(public: Place) -> None:
    videos = ids(4, seed=9)
    free, read_only, foreign, closed = (
        public.site.put(path, crlf(video, 1, 2))
        for path, video in zip(
            ("content/a.md", "content/b.md", "content/c.md", "content/closed/d.md"), videos, strict=True
        )
    )
    for page in (free, read_only, closed):
        give_away(page)
    read_only.chmod(0o444)
    foreign.chmod(0o644)
    (public.site.root / "content/closed").chmod(0o555)
    ended = public.run("sync", "--json", nobody=True)
    problems = [(one["kind"], one["subject"]) for one in json.loads(ended.out)["problems"]]
    expected = ["content/b.md", *(["content/c.md"] if os.geteuid() == 0 else []), "content/closed/d.md"]
    assert problems == [("unwritable", path) for path in expected]
    assert free.read_bytes() == crlf(videos[0], *counts(public.youtube, videos[0]))
    assert free.stat().st_uid == (NOBODY if os.geteuid() == 0 else os.geteuid())
    assert (read_only.read_bytes(), closed.read_bytes()) == (crlf(videos[1], 1, 2), crlf(videos[3], 1, 2))
    public.run("sync", nobody=True)
    public.run("check", "--offline", nobody=True)
    (public.site.root / "content/closed").chmod(0o755)
