"""The values that travel through a sync: plain and frozen; nothing here reads or writes anything.

What exists for every page and every video is a named tuple: a frozen dataclass takes more than twice as long to make.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Literal, NamedTuple, NewType, TypeAlias

VideoId = NewType("VideoId", str)
"""Eleven characters of `A-Z a-z 0-9 _ -`."""

ServerAddress = NewType("ServerAddress", str)
LedgerPlace: TypeAlias = Path | ServerAddress
"""Where a ledger is that sites share: its file's absolute path, or `postgresql://user@host/db`, without a password."""

ID_PATTERN = "[A-Za-z0-9_-]{11}"
"""What each `VideoId` matches."""

LARGEST_COUNT = 2**63 - 1
"""YouTube's counts are int64 in strings (`docs/youtube.md`); a larger number is not a count."""

COUNT_PATTERN = "[0-9]{1,19}"
"""What each count matches as it is written in a page."""

BATCH_SIZE = 50
"""Most ids that one request may name (`docs/youtube.md`)."""


class Count(StrEnum):
    """One number of a video's statistics, by YouTube's name."""

    VIEWS = "viewCount"
    LIKES = "likeCount"
    COMMENTS = "commentCount"


class Detail(StrEnum):
    """What a page shows of a video beside its counts, by its key in the config. Days are written in UTC."""

    CHECKED_AT = "checked_at"
    """When YouTube returned the count that was last changed: written together with it, and never emptied."""
    UNAVAILABLE_SINCE = "unavailable_since"
    """Since when the video does not play; empty while it plays."""


ValueKind = Count | Detail
"""What a mapped field holds."""


def count_in_log(kind: ValueKind) -> str | None:
    """Return the `count` of a line of the diff log: a date has none."""
    return kind.value if isinstance(kind, Count) else None


class Format(StrEnum):
    """How the files of a collection are read, by the words of `collections[].format`."""

    FRONT_MATTER = "front_matter"
    """A block at the head of a page."""
    DATA = "data"
    """The whole file, by the suffix of its name."""
    YAML = "yaml"
    JSON = "json"
    TOML = "toml"
    CSV = "csv"
    TSV = "tsv"


CountType = Literal["number", "string"]
"""How a count is written in front matter: `31250`, or `"31250"`."""

Statistics = Mapping[Count, int]
"""The counts that YouTube returned. A hidden or unset count is absent: never 0, never None."""


class Bucket(StrEnum):
    """A bucket of quota units (`docs/youtube.md`): each method of the API takes units from one of them."""

    STATS = "stats"
    """`videos.batchGetStats`."""
    GENERAL = "general"
    """`videos.list`."""


class Why(StrEnum):
    """Why a count or a date on disk was changed, in the words of the diff log."""

    CHANGED = "changed"
    INSERTED = "inserted"
    HEARTBEAT = "heartbeat"
    """It differs by less than `write.min_change` or `rounding` requires; `write.at_least_every` made it due."""
    CHECKED = "checked"
    """A date of `checked_at` was written, together with a count of the same video."""
    UNAVAILABLE = "unavailable"
    AVAILABLE = "available"
    """A date of `unavailable_since` was written, as the video does not play, or removed, as it plays again."""
    DROPPED = "dropped"
    """You dropped it in `syncer review`: the page has the last commit's count again."""
    UNDO = "undo"
    """You undid a sync: the page has the count again that the sync replaced."""


