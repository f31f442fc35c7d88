"""The check finds each mistake, says what to do, and costs what it says."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncer.check.findings import Level
from syncer.check.setup import check
from syncer.config.parse import parse_config
from syncer.git.run import git
from syncer.simulator.server import Simulator
from tests.site import COLLECTIONS, KEY, Run, Site, crlf, ids, tree

VIDEO = ids(1)[0]
Found = tuple[str, str]


@pytest.fixture
def sound(site: Site) -> Site:
    site.put("content/a.md", crlf(VIDEO, 1, 2))
    git(site.root, "init", "--quiet")
    return site


def levels(document: dict[str, list[dict[str, str]]]) -> list[Found]:
    return [(entry["name"], entry["level"]) for entry in document["checks"] if entry["level"] != "ok"]


def test_a_sound_site_is_ok_on_every_line_and_costs_one_unit(sound: Site, youtube: Simulator, syncer: Run) -> None:
    before = tree(sound.root)
    ran = syncer("check")
    assert (ran.code, ran.err) == (0, "")
    names = [line.split()[1].rstrip(":") for line in ran.out.splitlines()]
    assert {line.split()[0] for line in ran.out.splitlines()} == {"ok"}
    content = {"content", "ids", "permissions"}
    assert set(names) == content | {"config", "clock", "git", "state", "quota", "key", "youtube", "daemon"}
    assert "this check cost 1 unit" in ran.out
    assert youtube.units == {"stats": 1, "general": 0}
    assert tree(sound.root) == before, "nothing is written, and no state made"


def test_offline_asks_nobody(sound: Site, youtube: Simulator, syncer: Run) -> None:
    ran = syncer("check", "--offline", "--json")
    assert (ran.code, youtube.requests) == (0, 0)
    assert list(ran.document) == ["checks", "exit"]
    assert [list(entry) for entry in ran.document["checks"]] == [["name", "level", "message"]] * len(
        ran.document["checks"]
    )
    assert "youtube" not in {entry["name"] for entry in ran.document["checks"]}


def test_a_page_of_two_collections_is_one_page(sound: Site, syncer: Run) -> None:
    fields = "directory: content, fields: {{video_id: vid_id, counts: {{{0}}}}}"
    one, other = fields.format("viewCount: viewcount"), fields.format("likeCount: likeCount")
    sound.configure(collections=f"  - {{{one}}}\n  - {{{other}}}\n")
    sound.put("content/b.md", crlf(VIDEO, 1, 2))
    (sound.root / "content/b.md").chmod(0o444)
    ran = syncer("check", "--offline")
    assert "content: 2 pages with 1 video and 4 counts" in ran.out
    assert "permissions: Cannot write 1 page, read-only or in a read-only directory: content/b.md." in ran.out


def no_pages(site: Site) -> None:
    (site.root / "content/a.md").unlink()


def no_counts(site: Site) -> None:
    site.put("content/a.md", f"---\nvid_id: {VIDEO}\n---\n".encode())


def no_directory(site: Site) -> None:
    site.configure(collections="  - directory: posts\n    fields: {video_id: id, counts: {viewCount: views}}\n")


def odd_id(site: Site) -> None:
    site.put("content/b.md", crlf(VIDEO[:-1] + "B", 1, 2))


def page_with_a_problem(site: Site) -> None:
    site.put("content/b.md", b"---\nvid_id: x\n---\n")


def all_pages_with_a_problem(site: Site) -> None:
    site.put("content/a.md", f"---\nvid_id: {VIDEO}\nViewcount: 1\n---\n".encode())
    fields = "{video_id: vid_id, counts: {viewCount: viewcount}, insert_missing: true}"
    site.configure(collections=f"  - {{directory: content, fields: {fields}}}\n")


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


MISTAKES: Sequence[tuple[Callable[[Site], None], Found, str]] = [
    (
        no_pages,
        ("content", "error"),
        "No page names a video. Check `site`, `directory`, `include` and `fields.video_id` in the config.",
    ),
    (no_counts, ("content", "error"), "content: No page has `viewcount`, `likeCount`. Correct `fields.counts`, or set"),
    (no_directory, ("content", "error"), "posts is not a directory in"),
    (odd_id, ("ids", "warning"), "Look for typos"),
    (page_with_a_problem, ("content", "warning"), "not-a-video-id (1). Run `syncer sync --dry-run` to list them."),
    (
        all_pages_with_a_problem,
        ("content", "error"),
        "All pages with a video have problems: key-case (1). Run `syncer sync --dry-run` to list them.",
    ),
    (
        read_only_page,
        ("permissions", "error"),
        "Cannot write 1 page, read-only or in a read-only directory: content/a.md. Check the permissions, or exclude",
    ),
    (state_unwritable, ("state", "error"), "/dev/null"),
    (state_is_a_file, ("state", "error"), "is not a directory"),
    (state_newer, ("state", "error"), "upgrade syncer"),
    (no_repository, ("git", "warning"), "Run `git init` to "),
    (no_youtube, ("youtube", "error"), "The server refused the connection"),
    (key_for_all, ("key", "warning"), "Run `chmod 600 "),
    (key_missing, ("key", "error"), "set the environment variable NOT_SET_ANYWHERE"),
]


@pytest.mark.parametrize(("make", "found", "words"), MISTAKES, ids=[row[0].__name__ for row in MISTAKES])
def test_each_mistake_is_named_with_what_to_do(
    sound: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch, make: Callable[[Site], None], found: Found,
    words: str,
) -> None:  # fmt: skip
    make(sound)
    ran = syncer("check", "--json")
    assert found in levels(ran.document)
    said = " ".join(entry["message"] for entry in ran.document["checks"] if entry["name"] == found[0])
    assert words in said
    assert ran.code == ran.document["exit"] == int(found[1] == "error")
    assert syncer("check").code == ran.code


@pytest.mark.parametrize("make", [no_pages, all_pages_with_a_problem])
def test_without_a_video_nothing_is_said_of_ids_and_one_thing_of_content(
    sound: Site, syncer: Run, make: Callable[[Site], None]
) -> None:
    make(sound)
    names = [entry["name"] for entry in syncer("check", "--offline", "--json").document["checks"]]
    assert (names.count("content"), names.count("ids")) == (1, 0)


TOO_SMALL = "`min_change` or `rounding` is set without `at_least_every`"
TOO_RARE = "`at_least_every` or `at_most_every` is longer than 30 days"


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        ("min_change: 1%", TOO_SMALL),
        ("rounding: display", TOO_SMALL),
        ("min_change: 1%, to: data_file, file: _data/youtube.yml", TOO_SMALL),
        ("min_change: 1%, at_least_every: 31d", TOO_RARE),
        ("at_most_every: 31d", TOO_RARE),
        ("min_change: 1%, at_least_every: 30d, at_most_every: 30d", None),
        ("min_change: 0, at_most_every: 12d", None),
        ("at_least_every: 40d", None),
    ],
)
def test_pages_that_show_a_number_for_longer_than_youtube_allows_are_a_warning(
    sound: Site, syncer: Run, write: str, sentence: str | None
) -> None:
    sound.configure(write=write)
    ran = syncer("check", "--offline", "--json")
    messages = [each["message"] for each in ran.document["checks"] if each["name"] == "write"]
    assert [sentence in message for message in messages] == ([True] * len(messages) if sentence else [])
    assert bool(messages) is bool(sentence)
    assert ran.code == 0

    sound.configure(write=write, history="authorized: true")
    assert levels(syncer("check", "--offline", "--json").document) == []


@pytest.mark.parametrize(
    ("write", "warns"),
    [
        ("{viewCount: 5, likeCount: 5}", False),
        ("{commentCount: 5}", True),
        ("{viewCount: 5, commentCount: 0}", True),
        ("5", False),
    ],
)
def test_a_threshold_of_a_count_that_has_no_key_is_a_warning(sound: Site, syncer: Run, write: str, warns: bool) -> None:
    def said() -> list[str]:
        checks = syncer("check", "--offline", "--json").document["checks"]
        return [each["message"] for each in checks if each["name"] == "write"]

    sound.configure(write=f"min_change: {write}, at_least_every: 28d")
    sentence = "has `commentCount`, but `fields.counts` does not, so that has no effect. Remove it."
    assert said() == [f"`write.min_change` {sentence}"] * warns
    own = COLLECTIONS.replace(
        "directory: content/lists\n", f"directory: content/lists\n    write: {{min_change: {write}}}\n"
    )
    sound.configure(write="at_least_every: 28d", collections=own)
    assert said() == [f"`collections[1].write.min_change` {sentence}"] * warns


@pytest.mark.parametrize(
    ("schedule", "days"),
    [
        ("every: 26d", "26 days"),
        ("every: 25d", None),
        ("cron: '0 4 1 * *'", "31 days"),
        ("cron: '0 4 1 * *', refresh_within: 30d", "31 days"),
        ("cron: '0 4 1,15 * *'", None),
        ("cron: '0 4 29 2 *'", "1,461 days"),
    ],
)
def test_syncs_that_are_rarer_than_every_video_must_be_read_are_a_warning(
    sound: Site, syncer: Run, schedule: str, days: str | None
) -> None:
    sound.configure(schedule=schedule)
    ran = syncer("check", "--offline", "--json")
    messages = [each["message"] for each in ran.document["checks"] if each["name"] == "schedule"]
    assert [f"Up to {days} pass between two scheduled syncs." in message for message in messages] == [True] * bool(days)
    assert ran.code == 0


def test_a_refused_key_is_an_error_that_says_where_keys_are_made(
    sound: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOUTUBE_API_KEY", "invalid")
    ran = syncer("check", "--json")
    assert (ran.code, levels(ran.document)) == (1, [("youtube", "error")])
    assert "Google Cloud console" in {each["name"]: each["message"] for each in ran.document["checks"]}["youtube"]


def test_each_mistake_in_the_config_is_a_line(sound: Site, syncer: Run) -> None:
    sound.config.write_text("site: 3\ncolections: []\n", encoding="utf-8")
    ran = syncer("check", "--json")
    assert ran.code == 1
    assert {name for name, _ in levels(ran.document)} == {"config"}
    assert len(ran.document["checks"]) >= 2


def test_quota_that_is_spent_is_a_warning(sound: Site, syncer: Run) -> None:
    sound.configure(quota="stats_units_per_day: 2, general_units_per_day: 2, reserve: 1")
    syncer("sync")
    ran = syncer("check", "--json")
    assert ("quota", "warning") in levels(ran.document)
    assert ran.code == 0


@pytest.mark.parametrize(
    ("syncs", "message", "units"),
    [
        (
            2,
            "Syncs use videos.list instead: No units are left for videos.batchGetStats today.",
            {"stats": 2, "general": 1},
        ),
        (4, "No units are left for videos.list today.", {"stats": 2, "general": 2}),
    ],
)
def test_a_spent_bucket_is_no_error_because_syncs_use_the_other_one_or_wait(
    sound: Site, syncer: Run, youtube: Simulator, syncs: int, message: str, units: dict[str, int]
) -> None:
    sound.configure(quota="stats_units_per_day: 2, general_units_per_day: 2, reserve: 0")
    for _ in range(syncs):
        syncer("sync", "--all")
    ran = syncer("check")
    assert (ran.code, f"warning youtube: {message}" in ran.out) == (0, True)
    assert youtube.units == units


def test_a_clock_before_this_program_was_written_is_an_error(sound: Site) -> None:
    config = parse_config(sound.config.read_text(encoding="utf-8"), sound.config)
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


def test_a_sync_from_the_future_is_a_warning(sound: Site, syncer: Run) -> None:
    sound.sync(datetime(2999, 1, 1, tzinfo=UTC))
    ran = syncer("check", "--offline", "--json")
    assert ("state", "warning") in levels(ran.document)


def test_the_check_works_from_any_directory(
    sound: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert syncer("-c", str(sound.config), "check", "--offline").code == 0


def test_a_config_that_jekyll_publishes_is_a_warning_with_the_line_to_add(sound: Site, syncer: Run) -> None:
    sound.put("_config.yml", b"title: Site\n")
    sound.put("Gemfile.lock", b"    jekyll (4.3.4)\n")
    message = "Jekyll publishes `config/`. Add this line to _config.yml: exclude: [.syncer, config]."
    ran = syncer("check", "--offline")
    assert (ran.code, f"warning generator: {message}\n" in ran.out) == (0, True)
    sound.put("_config.yml", b"exclude: [.syncer, config]\n")
    assert "generator" not in syncer("check", "--offline").out


def test_it_says_how_old_the_oldest_stored_number_is(sound: Site, syncer: Run) -> None:
    def history() -> list[tuple[str, str]]:
        checks = syncer("check", "--offline", "--json").document["checks"]
        return [(found["level"], found["message"]) for found in checks if found["name"] == "history"]

    assert history() == []
    now = datetime.now(UTC)
    sound.sync(now - timedelta(days=3, minutes=1))
    sound.sync(now - timedelta(days=2))
    reach = "Old numbers in git's history and in backups are outside of syncer's reach."
    assert history() == [("ok", f"the oldest stored number is 3 days old. {reach}")]
    assert syncer("purge", "--all").code == 0
    sound.sync(now - timedelta(days=33))
    remedy = "older than `history.keep`. Run `syncer purge`, and sync regularly."
    assert history() == [("warning", f"The oldest stored number is 33 days old, {remedy}")]
    sound.configure(history="keep: 60d, authorized: true")
    assert history() == [("ok", f"the oldest stored number is 33 days old. {reach}")]
