"""The benchmarks run from one end to the other, and each contender does the whole work: no figure is tested."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import frontmatter
import pytest

from benchmarks.bars import BARS, verdicts
from benchmarks.contenders import CONTENDERS, run
from benchmarks.contests import CONTESTS, NAMES
from benchmarks.disk import shortage
from benchmarks.measured import Measured, Task
from benchmarks.pages import page_paths
from benchmarks.site import make_site, true_counts, up_to_date
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from tests.examples import PROVING

ROOT = Path(__file__).parent.parent
ENTRIES = [entry for contest in CONTESTS for entry in contest.entries]


@pytest.mark.skipif(not PROVING, reason="takes half a minute; ./dev prove runs it")
@pytest.mark.storm
def test_the_benchmarks_run_and_tell_every_figure(tmp_path: Path) -> None:
    names = [name for name in NAMES if name != "cold"]  # it would empty the page cache of this machine
    options = ["--pages", "20", "--rounds", "1", "--write", str(tmp_path), "--only", *names]
    command = [sys.executable, "-m", "benchmarks", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all((entry.title in done.stdout) is not entry.cold for entry in ENTRIES)
    assert all((f"{bar.says}:" in done.stdout) is ("cold" not in bar.says) for bar in BARS)
    assert "not judged" in done.stdout
    assert "left out" not in done.stdout
    assert done.stdout in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert ET.parse(tmp_path / "results.svg").getroot().tag.endswith("svg")


@pytest.mark.storm
def test_a_contest_with_a_run_that_fails_is_left_out_with_the_reason_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "frontmatter.py").write_text("raise ImportError('out of stock')", encoding="utf-8")
    options = ["--pages", "20", "--rounds", "1", "--write", str(tmp_path), "--only", "scan", "fetch"]
    command = [sys.executable, "-m", "benchmarks", *options]
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    reason = "frontmatter_load ended with 1: ImportError: out of stock"
    assert f"left out: python-frontmatter, files in the page cache, 20 pages: {reason}" in done.stdout
    others = {"bare_loop", "our_scan", "our_fetch", "bare_fetch"}
    assert {entry.key for entry in ENTRIES if entry.title in done.stdout} == others
    assert done.stdout in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")


def test_a_sync_that_ends_with_a_problem_is_no_measurement_and_says_which(tmp_path: Path) -> None:
    make_site(tmp_path, 3)
    page_paths(tmp_path)[1].chmod(0o444)
    with Simulator(World()) as simulator, pytest.raises(RuntimeError, match=r"1 problems.*is read-only"):
        run(Task("our_sync", str(tmp_path), 3, simulator.url), expected=3)


@pytest.mark.parametrize("contender", ["our_rewrite", "frontmatter_rewrite"])
def test_a_rewrite_brings_every_page_to_what_youtube_says(contender: str, tmp_path: Path) -> None:
    make_site(tmp_path, 30)
    true = true_counts(tmp_path)
    run(Task(contender, str(tmp_path), 30), expected=30)
    assert _counts(tmp_path) == true


def test_the_bare_rewrite_puts_a_new_file_with_the_same_bytes_in_each_place(tmp_path: Path) -> None:
    make_site(tmp_path, 30)
    before = {path: (path.read_bytes(), path.stat().st_ino) for path in page_paths(tmp_path)}
    assert CONTENDERS["bare_rewrite"](Task("bare_rewrite", str(tmp_path), 30)).pages == 30
    after = {path: (path.read_bytes(), path.stat().st_ino) for path in tmp_path.rglob("*") if path.is_file()}
    assert after.keys() == before.keys()
    assert all(after[path][0] == page and after[path][1] != inode for path, (page, inode) in before.items())


def test_overwriting_leaves_the_same_bytes_in_the_same_files(tmp_path: Path) -> None:
    make_site(tmp_path, 30)
    before = {path: (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime) for path in page_paths(tmp_path)}
    assert CONTENDERS["overwrite"](Task("overwrite", str(tmp_path), 30)).pages == 30
    after = {path: (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime) for path in page_paths(tmp_path)}
    assert all(before[path][:2] == now[:2] and before[path][2] < now[2] for path, now in after.items())


def test_new_counts_have_as_many_digits_as_those_of_a_site_or_more_than_old_ones(tmp_path: Path) -> None:
    make_site(tmp_path / "close", 200)
    make_site(tmp_path / "old", 200, old=True)
    true = true_counts(tmp_path / "old")
    close, old = _counts(tmp_path / "close"), _counts(tmp_path / "old")
    assert close.keys() == old.keys() == true.keys()
    for video, counts in true.items():
        assert all(len(str(close[video][count])) == len(str(number)) for count, number in counts.items())
        assert close[video] != counts
        assert all(close[video][count] <= number for count, number in counts.items())
        assert len(str(old[video]["viewCount"])) < len(str(counts["viewCount"]))


def test_a_page_with_one_wrong_count_is_not_up_to_date(tmp_path: Path) -> None:
    make_site(tmp_path, 3)
    assert up_to_date(tmp_path) == 0
    run(Task("our_rewrite", str(tmp_path), 3), expected=3)
    page = page_paths(tmp_path)[1]
    page.write_bytes(page.read_bytes().replace(b'likeCount: "', b'likeCount: "1'))
    assert up_to_date(tmp_path) == 2


@pytest.mark.parametrize("contender", ["sync_process", "script_process"])
def test_a_process_brings_every_page_to_what_youtube_says(contender: str, tmp_path: Path) -> None:
    make_site(tmp_path, 12)
    true = true_counts(tmp_path)
    with Simulator(World()) as simulator:
        run(Task(contender, str(tmp_path), 12, simulator.url), expected=12)
    assert _counts(tmp_path) == true


def test_the_script_changes_every_page_over_several_connections(tmp_path: Path) -> None:
    make_site(tmp_path, 120)
    true = true_counts(tmp_path)
    with Simulator(World()) as simulator:
        run(Task("user_script", str(tmp_path), 120, simulator.url, connections=3), expected=120)
        assert simulator.requests == 3
    assert _counts(tmp_path) == true


def test_every_bar_is_about_entries_of_a_contest_and_every_entry_has_a_name_of_its_own() -> None:
    keys = [entry.key for entry in ENTRIES]
    assert len(set(keys)) == len(keys)
    assert {key for bar in BARS for key in bar.entries} <= set(keys)
    assert {entry.contender for entry in ENTRIES} == CONTENDERS.keys()


def test_a_bar_is_judged_by_the_median_of_its_rounds_and_only_where_all_its_entries_ran() -> None:
    def scans(*seconds: float) -> list[Measured]:
        return [Measured(seconds=one) for one in seconds]

    runs = {"bare_loop": scans(1, 1, 1), "our_scan": scans(1, 9, 1.9), "bare_rewrite": scans(1)}
    assert [(verdict.figure, verdict.met) for verdict in verdicts(runs)] == [(1.9, True)]
    runs = {"frontmatter_rewrite": scans(2), "our_rewrite": scans(1)}
    assert [(verdict.figure, verdict.met) for verdict in verdicts(runs)] == [(2, False)]
    runs = {"script_1": scans(18), "our_sync": scans(2, 5)}
    assert [(verdict.figure, verdict.met) for verdict in verdicts(runs)] == [(9, True)]


def test_a_contest_that_the_disk_has_no_room_for_is_told_apart(tmp_path: Path) -> None:
    assert shortage(tmp_path, 1) is None
    assert "GB are free" in (shortage(tmp_path, 10**12) or "")


def test_a_generated_site_is_the_same_each_time_and_in_the_form_of_the_real_ones(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_site(tmp_path / name, 120)
    one, two = (
        {path.relative_to(site): path.read_bytes() for path in site.rglob("*.md")}
        for site in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two
    assert len({path.parent for path in one}) == 100
    assert all(1_500 < len(page) < 2_500 and page.count(b"\r\n") == page.count(b"\n") == 14 for page in one.values())


def _counts(site: Path) -> dict[str, Mapping[str, int]]:
    posts = [frontmatter.load(path) for path in page_paths(site)]
    return {
        str(post["vid_id"]): {"viewCount": int(str(post["viewcount"])), "likeCount": int(str(post["likeCount"]))}
        for post in posts
    }
