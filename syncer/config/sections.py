"""The config's keys: their types, defaults and limits, each default as the file has it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from syncer import model
from syncer.config.formats import (
    DURATION_PATTERN,
    LISTEN_PATTERN,
    POSITIVE_DURATION_PATTERN,
    SHARE_PATTERN,
    check_author,
    check_endpoint,
    check_first_line,
    check_host,
    check_inside,
    check_listen,
    check_path,
    check_pattern,
    check_patterns,
    check_ping,
    check_remote,
    check_text,
    check_variable,
    is_loopback,
    parse_duration,
    parse_positive_duration,
    parse_share,
    parse_timezone,
)
from syncer.config.mapping import BrokenRules, broken_rules, check_direction, check_field, count_name
from syncer.decide import schedule
from syncer.decide.cron import Cron, parse_cron
from syncer.model import Count, Date

LONGEST_UNAUTHORIZED = timedelta(days=30)
"""How long counts that were read with a key alone may be stored (`docs/terms.md`)."""


def _site(value: object, info: ValidationInfo[Mapping[str, str]]) -> Path:
    path = check_path(str(value) if isinstance(value, Path) else check_text(value))  # a Path is the default
    return Path(os.path.normpath(os.path.join(info.context["folder"], path)))


def _not_empty(value: object) -> object:
    # before the items: pydantic counts only those that are valid
    if value in ((), {}):
        raise ValueError("must not be empty; add at least one")
    return value


_Site = Annotated[Path, PlainValidator(_site), WithJsonSchema({"type": "string", "minLength": 1})]
_FilePath = Annotated[str, AfterValidator(check_path), Field(min_length=1)]
_InsidePath = Annotated[str, AfterValidator(check_inside), Field(min_length=1)]
_Glob = Annotated[str, AfterValidator(check_pattern), Field(min_length=1)]
_FieldPath = Annotated[str, AfterValidator(check_field), Field(min_length=1)]
_NotEmpty = BeforeValidator(_not_empty)
_CountName = Annotated[Count, BeforeValidator(count_name)]
_Duration = Annotated[
    timedelta,
    PlainValidator(parse_positive_duration),
    WithJsonSchema({"type": "string", "pattern": POSITIVE_DURATION_PATTERN}),
]
_DurationOrZero = Annotated[
    timedelta, PlainValidator(parse_duration), WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN})
]
_Share = Annotated[float, PlainValidator(parse_share), WithJsonSchema({"type": "string", "pattern": SHARE_PATTERN})]
_Cron = Annotated[Cron, PlainValidator(parse_cron), BeforeValidator(check_text), WithJsonSchema({"type": "string"})]
_Timezone = Annotated[
    ZoneInfo, PlainValidator(parse_timezone), BeforeValidator(check_text), WithJsonSchema({"type": "string"})
]
_Endpoint = Annotated[
    str, AfterValidator(check_endpoint), WithJsonSchema({"type": "string", "pattern": "^https?://[^/@?#]+[^@?#]*$"})
]
_Ping = Annotated[str, AfterValidator(check_ping), WithJsonSchema({"type": "string", "pattern": "^https?://[^/@?#]+"})]
_Units = Annotated[int, Field(ge=1, le=1_000_000_000)]


class Section(BaseModel):
    """A mapping in the config: frozen, without unknown keys, and without implicit conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FieldMapping(Section):
    """`fields`: which keys of the front matter hold the video ID and the counts."""

    video_id: _FieldPath = Field(
        description="The key of the video ID or URL: `vid_id`; `links.youtube` when nested; `videos[].id` in a list.",
        examples=["vid_id"],
    )
    counts: Annotated[Mapping[_CountName, _FieldPath], BeforeValidator(check_direction), _NotEmpty] = Field(
        json_schema_extra={"minProperties": 1},
        description="YouTube's name of each count, and your key for it. In a list, the key is relative to the item.",
        examples=[{"viewCount": "viewcount"}],
    )
    insert_missing: bool = Field(
        default=False,
        description="Whether to add a count or date that a page does not have, on the line after the video ID.",
    )
    insert_as: model.CountType = Field(
        default="number", description="The type of an added count in a page without other mapped counts."
    )

    checked_at: _FieldPath | None = Field(
        default=None,
        description="Your key for the day (UTC) on which a written count was read; written only together with a count.",
        examples=["viewsUpdated"],
    )

    @property
    def dates(self) -> Mapping[Date, str]:
        """The keys of the dates that pages show."""
        return {} if self.checked_at is None else {Date.CHECKED_AT: self.checked_at}

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        broken = list(broken_rules(self.video_id, self.counts, self.dates, insert_missing=self.insert_missing))
        if broken:
            raise BrokenRules(broken)
        return self


