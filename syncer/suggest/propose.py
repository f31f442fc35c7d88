"""Which collections a config should have, by what a site's pages have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile

from syncer.front_matter.keys import fold_key, part_by_case
from syncer.front_matter.video_id import is_possible
from syncer.model import Count, Fields
from syncer.suggest.survey import Directories, Survey, VideoKey

_MAX_PROPOSALS = 5
_MAX_PATTERNS = 12
_VIDEO_WORD = re.compile("youtube|video|^yt|^vid|^media$|^url$|^externalurl$")
_WORDS = {Count.VIEWS: "view", Count.LIKES: "like", Count.COMMENTS: "comment"}
_PROPOSED = {
    "snake": {Count.VIEWS: "view_count", Count.LIKES: "like_count"},
    "camel": {Count.VIEWS: "viewCount", Count.LIKES: "likeCount"},
    "kebab": {Count.VIEWS: "view-count", Count.LIKES: "like-count"},
    "lower": {Count.VIEWS: "viewcount", Count.LIKES: "likecount"},
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """One collection that the config could have, and why."""

    directory: str
    """Relative to the site, `.` for the site itself."""
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    """Directories in it that are usually not published and have pages with videos."""
    fields: Fields
    """`insert_missing` is true where the pages have no counts yet."""
    pages: int
    """How many pages have a video under the key."""
    videos: int
    """How many videos they have; the same video on two pages is one."""
    examples: tuple[tuple[str, str], ...]
    """A few pages, and the key's value there."""


def suggest(found: Survey) -> list[Proposal]:
    """Return the collections that the pages suggest, the one with most pages first; none if no page has a video."""
    keys = found.keys
    chosen: list[str] = []
    for key in sorted(keys, key=lambda key: _rank(key, keys[key])):
        repeats = any(keys[key].same[other] * 2 >= keys[key].pages for other in chosen)  # names the same videos
        if not repeats and _holds_videos(key, found):
            chosen.append(key)
    most = max((keys[key].pages for key in chosen), default=0)
    return [_propose(key, found) for key in chosen if keys[key].pages * 50 >= most][:_MAX_PROPOSALS]


def impossible_ids(found: Survey) -> tuple[str, int, str] | None:
    """Return the key, among those named for videos, with most IDs that YouTube never issues: how many, and one."""
    wrong = [
        (video_key.bare - video_key.plausible, key, text)
        for key, video_key in found.keys.items()
        for _, text in video_key.examples
        if _named_for_videos(key) and not is_possible(text.strip())
    ]
    ids, key, text = max(wrong, default=(0, "", ""))
    return (key, ids, text) if ids else None


def passed_over(found: Survey) -> tuple[str, int] | None:
    """Return the key with most videos, in URLs or under a name for videos, whether proposed or not: how many values."""
    names = [(each.urls + _named_for_videos(key) * each.plausible, key) for key, each in found.keys.items()]
    videos, key = max(names, default=(0, ""))
    return (key, videos) if videos else None


def _rank(key: str, video_key: VideoKey) -> tuple[object, ...]:
    """Order keys: most pages first; then those named for videos, IDs before URLs, the shorter, the alphabet."""
    return -video_key.pages, not _named_for_videos(key), video_key.urls > video_key.bare, len(key), key


def _named_for_videos(key: str) -> bool:
    return any(_VIDEO_WORD.search(_word(part)) for part in key.split("."))


def _word(part: str) -> str:
    return re.sub("[^a-z0-9]", "", part.lower())


def _holds_videos(key: str, found: Survey) -> bool:
    """Return whether the key is for videos, and not for links of all kinds or for words of 11 characters."""
    video_key = found.keys[key]
    share = video_key.ids / found.values[key]
    if _named_for_videos(key):
        sound = 2 * video_key.ids >= found.values[key] - found.addresses[key]
        return sound and share >= 0.2 and video_key.plausible >= 0.6 * video_key.bare
    if video_key.urls >= video_key.bare:
        return share >= 0.5
    few_words = min(video_key.plausible, video_key.mixed) >= 0.9 * video_key.bare
    return share >= 0.8 and len(video_key.distinct) > 1 and few_words


def _propose(key: str, found: Survey) -> Proposal:
    video_key = found.keys[key]
    directory, include = _where(video_key.directories, sorted(video_key.suffixes))
    counts = _counts_beside(key, video_key)
    before = "".join(key.rpartition("[].")[:2])
    kinds = [video_key.beside[before + name] for name in counts.values()]
    quoted = sum(kind.strings for kind in kinds) > sum(kind.numbers for kind in kinds)
    fields = Fields(key, counts or _new_counts(key, video_key), not counts, "string" if quoted else "number")
    prefix = "" if directory == "." else f"{directory.removeprefix('./')}/"
    inside = sorted(path for path, other in found.unpublished if other == key and path.startswith(prefix))
    exclude = tuple(f"/{_literal(path.removeprefix(prefix))}/" for path in inside)
    return Proposal(
        directory, include, exclude, fields, video_key.pages, len(video_key.distinct), tuple(video_key.examples)
    )


