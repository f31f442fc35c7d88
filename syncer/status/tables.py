"""The tables of `syncer export`: their columns with types, and their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from syncer.decide.availability import availability_from
from syncer.decide.unconfirmed import view_meaning
from syncer.diff_log.lines import LOG, Line, read_log, time_of, timestamp
from syncer.errors import StateDamaged
from syncer.model import Count
from syncer.state.database import open_state
from syncer.state.table_rows import reading_rows, video_rows

if TYPE_CHECKING:
    from syncer.config.sections import Config

Row = Iterable[str | int | bool | None]


class ColumnType(StrEnum):
    """The type of a column, as SQL names it."""

    TEXT = "VARCHAR"
    INTEGER = "BIGINT"
    BOOLEAN = "BOOLEAN"
    TIME = "TIMESTAMP WITH TIME ZONE"
    """In UTC, as the diff log writes it: `2026-11-22T15:00:07Z`."""
    DATE = "DATE"


@dataclass(frozen=True, slots=True)
class ExportTable:
    """A table: its columns, and what yields the rows that are not older than a time."""

    columns: Mapping[str, ColumnType]
    rows: Callable[[Config, datetime | None], Iterator[Row]]


def _readings(config: Config, since: datetime | None) -> Iterator[Row]:
    with open_state(config.state_directory, config.site) as database:
        for video, at, sync, present, *counts in reading_rows(database, since):
            text, meaning = _time_and_meaning(at)
            yield (video, text, sync, bool(present), *counts, meaning)


def _changes(config: Config, since: datetime | None) -> Iterator[Row]:
    for line in read_log(config.state_directory / LOG):
        if since is None or time_of(line) >= since:
            yield _change(line)


def _videos(config: Config, begin: datetime | None) -> Iterator[Row]:
    with open_state(config.state_directory, config.site) as database:
        for row in video_rows(database, begin):
            video, pages, path, as_of, views, likes, comments, read_at, missing, held, *plays, facts = row
            try:
                said = availability_from(None, "{}" if facts is None else str(facts))
            except ValueError as error:
                raise StateDamaged(str(error)) from error
            state, since, checked = plays
            starts_at = timestamp(said.starts_at) if said.starts_at else None
            yield (
                *(video, pages, path, _time(as_of), views, likes, comments, _time(read_at), _time(missing), held),
                *(state, _time(since), _time(checked), said.made_for_kids, said.blocked_in or None, starts_at),
            )


def _change(line: Line) -> Row:
    """Return a line of the log as a row: the values of counts are numbers, all others are texts."""
    is_count = line["count"] is not None
    values = [line["old"], line["new"]]
    numbers = [None if value is None or not is_count else int(value) for value in values]
    texts = [None if is_count else value for value in values]
    return (*(line[name] for name in _BEFORE_VALUES), *numbers, *texts, line["as_of"], line["why"])


_BEFORE_VALUES = ("seq", "sync", "at", "path", "video_id", "field", "count")


@lru_cache(maxsize=1024)
def _time_and_meaning(seconds: int) -> tuple[str, str | None]:
    """Return the time of a reading, and the day since which YouTube counted views as it did then."""
    at = datetime.fromtimestamp(seconds, UTC)
    since = view_meaning(at)
    return timestamp(at), since.isoformat() if since else None


def _time(seconds: str | int | None) -> str | None:
    return None if seconds is None else _time_and_meaning(int(seconds))[0]


_COUNTS = dict.fromkeys((count.value for count in Count), ColumnType.INTEGER)

TABLES: Mapping[str, ExportTable] = {
    "readings": ExportTable(
        {"video_id": ColumnType.TEXT, "at": ColumnType.TIME, "sync": ColumnType.TEXT, "present": ColumnType.BOOLEAN}
        | _COUNTS
        | {"views_mean_since": ColumnType.DATE},
        _readings,
    ),
    "changes": ExportTable(
        {
            "seq": ColumnType.INTEGER,
            "sync": ColumnType.TEXT,
            "at": ColumnType.TIME,
            "path": ColumnType.TEXT,
            "video_id": ColumnType.TEXT,
        }
        | {"field": ColumnType.TEXT, "count": ColumnType.TEXT, "old": ColumnType.INTEGER, "new": ColumnType.INTEGER}
        | {"old_text": ColumnType.TEXT, "new_text": ColumnType.TEXT, "as_of": ColumnType.TIME, "why": ColumnType.TEXT},
        _changes,
    ),
    "videos": ExportTable(
        {"video_id": ColumnType.TEXT, "pages": ColumnType.INTEGER, "path": ColumnType.TEXT, "as_of": ColumnType.TIME}
        | _COUNTS
        | {"read_at": ColumnType.TIME, "missing_since": ColumnType.TIME, "held": ColumnType.TEXT}
        | {"state": ColumnType.TEXT, "state_since": ColumnType.TIME, "checked_at": ColumnType.TIME}
        | {"made_for_kids": ColumnType.BOOLEAN, "blocked_in": ColumnType.TEXT, "starts_at": ColumnType.TIME},
        _videos,
    ),
}