class ProblemKind(StrEnum):
    """The closed list of what can go wrong with one page, video or request during a sync."""

    # the page's front matter
    INVALID_FRONT_MATTER = "invalid-front-matter"
    UNTERMINATED = "unterminated-front-matter"
    TOO_LARGE = "front-matter-too-large"
    NOT_UTF8 = "front-matter-not-utf8"
    DUPLICATE_KEY = "duplicate-key"
    ALIAS = "alias"
    TAG = "tag"
    BLOCK_SCALAR = "block-scalar"
    NOT_A_VIDEO_ID = "not-a-video-id"
    IDS_DISAGREE = "ids-disagree"
    NOT_A_COUNT = "not-a-count"
    NOT_A_DATE = "not-a-date"
    CANNOT_PLACE = "cannot-place"
    KEY_CASE = "key-case"
    KEYS_NOT_FOUND = "keys-not-found"
    READERS_DISAGREE = "readers-disagree"
    SYNCER_KEY = "syncer-key"
    # the page on disk
    UNREADABLE = "unreadable"
    UNWRITABLE = "unwritable"
    OUTSIDE_SITE = "outside-site"
    EDITED_MEANWHILE = "edited-meanwhile"
    OPEN_ELSEWHERE = "open-elsewhere"
    EDIT_SAVED = "edit-saved"
    # YouTube
    REQUEST_FAILED = "request-failed"
    BAD_ANSWER = "bad-answer"
    REFUSED_VIDEO = "refused-video"
    QUOTA_CUT = "quota-cut"
    LEDGER_UNREACHABLE = "ledger-unreachable"
    # git
    NOT_COMMITTED = "not-committed"
    NOT_PUSHED = "not-pushed"
    # the host that builds the site
    DEPLOY_FAILED = "deploy-failed"
    # the state
    STATE_LOST = "state-lost"


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong with one page or video: a value, never an exception."""

    kind: ProblemKind
    subject: str
    """The page's path relative to the site, or a video ID, or a method of the API."""
    message: str
    """One sentence that says what is wrong and what to do."""
    line: int | None = None
    """The line in the page, from 1."""


class Threshold(NamedTuple):
    """By how much a count must differ from the page's to be written: by more than each of these."""

    number: int = 0
    share: int = 0
    """Of the number in the page, in hundredths of a percent."""


@dataclass(frozen=True, slots=True)
class WritePolicy:
    """Which counts of a collection that differ are written now. None of this set: all of them."""

    min_change: Mapping[Count, Threshold]
    """A count that is absent has no threshold."""
    display: bool
    """Only when the form that people read (`1.2M`) changes."""
    at_least_every: timedelta | None
    """A count that differs is written at the latest so long after its last write, whatever the two above say."""
    at_most_every: timedelta | None
    """Pages are written at most this often, all of the site together."""


@dataclass(frozen=True, slots=True)
class Fields:
    """A collection's field mapping: which keys of a page or a data file hold the id, the counts and the dates."""

    video_id: str
    """`vid_id`, `links.youtube` when nested, `videos[].id` for a list; empty: only embeds are looked for.

    In a data file also `[].id` for a list at the top, and `{}` or `videos.{}` for a mapping whose keys are the ids. In
    a table (CSV, TSV) the name of a column.
    """
    counts: Mapping[Count, str]
    """YouTube's name to the site's key: a path from the top, from the list item inside `[]`, or from the value of an id
    under `{}`. In a table the name of a column."""
    insert_missing: bool = False
    insert_as: CountType = "number"
    """The type of an inserted count where the page has no other count to follow."""
    details: Mapping[Detail, str] = field(default_factory=dict)
    """The site's key of each detail that it shows, as of the counts."""
    policy: WritePolicy | None = None
    """None: every count that differs is written."""
    own_file: bool = False
    """The file is a data file of `write.to`, which syncer writes whole: an entry for each video, by its ID."""
    format: Format | None = None
    """None: by the suffix of the file's name; one that is not a data file's has front matter."""
    where: Mapping[str, str] = field(default_factory=dict)
    """Only slots whose page or item has these values, by paths like those of the counts; all others are skipped."""
    bodies: bool = False
    """The text of its pages is searched for embeds; nothing is written there."""
    former: bool = False
    """The config no longer has it. Of the values that it finds, only those that syncer wrote matter."""

    def same_keys(self, other: Fields) -> bool:
        """Return whether both find and insert the same values in a file."""
        keys = attrgetter("video_id", "counts", "details", "own_file", "format", "where")
        mine, others = ((*keys(each), each.insert_missing and each.insert_as) for each in (self, other))
        return mine == others and (not self.own_file or list(self.counts) == list(other.counts))


@dataclass(frozen=True, slots=True)
class Collection:
    """A directory of pages that share one set of fields."""

    directory: str
    """Relative to the site; `.` is the site itself."""
    include: tuple[str, ...]
    """Patterns in the form of .gitignore, relative to the directory."""
    exclude: tuple[str, ...]
    fields: Fields

    @property
    def files(self) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """Where its pages are: two collections with the same ones have the same pages."""
        return self.directory, self.include, self.exclude

    @property
    def data_file(self) -> str | None:
        """The path of the data file that it stands for, relative to the site; None if it has pages."""
        if not self.fields.own_file:
            return None
        name = re.sub(r"\\(.)", r"\1", self.include[0].removeprefix("/"))
        return name if self.directory == "." else f"{self.directory}/{name}"


