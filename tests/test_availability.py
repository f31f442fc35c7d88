"""What an item of `videos.list` says about playing: each state, what is absent, and when to look again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from string import ascii_uppercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.decide.availability import (
    COUNTRIES,
    Availability,
    PlayState,
    availability_from,
    availability_of,
    next_check,
)
from syncer.model import VideoId
from tests.examples import examples

NOON = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
VIDEO = VideoId("q3mB7nTz-1k")
PUBLIC: Mapping[str, object] = {"privacyStatus": "public", "uploadStatus": "processed", "embeddable": True}
HERE: Mapping[str, object] = {"definition": "hd"}
ANY: Mapping[str, Mapping[str, object]] = {
    "status": PUBLIC,
    "contentDetails": HERE,
    "snippet": {"liveBroadcastContent": "none"},
}
"""What is always there."""


def said(regions: tuple[str, ...] = (), **parts: Mapping[str, object]) -> Availability:
    """What an item with these parts says, all of whose values are of a known form."""
    found, wrong = availability_of({"id": VIDEO, **ANY, **parts}, regions)
    assert wrong == []
    return found


def rated(rating: str) -> Mapping[str, object]:
    return {**HERE, "contentRating": {"ytRating": rating}}


def restricted(**lists: list[str]) -> Mapping[str, object]:
    return {**HERE, "regionRestriction": lists}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (PUBLIC, PlayState.PUBLIC),
        ({**PUBLIC, "privacyStatus": "unlisted"}, PlayState.UNLISTED),
        ({**PUBLIC, "privacyStatus": "private"}, PlayState.MISSING),
        ({**PUBLIC, "uploadStatus": "rejected"}, PlayState.MISSING),
        ({**PUBLIC, "uploadStatus": "uploaded"}, PlayState.PUBLIC),
        ({**PUBLIC, "embeddable": False}, PlayState.NOT_EMBEDDABLE),
        ({"privacyStatus": "public"}, None),
        ({"privacyStatus": "private"}, PlayState.MISSING),
        ({"embeddable": False}, PlayState.NOT_EMBEDDABLE),
        ({"embeddable": True}, None),
        *(({name: PUBLIC[name] for name in PUBLIC if name != absent}, None) for absent in PUBLIC),
        ({}, None),
    ],
)
def test_the_status_says_whether_it_plays_and_what_is_absent_says_nothing(
    status: Mapping[str, object], state: PlayState | None
) -> None:
    assert said(status=status).state is state


@pytest.mark.parametrize(
    ("lists", "regions", "state", "shown"),
    [
        ({"blocked": ["FR", "DE"]}, (), PlayState.PUBLIC, "DE, FR"),
        ({"blocked": ["FR", "DE"]}, ("US", "DE"), PlayState.BLOCKED, "DE, FR"),
        ({"blocked": ["FR", "DE"]}, ("US",), PlayState.PUBLIC, "DE, FR"),
        ({"blocked": []}, ("US",), PlayState.PUBLIC, ""),
        ({"allowed": ["US"]}, (), PlayState.PUBLIC, "all but US"),
        ({"allowed": ["US"]}, ("US",), PlayState.PUBLIC, "all but US"),
        ({"allowed": ["US"]}, ("US", "DE"), PlayState.BLOCKED, "all but US"),
        ({"allowed": []}, (), PlayState.BLOCKED, "all"),
        ({"allowed": []}, ("US",), PlayState.BLOCKED, "all"),
        ({"allowed": ["US", "DE"], "blocked": ["DE"]}, ("DE",), PlayState.BLOCKED, "all but US"),
        ({"blocked": sorted({*COUNTRIES.split()} - {"XK"})}, (), PlayState.BLOCKED, "all"),
        ({"blocked": [a + b for a in ascii_uppercase for b in ascii_uppercase]}, (), PlayState.BLOCKED, "all"),
    ],
)
def test_a_block_counts_in_the_regions_of_the_config_or_where_it_is_everywhere(
    lists: dict[str, list[str]], regions: tuple[str, ...], state: PlayState, shown: str
) -> None:
    found = said(regions, status=PUBLIC, contentDetails=restricted(**lists))
    assert (found.state, found.blocked_in) == (state, shown)


LATER = "2026-11-23T10:00:00Z"


@pytest.mark.parametrize(
    ("word", "times", "state"),
    [
        ("none", {}, PlayState.PUBLIC),
        ("upcoming", {"scheduledStartTime": LATER}, PlayState.UPCOMING),
        ("upcoming", {}, PlayState.UPCOMING),
        ("upcoming", {"scheduledStartTime": LATER, "actualStartTime": LATER}, PlayState.LIVE),  # the word lags
        ("upcoming", {"actualStartTime": LATER, "actualEndTime": LATER}, PlayState.PUBLIC),
        ("live", {"actualStartTime": LATER}, PlayState.LIVE),
        ("live", {}, PlayState.LIVE),
        ("live", {"actualStartTime": LATER, "actualEndTime": LATER}, PlayState.PUBLIC),
        ("none", {"actualStartTime": LATER, "actualEndTime": LATER}, PlayState.PUBLIC),
        ("none", {"scheduledStartTime": LATER}, PlayState.PUBLIC),
        ("completed", {"actualStartTime": LATER}, PlayState.PUBLIC),
        (None, {}, None),
        (None, {"scheduledStartTime": LATER}, None),
        (None, {"actualStartTime": LATER}, PlayState.LIVE),
        (None, {"actualStartTime": LATER, "actualEndTime": LATER}, PlayState.PUBLIC),
    ],
)
def test_a_broadcast_is_what_its_times_say_even_where_the_word_lags(
    word: str | None, times: Mapping[str, object], state: PlayState | None
) -> None:
    snippet = {} if word is None else {"liveBroadcastContent": word}
    found = said(status=PUBLIC, snippet=snippet, liveStreamingDetails=times)
    assert found.state is state
    assert (found.starts_at is not None) == (state is PlayState.UPCOMING and "scheduledStartTime" in times)


def test_the_worst_that_is_said_counts() -> None:
    """In the order of the states; each time, the worst is taken away."""
    status: dict[str, object] = {**PUBLIC, "privacyStatus": "private", "embeddable": False}
    content = {**restricted(blocked=["DE"]), **rated("ytAgeRestricted")}
    snippet: dict[str, object] = {"liveBroadcastContent": "upcoming"}

    def state() -> PlayState | None:
        return said(("DE",), status=status, contentDetails=content, snippet=snippet).state

    seen = [state()]
    status["privacyStatus"] = "unlisted"
    seen.append(state())
    del content["regionRestriction"]
    seen.append(state())
    status["embeddable"] = True
    seen.append(state())
    del content["contentRating"]
    seen.append(state())
    snippet["liveBroadcastContent"] = "live"
    seen.append(state())
    snippet["liveBroadcastContent"] = "none"
    seen.append(state())
    status["privacyStatus"] = "public"
    seen.append(state())
    assert seen == list(PlayState)


def test_made_for_kids_is_said_or_not_known() -> None:
    assert said(status={**PUBLIC, "madeForKids": True}).made_for_kids is True
    assert said(status={**PUBLIC, "madeForKids": False}).made_for_kids is False
    assert said(status=PUBLIC).made_for_kids is None


@pytest.mark.parametrize(
    ("parts", "wrong"),
    [
        ({"status": {**PUBLIC, "embeddable": "false"}}, "embeddable"),
        ({"status": {**PUBLIC, "embeddable": 0}}, "embeddable"),
        ({"status": {**PUBLIC, "embeddable": None}}, "embeddable"),
        ({"status": {**PUBLIC, "privacyStatus": "friends"}}, "privacyStatus"),
        ({"status": {**PUBLIC, "uploadStatus": "Rejected"}}, "uploadStatus"),
        ({"contentDetails": []}, "contentDetails"),
        ({"contentDetails": {"regionRestriction": ["DE"]}}, "regionRestriction"),
        ({"contentDetails": {"regionRestriction": {}}}, "regionRestriction"),
        ({"contentDetails": restricted(blocked=["Germany"])}, "blocked"),
        ({"contentDetails": restricted(blocked=["de"])}, "blocked"),
        ({"contentDetails": {"regionRestriction": {"blocked": None}}}, "blocked"),
        ({"contentDetails": {"regionRestriction": {"allowed": None}}}, "allowed"),
        ({"contentDetails": {"regionRestriction": {"allowed": "US"}}}, "allowed"),
        ({"contentDetails": restricted(allowed=["us"])}, "allowed"),
        ({"contentDetails": {"contentRating": []}}, "contentRating"),
        ({"contentDetails": {"contentRating": {"ytRating": 1}}}, "ytRating"),
        ({"contentDetails": rated("18")}, "ytRating"),
        ({"liveStreamingDetails": None}, "liveStreamingDetails"),
        ({"liveStreamingDetails": {"actualStartTime": "soon"}}, "actualStartTime"),
        ({"liveStreamingDetails": {"actualStartTime": LATER, "actualEndTime": "2026-11-23T10:00:00"}}, "actualEndTime"),
        ({"snippet": {"liveBroadcastContent": 1}}, "liveBroadcastContent"),
        ({"snippet": {"liveBroadcastContent": "soon"}}, "liveBroadcastContent"),
    ],
)
def test_a_value_of_an_unknown_form_is_named_and_no_state_follows(parts: Mapping[str, object], wrong: str) -> None:
    found, names = availability_of({**ANY, **parts}, ("DE",))
    assert found.state is None
    assert names == [wrong]


@pytest.mark.parametrize(
    ("parts", "wrong"),
    [
        ({"status": {**PUBLIC, "madeForKids": None}}, "madeForKids"),
        ({"liveStreamingDetails": {"scheduledStartTime": "soon"}}, "scheduledStartTime"),
    ],
)
def test_what_no_state_needs_does_not_keep_one_from_being_said(parts: Mapping[str, object], wrong: str) -> None:
    found, names = availability_of({**ANY, **parts}, ("DE",))
    assert found.state is PlayState.PUBLIC
    assert names == [wrong]


@pytest.mark.parametrize(
    ("parts", "state"),
    [
        ({"status": {"embeddable": False}}, PlayState.NOT_EMBEDDABLE),
        ({"status": {"uploadStatus": "rejected"}, "contentDetails": 1}, PlayState.MISSING),
        ({"contentDetails": rated("ytAgeRestricted")}, PlayState.AGE_RESTRICTED),
        ({"contentDetails": {"regionRestriction": {"blocked": ["DE", 3]}}}, PlayState.BLOCKED),
        ({"contentDetails": {"regionRestriction": {"blocked": ["DE"], "allowed": "?"}}}, PlayState.BLOCKED),
        ({"contentDetails": {"regionRestriction": {"allowed": ["US"], "blocked": None}}}, PlayState.BLOCKED),
    ],
)
def test_that_it_does_not_play_is_said_by_one_value_whatever_else_is_absent(
    parts: Mapping[str, object], state: PlayState
) -> None:
    found, _ = availability_of(parts, ("DE",))
    assert found.state is state


@pytest.mark.parametrize("part", ["status", "contentDetails", "snippet"])
def test_without_one_of_the_parts_that_are_always_there_no_state_follows(part: str) -> None:
    others = {name: values for name, values in ANY.items() if name != part}
    for parts in (others, {**others, part: {}}):
        found, wrong = availability_of(parts, ())
        assert (found.state, wrong) == (None, [])


COUNTRY_LISTS = st.lists(st.sampled_from(["DE", "US", "FR"]), unique=True)
TIMES = ("scheduledStartTime", "actualStartTime", "actualEndTime")
ITEMS = st.builds(
    lambda status, content, word, times: {
        "status": status,
        "contentDetails": {**HERE, **content},
        "snippet": {"liveBroadcastContent": word},
        **({"liveStreamingDetails": dict.fromkeys(TIMES[:times], LATER)} if times else {}),
    },
    st.fixed_dictionaries(
        {
            "privacyStatus": st.sampled_from(["public", "public", "unlisted", "private"]),
            "uploadStatus": st.sampled_from(["processed", "processed", "uploaded", "rejected"]),
            "embeddable": st.sampled_from([True, True, False]),
        }
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "regionRestriction": st.sampled_from(["allowed", "blocked"]).flatmap(
                lambda name: COUNTRY_LISTS.map(lambda codes: {name: codes})
            ),
            "contentRating": st.sampled_from([{}, {"ytRating": "ytAgeRestricted"}, {"mpaaRating": "mpaaG"}]),
        },
    ),
    st.sampled_from(["none", "none", "upcoming", "live"]),
    st.integers(0, 3),
)
"""Complete items, as YouTube returns them."""
USUAL = {"regionRestriction", "contentRating", "ytRating", "mpaaRating", "definition"}
"""What is often absent from `contentDetails`: its absence is a word, too."""
JUNK = st.sampled_from([None, 0, 1, 1.5, "", "x", "False", "PUBLIC", ["x"], [1], ["de"]])
"""No value of any name that is read."""


def damages(parts: dict[str, object]) -> Iterator[tuple[dict[str, object], str]]:
    """Every object in this one, with each name in it."""
    for name, value in parts.items():
        yield parts, name
        if isinstance(value, dict):
            yield from damages(value)


@given(st.data(), ITEMS, st.lists(st.sampled_from(["DE", "US"]), unique=True))
@examples(500)
def test_whatever_is_left_out_or_malformed_a_video_plays_only_if_the_whole_item_says_so(
    data: st.DataObject, item: dict[str, object], regions: list[str]
) -> None:
    whole, wrong = availability_of(item, regions)
    assert whole.state is not None
    assert wrong == []
    damaged = deepcopy(item)
    for _ in range(data.draw(st.integers(1, 3))):
        part, name = data.draw(st.sampled_from([*damages(damaged)] or [(damaged, "status")]))
        junk = data.draw(JUNK)
        if name in USUAL - {"definition"} or data.draw(st.booleans()):
            part[name] = junk
        else:
            part.pop(name, None)
    found, _ = availability_of(damaged, regions)
    assert found.state is None or found.state.plays == whole.state.plays, json.dumps(damaged)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["public", "live", "upcoming", "DE", LATER, ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(
    [
        *("privacyStatus", "uploadStatus", "embeddable", "madeForKids", "liveBroadcastContent", "regionRestriction"),
        *("contentRating", "ytRating", "allowed", "blocked", "actualStartTime", "actualEndTime", "scheduledStartTime"),
    ]
)
PARTS = st.sampled_from(["status", "snippet", "contentDetails", "liveStreamingDetails"])


@given(st.dictionaries(PARTS, JSON | st.dictionaries(NAMES, JSON)), st.lists(st.sampled_from(["DE", "US"])))
@examples(300)
def test_anything_is_read_and_a_state_needs_words_for_it(parts: dict[str, object], regions: list[str]) -> None:
    found, _ = availability_of(parts, regions)
    text = str(parts)
    words = {
        PlayState.NOT_EMBEDDABLE: "False",
        PlayState.AGE_RESTRICTED: "ytAgeRestricted",
        PlayState.BLOCKED: "regionRestriction",
        PlayState.PUBLIC: "public",
        PlayState.UNLISTED: "unlisted",
        PlayState.MISSING: "private",
    }
    assert found.state is None or words.get(found.state, "") in text


AVAILABILITIES = st.builds(
    Availability, st.none() | st.sampled_from(PlayState), starts_at=st.none() | st.datetimes(timezones=st.just(UTC))
)


@given(
    st.none() | st.sampled_from(PlayState),
    st.none() | st.booleans(),
    st.sampled_from(["", "all", "all but US", "DE, FR"]),
    st.none() | st.integers(0, 253_402_300_799),
)
@examples(200)
def test_what_is_stored_is_read_again(
    state: PlayState | None, kids: bool | None, blocked: str, starts: int | None
) -> None:
    found = Availability(state, kids, blocked, None if starts is None else datetime.fromtimestamp(starts, UTC))
    assert availability_from(state, found.facts()) == found


@given(
    st.text("abcAB-_", min_size=11, max_size=11).map(VideoId),
    st.none() | AVAILABILITIES,
    st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - they get one
    st.timedeltas(timedelta(seconds=1), timedelta(days=30)).map(
        lambda wait: timedelta(seconds=wait // timedelta(seconds=1))
    ),
)
@examples(500)
def test_the_next_check_is_never_later_than_the_interval(
    video: VideoId, found: Availability | None, at: datetime, every: timedelta
) -> None:
    due = next_check(video, found, at, every)
    assert at < due <= at + every
    if found and (found.state is None or not found.state.plays):
        assert due <= at + timedelta(hours=1)


def test_videos_that_were_checked_together_are_due_one_after_the_other() -> None:
    videos = [VideoId(f"{number:010d}A") for number in range(2800)]
    due = [next_check(video, Availability(PlayState.PUBLIC), NOON, WEEK) for video in videos]
    syncs = [
        sum(NOON + number * timedelta(hours=6) < at <= NOON + (number + 1) * timedelta(hours=6) for at in due)
        for number in range(28)
    ]
    assert sum(syncs) == len(videos)
    assert max(syncs) < 150


def test_a_broadcast_is_looked_at_when_it_is_to_start_and_then_each_day() -> None:
    starts = NOON + timedelta(minutes=5)
    assert next_check(VIDEO, Availability(PlayState.UPCOMING, starts_at=starts), NOON, WEEK) == starts
    assert next_check(VIDEO, Availability(PlayState.UPCOMING, starts_at=NOON), NOON, WEEK) <= NOON + timedelta(days=1)
    assert next_check(VIDEO, Availability(PlayState.LIVE), NOON, WEEK) <= NOON + timedelta(days=1)


def test_only_four_states_play() -> None:
    playing = {PlayState.PUBLIC, PlayState.UNLISTED, PlayState.UPCOMING, PlayState.LIVE}
    assert {state for state in PlayState if state.plays} == playing
