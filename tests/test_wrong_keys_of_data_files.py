"""Keys of the config that no data file of a collection has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.site import Run, Site, ids

VIDEOS = ids(12, seed=5)
ONE = '  - directory: data\n    include: ["**/*.*"]\n    fields: {{video_id: "{}", counts: {{{}}}}}\n'

LIST = "- id: {}\n  views: 5\n  title: a\n"
KEYED = "{}:\n  views: 5\n"
TABLE = "title,id,views\na,{},5\n"


def put(site: Site, files: int, name: str, text: str) -> None:
    for number in range(files):
        site.put(f"data/{number}{name}", text.format(VIDEOS[number]).encode())


def found(site: Site, video_id: str, counts: str) -> list[str]:
    site.configure(collections=ONE.format(video_id, counts))
    return [problem.message for problem in site.sync().problems]


@pytest.mark.parametrize(
    ("name", "text", "video_id", "counts", "message"),
    [
        (".yml", LIST, "[].id", "viewCount: veiws", "No data file has `veiws`; data files have `views`. Correct"),
        (
            ".yml",
            LIST,
            "[].id",
            "likeCount: x",
            "No data file has `x`. Correct `fields.counts`, or set `insert_missing",
        ),
        (".json", '[{{"id": "{}", "views": 5}}]', "[].id", "viewCount: Views", "data files have `views`."),
        (".toml", '[[v]]\nid = "{}"\nviews = 5\n', "v[].id", "viewCount: veiws", "data files have `views`."),
        (".toml", '[[v]]\nid = "{}"\nviews = "1.2M"\n', "v[].id", "viewCount: veiws", "data files have `views`."),
        (".yml", KEYED, "{}", "viewCount: veiws", "No data file has `veiws`; data files have `views`."),
        (".yml", KEYED, "{}", "likeCount: x", "No data file has `x`. Correct `fields.counts`, or set `insert_missing"),
        (".csv", TABLE, "id", "viewCount: veiws", "No data file has `veiws`; data files have `views`."),
    ],
)
def test_a_count_that_no_data_file_has_is_a_problem_that_names_the_one_that_they_have(
    site: Site, name: str, text: str, video_id: str, counts: str, message: str
) -> None:
    put(site, 2, name, text)
    (problem,) = found(site, video_id, counts)
    assert message in problem


@pytest.mark.parametrize(
    ("name", "text", "video_id", "near"),
    [
        (".yml", LIST, "[].vid_id", "[].id"),
        (".csv", TABLE, "youtube", "id"),
        (".json", '{{"v": [{{"yt": "{}"}}]}}', "v[].youtube", "v[].yt"),
    ],
)
def test_an_id_key_that_no_data_file_has_is_a_problem(
    site: Site, name: str, text: str, video_id: str, near: str
) -> None:
    put(site, 6, name, text)
    (problem,) = found(site, video_id, "viewCount: views")
    assert problem.startswith(f"None of 6 data files has the ID key `{video_id}`; data files have `{near}`.")


@pytest.mark.parametrize(
    ("name", "text", "video_id"),
    [
        (".yml", "[]\n", "[].id"),
        (".yml", "# none yet\n", "[].id"),
        (".json", '{"v": []}', "v[].id"),
        (".csv", "id,views\n", "id"),
    ],
)
def test_empty_data_files_are_no_problem(site: Site, name: str, text: str, video_id: str) -> None:
    for number in range(6):
        site.put(f"data/{number}{name}", text.encode())
    assert found(site, video_id, "viewCount: views") == []


def test_check_names_a_wrong_count_beside_a_right_one(site: Site, syncer: Run) -> None:
    put(site, 2, ".yml", LIST)
    site.configure(collections=ONE.format("[].id", "viewCount: views, likeCount: liekd"))
    assert "warning content: data: No data file has `liekd`. Correct" in syncer("check", "--offline").out


def test_counts_that_some_data_files_have_are_no_problem(site: Site, syncer: Run) -> None:
    put(site, 2, ".yml", LIST)
    site.put("data/more.yml", b"- title: none yet\n  likes: 5\n")
    site.configure(collections=ONE.format("[].id", "viewCount: views, likeCount: likes"))
    assert "warning content" not in syncer("check", "--offline").out


IN_A_CHILD = """
import resource, sys
from pathlib import Path
from syncer.model import Collection, Count, Fields
from tests.places import scanned
from tests.site import Site

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

site = Site(Path(sys.argv[1]), sys.argv[2])
scanned(site.root, Collection("data", ("**/*.*",), (), Fields("[].id", {Count.VIEWS: "views"})))
before = peak()
problems = site.sync().problems
print(peak() - before, *(problem.message for problem in problems))
"""
LARGE_ITEM = f'[{{"id": "{VIDEOS[0]}", "views": 5, "x": [{"0, " * 3_000_000}0]}}]'
MANY_ITEMS = "[" + ",".join(f'{{"vid": "{VIDEOS[number % 12]}", "views": {number}}}' for number in range(60_000)) + "]"


@pytest.mark.parametrize(
    ("text", "message"),
    [(LARGE_ITEM, "more values than syncer reads at once"), (MANY_ITEMS, "data files have `[].vid`")],
)
def test_to_look_for_other_keys_takes_little_more_memory_than_to_read_the_file(
    site: Site, text: str, message: str
) -> None:
    """A file that is refused, and one that is read in pieces."""
    site.configure(collections=ONE.format("[].id", "viewCount: views"))
    site.put("data/a.json", text.encode())
    child = subprocess.run(
        [sys.executable, "-c", IN_A_CHILD, str(site.root), site.url],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    grown, problems = child.stdout.split(" ", 1)
    assert message in problems
    assert int(grown) < 40 * 2**20
