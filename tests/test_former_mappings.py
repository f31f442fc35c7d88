"""What syncer wrote before the config was changed is still reviewed, committed, pushed, dropped and undone."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from syncer.config.parse import parse_config
from syncer.model import Collection, VideoId
from syncer.simulator.server import Simulator
from syncer.state.database import open_state
from syncer.state.mappings import with_former
from syncer.sync.options import Options
from tests.examples import PROVING
from tests.remotes import SharedSite, push_all
from tests.repository import Repository
from tests.site import Run, Site, ids
from tests.test_data_file import FILE, MARK, to_file

VIDEOS = ids(3, seed=16)
PAGES = ["content/0.md", "content/sub/1.md", "content/sub/2.md"]
COMMITTED = "commit: true, push: true"

ALL = "{viewCount: viewcount, likeCount: likeCount}"


def mapped(counts: str = ALL, directory: str = "content") -> str:
    return f"  - directory: {directory}\n    fields: {{video_id: vid_id, counts: {counts}}}\n"


INSERTING = mapped("{viewCount: viewcount, likeCount: likeCount, commentCount: comments}").replace(
    "vid_id,", "vid_id, insert_missing: true, insert_as: string,"
)


@dataclass(frozen=True)
class Settings:
    """The part of a config that says where counts are."""

    collections: str = mapped()
    write: str = "in_place: true"

    def configure(self, site: Site, git: str = COMMITTED) -> None:
        site.configure(collections=self.collections, write=self.write, git=git)


TO_PAGES, TO_FILE = Settings(), Settings(write=to_file())

CHANGES = {
    "to a data file": (TO_PAGES, TO_FILE),
    "from a data file": (TO_FILE, TO_PAGES),
    "another data file": (TO_FILE, Settings(write=to_file("_data/videos.json"))),
    "a count less": (TO_PAGES, Settings(mapped("{viewCount: viewcount}"))),
    "a count less in a data file": (TO_FILE, Settings(mapped("{viewCount: viewcount}"), to_file())),
    "another key": (TO_PAGES, Settings(mapped("{viewCount: views, likeCount: likeCount}"))),
    "another key in a data file": (TO_FILE, Settings(mapped("{viewCount: views, likeCount: likeCount}"), to_file())),
    "another count in the key": (TO_PAGES, Settings(mapped("{commentCount: viewcount, viewCount: likeCount}"))),
    "counts are no longer inserted": (Settings(INSERTING), TO_PAGES),
    "another key for the ID": (TO_PAGES, Settings(mapped().replace("vid_id", "video"))),
    "fewer directories": (TO_PAGES, Settings(mapped(directory="content/sub"))),
    "fewer pages": (TO_PAGES, Settings(mapped().replace("fields", "exclude: [/sub/]\n    fields"))),
}
USUAL = {"from a data file", "another data file", "a count less", "another key", "fewer directories"}


class Scene(SharedSite):
    """A site that has synced twice: what the second sync wrote is not committed, or not pushed."""

    written: str
    """The second sync."""

    def wrote(self) -> set[tuple[str, str]]:
        """Path and field of all that the second sync wrote."""
        return {(line["path"], line["field"]) for line in self.site.log_lines() if line["sync"] == self.written}


@pytest.fixture
def scene(site: Site, youtube: Simulator, tmp_path: Path) -> Scene:
    for path, video in zip(PAGES, VIDEOS, strict=True):
        site.put(path, f"---\nvid_id: {video}\nviewcount: 1\nlikeCount: 2\nviews: 3\n---\nText.\n".encode())
    site.put(".gitignore", b".syncer/\n/config/\n")
    return Scene.of(site, youtube, tmp_path)


def leave_uncommitted(scene: Scene, before: Settings) -> None:
    before.configure(scene.site)
    assert scene.sync().exit == 0
    before.configure(scene.site, "commit: false")
    scene.grow()
    scene.hours += 24
    scene.written = scene.sync().sync


def leave_unpushed(scene: Scene, before: Settings) -> None:
    before.configure(scene.site)
    assert scene.sync().exit == 0
    scene.grow()
    scene.hours += 24
    with scene.without_remote():
        scene.written = scene.sync().sync


def waiting(syncer: Run) -> set[tuple[str, str]]:
    """Path and field of all that a review shows as syncer's, and nothing else may be in it."""
    shown = syncer("review", "--json").document
    assert shown["problems"] == []
    assert all(count["ours"] for page in shown["pages"] for count in page["counts"])
    return {(page["path"], count["field"]) for page in shown["pages"] for count in page["counts"]}


