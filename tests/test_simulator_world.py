"""The simulator's videos: which exist, how their counts grow, and what a file can set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.simulator.growth import LAST_PUBLISHED, growth
from syncer.simulator.playing import Playing
from syncer.simulator.world import COUNTS, LARGEST_COUNT, START, Video, VideoState, World, WorldError
from tests.examples import examples

LASTS = "AEIMQUYcgkosw048"
IDS = st.text(alphabet=ascii_letters + digits + "-_", min_size=10, max_size=10).flatmap(
    lambda start: st.sampled_from(LASTS).map(lambda last: start + last)
)
MOMENTS = st.integers(0, 6 * 365 * 86_400).map(
    lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
VIDEOS = [f"{n:010d}{LASTS[n % 16]}" for n in range(400)]
ID = "q3mB7nTz-1k"


@given(IDS, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=400)), st.integers(0, 2**40))
@examples(200)
def test_counts_never_fall(video_id: str, at: datetime, wait: timedelta, seed: int) -> None:
    world = World(seed)
    before, after = world.statistics(video_id, at), world.statistics(video_id, at + wait)
    assert before is not None
    assert after is not None
    assert before.keys() == after.keys() == set(COUNTS)
    assert all(0 <= before[name] <= after[name] <= LARGEST_COUNT for name in COUNTS)
    assert before["likeCount"] <= before["viewCount"]


@given(
    IDS,
    st.dictionaries(st.sampled_from(COUNTS), st.integers(0, LARGEST_COUNT)),
    MOMENTS,
    st.timedeltas(timedelta(0), timedelta(days=400)),
)
@examples(200)
def test_fixed_counts_hold_at_the_start_and_never_fall(
    video_id: str, fixed: dict[str, int], at: datetime, wait: timedelta
) -> None:
    world = World(videos={video_id: Video(counts=fixed)})
    at_start = world.statistics(video_id, START)
    before, after = world.statistics(video_id, at), world.statistics(video_id, at + wait)
    assert at_start is not None
    assert before is not None
    assert after is not None
    assert fixed.items() <= at_start.items()
    assert all(0 <= before[name] <= after[name] <= LARGEST_COUNT for name in COUNTS)


def test_counts_depend_on_seed_id_and_time_alone() -> None:
    at = START + timedelta(days=3)
    assert World(5).statistics(ID, at) == World(5).statistics(ID, at)
    assert World(5).statistics(ID, at) != World(6).statistics(ID, at)


def _changed(wait: timedelta) -> int:
    world = World()
    return sum(world.statistics(video, START) != world.statistics(video, START + wait) for video in VIDEOS)


def test_most_videos_change_within_a_day_and_few_within_five_minutes() -> None:
    assert _changed(timedelta(days=1)) > 0.8 * len(VIDEOS)
    assert 0 < _changed(timedelta(minutes=5)) < 0.3 * len(VIDEOS)


def test_videos_are_of_very_different_sizes() -> None:
    views = sorted((World().statistics(video, START) or {})["viewCount"] for video in VIDEOS)
    assert views[0] < 5_000
    assert views[-1] > 500_000


def test_a_video_is_missing_before_it_is_published() -> None:
    born = datetime.fromtimestamp(growth(1, ID).published, UTC)
    assert World().statistics(ID, born - timedelta(seconds=1)) is None
    assert World().statistics(ID, born) == dict.fromkeys(COUNTS, 0)
    assert born <= LAST_PUBLISHED


@pytest.mark.parametrize(
    "video_id", ["adsf", "", ID + "x", ID[:-1], ID[:-1] + "B", ID[:-1] + "9", ID[:-1] + "_", "é" * 11]
)
def test_ids_that_youtube_cannot_have_given_out_are_missing(video_id: str) -> None:
    assert World().statistics(video_id, START) is None


@pytest.mark.parametrize(
    ("state", "counts"),
    [
        (VideoState.PUBLIC, {"viewCount", "likeCount", "commentCount"}),
        (VideoState.LIVE, {"viewCount", "likeCount", "commentCount"}),
        (VideoState.PREMIERE, {"viewCount", "likeCount", "commentCount"}),
        (VideoState.LIKES_HIDDEN, {"viewCount", "commentCount"}),
        (VideoState.COUNTS_HIDDEN, set()),
        (VideoState.NO_STATISTICS, set()),
    ],
)
def test_hidden_counts_are_left_out(state: VideoState, counts: set[str]) -> None:
    statistics = World(videos={ID: Video(state)}).statistics(ID, START)
    assert statistics is not None
    assert statistics.keys() == counts


@pytest.mark.parametrize("state", [VideoState.PRIVATE, VideoState.DELETED])
def test_private_and_deleted_videos_are_missing(state: VideoState) -> None:
    assert World(videos={ID: Video(state)}).statistics(ID, START) is None


def test_counts_that_are_not_fixed_stay_in_proportion_to_the_views() -> None:
    few = World(videos={ID: Video(counts={"viewCount": 100})}).statistics(ID, START)
    assert few is not None
    assert few["likeCount"] <= 100


def _load(tmp_path: Path, text: str) -> World:
    file = tmp_path / "videos.toml"
    file.write_text(text, encoding="utf-8")
    return World.load(file, seed=7)


def test_a_file_fixes_states_counts_and_time(tmp_path: Path) -> None:
    text = f"""
    strict = true
    start = 2026-12-24T18:00:00Z
    [videos.{ID}]
    viewCount = 31250
    likeCount = 9223372036854775807
    [videos.AAAAAAAAAAA]
    state = "likes-hidden"
    """
    world = _load(tmp_path, text)
    eve = datetime(2026, 12, 24, 18, 0, tzinfo=UTC)
    assert (world.seed, world.strict, world.start) == (7, True, eve)
    assert world.videos["AAAAAAAAAAA"].state is VideoState.LIKES_HIDDEN
    assert {"viewCount": 31250, "likeCount": LARGEST_COUNT}.items() <= (world.statistics(ID, eve) or {}).items()
    assert world.statistics("AAAAAAAAAAE", eve) is None


def test_a_file_says_who_can_play_a_video_and_what_changes_when(tmp_path: Path) -> None:
    text = f"""
    [videos.{ID}]
    viewCount = 100
    blocked = ["DE"]
    changes = [
      {{at = 2026-11-24T00:00:00Z, embeddable = false, age_restricted = true, made_for_kids = true}},
      {{at = 2026-11-25T00:00:00Z, state = "private"}},
      {{at = 2026-11-26T00:00:00Z, state = "unlisted", allowed = [], without = ["status"]}},
    ]
    """
    world = _load(tmp_path, text)
    first, second, third, fourth = (world.see(ID, datetime(2026, 11, day, 12, tzinfo=UTC)) for day in range(23, 27))
    assert first is not None
    assert second is not None
    assert fourth is not None
    assert first.playing == Playing(blocked=("DE",))
    assert second.playing == Playing(embeddable=False, age_restricted=True, made_for_kids=True, blocked=("DE",))
    assert third is None
    assert fourth.state is VideoState.UNLISTED
    assert fourth.playing.allowed == ()
    assert fourth.playing.without == ("status",)
    assert fourth.counts["viewCount"] >= second.counts["viewCount"] >= 100


def test_a_broadcast_is_announced_then_live_then_over_and_its_word_can_lag(tmp_path: Path) -> None:
    text = f"""
    [videos.{ID}]
    scheduled = 2026-11-23T10:00:00Z
    started = 2026-11-23T10:05:00Z
    ended = 2026-11-23T11:00:00Z
    lag_seconds = 300
    """
    world = _load(tmp_path, text)

    def phase(hour: int, minute: int) -> tuple[VideoState, str, list[str]]:
        sight = world.see(ID, datetime(2026, 11, 23, hour, minute, tzinfo=UTC))
        assert sight is not None
        broadcast = sight.playing.broadcast(sight.at)
        assert broadcast is not None
        return sight.state, broadcast.word, list(broadcast.times)

    times = ["scheduledStartTime", "actualStartTime", "actualEndTime"]
    assert phase(10, 4) == (VideoState.PREMIERE, "upcoming", times[:1])
    assert phase(10, 5) == (VideoState.LIVE, "upcoming", times[:2])
    assert phase(10, 10) == (VideoState.LIVE, "live", times[:2])
    assert phase(11, 4) == (VideoState.PUBLIC, "live", times)
    assert phase(11, 5) == (VideoState.PUBLIC, "none", times)


def test_a_file_may_be_empty(tmp_path: Path) -> None:
    assert _load(tmp_path, "") == World(7)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("strict = 1", "strict must be true or false, but is 1"),
        ("stict = true", "the file has an unknown key 'stict'; the keys are start, strict, videos"),
        ('start = "today"', "start must be a date and time"),
        ("start = 2026-12-24", "start must be a date and time"),
        ("start = 2026-12-24T18:00:00", "start has no time zone"),
        ("videos = 3", "videos must be a table of tables"),
        ('[videos]\nAAAAAAAAAAA = "public"', "videos.AAAAAAAAAAA must be a table"),
        ("[videos.short]", "videos.short: a video ID has eleven characters"),
        ('[videos.AAAAAAAAAAA]\nstate = "hidden"', "videos.AAAAAAAAAAA.state must be one of public, private"),
        ("[videos.AAAAAAAAAAA]\nstate = [1]", "videos.AAAAAAAAAAA.state must be one of public, private"),
        ("[videos.AAAAAAAAAAA]\nviews = 3", "videos.AAAAAAAAAAA has an unknown key 'views'"),
        ("[videos.AAAAAAAAAAA]\nviewCount = -1", "viewCount must be a whole number from 0"),
        ("[videos.AAAAAAAAAAA]\nviewCount = true", "viewCount must be a whole number from 0"),
        ('[videos.AAAAAAAAAAA]\nviewCount = "31"', "viewCount must be a whole number from 0"),
        ("[videos.AAAAAAAAAAA]\nviewCount = 9223372036854775808", "viewCount must be a whole number from 0"),
        ("[videos.AAAAAAAAAAA]\nembeddable = 0", "videos.AAAAAAAAAAA.embeddable must be true or false"),
        ('[videos.AAAAAAAAAAA]\nblocked = "DE"', "videos.AAAAAAAAAAA.blocked must be a list of texts"),
        ("[videos.AAAAAAAAAAA]\nstarted = 2026-11-23", "videos.AAAAAAAAAAA.started must be a date and time"),
        ("[videos.AAAAAAAAAAA]\nchanges = [{}]", "videos.AAAAAAAAAAA.changes[0].at must be a date and time"),
        (
            "[videos.AAAAAAAAAAA]\nchanges = [{at = 2026-11-23T00:00:00Z}, {at = 2026-11-22T00:00:00Z}]",
            "videos.AAAAAAAAAAA.changes[1].at is earlier than the change before it",
        ),
        ("strict = ", "Invalid value (at end of document)"),
    ],
)
def test_a_wrong_file_is_reported_in_one_sentence_with_its_name(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(WorldError) as error:
        _load(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path / 'videos.toml'}: ")
    assert sentence in str(error.value)


def test_a_file_that_is_not_utf8_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "videos.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(WorldError, match="utf-8"):
        World.load(file)
