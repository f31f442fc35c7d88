"""A key of the config that leaves out every video of a collection is told, by its name, by a sync and by `check`."""

from __future__ import annotations

import pytest

from tests.site import Run, Site, ids

A, B, C = ids(3, seed=8)
GOOD = "  - directory: content\n    fields: {video_id: id, counts: {viewCount: views}}\n"
TALKS = f"- {{id: {A}, provider: youtube, day: 1, views: 1}}\n- {{id: {B}, provider: youtube, day: 2, views: 2}}\n"
FIELDS = '    fields: {{video_id: "[].id", counts: {{viewCount: views}}{}}}\n'
YML = '    include: ["*.yml"]\n'


def told(site: Site, syncer: Run, collection: str) -> str:
    """The only Problem that a sync has with the second of two collections; `check` has the same, as an error."""
    site.put("content/a.md", f"---\nid: {C}\nviews: 1\n---\n".encode())
    site.configure(collections=f"{GOOD}  - directory: _data\n{collection}", availability="every: 7d")
    (problem,) = site.sync().problems
    assert (problem.kind, problem.subject) == ("keys-not-found", "_data")
    checks = syncer("check", "--offline", "--json").document["checks"]
    assert [each["message"] for each in checks if each["level"] == "error"] == [f"_data: {problem.message}"]
    assert syncer("sync", "--dry-run").code == 1
    return problem.message


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("provder: youtube", "no data file has `provder`; data files have `provider`"),
        ("platform: youtube", "no data file has `platform`; data files have `provider`"),
        ("platform: vimeo", "no data file has `platform`"),
        ("provider: YouTube", "`provider` is never `YouTube`; data files have `youtube`"),
        ("provider: vimeo", "`provider` is never `vimeo`; data files have `youtube`"),
        ("provider: youtube, day: '3'", "`day` is never `3`; data files have `1`, `2`"),
    ],
)
def test_a_where_that_no_video_meets_is_named_with_the_key_or_value_that_is_the_cause(
    site: Site, syncer: Run, where: str, why: str
) -> None:
    site.put("_data/talks.yml", TALKS.encode())
    message = told(site, syncer, YML + FIELDS.format(f", where: {{{where}}}"))
    assert message == f"`where` leaves out all 2 videos: {why}. Correct `fields.where`."


@pytest.mark.parametrize(
    ("suffix", "text", "video_id"),
    [
        (".csv", f"id,provider,views\n{A},youtube,1\n", "id"),
        (".json", f'{{"{A}": {{"provider": "youtube", "views": 1}}}}', "{}"),
        (".toml", f'[[t]]\nid = "{A}"\nprovider = "youtube"\nviews = 1\n', "t[].id"),
        (".md", f"---\nid: {A}\nprovider: youtube\nviews: 1\n---\n", "id"),
    ],
)
def test_a_where_is_named_in_every_format(site: Site, syncer: Run, suffix: str, text: str, video_id: str) -> None:
    site.put(f"_data/talks{suffix}", text.encode())
    fields = f'    fields: {{video_id: "{video_id}", counts: {{viewCount: views}}, where: {{provder: youtube}}}}\n'
    message = told(site, syncer, f'    include: ["*{suffix}"]\n{fields}')
    noun = "page" if suffix == ".md" else "data file"
    why = f"no {noun} has `provder`; {noun}s have `provider`"
    assert message == f"`where` leaves out the only video: {why}. Correct `fields.where`."


def test_values_of_where_that_no_video_has_all_of(site: Site, syncer: Run) -> None:
    site.put("_data/talks.yml", TALKS.replace("youtube", "vimeo", 1).encode())
    message = told(site, syncer, YML + FIELDS.format(", where: {provider: youtube, day: '1'}"))
    why = "no data file has all of its values in one place"
    assert message == f"`where` leaves out all 2 videos: {why}. Correct `fields.where`."


