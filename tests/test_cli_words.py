"""What the commands say to people: tables, singular and plural, the story of a sync, and no sentence twice."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from rich.cells import cell_len

from syncer.simulator.server import Simulator
from syncer.simulator.world import VideoState
from tests.site import NOON, Run, Site, counts, crlf, ids, world_with
from tests.terminal import on_a_terminal

VIDEO, OTHER = ids(2, seed=44)
MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
LOGGED_CHANGES = 50
"""More changes than a list shows."""


def story(err: str) -> Sequence[dict[str, Any]]:
    """The log of a sync itself, from JSON lines."""
    return [line for line in map(json.loads, err.splitlines()) if line["logger"] == "syncer.sync"]


@pytest.mark.parametrize(("arguments", "verb"), [(("--dry-run",), "Would change"), ((), "Changed")])
def test_one_of_a_thing_is_singular(
    site: Site, youtube: Simulator, syncer: Run, arguments: Sequence[str], verb: str
) -> None:
    site.put("content/a.md", crlf(VIDEO, 1, counts(youtube, VIDEO)[1]))
    assert f"1 page, 1 video: 1 requested, 1 returned. {verb} 1 count on 1 page." in syncer("sync", *arguments).out


def test_one_reading_and_one_line_are_singular(site: Site, youtube: Simulator, syncer: Run) -> None:
    site.put("content/a.md", crlf(VIDEO, 1, counts(youtube, VIDEO)[1]))
    syncer("sync")
    assert syncer("check", "--offline").out.splitlines()[1] == "ok      content: 1 page with 1 video and 2 counts"
    assert syncer("purge", "--all").out == "Deleted 1 reading and 1 log line.\n"


def test_a_page_is_named_in_the_first_of_its_rows(site: Site, syncer: Run) -> None:
    site.put("content/a.md", crlf(VIDEO, 1, 2))
    site.put("content/b.md", crlf(OTHER, 1, 2))
    rows = [line[:12] for line in syncer("sync").out.splitlines()[1:5]]
    assert rows == ["content/a.md", " " * 12, "content/b.md", " " * 12]


def test_the_pages_of_a_dry_run_are_apart(site: Site, syncer: Run) -> None:
    site.put("content/a.md", crlf(VIDEO, 1, 2))
    site.put("content/b.md", crlf(OTHER, 1, 2))
    lines = syncer("sync", "--dry-run").out.splitlines()
    assert lines[lines.index("--- a/content/b.md") - 1] == ""
    assert lines[-2] == "", "and so are the sums"


def test_on_a_terminal_the_log_has_a_heading_for_each_sync_and_page_and_never_folds_a_path(
    site: Site, syncer: Run
) -> None:
    path = f"content/{'a-long-name-' * 9}.md"
    site.put(path, crlf(VIDEO, 1, 2))
    syncer("sync")
    sync, named, *counts = on_a_terminal(site, "log", COLUMNS="80", NO_COLOR="1").decode().splitlines()
    sync = re.sub(r"\x1b\[[0-9]*m", "", sync)
    assert sync.endswith(f"  sync {json.loads(syncer('log', '--json').out)[0]['sync']}")
    assert named == f"  {path}"
    assert [line.split()[1:3] for line in counts] == [[VIDEO, "viewcount"], [VIDEO, "likeCount"]]
    assert all(len(line) <= 80 for line in [sync, *counts])


def test_on_a_terminal_the_columns_of_the_log_are_aligned_whatever_the_width_of_letters(
    site: Site, syncer: Run
) -> None:
    site.configure(
        collections="  - {directory: ., fields: {video_id: vid_id, counts: {viewCount: 再生, likeCount: likes}}}\n"
    )
    site.put("content/a.md", f'---\nvid_id: "{VIDEO}"\n再生: 1\nlikes: 2\n---\n'.encode())
    syncer("sync")
    counts = on_a_terminal(site, "log", NO_COLOR="1").decode().splitlines()[2:]
    assert len({cell_len(line.partition(" -> ")[0]) for line in counts}) == 1, counts


def test_on_a_narrow_terminal_the_page_is_on_a_line_of_its_own(site: Site, syncer: Run) -> None:
    path = "content/_posts/2022-04-25-sharpening-a-chisel-in-ten-minutes-with-water-stones.md"
    site.put(path, crlf(VIDEO, 1, 2))
    lines = re.sub(r"\x1b\[[0-9]*m", "", on_a_terminal(site, "sync", COLUMNS="80").decode()).splitlines()
    at = lines.index(path)
    assert lines[at - 1].split() == ["count", "old", "new"]
    assert [line.split()[0] for line in lines[at + 1 : at + 3]] == ["viewcount", "likeCount"]


def test_a_log_without_matching_lines_says_so(site: Site, syncer: Run) -> None:
    site.put("content/a.md", crlf(VIDEO, 1, 2))
    assert syncer("log").out == syncer("log", "--sync", "none").out == "No changes found.\n"


def test_on_a_terminal_the_log_shows_its_end_and_says_how_to_see_all(site: Site, syncer: Run) -> None:
    for video in ids(LOGGED_CHANGES // 2):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    syncer("sync")
    shown = on_a_terminal(site, "log").decode().splitlines()
    assert shown[0] == "... 10 earlier changes (run `syncer log | less` to see all)"
    changes = [line.split()[0] for line in shown if line.startswith("    ")]
    assert changes == [str(number) for number in range(11, LOGGED_CHANGES + 1)]
    assert on_a_terminal(site, "log", "--since", "1h").count(b" -> ") == LOGGED_CHANGES, "an option shows all it finds"
    assert len(syncer("log").out.splitlines()) == LOGGED_CHANGES + 1, "and a pipe gets all"


def test_people_read_times_in_one_form(site: Site, syncer: Run) -> None:
    site.put("content/a.md", crlf(VIDEO, 1, 2))
    syncer("sync")
    for command in (["status"], ["log"], ["history", VIDEO], ["check", "--offline"]):
        out = syncer(*command).out
        assert re.search(MOMENT, out)
        assert not re.search(r"\d{4}-\d\d-\d\dT\d", out), command


def test_status_and_check_show_the_same_quota(site: Site, youtube: Simulator, syncer: Run) -> None:
    site.configure(quota="stats_units_per_day: 3, general_units_per_day: 2000, reserve: 2")
    site.put("content/a.md", crlf(VIDEO, 1, 2))
    for left, scheduled in ((3, 1), (2, 0)):
        stats = f"stats: {left} of 3 units left today (scheduled syncs may use {scheduled})"
        general = "general: 2,000 of 2,000 units left today (scheduled syncs may use 1,998)"
        status, check = syncer("status").out, syncer("check", "--offline").out
        assert all(f"Quota {told}." in status for told in (stats, general))
        assert all(f"quota: {told}" in check for told in (stats, general))
        syncer("sync")


def test_a_refused_key_is_printed_once_and_on_standard_error(
    site: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put("content/a.md", crlf(VIDEO, 1, 2))
    monkeypatch.setenv("YOUTUBE_API_KEY", "invalid")
    ran = syncer("sync")
    assert ran.code == 3
    assert (ran.out.count("API key"), ran.err.count("The API key is not valid")) == (0, 1)
    assert "Problems" not in ran.out
    assert len(syncer("sync", "--json").document["problems"]) == 1, "a program reads it in the report"


def test_the_problems_of_pages_are_printed_beside_a_refused_key(
    site: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put("content/a.md", crlf(VIDEO, 1, 2))
    site.put("content/b.md", b"---\nvid_id: x\n---\n")
    monkeypatch.setenv("YOUTUBE_API_KEY", "invalid")
    ran = syncer("sync")
    assert "Problems: 1\n  content/b.md" in ran.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nonsense"], "no such command 'nonsense'; run `syncer --help` for a list"),
        (["sync", "--nonsense"], "no such option '--nonsense'; see `syncer sync --help`"),
        (["daemon", "--site", "blog"], "no such option '--site'; see `syncer daemon --help`"),
        (["sync", "--dry-rnu"], "no such option '--dry-rnu'; did you mean '--dry-run'?"),
        (["--site", "blog", "sync"], "--site comes after the command: `syncer sync --site blog`"),
        (["-c", "sites.d", "--site=blog"], "--site comes after the command: `syncer -c sites.d status --site=blog`"),
        (
            ["-c", "my sites/a.yaml", "my sites/b.yaml", "my sites/c.yaml", "status"],
            "no such command 'my sites/b.yaml'; to name all configs of a directory, name it: -c 'my sites'",
        ),
        (["history"], "missing argument 'ID'; see `syncer history --help`"),
        (["undo"], "missing argument 'SYNC'; `syncer status` lists the IDs"),
        (["purge", "--all", "--video", VIDEO], "use either --video or --all, not both"),
    ],
)
def test_a_wrong_command_line_is_printed_as_every_error_is(
    syncer: Run, arguments: Sequence[str], sentence: str
) -> None:
    ran = syncer(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[-1] == f"syncer: {sentence}"
    assert syncer(*arguments, "--json").document["error"]["message"] == sentence or "--json" not in arguments


def test_verbose_logs_a_sync_in_a_few_lines(site: Site, syncer: Run) -> None:
    site.put("content/a.md", crlf(VIDEO, 1, 2))
    site.put("content/b.md", crlf(OTHER, 1, 2))
    planned, judged, written, ended = story(syncer("-v", "--log-format", "json", "sync").err)
    assert [line["event"] for line in (planned, judged, written, ended)] == ["planned", "judged", "written", "ended"]
    assert len({line["sync"] for line in (planned, judged, written, ended)}) == 1
    assert (planned["videos"], planned["ask"], planned["fresh"], planned["over_quota"]) == (2, 2, 0, 0)
    assert planned["units_left"] == 20_000
    assert (judged["answered"], judged["missing"], judged["unconfirmed"], judged["brake"]) == (2, 0, 0, None)
    assert (written["changed_counts"], written["changed_pages"]) == (4, 2)
    assert (ended["exit"], ended["units"]) == (0, {"stats": 1, "general": 0})
    again = syncer("-v", "sync").err.splitlines()
    assert re.fullmatch(
        r"INFO Sync \S+: 2 pages, 2 videos; 0 to request, 2 fresh, 0 left out for lack of quota; 19,999 units left .+",
        again[0],
    )
    assert re.fullmatch(
        r"INFO Ended with exit code 0 after \d\.\d s: 0 problems; 0 stats units, 0 general units", again[-1]
    )
    assert syncer("sync").err == ""


def test_twice_verbose_logs_each_batch_too(site: Site, syncer: Run) -> None:
    site.put("content/a.md", crlf(VIDEO, 1, 2))
    lines = story(syncer("-vv", "--log-format", "json", "sync").err)
    assert [line["event"] for line in lines] == ["planned", "judged", "batch-written", "written", "ended"]
    assert (lines[2]["level"], lines[2]["pages"], lines[2]["changed_counts"]) == ("debug", 1, 2)


def test_the_log_of_a_braked_sync_has_no_written_line(site: Site, youtube: Simulator, syncer: Run) -> None:
    for video in ids(6):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    site.sync(NOON - timedelta(days=1))
    youtube.world = world_with(dict.fromkeys(ids(6), VideoState.DELETED))
    _, judged, ended = story(syncer("-v", "--log-format", "json", "sync").err)
    assert (judged["event"], judged["brake"], judged["missing"]) == ("judged", "missing", 6)
    assert (ended["event"], ended["exit"]) == ("ended", 1)
