"""What one host does to the queue of a fleet keeps no other host waiting for long."""

from __future__ import annotations

import asyncio

import pytest

from syncer.errors import LedgerUnreachable
from tests.postgres import PostgreSQL

pytestmark = pytest.mark.storm

WORKERS = "syncer_queue.procrastinate_workers"


def test_a_worker_that_is_stopped_in_a_transaction_of_its_queue_keeps_nothing_locked(
    postgres: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg  # only now: without it, the fixture has skipped the test

    queue = pytest.importorskip("syncer.fleet.queue", reason="a fleet needs procrastinate")
    monkeypatch.setattr(queue, "IDLE_SECONDS", 1)
    place = postgres.new_fleet()

    async def stop_in_a_transaction() -> None:
        async with queue.Queue.opened(place, "a") as opened, opened._app.connector.pool.connection() as connection:
            await connection.execute(f"LOCK TABLE {WORKERS}")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                postgres.execute(place, f"SET lock_timeout = '100ms'; DELETE FROM {WORKERS} WHERE id < 0")
            await asyncio.to_thread(
                postgres.execute, place, f"SET lock_timeout = '10s'; DELETE FROM {WORKERS} WHERE id < 0"
            )

    with pytest.raises(LedgerUnreachable, match="idle-in-transaction timeout"):
        asyncio.run(stop_in_a_transaction())
