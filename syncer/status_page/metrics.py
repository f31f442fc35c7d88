"""Metrics for a monitoring system: counted while the daemon runs, or looked up in the state for each request."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from syncer import __version__
from syncer.errors import ExitCode
from syncer.model import Change, Count
from syncer.status.build_status import BuildStatus
from syncer.status.report import SyncReport
from syncer.status_page.reading import Gauges
from syncer.youtube.answer import METHODS, Outcome

if TYPE_CHECKING:
    from syncer.status.fleet import FleetView

OUTCOMES = {
    ExitCode.OK: "ok",
    ExitCode.PROBLEMS: "problems",
    ExitCode.NOTHING_ANSWERED: "no-answer",
    ExitCode.INTERRUPTED: "stopped",
}
"""The outcome of a sync, by its exit code."""

FAILED = "failed"
"""A sync that ended without a report."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class SiteCounters:
    """Counts what the syncs of one site do, from the daemon's start on. Safe for several threads."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._syncs = Counter("syncer_syncs", "Finished syncs, by outcome.", ["outcome"], registry=registry)
        self._duration = Histogram(
            "syncer_sync_duration_seconds",
            "Duration of syncs in seconds.",
            buckets=(0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
            registry=registry,
        )
        self._changes = Counter("syncer_changes", "Counts written to pages.", ["count"], registry=registry)
        self._requests = Counter(
            "syncer_requests",
            "Requests to YouTube, by method and result. A retried request counts once.",
            ["method", "class"],
            registry=registry,
        )
        self._retries = Counter("syncer_retries", "Retries of requests to YouTube.", registry=registry)
        self._failures = Counter(
            "syncer_failed_tries",
            "Attempts of requests that failed with a temporary error, by class.",
            ["class"],
            registry=registry,
        )
        self._pages = Gauge("syncer_pages", "Pages found by the last sync.", registry=registry)
        # every series is shown from the start: one that appears with its first event hides that event from `rate`
        for outcome in (*OUTCOMES.values(), FAILED):
            self._syncs.labels(outcome)
        for count in Count:
            self._changes.labels(count.value)
        for method in METHODS.values():
            for ending in Outcome:
                self._requests.labels(method, ending.value)

    def changed(self, changes: Sequence[Change]) -> None:
        """Count changes that were written to disk."""
        for change in changes:
            if isinstance(change.kind, Count):
                self._changes.labels(change.kind.value).inc()

    def ended(self, report: SyncReport) -> None:
        """Count a sync that ended with a report."""
        self._syncs.labels(OUTCOMES[ExitCode(report.exit)]).inc()
        self._duration.observe((report.finished - report.started).total_seconds())
        self._pages.set(report.pages)
        self._retries.inc(report.tries.repeated)
        for name, times in report.tries.failures.items():
            self._failures.labels(name).inc(times)
        for (bucket, outcome), number in report.requests.items():
            self._requests.labels(METHODS[bucket], outcome.value).inc(number)

    def failed(self) -> None:
        """Count a sync that ended without a report."""
        self._syncs.labels(FAILED).inc()


class Counters:
    """The counters of all sites, and what is known of the process. Safe for several threads."""

    def __init__(self, several: bool = False) -> None:  # noqa: FBT001, FBT002 - it says what the name of a label is for
        self.several = several
        """Whether each series of a site has the label `site`."""
        self.process = registry = CollectorRegistry()
        Gauge(
            "syncer_build_info", "The running version; the value is always 1.", ["version"], registry=registry
        ).labels(__version__).set(1)
        ProcessCollector(registry=registry)
        self._sites: dict[str, SiteCounters] = {}
        self._lock = threading.Lock()

    def of(self, name: str) -> SiteCounters:
        """Return the counters of the site of this name; they begin at zero with the first call."""
        with self._lock:
            if name not in self._sites:
                self._sites[name] = SiteCounters()
            return self._sites[name]

    def forget(self, name: str) -> None:
        """Forget the counters of a site that is no longer synced; its series end."""
        with self._lock:
            self._sites.pop(name, None)

    def by_site(self) -> dict[str, Collector]:
        """Return the counters of each site."""
        with self._lock:
            return {name: site.registry for name, site in self._sites.items()}


def exposition(
    counters: Counters, gauges: Mapping[str, Gauges | None], *, left_out: int = 0, fleet: FleetView | None = None
) -> bytes:
    """Return all metrics in Prometheus' text format.

    `gauges` are those of each site; None where its state cannot be read. `left_out`: how many configs are left out.
    `fleet`: what is known of the daemon's fleet; None: it is in none.
    """
    label = counters.several
    counted = _Together(counters.by_site(), label)
    now = _Together({name: _Now(found) for name, found in gauges.items() if found}, label)
    parts = [_only(counted), counters.process, _only(now)]
    if counters.several:
        parts.append(_only(_OfSites({name: found is not None for name, found in gauges.items()}, left_out)))
    if fleet:
        parts.append(_only(_OfFleet(fleet)))
    return b"".join(map(generate_latest, parts))


def _only(collector: Collector) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry


class _Together(Collector):
    """The metrics of all sites: each has its help text once, and with several sites each series names its site."""

    def __init__(self, sites: Mapping[str, Collector], label: bool) -> None:  # noqa: FBT001
        self._sites = sites
        self._label = label

    def collect(self) -> Iterable[Metric]:
        found: dict[str, Metric] = {}
        for site, collector in self._sites.items():
            for metric in collector.collect():
                whole = found.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                whole.samples += [_of_site(site, each) for each in _needed(metric)] if self._label else metric.samples
        return found.values()


def _needed(metric: Metric) -> list[Sample]:
    """Return the samples without the times at which series were created: of many sites, they are half of the text."""
    return [sample for sample in metric.samples if not sample.name.endswith("_created")]


def _of_site(site: str, sample: Sample) -> Sample:
    return sample._replace(labels={"site": site, **sample.labels})


class _OfSites(Collector):
    """The metrics about several sites."""

    def __init__(self, up: Mapping[str, bool], left_out: int) -> None:
        self._up = up
        self._left_out = left_out

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("syncer_sites", "Sites that the daemon syncs.", value=len(self._up))
        yield GaugeMetricFamily(
            "syncer_sites_left_out", "Configs that are left out, because of an error.", value=self._left_out
        )
        up = GaugeMetricFamily(
            "syncer_site_up", "1 if the state of the site can be read; 0 if not, or not in time.", labels=["site"]
        )
        for site, is_up in self._up.items():
            up.add_metric([site], int(is_up))
        yield up


class _OfFleet(Collector):
    """The metrics about all sites and hosts of a fleet. What was read before an outage may be wrong: it is left out."""

    def __init__(self, view: FleetView) -> None:
        self._view = view

    def collect(self) -> Iterator[Metric]:
        fleet = None if self._view.outage else self._view.fleet
        text = "1 if the daemon is in its fleet; 0 if not, for example because the database server is out of reach."
        yield GaugeMetricFamily("syncer_fleet_joined", text, value=int(fleet is not None))
        if fleet is None:
            return
        late = GaugeMetricFamily(
            "syncer_fleet_site_late", "1 if a site of the fleet is late, 0 otherwise.", labels=["site", "host"]
        )
        for site in fleet.sites:
            late.add_metric([site.report.site, site.host], int(site.is_late))
        yield late
        up = GaugeMetricFamily(
            "syncer_fleet_host_up", "1 if the worker of a host runs; 0 if it is stopped or silent.", labels=["host"]
        )
        for host in fleet.hosts:
            up.add_metric([host.host], int(host.is_running and not host.is_silent))
        yield up


class _Now(Collector):
    """The metrics of a site that are looked up for each request."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        found = self._gauges
        videos = GaugeMetricFamily("syncer_videos", "Videos on pages or with readings, by state.", labels=["state"])
        for state, number in found.videos.items():
            videos.add_metric([state], number)
        yield videos
        left = GaugeMetricFamily("syncer_quota_units_left", "Quota units left today, by bucket.", labels=["bucket"])
        for bucket, units in found.units_left.items():
            left.add_metric([bucket], units)
        yield left
        times = (
            (
                "syncer_last_good_sync",
                "Start of the last good sync of the whole site, as a Unix time.",
                found.last_good,
            ),
            ("syncer_next_sync", "Start of the next scheduled sync, as a Unix time.", found.next_sync),
            ("syncer_oldest_count", "Time of the oldest count on the pages, as a Unix time.", found.oldest),
        )
        for name, text, at in times:
            if at is not None:  # one that is not known has no sample
                yield GaugeMetricFamily(f"{name}_timestamp_seconds", text, value=at.timestamp())
        yield GaugeMetricFamily(
            "syncer_schedule_lateness_seconds", "Seconds by which the next sync is overdue.", value=found.late
        )
        yield GaugeMetricFamily(
            "syncer_sync_running", "1 while a sync is running, 0 otherwise.", value=int(found.running)
        )
        if found.build:
            yield from _of_builds(found.build)


def _of_builds(build: BuildStatus) -> Iterator[Metric]:
    """Yield the metrics of the build hook, whichever process called it."""
    unbuilt = build.unbuilt
    numbers = (
        (
            "syncer_build_changed_pages",
            "Pages that changed since the last successful call of the build hook.",
            unbuilt.changed,
        ),
        (
            "syncer_build_calls_last_24h",
            "Calls of the build hook in the last 24 hours.",
            unbuilt.recent_calls(build.at),
        ),
        (
            "syncer_build_failed_calls",
            "Calls of the build hook that failed since the last successful one.",
            len(unbuilt.failures),
        ),
    )
    for name, text, number in numbers:
        yield GaugeMetricFamily(name, text, value=number)
    if unbuilt.last_success:
        yield GaugeMetricFamily(
            "syncer_last_build_call_timestamp_seconds",
            "Last successful call of the build hook, as a Unix time.",
            value=unbuilt.last_success.timestamp(),
        )
