"""What the pages have under each key that holds a video: numbers and a few examples, never the pages."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from os.path import splitext

from syncer.front_matter.forms import MEANT_AS_COUNT
from syncer.front_matter.keys import KEYED, item_prefix
from syncer.front_matter.leaves import Leaf
from syncer.front_matter.leaves import Leaves as LeavesOfItems
from syncer.front_matter.video_id import is_possible
from syncer.model import COUNT_PATTERN, VideoId

Leaves = Sequence[Leaf]
"""What one page or data file has: dotted keys (`videos[].id`), the text of their values, and whether it is quoted."""

Recognise = Callable[[str], VideoId | None]
"""Returns the video ID that a text is, or that its YouTube URL has; None for any other text."""

_MAX_EXAMPLES = 3
"""Pages of each key that are kept as examples."""
_MAX_KEYS = 5_000
"""Where keys are data, each page has new ones."""
_MAX_VIDEO_KEYS = 50
_MAX_DIRECTORIES = 1_000
NOT_PUBLISHED = frozenset({"_drafts", "_site", "archetypes", "archive", "archives", "_archive", "themes", "vendor"})
"""Directories that hold no pages of the site itself, or none that are updated, whatever the letter case."""
_PLAIN_COUNT = re.compile(COUNT_PATTERN)
_NULLS = {"", "null", "~"}
_WEB = ("https://", "http://")
_YOUTUBE = re.compile(r"(?:you[ _-]?tube|yt)(?:\.com)?(?:[ _-]\w{1,20})?", re.IGNORECASE)
"""A word that says where a video is."""
_SAYS_YOUTUBE = re.compile(r"(?:is|on|from|has|in)?(?:youtube|yt)(?:videos?)?")
_SAYS_ANOTHER = re.compile(r"(?:is|on|from|has|in)?(?:vimeo|peertube|dailymotion|wistia|twitch|external)(?:videos?)?")
"""Keys whose yes, or no, says that a video is YouTube's: `isYouTube`, `is_vimeo`."""
_YES = frozenset({"true", "yes", "on", "y", "1"})
_NO = frozenset({"false", "no", "off", "n", "0"})
_MAX_CONDITIONS = 20
_PLAIN_WORDS = re.compile(r"(?!(?:vnd\.)?youtube:)[^/=]*", re.IGNORECASE)
"""What is neither an address nor an ID with parameters."""


@dataclass(slots=True)
class Directories:
    """Which directories pages are in. Their number is bounded: the deepest levels are merged first."""

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
    meant: int = 0
    """Texts that are meant as a count, and that a sync would not write over."""
    other: int = 0
    strings: int = 0
    """Pages on which it is quoted, empty or not."""
    numbers: int = 0
    """Pages on which it is digits alone."""

    def add(self, text: str) -> bool:
        """Count a value; return whether it is meant as a count, and not one."""
        is_plain = _PLAIN_COUNT.fullmatch(text) is not None
        is_meant = not is_plain and not _is_empty(text) and MEANT_AS_COUNT.fullmatch(text.strip()) is not None
        self.plain += is_plain
        self.empty += _is_empty(text)
        self.meant += is_meant
        self.other += not (is_plain or is_meant or _is_empty(text))
        return is_meant


@dataclass(slots=True)
class Condition:
    """A value of another key of the same page or item that may say that the video is YouTube's."""

    videos: set[VideoId] = field(default_factory=set)
    """The videos beside this value."""
    ids: int = 0
    """How often a likely ID or a URL is beside it."""
    others: int = 0
    """How often another text is."""
    pages: int = 0
    last_page: str = ""


