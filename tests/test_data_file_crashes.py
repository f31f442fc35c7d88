"""After a crash, the data file, the state and the diff log agree again, and no temporary file is left."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from syncer.simulator.server import Simulator
from tests.crash.warm import Order, Warm
from tests.site import NOON, Site, crlf
from tests.test_data_file import FILE, MARK, VIDEOS, shown, to_file
from tests.test_recover import CUT

STEPS = (
    ("syncer.sync.write", "record_intents", "before"),
    ("syncer.sync.write", "record_intents", "after"),
    ("syncer.sync.write", "mark_done", "before"),
    ("syncer.sync.write", "mark_done", "after"),
    ("syncer.diff_log.log:DiffLog", "append", "after"),
    ("syncer.sync.write", "forget_intents", "after"),
)
CREATED = (
    ("syncer.content.data_file", "_give_name", "before"),
    ("syncer.content.data_file", "_give_name", "after"),
    ("syncer.content.data_file", "flush_directories", "before"),
)
SWAPPED = (
    ("syncer.content.replace", "flush_files", "before"),
    ("syncer.content.swap", "exchange", "before"),
    ("syncer.content.swap", "exchange", "after"),
)
OLD = MARK + "".join(f'"{video}": {{viewcount: 7, likeCount: 7}}\n' for video in VIDEOS)


@pytest.fixture(params=[".yml", ".json"])
def full(site: Site, request: pytest.FixtureRequest) -> Site:
    site.configure(write=to_file(f"_data/youtube{request.param}"))
    for number, video in enumerate(VIDEOS):
        site.put(f"content/{number}.md", crlf(video, 7, 7))
    return site


def crash(warm: Warm, site: Site, *where: str) -> None:
    out, err = (str(site.root.parent / name) for name in ("out", "err"))
    assert warm.start(Order(("sync",), str(site.root), out, err, first=CUT.format(where=where))).ended().killed


def require_all_right(site: Site, youtube: Simulator, old: str | None) -> None:
    lines = site.log_lines()
    assert [line["seq"] for line in lines] == list(range(1, 2 * len(VIDEOS) + 1))
    assert {line["field"] for line in lines} == {
        f"{{{video}}}.{key}" for video in VIDEOS for key in ("viewcount", "likeCount")
    }
    assert {line["old"] for line in lines} == {old}
    (file,) = (site.root / "_data").iterdir()
    if file == site.root / FILE:
        assert file.read_text() == shown(youtube, *VIDEOS)
    assert list((site.state).glob("saved-*")) == []


@pytest.mark.parametrize("where", STEPS + CREATED)
def test_wherever_a_first_sync_is_killed_the_next_one_sets_all_right(
    full: Site, youtube: Simulator, warm: Warm, where: tuple[str, str, str]
) -> None:
    crash(warm, full, *where)

    report = full.sync(NOON)
    assert (report.exit, report.problems) == (0, ())
    require_all_right(full, youtube, None)
    assert full.sync(NOON).changed_counts == 0


@pytest.mark.parametrize("where", STEPS + SWAPPED)
def test_wherever_a_later_sync_is_killed_the_next_one_sets_all_right(
    site: Site, youtube: Simulator, warm: Warm, where: tuple[str, str, str]
) -> None:
    site.configure(write=to_file())
    for number, video in enumerate(VIDEOS):
        site.put(f"content/{number}.md", crlf(video, 7, 7))
    site.put(FILE, OLD.encode())
    crash(warm, site, *where)

    report = site.sync(NOON)
    assert (report.exit, report.problems) == (0, ())
    require_all_right(site, youtube, "7")
    assert site.sync(NOON).changed_counts == 0


@pytest.mark.parametrize("where", [*CREATED, *SWAPPED[1:]])
def test_no_temporary_file_is_left_if_the_state_is_lost_as_well(
    full: Site, youtube: Simulator, warm: Warm, where: tuple[str, str, str]
) -> None:
    if where in SWAPPED:
        full.sync(NOON)
        (file,) = (full.root / "_data").iterdir()
        file.write_text(file.read_text().replace('count": "', 'count": "1').replace("count: ", "count: 1"))
    crash(warm, full, *where)
    shutil.rmtree(full.state)

    report = full.sync(NOON)
    assert (report.exit, report.problems) == (0, ())
    assert len(list((full.root / "_data").iterdir())) == 1


@pytest.mark.parametrize("beginning", [b"", b'{"_sync', b"# Written by syncer: do not edit.\n", b"\0" * 100])
def test_the_beginning_of_a_data_file_is_removed_not_saved_as_an_edit(full: Site, beginning: bytes) -> None:
    left: Path = full.put("_data/.syncer-0123abcd~", beginning)

    assert full.sync(NOON).problems == ()
    assert not left.exists()
