"""The status page and the API over real HTTP: they return what is in the state, the diff log and the daemon."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from syncer.model import ProblemKind
from syncer.simulator.playing import Playing
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, VideoState, World
from syncer.status_page import reading
from syncer.status_page.markup import VOID
from syncer.status_page.problems import REMEDIES
from syncer.sync.options import Options
from syncer.wording import ago
from tests.doc_blocks import DOCS
from tests.site import Run, Site, crlf, ids, plain, toml
from tests.steered import Served, served
from tests.waiting import until

HOUR = timedelta(hours=1)


@pytest.fixture
def page(site: Site) -> Iterator[Served]:
    with served(site) as running:
        yield running


def synced(page: Served, *, accept: bool = False) -> str:
    """Triggers a sync, waits for its end, and returns its name."""
    ticket = page.post("/api/v1/triggers", json.dumps({"accept": accept}).encode()).document["trigger"]
    until(lambda: page.get(f"/api/v1/triggers/{ticket}").document["state"] == "done")
    return str(page.get(f"/api/v1/triggers/{ticket}").document["report"]["sync"])


@pytest.mark.parametrize("path", ["/", "/videos", "/problems", "/api/v1/status", "/api/v1/videos", "/metrics"])
def test_every_page_works_before_the_first_sync(page: Served, path: str) -> None:
    assert page.get(path).status == 200


def test_status_and_history_are_what_the_commands_print(site: Site, syncer: Run, page: Served) -> None:
    [video] = ids(1)
    site.put("content/a.md", crlf(video, 1, 2))
    synced(page)
    status = page.get("/api/v1/status").document
    printed = syncer("status", "--json").document
    assert status.pop("daemon")["running"] is False
    assert status["attention"] == []
    assert (printed.pop("daemon"), printed.pop("left_out")) == (None, []), "no daemon has named its socket"
    assert {**status, "next_sync": None, "syncs": status["syncs"][:5]} == {**printed, "next_sync": None}
    assert page.get(f"/api/v1/videos/{video}/history").document == syncer("history", video, "--json").document
    assert page.get("/api/v1/quota").document["quota"] == printed["quota"]
    assert page.get("/api/v1/syncs").document["syncs"] == printed["syncs"]


def test_one_sync_is_its_report_with_its_lines_of_the_log(site: Site, page: Served) -> None:
    for video in ids(3):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    site.sync(datetime.now(UTC) - HOUR)
    name = synced(page)
    document = page.get(f"/api/v1/syncs/{name}").document
    ours = [line for line in site.log_lines() if line["sync"] == name]
    assert document["changes"] == ours
    assert (document["sync"], document["exit"], document["retries"]) == (name, 0, 0)
    first = page.get("/api/v1/syncs").document["syncs"][-1]["sync"]
    before = [line for line in site.log_lines() if line["sync"] == first]
    assert len(before) == 6
    assert page.get(f"/api/v1/syncs/{first}?limit=2&offset=3").document["changes"] == before[3:5]
    for each in (first, name):
        assert each in page.get(f"/syncs/{each}").text
    assert [sync["sync"] for sync in page.get("/api/v1/syncs?limit=1&offset=1").document["syncs"]] == [first]


def test_an_undo_shows_the_counts_it_did_not_restore_and_those_it_suppresses(site: Site, page: Served) -> None:
    assert "Undone" not in page.get("/").text
    [video] = ids(1)
    site.put("content/a.md", crlf(video, "", 2))
    name = site.undo(site.sync().sync).sync
    document = page.get(f"/api/v1/syncs/{name}").document
    assert (document["left"], [line["why"] for line in document["changes"]]) == (1, ["undo"])
    assert "<dt>Not restored</dt><dd>1 value, changed since</dd>" in page.get(f"/syncs/{name}").text
    suppressed = "1 count, not written until YouTube returns a different number"
    assert f"<dt>Undone or dropped</dt><dd>{suppressed}</dd>" in page.get("/").text


def test_how_far_the_quota_goes_is_shown_once_the_videos_are_known(site: Site, page: Served) -> None:
    assert "Units a day" not in page.get("/").text
    for video in ids(60):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    synced(page)
    enough = "Every sync can request every video: that takes 8 units a day of 19,600."
    assert f"<dt>Units a day</dt><dd>{enough}</dd>" in page.get("/").text


def test_the_page_of_a_sync_lists_all_its_changes_in_parts(site: Site, page: Served) -> None:
    videos = ids(260)
    for video in videos:
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    name = synced(page)
    first = page.get(f"/syncs/{name}").text
    assert f'href="/syncs/{name}?offset=500">Next' in first
    second = page.get(f"/syncs/{name}?offset=500").text
    assert f'href="/syncs/{name}?offset=0">Previous' in second
    assert ">Next<" not in second
    shown = set(re.findall(r'/videos/([^"]{11})"', first + second))
    assert shown == set(videos)


def test_a_trigger_is_followed_by_its_ticket(site: Site, page: Served) -> None:
    [video] = ids(1)
    site.put("content/a.md", crlf(video, 1, 2))
    page.steered.go.clear()
    answer = page.post("/api/v1/triggers", b'{"accept": false}')
    assert (answer.status, answer.headers["location"]) == (202, "/api/v1/triggers/1")
    until(lambda: page.get("/api/v1/triggers/1").document["state"] == "running")
    running = page.get("/api/v1/triggers/1").document
    assert running["progress"] == {"stage": "ask", "done": 50, "of": 120}
    assert 'http-equiv="refresh"' in page.get("/triggers/1").text
    assert "Requesting counts from YouTube: 50 of 120." in page.get("/").text
    assert "Status: syncing" in page.get("/").text
    page.steered.go.set()
    until(lambda: page.get("/api/v1/triggers/1").document["state"] == "done")
    report = page.get("/api/v1/triggers/1").document["report"]
    assert report["changed_counts"] == 2
    done = page.get("/triggers/1")
    assert (done.status, done.headers["location"]) == (303, f"/syncs/{report['sync']}")


def test_a_trigger_whose_sync_could_not_run_says_why(site: Site, page: Served) -> None:
    (site.root / "content" / "lists").rmdir()
    page.post("/triggers")
    until(lambda: page.get("/api/v1/triggers/1").document["state"] == "done")
    assert "is not a directory" in page.get("/api/v1/triggers/1").document["error"]
    shown = page.get("/triggers/1")
    assert shown.status == 200
    assert "is not a directory" in shown.text
    assert 'http-equiv="refresh"' not in shown.text


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"accept": 1}', b'{"all": true}', b"\xff"])
def test_a_trigger_with_an_invalid_body_is_refused(page: Served, body: bytes) -> None:
    answer = page.post("/api/v1/triggers", body)
    assert (answer.status, answer.document["error"]["kind"]) == (400, "http")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/syncs/20261122T150003Z-9f2c", 404),
        ("/api/v1/syncs/x", 404),
        ("/api/v1/videos/jNQXAC9IVRw/history", 404),
        ("/api/v1/videos?state=odd", 400),
        *(
            (f"/api/v1/{listed}?{name}={number}", 400)
            for listed in ("videos", "syncs")
            for name, numbers in (("limit", ("0", "-1", "1001", "1_0", "%C2%B2", "")), ("offset", ("-1", "1_0", "x")))
            for number in numbers
        ),
        ("/api/v1/videos?search=" + "x" * 201, 400),
        ("/api/v1/triggers/1", 404),
        ("/api/v1/triggers/x", 400),
        ("/api/v1/nothing", 404),
    ],
)
def test_errors_of_the_api_are_json(page: Served, path: str, status: int) -> None:
    answer = page.get(path)
    assert answer.status == status
    assert answer.document["error"]["message"]


@pytest.mark.parametrize("path", ["/videos", "/api/v1/videos"])
def test_the_former_name_of_a_state_redirects_to_the_new_one(site: Site, path: str) -> None:
    with served(site) as page:
        answer = page.get(f"{path}?search=50%25&state=doubtful&offset=50")
        assert (answer.status, answer.headers["location"]) == (308, f"{path}?search=50%25&state=unconfirmed&offset=50")
        assert page.get(answer.headers["location"]).status == 200


def test_videos_are_found_by_their_id_their_page_and_their_state(site: Site) -> None:
    seen, gone, shy = ids(3)
    videos = {gone: Video(VideoState.DELETED), shy: Video(VideoState.LIKES_HIDDEN, {"viewCount": 7})}
    with Simulator(World(videos=videos)) as youtube:
        site = Site(site.root, youtube.url)
        site.configure()
        for name, video in (("100%.md", seen), ("1000.md", gone), ("shy.md", shy), ("again.md", seen)):
            site.put(f"content/{name}", plain(video, 1, 2))
        with served(site) as page:
            synced(page)

            def found(query: str) -> list[str]:
                document = page.get(f"/api/v1/videos?{query}").document
                assert document["total"] >= len(document["videos"])
                return [video["video_id"] for video in document["videos"]]

            assert found("") == sorted([seen, gone, shy])
            assert found("limit=1&offset=1") == sorted([seen, gone, shy])[1:2]
            assert found(f"search={shy[2:9].lower()}") == [shy]
            assert found("search=100%25") == [seen], "a percent sign is only a percent sign"
            assert found("search=AGAIN.MD") == [seen]
            assert found("state=missing") == [gone]
            assert found("state=hidden") == [shy]
            assert found("state=unconfirmed") == found("state=braked") == []
            video = page.get(f"/api/v1/videos?search={seen}").document["videos"][0]
            assert (video["pages"], video["path"]) == (2, "content/100%.md")
            assert "not returned since" in page.get("/videos?state=missing").text
            assert "has not returned this video since" in page.get(f"/videos/{gone}").text
            site.root.joinpath("content/again.md").unlink()
            synced(page)
            assert found("search=again.md") == []


def test_videos_that_do_not_play_are_listed_counted_and_said_with_what_is_known(site: Site) -> None:
    seen, blocked, grown = ids(3, seed=172)
    for number, video in enumerate((seen, blocked, grown)):
        site.put(f"content/{number}.md", plain(video, 1, 2))
    with Simulator(World(videos={blocked: Video(playing=Playing(blocked=("DE",), made_for_kids=True))})) as youtube:
        site = Site(site.root, youtube.url)
        site.configure(availability="every: 7d, regions: [DE]")
        with served(site) as page:
            synced(page)
            overview = page.get("/").text.partition('id="stopped"')[2]
            assert re.search(f"/videos/{blocked}.*blocked.*content/1.md", overview)
            assert seen not in overview
            listed = page.get("/api/v1/videos?state=not-playing").document
            assert [(video["video_id"], video["state"]) for video in listed["videos"]] == [(blocked, "blocked")]
            row = page.get("/videos?state=blocked").text
            assert re.search('data-label="state">blocked since .* \\(blocked in DE; made for kids\\)<', row)
            text = page.get(f"/videos/{blocked}").text
            assert "This video is blocked, and does not play on your site, since " in text
            assert "YouTube says: blocked in DE; made for kids." in text
            assert "The syncs need no attention. 1 video does not play." in page.get("/").text
            assert page.get("/api/v1/videos?state=unknown").document["videos"] == []
            assert "does not play" not in page.get(f"/videos/{seen}").text
            now = samples(page)
            states = {state: now[f'syncer_videos{{state="{state}"}}'] for state in ("not-playing", "blocked", "public")}
            assert states == {"not-playing": 1, "blocked": 1, "public": 2}
            assert now['syncer_videos{state="confirmed-missing"}'] == 0
            youtube.world = World()
            synced(page)
            assert 'id="stopped"' not in page.get("/").text


def test_what_the_brake_holds_of_playing_needs_attention_and_can_be_accepted(site: Site) -> None:
    videos = ids(6, seed=174)
    for number, video in enumerate(videos):
        site.put(f"content/{number}.md", plain(video, 1, 2))
    with Simulator(World()) as youtube:
        site = Site(site.root, youtube.url)
        site.configure(availability="every: 7d")
        with served(site) as page:
            synced(page)
            youtube.world = World(videos=dict.fromkeys(videos, Video(playing=Playing(embeddable=False))))
            assert site.sync(datetime.now(UTC), Options(everything=True)).exit == 1
            shown = page.get("/").text
            held = (
                "The safety brake holds what YouTube says about playing: 6 of 6 videos would stop playing (limit 50%)."
            )
            assert f"{held} If YouTube is right, accept what it holds. If not, wait: " in shown
            assert 'name="accept"' in shown


def test_every_page_of_a_missing_hidden_or_unconfirmed_video_is_named_with_its_title(site: Site) -> None:
    seen, lost, shy, odd = ids(4)
    for name, video in (("a.md", lost), ("b.md", lost), ("shy.md", shy), ("odd.md", odd), ("seen.md", seen)):
        title = "A <b>title</b>" if name == "b.md" else f"Title of {name}"
        page_of_video = f'---\ntitle: "{title}"\nvid_id: {video}\nviewcount: 5000\nlikeCount: 5000\n---\n'
        site.put(f"content/{name}", page_of_video.encode())
    videos = {
        lost: Video(VideoState.DELETED),
        shy: Video(VideoState.LIKES_HIDDEN, {"viewCount": 5000}),
        odd: Video(counts={"viewCount": 5000, "likeCount": 0}),
        seen: Video(counts={"viewCount": 5001, "likeCount": 5000}),
    }
    with Simulator(World(videos=videos)) as youtube:
        site = Site(site.root, youtube.url)
        site.configure()
        sync = site.sync().sync
        with served(site) as page:
            overview = page.get("/").text.partition('id="videos"')[2]
            for video, pages in ((lost, ("a.md", "b.md")), (shy, ("shy.md",)), (odd, ("odd.md",))):
                row = re.search(f"/videos/{video}.*?</tr>", overview)
                assert row, video
                assert re.findall(r"content/([a-z.]+)<", row[0]) == list(pages)
            assert "seen.md" not in overview
            for shown in (overview, page.get("/videos?state=missing").text, page.get(f"/syncs/{sync}").text):
                assert f'<a href="/videos/{lost}">Title of a.md</a>' in shown
                assert "A &lt;b&gt;title&lt;/b&gt;" in shown
            assert "Title of seen.md" in page.get("/").text, "in the last changes"


@pytest.mark.parametrize(
    ("deleted", "not_returned", "probably", "to_do"),
    [
        (1, "has not returned 1 video in three syncs", "it is probably deleted", "Keep its pages, or"),
        (2, "has not returned 2 videos in three syncs", "they are probably deleted", "Keep these pages, or"),
    ],
)
def test_a_video_that_three_syncs_did_not_find_needs_attention_and_is_called_missing(
    site: Site, deleted: int, not_returned: str, probably: str, to_do: str
) -> None:
    videos = ids(deleted)
    for video in videos:
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    with Simulator(World(videos=dict.fromkeys(videos, Video(VideoState.DELETED)))) as youtube:
        site = Site(site.root, youtube.url)
        site.configure()
        with served(site) as page:
            for days in (3, 2, 1):
                assert "needs attention" not in page.get("/").text
                site.sync(datetime.now(UTC) - timedelta(days=days))
            shown = page.get("/").text
            assert (
                f"YouTube {not_returned}, each at least a day after the one before; {probably} or private. {to_do}"
                " remove the video ID."
            ) in shown
            assert re.findall('data-label="state">([^<]*)<', shown) == ["missing"] * deleted
            assert page.get("/videos?state=missing").text.count("not returned since ") == deleted


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 seconds"),
        (1.9, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (119, "1 minute"),
        (120, "2 minutes"),
        (3599, "59 minutes"),
        (3600, "1 hour"),
        (7200, "2 hours"),
        (86_400, "1 day"),
        (172_800, "2 days"),
    ],
)
def test_a_length_of_time_is_in_the_largest_unit_that_it_fills(seconds: float, text: str) -> None:
    assert ago(seconds) == text


def test_no_more_titles_are_read_than_a_page_may_cost(
    site: Site, page: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "TITLES_READ", 2)
    videos = sorted(ids(4))
    for video in videos:
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    synced(page)
    shown = page.get("/videos").text
    assert shown.count("Café") == 2
    assert all(f"content/{video}.md" in shown for video in videos)


def test_it_is_ready_while_the_last_good_sync_is_not_older_than_two_intervals(site: Site) -> None:
    now = datetime.now(UTC)
    with served(site) as page:
        assert page.get("/healthz").text == "ok\n"
        assert page.get("/readyz").status == 503
        site.sync(now - timedelta(hours=12, minutes=1))
        assert page.get("/readyz").status == 503
        assert "more than twice the sync interval" in page.get("/").text
        site.sync(now - timedelta(hours=11, minutes=59))
        assert page.get("/readyz").status == 200


def test_the_first_sentence_says_whether_something_needs_attention(site: Site, page: Served) -> None:
    [video] = ids(1)
    site.put("content/a.md", crlf(video, 1, 2))
    assert "No sync yet" in page.get("/").text
    synced(page)
    assert "Nothing needs attention" in page.get("/").text
    site.put("content/odd.md", plain(video, "1.2M", 2))
    synced(page)
    shown = page.get("/")
    assert "1 thing needs attention" in shown.text
    assert "Not a count (1)" in page.get("/problems").text


def test_up_to_three_problems_are_named_where_they_need_attention(site: Site, page: Served) -> None:
    videos = ids(4)
    for number, video in enumerate(videos[:3], 1):
        site.put(f"content/odd{number}.md", plain(video, "1.2M", 2))
        synced(page)
        needs = page.get("/").text.partition('id="needs"')[2].partition("</section>")[0]
        assert f"There {'is' if number == 1 else 'are'} {number} problem" in needs
        assert re.findall(r">(content/odd\d\.md):\d+</span>: The count", needs) == [
            f"content/odd{each}.md" for each in range(1, number + 1)
        ]
    site.put("content/odd4.md", plain(videos[3], "1.2M", 2))
    synced(page)
    needs = page.get("/").text.partition('id="needs"')[2].partition("</section>")[0]
    assert "There are 4 problems." in needs
    assert "odd" not in needs


def test_the_result_of_a_sync_says_what_needs_attention(site: Site) -> None:
    videos = ids(8)
    for video in videos:
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    now = datetime.now(UTC)
    site.sync(now - 3 * HOUR)
    site.put("content/odd.md", plain(videos[0], "1.2M", 2))
    site.sync(now - 2 * HOUR)
    with Simulator(World(strict=True)) as empty:
        site = Site(site.root, empty.url)
        site.configure()
        site.sync(now - HOUR)
    site.sync(now)
    with served(site) as page:
        syncs = page.get("/api/v1/syncs").document["syncs"]
        results = ["failed", "safety brake, 1 problem", "1 problem", "complete"]
        assert [sync["result"] for sync in syncs] == results
        overview = page.get("/").text
        assert re.findall('data-label="result">([^<]*)<', overview) == results
        for sync in syncs:
            assert f"<dt>Result</dt><dd>{sync['result']}</dd>" in page.get(f"/syncs/{sync['sync']}").text
            assert sync["finished"].replace("T", " ").removesuffix("Z") + "</time>" in overview, "with its second"


def test_the_bars_leave_out_the_times_where_no_sync_took_longer_than_a_second(site: Site, page: Served) -> None:
    [video] = ids(1)
    site.put("content/a.md", crlf(video, 1, 2))
    name = synced(page)
    shown = page.get("/").text
    assert "counts changed (most: 2)" in shown
    assert "time taken" not in shown
    with sqlite3.connect(site.state / "state.sqlite3") as state:
        state.execute(
            "UPDATE syncs SET report = json_set(report, '$.started', '2026-11-22T15:00:00Z') WHERE id = ?", [name]
        )
    assert "time taken (longest: " in page.get("/").text


def test_a_sync_that_could_not_run_is_shown_until_one_can(site: Site, page: Served) -> None:
    [video] = ids(1)
    site.put("content/a.md", crlf(video, 1, 2))
    synced(page)
    page.steered.daemon_state = replace(page.steered.daemon_state, trouble="/srv/content is not a directory")
    assert "The last sync could not run: /srv/content is not a directory." in page.get("/").text
    assert page.get("/api/v1/status").document["daemon"]["trouble"] == "/srv/content is not a directory"
    page.steered.daemon_state = replace(page.steered.daemon_state, trouble=None)
    assert "Nothing needs attention" in page.get("/").text


def test_a_sync_that_does_not_respond_is_shown_until_it_does(site: Site, page: Served) -> None:
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    synced(page)
    page.steered.daemon_state = replace(page.steered.daemon_state, running=True, stalled=True)
    assert "The running sync does not respond: a disk may hang" in page.get("/").text
    page.steered.daemon_state = replace(page.steered.daemon_state, running=False, stalled=False)
    assert "Nothing needs attention" in page.get("/").text


def test_a_config_that_could_not_be_reloaded_is_shown_until_one_is(site: Site, page: Served) -> None:
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    synced(page)
    error = "syncer.yaml:6: schedule.evry: unknown key\nsyncer.yaml:7: youtube.key: <b>; did you mean `every`?"
    page.steered.daemon_state = replace(page.steered.daemon_state, config_error=error)
    shown = (
        "so the old one is still in use: syncer.yaml:6: schedule.evry: unknown key; syncer.yaml:7: youtube.key: &lt;b"
        "&gt;; did you mean <code>every</code>?</li>"
    )
    assert shown in page.get("/").text
    assert "1 thing needs attention" in page.get("/").text
    assert page.get("/api/v1/status").document["daemon"]["config_error"] == error
    page.steered.daemon_state = replace(page.steered.daemon_state, config_error=None)
    assert "The new config is invalid" not in page.get("/").text


def test_a_video_s_page_shows_its_title_its_counts_and_its_pages(site: Site, page: Served) -> None:
    [video] = ids(1)
    site.put("content/a.md", crlf(video, 1, 2))
    site.put("content/b.md", toml(video, 1, 2))
    start = datetime.now(UTC) - timedelta(days=2)
    for hours in range(0, 48, 12):
        site.sync(start + timedelta(hours=hours))
    shown = page.get(f"/videos/{video}").text
    assert '<h1>Café: a "tour"</h1>'.replace('"', "&quot;") in shown
    assert "content/a.md" in shown
    assert "content/b.md" in shown
    charts = [ET.fromstring(svg) for svg in re.findall(r'<svg [^>]*class="chart".*?</svg>', shown)]
    assert len(charts) == 3
    views = charts[0]
    assert views.attrib["role"] == "img"
    assert [views.find(name) is not None for name in ("title", "desc", "polyline")] == [True] * 3
    readings = page.get(f"/api/v1/videos/{video}/history").document["readings"]
    dots = [circle.findtext("title") for circle in views.iter("circle")]
    assert dots == [f"{r['at'].replace('T', ' ').replace('Z', ' UTC')}: {r['viewCount']:,} views" for r in readings]
    assert next(views.iter("text")).text == "views"


def test_the_days_on_which_youtube_changed_how_it_counts_views_are_marked(site: Site, page: Served) -> None:
    [video] = ids(1)
    site.put("content/a.md", crlf(video, 1, 2))
    for day in (22, 23, 24, 25):
        site.sync(datetime(2026, 8, day, 12, tzinfo=UTC))
    shown = page.get(f"/videos/{video}").text
    assert shown.count("new way of counting views, 24 Aug 2026") == 1, "only in the chart of views"
    assert "YouTube changed how it counts views on 2026-08-24" in shown


def test_readings_that_the_safety_brake_holds_can_be_accepted(site: Site) -> None:
    videos = ids(8)
    for video in videos:
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    site.sync(datetime.now(UTC) - HOUR)
    with Simulator(World(strict=True)) as empty:
        site = Site(site.root, empty.url)
        site.configure()
        with served(site) as page:
            synced(page)
            shown = page.get("/").text
            assert "It holds 8 readings." in shown
            assert "None confirmed: the safety brake holds 8 readings." in shown
            assert "Accept held values and sync" in shown
            assert page.get("/api/v1/videos?state=braked").document["total"] == 8
            assert page.post("/triggers", b"accept=true").status == 303
            until(lambda: "Accept held values" not in page.get("/").text)
            assert "None confirmed" not in page.get("/").text


def test_the_metrics_count_what_syncs_did_and_follow_the_conventions(site: Site, page: Served) -> None:
    for video in ids(3):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    site.put("content/odd.md", plain(ids(4)[3], "1.2M", 2))
    before = samples(page)
    assert before['syncer_syncs_total{outcome="ok"}'] == 0
    synced(page)
    now = samples(page)
    assert now['syncer_syncs_total{outcome="problems"}'] == 1
    assert now['syncer_changes_total{count="viewCount"}'] == 3
    assert now['syncer_requests_total{class="answered",method="videos.batchGetStats"}'] == 1
    assert now['syncer_videos{state="known"}'] == 4
    assert now["syncer_pages"] == 4
    assert now['syncer_quota_units_left{bucket="stats"}'] == 9999
    assert abs(now["syncer_last_good_sync_timestamp_seconds"] - datetime.now(UTC).timestamp()) < 60
    assert abs(now["syncer_oldest_count_timestamp_seconds"] - datetime.now(UTC).timestamp()) < 60
    text = page.get("/metrics").text
    ours = re.findall(r"^# TYPE (syncer_\w+) (\w+)$", text, re.MULTILINE)
    assert {name for name, kind in ours if kind == "counter" and not name.endswith("_total")} == set()
    assert all(re.search(rf"^# HELP {name} \S.+\.$", text, re.MULTILINE) for name, _ in ours)
    (site.root / "content" / "lists").rmdir()
    page.post("/triggers")
    until(lambda: samples(page)['syncer_syncs_total{outcome="failed"}'] == 1)


def test_every_kind_of_problem_has_the_remedy_from_the_docs() -> None:
    text = (DOCS / "reference" / "problems.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (?:[^|\\]|\\.)* \| ((?:[^|\\]|\\.)*) \|$", text, re.MULTILINE)
    assert {ProblemKind(kind): remedy.replace("`", "") for kind, remedy in rows} == REMEDIES


def test_every_page_is_complete_html_with_landmarks_and_headings_for_screen_readers(site: Site, page: Served) -> None:
    [video] = ids(1)
    site.put("content/a.md", crlf(video, 1, 2))
    site.put("content/odd.md", plain(video, "1.2M", 2))
    name = synced(page)
    for path in ("/", "/videos", f"/videos/{video}", f"/syncs/{name}", "/problems", "/nothing"):
        read = Reader()
        read.feed(page.get(path).text)
        assert read.open == [], path
        assert [read.seen.count(each) for each in ("header", "main", "footer", "h1", "title")][:4] == [1] * 4, path
        assert read.attributes["html"]["lang"] == "en"
        assert len(read.ids) == len(set(read.ids)), path
        assert read.named <= set(read.ids), path
        assert read.seen.count("table") == read.seen.count("caption")
        assert all(scope in {"col", "row"} for scope in read.scopes)
        assert {"https://www.youtube.com/t/terms", "http://www.google.com/policies/privacy"} <= read.links


class Reader(HTMLParser):
    """Notes what stands in a page, and what was not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.attributes: dict[str, dict[str, str | None]] = {}
        self.ids: list[str] = []
        self.named: set[str] = set()
        self.scopes: list[str | None] = []
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.seen.append(tag)
        self.attributes[tag] = found
        if tag not in VOID:
            self.open.append(tag)
        if tag == "th":
            self.scopes.append(found.get("scope"))
        if found.get("id"):
            self.ids.append(str(found["id"]))
        self.named.update((found.get("aria-labelledby") or "").split())
        self.links.add(found.get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def samples(page: Served) -> dict[str, float]:
    """The metrics, by name and labels."""
    lines = page.get("/metrics").text.splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}