def _where(directories: Directories, suffixes: list[str]) -> tuple[str, tuple[str, ...]]:
    """Return the directory that has all the pages, and the patterns for them: narrow ones where it is the site."""
    pairs = zip(min(directories.pages), max(directories.pages), strict=False)  # in order: the first and the last
    common = tuple(part for part, other in takewhile(lambda pair: pair[0] == pair[1], pairs))
    if common:
        home = "./" if common[0].startswith("~") else ""  # a config's path cannot begin with a tilde
        return home + "/".join(common), tuple(f"**/*{suffix}" for suffix in map(_literal, suffixes))
    tops = sorted({path[0] if path else "" for path in directories.pages})
    if "" in tops or len(tops) * len(suffixes) > _MAX_PATTERNS:
        tops = ["**"]
    else:
        tops = [_literal(top) + "/**" for top in tops]
    return ".", tuple(f"{top}/*{suffix}" for top in tops for suffix in map(_literal, suffixes))


def _literal(text: str) -> str:
    """Return the pattern that matches exactly this text."""
    return re.sub(r"([*?\[\]!# ])", r"\\\1", text)


def _counts_beside(key: str, video_key: VideoKey) -> dict[Count, str]:
    """Return the count keys beside the video ID: of several, the one on most pages.

    A key is one by its name and by its values: all are numbers or empty, or the name ends in `count`.
    """
    found: dict[Count, tuple[int, str]] = {}
    own = key.rpartition("[].")[2]
    for other, kinds in video_key.beside.items():
        name = _beside(key, other)
        count = _count_of(name) if name else None
        values = kinds.plain + kinds.empty + kinds.other
        telling = kinds.plain or (kinds.empty and count is not Count.COMMENTS) or _word(other).endswith("count")
        clashes = any(
            part_by_case(name, taken) or name.startswith(f"{taken}.") or taken.startswith(f"{name}.")
            for taken in (own, *(one for counted, (_, one) in found.items() if counted != count))
        )
        if count and telling and not clashes and kinds.other <= kinds.plain and values > found.get(count, (0, ""))[0]:
            found[count] = values, name
    return {count: found[count][1] for count in Count if count in found}


def _beside(key: str, other: str) -> str:
    """Return the other key as a config would name a count of this video; empty where it is too far away."""
    list_path, _, in_item = key.rpartition("[].")
    prefix = f"{list_path}[]." if list_path else ""
    parent = in_item.rpartition(".")[0]
    name = other.removeprefix(prefix)
    if other == key or not other.startswith(prefix) or "[]" in name:
        return ""
    return (
        name if name.rpartition(".")[0] in (parent, "") or name.startswith(f"{parent}." if parent else "stat") else ""
    )


def _count_of(name: str) -> Count | None:
    """Return the count that a key of this name holds: `views`, `viewCount`, `youtube_views`, `stats.view_count`."""
    word = re.sub("^(youtube|yt|video)", "", _word(name.rpartition(".")[2]))
    return next(
        (count for count, stem in _WORDS.items() if word in (stem + "s", stem + "count", stem + "scount")), None
    )


def _new_counts(key: str, video_key: VideoKey) -> Mapping[Count, str]:
    """Return keys for counts that no page has yet: beside the video ID, and in the style of the site's other keys."""
    before, dot, last = key.rpartition(".")
    in_item = before.rpartition("[]")[2].removeprefix(".")
    parent = f"{in_item}." if in_item else ""
    others = (re.split(r"[.\[]", other.removeprefix(before + dot))[0] for other in video_key.beside)
    taken = {fold_key(name) for name in (last, *others)}
    counts = {}
    for count, name in _PROPOSED[_style(last, video_key)].items():
        free = name
        while fold_key(free) in taken:
            free = f"youtube_{free}"
        counts[count] = parent + free
    return counts


def _style(last: str, video_key: VideoKey) -> str:
    own = _style_of(last)
    if own:
        return own
    if re.fullmatch("(video|vid|youtube|yt)id", last):
        return "lower"
    others = Counter(filter(None, (_style_of(key.rpartition(".")[2]) for key in sorted(video_key.beside))))
    return max(others, key=others.__getitem__, default="snake")


def _style_of(name: str) -> str | None:
    if "_" in name.strip("_"):
        return "snake"
    if "-" in name.strip("-"):
        return "kebab"
    return "camel" if re.search("[a-z][A-Z]", name) else None
