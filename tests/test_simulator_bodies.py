"""The simulator's bodies against recorded ones, where these are available: the same form, field by field."""

from __future__ import annotations

import html
import json
import os
from pathlib import Path
from typing import Any

import pytest

from syncer.simulator.faults import parse_fault
from syncer.simulator.server import Simulator
from syncer.simulator.wire import render
from syncer.simulator.world import Video, VideoState, World
from tests.asking import KEY, LIST, STATS, Answer, ask

BODIES = Path(os.environ.get("SYNCER_BODIES", "/nonexistent"))
ID, GONE = "q3mB7nTz-1k", "Hh8-kVd2sRo"
WORLD = World(videos={GONE: Video(VideoState.DELETED)})

pytestmark = pytest.mark.skipif(
    "SYNCER_BODIES" not in os.environ, reason="SYNCER_BODIES names no directory with recorded bodies of the API"
)

SAME_WORDS = {"code", "reason", "domain", "status", "@type", "location", "locationType", "quota_unit", "quota_location"}
"""What must be the same word for word; messages and the rest depend on the project and the metric."""


def _form(value: Any, name: str = "") -> Any:
    """Keys and types, and the words that a program may look at."""
    if isinstance(value, dict):
        return {key: _form(below, key) for key, below in value.items()}
    if isinstance(value, list):
        return [_form(below) for below in value]
    return value if name in SAME_WORDS else type(value).__name__


def _ids(count: int) -> str:
    return ",".join(f"{n:010d}A" for n in range(count))


def _last(simulator: Simulator, path: str, times: int = 1) -> Answer:
    with simulator:
        return [ask(simulator, path, part="id", id=ID) for _ in range(times)][-1]


def _asked(path: str, headers: dict[str, str]) -> Answer:
    with Simulator(WORLD) as simulator:
        return ask(simulator, path, headers)


ANSWERS = {
    "400-API_KEY_INVALID": lambda: _asked(f"{LIST}?part=id&id={ID}&key=invalid", {}),
    "403-forbidden-missing-key": lambda: _asked(f"{LIST}?part=id&id={ID}&key=", {}),
    "403-forbidden-unregistered-callers": lambda: _asked(f"{LIST}?part=id&id={ID}", {}),
    "403-quotaExceeded": lambda: _last(Simulator(WORLD, general_units_per_day=0), LIST),
    "400-invalidFilters": lambda: _asked(f"{LIST}?part=id&id={_ids(51)}", KEY),
    "400-missingRequiredParameter": lambda: _asked(f"{LIST}?part=id", KEY),
    "400-badRequest": lambda: _asked(f"{STATS}?part=id&id={_ids(51)}", KEY),
    "400-unknownPart-legacy": lambda: _asked(f"{LIST}?part=statistic&id={ID}", KEY),
    "429-rateLimitExceeded-search-limit-zero": lambda: _last(Simulator(WORLD, stats_units_per_day=0), STATS),
    "synthetic/429-rateLimitExceeded-queries-per-minute": lambda: _last(Simulator(WORLD, requests_per_minute=0), STATS),
}
ANSWERS |= dict.fromkeys(
    [
        "429-rateLimitExceeded-search-per-day",
        "429-rateLimitExceeded-video-uploads-details",
        "synthetic/429-rateLimitExceeded-video-batch-get-stats-per-day",
    ],
    lambda: _last(Simulator(WORLD, stats_units_per_day=1), STATS, times=2),
)


def _struck(fault: str, path: str) -> Answer:
    with Simulator(WORLD, faults=[parse_fault(fault)]) as simulator:
        return ask(simulator, path, part="id", id=ID)


