"""The sample pages are varied, the default config reads them, and the local YouTube of the demo knows their videos."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from syncer.config.parse import parse_config
from syncer.content.pages import Pages
from syncer.content.scan import read_pages
from syncer.content.walk import Candidate, walk
from syncer.model import Count, Page, Slot
from syncer.simulator.world import VideoState, World

ROOT = Path(__file__).parents[1]
SAMPLES = sorted((ROOT / "content").rglob("*.md"))
CONFIG = ROOT / "config" / "syncer.yaml"
WITHOUT_VIDEO = "content/_posts/2024-05-01-where-the-numbers-come-from.md"

VARIETY: dict[str, Callable[[bytes], object]] = {
    "Windows line ends throughout": lambda text: text.count(b"\r\n") == text.count(b"\n") > 0,
    "Unix line ends throughout": lambda text: b"\r" not in text,
    "no newline at the end": lambda text: not text.endswith(b"\n"),
    "letters beyond ASCII": lambda text: not text.isascii(),
    "YAML": lambda text: text.startswith(b"---"),
    "TOML": lambda text: text.startswith(b"+++\n"),
    "JSON": lambda text: text.startswith(b"{\n"),
    "escaped slashes": lambda text: rb"https:\/\/i.ytimg.com\/vi\/" in text,
    "a URL in place of an id": lambda text: rb'vid_id: "https:\/\/www.youtube.com\/watch?v=' in text,
    "a list of videos": lambda text: text.count(b"\n  - ") > 2 and b"videos:\n" in text,
    "an empty count": lambda text: b'likeCount: ""\r\n' in text,
    "counts as plain integers": lambda text: re.search(rb"^viewcount: \d+\nlikeCount: \d+\n", text, re.MULTILINE),
    "comments in the front matter": lambda text: re.search(rb"^likeCount: '\d+' +# ", text, re.MULTILINE),
}


@pytest.fixture(scope="module")
def pages() -> Sequence[Page]:
    """The pages that the default config finds among the samples."""
    config = parse_config(CONFIG.read_text(encoding="utf-8"), CONFIG)
    collections = config.collection_models()
    site = os.path.realpath(config.site)
    candidates = [found for found in walk(site, collections) if isinstance(found, Candidate)]
    assert len(candidates) == len(SAMPLES)
    found = Pages()
    assert list(read_pages(site, candidates, found)) == []
    return list(found)


@pytest.fixture(scope="module")
def slots(pages: Sequence[Page]) -> Sequence[Slot]:
    return [slot for page in pages for slot in page.slots]


@pytest.fixture(scope="module")
def world() -> World:
    return World.load(ROOT / "syncer" / "demo_world.toml")


@pytest.mark.parametrize("kind", VARIETY)
def test_the_samples_include(kind: str) -> None:
    assert [page.name for page in SAMPLES if VARIETY[kind](page.read_bytes())] != []


def test_most_samples_have_windows_line_ends_as_many_real_pages_do() -> None:
    assert sum(b"\r\n" in page.read_bytes() for page in SAMPLES) > len(SAMPLES) / 2


def test_the_default_config_reads_every_sample_but_the_one_without_a_video(pages: Sequence[Page]) -> None:
    everything = {page.relative_to(ROOT).as_posix() for page in SAMPLES}
    assert {page.path for page in pages} == everything - {WITHOUT_VIDEO}


def test_a_list_has_a_slot_for_each_video_and_shares_some_with_other_pages(slots: Sequence[Slot]) -> None:
    fields = {value.field for slot in slots for value in slot.values}
    assert {"videos[0].viewcount", "videos[3].likeCount"} <= fields
    assert len({slot.video_id for slot in slots}) == len(slots) - 2


def test_an_absent_count_stays_absent(slots: Sequence[Slot]) -> None:
    assert all(value.present for slot in slots for value in slot.values)
    assert [len(slot.values) for slot in slots if slot.video_id == "A6eNcS5lOqw"] == [1]


def test_each_sample_id_is_a_possible_youtube_id(slots: Sequence[Slot]) -> None:
    ids = {slot.video_id for slot in slots}
    assert [video for video in ids if not re.fullmatch(r"[\w-]{10}[AEIMQUYcgkosw048]", video, re.ASCII)] == []
    assert {video[0] for video in ids} >= {"-", "_"}


def test_the_demo_knows_the_sample_videos_and_no_others(slots: Sequence[Slot], world: World) -> None:
    assert set(world.videos) == {slot.video_id for slot in slots}
    assert world.strict


def test_one_sample_video_is_deleted_and_one_hides_its_likes(slots: Sequence[Slot], world: World) -> None:
    states = {video: known.state for video, known in world.videos.items() if known.state is not VideoState.PUBLIC}
    assert sorted(states.values()) == [VideoState.DELETED, VideoState.LIKES_HIDDEN]
    texts = [value.text for slot in slots if slot.video_id in states for value in slot.values]
    assert len(texts) == 4
    assert all(texts), "their pages have counts, which must stay"


def test_the_demo_starts_with_slightly_higher_counts_than_the_pages(slots: Sequence[Slot], world: World) -> None:
    for slot in slots:
        seen = world.statistics(slot.video_id, world.start) or {}
        for value in slot.values:
            if value.text and value.kind in seen:
                assert int(value.text) <= seen[value.kind] <= int(value.text) * 1.05, (slot.video_id, value)


def test_after_a_day_most_counts_of_the_demo_are_slightly_higher(world: World) -> None:
    grown = {video: _views(world, video, 1) - _views(world, video, 0) for video in world.videos}
    assert sum(views > 0 for views in grown.values()) >= 10
    assert 0 < grown["tN4vRz0svpk"] < 500, "believable for a video of 31,250 views"


def _views(world: World, video: str, day: int) -> int:
    seen = world.statistics(video, world.start + timedelta(days=day)) or {}
    return seen.get(Count.VIEWS, 0)
