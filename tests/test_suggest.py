"""What `init` proposes, for sites as they are."""

from __future__ import annotations

import csv
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.config.parse import parse_config
from syncer.front_matter.leaves import leaves
from syncer.front_matter.video_id import parse_video_id
from syncer.model import Count, Fields, VideoId
from syncer.suggest.propose import Proposal, suggest
from syncer.suggest.render import render
from syncer.suggest.survey import Leaves, survey
from tests.examples import examples

SHIPPED = Path(__file__).parent.parent / "config" / "syncer.yaml"
FILE = Path("/srv/site/config/syncer.yaml")
IDS = ["Qb8sJxE1uvM", "_p7LdYf3kEA", "-hK2mWq9jKE", "Ly1oKqF8hGc", "Uf4iTrW7xb8", "Zk5UyTa9cQQ", "tN4vRz0svpk"]
WATCH = "https://www.youtube.com/watch?v="
NEW = {Count.VIEWS: "view_count", Count.LIKES: "like_count"}


def recognise(text: str) -> VideoId | None:
    found = parse_video_id(text, "")
    return found if isinstance(found, str) else None


def propose(*pages: tuple[str, Leaves]) -> list[Proposal]:
    return suggest(survey(pages, recognise))


def one(*pages: tuple[str, Leaves]) -> Proposal:
    (proposal,) = propose(*pages)
    return proposal


def leaves_of(*pairs: tuple[str, str], quoted: bool = False) -> Leaves:
    return [(key, text, quoted) for key, text in pairs]


def posts(number: int, directory: str = "_posts", **fields: str) -> list[tuple[str, Leaves]]:
    """Pages whose fields are the same, but `ID`, which is another id on each."""
    return [
        (f"{directory}/{n}.md", leaves_of(*((key, text.replace("ID", IDS[n % 7])) for key, text in fields.items())))
        for n in range(number)
    ]


def test_a_site_with_ids_and_counts_gets_its_own_keys() -> None:
    pages = posts(5, "content/_posts", title="A", vid_id="ID", viewcount="31", likeCount="", dislikeCount="")
    assert one(*pages) == Proposal(
        directory="content/_posts",
        include=("**/*.md",),
        exclude=(),
        fields=Fields("vid_id", {Count.VIEWS: "viewcount", Count.LIKES: "likeCount"}),
        pages=5,
        videos=5,
        examples=(("content/_posts/0.md", IDS[0]), ("content/_posts/1.md", IDS[1]), ("content/_posts/2.md", IDS[2])),
        has_numbers=True,
        with_counts=5,
        slots=5,
    )


@pytest.mark.parametrize(
    ("key", "views", "likes"),
    [
        ("video_id", "view_count", "like_count"),
        ("youtubeId", "viewCount", "likeCount"),
        ("youtube-id", "view-count", "like-count"),
        ("videoid", "viewcount", "likecount"),
    ],
)
def test_new_count_keys_are_named_as_the_id_is(key: str, views: str, likes: str) -> None:
    fields = one(*posts(3, **{key: "ID"})).fields
    assert fields == Fields(key, {Count.VIEWS: views, Count.LIKES: likes}, insert_missing=True)


def test_a_proposed_key_never_differs_from_another_in_letter_case_only() -> None:
    counts = one(*posts(3, youtubeId="ID", VIEWCOUNT="many", likeCOUNT="many")).fields.counts
    assert counts == {Count.VIEWS: "youtube_viewCount", Count.LIKES: "youtube_likeCount"}
    counts = one(*posts(3, vid_id="ID", **{"stats.views": "5", "statS.likes": "5"})).fields.counts
    assert counts == {Count.VIEWS: "stats.views"}