class Collection(Section):
    """An item of `collections`: a directory of pages that share one set of fields."""

    directory: _InsidePath = Field(
        description="Where the pages are, relative to `site`; `.` is the site itself.", examples=["content"]
    )
    include: Annotated[tuple[_Glob, ...], _NotEmpty, AfterValidator(check_patterns)] = Field(
        default=("**/*.md", "**/*.markdown"),
        json_schema_extra={"minItems": 1},
        description="Which files are pages: globs as in .gitignore, relative to the directory.",
    )
    exclude: tuple[_Glob, ...] = Field(
        default=(), description="Which files are not pages: globs as in .gitignore, relative to the directory."
    )
    fields: FieldMapping = Field(
        description="Which keys of the front matter hold the video ID and the counts.",
        examples=[{"video_id": "vid_id", "counts": {"viewCount": "viewcount"}}],
    )

    def mapping(self) -> model.Fields:
        """Return the field mapping as the lower layers use it."""
        fields = self.fields
        return model.Fields(fields.video_id, dict(fields.counts), fields.insert_missing, fields.insert_as, fields.dates)

    def as_model(self) -> model.Collection:
        """Return the collection as the lower layers use it."""
        return model.Collection(self.directory, self.include, self.exclude, self.mapping())


class Retry(Section):
    """`youtube.retry`: how often, and for how long, a failed request is repeated."""

    attempts: int = Field(default=4, ge=1, le=10, description="The maximum number of attempts for one request.")
    longest_wait: _Duration = Field(default=parse_duration("60s"), description="The longest wait between two attempts.")
    deadline: _Duration = Field(
        default=parse_duration("90s"), description="The time after which a request is not repeated, waits included."
    )


class Youtube(Section):
    """`youtube`: how to connect to the YouTube Data API."""

    endpoint: _Endpoint = Field(
        default="https://youtube.googleapis.com/",
        description="The URL of the API; plain http only for a loopback address.",
    )
    api_key_env: Annotated[str, AfterValidator(check_variable)] = Field(
        default="YOUTUBE_API_KEY", description="The environment variable that holds the API key; never the key itself."
    )
    api_key_file: _FilePath | None = Field(
        default=None, description="A file that holds only the API key, relative to `site`; instead of `api_key_env`."
    )
    timeout: _Duration = Field(
        default=parse_duration("20s"), description="How long one request may take, from name lookup to the last byte."
    )
    connections: int = Field(default=4, ge=1, le=16, description="The maximum number of requests at the same time.")
    retry: Retry = Field(default_factory=Retry, description="How often and how long a failed request is repeated.")

    @model_validator(mode="after")
    def _name_one_place(self) -> Self:
        if self.api_key_file is not None and "api_key_env" in self.model_fields_set:
            raise BrokenRules([(("api_key_file",), "conflicts with `api_key_env`; keep one of the two")])
        return self


