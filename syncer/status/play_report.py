"""What a sync found out about whether videos play, and what is known of one video, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from syncer.diff_log.lines import timestamp
from syncer.wording import utc

if TYPE_CHECKING:
    from syncer.decide.availability import Availability, PlayState
    from syncer.decide.unconfirmed import Brake
    from syncer.model import VideoId
    from syncer.state.play_states import StateChange, VideoPlay

UNKNOWN = "unknown"
"""What the state is called of a video of which YouTube was not asked yet, or did not say it."""

STOPPED = "Videos that do not play on your site:"
RESUMED = "Videos that play again:"
"""The headings of the lists of changes."""


@dataclass(frozen=True, slots=True)
class PlayReport:
    """How many videos a sync checked, and which of them are in another state than was reported before."""

    due: int
    """Videos whose turn it was."""
    checked: int = 0
    """Those of them that YouTube returned."""
    changes: Sequence[StateChange] = ()
    """What is to be reported now: once, and again only if it changes again."""
    brake: Brake | None = None
    """Why the safety brake holds what was returned: too many videos would stop playing at once."""

    def stopped(self) -> list[StateChange]:
        """Return the changes to states in which a video does not play."""
        return [change for change in self.changes if not change.after.plays]

    def resumed(self) -> list[StateChange]:
        """Return the changes back. From one state in which a video plays to another, nothing is to be reported."""
        return [change for change in self.changes if change.after.plays and change.before and not change.before.plays]


def change_rows(changes: Sequence[StateChange]) -> list[tuple[VideoId, str]]:
    """Return the rows of a list of changes: the video, and its state since when."""
    return [(change.video_id, f"{change.after} since {utc(change.since)}") for change in changes]


def state_sums(states: Mapping[PlayState | None, int]) -> str:
    """Return how many videos are in each state: `12 public, 1 unknown`, the most first."""
    most_first = sorted(states.items(), key=lambda each: (-each[1], each[0] or UNKNOWN))
    return ", ".join(f"{number:,} {state or UNKNOWN}" for state, number in most_first)


def play_details(said: Availability, left_out_since: datetime | None = None) -> str:
    """Return what is known of a video beside its state, in words; empty if that is nothing."""
    left_out = [f"not returned since {utc(left_out_since)}, missing if that lasts a day"] if left_out_since else []
    return "; ".join([*left_out, *_details(said)])


def pending_sentence(number: int) -> str:
    """Return how many videos may soon be missing, beside those that a list has."""
    verb, pronoun = ("was", "it is") if number == 1 else ("were", "they are")
    return f"{number:,} more {verb} not returned by YouTube; {pronoun} missing if that lasts a day"


def page_lines(play: VideoPlay) -> list[str]:
    """Return the places with the video: pages, and where their text embeds it, the line, too: `content/a.md:12`."""
    return [path if line is None else f"{path}:{line}" for path, line in play.places()]


def play_json(play: VideoPlay) -> dict[str, str | bool | list[str] | list[dict[str, object]] | None]:
    """Return what is known of a video, as `syncer videos --json` prints it."""
    said = play.availability
    return {
        "video_id": play.video_id,
        "state": said.state.value if said.state else None,
        "since": timestamp(play.since) if play.since else None,
        "checked_at": timestamp(play.checked_at) if play.checked_at else None,
        "made_for_kids": said.made_for_kids,
        "blocked_in": said.blocked_in or None,
        "starts_at": timestamp(said.starts_at) if said.starts_at else None,
        "not_returned_since": timestamp(play.left_out_since) if play.left_out_since else None,
        "pages": list(play.pages),
        "embeds": [{"path": path, "line": line} for path, line in play.embeds],
    }


def _details(said: Availability) -> Iterator[str]:
    if said.starts_at:
        yield f"starts at {utc(said.starts_at)}"
    if said.blocked_in:
        yield f"blocked in {'all countries' if said.blocked_in == 'all' else said.blocked_in}"
    if said.made_for_kids:
        yield "made for kids"
