"""What `videos.list` says about playing, read from a body as strictly as counts are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from random import Random

import pytest

from syncer.decide.availability import Availability, PlayState
from syncer.model import Bucket, ProblemKind, VideoId
from syncer.simulator.playing import Playing
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, VideoState, World
from syncer.youtube.answer import Outcome
from syncer.youtube.body import CheckedBody, ForeignBody
from syncer.youtube.client import Client, Retry, Terms
from syncer.youtube.item_body import about_playing, check_items

A, B, C = VideoId("q3mB7nTz-1k"), VideoId("Zf_0aLwQe9U"), VideoId("Hh8-kVd2sRo")
NOON = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
KIND = "youtube#videoListResponse"


def item(video: str, **status: object) -> dict[str, object]:
    said = {"privacyStatus": "public", "uploadStatus": "processed", "embeddable": True, **status}
    always = {"contentDetails": {"definition": "hd"}, "snippet": {"liveBroadcastContent": "none"}}
    return {"id": video, "status": said, **always}


def body(*items: object, kind: str = KIND) -> bytes:
    return json.dumps({"kind": kind, "items": items}).encode()


def read(content: bytes) -> CheckedBody | ForeignBody:
    return check_items((), content, Bucket.GENERAL, [A, B])


def test_each_requested_video_that_was_returned_is_there_and_others_are_counted() -> None:
    checked = read(body(item(A), item(C), "x", {"id": 3}))
    assert checked == CheckedBody({}, (), 3, {A: Availability(PlayState.PUBLIC)})
    assert read(body()) == CheckedBody({})
    assert read(json.dumps({"kind": KIND}).encode()) == CheckedBody({})


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", body(item(C)), body(item(A), kind="youtube#batchGetStatsResponse"), body(item(A))[:-9]],
)
def test_a_body_that_is_not_about_the_videos_is_foreign(content: bytes) -> None:
    assert isinstance(read(content), ForeignBody)


def test_a_value_of_an_unknown_form_is_a_problem_and_says_nothing() -> None:
    checked = read(body(item(A, embeddable="no")))
    assert isinstance(checked, CheckedBody)
    assert checked.availability == {A: Availability(None)}
    assert [(problem.kind, problem.subject) for problem in checked.problems] == [(ProblemKind.BAD_ANSWER, A)]
    assert "embeddable" in checked.problems[0].message


def test_a_video_that_is_returned_twice_and_differs_says_nothing() -> None:
    same = read(body(item(A), item(A)))
    assert same == CheckedBody({}, (), 0, {A: Availability(PlayState.PUBLIC)})
    checked = read(body(item(A), item(A, embeddable=False), item(B)))
    assert isinstance(checked, CheckedBody)
    assert checked.availability == {A: Availability(None), B: Availability(PlayState.PUBLIC)}
    assert [problem.subject for problem in checked.problems] == [A]


def test_one_request_of_the_client_says_it_of_all_videos_for_one_unit() -> None:
    blocked = Playing(blocked=("DE",), made_for_kids=True)
    world = World(videos={A: Video(playing=blocked), B: Video(VideoState.UNLISTED), C: Video(VideoState.PRIVATE)})
    spent: list[Bucket] = []

    def spend(bucket: Bucket) -> bool:
        spent.append(bucket)
        return True

    with Simulator(world) as youtube:
        terms = Terms(
            endpoint=youtube.url,
            key="any",
            spend=spend,
            clock=lambda: NOON,
            sleep=lambda _seconds: None,
            timeout=5,
            retry=Retry(attempts=1),
            rng=Random(1),
        )
        with Client(terms) as client:
            answer = client.fetch(Bucket.GENERAL, [A, B, C], about_playing(["DE"]))
    assert answer.outcome is Outcome.ANSWERED
    assert answer.problems == ()
    assert answer.availability == {
        A: Availability(PlayState.BLOCKED, made_for_kids=True, blocked_in="DE"),
        B: Availability(PlayState.UNLISTED, made_for_kids=False),
    }
    assert answer.statistics == {}
    assert spent == [Bucket.GENERAL]