@pytest.mark.parametrize(
    ("strings", "numbers", "proposed"),
    [(0, 0, "number"), (3, 0, "string"), (0, 3, "number"), (3, 2, "string"), (2, 3, "number"), (2, 2, "number")],
)
@pytest.mark.parametrize("key", ["vid_id", "videos[].vid_id", "meta.vid_id"])
def test_inserted_counts_have_the_type_that_most_pages_have(
    key: str, strings: int, numbers: int, proposed: str
) -> None:
    views = key.replace("vid_id", "views")
    pages = [(f"{n}.md", [*leaves_of((key, IDS[n % 7])), (views, "5", n < strings)]) for n in range(strings + numbers)]
    assert one(*pages, *posts(1, **{key: "ID"})).fields.insert_as == proposed


def test_a_page_counts_once_however_many_videos_it_lists() -> None:
    item = [("videos[].id", IDS[0], False), ("videos[].views", "5", False)]
    others = [(f"{n}.md", [item[0], ("videos[].views", "5", True)]) for n in range(2)]
    assert one(("list.md", item * 9), *others).fields.insert_as == "string"


@pytest.mark.parametrize(
    ("text", "quoted", "proposed"), [("", True, "string"), ("", False, "number"), ("~", False, "number")]
)
def test_an_empty_count_has_a_type_only_in_quotes(text: str, quoted: bool, proposed: str) -> None:
    pages = [(f"{n}.md", [*leaves_of(("vid_id", IDS[n])), ("viewcount", text, quoted)]) for n in range(3)]
    assert one(*pages).fields.insert_as == proposed


def test_a_value_that_is_not_a_count_has_no_type() -> None:
    pages = [(f"{n}.md", [*leaves_of(("vid_id", IDS[n])), ("views", "1.2M" if n else "5", bool(n))]) for n in range(2)]
    assert one(*pages).fields.insert_as == "number"


def test_if_the_id_key_is_one_word_the_other_keys_decide_the_style() -> None:
    assert one(*posts(3, youtube="ID", shortTitle="A", pubDate="2024")).fields.counts[Count.VIEWS] == "viewCount"
    assert one(*posts(3, youtube="ID", title="A")).fields.counts[Count.VIEWS] == "view_count"


def test_new_count_keys_are_beside_a_nested_id() -> None:
    fields = one(*posts(3, **{"extra.youtube_id": "ID", "title": "A"})).fields
    assert fields.counts == {Count.VIEWS: "extra.view_count", Count.LIKES: "extra.like_count"}
    fields = one(*posts(3, **{"videos[].meta.id": "ID"})).fields
    assert fields.counts == {Count.VIEWS: "meta.view_count", Count.LIKES: "meta.like_count"}


def test_a_key_that_holds_something_else_is_not_taken_for_a_new_count() -> None:
    fields = one(*posts(3, video_id="ID", view_count="true", comments="true")).fields
    assert fields.counts == {Count.VIEWS: "youtube_view_count", Count.LIKES: "like_count"}


@pytest.mark.parametrize(
    "text", ["31,147", "31 147", "1_000", "0x10", "31k", "1.2M", "~5", "3.5", "12 views", "-", "n/a", "\u2014"]
)
def test_a_text_that_is_meant_as_a_count_is_one_and_no_second_key_is_proposed(text: str) -> None:
    proposal = one(*posts(3, video_id="ID", views=text, comments="true"))
    assert proposal.fields == Fields("video_id", {Count.VIEWS: "views"})
    assert proposal.odd_pages == ("_posts/0.md", "_posts/1.md", "_posts/2.md")


def test_of_a_number_and_a_text_for_the_same_count_the_number_is_taken() -> None:
    proposal = one(*posts(3, video_id="ID", views="31,147", youtube_views="31147", view_count="31k"))
    assert (proposal.fields.counts, proposal.odd_pages) == ({Count.VIEWS: "youtube_views"}, ())


@pytest.mark.parametrize("other", ["likes[]", "likes.youtube"])
def test_no_second_key_is_proposed_beside_a_list_or_a_table_of_that_name(other: str) -> None:
    fields = one(*posts(3, video_id="ID", **{other: "5"})).fields
    assert fields.counts == {Count.VIEWS: "view_count"}


