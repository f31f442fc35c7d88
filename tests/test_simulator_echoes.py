"""The simulator's faults that send the key back: where a client can read it."""

from __future__ import annotations

import http.client
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from syncer.simulator.echoes import ECHOING_FIELDS
from syncer.simulator.faults import GROUPS
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from tests.asking import LIST, STATS, Answer, ask, in_weather

ID = "q3mB7nTz-1k"
KEY = "a/key+of=16signs"
HEADERS = {"x-goog-api-key": KEY}
BOTH = pytest.mark.parametrize("path", [STATS, LIST])


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(World()) as running:
        yield running


def _struck(simulator: Simulator, fault: str, path: str = STATS) -> Answer:
    return ask(in_weather(simulator, fault), path, HEADERS, part="statistics", id=ID)


@BOTH
@pytest.mark.parametrize("name", sorted({*GROUPS["The key sent back"], "project-suspended"} - {"echo-mirror"}))
def test_the_answer_holds_the_key_that_was_sent(simulator: Simulator, name: str, path: str) -> None:
    answer = _struck(simulator, name, path)
    everything = f"{answer.headers}{answer.body.decode()}"
    assert KEY in everything
    if name not in {"echo-fields", "echo-kind", "project-suspended"}:
        assert quote(KEY, safe="") in everything


def test_a_mirror_sends_the_head_of_the_request(simulator: Simulator) -> None:
    with pytest.raises(http.client.BadStatusLine, match=KEY.replace("+", r"\+")):
        _struck(simulator, "echo-mirror")


def test_every_field_of_the_header_that_could_be_noted_holds_the_key(simulator: Simulator) -> None:
    answer = _struck(simulator, "echo-fields")
    assert answer.status == 200
    assert [answer.headers[name] for name in ECHOING_FIELDS] == [KEY] * len(ECHOING_FIELDS)


def test_the_address_of_a_redirect_holds_the_key_and_leads_back_here(simulator: Simulator) -> None:
    answer = _struck(simulator, "echo-redirect")
    assert answer.status == 302
    assert answer.headers["Location"].startswith(simulator.url)
    assert f"&key={quote(KEY, safe='')}#{KEY}" in answer.headers["Location"]


def test_a_page_shows_the_key_as_it_was_sent_in_an_address_and_hidden(simulator: Simulator) -> None:
    for fault, status in (("echo-page", 502), ("echo-page-200", 200)):
        answer = _struck(simulator, fault)
        assert answer.status == status
        assert answer.headers["Content-Type"].startswith("text/html")
        for form in (f"x-goog-api-key: {KEY}", f"&key={quote(KEY, safe='')} ", b64encode(KEY.encode()).decode()):
            assert form in answer.body.decode()


def test_an_error_has_the_key_for_its_reason_and_its_status(simulator: Simulator) -> None:
    answer = _struck(simulator, "echo-error")
    error = answer.document["error"]
    assert (answer.status, answer.reason, error["status"], error["details"][0]["reason"]) == (500, KEY, KEY, KEY)


def test_counts_and_an_id_are_the_key_for_the_videos_that_are_struck(simulator: Simulator) -> None:
    items = _struck(simulator, "echo-counts").document["items"]
    assert [item["id"] for item in items] == [ID, KEY]
    assert items[0]["statistics"]["viewCount"] == KEY
