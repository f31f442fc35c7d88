"""Tables for programs and spreadsheets: each format has all rows, in documented types, whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from syncer.simulator.server import Simulator
from syncer.simulator.world import VideoState
from syncer.status.tables import TABLES
from tests.site import KEY, NOON, Run, Site, crlf, ids, world_with

FIRST, GONE, HIDDEN = ids(3, seed=31)
DASHED = "-" + ids(1, seed=32)[0][1:]


@pytest.fixture
def full(site: Site, youtube: Simulator) -> Site:
    """A site that was synced on two days."""
    youtube.world = world_with({GONE: VideoState.DELETED, HIDDEN: VideoState.LIKES_HIDDEN})
    site.put('content/\u00e9t\u00e9, "deux".md', crlf(FIRST, 1, 2))
    site.put("content/dashed.md", crlf(DASHED, 5, 6))
    site.put("content/gone.md", crlf(GONE, 7, 8))
    site.put("content/hidden.md", crlf(HIDDEN, 9, 10))
    for day in (2, 1):
        site.sync(NOON - timedelta(days=day))
        youtube.clock.advance(timedelta(days=10))
    return site


def in_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize("name", TABLES)
def test_the_three_formats_hold_the_same_rows(full: Site, syncer: Run, name: str) -> None:
    columns = list(TABLES[name].columns)
    for form in ("csv", "jsonl", "parquet"):
        assert syncer("export", name, f"--{form}", f"out.{form}").code == 0
    as_json = [json.loads(line) for line in (full.root / "out.jsonl").read_bytes().splitlines()]
    assert as_json
    assert all(list(row) == columns for row in as_json)
    as_csv = in_csv((full.root / "out.csv").read_bytes().decode())
    assert as_csv == [{key: in_a_cell(value) for key, value in row.items()} for row in as_json]
    table = parquet(full.root / "out.parquet")
    assert dict(zip(table.columns, map(str, table.types), strict=True)) == TABLES[name].columns
    assert [dict(zip(columns, map(plain, row), strict=True)) for row in table.fetchall()] == as_json


def in_a_cell(value: str | int | bool | None) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def parquet(file: Path) -> duckdb.DuckDBPyRelation:
    return duckdb.from_parquet(str(file))


def plain(value: Any) -> Any:
    """A value of DuckDB's as JSON has it."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return value if value is None or isinstance(value, str | int) else value.isoformat()


def test_readings_are_the_default_and_say_what_youtube_returned(full: Site, syncer: Run) -> None:
    ran = syncer("export", "--jsonl", "-")
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert (ran.code, ran.err, len(rows)) == (0, "", 8)
    assert ran.out == syncer("export", "readings", "-", "--jsonl").out
    for video in (FIRST, DASHED, GONE, HIDDEN):
        shown = syncer("history", video, "--json").document["readings"]
        own = [row for row in rows if row["video_id"] == video]
        assert [{key: row[key] for key in shown[0]} for row in own] == shown
    assert {row["sync"] for row in rows} == {line["sync"] for line in full.log_lines()}


def test_changes_are_the_lines_of_the_log_with_numbers_as_numbers(full: Site, syncer: Run) -> None:
    rows = [json.loads(line) for line in syncer("export", "changes", "--jsonl", "-").out.splitlines()]
    texts = {"old_text": None, "new_text": None}
    numbers = [line | {key: line[key] and int(line[key]) for key in ("old", "new")} for line in full.log_lines()]
    assert rows == [line | texts for line in numbers]


def test_dates_in_pages_are_texts_of_the_changes(site: Site, syncer: Run) -> None:
    fields = "{video_id: vid_id, counts: {viewCount: viewcount}, checked_at: checked}"
    site.configure(collections=f"  - directory: content\n    fields: {fields}\n")
    site.put("content/a.md", f"---\nvid_id: {FIRST}\nviewcount: 1\nchecked: 2020-01-01\n---\n".encode())
    site.sync(NOON)
    rows = [json.loads(line) for line in syncer("export", "changes", "--jsonl", "-").out.splitlines()]
    dated = [(row["count"], row["old"], row["old_text"], row["new_text"]) for row in rows if row["why"] == "checked"]
    assert dated == [(None, None, "2020-01-01", "2026-11-22")]


