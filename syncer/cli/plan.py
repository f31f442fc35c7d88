"""`syncer plan`: what the next sync requests and why, and how far the quota goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from syncer.cli.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from syncer.decide.forecast import Forecast
    from syncer.model import VideoId
    from syncer.sync.outlook import Outlook, PlannedVideo

VIDEOS_SHOWN = 5
"""Videos of the next sync that are shown; `--json` has more."""

MOST_DAYS = 366

UNKNOWN: Mapping[str, object] = {
    **dict.fromkeys(("budget", "forecast", "reaches")),
    **dict.fromkeys(("bands", "days", "intervals", "quotas"), ()),
}
"""What `--json` has in place of a forecast, while nobody knows how many units a day the site may use."""

FORM = "https://support.google.com/youtube/contact/yt_api_form"
"""YouTube's form for more quota (`docs/youtube.md`)."""


@click.command()
@click.option(
    "--days",
    type=click.IntRange(1, MOST_DAYS),
    default=7,
    show_default=True,
    metavar="N",
    help="How many quota days to look ahead.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@click.pass_obj
def command(settings: Settings, days: int, as_json: bool) -> int:
    """Show what the next sync requests and why, and how far the quota goes.

    It reads the state, requests nothing and changes nothing. The videos are those of the last sync of the whole site;
    before the first one, the pages are read.
    """
    from syncer.cli.daemon_seen import Daemons
    from syncer.cli.process import printed
    from syncer.cli.show import show, show_held_back, show_json
    from syncer.decide.schedule import first_time
    from syncer.errors import LedgerUnreachable
    from syncer.model import Bucket
    from syncer.state.database import open_state
    from syncer.state.ledger import OwnLedger
    from syncer.state.syncs import last_whole_sync
    from syncer.status.buckets import open_ledger
    from syncer.status.held_back import held_back_json, held_back_now
    from syncer.status.sharing import unreachable_outline
    from syncer.sync.outlook import look_ahead

    config, now, starts, unreachable = settings.config(), datetime.now(UTC), None, None
    daemon = Daemons().of(config.state_directory)
    with open_state(config.state_directory, config.site) as database:
        if daemon.syncs:
            starts = daemon.said.next_sync if daemon.said else None
            starts = starts or first_time(config.schedule.as_model(), last_whole_sync(database), now)
        try:
            with open_ledger(config, database, now) as ledger:
                outlook = look_ahead(config, database, ledger, now, starts=starts, days=days)
        except LedgerUnreachable as error:
            unreachable = unreachable_outline(str(error))
            no_units = OwnLedger(database, dict.fromkeys(Bucket, 0), reserve=0)
            outlook = look_ahead(config, database, no_units, now, starts=starts, days=days)
        held_back = held_back_now(config, database)
    if as_json:
        document = outlook_json(str(config.site), outlook) | {"held_back": held_back_json(held_back), "attention": []}
        show_json(document | {**UNKNOWN, "attention": [f"{unreachable}."]} if unreachable else document)
    elif not outlook.videos:
        show("No videos: no page of the collections names one. Run `syncer check`.")
    else:
        _show_next(outlook, "left out: no ledger" if unreachable else "left out for lack of quota")
        if unreachable:
            show(f"{unreachable}.", "bold yellow")
        else:
            _show_budget(outlook)
        show_held_back(held_back)
    return printed()


def _show_next(outlook: Outlook, left_out: str) -> None:
    from syncer.cli.show import show, show_table
    from syncer.wording import counted, utc

    of = f"{len(outlook.plan.videos):,} of {counted(outlook.videos, 'video')} with {counted(outlook.units, 'unit')}"
    if outlook.scheduled:
        show(f"Next sync: {utc(outlook.at)}. It requests {of}.")
    else:
        show(f"No daemon is running. `syncer sync` now requests {of}.")
    within, plan = _time(max(outlook.forecast.refresh_within, outlook.forecast.every)), outlook.plan
    left = {
        "read less than 5 minutes ago": plan.fresh - plan.gone,
        "gone, not due yet": plan.gone,
        "left to later syncs of the day": plan.later,
        left_out: plan.over_quota,
    }
    rows = [(f"{number:,}", "requested", _CAUSES[cause].format(within)) for cause, number in outlook.causes.items()]
    rows += [(f"{number:,}", "not requested", why) for why, number in left.items() if number]
    show_table(("videos", "", "why"), rows, right=(0,))
    if read := [_row(video, outlook.pages) for video in outlook.first if video.read_at][:VIDEOS_SHOWN]:
        show("Most out of date:")
        show_table(("video", "last read", "error", "pages"), read)
    if checks := outlook.checks:
        due = f"{counted(checks.due, 'video')} due with {counted(checks.units, 'unit')}"
        show(f"Checks whether videos play: {due}; all of them take about {_units(checks.units_a_day)} units a day.")


_CAUSES: Mapping[str, str] = {
    "never-read": "never read",
    "unknown-age": "read at a time in the future: the clock was wrong",
    "overdue": "due: each is read within {}",
    "gone": "gone, and due again",
    "held": "held, waiting for a second reading",
    "due": "due",
    "out-of-date": "most out of date",
}


def _row(video: PlannedVideo, pages: Mapping[VideoId, Sequence[str]]) -> tuple[str, str, str, str]:
    from syncer.wording import utc

    read = utc(datetime.fromtimestamp(video.read_at or 0, UTC))
    return video.video_id, read, _percent(video.error or 0), ", ".join(pages.get(video.video_id, ()))


def _show_budget(outlook: Outlook) -> None:
    from syncer.cli.show import show, show_table
    from syncer.model import BATCH_SIZE
    from syncer.status.demand import units, units_outline
    from syncer.wording import counted

    forecast = outlook.forecast
    show()
    show(f"{units_outline(forecast.units_for_all, outlook.budget)}.")
    show(
        f"Expected error of a count: {_percent(forecast.mean_error)} on average; at most"
        f" {_time(forecast.longest)} between two readings of a video."
    )
    if len(outlook.bands) > 1:
        bands = [(f"{band.videos:,}", _time(band.within), _percent(band.error)) for band in outlook.bands]
        show_table(("videos", "read again within", "error"), bands, right=(0, 1, 2))
    show()
    days = [
        (f"{day.day}", f"{day.syncs:,}", f"{day.requests:,}", f"{day.units:,}", f"{day.budget:,}")
        for day in outlook.days
    ]
    show_table(("quota day", "syncs", "requests", "units", "of"), days, right=(1, 2, 3, 4))
    show()
    show("What another interval or quota would change:")
    show_table(("sync every", "units a day", "of", "error", "longest wait"), _choices(outlook), right=(1, 2, 3, 4))
    within = _time(max(forecast.refresh_within, forecast.every))
    show(
        f"{units(outlook.budget)} a day are enough for {counted(outlook.largest_in_each_sync, 'video')} in every sync,"
        f" or for {counted(outlook.largest_site, 'video')} within {within}. A site with more videos than that outgrows"
        " the quota."
    )
    if outlook.outgrown_at:
        sentence = f"It gained {outlook.growth:.1f} videos a day lately. If that continues, it outgrows the quota on"
        show(f"{sentence} {outlook.outgrown_at:%Y-%m-%d}.")
    if not forecast.keeps_up:
        needed = forecast.videos / BATCH_SIZE / forecast.days_with_syncs
        sentence = f"This site has outgrown its quota: to read every video within {within}, it needs"
        show(f"{sentence} {units(needed)} a day.", "bold yellow")
    if not forecast.suffices:
        show(
            f"The owner of the Google Cloud project can request more units from YouTube: {FORM}. YouTube first audits"
            " the project: the form asks who you are, what your site does with the data, and how much quota it needs."
        )


def _choices(outlook: Outlook) -> Iterator[tuple[str, str, str, str, str]]:
    def row(forecast: Forecast, budget: int, what: str) -> tuple[str, str, str, str, str]:
        return (
            f"{_time(forecast.every)}{what}",
            _units(forecast.units_spent),
            f"{budget:,}",
            _percent(forecast.mean_error),
            _time(forecast.longest),
        )

    for other in outlook.intervals:
        yield row(other, outlook.budget, " (now)" if other.every == outlook.forecast.every else "")
    for budget, other in outlook.quotas:
        yield row(other, budget, ", more quota")


def _units(number: float) -> str:
    """Return a number of units for a table: `<0.1`, `0.6`, `4`, `19,600`."""
    if 0 < number < 0.1:
        return "<0.1"
    return f"{number:,.1f}".removesuffix(".0") if number < 10 else f"{number:,.0f}"


def _percent(share: float) -> str:
    """Return a share as people read it: `12%`, `0.31%`, `<0.01%`."""
    if 0 < share < 0.0001:
        return "<0.01%"
    return f"{share:.2%}" if share < 0.1 else f"{share:.0%}"


def _time(span: timedelta) -> str:
    """Return a time in its largest unit: `90s`, `6h`, `3.5d`."""
    seconds = span.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f}".removesuffix(".0") + unit
    return f"{seconds:.0f}s"


