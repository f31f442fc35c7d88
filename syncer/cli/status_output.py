"""Looks at the status of sites, and prints that of one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from syncer.cli.daemon_seen import SeenDaemon
    from syncer.config.sections import Config
    from syncer.decide.quota import BucketStatus
    from syncer.model import Bucket, VideoId
    from syncer.state.shared_ledger import Sharing
    from syncer.status.attention import Need
    from syncer.status.buckets import LedgerLooks
    from syncer.status.status import Status

SITES_SHOWN = 10
"""How many of the sites that share a ledger are shown, those with the most units first."""

SYNCS_SHOWN = 5
"""How many of the last syncs are shown."""


class SeenStatus(NamedTuple):
    """The status of a site, and what else is shown of it."""

    status: Status
    pages: Mapping[VideoId, Sequence[str]]
    """The pages of the videos that the status lists."""
    daemon: SeenDaemon
    needs: Sequence[Need]
    """What needs attention, the most serious first."""


def look(config: Config, daemon: SeenDaemon, ledgers: LedgerLooks | None = None) -> SeenStatus:
    """Return the status of a site now, with its daemon. `ledgers` is what `status_of` takes. Raises StateError."""
    from syncer.decide.schedule import longest_interval
    from syncer.state.database import open_state
    from syncer.state.naming_pages import pages_of_videos
    from syncer.status.attention import facts_in_state, needs_of
    from syncer.status.status import status_of

    said, now = daemon.said, datetime.now(UTC)
    with open_state(config.state_directory, config.site) as database:
        status = status_of(
            config, database, now, syncs=SYNCS_SHOWN, next_sync=said.next_sync if said else None, ledgers=ledgers
        )
        pages = pages_of_videos(database, status.listed)
    facts = facts_in_state(
        status,
        now,
        interval=longest_interval(config.schedule.as_model(), now) if daemon.syncs else None,
        stalled=said is not None and said.stalled,
        trouble=said.trouble if said else None,
        config_error=said.config_error if said else None,
    )
    return SeenStatus(status, pages, daemon, list(needs_of(facts)))


def seen_json(seen: SeenStatus, config: str) -> dict[str, object]:
    """Return the JSON document of a status, with what needs attention and what the daemon says.

    `config` is the path of the site's config.
    """
    from syncer.cli.arguments import absolute
    from syncer.status.documents import status_json

    daemon = seen.daemon
    return {
        **status_json(seen.status),
        "attention": [need.sentence for need in seen.needs],
        "daemon": daemon.said.document if daemon.said else None,
        "left_out": [{"config": absolute(config), "message": daemon.left_out}] if daemon.left_out else [],
    }


def show_status(seen: SeenStatus) -> None:
    """Print the status of a site."""
    _show_syncs(seen.status, daemon=seen.daemon)
    _show_videos(seen.status, seen.pages)


def _show_syncs(status: Status, *, daemon: SeenDaemon) -> None:
    from syncer.cli.show import show, show_table
    from syncer.status.buckets import in_words
    from syncer.status.build_status import build_sentence
    from syncer.status.demand import demand_outline
    from syncer.status.play_report import state_sums
    from syncer.wording import counted, utc

    if status.running:
        show("A sync is running." if status.syncs else "The first sync is running; none has finished yet.")
    elif not status.syncs:
        show("No sync yet. Run `syncer sync`.")
    dates = any(sync["changed_dates"] for sync in status.syncs)  # most sites have none
    rows = [
        (
            sync["sync"],
            utc(datetime.fromisoformat(sync["finished"])),
            f"{sync['changed_pages']:,}",
            f"{sync['changed_counts']:,}",
            *([f"{sync['changed_dates']:,}"] * dates),
            sync["result"],
        )
        for sync in status.syncs
    ]
    if rows:
        heads = ("sync", "finished", "pages", "counts", *["dates"] * dates, "result")
        show_table(heads, rows, right=range(2, len(heads) - 1))
    if status.leftovers:
        written, unwritten = counted(status.leftovers.written, "value"), counted(status.leftovers.unwritten, "value")
        what = f"{written} written, {unwritten} not written, {counted(len(status.leftovers.files), 'left-over file')}"
        show(f"The last sync was interrupted: {what}. The next sync completes it.", "bold yellow")
    _show_daemon(daemon, status.next_sync)
    for bucket, left in status.buckets.items():
        show(f"Quota {bucket}: {in_words(left)}.")
    _show_ledger(status.sharing, status.buckets)
    show(f"Quota resets at {utc(status.quota_resets)} (midnight Pacific).")
    if status.demand.videos:
        show(f"{demand_outline(status.demand)}.")
    if status.states.keys() - {None}:
        show(f"Whether videos play: {state_sums(status.states)} (see `syncer videos`).")
    if status.build:
        show(f"Build hook: {build_sentence(status.build)}.")


def _show_daemon(daemon: SeenDaemon, next_sync: datetime) -> None:
    from syncer.cli.show import show
    from syncer.wording import safe, utc

    if daemon.said and daemon.said.trouble:
        show(f"The last sync could not run: {safe(daemon.said.trouble)}", "bold yellow")
    if daemon.syncs:
        show(f"Next sync: {utc(next_sync)}.")
    elif daemon.left_out:
        show(f"The daemon leaves out this site: {safe(daemon.left_out)}", "bold yellow")
    else:
        show("No daemon is running; `syncer sync` updates the counts now.")


def _show_ledger(sharing: Sharing | None, buckets: Mapping[Bucket, BucketStatus]) -> None:
    from syncer.cli.show import show, show_table
    from syncer.status.sharing import sharing_outline, sharing_warnings
    from syncer.wording import utc

    if sharing is None:
        return
    show(f"Quota ledger: {sharing_outline(sharing, buckets)}.")
    largest = sorted(sharing.sites, key=lambda site: -sum(site.units.values()))
    rows = [
        (
            site.name,
            "-" if site.share is None else f"{site.share}%",
            *(f"{site.units[bucket]:,}" for bucket in buckets),
            utc(site.seen) if site.seen else "-",
        )
        for site in largest[:SITES_SHOWN]
    ]
    if rows:
        show_table(("site", "share", *buckets, "last sync"), rows, right=(1, 2, 3))
    if len(largest) > SITES_SHOWN:
        show(f"And {len(largest) - SITES_SHOWN:,} more (--json lists all).")
    for warning in sharing_warnings(sharing, buckets):
        show(f"{warning}.", "bold yellow")


def _show_videos(status: Status, pages: Mapping[VideoId, Sequence[str]]) -> None:
    from syncer.cli.show import show, show_held, show_held_back, show_open, show_problems, show_suppressed, show_videos
    from syncer.status.play_report import STOPPED
    from syncer.status.report import ACCEPT, GONE, HIDDEN, MISSING, UNCONFIRMED, brake_outline, brake_remedy
    from syncer.wording import counted, utc

    confirmed = {video for video, state, _ in status.not_playing if state == "missing"}
    missing, gone = (
        [(each.video_id, f"since {utc(each.since)}") for each in status.missing if each.gone is gone]
        for gone in (False, True)
    )
    missing = [row for row in missing if row[0] not in confirmed]
    stopped = [(video, f"{state} since {utc(since)}") for video, state, since in status.not_playing]
    lists = {MISSING: missing, GONE: gone, UNCONFIRMED: status.unconfirmed, HIDDEN: status.hidden, STOPPED: stopped}
    show_videos(lists, pages, "--json")
    if status.brake:
        last = status.syncs[:1]
        written = sum(each["changed_counts"] for each in last), sum(each["changed_dates"] for each in last)
        outline = brake_outline(status.brake, written, f" (limit {status.brake_limit * 100:g}%)", "the last sync")
        holds = f"It holds the readings of {counted(status.braked, 'video')}."
        show(f"{outline} {holds} {brake_remedy(ACCEPT)}", "bold yellow")
        show_held(status.brake, status.held, pages)
    show_suppressed(status.suppressed)
    show_held_back(status.held_back)
    show_open(status.open)
    if status.problems:
        show(f"Problems: {len(status.problems):,}", "bold")
        show_problems(status.problems)