FAULTS = {
    "key-invalid": "400-API_KEY_INVALID",
    "key-invalid-plain": "400-API_KEY_INVALID-2021-without-details",
    "key-invalid-legacy": "400-keyInvalid-legacy",
    "key-expired": "400-API_KEY_INVALID-expired",
    "key-missing": "403-forbidden-missing-key",
    "key-unregistered": "403-forbidden-unregistered-callers",
    "key-referrer": "403-API_KEY_HTTP_REFERRER_BLOCKED",
    "key-referrer-plain": "403-forbidden-referer-empty",
    "key-referrer-legacy": "403-ipRefererBlocked-legacy",
    "key-android": "403-forbidden-android-app",
    "key-service@stats": "403-API_KEY_SERVICE_BLOCKED",
    "key-service@general": "synthetic/403-API_KEY_SERVICE_BLOCKED-videos",
    "service-disabled": "synthetic/403-accessNotConfigured-modern",
    "service-disabled-legacy": "403-accessNotConfigured-legacy",
    "project-suspended": "403-CONSUMER_SUSPENDED",
    "login-required": "401-required",
    "signup-required": "401-youtubeSignupRequired",
    "permission-denied": "403-permission-SERVICE_UNAVAILABLE",
    "day-limit@stats": "synthetic/429-rateLimitExceeded-video-batch-get-stats-per-day",
    "day-limit@general": "429-rateLimitExceeded-search-per-day",
    "day-limit-plain": "429-rateLimitExceeded-video-uploads",
    "day-limit-legacy": "403-dailyLimitExceeded-legacy",
    "day-limit-zero": "429-rateLimitExceeded-search-limit-zero",
    "quota-exceeded": "403-quotaExceeded",
    "quota-exceeded-debug": "403-quotaExceeded-debugInfo",
    "minute-limit": "synthetic/429-rateLimitExceeded-queries-per-minute",
    "exhausted": "429-RESOURCE_EXHAUSTED-playlists-insert",
    "rate-limit-legacy": "synthetic/403-rateLimitExceeded",
    "user-rate-limit-legacy": "synthetic/403-userRateLimitExceeded",
    "bad-request": "400-badRequest",
    "invalid-filters": "400-invalidFilters",
    "missing-parameter": "400-missingRequiredParameter",
    "unknown-part": "400-unknownPart-legacy",
    "internal": "500-INTERNAL",
    "backend-500": "500-backendError-legacy",
    "backend-503": "503-backendError-legacy",
    "unavailable": "synthetic/503-UNAVAILABLE",
    "null-message": "500-null-message",
}
"""Faults, and the bodies that they rebuild."""

NAMING = {"key-referrer", "key-referrer-legacy", "key-service@stats", "key-service@general", "service-disabled"}
NAMING |= {"service-disabled-legacy", "project-suspended", "day-limit@stats", "day-limit@general", "day-limit-plain"}
NAMING |= {"day-limit-zero", "minute-limit"}
"""Those that name a project, a page, a method or a metric, or list a limit's metadata in no fixed order."""


def _file(fault: str) -> Path:
    return BODIES / "errors" / f"{FAULTS[fault]}.json"


@pytest.mark.parametrize("fault", FAULTS)
def test_errors_of_faults_have_the_recorded_form(fault: str) -> None:
    answer = _struck(fault, LIST if fault.endswith("@general") else STATS)
    assert _form(answer.document) == _form(json.loads(_file(fault).read_bytes()))
    assert answer.status == int(_file(fault).name[:3])


@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - NAMING))
def test_errors_of_faults_without_a_project_are_the_recorded_bytes(fault: str) -> None:
    assert _struck(fault, STATS).body == _file(fault).read_bytes()


@pytest.mark.parametrize("fault", sorted(NAMING))
def test_errors_of_faults_list_their_fields_in_the_recorded_order(fault: str) -> None:
    answer = _struck(fault, LIST if fault.endswith("@general") else STATS)
    recorded = json.loads(_file(fault).read_bytes())
    assert list(answer.document["error"]) == list(recorded["error"])
    assert [list(e) for e in answer.document["error"].get("errors", ())] == [
        list(e) for e in recorded["error"].get("errors", ())
    ]


def test_every_recorded_error_can_be_brought_about() -> None:
    recorded = {str(file.relative_to(BODIES / "errors")) for file in (BODIES / "errors").rglob("*.json")}
    rebuilt = {f"{name}.json" for name in [*ANSWERS, *FAULTS.values()]}
    assert {name for name in recorded if not name.endswith(".headers.json")} <= rebuilt


@pytest.mark.parametrize("fault", ["html-400", "html-404", "html-502"])
def test_html_pages_say_what_the_recorded_ones_say(fault: str) -> None:
    files = {"html-400": "400-html-malformed", "html-404": "404-html", "html-502": "synthetic/502-html-gfe"}
    recorded = (BODIES / "errors" / f"{files[fault]}.html").read_text(encoding="utf-8")
    for line in _struck(fault, STATS).body.decode().splitlines():
        if "<title>" in line or "<b>" in line:
            assert html.unescape(line) in recorded


def test_the_shortest_page_is_the_recorded_one() -> None:
    recorded = (BODIES / "errors" / "400-html-short.html").read_bytes()
    assert _struck("html-400-short", STATS).body == recorded.rstrip(b"\n")


