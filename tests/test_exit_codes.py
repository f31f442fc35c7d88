"""Each way to end has its exit code and a sentence that says what to do."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncer.config.parse import parse_config
from syncer.errors import FailOn, Locked, Stopped
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, VideoState, World
from syncer.state.lock import LOCK_TIMEOUT, hold_lock
from syncer.sync.make import CHECK_FILES, make_sync
from syncer.sync.options import Environment, Listener, Options
from tests.forks import PIPE, Fork, run
from tests.repository import in_git
from tests.site import KEY, NOON, Ran, Run, Site, counts, crlf, ids, tree
from tests.waiting import until

VIDEO, OTHER = ids(2, seed=8)


@pytest.fixture
def full(site: Site) -> Site:
    site.put("content/a.md", crlf(VIDEO, 1, 2))
    return site


def no_config(site: Site) -> None:
    site.config.unlink()


def unreadable_config(site: Site) -> None:
    site.config.unlink()
    site.config.mkdir()


def config_in_latin_1(site: Site) -> None:
    site.config.write_bytes(b"# caf\xe9\n")


def broken_yaml(site: Site) -> None:
    site.config.write_text("collections: [\n", encoding="utf-8")


def content_missing(site: Site) -> None:
    site.configure(collections="  - directory: posts\n    fields: {video_id: id, counts: {viewCount: views}}\n")


def state_is_a_file(site: Site) -> None:
    site.state.write_bytes(b"")


def state_cannot_be_made(site: Site) -> None:
    site.configure(state="directory: /dev/null/state")


def state_is_newer(site: Site) -> None:
    site.state.mkdir()
    with sqlite3.connect(site.state / "state.sqlite3") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


def state_of_another_site(site: Site) -> None:
    elsewhere = Site(site.root.parent / "elsewhere", site.url)
    elsewhere.configure(state=f"directory: {site.state}")
    elsewhere.put("content/lists/a.md", b"")
    elsewhere.sync()


WRONG: Sequence[tuple[Callable[[Site], None], str, Sequence[str]]] = [
    (no_config, "config", ["config/syncer.yaml: no config here; run `syncer init` to write one"]),
    (unreadable_config, "config", ["no config here; add one whose name ends with .yaml, or correct -c"]),
    (config_in_latin_1, "config", ["cannot read the config: it is not UTF-8"]),
    (broken_yaml, "config", ["syncer.yaml:"]),
    (content_missing, "usage", ["posts is not a directory; set `site` and `collections` in the config"]),
    (state_is_a_file, "state", [".syncer is not a directory", "move it away, or set `state.directory`"]),
    (state_cannot_be_made, "state", ["Cannot write to /dev/null/state: ", "or set `state.directory`"]),
    (state_is_newer, "state", ["was written by a newer syncer (schema 99", "upgrade syncer"]),
    (state_of_another_site, "state", ["belongs to the site", "set another `state.directory`"]),
]


@pytest.mark.parametrize(("spoil", "kind", "parts"), WRONG, ids=[row[0].__name__ for row in WRONG])
def test_what_cannot_work_is_exit_2_with_one_sentence_and_nothing_is_done(
    full: Site, youtube: Simulator, syncer: Run, spoil: Callable[[Site], None], kind: str, parts: Sequence[str]
) -> None:
    spoil(full)
    before = tree(full.root / "content")
    ran = syncer("sync")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("syncer: ")
    assert ran.err.count("\n") == 1
    assert [part for part in parts if part not in ran.err] == []
    document = syncer("sync", "--json").document
    assert document == {"error": {"kind": kind, "message": ran.err[len("syncer: ") : -1]}, "exit": 2}
    assert (youtube.requests, tree(full.root / "content")) == (0, before)


def test_a_site_whose_path_is_not_utf_8_is_refused_by_every_command_that_writes(full: Site) -> None:
    place = full.root.with_name("caf\udce9")
    try:
        full.root.rename(place)
    except (OSError, UnicodeEncodeError):
        pytest.skip("this file system has only names in UTF-8")
    for command, code in (("sync", 2), ("check", 1), ("daemon", 2)):
        done = subprocess.run(
            [sys.executable, "-m", "syncer", "-c", f"{place}/config/syncer.yaml", command],
            env=_environment(), capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
        assert "the path of the site is not valid UTF-8; rename its directory" in done.stdout + done.stderr


def test_every_finding_in_a_broken_config_is_reported_at_once_with_its_line(full: Site, syncer: Run) -> None:
    full.config.write_text(
        "collections:\n  - directory: content\n    fields: {video_id: vid_id, counts: {viewCounts: views}}\n"
        "yutube: {}\nschedule: {every: soon}\nquota: {reserve: -1}\n",
        encoding="utf-8",
    )
    ran = syncer("sync")
    assert (ran.code, ran.out) == (2, "")
    lines = ran.err.removeprefix("syncer: ").splitlines()
    assert [line.split("syncer.yaml:")[1].split(":")[0] for line in lines] == ["3", "4", "5", "6"]
    assert "did you mean `viewCount`" in lines[0]
    assert "did you mean `youtube`" in lines[1]
    assert syncer("check", "--json").document["exit"] == 1


@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_without_a_key_nothing_is_done(
    full: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv("YOUTUBE_API_KEY")
    else:
        monkeypatch.setenv("YOUTUBE_API_KEY", value)
    ran = syncer("sync")
    assert (ran.code, ran.out) == (2, "")
    assert "No API key found: set the environment variable YOUTUBE_API_KEY" in ran.err
    assert ran.err.count("\n") == 1
    assert syncer("sync", "--json").document["error"]["kind"] == "no-key"
    assert not full.state.exists()


def test_a_key_file_that_cannot_be_read_is_named(full: Site, syncer: Run) -> None:
    full.configure(youtube="api_key_file: secrets/key")
    ran = syncer("sync")
    assert ran.code == 2
    assert "secrets/key (youtube.api_key_file): No such file or directory" in ran.err
    full.put("secrets/key", KEY.encode() + b"\n")
    assert syncer("sync").code == 0


def test_where_the_config_names_a_key_file_the_environment_is_not_looked_at(
    full: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    full.put("key", KEY.encode())
    full.configure(youtube="api_key_file: key")
    monkeypatch.setenv("YOUTUBE_API_KEY", "invalid")
    assert syncer("sync").code == 0
    (full.root / "key").unlink()
    monkeypatch.setenv("YOUTUBE_API_KEY", KEY)
    assert syncer("sync").code == 2


def test_a_read_only_page_is_exit_1_and_a_problem_and_the_others_are_done(
    full: Site, youtube: Simulator, syncer: Run
) -> None:
    page = full.root / "content/a.md"
    page.chmod(0o444)
    other = full.put("content/b.md", crlf(OTHER, 1, 2))
    ran = syncer("sync")
    assert ran.code == 1
    assert "content/a.md: The page is read-only: make it writable, or exclude it. [unwritable]" in ran.out
    assert (page.read_bytes(), page.stat().st_mode & 0o777) == (crlf(VIDEO, 1, 2), 0o444)
    assert other.read_bytes() == crlf(OTHER, *counts(youtube, OTHER))
    page.chmod(0o644)
    assert syncer("sync", "--json").document["asked"] == 0
    assert page.read_bytes() == crlf(VIDEO, *counts(youtube, VIDEO)), "repaired without a request"


def test_another_writer_is_waited_for_a_minute_and_then_it_is_exit_4(full: Site) -> None:
    waited: list[float] = []
    with hold_lock(full.state, timeout=0, sleep=waited.append), pytest.raises(Locked) as locked:
        sync_with_sleep(full, waited.append)
    assert LOCK_TIMEOUT == 60
    assert LOCK_TIMEOUT <= sum(waited) < LOCK_TIMEOUT + 1
    assert locked.value.exit_code == 4
    assert f"Another syncer (process {os.getpid()}) is writing to " in str(locked.value)
    assert (full.root / "content/a.md").read_bytes() == crlf(VIDEO, 1, 2)


def test_a_lock_that_becomes_free_is_taken(full: Site) -> None:
    lock = hold_lock(full.state, timeout=0, sleep=lambda _: None)
    lock.__enter__()
    waits = iter(range(3))

    def sleep(_seconds: float) -> None:
        if next(waits) == 2:
            lock.__exit__(None, None, None)

    assert sync_with_sleep(full, sleep) == 0


def test_the_command_line_ends_with_4_while_another_process_holds_the_lock(full: Site) -> None:
    impatient = (
        "import sys, syncer.sync.open_state as m; m.LOCK_TIMEOUT = 0.2;"
        "from syncer.cli.main import main; sys.exit(main())"
    )
    with hold_lock(full.state, timeout=0, sleep=lambda _: None):
        done = run_python(full, impatient, "sync", "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout)["error"]["kind"] == "locked"
    assert json.loads(done.stdout)["exit"] == 4


def test_what_only_reads_waits_for_nobody(full: Site, syncer: Run) -> None:
    syncer("sync")
    with hold_lock(full.state, timeout=0, sleep=lambda _: None):
        for arguments in (
            ["sync", "--dry-run"],
            ["status"],
            ["log"],
            ["history", VIDEO],
            ["videos"],
            ["check"],
            ["purge", "--dry-run"],
        ):
            assert syncer(*arguments).code == 0, arguments


def test_a_sync_that_is_interrupted_says_so(site: Site) -> None:
    for video in ids(300):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    with Simulator(World(), latency=0.2) as youtube:
        Site(site.root, youtube.url).configure(youtube="connections: 1")
        with start(site, "-m", "syncer", "sync") as process:
            until(lambda: youtube.requests >= 2 or process.poll() is not None)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=20)
    assert out.endswith("Stopped before the end. The next sync does the rest.\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sync_that_is_interrupted_ends_with_130_and_keeps_what_was_answered(
    site: Site, syncer: Run, number: signal.Signals
) -> None:
    for video in ids(300):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    with Simulator(World(), latency=0.2) as youtube:
        Site(site.root, youtube.url).configure(youtube="connections: 1")
        with start(site, "-m", "syncer", "sync", "--json") as process:
            until(lambda: youtube.requests >= 3 or process.poll() is not None)
            process.send_signal(number)
            out, err = process.communicate(timeout=20)
        report = json.loads(out)
        assert (process.returncode, report["exit"]) == (130, 130), err
        assert 0 < report["answered"] == report["asked"] < 300
        rest = syncer("sync", "--json").document
    assert rest["asked"] == 300 - report["answered"], "nobody is asked twice"
    assert rest["exit"] == 0
    assert all((site.root / f"content/{v}.md").read_bytes() == crlf(v, *counts(youtube, v)) for v in ids(300))
    assert len(site.log_lines()) == 600


def test_a_bug_is_exit_70_with_its_traceback_in_the_log(full: Site) -> None:
    broken = (
        "import sys, types; sys.modules['syncer.decide.plan'] = types.ModuleType('syncer.decide.plan');"
        "from syncer.cli.main import main; sys.exit(main())"
    )
    done = begun(full, broken, "sync")
    assert (done.returncode, done.stdout) == (70, "")
    assert "Traceback (most recent call last)" in done.stderr
    assert done.stderr.splitlines()[-1] == "syncer: a bug in syncer (ImportError); the log has the traceback"
    told = begun(full, broken, "--log-format", "json", "sync", "--json")
    assert json.loads(told.stdout)["error"]["kind"] == "bug"
    assert json.loads(told.stdout)["exit"] == 70
    assert ["Traceback" in json.loads(line)["traceback"] for line in told.stderr.splitlines()] == [True]


def test_a_full_disk_is_no_bug(full: Site) -> None:
    room = 1 << 20
    full.sync()
    log = full.state / "diff.jsonl"
    line = log.read_bytes().splitlines(keepends=True)[-1]
    log.write_bytes(line * ((room - 100) // len(line)))
    full.put("content/a.md", crlf(VIDEO, 1, 2))
    small = (
        f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}));"
        "from syncer.cli.main import main; sys.exit(main())"
    )
    done = run_python(full, small, "sync")
    assert done.returncode == 2, done.stderr
    assert "diff.jsonl: File too large; check its permissions and the free disk space" in done.stderr


def test_what_cannot_be_forgotten_after_a_sync_is_a_warning_and_the_sync_is_done(
    full: Site, youtube: Simulator, syncer: Run
) -> None:
    syncer("sync")
    kept = full.state / "state.sqlite3.damaged-long-ago"
    kept.mkdir()
    os.utime(kept, (0, 0))
    full.put("content/a.md", crlf(VIDEO, 1, 2))
    ran = syncer("sync")
    assert (ran.code, ran.err.count("\n")) == (0, 1)
    assert ran.err.startswith("WARNING The sync is done, but readings older than history.keep could not be deleted: ")
    assert f"{kept}: cannot remove the file" in ran.err
    assert (full.root / "content/a.md").read_bytes() == crlf(VIDEO, *counts(youtube, VIDEO))
    assert syncer("status", "--json").document["syncs"][0]["exit"] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sync_that_is_interrupted_while_it_waits_for_another_writer_ends_with_130(
    full: Site, number: signal.Signals
) -> None:
    with hold_lock(full.state, timeout=0, sleep=lambda _: None), start(full, "-c", LOUD, "sync", "--json") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "waits\n"
        process.send_signal(number)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert json.loads(out)["error"]["kind"] == "stopped"
    assert (full.root / "content/a.md").read_bytes() == crlf(VIDEO, 1, 2)


LOUD = """
import sys
from syncer.cli.main import main
from syncer.cli.stopping import StopSignal
wait = StopSignal.wait
def tell(stop, seconds):
    print("waits", file=sys.stderr, flush=True)
    return wait(stop, seconds)