@pytest.mark.parametrize(
    ("pages", "counts"),
    [
        (posts(3, video_id="ID", views="5", likes="4", comments="3"), ("views", "likes", "comments")),
        (posts(3, video_id="ID", view_count="5", like_count=""), ("view_count", "like_count", None)),
        (posts(3, video_id="ID", youtube_views="5"), ("youtube_views", None, None)),
        (posts(3, **{"video_id": "ID", "stats.viewCount": "5"}), ("stats.viewCount", None, None)),
        (posts(3, **{"extra.youtube_id": "ID", "extra.view_count": "5"}), ("extra.view_count", None, None)),
        (posts(3, **{"videos[].id": "ID", "videos[].views": "5", "views": "9"}), ("views", None, None)),
    ],
)
def test_counts_beside_the_id_are_found_whatever_they_are_called(
    pages: list[tuple[str, Leaves]], counts: tuple[str | None, ...]
) -> None:
    fields = one(*pages).fields
    assert fields.counts == {count: key for count, key in zip(Count, counts, strict=True) if key}
    assert not fields.insert_missing


@pytest.mark.parametrize(
    "other",
    [{"comments": "true"}, {"comments": ""}, {"likes[]": "5"}, {"author.views": "5"}, {"view_count": "many"}],
)
def test_a_key_that_only_sounds_like_a_count_is_not_one(other: dict[str, str]) -> None:
    fields = one(*posts(3, youtube="ID", **other)).fields
    assert fields.insert_missing
    assert set(fields.counts.values()).isdisjoint(other)


def test_counts_without_a_video_are_not_proposed() -> None:
    assert propose(*posts(5, title="A", views="5", like_count="6")) == []


def test_a_word_of_eleven_characters_is_not_an_id() -> None:
    assert propose(*posts(1, slug="Cpp-windowS", category="youtube-asr", duration="PT00H58M55S")) == []
    words = [
        (f"{n}.md", leaves_of(("slug", word))) for n, word in enumerate(["cpp-windows", "bread-dough", "hello-world"])
    ]
    assert propose(*words) == []
    assert propose(*posts(9, layout="Layout-of-k")) == []
    assert one(*posts(9, slug="ID")).fields.video_id == "slug"


def test_a_key_named_for_videos_needs_only_one_page() -> None:
    assert one(*posts(1, vid_id="ID")).pages == 1
    assert propose(*posts(1, video="my-bookself")) == []


def test_a_key_with_a_few_youtube_links_is_not_a_key_for_videos() -> None:
    links: Leaves = leaves_of(("links[]", "https://a.example/"), ("links[]", WATCH + IDS[0]))
    more: Leaves = leaves_of(("see.also", "https://b.example/"), ("see.also", "c"), ("see.also", WATCH + IDS[0]))
    assert propose(("a.md", links), ("b.md", more)) == []


@pytest.mark.parametrize(
    ("values", "proposed"),
    [
        (["ID", "/talks/2-loops/", "/talks/3-arrays/"], False),
        (["ID", "ID", "soon", "later", "tba"], False),
        (["ID", "/talks/2-loops/"], True),
        (["ID", "https://example.org/2", "https://example.org/3", "http://example.net/"], True),
        (["ID", "", "", ""], True),
    ],
)
def test_a_key_named_for_videos_is_proposed_only_if_most_of_its_values_are_videos(
    values: list[str], proposed: bool
) -> None:
    texts = [("works[].video_id", text.replace("ID", video)) for text, video in zip(values, IDS, strict=False)]
    assert [one.fields.video_id for one in propose(("a.md", leaves_of(*texts)))] == ["works[].video_id"] * proposed


def test_urls_count_like_ids_and_urls_of_other_hosts_are_ignored() -> None:
    pages = [*posts(4, media=WATCH + "ID"), *posts(4, "_posts/b", media="https://vimeo.com/1")]
    proposal = one(*pages)
    assert (proposal.fields.video_id, proposal.pages, proposal.directory) == ("media", 4, "_posts")


