"""Makes a site of any size: pages in the form of a public Jekyll site, the same ones each time."""

from __future__ import annotations

import os
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from benchmarks.pages import page_paths
from syncer.simulator.world import START, World

DIRECTORIES = 100
SEED = 20261122
ID_LINE = re.compile(rb"""vid_id: ['"]?([\w-]{11})""")

KEYS: Mapping[bytes, str] = {b"viewcount": "viewCount", b"likeCount": "likeCount"}
"""The pages' keys, with YouTube's names."""

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

WRITTEN = datetime(2022, 4, 25, tzinfo=UTC).timestamp()
"""When the pages were last changed: on a real site that is not the second in which a sync writes them."""

PARAGRAPHS = 1_000
"""Paragraphs from which the bodies are put together: to make up each one would take longer than a contest."""

VOCABULARY = (
    "bread water salt oven morning crust flour weight patience rise basket knife steam heat loaf table window garden "
    "river stone bridge wheel chain gear spoke pump saddle road hill rain map lamp radio wire solder coil switch valve"
)
WORDS = VOCABULARY.split()


def make_site(site: Path, pages: int, *, old: bool = False) -> None:
    """Make a site of that many pages of about 2 KB, spread over 100 directories, no two of the same video.

    Its counts are 1 % below what YouTube says, with as many digits; or, with `old`, a tenth of it, with a digit less.
    Raises OSError.
    """
    random = Random(SEED)
    paragraphs = [f"{_words(random, 30).capitalize()}." for _ in range(PARAGRAPHS)]
    directories = [site / "content" / "_posts" / f"{number:03}" for number in range(min(DIRECTORIES, pages))]
    for directory in directories:
        directory.mkdir(parents=True)
    for number in range(pages):
        path = directories[number % len(directories)] / f"2022-04-25-{number:06}-{random.choice(WORDS)}.md"
        path.write_bytes(_page(random, paragraphs, old=old).encode())
        os.utime(path, (WRITTEN, WRITTEN))


def up_to_date(site: Path) -> int:
    """Return how many pages show what YouTube says, whoever wrote them."""
    return sum(
        all(re.search(rb"%s: ['\"]?%d\b" % (key, true[count]), page) for key, count in KEYS.items())
        for _, page, true in _pages(site)
    )


def true_counts(site: Path) -> dict[str, Mapping[str, int]]:
    """Return what YouTube says of the views and likes of each page's video, by YouTube's names."""
    return {video: true for video, _, true in _pages(site)}


def video_ids(number: int) -> list[str]:
    """Return that many ids, always the same."""
    random = Random(number)
    return [video_id(random) for _ in range(number)]


def _pages(site: Path) -> Iterator[tuple[str, bytes, Mapping[str, int]]]:
    """Yield each page's video, its bytes, and what YouTube says of the video."""
    for path in page_paths(site):
        page = path.read_bytes()
        found = ID_LINE.search(page)
        assert found is not None, f"{path} is no page of ours"
        video = found[1].decode()
        true = YOUTUBE.statistics(video, START)
        assert true is not None, "the simulator's videos are published before its start"
        yield video, page, {count: true[count] for count in KEYS.values()}


def _page(random: Random, paragraphs: Sequence[str], *, old: bool) -> str:
    title = _words(random, 5).title()
    while True:
        video = video_id(random)
        true = YOUTUBE.statistics(video, START)
        assert true is not None, "the simulator's videos are published before its start"
        if _before(true["viewCount"], old=old) < true["viewCount"]:
            break  # else, as for 1000 views, no count with as many digits is lower, and the page would not change
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
        views=_before(true["viewCount"], old=old),
        likes=_before(true["likeCount"], old=old),
        channel=_words(random, 2).title(),
    )
    return f"{head}{{% raw %}}{_body(random, title, paragraphs)}{{% endraw %}}"


def _before(count: int, *, old: bool) -> int:
    """Return an earlier count. It is not above the new one: counts that fall brake a sync."""
    if old:
        return count // 10
    lowest = 10 ** (len(str(count)) - 1) if count > 9 else 0
    return max(count * 99 // 100, lowest)


def _body(random: Random, title: str, paragraphs: Sequence[str]) -> str:
    """Return one long line, as a video's description becomes when it is put in a page, without a line end."""
    link = f'<a rel="nofollow" target="blank" href="https://example.org/{random.choice(WORDS)}">{title}</a>'
    return "<br /><br />".join((*random.choices(paragraphs, k=7), link, "---", f"{_words(random, 12).capitalize()}."))


def _words(random: Random, number: int) -> str:
    return " ".join(random.choices(WORDS, k=number))


def video_id(random: Random) -> str:
    """Return 64 bits in base64, which is what YouTube's ids are: the last of the 11 characters has only four bits."""
    return urlsafe_b64encode(random.randbytes(8)).decode().rstrip("=")
