"""Counts are written into one data file (`write.to`), and the pages stay as they are."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from syncer.config.parse import parse_config
from syncer.errors import ConfigError, UsageError
from syncer.model import VideoId
from syncer.simulator.server import Simulator
from syncer.simulator.world import VideoState
from syncer.status.report import SyncReport
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Listener, Options
from tests.site import KEY, NOON, Run, Site, counts, crlf, ids, pair, tree, world_with

VIDEOS = sorted(ids(3))
FILE = "_data/youtube.yml"
MARK = "# Written by syncer: do not edit.\n"
READERS: dict[str, Callable[[str], Any]] = {
    ".yml": yaml.safe_load,
    ".yaml": yaml.safe_load,
    ".json": json.loads,
    ".toml": tomllib.loads,
}


def to_file(path: str = FILE) -> str:
    return f"to: data_file, file: {path}"


def mapped_to(counts: str) -> str:
    return f"- {{directory: content, fields: {{video_id: vid_id, counts: {{{counts}}}}}}}"


@pytest.fixture
def full(site: Site) -> Site:
    site.configure(write=to_file())
    for number, video in enumerate(VIDEOS):
        site.put(f"content/{number}.md", crlf(video, 7, 7))
    return site


def read(file: Path) -> Any:
    return READERS[file.suffix](file.read_text(encoding="utf-8"))


def shown(youtube: Simulator, *videos: str) -> str:
    """The data file as it is to be."""
    entries = ((video, *counts(youtube, video)) for video in sorted(videos))
    return MARK + "".join(f'"{video}": {{viewcount: {views}, likeCount: {likes}}}\n' for video, views, likes in entries)


@pytest.mark.parametrize("suffix", READERS)
def test_the_counts_of_all_pages_go_into_the_file_and_no_page_changes(
    site: Site, youtube: Simulator, suffix: str
) -> None:
    site.configure(write=to_file(f"data/youtube{suffix}"))
    site.put("content/a.md", crlf(VIDEOS[1], 7, 7))
    site.put("content/lists/b.md", pair((VIDEOS[0], 7, 7), (VIDEOS[2], 7, 7)))
    before = tree(site.root / "content")

    report = site.sync(NOON)

    assert (report.exit, report.pages, report.changed_pages, report.changed_counts) == (0, 2, 1, 6)
    assert tree(site.root / "content") == before
    found = read(site.root / f"data/youtube{suffix}")
    assert found.pop("_syncer", None) == ({"note": "Written by syncer: do not edit."} if suffix == ".json" else None)
    kind = str if suffix == ".json" else int
    expected = {video: counts(youtube, video) for video in VIDEOS}
    assert list(found) == VIDEOS
    assert {video: (entry["viewcount"], entry["likeCount"]) for video, entry in found.items()} == {
        video: tuple(map(kind, given)) for video, given in expected.items()
    }
    fields = [(line["path"], line["field"], line["old"], line["why"]) for line in site.log_lines()]
    assert fields == [
        (f"data/youtube{suffix}", f"{{{video}}}.{key}", None, "inserted")
        for video in VIDEOS
        for key in ("viewcount", "likeCount")
    ]


def test_a_later_sync_changes_the_lines_of_changed_counts_only(full: Site, youtube: Simulator) -> None:
    full.sync(NOON)
    file = full.root / FILE
    assert file.read_text() == shown(youtube, *VIDEOS)
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:2], lines[2].replace("viewcount: ", "viewcount: 1"), *lines[3:], ""]))

    report = full.sync(NOON)

    assert (report.exit, report.changed_counts) == (0, 1)
    assert file.read_text() == shown(youtube, *VIDEOS)
    views, _ = counts(youtube, VIDEOS[1])
    line = full.log_lines()[-1]
    assert (line["field"], line["old"], line["new"], line["why"]) == (
        f"{{{VIDEOS[1]}}}.viewcount", f"1{views}", str(views), "changed",
    )  # fmt: skip


def test_the_file_is_not_touched_if_nothing_changed(full: Site) -> None:
    full.sync(NOON)
    before = tree(full.root / "_data")

    assert full.sync(NOON).changed_pages == 0
    assert tree(full.root / "_data") == before


def test_a_deleted_file_is_restored_from_the_state(full: Site, youtube: Simulator) -> None:
    full.sync(NOON)
    (full.root / FILE).unlink()

    report = full.sync(NOON)

    assert (report.exit, report.asked, report.changed_counts) == (0, 0, 6)
    assert (full.root / FILE).read_text() == shown(youtube, *VIDEOS)


def test_an_edit_that_changes_no_count_is_taken_out_again(full: Site, youtube: Simulator) -> None:
    full.sync(NOON)
    file = full.root / FILE
    file.write_text(file.read_text() + "# mine\nother: 3\n")

    report = full.sync(NOON)

    assert (report.exit, report.changed_pages, report.changed_counts) == (0, 1, 0)
    assert file.read_text() == shown(youtube, *VIDEOS)


def test_entries_of_videos_that_no_page_names_go_with_the_next_whole_sync(full: Site, youtube: Simulator) -> None:
    full.sync(NOON)
    (full.root / "content/1.md").unlink()

    full.sync(NOON, Options(paths=("content/0.md",)))
    assert (full.root / FILE).read_text() == shown(youtube, *VIDEOS)
    full.sync(NOON)
    assert (full.root / FILE).read_text() == shown(youtube, VIDEOS[0], VIDEOS[2])


def test_an_entry_stays_while_a_page_that_cannot_be_read_may_name_its_video(full: Site, youtube: Simulator) -> None:
    full.sync(NOON)
    (full.root / "content/0.md").unlink()
    full.put("content/1.md", f"---\nvid_id: {VIDEOS[1]}\n: [\n---\n".encode())

    assert full.sync(NOON).exit == 1
    assert (full.root / FILE).read_text() == shown(youtube, VIDEOS[1], VIDEOS[2])


def test_a_file_without_the_mark_is_refused_and_never_touched(full: Site, syncer: Run) -> None:
    file = full.put(FILE, b"mine: 1\n")

    ran = syncer("sync")

    assert ran.code == 2
    assert f"{FILE} exists and does not begin with syncer's mark, so it is not overwritten" in ran.err
    assert file.read_bytes() == b"mine: 1\n"
    assert not full.state.exists()


def directory(place: Path) -> None:
    place.mkdir(parents=True)


def dangling(place: Path) -> None:
    place.parent.mkdir()
    place.symlink_to("nowhere.yml")


def below_a_file(place: Path) -> None:
    place.parent.write_bytes(b"")


def below_a_dangling_link(place: Path) -> None:
    place.parent.symlink_to("nowhere")


def marked_by_an_editor(place: Path) -> None:
    place.parent.mkdir()
    place.write_bytes(b"\xef\xbb\xbf" + MARK.encode())


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (directory, f"{FILE} is not a file, so the data file of `write.file` cannot be there; move it away, or set "),
        (dangling, f"{FILE} is a link that leads nowhere, so the data file of `write.file` cannot be there; move it "),
        (below_a_file, "_data is not a directory, so the data file of `write.file` cannot be there; move it away, or "),
        (below_a_dangling_link, "_data is a link that leads nowhere, so the data file of `write.file` cannot be there"),
        (marked_by_an_editor, f"{FILE} begins with a byte order mark, which another program has put before syncer's "),
    ],
)
def test_what_is_in_the_place_of_the_file_is_named_with_what_to_do(
    full: Site, syncer: Run, make: Callable[[Path], None], sentence: str
) -> None:
    make(full.root / FILE)
    before = tree(full.root)

    ran = syncer("sync", "--json")
    assert (ran.code, sentence in ran.document["error"]["message"]) == (2, True)
    assert "move it away, or set another `write.file`" in ran.document["error"]["message"]
    assert tree(full.root) == before
    assert sentence in " ".join(syncer("check", "--offline").out.split())


def test_a_file_that_could_not_be_read_again_is_not_written(full: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncer.front_matter.rewrite.LARGEST_PAGE_BYTES", 100)

    report = full.sync(NOON)
    assert [(problem.kind, problem.message[:41]) for problem in report.problems] == [
        ("unwritable", "The data file would be larger than 64 MiB")
    ]
    assert not (full.root / FILE).exists()


def test_a_file_that_is_also_a_page_is_refused(site: Site) -> None:
    site.put("content/a.md", crlf(VIDEOS[0], 7, 7))
    site.configure(
        write=to_file("content/youtube.yml"),
        collections="  - {directory: content, include: ['**/*'], fields: {video_id: v, counts: {viewCount: n}}}\n",
    )
    with pytest.raises(UsageError, match="and a page of a collection"):
        site.sync(NOON)


def test_a_dry_run_shows_the_file_and_makes_none(full: Site, syncer: Run) -> None:
    ran = syncer("sync", "--dry-run", "--json")

    assert len(ran.document["changes"]) == 6
    assert not (full.root / "_data").exists()


def test_a_read_only_file_is_a_problem(full: Site) -> None:
    full.sync(NOON)
    (full.root / FILE).write_text(MARK)
    os.chmod(full.root / FILE, 0o444)

    report = full.sync(NOON)
    assert [(problem.kind, problem.message) for problem in report.problems] == [
        ("unwritable", "The data file is read-only: make it writable.")
    ]
    assert (full.root / FILE).read_text() == MARK


def test_a_link_out_of_the_site_is_refused(full: Site, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (full.root / "_data").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(UsageError, match="leads out of the site"):
        full.sync(NOON)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_link_inside_the_site_is_followed(full: Site, youtube: Simulator) -> None:
    (full.root / "shared").mkdir()
    (full.root / "_data").symlink_to("shared")

    full.sync(NOON)
    assert (full.root / "shared/youtube.yml").read_text() == shown(youtube, *VIDEOS)


def test_an_undo_puts_the_old_counts_back_and_they_stay(full: Site, youtube: Simulator) -> None:
    full.sync(NOON)
    file = full.root / FILE
    old = shown(youtube, *VIDEOS).replace("viewcount: ", "viewcount: 1")
    file.write_text(old)
    report = full.sync(NOON)
    assert file.read_text() == shown(youtube, *VIDEOS)

    assert full.undo(report.sync).exit == 0
    assert file.read_text() == old
    assert full.sync(NOON).changed_counts == 0
    assert file.read_text() == old


def test_a_collection_moves_to_a_data_file_and_back(site: Site, youtube: Simulator) -> None:
    site.configure()
    page = site.put("content/a.md", crlf(VIDEOS[0], 7, 7))
    first = site.sync(NOON)
    site.configure(write=to_file())
    page.write_bytes(crlf(VIDEOS[0], 8, 8))
    assert site.sync(NOON).changed_counts == 2
    assert page.read_bytes() == crlf(VIDEOS[0], 8, 8)
    assert (site.root / FILE).read_text() == shown(youtube, VIDEOS[0])

    page.write_bytes(crlf(VIDEOS[0], *counts(youtube, VIDEOS[0])))
    assert site.undo(first.sync).changed_counts == 2
    assert page.read_bytes() == crlf(VIDEOS[0], 7, 7)

    site.configure()
    site.sync(NOON)
    assert (site.root / FILE).read_text() == shown(youtube, VIDEOS[0])


def test_a_renamed_key_inserts_its_count_only_and_a_key_that_is_no_longer_mapped_goes(
    full: Site, youtube: Simulator
) -> None:
    full.sync(NOON)
    kept = {video: counts(youtube, video)[1] for video in VIDEOS}
    full.configure(write=to_file(), collections=mapped_to("viewCount: hits, likeCount: likeCount"))

    report = full.sync(NOON)
    assert (report.changed_counts, report.exit) == (3, 0)
    assert [(line["field"], line["why"]) for line in full.log_lines()[6:]] == [
        (f"{{{video}}}.hits", "inserted") for video in VIDEOS
    ]
    assert read(full.root / FILE) == {
        video: {"hits": counts(youtube, video)[0], "likeCount": likes} for video, likes in kept.items()
    }

    full.configure(write=to_file(), collections=mapped_to("likeCount: likeCount, viewCount: hits"))
    assert full.sync(NOON).changed_counts == 0
    full.configure(write=to_file(), collections=mapped_to("likeCount: likeCount"))
    assert full.sync(NOON).changed_counts == 0
    assert read(full.root / FILE) == {video: {"likeCount": likes} for video, likes in kept.items()}


def meanwhile(site: Site, act: Callable[[], object], at: str = "write") -> SyncReport:
    """Make a sync, and do something in its middle."""
    done: list[object] = []

    def progress(stage: str, _done: int, _of: int | None) -> None:
        if stage == at and not done:
            done.append(act())

    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    environment = Environment(key=KEY, clock=lambda: NOON, sleep=lambda _seconds: None)
    return make_sync(config, Options(), environment, Listener(progress=progress))


def test_an_edit_during_the_sync_wins_and_the_next_sync_settles_it(full: Site, youtube: Simulator) -> None:
    full.sync(NOON)
    file = full.root / FILE
    text = file.read_text()
    file.write_text(text.replace("viewcount: ", "viewcount: 1"))
    edited = text.replace("viewcount: ", "viewcount: 2")

    report = meanwhile(full, lambda: file.write_text(edited))
    assert [problem.kind for problem in report.problems] == ["edited-meanwhile"]
    assert (report.changed_counts, file.read_text()) == (0, edited)

    assert (full.sync(NOON).changed_counts, file.read_text()) == (3, text)
    assert [str(line["old"])[0] for line in full.log_lines()[6:]] == ["2"] * 3


def test_a_file_that_appears_during_the_sync_is_not_overwritten(full: Site) -> None:
    report = meanwhile(full, lambda: full.put(FILE, b"mine: 1\n"))

    assert [problem.kind for problem in report.problems] == ["edited-meanwhile"]
    assert (full.root / FILE).read_bytes() == b"mine: 1\n"
    assert os.listdir(full.root / "_data") == ["youtube.yml"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a file open")
def test_a_file_that_another_program_writes_is_left_for_the_next_sync(full: Site, youtube: Simulator) -> None:
    file = full.put(FILE, MARK.encode())
    with file.open("r+b"):
        report = meanwhile(full, lambda: None)
        assert (report.exit, report.open, file.read_text()) == (0, 1, MARK)

    assert full.sync(NOON).exit == 0
    assert file.read_text() == shown(youtube, *VIDEOS)


def test_hidden_and_missing_counts_have_no_key_and_what_was_there_stays(site: Site, youtube: Simulator) -> None:
    hidden, missing, unread = VIDEOS
    site.configure(write=to_file())
    for number, video in enumerate(VIDEOS):
        site.put(f"content/{number}.md", crlf(video, 7, 7))
    site.put(FILE, f'{MARK}"{missing}": {{viewcount: 5, likeCount: 6}}\n'.encode())
    states = {hidden: VideoState.LIKES_HIDDEN, missing: VideoState.PRIVATE, unread: VideoState.PRIVATE}
    youtube.world = world_with(states)

    report = site.sync(NOON)
    assert report.hidden == ((hidden, "likeCount"),)
    found = read(site.root / FILE)
    assert found.pop(hidden).keys() == {"viewcount"}
    assert found == {missing: {"viewcount": 5, "likeCount": 6}}


def test_after_a_lost_state_a_sharp_drop_against_the_file_is_held(full: Site, youtube: Simulator) -> None:
    full.sync(NOON)
    file = full.root / FILE
    text = file.read_text()
    views, _ = counts(youtube, VIDEOS[0])
    higher = text.replace(f'{VIDEOS[0]}": {{viewcount: {views}', f'{VIDEOS[0]}": {{viewcount: {views}000')
    file.write_text(higher)
    shutil.rmtree(full.state)

    report = full.sync(NOON)
    assert report.unconfirmed == ((VIDEOS[0], "viewCount"),)
    assert file.read_text() == higher


def test_the_write_policy_binds_the_file_too(full: Site, youtube: Simulator) -> None:
    full.sync(NOON)
    file = full.root / FILE
    text = file.read_text()
    views, likes = counts(youtube, VIDEOS[0])
    near = text.replace(f"viewcount: {views},", f"viewcount: {views + 1},")
    assert near != text
    file.write_text(near)
    full.configure(write=f"{to_file()}, min_change: 5, at_most_every: 2d")

    report = full.sync(NOON)
    assert (report.changed_counts, file.read_text()) == (0, near)
    assert report.held_back is not None
    assert report.held_back.pages == 1
    far = text.replace(f"likeCount: {likes}}}", f"likeCount: {likes + 100}}}")
    file.write_text(far)
    assert full.sync(NOON + timedelta(days=1)).changed_counts == 0
    assert full.sync(NOON + timedelta(days=2)).changed_counts == 1
    file.write_text(far + "# mine\n")
    assert full.sync(NOON + timedelta(days=3)).changed_pages == 0
    assert file.read_text() == far + "# mine\n"
    full.sync(NOON + timedelta(days=5))
    assert "mine" not in file.read_text()


@pytest.mark.parametrize(
    ("write", "mistake"),
    [
        ("to: data_file", "write.to: needs `file`, the data file to write"),
        ("file: _data/a.yml", "write.file: is not written without `to: data_file`"),
        ("to: data_file, file: _data/a.csv", "write.file: must end in .yml, .yaml, .json or .toml"),
        ('to: data_file, file: "_data/a\\nb.yml"', "write.file: has a line break or another control character"),
        ("to: data_file, file: ../a.yml", "write.file: is outside the site"),
        ("to: data_file, file: .syncer/a.yml", "write.file: belongs to git or to syncer"),
        ("to: pages", "write.to: must be `front_matter` or `data_file`"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(site: Site, write: str, mistake: str) -> None:
    site.configure(write=write)
    with pytest.raises(ConfigError) as error:
        site.sync(NOON)
    assert mistake in str(error.value)


@pytest.mark.parametrize(
    ("second", "mistake"),
    [
        ("fields: {video_id: v, counts: {viewCount: views}}", "is `viewcount` in another collection; in a data file,"),
        ("fields: {video_id: v, counts: {likeCount: viewcount}}", "collections: is also the key of `viewCount`"),
        (
            "fields: {video_id: v, counts: {viewCount: viewcount}, checked_at: day}",
            "collections[1].fields.checked_at: is a date in pages, and `write.to: data_file` writes none",
        ),
        (
            "fields: {video_id: v, counts: {viewCount: viewcount}}, write: {min_change: 5}",
            "collections[1].write: does not go with `write.to: data_file`, which is one file",
        ),
    ],
)
def test_collections_that_do_not_fit_one_file_are_refused(site: Site, second: str, mistake: str) -> None:
    first = "  - {directory: content, fields: {video_id: v, counts: {viewCount: viewcount}}}\n"
    site.configure(collections=f"{first}  - {{directory: other, {second}}}\n", write=to_file())
    with pytest.raises(ConfigError) as error:
        site.sync(NOON)
    assert mistake in str(error.value)


def test_check_says_what_is_wrong_with_the_file(full: Site, syncer: Run) -> None:
    ran = syncer("check", "--offline")
    assert f"the counts of 3 videos are written into {FILE}" in " ".join(ran.out.split())
    file = full.put(FILE, MARK.encode())
    file.chmod(0o444)
    ran = syncer("check", "--offline")
    assert (ran.code, f"Cannot write {FILE}" in ran.out) == (1, True)
    file.chmod(0o644)
    file.write_bytes(b"mine: 1\n")
    ran = syncer("check", "--offline")
    assert (ran.code, "does not begin with syncer's mark" in " ".join(ran.out.split())) == (1, True)


def test_a_sync_of_one_video_writes_its_entry_only(full: Site, youtube: Simulator) -> None:
    full.sync(NOON, Options(videos=frozenset({VideoId(VIDEOS[1])})))
    assert (full.root / FILE).read_text() == shown(youtube, VIDEOS[1])


def test_an_undo_keeps_entries_that_the_sync_added(full: Site, youtube: Simulator, syncer: Run) -> None:
    report, skipped = full.undo_and_list(full.sync(NOON).sync)
    assert (report.changed_counts, len(skipped)) == (0, 6)
    assert skipped[0].why == "the sync added it; there was nothing before"
    assert (full.root / FILE).read_text() == shown(youtube, *VIDEOS)
    ran = syncer("undo", full.log_lines()[0]["sync"])
    assert "Inserted counts in a data file are not removed" in ran.out
    assert "git restore" not in ran.out
    (full.root / FILE).unlink()
    assert full.undo_and_list(full.log_lines()[0]["sync"])[1][0].why == "the data file no longer exists"


def test_a_sync_says_how_many_videos_it_removed(full: Site, syncer: Run) -> None:
    full.sync(NOON)
    (full.root / "content/1.md").unlink()
    (full.root / "content/2.md").unlink()
    assert f"Would remove 2 videos from {FILE}." in syncer("sync", "--dry-run").out
    assert f"Removed 2 videos from {FILE}." in syncer("sync").out
    assert "Removed" not in syncer("sync").out
