"""A CSV or TSV file of a site goes the whole way: sync, log, review, commit, undo."""

from __future__ import annotations

import pytest

from syncer.config.parse import parse_config
from syncer.errors import ConfigError
from syncer.simulator.server import Simulator
from tests.repository import in_git
from tests.site import Run, Site, counts, ids

A, B, C = ids(3, seed=34)

LIBRARY = """\
  - directory: _data
    format: csv
    fields:
      video_id: Video
      counts: {viewCount: No. of views, likeCount: "likes [total]"}
      where: {Kind: youtube}
"""

HEAD = "Shelf,Title,Video,Kind,No. of views,likes [total],Note"


def library(first: tuple[int, int], second: tuple[int, int] | None, added: str = "") -> bytes:
    """Two videos, a slug that is none, and whatever else people write."""
    views, likes = second or ("", "")
    return (
        f'{HEAD}\r\n{added}3,"Locks, and ""gates""",https://youtu.be/{A},youtube,{first[0]}, {first[1]} ,\r\n'
        f"4,A slug,the-lock-keeper,vimeo,many,,\r\n\r\n"
        f'5,"Two\nlines",{B},"youtube",{views},"{likes}",x'
    ).encode()


@pytest.fixture
def tables(site: Site) -> Site:
    site.configure(collections=LIBRARY)
    return site


def test_a_table_is_synced_logged_and_undone(tables: Site, youtube: Simulator) -> None:
    file = tables.put("_data/library.csv", library((1, 2), None))
    report = tables.sync()
    assert report.problems == ()
    assert file.read_bytes() == library(counts(youtube, A), counts(youtube, B))
    assert [(line["field"], line["old"]) for line in tables.log_lines()] == [
        ("[0].No. of views", "1"),
        ("[0].likes [total]", "2"),
        ("[2].No. of views", None),
        ("[2].likes [total]", None),
    ]
    tables.undo(report.sync)
    assert file.read_bytes() == library((1, 2), counts(youtube, B))


def test_a_table_is_reviewed_and_committed(tables: Site, youtube: Simulator, syncer: Run) -> None:
    tables.put("_data/library.csv", library((1, 2), (3, 4)))
    repository = in_git(tables)
    tables.sync()
    assert "_data/library.csv" in syncer("review").out
    syncer("review", "--keep", "_data")
    assert repository.git("show", "HEAD:_data/library.csv").encode() == library(counts(youtube, A), counts(youtube, B))


def test_pages_and_tables_of_a_collection_are_told_apart_by_suffix(site: Site, youtube: Simulator) -> None:
    fields = "{video_id: id, counts: {viewCount: views}}"
    site.configure(collections=f"  - {{directory: content, include: ['**/*'], fields: {fields}}}\n")
    for path in ("a.csv", "b.TSV", "c.md"):
        page = f"id,views\n{A},1\n" if path != "c.md" else f"---\nid: {A}\nviews: 1\n---\n"
        site.put(f"content/{path}", (page.replace(",", "\t") if path == "b.TSV" else page).encode())
    report = site.sync()
    assert (report.problems, report.changed_pages) == ((), 3)
    views = counts(youtube, A)[0]
    assert (site.root / "content/b.TSV").read_text() == f"id\tviews\n{A}\t{views}\n"


@pytest.mark.parametrize(
    ("views", "likes"), [("Views []", "Likes {}"), ("stats", "stats.likes"), ("video", "VIDEO"), ("a..b", "[].c")]
)
def test_no_character_in_the_name_of_a_column_means_anything(
    site: Site, youtube: Simulator, views: str, likes: str
) -> None:
    fields = (
        f'{{video_id: Video, counts: {{viewCount: "{views}", likeCount: "{likes}"}}, where: {{"Kind []": youtube}}}}'
    )
    site.configure(collections=f"  - {{directory: _data, format: csv, fields: {fields}}}\n")
    file = site.put("_data/a.csv", f"Video,Kind [],{views},{likes}\n{A},youtube,1,\n".encode())
    report = site.sync()
    one, two = counts(youtube, A)
    assert report.problems == ()
    assert file.read_text(encoding="utf-8") == f"Video,Kind [],{views},{likes}\n{A},youtube,{one},{two}\n"
    site.undo(report.sync)
    assert f"youtube,1,{two}" in file.read_text(encoding="utf-8")


def test_a_column_is_mapped_once(site: Site) -> None:
    fields = "{video_id: Video, counts: {viewCount: a.b, likeCount: a.b}}"
    with pytest.raises(ConfigError, match="is also the key of `viewCount`"):
        parse_config(f"collections: [{{directory: d, format: csv, fields: {fields}}}]", site.config)


def test_a_table_gets_no_column(site: Site) -> None:
    fields = "{video_id: id, counts: {viewCount: views}, insert_missing: true}"
    site.configure(collections=f"  - {{directory: _data, format: csv, fields: {fields}}}\n")
    with pytest.raises(ConfigError, match="insert_missing"):
        parse_config(site.config.read_text(encoding="utf-8"), site.config)


def test_a_table_that_readers_split_differently_is_a_problem_of_the_sync(tables: Site) -> None:
    before = library((1, 2), None) + b'\n6,"Tides" and more,'
    file = tables.put("_data/library.csv", before)
    (problem,) = tables.sync().problems
    assert (problem.subject, problem.line) == ("_data/library.csv", 7)
    assert file.read_bytes() == before
