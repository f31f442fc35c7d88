"""Keys of the config that no page has are a Problem, and right ones never are."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from syncer.content import file_keys, wrong_keys
from syncer.content.pages import Pages
from syncer.content.scan import may_have_wrong_keys, read_pages
from syncer.content.walk import walk
from syncer.front_matter.leaves import leaves
from syncer.front_matter.video_id import parse_video_id
from syncer.model import Collection, Count, Fields, Problem, ProblemKind, VideoId
from syncer.suggest.propose import Proposal, suggest
from syncer.suggest.survey import survey
from tests.site import Run, Site, ids

VIDEOS = ids(20)
ONE = "  - directory: content\n    fields: {{video_id: {}, counts: {{{}}}{}}}\n"


def configure(site: Site, video_id: str = "id", counts: str = "viewCount: veiws", more: str = "") -> None:
    site.configure(collections=ONE.format(video_id, counts, more), availability="every: 7d")


def put(site: Site, number: int, text: str = "id: {}\nviews: 5", directory: str = "content") -> None:
    site.put(f"{directory}/{number:03}.md", f"---\n{text.format(VIDEOS[number % 20])}\n---\ntext\n".encode())


def found(site: Site) -> list[tuple[str, str]]:
    problems = site.sync().problems
    assert {problem.kind for problem in problems} <= {"keys-not-found"}
    return [(problem.subject, problem.message) for problem in problems]


@pytest.mark.parametrize(
    ("video_id", "counts", "text", "message"),
    [
        ("id", "viewCount: veiws", "id: {}\nviews: 5", "No page has `veiws`; pages have `views`."),
        ("id", "viewCount: Views", "id: {}\nviews: 5", "No page has `Views`; pages have `views`."),
        ("id", "viewCount: viewcount", "id: {}\nviews: 5", "No page has `viewcount`; pages have `views`."),
        ("id", "viewCount: view_count", "id: {}\nviewCount:", "No page has `view_count`; pages have `viewCount`."),
        ("id", "viewCount: x, likeCount: y", "id: {}\nlikes: 1", "No page has `x`, `y`; pages have `likes`."),
        ("id", "viewCount: x", "id: {}\nfoo: 5", "No page has `x`."),
        ("yt.id", "viewCount: yt.veiws", "yt: {{id: {}, views: 1}}", "No page has `yt.veiws`; pages have `yt.views`."),
        ("v[].id", "viewCount: veiws", "v:\n- id: {}\n  views: 1", "No page has `veiws`; pages have `views`."),
        ("yt.id", "viewCount: views", "yt:\n  id: {}", "No page has `views`."),
        ("id", "likeCount: likes", "id: {}\nliked: true", "No page has `likes`."),
    ],
)
def test_a_count_that_no_page_has_is_a_problem_that_names_the_one_that_they_have(
    site: Site, syncer: Run, video_id: str, counts: str, text: str, message: str
) -> None:
    configure(site, f'"{video_id}"', counts)
    put(site, 0, text)
    can_be_added = "pages have" not in message and "." not in video_id
    remedy = ", or set `insert_missing: true` to add the keys" if can_be_added else ""
    assert found(site) == [("content", f"{message} Correct `fields.counts`{remedy}.")]
    ran = syncer("sync", "--json")
    assert (ran.code, [each["kind"] for each in ran.document["problems"]]) == (1, ["keys-not-found"])
    assert syncer("sync", "--dry-run").code == 1


@pytest.mark.parametrize(
    ("video_id", "text", "message"),
    [
        ("vid_id", "url: a", "None of 5 pages has the ID key `vid_id`. Correct `fields.video_id`, or `directory`"),
        (
            "vid_id",
            "clip: {}",
            "None of 5 pages has the ID key `vid_id`; pages have `clip`. Correct `fields.video_id`.",
        ),
        (
            "video_id",
            "ytid: {}\nvideo_date: 2024-01-01",
            "None of 5 pages has the ID key `video_id`; pages have `ytid`.",
        ),
        ("vid_id", "vidid: {}", "None of 5 pages has the ID key `vid_id`; pages have `vidid`. Correct `fields."),
        ("vid_id", "youtube: {}", "None of 5 pages has the ID key `vid_id`; pages have `youtube`. Correct"),
        ("video.id", "video: {{url: {}}}", "None of 5 pages has the ID key `video.id`; pages have `video.url`."),
        (
            "videos[].id",
            "videos: [{{vid: {}}}]",
            "None of 5 pages has the ID key `videos[].id`; pages have `videos[].vid`",
        ),
        ("videos[].id", "videos: {}", "None of 5 pages has the ID key `videos[].id`; pages have `videos`. Correct"),
        ("video.id", "'video.id': {}", "None of 5 pages has the ID key `video.id`. Correct `fields.video_id`, or "),
    ],
)
def test_five_pages_without_the_id_key_are_a_problem_and_four_are_none(
    site: Site, video_id: str, text: str, message: str
) -> None:
    configure(site, f'"{video_id}"')
    for number in range(4):
        put(site, number, text)
    site.put("content/plain.md", b"No front matter: vid_id, video\n")
    site.put("content/empty.md", b"---\n---\n")
    assert found(site) == []
    put(site, 4, text)
    ((subject, said),) = found(site)
    assert subject == "content"
    assert said.startswith(message)


RIGHT: list[Callable[[Site], None]] = []


def right(lay_out: Callable[[Site], None]) -> Callable[[Site], None]:
    RIGHT.append(lay_out)
    return lay_out


@right
def a_count_in_one_page_of_many(site: Site) -> None:
    configure(site, counts="viewCount: views, likeCount: likes")
    for number in range(9):
        put(site, number, "id: {}")
    put(site, 9, "id: {}\nviews:")


@right
def counts_without_values(site: Site) -> None:
    configure(site, counts="viewCount: views")
    for number, empty in enumerate(("", " null", " ''", " ~")):
        put(site, number, f"id: {{}}\nviews:{empty}")


@right
def counts_to_be_added(site: Site) -> None:
    configure(site, more=", insert_missing: true")
    put(site, 0)


@right
def an_id_without_a_value(site: Site) -> None:
    configure(site)
    for number in range(8):
        put(site, number, "title: a")
    put(site, 8, "id:\ntitle: b")


@right
def lists_that_are_empty(site: Site) -> None:
    configure(site, '"videos[].id"', "viewCount: views")
    for number in range(8):
        put(site, number, "videos: []")


@right
def tables_that_are_empty(site: Site) -> None:
    configure(site, '"video.id"', "viewCount: video.views")
    for number in range(8):
        put(site, number, "video:")


@right
def counts_in_a_draft_without_a_video(site: Site) -> None:
    configure(site, counts="viewCount: views, likeCount: likes")
    put(site, 0, "id: {}")
    put(site, 1, "id: ''\nviews: ''\nlikes: ''")


@right
def counts_in_a_page_without_the_id_key(site: Site) -> None:
    configure(site, counts="viewCount: views")
    put(site, 0, "id: {}")
    put(site, 1, "views: 3")


@right
def counts_in_a_page_that_cannot_be_parsed(site: Site) -> None:
    configure(site, counts="viewCount: views")
    put(site, 0, "id: {}")
    put(site, 1, "views: 3\ntitle: a: b")


@right
def pages_without_front_matter(site: Site) -> None:
    configure(site)
    for number in range(8):
        site.put(f"content/{number}.md", b"# Title\n\nid and views\n")


@right
def no_pages_at_all(site: Site) -> None:
    configure(site)


@right
def only_files_that_hold_no_text(site: Site) -> None:
    configure(site)
    site.put("content/a.png", b"")


@right
def patterns_that_leave_out_only_what_another_collection_takes(site: Site) -> None:
    keys = "fields: {video_id: id, counts: {viewCount: views}}"
    all_pages = f"  - directory: content\n    {keys}\n"
    others = f"  - directory: content\n    include: ['**/*.html']\n    {keys}\n"
    excluding = f"  - directory: content\n    exclude: ['*.md']\n    {keys}\n"
    site.configure(collections=all_pages + others + excluding)
    put(site, 0, "id: {}\nviews: 5")
    put(site, 1, "title: a")


@right
def pages_that_exclude_themselves(site: Site) -> None:
    configure(site, counts="viewCount: views", more=", where: {kind: video}")
    put(site, 0, "id: {}\nviews: 5\nkind: video\nsyncer: false")


@right
def dates_in_a_page_without_a_video(site: Site) -> None:
    configure(site, counts="viewCount: views", more=", checked_at: checked, unavailable_since: gone")
    put(site, 0, "id: {}\nviews: 5")
    put(site, 1, "title: a\nchecked:\ngone: 'not a date'")


@right
def dates_to_be_added(site: Site) -> None:
    more = ", checked_at: checked, unavailable_since: gone, insert_missing: true"
    configure(site, counts="viewCount: views", more=more)
    put(site, 0, "id: {}\nviews: 5")


@right
def two_collections_of_the_same_pages_with_the_same_counts(site: Site) -> None:
    one = ONE.format("id", "viewCount: views", "")
    site.configure(collections=one + one)
    put(site, 0)


@right
def a_collection_whose_pages_are_those_of_another(site: Site) -> None:
    lists = ONE.format('"videos[].id"', "viewCount: views", "")
    site.configure(collections=ONE.format("id", "viewCount: views", "") + lists)
    for number in range(8):
        put(site, number)
    put(site, 8, "title: a")


@pytest.mark.parametrize("lay_out", RIGHT, ids=[each.__name__ for each in RIGHT])
def test_right_keys_are_no_problem(site: Site, lay_out: Callable[[Site], None]) -> None:
    lay_out(site)
    assert found(site) == []


@pytest.mark.parametrize("value", ["1.2M", "[1]", "&a 5", "!!str 5", "|\n  5"])
def test_a_count_with_another_problem_is_there(site: Site, value: str) -> None:
    configure(site, counts="viewCount: views")
    put(site, 0, f"id: {{}}\nviews: {value}")
    assert "keys-not-found" not in {problem.kind for problem in site.sync().problems}


def test_a_narrow_sync_does_not_see_all_pages_and_looks_for_no_wrong_keys(site: Site, syncer: Run) -> None:
    configure(site)
    put(site, 0)
    assert syncer("sync", "content").code == 0
    assert syncer("sync", f"--video={VIDEOS[0]}").code == 0
    assert syncer("sync").code == 1


def test_pages_are_read_again_only_where_no_count_was_found(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(site, counts="viewCount: views")
    for number in range(20):
        put(site, number)
    monkeypatch.delattr(file_keys, "read_head")
    assert found(site) == []


@pytest.mark.parametrize(
    ("counts", "more", "warning"),
    [
        (
            "viewCount: views, likeCount: lieks",
            "",
            "No page has `lieks`; pages have `likes`. Correct `fields.counts`.",
        ),
        (
            "viewCount: veiws, likeCount: likes",
            ", insert_missing: true",
            "No page has `veiws`; pages have `views`, and `insert_missing` is set. A sync adds a second key.",
        ),
        (
            "viewCount: views, commentCount: comments",
            "",
            "No page has `comments`. Correct `fields.counts`, or set `insert_missing: true` to add the keys.",
        ),
        (
            "viewCount: views, commentCount: x.comments",
            "",
            "No page has `x.comments`. Correct `fields.counts`.",
        ),
        ("viewCount: views, likeCount: likes", "", None),
        ("viewCount: views, commentCount: comments", ", insert_missing: true", None),
    ],
)
def test_check_warns_of_a_count_that_no_page_has_and_of_a_name_near_to_one_that_a_sync_adds(
    site: Site, syncer: Run, counts: str, more: str, warning: str | None
) -> None:
    configure(site, counts=counts, more=more)
    for number in range(2):
        put(site, number, "id: {}\nviews: 5\nlikes: 6")
    checks = syncer("check", "--offline", "--json").document["checks"]
    warnings = [each["message"] for each in checks if (each["name"], each["level"]) == ("content", "warning")]
    assert len(warnings) == (warning is not None)
    assert all(each.startswith(f"content: {warning}") for each in warnings)


def test_check_finds_one_error_where_the_id_key_is_wrong_and_no_pages_to_write(site: Site, syncer: Run) -> None:
    configure(site, "vid_id")
    for number in range(5):
        put(site, number)
    checks = syncer("check", "--offline", "--json").document["checks"]
    (error,) = [each["message"] for each in checks if each["level"] == "error"]
    assert error.startswith("content: None of 5 pages has the ID key `vid_id`; pages have `id`.")
    assert "permissions" not in {each["name"] for each in checks}


def test_a_word_as_long_as_an_id_on_a_few_pages_is_not_proposed_as_one(site: Site) -> None:
    configure(site, "vid_id")
    for number in range(8):
        put(site, number, "slug: hello-worlds" if number else "slug: hello-world")
    ((_, message),) = found(site)
    assert message.startswith("None of 8 pages has the ID key `vid_id`. ")


@pytest.mark.skipif("SYNCER_CORPUS" not in os.environ, reason="SYNCER_CORPUS names no directory of public pages")
def test_no_public_site_with_the_keys_that_it_uses_has_wrong_ones_and_each_has_with_others(tmp_path: Path) -> None:
    corpus, sites = Path(os.environ["SYNCER_CORPUS"]), set()
    with (corpus / "MANIFEST.tsv").open(encoding="utf-8", newline="") as manifest:
        for row in csv.DictReader(manifest, delimiter="\t"):
            target = tmp_path / row["source"].replace("/", "+") / row["original_path"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((corpus / row["path"]).read_bytes())
            sites.add(tmp_path / row["source"].replace("/", "+"))
    with_videos = 0
    for site in sites:
        files = sorted(path for path in site.rglob("*") if path.is_file())
        pages = [(str(path.relative_to(site)), leaves(path.read_bytes())) for path in files]
        for proposal in suggest(survey(pages, recognise)):
            with_videos += 1
            mapped = proposal.fields
            assert problems_of(site, proposal, mapped) == []
            other = replace(mapped, counts={Count.VIEWS: "no_such"}, insert_missing=False)
            assert problems_of(site, proposal, other) == [ProblemKind.KEYS_NOT_FOUND]
            if mapped.video_id.count(".") == 0 and proposal.pages >= 5:
                absent = replace(mapped, video_id="no_such_id")
                assert problems_of(site, proposal, absent) == [ProblemKind.KEYS_NOT_FOUND]
    assert with_videos >= 7


def problems_of(site: Path, proposal: Proposal, fields: Fields) -> list[ProblemKind]:
    """Return what is wrong with the keys, as a sync of the whole site finds it."""
    root, collection = os.path.realpath(site), Collection(proposal.directory, proposal.include, (), fields)
    pages = Pages()
    problems = [each for each in read_pages(root, walk(root, [collection]), pages) if isinstance(each, Problem)]
    suspects = may_have_wrong_keys(root, [collection], pages)
    return [each.kind for each in wrong_keys.key_problems(root, suspects, [collection], pages, problems)]


def recognise(text: str) -> VideoId | None:
    found = parse_video_id(text, "")
    return found if isinstance(found, str) else None
