"""The simulator's faults: their syntax, which requests they affect, and what each does to counts and answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from syncer.simulator.assumptions import Assumptions
from syncer.simulator.faults import GROUPS, KINDS, Fault, FaultError, When, parse_fault
from syncer.simulator.server import Simulator
from syncer.simulator.units import PACIFIC
from syncer.simulator.world import START, Video, VideoState, World
from tests.asking import KEY, LIST, STATS, Answer, connect, counts, in_weather, send, statistics

ID, OTHER, THIRD = "q3mB7nTz-1k", "Zf_0aLwQe9U", "aaaaaaaaaaA"
WORLD = World()
IDS = f"{ID},{OTHER},{THIRD}"
BOTH = pytest.mark.parametrize("path", [STATS, LIST])
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(WORLD, pause=0) as running:
        yield running


def _one(simulator: Simulator, path: str = STATS, ids: str = IDS) -> Answer:
    return statistics(simulator, path, ids)


def _truth(simulator: Simulator, video: str = ID) -> dict[str, int]:
    return simulator.world.statistics(video, simulator.clock.now()) or {}


# how a fault is written


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("stall", Fault("stall")),
        ("stall@stats", Fault("stall", "stats")),
        ("stall@general", Fault("stall", "general")),
        (f"zero@{ID}", Fault("zero", video=ID)),
        (f"zero@{ID}@stats:7", Fault("zero", "stats", ID, When(first=7, last=7))),
        ("stall:2-5", Fault("stall", when=When(first=2, last=5))),
        ("stall:2-", Fault("stall", when=When(first=2))),
        ("stall:*/3", Fault("stall", when=When(every=3))),
        ("stall:0.25", Fault("stall", when=When(share=0.25))),
        ("stall:.25", Fault("stall", when=When(share=0.25))),
        ("stall:25%", Fault("stall", when=When(share=0.25))),
        ("stall:1.0", Fault("stall", when=When())),
        ("stall:1", Fault("stall", when=When(first=1, last=1))),
        (
            "stall:2026-11-22T15:00:00Z/2026-11-23T08:00:00+01:00",
            Fault("stall", when=When(start=START, end=datetime(2026, 11, 23, 7, tzinfo=UTC))),
        ),
        ("stall:2026-11-22T15:00/", Fault("stall", when=When(start=START))),
        ("stall:/2026-11-23", Fault("stall", when=When(end=datetime(2026, 11, 23, tzinfo=UTC)))),
    ],
)
def test_a_fault_is_a_name_and_whom_it_strikes_when(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("stal", "unknown fault 'stal'; did you mean stall?"),
        ("Stall", "did you mean stall?"),
        ("weather", "--list-faults"),
        ("", "--list-faults"),
        ("stall@", "'' cannot follow an @; write stats or general, or a video ID"),
        ("stall@list", "'list' cannot follow an @"),
        ("stall@stats@general", "each at most once"),
        ("stall@stats@stats", "each at most once"),
        (f"stall@{ID}@{OTHER}", "each at most once"),
        ("stall:", "'' is not valid after the colon"),
        ("stall:often", "'often' is not valid after the colon; write a request 3 or 2-5"),
        ("stall:0", "'0' is not possible"),
        ("stall:5-2", "'5-2' is not possible"),
        ("stall:0-2", "'0-2' is not possible"),
        ("stall:*/0", "'*/0' is not possible"),
        ("stall:*/", "is not valid after the colon"),
        ("stall:1.5", "'1.5' is not possible"),
        ("stall:101%", "'101%' is not possible"),
        ("stall:0.0", "'0.0' is not possible"),
        ("stall:0%", "'0%' is not possible"),
        ("stall:-1", "is not valid after the colon"),
        ("stall:nan", "is not valid after the colon"),
        ("stall:/", "is not valid after the colon"),
        ("stall:2026-11-22", "is not valid after the colon"),
        ("stall:2026-11-23/2026-11-22", "is not possible"),
        ("stall:2026-13-01/", "is not valid after the colon"),
        ("stall:٣", "is not valid after the colon"),
    ],
)
def test_a_fault_written_wrong_is_reported_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(FaultError) as error:
        parse_fault(text)
    assert str(error.value).startswith(f"{text}: ")
    assert sentence in str(error.value)


def test_every_fault_has_one_name_and_one_sentence() -> None:
    assert sum(map(len, GROUPS.values())) == len(KINDS)
    for name, kind in KINDS.items():
        assert parse_fault(name) == Fault(name)
        assert kind.sentence.endswith(".")
        assert "\n" not in kind.sentence


# whom it strikes when


def _refused(simulator: Simulator, requests: int, path: str = STATS, ids: str = IDS) -> list[int]:
    """The positions of the requests that were struck by `unavailable`."""
    return [n for n in range(1, requests + 1) if _one(simulator, path, ids).status == 503]


@pytest.mark.parametrize(
    ("when", "struck"),
    [
        ("", [1, 2, 3, 4, 5, 6, 7]),
        (":1", [1]),
        (":3", [3]),
        (":2-4", [2, 3, 4]),
        (":6-", [6, 7]),
        (":*/3", [3, 6]),
        (":1.0", [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_positions_count_from_one(simulator: Simulator, when: str, struck: list[int]) -> None:
    assert _refused(in_weather(simulator, f"unavailable{when}"), 7) == struck


def test_positions_count_the_requests_that_could_be_refused(simulator: Simulator) -> None:
    in_weather(simulator, "unavailable@general:2")
    assert [_one(simulator, path).status for path in (LIST, STATS, STATS, LIST, LIST)] == [200, 200, 200, 503, 200]
    in_weather(simulator, f"unavailable@{OTHER}:2")
    assert [_one(simulator, ids=ids).status for ids in (ID, OTHER, ID, IDS, OTHER)] == [200, 200, 200, 503, 200]


def test_setting_faults_restarts_the_count(simulator: Simulator) -> None:
    assert _refused(in_weather(simulator, "unavailable:2"), 3) == [2]
    assert _refused(in_weather(simulator, "unavailable:2"), 3) == [2]
    assert simulator.faults == (parse_fault("unavailable:2"),)
    assert _refused(in_weather(simulator), 3) == []


def test_a_share_is_kept_and_depends_on_the_seed_alone() -> None:
    struck = []
    for seed in (1, 1, 2):
        with Simulator(World(seed), faults=[parse_fault("unavailable:30%")]) as simulator:
            struck.append(_refused(simulator, 100))
    assert struck[0] == struck[1] != struck[2]
    assert 15 <= len(struck[0]) <= 45


def test_a_time_is_the_clocks(simulator: Simulator) -> None:
    in_weather(simulator, "unavailable:2026-11-22T16:00Z/2026-11-22T17:00Z")
    statuses = []
    for minutes in (59, 60, 119, 120):
        simulator.clock.set(START + timedelta(minutes=minutes))
        statuses.append(_one(simulator).status)
    assert statuses == [200, 503, 503, 200]


@BOTH
def test_without_a_method_both_are_refused(simulator: Simulator, path: str) -> None:
    assert _one(in_weather(simulator, "unavailable"), path).status == 503


def test_a_fault_of_one_video_leaves_the_others_alone(simulator: Simulator) -> None:
    for name in ("count-negative", "zero", "contradiction", "private"):
        in_weather(simulator, f"{name}@{OTHER}")
        items = _one(simulator).document["items"]
        assert [counts(item) for item in items if item["id"] != OTHER] == [_truth(simulator), _truth(simulator, THIRD)]
        assert [counts(item) for item in items if item["id"] == OTHER] != [_truth(simulator, OTHER)]
    assert _one(in_weather(simulator, f"bad-request@{OTHER}"), ids=f"{ID},{THIRD}").status == 200


def test_faults_work_together(simulator: Simulator) -> None:
    in_weather(
        simulator, f"zero@{ID}", f"private@{OTHER}", "shuffled", "minute-limit:2", "retry-after-seconds:2", "drip"
    )
    first, second = _one(simulator), _one(simulator)
    assert [(item["id"], counts(item)["viewCount"] == 0) for item in first.document["items"]] == [
        (THIRD, False),
        (ID, True),
    ]
    assert (second.status, second.headers["Retry-After"]) == (429, "2")


def test_faults_of_the_same_counts_work_together(simulator: Simulator) -> None:
    for name in KINDS:
        if name.startswith("count-"):
            assert _one(in_weather(simulator, "count-short", name, "contradiction")).status == 200


# what each does


SLOW_OR_BROKEN = [*GROUPS["Connections"], "many-headers", "long-header", "echo-mirror"]


@BOTH
@pytest.mark.parametrize("name", [name for name in KINDS if name not in SLOW_OR_BROKEN])
def test_every_fault_makes_a_difference_and_leaves_the_connection_whole(name: str, path: str) -> None:
    with Simulator(WORLD, assumptions=Assumptions(summary=True), faults=[parse_fault(name)]) as simulator:
        simulator.clock.advance(30 * DAY)
        connection = connect(simulator)
        bad = _all_of(send(connection, f"{path}?part=statistics&id={IDS}"))
        in_weather(simulator)
        good = _all_of(send(connection, f"{path}?part=statistics&id={IDS}"))
        connection.close()
    assert (bad != good) != ((name, path) == ("no-summary", LIST))  # which has none to lose


def _all_of(answer: Answer) -> tuple[object, ...]:
    return answer.status, sorted(answer.headers.items()), answer.raw


KEY_ERRORS = {
    "key-invalid": (400, "badRequest", "API_KEY_INVALID"),
    "key-invalid-plain": (400, "badRequest", None),
    "key-invalid-legacy": (400, "keyInvalid", None),
    "key-expired": (400, "badRequest", "API_KEY_INVALID"),
    "key-expired-legacy": (400, "keyExpired", None),
    "key-missing": (403, "forbidden", None),
    "key-unregistered": (403, "forbidden", None),
    "key-referrer": (403, "forbidden", "API_KEY_HTTP_REFERRER_BLOCKED"),
    "key-referrer-plain": (403, "forbidden", None),
    "key-referrer-legacy": (403, "ipRefererBlocked", None),
    "key-ip": (403, "forbidden", "API_KEY_IP_ADDRESS_BLOCKED"),
    "key-android": (403, "forbidden", None),
    "key-ios": (403, "forbidden", "API_KEY_IOS_APP_BLOCKED"),
    "key-service": (403, "forbidden", "API_KEY_SERVICE_BLOCKED"),
    "service-disabled": (403, "accessNotConfigured", "SERVICE_DISABLED"),
    "service-disabled-legacy": (403, "accessNotConfigured", None),
    "project-suspended": (403, None, "CONSUMER_SUSPENDED"),
    "project-invalid": (403, None, "CONSUMER_INVALID"),
    "billing-disabled": (403, None, "BILLING_DISABLED"),
    "login-required": (401, "required", None),
    "signup-required": (401, "youtubeSignupRequired", None),
    "permission-denied": (403, "SERVICE_UNAVAILABLE", None),
}
LIMIT_ERRORS = {
    "day-limit": (429, "rateLimitExceeded", "RATE_LIMIT_EXCEEDED"),
    "day-limit-plain": (429, "rateLimitExceeded", None),
    "day-limit-legacy": (403, "dailyLimitExceeded", None),
    "day-limit-zero": (429, "rateLimitExceeded", "RATE_LIMIT_EXCEEDED"),
    "quota-exceeded": (403, "quotaExceeded", None),
    "quota-exceeded-debug": (403, "quotaExceeded", None),
    "minute-limit": (429, "rateLimitExceeded", "RATE_LIMIT_EXCEEDED"),
    "exhausted": (429, "rateLimitExceeded", None),
    "rate-limit-legacy": (403, "rateLimitExceeded", None),
    "user-rate-limit-legacy": (403, "userRateLimitExceeded", None),
}
OTHER_ERRORS = {
    "bad-request": (400, "badRequest", None),
    "invalid-filters": (400, "invalidFilters", None),
    "missing-parameter": (400, "missingRequiredParameter", None),
    "unknown-part": (400, "unknownPart", None),
    "incompatible-parameters": (400, "incompatibleParameters", None),
    "internal": (500, "backendError", None),
    "backend-500": (500, "backendError", None),
    "backend-503": (503, "backendError", None),
    "unavailable": (503, "backendError", None),
    "deadline": (504, "backendError", None),
    "not-implemented": (501, "backendError", None),
    "null-message": (500, None, None),
}
STRANGE_ERRORS = {"error-list", "error-string"}


def _summary(answer: Answer) -> tuple[int, str | None, str | None]:
    error = answer.document["error"]
    assert error["code"] == answer.status
    infos = [detail["reason"] for detail in error.get("details", ()) if "reason" in detail]
    return answer.status, error.get("errors", [{}])[0].get("reason"), infos[0] if infos else None


@BOTH
@pytest.mark.parametrize(("name", "summary"), (KEY_ERRORS | LIMIT_ERRORS).items())
def test_errors_of_keys_and_limits_take_no_unit(
    simulator: Simulator, path: str, name: str, summary: tuple[object, ...]
) -> None:
    assert _summary(_one(in_weather(simulator, name), path)) == summary
    assert (simulator.requests, sum(simulator.units.values())) == (1, 0)


@BOTH
@pytest.mark.parametrize(("name", "summary"), OTHER_ERRORS.items())
def test_all_other_errors_take_a_unit(simulator: Simulator, path: str, name: str, summary: tuple[object, ...]) -> None:
    assert _summary(_one(in_weather(simulator, name), path)) == summary
    assert (simulator.requests, sum(simulator.units.values())) == (1, 1)


def test_no_error_is_left_out_of_these_tables() -> None:
    groups = ("The key and the project", "Limits", "The request", "Outages")
    names = {name for group in groups for name in GROUPS[group]}
    assert names == {*KEY_ERRORS, *LIMIT_ERRORS, *OTHER_ERRORS, *STRANGE_ERRORS}


def test_an_error_may_be_no_object(simulator: Simulator) -> None:
    assert isinstance(_one(in_weather(simulator, "error-list")).document, list)
    assert _one(in_weather(simulator, "error-string")).document == {"error": "forbidden"}


def test_a_suspended_project_is_reported_with_the_key_itself(simulator: Simulator) -> None:
    in_weather(simulator, "project-suspended")
    assert f"'api_key:{KEY['x-goog-api-key']}'" in _one(simulator).document["error"]["message"]


@pytest.mark.parametrize(("path", "metric"), [(STATS, "video_batch_get_stats"), (LIST, "default")])
def test_a_limit_of_a_day_names_its_bucket_and_its_window(simulator: Simulator, path: str, metric: str) -> None:
    metadata = _one(in_weather(simulator, "day-limit"), path).document["error"]["details"][0]["metadata"]
    assert metadata["quota_metric"] == f"youtube.googleapis.com/{metric}"
    assert (metadata["quota_unit"], metadata["quota_limit_value"]) == ("1/d/{project}", "10000")
    assert (
        datetime.fromtimestamp(int(metadata["window_start_time"]), PACIFIC).isoformat() == "2026-11-22T00:00:00-08:00"
    )
    none = _one(in_weather(simulator, "day-limit-zero"), path).document["error"]["details"][0]["metadata"]
    assert none["quota_limit_value"] == "0"
    assert "window_start_time" not in none


# numbers


@BOTH
@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("stale", lambda counts, then: then),
        ("falling", lambda counts, _: {name: count * 9 // 10 for name, count in counts.items()}),
        ("collapsed", lambda counts, _: {name: count // 20 for name, count in counts.items()}),
        ("zero", lambda counts, _: dict.fromkeys(counts, 0)),
        ("likes-hidden", lambda counts, _: {n: count for n, count in counts.items() if n != "likeCount"}),
        ("counts-hidden", lambda *_: {}),
    ],
)
def test_wrong_counts_come_and_go(simulator: Simulator, path: str, name: str, wrong: Callable[..., object]) -> None:
    simulator.clock.advance(30 * DAY)
    then = WORLD.statistics(ID, simulator.clock.now() - HOUR)
    assert then != _truth(simulator)
    in_weather(simulator, f"{name}:2")
    answered = [counts(_one(simulator, path).document["items"][0]) for _ in range(3)]
    assert answered == [_truth(simulator), wrong(_truth(simulator), then), _truth(simulator)]


def test_frozen_counts_stop_growing_when_the_fault_begins(simulator: Simulator) -> None:
    simulator.clock.advance(DAY)
    in_weather(simulator, "frozen")
    frozen = _truth(simulator)
    for _ in range(3):
        simulator.clock.advance(DAY)
        assert counts(_one(simulator).document["items"][0]) == frozen != _truth(simulator)


@BOTH
def test_a_video_goes_private_and_returns(simulator: Simulator, path: str) -> None:
    in_weather(simulator, f"private@{ID}:2026-11-23/2026-11-24")
    seen = []
    for day in (22, 23, 24):
        simulator.clock.set(datetime(2026, 11, day, 12, tzinfo=UTC))
        seen.append([item["id"] for item in _one(simulator, path).document["items"]])
    assert seen == [[ID, OTHER, THIRD], [OTHER, THIRD], [ID, OTHER, THIRD]]


def test_wrong_counts_leave_missing_videos_missing() -> None:
    with Simulator(World(videos={ID: Video(VideoState.DELETED)})) as simulator:
        for name in GROUPS["Counts and states"]:
            assert _one(in_weather(simulator, name), ids=ID).document["items"] == []


def test_the_simulator_knows_what_it_gave_while_there_were_faults(simulator: Simulator) -> None:
    assert simulator.given(ID) == {}
    _one(simulator)
    assert simulator.given(ID) == {}
    in_weather(simulator, f"zero@{ID}:2")
    _one(simulator)
    _one(simulator)
    assert simulator.given(ID) == {name: {0, count} for name, count in _truth(simulator).items()}
    assert simulator.given("never-asked") == {}
