"""Which collections a config should have, by what a site's pages have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile

from syncer.front_matter.keys import KEYED, fold_key, item_prefix, part_by_case
from syncer.front_matter.video_id import is_possible
from syncer.model import Count, CountType, Fields, Format
from syncer.suggest.survey import Condition, Directories, Survey, VideoKey

_MAX_PROPOSALS = 5
MAX_PATTERNS = 12
_EXPLAINED = 0.95
"""The share of the videos, and of the other texts, that a condition must separate."""
_VIDEO_WORD = re.compile("youtube|video|^yt|^vid")
_PERHAPS_VIDEO_WORD = re.compile("^media$|^url$|^externalurl$")
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
    odd_pages: tuple[str, ...] = ()
    """A few pages with counts that a sync leaves alone, such as `31,147`."""
    files: tuple[str, ...] = ()
    """The data files with videos under the key, in no order."""
    has_numbers: bool = False
    """Whether most of the counts that are there are numbers without quotes."""
    with_counts: int | None = None
    """On how many pages, or of a list on how many items, the counts are that others have not; None: not known."""
    slots: int = 0
    """How many pages or items with a video there are."""

    @property
    def format(self) -> Format:
        """How the files are read."""
        return self.fields.format or Format.FRONT_MATTER


def suggest(found: Survey) -> list[Proposal]:
    """Return the collections that the pages suggest, the one with most pages first; none if no page has a video."""
    keys = found.keys
    chosen = video_keys(found)
    most = max((keys[key].pages for key in chosen), default=0)
    proposals: list[Proposal] = []
    for proposal in (propose(key, found) for key in chosen if keys[key].pages * 50 >= most):
        if not any(clash(proposal, other, keys[proposal.fields.video_id]) for other in proposals):
            proposals.append(proposal)
    return proposals[:_MAX_PROPOSALS]


def clash(proposal: Proposal, other: Proposal, video_key: VideoKey) -> bool:
    """Return whether two videos of one page or item would have their counts under one key: a sync reports that."""
    own, others = proposal.fields, other.fields
    is_beside = others.video_id in video_key.together and item_prefix(own.video_id) == item_prefix(others.video_id)
    return is_beside and not set(own.counts.values()).isdisjoint(others.counts.values())


def video_keys(found: Survey) -> list[str]:
    """Return the keys that are for videos, best first: of several for the same videos, one."""
    keys = found.keys
    chosen: list[str] = []
    for key in sorted(keys, key=lambda key: _rank(key, keys[key])):
        repeats = any(keys[key].same[other] * 2 >= keys[key].pages for other in chosen)  # names the same videos
        if not repeats and f"{KEYED}." not in key and (_condition(keys[key]) or holds_videos(key, found)):
            chosen.append(key)
    return chosen


def impossible_ids(found: Survey) -> tuple[str, int, str] | None:
    """Return the key, among those named for videos, with most IDs that YouTube never issues: how many, and one."""
    wrong = [
        (video_key.bare - video_key.plausible, key, text)
        for key, video_key in found.keys.items()
        for _, text in video_key.examples
        if is_named_for_videos(key) and not is_possible(text.strip())
    ]
    ids, key, text = max(wrong, default=(0, "", ""))
    return (key, ids, text) if ids else None


def passed_over(found: Survey) -> tuple[str, int] | None:
    """Return the key with most videos, in URLs or under a name for videos, whether proposed or not: how many values."""
    names = [(each.urls + is_named_for_videos(key) * each.plausible, key) for key, each in found.keys.items()]
    videos, key = max(names, default=(0, ""))
    return (key, videos) if videos else None


def _rank(key: str, video_key: VideoKey) -> tuple[object, ...]:
    """Order keys: most pages first; then those named for videos, IDs before URLs, the clearest name, the shorter."""
    is_clear = is_named_for_videos(key, clearly=True)
    return -video_key.pages, not is_named_for_videos(key), video_key.urls > video_key.bare, not is_clear, len(key), key


def is_named_for_videos(key: str, *, clearly: bool = False) -> bool:
    """Return whether a word of a key, or of a file's name, is one for videos; `clearly`: not one such as `url`."""
    words = [_word(part) for part in key.split(".")]
    return any(_VIDEO_WORD.search(word) or (not clearly and _PERHAPS_VIDEO_WORD.search(word)) for word in words)


def _word(part: str) -> str:
    return re.sub("[^a-z0-9]", "", part.lower())


def holds_videos(key: str, found: Survey, *, named: bool = False) -> bool:
    """Return whether the key is for videos, and not for links of all kinds or for words of 11 characters.

    `named`: something other than the key says that it is for videos.
    """
    video_key = found.keys[key]
    share = video_key.ids / found.values[key]
    if named or key.endswith(KEYED) or is_named_for_videos(key):
        sound = 2 * video_key.ids >= found.values[key] - found.addresses[key]
        return sound and share >= 0.2 and video_key.plausible >= 0.6 * video_key.bare
    if video_key.urls >= video_key.bare:
        return share >= 0.5
    few_words = min(video_key.plausible, video_key.mixed) >= 0.9 * video_key.bare
    return share >= 0.8 and len(video_key.distinct) > 1 and few_words


def _condition(video_key: VideoKey) -> tuple[str, str, Condition] | None:
    """Return the key and the value that separate nearly all YouTube videos from nearly all other texts, if any do.

    None if there are no other texts: then all are videos.
    """
    for (key, value), condition in sorted(video_key.conditions.items(), key=lambda pair: -pair[1].ids):
        wrong = video_key.others - condition.others
        if (
            condition.ids
            and wrong
            and condition.ids >= _EXPLAINED * video_key.likely
            and wrong >= _EXPLAINED * video_key.others
        ):
            return key, value, condition
    return None


