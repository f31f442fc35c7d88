"""The queue of a host: a job waits there once, whatever language the server speaks."""

from __future__ import annotations

import asyncio
import re

import pytest

from syncer.model import ServerAddress
from tests.ledgers import rows_of
from tests.postgres import PostgreSQL

pytestmark = pytest.mark.storm


@pytest.fixture
def place(postgres: PostgreSQL) -> ServerAddress:
    return postgres.new_fleet()


def put(place: ServerAddress, *triggered: bool) -> list[int]:
    from syncer.fleet.queue import Queue

    async def defer() -> list[int]:
        async with Queue.opened(place, "a") as queue:
            return [await queue.defer("blog (1)", triggered=each) for each in triggered]

    return asyncio.run(defer())


def test_the_same_job_waits_once_and_a_triggered_one_is_another(place: ServerAddress) -> None:
    first, again, triggered, once_more = put(place, False, False, True, True)
    assert first == again != triggered == once_more


def test_a_message_that_procrastinate_cannot_read_is_no_error(
    place: ServerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a server whose `lc_messages` is German; no other language is installed for the tests."""
    real = re.search
    monkeypatch.setattr("re.search", lambda pattern, *rest: None if "Key" in str(pattern) else real(pattern, *rest))
    assert len(set(put(place, False, False))) == 1
    assert rows_of(place, "SELECT count(*) FROM syncer_queue.procrastinate_jobs") == [(1,)]
