"""The config's keys: their types, defaults and limits, each default as the file has it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from syncer import model
from syncer.config.calls import Deploy, DurationOrZero, Notify
from syncer.config.formats import (
    LEDGER_PATTERN,
    LISTEN_PATTERN,
    LONGEST_UNAUTHORIZED,
    PART_PATTERN,
    check_author,
    check_endpoint,
    check_first_line,
    check_host,
    check_ledger,
    check_listen,
    check_name,
    check_path,
    check_text,
    check_variable,
    duration,
    is_loopback,
    parse_duration,
    parse_part,
    parse_timezone,
)
from syncer.config.git_remote import REMOTE_PATTERN, check_remote
from syncer.config.mapping import BrokenRules
from syncer.config.page_sections import (
    Collection,
    NotEmpty,
    OwnWrite,
    PlayChecks,
    PositiveDuration,
    Section,
    Write,
    rules_of_collections,
)
from syncer.decide import schedule
from syncer.decide.cron import Cron, parse_cron
from syncer.front_matter.keys import KEYED
from syncer.model import Count, Detail
from syncer.wording import safe


def _site(value: object, info: ValidationInfo[Mapping[str, str]]) -> Path:
    path = check_path(str(value) if isinstance(value, Path) else check_text(value))  # a Path is the default
    return Path(os.path.normpath(os.path.join(info.context["folder"], path)))


_Site = Annotated[Path, PlainValidator(_site), WithJsonSchema({"type": "string", "minLength": 1})]
_FilePath = Annotated[str, AfterValidator(check_path), Field(min_length=1)]
_Cron = Annotated[Cron, PlainValidator(parse_cron), BeforeValidator(check_text), WithJsonSchema({"type": "string"})]
_Timezone = Annotated[
    ZoneInfo, PlainValidator(parse_timezone), BeforeValidator(check_text), WithJsonSchema({"type": "string"})
]
_Endpoint = Annotated[
    str, AfterValidator(check_endpoint), WithJsonSchema({"type": "string", "pattern": "^https?://[^/@?#]+[^@?#]*$"})
]
_Ledger = Annotated[
    str, AfterValidator(check_ledger), WithJsonSchema({"type": "string", "minLength": 1, "pattern": LEDGER_PATTERN})
]
_Remote = Annotated[str, AfterValidator(check_remote), WithJsonSchema({"type": "string", "pattern": REMOTE_PATTERN})]
_Part = Annotated[int, PlainValidator(parse_part), WithJsonSchema({"type": "string", "pattern": PART_PATTERN})]
_Units = Annotated[int, Field(ge=1, le=1_000_000_000)]


class Retry(Section):
    """`youtube.retry`: how often, and for how long, a failed request is repeated."""

    attempts: int = Field(default=4, ge=1, le=10, description="The maximum number of attempts for one request.")
    longest_wait: PositiveDuration = Field(
        default=parse_duration("60s"), description="The longest wait between two attempts."
    )
    deadline: PositiveDuration = Field(
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
    timeout: PositiveDuration = Field(
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

    ledger: _Ledger | None = Field(
        default=None,
        description="Where the sites of one Google project count their units together: a file, relative to `site`, or"
        " `postgresql://user@host/database`, without a password.",
    )
    share: _Part | None = Field(
        default=None,
        description="The site's part of the units of a shared ledger; null: what the shares of other sites leave.",
    )
    stats_units_per_day: _Units = Field(
        default=10_000, description="Units of videos.batchGetStats' bucket, used first."
    )
    general_units_per_day: _Units = Field(default=10_000, description="Units of videos.list's bucket, the fallback.")
    reserve: int = Field(default=200, ge=0, description="Units of each bucket that scheduled syncs leave unused.")

    @model_validator(mode="after")
    def _leave_some(self) -> Self:
        if self.share is not None and self.ledger is None:
            sentence = "needs `ledger`, in which the sites of the project count their units"
            raise BrokenRules([(("share",), sentence)])
        smallest = min(self.stats_units_per_day, self.general_units_per_day)
        if self.reserve >= smallest:
            sentence = f"leaves no units for scheduled syncs; make it smaller than {smallest}, the units of a day"
            raise BrokenRules([(("reserve",), sentence)])
        return self


class Schedule(Section):
    """`schedule`: when the daemon syncs."""

    every: PositiveDuration = Field(
        default=parse_duration("6h"), description="The time from the start of one sync to the next."
    )
    cron: _Cron | None = Field(
        default=None, description="Instead of `every`: five fields as in crontab, such as `17 */6 * * *`."
    )
    timezone: _Timezone = Field(default=ZoneInfo("UTC"), description="The timezone of `cron`, such as `Europe/Berlin`.")
    jitter: DurationOrZero = Field(
        default=parse_duration("5m"), description="The maximum random delay of a sync; `0s` for none."
    )
    refresh_within: PositiveDuration = Field(
        default=parse_duration("25d"),
        description="Every video is read at least this often, however slowly it changes; at most `30d`.",
    )

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        if self.cron is not None and "every" in self.model_fields_set:
            raise BrokenRules([(("cron",), "conflicts with `every`; keep one of the two")])
        if self.cron is None and self.jitter >= self.every:
            raise BrokenRules([(("jitter",), "must be shorter than `every`")])
        if self.cron is None and "refresh_within" in self.model_fields_set and self.refresh_within < self.every:
            sentence = f"is shorter than `every`: no sync could keep it; make it at least {duration(self.every)}"
            raise BrokenRules([(("refresh_within",), sentence)])
        return self

    def as_model(self) -> schedule.Schedule:
        """Return the schedule as the lower layers use it."""
        return schedule.Schedule(self.every, self.cron, self.timezone, self.jitter)


class History(Section):
    """`history`: how long readings and log lines are kept."""

    keep: PositiveDuration = Field(
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
    remote: _Remote = Field(
        default="origin",
        description="The name of the remote to push to; or its URL, for a clone in which nobody works.",
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

    @property
    def remote_is_url(self) -> bool:
        """Whether the remote is named by its URL: nobody but syncer works in the clone, and only it pulls there."""
        return ":" in self.remote

    @model_validator(mode="after")
    def _push_commits(self) -> Self:
        if self.push and not self.commit:
            raise BrokenRules([(("push",), "needs `commit: true`: there is nothing to push without commits")])
        if ":" in self.remote and not self.push:
            raise BrokenRules([(("remote",), "is a URL and needs `push: true`: nobody looks at the clone")])
        return self


class State(Section):
    """`state`: where syncer keeps its database, diff log and lock."""

    directory: _FilePath = Field(
        default=".syncer", description="The directory of the database, the diff log and the lock, relative to `site`."
    )


class StatusPage(Section):
    """`status_page`: where the daemon serves the status page and its API over TCP."""

    listen: Annotated[
        str,
        AfterValidator(check_listen),
        WithJsonSchema({"type": "string", "pattern": LISTEN_PATTERN}),
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


class Config(Section):
    """The config of syncer."""

    # site, and what derives from it, are absolute paths; nothing was read from disk

    site: _Site = Field(
        default=Path(".."), validate_default=True, description="The root of the site, relative to the config file."
    )
    name: Annotated[str, AfterValidator(check_name), Field(min_length=1)] | None = Field(
        default=None, description="The name of the site, where several share a daemon; by default its directory's."
    )
    collections: Annotated[tuple[Collection, ...], NotEmpty] = Field(
        json_schema_extra={"minItems": 1},
        description="The directories of pages, each with its fields.",
        examples=[[{"directory": "content", "fields": {"video_id": "vid_id", "counts": {"viewCount": "viewcount"}}}]],
    )
    youtube: Youtube = Field(default_factory=Youtube, description="How to connect to the YouTube Data API.")
    quota: Quota = Field(default_factory=Quota, description="How many units syncer may use in a quota day.")
    schedule: Schedule = Field(default_factory=Schedule, description="When the daemon syncs.")
    write: Write = Field(default_factory=Write, description="When and how counts are written.")
    deploy: Deploy = Field(default_factory=Deploy, description="When the build hook of your host is called.")
    availability: PlayChecks = Field(
        default_factory=PlayChecks, description="How often YouTube is asked whether each video still plays."
    )
    history: History = Field(default_factory=History, description="How long readings and log lines are kept.")
    notify: Notify = Field(default_factory=Notify, description="Where the daemon sends notifications.")
    git: Git = Field(default_factory=Git, description="Whether syncs commit and push the counts that they write.")
    state: State = Field(default_factory=State, description="Where syncer keeps its database, diff log and lock.")
    status_page: StatusPage | None = Field(
        default_factory=StatusPage, description="Where the daemon serves the status page and its API; null: on no port."
    )

    @property
    def site_name(self) -> str:
        """The name of the site, for people, for `--site`, for an address and for a label of a metric."""
        return self.name or safe(self.site.name) or "root"

    @property
    def state_directory(self) -> Path:
        """The absolute path of the state."""
        return Path(os.path.normpath(self.site / self.state.directory))

    @property
    def ledger_place(self) -> model.LedgerPlace | None:
        """Where the ledger is that the site shares with others; None: it has its own, in its state."""
        ledger = self.quota.ledger
        if ledger is None:
            return None
        if "://" in ledger:
            return model.ServerAddress(ledger)
        return Path(os.path.normpath(self.site / ledger))

    @property
    def mapped_counts(self) -> frozenset[Count]:
        """The counts that a collection of the site maps."""
        return frozenset(count for collection in self.collections for count in collection.fields.counts)

    @property
    def policies(self) -> list[model.WritePolicy]:
        """The policies of the collections that have one; empty if every count that differs is written."""
        return [policy for each in self.collections if (policy := self.write.policy(each.write))]

    @property
    def shows_details(self) -> bool:
        """Whether pages show something of videos that is written without a count."""
        return any(detail is not Detail.CHECKED_AT for each in self.collections for detail in each.fields.details)

    @property
    def data_file(self) -> tuple[str, model.Fields] | None:
        """The data file of `write.to`, and its mapping: the counts of all collections."""
        if self.write.file is None:
            return None
        counts = {count: key for each in self.collections for count, key in each.fields.counts.items()}
        return self.write.file, model.Fields(KEYED, counts, policy=self.write.policy(OwnWrite()), own_file=True)

    def collection_models(self) -> list[model.Collection]:
        """Return the collections of pages as the lower layers use them; counts in a data file are not in pages."""
        models = [collection.as_model(self.write.policy(collection.write)) for collection in self.collections]
        if self.write.file is None:
            return models
        return [replace(each, fields=replace(each.fields, counts={}, insert_missing=False)) for each in models]

    def written_models(self) -> list[model.Collection]:
        """Return the collections with all fields that syncer writes or wrote, and the data file as one of them."""
        models = [collection.as_model(self.write.policy(collection.write)) for collection in self.collections]
        if self.data_file:
            directory, name = os.path.split(self.data_file[0])
            only = re.sub(r"([\\*?\[\]! ])", r"\\\1", name)
            models.append(model.Collection(directory or ".", (f"/{only}",), (), self.data_file[1]))
        return models

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        broken = list(rules_of_collections(self.write, self.collections))
        for number, each in enumerate(self.collections if not self.availability.every else ()):
            keys = [("fields", str(detail)) for detail in each.fields.details if detail is not Detail.CHECKED_AT]
            sentence = "needs checks whether videos play; set `availability.every`, or remove it"
            broken += [(("collections", number, *key), sentence) for key in (*keys, *[("bodies",)][: each.bodies])]
            if not (each.fields.counts or each.bodies):
                at = ("collections", number, "fields", "counts")
                broken.append((at, "is empty, and no video is checked; add a count, or set `availability.every`"))
        if self.schedule.refresh_within > LONGEST_UNAUTHORIZED and not self.history.authorized:
            sentence = (
                "is longer than YouTube's terms allow; write `30d` or less, or add `history.authorized: true` if"
                " YouTube gave you the right to store counts for longer"
            )
            broken.append((("schedule", "refresh_within"), sentence))
        between = max(self.write.at_most_every or timedelta(0), self.schedule.every)
        if self.deploy.hook_env and self.schedule.cron is None and self.deploy.quiet >= between:
            sentence = (
                f"would put off each call, because the next sync comes first; make it shorter than {duration(between)}"
            )
            broken.append((("deploy", "quiet"), sentence))
        if broken:
            raise BrokenRules(broken)
        return self
