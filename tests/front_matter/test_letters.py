"""A key that is a mapped one but for letter case is never joined by a second one, nor passed over silently."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.front_matter.find import find, find_in_tree
from syncer.front_matter.keys import PageContents, fold_key, keys_of, part_by_case
from syncer.model import Count, Fields, ProblemKind
from tests.examples import examples
from tests.front_matter.pages import ID, OTHER_ID, block, fields

INSERT = fields("youtube", "views", "likes", insert=True)
ONLY = fields("youtube", "views", "likes")
NESTED = fields("meta.youtube", "meta.views", "meta.likes", insert=True)
LIST = fields("videos[].id", "views", "likes", insert=True)
LISTS = fields("parts[].videos[].id", "stats.views", "likes")


def kinds(page: bytes, mapping: Fields) -> list[ProblemKind]:
    found = find(page, mapping, "page.md")
    assert not found.slots, "no byte of it is changed"
    return [problem.kind for problem in found.problems]


ONE = [ProblemKind.KEY_CASE]
TWO = ONE * 2


@pytest.mark.parametrize(
    ("text", "mapping", "wanted"),
    [
        # a count would be inserted beside its twin
        ("youtube: @\nViews: 5\n", INSERT, ONE),
        ("youtube: @\nViews: 5\nLIKES: 2\n", INSERT, TWO),
        ("youtube: @\nlikes: 2\nViews: [gallery]\n", INSERT, ONE),
        ("youtube: @\n'vIEWS': 5\n", INSERT, ONE),
        ('youtube: @\n"View\\u0053": 5\n', INSERT, ONE),
        ("{youtube: @, Views: 5}\n", INSERT, ONE),
        ("youtube: @\n!!str Views: 5\n", INSERT, ONE),
        ("meta:\n  youtube: @\n  Views: 5\n", NESTED, ONE),
        ("videos:\n- id: @\n  Views: 5\n", LIST, ONE),
        # both are there: readers see one of them, or both
        ("youtube: @\nviews: 1\nViews: 5\n", ONLY, ONE),
        ("youtube: @\nviews:\nviewS: 5\n", ONLY, ONE),
        ("youtube: @\nYouTube: https://www.youtube.com/@someone\nviews: 1\n", ONLY, ONE),
        ("youtube: @\nYouTube:\nviews: 1\n", ONLY, ONE),
        ("meta:\n  youtube: @\n  views: 1\nMeta: {}\n", NESTED, ONE),
        ("meta: {youtube: @, views: 1, Youtube: x}\n", NESTED, ONE),
        ("videos:\n- id: @\n  views: 1\nVideos: []\n", LIST, ONE),
        ("videos: [{id: @, ID: x}]\n", LIST, ONE),
        ("parts:\n- videos:\n  - id: @\n    stats: {views: 1}\n    Stats: {}\n", LISTS, ONE),
        ("parts:\n- videos:\n  - {id: @, likes: 1}\n  VIDEOS: 1\n", LISTS, ONE),
        ("parts:\n- videos:\n  - {id: @, likes: 1}\nPARTS: 1\n", LISTS, ONE),
    ],
)
def test_a_twin_of_a_key_on_a_path_that_is_written_is_a_problem(
    text: str, mapping: Fields, wanted: list[ProblemKind]
) -> None:
    assert kinds(block(text.replace("@", ID)), mapping) == wanted


@pytest.mark.parametrize(
    "page",
    [
        '+++\nyoutube = "@"\nViews = 5\n+++\n',
        '+++\nyoutube = "@"\nviews = 1\nVIEWS = 5\n+++\n',
        '+++\nyoutube = "@"\nviews = 1\n[Youtube]\nx = 1\n+++\n',
        '{"youtube": "@", "Views": 5}',
        '{"youtube": "@", "views": 1, "\\u0056iews": 5}',
        '---json\n{"youtube": "@", "views": 1, "YOUTUBE": null}\n---\n',
        '---toml\nyoutube = "@"\nvieWs = 5\n---\n',
    ],
)
def test_in_toml_and_json_too(page: str) -> None:
    assert kinds(page.replace("@", ID).encode(), INSERT) == ONE


@pytest.mark.parametrize(
    ("page", "mapping"),
    [
        ('+++\n[meta]\nyoutube = "@"\n[Meta]\nviews = 5\n+++\n', NESTED),
        ('+++\nmeta.youtube = "@"\nMETA.views = 5\n+++\n', NESTED),
        ('+++\n[[videos]]\nid = "@"\n[[Videos]]\nid = "x"\n+++\n', LIST),
        ('{"videos": [{"id": "@", "views": 1}], "Videos": [{"id": "x"}]}', LIST),
    ],
)
def test_at_every_level_of_toml_and_json(page: str, mapping: Fields) -> None:
    assert kinds(page.replace("@", ID).encode(), mapping) == ONE


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("youtube: @\nViews: 5\nlikes: 1\n", ONLY),
        ("youtube: @\nViews: 5\n", ONLY),
        ("youtube: @\nTitle: a\ntitle: b\nviews: 1\nlikes: 2\n", INSERT),
        ("youtube: @\nviews: 1\nlikes: 2\nother: {Views: 5, YouTube: 6}\n", INSERT),
        ("youtube: @\nviews: 1\nlikes: 2\nviewsTotal: 5\n", INSERT),
        ("meta:\n  youtube: @\n  views: 1\n  likes: 2\nViews: 5\nYoutube: x\n", NESTED),
        ("videos:\n- id: @\n  views: 1\n  likes: 2\n- Views: 5\nViews: 7\nID: 8\n", LIST),
    ],
)
def test_a_key_that_is_not_a_twin_of_a_written_one_is_not_a_problem(text: str, mapping: Fields) -> None:
    found = find(block(text.replace("@", ID)), mapping, "page.md")

    assert (len(found.slots), found.problems) == (1, ())


def test_the_sentence_names_both_spellings_and_the_line() -> None:
    (alone,) = find(block(f"youtube: {ID}\nlikes: 1\nViews: 5\n"), INSERT, "page.md").problems
    (both,) = find(block(f"youtube: {ID}\nlikes: 1\nViews: 5\nviews: 6\n"), INSERT, "page.md").problems

    assert (alone.line, both.line) == (4, 4)
    assert alone.message.startswith("The config says 'views', and this page says 'Views', which")
    assert both.message.startswith("The keys 'views' and 'Views' differ only in letter case,")


def test_in_a_list_the_other_videos_are_written() -> None:
    found = find(block(f"videos:\n- id: {ID}\n  Views: 5\n- id: {OTHER_ID}\n"), LIST, "page.md")

    assert [slot.video_id for slot in found.slots] == [OTHER_ID]
    assert [problem.kind for problem in found.problems] == ONE


# --- letters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("İd", "id"),  # Python's lower() makes two characters of the first
        ("\u212aelvin", "kelvin"),
        ("Straße", "straße"),
        ("STRAẞE", "straße"),
        ("\u017f", "\u017f"),  # the long s
        ("ΟΔΟΣ", "οδοσ"),  # Python's lower() ends it with a final sigma
        ("οδος", "οδος"),
        ("Просмотры", "просмотры"),
        ("Ǆ", "ǆ"),
        ("Å", "å"),
        ("ﬁ", "ﬁ"),
    ],
)
def test_letters_are_folded_as_hugo_folds_them(name: str, folded: str) -> None:
    assert fold_key(name) == folded


@given(st.text(), st.text())
@examples(500)
def test_each_letter_is_folded_on_its_own(name: str, more: str) -> None:
    assert fold_key(name + more) == fold_key(name) + fold_key(more)
    assert len(fold_key(name)) == len(name)
    assert fold_key(fold_key(name)) == fold_key(name)


@pytest.mark.parametrize(
    ("mapped", "written"),
    [
        ("views", "vİews"),
        ("link", "lin\u212a"),
        ("просмотры", "ПРОСМОТРЫ"),
        ("οδοσ", "ΟΔΟΣ"),
        ("İ-views", "i-Views"),
        ("größe", "GRÖßE"),
    ],
)
@pytest.mark.parametrize("form", ["---\n{}: @\n---\n", '{{"{}": "@"}}', '+++\n"{}" = "@"\n+++\n'])
def test_an_id_in_other_letters_of_any_script_is_seen(mapped: str, written: str, form: str) -> None:
    page = form.format(written).replace("@", ID).encode()

    assert find(page, fields(mapped), "page.md") == PageContents(miscased_key=written)
    assert find(page, fields(written), "page.md").slots


@given(st.sampled_from(["vid_id", "Views", "ÄÖ", "Οδός", "видео", "kİ"]), st.data())
@examples(200)
def test_any_change_of_case_that_folds_alike_is_seen(mapped: str, data: st.DataObject) -> None:
    pool = {c: {o for o in (c, c.lower(), c.upper(), "\u212a", "İ") if fold_key(o) == fold_key(c)} for c in mapped}
    written = "".join(data.draw(st.sampled_from(sorted(pool[c]))) for c in mapped)
    found = find(block(f'"{written}": {ID}\n'), fields(mapped), "page.md")

    assert bool(found.slots) is (written == mapped)
    assert found.miscased_key == (None if written == mapped else written)


# --- the id in other letters ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "mapping", "path"),
    [
        ("---\nYouTube: @\nviews: 5\n---\n", INSERT, "YouTube"),
        ("---\nYouTube: @\n---\nThe body has youtube in it.\n", INSERT, "YouTube"),
        ("---\nyoutube:\nYouTube: @\n---\n", INSERT, "YouTube"),
        ("---\nyoutube: https://vimeo.com/1\nYouTube: @\n---\n", INSERT, "YouTube"),
        ("---\n# youtube\n'YouTube' : 'https://youtu.be/@'\n---\n", INSERT, "YouTube"),
        ("---\n{a: b,YouTube: @}\n---\n", INSERT, "YouTube"),
        ("\n---\nYOUTUBE: @\n---\n", INSERT, "YOUTUBE"),
        ("\ufeff---\r\nYOUTUBE: @\r\n---\r\n", INSERT, "YOUTUBE"),
        ('{"a": 1, "YouTube": "@"}', INSERT, "YouTube"),
        ('+++\nYouTube="@"\n+++\n', INSERT, "YouTube"),
        ("---\nMeta:\n  youtube: @\n---\n", NESTED, "Meta.youtube"),
        ("---\nmeta: {Youtube: @}\n---\n", NESTED, "meta.Youtube"),
        ('+++\nMETA.YouTube = "@"\n+++\n', NESTED, "META.YouTube"),
        ("---\nVideos:\n- id: x\n- id: @\n---\n", LIST, "Videos[].id"),
        ("---\nvideos:\n- ID: @\n---\n", LIST, "videos[].ID"),
        ('+++\n[[Videos]]\nid = "@"\n+++\n', LIST, "Videos[].id"),
        ("---\nparts: [{Videos: [{Id: @}]}]\n---\n", LISTS, "parts[].Videos[].Id"),
    ],
)
def test_a_video_under_the_ids_key_in_another_letter_case_is_recognised(page: str, mapping: Fields, path: str) -> None:
    assert find(page.replace("@", ID).encode(), mapping, "page.md") == PageContents(miscased_key=path)


def test_a_list_with_both_spellings_has_its_videos_and_the_other_spelling() -> None:
    found = find(block(f"videos:\n- id: {ID}\n- ID: {OTHER_ID}\n"), LIST, "page.md")

    assert ([slot.video_id for slot in found.slots], found.miscased_key) == ([ID], "videos[].ID")


@pytest.mark.parametrize(
    "page",
    [
        "---\nYouTube: https://www.youtube.com/@someone\n---\n",
        "---\nYouTube:\n---\n",
        "---\nYouTube: not one\n---\n",
        "---\nYouTube: {id: @}\n---\n",
        "---\nMeta: {YouTube: @}\n---\n",
        "---\ntitle: YouTube\nYouTubeId: @\n---\n",
        "---\nYouTube: @\n",
        "---\nYouTube: @\na: b: c\n---\n",
        "---\nYouTube: @\nnote: \udcff\n---\n",
        "YouTube: @\n",
        "---\ntitle: x\n---\nYouTube: @\n",
        "---\na: 1\na: 2\nYouTube: x\n---\n",
    ],
)
def test_a_key_in_another_letter_case_without_a_video_is_not_a_problem(page: str) -> None:
    data = (
        page.replace("@someone", "\x00").replace("@", ID).replace("\x00", "@someone").encode(errors="surrogateescape")
    )

    assert find(data, INSERT, "page.md") == PageContents()


@given(
    st.lists(st.sampled_from(["youtube", "YouTube", "views", "Views", "likes", "x"]), unique=True),
    st.sampled_from(["yaml", "toml", "json"]),
    st.booleans(),
)
@examples(300)
def test_a_page_is_written_only_where_each_key_of_it_is_alone_in_its_letters(
    names: list[str], syntax: str, insert: bool
) -> None:
    values = {name: f'"{ID}"' if "tube" in name.lower() else "5" for name in names}
    page = {
        "yaml": "---\n" + "".join(f"{name}: {value}\n" for name, value in values.items()) + "---\n",
        "toml": "+++\n" + "".join(f"{name} = {value}\n" for name, value in values.items()) + "+++\n",
        "json": json.dumps({name: json.loads(value) for name, value in values.items()}),
    }[syntax].encode()
    mapping = replace(INSERT, counts={Count.VIEWS: "views"}, insert_missing=insert)
    twins = {"youtube": "YouTube" in names, "views": "Views" in names}

    found = find(page, mapping, "page.md")

    written = "views" in names or insert
    problem = "youtube" in names and (twins["youtube"] or (twins["views"] and written))
    assert bool(found.problems) is problem
    assert bool(found.slots) is ("youtube" in names and not problem)
    assert found.miscased_key == ("YouTube" if twins["youtube"] and "youtube" not in names else None)
    assert find_in_tree(page, keys_of(mapping), "page.md") == found


@pytest.mark.parametrize(
    ("path", "other", "parted"),
    [
        ("views", "Views", True),
        ("views", "views", False),
        ("views", "likes", False),
        ("meta.views", "Meta.likes", True),
        ("meta.views", "meta.VIEWS", True),
        ("meta.views", "Meta", True),
        ("a.views", "b.Views", False),
    ],
)
def test_paths_part_by_case_where_the_first_difference_is_one(path: str, other: str, parted: bool) -> None:
    assert part_by_case(path, other) is part_by_case(other, path) is parted