class Quota(Section):
    """`quota`: how many units of each bucket syncer may use in one quota day, midnight to midnight Pacific."""

    stats_units_per_day: _Units = Field(
        default=10_000, description="Units of videos.batchGetStats' bucket, used first."
    )
    general_units_per_day: _Units = Field(default=10_000, description="Units of videos.list's bucket, the fallback.")
    reserve: int = Field(default=200, ge=0, description="Units of each bucket that scheduled syncs leave unused.")

    @model_validator(mode="after")
    def _leave_some(self) -> Self:
        smallest = min(self.stats_units_per_day, self.general_units_per_day)
        if self.reserve >= smallest:
            sentence = f"leaves no units for scheduled syncs; make it smaller than {smallest}, the units of a day"
            raise BrokenRules([(("reserve",), sentence)])
        return self


class Schedule(Section):
    """`schedule`: when the daemon syncs."""

    every: _Duration = Field(
        default=parse_duration("6h"), description="The time from the start of one sync to the next."
    )
    cron: _Cron | None = Field(
        default=None, description="Instead of `every`: five fields as in crontab, such as `17 */6 * * *`."
    )
    timezone: _Timezone = Field(default=ZoneInfo("UTC"), description="The timezone of `cron`, such as `Europe/Berlin`.")
    jitter: _DurationOrZero = Field(
        default=parse_duration("5m"), description="The maximum random delay of a sync; `0s` for none."
    )

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        if self.cron is not None and "every" in self.model_fields_set:
            raise BrokenRules([(("cron",), "conflicts with `every`; keep one of the two")])
        if self.cron is None and self.jitter >= self.every:
            raise BrokenRules([(("jitter",), "must be shorter than `every`")])
        return self

    def as_model(self) -> schedule.Schedule:
        """Return the schedule as the lower layers use it."""
        return schedule.Schedule(self.every, self.cron, self.timezone, self.jitter)


class Brakes(Section):
    """`write.brake`: when the safety brake stops a sync."""

    missing: _Share = Field(
        default=parse_share("50%"), description="Stop if more than this share of the videos is suddenly missing."
    )
    falling: _Share = Field(default=parse_share("50%"), description="Stop if more than this share of the counts falls.")


class Write(Section):
    """`write`: when and how counts are written."""

    in_place: bool = Field(
        default=True,
        description="Whether a page that no other program has open is changed in place; `false`: each gets a new file.",
    )
    brake: Brakes = Field(default_factory=Brakes, description="When the safety brake stops a sync.")


class History(Section):
    """`history`: how long readings and log lines are kept."""

    keep: _Duration = Field(
        default=parse_duration("28d"),
        description="How long readings and log lines are kept; above `30d` only with `authorized`.",
    )
    authorized: bool = Field(
        default=False, description="Whether YouTube's terms allow you to store counts for more than 30 days."
    )

    @model_validator(mode="after")
    def _keep_terms(self) -> Self:
        if self.keep > LONGEST_UNAUTHORIZED and not self.authorized:
            sentence = (
                "is longer than YouTube's terms allow; write `30d` or less, or add `authorized: true` if YouTube"
                " gave you the right to store counts for longer"
            )
            raise BrokenRules([(("keep",), sentence)])
        return self


class Git(Section):
    """`git`: whether syncs commit and push the counts that they write."""

    commit: bool = Field(default=False, description="Whether a sync commits the counts that it wrote.")
    push: bool = Field(default=False, description="Whether the commit is pushed, never by force.")
    remote: Annotated[str, AfterValidator(check_remote)] = Field(
        default="origin", description="The name of the remote to push to."
    )
    message: Annotated[str, AfterValidator(check_first_line)] | None = Field(
        default=None,
        description="The first line of the message; `{subject}` is the default, `{pages}` and `{counts}` are numbers.",
        examples=["{subject} [skip ci]"],
    )
    author: Annotated[str, AfterValidator(check_author)] | None = Field(
        default=None,
        description="Author and committer, `NAME <EMAIL>`; null: as configured in git.",
        examples=["Counts <counts@example.org>"],
    )

    @model_validator(mode="after")
    def _push_commits(self) -> Self:
        if self.push and not self.commit:
            raise BrokenRules([(("push",), "needs `commit: true`: there is nothing to push without commits")])
        return self


