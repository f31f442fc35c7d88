"""A bare id, any YouTube URL, or neither."""

from __future__ import annotations

import pytest

from syncer.front_matter.video_id import is_possible, parse_video_id
from syncer.model import Problem, ProblemKind
from tests.front_matter.pages import ID, OTHER_ID


@pytest.mark.parametrize(
    "text",
    [
        ID,
        f"  {ID} ",
        f"https://www.youtube.com/watch?v={ID}",
        f"http://youtube.com/watch?v={ID}",
        f"https://m.youtube.com/watch?list=PL0123456789abcdef&v={ID}&index=3",
        f"https://music.youtube.com/watch?v={ID}&si=Zm9vYmFyYmF6cXV4",
        f"https://www.youtube.com/watch?v={ID}&t=1m3s#comments",
        f"https://www.youtube.com/watch?feature=share&amp;v={ID}&amp;t=5",
        f"https://youtu.be/{ID}",
        f"https://youtu.be/{ID}?si=Zm9vYmFyYmF6cXV4&t=42",
        f"youtu.be/{ID}",
        f"//youtu.be/{ID}/",
        f"www.youtube.com/watch?v={ID}",
        f"HTTPS://WWW.YouTube.COM/watch?v={ID}",
        f"https://www.youtube.com/shorts/{ID}?feature=share",
        f"https://www.youtube.com/live/{ID}",
        f"https://www.youtube.com/embed/{ID}?rel=0&start=10",
        f"https://www.youtube-nocookie.com/embed/{ID}",
        f"https://www.youtube.com/v/{ID}&hl=en",
        f"https://www.youtube.com/e/{ID}",
        f"https://www.youtube.com/watch/{ID}",
        f"https://www.youtube.com/watch?v={ID}?t=30",
        f"https://www.youtube.com/embed/{ID}?v={ID}",
        f"https://i.ytimg.com/vi/{ID}/hqdefault.jpg",
        f"https://img.youtube.com/vi/{ID}/0.jpg",
    ],
)
def test_an_id_is_read_from(text: str) -> None:
    assert parse_video_id(text, "page.md") == ID


def test_an_id_may_start_with_a_dash() -> None:
    assert parse_video_id(OTHER_ID, "page.md") == OTHER_ID
    assert parse_video_id(f"youtu.be/{OTHER_ID}", "page.md") == OTHER_ID


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "https://vimeo.com/76979871",
        "//player.vimeo.com/video/76979871",
        "vimeo.com/76979871",
        f"https://example.com/watch?v={ID}",
        f"https://notyoutube.com/watch?v={ID}",
        f"https://youtube.com.example.org/watch?v={ID}",
        "https://www.youtube.com/",
        "https://www.youtube.com/@slowwaterways",
        "https://www.youtube.com/channel/UC0123456789abcdefghijkl",
        "https://www.youtube.com/c/slowwaterways/videos",
        "https://www.youtube.com/playlist?list=PL0123456789abcdef",
        "https://www.youtube.com/results?search_query=canal+locks",
        "https://www.youtube.com/embed/videoseries?list=PL0123456789abcdef",
        "https://www.youtube.com/embed/live_stream?channel=UC0123456789abcdefghijkl",
        "https://www.youtube.com/watch",
        "https://www.youtube.com/watch?v=",
        "https://youtu.be/",
    ],
)
def test_a_text_without_a_video_is_not_a_problem(text: str) -> None:
    assert parse_video_id(text, "page.md") is None


@pytest.mark.parametrize(
    "text",
    [
        "TBD",
        "intro.mp4",
        "/videos/intro",
        "kq3vT7mZ_d",
        f"{ID}x",
        "see below",
        f"<iframe src='https://youtu.be/{ID}'>",
        "https://www.youtube.com/watch?v=canal-locks-explained",
        "https://youtu.be/short",
        "https://www.youtube.com/shorts/kq3vT7mZ_dEE",
        "kq3vT7mZ_d\u0415",
    ],
)
def test_a_text_that_is_not_an_id_is_a_problem(text: str) -> None:
    problem = parse_video_id(text, "page.md", 7)
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.subject, problem.line) == (ProblemKind.NOT_A_VIDEO_ID, "page.md", 7)


@pytest.mark.parametrize(
    "text", [f"https://www.youtube.com/watch?v={ID}&v={OTHER_ID}", f"https://www.youtube.com/embed/{ID}?v={OTHER_ID}"]
)
def test_two_ids_in_one_url_disagree(text: str) -> None:
    problem = parse_video_id(text, "page.md")
    assert isinstance(problem, Problem)
    assert problem.kind is ProblemKind.IDS_DISAGREE


def test_only_sixteen_characters_can_be_at_the_end() -> None:
    assert is_possible(ID)
    assert not is_possible("youtube-asr")
    assert not is_possible("")
