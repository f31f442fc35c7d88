"""What a scan, a sync, `check` and `init` say of keys that differ in letter case only."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.content.pages import Pages
from syncer.content.scan import MiscasedKey, miscased_problems, read_pages
from syncer.content.walk import walk
from syncer.model import Collection, Count, Fields, Page, Problem, ProblemKind
from syncer.simulator.server import Simulator
from tests.examples import examples
from tests.places import collection, pages, problems, put, scanned
from tests.site import Run, Site, ids, tree

VIDEOS = ids(12, seed=71)
MAPPED = Fields("youtube", {Count.VIEWS: "views", Count.LIKES: "likes"}, insert_missing=True)
FIELDS = "{video_id: youtube, counts: {viewCount: views, likeCount: likes}, insert_missing: true}"
COLLECTION = f"  - directory: content\n    fields: {FIELDS}\n"


def named(key: str, number: int = 0, more: str = "") -> bytes:
    return f"---\n{key}: {VIDEOS[number % len(VIDEOS)]}\n{more}---\n".encode()


def letters_of(site: Path, *collections: Collection) -> list[Problem]:
    """What a whole scan says of each collection's id."""
    root = os.path.realpath(site)
    pages = Pages()
    keys = [item for item in read_pages(root, walk(root, collections), pages) if isinstance(item, MiscasedKey)]
    return list(miscased_problems(collections, pages, keys))


def test_a_count_in_other_letters_gets_no_second_key_and_the_page_keeps_every_byte(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    site.configure(collections=COLLECTION)
    page = site.put("content/a.md", named("youtube", more="Views: 5\nLikes: 2\n"))
    other = site.put("content/b.md", named("youtube", 1))
    before = page.read_bytes()

    report = syncer("sync", "--json").document

    assert page.read_bytes() == before
    assert b"\nviews: " in other.read_bytes()
    assert [(one["kind"], one["subject"], one["line"]) for one in report["problems"]] == [
        ("key-case", "content/a.md", 3),
        ("key-case", "content/a.md", 4),
    ]
    assert report["exit"] == 1
    assert {line["path"] for line in site.log_lines()} == {"content/b.md"}


@pytest.mark.parametrize(
    ("exact", "others", "told"),
    [
        (0, 1, True),
        (0, 9, True),
        (1, 1, True),
        (9, 1, False),
        (8, 1, True),
        (18, 2, False),
        (17, 2, True),
        (9, 0, False),
    ],
)
def test_a_collection_is_reported_once_if_fewer_than_nine_of_ten_pages_have_the_key_as_mapped(
    tmp_path: Path, exact: int, others: int, told: bool
) -> None:
    for number in range(exact):
        put(tmp_path / f"content/a{number}.md", named("youtube", number))
    for number in range(others):
        put(tmp_path / f"content/deep/b{number}.md", named("YouTube", number))
    for number in range(30):
        put(tmp_path / f"content/c{number}.md", b"---\ntitle: YouTube\n---\n")

    found = letters_of(tmp_path, collection(fields=MAPPED))

    assert [(one.kind, one.subject, one.line) for one in found] == [(ProblemKind.KEY_CASE, "content", None)] * told
    for one in found:
        assert one.message.startswith(f"{others} page")
        assert "such as content/deep/b0.md" in one.message
        assert "'YouTube'" in one.message
        assert "'youtube'" in one.message


@given(st.lists(st.sampled_from(["youtube", "YouTube", "YOUTUBE", "tube", "title"]), max_size=24))
@examples(60)
def test_the_share_is_that_of_the_pages_that_name_a_video_in_any_letters(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str]
) -> None:
    site = tmp_path_factory.mktemp("site")
    (site / "content").mkdir()
    for number, key in enumerate(keys):
        put(site / f"content/{number:02}.md", named(key, number))
    exact, others = keys.count("youtube"), keys.count("YouTube") + keys.count("YOUTUBE")

    found = letters_of(site, collection(fields=MAPPED))

    assert len(found) == (others > 0 and (exact == 0 or others / (exact + others) > 0.1))


def test_each_collection_is_reported_with_its_own_pages(tmp_path: Path) -> None:
    put(tmp_path / "a/1.md", named("YouTube"))
    put(tmp_path / "b/2.md", named("youtube"))
    put(tmp_path / "c/3.md", b"---\nlinks: {Youtube: " + VIDEOS[0].encode() + b"}\n---\n")
    nested = Fields("links.youtube", {Count.VIEWS: "views"})

    found = letters_of(
        tmp_path,
        collection("a", fields=MAPPED),
        collection("b", fields=replace(MAPPED)),
        collection("c", fields=nested),
    )

    assert [one.subject for one in found] == ["a", "c"]
    assert "'links.Youtube'" in found[1].message


