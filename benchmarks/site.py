"""Makes a site of any size: pages in the form of a public Jekyll site, the same ones each time."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from random import Random

from benchmarks.pages import page_paths
from syncer.simulator.world import START, World

DIRECTORIES = 100
SEED = 20261122
ID_LINE = re.compile(rb'vid_id: "(.{11})"')

FRONT_MATTER = (
    "---",
    'title: "{title}"',
    'image: "https:\\/\\/i.ytimg.com\\/vi\\/{video}\\/hqdefault.jpg"',
    'vid_id: "{video}"',
    'categories: "{category}"',
    'tags: ["{tags}"]',
    'date: "{year}-{month:02}-{day:02}T08:15:36+03:00"',
    'vid_date: "{year}-{month:02}-{day:02}T01:14:09Z"',
    'duration: "PT{minutes}M{seconds}S"',
    'viewcount: "{views}"',
    'likeCount: "{likes}"',
    'dislikeCount: ""',
    'channel: "{channel}"',
    "---",
    "",
)
"""The keys, quotes and escapes of such a page; its lines end in CRLF."""

YOUTUBE = World()

VOCABULARY = (
    "bread water salt oven morning crust flour weight patience rise basket knife steam heat loaf table window garden "
    "river stone bridge wheel chain gear spoke pump saddle road hill rain map lamp radio wire solder coil switch valve"
)
WORDS = VOCABULARY.split()


def make_site(site: Path, pages: int) -> None:
    """Make a site of that many pages of about 2 KB, spread over 100 directories, no two of the same video.

    Raises OSError.
    """
    random = Random(SEED)
    directories = [site / "content" / "_posts" / f"{number:03}" for number in range(min(DIRECTORIES, pages))]
    for directory in directories:
        directory.mkdir(parents=True)
    for number in range(pages):
        path = directories[number % len(directories)] / f"2022-04-25-{number:06}-{random.choice(WORDS)}.md"
        path.write_bytes(_page(random).encode())


def true_counts(site: Path) -> dict[str, Mapping[str, int]]:
    """Return what YouTube says of the views and likes of each page's video, by YouTube's names."""
    known: dict[str, Mapping[str, int]] = {}
    for path in page_paths(site):
        found = ID_LINE.search(path.read_bytes())
        assert found is not None, f"{path} is no page of ours"
        video = found[1].decode()
        true = YOUTUBE.statistics(video, START)
        assert true is not None, "the simulator's videos are published before its start"
        known[video] = {count: true[count] for count in ("viewCount", "likeCount")}
    return known


def video_ids(number: int) -> list[str]:
    """Return that many ids, always the same."""
    random = Random(number)
    return [video_id(random) for _ in range(number)]


def _page(random: Random) -> str:
    """Return a page whose counts are a bit below what the simulated YouTube says: counts that fall brake a sync."""
    title = _words(random, 5).title()
    video = video_id(random)
    true = YOUTUBE.statistics(video, START)
    assert true is not None, "the simulator's videos are published before its start"
    head = "\r\n".join(FRONT_MATTER).format(
        title=title,
        video=video,
        category=random.choice(WORDS).title(),
        tags='","'.join(_words(random, 2) for _ in range(3)),
        year=random.randint(2009, 2025),
        month=random.randint(1, 12),
        day=random.randint(1, 28),
        minutes=random.randint(1, 59),
        seconds=random.randint(0, 59),
        views=true["viewCount"] * 9 // 10,
        likes=true["likeCount"] * 9 // 10,
        channel=_words(random, 2).title(),
    )
    return f"{head}{{% raw %}}{_body(random, title)}{{% endraw %}}"


def _body(random: Random, title: str) -> str:
    """Return one long line, as a video's description becomes when it is put in a page, without a line end."""
    paragraphs = [f"{_words(random, 30).capitalize()}." for _ in range(7)]
    link = f'<a rel="nofollow" target="blank" href="https://example.org/{random.choice(WORDS)}">{title}</a>'
    return "<br /><br />".join((*paragraphs, link, "---", f"{_words(random, 12).capitalize()}."))


def _words(random: Random, number: int) -> str:
    return " ".join(random.choices(WORDS, k=number))


def video_id(random: Random) -> str:
    """Return 64 bits in base64, which is what YouTube's ids are: the last of the 11 characters has only four bits."""
    return urlsafe_b64encode(random.randbytes(8)).decode().rstrip("=")
