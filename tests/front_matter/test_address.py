"""What counts as a video's address: every form on YouTube's own hosts, and nothing on any other."""

from __future__ import annotations

import re
from itertools import product
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.front_matter import video_id as reader
from syncer.front_matter.video_id import parse_video_id
from syncer.model import Problem, ProblemKind
from tests.examples import examples
from tests.front_matter.pages import ID, OTHER_ID

FORMS = [
    "http://youtube.com/watch?v={}",
    "https://www.youtube.com./watch?v={}",
    "https://www.youtube.com:443/watch?v={}",
    "www.youtube.com:443/watch?v={}",
    "https://music.youtube.com/watch?v={}&list=RDAMVM",
    "https://m.youtube.com/watch?v={}",
    "https://gaming.youtube.com/watch?v={}",
    "https://www.youtubekids.com/watch?v={}",
    "https://www.youtubeeducation.com/embed/{}?rel=0",
    "https://www.youtubeeducation.com/watch?v={}",
    "https://www.youtube-nocookie.com/embed/{}",
    "https://www.youtube-nocookie.com/v/{}&hl=en&fs=1",
    "https://youtube.googleapis.com/v/{}",
    "https://youtube.googleapis.com/embed/{}?enablejsapi=1",
    "https://m.youtu.be/{}",
    "youtu.be/{}?t=42",
    "https://youtu.be/watch?v={}",
    "https://youtu.be/shorts/{}",
    "https://studio.youtube.com/video/{}/edit",
    "https://studio.youtube.com/video/{}/analytics/tab-overview/period-default",
    "https://studio.youtube.com/video/{}",
    "https://www.youtube.com/video/{}",
    "https://www.youtube.com/e/{}",
    "https://www.youtube.com/w/{}",
    "https://www.youtube.com/vi/{}",
    "https://www.youtube.com//embed//{}/",
    "https://www.youtube.com/live/{}?feature=shared",
    "https://www.youtube.com/watch_popup?v={}",
    "https://www.youtube.com/movie?v={}",
    "https://www.youtube.com/ytscreeningroom?v={}",
    "https://www.youtube.com/?v={}",
    "https://www.youtube.com/?feature=player_embedded&vi={}",
    "https://www.youtube.com/watch/?v={}",
    "https://www.youtube.com/watch&v={}",
    "https://www.youtube.com/watch?feature=player_embedded;v={}",
    "https://www.youtube.com/watch?list=PL0123456789abcdef&index=3&v={}",
    "https://www.youtube.com/watch%3Fv%3D{}%26t%3D3",
    "https://www.youtube.com/user/slowwaterways?v={}",
    "https://www.youtube.com/user/slowwaterways#p/u/11/{}",
    "https://www.youtube.com/slowwaterways#p/a/u/1/{}",
    "https://www.youtube.com/watch#!v={}",
    "https://www.youtube.com/watch?gl=US#!v={}",
    "https://m.youtube.com/#/watch?v={}",
    "https://www.youtube.com/tv#/watch/video/idle?v={}",
    "https://www.youtube.com/watch_videos?video_ids={}",
    "https://www.youtube.com/watch_videos?title=locks&video_ids={},",
    "https://www.youtube.com/get_video_info?video_id={}",
    "https://www.youtube.com/attribution_link?a=Jq1xPq_7-uT&u=%2Fwatch%3Fv%3D{}%26feature%3Dshare",
    "https://www.youtube.com/attribution_link?a=Jq1x&u=/watch?v={}&feature=share",
    "https://www.youtube.com/attribution_link?u=https%3A%2F%2Fyoutu.be%2F{}",
    "https://www.youtube.com/oembed?url=http%3A//www.youtube.com/watch?v%3D{}&format=json",
    "https://www.youtube.com/oembed?format=json&url=https%3A%2F%2Fyoutu.be%2F{}",
    "https://www.youtube.com/redirect?event=video_description&q=https%3A%2F%2Fyoutu.be%2F{}",
    "https://i.ytimg.com/vi_webp/{}/maxresdefault.webp",
    "https://i9.ytimg.com/an_webp/{}/mqdefault_6s.webp?du=3000",
    "https://img.youtube.com/vi/{}/0.jpg",
    "{}?start=30",
    "{}?si=abcdEFGH1234",
    "{}&t=3",
    "{}&amp;t=3",
    "{}#t=30",
    "{}?rel=0&autoplay=1",
    "watch?v={}",
    "/watch?v={}&t=3",
    "watch?app=desktop&v={}",
    "v={}",
    "?v={}",
    "embed/{}?rel=0",
    "/embed/{}",
    "youtube:{}",
    "youtube://{}",
    "youtube://www.youtube.com/watch?v={}",
    "vnd.youtube:{}?vndapp=youtube_mobile",
]
"""Forms that name one video."""

