"""`syncer init` on sites of several shapes: what it writes passes `check` and a dry run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from syncer.config.parse import parse_config
from syncer.simulator.server import Simulator
from tests.site import Run, crlf, hugo_json, ids, pair, plain, toml, tree

A, B, C, D = ids(4, seed=31)
ENDPOINT = "https://youtube.googleapis.com/"

TALK = f"---\nyoutube: https://youtu.be/{B}\nviews: 4\n---\n".encode()
NESTED = f'+++\n[extra]\nyoutube_id = "{A}"\n+++\n'.encode()
OTHERS = {f"_posts/{number}.md": b"---\ntitle: x\n---\n" for number in range(9)}
LISTS = {"lists/a.md": pair((A, 1, 2), (B, 3, 4)), "lists/b.md": pair((C, 1, 2), (D, 3, 4))}
SHAPES: Mapping[str, tuple[Mapping[str, bytes], set[str], int]] = {
    "jekyll": ({"_posts/2022-04-25-a.md": crlf(A, 1, 2), "_posts/2022-05-25-b.md": crlf(B, 3, 4)}, {"_posts"}, 4),
    "hugo": ({"content/v/a.md": toml(A, 1, 2), "content/v/b.md": hugo_json(B, 3, 4)}, {"content/v"}, 4),
    "two directories": ({"_posts/a.md": crlf(A, 1, 2), "talks/b.md": TALK}, {"_posts", "talks"}, 3),
    "zola": ({"content/a.md": NESTED}, {"content"}, 2),
    "lists": (LISTS, {"lists"}, 8),
    "pages at the top": ({"a.md": crlf(A, 1, 2), "b.markdown": crlf(B, 3, 4)}, {"."}, 4),
    "among other pages": ({"_posts/a.md": plain(A, 1, 2), **OTHERS}, {"_posts"}, 2),
    "names with blanks": ({"my posts/a b.md": crlf(A, 1, 2)}, {"my posts"}, 2),
}
"""Pages; the directories that are proposed; the counts that a dry run would change."""


def in_yaml(video: str, views: str, likes: str) -> bytes:
    return f'---\nvid_id: "{video}"\nviews: {views}\nlikes: {likes}\n---\n'.encode()


def in_toml(video: str, views: str, likes: str) -> bytes:
    return f'+++\nvid_id = "{video}"\nviews = {views}\nlikes = {likes}\n+++\n'.encode()


def in_json(video: str, views: str, likes: str) -> bytes:
    return f'{{"vid_id": "{video}", "views": {views}, "likes": {likes}}}\n'.encode()


def in_quotes(video: str, views: str, likes: str) -> bytes:
    return in_json(video, f'"{views}"', f'"{likes}"')


def lay(there: Path, pages: Mapping[str, bytes]) -> None:
    for path, text in pages.items():
        (there / path).parent.mkdir(parents=True, exist_ok=True)
        (there / path).write_bytes(text)


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ({"a.md": TALK, **{f"{number}.md": TALK.replace(b"views: 4\n", b"") for number in range(9)}}, "1 of 10 pages"),
        ({"a.md": pair((A, 1, 2), (B, 3, 4))}, None),
        ({"a.md": TALK, "b.md": TALK.replace(b"views: 4\n", b"")}, None),
    ],
)
def test_where_most_pages_have_no_count_init_and_check_say_how_many(
    there: Path, syncer: Run, pages: Mapping[str, bytes], said: str | None
) -> None:
    lay(there, {f"content/{name}": text for name, text in pages.items()})
    out = syncer("init").out
    sentence = f"  Counts are on {said}: set `insert_missing: true` to add them to the others.\n"
    assert (sentence in out) if said else ("Counts are on" not in out)
    without = sum(text.startswith(b"---\nyoutube") and b"views" not in text for text in pages.values())
    noun = "page" if without == 1 else "pages"
    lacks = f"; {without} {noun} without any count (`insert_missing: true` adds them)\n" if without else " counts\n"
    assert lacks in syncer("check", "--offline").out
    config = there / "config/syncer.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("insert_missing: false", "insert_missing: true"))
    assert "without any count" not in syncer("check", "--offline").out


@pytest.mark.parametrize("shape", SHAPES)
def test_the_config_it_writes_works_unchanged(there: Path, youtube: Simulator, syncer: Run, shape: str) -> None:
    pages, directories, changes = SHAPES[shape]
    lay(there, pages)
    ran = syncer("init")
    assert (ran.code, ran.err) == (0, "")
    assert "Wrote config/syncer.yaml." in ran.out
    target = there / "config/syncer.yaml"
    text = target.read_text(encoding="utf-8")
    assert {collection.directory for collection in parse_config(text, target).collections} == directories
    assert ENDPOINT in text
    target.write_text(text.replace(ENDPOINT, youtube.url), encoding="utf-8")
    assert syncer("check").code == 0
    report = syncer("sync", "--dry-run", "--json").document
    assert (report["exit"], report["problems"], report["missing"]) == (0, [], [])
    assert report["changed_counts"] == changes
    assert syncer("sync", "--json").document["changed_counts"] == changes


@pytest.mark.parametrize(
    ("page", "empty", "filled"),
    [
        (in_yaml, "", rb"\nviews: \d+ ?\n"),
        (in_yaml, "~", rb"\nviews: \d+ ?\n"),
        (in_yaml, "null", rb"\nviews: \d+ ?\n"),
        (in_yaml, '""', rb'\nviews: "\d+"\n'),
        (in_yaml, "''", rb"\nviews: '\d+'\n"),
        (in_toml, '""', rb'\nviews = "\d+"\n'),
        (in_json, "null", rb'"views": \d+,'),
        (in_json, '""', rb'"views": "\d+",'),
    ],
)
def test_empty_counts_of_any_form_are_proposed_and_filled(
    there: Path, youtube: Simulator, syncer: Run, page: Callable[..., bytes], empty: str, filled: bytes
) -> None:
    lay(there, {"_posts/a.md": page(A, empty, empty), "_posts/b.md": page(B, empty, empty)})
    assert "views\n" in syncer("init").out
    target = there / "config/syncer.yaml"
    target.write_text(target.read_text(encoding="utf-8").replace(ENDPOINT, youtube.url), encoding="utf-8")
    assert syncer("sync", "--json").document["changed_counts"] == 4
    assert re.search(filled, (there / "_posts/a.md").read_bytes())


def test_counts_of_hugo_json_are_added_as_strings(there: Path, syncer: Run) -> None:
    """Hugo shows the JSON number 3788042 as 3.788042e+06."""
    lay(there, {"content/a.md": f'{{"vid_id": "{A}"}}\n'.encode()})
    ran = syncer("init")
    assert "insert_as: string" in (there / "config/syncer.yaml").read_text(encoding="utf-8")
    assert "3.788042e+06" not in ran.out


@pytest.mark.parametrize(
    ("page", "generator", "advised"),
    [
        (in_json, "hugo.toml", True),
        (in_yaml, "hugo.toml", False),
        (in_quotes, "hugo.toml", False),
        (in_json, "eleventy.config.js", False),
    ],
)
def test_numbers_in_hugo_json_are_to_be_put_in_quotes(
    there: Path, syncer: Run, page: Callable[..., bytes], generator: str, advised: bool
) -> None:
    lay(there, {"content/a.md": page(A, "1", "2")})
    (there / generator).touch()
    assert ("Hugo shows the number 3788042 as 3.788042e+06" in syncer("init").out) is advised


@pytest.mark.parametrize(
    ("generator", "file"), [("hugo.toml", " data/youtube.yml"), ("_config.yml", " _data/youtube.yml")]
)
def test_the_data_file_that_the_config_suggests_is_where_the_generator_reads(
    there: Path, syncer: Run, generator: str, file: str
) -> None:
    lay(there, {"content/a.md": in_yaml(A, "1", "2"), generator: b""})
    assert syncer("init").code == 0
    assert f"file: null #{file}\n" in (there / "config/syncer.yaml").read_text()


def test_jekyll_gets_the_line_that_keeps_the_config_private(there: Path, syncer: Run) -> None:
    lay(there, {**SHAPES["jekyll"][0], "_config.yml": b"title: A\n"})
    ran = syncer("init")
    assert (ran.code, "Add this line to _config.yml: exclude: [.syncer, config]" in ran.out) == (0, True)
    assert (there / "_config.yml").read_bytes() == b"title: A\n"


def test_drafts_themes_and_archives_are_named_and_not_proposed(there: Path, syncer: Run) -> None:
    lay(
        there,
        {
            "a.md": crlf(A, 1, 2),
            "_drafts/b.md": crlf(B, 1, 2),
            "themes/x/exampleSite/c.md": crlf(C, 1, 2),
            "old/Archive/d.md": crlf(D, 1, 2),
            "node_modules/x/e.md": crlf(D, 1, 2),
        },
    )
    assert (
        "Left out as archive, draft or theme: _drafts, old/Archive, themes. To update pages there" in syncer("init").out
    )
    target = there / "config/syncer.yaml"
    (collection,) = parse_config(target.read_text(encoding="utf-8"), target).collections
    assert collection.exclude == ("/_drafts/", "/old/Archive/", "/themes/")


def test_videos_in_text_and_in_data_files_are_named_where_front_matter_has_none(there: Path, syncer: Run) -> None:
    lay(
        there,
        {
            "a.md": f'---\ntitle: A\n---\n<iframe src="https://www.youtube.com/embed/{A}"></iframe>'.encode(),
            "b.md": f'{{{{< youtube {B} >}}}}\n<LiteYouTube id="{C}" />\n{{{{< youtube information >}}}}\n'.encode(),
            "c.md": b"See https://www.youtube.com/@someone about the information.\n",
            "_data/a.yml": f"- {A}\n- {B}\n".encode(),
            "_data/b.json": f'{{"ids": ["{A}", "{B}"]}}\n'.encode(),
            "_data/c.json": b'[{"id": "information"}]\n',
        },
    )
    ran = syncer("init")
    assert ran.code == 1
    assert ran.out.splitlines()[:3] == [
        "No YouTube video found in the front matter of 3 pages, so no config was written.",
        "Saw 3 videos in the text of 2 pages, such as a.md.",
        "Saw 2 data files with video IDs, such as _data/a.yml.",
    ]
    assert "No key there is clearly for videos." in ran.out
    assert "A sync updates counts in front matter and data files only" in ran.out
    assert not (there / "config").exists()


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        (
            "a.yml",
            f"- youtube_id: {A}\n  views: 1\n- t: a: b\n",
            "a.yml:3: Invalid YAML: mapping values are not allowed",
        ),
        ("a.yml", f"- youtube_id: {A}\n  views: 1\n  views: 2\n", "a.yml:3: The key 'views' appears twice"),
        ("a.yml", f"- youtube_id: {A}\r  views: 1\r", "a.yml:1: The file contains a carriage return"),
        ("a.yml", f"- youtube_id: {A}\n  t: caf\xe9\n", "a.yml:2: The file is not valid UTF-8"),
        ("a.csv", f'youtube_id,views,t\n{A},1,"x\n{B},2,y\n', "a.csv:2: Invalid CSV: a quote is not closed"),
    ],
)
def test_a_data_file_that_a_sync_would_refuse_is_named_with_the_reason(
    there: Path, syncer: Run, name: str, data: str, reason: str
) -> None:
    lay(there, {f"_data/{name}": data.encode("latin-1")})
    ran = syncer("init")
    assert ran.code == 1
    assert "Skipped 1 data file with video IDs. Fix what is wrong:\n  _data/" + reason in ran.out
    assert ran.out.endswith("Then run `syncer init` again.\n")
    assert "No key there is clearly" not in ran.out


def test_ids_that_youtube_never_issues_are_named_where_nothing_else_is_found(there: Path, syncer: Run) -> None:
    pages = {f"{number}.md": f"---\nyoutube_id: k{number}LmN0pQrSt\n---\n".encode() for number in range(3)}
    lay(there, pages | {"of-words.md": b"---\nslug: information\n---\n"})
    ran = syncer("init")
    assert (ran.code, ran.out.splitlines()) == (
        1,
        [
            "No YouTube video found in the front matter of 4 pages, so no config was written.",
            "Saw 3 video IDs in `youtube_id` that YouTube never issues, such as `k2LmN0pQrSt`.",
            "Look for typos: a video ID ends in one of A E I M Q U Y c g k o s w 0 4 8. Then try again.",
        ],
    )


SOURCES = {
    f"Clippings/{n}.md": f"---\nsource: https://youtube.com/watch?v={A}\nviews:\n---\n".encode() for n in range(10)
}
LINKS = {f"Clippings/{n}.md": f"---\nsource: https://example.org/{n}\n---\n".encode() for n in range(10, 21)}
TYPOS = {f"{n}.md": f"---\nvideo: k{n}LmN0pQrSt\n---\n".encode() for n in range(3)}


@pytest.mark.parametrize(
    ("pages", "seen"),
    [
        (SOURCES | LINKS, "Saw 10 YouTube videos among the 21 values of `source`."),
        (TYPOS | {"good.md": f"---\nvideo: {A}\n---\n".encode()}, "Saw 1 YouTube video among the 4 values of `video`."),
    ],
)
def test_a_key_with_too_few_videos_to_be_proposed_is_named(
    there: Path, syncer: Run, pages: Mapping[str, bytes], seen: str
) -> None:
    lay(there, pages)
    ran = syncer("init")
    key = seen.split("`")[1]
    assert (ran.code, ran.out.splitlines()[:3]) == (
        1,
        [
            "Too few values of any one key are YouTube videos, so no config was written.",
            seen,
            f"If that is the key for videos, write `video_id: {key}` in config/syncer.yaml by hand.",
        ],
    )
    assert "Add the video ID to each page" not in ran.out
    assert not (there / "config").exists()


@pytest.mark.parametrize("pelican", [True, False])
def test_metadata_without_fences_is_recognised(there: Path, syncer: Run, pelican: bool) -> None:
    lay(there, {"content/a.md": f"Title: A\nYoutube: {A}\n\nText\n".encode()})
    if pelican:
        (there / "pelicanconf.py").touch()
    ran = syncer("init")
    assert ran.code == 1
    assert "Saw 1 page with a video in metadata without `---` lines, such as content/a.md." in ran.out
    assert ("(Pelican reads both forms)" in ran.out) is pelican


INVALID = {"a.md": f"---\ntitle: a: b\nvid: {A}\n---\n".encode(), "b.md": f"---\nt: b\nvid: {B}\n".encode()}


@pytest.mark.parametrize("beside", [{}, {"c.md": crlf(C, 1, 2)}])
def test_pages_with_a_video_in_invalid_front_matter_are_named(
    there: Path, syncer: Run, beside: Mapping[str, bytes]
) -> None:
    lay(there, {**INVALID, "d.md": b"---\nA line, and no front matter\n", **beside})
    ran = syncer("init")
    assert ran.code == (0 if beside else 1)
    assert "Skipped 2 pages with a video in invalid front matter: a.md (line 2), b.md (line 2). Fix it." in ran.out
    assert "Add the video ID" not in ran.out


def test_a_list_of_several_ids_is_named(there: Path, syncer: Run) -> None:
    lay(there, {"a.md": f"---\nyoutube: [{A}, {B}]\n---\n".encode()})
    ran = syncer("init")
    assert ran.code == 1
    assert "Saw several videos in the list `youtube`, such as in a.md." in ran.out
    assert "Add the video ID" not in ran.out


def test_pages_in_drafts_alone_are_named_and_not_denied(there: Path, syncer: Run) -> None:
    lay(there, {"_drafts/a.md": crlf(A, 1, 2), "b.md": b"---\ntitle: B\n---\n"})
    assert syncer("init").out.splitlines() == [
        "Left out as archive, draft or theme: _drafts. To update pages there, write config/syncer.yaml by hand.",
        "No other page has a YouTube video in its front matter, so no config was written.",
    ]


def test_a_video_on_several_pages_is_one_video(there: Path, syncer: Run) -> None:
    lay(there, {f"{number}.md": crlf(A, 1, 2) for number in range(3)})
    assert "3 pages, 1 video\n" in syncer("init").out


def test_a_video_that_is_in_a_text_several_times_is_one_video(there: Path, syncer: Run) -> None:
    lay(there, {"a.md": f"https://youtu.be/{A}\n".encode() * 3})
    assert "Saw 1 video in the text of 1 page" in syncer("init").out


@pytest.mark.parametrize(
    ("path", "text", "seen"),
    [
        ("a.yml", "- {}\n", True),
        ("a.yml", "{}: A chisel\n", True),
        ("a.csv", "id,title\n{},x\n", True),
        ("a.tsv", "title\tid\nx\t{}\n", True),
        ("a.json", '["{}"]', True),
        ("a.csv", "12345678901,covid-19-uk,JavaScripts\n", False),
    ],
)
def test_bare_ids_of_data_files_are_seen(there: Path, syncer: Run, path: str, text: str, seen: bool) -> None:
    lay(there, {"a.md": b"---\ntitle: A\n---\n", f"_data/{path}": text.format("5HjkiQJx-CY").encode()})
    assert (f"Saw 1 data file with video IDs, such as _data/{path}." in syncer("init").out) is seen


@pytest.mark.parametrize("fenced", [False, True])
def test_pages_without_fences_are_named_by_init_and_check_beside_a_page_with_them(
    there: Path, syncer: Run, fenced: bool
) -> None:
    metadata = f"Title: A\nYoutube: {A}\nViews: 3\n"
    page = f"---\n{metadata}---\n" if fenced else f"{metadata}\nText\n"
    lay(there, {"content/a.md": page.encode(), "content/b.md": f"---\n{metadata}---\n".encode()})
    (there / "pelicanconf.py").touch()
    seen = "Saw 1 page with a video in metadata without `---` lines, such as content/a.md."
    assert (seen in syncer("init").out) is not fenced
    assert (f"generator: {seen}" in syncer("check", "--offline").out) is not fenced


@pytest.mark.parametrize("named", ["option", "variable", "nothing"])
def test_what_init_suggests_is_about_the_config_that_it_wrote_where_other_commands_read_another(
    there: Path, syncer: Run, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    lay(there / "other site", SHAPES["jekyll"][0])
    (there / "sites.d").mkdir()
    if named == "variable":
        monkeypatch.setenv("SYNCER_CONFIG", "sites.d")
    ran = syncer("init", "other site", *(["-c", "other.yaml"] if named == "option" else []))
    commands = re.findall(r"`(syncer [^`]*)`", ran.out)
    assert commands == [f"syncer -c 'other site/config/syncer.yaml' {each}" for each in ("check", "sync --dry-run")]
    checked = syncer(*shlex.split(commands[0])[1:], "--offline").out
    assert checked.startswith("ok      config: other site/config/syncer.yaml is valid\n")


def test_what_init_suggests_names_no_config_that_is_found_anyway(there: Path, syncer: Run) -> None:
    lay(there, SHAPES["jekyll"][0])
    assert "run `syncer check` and `syncer sync --dry-run`.\n" in syncer("init").out


def test_it_changes_no_page(there: Path, syncer: Run) -> None:
    lay(there, SHAPES["jekyll"][0])
    before = tree(there)
    syncer("init")
    after = tree(there)
    assert {path: after[path] for path in before} == before
    assert after.keys() - before.keys() == {"config", "config/syncer.yaml"}


def test_another_directory_can_be_named(there: Path, syncer: Run) -> None:
    lay(there / "site", SHAPES["jekyll"][0])
    ran = syncer("init", "site")
    assert ran.code == 0
    assert "Wrote site/config/syncer.yaml." in ran.out
    assert (there / "site/config/syncer.yaml").is_file()
    assert not (there / "config").exists()


def by_a_file(place: Path) -> None:
    (place / "config").mkdir()
    (place / "config/syncer.yaml").write_bytes(b"mine")


def by_a_dangling_link(place: Path) -> None:
    (place / "config").mkdir()
    (place / "config/syncer.yaml").symlink_to("nowhere")


def by_a_file_named_config(place: Path) -> None:
    (place / "config").write_bytes(b"mine")


@pytest.mark.parametrize("taken", [by_a_file, by_a_dangling_link, by_a_file_named_config])
def test_what_exists_is_never_overwritten(there: Path, syncer: Run, taken: Callable[[Path], None]) -> None:
    lay(there, SHAPES["jekyll"][0])
    taken(there)
    before = tree(there)
    ran = syncer("init")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "config/syncer.yaml" in ran.err
    assert tree(there) == before


@pytest.mark.parametrize(
    "pages",
    [
        {},
        {"a.md": b"no front matter"},
        {"a.md": b"---\ntitle: bread\n---\n"},
        {"node_modules/x/a.md": crlf(A, 1, 2), ".trash/b.md": crlf(B, 1, 2), "notes/.obsidian/c.md": crlf(C, 1, 2)},
    ],
    ids=["an empty directory", "no front matter", "no video", "in directories that are skipped"],
)
def test_a_site_without_videos_exits_with_1_says_why_and_gets_no_config(
    there: Path, syncer: Run, pages: Mapping[str, bytes]
) -> None:
    lay(there, pages)
    before = tree(there)
    ran = syncer("init")
    assert ran.code == 1
    assert re.match("No (pages|YouTube video) found .*, so no config was written", ran.out)
    assert "docs/" not in ran.out
    assert tree(there) == before


def test_a_directory_that_does_not_exist_exits_with_2(there: Path, syncer: Run) -> None:
    ran = syncer("init", "nowhere")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "syncer: nowhere is not a directory: name the site's root\n"


def test_it_needs_neither_key_nor_network_nor_another_config(
    there: Path, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("YOUTUBE_API_KEY")
    monkeypatch.setenv("SYNCER_CONFIG", "none.yaml")
    lay(there, SHAPES["jekyll"][0])
    assert syncer("init").code == 0


def test_a_count_that_a_sync_does_not_write_is_named_and_gets_no_second_key(there: Path, syncer: Run) -> None:
    texts = ["5", '"31,147"', "1.2M"]
    lay(there, {f"_posts/{n}.md": f"---\nvid_id: {A}\nviews: {text}\n---\n".encode() for n, text in enumerate(texts)})
    ran = syncer("init")
    assert "  viewCount     views\n" in ran.out
    assert "insert_missing: true" not in (there / "config/syncer.yaml").read_text(encoding="utf-8")
    assert (
        "A sync would leave these alone and report them:\n"
        "  _posts/1.md:3: The count 'views' is \"31,147\", which syncer does not overwrite: write only "
        "digits, or leave it empty. [not-a-count]\n"
        "  _posts/2.md:3: The count 'views' is 1.2M, which"
    ) in ran.out