def outlook_json(site: str, outlook: Outlook) -> dict[str, object]:
    """Return what lies ahead as `syncer plan --json` prints it."""
    from syncer.diff_log.lines import timestamp

    return {
        "site": site,
        "videos": outlook.videos,
        "never_read": outlook.unread,
        "gone": outlook.gone,
        "longest_unread": {"video_id": outlook.oldest[0], "read_at": timestamp(outlook.oldest[1])}
        if outlook.oldest
        else None,
        "next": _next_json(outlook),
        "budget": outlook.budget,
        "forecast": _forecast_json(outlook.forecast),
        "bands": [
            {"within": _seconds(band.within), "videos": band.videos, "mean_error": band.error} for band in outlook.bands
        ],
        "days": [
            {
                "day": day.day.isoformat(),
                "syncs": day.syncs,
                "requests": day.requests,
                "units": day.units,
                "budget": day.budget,
            }
            for day in outlook.days
        ],
        "intervals": [_forecast_json(other) for other in outlook.intervals],
        "quotas": [{"budget": budget, **_forecast_json(other)} for budget, other in outlook.quotas],
        "availability": {
            "due": outlook.checks.due,
            "units": outlook.checks.units,
            "units_a_day": round(outlook.checks.units_a_day, 1),
        }
        if outlook.checks
        else None,
        "growth": round(outlook.growth, 2),
        "outgrown_at": timestamp(outlook.outgrown_at) if outlook.outgrown_at else None,
        "reaches": {"in_each_sync": outlook.largest_in_each_sync, "within_refresh": outlook.largest_site},
    }