ONE_ALL_THE_SAME = [
    "https://www.youtube.com/watch?v={}&feature=youtu.be",
    "https://www.youtube.com/watch?v={}&ab_channel=PixelAdvent",
    "https://www.youtube.com/watch?v={}&pp=ygUKY2FuYWwtbG9ja3M%3D",
    "https://www.youtube.com/watch?v={}&lc=Ugz_4AaB-c12",
    "https://www.youtube.com/watch?v={}&next=https://youtu.be/-b5Nw0yRfhs",
    "https://www.youtube.com/watch?v={}&next=%2Fwatch%3Fv%3D-b5Nw0yRfhs",
    "https://www.youtube.com/watch?v={}&url=https://youtu.be/-b5Nw0yRfhs",
    "https://www.youtube.com/embed/{}?playlist=-b5Nw0yRfhs,tN4vRz0svpk&loop=1",
    "https://www.youtube.com/embed/{}?loop=1&playlist=-b5Nw0yRfhs",
    "https://youtu.be/{} programming basics",
    "https://youtu.be/{} (Programming, the basics; part two | of three)",
    "https://youtu.be/{}, published on YouTube",
    "https://youtu.be/{} and https://vimeo.com/76979871",
    "https://youtu.be/{} on youtube.com",
    "https://youtu.be/{} https://www.youtube.com/watch?v={}",
    "https://youtu.be/{}\nprogramming basics",
]
"""Values with more in them than an address, and no other video."""

NO_VIDEO = [
    "https://www.youtube.com/{}",
    "https://www.youtube.com/c/{}",
    "https://www.youtube.com/C/{}",
    "https://www.youtube.com/user/{}",
    "https://www.youtube.com/channel/{}",
    "https://www.youtube.com/channel/UC0123456789abcdefghijkl/{}",
    "https://www.youtube.com/@{}",
    "https://www.youtube.com/@slowwaterways/{}",
    "https://www.youtube.com/hashtag/{}",
    "https://www.youtube.com/post/{}",
    "https://www.youtube.com/playlist/{}",
    "https://www.youtube.com/playlist?list={}",
    "https://www.youtube.com/results?search_query={}",
    "https://www.youtube.com/embed/videoseries?list={}",
    "https://www.youtube.com/embed/VideoSeries?list={}",
    "https://www.youtube.com/embed/live_stream?channel={}",
    "https://youtu.be/videoseries?list={}",
    "https://youtu.be/@{}",
    "videoseries?list={}",
    "live_stream?channel={}",
    "https://www.youtube.com/shared?ci={}",
    "https://www.youtube.com/signin?next=%2Fwatch%3Fv%3D{}",
    "https://studio.youtube.com/channel/UC0123456789abcdefghijkl/videos/upload?udvid={}",
    "https://www.youtube.com/redirect?q=https%3A%2F%2Fexample.org%2Fwatch%3Fv%3D{}",
    "https://www.youtube.com/attribution_link?a={}",
]
"""Addresses on YouTube's hosts that name no video, whatever they contain."""

NOT_UNDERSTOOD = [
    "https://www.youtube.com/watch?v={}x",
    "https://www.youtube.com/watch?vi=canal-locks-explained",
    "https://www.youtube.com/watch?video_id=canal",
    "https://www.youtube.com/watch_videos?video_ids={},canal",
    "https://studio.youtube.com/video/canal/edit",
    "https://www.youtube.com/clip/Ugkx0123456789abcdefghijklmnopqrstuv",
    "https://www.youtube.com/e/canal",
    "https://www.youtube.com/shorts/{}x",
    "https://youtu.be/canal",
    "https://www.youtube.com/source/{}/shorts",
    "https://gdata.youtube.com/feeds/api/videos/{}",
    "https://www.youtube.com/embed/live/{}",
    "{}?",
    "{}/",
    "{} programming basics",
    "programming?",
    "see https://youtu.be/{}",
    "[locks](https://youtu.be/{})",
    "videos/{}",
    "/shorts/{}",
    "/watch/{}",
    "live/{}",
    "watch?v=",
    *(
        rf"{before}{host}/{{}}"
        for before in ("", "//", "https://")
        for host in (r"example.org\@youtu.be", r"example.org\\@youtu.be", r"a\b@youtu.be", r"example.org\youtu.be")
    ),
    r"https://youtu.be\{}",
    r"https:\\youtu.be/{}",
    r"https://youtu.be\@example.org/{}",
]

