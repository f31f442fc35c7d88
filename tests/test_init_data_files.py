"""`syncer init` on sites with data files: what it writes passes `check`, a sync changes counts only, undo puts back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from syncer.config.parse import parse_config
from syncer.model import Count, Fields
from syncer.simulator.server import Simulator
from tests.doc_blocks import git
from tests.site import Run, crlf, ids

IDS = ids(12, seed=17)
A, B, C, D = IDS[:4]
WATCH = "https://www.youtube.com/watch?v="
ENDPOINT = "https://youtube.googleapis.com/"


def talk(video: str, views: int | str | None = 5, **other: str) -> str:
    lines = [f'- title: "A talk, {video[:3]}"', f"  youtube_id: {video}"]
    lines += [] if views is None else [f"  views: {views}"]
    return "\n".join([*lines, *(f"  {key}: {text}" for key, text in other.items())]) + "\n"


JEKYLL = {"_data/talks.yml": "# The talks, newest first.\n---\n" + talk(A) + "# an old one\n" + talk(B, 7)}
HUGO = {
    "data/videos.json": json.dumps(
        {"videos": [{"id": A, "title": "x", "views": "5"}, {"id": B, "views": "7"}]}, indent=4
    )
}
ELEVENTY = {"_data/videos.json": json.dumps([{"youtubeId": A, "viewCount": 5}, {"youtubeId": B, "viewCount": None}])}
ASTRO = {
    f"src/content/videos/{n}.json": json.dumps({"title": f"{n}", "youtubeId": video}, indent=2)
    for n, video in enumerate(IDS[:5])
}
TOML = {
    "data/2026.toml": f'year = 2026\n\n[[talks]]\ntitle = "x"\nvideo.id = "{A}" # the recording\nvideo.views = 1\n\n'
    f'[[talks]]\ntitle = "y"\n[talks.video]\nid = "{B}"\nviews = 2\n'
}
LIBRARY = {"_data/library.csv": f'title;Video ID;views;likes\n"A; b";{A};5;6\nnone;;;\nc;{B};"7";\n'}
TSV = {"_data/library.tsv": f"title\tyoutube\tviews\nx\thttps://youtu.be/{A}\t5\ny\t{B}\t\n"}
KEYED = {"data/stats.yml": f"{A}:\n  title: x\n  views: 5\n{B}: {{title: y, views: 7}}\n"}
BELOW = {"data/site.json": json.dumps({"videos": {A: {"title": "x"}, B: {"title": "y"}}}, indent=2)}
EVENTS = {
    f"data/{event}/videos.yml": "".join(
        f"- title: {day}\n  talks:\n    - video_id: {video}\n      title: x\n"
        for day, video in enumerate(IDS[n : n + 3])
    )
    for n, event in enumerate(["ruby", "rust", "go", "zig"])
}
MANY = {f"_data/videos/{n}.yml": talk(video) for n, video in enumerate(IDS)} | {
    "_data/people.yml": "- id: ann\n- id: bob\n",
    "_data/nav.json": '[{"url": "/a", "youtube_id": 3}]',
}

SHAPES: Mapping[str, tuple[Mapping[str, str], list[tuple[str, str, list[str]]], int]] = {
    "jekyll list": (JEKYLL, [("_data", "[].youtube_id", ["/talks.yml"])], 2),
    "hugo json": (HUGO, [("data", "videos[].id", ["/videos.json"])], 2),
    "eleventy json": (ELEVENTY, [("_data", "[].youtubeId", ["/videos.json"])], 2),
    "astro json": (ASTRO, [("src/content/videos", "youtubeId", ["**/*.json"])], 10),
    "conference toml": (TOML, [("data", "talks[].video.id", ["/2026.toml"])], 2),
    "library csv": (LIBRARY, [("_data", "Video ID", ["/library.csv"])], 4),
    "library tsv": (TSV, [("_data", "youtube", ["/library.tsv"])], 2),
    "keys are ids": (KEYED, [("data", "{}", ["/stats.yml"])], 2),
    "keys below are ids": (BELOW, [("data", "videos.{}", ["/site.json"])], 4),
    "lists in lists": (EVENTS, [("data", "[].talks[].video_id", ["**/videos.yml"])], 24),
    "many of one shape": (MANY, [("_data/videos", "[].youtube_id", ["**/*.yml"])], 12),
}
"""Data files; the directory, the ID's key and the patterns of each collection; the counts that a sync changes."""


