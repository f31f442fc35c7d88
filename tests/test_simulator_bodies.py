"""The simulator's bodies against recorded ones, where they are at hand: the same form, field by field."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from syncer.simulator.server import Simulator
from syncer.simulator.wire import render
from syncer.simulator.world import State, Video, World
from tests.asking import KEY, LIST, STATS, Answer, ask

BODIES = Path(os.environ.get("SYNCER_BODIES", "/nonexistent"))
ID, GONE = "q3mB7nTz-1k", "Hh8-kVd2sRo"
WORLD = World(videos={GONE: Video(State.DELETED)})

pytestmark = pytest.mark.skipif(
    "SYNCER_BODIES" not in os.environ, reason="SYNCER_BODIES names no directory with recorded bodies of the API"
)

TOLD = {"code", "reason", "domain", "status", "@type", "location", "locationType", "quota_unit", "quota_location"}
"""What must be the same word for word; messages and the rest depend on the project and the metric."""


def _form(value: Any, name: str = "") -> Any:
    """Keys and types, and the words that a program may look at."""
    if isinstance(value, dict):
        return {key: _form(below, key) for key, below in value.items()}
    if isinstance(value, list):
        return [_form(below) for below in value]
    return value if name in TOLD else type(value).__name__


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