OTHER_HOSTS = [
    *(
        "example.org",
        "vimeo.com",
        "notyoutube.com",
        "youtube.com.example.org",
        "youtu.be.example.org",
        "youtube.example",
    ),
    *("xyoutu.be", "youtubee.com", "youtube.org", "www-youtube.com", "youtube.com@example.org", "yewtu.be", "y2u.be"),
    *("web.archive.org/web/2020/https://www.youtube.com", "example.org/(https://youtu.be)", "googleapis.com"),
    *("example.org/?u=https://youtu.be", "example.org/a,https://youtu.be", "youtube\u212aids.com", "a.example:8080"),
]

ids = st.from_regex(r"[A-Za-z0-9_-]{10}[AEIMQUYcgkosw048]", fullmatch=True)
telling_ids = ids.filter(lambda text: re.search("[0-9_-]|.[A-Z]", text) is not None)
seps = st.sampled_from(
    [" ", "\n", "\t", "\u2028", "\u00a0", ",", ", ", ";", "; ", "|", " | ", " / ", " - ", " and ", "\r\n"]
)
addresses = st.sampled_from([form for form in FORMS if "://" in form or form.startswith("youtu.be")])


@pytest.mark.parametrize("form", [*FORMS, *ONE_ALL_THE_SAME])
@pytest.mark.parametrize("video", [ID, OTHER_ID])
def test_each_form_gives_the_video_in_it(form: str, video: str) -> None:
    assert parse_video_id(form.format(video, video), "page.md") == video


@st.composite
def _any_case(draw: st.DrawFn, form: str) -> str:
    """Draw the form in other letters; what is encoded, an id or a value stays."""
    parts = re.split(r"(\{\}|&amp;|%[0-9A-F]{2}|=[^&]*)", form)
    return "".join(
        part if number % 2 else "".join(draw(st.sampled_from([one.lower(), one.upper()])) for one in part)
        for number, part in enumerate(parts)
    )


@examples(600)
@given(st.sampled_from(FORMS).flatmap(_any_case), ids)
def test_the_letter_case_of_host_path_and_parameters_does_not_matter(form: str, video: str) -> None:
    if video.lower() not in {"videoseries", "live_stream"}:
        assert parse_video_id(form.format(video), "page.md") == video


@examples(800)
@given(
    st.sampled_from([*FORMS, "{}"]),
    seps,
    st.one_of(st.sampled_from(["{}", "{}?start=3", "watch?v={}"]), addresses),
    telling_ids,
    telling_ids,
)
def test_two_videos_in_one_value_disagree_in_whatever_forms(
    form: str, sep: str, other: str, one: str, two: str
) -> None:
    if one != two:
        require_that_they_disagree(form.format(one) + sep + other.format(two))


@pytest.mark.parametrize("form", [*FORMS, "{}"])
def test_two_videos_disagree_behind_each_form(form: str) -> None:
    for sep, other in product(
        (" ", ", ", ",", ";", " | ", "|", " / ", "\n"),
        ("{}", "https://youtu.be/{}", "https://www.youtube.com/watch?v={}", "youtu.be/{}", "Watch?v={}"),
    ):
        require_that_they_disagree(form.format(ID) + sep + other.format(OTHER_ID))


@pytest.mark.parametrize(
    "text",
    [
        f"https://youtu.be/{ID}<br>https://youtu.be/{OTHER_ID}",
        f"https://youtu.be/{ID} (https://youtu.be/{OTHER_ID})",
        f"https://youtu.be/{ID}&https://youtu.be/{OTHER_ID}",
        f"https://youtu.be/{ID}&{OTHER_ID}",
        f"{ID}&{OTHER_ID}",
        f"https://youtu.be/{ID}/{OTHER_ID}",
        f"https://youtu.be/{ID}, youtube://{OTHER_ID}",
        f"youtube:{ID} | vnd.youtube:{OTHER_ID}",
        f"https://youtu.be/{ID}%2C{OTHER_ID}",
        f"https://www.youtube.com/watch?v={ID}+{OTHER_ID}",
        f"https://www.youtube.com/watch?v={ID}%7C{OTHER_ID}",
        f"https://www.youtube.com/watch?V={ID}&v={OTHER_ID}",
        f"https://www.youtube.com/watch?v={ID}#!v={OTHER_ID}",
        f"https://www.youtube.com/watch?v={ID}&u=%2Fwatch%3Fv%3D{OTHER_ID}",
        f"https://www.youtube.com/watch_videos?video_ids={ID},{OTHER_ID}",
        f"https://www.youtube.com/watch_videos?video_ids={ID}%2Cprogramming",
        f"https://www.youtube.com/embed/{ID}?v={OTHER_ID}",
        f"{ID}?v={OTHER_ID}",
        f"https://youtu.be/{ID} https://www.youtube.com/@slowwaterways",
        f"https://www.youtube.com/@slowwaterways, https://youtu.be/{ID}",
        f"https://youtu.be/{ID} https://youtu.be/canal",
        f"https://vimeo.com/76979871 https://youtu.be/{ID}",
        f"https://vimeo.com/76979871 (https://youtu.be/{ID})",
        f"https://www.youtube.com/watch?v={ID}%26v%3D{OTHER_ID}",
        f"https://www.youtube.com/watch?v={ID}%26t%3D3%26vi%3D{OTHER_ID}",
        f"https://www.youtube.com/watch?v={ID}?v={OTHER_ID}",
        f"https://www.youtube.com/watch_videos?video_ids={ID}.{OTHER_ID}",
        f"https://youtu.be/{ID}\u2014https://youtu.be/{OTHER_ID}",
        f"https://youtu.be/{ID} self-hosted",
        f"https://youtu.be/{ID}, PixelAdvent",
    ],
)
def test_two_things_in_one_value_are_not_chosen_between(text: str) -> None:
    require_that_they_disagree(text)


