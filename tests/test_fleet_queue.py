"""The queue of a host: a job waits there once, whatever language the server speaks."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import quote

import pytest

from syncer.errors import LedgerUnreachable
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


def repeated(place: ServerAddress, job: int) -> object:
    """What becomes of a job that nobody has in hand."""
    from syncer.fleet.queue import Queue

    async def repeat() -> object:
        async with Queue.opened(place, "a") as queue:
            await queue.repeat_all()
            return await queue._app.job_manager.get_job_status_async(job)

    return asyncio.run(repeat())


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


def test_what_the_settings_of_a_database_or_role_say_does_not_matter(
    place: ServerAddress, postgres: PostgreSQL
) -> None:
    from procrastinate import jobs

    database = place.rpartition("/")[2]
    for setting in ("datestyle = German", "search_path = public", "default_transaction_isolation = serializable"):
        postgres.execute(place, f"ALTER DATABASE {database} SET {setting}")
    postgres.execute(place, f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    (job,) = put(place, False)
    change = "UPDATE procrastinate_jobs SET status = 'doing', scheduled_at = now()"
    postgres.execute(place, f"BEGIN READ WRITE; SET LOCAL search_path = syncer_queue; {change}; COMMIT")
    assert repeated(place, job) == jobs.Status.TODO


def test_options_of_the_address_and_of_the_environment_count(
    place: ServerAddress, postgres: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a group owns the rights, and each of its users takes them with `SET ROLE`."""
    member, group = (f"{name}_{place.rpartition('/')[2]}" for name in ("member", "group"))
    postgres.execute(place, f"CREATE ROLE {group}; CREATE ROLE {member} LOGIN NOINHERIT IN ROLE {group}")
    for schema in ("syncer", "syncer_queue"):
        rights = f"SCHEMA {schema} TO {group}; GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {group}"
        postgres.execute(place, f"GRANT ALL ON {rights}; GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO {group}")
    own = ServerAddress(place.replace("//postgres@", f"//{member}@"))
    with pytest.raises(LedgerUnreachable):
        put(own, False)
    assert put(ServerAddress(f"{own}?options={quote(f'-c role={group}')}"), False)
    monkeypatch.setenv("PGOPTIONS", f"-c role={group}")
    assert put(own, True)