def next_sync(scene: Scene, _syncer: Run) -> None:
    report = scene.sync()
    assert (report.exit, report.problems) == (0, ())
    assert scene.tip() == scene.ours.head()


def keep(scene: Scene, syncer: Run) -> None:
    assert (
        syncer(
            "review", *(word for path in sorted({path for path, _ in waiting(syncer)}) for word in ("--keep", path))
        ).code
        == 0
    )
    assert scene.ours.git("log", "-1", "--format=%s").startswith("Update YouTube counts")


def drop(scene: Scene, syncer: Run) -> None:
    head = scene.ours.head()
    assert (
        syncer(
            "review", *(word for path in sorted({path for path, _ in waiting(syncer)}) for word in ("--drop", path))
        ).code
        == 0
    )
    assert scene.ours.head() == head


def undo(scene: Scene, syncer: Run) -> None:
    assert syncer("undo", scene.written).code == 0


ACTS: list[Callable[[Scene, Run], None]] = [next_sync, keep, drop, undo]


QUICK = {
    ("from a data file", next_sync),
    ("another data file", undo),
    ("another data file", next_sync),
    ("a count less", drop),
    ("another key", keep),
    ("fewer directories", next_sync),
}
TRIED = [
    pair
    for number, pair in enumerate(product(CHANGES, ACTS))
    if PROVING or pair in QUICK or (number + number // len(ACTS)) % 2 == 0
]
"""Each change with two of the acts, by turns; with all of them in `./dev prove`."""


@pytest.mark.parametrize(
    ("change", "act"),
    [pytest.param(*pair, marks=[] if pair in QUICK else pytest.mark.storm) for pair in TRIED],
)
def test_what_is_not_committed_when_the_config_changes_is_not_forgotten(
    scene: Scene, change: str, act: Callable[[Scene, Run], None], syncer: Run
) -> None:
    before, after = CHANGES[change]
    leave_uncommitted(scene, before)
    wrote = scene.wrote()
    after.configure(scene.site)

    assert waiting(syncer) == wrote
    act(scene, syncer)
    assert waiting(syncer) == set()
    assert scene.ours.status() == []
    scene.grow()
    next_sync(scene, syncer)
    assert scene.ours.status() == []


@pytest.mark.parametrize(
    ("change", "undoes"),
    [
        *(
            pytest.param(change, False, marks=[] if change in USUAL else pytest.mark.storm, id=change)
            for change in CHANGES
        ),
        *(
            pytest.param(change, True, marks=pytest.mark.storm, id=f"{change}-undone")
            for number, change in enumerate(CHANGES)
            if PROVING or number % 2 == 0
        ),
    ],
)  # what undo does with each change, the test above tries too
def test_a_commit_that_waits_for_its_push_is_syncers_after_the_config_changes(
    scene: Scene, change: str, syncer: Run, *, undoes: bool
) -> None:
    before, after = CHANGES[change]
    leave_unpushed(scene, before)
    commit = scene.ours.head()
    after.configure(scene.site)

    assert waiting(syncer) == set()
    if undoes:
        undo(scene, syncer)
        assert waiting(syncer) == scene.wrote()
        scene.grow()
    next_sync(scene, syncer)
    assert commit in scene.remote.git("rev-list", "main").split()
    if scene.ours.status():  # a key less in a data file, which goes with the next commit of counts
        assert change == "a count less in a data file"
        scene.grow()
        next_sync(scene, syncer)
    assert scene.ours.status() == []


def test_only_what_syncer_wrote_is_found_by_a_mapping_that_the_config_no_longer_has(scene: Scene, syncer: Run) -> None:
    before, after = CHANGES["a count less"]
    leave_uncommitted(scene, before)
    after.configure(scene.site)
    edit(scene, PAGES[0], "likeCount", "77")
    edit(scene, PAGES[1], "viewcount", "88")

    shown = syncer("review", "--json").document["pages"]
    found = {(page["path"], count["field"], count["ours"]) for page in shown for count in page["counts"]}
    edited = {(PAGES[0], "likeCount"), (PAGES[1], "viewcount")}
    assert found == {(path, field, True) for path, field in scene.wrote() - edited} | {(PAGES[1], "viewcount", False)}

    scene.grow()
    next_sync(scene, syncer)
    assert scene.ours.status() == [f" M {PAGES[0]}"]
    assert b"likeCount: 77\n" not in scene.ours.show(PAGES[0])
    assert waiting(syncer) == set()


def test_pages_that_exclude_themselves_are_left_alone(scene: Scene, syncer: Run) -> None:
    before, after = CHANGES["fewer directories"]
    leave_uncommitted(scene, before)
    edit(scene, PAGES[0], "views", "3\nsyncer: false")
    after.configure(scene.site)

    assert {path for path, _ in waiting(syncer)} == set(PAGES[1:])
    assert syncer("undo", scene.written).out.count("the page's `syncer` key excludes it") == 1
    next_sync(scene, syncer)
    assert scene.ours.status() == [f" M {PAGES[0]}"]


@pytest.mark.parametrize(
    ("options", "left"), [(Options(paths=(PAGES[1],)), 2), (Options(videos=frozenset({VideoId(VIDEOS[1])})), 2)]
)
def test_a_narrow_sync_commits_what_syncer_wrote_to_its_pages(scene: Scene, options: Options, left: int) -> None:
    before, after = CHANGES["a count less"]
    leave_uncommitted(scene, before)
    after.configure(scene.site)
    assert scene.sync(options).exit == 0
    assert scene.ours.status() == [f" M {path}" for path in PAGES if path != PAGES[1]]
    assert len(scene.ours.status()) == left


@pytest.mark.parametrize("words", [["rm", "--quiet"], ["rm", "--quiet", "--cached"]], ids=["removed", "untracked"])
def test_a_former_data_file_that_its_author_removes_stays_removed(scene: Scene, words: list[str], syncer: Run) -> None:
    before, after = CHANGES["from a data file"]
    leave_uncommitted(scene, before)
    after.configure(scene.site)
    scene.ours.git(*words, "--force", FILE)
    scene.ours.git("commit", "--quiet", "--message", "Not needed any more")
    scene.ours.git("push", "--quiet")
    scene.grow()
    next_sync(scene, syncer)
    assert FILE not in scene.ours.git("ls-files").split()
    assert waiting(syncer) == set()


def test_a_former_data_file_is_committed_from_its_first_version_and_no_matter_if_git_ignores_it(
    scene: Scene, syncer: Run
) -> None:
    TO_FILE.configure(scene.site, "commit: false")
    scene.sync()
    TO_PAGES.configure(scene.site)
    scene.site.put(".gitignore", b".syncer/\n/config/\n/_data/\n")
    next_sync(scene, syncer)
    assert FILE not in scene.ours.git("ls-files").split()

    scene.site.put(".gitignore", b".syncer/\n/config/\n")
    scene.grow()
    next_sync(scene, syncer)
    assert scene.ours.show(FILE) == (scene.site.root / FILE).read_bytes()


def test_a_file_with_syncers_mark_that_no_config_had_is_left_alone(scene: Scene, syncer: Run) -> None:
    scene.site.put("_data/copy.yml", f'{MARK}"{VIDEOS[0]}": {{viewcount: 1, likeCount: 2}}\n'.encode())
    leave_uncommitted(scene, TO_FILE)
    TO_PAGES.configure(scene.site)
    next_sync(scene, syncer)
    assert scene.ours.status() == ["?? _data/copy.yml"]


def test_what_waits_for_a_push_is_rebuilt_where_others_pushed_first(scene: Scene, syncer: Run) -> None:
    before, after = CHANGES["from a data file"]
    leave_unpushed(scene, before)
    written = scene.ours.show(FILE)
    after.configure(scene.site)
    scene.other.git("pull", "--quiet")
    (scene.other.top / "theirs.txt").write_text("theirs\n")
    push_all(scene.other)
    next_sync(scene, syncer)
    assert scene.ours.show(FILE) == written
    assert scene.ours.status() == []


def test_a_repository_below_a_directory_that_is_no_longer_mapped_is_no_problem(scene: Scene, syncer: Run) -> None:
    leave_uncommitted(scene, TO_PAGES)
    nested = scene.site.put("content/elsewhere/x.md", b"---\nvid_id: abc\n---\n").parent
    Repository(nested).git("init", "--quiet")
    CHANGES["fewer directories"][1].configure(scene.site)
    next_sync(scene, syncer)


def test_dates_are_found_too(scene: Scene, syncer: Run) -> None:
    dated = mapped().replace("}}", "}, checked_at: viewsUpdated}")
    for path, video in zip(PAGES, VIDEOS, strict=True):
        page = f"---\nvid_id: {video}\nviewsUpdated: 2020-01-01\nviewcount: 1\nlikeCount: 2\n---\n"
        scene.site.put(path, page.encode())
    scene.ours.commit_all()
    scene.ours.git("push", "--quiet")
    leave_uncommitted(scene, Settings(dated))
    TO_PAGES.configure(scene.site)
    assert waiting(syncer) >= {(path, "viewsUpdated") for path in PAGES}
    next_sync(scene, syncer)
    assert scene.ours.status() == []


def mappings(site: Site) -> list[Collection]:
    """The mappings that the config no longer has."""
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    with open_state(site.state, site.root) as database:
        return with_former(database, config.written_models())[len(config.written_models()) :]


def test_a_mapping_is_former_only_if_it_finds_other_values(scene: Scene) -> None:
    leave_uncommitted(scene, TO_FILE)
    assert mappings(scene.site) == []
    scene.site.configure(collections=mapped(), write=f"{to_file()}, min_change: 5%", schedule="every: 9h")
    scene.sync()
    assert mappings(scene.site) == []
    TO_PAGES.configure(scene.site)
    (former,) = mappings(scene.site)
    assert (former.data_file, former.fields.former) == (FILE, True)


def test_a_mapping_is_forgotten_with_the_log_lines_that_it_explains(scene: Scene, syncer: Run) -> None:
    leave_uncommitted(scene, TO_FILE)
    TO_PAGES.configure(scene.site)
    scene.hours += 24 * 28 - 2
    scene.sync()
    assert len(mappings(scene.site)) == 1
    scene.hours += 24
    scene.sync()
    assert mappings(scene.site) == []

    Settings(write=to_file("_data/other.toml")).configure(scene.site)
    scene.sync()
    TO_PAGES.configure(scene.site)
    assert len(mappings(scene.site)) == 1
    assert syncer("purge", "--all").code == 0
    assert mappings(scene.site) == []


def test_a_mapping_that_is_not_valid_is_damage(scene: Scene, syncer: Run) -> None:
    leave_uncommitted(scene, TO_FILE)
    TO_FILE.configure(scene.site)
    with closing(sqlite3.connect(scene.site.state / "state.sqlite3")) as connection:
        connection.execute("""INSERT INTO mappings VALUES ('{"directory": 1}', 7)""")
        connection.commit()
    assert syncer("review").code == 2
    report = scene.sync()
    assert [problem.kind for problem in report.problems] == ["state-lost"]


def test_an_export_does_not_replace_a_former_data_file(scene: Scene, syncer: Run) -> None:
    leave_uncommitted(scene, TO_FILE)
    TO_PAGES.configure(scene.site)
    assert syncer("export", "--csv", str(scene.site.root / FILE)).code == 2
    assert (scene.site.root / FILE).read_text().startswith(MARK)


def edit(scene: Scene, path: str, key: str, value: str) -> None:
    """Edits a value in a page, as its author does."""
    page = scene.site.root / path
    page.write_text(re.sub(f"(?m)^{key}: .*$", f"{key}: {value}", page.read_text()))