@pytest.mark.parametrize(
    ("keys", "which", "rest"),
    [
        (
            '    include: ["/tlaks.yml"]\n',
            "`include` (`/tlaks.yml`) takes no file. The directory has `talks.yml`",
            " and 1 other file. Correct `include`.",
        ),
        (
            '    include: ["*.yml"]\n    exclude: ["/*"]\n',
            "`exclude` (`/*`) leaves out all 2 files that `include`",
            " takes. Correct `exclude`.",
        ),
        (
            "    format: json\n",
            "`include` (`**/*.json`) takes no file. The directory has `more.yml` and 1 other file.",
            " Correct `format`, or set `include`.",
        ),
    ],
)
def test_patterns_and_formats_that_take_no_file_are_named(
    site: Site, syncer: Run, keys: str, which: str, rest: str
) -> None:
    site.put("_data/talks.yml", TALKS.encode())
    site.put("_data/more.yml", b"- title: a\n")
    assert told(site, syncer, keys + FIELDS.format("")) == which + rest


def test_the_default_include_takes_no_data_file(site: Site, syncer: Run) -> None:
    site.put("_data/talks.yml", TALKS.encode())
    message = told(site, syncer, "    fields: {video_id: id, counts: {viewCount: views}}\n")
    assert message.endswith('takes no file. The directory has `talks.yml`. Set `include`, such as `["**/*.yml"]`.')


@pytest.mark.parametrize(
    ("name", "keys", "remedy"),
    [
        ("talks.yml", '    format: front_matter\n    include: ["*.yml"]\n', "Remove `format: front_matter`."),
        ("talks.dat", '    include: ["*.dat"]\n', "If they are data, set `format`, such as `format: yaml`."),
    ],
)
def test_files_that_are_read_as_pages_and_have_no_front_matter(
    site: Site, syncer: Run, name: str, keys: str, remedy: str
) -> None:
    site.put(f"_data/{name}", TALKS.encode())
    message = told(site, syncer, keys + "    fields: {video_id: id, counts: {viewCount: views}}\n")
    assert message == f"No file has front matter, and without it none has the ID key `id`. {remedy}"


@pytest.mark.parametrize("video_id", ["id", "[].vid", "talks[].id"])
def test_an_id_key_that_the_only_data_file_lacks(site: Site, syncer: Run, video_id: str) -> None:
    site.put("_data/talks.yml", TALKS.encode())
    message = told(site, syncer, f'{YML}    fields: {{video_id: "{video_id}", counts: {{viewCount: views}}}}\n')
    assert message == f"No data file has the ID key `{video_id}`; data files have `[].id`. Correct `fields.video_id`."


def test_a_data_file_whose_videos_come_later_is_no_problem_until_it_has_five_items(site: Site, syncer: Run) -> None:
    collection = f'{YML}    fields: {{video_id: "[].id", counts: {{viewCount: views}}}}\n'
    site.put("_data/talks.yml", b"- title: Conference\n" * 4)
    site.configure(collections=f"  - directory: _data\n{collection}")
    assert site.sync().problems == ()
    site.put("_data/talks.yml", b"- title: Conference\n" * 5)
    message = told(site, syncer, collection)
    assert message.startswith("No data file has the ID key `[].id`. Correct `fields.video_id`, or ")


@pytest.mark.parametrize(
    ("keys", "text", "message"),
    [
        ("checked_at: day", "", "No page has `day`. Correct `fields.checked_at`, or set `insert_missing: true` to"),
        ("unavailable_since: gone", "", "No page has `gone`. Correct `fields.unavailable_since`, or set"),
        ("unavailable_since: a.gone", "", "No page has `a.gone`. Correct `fields.unavailable_since`."),
        (
            "unavailable_since: gone",
            "Gone: 2026-11-22",
            "No page has `gone`; pages have `Gone`. Correct `fields.unavailable_since`.",
        ),
        (
            "checked_at: checkd, unavailable_since: gone",
            "checked: ''",
            "No page has `checkd`, `gone`; pages have `checked`. Correct `fields.checked_at` and `fields.unavail",
        ),
    ],
)
def test_a_date_that_no_page_has_and_that_no_sync_adds(
    site: Site, syncer: Run, keys: str, text: str, message: str
) -> None:
    site.put("_data/a.md", f"---\nid: {A}\nviews: 1\n{text}\n---\n".encode())
    collection = f"    fields: {{video_id: id, counts: {{viewCount: views}}, {keys}}}\n"
    assert told(site, syncer, collection).startswith(message)


