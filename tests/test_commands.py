"""The commands that read and tidy what syncs left: log, history, status, purge; and the local YouTube."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncer.model import VideoId
from syncer.simulator.faults import KINDS
from syncer.simulator.server import Simulator
from syncer.simulator.world import VideoState
from syncer.state.lock import hold_lock
from syncer.sync.options import Options
from tests.forks import PIPE, Fork
from tests.site import KEY, NOON, Run, Site, counts, crlf, ids, tree, world_with

FIRST, SECOND, GONE, HIDDEN = ids(4, seed=21)
DASHED = "-" + ids(1, seed=22)[0][1:]
DAYS = 3


@pytest.fixture
def full(site: Site, youtube: Simulator) -> Site:
    """A site that was synced on three days that lie back a little."""
    youtube.world = world_with({GONE: VideoState.DELETED, HIDDEN: VideoState.LIKES_HIDDEN})
    site.put("content/a.md", crlf(FIRST, 1, 2))
    site.put("content/deep/b.md", crlf(SECOND, 3, 4))
    site.put("content/deep/c.md", crlf(DASHED, 5, 6))
    site.put("content/gone.md", crlf(GONE, 7, 8))
    site.put("content/hidden.md", crlf(HIDDEN, 9, 10))
    now = datetime.now(UTC).replace(microsecond=0)
    for day in range(DAYS, 0, -1):
        site.sync(now - timedelta(days=day))
        youtube.clock.advance(timedelta(days=10))
    return site


def test_the_log_is_a_table_of_all_changes_oldest_first(full: Site, syncer: Run) -> None:
    ran = syncer("log")
    lines = ran.out.splitlines()
    assert (ran.code, ran.err) == (0, "")
    assert lines[0].split() == ["seq", "at", "video_id", "field", "old", "new", "why", "sync", "path"]
    assert [int(line.split()[0]) for line in lines[1:]] == [line["seq"] for line in full.log_lines()]


@pytest.mark.parametrize(
    ("arguments", "key", "value"),
    [
        (["--video", FIRST], "video_id", FIRST),
        (["--video", DASHED], "video_id", DASHED),
        (["--video", f"https://youtu.be/{FIRST}"], "video_id", FIRST),
        (["--path", "content/a.md"], "path", "content/a.md"),
        (["--path", "./content/deep/b.md"], "path", "content/deep/b.md"),
    ],
)
def test_the_log_is_narrowed_by_video_and_path(
    full: Site, syncer: Run, arguments: list[str], key: str, value: str
) -> None:
    lines = syncer("log", "--json", *arguments).document
    assert lines == [line for line in full.log_lines() if line[key] == value]
    assert lines != []


def test_the_log_is_narrowed_by_directory_sync_and_time(full: Site, syncer: Run) -> None:
    everything = full.log_lines()
    below = syncer("log", "--json", "--path", "content/deep/").document
    assert below == [line for line in everything if line["path"].startswith("content/deep/")]
    assert syncer("log", "--json", "--path", "content/dee").document == [], "a directory is no prefix of a name"
    last = everything[-1]["sync"]
    assert syncer("log", "--json", "--sync", last).document == [line for line in everything if line["sync"] == last]
    recent = [line for line in everything if line["at"] > everything[0]["at"]]
    for since in ("60h", recent[0]["at"], recent[0]["at"].replace("Z", "+00:00")):
        assert syncer("log", "--json", "--since", since).document == recent
    both = syncer("log", "--json", "--since", "60h", "--video", FIRST).document
    assert both == [line for line in recent if line["video_id"] == FIRST]


def test_the_log_of_a_page_that_is_gone_can_still_be_read(full: Site, syncer: Run) -> None:
    (full.root / "content/a.md").unlink()
    assert syncer("log", "--json", "--path", "content/a.md").document != []


def test_a_torn_last_line_is_not_read(full: Site, syncer: Run) -> None:
    whole = full.log_lines()
    with (full.state / "diff.jsonl").open("ab") as log:
        log.write(b'{"seq": 999, "sync')
    assert syncer("log", "--json").document == whole


@pytest.mark.parametrize("spelled", [FIRST, f"https://www.youtube.com/shorts/{FIRST}", DASHED])
def test_the_history_of_a_video_is_printed_in_three_forms(full: Site, syncer: Run, spelled: str) -> None:
    document = syncer("history", spelled, "--json").document
    assert document["video_id"] == (DASHED if spelled == DASHED else FIRST)
    readings = document["readings"]
    assert [list(reading) for reading in readings] == [
        ["at", "present", "viewCount", "likeCount", "commentCount", "views_mean_since"]
    ] * DAYS
    assert [reading["at"] for reading in readings] == sorted(reading["at"] for reading in readings)
    views = [reading["viewCount"] for reading in readings]
    assert views == sorted(views)
    assert views[0] < views[-1]
    rows = list(csv.DictReader(io.StringIO(syncer("history", spelled, "--csv").out)))
    assert [row["viewCount"] for row in rows] == [str(number) for number in views]
    assert {row["present"] for row in rows} == {"true"}
    table = syncer("history", spelled).out
    assert all(f"{number:,}" in table for number in views)


def test_history_marks_the_day_on_which_youtube_counted_views_in_another_way(site: Site, syncer: Run) -> None:
    site.put("content/a.md", crlf(FIRST, 1, 2))
    for day in (22, 23):
        site.sync(datetime(2026, 8, day, 12, tzinfo=UTC))
    assert "another way" not in syncer("history", FIRST).out
    site.sync(datetime(2026, 8, 24, 12, tzinfo=UTC))
    assert "YouTube changed how it counts views on 2026-08-24" in syncer("history", FIRST).out


def test_history_distinguishes_missing_from_hidden(full: Site, syncer: Run) -> None:
    assert "missing" in syncer("history", GONE).out
    assert [r["present"] for r in syncer("history", GONE, "--json").document["readings"]] == [False] * DAYS
    assert "hidden" in syncer("history", HIDDEN).out
    assert {r["likeCount"] for r in syncer("history", HIDDEN, "--json").document["readings"]} == {None}
    rows = list(csv.DictReader(io.StringIO(syncer("history", HIDDEN, "--csv").out)))
    assert {row["likeCount"] for row in rows} == {""}


@pytest.mark.parametrize("start", ["-h", "-v", "-c", "-q", "--", "--h", "-"])
def test_an_id_may_start_as_an_option_does(site: Site, syncer: Run, start: str) -> None:
    video = start + FIRST[len(start) :]
    site.put("content/a.md", crlf(video, 1, 2))
    assert syncer("sync", "--video", video).code == 0
    assert syncer("history", video, "--json").document["video_id"] == video
    assert syncer("history", "--json", "--", video).document["video_id"] == video
    assert len(syncer("log", "--json", "--video", video).document) == 2
    assert syncer("purge", "--video", video).code == 0


@pytest.mark.parametrize("video", ["AAAAAAAAAAA", "nonsense", "https://example.org/AAAAAAAAAAA"])
def test_the_history_of_a_video_that_is_unknown_is_exit_2(full: Site, syncer: Run, video: str) -> None:
    ran = syncer("history", video)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert video in ran.err


def test_status_has_what_an_operator_needs(full: Site, syncer: Run) -> None:
    status = syncer("status", "--json").document
    keys = [
        "site",
        "syncs",
        "next_sync",
        "quota",
        "quota_resets",
        "units_a_day",
        "longest_unread",
        "missing",
        "gone",
        "unconfirmed",
        "held_by_brake",
        "held_by_undo",
        "held_back",
        "hidden",
        "states",
        "not_playing",
        "problems",
        "open",
        "deploy",
        "cut_short",
        "attention",
        "daemon",
        "left_out",
    ]
    assert list(status) == keys
    assert status["site"] == str(full.root)
    assert len(status["syncs"]) == DAYS
    newest, oldest = status["syncs"][0], status["syncs"][-1]
    assert newest["started"] > oldest["started"]
    assert (oldest["changed_pages"], oldest["changed_counts"], oldest["problems"], oldest["exit"]) == (4, 7, 0, 0)
    assert status["quota"]["stats"] == {"spent": 0, "left": 10_000, "parked_until": None}, "today nothing was spent"
    assert [entry["video_id"] for entry in status["missing"]] == [GONE]
    assert status["hidden"] == [{"video_id": HIDDEN, "count": "likeCount"}]
    assert status["quota_resets"] > datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = syncer("status").out
    assert newest["sync"] in text
    assert re.search(rf"  {GONE}  since \S+ \S+ UTC  content/gone.md\n", text)
    assert f"Hidden by the owner, counts kept:\n  {HIDDEN}  likeCount  content/hidden.md\n" in text


def test_the_next_sync_is_one_interval_after_the_last(full: Site, syncer: Run) -> None:
    syncer("sync")
    status = syncer("status", "--json").document
    started, due = (datetime.fromisoformat(status["syncs"][0]["started"]), datetime.fromisoformat(status["next_sync"]))
    assert due - started == timedelta(hours=6)


@pytest.mark.parametrize(
    "command", [["status"], ["plan"], ["log"], ["purge", "--dry-run"], ["status", "--json"], ["log", "--json"]]
)
def test_before_any_sync_there_is_nothing_to_show_and_no_state_is_made(
    site: Site, syncer: Run, command: Sequence[str]
) -> None:
    before = tree(site.root)
    assert syncer(*command).code == 0
    assert tree(site.root) == before
    assert "No sync yet" in syncer("status").out
    assert syncer("log", "--json").document == []


def test_while_a_sync_runs_status_says_so(site: Site, syncer: Run) -> None:
    site.put("content/a.md", crlf(FIRST, 1, 2))
    with hold_lock(site.state, timeout=0, sleep=lambda _: None):
        said = syncer("status").out
        assert said.startswith("The first sync is running; none has finished yet.\n")
        assert "No sync yet" not in said
    assert syncer("sync").code == 0
    assert "sync is running" not in syncer("status").out
    with hold_lock(site.state, timeout=0, sleep=lambda _: None):
        assert syncer("status").out.startswith("A sync is running.\nsync ")


def test_no_command_that_reads_needs_a_key(full: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("YOUTUBE_API_KEY")
    for command in (["status"], ["plan"], ["log"], ["history", FIRST], ["purge", "--dry-run"], ["check", "--offline"]):
        assert syncer(*command).code == (1 if command[0] == "check" else 0)


def test_purge_forgets_what_is_older_than_the_config_says(full: Site, syncer: Run) -> None:
    full.configure(history="keep: 60h")
    before = tree(full.root / "content")
    lines = full.log_lines()
    old = [line for line in lines if line["sync"] == lines[0]["sync"]]
    told = f"5 readings and {len(old)} log lines"
    assert syncer("purge", "--dry-run").out == f"Would delete {told}.\n"
    assert full.log_lines() == lines
    assert syncer("purge").out == f"Deleted {told}.\n"
    assert full.log_lines() == lines[len(old) :]
    assert len(syncer("history", FIRST, "--json").document["readings"]) == DAYS - 1
    assert tree(full.root / "content") == before
    assert syncer("purge").out == "Deleted 0 readings and 0 log lines.\n"


@pytest.mark.parametrize("video", [DASHED, GONE, HIDDEN])
def test_purge_forgets_one_video_and_leaves_no_trace_of_it(full: Site, syncer: Run, video: str) -> None:
    syncer("sync", "--all")
    others = [line for line in full.log_lines() if line["video_id"] != video]
    assert syncer("purge", "--video", f"https://youtu.be/{video}").code == 0
    assert full.log_lines() == others
    assert syncer("history", video).code == 2
    assert syncer("history", FIRST).code == 0
    assert [file.name for file in full.state.iterdir() if video.encode() in file.read_bytes()] == [], (
        "neither database nor log nor what lies beside them knows the id"
    )


def test_purge_all_forgets_everything_but_the_numbering(full: Site, youtube: Simulator, syncer: Run) -> None:
    before, last = tree(full.root / "content"), full.log_lines()[-1]["seq"]
    assert syncer("purge", "--all", "--dry-run").code == 0
    assert full.log_lines() != []
    assert syncer("purge", "--all").code == 0
    assert (full.log_lines(), tree(full.root / "content")) == ([], before)
    assert syncer("history", FIRST).code == 2
    status = syncer("status", "--json").document
    assert (status["missing"], status["hidden"]) == ([], [])
    report = syncer("sync", "--json").document
    assert (report["asked"], report["exit"]) == (5, 0)
    assert full.log_lines()[0]["seq"] == last + 1, "a number is not possible used again"
    assert (full.root / "content/a.md").read_bytes() == crlf(FIRST, *counts(youtube, FIRST))


def test_purge_takes_one_selection_only(full: Site, syncer: Run) -> None:
    assert syncer("purge", "--all", "--video", FIRST).code == 2
    assert syncer("purge", "--video", "nonsense").code == 2


def test_a_sync_forgets_what_is_too_old_by_itself(full: Site, syncer: Run) -> None:
    full.sync(datetime.now(UTC) + timedelta(days=29))
    readings = syncer("history", FIRST, "--json").document["readings"]
    assert len(readings) == 1
    assert len({line["sync"] for line in full.log_lines()}) == 1


def test_a_sync_of_one_video_only_reads_that_one(full: Site, syncer: Run) -> None:
    full.sync(NOON + timedelta(days=90), Options(videos=frozenset({VideoId(FIRST)})))
    assert len(syncer("history", FIRST, "--json").document["readings"]) >= 1


def test_the_local_youtube_prints_its_address_and_ends_when_stopped() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with _simulate("--seed", "3", "--clock", "2026-11-22T15:00:00Z") as process:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            document = _statistics(url, FIRST)
            assert document["items"][0]["id"] == FIRST
            process.send_signal(number)
            out, err = process.communicate(timeout=10)
            assert (out, err.strip(), process.returncode) == ("", "", 130)


def test_the_local_youtube_is_made_by_seed_and_clock_and_file(tmp_path: Path) -> None:
    videos = tmp_path / "videos.toml"
    videos.write_text(f'strict = true\n[videos."{FIRST}"]\nviewCount = 4711\n', encoding="utf-8")
    options = ["--clock", "2026-11-22T15:00:00Z"]
    told = [_ask(*options, "--seed", "1"), _ask(*options, "--seed", "1"), _ask(*options, "--seed", "2")]
    assert told[0] == told[1]
    assert told[0] != told[2]
    assert _ask(*options, "--videos", str(videos)) == "4711"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--videos", "none.toml"], "none.toml: cannot read the file: No such file or directory"),
        (["--clock", "late"], "late: not a time"),
        (["--speed", "-1"], "speed"),
        (["--port", "99999"], "port"),
        (["--fault", "stal"], "--fault stal: unknown fault 'stal'; did you mean stall?"),
        (["--fault", "drip", "--fault", "zero:never"], "--fault zero:never: 'never' is not valid after the colon"),
    ],
)
def test_the_local_youtube_refuses_what_it_cannot_do(syncer: Run, arguments: list[str], sentence: str) -> None:
    ran = syncer("simulate", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.err


def test_the_local_youtube_brings_about_bad_weather() -> None:
    with _simulate("--fault", f"zero@{FIRST}:2", "--fault", "unavailable@stats") as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        views = [_statistics(url, FIRST)["items"][0]["statistics"]["viewCount"] for _ in range(3)]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    assert views[0] == views[2] != views[1] == "0"


def test_the_local_youtube_lists_its_faults_by_name_and_ends(syncer: Run) -> None:
    ran = syncer("simulate", "--list-faults")
    assert (ran.code, ran.err) == (0, "")
    lines = [re.split(r"  +", line, maxsplit=1) for line in ran.out.splitlines()]
    told = {line[0]: line[1].rstrip() for line in lines if len(line) > 1}
    assert {name: kind.sentence for name, kind in KINDS.items()}.items() <= told.items()


def test_the_local_youtube_says_when_its_port_is_taken(youtube: Simulator, syncer: Run) -> None:
    port = youtube.url.rstrip("/").rpartition(":")[2]
    ran = syncer("simulate", "--port", port)
    assert (ran.code, ran.err) == (2, f"syncer: cannot listen on port {port}: Address already in use; choose another\n")


def _simulate(*arguments: str) -> Fork:
    return Fork("-m", "syncer", "simulate", *arguments, stdout=PIPE, stderr=PIPE)


def _ask(*arguments: str) -> str:
    with _simulate(*arguments) as process:
        assert process.stdout is not None
        views = _statistics(process.stdout.readline().strip(), FIRST)["items"][0]["statistics"]["viewCount"]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    return str(views)


def _statistics(url: str, video: str) -> Any:  # JSON as it comes
    address = f"{url}youtube/v3/videos?part=statistics&id={video}"
    request = urllib.request.Request(address, headers={"x-goog-api-key": KEY})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)
