"""`syncer init` and `syncer check` on sites with few data files, weak keys, and keys in several letter cases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from syncer.config.parse import parse_config
from syncer.simulator.server import Simulator
from tests.site import Run
from tests.test_init_data_files import IDS, WATCH, aim_at, lay, proposed, talk

A, B, C, D = IDS[:4]
SINGLE = {n: f'{{"videoId": "{video}", "viewCount": 5}}\n' for n, video in enumerate(IDS)}


def includes(there: Path) -> list[tuple[str, list[str]]]:
    target = there / "config/syncer.yaml"
    collections = parse_config(target.read_text(encoding="utf-8"), target).collections
    return [(each.directory, list(each.include)) for each in collections]


@pytest.mark.parametrize(
    ("files", "directory", "include"),
    [
        ({f"src/content/v/{n}.json": SINGLE[n] for n in range(2)}, "src/content/v", ["**/*.json"]),
        ({f"src/content/v/{n}.json": SINGLE[n] for n in range(3)}, "src/content/v", ["**/*.json"]),
        ({f"src/data/{n}.json": SINGLE[n] for n in range(3)}, "src/data", ["**/*.json"]),
        ({f"_data/talks/{n}.yml": talk(IDS[n]) for n in range(2)}, "_data/talks", ["**/*.yml"]),
        ({f"_data/{n}.yml": talk(IDS[n]) for n in range(2)}, "_data", ["/0.yml", "/1.yml"]),
        (
            {f"src/content/v/{n}.json": SINGLE[n] for n in range(3)} | {"src/content/v/nav.json": "{}"},
            "src/content/v",
            ["/0.json", "/1.json", "/2.json"],
        ),
        ({"src/content/v/0.json": SINGLE[0]}, "src/content/v", ["/0.json"]),
    ],
    ids=["two", "three", "in data", "lists", "lists in data", "beside another file", "one"],
)
def test_a_directory_of_such_files_takes_the_next_one(
    there: Path, syncer: Run, files: Mapping[str, str], directory: str, include: list[str]
) -> None:
    lay(there, files)
    assert syncer("init").code == 0
    assert includes(there) == [(directory, include)]


def test_a_file_that_is_added_to_such_a_directory_is_synced(there: Path, youtube: Simulator, syncer: Run) -> None:
    lay(there, {f"src/content/v/{n}.json": SINGLE[n] for n in range(3)})
    syncer("init")
    aim_at(there, youtube)
    lay(there, {"src/content/v/3.json": SINGLE[3]})
    assert syncer("sync", "--json").document["changed_counts"] == 4


@pytest.mark.parametrize(
    ("path", "text", "key"),
    [
        ("_data/talks.yml", f"- id: {A}\n  views: 1\n", "[].id"),
        ("_data/2026-talks.yml", f"- id: {A}\n", "[].id"),
        ("_data/v.yml", f"talks:\n- id: {A}\n", "talks[].id"),
        ("_data/v.yml", f"- youtube: {A}\n", "[].youtube"),
        ("_data/videos.yml", f"- id: {A}\n", "[].id"),
    ],
)
def test_one_item_is_proposed_where_a_name_says_what_it_is(
    there: Path, syncer: Run, path: str, text: str, key: str
) -> None:
    lay(there, {path: text})
    assert syncer("init").code == 0
    assert [fields.video_id for fields in proposed(there)] == [key]


@pytest.mark.parametrize("text", ["- id: introductio\n", "- id: my-talk-fo8\n", "- id: pycon-2026a\n  views: 1\n"])
def test_a_slug_in_a_list_of_talks_is_no_video(there: Path, syncer: Run, text: str) -> None:
    lay(there, {"_data/talks.yml": text})
    assert syncer("init").code == 1


@pytest.mark.parametrize("item", [f"- id: {C}\n  views: 1\n", f"- id: {C}\n", f"- ref: {C}\n  views: 1\n"])
@pytest.mark.parametrize("beside", [True, False], ids=["beside a proposal", "alone"])
def test_one_item_under_a_weak_key_is_mentioned(there: Path, syncer: Run, item: str, beside: bool) -> None:
    lay(there, {"_data/v.yml": item} | ({"_data/a.yml": talk(A) + talk(B)} if beside else {}))
    ran = syncer("init")
    assert ran.code == (0 if beside else 1)
    assert "_data/v.yml" in ran.out
    if beside:
        assert (
            f"Left out 1 video under `[].{item[2:].partition(':')[0]}` of _data/v.yml: map that key by hand" in ran.out
        )


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        ("a.csv", f"Name,Link\nx,{WATCH}{A}\ny,{WATCH}{B}\n", "No table with a video has a column for a count"),
        ("a.yml", f"- id: {A}\n  t: 1\n", "No data file has videos in a form that init can propose"),
    ],
)
def test_what_it_says_first_does_not_deny_what_it_saw(there: Path, syncer: Run, path: str, text: str, why: str) -> None:
    lay(there, {f"_data/{path}": text})
    ran = syncer("init")
    assert ran.code == 1
    assert ran.out.startswith(f"{why}, so no config was written.\nSaw ")
    assert "No YouTube video" not in ran.out


def items(*texts: str) -> str:
    return "".join(f"- title: x\n{text}" for text in texts)


UPPER = items(f"  youtube_id: {A}\n  views: 2\n", f"  youtube_id: {B}\n  Views: 1\n")
CASES = {
    "a count": ({"_data/talks.yml": UPPER}, "views", "Views", 1),
    "JSON": (
        {
            "_data/v.json": f'{{"videos": [{{"youtubeId": "{A}", "viewCount": 1}}, {{"youtubeId": "{B}",'
            f' "viewcount": 1}}, {{"youtubeId": "{C}", "viewcount": 1}}, {{"youtubeId": "{D}", "viewCount": 1}},'
            f' {{"youtubeId": "{IDS[4]}", "viewCount": 1}}]}}'
        },
        "viewCount",
        "viewcount",
        2,
    ),
    "keys are IDs": ({"_data/v.toml": f"[{A}]\nviews = 1\n[{B}]\nViews = 1\n[{C}]\nviews = 1\n"}, "views", "Views", 1),
}


@pytest.mark.parametrize("case", CASES)
def test_a_key_in_other_letters_is_named_by_init_and_check(
    there: Path, youtube: Simulator, syncer: Run, case: str
) -> None:
    files, mapped, written, videos = CASES[case]
    lay(there, files)
    ran = syncer("init")
    assert ran.code == 0
    config = (there / "config/syncer.yaml").read_text(encoding="utf-8")
    if f": {written}" in config or f"].{written}" in config:
        mapped, written = written, mapped
    have = "videos have" if videos > 1 else "video has"
    sentence = f"{videos} {have} `{written}` instead of `{mapped}`, such as in _data/"
    assert sentence in ran.out
    aim_at(there, youtube)
    checked = syncer("check", "--offline")
    assert checked.code == 0, checked.out
    assert f"warning content: _data: {sentence}" in checked.out
    assert checked.out.count("Letter case matters") == 1


@pytest.mark.parametrize(
    ("files", "fields", "said"),
    [
        (
            {"_data/talks.yml": talk(A, host="youtube") + talk(B, Host="youtube")},
            "video_id: '[].youtube_id', where: {host: youtube}, counts: {viewCount: views}",
            "1 video has `Host` instead of `host`, such as in _data/talks.yml. ",
        ),
        (
            {"_data/1.yml": talk(A, day="2026-01-01"), "_data/2.yml": talk(C, Day="2026-01-01")},
            "video_id: '[].youtube_id', checked_at: day, counts: {viewCount: views}",
            "1 video has `Day` instead of `day`, such as in _data/2.yml. ",
        ),
    ],
    ids=["where", "a date"],
)
def test_check_names_each_mapped_key_that_items_have_in_other_letters(
    there: Path, syncer: Run, files: Mapping[str, str], fields: str, said: str
) -> None:
    lay(there, files)
    lay(
        there,
        {"config/syncer.yaml": f"collections:\n  - {{directory: _data, include: ['*.yml'], fields: {{{fields}}}}}\n"},
    )
    assert f"warning content: _data: {said}Letter case matters" in syncer("check", "--offline").out


def test_a_count_that_all_items_have_in_other_letters_is_named_once(there: Path, syncer: Run) -> None:
    fields = "video_id: '[].youtube_id', counts: {viewCount: Views, likeCount: likes}"
    lay(there, {"_data/talks.yml": talk(A, likes="1") + talk(B, likes="2")})
    lay(
        there,
        {"config/syncer.yaml": f"collections:\n  - {{directory: _data, include: ['*.yml'], fields: {{{fields}}}}}\n"},
    )
    lines = [line for line in syncer("check", "--offline").out.splitlines() if "Views" in line]
    assert len(lines) == 1
    assert "No data file has" in lines[0]


def test_a_key_that_another_collection_maps_in_the_same_file_is_not_named(there: Path, syncer: Run) -> None:
    lay(there, {"_data/talks.yml": talk(A, host="a") + talk(B, host="b").replace("views", "Views")})
    one = (
        "{directory: _data, include: ['*.yml'], fields: {video_id: '[].youtube_id', where: {host: HOST}, counts: KEY}}"
    )
    lines = [
        one.replace("HOST", host).replace("KEY", f"{{viewCount: {key}}}")
        for host, key in (("a", "views"), ("b", "Views"))
    ]
    lay(there, {"config/syncer.yaml": "collections:\n" + "".join(f"  - {line}\n" for line in lines)})
    assert "content: 1 data file with 2 videos and 2 counts" in syncer("check", "--offline").out
    assert "Letter case" not in syncer("check", "--offline").out


@pytest.mark.parametrize(
    "text",
    [
        items(f"  youtube_id: {A}\n  views: 2\n  Views: old\n", f"  youtube_id: {B}\n  views: 1\n"),
        items(f"  youtube_id: {A}\n  views: 2\n", f"  youtube_id: {B}\n  views: 1\n", "  Views: 4\n"),
        items(f"  youtube_id: {A}\n  views: 2\n", f"  youtube_id: {B}\n  views: 1\n  note: Views are good\n"),
    ],
    ids=["both keys", "no video", "in a text"],
)
def test_other_letters_that_hide_no_count_are_not_named(there: Path, syncer: Run, text: str) -> None:
    lay(there, {"_data/talks.yml": text})
    assert "Letter case" not in syncer("init").out
    assert "Letter case" not in syncer("check", "--offline").out


def answers(key: str, yes: str, no: str) -> str:
    videos = [f"- id: {video}\n  {key}: {yes}\n" for video in IDS[:6]]
    return "".join([*videos, *(f"- id: slug-{n}\n  {key}: {no}\n" for n in range(6))])


@pytest.mark.parametrize(
    ("key", "yes", "no"),
    [("is_youtube", "true", "false"), ("isYouTube", "yes", "no"), ("vimeo", "false", "true"), ("external", "0", "1")],
)
def test_where_may_be_a_yes_or_no(there: Path, youtube: Simulator, syncer: Run, key: str, yes: str, no: str) -> None:
    lay(there, {"_data/videos.yml": answers(key, yes, no)})
    ran = syncer("init")
    assert ran.code == 0
    assert f"  only where    {key} is {yes}\n" in ran.out
    assert [fields.where for fields in proposed(there)] == [{key: yes}]
    aim_at(there, youtube)
    report = syncer("sync", "--json").document
    assert (report["exit"], report["problems"], report["changed_counts"]) == (0, [], 12)


@pytest.mark.parametrize(("key", "yes", "no"), [("featured", "true", "false"), ("is_youtube", "false", "true")])
def test_another_yes_or_no_says_nothing_of_the_host(there: Path, syncer: Run, key: str, yes: str, no: str) -> None:
    lay(there, {"_data/videos.yml": answers(key, yes, no)})
    syncer("init")
    assert [fields.where for fields in proposed(there)] == [{}]


@pytest.mark.parametrize(
    ("page", "generator", "wanted"),
    [
        ('{"youtube": "ID", "views": 5}\n', "", "number"),
        ('---json\n{"youtube": "ID", "views": 5}\n---\n', "", "number"),
        ('{"youtube": "ID", "views": "5"}\n', "", "string"),
        ('{"youtube": "ID", "views": null}\n', "", "string"),
        ('{"youtube": "ID"}\n', "", "string"),
        ('{"youtube": "ID", "views": 5}\n', "hugo.toml", "string"),
    ],
    ids=["numbers", "with fences", "strings", "null", "no counts", "Hugo"],
)
def test_added_counts_of_json_pages_are_as_the_counts_there(
    there: Path, syncer: Run, page: str, generator: str, wanted: str
) -> None:
    lay(there, {f"content/{n}.md": page.replace("ID", video) for n, video in enumerate(IDS[:2])})
    lay(there, {generator: ""} if generator else {})
    assert syncer("init").code == 0
    assert [fields.insert_as for fields in proposed(there)] == [wanted]
