"""The ledger that sites of one Google project share: never over a limit, whatever processes, crashes and clocks do."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncer.decide.project_quota import SEEN_WITHIN, SiteTerms, part_of, project_limit
from syncer.decide.quota import next_reset, quota_day
from syncer.model import Bucket, LedgerPlace
from syncer.state.ledger import UNITS_AT_ONCE, UnitStock
from syncer.state.shared_ledger import KEPT_DAYS, LedgerMember, SharedLedger, open_shared_ledger
from tests.examples import examples
from tests.forks import PIPE, Fork
from tests.ledgers import place_of, rows_of
from tests.postgres import NewLedger
from tests.site import KEY, NOON
from tests.waiting import until

STATS, GENERAL = Bucket.STATS, Bucket.GENERAL
DAY = timedelta(days=1)


def member(
    name: str = "a",
    limit: int | None = None,
    share: int | None = None,
    reserve: int = 0,
    key: str = KEY,
    stated: Mapping[Bucket, int] | None = None,
) -> LedgerMember:
    """A site; `limit` is what its config states for both buckets."""
    if stated is None:
        stated = dict.fromkeys(Bucket, limit) if limit is not None else {}
    return LedgerMember(
        f"/sites/{name}", name, SiteTerms(stated, share), reserve, dict.fromkeys(Bucket, 10_000), "", key
    )


@pytest.fixture
def path(new_ledger: NewLedger) -> LedgerPlace:
    return new_ledger()


class Opened(ExitStack):
    """Closes, at the end, what the test opens with `site`."""

    path: LedgerPlace


@pytest.fixture
def opened(path: LedgerPlace) -> Iterator[Opened]:
    with Opened() as stack:
        stack.path = path
        yield stack


def site(opened: Opened, name: str = "a", at: datetime = NOON, writes: bool = True, **terms: object) -> SharedLedger:
    made = open_shared_ledger(opened.path, member(name, **terms), at, writes=writes)  # type: ignore[arg-type]
    return opened.enter_context(made)


def take(
    ledger: SharedLedger, wanted: int, at: datetime = NOON, bucket: Bucket = STATS, scheduled: bool = False
) -> int:
    return ledger.take(bucket, at, wanted, scheduled=scheduled)


# --- who may spend what ----------------------------------------------------------------------------------------------


def test_sites_without_shares_take_from_one_bucket(opened: Opened) -> None:
    one, other = site(opened, "a", limit=100), site(opened, "b")
    assert take(one, 70) == 70
    assert take(other, 70) == 30, "the limit that one of them states is that of both"
    assert take(one, 1) == take(other, 1) == 0
    assert take(other, 70, bucket=GENERAL) == 70, "the other bucket is a bucket of its own"
    for ledger in (one, other):
        status = ledger.balances(NOON)[STATS]
        assert (status.limit, status.spent, status.left) == (100, 100, 0)
        assert (status.project_limit, status.project_spent) == (100, 100)


def test_the_smallest_limit_that_a_site_states_is_the_project_s(opened: Opened) -> None:
    ledgers = [site(opened, "a", stated={STATS: 300}), site(opened, "b", stated={STATS: 200}), site(opened, "c")]
    for ledger in ledgers:
        found = ledger.balances(NOON)
        assert (found[STATS].limit, found[GENERAL].limit) == (200, 10_000), "no site states the other: the default"
    site(opened, "b", stated={STATS: 400})
    assert ledgers[0].balances(NOON)[STATS].limit == 300, "the newest config of each site counts"


def test_a_limit_above_the_default_is_the_project_s_if_all_that_state_one_state_it(opened: Opened) -> None:
    site(opened, "a", limit=1_000_000)
    assert site(opened, "b").balances(NOON)[STATS].limit == 1_000_000


def test_a_share_is_rounded_down_and_the_others_have_what_is_left(opened: Opened) -> None:
    fifth, third, rest, more = (
        site(opened, name, limit=99, share=share) for name, share in (("a", 20), ("b", 33), ("c", None), ("d", None))
    )
    assert [fifth.balances(NOON)[STATS].limit, third.balances(NOON)[STATS].limit] == [19, 32]
    assert rest.balances(NOON)[STATS].limit == more.balances(NOON)[STATS].limit == 99 - 19 - 32
    assert take(fifth, 50) == 19
    assert take(rest, 50) == 48
    assert take(more, 50) == 0, "those without a share have the rest together"
    assert take(third, 50) == 32


def test_shares_of_more_than_the_whole_never_spend_more_than_the_whole(opened: Opened) -> None:
    one, other, rest = (
        site(opened, name, limit=100, share=share) for name, share in (("a", 70), ("b", 80), ("c", None))
    )
    assert (take(one, 100), take(other, 100), take(rest, 100)) == (70, 30, 0)


def test_scheduled_syncs_leave_the_reserve_of_what_the_site_may_spend(opened: Opened) -> None:
    shared, rest = site(opened, "a", limit=100, share=20, reserve=5), site(opened, "b", reserve=10)
    assert shared.balances(NOON)[STATS].budget == 15
    assert take(shared, 100, scheduled=True) == 15
    assert take(shared, 100, scheduled=True) == 0
    assert take(shared, 100) == 5
    assert take(rest, 100, scheduled=True) == 70
    assert take(rest, 100) == 10
    assert take(rest, 100, bucket=GENERAL) == 70, "the general bucket's reserve is never touched"


def test_a_share_that_its_reserve_exceeds_leaves_scheduled_syncs_nothing(opened: Opened) -> None:
    ledger = site(opened, "a", limit=100, share=1, reserve=200)
    status = ledger.balances(NOON)[STATS]
    assert (status.limit, status.left, status.scheduled, status.budget) == (1, 1, 0, 0)


def test_a_site_that_was_not_seen_for_seven_days_no_longer_counts(opened: Opened) -> None:
    site(opened, "old", limit=10, share=50, key="another key")
    other = site(opened, "b", at=NOON + DAY)
    before = NOON + SEEN_WITHIN - timedelta(seconds=1)
    assert other.balances(before)[STATS].limit == 5
    assert [each.name for each in other.sharing(before).sites] == ["b", "old"]
    after = NOON + SEEN_WITHIN
    assert other.balances(after)[STATS].limit == 10_000
    assert [each.name for each in other.sharing(after).sites] == ["b"]
    assert (other.sharing(before).keys, other.sharing(after).keys) == (2, 1)


def test_what_a_site_has_spent_counts_even_if_the_site_no_longer_does(opened: Opened) -> None:
    late = NOON + SEEN_WITHIN
    old, other = site(opened, "old", limit=10), site(opened, "b", at=late, limit=10)
    assert take(old, 4, at=late) == 4, "its sync has taken seven days"
    assert take(other, 10, at=late) == 6


def test_a_site_that_was_seen_far_ahead_does_not_count_until_its_clock_is_right(opened: Opened) -> None:
    site(opened, "ahead", at=NOON + 3650 * DAY, limit=5)
    other = site(opened, "b")
    assert other.balances(NOON)[STATS].limit == 10_000
    site(opened, "ahead", at=NOON + DAY, limit=5)
    assert other.balances(NOON)[STATS].limit == 5, "a day may be a mistake of this clock"


@pytest.mark.parametrize("off", [-20_000 * DAY, -40 * DAY, -DAY, DAY, 40 * DAY, 3650 * DAY], ids=str)
def test_a_sync_whose_clock_is_wrong_makes_no_other_forget_a_limit_a_share_or_a_unit(
    opened: Opened, off: timedelta
) -> None:
    one = site(opened, "a", limit=10, share=50)
    other = site(opened, "b")
    assert (take(one, 9), take(other, 9)) == (5, 5)
    wrong = site(opened, "c", at=NOON + off)
    take(wrong, 3, at=NOON + off)
    for ledger in (one, other, site(opened, "c")):
        status = ledger.balances(NOON)[STATS]
        assert (status.limit, status.project_limit, status.project_spent) == (5, 10, 10)
        assert take(ledger, 1) == 0


@given(
    st.integers(1, 10**9),
    st.lists(st.none() | st.integers(1, 100), min_size=1, max_size=20),
)
def test_parts_are_never_more_than_the_limit_where_shares_are_at_most_the_whole(
    limit: int, shares: Sequence[int | None]
) -> None:
    given_out = [share for share in shares if share is not None]
    parts = [part_of(limit, share, given_out) for share in given_out]
    rest = part_of(limit, None, given_out)
    assert all(0 <= part <= limit * share / 100 < part + 1 for part, share in zip(parts, given_out, strict=True))
    assert rest == max(0, limit - sum(parts))
    if sum(given_out) <= 100:
        assert sum(parts) + rest == limit


@given(st.lists(st.dictionaries(st.sampled_from(list(Bucket)), st.integers(1, 10**9)), max_size=8))
def test_the_limit_is_the_smallest_stated_one(stated: Sequence[Mapping[Bucket, int]]) -> None:
    for bucket in Bucket:
        numbers = [each[bucket] for each in stated if bucket in each]
        found = project_limit(bucket, [SiteTerms(each, None) for each in stated], 10_000)
        assert found == (min(numbers) if numbers else 10_000)


# --- days, parking, refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("midnight", "hours"),
    [
        (datetime(2026, 11, 22, 8, tzinfo=UTC), 24),
        (datetime(2026, 3, 8, 8, tzinfo=UTC), 23),
        (datetime(2026, 11, 1, 7, tzinfo=UTC), 25),
    ],
)
def test_a_shared_bucket_is_full_again_at_midnight_pacific_and_only_then(
    opened: Opened, midnight: datetime, hours: int
) -> None:
    one, other = site(opened, "a", at=midnight, limit=2), site(opened, "b", at=midnight)
    second, end = timedelta(seconds=1), midnight + timedelta(hours=hours)
    assert take(one, 2, at=midnight - second) == 2
    assert take(other, 2, at=midnight - second) == 0
    assert take(other, 2, at=midnight) == 2
    for hour in range(hours):
        assert take(one, 1, at=midnight + timedelta(hours=hour)) == 0
    assert take(one, 1, at=end - second) == 0
    assert take(one, 1, at=end) == 1


def test_a_process_that_is_a_moment_behind_at_midnight_does_not_undo_what_another_took(opened: Opened) -> None:
    one, other = site(opened, "a", limit=10), site(opened, "b")
    midnight = next_reset(NOON)
    assert take(one, 8, at=midnight) == 8
    assert take(other, 10, at=midnight - timedelta(milliseconds=1)) == 10
    assert take(other, 10, at=midnight) == 2


def test_what_a_clock_that_ran_ahead_has_spent_is_spent_on_that_day(opened: Opened) -> None:
    """Deleting it would let a clock that is behind delete what was spent today."""
    ledger = site(opened, "a", limit=10)
    assert take(ledger, 10, at=NOON + 30 * DAY) == 10
    assert take(ledger, 4) == 4
    assert take(ledger, 10, at=NOON + 30 * DAY) == 0


def test_the_units_of_the_last_days_are_kept(opened: Opened, path: LedgerPlace) -> None:
    days = [NOON + number * DAY for number in range(KEPT_DAYS + 10)]
    for at in days:
        assert take(site(opened, "a", at=at), 1, at=at) == 1
    kept = [day for (day,) in rows_of(path, "SELECT day FROM units ORDER BY day")]
    assert len(kept) == KEPT_DAYS + 1, "the last one was taken after the site was noted"
    assert kept[-1] == quota_day(days[-1]).isoformat()


def test_a_stock_of_yesterday_is_given_back_to_yesterday(opened: Opened) -> None:
    ledger, now = site(opened, "a", limit=12), NOON
    stock = UnitStock(ledger, lambda: now, scheduled=False)
    assert all(stock.spend(STATS) for _ in range(2))
    now = NOON + DAY
    assert [stock.spend(STATS) for _ in range(13)] == [True] * 12 + [False]
    assert ledger.balances(NOON)[STATS].spent == 2
    stock.give_back()
    assert ledger.balances(now)[STATS].spent == 12


def test_what_one_site_parks_is_closed_to_all(opened: Opened) -> None:
    one, other, reset = site(opened, "a"), site(opened, "b", share=50), next_reset(NOON)
    one.park(STATS, reset)
    for ledger in (one, other):
        assert take(ledger, 1) == 0
        status = ledger.balances(NOON)[STATS]
        assert (status.left, status.scheduled, status.parked_until) == (0, 0, reset)
        assert take(ledger, 1, bucket=GENERAL) == 1
    assert take(other, 1, at=reset) == 1


def test_a_time_of_parking_that_a_wrong_clock_noted_closes_nothing(opened: Opened) -> None:
    ledger = site(opened, "a")
    ledger.park(STATS, NOON + 400 * DAY)
    assert take(ledger, 1) == 1


def test_refusals_are_those_of_the_project(opened: Opened) -> None:
    one, other = site(opened, "a"), site(opened, "b")
    one.note_refusal(STATS, NOON, 40)
    assert other.refusals(NOON) == other.refusals(NOON + DAY) == {STATS: 40}
    assert other.refusals(NOON + 2 * DAY) == {}
    other.forget_refusal(STATS)
    assert one.refusals(NOON) == {}


# --- keys ------------------------------------------------------------------------------------------------------------


def test_two_keys_are_noticed_until_each_site_uses_the_new_one(opened: Opened) -> None:
    one = site(opened, "a", key="key-of-before")
    site(opened, "b", key="key-of-before")
    assert one.sharing(NOON).keys == 1
    site(opened, "b", key="key-of-after")
    assert one.sharing(NOON).keys == 2
    site(opened, "b", key="")
    assert one.sharing(NOON).keys == 2, "a command without a key says nothing about it"
    site(opened, "a", key="key-of-after")
    assert one.sharing(NOON).keys == 1


def test_neither_the_key_nor_an_unsalted_digest_of_it_is_in_the_ledger(new_ledger: NewLedger, tmp_path: Path) -> None:
    digests = set[tuple[str]]()
    for place in (new_ledger(), new_ledger()):
        with open_shared_ledger(place, member(), NOON, writes=True):
            stored = b"".join(each.read_bytes() for each in tmp_path.glob("*.sqlite3*"))
        assert KEY.encode() not in stored
        found = rows_of(place, "SELECT * FROM sites")
        assert KEY not in str(found)
        digests.update(rows_of(place, "SELECT key FROM sites"))
    assert len(digests) == 2, "each ledger has a salt of its own"
    assert KEY not in repr(member())


# --- many processes --------------------------------------------------------------------------------------------------


def spend_all(path: str, name: str, sent: str, limit: str, share: str) -> None:
    """Spends units until there are none, and notes each as a byte in a file when it is used."""
    with open_shared_ledger(place_of(path), member(name, int(limit), int(share) or None), NOON, writes=True) as ledger:
        stock = UnitStock(ledger, lambda: NOON, scheduled=False)
        with open(sent, "ab", buffering=0) as file:
            while stock.spend(STATS):
                file.write(b".")
                time.sleep(0.001)  # a request takes a moment
        stock.give_back()


def spender(path: LedgerPlace, name: str, sent: Path, limit: int, share: int) -> Fork:
    code = f"import sys; from {__name__} import spend_all; spend_all(*sys.argv[1:])"
    return Fork(
        "-c", code, str(path), name, str(sent), str(limit), str(share), cwd=Path(__file__).parent.parent, stderr=PIPE
    )


def size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def is_at(goal: int, sent: Path, victim: Fork) -> bool:
    return size(sent) >= goal or victim.poll() is not None


@pytest.mark.parametrize(
    ("processes", "limit", "kills"), [(2, 2_000, 6), pytest.param(8, 10_000, 20, marks=pytest.mark.storm)]
)
def test_processes_that_are_killed_never_spend_more_than_the_limit_and_lose_ten_units_each_at_most(
    path: LedgerPlace, tmp_path: Path, processes: int, limit: int, kills: int
) -> None:
    rng, shares = Random(processes), {"a": 30, "b": 10}
    names = [chr(ord("a") + number) for number in range(processes)]
    sent = {name: tmp_path / f"sent-{name}" for name in names}
    running = {name: spender(path, name, sent[name], limit, shares.get(name, 0)) for name in names}
    killed = Counter[str]()
    for _ in range(kills):
        name = rng.choice(names)
        goal, victim = size(sent[name]) + rng.randrange(1, 40), running[name]
        until(partial(is_at, goal, sent[name], victim))
        if victim.poll() is None:
            victim.kill()
            killed[name] += 1
        assert victim.communicate()[1] == ""
        running[name] = spender(path, name, sent[name], limit, shares.get(name, 0))
    for victim in running.values():
        assert victim.communicate()[1] == ""
    with open_shared_ledger(path, member("a", limit, 30), NOON, writes=True) as ledger:
        spent = {each.name: each.units[STATS] for each in ledger.sharing(NOON).sites}
    assert sum(spent.values()) <= limit
    for name in names:
        assert size(sent[name]) <= spent[name] <= size(sent[name]) + UNITS_AT_ONCE * killed[name]
        assert spent[name] <= limit * shares.get(name, 100) // 100
    assert killed.total() >= kills / 4, "or the test shows nothing"
    assert sum(spent.values()) == limit * (1 if processes > 2 else 0.4), "those two have shares"


@pytest.mark.parametrize("number", [4, pytest.param(16, marks=pytest.mark.storm)])
def test_processes_that_create_the_ledger_at_once_all_use_the_same(
    path: LedgerPlace, tmp_path: Path, number: int
) -> None:
    gate = tmp_path / "gate"
    code = (
        "import sys, os; from tests.test_shared_ledger import *\n"
        "print('ready', flush=True); os.open(sys.argv[3], os.O_RDONLY)\n"  # until all may begin
        "with open_shared_ledger(place_of(sys.argv[1]), member(sys.argv[2], 100), NOON, writes=True) as one:\n"
        "    print(one.take(STATS, NOON, 7, scheduled=False))"
    )
    os.mkfifo(gate)
    root = Path(__file__).parent.parent
    started = [
        Fork("-c", code, str(path), str(each), str(gate), cwd=root, stdout=PIPE, stderr=PIPE) for each in range(number)
    ]
    for each in started:
        assert each.stdout
        assert each.stdout.readline() == "ready\n"
    with gate.open("wb"):
        printed = [each.communicate() for each in started]
    expected = [*["7\n"] * 14, "2\n", "0\n"][:number]
    assert sorted(printed) == sorted((units, "") for units in expected)
    with open_shared_ledger(path, member("x"), NOON, writes=True) as ledger:
        assert ledger.balances(NOON)[STATS].spent == min(100, 7 * number)


events = st.lists(
    st.tuples(
        st.sampled_from("abcd"), st.integers(0, 9 * 3600), st.booleans(), st.integers(0, 40), st.sampled_from(Bucket)
    ),
    min_size=1,
    max_size=30,
)


@settings(examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC), NOON]),
    events,
    st.dictionaries(st.sampled_from("abcd"), st.tuples(st.none() | st.integers(1, 100), st.integers(0, 9))),
    st.integers(1, 60),
)
def test_no_history_of_syncs_spends_more_than_the_project_or_a_share_has_on_any_day(
    new_ledger: NewLedger,
    start: datetime,
    syncs: list[tuple[str, int, bool, int, Bucket]],
    terms: Mapping[str, tuple[int | None, int]],
    limit: int,
) -> None:
    path, now = new_ledger(), start
    taken = Counter[tuple[date, Bucket, str]]()
    for name, after, scheduled, wanted, bucket in syncs:
        now += timedelta(seconds=after)
        share, reserve = terms.get(name, (None, 0))
        with open_shared_ledger(path, member(name, limit, share, reserve), now, writes=True) as ledger:
            usable = ledger.balances(now)[bucket].usable(scheduled=scheduled)
            got = take(ledger, wanted, now, bucket, scheduled=scheduled)
            assert got == min(wanted, usable)
        day = quota_day(now)
        taken[day, bucket, name] += got
        assert sum(number for (on, of, _), number in taken.items() if (on, of) == (day, bucket)) <= limit
        if share is not None:
            assert taken[day, bucket, name] <= limit * share // 100


# --- the file --------------------------------------------------------------------------------------------------------


def test_a_copy_counts_in_memory_and_writes_nothing(path: LedgerPlace, opened: Opened) -> None:
    assert take(site(opened, "copy", writes=False, limit=30), 20) == 20
    assert isinstance(path, str) or not path.exists(), "nor does it create a ledger"
    one = site(opened, "a", limit=10)
    assert take(one, 4) == 4
    copy = site(opened, "b", writes=False, limit=5)
    assert copy.balances(NOON)[STATS].limit == 5
    assert take(copy, 10) == 1
    copy.park(GENERAL, next_reset(NOON))
    assert [each.name for each in copy.sharing(NOON).sites] == ["a", "b"]
    assert [each.name for each in one.sharing(NOON).sites] == ["a"]
    status = one.balances(NOON)
    assert (status[STATS].limit, status[STATS].spent, status[GENERAL].parked_until) == (10, 4, None)


def test_sites_in_threads_of_one_process_beside_another_process_never_spend_more_than_the_limit(
    path: LedgerPlace, tmp_path: Path
) -> None:
    """As one daemon with many sites, beside the command of another."""
    beside = spender(path, "beside", tmp_path / "sent", 600, 0)

    def spend(number: int) -> int:
        with open_shared_ledger(path, member(f"{number % 12}", 600), NOON, writes=True) as ledger:
            stock = UnitStock(ledger, lambda: NOON, scheduled=False)
            sent = sum(stock.spend(STATS) for _ in range(13))
            stock.give_back()
            return sent

    with ThreadPoolExecutor(6) as threads:
        sent = sum(threads.map(spend, range(40)))
    assert beside.communicate()[1] == ""
    sent += size(tmp_path / "sent")
    with open_shared_ledger(path, member("x"), NOON, writes=False) as ledger:
        assert ledger.balances(NOON)[STATS].project_spent == sent == 600