def lay(there: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (there / path).parent.mkdir(parents=True, exist_ok=True)
        (there / path).write_bytes(text.encode())


def proposed(there: Path) -> list[Fields]:
    target = there / "config/syncer.yaml"
    return [each.as_model().fields for each in parse_config(target.read_text(encoding="utf-8"), target).collections]


def aim_at(there: Path, youtube: Simulator) -> None:
    target = there / "config/syncer.yaml"
    target.write_text(target.read_text(encoding="utf-8").replace(ENDPOINT, youtube.url), encoding="utf-8")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_site_with_data_files_gets_a_config_that_works_unchanged(
    there: Path, youtube: Simulator, syncer: Run, shape: str
) -> None:
    files, wanted, changes = SHAPES[shape]
    lay(there, files)
    git(there, "init", "--quiet", "--initial-branch=main")
    git(there, "add", "--all")
    git(there, "commit", "--quiet", "--message", "The data")
    ran = syncer("init")
    assert (ran.code, ran.err) == (0, "")
    target = there / "config/syncer.yaml"
    collections = parse_config(target.read_text(encoding="utf-8"), target).collections
    assert [(each.directory, each.fields.video_id, list(each.include)) for each in collections] == wanted
    aim_at(there, youtube)
    checked = syncer("check")
    assert checked.code == 0, checked.out
    named = sum(any(video in text for video in IDS) for text in files.values())
    assert f"content: {named} data file{'s' if named > 1 else ''} with " in checked.out
    report = syncer("sync", "--dry-run", "--json").document
    assert (report["exit"], report["problems"], report["missing"]) == (0, [], [])
    report = syncer("sync", "--json").document
    assert (report["exit"], report["changed_counts"]) == (0, changes)
    diff = git(there, "diff", "--word-diff-regex=[0-9]+|[^0-9]", "--word-diff=porcelain", "--", *files)
    assert diff
    added = re.findall(r"^([-+])(?![-+]{2} [ab]/)(.*)$", diff, re.MULTILINE)
    names = "|".join(["", *(re.escape(name) for each in collections for name in each.fields.counts.values())])
    assert all(re.fullmatch(rf'null|[\s"]*(?:{names})[":,= ]*[0-9,\n\s"]*', text) for _, text in added), added


@pytest.mark.parametrize("files", [JEKYLL, HUGO, KEYED, TOML], ids=["yaml", "json", "keys", "toml"])
def test_undo_puts_the_file_back_byte_for_byte(
    there: Path, youtube: Simulator, syncer: Run, files: Mapping[str, str]
) -> None:
    lay(there, files)
    syncer("init")
    aim_at(there, youtube)
    report = syncer("sync", "--json").document
    assert report["changed_counts"] == 2
    assert syncer("undo", report["sync"]).code == 0
    assert {path: (there / path).read_bytes().decode() for path in files} == files


def providers(provider: str, others: Mapping[str, str]) -> str:
    items = [f"- title: {n}\n  video_provider: {provider}\n  video_id: {video}\n" for n, video in enumerate(IDS)]
    items += [f"- title: x\n  video_provider: {name}\n  video_id: {text}\n" for text, name in others.items()]
    return "".join(items)


SLUGS = {"a-talk-2024": "children", "another-talk": "parent", "76979871": "vimeo", "hello-world": "parent"}


def test_where_is_proposed_where_it_explains_the_ids_that_are_none(
    there: Path, youtube: Simulator, syncer: Run
) -> None:
    small = "a1b2c3d4e58"  # an ID without capitals: one of 400 is so
    lay(there, {"data/videos.yml": providers("youtube", SLUGS).replace(IDS[11], small)})
    ran = syncer("init")
    assert "only where    video_provider is youtube\n" in ran.out
    assert "data: 1 data file, 12 videos\n" in ran.out
    (fields,) = proposed(there)
    assert (fields.where, fields.insert_missing) == ({"video_provider": "youtube"}, True)
    aim_at(there, youtube)
    report = syncer("sync", "--json").document
    assert (report["exit"], report["videos"], report["problems"]) == (0, 12, [])


def test_where_is_proposed_for_front_matter_too(there: Path, youtube: Simulator, syncer: Run) -> None:
    kinds = [(video, "YouTube") for video in IDS] + [(text, "Vimeo") for text in ["76979871", "1084537", "22439234"]]
    pages = {f"_posts/{n}.md": f"---\nvideo_type: {kind}\nvideo: {text}\n---\n" for n, (text, kind) in enumerate(kinds)}
    lay(there, pages)
    assert syncer("init").code == 0
    (fields,) = proposed(there)
    assert fields.where == {"video_type": "YouTube"}
    aim_at(there, youtube)
    assert syncer("sync", "--dry-run", "--json").document["problems"] == []


@pytest.mark.parametrize(
    "others",
    [
        {},
        {"a-talk-2024": "youtube", "another-talk": "youtube"},
    ],
    ids=["there are no others", "it explains none"],
)
def test_where_is_not_proposed_where_it_explains_nothing(there: Path, syncer: Run, others: Mapping[str, str]) -> None:
    lay(there, {"data/videos.yml": providers("youtube", others)})
    syncer("init")
    (fields,) = proposed(there)
    assert fields.where == {}


def test_a_table_without_a_column_for_a_count_is_named_and_not_proposed(there: Path, syncer: Run) -> None:
    lay(there, {"_data/library.csv": f"title,youtube_id\nx,{A}\ny,{B}\n"})
    ran = syncer("init")
    assert ran.code == 1
    assert "Saw 2 videos in the column `youtube_id` of _data/library.csv, and no column for a count." in ran.out
    assert "Add columns such as `view_count` and `like_count`, empty at first" in ran.out
    assert not (there / "config").exists()


@pytest.mark.parametrize("beside", [{}, {"_data/talks.yml": ""}], ids=["alone", "beside a list"])
def test_what_init_prints_of_a_table_is_a_part_of_a_config_that_works(
    there: Path, syncer: Run, beside: dict[str, str]
) -> None:
    lay(there, {"_data/library.csv": f"title,youtube_id,Aufrufe\nx,{A},1.234 Mal\ny,{B},\n"})
    lay(there, dict.fromkeys(beside, talk(C)))
    ran = syncer("init")
    assert ("init` again" in ran.out) == (not beside), "it refuses to run again once there is a config"
    printed = [line for line in ran.out.splitlines() if line.startswith(("collections:", "  - ", "    "))]
    file = there / "config" / "syncer.yaml"
    text = file.read_text(encoding="utf-8") if beside else "collections:\n\nyoutube: {}\n"
    config = parse_config(text.replace("\nyoutube:", "\n".join([*printed[not beside :], "", "youtube:"])), file)
    assert config.collections[-1].fields.video_id == "youtube_id"
    assert config.collections[-1].format == "csv"
    assert "With `counts: {}` instead, a sync only reports whether the videos play.\n" in ran.out


def test_files_with_other_names_for_the_counts_are_another_collection(there: Path, syncer: Run) -> None:
    other = "".join(f"- youtube_id: {video}\n  viewCount: 3\n" for video in (C, D))
    lay(there, {"_data/a.yml": talk(A) + talk(B), "_data/b.yml": other, "_data/c.yml": talk(D, None)})
    syncer("init")
    assert {tuple(fields.counts.values()) for fields in proposed(there)} == {("views",), ("viewCount",)}


def test_what_is_built_archived_or_a_setting_is_not_proposed(there: Path, syncer: Run) -> None:
    lay(
        there,
        {
            "_data/talks.yml": talk(A) + talk(B),
            "_site/talks.yml": talk(A) + talk(B),
            "dist/talks.json": json.dumps([{"youtube_id": A}]),
            "_config.yml": f"youtube: https://youtu.be/{A}\n",
            "_data/settings.yml": f"youtube: https://youtu.be/{A}\n",
        },
    )
    assert syncer("init").code == 0
    target = there / "config/syncer.yaml"
    (collection,) = parse_config(target.read_text(encoding="utf-8"), target).collections
    assert (collection.directory, collection.include) == ("_data", ("/talks.yml",))


def test_a_file_of_the_same_directory_with_other_things_under_the_key_is_left_out(there: Path, syncer: Run) -> None:
    videos = {f"_data/{name}.yml": f"- id: {A}\n  views: 1\n- id: {B}\n  views: 2\n" for name in "abcd"}
    lay(there, {**videos, "_data/people.yml": "- id: ann\n- id: bob\n", "_data/nav.yml": "- title: x\n"})
    syncer("init")
    assert syncer("check", "--offline").code == 0
    target = there / "config/syncer.yaml"
    (collection,) = parse_config(target.read_text(encoding="utf-8"), target).collections
    assert "/people.yml" not in collection.include
    report = yaml.safe_load(target.read_text(encoding="utf-8"))
    assert report["collections"][0]["directory"] == "_data"


def test_pages_and_data_files_are_collections_side_by_side(there: Path, syncer: Run) -> None:
    lay(there, JEKYLL)
    (there / "_posts").mkdir()
    (there / "_posts/a.md").write_bytes(crlf(C, 1, 2))
    ran = syncer("init")
    assert [fields.video_id for fields in proposed(there)] == ["vid_id", "[].youtube_id"]
    assert "_posts: 1 page, 1 video\n" in ran.out
    assert "_data: 1 data file, 2 videos\n" in ran.out
    checked = syncer("check", "--offline").out
    assert "content: 1 page and 1 data file with 3 videos and 4 counts" in checked
    assert "permissions: all pages and data files can be written" in checked


@pytest.mark.parametrize(("generator", "insert_as"), [("hugo.toml", "string"), ("eleventy.config.js", "number")])
def test_counts_that_hugo_would_round_are_added_as_strings(
    there: Path, syncer: Run, generator: str, insert_as: str
) -> None:
    lay(there, {"data/videos.json": json.dumps([{"youtube_id": A}, {"youtube_id": B}])})
    (there / generator).touch()
    syncer("init")
    (fields,) = proposed(there)
    assert fields.insert_as == insert_as


def test_hugos_directory_of_data_is_in_the_comment_on_write_and_nowhere_else(there: Path, syncer: Run) -> None:
    lay(there, {"hugo.toml": "", "my_data/youtube.yml": talk(A) + talk(B), "b/youtube.yml": talk(C) + talk(D)})
    syncer("init")
    target = there / "config/syncer.yaml"
    text = target.read_text(encoding="utf-8")
    (collection,) = parse_config(text, target).collections
    assert collection.include == ("/b/youtube.yml", "/my_data/youtube.yml")
    assert "file: null # data/youtube.yml\n" in text


def test_the_file_of_write_to_is_not_proposed(there: Path, youtube: Simulator, syncer: Run) -> None:
    lay(there, {})
    (there / "_posts").mkdir()
    (there / "_posts/a.md").write_bytes(crlf(C, 1, 2))
    syncer("init")
    aim_at(there, youtube)
    target = there / "config/syncer.yaml"
    text = target.read_text(encoding="utf-8").replace("  to: front_matter", "  to: data_file")
    target.write_text(text.replace("file: null", "file: _data/youtube.yml"), encoding="utf-8")
    assert syncer("sync").code == 0
    assert (there / "_data/youtube.yml").exists()
    target.unlink()
    syncer("init")
    assert [fields.video_id for fields in proposed(there)] == ["vid_id"]


BROKEN: list[Callable[[str], str]] = [
    lambda text: text + "- [\n",
    lambda text: text.replace("- title", "\t- title"),
    lambda text: "",
    lambda text: "[]\n",
    lambda text: text.encode("utf-16").decode("latin-1"),
]


@pytest.mark.parametrize("change", BROKEN)
def test_a_file_that_cannot_be_read_does_not_stop_it(there: Path, syncer: Run, change: Callable[[str], str]) -> None:
    lay(there, {"_data/talks.yml": talk(A) + talk(B), "_data/other.yml": change(talk(C) + talk(D))})
    assert syncer("init").code == 0
    assert [fields.video_id for fields in proposed(there)] == ["[].youtube_id"]


def test_links_that_are_seldom_youtube_are_no_collection(there: Path, syncer: Run) -> None:
    talks = {
        f"data/{n}.json": json.dumps({"videos": [{"url": f"https://youtu.be/{video}"}], "links": links})
        for n, video in enumerate(IDS)
        for links in [[{"url": WATCH + IDS[m] if n == 3 else f"https://example.org/{n}{m}"} for m in range(5)]]
    }
    lay(there, talks)
    assert syncer("init").code == 0
    assert [fields.video_id for fields in proposed(there)] == ["videos[].url"]


def test_files_below_many_directories_have_one_pattern(there: Path, syncer: Run) -> None:
    lay(there, {f"{event}-{n}/talks/{n}.yml": talk(A) + talk(B) for n in range(7) for event in ("pycon", "jsday")})
    lay(there, {"jsday-1/_archive/old.yml": talk(C), "docs/people.yml": "- youtube_id: {ann: 1}\n"})
    syncer("init")
    target = there / "config/syncer.yaml"
    (collection,) = parse_config(target.read_text(encoding="utf-8"), target).collections
    assert (collection.directory, collection.include) == (".", ("**/*.yml",))
    assert sorted(collection.exclude) == ["/docs/people.yml", "/jsday-1/_archive/old.yml"]


def test_names_of_channels_and_words_of_eleven_letters_are_no_collection(there: Path, syncer: Run) -> None:
    names = ["VisualitypE", "EngineersSG", "RubyFloripa", "TorontoRuby", "Montreal-rb"]
    channels = {
        f"data/{n}.yml": f"youtube_channels:\n- name: {name}\nmeta: [{{video_of: {name}}}]\n"
        for n, name in enumerate(names)
    }
    lay(there, {**channels, "data/talks.yml": talk(A) + talk(B)})
    syncer("init")
    assert [fields.video_id for fields in proposed(there)] == ["[].youtube_id"]


@pytest.mark.parametrize(("name", "videos"), [("videos", 2), ("recordings", 5)])
def test_a_list_of_videos_is_one_whatever_other_files_have_under_the_key(
    there: Path, syncer: Run, name: str, videos: int
) -> None:
    people = "".join(f"- name: {n}\n  link: https://example.org/{n}\n" for n in range(40)) + f"- link: {WATCH}{A}\n"
    lay(there, {"_data/people.yml": people})
    lay(there, {f"_data/{name}.yml": "".join(f"- title: x\n  link: {WATCH}{video}\n" for video in IDS[:videos])})
    syncer("init")
    target = there / "config/syncer.yaml"
    (collection,) = parse_config(target.read_text(encoding="utf-8"), target).collections
    assert (collection.fields.video_id, collection.include) == ("[].link", (f"/{name}.yml",))


@pytest.mark.parametrize("text", ['"31,147"', "1_000", "0x10", "31k", '"12 views"', "3.5", "n/a"])
def test_a_count_that_a_sync_does_not_write_is_named_and_gets_no_second_key(
    there: Path, syncer: Run, text: str
) -> None:
    lay(there, {"_data/talks.yml": talk(A, text) + talk(B, text)})
    ran = syncer("init")
    (fields,) = proposed(there)
    assert (list(fields.counts.values()), fields.insert_missing) == (["views"], False)
    assert (
        "A sync would leave these alone and report them:\n"
        f"  _data/talks.yml:3: The count '[0].views' is {text}, which syncer does not overwrite: write "
        "only digits, or leave it empty. [not-a-count]\n"
    ) in ran.out


def test_only_the_first_of_many_problems_are_named(there: Path, syncer: Run) -> None:
    lay(there, {"_data/talks.yml": "".join(talk(video, "31k") for video in IDS)})
    out = syncer("init").out
    assert out.count("[not-a-count]") == 5
    assert "  ... and 7 more problems; `syncer sync --dry-run` lists all\n" in out


def test_a_table_with_texts_for_counts_is_proposed(there: Path, syncer: Run) -> None:
    lay(there, {"_data/library.csv": f'youtube_id,views\n{A},"31,147"\n{B},5\n'})
    assert "_data/library.csv:2: The count 'views' is 31,147, which syncer does not overwrite" in syncer("init").out
    assert [fields.counts for fields in proposed(there)] == [{"viewCount": "views"}]


NESTED = "- title: x\n  video: {{id: {}, views: 3}}\n"


def test_two_shapes_of_items_in_one_list_are_two_mappings_with_their_own_counts(
    there: Path, youtube: Simulator, syncer: Run
) -> None:
    flat = "".join(f"- id: {video}\n  views: 5\n" for video in IDS[:4])
    lay(there, {"_data/talks.yml": flat + NESTED.format(IDS[4]) + NESTED.format(IDS[5])})
    syncer("init")
    assert {fields.video_id: fields.counts[Count.VIEWS] for fields in proposed(there)} == {
        "[].id": "views",
        "[].video.id": "video.views",
    }
    aim_at(there, youtube)
    assert syncer("sync", "--json").document["changed_counts"] == 6


@pytest.mark.parametrize(
    ("items", "named"),
    [
        (f"- {C}\n- {WATCH}{D}\n", "Left out 2 videos in the list `[]` of _data/talks.yml: an item that is only an ID"),
        (f"- {C}\n", "Left out 1 video in the list `[]` of _data/talks.yml: an item that is only an ID has no place"),
        (f"- id: {C}\n", "Left out 1 video under `[].id` of _data/talks.yml: map that key by hand"),
        (f"- title: x\n  related: [{C}, {D}]\n", "Left out 2 videos in the list `[].related[]` of _data/talks.yml"),
    ],
)
def test_videos_of_a_data_file_that_no_mapping_reaches_are_counted(
    there: Path, syncer: Run, items: str, named: str
) -> None:
    lay(there, {"_data/talks.yml": talk(A) + talk(B) + items})
    ran = syncer("init")
    assert [fields.video_id for fields in proposed(there)] == ["[].youtube_id"]
    assert named in ran.out


def test_a_key_that_names_the_same_videos_and_a_thumbnail_are_not_left_out(there: Path, syncer: Run) -> None:
    other = {"link": WATCH + A, "thumbnail": f"https://i.ytimg.com/vi/{A}/hq.jpg"}
    lay(there, {"_data/talks.yml": talk(A, **other) + talk(B, link=WATCH + B)})
    assert "Left out" not in syncer("init").out


@pytest.mark.parametrize("ids", [1, 3, 12])
@pytest.mark.parametrize("stray", ["_comment", "default", "$schema", "a title"])
@pytest.mark.parametrize("below", [False, True])
def test_a_stray_key_among_ids_is_told_once(there: Path, syncer: Run, ids: int, stray: str, below: bool) -> None:
    # one key of letters alone may be a name
    videos: dict[str, object] = {video: {"views": 5} for video in sorted(IDS, key=str.isalpha)[:ids]}
    mapping = {stray: {"views": 0}, **videos}
    lay(there, {"_data/videos.json": json.dumps({"videos": mapping} if below else mapping)})
    ran = syncer("init")
    if ids == 1 and stray == "a title":
        assert ran.code == 1
        return
    assert [fields.video_id for fields in proposed(there)] == ["videos.{}" if below else "{}"]
    assert ran.out.count(f"The key '{stray}' is not a video ID: remove it, or move it out of the mapping.") == 1


def test_a_mapping_with_a_few_names_that_look_like_ids_is_not_one_of_ids(there: Path, syncer: Run) -> None:
    people = {"JavaScripts": {"views": 5}, "BobSmithXYZ": {"views": 5}, "Ann": {"views": 5}, "Bo": {"views": 5}}
    lay(there, {"_data/people.json": json.dumps(people)})
    lay(there, {"_data/names.json": json.dumps({"JavaScripts": {"views": 5}, "path-exists": {}})})
    lay(there, {"_data/words.json": json.dumps({"JavaScripts": {"views": 5}, "HackNYCTalk": {"views": 5}})})
    lay(there, {"package-lock.json": json.dumps({"dependencies": {"is-Array-1s": {"views": "1"}}})})
    lay(there, {"_data/words.yml": "[JavaScripts, ActionCable, BobSmithXYZ, Ruby, Go, Rust, C]\n"})
    assert syncer("init").code == 1


def test_words_in_lists_are_no_videos_that_were_left_out(there: Path, syncer: Run) -> None:
    tags = "[JavaScripts, Ruby, Go]"
    lay(there, {"_data/talks.yml": talk(A, tags=tags) + talk(B), "_data/words.yml": f"- tags: {tags}\n"})
    lay(there, {"_data/ui.yml": "lt: {label: JavaScripts}\n"})
    assert "Left out" not in syncer("init").out


def test_delimiters_in_quotes_are_none(there: Path, syncer: Run) -> None:
    lay(there, {"_data/library.csv": f'"Title, subtitle, year";youtube_id;views\n"x, y";{A};5\nz;{B};\n'})
    syncer("init")
    assert [fields.video_id for fields in proposed(there)] == ["youtube_id"]


def json_of(**lists: list[dict[str, object]]) -> str:
    return json.dumps(lists, indent=1)


REAL = {
    "two videos in an item": (
        "data/videos.toml",
        "".join(
            f'[[videos]]\ntitle = "x"\nsource = "https://youtu.be/{video}"\n'
            + (f'other = "https://youtu.be/{IDS[9 + n // 3]}"\n' if n % 3 == 0 else 'other = "https://fb.watch/x"\n')
            for n, video in enumerate(IDS[:6])
        ),
        ["videos[].source"],
        "Left out 2 videos under `videos[].other` of data/videos.toml: map that key by hand",
    ),
    "what YouTube's API returned": (
        "_data/youtube.json",
        json_of(
            items=[
                {
                    "kind": "youtube#video",
                    "id": video,
                    "snippet": {"thumbnails": {"default": {"url": f"https://i.ytimg.com/vi/{video}/default.jpg"}}},
                    "statistics": {"viewCount": "31"},
                }
                for video in IDS[:4]
            ]
        ),
        ["items[].id"],
        "",
    ),
    "the same videos in another list": (
        "data/videos.json",
        json_of(
            talks=[{"url": WATCH + video} for video in IDS[:4]],
            favourites=[{"url": f"https://www.youtube.com/embed/{video}?si=Kv1"} for video in IDS[:2]],
        ),
        ["favourites[].url", "talks[].url"],
        "",
    ),
    "a dash on its own line, and a last line that does not end": (
        "_data/videos.yml",
        "---\n" + "\n".join(f"  - \n    name: x\n    url: https://youtu.be/{video}" for video in IDS[:3]),
        ["[].url"],
        "",
    ),
}
"""Shapes of public sites."""


@pytest.mark.parametrize("shape", REAL)
def test_shapes_of_public_sites_get_configs_that_work(there: Path, youtube: Simulator, syncer: Run, shape: str) -> None:
    path, text, wanted, named = REAL[shape]
    lay(there, {path: text})
    ran = syncer("init")
    assert named in ran.out
    assert ("Left out" in ran.out) is bool(named)
    assert sorted(fields.video_id for fields in proposed(there)) == wanted
    aim_at(there, youtube)
    report = syncer("sync", "--json").document
    assert (report["exit"], report["problems"]) == (0, [])
    assert report["changed_counts"] >= 3