@pytest.mark.parametrize(
    "form", ["ID?start=30", "ID&t=3", "watch?v=ID", "https://i.ytimg.com/vi/ID/0.jpg", "youtube:ID"]
)
def test_what_is_read_as_a_video_is_proposed_in_every_form(form: str) -> None:
    assert one(*posts(3, youtube=form, title="a = b / c: d")).videos == 3


def test_a_list_of_one_video_is_proposed_by_its_own_key() -> None:
    page = [("youtube[]", WATCH + IDS[0], False), ("views[]", "5", False), ("likes", "3", False)]
    proposal = one(("a.md", page), ("b.md", page), ("c.md", [page[0], page[0]]))
    assert (proposal.fields.video_id, proposal.pages) == ("youtube", 2)
    assert proposal.fields.counts == {Count.LIKES: "likes"}


def test_of_two_keys_for_one_video_the_id_is_taken() -> None:
    assert one(*posts(5, url=WATCH + "ID", video_id="ID", id="ID")).fields.video_id == "video_id"


def test_a_list_of_other_videos_is_a_collection_of_its_own() -> None:
    pages = [
        (path, [*fields, *leaves_of(("videos[].id", IDS[6]), ("videos[].id", IDS[5]))])
        for path, fields in posts(4, yt="ID")
    ]
    first, second = propose(*pages)
    assert (first.fields.video_id, first.videos) == ("yt", 4)
    assert (second.fields.video_id, second.videos) == ("videos[].id", 2)


def test_a_key_that_cannot_be_a_field_is_ignored() -> None:
    assert propose(*((path, [*leaves, *leaves]) for path, leaves in posts(4, **{"videos[]": "ID"}))) == []
    assert propose(*posts(4, **{"videos[][]": "ID"})) == []
    assert propose(*posts(4, **{"a..b": "ID", " video": "ID"})) == []


@pytest.mark.parametrize(
    ("paths", "directory", "include"),
    [
        (["content/de/a.md", "content/en/b.md"], "content", ("**/*.md",)),
        (["content/posts/a/index.md", "content/posts/b/index.mdx"], "content/posts", ("**/*.md", "**/*.mdx")),
        (["_learning/a.md", "_more/b/c.md"], ".", ("_learning/**/*.md", "_more/**/*.md")),
        (["_learning/a.md", "b.md"], ".", ("**/*.md",)),
        ([f"{letter}/a.md" for letter in "abcdefghijklmnop"], ".", ("**/*.md",)),
        (["[x]/a.md", "b c/a.md"], ".", ("\\[x\\]/**/*.md", "b\\ c/**/*.md")),
        (["content/a.md", "archetypes/b.md", "_site/c.md", "vendor/x/d.md"], "content", ("**/*.md",)),
    ],
)
def test_the_directory_is_the_one_that_all_pages_share(
    paths: list[str], directory: str, include: tuple[str, ...]
) -> None:
    proposal = one(*((path, leaves_of(("video_id", IDS[n % 7]))) for n, path in enumerate(paths)))
    assert (proposal.directory, proposal.include) == (directory, include)


def test_what_is_not_published_is_excluded_from_the_directory_that_it_is_in() -> None:
    paths = ["a/b.md", "a/c/[x]/Archive/d.md", "a/themes/e.md", "_drafts/f.md", "archetypes/x.md"]
    proposal = one(*((path, leaves_of(("video_id", IDS[n]))) for n, path in enumerate(paths)))
    assert (proposal.directory, proposal.pages) == ("a", 1)
    assert proposal.exclude == ("/c/\\[x\\]/Archive/", "/themes/")


