"""Asks YouTube whether videos still play, together with the counts: those that are due, as far as the units reach."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from datetime import timedelta

from syncer.content.pages import Pages
from syncer.decide.availability import SOON, Availability, PlayState, next_check
from syncer.decide.plan import FRESH_SECONDS
from syncer.decide.quota import next_reset, share_of
from syncer.decide.schedule import count_times
from syncer.decide.unconfirmed import FEWEST_VIDEOS, NOT_PLAYING, Brake
from syncer.model import BATCH_SIZE, Bucket, VideoId
from syncer.state.checks import (
    Check,
    confirm_missing,
    hold_checks,
    newer_checks,
    note_missing,
    playing_brake,
    save_checks,
)
from syncer.state.due_checks import due_videos, note_regions, regions_changed
from syncer.state.exchange import LONGEST_KEPT, STEP_VIDEOS, Exchange, SharedCheck
from syncer.state.ledger import QuotaLedger
from syncer.state.play_states import known_states, playing_videos, unreported_changes
from syncer.status.held_by_brake import ROWS
from syncer.status.play_report import PlayReport
from syncer.sync.options import Sync
from syncer.wording import counted
from syncer.youtube.answer import Answer, Outcome
from syncer.youtube.item_body import about_playing

_MISSING = Availability(PlayState.MISSING)

CONFIRMATIONS = 10
"""Of so many batches of counts, one more is expected to be requested from `videos.list`: it confirms absent videos."""

WITNESSES = 5
"""So many videos that play are asked about, too, where a request has room, which costs nothing: an answer without any
video says nothing about those that only the text of pages embeds, which no count confirms. If there may be such videos,
each request has one."""

log = logging.getLogger("syncer.sync")


class VideoChecks:
    """What a sync asks about playing, together with the counts of its first window, and what YouTube returned."""

    def __init__(self, sync: Sync, ledger: QuotaLedger, pages: Sequence[Pages], requested: int) -> None:
        """Choose the videos that are due, as far as the units reach that `requested` videos' counts leave.

        Those of which another site of the ledger has asked lately are not asked about: what it got is judged here.
        `pages` are those of the sync, and those with embeds: a narrowed one looks at their videos only. Nothing is
        asked while `videos.list` is parked, or once the sync is cancelled. Videos that the user names are due if they
        are not fresh. Raises StateError.
        """
        database, options, availability = sync.database, sync.options, sync.config.availability
        self._sync, self._every = sync, availability.every or timedelta.max
        self._other_regions = regions_changed(database, availability.listed)
        self._brake: Brake | None = None
        self._stopped: Sequence[tuple[str, ...]] = ()
        self._exchange, self._shared = ledger.exchange, list[SharedCheck]()
        self._checks: list[Check] = []
        only = None if options.whole else {video for each in pages for _, named in each.named() for video in named}
        self._is_whole = only is None
        within = min(self._every, timedelta(seconds=FRESH_SECONDS)) if options.videos else self._every
        room = 0 if sync.environment.cancelled() else _units(sync, ledger, requested) * BATCH_SIZE
        due, self._due = due_videos(
            database,
            sync.environment.clock(),
            within,
            limit=room + (STEP_VIDEOS if self._exchange else 0),
            only=only & options.videos if only and options.videos else only,
            everything=options.everything or self._other_regions,
        )
        if self._exchange and not options.everything:
            self._checks = self._take_shared(self._exchange, due, within)
        taken = {check.video_id for check in self._checks}
        self.videos = [video for video in due if video not in taken][:room]
        """What to ask about."""
        self._witnesses: frozenset[VideoId] = frozenset()
        if self.videos:
            batches, free = math.ceil(len(self.videos) / BATCH_SIZE), -len(self.videos) % BATCH_SIZE
            wanted = max(min(WITNESSES, free), batches if pages[-1] else 0)
            witnesses = playing_videos(database, wanted, [*self.videos, *taken])
            del self.videos[BATCH_SIZE * batches - len(witnesses) :]  # those are next
            for number, witness in enumerate(witnesses):
                self.videos.insert(number * BATCH_SIZE if number < batches else len(self.videos), witness)
            self._witnesses = frozenset(witnesses)
        self._states = known_states(database, [*self.videos, *taken])
        self.question = about_playing(availability.regions)

    def _take_shared(self, exchange: Exchange, due: Sequence[VideoId], within: timedelta) -> list[Check]:
        """Return checks of other sites after which this one would not have looked at these videos again by now."""
        now, regions = self._sync.environment.clock(), self._sync.config.availability.listed
        since = now - min(within, LONGEST_KEPT)
        checks = [
            Check(video, at, next_check(video, found, at, self._every), found)
            for video, at, found in exchange.checks(due, regions, since, now)
        ]
        return newer_checks(self._sync.database, [check for check in checks if check.due_at > now])

    def note(self, answer: Answer) -> None:
        """Keep what YouTube returned of a batch, or that it rejects a video. What failed is due again."""
        if answer.outcome is Outcome.ANSWERED or (answer.outcome is Outcome.REJECTED and len(answer.videos) == 1):
            unsure = answer.outcome is Outcome.REJECTED or not answer.availability
            odd = {problem.subject for problem in answer.problems}
            for video in answer.videos if self._is_whole else set(answer.videos) - self._witnesses:
                found = answer.availability.get(video)
                still = _MISSING if self._states.get(video) is PlayState.MISSING else None
                due_at = next_check(video, found or still, answer.at, self._every)
                self._checks.append(Check(video, answer.at, due_at, found, unsure=unsure))
                if found and found.state and video not in odd:
                    self._shared.append(SharedCheck(video, answer.at, found))

    def judge(self) -> None:
        """Save what was returned, unless too many videos would stop playing at once. Raises StateError."""
        if self._exchange and self._shared:
            now, config = self._sync.environment.clock(), self._sync.config
            self._exchange.share_checks(self._shared, config.availability.listed, now, config.history.keep)
        self._checks = confirm_missing(self._sync.database, self._checks, self._every)
        played, stopped = 0, list[tuple[str, ...]]()
        for check in self._checks:
            before, after = self._states.get(check.video_id), check.found.state if check.found else None
            if before is not None and before.plays and after is not None:
                played += 1
                by_config = self._other_regions and after is PlayState.BLOCKED  # YouTube may say what it always said
                stopped += [] if after.plays or by_config else [(check.video_id, after.value)]
        share = self._sync.config.write.brake.missing
        if len(stopped) >= FEWEST_VIDEOS and len(stopped) > share * played and not self._sync.options.accept:
            self._brake, self._stopped = Brake(NOT_PLAYING, len(stopped), played), sorted(stopped)
            hold_checks(self._sync.database, self._checks, {video for video, _ in stopped}, self._brake)
        elif self._checks:
            save_checks(self._sync.database, self._checks)
        is_all = sum(check.video_id not in self._witnesses for check in self._checks) == self._due
        if not self._brake and self._other_regions and self._is_whole and is_all:
            note_regions(self._sync.database, self._sync.config.availability.listed)

    def report(self) -> PlayReport:
        """Record what is missing now, after the counts were judged, and return what changed. Raises StateError."""
        sync = self._sync
        brake = self._brake or playing_brake(sync.database)[0]
        note_missing(sync.database, min(self._every, SOON))
        checked = sum(
            check.found is not None and check.since is None and check.video_id not in self._witnesses
            for check in self._checks
        )
        report = PlayReport(self._due, checked, tuple(unreported_changes(sync.database)), brake)
        if brake and not sync.tally.brake:
            sync.tally.brake, sync.tally.brake_limit = brake, sync.config.write.brake.missing
            sync.tally.held = self._stopped[:ROWS] if self._brake else ()
        log.info(
            "Checked whether %s of %s that were due play; %s%s",
            f"{report.checked:,}",
            counted(self._due, "video"),
            f"{counted(len(report.changes), 'change')} to report",
            "; the safety brake holds what was returned" if brake else "",
            extra={"event": "checked-playing", "sync": sync.tally.sync, "due": self._due, "checked": report.checked},
        )
        return report


def _units(sync: Sync, ledger: QuotaLedger, requested: int) -> int:
    """Return how many units this sync may use: its share of those that its counts leave today, without the reserve."""
    now = sync.environment.clock()
    balances = ledger.balances(now)
    counts, stats = math.ceil(requested / BATCH_SIZE), balances[Bucket.STATS].usable(scheduled=sync.options.scheduled)
    left = balances[Bucket.GENERAL].scheduled - max(0, counts - stats) - counts // CONFIRMATIONS
    return share_of(max(0, left), 1 + count_times(sync.config.schedule.as_model(), now, next_reset(now)))