def test_videos_have_their_pages_and_their_accepted_counts(full: Site, syncer: Run) -> None:
    rows = {
        row["video_id"]: row for row in map(json.loads, syncer("export", "videos", "--jsonl", "-").out.splitlines())
    }
    assert list(rows) == sorted([FIRST, DASHED, GONE, HIDDEN])
    newest = syncer("history", FIRST, "--json").document["readings"][-1]
    assert rows[FIRST] == {
        "video_id": FIRST,
        "pages": 1,
        "path": 'content/\u00e9t\u00e9, "deux".md',
        "as_of": newest["at"],
        **{key: newest[key] for key in ("viewCount", "likeCount", "commentCount")},
        "read_at": newest["at"],
        "missing_since": None,
        "held": None,
        **dict.fromkeys(("state", "state_since", "checked_at", "made_for_kids", "blocked_in", "starts_at")),
    }
    assert rows[HIDDEN]["likeCount"] is None
    assert (rows[GONE]["as_of"], rows[GONE]["missing_since"]) == (None, "2026-11-20T20:00:00Z")


@pytest.mark.parametrize("name", TABLES)
def test_since_leaves_out_what_is_older(full: Site, syncer: Run, name: str) -> None:
    def rows(*since: str) -> list[str]:
        return syncer("export", name, "--jsonl", "-", *since).out.splitlines()

    assert rows("--since", "2026-11-01") == rows()
    newer = rows("--since", "2026-11-21")
    assert newer == [line for line in rows() if name == "videos" or '"at": "2026-11-21' in line]
    assert newer
    assert rows("--since", "2026-11-22") == []


def test_more_rows_than_are_read_at_once_are_all_there_in_order(full: Site, syncer: Run) -> None:
    with sqlite3.connect(full.state / "state.sqlite3") as state:
        state.execute("DELETE FROM readings")
        state.execute(
            "WITH n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 25099)"
            " INSERT INTO videos (video, id, read_at) SELECT i, printf('aaaaaa%05d', i), 1 FROM n"
        )
        state.execute(
            "INSERT INTO readings SELECT 1, video, video, 1, video, NULL, NULL FROM videos WHERE video >= 100"
        )
    rows = in_csv(syncer("export", "--csv", "-").out)
    assert [int(row["viewCount"]) for row in rows] == list(range(100, 25_100))
    assert len(syncer("export", "videos", "--csv", "-").out.splitlines()) == 25_000 + 4 + 1
    syncer("export", "--parquet", "all.parquet")
    views = parquet(full.root / "all.parquet").project("viewCount").fetchall()
    assert [number for (number,) in views] == list(range(100, 25_100))


def test_csv_is_what_the_rfc_says(full: Site, syncer: Run) -> None:
    out = syncer("export", "changes", "--csv", "-").out
    assert out.endswith("\r\n")
    assert '"content/\u00e9t\u00e9, ""deux"".md"' in out
    assert out.count("\n") == out.count("\r\n") == len(full.log_lines()) + 1


@pytest.mark.parametrize("name", ["=1+1.md", "+1.md", "-1.md", "@x.md"])
def test_a_spreadsheet_computes_no_path(site: Site, syncer: Run, name: str) -> None:
    fields = "{video_id: vid_id, counts: {viewCount: viewcount}}"
    site.configure(collections=f"  - directory: .\n    fields: {fields}\n")
    site.put(name, crlf(DASHED, 1, 2))
    site.sync(NOON)
    (row,) = in_csv(syncer("export", "videos", "--csv", "-").out)
    assert (row["video_id"], row["path"]) == (DASHED, f"'{name}")
    assert json.loads(syncer("export", "videos", "--jsonl", "-").out)["path"] == name
    syncer("export", "videos", "--parquet", "videos.parquet")
    assert parquet(site.root / "videos.parquet").project("path").fetchall() == [(name,)]