@examples(400)
@given(
    st.sampled_from(["https://youtu.be/{}", "https://www.youtube.com/watch?v={}", "https://www.youtube.com/embed/{}"]),
    st.text(
        st.characters(exclude_categories=["L", "N", "M", "Cs"], exclude_characters="?&#%=_-/;@\\"),
        min_size=1,
        max_size=1,
    ),
    telling_ids,
    telling_ids,
)
def test_two_ids_disagree_whatever_is_between_them(form: str, between: str, one: str, two: str) -> None:
    if one != two:
        require_that_they_disagree(form.format(one) + between + two)


def require_that_they_disagree(text: str) -> None:
    problem = parse_video_id(text, "page.md", 7)
    assert isinstance(problem, Problem), text
    assert (problem.kind, problem.line) == (ProblemKind.IDS_DISAGREE, 7), text
    assert problem.message.startswith("The value names ")


@pytest.mark.parametrize("tail", ["%26t%3D3", "?t=3", "%3Fab_channel%3DPixelAdvent", "?si=abcdefGH123", ".", ")", "/"])
def test_parameters_and_punctuation_after_an_id_are_not_a_second_one(tail: str) -> None:
    assert parse_video_id(f"https://www.youtube.com/watch?v={ID}{tail}", "page.md") == ID


@pytest.mark.parametrize("text", [form.format(ID) for form in NOT_UNDERSTOOD])
def test_an_invalid_id_at_the_position_of_an_id_is_a_problem(text: str) -> None:
    problem = parse_video_id(text, "page.md")
    assert isinstance(problem, Problem)
    assert problem.kind is ProblemKind.NOT_A_VIDEO_ID


@examples(300)
@given(st.sampled_from(NO_VIDEO), telling_ids)
def test_a_channel_a_playlist_or_a_search_is_not_a_problem(form: str, name: str) -> None:
    assert parse_video_id(form.format(name), "page.md") is None
    assert parse_video_id(f"{form.format(name)} self-hosted, programming", "page.md") is None


@examples(500)
@given(
    st.sampled_from(OTHER_HOSTS),
    st.sampled_from(["https://", "http://", "//"]),
    st.one_of(st.sampled_from(FORMS), st.text(st.characters(exclude_categories=["Cs"]), max_size=20)),
    ids,
)
def test_a_url_of_another_host_is_not_a_problem_whatever_follows_it(
    host: str, scheme: str, form: str, video: str
) -> None:
    path = "".join(form.replace("{}", video).partition("://")[2].partition("/")[2].split())
    assert parse_video_id(f"{scheme}{host}/{path}", "page.md") is None
    assert parse_video_id(f"{scheme}{host}/{quote(form)} self-hosted", "page.md") is None


@examples(1000)
@given(
    st.sampled_from([*FORMS, *ONE_ALL_THE_SAME, *NO_VIDEO, *NOT_UNDERSTOOD]),
    st.sampled_from(["", "?", "&", "#", ",", " ", "/", "%2C", "&v=", "?t=3", "&list=PL1", "\u2028", ";", "?si=a_b-c"]),
    st.sampled_from(["", ID, OTHER_ID, "a.b", "youtu.be/", "https://example.org/"]),
)
def test_the_short_forms_give_the_same_as_the_long_form(form: str, sep: str, tail: str) -> None:
    text = (form.format(ID, ID) + sep + tail).strip()
    assert parse_video_id(text, "page.md") == reader._read(text, "page.md", None)


@pytest.mark.parametrize(
    "text", ["a,", "youtu.be/", "https://youtu.be/a,", "v=%41&", "/a?u=", "a@", "([", "watch?v=a,"]
)
def test_a_monstrous_value_is_read_in_little_time(text: str) -> None:
    assert isinstance(parse_video_id(f"https://youtu.be/{ID}," + text * 20_000, "page.md"), str | Problem | None)
