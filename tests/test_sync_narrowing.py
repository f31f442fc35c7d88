"""PATHs and --video narrow a sync; a dry run leaves no trace."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from syncer.simulator.server import Simulator
from syncer.simulator.world import VideoState
from tests.site import Run, Site, counts, crlf, ids, pair, plain, tree, world_with

FIRST, SECOND, THIRD = ids(3, seed=4)
DASHED = "-" + FIRST[1:]
PAGES = {"content/a.md": FIRST, "content/b.md": SECOND, "content/deep/c.md": THIRD, "content/deep/d.md": DASHED}


@pytest.fixture
def full(site: Site) -> Site:
    for path, video in PAGES.items():
        site.put(path, crlf(video, 1, 2))
    return site


def changed(site: Site) -> set[str]:
    return {path for path, video in PAGES.items() if (site.root / path).read_bytes() != crlf(video, 1, 2)}


@pytest.mark.parametrize(
    ("arguments", "pages"),
    [
        (["content/a.md"], {"content/a.md"}),
        (["./content/../content/a.md"], {"content/a.md"}),
        (["content/deep"], {"content/deep/c.md", "content/deep/d.md"}),
        (["content/deep/", "content/b.md"], {"content/deep/c.md", "content/deep/d.md", "content/b.md"}),
        (["."], set(PAGES)),
        (["--video", FIRST], {"content/a.md"}),
        (["--video", f"https://www.youtube.com/watch?v={FIRST}&t=3"], {"content/a.md"}),
        (["--video", f"https://youtu.be/{FIRST}", "--video", SECOND], {"content/a.md", "content/b.md"}),
        (["--video", DASHED], {"content/deep/d.md"}),
        ([f"--video={DASHED}"], {"content/deep/d.md"}),
        (["content/deep", "--video", THIRD], {"content/deep/c.md"}),
    ],
)
def test_only_what_matches_is_requested_and_written(
    full: Site, syncer: Run, arguments: list[str], pages: set[str]
) -> None:
    ran = syncer("sync", "--json", *arguments)
    assert (ran.code, ran.err) == (0, "")
    assert changed(full) == pages
    assert ran.document["asked"] == len(pages)


def test_paths_start_from_the_working_directory(full: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(full.root / "content" / "deep")
    assert syncer("-c", "../../config/syncer.yaml", "sync", "c.md").code == 0
    assert changed(full) == {"content/deep/c.md"}


def test_an_absolute_path_through_a_link_to_the_site_is_a_path_of_it(full: Site, syncer: Run, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(full.root)
    assert syncer("sync", str(tmp_path / "link" / "content" / "a.md")).code == 0
    assert changed(full) == {"content/a.md"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["/etc/hosts"], "/etc/hosts: outside the site"),
        (["..", "--all"], "..: outside the site"),
        (["content/none.md"], "content/none.md: no such file or directory"),
        (["config"], "config: no collection in the config includes a page there"),
        (
            ["content/a.md", "config/syncer.yaml"],
            "config/syncer.yaml: no collection in the config includes a page there",
        ),
        (["--video", "AAAAAAAAAAA"], "AAAAAAAAAAA: no page names this video"),
        (["--video", "short"], "short: not a video ID"),
        (["--video", "https://example.org/watch?v=AAAAAAAAAAA"], "not a video ID"),
        (["content/b.md", "--video", FIRST], f"{FIRST}: no page"),
    ],
)
@pytest.mark.parametrize("mode", [[], ["--dry-run"], ["--json"]])
def test_what_matches_nothing_is_exit_2_and_nothing_is_done(
    full: Site, youtube: Simulator, syncer: Run, arguments: list[str], sentence: str, mode: list[str]
) -> None:
    ran = syncer("sync", *mode, *arguments)
    assert (ran.code, youtube.requests, changed(full)) == (2, 0, set())
    told = ran.document["error"]["message"] if "--json" in mode else ran.err.removeprefix("syncer: ").rstrip("\n")
    assert sentence in told
    assert "\n" not in told
    assert ran.out == "" or "--json" in mode


def test_with_a_video_only_the_pages_that_name_it_are_counted_and_only_their_problems_reported(
    full: Site, syncer: Run, tmp_path: Path
) -> None:
    twice = "---\nvid_id: {}\nviewcount: 1\nviewcount: 2\n---\n"
    full.put("content/bad.md", twice.format(SECOND).encode())
    full.put("content/other-key.md", b"---\nVid_ID: " + SECOND.encode() + b"\n---\n")
    full.put("content/nonsense.md", b"---\nvid_id: soon\nviewcount: 1\n---\n")
    (full.root / "content/out.md").symlink_to(tmp_path / "out.md")
    (tmp_path / "out.md").write_text(twice.format(FIRST), encoding="utf-8")
    ran = syncer("sync", "--json", "--video", FIRST)
    facts = ("exit", "pages", "videos", "asked", "changed_pages", "problems")
    assert [ran.document[fact] for fact in facts] == [0, 1, 1, 1, 1, []]
    second = syncer("sync", "--json", "--video", SECOND).document
    assert (second["exit"], second["pages"], second["changed_pages"]) == (1, 1, 1)
    assert [(one["kind"], one["subject"]) for one in second["problems"]] == [("duplicate-key", "content/bad.md")]
    both = syncer("sync", "--json", "--video", FIRST, "--video", THIRD).document
    assert (both["exit"], both["pages"], both["videos"]) == (0, 2, 2)
    assert {one["kind"] for one in syncer("sync", "--json").document["problems"]} > {"duplicate-key", "outside-site"}


def test_a_page_that_cannot_be_read_may_name_the_video(full: Site, syncer: Run) -> None:
    os.mkfifo(full.root / "content" / "pipe.md")
    (full.root / os.fsdecode(b"content/\xff.md")).write_bytes(crlf(FIRST, 1, 2))
    document = syncer("sync", "--json", "--video", FIRST).document
    assert (document["exit"], [one["kind"] for one in document["problems"]]) == (1, ["unreadable"])


def test_a_page_without_a_video_is_named_without_harm(full: Site, syncer: Run) -> None:
    full.put("content/none.md", b"---\ntitle: x\n---\n")
    ran = syncer("sync", "content/none.md", "--json")
    assert (ran.code, ran.document["pages"], ran.document["asked"]) == (0, 0, 0)


def test_a_narrowed_sync_is_not_the_one_that_the_schedule_counts_from(full: Site, syncer: Run) -> None:
    def waits() -> bool:
        status = syncer("status", "--json").document
        due, finished = (datetime.fromisoformat(at) for at in (status["next_sync"], status["syncs"][0]["finished"]))
        return due - finished > timedelta(minutes=1)  # a sync that is due now can be seconds after the last one

    for narrowed in (["content/a.md"], ["--video", FIRST]):
        assert syncer("sync", *narrowed).code == 0
        assert not waits()
    assert syncer("sync").code == 0
    assert waits()


def test_a_count_of_another_video_on_the_page_stays_when_only_one_is_requested(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    page = site.put("content/lists/two.md", pair((FIRST, 1, 2), (SECOND, 3, 4)))
    assert syncer("sync", "--video", SECOND).code == 0
    assert page.read_bytes() == pair((FIRST, 1, 2), (SECOND, *counts(youtube, SECOND)))


def test_a_dry_run_on_a_new_site_leaves_the_whole_tree_as_it_was(full: Site, youtube: Simulator, syncer: Run) -> None:
    before = tree(full.root)
    ran = syncer("sync", "--dry-run")
    assert (ran.code, ran.err) == (0, "")
    assert tree(full.root) == before
    assert youtube.units["stats"] == 1, "it did ask"
    views, likes = counts(youtube, FIRST)
    assert "--- a/content/a.md\n+++ b/content/a.md\n" in ran.out
    assert f'-viewcount: "1"\n-likeCount: "2"\n+viewcount: "{views}"\n+likeCount: "{likes}"\n' in ran.out
    assert "4 pages, 4 videos: 4 requested, 4 returned. Would change 8 counts on 4 pages.\n" in ran.out


def test_a_dry_run_beside_a_state_makes_at_most_sqlites_own_files(full: Site, youtube: Simulator, syncer: Run) -> None:
    syncer("sync", "content/a.md")
    full.put("content/b.md", crlf(SECOND, 5, 6))
    before = tree(full.root)
    ran = syncer("sync", "--dry-run", "--json")
    assert ran.code == 0
    extra = {".syncer/state.sqlite3-wal", ".syncer/state.sqlite3-shm"}
    now = tree(full.root)
    assert {path: now[path] for path in now.keys() - extra - {".syncer"}} == {
        path: before[path] for path in before.keys() - extra - {".syncer"}
    }
    assert ran.document["left_out"]["fresh"] == 1, "it knows what was read already"
    assert syncer("status", "--json").document["quota"]["stats"]["spent"] == 1, "its own unit is not in the ledger"
    assert len(syncer("status", "--json").document["syncs"]) == 1


def test_a_dry_run_shows_its_changes_as_the_diff_log_would_but_for_the_number(full: Site, syncer: Run) -> None:
    dry = syncer("sync", "--dry-run", "--json").document
    assert (dry["dry_run"], dry["changed_counts"], dry["changed_pages"]) == (True, 8, 4)
    assert list(dry)[-2:] == ["exit", "changes"]
    assert "changes" not in syncer("sync", "--json").document
    moments = ("sync", "at", "as_of")
    logged = [{key: value for key, value in line.items() if key not in {"seq", *moments}} for line in full.log_lines()]
    assert [{key: value for key, value in change.items() if key not in moments} for change in dry["changes"]] == logged
    assert [list(change) for change in dry["changes"]] == [list(full.log_lines()[0])[1:]] * 8


def test_a_dry_run_finds_the_problems_that_the_sync_would_find(full: Site, youtube: Simulator, syncer: Run) -> None:
    full.put("content/bad.md", b"---\nvid_id: AAAAAAAAAAA\nviewcount: 1.2M\nlikeCount: 3\n---\n")
    youtube.world = world_with({SECOND: VideoState.DELETED, THIRD: VideoState.LIKES_HIDDEN})
    dry, real = syncer("sync", "--dry-run", "--json").document, syncer("sync", "--json").document
    same = ("pages", "videos", "changed_pages", "changed_counts", "missing", "hidden", "problems", "exit", "units")
    assert {key: dry[key] for key in same} == {key: real[key] for key in same}
    assert dry["exit"] == 1


def test_a_dry_run_says_of_a_read_only_page_what_the_sync_would_say(full: Site, syncer: Run) -> None:
    (full.root / "content/a.md").chmod(0o444)
    dry, real = syncer("sync", "--dry-run", "--json").document, syncer("sync", "--json").document
    assert dry["problems"] == real["problems"]
    assert dry["changed_counts"] == real["changed_counts"] == 6


@pytest.mark.parametrize("options", [["--dry-run"], []])
def test_problems_that_are_alike_are_one_line_with_the_first_pages(
    site: Site, syncer: Run, options: Sequence[str]
) -> None:
    for number, video in enumerate(ids(8)):
        site.put(f"content/{number}.md", plain(video, 1, 2)).chmod(0o444)
    site.put("content/8.md", b"---\nvid_id: nonsense\nviewcount: 1\n---\n")
    same = "content/0.md, content/1.md, content/2.md, content/3.md, content/4.md and 3 more: The page is read-only: "
    lines = syncer("sync", *options).out.partition("Problems: 9\n")[2].splitlines()
    assert (len(lines), sum(line.startswith(f"  {same}") for line in lines)) == (3, 1)
    assert any(line.startswith("  content/8.md:2: ") for line in lines)
    assert lines[2] == "  --json lists all 9 problems."
    assert len(syncer("sync", *options, "--json").document["problems"]) == 9


def test_a_diff_of_many_pages_is_cut_short_and_says_so(site: Site, syncer: Run) -> None:
    for video in ids(45):
        site.put(f"content/{video}.md", plain(video, 1, 2))
    ran = syncer("sync", "--dry-run")
    assert ran.out.count("\n+++ b/") + ran.out.startswith("+++") == 40
    assert "  ... and 5 more pages; name a PATH to see its pages (--json has all)\n" in ran.out
    assert len(syncer("sync", "--dry-run", "--json").document["changes"]) == 90
