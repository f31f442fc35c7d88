"""The site's ledger, how much of the day's quota is left for which syncs, and whether YouTube has cut the quota."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import TYPE_CHECKING

from syncer.decide.quota import BucketStatus, is_early, quota_day
from syncer.errors import LedgerUnreachable
from syncer.model import Bucket, Problem, ProblemKind
from syncer.state.ledger import OwnLedger, QuotaLedger
from syncer.wording import counted, utc
from syncer.youtube.answer import METHODS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from syncer.config.sections import Config
    from syncer.model import LedgerPlace
    from syncer.state.database import Database
    from syncer.state.shared_ledger import LedgerMember, LedgerSnapshot, Sharing


def open_ledger(
    config: Config, database: Database, at: datetime, *, key: str = "", writes: bool = False
) -> AbstractContextManager[QuotaLedger]:
    """Return the ledger that the config of the site with this state names; use it as a context manager.

    A shared one knows from then on that the site synced at this time, and which `key` it uses, if there is one.
    Unless it `writes`, nothing reaches a shared ledger: what happens is counted in memory. Raises StateError and, where
    a shared ledger that the config names rightly cannot be used, LedgerUnreachable.
    """
    place, quota = config.ledger_place, config.quota
    if place is not None:
        from syncer.state.shared_ledger import open_shared_ledger

        return open_shared_ledger(place, _member(config, key), at, writes=writes)
    limits = {Bucket.STATS: quota.stats_units_per_day, Bucket.GENERAL: quota.general_units_per_day}
    return nullcontext(OwnLedger(database, limits, quota.reserve))


class LedgerLooks:
    """What ledgers say at about one time, without writing to them: each shared one is read once for all its sites.

    Safe in several threads.
    """

    def __init__(self) -> None:
        self._snapshots: dict[tuple[LedgerPlace, date], LedgerSnapshot | LedgerUnreachable] = {}
        self._reading: defaultdict[LedgerPlace, Lock] = defaultdict(Lock)
        """A disk or a server that hangs keeps only the sites of its ledger waiting."""

    def look(
        self, config: Config, database: Database, at: datetime
    ) -> tuple[Mapping[Bucket, BucketStatus], Sharing | None]:
        """Return what is left for the site with this state, and who shares its ledger, if others do.

        Nothing is known of a shared one that cannot be reached, and its `Sharing` says why. Raises StateError.
        """
        if config.ledger_place is not None:
            return self.look_at_shared(config, config.ledger_place, at)
        with open_ledger(config, database, at) as ledger:
            return ledger.balances(at), None

    def look_at_shared(
        self, config: Config, place: LedgerPlace, at: datetime
    ) -> tuple[Mapping[Bucket, BucketStatus], Sharing]:
        """Return what is left for the site in the shared ledger there, and who shares it, as `look` does."""
        from syncer.state.shared_ledger import Sharing, look_at_ledger

        day, member = quota_day(at), _member(config)
        with self._reading[place]:
            snapshot = self._snapshots.get((place, day))
            if snapshot is None:
                try:
                    snapshot = look_at_ledger(place, day)
                except LedgerUnreachable as error:
                    snapshot = error
                self._snapshots[place, day] = snapshot
        if isinstance(snapshot, LedgerUnreachable):
            return {}, Sharing(str(place), (), 0, str(snapshot))
        return snapshot.balances(member, at), snapshot.sharing(member, at)


def look_at_project(place: LedgerPlace, at: datetime) -> tuple[Mapping[Bucket, BucketStatus], Sharing]:
    """Return what is left for all sites of the ledger there together, and who shares it. Raises StateError."""
    from syncer.config.sections import Quota
    from syncer.state.shared_ledger import look_at_ledger

    snapshot, quota = look_at_ledger(place, quota_day(at)), Quota()
    default = {Bucket.STATS: quota.stats_units_per_day, Bucket.GENERAL: quota.general_units_per_day}
    return snapshot.of_project(default, at), snapshot.sharing(None, at)


def _member(config: Config, key: str = "") -> LedgerMember:
    """Return what a shared ledger knows of a site."""
    from syncer.decide.project_quota import SiteTerms
    from syncer.state.shared_ledger import LedgerMember

    quota = config.quota
    limits = {Bucket.STATS: quota.stats_units_per_day, Bucket.GENERAL: quota.general_units_per_day}
    stated = {bucket: units for bucket, units in limits.items() if f"{bucket}_units_per_day" in quota.model_fields_set}
    path = os.path.realpath(config.site)
    return LedgerMember(
        f"{os.uname().nodename}:{path}" if isinstance(config.ledger_place, str) else path,
        config.site_name,
        SiteTerms(stated, quota.share),
        quota.reserve,
        limits,
        config.youtube.endpoint,
        key,
    )


def note_spent_day(ledger: QuotaLedger, bucket: Bucket, at: datetime) -> None:
    """Note that YouTube ended the bucket's day, if that is far too early by the ledger."""
    balances = ledger.balances(at)
    spent = sum(status.project_spent for status in balances.values())
    if is_early(spent, balances[bucket].project_limit):
        ledger.note_refusal(bucket, at, balances[bucket].project_spent)


def cut_quotas(ledger: QuotaLedger, at: datetime) -> list[Problem]:
    """Return a problem for each bucket whose day YouTube ended far too early.

    It is listed while the bucket is parked, and on the next day in each sync, until as many units were spent again.
    """
    balances = ledger.balances(at)
    problems = []
    for bucket, units in ledger.refusals(at).items():
        status = balances[bucket]
        if not status.parked_until and status.project_spent >= units:
            ledger.forget_refusal(bucket)
        elif status.parked_until or status.project_spent:
            message = (
                f"YouTube said that the day's quota for {METHODS[bucket]} was used up after {units:,} of"
                f" {status.project_limit:,} units. YouTube may have cut your project's quota: look for its mail to the"
                " project's owner, and compare the quota in the Google Cloud console (IAM & Admin > Quotas) with"
                f" quota.{bucket}_units_per_day. If other programs use the project too, set that to what they leave."
            )
            problems.append(Problem(ProblemKind.QUOTA_CUT, METHODS[bucket], message))
    return problems


def in_words(status: BucketStatus) -> str:
    """Return what is left, in the words of all commands and of the status page."""
    if status.parked_until:
        return f"none left until {utc(status.parked_until)}"
    left = f"{status.left:,} of {counted(status.limit, 'unit')} left today"
    return f"{left} (scheduled syncs may use {status.scheduled:,})"