def propose(key: str, found: Survey, form: Format | None = None) -> Proposal:
    """Return the collection of pages, or of data files in this format, with this key."""
    video_key = found.keys[key]
    directory, include = _where(video_key.directories, sorted(video_key.suffixes))
    counts = counts_beside(key, video_key)
    before = item_prefix(key)
    condition = _condition(video_key)
    where = {condition[0].removeprefix(before): condition[1]} if condition else {}
    kinds = [video_key.beside[before + name] for name in counts.values()]
    strings, numbers = sum(kind.strings for kind in kinds), sum(kind.numbers for kind in kinds)
    insert_as: CountType = "string" if strings > numbers else "number"
    fields = Fields(key, counts or _new_counts(key, video_key), not counts, insert_as, format=form, where=where)
    prefix = "" if directory == "." else f"{directory.removeprefix('./')}/"
    inside = sorted(path for path, other in found.unpublished if other == key and path.startswith(prefix))
    exclude = tuple(f"/{literal(path.removeprefix(prefix))}/" for path in inside)
    pages, videos = video_key.pages, len(video_key.distinct)
    if condition:
        pages, videos = condition[2].pages, len(condition[2].videos)
    odd = dict.fromkeys(path for name in counts.values() for path in video_key.meant_on.get(before + name, ()))
    examples, is_number = tuple(video_key.examples), numbers > strings
    found_on = max((kind.plain + kind.empty + kind.meant + kind.other for kind in kinds), default=0)
    return Proposal(
        directory,
        include,
        exclude,
        fields,
        pages,
        videos,
        examples,
        tuple(odd),
        has_numbers=is_number,
        with_counts=None if condition or not counts else found_on,
        slots=video_key.ids,
    )


def _where(directories: Directories, suffixes: list[str]) -> tuple[str, tuple[str, ...]]:
    """Return the directory that has all the pages, and the patterns for them: narrow ones where it is the site."""
    pairs = zip(min(directories.pages), max(directories.pages), strict=False)  # in order: the first and the last
    common = tuple(part for part, other in takewhile(lambda pair: pair[0] == pair[1], pairs))
    if common:
        home = "./" if common[0].startswith("~") else ""  # a config's path cannot begin with a tilde
        return home + "/".join(common), tuple(f"**/*{suffix}" for suffix in map(literal, suffixes))
    tops = sorted({path[0] if path else "" for path in directories.pages})
    is_wide = "" in tops or len(tops) * len(suffixes) > MAX_PATTERNS
    tops = ["**"] if is_wide else [literal(top) + "/**" for top in tops]
    return ".", tuple(f"{top}/*{suffix}" for top in tops for suffix in map(literal, suffixes))


def literal(text: str) -> str:
    """Return the pattern that matches exactly this text."""
    return re.sub(r"([*?\[\]!# ])", r"\\\1", text)


def counts_beside(key: str, video_key: VideoKey) -> dict[Count, str]:
    """Return the count keys beside the video ID: of several, the one on most pages.

    A key is one by its name and by its values: most are numbers, empty or meant as numbers, or the name ends in
    `count`. Of two keys, `views: 31147` is preferred to `views: "31,147"`, which a sync leaves alone.
    """
    found: dict[Count, tuple[tuple[int, int], str]] = {}
    own = key.removeprefix(item_prefix(key))
    for other, kinds in video_key.beside.items():
        name = _beside(key, other)
        count = _count_of(name) if name else None
        values = kinds.plain + kinds.empty, kinds.meant + kinds.other
        numbers = kinds.plain + kinds.meant
        telling = numbers or (kinds.empty and count is not Count.COMMENTS) or _word(other).endswith("count")
        clashes = any(
            part_by_case(name, taken) or name.startswith(f"{taken}.") or taken.startswith(f"{name}.")
            for taken in (own, *(one for counted, (_, one) in found.items() if counted != count))
        )
        is_most = values > found.get(count, ((0, 0), ""))[0] if count else False
        if count and is_most and telling and not clashes and kinds.other <= numbers:
            found[count] = values, name
    return {count: found[count][1] for count in Count if count in found}


def _beside(key: str, other: str) -> str:
    """Return the other key as a config would name a count of this video; empty where it is too far away."""
    prefix = item_prefix(key)
    parent = key.removeprefix(prefix).rpartition(".")[0] if not prefix.endswith(f"{KEYED}.") else ""
    name = other.removeprefix(prefix)
    if other == key or not other.startswith(prefix) or "[]" in name or KEYED in name:
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
    """Return keys for counts that no page has yet: beside the video ID, and in the style of the site's other keys.

    Where a list or a table of numbers has the name of a count, that count has no second key.
    """
    before, dot, last = key.rpartition(".")
    if last == KEYED:
        before, dot, last = key, ".", ""
    in_item = "" if not last else before.rpartition("[]")[2].removeprefix(".")
    parent = f"{in_item}." if in_item else ""
    others = {other: re.split(r"[.\[]", other.removeprefix(before + dot), maxsplit=1) for other in video_key.beside}
    taken = {fold_key(name) for name in (last, *(name for name, *_ in others.values()))}
    structured = {
        _count_of(name)
        for other, (name, *below) in others.items()
        if below and (video_key.beside[other].plain or video_key.beside[other].meant)
    }
    proposed = _PROPOSED[_style(last, video_key)]
    counts = {}
    for count, name in proposed.items():
        if count in structured and not structured.issuperset(proposed):
            continue
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
