"""What the pages hold under each key that held a video: counters and a few examples, never the pages."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os.path import splitext

from syncer.front_matter.video_id import is_possible
from syncer.model import COUNT_PATTERN, VideoId

Leaves = Sequence[tuple[str, str, bool]]
"""The front matter of one page: dotted keys (`videos[].id`), the text of their values, and whether it is quoted."""

Recognise = Callable[[str], VideoId | None]
"""Returns the id that a text is or holds as a YouTube URL; None for all else."""

_MAX_EXAMPLES = 3
"""Pages of each key that are kept as examples."""
_MAX_DISTINCT = 3
"""Videos of each key that are kept."""
_MAX_KEYS = 5_000
"""Front matter may hold keys that are data, new ones on every page."""
_MAX_VIDEO_KEYS = 50
_MAX_DIRECTORIES = 1_000
_NOT_CONTENT = {"_site", "archetypes", "vendor"}
_PLAIN_COUNT = re.compile(COUNT_PATTERN)
_EMPTY = {"", "null", "~"}
_WEB = ("https://", "http://")
_PLAIN_WORDS = re.compile(r"(?!(?:vnd\.)?youtube:)[^/=]*", re.IGNORECASE)
"""What is neither an address nor an id with parameters."""


@dataclass(slots=True)
class Directories:
    """Which directories pages are in: a bounded number, the deepest levels given up first."""

    pages: Counter[tuple[str, ...]] = field(default_factory=Counter)
    depth: int = 8

    def add(self, directory: tuple[str, ...]) -> None:
        """Count one page."""
        self.pages[directory[: self.depth]] += 1
        while len(self.pages) > _MAX_DIRECTORIES and self.depth > 1:
            self.depth -= 1
            folded: Counter[tuple[str, ...]] = Counter()
            for path, number in self.pages.items():
                folded[path[: self.depth]] += number
            self.pages = folded


@dataclass(slots=True)
class ValueKinds:
    """How the values of one key look as counts."""

    plain: int = 0
    empty: int = 0
    other: int = 0
    strings: int = 0
    """Pages on which it is quoted, empty or not."""
    numbers: int = 0
    """Pages on which it is digits alone."""


@dataclass(slots=True)
class VideoKey:
    """One key, on the pages where it holds a video."""

    pages: int = 0
    urls: int = 0
    bare: int = 0
    plausible: int = 0
    """Bare ids that end as ids do."""
    mixed: int = 0
    """Bare ids of small and capital letters, as 99 of 100 are and hardly a word is."""
    distinct: set[VideoId] = field(default_factory=set)
    """The first few."""
    directories: Directories = field(default_factory=Directories)
    suffixes: set[str] = field(default_factory=set)
    examples: list[tuple[str, str]] = field(default_factory=list)
    """Pages, and the key's value there."""
    beside: defaultdict[str, ValueKinds] = field(default_factory=lambda: defaultdict(ValueKinds))
    """The other keys of these pages."""
    same: Counter[str] = field(default_factory=Counter)
    """For each other key, the pages on which it names the same videos and perhaps more."""

    @property
    def ids(self) -> int:
        """How many values held an id."""
        return self.urls + self.bare

    def add_id(self, video_id: VideoId, text: str) -> None:
        """Count a value and the id in it."""
        if text.strip() == video_id:
            self.bare += 1
            self.plausible += is_possible(video_id)
            self.mixed += video_id != video_id.lower() and video_id != video_id.upper()
        else:
            self.urls += 1
        if len(self.distinct) < _MAX_DISTINCT:
            self.distinct.add(video_id)

    def add_page(self, path: str, leaves: Leaves, known: Mapping[str, int]) -> None:
        """Count a page, and the values of its other keys that are `known`."""
        *directory, name = path.split("/")
        self.pages += 1
        self.directories.add(tuple(directory))
        self.suffixes.add(splitext(name)[1])
        quoted_keys: dict[str, bool] = {}
        for key, text, quoted in leaves:
            if key in known:
                kinds = self.beside[key]
                if text.strip() in _EMPTY:
                    kinds.empty += 1
                elif _PLAIN_COUNT.fullmatch(text):
                    kinds.plain += 1
                else:
                    kinds.other += 1
                    continue
                if quoted or text.strip() not in _EMPTY:
                    quoted_keys[key] = quoted
        for key, quoted in quoted_keys.items():
            self.beside[key].strings += quoted
            self.beside[key].numbers += not quoted


@dataclass(slots=True)
class Survey:
    """What all pages hold."""

    values: Counter[str] = field(default_factory=Counter)
    """For each key, how many values it has that are not empty."""
    addresses: Counter[str] = field(default_factory=Counter)
    """Of these, the web addresses that name no video: a sync skips them, where it reports other words."""
    keys: dict[str, VideoKey] = field(default_factory=dict)
    """The keys that held a video."""

    def add_page(self, path: str, leaves: Leaves, recognise: Recognise) -> None:
        """Count what one page holds."""
        videos: dict[str, set[VideoId]] = {}
        times = Counter(key for key, _, _ in leaves)
        for leaf, text, _ in leaves:
            # the only value of a list belongs to the list's own key: a sync reads an id there
            key = leaf.removesuffix("[]") if times[leaf] == 1 else leaf
            if key not in self.values and (len(self.values) >= _MAX_KEYS or not _can_be_field(key)):
                continue
            self.values[key] += text.strip() not in _EMPTY
            may_hold_id = 11 <= len(text) <= 2000 and (len(text.strip()) == 11 or not _PLAIN_WORDS.fullmatch(text))
            video_id = recognise(text) if may_hold_id else None
            self.addresses[key] += video_id is None and text.strip().lower().startswith(_WEB)
            if video_id is not None and (key in self.keys or len(self.keys) < _MAX_VIDEO_KEYS):
                video_key = self.keys.setdefault(key, VideoKey())
                video_key.add_id(video_id, text)
                if key not in videos and len(video_key.examples) < _MAX_EXAMPLES:
                    video_key.examples.append((path, text))
                videos.setdefault(key, set()).add(video_id)
        for key, ids in videos.items():
            self.keys[key].add_page(path, leaves, self.values)
            self.keys[key].same.update(other for other, others in videos.items() if other != key and ids <= others)


def survey(pages: Iterable[tuple[str, Leaves]], recognise: Recognise) -> Survey:
    """Return what the pages hold, each given as its path relative to the site and its leaves."""
    found = Survey()
    for path, leaves in pages:
        *directory, name = path.split("/")
        if splitext(name)[1] and path.isprintable() and "\\" not in path and _NOT_CONTENT.isdisjoint(directory):
            found.add_page(path, leaves, recognise)
    return found


def _can_be_field(key: str) -> bool:
    """Return whether a field mapping can name the key."""
    parts = key.replace("[].", ".").split(".")
    return key.isprintable() and all(part and part == part.strip() and not re.search(r"[\[\]]", part) for part in parts)
