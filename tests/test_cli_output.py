"""Closed, full, ASCII or abandoned output changes neither what a command does nor its exit code."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import click
import pytest

from syncer.cli.main import COMMANDS
from syncer.simulator.server import Simulator
from tests.examples import storms_but
from tests.forks import Fork
from tests.site import Run, Site, counts, crlf, ids
from tests.terminal import environment, typed_ahead
from tests.waiting import until

VIDEOS = ids(40, seed=77)
NOBODY_THERE = "http://127.0.0.1:9/"

Start = Callable[..., "Fork | subprocess.Popen[bytes]"]


def through_a_shell(site: Site, redirection: str, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
    """Starts a command as a shell does, with a redirection."""
    line = f'exec "$@" {redirection}'
    command = ["bash", "-c", line, "bash", sys.executable, "-m", "syncer", *arguments]
    return subprocess.Popen(command, cwd=site.root, env=environment(**more))


def closed(redirection: str) -> Start:
    def start(site: Site, *arguments: str) -> subprocess.Popen[bytes]:
        return through_a_shell(site, redirection, *arguments)

    return start


def with_variables(**variables: str) -> Start:
    def start(site: Site, *arguments: str) -> subprocess.Popen[bytes]:
        return through_a_shell(site, ">out 2>err", *arguments, **variables)

    return start


def nobody_reads(*numbers: int) -> Start:
    """The reader of a pipe has gone before the first byte."""

    def start(site: Site, *arguments: str) -> Fork:
        read, write = os.pipe()
        os.close(read)
        streams: dict[str, int] = {name: write for number, name in ((1, "stdout"), (2, "stderr")) if number in numbers}
        process = run(site, *arguments, **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **streams})
        os.close(write)
        return process

    return start


def full_disk(site: Site, *arguments: str) -> Fork:
    with open("/dev/full", "wb") as disk:
        return run(site, *arguments, stdout=disk.fileno(), stderr=disk.fileno())


def terminal_gone(site: Site, *arguments: str) -> Fork:
    ours, its = os.openpty()
    process = run(site, *arguments, stdin=its, stdout=its, stderr=its)
    os.close(its)
    os.close(ours)
    return process


def run(site: Site, *arguments: str, **streams: int) -> Fork:
    return Fork("-m", "syncer", *arguments, cwd=site.root, env=environment(), **streams)


WAYS: dict[str, Start] = {
    "no standard output": closed(">&-"),
    "no standard error": closed("2>&-"),
    "no standard input": closed("<&-"),
    "no stream at all": closed("<&- >&- 2>&-"),
    "no log and no results": closed(">&- 2>&-"),
    "full": full_disk,
    "output that cannot be written": closed("1</dev/null 2</dev/null"),
    "nobody reads results": nobody_reads(1),
    "nobody reads the log": nobody_reads(2),
    "nobody reads anything": nobody_reads(1, 2),
    "a terminal that is gone": terminal_gone,
    "ASCII": with_variables(LC_ALL="C", PYTHONIOENCODING="ascii"),
    "ASCII, names too": with_variables(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"),
    "strict": with_variables(PYTHONIOENCODING="latin-1:strict"),
    "unbuffered": with_variables(PYTHONUNBUFFERED="1"),
}

SAMPLE_WAYS = {"no stream at all", "full", "nobody reads anything", "a terminal that is gone", "ASCII, names too"}
"""Ways that are no storm: one of each kind."""

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def ways(few: Collection[str], tried: Collection[str] = WAYS.keys()) -> list[object]:
    """The ways that are tried, as `parametrize` takes them: all but a few are storms."""
    marks = {way: [] if way in few else [pytest.mark.storm] for way in WAYS}
    marks["full"].append(needs_full)
    return [pytest.param(way, marks=marks[way]) for way in WAYS if way in tried]


@pytest.fixture
def full(site: Site) -> Site:
    """A site with many pages, one of them named in French, and one with a problem that names it."""
    for video in VIDEOS:
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    site.put("content/caf\u00e9 \U0001f600.md", crlf(VIDEOS[0], 1, 2))
    site.put("content/na\u00efve.md", b"---\nvid_id: x\nviewcount: 1\n---\n")
    return site


@pytest.mark.parametrize("way", ways(SAMPLE_WAYS))
def test_a_sync_does_all_and_ends_as_with_a_reader(full: Site, youtube: Simulator, way: str) -> None:
    options = "-vv --log-format json sync --json" if list(WAYS).index(way) % 2 else "-v sync"
    code = WAYS[way](full, *options.split()).wait(60)
    assert code == 1, "a page has a problem"
    assert all((full.root / f"content/{v}.md").read_bytes() == crlf(v, *counts(youtube, v)) for v in VIDEOS)
    paths = [line["path"] for line in full.log_lines()]
    assert len(paths) == 2 * (len(VIDEOS) + 1)
    assert "content/caf\u00e9 \U0001f600.md" in paths, "one name, whatever the locale"
    assert {p.name for p in full.state.iterdir()} >= {"diff.jsonl", "state.sqlite3"}
    assert (full.state / "state.sqlite3").read_bytes()[:15] == b"SQLite format 3", "and no output in it"


@pytest.mark.parametrize("way", ways({"no stream at all"}, SAMPLE_WAYS))  # with the others, the test above sees a code
def test_a_failure_keeps_its_exit_code(full: Site, way: str) -> None:
    Site(full.root, NOBODY_THERE).configure()
    assert WAYS[way](full, "sync", "-v").wait(60) == 3


def commands(sync: str) -> dict[str, Sequence[str]]:
    """A call of each command that ends by itself and may be repeated."""
    return {
        "init": ["init", "elsewhere"],
        "check": ["check"],
        "sync": ["sync", "--all", "--dry-run"],
        "daemon": ["-c", "none.yaml", "daemon"],
        "trigger": ["trigger"],
        "status": ["status"],
        "plan": ["plan"],
        "log": ["log"],
        "history": ["history", VIDEOS[1]],
        "videos": ["videos"],
        "export": ["export", "--csv", "-"],
        "review": ["review"],
        "undo": ["undo", sync],
        "deploy": ["deploy", "--dry-run"],
        "purge": ["purge", "--dry-run"],
        "fleet": ["fleet", "--help"],
        "simulate": ["simulate", "--list-faults"],
        "demo": ["demo", "--help"],
    }


PRINTS_ONLY = {"check", "export", "history", "log", "plan", "review", "status", "sync", "videos"}
"""The calls above whose whole result is what they print."""


def test_each_command_has_such_a_call() -> None:
    assert commands("").keys() == set(COMMANDS)


@pytest.mark.parametrize(
    "way",
    [
        "no stream at all",
        pytest.param("full", marks=[needs_full, pytest.mark.storm]),
        pytest.param("nobody reads anything", marks=pytest.mark.storm),
    ],
)
@pytest.mark.parametrize("command", storms_but({"check", "sync", "status", "undo"}, COMMANDS))
def test_every_command_ends_as_with_a_reader(full: Site, syncer: Run, command: str, way: str) -> None:
    report = syncer("sync", "--json").document
    (full.root / "elsewhere").mkdir()
    arguments = commands(report["sync"])[command]
    expected = syncer(*arguments).code
    lost = way == "full" and command in PRINTS_ONLY
    assert WAYS[way](full, *arguments).wait(60) == (expected or 2 * lost)


@needs_full
@pytest.mark.parametrize("arguments", [["export", "--jsonl", "-"], ["log", "--json"], ["plan"]])
def test_a_command_that_only_prints_fails_where_that_cannot_be_written(
    full: Site, syncer: Run, arguments: list[str]
) -> None:
    syncer("sync")
    with open("/dev/full", "wb") as disk:
        done = run(full, *arguments, stdout=disk.fileno(), stderr=subprocess.PIPE)
    _, err = done.communicate(timeout=60)
    assert (done.returncode, err) == (2, "syncer: cannot write all of the output: No space left on device\n")


def test_what_could_not_be_written_in_full_is_said(full: Site) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with open("/dev/full", "wb") as disk:
        done = run(full, "sync", "--json", stdout=disk.fileno(), stderr=subprocess.PIPE)
    _, err = done.communicate(timeout=60)
    assert (done.returncode, err) == (1, "syncer: cannot write all of the output: No space left on device\n")


def test_a_reader_that_has_read_enough_hears_no_complaint(full: Site, syncer: Run) -> None:
    syncer("sync")
    many = (full.state / "diff.jsonl").read_bytes() * 200
    (full.state / "diff.jsonl").write_bytes(_renumbered(many))
    done = subprocess.run(
        ["bash", "-c", '"$@" | head -1; echo "${PIPESTATUS[0]}"', "bash", sys.executable, "-m", "syncer", "log"],
        cwd=full.root, env=environment(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines()[1:] == ["0"]
    assert done.stderr == ""


def _renumbered(lines: bytes) -> bytes:
    numbered = (json.loads(line) | {"seq": number} for number, line in enumerate(lines.splitlines(), start=1))
    return b"".join(json.dumps(line).encode() + b"\n" for line in numbered)


@pytest.mark.parametrize("encoding", storms_but({"ascii"}, ["ascii", "latin-1", "utf-8"]))
def test_json_is_a_document_in_every_encoding(full: Site, encoding: str) -> None:
    process = through_a_shell(full, ">out 2>err", "-v", "--log-format", "json", "sync", "--json", "--dry-run",
                              PYTHONIOENCODING=encoding)  # fmt: skip
    assert process.wait(60) == 1
    document = json.loads((full.root / "out").read_text(encoding=encoding))
    assert "content/caf\u00e9 \U0001f600.md" in {change["path"] for change in document["changes"]}
    assert document["problems"][0]["subject"] == "content/na\u00efve.md"
    assert [json.loads(line) for line in (full.root / "err").read_text(encoding=encoding).splitlines()]


PIPE_BYTES = 4096
"""The smallest pipe that Linux makes. One of the usual size takes the whole report, however slow the reader is."""


def test_a_slow_reader_that_made_the_pipe_non_blocking_gets_all(full: Site) -> None:
    read, write = os.pipe()
    if sys.platform == "linux":
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.set_blocking(write, False)
    process = run(full, "sync", "--dry-run", "--json", stdout=write)
    os.close(write)
    text = b""
    while piece := os.read(read, 512):
        text += piece
        time.sleep(0.001)  # slower than it writes
    os.close(read)
    assert process.wait(60) == 1
    assert len(text) > 2 * PIPE_BYTES, "else the pipe is never full"
    assert len(json.loads(text)["changes"]) == 2 * (len(VIDEOS) + 1)


@pytest.mark.parametrize(
    "typed", [b"\xff\xfe\nq\n", b"\x04", b"\xc3\n\x04"], ids=["no text", "the end", "half a letter"]
)
def test_what_is_typed_in_another_encoding_is_no_bug(full: Site, syncer: Run, typed: bytes) -> None:
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "content"], ["commit", "-qm", "Pages"]):
        subprocess.run([*git, *command], cwd=full.root, check=True)
    syncer("sync")
    shown = typed_ahead(full, typed, "review")
    assert b"Keep these counts" in shown
    assert b"Traceback" not in shown
    assert b"a bug" not in shown


def test_the_daemon_outlives_the_reader_of_its_log(full: Site, youtube: Simulator) -> None:
    read, write = os.pipe()
    os.close(read)
    process = run(full, "-v", "daemon", stdout=write, stderr=write)
    os.close(write)
    try:
        until(lambda: run(full, "trigger", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait(60) == 1)
        assert process.poll() is None
        assert (full.root / f"content/{VIDEOS[0]}.md").read_bytes() == crlf(VIDEOS[0], *counts(youtube, VIDEOS[0]))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def test_a_broken_pipe_that_is_not_the_output_is_reported(syncer: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def write_to_nobody() -> None:
        reader, writer = os.pipe()
        os.close(reader)
        with open(writer, "wb", buffering=0) as pipe:
            pipe.write(b"x")

    monkeypatch.setattr("syncer.cli.status.command", write_to_nobody)
    ran = syncer("status")
    assert (ran.code, ran.out) == (70, "")
    assert "syncer: a bug in syncer (ConnectionError); the log has the traceback" in ran.err
    assert "BrokenPipeError" in ran.err, "the log has the traceback"
