"""The command line: what stands where, in which form, and how it is found."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from syncer import __version__
from syncer.cli.main import COMMANDS
from syncer.simulator.server import Simulator
from syncer.simulator.world import VideoState
from tests.examples import storms_but
from tests.forks import run
from tests.places import need
from tests.site import Run, Site, crlf, ids, world_with
from tests.terminal import environment, on_a_terminal

VIDEO, GONE, HIDDEN = ids(3, seed=11)
REPORT_KEYS = [
    *("sync", "started", "finished", "dry_run", "pages", "videos", "asked", "answered", "units", "changed_pages"),
    *("changed_counts", "missing", "hidden", "unconfirmed", "left_out", "brake", "problems", "commit", "exit"),
]
LOG_KEYS = ["seq", "sync", "at", "path", "video_id", "field", "count", "old", "new", "as_of", "why"]
BUILT = [
    "init",
    "check",
    "sync",
    "daemon",
    "trigger",
    "status",
    "plan",
    "log",
    "history",
    "videos",
    "export",
    "review",
    "undo",
    "deploy",
    "purge",
    "fleet",
    "simulate",
    "demo",
]
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture
def full(site: Site, youtube: Simulator) -> Site:
    """A site with a video of each kind, and a page with a problem."""
    youtube.world = world_with({GONE: VideoState.DELETED, HIDDEN: VideoState.LIKES_HIDDEN})
    for video in (VIDEO, GONE, HIDDEN):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    site.put("content/bad.md", f"---\nvid_id: {VIDEO}\nviewcount: 1\nviewcount: 2\n---\n".encode())
    return site


def test_a_report_has_the_keys_of_the_contract_in_its_order(full: Site, syncer: Run) -> None:
    ran = syncer("sync", "--json")
    report = ran.document
    assert (ran.code, report["exit"], ran.err) == (1, 1, "")
    assert list(report) == REPORT_KEYS
    assert list(report["units"]) == ["stats", "general"]
    assert list(report["left_out"]) == ["fresh", "over_quota", "open"]
    assert report["hidden"] == [{"video_id": HIDDEN, "count": "likeCount"}]
    assert report["missing"] == [GONE]
    (problem,) = report["problems"]
    assert list(problem) == ["kind", "subject", "line", "message"]
    assert (problem["kind"], problem["subject"], problem["line"]) == ("duplicate-key", "content/bad.md", 4)
    assert (report["brake"], report["commit"], report["unconfirmed"], report["dry_run"]) == (None, None, [], False)
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{4}", report["sync"])
    assert MOMENT.fullmatch(report["started"])
    assert MOMENT.fullmatch(report["finished"])
    assert ran.out.endswith("}\n")


def test_the_diff_log_has_the_keys_of_the_contract_in_its_order(full: Site, syncer: Run) -> None:
    report = syncer("sync", "--json").document
    text = (full.state / "diff.jsonl").read_bytes()
    assert text.endswith(b"}\n")
    assert b"\r" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert [list(line) for line in lines] == [LOG_KEYS] * 3
    assert [line["seq"] for line in lines] == [1, 2, 3]
    assert {line["sync"] for line in lines} == {report["sync"]}
    assert all(MOMENT.fullmatch(line[key]) for line in lines for key in ("at", "as_of"))
    assert all(isinstance(line[key], str) for line in lines for key in ("old", "new"))
    assert syncer("log", "--json").document == lines


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (["sync", "--nonsense", "--json"], 2, "usage"),
        (["sync", "--json", "--video"], 2, "usage"),
        (["history", "--json"], 2, "usage"),
        (["history", "nonsense", "--json"], 2, "usage"),
        (["history", VIDEO, "--json"], 2, "usage"),
        (["history", VIDEO, "--csv", "--json"], 2, "usage"),
        (["log", "--json", "--since", "yesterday"], 2, "usage"),
        (["--log-format", "xml", "sync", "--json"], 2, "usage"),
        (["nonsense", "--json"], 2, "usage"),
        (["-c", "none.yaml", "sync", "--json"], 2, "config"),
        (["-c", "none.yaml", "status", "--json"], 2, "config"),
        (["-c", "none.yaml", "log", "--json"], 2, "config"),
    ],
)
def test_with_json_a_command_that_could_not_run_prints_one_document_too(
    full: Site, syncer: Run, arguments: list[str], code: int, kind: str
) -> None:
    ran = syncer(*arguments)
    assert (ran.code, ran.err) == (code, "")
    assert list(ran.document) == ["error", "exit"]
    assert (ran.document["exit"], ran.document["error"]["kind"]) == (code, kind)
    assert list(ran.document["error"]) == ["kind", "message"]


@pytest.mark.parametrize("command", ["sync", "status", "log", "check"])
def test_json_is_one_document_and_nothing_else(full: Site, syncer: Run, command: str) -> None:
    assert json.loads(syncer("-v", command, "--json").out) is not None
    assert json.loads(syncer("-q", command, "--json").out) is not None


def test_results_go_to_standard_output_and_say_all_that_matters(full: Site, syncer: Run) -> None:
    ran = syncer("sync")
    assert (ran.code, ran.err) == (1, "")
    lines = ran.out.splitlines()
    assert re.split(r" {2,}", lines[0].strip()) == ["page", "count", "old", "new"]
    assert any(re.fullmatch(rf"content/{VIDEO}\.md +viewcount +1 +\d+", line) for line in lines)
    assert any(re.fullmatch(r" +likeCount +2 +\d+", line) for line in lines), "a page is named once"
    assert "3 pages, 3 videos: 3 requested, 2 returned. Changed 3 counts on 2 pages." in lines
    missing = lines.index("Not returned by YouTube, counts kept:")
    assert lines[missing + 1] == f"  {GONE}  content/{GONE}.md"
    hidden = lines.index("Hidden by the owner, counts kept:")
    assert lines[hidden + 1] == f"  {HIDDEN}  likeCount  content/{HIDDEN}.md"
    assert any(line.startswith("  content/bad.md:4: ") and line.endswith("[duplicate-key]") for line in lines)


def test_a_list_of_videos_names_every_page_of_each_and_ends_after_ten(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    videos = sorted(ids(13, seed=3))
    for number, video in enumerate(videos):
        site.put(f"content/{number}.md", crlf(video, 1, 2))
    site.put("content/again.md", crlf(videos[0], 1, 2))
    site.configure(write="brake: {missing: 100%}")
    youtube.world = world_with(dict.fromkeys(videos, VideoState.DELETED))
    for listed in (syncer("sync", "--dry-run").out, syncer("sync").out, syncer("sync", "--all", "content/0.md").out):
        assert f"Not returned by YouTube, counts kept:\n  {videos[0]}  content/0.md" in listed
    listed = syncer("sync", "--all").out
    assert f"  {videos[0]}  content/0.md, content/again.md\n  {videos[1]}  content/1.md\n" in listed
    assert f"  {videos[9]}  content/9.md\n  ... and 3 more (see `syncer status --json`)\n" in listed
    assert re.search(rf"  {videos[0]}  since [^ ]+ [^ ]+ UTC  content/0.md, content/again.md\n", syncer("status").out)


def test_an_id_that_youtube_cannot_have_given_out_is_called_a_typo(site: Site, syncer: Run) -> None:
    typo = VIDEO[:-1] + "B"
    site.put("content/a.md", crlf(typo, 1, 2))
    assert f"{typo} (a typo?)" in syncer("sync").out


def test_quiet_prints_only_what_needs_attention_and_on_standard_error(full: Site, syncer: Run) -> None:
    ran = syncer("-q", "sync")
    assert (ran.out, ran.err.splitlines()[0], len(ran.err.splitlines())) == ("", "Problems: 1", 2)
    (full.root / "content/bad.md").unlink()
    assert (syncer("-q", "sync").code, syncer("-q", "sync").out, syncer("-q", "sync").err) == (0, "", "")


@pytest.mark.parametrize("flags", [["-v"], ["-vv"], ["--verbose"], ["-v", "-v"]])
def test_verbose_logs_retries_on_standard_error(full: Site, syncer: Run, flags: list[str]) -> None:
    Site(full.root, "http://127.0.0.1:9/").configure()
    for arguments in ([*flags, "sync", "--json"], ["sync", "--json", *flags]):
        ran = syncer(*arguments)
        assert "videos.batchGetStats" in ran.err
        assert ran.document["exit"] == 3


def test_the_log_is_json_lines_where_that_is_requested(full: Site, syncer: Run) -> None:
    Site(full.root, "http://127.0.0.1:9/").configure()
    ran = syncer("-v", "--log-format", "json", "sync", "--json")
    lines = [json.loads(line) for line in ran.err.splitlines() if not line.startswith("syncer: ")]
    assert lines != []
    for line in lines:
        assert {"at", "level", "logger", "message"} <= line.keys()
        assert MOMENT.fullmatch(line["at"])


def test_the_config_is_found_by_option_then_environment_then_place(
    full: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert syncer("status").code == 2
    monkeypatch.setenv("SYNCER_CONFIG", str(full.config))
    assert syncer("status").code == 0
    assert syncer("-c", "none.yaml", "status").code == 2
    monkeypatch.setenv("SYNCER_CONFIG", "none.yaml")
    assert syncer("-c", str(full.config), "status").code == 0
    assert syncer("status", f"--config={full.config}").code == 0
    monkeypatch.setenv("SYNCER_CONFIG", "")
    monkeypatch.chdir(full.root)
    assert syncer("status").code == 0, "an empty variable is an unset one"


@pytest.mark.parametrize("words", storms_but({"sync"}, ["sync --dry-run", "sync", "check --offline", "status"]))
def test_nothing_but_text_goes_into_a_pipe(full: Site, words: str) -> None:
    done = run("-m", "syncer", *words.split(), cwd=full.root, env=environment(TERM="xterm-256color"))
    assert "\x1b" not in done.stdout + done.stderr
    assert "\r" not in done.stdout + done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("colour", [True, False])
def test_a_terminal_gets_colours_and_a_progress_bar_and_no_color_is_honoured(full: Site, colour: bool) -> None:
    shown = on_a_terminal(full, "sync", "--dry-run", **({} if colour else {"NO_COLOR": "1"}))
    assert b"Scanning pages" in shown
    assert b"Requesting counts" in shown
    assert b"Comparing pages" in shown
    assert b"Writing pages" not in shown
    assert (b"\x1b[32m+viewcount" in shown) == colour
    assert (re.search(rb"\x1b\[[0-9;]*3[0-9]", shown) is not None) == colour
    assert (b"\x1b[36m\xe2\x94\x81" in shown) == colour, "the bar is cyan"
    assert b"38;5;197" not in shown, "and not in the red that Rich would choose"


@pytest.mark.parametrize(
    "name",
    ["a\nb.md", "a\x1b[31mred.md", "a\rb.md", "a\u202eb.md", "[red]a[/red].md", "a\tb.md", "caf\u00e9 \U0001f600.md"],
)
def test_a_hostile_name_of_a_page_is_printed_safely(site: Site, syncer: Run, name: str) -> None:
    site.put(f"content/{name}", crlf(VIDEO, 1, 2))
    site.put(f"content/bad-{name}", b"---\nvid_id: x\nviewcount: 1\n---\n")
    shown = []
    for arguments in (["sync", "--dry-run"], ["sync"], ["log"], ["status"], ["check"]):
        ran = syncer(*arguments)
        assert ran.code in {0, 1}
        assert [c for c in ran.out + ran.err if not c.isprintable() and c != "\n"] == []
        shown += [line for line in ran.out.splitlines() if ".md" in line]
    assert shown != []
    assert all("content/" in line or ".md" in line for line in shown)
    if "\n" in name:
        assert any("a\\nb.md" in line for line in shown)
    if "red]" in name:
        assert any(name in line for line in shown), "brackets are no markup"
    assert {line["path"] for line in syncer("log", "--json").document} == {f"content/{name}"}


def test_a_name_that_is_not_utf8_does_no_harm(site: Site, syncer: Run) -> None:
    raw = os.fsencode(site.root) + b"/content/caf\xe9.md"
    try:
        with open(raw, "wb") as file:
            file.write(crlf(VIDEO, 1, 2))
    except OSError:
        return  # a file system that takes no such name
    ran = syncer("sync")
    assert ran.code == 1
    assert "caf\\xe9.md: The file's name is not valid UTF-8: rename it." in ran.out
    assert syncer("sync", "--json").document["problems"][0]["kind"] == "unreadable"


def test_the_commands_are_those_that_are_built(syncer: Run) -> None:
    assert list(COMMANDS) == BUILT
    help_text = syncer("--help")
    assert help_text.code == 0
    assert re.findall(r"^  (\w+)  +\S", help_text.out.split("Commands:")[1], re.MULTILINE) == BUILT


@pytest.mark.parametrize("command", BUILT)
def test_every_command_has_help_that_fits_a_terminal(syncer: Run, command: str) -> None:
    for flag in ("-h", "--help"):
        ran = syncer(command, flag)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.startswith(f"Usage: syncer {command}")
        assert max(map(len, ran.out.splitlines())) <= 100


def test_without_a_command_the_help_is_printed_once_and_the_exit_code_is_2(syncer: Run) -> None:
    ran = syncer()
    assert (ran.code, ran.err) == (2, "")
    assert (ran.out.count("Usage: "), ran.out.count("Commands:")) == (1, 1)
    assert ran.out == syncer("--help").out


@pytest.mark.parametrize(
    ("typed", "meant"), [("snyc", "sync"), ("statsu", "status"), ("histroy", "history"), ("chekc", "check")]
)
def test_a_mistyped_command_is_guessed(syncer: Run, typed: str, meant: str) -> None:
    ran = syncer(typed)
    assert (ran.code, ran.out) == (2, "")
    assert f"did you mean '{meant}'?" in ran.err


def test_a_mistyped_option_is_guessed(syncer: Run) -> None:
    ran = syncer("sync", "--dry-rnu")
    assert ran.code == 2
    assert "--dry-run" in ran.err


def test_options_of_syncer_itself_are_taken_after_the_command_as_well(full: Site, syncer: Run, tmp_path: Path) -> None:
    assert syncer("sync", "-q", "-c", str(full.config)).code == 1
    assert syncer("log", "--log-format", "json").code == 0
    assert syncer("sync", "--", "-q").code == 2, "after -- everything is a path"


def test_the_version_is_the_packages(syncer: Run) -> None:
    assert syncer("--version").out == f"syncer, version {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete_commands_and_options(shell: str) -> None:
    if shell == "bash":
        need("bash")  # its version is asked for
    script = _completion({"_SYNCER_COMPLETE": f"{shell}_source"})
    assert "_SYNCER_COMPLETE" in script
    assert "syncer" in script


def test_completion_knows_commands_and_options() -> None:
    words = {"_SYNCER_COMPLETE": "bash_complete", "COMP_WORDS": "syncer s", "COMP_CWORD": "1"}
    assert re.findall(r"plain,(\w+)", _completion(words)) == ["sync", "status", "simulate"]
    options = _completion({**words, "COMP_WORDS": "syncer sync --d", "COMP_CWORD": "2"})
    assert options.strip() == "plain,--dry-run"


def test_completion_knows_that_each_word_after_keep_is_a_file() -> None:
    words = {"_SYNCER_COMPLETE": "bash_complete", "COMP_WORDS": "syncer review --keep a.md b", "COMP_CWORD": "4"}
    assert _completion(words).strip() == "file,b"
    assert _completion({**words, "COMP_WORDS": "syncer review --keep a.md --d"}).strip() == "plain,--drop"
    assert _completion({**words, "COMP_WORDS": "syncer review b", "COMP_CWORD": "2"}).strip() == ""


def test_times_are_those_of_the_clock_in_utc(full: Site, syncer: Run) -> None:
    report = syncer("sync", "--json").document
    started = datetime.fromisoformat(report["started"])
    assert started.utcoffset() is not None
    assert abs((datetime.now(started.tzinfo) - started).total_seconds()) < 60
    assert report["sync"].startswith(started.strftime("%Y%m%dT%H%M%SZ"))


def _completion(words: dict[str, str]) -> str:
    syncer = Path(sys.executable).with_name("syncer")
    done = subprocess.run([syncer], env=environment(**words), capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    return done.stdout
