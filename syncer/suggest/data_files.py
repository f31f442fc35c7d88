"""Which collections a config should have for the data files of a site: one for all files of one shape."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from syncer.front_matter.data import is_utf16, utf16_problem
from syncer.front_matter.entries import is_own
from syncer.front_matter.find import find
from syncer.front_matter.keys import KEYED, TABLES, UNMAPPED, PageContents, format_of
from syncer.front_matter.leaves import Leaf, leaves
from syncer.model import Count, Fields, Format, Problem, ProblemKind
from syncer.suggest.propose import (
    MAX_PATTERNS,
    Proposal,
    clash,
    counts_beside,
    holds_videos,
    is_named_for_videos,
    literal,
    propose,
    video_keys,
)
from syncer.suggest.survey import NOT_PUBLISHED, Recognise, Survey, is_likely

_MAX_PROPOSALS = 8
_MAX_NAMED = 3
"""Up to so many files of a collection are named in its `include`; more by a pattern."""
_LIST_OF_VIDEOS = 4
_MAX_EXCLUDED = 50
_CHECKED_FILES = 20
"""Files of a proposal that are read with it: none with a video, and it is dropped."""
_BUILT = frozenset({"dist", "build", "config", "test", "tests", "fixtures"}) | NOT_PUBLISHED
"""Directories whose data files are built, are settings, or are samples."""
_VIDEO_FILE = re.compile("(?:youtube|yt|videos?|vids?)+")
"""The name of a file of videos, without other signs than letters."""
_TALKS = re.compile("(?:^|[^a-z])(?:talks?|webinars?|episodes?)(?:[^a-z]|$)", re.IGNORECASE)
"""In names of files and keys of what often has a video, and an ID of another kind as often."""
_SHARED = frozenset({"data", "_data"})
"""Directories for data of every kind."""
_NO_VIDEO = re.compile("thumb|image|poster|playlist|channel|avatar", re.IGNORECASE)
"""In names of keys whose texts name a video without being one, or another thing on YouTube."""

Read = Callable[[str], bytes | None]
"""Returns the content of a data file; None if it cannot be read."""


@dataclass(slots=True)
class _Group:
    """Files with videos under the same key, whose counts have the same names."""

    names: dict[Count, str]
    survey: Survey = field(default_factory=Survey)
    paths: list[str] = field(default_factory=list)
    is_certain: bool = False
    """Whether one of the files alone shows that the key is for videos."""
    is_clear: bool = False
    """Whether one of the files is a list of videos, whatever other files have under the key."""


@dataclass(slots=True)
class DataFiles:
    """What the data files of a site hold, file by file."""

    recognise: Recognise
    paths: list[str] = field(default_factory=list)
    groups: dict[tuple[Format, str], list[_Group]] = field(default_factory=dict)
    elsewhere: Counter[tuple[Format, str]] = field(default_factory=Counter)
    """How many values a key has in files that are in none of its groups."""
    refused: dict[str, Problem] = field(default_factory=dict)
    """What is wrong with files in which a sync could find no video, by path."""
    seen: dict[str, dict[str, int]] = field(default_factory=dict)
    """How many videos each file has under a key; those in a list of bare IDs under the list with `[]`."""
    counted: set[tuple[str, str]] = field(default_factory=set)
    """The files and keys with counts beside the ID: no word has those."""
    left_out: dict[str, Counter[str]] = field(default_factory=dict)
    """The same by key, of what is in no proposal: known after `proposals`."""

    def add(self, path: str, data: bytes) -> bool:
        """Note what a file holds, by its path relative to the site; return whether it may be in a proposal."""
        self.paths.append(path)
        form = format_of(UNMAPPED, path)
        if is_own(data) or _is_built(path) or not path.isprintable() or "\\" in path:
            return False
        if is_utf16(data):
            self.refused[path] = utf16_problem(path)
            return False
        found, own = leaves(data, form), Survey()
        if not found:
            self._refuse(find(data, Fields(KEYED, {}), path))
        own.add_page(path, found, self.recognise, is_table=form in TABLES)
        for key in filter(_NO_VIDEO.search, list(own.keys)):
            del own.keys[key]
        certain = video_keys(own)
        name = path.rpartition("/")[2].partition(".")[0]
        is_named = _VIDEO_FILE.fullmatch(re.sub("[^a-z]", "", name.lower())) is not None
        if is_named:
            certain += [
                key for key in own.keys if not _repeats(key, certain, own) and holds_videos(key, own, named=True)
            ]
        certain += [
            key
            for key, each in own.keys.items()
            if not certain
            and (_TALKS.search(name) or _TALKS.search(key))
            and each.likely == each.ids
            and not _repeats(key, certain, own)
            and holds_videos(key, own, named=True)
        ]
        perhaps = [
            key for key in own.keys if not _repeats(key, certain, own) and 2 * own.keys[key].ids >= own.values[key]
        ]
        keys = [key for key in (*certain, *perhaps) if _may_be_shape(key, form, path)]
        self.elsewhere.update({(form, key): number for key, number in own.values.items() if key not in keys})
        self._note(path, found, own, keys)
        for key in keys:
            names = counts_beside(key, own.keys[key])
            group = self._group(form, key, names)
            group.survey.add_page(path, found, self.recognise, is_table=form in TABLES)
            group.paths.append(path)
            self.counted |= {(path, key)} if names else set()
            group.is_certain = group.is_certain or key in certain
            is_list = len(own.keys[key].distinct) >= _LIST_OF_VIDEOS or is_named
            is_best = not any(is_named_for_videos(other, clearly=True) for other in certain)
            group.is_clear = group.is_clear or (is_list and is_best and key in certain)
            group.names |= names
        return bool(keys)

    def _group(self, form: Format, key: str, names: Mapping[Count, str]) -> _Group:
        groups = self.groups.setdefault((form, key), [])
        for group in groups:
            if all(group.names.get(count, name) == name for count, name in names.items()):
                return group
        groups.append(_Group(dict(names)))
        return groups[-1]

    def proposals(self, read: Read) -> list[Proposal]:
        """Return the collections that the files suggest, the one with most videos first.

        A table without a column for a count is among them, with `insert_missing`: it must not be in a config.
        """
        found: list[tuple[_Group, Proposal]] = []
        for (form, key), groups in self.groups.items():
            for group in groups:
                proposal = replace(propose(key, group.survey, form), files=tuple(group.paths))
                is_shape = _is_list(key, form) or group.names or (len(group.paths) > 1 and proposal.videos > 1)
                is_clear = group.is_clear or is_named_for_videos(key, clearly=True)
                is_seldom = self.elsewhere[form, key] > proposal.videos and not is_clear
                is_for_videos = group.is_certain and (
                    proposal.fields.where or holds_videos(key, group.survey, named=True)
                )
                if is_for_videos and is_shape and not is_seldom and self._has_videos(group, proposal, read):
                    found.append((group, self._placed(group, proposal, read)))
        found.sort(key=lambda pair: (-pair[1].videos, pair[1].directory, pair[1].include))
        proposed: list[tuple[_Group, Proposal]] = []
        for group, proposal in found:
            video_key = group.survey.keys[proposal.fields.video_id]
            if not any(clash(proposal, other, video_key) for _, other in proposed):
                proposed.append((group, proposal))
        del proposed[_MAX_PROPOSALS:]
        taken = {(path, proposal.fields.video_id) for group, proposal in proposed for path in group.paths}
        files = {path for path, _ in taken}
        for path, keys in self.seen.items():
            for key, videos in keys.items():
                is_id = (path, key) in self.counted or key.lower().endswith("id")
                is_told = path in files or key.endswith("[]") or is_named_for_videos(key) or is_id
                if is_told and (path, key) not in taken:
                    self.left_out.setdefault(key, Counter())[path] = videos
        return [proposal for _, proposal in proposed]

    def _note(self, path: str, found: Sequence[Leaf], own: Survey, keys: Sequence[str]) -> None:
        """Note the videos of a file under these keys, and in its lists that have bare IDs and little else."""
        videos = {key: each.urls + min(each.plausible, each.mixed) for key, each in own.keys.items() if key in keys}
        bare, others = Counter[str](), Counter[str]()
        for key, text, _ in found:
            if key.endswith("[]") and key[:-2] not in own.keys and not _NO_VIDEO.search(key):
                (bare if is_likely(text, self.recognise(text)) else others)[key] += 1
        videos |= {key: number for key, number in bare.items() if number > others[key]}
        self.seen[path] = {key: number for key, number in videos.items() if number}

    def _has_videos(self, group: _Group, proposal: Proposal, read: Read) -> bool:
        for path in group.paths[:_CHECKED_FILES]:
            data = read(path)
            contents = find(data, proposal.fields, path) if data is not None else PageContents()
            if contents.slots:
                return True
            self._refuse(contents)
        return False

    def _refuse(self, contents: PageContents) -> None:
        for problem in contents.problems[:1]:
            if problem.kind is not ProblemKind.NOT_A_VIDEO_ID:
                self.refused.setdefault(problem.subject, problem)

    def _placed(self, group: _Group, proposal: Proposal, read: Read) -> Proposal:
        """Return the proposal with the directory of the files and patterns that take no other file with this key."""
        paths = sorted(group.paths)
        pairs = zip(min(map(_parts, paths)), max(map(_parts, paths)), strict=False)  # in order: the first and the last
        common = "/".join(part for part, other in takewhile(lambda pair: pair[0] == pair[1], pairs))
        prefix = f"{common}/" if common else ""
        names = {path.rpartition("/")[2] for path in paths}
        ends = {f"/{name}" for name in names} if len(names) == 1 else {f".{name.rpartition('.')[2]}" for name in names}
        placed = replace(proposal, directory=("./" if common.startswith("~") else "") + (common or "."), exclude=())
        named = replace(placed, include=tuple(f"/{literal(path.removeprefix(prefix))}" for path in paths))
        most_named = MAX_PATTERNS if not common else 1 if len(names) == 1 else _MAX_NAMED
        taken = [path for path in self.paths if path.startswith(prefix) and f"/{path}".endswith(tuple(ends))]
        own = frozenset(paths)
        is_shared = not common or (
            _is_list(proposal.fields.video_id, proposal.format) and common.rpartition("/")[2] in _SHARED
        )
        is_whole = len(paths) > 1 and not is_shared and own.issuperset(taken)  # the next file has the same shape
        if len(paths) <= most_named and not is_whole:
            return named
        others = [path for path in taken if path not in own and _is_other(path, proposal, read)][:_MAX_EXCLUDED]
        if others and len(paths) <= MAX_PATTERNS:
            return named
        tops = sorted({f"{literal(path.partition('/')[0])}/" for path in paths if "/" in path})
        stars = sorted(literal(end[1:]) if end.startswith("/") else f"*{literal(end)}" for end in ends)
        is_wide = common or len(tops) * len(stars) > MAX_PATTERNS
        include = tuple(f"{top}**/{star}" for top in ([""] if is_wide else tops) for star in stars)
        excluded = (path.removeprefix(prefix) for path in others if is_wide or f"{path.partition('/')[0]}/" in tops)
        return replace(placed, include=include, exclude=tuple(f"/{literal(path)}" for path in excluded))


def _is_other(path: str, proposal: Proposal, read: Read) -> bool:
    """Return whether a file that is in no proposal must be left out: it is built, or has problems with these fields."""
    data = read(path)
    found = find(data, proposal.fields, path) if data is not None else None
    return found is not None and bool(found.problems or (found.slots and _is_built(path)))


def _is_built(path: str) -> bool:
    return not _BUILT.isdisjoint(path.lower().split("/")[:-1])


def _repeats(key: str, certain: Sequence[str], own: Survey) -> bool:
    """Return whether a key is one of these, names the same videos, or cannot be one."""
    return f"{KEYED}." in key or any(key == other or own.keys[key].same[other] for other in certain)


def _is_list(key: str, form: Format) -> bool:
    return form in TABLES or "[]" in key or key.endswith(KEYED)


def _may_be_shape(key: str, form: Format, path: str) -> bool:
    """Return whether a key of this file may be one for videos: single values at the site's root are settings."""
    return _is_list(key, form) or "/" in path


def _parts(path: str) -> tuple[str, ...]:
    return tuple(path.split("/")[:-1])