@dataclass(slots=True)
class VideoKey:
    """One key, on the pages where it holds a video."""

    pages: int = 0
    urls: int = 0
    bare: int = 0
    plausible: int = 0
    """Bare IDs that end as IDs do."""
    mixed: int = 0
    """Bare IDs of small and capital letters, as 99 of 100 are and hardly a word is."""
    distinct: set[VideoId] = field(default_factory=set)
    directories: Directories = field(default_factory=Directories)
    suffixes: set[str] = field(default_factory=set)
    examples: list[tuple[str, str]] = field(default_factory=list)
    """Pages, and the key's value there."""
    beside: defaultdict[str, ValueKinds] = field(default_factory=lambda: defaultdict(ValueKinds))
    """The other keys of these pages."""
    meant_on: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """For keys with texts that are `ValueKinds.meant`, a few of the pages."""
    same: Counter[str] = field(default_factory=Counter)
    """For each other key, the pages on which it names the same videos and perhaps more, and in no list beside its."""
    together: set[str] = field(default_factory=set)
    """Other keys with a video in the same page or item."""
    conditions: dict[tuple[str, str], Condition] = field(default_factory=dict)
    """By key and value."""
    likely: int = 0
    """Values that are a URL, or an ID that is hardly a word."""
    others: int = 0
    """Values that are neither a video nor a web address: a sync reports them."""

    @property
    def ids(self) -> int:
        """How many values have a video ID."""
        return self.urls + self.bare

    def add_id(self, video_id: VideoId, text: str) -> None:
        """Count a value and the video ID in it."""
        if text.strip() == video_id:
            self.bare += 1
            self.plausible += is_possible(video_id)
            self.mixed += _is_mixed(video_id)
        else:
            self.urls += 1
        self.distinct.add(video_id)

    def add_value(self, path: str, text: str, video_id: VideoId | None, beside: Sequence[tuple[str, str]]) -> None:
        """Count a value that is a video or is reported, with the values of the same item that may be conditions."""
        likely = is_likely(text, video_id)
        is_other = video_id is None or not (likely or is_possible(video_id))
        self.likely += likely
        self.others += is_other
        for pair in beside:
            if pair in self.conditions or len(self.conditions) < _MAX_CONDITIONS:
                condition = self.conditions.setdefault(pair, Condition())
                condition.ids += likely
                condition.others += is_other
                condition.pages += condition.last_page != path
                condition.last_page = path
                if video_id is not None:
                    condition.videos.add(video_id)

    def add_page(self, path: str, leaves: Leaves, known: Mapping[str, int], items: AbstractSet[int]) -> None:
        """Count a page, and the values of its other keys that are `known`, if they are in one of the items."""
        *directory, name = path.split("/")
        self.pages += 1
        self.directories.add(tuple(directory))
        self.suffixes.add(splitext(name)[1])
        quoted_keys: dict[str, bool] = {}
        for number, (key, text, quoted) in enumerate(leaves):
            if key in known:
                kinds = self.beside[key]
                if _item_of(leaves, number) not in items:
                    continue
                if kinds.add(text):
                    pages = self.meant_on.get(key, ())
                    if len(pages) < _MAX_EXAMPLES and path not in pages:
                        self.meant_on[key] = (*pages, path)
                elif _PLAIN_COUNT.fullmatch(text) or (quoted and _is_empty(text)):
                    quoted_keys[key] = quoted
            elif key.endswith("[]") and len(self.beside) < _MAX_KEYS:
                self.beside[key].add(text)
        for key, quoted in quoted_keys.items():
            self.beside[key].strings += quoted
            self.beside[key].numbers += not quoted

    def add_others(self, own: str, videos: Mapping[str, set[VideoId]], items: Mapping[str, set[int]]) -> None:
        """Compare this key, by its name, with the others of a page: their videos, and the items that these are in."""
        for other in videos.keys() - {own}:
            if items[own] & items[other]:
                self.together.add(other)
            if videos[own] <= videos[other] and not _are_apart(own, other):
                self.same[other] += 1


@dataclass(slots=True)
class Survey:
    """What all pages hold, or all data files of a kind."""

    values: Counter[str] = field(default_factory=Counter)
    """For each key, how many values it has that are not empty."""
    addresses: Counter[str] = field(default_factory=Counter)
    """Of these, the web addresses that name no video: a sync skips them, and reports any other text."""
    keys: dict[str, VideoKey] = field(default_factory=dict)
    """The keys that hold a video."""
    lists: dict[str, str] = field(default_factory=dict)
    """Keys with several videos in one list, which a field mapping cannot name; for each, the first page."""
    unpublished: Counter[tuple[str, str]] = field(default_factory=Counter)
    """For directories that are usually not published, and keys: the pages there that name a video under the key."""

    def add_page(self, path: str, leaves: Leaves, recognise: Recognise, *, is_table: bool = False) -> None:
        """Count what one page or data file holds. `is_table`: its keys are names of columns."""
        videos: dict[str, set[VideoId]] = {}
        items: defaultdict[str, set[int]] = defaultdict(set)
        times = Counter(key for key, _, _ in leaves)
        conditions = _conditions(leaves)
        read: list[tuple[str, str, VideoId | None, Sequence[tuple[str, str]]]] = []
        for number, (leaf, text, _) in enumerate(leaves):
            key = leaf.removesuffix("[]") if times[leaf] == 1 else leaf  # a list of one ID is read as that ID
            if (
                leaf.endswith("[]")
                and times[leaf] > 1
                and leaf.removesuffix("[]") not in self.lists
                and recognise(text)
            ):
                self.lists[leaf.removesuffix("[]")] = path
            can_be_field = bool(key.strip()) if is_table else _can_be_field(key)
            if key not in self.values and (len(self.values) >= _MAX_KEYS or not can_be_field):
                continue
            self.values[key] += not _is_empty(text)
            video_id = recognise(text) if _may_hold_id(text) else None
            is_address = video_id is None and text.strip().lower().startswith(_WEB)
            self.addresses[key] += is_address
            if not (is_address or _is_empty(text)):
                near = conditions.get(_item_of(leaves, number), [])
                read.append((key, text, video_id, [pair for pair in near if pair[0] != key]))
            if video_id is not None and (key in self.keys or len(self.keys) < _MAX_VIDEO_KEYS):
                video_key = self.keys.setdefault(key, VideoKey())
                video_key.add_id(video_id, text)
                if key not in videos and len(video_key.examples) < _MAX_EXAMPLES:
                    video_key.examples.append((path, text))
                videos.setdefault(key, set()).add(video_id)
                items[key].add(_item_of(leaves, number))
        for key, text, video_id, pairs in read:
            if key in self.keys:
                self.keys[key].add_value(path, text, video_id, pairs)
        for key in videos:
            self.keys[key].add_page(path, leaves, self.values, items[key])
            self.keys[key].add_others(key, videos, items)


