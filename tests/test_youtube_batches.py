"""The requests of all batches: no more than necessary, and from the right method."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model import Bucket, VideoId
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, VideoState, World
from syncer.youtube.answer import Answer, Fetch, Outcome
from syncer.youtube.batches import MAX_FAILURES, MAX_HALVINGS, MAX_UNANSWERED_HALVINGS, Breaker, WindowRequests, pack
from syncer.youtube.deadline import Deadline
from tests.asking import client_with_units
from tests.examples import examples
from tests.waiting import until

AT = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


def ids(number: int) -> list[VideoId]:
    return [VideoId(f"{place:010d}A") for place in range(number)]


class Youtube:
    """A `Fetch` that knows all videos but `absent`, and remembers what it was asked.

    `outcome` says how the n-th request of a method ends, from 0. Requests that name one of `bad` are rejected.
    """

    def __init__(
        self,
        absent: Sequence[VideoId] = (),
        outcome: Callable[[Bucket, int], Outcome] = lambda _bucket, _place: Outcome.ANSWERED,
        bad: Sequence[VideoId] = (),
    ) -> None:
        self.asked: dict[Bucket, list[Sequence[VideoId]]] = {bucket: [] for bucket in Bucket}
        self._absent, self._outcome, self._lock = set(absent), outcome, threading.Lock()
        self._bad = set(bad)

    def fetch(self, bucket: Bucket, videos: Sequence[VideoId]) -> Answer:
        with self._lock:
            outcome = self._outcome(bucket, len(self.asked[bucket]))
            self.asked[bucket].append(videos)
        if not self._bad.isdisjoint(videos):
            outcome = Outcome.REJECTED
        known = [video for video in videos if video not in self._absent] if outcome is Outcome.ANSWERED else []
        return Answer(bucket, tuple(videos), outcome, AT, {video: {} for video in known})

    def sizes(self, bucket: Bucket) -> list[int]:
        return [len(videos) for videos in self.asked[bucket]]


def ends(bucket: Bucket, outcome: Outcome, *, after: int = 0) -> Callable[[Bucket, int], Outcome]:
    return lambda asked, place: outcome if asked is bucket and place >= after else Outcome.ANSWERED


def walking(
    videos: Sequence[VideoId],
    fetch: Fetch,
    connections: int = 1,
    cancelled: Callable[[], bool] = lambda: False,
    breakers: Mapping[Bucket, Breaker] | None = None,
) -> Iterator[Answer]:
    """The answers about one window."""
    breakers = breakers or {bucket: Breaker() for bucket in Bucket}
    deadline = Deadline(cancelled=cancelled)
    with WindowRequests([videos], fetch, connections=connections, deadline=deadline, breakers=breakers) as requests:
        while (arrival := requests.take()) and arrival.answer:
            yield arrival.answer


def walk(
    videos: Sequence[VideoId], fetch: Fetch, connections: int = 1, cancelled: Callable[[], bool] = lambda: False
) -> list[Answer]:
    return list(walking(videos, fetch, connections, cancelled))


@pytest.mark.parametrize(
    ("number", "sizes"), [(0, []), (1, [1]), (49, [49]), (50, [50]), (51, [50, 1]), (101, [50, 50, 1])]
)
def test_batches_hold_fifty_and_none_is_empty(number: int, sizes: list[int]) -> None:
    assert [len(batch) for batch in pack(ids(number))] == sizes
    youtube = Youtube()
    answers = walk(ids(number), youtube.fetch)
    assert youtube.sizes(Bucket.STATS) == [len(answer.videos) for answer in answers] == sizes
    assert youtube.sizes(Bucket.GENERAL) == []


def test_a_video_named_twice_is_requested_once() -> None:
    youtube = Youtube()
    walk([*ids(3), *ids(3)], youtube.fetch)
    assert youtube.asked[Bucket.STATS] == [tuple(ids(3))]


def test_absent_videos_of_all_batches_are_confirmed_together_and_once() -> None:
    absent = ids(450)[::50]
    youtube = Youtube(absent)
    answers = walk(ids(450), youtube.fetch, connections=4)
    assert youtube.sizes(Bucket.STATS) == [50] * 9
    assert [sorted(videos) for videos in youtube.asked[Bucket.GENERAL]] == [absent]
    assert answers[-1].statistics == {}


@pytest.mark.parametrize("outcome", [Outcome.SPENT, Outcome.UNAVAILABLE])
def test_where_the_first_method_ends_the_other_takes_over_all_that_is_left(outcome: Outcome) -> None:
    youtube = Youtube(absent=ids(3), outcome=ends(Bucket.STATS, outcome, after=2))
    answers = walk(ids(500), youtube.fetch)
    assert youtube.sizes(Bucket.STATS) == [50, 50, 50]
    assert {video for videos in youtube.asked[Bucket.GENERAL] for video in videos} == {*ids(3), *ids(500)[100:]}
    assert youtube.sizes(Bucket.GENERAL) == [50] * 8 + [3]
    assert {video for answer in answers for video in answer.statistics} == {*ids(500)[3:]}


def test_a_failed_batch_never_changes_the_method() -> None:
    youtube = Youtube(outcome=lambda _, place: Outcome.FAILED if place % 2 else Outcome.ANSWERED)
    assert len(walk(ids(500), youtube.fetch, connections=3)) == 10
    assert youtube.sizes(Bucket.GENERAL) == []


@pytest.mark.parametrize("bucket", Bucket)
def test_a_refusal_ends_all_requests(bucket: Bucket) -> None:
    youtube = Youtube(absent=ids(500), outcome=ends(bucket, Outcome.REFUSED, after=1))
    walk(ids(500), youtube.fetch)
    assert youtube.sizes(bucket) == [50, 50]
    assert youtube.sizes(Bucket.GENERAL) == ([] if bucket is Bucket.STATS else [50, 50])


def test_where_both_buckets_are_spent_the_rest_is_not_requested() -> None:
    youtube = Youtube(outcome=lambda _bucket, _place: Outcome.SPENT)
    assert [answer.outcome for answer in walk(ids(500), youtube.fetch)] == [Outcome.SPENT, Outcome.SPENT]


def rejected(answers: Sequence[Answer]) -> list[VideoId]:
    """The videos that were rejected alone."""
    alone = [answer.videos for answer in answers if answer.outcome is Outcome.REJECTED and len(answer.videos) == 1]
    return sorted(video for (video,) in alone)


@pytest.mark.parametrize("place", range(50))
def test_the_one_id_that_youtube_rejects_is_found_by_halving_and_the_others_are_returned(place: int) -> None:
    videos = ids(50)
    youtube = Youtube(bad=[videos[place]])
    answers = walk(videos, youtube.fetch)
    assert rejected(answers) == [videos[place]]
    assert {video for answer in answers for video in answer.statistics} == {*videos} - {videos[place]}
    assert len(youtube.asked[Bucket.STATS]) <= 1 + 2 * 6
    assert len(set(youtube.asked[Bucket.STATS])) == len(youtube.asked[Bucket.STATS]), "nothing is repeated unchanged"
    assert youtube.asked[Bucket.GENERAL] == [], "it is not missing"


@pytest.mark.parametrize("connections", [1, 4])
def test_two_ids_that_youtube_rejects_are_both_found(connections: int) -> None:
    videos = ids(300)
    youtube = Youtube(bad=[videos[7], videos[260]])
    answers = walk(videos, youtube.fetch, connections)
    assert rejected(answers) == [videos[7], videos[260]]
    assert {video for answer in answers for video in answer.statistics} == {*videos} - {videos[7], videos[260]}


def test_the_search_for_bad_ids_is_bounded() -> None:
    videos = ids(1000)
    youtube = Youtube(bad=videos[5::50])
    answers = walk(videos, youtube.fetch)
    assert len(youtube.asked[Bucket.STATS]) <= 20 + 2 * MAX_HALVINGS
    assert Outcome.FAILED in {answer.outcome for answer in answers}, "what was not looked through has failed"


@pytest.mark.parametrize("number", [1, 3, 50, 1000])
def test_where_youtube_rejects_everything_no_id_is_blamed_and_requests_end_soon(number: int) -> None:
    youtube = Youtube(outcome=lambda _bucket, _place: Outcome.REJECTED)
    answers = walk(ids(number), youtube.fetch)
    assert rejected(answers) == []
    assert len(youtube.asked[Bucket.STATS]) <= 2 * MAX_UNANSWERED_HALVINGS + MAX_FAILURES
    last_words = [answer for answer in answers if not to_be_halved(answer)]
    assert {answer.outcome for answer in last_words} == {Outcome.FAILED}


def failing(*places: int) -> Callable[[Bucket, int], Outcome]:
    return lambda bucket, place: Outcome.FAILED if bucket is Bucket.STATS and place in places else Outcome.ANSWERED


def test_after_five_failures_in_a_row_a_method_is_not_requested() -> None:
    youtube = Youtube(outcome=failing(1, *range(3, 100)))
    assert len(walk(ids(1000), youtube.fetch)) == 8
    assert youtube.asked[Bucket.GENERAL] == [], "trouble that passes never changes the method"


def test_no_more_requests_follow_those_under_way_when_the_breaker_opens() -> None:
    youtube = Youtube(outcome=failing(*range(100)))
    assert 5 <= len(walk(ids(1000), youtube.fetch, 4)) <= 8


def test_the_breaker_of_one_method_leaves_the_other_alone() -> None:
    youtube = Youtube(absent=ids(1), outcome=failing(*range(1, 100)))
    walk(ids(1000), youtube.fetch)
    assert youtube.asked[Bucket.GENERAL] == [tuple(ids(1))]


def probe(youtube: Youtube, number: int = 1000) -> list[Answer]:
    breakers = {bucket: Breaker(failing=True) for bucket in Bucket}
    return list(walking(ids(number), youtube.fetch, 4, breakers=breakers))


def test_a_probe_is_one_request_and_if_it_fails_the_only_one() -> None:
    youtube = Youtube(outcome=failing(*range(100)))
    assert len(probe(youtube)) == 1
    assert youtube.sizes(Bucket.STATS) == [50]


def test_after_a_probe_that_succeeds_all_others_are_requested() -> None:
    assert len(probe(Youtube())) == 20


def test_a_bad_id_in_the_probe_does_not_keep_the_method_closed_for_ever() -> None:
    youtube = Youtube(bad=ids(1))
    answers = probe(youtube)
    assert rejected(answers) == ids(1)
    assert {video for answer in answers for video in answer.statistics} == {*ids(1000)[1:]}


def test_after_cancelling_nothing_is_sent_and_all_results_are_returned() -> None:
    youtube = Youtube(absent=ids(500))
    answers = walk(ids(500), youtube.fetch, 2, cancelled=lambda: len(youtube.asked[Bucket.STATS]) >= 3)
    assert 3 <= len(answers) <= 4
    assert len(answers) == len(youtube.asked[Bucket.STATS])
    assert youtube.asked[Bucket.GENERAL] == []


def test_no_more_requests_run_at_once_than_there_are_connections() -> None:
    youtube, running, most = Youtube(), set[Sequence[VideoId]](), [0]
    four_at_once = threading.Barrier(4)

    def fetch(bucket: Bucket, videos: Sequence[VideoId]) -> Answer:
        running.add(videos)
        most[0] = max(most[0], len(running))
        four_at_once.wait(timeout=30)
        running.discard(videos)
        return youtube.fetch(bucket, videos)

    assert len(walk(ids(2000), fetch, connections=4)) == 40
    assert most == [4]


def test_requests_go_on_while_the_caller_takes_his_time() -> None:
    youtube = Youtube()
    answers = walking(ids(500), youtube.fetch, connections=4)
    next(answers)
    until(lambda: len(youtube.asked[Bucket.STATS]) == 10)
    answers.close()  # type: ignore[attr-defined] # a generator's own


def test_a_caller_that_leaves_early_leaves_no_thread_behind() -> None:
    answers = walking(ids(2000), Youtube().fetch, connections=4)
    next(answers)
    assert any(thread.name.startswith("youtube") for thread in threading.enumerate())
    answers.close()  # type: ignore[attr-defined] # a generator's own
    assert not any(thread.name.startswith("youtube") for thread in threading.enumerate())


def test_what_a_fetch_raises_comes_through_and_leaves_no_thread_behind() -> None:
    def fetch(bucket: Bucket, videos: Sequence[VideoId]) -> Answer:
        raise LookupError

    with pytest.raises(LookupError):
        walk(ids(500), fetch, connections=4)
    assert not any(thread.name.startswith("youtube") for thread in threading.enumerate())


@examples(60)
@given(st.integers(0, 400), st.integers(1, 5), st.randoms(use_true_random=False))
def test_each_video_is_requested_at_most_once_a_method_and_has_an_answer_unless_something_ended(
    number: int, connections: int, rng: Random
) -> None:
    endings = rng.choices(list(Outcome), weights=[10, 1, 1, 1, 1, 2, 1], k=50)
    absent = rng.sample(ids(number), number // 5)
    youtube = Youtube(absent, lambda bucket, place: endings[place % 25 + 25 * (bucket is Bucket.GENERAL)])
    answers = walk(ids(number), youtube.fetch, connections)
    for bucket in Bucket:
        last_words = [answer for answer in answers if answer.bucket is bucket and not to_be_halved(answer)]
        named = [video for answer in last_words for video in answer.videos]
        assert len(named) == len(set(named))
        assert all(1 <= size <= 50 for size in youtube.sizes(bucket))
    assert len(answers) == sum(len(batches) for batches in youtube.asked.values())
    if all(answer.outcome is Outcome.ANSWERED for answer in answers):
        assert {video for answer in answers for video in answer.statistics} == {*ids(number)} - {*absent}


def to_be_halved(answer: Answer) -> bool:
    return answer.outcome is Outcome.REJECTED and len(answer.videos) > 1


def test_end_to_end_both_buckets_are_used_and_every_count_is_youtubes_own() -> None:
    gone = ids(1000)[::120]
    world = World(seed=3, videos={video: Video(VideoState.PRIVATE) for video in gone})
    with (
        Simulator(world) as simulator,
        client_with_units(simulator, stats=12) as (client, units),
    ):
        answers = walk(ids(1000), client.fetch, connections=3)
        assert {bucket: simulator.units[bucket.value] for bucket in Bucket} == units
        told = {video: dict(counts) for answer in answers for video, counts in answer.statistics.items()}
        assert told == {
            video: world.statistics(video, simulator.clock.now()) for video in ids(1000) if video not in gone
        }
    assert units == {Bucket.STATS: 12, Bucket.GENERAL: 9}