class State(Section):
    """`state`: where syncer keeps its database, diff log and lock."""

    directory: _FilePath = Field(
        default=".syncer", description="The directory of the database, the diff log and the lock, relative to `site`."
    )


class StatusPage(Section):
    """`status_page`: where the daemon serves the status page and its API over TCP."""

    listen: Annotated[
        str, AfterValidator(check_listen), WithJsonSchema({"type": "string", "pattern": LISTEN_PATTERN})
    ] = Field(default="127.0.0.1:8787", description="`HOST:PORT`, an address of this machine; port 0 picks a free one.")
    token_env: Annotated[str, AfterValidator(check_variable)] | None = Field(
        default=None, description="The environment variable that holds the token of the page; never the token itself."
    )
    hosts: tuple[Annotated[str, AfterValidator(check_host)], ...] = Field(
        default=(), description="Other host names, without port, that browsers may use for the page."
    )

    @model_validator(mode="after")
    def _guard_it(self) -> Self:
        if self.token_env is None and not is_loopback(self.listen_host):
            sentence = (
                "is reachable from other machines and needs a token; name the environment variable that holds it with"
                " `token_env`, or listen on 127.0.0.1"
            )
            raise BrokenRules([(("listen",), sentence)])
        return self

    @property
    def listen_host(self) -> str:
        """The host of `listen`, without brackets."""
        return self.listen.rpartition(":")[0].strip("[]")


class Notify(Section):
    """`notify`: where the daemon sends notifications."""

    urls: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(),
        description="Apprise URLs to notify when something needs attention; `file:///PATH` names a file of them.",
    )
    ping: _Ping | None = Field(
        default=None, description="A heartbeat URL that is requested at the start, success and failure of each sync."
    )


class Config(Section):
    """The config of syncer."""

    # site, and what derives from it, are absolute paths; nothing was read from disk

    site: _Site = Field(
        default=Path(".."), validate_default=True, description="The root of the site, relative to the config file."
    )
    collections: Annotated[tuple[Collection, ...], _NotEmpty] = Field(
        json_schema_extra={"minItems": 1},
        description="The directories of pages, each with its fields.",
        examples=[[{"directory": "content", "fields": {"video_id": "vid_id", "counts": {"viewCount": "viewcount"}}}]],
    )
    youtube: Youtube = Field(default_factory=Youtube, description="How to connect to the YouTube Data API.")
    quota: Quota = Field(default_factory=Quota, description="How many units syncer may use in a quota day.")
    schedule: Schedule = Field(default_factory=Schedule, description="When the daemon syncs.")
    write: Write = Field(default_factory=Write, description="When and how counts are written.")
    history: History = Field(default_factory=History, description="How long readings and log lines are kept.")
    notify: Notify = Field(default_factory=Notify, description="Where the daemon sends notifications.")
    git: Git = Field(default_factory=Git, description="Whether syncs commit and push the counts that they write.")
    state: State = Field(default_factory=State, description="Where syncer keeps its database, diff log and lock.")
    status_page: StatusPage | None = Field(
        default_factory=StatusPage, description="Where the daemon serves the status page and its API; null: on no port."
    )

    @property
    def state_directory(self) -> Path:
        """The absolute path of the state."""
        return Path(os.path.normpath(self.site / self.state.directory))

    @property
    def mapped_counts(self) -> frozenset[Count]:
        """The counts that a collection of the site maps."""
        return frozenset(count for collection in self.collections for count in collection.fields.counts)

    def collection_models(self) -> list[model.Collection]:
        """Return the collections as the lower layers use them."""
        return [collection.as_model() for collection in self.collections]
