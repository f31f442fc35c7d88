"""What syncer wrote before the config was changed is still reviewed, committed, pushed, dropped and undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from syncer.simulator.server import Simulator
from tests.examples import storms_but
from tests.remotes import SharedSite
from tests.site import Run, Site, ids
from tests.test_data_file import to_file

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
    "fewer pages": (TO_PAGES, Settings(mapped().replace("fields", "exclude: [0.md, /sub/]\n    fields"))),
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
    scene.written = scene.sync().sync


def leave_unpushed(scene: Scene, before: Settings) -> None:
    before.configure(scene.site)
    assert scene.sync().exit == 0
    scene.grow()
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


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("change", storms_but(USUAL, list(CHANGES)))
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


@pytest.mark.parametrize("undoes", [False, True], ids=["", "undone"])
@pytest.mark.parametrize("change", storms_but(USUAL, list(CHANGES)))
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
    assert scene.ours.status() == []