def test_many_pages_need_little_memory() -> None:
    def pages() -> Iterator[tuple[str, Leaves]]:
        for n in range(10_000):
            yield (
                f"content/{n % 7}/{n}/index.md",
                leaves_of(("title", "A"), (f"k{n}", "b"), ("vid_id", IDS[n % 7]), ("x", "1")),
            )

    tracemalloc.start()
    (proposal,) = suggest(survey(pages(), recognise))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (proposal.directory, proposal.pages) == ("content", 10_000)
    assert peak < 3_000_000, "400 bytes for each page, up to 6,000 of them"


def test_a_file_without_a_suffix_is_not_a_page() -> None:
    assert one(*posts(2, vid_id="ID"), ("_posts/NOTES", leaves_of(("vid_id", IDS[3])))).pages == 2


@pytest.mark.parametrize("key", ["no", "on", "true", "null", "12", "a b", "#1", "a: b", "é"])
def test_a_key_that_yaml_would_read_otherwise_is_quoted(key: str) -> None:
    config = parse_config(
        render([Proposal(key, (key.replace("#", "\\#"),), (), Fields(key, {Count.VIEWS: key + "s"}), 1, 1, ())]), FILE
    )
    assert config.collections[0].as_model().fields == Fields(key, {Count.VIEWS: key + "s"})
    assert config.collections[0].directory == key


def test_a_rendered_config_is_the_shipped_one_but_for_its_collections() -> None:
    def frame(text: str) -> tuple[str, str]:
        return text.partition("collections:\n")[0], text.partition("\nyoutube:\n")[2]

    shipped = SHIPPED.read_text(encoding="utf-8")
    assert frame(render(propose(*posts(3, vid_id="ID")))) == frame(shipped)


def test_a_rendered_config_says_what_was_seen_and_where_counts_are_new() -> None:
    text = render(
        [
            *propose(*posts(3, "a", vid_id="ID")),
            *propose(*posts(1, "b", **{"videos[].id": "ID", "videos[].views": "1"})),
        ]
    )
    assert (
        text.partition("collections:\n")[2].partition("\nyoutube:")[0]
        == """\
  - directory: a # 3 pages with 3 videos
    include: ["**/*.md"]
    exclude: [] # globs as in .gitignore, relative to the directory
    fields:
      video_id: vid_id # the key of the video ID, or of a YouTube URL
      counts: # YouTube's name: your key
        viewCount: view_count
        likeCount: like_count
      insert_missing: true # the pages have no counts yet: a sync adds them below the video ID
      insert_as: number # or string: the type of an added count on a page without other counts
      checked_at: null # a key for the day of the counts, written together with them
      unavailable_since: null # a key for the day since which the video does not play

  - directory: b # 1 page with 1 video
    include: ["**/*.md"]
    exclude: [] # globs as in .gitignore, relative to the directory
    fields:
      video_id: "videos[].id" # the key of the video ID, or of a YouTube URL
      counts: # YouTube's name: your key, in each item of the list
        viewCount: views
      insert_missing: false # true: add a count that a page does not have, below the video ID
      insert_as: number # or string: the type of an added count on a page without other counts
      checked_at: null # a key for the day of the counts, written together with them
      unavailable_since: null # a key for the day since which the video does not play
"""
    )


@pytest.mark.skipif("SYNCER_CORPUS" not in os.environ, reason="SYNCER_CORPUS names no directory of public pages")
@pytest.mark.parametrize(
    ("source", "directory", "video_id", "pages"),
    [
        ("syntaxfm/website", "shows", "youtube_url", 150),
        ("fireship-io/fireship.io", "content", "youtube", 150),
        ("3b1b/3Blue1Brown.com", ".", "video", 150),
        ("CodingTrain/website-archive", ".", "video_id", 120),
        ("CodingTrain/website-archive", ".", "videos[].video_id", 15),
        ("frankie-eight-days/eevblog-wiki", ".", "video_id", 150),
        ("bitcointranscripts/bitcointranscripts", ".", "media", 150),
        ("gohugoio/hugoDocs", None, None, 0),
        ("hexojs/site", None, None, 0),
        ("jekyll/jekyll", None, None, 0),
        ("obsidianmd/obsidian-help", None, None, 0),
        ("rclone/rclone", None, None, 0),
    ],
)
def test_public_sites_get_the_keys_that_they_use(
    source: str, directory: str | None, video_id: str | None, pages: int
) -> None:
    proposals = suggest(survey(corpus(source), recognise))
    if video_id is None:
        assert proposals == []
    else:
        (found,) = (proposal for proposal in proposals if proposal.fields.video_id == video_id)
        assert found.directory == directory
        assert found.pages >= pages
        parse_config(render(proposals), FILE)


