"""The check of a response: no number passes that YouTube did not return."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model import Bucket, Count, ProblemKind, VideoId
from syncer.youtube.body import CheckedBody, ForeignBody, check_body
from tests.examples import examples

A, B, C = (VideoId(name * 11) for name in "ABC")
KINDS = {Bucket.STATS: "youtube#batchGetStatsResponse", Bucket.GENERAL: "youtube#videoListResponse"}


def document(*items: object, bucket: Bucket = Bucket.STATS, **more: object) -> bytes:
    return json.dumps({"kind": KINDS[bucket], "items": items, **more}).encode()


def item(video: str, **statistics: object) -> dict[str, object]:
    return {"id": video, "statistics": statistics}


def good(body: bytes, bucket: Bucket = Bucket.STATS) -> CheckedBody:
    checked = check_body(body, bucket, [A, B, C])
    assert isinstance(checked, CheckedBody)
    return checked


@pytest.mark.parametrize("bucket", Bucket)
def test_counts_are_matched_by_id_whatever_the_order(bucket: Bucket) -> None:
    body = document(item(B, viewCount="7"), item(A, viewCount="31250", likeCount="0"), bucket=bucket, etag="x")
    checked = good(body, bucket)
    assert checked.statistics == {A: {Count.VIEWS: 31250, Count.LIKES: 0}, B: {Count.VIEWS: 7}}
    assert checked.problems == ()


def test_a_video_without_statistics_was_returned_without_counts() -> None:
    assert good(document({"id": A}, item(B))).statistics == {A: {}, B: {}}


def test_none_of_them_is_an_answer_too() -> None:
    assert good(document()).statistics == {}


@pytest.mark.parametrize("text", ["0", "00", "9223372036854775807", "1000000000000000000"])
def test_a_count_is_ascii_digits_up_to_int64(text: str) -> None:
    assert good(document(item(A, viewCount=text))).statistics == {A: {Count.VIEWS: int(text)}}


@pytest.mark.parametrize(
    "value",
    ["", " 1", "1 ", "1\n", "+1", "-1", "1.0", "1e3", "1_000", "1,000", "0x1F", "١٢٣", "²", "12k",
     "9223372036854775808", "0" * 20, "9" * 5000, 12, 0, True, 1.5, None, [], ["1"], {"value": "1"}],
)  # fmt: skip
def test_anything_else_is_left_out_with_a_problem(value: object) -> None:
    checked = good(document(item(A, viewCount=value, likeCount="5")))
    assert checked.statistics == {A: {Count.LIKES: 5}}
    (problem,) = checked.problems
    assert (problem.kind, problem.subject) == (ProblemKind.BAD_ANSWER, A)
    assert "viewCount" in problem.message
    assert len(problem.message) < 120


@pytest.mark.parametrize("statistics", [None, [], "12", 12, [{"viewCount": "1"}]])
def test_statistics_in_no_known_form_are_ignored_with_a_problem(statistics: object) -> None:
    checked = good(document({"id": A, "statistics": statistics}))
    assert checked.statistics == {A: {}}
    assert [problem.subject for problem in checked.problems] == [A]


@pytest.mark.parametrize("stranger", [item("Z" * 11, viewCount="1"), {}, None, "A", [A], {"id": [A]}, {"id": "\ud800"}])
def test_an_item_that_was_not_requested_is_ignored_and_counted(stranger: object) -> None:
    checked = good(document(item(A, viewCount="7"), stranger, stranger))
    assert checked == CheckedBody({A: {Count.VIEWS: 7}}, (), unrequested=2)


@pytest.mark.parametrize(
    "flood",
    [
        [item(A, viewCount=str(number)) for number in range(5000)],
        [item(A, viewCount=f"{number}x", likeCount="many") for number in range(5000)],
        [{"id": A, "statistics": number} for number in range(5000)],
        [{"id": str(number)} for number in range(5000)],
    ],
    ids=["differing", "no counts", "no statistics", "unrequested"],
)
def test_no_flood_of_items_makes_more_than_a_few_problems_a_video(flood: list[object]) -> None:
    checked = good(document(item(B, viewCount="7"), *flood))
    assert checked.statistics[B] == {Count.VIEWS: 7}
    assert not checked.statistics.get(A)
    assert len(checked.problems) <= 4


@pytest.mark.parametrize("bucket", Bucket)
def test_the_right_kind_without_items_means_that_no_video_was_found(bucket: Bucket) -> None:
    body = json.dumps({"kind": KINDS[bucket], "etag": "RuuX", "summary": {"failedVideoCount": 3}}).encode()
    assert good(body, bucket) == CheckedBody({})


def test_a_video_twice_is_accepted_if_both_have_the_same_counts() -> None:
    checked = good(document(item(A, viewCount="7"), item(A, viewCount="7")))
    assert (checked.statistics, checked.problems) == ({A: {Count.VIEWS: 7}}, ())


def test_a_video_twice_is_ignored_if_the_counts_differ() -> None:
    checked = good(document(item(A, viewCount="7"), item(B, viewCount="1"), item(A, viewCount="8")))
    assert checked.statistics == {A: {}, B: {Count.VIEWS: 1}}
    assert [problem.subject for problem in checked.problems] == [A]


@pytest.mark.parametrize("bucket", Bucket)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!DOCTYPE html><html>Log in to the network</html>",
        b"null",
        b"[]",
        b"[" * 100_000,
        b"1" * 5000,
        b"\xff\xfe",
        document(item(A, viewCount="1"))[:-5],
        b'{"items": []}',
        b'{"kind": ["youtube#batchGetStatsResponse"], "items": []}',
        b'{"kind": "youtube#channelListResponse", "items": []}',
        b'{"kind": "youtube#searchListResponse"}',
        b'{"etag": "RuuX"}',
        b'{"kind": "youtube#batchGetStatsResponse", "items": {}}',
        b'{"kind": "youtube#batchGetStatsResponse", "items": null}',
        b'{"a":' * 100_000,
        b'{"kind": "youtube#batchGetStatsResponse", "items": [], "n": ' + b"1" * 5000 + b"}",
        b'{"kind": "youtube#batchGetStatsResponse", "items": [], "n": NaN}',
        b'{"kind": "youtube#batchGetStatsResponse", "items": [], "n": -Infinity}',
        b'{"kind": "youtube#batchGetStatsResponse", "items": [], "items": []}',
        document(item(A, viewCount="1")).replace(b'"1"', b'"1", "viewCount": "2"'),
        document(item(A, viewCount="1")).replace(b'"id"', b'"id": "BBBBBBBBBBB", "id"'),
        b"\xef\xbb\xbf" + document(item(A, viewCount="1")),
        document(item(A, viewCount="1")) + b"\0",
        b'{"kind": "youtube#videoListResponse", "items": null}',
        document(item("Z" * 11, viewCount="1")),
        document(item("Z" * 11, viewCount="1"), bucket=Bucket.GENERAL),
        b'{"error": {"code": 500}}',
    ],
)  # fmt: skip
def test_a_body_that_is_not_the_response_to_this_request_is_foreign(body: bytes, bucket: Bucket) -> None:
    assert isinstance(check_body(body, bucket, [A, B]), ForeignBody)


def test_the_answer_of_one_method_is_foreign_to_the_other() -> None:
    assert isinstance(check_body(document(item(A, viewCount="1")), Bucket.GENERAL, [A]), ForeignBody)
    assert isinstance(
        check_body(document(item(A, viewCount="1"), bucket=Bucket.GENERAL), Bucket.STATS, [A]), ForeignBody
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([A, B, "12", "007", "٣"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from([*Count, "id"]), inner),
    max_leaves=12,
)
STATISTICS = st.dictionaries(st.sampled_from([*Count]), JSON)
ITEMS = st.fixed_dictionaries({}, optional={"id": st.sampled_from([A, B, "?"]) | JSON, "statistics": JSON | STATISTICS})


@examples(200)
@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_checked_without_a_crash(body: bytes) -> None:
    assert isinstance(check_body(body, Bucket.STATS, [A]), CheckedBody | ForeignBody)


@examples(300)
@given(st.lists(ITEMS | JSON, max_size=5), st.sampled_from(Bucket))
def test_no_number_comes_out_that_was_not_given_for_that_video(items: list[Any], bucket: Bucket) -> None:
    checked = check_body(document(*items, bucket=bucket), bucket, [A, B])
    if isinstance(checked, ForeignBody):
        return
    for video, counts in checked.statistics.items():
        mine = [i for i in items if isinstance(i, dict) and i.get("id") == video]
        assert mine
        for count, number in counts.items():
            given = [i["statistics"][count] for i in mine]
            assert all(isinstance(text, str) and text.isascii() and int(text) == number for text in given)
    assert all(problem.message.isprintable() for problem in checked.problems)


BODIES = os.environ.get("SYNCER_BODIES")


def recorded() -> list[Path]:
    files = Path(BODIES or os.devnull, "responses").rglob("*.json")
    return sorted(file for file in files if not file.name.endswith(".headers.json"))


@pytest.mark.skipif(not BODIES, reason="SYNCER_BODIES names no directory of recorded answers")
def test_there_are_recorded_answers() -> None:
    assert len(recorded()) > 35


@pytest.mark.parametrize("file", recorded(), ids=lambda file: file.stem)
def test_of_a_recorded_response_every_count_is_read_as_it_is(file: Path) -> None:
    body = file.read_bytes()
    recording = json.loads(body)
    kind = recording.get("kind", "?") if isinstance(recording, dict) else "?"
    if kind not in KINDS.values():
        assert all(isinstance(check_body(body, bucket, [A]), ForeignBody) for bucket in Bucket)
        return
    bucket = next(bucket for bucket in Bucket if KINDS[bucket] == kind)
    given = {item["id"]: item.get("statistics", {}) for item in recording["items"]}
    stand = {video: {name: counts[name] for name in Count if name in counts} for video, counts in given.items()}
    checked = check_body(body, bucket, list(stand))
    assert isinstance(checked, CheckedBody)
    told = {
        video: {count: str(number) for count, number in counts.items()} for video, counts in checked.statistics.items()
    }
    assert (told, checked.problems) == (stand, ())
