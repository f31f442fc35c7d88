"""What was seen of each key that held a video, page by page: counters and a few examples, never the pages."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os.path import splitext

from syncer.model import VideoId

Leaves = Sequence[tuple[str, str, bool]]
"""The front matter of one page: dotted keys (`videos[].id`), the text of their values, and whether it is quoted."""

Recognise = Callable[[str], VideoId | None]
"""Returns the id that a text is or holds as a YouTube URL; None for all else."""

_MOST_EXAMPLES = 3
_MOST_DISTINCT = 3
_MOST_KEYS = 5_000
"""Front matter may hold keys that are data, new ones on every page."""
_MOST_CANDIDATES = 50
_MOST_PLACES = 1_000
_NOT_CONTENT = {"_site", "archetypes", "vendor"}
_LAST_OF_ID = frozenset("AEIMQUYcgkosw048")
"""What an id can end in: its 11 characters carry 64 bits (`docs/youtube.md`)."""
_PLAIN_COUNT = re.compile("[0-9]{1,19}")
_EMPTY = {"", "null", "~"}
_WEB = ("https://", "http://")
_PLAIN_WORDS = re.compile(r"(?!(?:vnd\.)?youtube:)[^/=]*", re.IGNORECASE)
"""What is neither an address nor an id with parameters."""


@dataclass(slots=True)
class Places:
    """Which directories pages were seen in: a bounded number, the deepest levels given up first."""

    pages: Counter[tuple[str, ...]] = field(default_factory=Counter)
    depth: int = 8

    def add(self, directory: tuple[str, ...]) -> None:
        """Count one page."""
        self.pages[directory[: self.depth]] += 1
        while len(self.pages) > _MOST_PLACES and self.depth > 1:
            self.depth -= 1
            folded: Counter[tuple[str, ...]] = Counter()
            for place, number in self.pages.items():
                folded[place[: self.depth]] += number
            self.pages = folded


@dataclass(slots=True)
class Tally:
    """How the values of one key looked as counts."""

    plain: int = 0
    empty: int = 0
    other: int = 0
    strings: int = 0
    """Pages on which it is quoted, empty or not."""
    numbers: int = 0
    """Pages on which it is digits alone."""


@dataclass(slots=True)
class Seen:
    """What was seen of one key on the pages where it held a video."""

    pages: int = 0
    urls: int = 0
    bare: int = 0
    plausible: int = 0
    """Bare ids that end as ids do."""
    mixed: int = 0
    """Bare ids of small and capital letters, as 99 of 100 are and hardly a word is."""
    distinct: set[VideoId] = field(default_factory=set)
    """The first few."""
    places: Places = field(default_factory=Places)
    suffixes: set[str] = field(default_factory=set)
    examples: list[tuple[str, str]] = field(default_factory=list)
    """Pages, and what stands under the key there."""
    beside: defaultdict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    """The other keys of these pages."""
    same: Counter[str] = field(default_factory=Counter)
    """For each other key, the pages on which it names the same videos and perhaps more."""

    @property
    def ids(self) -> int:
        """How many values held an id."""
        return self.urls + self.bare


@dataclass(slots=True)
class Site:
    """What was seen of all pages."""

    values: Counter[str] = field(default_factory=Counter)
    """For each key, how many values it has that are not empty."""
    addresses: Counter[str] = field(default_factory=Counter)
    """Of these, the web addresses that name no video: a sync skips them, where it reports other words."""
    keys: dict[str, Seen] = field(default_factory=dict)
    """The keys that held a video."""


def look(pages: Iterable[tuple[str, Leaves]], recognise: Recognise) -> Site:
    """Return what the pages hold, each given as its path relative to the site and its leaves."""
    site = Site()
    for path, leaves in pages:
        *directory, name = path.split("/")
        suffix = splitext(name)[1]
        if suffix and path.isprintable() and "\\" not in path and _NOT_CONTENT.isdisjoint(directory):
            _look_at_page(site, path, leaves, recognise)
    return site


def _look_at_page(site: Site, path: str, leaves: Leaves, recognise: Recognise) -> None:
    videos: dict[str, set[VideoId]] = {}
    for key, text in _lists_of_one(leaves):
        if key not in site.values and (len(site.values) >= _MOST_KEYS or not _can_be_field(key)):
            continue
        site.values[key] += text.strip() not in _EMPTY
        video_id = recognise(text) if _may_hold_id(text) else None
        site.addresses[key] += video_id is None and text.strip().lower().startswith(_WEB)
        if video_id is not None and (key in site.keys or len(site.keys) < _MOST_CANDIDATES):
            seen = site.keys.setdefault(key, Seen())
            _count_id(seen, video_id, text)
            if key not in videos and len(seen.examples) < _MOST_EXAMPLES:
                seen.examples.append((path, text))
            videos.setdefault(key, set()).add(video_id)
    for key, ids in videos.items():
        seen = site.keys[key]
        _count_page(seen, path)
        _count_neighbours(seen, leaves, site.values)
        seen.same.update(other for other, others in videos.items() if other != key and ids <= others)


def _lists_of_one(leaves: Leaves) -> Iterator[tuple[str, str]]:
    """Yield the leaves, a list of one value under the list's own key: as an id it is read there."""
    times = Counter(key for key, _, _ in leaves if key.endswith("[]"))
    yield from ((key.removesuffix("[]") if times[key] == 1 else key, text) for key, text, _ in leaves)


def _can_be_field(key: str) -> bool:
    """Tell whether a field mapping can name the key."""
    parts = key.replace("[].", ".").split(".")
    return key.isprintable() and all(part and part == part.strip() and not re.search(r"[\[\]]", part) for part in parts)


def _may_hold_id(text: str) -> bool:
    return 11 <= len(text) <= 2000 and (len(text.strip()) == 11 or not _PLAIN_WORDS.fullmatch(text))


def _count_id(seen: Seen, video_id: VideoId, text: str) -> None:
    if text.strip() == video_id:
        seen.bare += 1
        seen.plausible += video_id[-1] in _LAST_OF_ID
        seen.mixed += video_id != video_id.lower() and video_id != video_id.upper()
    else:
        seen.urls += 1
    if len(seen.distinct) < _MOST_DISTINCT:
        seen.distinct.add(video_id)


def _count_page(seen: Seen, path: str) -> None:
    *directory, name = path.split("/")
    seen.pages += 1
    seen.places.add(tuple(directory))
    seen.suffixes.add(splitext(name)[1])


def _count_neighbours(seen: Seen, leaves: Leaves, known: Mapping[str, int]) -> None:
    types: dict[str, bool] = {}
    for key, text, quoted in leaves:
        if key in known:
            tally = seen.beside[key]
            if text.strip() in _EMPTY:
                tally.empty += 1
            elif _PLAIN_COUNT.fullmatch(text):
                tally.plain += 1
            else:
                tally.other += 1
                continue
            if quoted or text.strip() not in _EMPTY:
                types[key] = quoted
    for key, quoted in types.items():
        seen.beside[key].strings += quoted
        seen.beside[key].numbers += not quoted