@pytest.mark.parametrize("name", ANSWERS)
def test_errors_have_the_recorded_form(name: str) -> None:
    answer = ANSWERS[name]()
    assert _form(answer.document) == _form(json.loads((BODIES / "errors" / f"{name}.json").read_bytes()))
    assert answer.status == answer.document["error"]["code"] == int(Path(name).name[:3])


@pytest.mark.parametrize(
    "name",
    [
        "400-API_KEY_INVALID",
        "403-forbidden-missing-key",
        "403-forbidden-unregistered-callers",
        "403-quotaExceeded",
        "400-invalidFilters",
        "400-missingRequiredParameter",
        "400-badRequest",
    ],
)
def test_errors_that_name_no_project_are_the_recorded_bytes(name: str) -> None:
    assert ANSWERS[name]().body == (BODIES / "errors" / f"{name}.json").read_bytes()


RECORDED = sorted(file for file in (BODIES / "responses").glob("202*.json") if not file.name.endswith(".headers.json"))


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.name)
def test_rendering_a_recorded_document_gives_its_bytes(file: Path) -> None:
    recorded = file.read_bytes()
    assert render(json.loads(recorded), pretty=True).encode() == recorded


def _recorded_fields(file: str) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = json.loads((BODIES / file).read_bytes())["response_headers"]
    return {name.lower(): values for name, values in fields.items()}


@pytest.mark.parametrize(
    ("file", "query"),
    [
        ("responses/2024-routeplanner-jeqH4eMGjhY123-snippet-empty.headers.json", f"part=id&id={GONE}&key=k"),
        (
            "responses/2023-ufeeling-9reTrHdL7rQ-snippet+statistics+contentDetails.headers.json",
            f"part=id&id={ID}&key=k",
        ),
        ("errors/400-API_KEY_INVALID.headers.json", f"part=id&id={ID}&key=invalid"),
        ("errors/403-forbidden-missing-key.headers.json", f"part=id&id={ID}&key="),
    ],
)
def test_header_fields_are_the_recorded_ones(file: str, query: str) -> None:
    recorded, headers = _recorded_fields(file), _asked(f"{LIST}?{query}", {"Connection": "close"}).headers
    assert {name.lower() for name in headers} == recorded.keys()
    for name in recorded.keys() - {"date", "alt-svc", "connection"}:
        assert headers.get_all(name) == recorded[name]


def test_the_404_page_has_the_recorded_header_fields() -> None:
    recorded = _recorded_fields("errors/404-html.headers.json")
    headers = _asked("/youtube/v3search", {"Connection": "close"}).headers
    assert {name.lower() for name in headers} == recorded.keys()
    assert headers["Content-Type"] == recorded["content-type"][0]


def test_an_empty_list_is_as_long_as_the_recorded_one() -> None:
    answer = _asked(f"{LIST}?part=snippet&id={GONE}", KEY)
    recorded = (BODIES / "responses" / "2023-ufeeling-adsf-snippet+statistics+contentDetails-empty.json").read_bytes()
    assert _form(answer.document) == _form(json.loads(recorded))
    assert len(answer.body) == len(recorded)


def test_a_full_item_has_the_recorded_fields_in_their_order() -> None:
    recorded = json.loads(
        (BODIES / "responses" / "2023-ufeeling-9reTrHdL7rQ-snippet+statistics+contentDetails.json").read_bytes()
    )["items"][0]
    item = _asked(f"{LIST}?part=snippet,statistics,contentDetails&id={ID}", KEY).document["items"][0]
    assert list(item) == list(recorded)
    for part in ("statistics", "contentDetails"):
        assert _form(item[part]) == _form(recorded[part])
        assert list(item[part]) == list(recorded[part])
    shared = [name for name in recorded["snippet"] if name in item["snippet"]]
    assert shared == list(item["snippet"])


@pytest.mark.parametrize("name", ["batchGetStats-with-summary", "batchGetStats-without-summary"])
def test_a_batch_has_the_described_fields(name: str) -> None:
    described = json.loads((BODIES / "responses" / "not-recorded" / f"{name}.json").read_bytes())
    answer = _asked(f"{STATS}?part=snippet,statistics,contentDetails&id={ID}", KEY).document
    assert list(answer) == [key for key in described if key != "summary"]
    del described["items"][0]["contentDetails"]["durationMillis"]  # documented, but not in the discovery document
    assert _form(answer["items"]) == _form(described["items"])
