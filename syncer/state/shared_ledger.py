"""A quota ledger that sites of one Google project share: one file or one server for all their processes.

Each site may spend its part of the units, and all of them together never more than the project has: a unit is taken in
a transaction that sees what every other site has taken.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from syncer.decide.project_quota import SiteTerms, counts_still, part_of, project_limit
from syncer.decide.quota import BucketStatus, balance, quota_day
from syncer.model import Bucket, LedgerPlace
from syncer.state.damage import member, moment, moment_or_none
from syncer.state.exchange import Exchange
from syncer.state.ledger_place import OpenLedger, copy_ledger, open_ledger, read_ledger

if TYPE_CHECKING:
    from syncer.state.ledger_schema import LedgerConnection

KEPT_DAYS = 60
"""The units of so many quota days are kept, of those on which any were spent."""

FINGERPRINT_BYTES = 16


@dataclass(frozen=True, slots=True)
class LedgerMember:
    """A site that uses a shared ledger."""

    site: str
    """Its real path; where several machines share the ledger, after the name of its machine."""
    name: str
    terms: SiteTerms
    reserve: int
    """How many units of each bucket its scheduled syncs leave."""
    default: Mapping[Bucket, int]
    """The units a day of a bucket for which no site's config states any."""
    endpoint: str
    """Where it sends its requests."""
    key: str = field(default="", repr=False)
    """The API key that it uses; empty if it is not known here."""


@dataclass(frozen=True, slots=True)
class NotedSite:
    """What a shared ledger has noted of a site."""

    name: str
    terms: SiteTerms
    key: str | None
    """A fingerprint of the API key that it used last; None: it is not known."""
    seen: datetime | None
    """When its last sync began; None: it has not synced yet."""

    def counts(self, at: datetime) -> bool:
        """Whether what its config says still counts at this time."""
        return self.seen is not None and counts_still(self.seen, at)


