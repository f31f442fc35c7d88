"""The doctor finds each illness, says what to do, and costs what it says."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncer.check import Level, check
from syncer.config.parse import parse_config
from syncer.git.run import git
from syncer.simulator.server import Simulator
from tests.site import KEY, Run, Site, crlf, ids, tree

VIDEO = ids(1)[0]
Diagnosis = tuple[str, str]


@pytest.fixture
def healthy(site: Site) -> Site:
    site.put("content/a.md", crlf(VIDEO, 1, 2))
    git(site.root, "init", "--quiet")
    return site


def levels(document: dict[str, list[dict[str, str]]]) -> list[Diagnosis]:
    return [(entry["name"], entry["level"]) for entry in document["checks"] if entry["level"] != "ok"]


def test_a_healthy_site_is_ok_on_every_line_and_costs_one_unit(healthy: Site, youtube: Simulator, syncer: Run) -> None:
    before = tree(healthy.root)
    ran = syncer("check")
    assert (ran.code, ran.err) == (0, "")
    names = [line.split()[1].rstrip(":") for line in ran.out.splitlines()]
    assert {line.split()[0] for line in ran.out.splitlines()} == {"ok"}
    assert set(names) == {"config", "content", "ids", "permissions", "clock", "git", "state", "quota", "key", "youtube"}
    assert "this check cost 1 unit" in ran.out
    assert youtube.units == {"stats": 1, "general": 0}
    assert tree(healthy.root) == before, "nothing is written, and no state made"


def test_offline_asks_nobody(healthy: Site, youtube: Simulator, syncer: Run) -> None:
    ran = syncer("check", "--offline", "--json")
    assert (ran.code, youtube.requests) == (0, 0)
    assert list(ran.document) == ["checks", "exit"]
    assert [list(entry) for entry in ran.document["checks"]] == [["name", "level", "message"]] * len(
        ran.document["checks"]
    )
    assert "youtube" not in {entry["name"] for entry in ran.document["checks"]}


def test_a_page_of_two_collections_is_one_page(healthy: Site, syncer: Run) -> None:
    fields = "directory: content, fields: {{video_id: vid_id, counts: {{{0}}}}}"
    one, other = fields.format("viewCount: viewcount"), fields.format("likeCount: likeCount")
    healthy.configure(collections=f"  - {{{one}}}\n  - {{{other}}}\n")
    healthy.put("content/b.md", crlf(VIDEO, 1, 2))
    (healthy.root / "content/b.md").chmod(0o444)
    ran = syncer("check", "--offline")
    assert "content: 2 pages with 1 video and 4 counts" in ran.out
    assert "permissions: 1 page read-only, or in a read-only directory: content/b.md;" in ran.out


def no_pages(site: Site) -> None:
    (site.root / "content/a.md").unlink()


def no_counts(site: Site) -> None:
    site.put("content/a.md", f"---\nvid_id: {VIDEO}\n---\n".encode())


def no_directory(site: Site) -> None:
    site.configure(collections="  - directory: posts\n    fields: {video_id: id, counts: {viewCount: views}}\n")


def odd_id(site: Site) -> None:
    site.put("content/b.md", crlf(VIDEO[:-1] + "B", 1, 2))


def sick_page(site: Site) -> None:
    site.put("content/b.md", b"---\nvid_id: x\n---\n")


def read_only_page(site: Site) -> None:
    (site.root / "content/a.md").chmod(0o444)


def state_unwritable(site: Site) -> None:
    site.configure(state="directory: /dev/null/state")


def state_is_a_file(site: Site) -> None:
    site.state.write_bytes(b"")


def state_newer(site: Site) -> None:
    site.state.mkdir()
    with sqlite3.connect(site.state / "state.sqlite3") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


def no_repository(site: Site) -> None:
    (site.root / ".git").rename(site.root / "not-git")


def no_youtube(site: Site) -> None:
    Site(site.root, "http://127.0.0.1:9/").configure()


def key_for_all(site: Site) -> None:
    site.put("key", KEY.encode()).chmod(0o644)
    site.configure(youtube="api_key_file: key")


def key_missing(site: Site) -> None:
    site.configure(youtube="api_key_env: NOT_SET_ANYWHERE")


ILLNESSES: Sequence[tuple[Callable[[Site], None], Diagnosis, str]] = [
    (no_pages, ("content", "error"), "no page names a video; check `directory`, `include` and `fields.video_id`"),
    (no_counts, ("content", "warning"), "1 page, but no count; check `fields.counts`"),
    (no_directory, ("content", "error"), "posts is no directory of"),
    (odd_id, ("ids", "warning"), "look for typos"),
    (sick_page, ("content", "warning"), "not-a-video-id (1); `syncer sync --dry-run` names them"),
    (
        read_only_page,
        ("permissions", "error"),
        "1 page read-only, or in a read-only directory: content/a.md; allow writing, or exclude",
    ),
    (state_unwritable, ("permissions", "error"), "/dev/null"),
    (state_is_a_file, ("permissions", "error"), ".syncer cannot be written"),
    (state_newer, ("state", "error"), "upgrade syncer"),
    (no_repository, ("git", "warning"), "`git init` lets you review"),
    (no_youtube, ("youtube", "error"), "The server refused the connection"),
    (key_for_all, ("key", "warning"), "; run `chmod 600 "),
    (key_missing, ("key", "error"), "set the environment variable NOT_SET_ANYWHERE"),
]


@pytest.mark.parametrize(("fall_ill", "diagnosis", "words"), ILLNESSES, ids=[row[0].__name__ for row in ILLNESSES])
def test_each_illness_is_named_with_what_to_do(
    healthy: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch, fall_ill: Callable[[Site], None], diagnosis: Diagnosis,
    words: str,
) -> None:  # fmt: skip
    fall_ill(healthy)
    ran = syncer("check", "--json")
    assert diagnosis in levels(ran.document)
    told = " ".join(entry["message"] for entry in ran.document["checks"] if entry["name"] == diagnosis[0])
    assert words in told
    assert ran.code == ran.document["exit"] == int(diagnosis[1] == "error")
    assert syncer("check").code == ran.code


def test_a_refused_key_is_an_error_that_says_where_keys_are_made(
    healthy: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOUTUBE_API_KEY", "invalid")
    ran = syncer("check", "--json")
    assert (ran.code, levels(ran.document)) == (1, [("youtube", "error")])
    assert "Google Cloud console" in ran.document["checks"][-1]["message"]


def test_a_broken_config_is_told_line_by_line(healthy: Site, syncer: Run) -> None:
    healthy.config.write_text("site: 3\ncolections: []\n", encoding="utf-8")
    ran = syncer("check", "--json")
    assert ran.code == 1
    assert {name for name, _ in levels(ran.document)} == {"config"}
    assert len(ran.document["checks"]) >= 2


def test_quota_that_is_spent_is_a_warning(healthy: Site, syncer: Run) -> None:
    healthy.configure(quota="stats_units_per_day: 2, general_units_per_day: 2, reserve: 1")
    syncer("sync")
    ran = syncer("check", "--json")
    assert ("quota", "warning") in levels(ran.document)
    assert ran.code == 0


def test_a_clock_before_this_program_was_written_is_an_error(healthy: Site) -> None:
    config = parse_config(healthy.config.read_text(encoding="utf-8"), healthy.config)
    findings = check(
        config,
        lambda: KEY,
        environ={},
        clock=lambda: datetime(2010, 1, 1, tzinfo=UTC),
        sleep=lambda _: None,
        offline=True,
    )
    (clock,) = [finding for finding in findings if finding.name == "clock"]
    assert clock.level is Level.ERROR
    assert "certificate" in clock.message


def test_a_sync_from_the_future_is_a_warning(healthy: Site, syncer: Run) -> None:
    healthy.sync(datetime(2999, 1, 1, tzinfo=UTC))
    ran = syncer("check", "--offline", "--json")
    assert ("state", "warning") in levels(ran.document)


def test_the_doctor_needs_no_working_directory_of_the_site(
    healthy: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert syncer("-c", str(healthy.config), "check", "--offline").code == 0
