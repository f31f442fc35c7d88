"""A collection with `counts: {}`: syncer says whether its videos play, and writes no count."""

from __future__ import annotations

import pytest

from syncer.config.parse import parse_config
from syncer.errors import ConfigError
from syncer.simulator.playing import Playing
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, VideoState, World
from tests.repository import in_git
from tests.site import Run, Site, ids

A, B = ids(2, seed=26)
PAGES = "  - directory: content\n    fields: {video_id: id, counts: {}%s}\n"
TALKS = '  - directory: _data\n    include: ["*.yml"]\n    fields: {video_id: "[].id", counts: {}%s}\n'
TALK = f"- id: {A}\n  gone:\n- id: {B}\n  gone:\n"
HERE, NOT_HERE = Video(counts={"viewCount": 7}), Video(counts={"viewCount": 7}, playing=Playing(embeddable=False))


def test_videos_are_watched_and_nothing_is_written(site: Site, syncer: Run, youtube: Simulator) -> None:
    pages = [site.put(f"content/{video}.md", f"---\nid: {video}\nviews: 1\n---\n".encode()) for video in (A, B)]
    youtube.world = World(videos={A: HERE, B: NOT_HERE})
    site.configure(collections=PAGES % "", availability="every: 7d")
    before = [page.read_bytes() for page in pages]
    ran = syncer("sync")
    assert (ran.code, [page.read_bytes() for page in pages]) == (0, before)
    assert f"{B}  not-embeddable since" in ran.out
    listed = syncer("videos", "--state", "not-playing").out
    assert f"content/{B}.md" in listed
    assert A not in listed
    check = syncer("check", "--offline").out
    assert "2 pages with 2 videos. A sync reports whether they play." in check
    assert "warning content" not in check
    for command in ("status", "plan", "log"):
        assert syncer(command).code == 0


def test_the_date_can_be_all_that_is_written(site: Site, syncer: Run, youtube: Simulator) -> None:
    file = site.put("_data/talks.yml", TALK.encode())
    youtube.world = World(videos={A: HERE, B: NOT_HERE})
    site.configure(collections=TALKS % ", unavailable_since: gone", availability="every: 7d", git="commit: true")
    repository = in_git(site)
    report = site.sync()
    assert (report.changed_counts, report.changed_dates, report.exit) == (0, 1, 0)
    assert file.read_text(encoding="utf-8") == TALK[:-1] + ' "2026-11-22"\n'
    assert repository.git("status", "--porcelain", "_data") == ""
    assert site.undo(report.sync).changed_dates == 1
    assert file.read_text(encoding="utf-8").count("2026") == 0
    assert syncer("check", "--offline").code == 0


def test_a_sync_that_requests_no_count_says_how_many_videos_it_checked(
    site: Site, syncer: Run, youtube: Simulator
) -> None:
    site.put("content/a.md", f"https://youtu.be/{A}\n\nhttps://youtu.be/{B}\n".encode())
    youtube.world = World(videos={A: HERE, B: Video(VideoState.DELETED)})
    bodies = PAGES.replace("    fields", "    bodies: true\n    fields") % ""
    site.configure(collections=bodies, availability="every: 7d")
    assert "\nChecked whether 1 video plays: 0 returned.\n" in syncer("sync", "--video", B).out
    assert "\nChecked whether 2 videos play: 1 returned.\n" in syncer("sync", "--all").out
    assert "Checked" not in syncer("sync", "--video", A).out, "it is not due"
    site.put("content/b.md", f"---\nid: {A}\n---\n".encode())
    assert "Checked" not in syncer("sync", "--all").out, "the counts were requested, too"


@pytest.mark.parametrize(
    ("fields", "sections", "message"),
    [
        ("", "availability: {every: null}", "fields.counts: is empty, and no video is checked; add a count"),
        (", checked_at: day", "", "fields.checked_at: is written only together with a count; add one to `counts`"),
        ("", "write: {to: data_file, file: _data/y.yml}", "fields.counts: is empty, and `write.to: data_file` is"),
    ],
)
def test_what_has_no_effect_without_counts_is_an_error(site: Site, fields: str, sections: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(f"collections:\n{PAGES % fields}{sections}\n", site.config)


def test_counts_must_be_named_to_be_none(site: Site) -> None:
    with pytest.raises(ConfigError, match=r"fields\.counts"):
        parse_config("collections:\n  - directory: content\n    fields: {video_id: id}\n", site.config)


def test_a_sync_that_requests_nothing_does_not_say_that_it_checked_videos(
    site: Site, syncer: Run, youtube: Simulator
) -> None:
    site.put("content/a.md", f"---\nid: {A}\n---\n".encode())
    youtube.world = World(videos={A: HERE})
    (site.root.parent / "q").write_bytes(b"no ledger" * 1_000)
    site.configure(collections=PAGES % "", availability="every: 7d", quota="ledger: ../q")
    ran = syncer("sync", "--all")
    assert "Checked" not in ran.out
    assert "\nDid not check whether 1 video plays: nothing was requested.\n" in ran.out
    assert sum(youtube.units.values()) == 0