def test_a_file_is_replaced_whole_or_stays_as_it_was(full: Site, syncer: Run) -> None:
    file = full.put("out.csv", b"before")
    file.chmod(0o640)
    link = full.root / "link.csv"
    link.symlink_to(file)
    ran = syncer("export", "--csv", "link.csv")
    assert (ran.code, ran.out) == (0, "Wrote link.csv: 8 rows.\n")
    assert (link.is_symlink(), file.stat().st_mode & 0o777) == (True, 0o640)
    whole = file.read_bytes()
    with sqlite3.connect(full.state / "state.sqlite3") as state:
        state.execute("UPDATE videos SET missing_since = 'soon'")
    for form in ("--csv", "--jsonl", "--parquet"):
        assert syncer("export", "videos", form, "out.csv").code == 2
    assert file.read_bytes() == whole
    assert not list(full.root.glob(".syncer-export*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--csv"], "name a FILE to export the readings to, or - for standard output"),
        (["videos", "--csv"], "name a FILE to export the videos to, or - for standard output"),
        (["reading", "--csv", "-"], "no such table 'reading'; did you mean 'readings'?"),
        (["readings", "a.csv", "b.csv", "--csv"], "no such table 'a.csv'; choose from readings, changes, videos"),
        (["readings", "videos", "out.csv", "--csv"], "name one table and one FILE"),
        (["--csv", "--jsonl", "out.csv"], "choose one format: --csv, --jsonl or --parquet"),
        (["out.csv"], "choose one format: --csv, --jsonl or --parquet"),
        (["--csv", "."], ".: not a file; write to - and redirect the output"),
        (["--csv", "none/out.csv"], "none/out.csv: cannot write the file: No such file or directory"),
        (["--csv", ".syncer/diff.jsonl"], ".syncer/diff.jsonl: in the state's directory; name a file elsewhere"),
        (["--csv", "--since", "soon", "-"], "soon: not a time"),
    ],
)
def test_what_cannot_be_exported_is_exit_2(full: Site, syncer: Run, arguments: list[str], message: str) -> None:
    before = full.log_lines()
    ran = syncer("export", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert f"syncer: {message}" in ran.err
    assert full.log_lines() == before


def test_no_file_of_the_site_is_replaced(full: Site, syncer: Run) -> None:
    page = next(path for path in full.root.glob("content/**/*.md"))
    full.configure(youtube="api_key_file: secret.txt")
    (full.root / "secret.txt").write_text(KEY, encoding="utf-8")
    (full.root / "link.csv").symlink_to(page)
    for file in (page, full.config, full.root / "secret.txt", full.root / "link.csv"):
        before = file.read_bytes()
        ran = syncer("export", "--csv", str(file))
        assert (ran.code, ran.out, file.read_bytes()) == (2, "", before), ran.err


def test_without_duckdb_it_says_how_to_install_it(full: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    ran = syncer("export", "--parquet", "out.parquet")
    assert ran.code == 2
    assert "--parquet needs duckdb, which is not installed; run `pipx inject syncer-youtube duckdb`, or" in ran.err
    assert not (full.root / "out.parquet").exists()


@pytest.mark.parametrize("name", TABLES)
def test_a_site_without_a_state_has_empty_tables(site: Site, syncer: Run, name: str) -> None:
    assert syncer("export", name, "--csv", "-").out == ",".join(TABLES[name].columns) + "\r\n"
    assert syncer("export", name, "--jsonl", "-").out == ""
    syncer("export", name, "--parquet", "empty.parquet")
    table = parquet(site.root / "empty.parquet")
    assert (table.columns, table.fetchall()) == (list(TABLES[name].columns), [])


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_reader_that_has_read_enough_ends_the_export(full: Site, form: str) -> None:
    variables = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(
        ["bash", "-c", f'"$0" -m syncer export --{form} - | head -c 4; echo " ${{PIPESTATUS[0]}}"', sys.executable],
        cwd=full.root, env=variables, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout == {"csv": b"vide", "jsonl": b'{"vi', "parquet": b"PAR1"}[form] + b" 0\n"
    assert done.stderr == b""
