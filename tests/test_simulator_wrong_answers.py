"""The simulator's faults of bodies, documents, items and header fields: what a client receives."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from syncer.simulator.faults import GROUPS, KINDS
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from syncer.simulator.wrong_answers import STRANGER
from tests.asking import KEY, LIST, STATS, Answer, ask, counts, in_weather, statistics

ID, OTHER, THIRD = "q3mB7nTz-1k", "Zf_0aLwQe9U", "aaaaaaaaaaA"
IDS = f"{ID},{OTHER},{THIRD}"
BOTH = pytest.mark.parametrize("path", [STATS, LIST])


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(World(), pause=0) as running:
        yield running


def _one(simulator: Simulator, path: str = STATS) -> Answer:
    return statistics(simulator, path, IDS)


def _truth(simulator: Simulator, video: str = ID) -> dict[str, int]:
    return simulator.world.statistics(video, simulator.clock.now()) or {}


# bodies


def test_bodies_that_are_no_json(simulator: Simulator) -> None:
    good = _one(simulator).raw
    assert _one(in_weather(simulator, "truncated-json")).raw == good[: len(good) // 2]
    for name in ("truncated-gzip", "corrupt-gzip", "false-gzip"):
        answer = _one(in_weather(simulator, name))
        assert answer.headers["Content-Encoding"] == "gzip"
        with pytest.raises((EOFError, zlib.error, gzip.BadGzipFile)):
            gzip.decompress(answer.raw)
    with pytest.raises(UnicodeDecodeError):
        _one(in_weather(simulator, "latin-1")).body.decode()
    with pytest.raises(RecursionError):
        json.loads(_one(in_weather(simulator, "deep-json")).body)


def test_gzip_faults_strike_clients_that_take_gzip_too(simulator: Simulator) -> None:
    headers = {**KEY, "Accept-Encoding": "gzip", "User-Agent": "(gzip)"}
    answer = ask(in_weather(simulator, "truncated-gzip"), STATS, headers, part="id", id=IDS)
    assert answer.headers.get_all("Content-Encoding") == ["gzip"]
    with pytest.raises(EOFError):
        gzip.decompress(answer.raw)


@pytest.mark.parametrize("name", [name for name in GROUPS["Bodies"] if name.startswith("html-")])
def test_html_comes_with_any_status(simulator: Simulator, name: str) -> None:
    answer = _one(in_weather(simulator, name))
    assert answer.status == int(name.split("-")[1])
    assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert answer.body.startswith(b"<")


@pytest.mark.parametrize("status", [200, 204, 403, 503])
def test_an_answer_may_be_empty(simulator: Simulator, status: int) -> None:
    answer = _one(in_weather(simulator, f"empty-{status}"))
    assert (answer.status, answer.raw) == (status, b"")


@pytest.mark.parametrize(
    ("name", "document"),
    [("null", None), ("list", []), ("string", "ok"), ("number", 200), ("object", {})],
)
def test_a_document_can_be_something_else_than_an_answer(simulator: Simulator, name: str, document: object) -> None:
    assert _one(in_weather(simulator, name)).document == document


def _changed(simulator: Simulator, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the fault takes out of the document, or puts in."""
    good, bad = _one(in_weather(simulator)).document, _one(in_weather(simulator, name)).document
    return (
        {key: value for key, value in good.items() if bad.get(key, ...) != value},
        {key: value for key, value in bad.items() if good.get(key, ...) != value},
    )


def test_documents_may_be_half_an_answer(simulator: Simulator) -> None:
    kind, items = {"kind": "youtube#batchGetStatsResponse"}, {"items": _one(simulator).document["items"]}
    assert _changed(simulator, "foreign-kind") == (kind, {"kind": "youtube#searchListResponse"})
    assert _changed(simulator, "no-kind") == (kind, {})
    assert _changed(simulator, "no-items") == (items, {})
    assert _changed(simulator, "null-items") == (items, {"items": None})
    assert _changed(simulator, "object-items") == (items, {"items": {}})
    assert _changed(simulator, "word-summary") == ({}, {"summary": "ok"})
    assert "error" in _one(in_weather(simulator, "error-200")).document


def test_a_kind_is_foreign_even_if_fields_leave_it_out(simulator: Simulator) -> None:
    document = ask(in_weather(simulator, "foreign-kind"), part="id", id=ID, fields="items/id").document
    assert document == {"items": [{"id": ID}], "kind": "youtube#searchListResponse"}


