"""The simulator's answers over HTTP: the two methods, keys, parameters, quota, and their form."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from syncer.simulator.assumptions import Assumptions
from syncer.simulator.playing import Playing
from syncer.simulator.server import Simulator
from syncer.simulator.units import pacific_day
from syncer.simulator.world import Video, VideoState, World
from tests.asking import KEY, LIST, STATS, Answer, ask

ID, OTHER, GONE = "q3mB7nTz-1k", "Zf_0aLwQe9U", "Hh8-kVd2sRo"
WORLD = World(videos={GONE: Video(VideoState.DELETED)})
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(WORLD) as running:
        yield running


def _ids(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [item["id"] for item in answer.document["items"]]


def _many(count: int) -> str:
    return ",".join(f"{n:010d}A" for n in range(count))


# the two methods


def test_list_answers_in_youtubes_form(simulator: Simulator) -> None:
    statistics = WORLD.statistics(ID, simulator.clock.now())
    assert statistics is not None
    answer = ask(simulator, LIST, part="statistics", id=ID)
    etag, item_etag = answer.document["etag"], answer.document["items"][0]["etag"]
    assert answer.status == 200
    assert (
        answer.body.decode()
        == f"""{{
  "kind": "youtube#videoListResponse",
  "etag": "{etag}",
  "items": [
    {{
      "kind": "youtube#video",
      "etag": "{item_etag}",
      "id": "{ID}",
      "statistics": {{
        "viewCount": "{statistics["viewCount"]}",
        "likeCount": "{statistics["likeCount"]}",
        "favoriteCount": "0",
        "commentCount": "{statistics["commentCount"]}"
      }}
    }}
  ],
  "pageInfo": {{
    "totalResults": 1,
    "resultsPerPage": 1
  }}
}}
"""
    )


def test_batch_answers_without_page_or_favourites(simulator: Simulator) -> None:
    statistics = WORLD.statistics(ID, simulator.clock.now())
    assert statistics is not None
    document = ask(simulator, STATS, part="statistics", id=f"{ID},{GONE}").document
    assert list(document) == ["kind", "etag", "items"]
    assert document["kind"] == "youtube#batchGetStatsResponse"
    assert document["items"] == [
        {
            "kind": "youtube#videoStats",
            "etag": document["items"][0]["etag"],
            "id": ID,
            "statistics": {name: str(count) for name, count in statistics.items()},
        }
    ]


@pytest.mark.parametrize("path", [LIST, STATS])
def test_every_count_is_the_worlds_at_the_clocks_time(simulator: Simulator, path: str) -> None:
    simulator.clock.advance(timedelta(days=40, seconds=1))
    for item in ask(simulator, path, part="statistics", id=_many(50)).document["items"]:
        counts = {name: int(count) for name, count in item["statistics"].items() if name != "favoriteCount"}
        assert counts == WORLD.statistics(item["id"], simulator.clock.now())


def test_the_two_methods_write_dates_and_lengths_in_their_own_ways(simulator: Simulator) -> None:
    parts = "snippet,contentDetails"
    video = ask(simulator, LIST, part=parts, id=ID).document["items"][0]
    stats = ask(simulator, STATS, part=parts, id=ID).document["items"][0]
    assert video["snippet"]["publishedAt"] == stats["snippet"]["publishTime"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stats["snippet"]["publishTime"])
    assert re.fullmatch(r"PT(\d+H)?(\d+M)?(\d+S)?", video["contentDetails"]["duration"])
    assert re.fullmatch(r"\d+s", stats["contentDetails"]["duration"])


@pytest.mark.parametrize("path", [LIST, STATS])
def test_absent_videos_are_left_out_of_a_good_answer(simulator: Simulator, path: str) -> None:
    assert _ids(ask(simulator, path, part="id", id=f"{GONE},{ID},adsf,jeqH4eMGjhY123")) == [ID]
    assert _ids(ask(simulator, path, part="id", id=GONE)) == []


def test_page_info_counts_what_was_returned(simulator: Simulator) -> None:
    page = ask(simulator, LIST, part="id", id=f"{GONE},{ID},{OTHER}").document["pageInfo"]
    assert page == {"totalResults": 2, "resultsPerPage": 2}


@pytest.mark.parametrize("path", [LIST, STATS])
@pytest.mark.parametrize(
    ("state", "statistics"),
    [
        (VideoState.LIKES_HIDDEN, {"viewCount", "commentCount"}),
        (VideoState.COUNTS_HIDDEN, set[str]()),
        (VideoState.NO_STATISTICS, None),
        (VideoState.LIVE, {"viewCount", "likeCount", "commentCount"}),
        (VideoState.PREMIERE, {"viewCount", "likeCount", "commentCount"}),
    ],
)
def test_states_of_a_video_show_in_its_item(path: str, state: VideoState, statistics: set[str] | None) -> None:
    with Simulator(World(videos={ID: Video(state)})) as simulator:
        item = ask(simulator, path, part="statistics", id=ID).document["items"][0]
    assert ("statistics" in item) == (statistics is not None)
    assert set(item.get("statistics", {})) - {"favoriteCount"} == (statistics or set())


@pytest.mark.parametrize(
    ("state", "broadcast", "details", "duration"),
    [
        (VideoState.PUBLIC, "none", None, None),
        (VideoState.LIVE, "live", {"actualStartTime", "concurrentViewers"}, "P0D"),
        (VideoState.PREMIERE, "upcoming", {"scheduledStartTime"}, None),
    ],
)
def test_live_videos_and_premieres_say_so(
    state: VideoState, broadcast: str, details: set[str] | None, duration: str | None
) -> None:
    world = World(videos={ID: Video(state)})
    with Simulator(world) as simulator:
        answer = ask(simulator, LIST, part="snippet,contentDetails,liveStreamingDetails", id=ID)
    item = answer.document["items"][0]
    assert item["snippet"]["liveBroadcastContent"] == broadcast
    streaming = item.get("liveStreamingDetails", {})
    assert set(streaming) == (details or set())
    assert streaming.get("scheduledStartTime", "9") > world.start.isoformat(), "it has not begun"
    assert duration is None or item["contentDetails"]["duration"] == duration


def test_an_item_says_who_can_play_the_video() -> None:
    playing = Playing(embeddable=False, age_restricted=True, made_for_kids=True, blocked=("DE", "CH"))
    silent = Playing(embeddable=None, made_for_kids=None, allowed=(), without=("snippet",))
    world = World(videos={ID: Video(VideoState.UNLISTED, playing=playing), OTHER: Video(playing=silent)})
    with Simulator(world) as simulator:
        parts = "snippet,status,contentDetails,liveStreamingDetails"
        first, second = ask(simulator, LIST, part=parts, id=f"{ID},{OTHER}").document["items"]
    said = {name: first["status"].get(name) for name in ("privacyStatus", "embeddable", "madeForKids")}
    assert said == {"privacyStatus": "unlisted", "embeddable": False, "madeForKids": True}
    assert first["contentDetails"]["contentRating"] == {"ytRating": "ytAgeRestricted"}
    assert first["contentDetails"]["regionRestriction"] == {"blocked": ["DE", "CH"]}
    assert second["contentDetails"]["regionRestriction"] == {"allowed": []}
    assert second["status"].keys().isdisjoint({"embeddable", "madeForKids"})
    assert {"snippet", "liveStreamingDetails"}.isdisjoint(second)


def test_the_world_can_be_exchanged_while_it_runs(simulator: Simulator) -> None:
    simulator.world = World(videos={ID: Video(VideoState.PRIVATE)})
    assert _ids(ask(simulator, part="id", id=f"{ID},{GONE}")) == [GONE]


# parameters


@pytest.mark.parametrize("path", [LIST, STATS])
def test_ids_and_parts_can_be_repeated_or_separated_by_commas(simulator: Simulator, path: str) -> None:
    repeated = f"{path}?part=snippet&part=statistics&id={ID}&id={OTHER}"
    listed = f"{path}?part=snippet%2C%0D%0A%20statistics&id={ID}%2C{OTHER}"  # white space is taken, as recorded in 2016
    assert ask(simulator, repeated).body == ask(simulator, listed).body
    assert _ids(ask(simulator, repeated)) == [ID, OTHER]


@pytest.mark.parametrize("path", [LIST, STATS])
def test_a_post_that_replaces_a_get_has_the_parameters_in_its_body(simulator: Simulator, path: str) -> None:
    form = urlencode({"part": "statistics", "id": _many(50)}).encode()
    headers = {**KEY, "x-http-method-override": "GET", "content-type": FORM}
    posted = ask(simulator, path, headers, "POST", form)
    assert posted.body == ask(simulator, path, part="statistics", id=_many(50)).body


@pytest.mark.parametrize("path", [LIST, STATS])
def test_more_than_fifty_ids_are_refused(simulator: Simulator, path: str) -> None:
    assert len(_ids(ask(simulator, path, part="id", id=_many(50)))) == 50
    answer = ask(simulator, path, part="id", id=_many(51))
    assert (answer.status, answer.reason) == (400, "invalidFilters" if path == LIST else "badRequest")


@pytest.mark.parametrize("path", [LIST, STATS])
@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("part=id", "missingRequiredParameter"),
        ("part=id&id=", "missingRequiredParameter"),
        ("part=id&id=%2C", "missingRequiredParameter"),
        (f"id={ID}", "required"),
        (f"part=&id={ID}", "required"),
        (f"part=statistic&id={ID}", "unknownPart"),
        (f"part=id&id={ID}&fields=items(", "invalidParameter"),
        (f"part=id&id={ID}&fields=item", "invalidParameter"),
    ],
)
def test_wrong_parameters_are_a_400_with_a_reason(simulator: Simulator, path: str, query: str, reason: str) -> None:
    answer = ask(simulator, f"{path}?{query}")
    assert (answer.status, answer.reason) == (400, reason)
    assert answer.document["error"]["code"] == 400


def test_a_part_of_the_other_method_alone_is_unknown(simulator: Simulator) -> None:
    assert ask(simulator, LIST, part="status", id=ID).status == 200
    assert ask(simulator, STATS, part="status", id=ID).reason == "unknownPart"


@pytest.mark.parametrize(
    ("fields", "document"),
    [
        ("items/id", {"items": [{"id": ID}]}),
        ("kind,items(id,etag)", {"kind": "youtube#batchGetStatsResponse", "items": [{"etag": ..., "id": ID}]}),
        ("items(snippet/publishTime)", {"items": [{}]}),
    ],
)
def test_fields_cut_the_answer_down(simulator: Simulator, fields: str, document: dict[str, object]) -> None:
    masked = ask(simulator, part="id", id=ID, fields=fields).document
    for item in masked["items"]:
        if "etag" in item:
            item["etag"] = ...
    assert masked == document


def test_fields_drop_the_kind_of_an_empty_answer(simulator: Simulator) -> None:
    body = ask(simulator, LIST, part="statistics", id=GONE, fields="items(id,statistics(viewCount,likeCount))").body
    assert body == b'{\n  "items": []\n}\n'


@pytest.mark.parametrize("value", ["false", "False", "0"])
def test_pretty_print_can_be_switched_off_for_answers_and_errors(simulator: Simulator, value: str) -> None:
    for query in (f"part=id&id={ID}", "part=id"):
        plain, pretty = (ask(simulator, f"{STATS}?{query}&prettyPrint={wanted}") for wanted in (value, "true"))
        assert plain.document == pretty.document
        assert b"\n" not in plain.body
        assert pretty.body.endswith(b"\n}\n")


def test_angle_brackets_are_escaped_and_other_marks_are_not() -> None:
    with Simulator(WORLD) as simulator:
        body = ask(simulator, part="<é&'=/>", id=ID).body.decode()
    assert "\\u003cé&'=/\\u003e" in body
    assert not {"<", ">"} & set(body)


# keys


@pytest.mark.parametrize("path", [LIST, STATS])
@pytest.mark.parametrize(
    ("headers", "query", "status", "message"),
    [
        ({}, "", 403, "unregistered callers"),
        ({}, "&key=", 403, "missing a valid API key"),
        ({"x-goog-api-key": ""}, "", 403, "missing a valid API key"),
        ({}, "&key=invalid", 400, "API key not valid"),
        ({"x-goog-api-key": "invalid"}, "", 400, "API key not valid"),
    ],
)
def test_a_bad_key_is_refused_and_costs_nothing(
    simulator: Simulator, path: str, headers: dict[str, str], query: str, status: int, message: str
) -> None:
    answer = ask(simulator, f"{path}?part=id&id={ID}{query}", headers)
    assert answer.status == answer.document["error"]["code"] == status
    assert message in answer.document["error"]["message"]
    assert simulator.requests == 1
    assert simulator.units == {"stats": 0, "general": 0}


@pytest.mark.parametrize(("headers", "query"), [(KEY, ""), ({}, "&key=a-key"), ({"X-Goog-Api-Key": "k"}, "")])
def test_any_other_key_is_taken_by_header_and_by_query(
    simulator: Simulator, headers: dict[str, str], query: str
) -> None:
    assert _ids(ask(simulator, f"{STATS}?part=id&id={ID}{query}", headers)) == [ID]


# quota


def test_each_method_takes_a_unit_from_its_own_bucket_also_for_a_wrong_request(simulator: Simulator) -> None:
    ask(simulator, STATS, part="id", id=_many(50))
    ask(simulator, STATS, part="id")
    ask(simulator, LIST, part="nonsense", id=ID)
    assert simulator.units == {"stats": 2, "general": 1}
    assert simulator.requests == 3


def test_a_spent_stats_bucket_is_a_429_that_lasts_until_midnight_pacific() -> None:
    with Simulator(WORLD, stats_units_per_day=1) as simulator:
        assert _ids(ask(simulator, STATS, part="id", id=ID)) == [ID]
        answer = ask(simulator, STATS, part="id", id=ID)
        assert (answer.status, answer.reason) == (429, "rateLimitExceeded")
        metadata = answer.document["error"]["details"][0]["metadata"]
        midnight = pacific_day(simulator.clock.now())
        assert metadata["window_start_time"] == str(int(midnight.timestamp()))
        assert (metadata["quota_unit"], metadata["quota_limit_value"]) == ("1/d/{project}", "1")
        assert _ids(ask(simulator, LIST, part="id", id=ID)) == [ID]
        assert simulator.units == {"stats": 1, "general": 1}
        simulator.clock.set(midnight + timedelta(hours=24))
        assert simulator.units == {"stats": 0, "general": 0}
        assert _ids(ask(simulator, STATS, part="id", id=ID)) == [ID]


def test_a_limit_of_zero_names_no_window() -> None:
    with Simulator(WORLD, stats_units_per_day=0) as simulator:
        metadata = ask(simulator, STATS, part="id", id=ID).document["error"]["details"][0]["metadata"]
    assert metadata["quota_limit_value"] == "0"
    assert "window_start_time" not in metadata


def test_a_spent_general_bucket_is_a_403_of_the_quota_domain() -> None:
    with Simulator(WORLD, general_units_per_day=0) as simulator:
        error = ask(simulator, LIST, part="id", id=ID).document["error"]
        assert _ids(ask(simulator, STATS, part="id", id=ID)) == [ID]
    assert error["code"] == 403
    assert (error["errors"][0]["domain"], error["errors"][0]["reason"]) == ("youtube.quota", "quotaExceeded")


def test_too_many_requests_in_a_minute_are_a_429_that_passes_and_takes_no_unit() -> None:
    with Simulator(WORLD, requests_per_minute=2) as simulator:
        answers = [ask(simulator, path, part="id", id=ID) for path in (STATS, LIST, STATS, LIST)]
        assert [answer.status for answer in answers] == [200, 200, 429, 429]
        assert answers[2].document["error"]["details"][0]["metadata"]["quota_unit"] == "1/min/{project}"
        assert simulator.units == {"stats": 1, "general": 1}
        simulator.clock.advance(timedelta(minutes=1))
        assert _ids(ask(simulator, STATS, part="id", id=ID)) == [ID]


# paths and the front end


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/youtube/v3/search", "/youtube/v3/videos/", "/youtube/v3videos"])
def test_any_other_path_is_an_html_404(simulator: Simulator, path: str, verb: str) -> None:
    answer = ask(simulator, f"{path}?part=id&id={ID}", verb=verb)
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    assert path.encode() in answer.body
    assert simulator.units == {"stats": 0, "general": 0}


@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE"])
def test_the_methods_that_write_do_not_exist(simulator: Simulator, verb: str) -> None:
    assert ask(simulator, LIST, verb=verb, part="id", id=ID).status == 404


def test_only_a_post_can_replace_a_get(simulator: Simulator) -> None:
    headers = {**KEY, "x-http-method-override": "GET"}
    assert [ask(simulator, LIST, headers, verb, part="id", id=ID).status for verb in ("POST", "PUT")] == [200, 404]


def test_a_404_page_shows_the_path_harmlessly(simulator: Simulator) -> None:
    assert b"&lt;script&gt;" in ask(simulator, "/%3Cscript%3E").body


def test_a_control_character_in_an_id_is_an_html_400(simulator: Simulator) -> None:
    answer = ask(simulator, f"{LIST}?part=id&id=ffff%08")
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"


# form


def test_answers_and_errors_carry_the_recorded_header_fields(simulator: Simulator) -> None:
    for query in (f"part=id&id={ID}", "part=id"):
        headers = ask(simulator, f"{STATS}?{query}").headers
        assert headers["Content-Type"] == "application/json; charset=UTF-8"
        assert headers.get_all("Vary") == ["Origin,Accept-Encoding", "Referer", "X-Origin"]
        assert headers["Transfer-Encoding"] == "chunked"
        assert headers["Date"] == "Sun, 22 Nov 2026 15:00:00 GMT"
        assert not {"ETag", "Content-Length", "Retry-After", "Connection"} & set(headers)


def test_date_is_the_clocks(simulator: Simulator) -> None:
    simulator.clock.advance(timedelta(days=1))
    assert ask(simulator, part="id", id=ID).headers["Date"] == "Mon, 23 Nov 2026 15:00:00 GMT"


@pytest.mark.parametrize(
    ("accepted", "agent", "zipped"),
    [
        ("gzip, deflate", "(gzip)", True),
        ("gzip", "a client (GZip)", True),
        ("gzip", "a client", False),
        ("identity", "(gzip)", False),
        (None, "(gzip)", False),
    ],
)
def test_gzip_wants_both_header_fields(simulator: Simulator, accepted: str | None, agent: str, zipped: bool) -> None:
    asked = {"User-Agent": agent, "Accept-Encoding": accepted or "", **KEY}
    answer = ask(simulator, headers=asked, part="id", id=_many(50))
    assert (answer.headers.get("Content-Encoding") == "gzip") == zipped
    plain = gzip.decompress(answer.raw) if zipped else answer.raw
    assert len(json.loads(plain)["items"]) == 50


def test_etags_have_27_characters_and_change_with_the_content(simulator: Simulator) -> None:
    first, again = (ask(simulator, part="statistics", id=ID).document for _ in range(2))
    simulator.clock.advance(timedelta(days=300))
    later = ask(simulator, part="statistics", id=ID).document
    assert first == again
    assert first["etag"] != later["etag"]
    assert first["items"][0]["etag"] != later["items"][0]["etag"]
    for document in (first, later):
        assert all(re.fullmatch("[0-9A-Za-z_-]{27}", tag) for tag in (document["etag"], document["items"][0]["etag"]))


def test_all_empty_answers_have_the_same_etag(simulator: Simulator) -> None:
    bodies = {ask(simulator, LIST, part=part, id=video).body for part, video in (("id", GONE), ("snippet", "adsf"))}
    assert len(bodies) == 1


# assumptions


def _assuming(assumptions: Assumptions, ids: str, fields: str = "") -> Answer:
    with Simulator(WORLD, assumptions=assumptions) as simulator:
        return ask(simulator, part="statistics", id=ids, fields=fields)


@pytest.mark.parametrize(("as_strings", "counts"), [(False, [3, 1, 2]), (True, ["3", "1", "2"])])
def test_a_summary_can_be_assumed(as_strings: bool, counts: list[object]) -> None:
    assumptions = Assumptions(summary=True, summary_counts_as_strings=as_strings)
    summary = _assuming(assumptions, f"{GONE},{ID},adsf,{ID}").document["summary"]
    assert list(summary.values()) == [*counts, [GONE, "adsf"]]
    names = ["requestedVideoCount", "succeededVideoCount", "failedVideoCount", "failedVideoIds"]
    assert list(summary) == names


def test_duplicates_can_be_assumed_to_be_returned_each() -> None:
    assert _ids(_assuming(Assumptions(), f"{ID},{OTHER},{ID}")) == [ID, OTHER]
    assert _ids(_assuming(Assumptions(duplicates_once=False), f"{ID},{OTHER},{ID}")) == [ID, OTHER, ID]


def test_another_order_can_be_assumed() -> None:
    usual = _ids(_assuming(Assumptions(), _many(50)))
    other = _ids(_assuming(Assumptions(in_request_order=False), _many(50)))
    assert usual == _many(50).split(",")
    assert other != usual
    assert sorted(other) == sorted(usual)


def test_more_than_fifty_ids_in_a_batch_can_be_assumed_to_be_returned() -> None:
    assert len(_ids(_assuming(Assumptions(batch_refuses_over_50=False), _many(51)))) == 51


def test_unknown_fields_can_be_assumed_to_select_nothing() -> None:
    answer = _assuming(Assumptions(unknown_fields_refused=False), ID, fields="item,items(id,title)")
    assert answer.document == {"items": [{"id": ID}]}