def corpus(source: str) -> Iterator[tuple[str, Leaves]]:
    root = Path(os.environ["SYNCER_CORPUS"])
    with (root / "MANIFEST.tsv").open(encoding="utf-8", newline="") as manifest:
        for row in csv.DictReader(manifest, delimiter="\t"):
            if row["source"] == source:
                yield row["original_path"], leaves((root / row["path"]).read_bytes())


def test_the_samples_get_the_mapping_of_the_shipped_config() -> None:
    root = SHIPPED.parent.parent
    pages = ((str(path.relative_to(root)), leaves(path.read_bytes())) for path in sorted(root.glob("content/**/*.md")))
    shipped = parse_config(SHIPPED.read_text(encoding="utf-8"), SHIPPED)
    assert [proposal.fields for proposal in suggest(survey(pages, recognise))] == [
        one.as_model().fields for one in shipped.collections
    ]


names = st.text(max_size=8) | st.sampled_from(
    ["_posts", "themes", "_drafts", "no", "~", "1e3", "..", ".", "#a", "a: b", "vidéos", "😀"]
)
parts = (
    st.sampled_from(["video", "video_id", "views", "viewCount", "youtube", "id", "no", "1", "x[]", "é", "a b"]) | names
)
keys = st.lists(parts, min_size=1, max_size=3).map(".".join)
texts = st.sampled_from([*IDS, WATCH + IDS[0], "5", "", "youtube-asr"]) | st.text(max_size=12)
paths = st.lists(names.filter(lambda name: "/" not in name and name not in ("", ".", "..")), max_size=4).map("/".join)
sites = st.lists(
    st.tuples(
        paths.map(lambda path: path + "/a.md" if path else "a.md"),
        st.lists(st.tuples(keys, texts, st.booleans()), max_size=8),
    ),
    max_size=6,
)


def test_a_key_is_no_count_where_the_id_is_inside_it() -> None:
    site = [("a.md", leaves_of(("views", "5"), ("views.video", "Qb8sJxE1uvM")))]
    proposal = one(*site)
    assert proposal.fields.video_id == "views.video"
    assert parse_config(render([proposal]), FILE).collections[0].as_model().fields == proposal.fields


@examples(200)
@given(sites)
def test_the_proposal_for_any_site_is_a_valid_config_with_the_same_values(site: list[tuple[str, Leaves]]) -> None:
    proposals = suggest(survey(site, recognise))
    if proposals:
        config = parse_config(render(proposals), FILE)
        assert [one.as_model().fields for one in config.collections] == [proposal.fields for proposal in proposals]
        assert [one.include for one in config.collections] == [proposal.include for proposal in proposals]
        assert [one.exclude for one in config.collections] == [proposal.exclude for proposal in proposals]


def test_of_two_videos_of_a_page_with_one_key_for_their_counts_only_the_better_key_is_proposed() -> None:
    pages = [(path, [*fields, ("trailer_video", IDS[6], False)]) for path, fields in posts(4, video_id="ID")]
    assert one(*pages).fields.video_id == "video_id"
    apart = [(path, [*fields, ("trailer_video.id", IDS[6], False)]) for path, fields in posts(4, video_id="ID")]
    assert [proposal.fields.video_id for proposal in propose(*apart)] == ["video_id", "trailer_video.id"]