@dataclass(frozen=True, slots=True)
class SharingSite:
    """One of the sites that share a ledger."""

    site: str
    """Its name in the ledger, as of a `LedgerMember`."""
    name: str
    share: int | None
    """Its part of each bucket in percent; None: it uses what the shares of others leave."""
    units: Mapping[Bucket, int]
    """What it has spent on the quota day."""
    seen: datetime | None
    """When its last sync began; None: it has not synced with this ledger yet."""
    has_other_key: bool = False
    """Whether its API key is not the one that most sites use."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """Who shares a ledger."""

    place: str
    """Where the ledger is."""
    sites: Sequence[SharingSite]
    keys: int
    """How many different API keys they use."""
    unreachable: str | None = None
    """Why it cannot be reached, so that nothing else is known of it; None: it can."""


@dataclass(frozen=True, slots=True)
class LedgerSnapshot:
    """What a shared ledger says on one quota day, the same for all sites."""

    place: str
    sites: Mapping[str, NotedSite]
    """By their names in the ledger."""
    spent: Mapping[Bucket, Mapping[str, int]]
    """The units of the day, by the names of sites in the ledger."""
    parked: Mapping[Bucket, datetime]

    def balances(self, site: LedgerMember, at: datetime) -> Mapping[Bucket, BucketStatus]:
        """Return what is left of each bucket for a site at this time of the day."""
        terms = {path: noted.terms for path, noted in self._sites(site, at).items()}
        shares = {path: each.share for path, each in terms.items() if each.share is not None}
        found = {}
        for bucket, units in self.spent.items():
            limit = project_limit(bucket, terms.values(), site.default[bucket])
            others = units.keys() - shares.keys()  # and those that no longer count
            with_us = {site.site} if site.site in shares else others
            found[bucket] = balance(
                bucket,
                at,
                limit=part_of(limit, site.terms.share, shares.values()),
                spent=sum(units.get(each, 0) for each in with_us),
                reserve=site.reserve,
                parked=self.parked.get(bucket),
                project=(limit, sum(units.values())),
            )
        return found

    def of_project(self, default: Mapping[Bucket, int], at: datetime) -> Mapping[Bucket, BucketStatus]:
        """Return what is left of each bucket for all sites together at this time of the day.

        `default` are the units a day of a bucket for which no site's config states any.
        """
        terms = [noted.terms for noted in self._sites(None, at).values()]
        limits = {bucket: project_limit(bucket, terms, default[bucket]) for bucket in self.spent}
        return {
            bucket: balance(
                bucket, at, limit=limits[bucket], spent=sum(units.values()), reserve=0, parked=self.parked.get(bucket)
            )
            for bucket, units in self.spent.items()
        }

    def sharing(self, site: LedgerMember | None, at: datetime) -> Sharing:
        """Return which sites use the ledger, what each has spent on the day, and how many keys they use.

        The sites are those that synced in the days before this time, and the one that asks, if one does, by name.
        """
        sites = self._sites(site, at)
        keys = Counter(noted.key for noted in sites.values() if noted.key)
        most = keys.most_common(1)
        shown = [
            SharingSite(
                path,
                noted.name,
                noted.terms.share,
                {bucket: units.get(path, 0) for bucket, units in self.spent.items()},
                noted.seen,
                noted.key not in {None, *(key for key, _ in most)},
            )
            for path, noted in sorted(sites.items(), key=lambda each: (each[1].name, each[0]))
        ]
        return Sharing(self.place, shown, len(keys))

    def _sites(self, site: LedgerMember | None, at: datetime) -> Mapping[str, NotedSite]:
        """Return the sites that count at this time, and the one that asks, with what its config says now."""
        counting = {path: noted for path, noted in self.sites.items() if noted.counts(at)}
        if site is None:
            return counting
        own = replace(
            self.sites.get(site.site) or NotedSite(site.name, site.terms, None, None), name=site.name, terms=site.terms
        )
        return counting | {site.site: own}


def look_at_ledger(place: LedgerPlace, day: date) -> LedgerSnapshot:
    """Return what a ledger says on this quota day; an empty snapshot if there is none yet. Nothing is written.

    Raises StateError.
    """
    with read_ledger(place) as connection:
        return _snapshot(connection, place, day)


@contextmanager
def open_shared_ledger(place: LedgerPlace, site: LedgerMember, at: datetime, *, writes: bool) -> Iterator[SharedLedger]:
    """Open a ledger, create a file if needed, and note the site in it, seen at this time; close it at the end.

    Unless it `writes`, all that happens in a copy in memory, and the site was not seen. Raises StateError.
    """
    with closing(open_ledger(place) if writes else copy_ledger(place)) as file:
        ledger = SharedLedger(file, site)
        ledger.register(at if writes else None)
        yield ledger


class SharedLedger:
    """A shared ledger, as one of its sites uses it. Safe in several threads."""

    def __init__(self, file: OpenLedger, site: LedgerMember) -> None:
        self._file = file
        self._site = site
        self.ahead = file.ahead
        """How far the clock by which the ledger counts is ahead of this machine's."""
        self.exchange = Exchange(file, site.site, site.endpoint)
        """How the site learns from the others."""

    def register(self, at: datetime | None) -> None:
        """Note the site and what its config says, before it spends. Raises StateError.

        `at` is when its sync began; None: it does not sync now.
        What the clock says now deletes nothing: if it is wrong, the units of today would be lost.
        """
        site = self._site
        with self._file.transaction() as connection:
            connection.execute(
                "DELETE FROM units WHERE day NOT IN (SELECT DISTINCT day FROM units ORDER BY day DESC LIMIT :kept)",
                {"kept": KEPT_DAYS},
            )
            connection.execute(
                "INSERT INTO sites VALUES (:site, :name, :stats, :general, :share, :key, :seen)"
                " ON CONFLICT (site) DO UPDATE SET name = :name, stats = :stats, general = :general, share = :share,"
                " key = coalesce(:key, sites.key), seen = coalesce(:seen, sites.seen)",
                {
                    "site": site.site,
                    "name": site.name,
                    **{bucket.value: site.terms.stated.get(bucket) for bucket in Bucket},
                    "share": site.terms.share,
                    "key": self._fingerprint(connection),
                    "seen": int((at + self.ahead).timestamp()) if at else None,
                },
            )

    def balances(self, at: datetime) -> Mapping[Bucket, BucketStatus]:
        """Return what is left of each bucket for the site on the quota day of this time."""
        at += self.ahead
        return self._look(at).balances(self._site, at)

    def _day(self, at: datetime) -> date:
        """Return the quota day at this time, by the clock of the ledger."""
        return quota_day(at + self.ahead)

    def take(self, bucket: Bucket, at: datetime, wanted: int, *, scheduled: bool) -> int:
        """Spend up to `wanted` units of `bucket`, as many as a sync may use now; return their number."""
        day = self._day(at)
        with self._file.transaction() as connection:
            taken = min(wanted, self.balances(at)[bucket].usable(scheduled=scheduled))
            if taken:
                connection.execute(
                    "INSERT INTO units VALUES (:day, :bucket, :site, :taken)"
                    " ON CONFLICT (day, bucket, site) DO UPDATE SET spent = units.spent + :taken",
                    {"day": day.isoformat(), "bucket": bucket, "site": self._site.site, "taken": taken},
                )
        return taken

    def give_back(self, bucket: Bucket, day: date, units: int) -> None:
        """Give back units of `bucket` that were taken on this quota day and not used."""
        row = {"unused": units, "day": day.isoformat(), "bucket": bucket, "site": self._site.site}
        with self._file.transaction() as connection:
            connection.execute(
                "UPDATE units SET spent = CASE WHEN spent > :unused THEN spent - :unused ELSE 0 END"
                " WHERE day = :day AND bucket = :bucket AND site = :site",
                row,
            )

    def park(self, bucket: Bucket, until: datetime) -> None:
        """Spend no units of `bucket` before this time, on any site."""
        with self._file.transaction() as connection:
            connection.execute(
                "INSERT INTO parked VALUES (:bucket, :until) ON CONFLICT (bucket) DO UPDATE SET until = :until",
                {"bucket": bucket, "until": int((until + self.ahead).timestamp())},
            )

    def refusals(self, at: datetime) -> Mapping[Bucket, int]:
        """Return after how many units YouTube reported a bucket spent too early, on this quota day or the last one."""
        today = self._day(at)
        recent = {today.isoformat(), (today - timedelta(days=1)).isoformat()}
        with self._file.read() as connection:
            rows = connection.execute("SELECT bucket, day, units FROM refused").fetchall()
        return {member(Bucket, bucket): units for bucket, day, units in rows if day in recent}

    def note_refusal(self, bucket: Bucket, at: datetime, units: int) -> None:
        """Record that YouTube reported the quota of `bucket` spent after this many units of all sites."""
        with self._file.transaction() as connection:
            connection.execute(
                "INSERT INTO refused VALUES (:bucket, :day, :units)"
                " ON CONFLICT (bucket) DO UPDATE SET day = :day, units = :units",
                {"bucket": bucket, "day": self._day(at).isoformat(), "units": units},
            )

    def forget_refusal(self, bucket: Bucket) -> None:
        """Delete the record of `bucket`."""
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM refused WHERE bucket = :bucket", {"bucket": bucket})

    def sharing(self, at: datetime) -> Sharing:
        """Return which sites use the ledger, what each has spent on this time's quota day, and how many keys they use.

        The sites are those that synced in the last days, and the one that asks, by name.
        """
        at += self.ahead
        return self._look(at).sharing(self._site, at)

    def _look(self, at: datetime) -> LedgerSnapshot:
        with self._file.read() as connection:
            return _snapshot(connection, self._file.place, quota_day(at))

    def _fingerprint(self, connection: LedgerConnection) -> str | None:
        """Return a fingerprint of the key from which nobody can learn the key; None where it is not known."""
        (salt,) = connection.execute("SELECT value FROM meta WHERE name = 'salt'").fetchone() or ("",)
        key = self._site.key.encode()
        return hashlib.blake2b(key, key=salt.encode(), digest_size=FINGERPRINT_BYTES).hexdigest() if key else None


def _snapshot(connection: LedgerConnection, place: LedgerPlace, day: date) -> LedgerSnapshot:
    """Return what a ledger says on a quota day."""
    rows = connection.execute("SELECT site, name, stats, general, share, key, seen FROM sites").fetchall()
    sites = {
        site: NotedSite(name, SiteTerms(_stated(stats, general), share), key, moment_or_none(seen))
        for site, name, stats, general, share, key, seen in rows
    }
    spent: dict[Bucket, dict[str, int]] = {bucket: {} for bucket in Bucket}
    of_day = {"day": day.isoformat()}
    units = connection.execute("SELECT bucket, site, spent FROM units WHERE day = :day", of_day).fetchall()
    for bucket, site, number in units:
        spent[member(Bucket, bucket)][site] = number
    parked = connection.execute("SELECT bucket, until FROM parked").fetchall()
    return LedgerSnapshot(str(place), sites, spent, {member(Bucket, bucket): moment(until) for bucket, until in parked})


def _stated(stats: int | None, general: int | None) -> Mapping[Bucket, int]:
    units = {Bucket.STATS: stats, Bucket.GENERAL: general}
    return {bucket: number for bucket, number in units.items() if number is not None}