def survey(pages: Iterable[tuple[str, Leaves]], recognise: Recognise) -> Survey:
    """Return what the pages have. Each is its path relative to the site, with `/`, and its front matter's leaves.

    Pages are read once, one by one, and not kept.
    """
    found = Survey()
    for path, leaves in pages:
        *directory, name = path.split("/")
        if not splitext(name)[1] or not path.isprintable() or "\\" in path:
            continue
        level = next((level for level, part in enumerate(directory, 1) if part.lower() in NOT_PUBLISHED), None)
        if level is None:
            found.add_page(path, leaves, recognise)
        elif len(found.unpublished) < _MAX_DIRECTORIES:
            keys = {key for key, text, _ in leaves if _may_hold_id(text) and recognise(text)}
            found.unpublished.update(("/".join(directory[:level]), key.removesuffix("[]")) for key in keys)
    return found


def _are_apart(key: str, other: str) -> bool:
    """Return whether two keys are in lists of which neither is inside the other: each item has counts of its own."""
    lists = sorted(item_prefix(each) for each in (key, other))
    return all("[]" in each for each in lists) and not lists[1].startswith(lists[0])


def _item_of(leaves: Leaves, number: int) -> int:
    return leaves.items[number] if isinstance(leaves, LeavesOfItems) else 0


def _conditions(leaves: Leaves) -> dict[int, list[tuple[str, str]]]:
    """Return the keys and values of each item that may say that its video is YouTube's."""
    found: dict[int, list[tuple[str, str]]] = {}
    if isinstance(leaves, LeavesOfItems):
        for (key, text, _), item in zip(leaves, leaves.items, strict=True):
            if not key.endswith("[]") and (_YOUTUBE.fullmatch(text) or _says_youtube(key, text)):
                found.setdefault(item, []).append((key, text))
    return found


def _says_youtube(key: str, text: str) -> bool:
    """Return whether the key is a question whose answer says that a video is YouTube's: `is_youtube: true`."""
    word = re.sub("[^a-z]", "", key.rpartition(".")[2].lower())
    asked = _YES if _SAYS_YOUTUBE.fullmatch(word) else _NO if _SAYS_ANOTHER.fullmatch(word) else ()
    return text.lower() in asked


def is_likely(text: str, video_id: VideoId | None) -> bool:
    """Return whether a text with this video is a URL, or an ID that is hardly a word."""
    return video_id is not None and (text.strip() != video_id or _is_mixed(video_id))


def _is_mixed(video_id: VideoId) -> bool:
    """Return whether an ID has capital and small letters, as 99 of 100 have and no slug has."""
    return video_id != video_id.lower() and video_id != video_id.upper()


def _may_hold_id(text: str) -> bool:
    return 11 <= len(text) <= 2000 and (len(text.strip()) == 11 or not _PLAIN_WORDS.fullmatch(text))


def _is_empty(text: str) -> bool:
    return text.strip().lower() in _NULLS


def _can_be_field(key: str) -> bool:
    """Return whether a field mapping can name the key."""
    parts = key.removeprefix("[].").replace("[].", ".").split(".")
    return key.isprintable() and all(
        part == KEYED or (part and part == part.strip() and not re.search(r"[\[\]{}]", part)) for part in parts
    )