StopSignal.wait = tell
sys.exit(main())
"""
"""The command line, which says when it waits."""


def test_a_scan_that_is_stopped_ends_within_a_hundred_files_and_nothing_is_written(
    site: Site, youtube: Simulator
) -> None:
    for video in ids(CHECK_FILES * 3):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    assert CHECK_FILES == 100
    before, looks = tree(site.root / "content"), iter([False, True])
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    environment = Environment(KEY, lambda: NOON, lambda _: None, cancelled=lambda: next(looks))
    with pytest.raises(Stopped) as stopped:
        make_sync(config, Options(), environment, Listener(progress=lambda *_: None))
    assert stopped.value.exit_code == 130
    assert next(looks, "none left") == "none left", "after a hundred files, not later"
    assert (tree(site.root / "content"), youtube.requests, site.log_lines()) == (before, 0, [])


def test_a_reader_that_goes_away_is_no_failure(full: Site, syncer: Run) -> None:
    syncer("sync")
    with start(full, "-m", "syncer", "log", "--json") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def sync_with_sleep(site: Site, sleep: Callable[[float], object]) -> int:
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    return make_sync(config, Options(), Environment(key=KEY, clock=lambda: datetime.now(UTC), sleep=sleep)).exit


def run_python(site: Site, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run("-c", program, *arguments, cwd=site.root, env=_environment())


def begun(site: Site, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same in a Python of its own, which has loaded nothing before."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=site.root, env=_environment(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def start(site: Site, *arguments: str) -> Fork:
    return Fork(*arguments, cwd=site.root, env=_environment(), stdout=PIPE, stderr=PIPE)


def _environment() -> dict[str, str]:
    return {**os.environ, "YOUTUBE_API_KEY": KEY, "PYTHONPATH": str(Path(__file__).parent.parent)}


@pytest.mark.parametrize("option", ["--key", "--api-key=AIza" + "x" * 35, "--youtube-api-key"])
def test_a_key_as_an_argument_is_refused_with_the_right_way_and_not_repeated(syncer: Run, option: str) -> None:
    ran = syncer("sync", option)
    assert ran.code == 2
    assert "YOUTUBE_API_KEY" in ran.err
    assert "AIza" not in ran.err + ran.out


def test_a_key_in_the_wrong_place_of_the_command_line_is_not_repeated(site: Site, syncer: Run) -> None:
    ran = syncer("sync", "--video", "AIza" + "x" * 35)
    assert ran.code == 2
    assert "AIza" not in ran.err + ran.out


def a_problem(site: Site, youtube: Simulator) -> None:
    site.put("content/broken.md", b"---\nvid_id: nonsense\nviewcount: 1\n---\n")


def too_little_quota(site: Site, youtube: Simulator) -> None:
    site.configure(quota="stats_units_per_day: 1, general_units_per_day: 1, reserve: 0")
    for video in ids(101, seed=4):
        site.put(f"content/{video}.md", crlf(video, 1, 2))


def a_brake(site: Site, youtube: Simulator) -> None:
    videos = ids(6, seed=4)
    for video in videos:
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    site.sync(datetime.now(UTC) - timedelta(days=1))  # what is older than `history.keep` is no measure
    youtube.world = World(videos={video: Video(VideoState.DELETED) for video in videos})


def no_remote(site: Site, youtube: Simulator) -> None:
    site.configure(git="commit: true, push: true")
    in_git(site)


@pytest.mark.parametrize(
    ("prepare", "word"),
    [(a_problem, "problems"), (too_little_quota, "left-out"), (a_brake, "brake"), (no_remote, "not-pushed")],
)
def test_each_word_of_fail_on_is_about_one_thing(
    full: Site, youtube: Simulator, syncer: Run, prepare: Callable[[Site, Simulator], None], word: str
) -> None:
    prepare(full, youtube)
    others = ",".join(other for other in FailOn if other != word)
    for arguments, code in (((), 1), (("--fail-on", word), 1), (("--fail-on", others), 0)):
        ran = syncer("sync", "--json", "--all", *arguments)
        assert (ran.code, ran.document["exit"]) == (code, code), arguments


def test_fail_on_may_be_repeated(full: Site, syncer: Run) -> None:
    full.put("content/broken.md", b"---\nvid_id: nothing\n---\n")
    first, second = ("--fail-on", "problems"), ("--fail-on", "brake")
    assert [syncer("sync", *each).code for each in (second, first, first + second, second + first)] == [0, 1, 1, 1]


@pytest.mark.parametrize("by_variable", [True, False])
def test_a_config_that_was_named_is_corrected_not_written_by_init(
    full: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch, by_variable: bool
) -> None:
    if by_variable:
        monkeypatch.setenv("SYNCER_CONFIG", "other.yaml")
    ran = syncer("sync", *(() if by_variable else ("-c", "other.yaml")))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith("other.yaml: no config here; correct -c or SYNCER_CONFIG\n")


def test_without_an_answer_no_fail_on_helps(full: Site, syncer: Run) -> None:
    Site(full.root, "http://127.0.0.1:9/").configure()
    assert syncer("sync", "--fail-on", "brake").code == 3


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("problem", "unknown word 'problem'; did you mean 'problems'?"),
        ("brake,not_pushed", "unknown word 'not_pushed'; did you mean 'not-pushed'?"),
        ("none", "unknown word 'none'; choose from problems, left-out, brake, not-pushed"),
        ("brake,", "unknown word ''; choose from"),
    ],
)
def test_an_unknown_word_of_fail_on_is_wrong_usage(full: Site, syncer: Run, words: str, remedy: str) -> None:
    ran = syncer("sync", "--fail-on", words)
    assert (ran.code, ran.out) == (2, "")
    assert f"syncer: --fail-on: {remedy}" in ran.err


@pytest.mark.parametrize(
    ("prepare", "shown"),
    [(a_problem, "[not-a-video-id]"), (a_brake, "The safety brake stopped this sync"), (no_remote, "[not-pushed]")],
)
def test_quiet_puts_what_needs_attention_on_standard_error(
    full: Site, youtube: Simulator, syncer: Run, prepare: Callable[[Site, Simulator], None], shown: str
) -> None:
    assert syncer("sync", "--quiet") == Ran(0, "", "")
    prepare(full, youtube)
    ran = syncer("sync", "--quiet", "--all")
    assert (ran.code, ran.out, shown in ran.err) == (1, "", True)