def _next_json(outlook: Outlook) -> dict[str, object]:
    from syncer.diff_log.lines import timestamp

    plan, forecast = outlook.plan, outlook.forecast
    return {
        "at": timestamp(outlook.at),
        "scheduled": outlook.scheduled,
        "videos": len(plan.videos),
        "units": outlook.units,
        "why": {cause.value: number for cause, number in outlook.causes.items()},
        "left": {
            "fresh": plan.fresh - plan.gone,
            "gone": plan.gone,
            "later": plan.later,
            "over_quota": plan.over_quota,
        },
        "error": outlook.error,
        "first": [
            {
                "video_id": video.video_id,
                "why": video.cause.value,
                "read_at": timestamp(datetime.fromtimestamp(video.read_at, UTC)) if video.read_at else None,
                "drift": video.drift,
                "error": video.error,
                "read_again_after": _seconds(forecast.period(video.drift)),
                "mean_error": forecast.error(video.drift),
                "pages": outlook.pages.get(video.video_id, []),
            }
            for video in outlook.first
        ],
    }


def _forecast_json(forecast: Forecast) -> dict[str, object]:
    return {
        "every": _seconds(forecast.every),
        "units_needed": round(forecast.units_for_all, 1),
        "units_used": round(forecast.units_spent, 1),
        "mean_error": forecast.mean_error,
        "longest": _seconds(forecast.longest),
        "suffices": forecast.suffices,
        "keeps_up": forecast.keeps_up,
    }


def _seconds(span: timedelta) -> int:
    return round(span.total_seconds())
