"""Counts in the site's own data files: synced, logged and undone as in pages."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from syncer.config.parse import parse_config
from syncer.errors import ConfigError
from syncer.model import Format, ProblemKind
from syncer.simulator.server import Simulator
from syncer.simulator.world import VideoState
from tests.repository import in_git
from tests.site import NOON, Run, Site, counts, crlf, ids, world_with

A, B, C = ids(3, seed=33)

COLLECTIONS = """\
  - directory: _data
    include: ["/talks.yml"]
    fields:
      video_id: "[].youtube_id"
      counts: {viewCount: views}
      where: {provider: youtube}
  - directory: _data
    include: ["/*.json", "/by_id.toml"]
    fields: {video_id: "{}", counts: {viewCount: views, likeCount: likes}, insert_missing: true}
  - directory: content
    fields: {video_id: vid_id, counts: {viewCount: viewcount, likeCount: likeCount}}
"""


def talks(first: int, second: int) -> bytes:
    return (
        f"# newest first\r\n---\r\n- {{youtube_id: {A}, provider: youtube, views: {first}}}\r\n"
        f"- youtube_id: 123456789\r\n  provider: vimeo\r\n  views: 7\r\n"
        f"- youtube_id: '{B}' # the lock\r\n  provider: youtube\r\n  views: {second}\r\n"
    ).encode()


@pytest.fixture
def data_site(site: Site) -> Site:
    site.configure(collections=COLLECTIONS)
    site.put("_data/talks.yml", talks(1, 2))
    site.put("_data/by_id.json", f'{{\n  "{A}": {{"views":1}}, "syncer": {{"likes": true}}\n}}'.encode())
    site.put("_data/by_id.toml", f'["{C}"]\nviews = 5\n'.encode())
    site.put("content/a.md", crlf(C, 1, 1))
    return site


def test_data_files_are_synced_logged_and_undone_as_pages_are(data_site: Site, youtube: Simulator) -> None:
    before = {path: path.read_bytes() for path in sorted(data_site.root.rglob("_data/*"))}
    report = data_site.sync()
    (a, likes_a), (b, _), (c, likes_c) = (counts(youtube, video) for video in (A, B, C))
    assert (report.problems, report.pages, report.videos) == ((), 4, 3)
    assert (data_site.root / "_data/talks.yml").read_bytes() == talks(a, b)
    assert json.loads((data_site.root / "_data/by_id.json").read_bytes())[A] == {"likes": likes_a, "views": a}
    toml = (data_site.root / "_data/by_id.toml").read_text(encoding="utf-8")
    assert toml == f'["{C}"]\nlikes = {likes_c}\nviews = {c}\n'
    logged = {(line["path"], line["field"]) for line in data_site.log_lines()}
    assert {field for path, field in logged if path == "_data/talks.yml"} == {"[0].views", "[2].views"}
    assert {field for path, field in logged if path == "_data/by_id.json"} == {f"{{{A}}}.views", f"{{{A}}}.likes"}
    assert data_site.sync(NOON + timedelta(hours=1)).changed_counts == 0
    data_site.undo(str(report.sync))
    assert (data_site.root / "_data/talks.yml").read_bytes() == before[data_site.root / "_data/talks.yml"]


def test_where_only_a_number_tells_the_item_tables_name_the_video(data_site: Site, syncer: Run) -> None:
    in_git(data_site)
    printed = syncer("sync").out
    assert f"[2].views ({B})" in printed
    assert f"{{{A}}}.views  " in printed
    assert "viewcount  " in printed
    assert f"[2].views ({B})" in syncer("review").out


def test_a_file_with_ids_as_keys_is_the_authors_and_not_one_that_syncer_writes(data_site: Site, syncer: Run) -> None:
    data_site.configure(collections=COLLECTIONS, git="commit: true")
    data_site.sync()
    data_site.put("_data/by_id.json", f'{{"{A}": {{"views": 1}}}}'.encode())
    repository = in_git(data_site)
    report = data_site.sync()
    assert (report.changed_pages, report.commit) == (1, repository.head())
    assert repository.git("log", "-1", "--format=%(trailers:key=Syncer-Pages,valueonly)").strip() == "1"
    ran = syncer("undo", str(report.sync))
    assert (
        "Inserted counts are not removed. Remove them by hand: delete the key and its value; in a table, empty"
        in ran.out
    )
    assert "write.file" not in ran.out


def test_a_file_that_excludes_itself_and_one_that_is_not_valid_are_left_alone(data_site: Site) -> None:
    data_site.put("_data/by_id.json", f'{{"syncer": false, "{A}": {{"views": 1}}}}'.encode())
    data_site.put("_data/talks.yml", talks(1, 2) + b"- [\r\n")
    report = data_site.sync()
    assert [(each.kind, each.subject) for each in report.problems] == [
        (ProblemKind.INVALID_FRONT_MATTER, "_data/talks.yml")
    ]
    assert b'"views": 1' in (data_site.root / "_data/by_id.json").read_bytes()


def test_an_undo_says_once_what_is_wrong_with_a_file(data_site: Site, syncer: Run) -> None:
    report = data_site.sync()
    broken = data_site.root / "_data/talks.yml"
    broken.write_bytes(broken.read_bytes() + b"- [\r\n")
    ran = syncer("undo", str(report.sync))
    assert ran.out.count("Invalid YAML: ") == 1
    assert (ran.out.count("[0].views"), ran.out.count("[2].views")) == (1, 1)


def test_a_missing_video_of_a_data_file_is_reported(data_site: Site, youtube: Simulator) -> None:
    youtube.world = world_with({A: VideoState.PRIVATE})
    report = data_site.sync()
    assert list(report.missing) == [A]
    assert (data_site.root / "_data/talks.yml").read_bytes().startswith(talks(1, 2)[:60])


COUNTS = "counts: {viewCount: views}"


@pytest.mark.parametrize(
    ("collection", "message"),
    [
        ('fields: {video_id: "[].id", %s}', "fields.video_id: begins with `[]`, the list at the top of a data file"),
        ('fields: {video_id: "[].id", %s}', "these files have front matter; name the data files in `include`"),
        ('format: front_matter, fields: {video_id: "{}", %s}', "fields.video_id: begins with `{}`, the mapping at"),
        ('format: front_matter, fields: {video_id: "{}", %s}', "have front matter; remove `format: front_matter`"),
        ('format: data, include: ["*.txt"], fields: {video_id: "[].id", %s}', "include: `*.txt` names none of .yml"),
        ("format: csv, fields: {video_id: id, insert_missing: true, %s}", "insert_missing: cannot add a column"),
        ("format: xml, fields: {video_id: id, %s}", "format: must be `front_matter`, `data`, `yaml`, `json`"),
        (
            "format: yaml, fields: {video_id: {}, %s}",
            'video_id: is an empty mapping without quotes; write it as `"{}"`',
        ),
        (
            "format: yaml, fields: {video_id: [], %s}",
            'video_id: is an empty list without quotes; write it as `"[].id"`',
        ),
        ("format: yaml, fields: {video_id: [].id, %s}", 'bracket or a brace, such as `"[].id"`'),
        ('format: yaml, fields: {video_id: "[]", %s}', "video_id: ends at a list; name the key inside its items"),
        ('format: yaml, fields: {video_id: "a{}.b", %s}', "video_id: has misplaced braces"),
        (
            'format: yaml, fields: {video_id: "[].id", counts: {viewCount: "[].v"}}',
            "viewCount: must be named from the list item; write `v`",
        ),
        (
            'format: yaml, fields: {video_id: "{}", insert_missing: true, counts: {viewCount: a.b}}',
            "cannot be inserted",
        ),
        (
            'format: yaml, fields: {video_id: "[].id", where: {a: true}, %s}',
            "where.a: must be text, but is true or false",
        ),
        (
            'format: yaml, fields: {video_id: "[].id", where: {views: x}, %s}',
            "where.views: is also the key of `viewCount`",
        ),
        ('format: yaml, fields: {video_id: "a[].id", where: {"b[].c": x}, %s}', "is in another list than `video_id`"),
    ],
)
def test_a_config_that_cannot_fit_says_why(site: Site, collection: str, message: str) -> None:
    written = collection.replace("%s", COUNTS)
    with pytest.raises(ConfigError) as caught:
        parse_config(f"collections:\n  - {{directory: _data, {written}}}\n", site.config)
    assert message in str(caught.value)


def test_an_unquoted_bracket_in_a_block_says_to_quote_it(site: Site) -> None:
    text = f"collections:\n  - directory: _data\n    fields:\n      video_id: [].id\n      {COUNTS}\n"
    with pytest.raises(ConfigError, match="quote a text that starts with a bracket or a brace"):
        parse_config(text, site.config)


@pytest.mark.parametrize(
    ("collection", "include"),
    [
        ("format: json", ("**/*.json",)),
        ("format: yaml", ("**/*.yml", "**/*.yaml")),
        ("format: yaml, include: ['/a.txt']", ("/a.txt",)),
        ("format: front_matter", ("**/*.md", "**/*.markdown")),
    ],
)
def test_a_collection_of_data_has_the_files_of_its_format(
    site: Site, collection: str, include: tuple[str, ...]
) -> None:
    config = parse_config(
        f"collections: [{{directory: d, {collection}, fields: {{video_id: id, {COUNTS}}}}}]", site.config
    )
    assert config.collection_models()[0].include == include


def test_a_column_may_have_any_name(site: Site) -> None:
    fields = "video_id: 'Video. [id]', where: {'a. b': x}, counts: {viewCount: 'No. of views'}"
    config = parse_config(f"collections: [{{directory: d, format: csv, fields: {{{fields}}}}}]", site.config)
    mapping = config.collection_models()[0].fields
    assert (mapping.video_id, mapping.format, mapping.where) == ("Video. [id]", Format.CSV, {"a. b": "x"})
    with pytest.raises(ConfigError, match="space beside a dot"):
        parse_config(f"collections: [{{directory: d, format: json, fields: {{{fields}}}}}]", site.config)
