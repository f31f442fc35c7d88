"""Windows of videos: requested one ahead of the caller, each complete before the next one, with no pause between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model import Bucket, VideoId
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, VideoState, World
from syncer.youtube.answer import Answer, Fetch, Outcome
from syncer.youtube.batches import MAX_FAILURES, Arrival, Breaker, Checks, Turn, WindowRequests
from syncer.youtube.deadline import Deadline
from tests.asking import client_with_units
from tests.examples import examples
from tests.waiting import until

AT = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


def windows(number: int, videos: int) -> list[list[VideoId]]:
    """So many windows of so many videos each; an ID names its window."""
    return [[VideoId(f"{window:05d}{place:05d}A") for place in range(videos)] for window in range(number)]


def window_of(videos: Sequence[VideoId]) -> int:
    assert len({video[:5] for video in videos}) == 1, "no request is about two windows"
    return int(videos[0][:5])


class Youtube:
    """A `Fetch` that answers a request only when it is let go; it knows all videos but `absent`."""

    def __init__(
        self,
        absent: Sequence[VideoId] = (),
        outcome: Callable[[Bucket, int], Outcome] = lambda _bucket, _window: Outcome.ANSWERED,
        *,
        waits: bool = False,
    ) -> None:
        self.asked: list[tuple[Bucket, int]] = []
        self.running: list[tuple[Bucket, int]] = []
        self._absent, self._outcome, self._changed = set(absent), outcome, threading.Condition()
        self._let_go: set[tuple[Bucket, int]] | None = set() if waits else None

    def let_go(self, bucket: Bucket, window: int) -> None:
        """Answer all requests of this method about this window, now and later."""
        assert self._let_go is not None
        with self._changed:
            self._let_go.add((bucket, window))
            self._changed.notify_all()

    def fetch(self, bucket: Bucket, videos: Sequence[VideoId]) -> Answer:
        request = bucket, window_of(videos)
        with self._changed:
            self.asked.append(request)
            self.running.append(request)
            assert self._changed.wait_for(lambda: self._let_go is None or request in self._let_go, timeout=30)
            self.running.remove(request)
        outcome = self._outcome(*request)
        known = [video for video in videos if video not in self._absent] if outcome is Outcome.ANSWERED else []
        return Answer(bucket, tuple(videos), outcome, AT, {video: {} for video in known})

    def about(self, window: int) -> list[Bucket]:
        """The methods of the requests about a window, in order."""
        return [bucket for bucket, number in self.asked if number == window]


@contextmanager
def requesting(
    videos: Sequence[Sequence[VideoId]],
    fetch: Fetch,
    connections: int = 4,
    *,
    deadline: Deadline | None = None,
    breakers: Mapping[Bucket, Breaker] | None = None,
    checks: Checks | None = None,
) -> Iterator[WindowRequests]:
    breakers = breakers or {bucket: Breaker() for bucket in Bucket}
    with WindowRequests(
        videos,
        fetch,
        connections=connections,
        deadline=deadline or Deadline(),
        breakers=breakers,
        checks=checks,
    ) as requests:
        yield requests
    assert not any(thread.name.startswith("youtube_") for thread in threading.enumerate())


def window(requests: WindowRequests) -> list[Arrival]:
    """All that arrives until the next window is complete, as a caller waits for it."""
    requests.open_window()
    arrivals: list[Arrival] = []
    while True:
        arrival = requests.take(30)
        assert arrival, "nothing comes"
        if arrival.answer is None:
            return arrivals
        arrivals.append(arrival)


def test_while_the_caller_works_on_a_window_the_next_one_is_requested_and_none_after_it() -> None:
    youtube = Youtube()
    with requesting(windows(5, 200), youtube.fetch) as requests:
        for number in range(5):
            until(lambda now=number: len(youtube.asked) == 4 * min(now + 1, 5))  # type: ignore[misc] # of now
            window(requests)
            until(lambda now=number: len(youtube.asked) == 4 * min(now + 2, 5))  # type: ignore[misc] # of now
        assert requests.take(0) is None


def test_a_window_that_is_complete_tells_so_after_all_its_answers_and_in_order() -> None:
    absent = [videos[0] for videos in windows(6, 130)]
    with requesting(windows(6, 130), Youtube(absent).fetch, connections=3) as requests:
        arrivals = [window(requests) for _ in range(6)]
    for number, those in enumerate(arrivals):
        before = [arrival.window for earlier in arrivals[:number] for arrival in earlier]
        assert before.count(number) + [arrival.window for arrival in those].count(number) == 3 + 1
        assert {arrival.window for arrival in those} <= {number, number + 1}


def test_confirmations_of_a_window_run_beside_the_first_batches_of_the_next() -> None:
    videos = windows(2, 200)
    youtube = Youtube([videos[0][0]], waits=True)
    with requesting(videos, youtube.fetch, connections=4) as requests:
        requests.open_window()
        until(lambda: youtube.running == [(Bucket.STATS, 0)] * 4)
        youtube.let_go(Bucket.STATS, 0)
        until(lambda: sorted(youtube.running) == [(Bucket.GENERAL, 0), *[(Bucket.STATS, 1)] * 3])
        youtube.let_go(Bucket.STATS, 1)
        until(lambda: youtube.running == [(Bucket.GENERAL, 0)])
        assert [requests.take(30) for _ in range(8)][-1], "the second window has all answers"
        assert requests.take(0) is None, "but it is not complete before the first"
        youtube.let_go(Bucket.GENERAL, 0)
        last = [requests.take(30) for _ in range(3)]
    assert [(arrival.window, arrival.answer is None) for arrival in last if arrival] == [
        (0, False), (0, True), (1, True)
    ]  # fmt: skip


def test_a_method_that_ends_in_the_second_window_is_replaced_from_there_on() -> None:
    youtube = Youtube(outcome=lambda bucket, number: Outcome.SPENT if bucket is Bucket.STATS and number else ANSWERED)
    with requesting(windows(3, 200), youtube.fetch, connections=1) as requests:
        arrivals = [arrival for _ in range(3) for arrival in window(requests)]
    assert youtube.about(0) == [Bucket.STATS] * 4
    assert youtube.about(1) == [Bucket.STATS, *[Bucket.GENERAL] * 4], "one request finds out"
    assert youtube.about(2) == [Bucket.GENERAL] * 4
    assert {video for _, answer, _ in arrivals if answer for video in answer.statistics} == {
        video for videos in windows(3, 200) for video in videos
    }


ANSWERED = Outcome.ANSWERED


def test_five_failures_in_a_row_end_a_method_for_all_windows_that_follow() -> None:
    youtube = Youtube(outcome=lambda _bucket, number: Outcome.FAILED if number else ANSWERED)
    with requesting(windows(4, 200), youtube.fetch, connections=1) as requests:
        for _ in range(4):
            window(requests)
    assert youtube.about(1) + youtube.about(2) + youtube.about(3) == [Bucket.STATS] * MAX_FAILURES


@pytest.mark.parametrize("bucket", Bucket)
def test_a_refusal_in_one_window_ends_all_requests(bucket: Bucket) -> None:
    videos = windows(3, 50)
    youtube = Youtube(
        [one[0] for one in videos],
        lambda asked, number: Outcome.REFUSED if (asked, number) == (bucket, 1) else ANSWERED,
    )
    with requesting(videos, youtube.fetch, connections=1) as requests:
        for _ in range(3):
            window(requests)
    assert youtube.asked.count((bucket, 1)) == 1
    assert youtube.asked[-1] == (bucket, 1)


def test_what_a_fetch_raises_in_the_second_window_is_raised_where_it_is_awaited() -> None:
    def fetch(bucket: Bucket, videos: Sequence[VideoId]) -> Answer:
        if window_of(videos):
            raise LookupError
        return Youtube().fetch(bucket, videos)

    def fail() -> None:
        with requesting(windows(3, 200), fetch) as requests:
            window(requests)  # one of the next window may have failed already
            window(requests)

    with pytest.raises(LookupError):
        fail()
    assert not any(thread.name.startswith("youtube_") for thread in threading.enumerate())


def test_an_error_of_the_caller_ends_the_deadline_so_that_no_request_goes_on() -> None:
    deadline, asked = Deadline(), list[int]()

    def fetch(bucket: Bucket, videos: Sequence[VideoId]) -> Answer:
        asked.append(window_of(videos))
        until(lambda: not deadline.left())
        return Answer(bucket, tuple(videos), Outcome.STOPPED, AT, {})

    def fail() -> None:
        with requesting(windows(3, 500), fetch, deadline=deadline):
            until(lambda: len(asked) == 4)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert asked == [0] * 4


def test_a_caller_that_leaves_early_gets_what_is_running_and_nothing_is_sent_any_more() -> None:
    youtube = Youtube(waits=True)
    with requesting(windows(3, 500), youtube.fetch) as requests:
        until(lambda: len(youtube.running) == 4)
        threading.Timer(0.1, youtube.let_go, (Bucket.STATS, 0)).start()
    assert len(youtube.asked) == 4
    assert sum(requests.take(0) is not None for _ in range(9)) == 4


def test_after_cancelling_all_windows_are_complete_at_once_and_nothing_is_sent() -> None:
    youtube, cancelled = Youtube(), threading.Event()
    with requesting(windows(4, 100), youtube.fetch, deadline=Deadline(cancelled=cancelled.is_set)) as requests:
        window(requests)
        until(lambda: len(youtube.asked) == 4)
        cancelled.set()
        assert sum(len(window(requests)) for _ in range(3)) <= 4
    assert len(youtube.asked) == 4


def test_the_time_that_the_caller_takes_is_not_taken_from_the_requests() -> None:
    now = [0.0]
    deadline = Deadline(10, timer=lambda: now[0])
    youtube = Youtube()
    with requesting(windows(4, 50), youtube.fetch, deadline=deadline) as requests:
        for number in range(4):
            until(lambda now=number: len(youtube.asked) == min(now + 1, 4))  # type: ignore[misc] # of now
            window(requests)
            until(lambda now=number: len(youtube.asked) == min(now + 2, 4))  # type: ignore[misc] # of now
            if number < 2:
                until(lambda: deadline._paused == 10)
                now[0] += 60
                assert deadline.left() == 10
    assert len(youtube.asked) == 4


@examples(60)
@given(st.lists(st.integers(0, 170), max_size=5), st.integers(1, 5), st.randoms(use_true_random=False))
def test_each_video_is_requested_at_most_once_a_method_in_its_window_and_never_two_windows_ahead(
    sizes: Sequence[int], connections: int, rng: Random
) -> None:
    videos = [[VideoId(f"{number:05d}{place:05d}A") for place in range(size)] for number, size in enumerate(sizes)]
    endings = rng.choices(list(Outcome), weights=[20, 1, 1, 1, 1, 2, 1], k=50)
    absent = [video for one in videos for video in rng.sample(one, len(one) // 5)]
    asked, waiting, lock = list[tuple[Bucket, Sequence[VideoId]]](), [0], threading.Lock()

    def fetch(bucket: Bucket, batch: Sequence[VideoId]) -> Answer:
        with lock:
            assert window_of(batch) <= waiting[0]
            outcome = endings[len(asked) % 50]
            asked.append((bucket, batch))
        known = [video for video in batch if video not in absent] if outcome is ANSWERED else []
        return Answer(bucket, tuple(batch), outcome, AT, {video: {} for video in known})

    arrivals: list[Arrival] = []
    with requesting(videos, fetch, connections) as requests:
        for number in range(len(videos)):
            waiting[0] = number + 1
            arrivals += window(requests)
            assert all(arrival.window <= number + 1 for arrival in arrivals)
    answers = [answer for _, answer, _ in arrivals if answer]
    assert len(answers) == len(asked)
    for bucket in Bucket:
        last_words = [one for one in answers if one.bucket is bucket and not is_halved(one)]
        named = [video for one in last_words for video in one.videos]
        assert len(named) == len(set(named))
    if all(one.outcome is ANSWERED for one in answers):
        assert {video for one in answers for video in one.statistics} == {video for one in videos for video in one} - {
            *absent
        }


def is_halved(answer: Answer) -> bool:
    return answer.outcome is Outcome.REJECTED and len(answer.videos) > 1


def test_end_to_end_windows_use_both_buckets_and_every_count_is_youtubes_own() -> None:
    videos = windows(4, 230)
    gone = [video for one in videos for video in one[::60]]
    world = World(seed=3, videos={video: Video(VideoState.PRIVATE) for video in gone})
    with (
        Simulator(world) as simulator,
        client_with_units(simulator, stats=12) as (client, units),
        requesting(videos, client.fetch, connections=3) as requests,
    ):
        answers = [answer for _ in videos for _, answer, _ in window(requests) if answer]
        assert {bucket: simulator.units[bucket.value] for bucket in Bucket} == units
        told = {video: dict(counts) for answer in answers for video, counts in answer.statistics.items()}
        assert told == {
            video: world.statistics(video, simulator.clock.now())
            for one in videos
            for video in one
            if video not in gone
        }


def test_checks_follow_the_counts_of_the_first_window_and_not_its_absent_videos() -> None:
    videos, due = windows(2, 120), windows(3, 70)[2]
    youtube, checks = Youtube([videos[0][0]]), Youtube()
    with requesting(videos, youtube.fetch, 1, checks=Checks(due, checks.fetch)) as requests:
        first, second = window(requests), window(requests)
    assert [(turn, answer and len(answer.videos)) for _, answer, turn in first[:6]] == [
        *[(Turn.STATS, 50), (Turn.STATS, 50), (Turn.STATS, 20)],
        *[(Turn.GENERAL, 1), (Turn.CHECKS, 50), (Turn.CHECKS, 20)],
    ]
    assert {turn for _, _, turn in second} <= {Turn.STATS}
    assert checks.about(2) == [Bucket.GENERAL] * 2


def test_a_method_that_fails_or_is_spent_with_the_counts_is_not_asked_for_checks() -> None:
    videos, due = windows(1, 120), windows(2, 70)[1]
    for outcome in (Outcome.SPENT, Outcome.UNAVAILABLE, Outcome.REFUSED):
        youtube = Youtube(
            [videos[0][0]],
            lambda bucket, _, now=outcome: now if bucket is Bucket.GENERAL else ANSWERED,  # type: ignore[misc]
        )
        checks = Youtube()
        with requesting(videos, youtube.fetch, checks=Checks(due, checks.fetch)) as requests:
            window(requests)
        assert checks.asked == [], outcome


def test_checks_fail_until_the_breaker_opens_which_ends_the_confirmations_of_later_windows_too() -> None:
    videos, due = windows(2, 120), windows(3, 500)[2]
    youtube, checks = Youtube([videos[1][0]]), Youtube(outcome=lambda _bucket, _window: Outcome.FAILED)
    with requesting(videos, youtube.fetch, 1, checks=Checks(due, checks.fetch)) as requests:
        arrivals = [*window(requests), *window(requests)]
    assert len(checks.asked) == MAX_FAILURES
    assert youtube.about(1) == [Bucket.STATS] * 3
    assert sum(answer is not None for _, answer, _ in arrivals) == 3 + MAX_FAILURES + 3


def test_a_video_that_makes_a_request_for_checks_invalid_is_found_by_halving() -> None:
    videos, due, asked = windows(1, 50), windows(2, 50)[1], list[Sequence[VideoId]]()

    def check(bucket: Bucket, batch: Sequence[VideoId]) -> Answer:
        asked.append(batch)
        outcome = Outcome.REJECTED if due[7] in batch else ANSWERED
        return Answer(bucket, tuple(batch), outcome, AT, {})

    with requesting(videos, Youtube().fetch, 1, checks=Checks(due, check)) as requests:
        answers = [answer for _, answer, turn in window(requests) if answer and turn is Turn.CHECKS]
    assert [answer.videos for answer in answers if answer.outcome is Outcome.REJECTED and len(answer.videos) == 1] == [
        (due[7],)
    ]
    assert {video for answer in answers if answer.outcome is ANSWERED for video in answer.videos} == {*due} - {due[7]}