@pytest.mark.parametrize(
    ("keys", "lacks", "name"),
    [
        ("counts: {likeCount: likes}", "likes", "counts"),
        ("counts: {viewCount: views}, unavailable_since: gone", "gone", "unavailable_since"),
    ],
)
def test_for_what_a_table_lacks_no_remedy_is_named_that_the_config_refuses(
    site: Site, syncer: Run, keys: str, lacks: str, name: str
) -> None:
    site.put("_data/a.csv", f"id,views\n{A},1\n".encode())
    message = told(site, syncer, f'    include: ["*.csv"]\n    fields: {{video_id: id, {keys}}}\n')
    assert message == f"No data file has `{lacks}`. Correct `fields.{name}`, or add such a column."
    site.put("_data/a.csv", f"id,views,{lacks}\n{A},1,\n".encode())
    assert site.sync().problems == ()


def test_insert_missing_is_no_reason_to_be_silent_where_all_files_are_tables(site: Site, syncer: Run) -> None:
    site.put("_data/a.csv", f"id,views\n{A},1\n".encode())
    fields = "    fields: {video_id: id, counts: {likeCount: likes}, insert_missing: true}\n"
    message = told(site, syncer, f'    include: ["*"]\n{fields}')
    assert message == "No data file has `likes`. Correct `fields.counts`, or add such a column."


WORDS = {
    "include": "talks.yml",
    "video_id": "youtube_id",
    "counts": "viewers",
    "where": "provider",
    "where, its value": "youtube",
    "checked_at": "checked",
    "unavailable_since": "gone_since",
}
"""The words of a mapping that a typo can be in, by the key that a message names."""


TYPOS = [
    (key, typo)
    for key in WORDS
    for typo in ("without the second letter", "with another case", "with the second letter twice")
    if (key, typo) != ("video_id", "with another case")  # that is `key-case`
]


@pytest.mark.parametrize(("key", "typo"), TYPOS)
def test_no_typo_in_any_word_of_a_mapping_is_silent(site: Site, syncer: Run, key: str, typo: str) -> None:
    word = WORDS[key]
    wrong = word.swapcase() if "case" in typo else word[0] + word[1] * 2 * ("twice" in typo) + word[2:]
    words = {**WORDS, key: wrong}
    item = f"- {{youtube_id: {A}, viewers: 1, provider: youtube, checked: '', gone_since: ''}}\n"
    site.put("_data/talks.yml", item.encode() * 3)
    include, video_id, views, provider, value, checked, gone = words.values()
    collection = (
        f'    include: ["/{include}"]\n    fields: {{video_id: "[].{video_id}", counts: {{viewCount: {views}}},'
        f" where: {{{provider}: {value}}}, checked_at: {checked}, unavailable_since: {gone}}}\n"
    )
    message = told(site, syncer, collection)
    name = key.partition(",")[0]
    assert f"`{name}`" in message or f"`fields.{name}`" in message
    assert word in message.replace(wrong, ""), "it names what the files have"


def test_where_a_key_leaves_out_all_videos_of_a_site_nothing_is_forgotten(site: Site, syncer: Run) -> None:
    for number, video in enumerate(ids(6, seed=8)):
        site.put(f"content/{number}.md", f"---\nid: {video}\nviews: 1\n---\n".encode())
    site.configure(collections=GOOD)
    assert syncer("sync").code == 0
    site.configure(collections=GOOD.replace("id: id", "id: vid"))
    ran = syncer("sync", "--json")
    assert (ran.code, ran.document["error"]["kind"]) == (2, "content-gone")
    why = "found 6 videos: None of 6 pages has the ID key `vid`; pages have `id`. Correct `fields.video_id`. If you"
    assert why in ran.document["error"]["message"]
    site.configure(collections=GOOD)
    assert syncer("sync").code == 0


def test_check_says_that_a_collection_has_no_video_whatever_the_reason(site: Site, syncer: Run) -> None:
    site.put("content/a.md", f"---\nid: {C}\nviews: 1\n---\n".encode())
    site.put("talks/a.md", b"---\ntitle: soon\n---\n")
    talks = GOOD.replace("content", "talks")
    site.configure(collections=GOOD + talks)
    assert site.sync().problems == ()
    assert "warning content: talks: No video found in 1 file." in syncer("check", "--offline").out
    site.put("talks/b.md", f"---\nid: {A}\nviews: 1\nsyncer: false\n---\n".encode())
    assert "No video found" not in syncer("check", "--offline").out
