"""From what was seen of a site to the collections that its config should name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile

from syncer.front_matter.keys import fold_key, part_by_case
from syncer.model import Count, CountType, Fields
from syncer.suggest.seen import Leaves, Places, Recognise, Seen, Site, look

_MOST_PROPOSALS = 5
_MOST_PATTERNS = 12
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
    """One collection that the config could name, and why."""

    directory: str
    """Relative to the site, `.` for the site itself."""
    include: tuple[str, ...]
    fields: Fields
    """`insert_missing` is true where the pages hold no counts yet."""
    pages: int
    """How many pages name a video under the key."""
    videos: int
    """How many videos they name; one that stands in two places counts twice."""
    examples: tuple[tuple[str, str], ...]
    """A few pages, and what stands under the key there."""


def suggest(pages: Iterable[tuple[str, Leaves]], recognise: Recognise) -> list[Proposal]:
    """Return the collections that the pages speak for, the one with most pages first; none if no video was found.

    Each page is its path relative to the site, with `/`, and its front matter's leaves. Pages are looked at once, one
    by one, and not kept.
    """
    site = look(pages, recognise)
    chosen: list[str] = []
    for key in sorted(site.keys, key=lambda key: _rank(key, site.keys[key])):
        if _holds_videos(key, site) and not _repeats(site.keys[key], chosen):
            chosen.append(key)
    most = max((site.keys[key].pages for key in chosen), default=0)
    return [_propose(key, site.keys[key]) for key in chosen if site.keys[key].pages * 50 >= most][:_MOST_PROPOSALS]


def _rank(key: str, seen: Seen) -> tuple[object, ...]:
    """Order keys: most pages first; among equals a telling name, ids before URLs, the shorter, the alphabet."""
    return -seen.pages, not _named_for_videos(key), seen.urls > seen.bare, len(key), key


def _named_for_videos(key: str) -> bool:
    return any(_VIDEO_WORD.search(_word(part)) for part in key.split("."))


def _word(part: str) -> str:
    return re.sub("[^a-z0-9]", "", part.lower())


def _holds_videos(key: str, site: Site) -> bool:
    """Tell whether the key is meant for videos: not for links of all kinds, nor for words of 11 characters."""
    seen = site.keys[key]
    share = seen.ids / site.values[key]
    if _named_for_videos(key):
        sound = 2 * seen.ids >= site.values[key] - site.addresses[key]
        return sound and share >= 0.2 and seen.plausible >= 0.6 * seen.bare
    if seen.urls >= seen.bare:
        return share >= 0.5
    return share >= 0.8 and len(seen.distinct) > 1 and min(seen.plausible, seen.mixed) >= 0.9 * seen.bare


def _repeats(seen: Seen, chosen: Iterable[str]) -> bool:
    """Tell whether a chosen key names the same videos on most of the pages."""
    return any(seen.same[key] * 2 >= seen.pages for key in chosen)


def _propose(key: str, seen: Seen) -> Proposal:
    directory, include = _where(seen.places, sorted(seen.suffixes))
    counts = _counts_beside(key, seen)
    fields = Fields(key, counts or _new_counts(key, seen), not counts, _type_of(key, counts, seen))
    return Proposal(directory, include, fields, seen.pages, seen.ids, tuple(seen.examples))


def _where(places: Places, suffixes: list[str]) -> tuple[str, tuple[str, ...]]:
    """Return the directory that holds all the pages, and the globs for them: narrow ones where it is the site."""
    common = _common(min(places.pages), max(places.pages))
    if common:
        home = "./" if common[0].startswith("~") else ""  # a config's path cannot begin with a tilde
        return home + "/".join(common), tuple(f"**/*{suffix}" for suffix in map(_literal, suffixes))
    tops = sorted({place[0] if place else "" for place in places.pages})
    if "" in tops or len(tops) * len(suffixes) > _MOST_PATTERNS:
        tops = ["**"]
    else:
        tops = [_literal(top) + "/**" for top in tops]
    return ".", tuple(f"{top}/*{suffix}" for top in tops for suffix in map(_literal, suffixes))


def _common(first: tuple[str, ...], last: tuple[str, ...]) -> tuple[str, ...]:
    """Return what all places begin with, given the first and the last of them in their order."""
    pairs = zip(first, last, strict=False)
    return tuple(part for part, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _literal(text: str) -> str:
    """Return the glob that stands for this very text."""
    return re.sub(r"([*?\[\]!# ])", r"\\\1", text)


def _counts_beside(key: str, seen: Seen) -> dict[Count, str]:
    """Return the count keys that stand beside the id, by the most pages that have them."""
    found: dict[Count, tuple[int, str]] = {}
    own = key.rpartition("[].")[2]
    for other, tally in seen.beside.items():
        name = _beside(key, other)
        count = _count_of(name) if name else None
        values = tally.plain + tally.empty + tally.other
        telling = tally.plain or _word(other).endswith("count")
        alike = any(
            part_by_case(name, taken)
            for taken in (own, *(one for counted, (_, one) in found.items() if counted != count))
        )
        if count and telling and not alike and tally.other <= tally.plain and values > found.get(count, (0, ""))[0]:
            found[count] = values, name
    return {count: found[count][1] for count in Count if count in found}


def _beside(key: str, other: str) -> str:
    """Return the other key as a count of this id would be named; empty where it stands too far away."""
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


def _type_of(key: str, counts: Mapping[Count, str], seen: Seen) -> CountType:
    """Return the type that the counts have on most pages; without any: number."""
    before = "".join(key.rpartition("[].")[:2])
    tallies = [seen.beside[before + name] for name in counts.values()]
    return "string" if sum(one.strings for one in tallies) > sum(one.numbers for one in tallies) else "number"


def _new_counts(key: str, seen: Seen) -> Mapping[Count, str]:
    """Return keys for counts that no page has yet, named as the site names its keys, beside the id."""
    before, dot, last = key.rpartition(".")
    in_item = before.rpartition("[]")[2].removeprefix(".")
    parent = f"{in_item}." if in_item else ""
    others = (re.split(r"[.\[]", other.removeprefix(before + dot))[0] for other in seen.beside)
    taken = {fold_key(name) for name in (last, *others)}
    names = _PROPOSED[_style(last, seen)]
    return {count: parent + _free(name, taken) for count, name in names.items()}


def _free(name: str, taken: set[str]) -> str:
    while fold_key(name) in taken:
        name = f"youtube_{name}"
    return name


def _style(last: str, seen: Seen) -> str:
    own = _style_of(last)
    if own:
        return own
    if re.fullmatch("(video|vid|youtube|yt)id", last):
        return "lower"
    others = Counter(filter(None, (_style_of(key.rpartition(".")[2]) for key in sorted(seen.beside))))
    return max(others, key=others.__getitem__, default="snake")


def _style_of(name: str) -> str | None:
    if "_" in name.strip("_"):
        return "snake"
    if "-" in name.strip("-"):
        return "kebab"
    return "camel" if re.search("[a-z][A-Z]", name) else None