def test_a_page_on_which_another_collection_finds_a_video_is_not_counted(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md", named("YouTube"))
    put(tmp_path / "content/b.md", named("youtube"))
    other = Fields("YouTube", {Count.VIEWS: "views"})

    assert letters_of(tmp_path, collection(fields=MAPPED), collection(fields=other)) == []
    assert len(letters_of(tmp_path, collection(fields=MAPPED), collection("."), collection("other"))) == 1


@pytest.mark.parametrize("insert", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("present", ["", "views: 1\n", "Views: 1\n", "views: 1\nViews: 1\n"])
def test_two_collections_of_one_page_never_make_or_write_two_keys_of_one(
    tmp_path: Path, present: str, insert: tuple[bool, bool]
) -> None:
    put(tmp_path / "content/a.md", named("youtube", more=f"tube: {VIDEOS[1]}\n{present}"))
    both = (
        collection(fields=Fields("youtube", {Count.VIEWS: "views"}, insert[0])),
        collection(fields=Fields("tube", {Count.LIKES: "Views"}, insert[1])),
    )

    found = scanned(tmp_path, *both)

    written = {
        (value.field, value.present)
        for one in found
        if isinstance(one, Page)
        for slot in one.slots
        for value in slot.values
    }
    assert len({field for field, _ in written}) <= 1
    assert all(is_there or not present for _, is_there in written)
    if not present and all(insert):
        assert problems(found) == [("key-case", "content/a.md")]
        assert written == set()


def test_two_mappings_with_the_same_letters_share_the_key(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md", named("youtube"))

    first, second = pages(tmp_path, collection(fields=MAPPED), collection(fields=MAPPED))

    assert [value.field for slot in first.slots for value in slot.values] == ["views", "likes"]
    assert [value.field for slot in second.slots for value in slot.values] == []


def test_a_sync_and_check_say_that_the_pages_have_the_key_in_other_letters(site: Site, syncer: Run) -> None:
    site.configure(collections=COLLECTION)
    page = site.put("content/b.md", named("YouTube", more="views: 5\n"))
    before = page.read_bytes()

    ran = syncer("sync", "--json")

    (problem,) = ran.document["problems"]
    assert (ran.code, problem["kind"], problem["subject"]) == (1, "key-case", "content")
    assert "content/b.md" in problem["message"]
    assert page.read_bytes() == before
    lines = syncer("check", "--offline").out.splitlines()
    (line,) = [line for line in lines if "Letter case" in line]
    assert line.startswith(
        "warning content: content: 1 page, such as content/b.md, has the key 'YouTube', but the config"
    )


def test_a_narrowed_sync_says_so_of_the_page_that_it_is_about(site: Site, youtube: Simulator, syncer: Run) -> None:
    site.configure(collections=COLLECTION)
    for number in range(11):
        site.put(f"content/a{number}.md", named("youtube", number))
    site.put("content/b.md", named("YouTube", 11))

    assert syncer("sync", "--json").document["problems"] == []
    (problem,) = syncer("sync", "--json", "content/b.md").document["problems"]
    assert (problem["kind"], problem["subject"]) == ("key-case", "content")


@pytest.mark.parametrize(
    "beside",
    ["View_Count: {a: b}\n", "VIEWS: 1\nviews: 2\n", "stats: {views: 1}\nStats: {likes: 2}\n", "Views: 3\nlikes: 4\n"],
)
def test_init_proposes_no_keys_that_differ_in_letter_case_only(
    site: Site, youtube: Simulator, syncer: Run, beside: str
) -> None:
    site.config.unlink()
    for number in range(4):
        site.put(f"content/{number}.md", named("video_id", number, beside))

    assert syncer("init").code == 0

    text = site.config.read_text(encoding="utf-8")
    site.config.write_text(text.replace("https://youtube.googleapis.com/", youtube.url), encoding="utf-8")
    assert syncer("check", "--offline").out.startswith("ok      config: config/syncer.yaml is valid")
    if "View_Count" in beside:
        report = syncer("sync", "--dry-run", "--json").document
        assert (report["problems"], report["changed_counts"]) == ([], 8)
    assert tree(site.root / "content")
