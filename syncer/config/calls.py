"""The config's keys about addresses that syncer calls: the build hook, notifications, the heartbeat."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from syncer.config.formats import DURATION_PATTERN, check_hook_variable, check_ping, parse_duration, parse_share
from syncer.config.page_sections import PositiveDuration, Section, Share

if TYPE_CHECKING:
    from syncer.decide.due_build import BuildRules

DurationOrZero = Annotated[
    timedelta, PlainValidator(parse_duration), WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN})
]
_Ping = Annotated[str, AfterValidator(check_ping), WithJsonSchema({"type": "string", "pattern": "^https?://[^/@?#]+"})]


class Deploy(Section):
    """`deploy`: when the build hook of your host is called."""

    hook_env: Annotated[str, AfterValidator(check_hook_variable)] | None = Field(
        default=None,
        description="The environment variable that holds the address of the build hook, never the address; null: none.",
    )
    when: Share = Field(
        default=parse_share("5%"), description="Call it when at least this share of the pages has changed."
    )
    at_least_every: PositiveDuration = Field(
        default=parse_duration("24h"), description="Call it after this time even if only one page has changed."
    )
    at_most_per_day: int = Field(
        default=4, ge=1, le=1000, description="The maximum number of calls in any 24 hours, failed ones included."
    )
    quiet: DurationOrZero = Field(
        default=parse_duration("10m"), description="A call waits until no page has changed for this time."
    )

    def as_model(self) -> BuildRules:
        """Return the rules as the lower layers use them."""
        from syncer.decide.due_build import BuildRules

        return BuildRules(self.when, self.at_least_every, self.at_most_per_day, self.quiet)


class Notify(Section):
    """`notify`: where the daemon sends notifications."""

    urls: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(),
        description="Apprise URLs to notify when something needs attention; `file:///PATH` names a file of them.",
    )
    ping: _Ping | None = Field(
        default=None, description="A heartbeat URL that is requested at the start, success and failure of each sync."
    )
