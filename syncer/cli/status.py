"""`syncer status`: how the last syncs went, when the next one comes, what needs a person."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from syncer.cli.settings import Settings

if TYPE_CHECKING:
    from syncer.config.sections import Config
    from syncer.model import Bucket, Count, Problem, VideoId
    from syncer.state.database import Database
    from syncer.state.videos import Missing
    from syncer.sync.purses import Purse
    from syncer.sync.report import Outline

SYNCS = 5
"""How many of the last syncs are told."""


@dataclass(frozen=True, slots=True)
class _Status:
    site: str
    syncs: Sequence[Outline]
    next_sync: datetime
    purses: Mapping[Bucket, Purse]
    quota_resets: datetime
    missing: Sequence[Missing]
    gone: Sequence[Missing]
    """Those of the missing that were left out three times, a day apart."""
    doubtful: Sequence[tuple[VideoId, Count]]
    braked: int
    """Readings that a brake holds."""
    hidden: Sequence[tuple[VideoId, Count]]
    problems: Sequence[Problem]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@click.pass_obj
def command(settings: Settings, as_json: bool) -> None:
    """Tell how the last syncs went, when the next one is due, what is left of the quota, and what needs a person."""
    from syncer.cli.show import show_json
    from syncer.cli.stored import open_state

    config = settings.config()
    with open_state(config) as database:
        status = _status(config, database, datetime.now(UTC))
    if as_json:
        show_json(_json(status))
    else:
        _show(status)


def _status(config: Config, database: Database, now: datetime) -> _Status:
    from syncer.plan import GONE
    from syncer.quota import next_reset
    from syncer.schedule import first_time
    from syncer.state.judging import count_braked, doubtful_counts
    from syncer.state.syncs import last_syncs, last_whole_sync
    from syncer.state.videos import hidden_counts, missing_videos
    from syncer.sync.purses import purses
    from syncer.sync.report import outline, problems_of

    missing = missing_videos(database)
    reports = [json.loads(sync.report) for sync in last_syncs(database, SYNCS)]
    mapped = {count for collection in config.collections for count in collection.mapping().counts}
    return _Status(
        site=str(config.site),
        syncs=[outline(report) for report in reports],
        next_sync=first_time(config.schedule, last_whole_sync(database), now),
        purses=purses(config, database, now),
        quota_resets=next_reset(now),
        missing=missing,
        gone=[video for video in missing if video.misses >= GONE],
        doubtful=doubtful_counts(database),
        braked=count_braked(database),
        hidden=hidden_counts(database, mapped),
        problems=problems_of(reports[0]) if reports else (),
    )


def _json(status: _Status) -> dict[str, object]:
    from syncer.diff_log import timestamp
    from syncer.sync.report import problem_json

    return {
        "site": status.site,
        "syncs": list(status.syncs),
        "next_sync": timestamp(status.next_sync),
        "quota": {
            bucket.value: {
                "spent": purse.spent,
                "left": purse.left,
                "parked_until": timestamp(purse.parked_until) if purse.parked_until else None,
            }
            for bucket, purse in status.purses.items()
        },
        "quota_resets": timestamp(status.quota_resets),
        "missing": [{"video_id": video.video_id, "since": timestamp(video.since)} for video in status.missing],
        "gone": [{"video_id": video.video_id, "since": timestamp(video.since)} for video in status.gone],
        "doubtful": [{"video_id": video, "count": count.value} for video, count in status.doubtful],
        "held_by_brake": status.braked,
        "hidden": [{"video_id": video, "count": count.value} for video, count in status.hidden],
        "problems": [problem_json(problem) for problem in status.problems],
    }


def _show(status: _Status) -> None:
    from syncer.cli.show import show, show_problems
    from syncer.sync.purses import in_words
    from syncer.wording import utc

    _show_syncs(status.syncs)
    show(f"Next scheduled sync: {utc(status.next_sync)}, while `syncer daemon` runs.")
    for bucket, purse in status.purses.items():
        show(f"Quota {bucket}: {in_words(purse)}.")
    show(f"A new quota day begins at {utc(status.quota_resets)}, midnight Pacific.")
    _show_videos(status)
    if status.problems:
        show(f"Problems of the last sync: {len(status.problems):,}", "bold")
        show_problems(status.problems)


def _show_syncs(syncs: Sequence[Outline]) -> None:
    from syncer.cli.show import show, show_table
    from syncer.wording import utc

    if not syncs:
        show("No sync yet; `syncer sync` makes one.")
        return
    heads = ("sync", "finished", "pages changed", "counts changed", "problems", "exit")
    rows = [
        (
            sync["sync"],
            utc(datetime.fromisoformat(sync["finished"])),
            f"{sync['changed_pages']:,}",
            f"{sync['changed_counts']:,}",
            f"{sync['problems']:,}",
            str(sync["exit"]),
        )
        for sync in syncs
    ]
    show_table(heads, rows, right=(2, 3, 4, 5))


def _show_videos(status: _Status) -> None:
    from syncer.cli.show import SHOWN, rest, show
    from syncer.wording import counted, utc

    for video in status.missing[:SHOWN]:
        show(f"{'Gone' if video in status.gone else 'Missing'} since {utc(video.since)}: {video.video_id}")
    rest(len(status.missing), "missing video")
    for video_id, count in status.doubtful[:SHOWN]:
        show(f"Doubtful, held until the next reading says the same: {video_id} {count}")
    rest(len(status.doubtful), "doubtful count")
    if status.braked:
        held = counted(status.braked, "reading")
        show(f"A brake holds {held}; `syncer sync --accept` lets through what is held.", "bold yellow")
    for video_id, count in status.hidden[:SHOWN]:
        show(f"Hidden: {video_id} {count}")
    rest(len(status.hidden), "hidden count")