@dataclass(frozen=True, slots=True)
class ValueField:
    """A count or a detail of a slot, and the field that holds it."""

    kind: ValueKind
    field: str
    """The path as the diff log names it: `viewcount`, `videos[1].viewcount`."""
    present: bool
    """False: the key is absent and would be inserted."""


@dataclass(frozen=True, slots=True)
class Value:
    """One mapped count or detail of a slot, as the page has it."""

    kind: ValueKind
    field: str
    text: str | None
    """The digits or the date as the page has them; None where the value is empty, null or absent."""
    present: bool = True
    """As in `ValueField`."""


class Slot(NamedTuple):
    """One video in a page, with its counts, then its details.

    Values of another form are left out: a Problem reports them.
    """

    video_id: VideoId
    line: int
    """The line of the id, from 1."""
    fields: tuple[ValueField, ...]
    """Shared by all slots that have the same ones."""
    texts: tuple[str | None, ...]
    """The text of each of the fields (`Value.text`)."""

    @property
    def values(self) -> tuple[Value, ...]:
        """The counts and dates, one by one."""
        return tuple(
            Value(field.kind, field.field, text, field.present)
            for field, text in zip(self.fields, self.texts, strict=True)
        )


class Place(NamedTuple):
    """Where a count or a date is, however the items of a list move: a file's slots of one video are one place."""

    path: str
    """The page, relative to the site."""
    field: str
    """Without the numbers of list items (`without_item_numbers`)."""
    video_id: VideoId


Signature = NewType("Signature", int)
"""Size, time and inode of a file in one number: a cheap first sign that it was edited."""


class Page(NamedTuple):
    """A content file that names a video. It holds no text."""

    path: str
    """Relative to the site, with `/`."""
    signature: Signature
    fields: Fields
    slots: Sequence[Slot]


class Reading(NamedTuple):
    """What YouTube returned for one video at one time."""

    video_id: VideoId
    at: datetime
    """UTC, whole seconds."""
    statistics: Statistics | None
    """None: YouTube left the video out."""


class Change(NamedTuple):
    """One count or detail of one slot, old -> new."""

    path: str
    video_id: VideoId
    field: str
    kind: ValueKind
    old: str | None
    """None where the value was empty or absent."""
    new: str
    """Empty only for a detail that is removed."""
    as_of: datetime
    """When YouTube returned it; of a date, the count that it is written with."""
    why: Why

    @property
    def place(self) -> Place:
        """Where it is, however the items of a list move."""
        return place_at(self.path, self.field, self.video_id)


def item_of(field: str) -> str:
    """Return the item that holds a field, `videos[1]` or `{ID}`; empty where the page is about one video."""
    return field[: max(field.rfind("]."), field.rfind("}.")) + 1]


def key_of(field: str) -> str:
    """Return the key that holds a field, as the config has it: seen from the item."""
    item = item_of(field)
    return field[len(item) + 1 :] if item else field


def place_in_file(field: str) -> str:
    """Return a field as the path of its keys: one value is `{ID}.views` to a mapping of IDs, `ID.views` to another."""
    return re.sub(rf"\{{({ID_PATTERN})\}}(?=\.)", r"\1", field) if "{" in field else field


@lru_cache(maxsize=4096)
def without_item_numbers(field: str) -> str:
    """Return a field without the numbers of list items, which change when items are added above it.

    With the video it identifies a value; where a video is several times in a file, the order tells the values apart.
    """
    return re.sub(r"\[[0-9]+\](?=\.)", "[]", field) if "[" in field else field


def place_at(path: str, field: str, video_id: VideoId) -> Place:
    """Return the place of a field, which may have the numbers of list items."""
    return Place(path, without_item_numbers(field), video_id)


class Edit(NamedTuple):
    """The changes to make to one page, by field mapping: two collections may share a page."""

    path: str
    """Relative to the site, with `/`."""
    signature: Signature
    """As the scan saw it."""
    rewrites: tuple[tuple[Fields, tuple[Change, ...]], ...]
    removed: frozenset[VideoId] = frozenset()
    """Videos whose entries are removed from a data file."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes of the page."""
        if len(self.rewrites) == 1:
            return self.rewrites[0][1]
        return tuple(change for _, changes in self.rewrites for change in changes)
