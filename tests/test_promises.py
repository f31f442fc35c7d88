"""The promises to site owners, tried at size and from the outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest

from syncer.git.run import git
from syncer.simulator.server import Simulator
from syncer.simulator.world import START, VideoState, World
from tests.canned_youtube import Canned, error, message, ok
from tests.forks import run
from tests.site import KEY, Run, Site, counts, crlf, hugo_json, ids, plain, toml, tree, world_with

ROOT = Path(__file__).parent.parent


@pytest.fixture
def separate_youtube() -> Iterator[str]:
    """The address of `syncer simulate`, in a process of its own."""
    command = [sys.executable, "-m", "syncer", "simulate", "--seed", "7", "--clock", "2026-11-22T15:00:00Z"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "", "its address is all that it prints"
        assert process.wait(timeout=10) == 130


@pytest.mark.parametrize("pages", [1_000, pytest.param(10_000, marks=pytest.mark.storm)])
def test_thousands_of_pages_become_true_and_nothing_else_changes(
    site: Site, syncer: Run, separate_youtube: str, pages: int
) -> None:
    Site(site.root, separate_youtube).configure()
    videos = ids(pages, seed=99)
    world = World(seed=7)
    for number, video in enumerate(videos):
        true = world.statistics(video, START)
        assert true is not None
        older = crlf(video, true["viewCount"] * 9 // 10, true["likeCount"] * 9 // 10)
        site.put(f"content/{number % 100:02}/{number}.md", older)
    report = syncer("sync", "--json").document
    wrong = []
    for number, video in enumerate(videos):
        true = world.statistics(video, START)
        assert true is not None
        expected = crlf(video, true["viewCount"], true["likeCount"])
        if (site.root / f"content/{number % 100:02}/{number}.md").read_bytes() != expected:
            wrong.append(number)
    assert wrong == []
    assert (report["exit"], report["asked"], report["answered"], report["problems"]) == (
        0,
        pages,
        pages,
        [],
    )
    assert report["units"] == {"stats": pages // 50, "general": 0}
    lines = site.log_lines()
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert len({(line["path"], line["field"]) for line in lines}) == len(lines) == report["changed_counts"]
    assert report["changed_counts"] > 1.99 * pages, "hardly a count was true by chance"
    before = tree(site.root / "content")
    second = syncer("sync", "--all", "--json").document
    assert (second["asked"], second["changed_counts"], second["changed_pages"]) == (pages, 0, 0)
    assert tree(site.root / "content") == before
    assert site.log_lines() == lines


def test_the_key_is_seen_by_youtube_alone(
    site: Site, youtube: Simulator, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(site.root, "init", "--quiet")
    shown, hidden, gone = ids(3)
    youtube.world = world_with({hidden: VideoState.LIKES_HIDDEN, gone: VideoState.DELETED})
    for video, form in zip((shown, hidden, gone), (crlf, plain, toml), strict=True):
        site.put(f"content/{video}.md", form(video, 1, 2))
    written = ""
    for key in (KEY, "AIza" + "x" * 35, f"with/slash+and%={KEY}"):
        monkeypatch.setenv("YOUTUBE_API_KEY", key)
        for arguments in (["sync", "--all"], ["sync", "--dry-run", "--all", "--json"], ["check"], ["status"]):
            written += _printed(syncer, "-vv", "--log-format", "json", *arguments)
    monkeypatch.setenv("YOUTUBE_API_KEY", KEY)
    for answer in ECHOES:
        with Canned([answer]) as server:
            Site(site.root, f"{server.url}/").configure()
            for arguments in (
                ["sync", "--all"],
                ["sync", "--all", "--json"],
                ["check", "--json"],
                ["status", "--json"],
            ):
                written += _printed(syncer, "-vv", *arguments)
            assert server.requests != []
            for head in server.requests:
                assert f"x-goog-api-key: {KEY}".encode().lower() in head.lower()
                assert KEY.encode() not in head.split(b"\r\n")[0], "not in the address"
    written += _printed_by_a_process(site, "-vv", "sync", "--all")
    everything = written.encode() + b"".join(file.read_bytes() for file in site.root.rglob("*") if file.is_file())
    assert everything.count(b"videos.batchGetStats") > len(ECHOES), "failures were told"
    for secret in (KEY.encode(), b"x" * 35, quote(KEY, safe="").encode(), b"with/slash"):
        assert secret not in everything


ECHOES = [
    message(400, error(400, f"API key not valid: {KEY}, key={quote(KEY)}", reason="badRequest")),
    message(400, error(400, f"The key {KEY} may not.", reason=KEY)),
    message(500, KEY.encode()),
    ok(
        {
            "kind": "youtube#batchGetStatsResponse",
            "items": [{"kind": "youtube#video", "id": ids(1)[0], "statistics": {"viewCount": KEY}}, {"id": KEY}],
        }
    ),
]
"""Answers that send the key back."""


def _printed(syncer: Run, *arguments: str) -> str:
    ran = syncer(*arguments)
    assert ran.code in {0, 1, 3}, ran
    return ran.out + ran.err


def _printed_by_a_process(site: Site, *arguments: str) -> str:
    environment = {**os.environ, "YOUTUBE_API_KEY": KEY, "PYTHONPATH": str(ROOT)}
    done = run("-m", "syncer", *arguments, cwd=site.root, env=environment)
    assert done.returncode == 3
    return done.stdout + done.stderr


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o755])
def test_a_page_keeps_its_mode(site: Site, youtube: Simulator, syncer: Run, mode: int) -> None:
    (video,) = ids(1)
    page = site.put("content/a.md", crlf(video, 1, 2))
    page.chmod(mode)
    assert syncer("sync").code == 0
    assert page.stat().st_mode & 0o7777 == mode
    assert page.read_bytes() == crlf(video, *counts(youtube, video))


def test_a_page_keeps_its_owner(site: Site, syncer: Run) -> None:
    page = site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    owner = (12345, 23456) if os.geteuid() == 0 else (os.geteuid(), page.stat().st_gid)
    os.chown(page, *owner)
    assert syncer("sync", "--json").document["changed_pages"] == 1
    assert (page.stat().st_uid, page.stat().st_gid) == owner


def test_a_link_to_a_page_stays_a_link_and_its_page_is_written_once(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    (video,) = ids(1)
    page = site.put("drafts/real.md", crlf(video, 1, 2))
    (site.root / "content/link.md").symlink_to("../drafts/real.md")
    assert syncer("sync", "--json").document["changed_pages"] == 1
    assert (site.root / "content/link.md").is_symlink()
    assert page.read_bytes() == crlf(video, *counts(youtube, video))


def test_a_page_outside_the_site_is_left_alone_and_named(site: Site, syncer: Run, tmp_path: Path) -> None:
    outside = tmp_path / "outside.md"
    outside.write_bytes(crlf(ids(1)[0], 1, 2))
    (site.root / "content/link.md").symlink_to(outside)
    report = syncer("sync", "--json").document
    assert [(p["kind"], p["subject"]) for p in report["problems"]] == [("outside-site", "content/link.md")]
    assert (outside.read_bytes(), report["exit"]) == (crlf(ids(1)[0], 1, 2), 1)


def test_nothing_is_left_beside_the_pages(site: Site, syncer: Run) -> None:
    pages = {f"{video}.md" for video in ids(60)}
    for video in ids(60):
        site.put(f"content/{video}.md", hugo_json(video, 1, 2))
    syncer("sync")
    assert {path.name for path in (site.root / "content").iterdir()} == pages | {"lists"}
    assert {path.name for path in site.root.iterdir()} == {"content", "config", ".syncer"}


def test_git_sees_the_counts_and_nothing_of_the_state(site: Site, syncer: Run) -> None:
    for video in ids(2):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    site.put("content/staged.md", b"staged")
    git(site.root, "init", "--quiet")
    git(site.root, "config", "core.autocrlf", "false")
    git(site.root, "add", "--all")
    index = (site.root / ".git/index").read_bytes()
    syncer("sync")
    assert (site.root / ".git/index").read_bytes() == index
    assert git(site.root, "status", "--porcelain", "--untracked-files=all", "--", ".syncer") == ""
    changed = [line.split("\t") for line in git(site.root, "diff", "--numstat").splitlines()]
    assert changed == [["2", "2", f"content/{video}.md"] for video in sorted(ids(2))]


PROBLEMS: Mapping[str, tuple[bytes, str]] = {
    "a key twice": (b"---\nvid_id: {v}\nviewcount: 1\nviewcount: 2\n---\n", "duplicate-key"),
    "a short count": (b"---\nvid_id: {v}\nviewcount: 1.2M\n---\n", "not-a-count"),
    "a count with a comma": (b'---\nvid_id: {v}\nviewcount: "1,567"\n---\n', "not-a-count"),
    "an alias": (b"---\nvid_id: {v}\nx: &a 1\nviewcount: *a\n---\n", "alias"),
    "no YAML": (b"---\nvid_id: {v}\n  viewcount: [1\n---\n", "invalid-front-matter"),
    "no TOML": (b"+++\nvid_id = {v}\nviewcount = 1\n+++\n", "invalid-front-matter"),
    "no end": (b"---\nvid_id: {v}\nviewcount: 1\n", "unterminated-front-matter"),
    "no id": (b"---\nvid_id: of course\nviewcount: 1\n---\n", "not-a-video-id"),
    "too long": (b"---\nvid_id: {v}\nviewcount: 1\nx: '" + b"x" * 1_100_000 + b"'\n---\n", "front-matter-too-large"),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_a_page_that_cannot_be_written_safely_is_left_alone_and_never_stops_the_others(
    site: Site, youtube: Simulator, syncer: Run, case: str
) -> None:
    text, kind = PROBLEMS[case]
    video, other = ids(2, seed=5)
    content = text.replace(b"{v}", video.encode())
    page, good = site.put("content/a.md", content), site.put("content/b.md", crlf(other, 1, 2))
    first, second = (syncer("sync", "--json").document for _ in range(2))
    assert [(p["kind"], p["subject"]) for p in first["problems"]] == [(kind, "content/a.md")]
    assert second["problems"] == first["problems"], "in every sync"
    assert (first["exit"], second["exit"]) == (1, 1)
    assert page.read_bytes() == content
    assert good.read_bytes() == crlf(other, *counts(youtube, other))
    assert syncer("status", "--json").document["problems"] == first["problems"]


def test_counts_only_ever_follow_each_other_in_the_log(site: Site, youtube: Simulator, syncer: Run) -> None:
    (video,) = ids(1)
    site.put("content/a.md", crlf(video, 1, 2))
    for _ in range(4):
        assert syncer("sync", "--all").code == 0
        youtube.clock.advance(timedelta(days=9))
    for count in ("viewCount", "likeCount"):
        lines = [line for line in site.log_lines() if line["count"] == count]
        assert len(lines) >= 2
        assert all(earlier["new"] == later["old"] for earlier, later in pairwise(lines))