def test_a_wrong_summary_calls_failed_what_was_returned(simulator: Simulator) -> None:
    summary = _one(in_weather(simulator, "wrong-summary")).document["summary"]
    assert summary["failedVideoIds"] == [ID, OTHER, THIRD]
    assert summary["requestedVideoCount"] == -1


def _items(simulator: Simulator, name: str, path: str) -> list[Any]:
    items: list[Any] = _one(in_weather(simulator, name), path).document["items"]
    return items


@BOTH
def test_items_may_be_too_many_or_too_few(simulator: Simulator, path: str) -> None:
    good = _items(simulator, "no-summary", path)
    ids = [item["id"] for item in good]
    assert _items(simulator, "all-missing", path) == []
    assert [item["id"] for item in _items(simulator, "stranger", path)] == [*ids, STRANGER]
    assert len(_items(simulator, "strangers", path)) == len(ids) + 10_000
    assert not set(ids) & {item["id"] for item in _items(simulator, "other-videos", path)}
    assert _items(simulator, "twice", path) == [item for item in good for _ in range(2)]
    shuffled = _items(simulator, "shuffled", path)
    assert shuffled != good
    assert sorted(item["id"] for item in shuffled) == sorted(ids)
    assert not any("id" in item for item in _items(simulator, "no-id", path))
    assert not any("statistics" in item for item in _items(simulator, "no-statistics", path))


@BOTH
def test_an_item_that_comes_twice_may_contradict_itself(simulator: Simulator, path: str) -> None:
    first, second = _items(simulator, f"contradiction@{ID}", path)[:2]
    assert (first["id"], second["id"]) == (ID, ID)
    assert counts(first) == _truth(simulator)
    assert counts(second) == {name: count + 1 for name, count in _truth(simulator).items()}


@BOTH
@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("count-number", lambda count: count),
        ("count-fraction", lambda count: f"{count}.0"),
        ("count-exponent", lambda count: f"{count}e1"),
        ("count-negative", lambda count: f"-{count}"),
        ("count-plus", lambda count: f"+{count}"),
        ("count-blank", lambda count: f" {count}"),
        ("count-comma", lambda count: f"{count + 1000:,}"),
        ("count-underscore", lambda count: f"1_{count}"),
        ("count-short", lambda _: "1.2M"),
        ("count-arabic", lambda count: "".join("٠١٢٣٤٥٦٧٨٩"[int(digit)] for digit in str(count))),
        ("count-empty", lambda _: ""),
        ("count-null", lambda _: None),
        ("count-true", lambda _: True),
        ("count-list", lambda count: [str(count)]),
        ("count-huge", lambda _: "9223372036854775808"),
        ("count-endless", lambda _: "9" * 5000),
    ],
)
def test_counts_can_be_invalid(simulator: Simulator, path: str, name: str, written: Callable[[int], object]) -> None:
    for item in _items(simulator, name, path):
        truth = _truth(simulator, item["id"])
        assert {n: c for n, c in item["statistics"].items() if n in truth} == {n: written(c) for n, c in truth.items()}


def test_every_way_to_write_a_count_wrong_is_tried() -> None:
    assert sum(name.startswith("count-") for name in KINDS) == 16


# what an answer asks for


@pytest.mark.parametrize(
    ("name", "value"),
    [("retry-after-seconds", "2"), ("retry-after-day", "86400"), ("retry-after-nonsense", "soon")],
)
def test_an_error_may_ask_to_wait(simulator: Simulator, name: str, value: str) -> None:
    answer = _one(in_weather(simulator, name))
    assert (answer.status, answer.headers["Retry-After"]) == (503, value)


@pytest.mark.parametrize(("name", "seconds"), [("retry-after-date", 2), ("retry-after-past", -2)])
def test_an_error_may_ask_to_wait_until_a_date(simulator: Simulator, name: str, seconds: int) -> None:
    simulator.clock.advance(timedelta(days=1))
    date = parsedate_to_datetime(_one(in_weather(simulator, name)).headers["Retry-After"])
    assert date - simulator.clock.now() == timedelta(seconds=seconds)


def test_an_error_with_retry_after_stays_the_same_error(simulator: Simulator) -> None:
    answer = _one(in_weather(simulator, "retry-after-seconds", "minute-limit"))
    assert (answer.status, answer.headers["Retry-After"], answer.reason) == (429, "2", "rateLimitExceeded")
