"""Compares what daemons did with what YouTube gave and took, and with what authors know, for all sites of a storm."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http.client import HTTPConnection, HTTPException

from syncer.simulator.units import BucketName
from tests.many_sites.ground import Ground, SiteGround
from tests.many_sites.pages import Sheet
from tests.many_sites.process import Line, odd_lines
from tests.many_sites.promises import broken_promises_of

ANSWER_SECONDS = 10.0
BUCKETS: Sequence[BucketName] = ("stats", "general")
PAUSE_SECONDS = 0.2
"""How long an event waits for requests to come before the next one happens."""
_PAUSE = threading.Event()


def wait_for_requests(ground: Ground, number: int) -> None:
    """Wait for so many requests, or a while."""
    requests = ground.youtube.accounts.requests
    wanted, end = len(requests) + number, time.monotonic() + PAUSE_SECONDS
    while len(requests) < wanted and time.monotonic() < end:
        _PAUSE.wait(0.002)


def look(ground: Ground, port: int, address: str) -> tuple[bytes, Sequence[str]]:
    """Return what a status page answers, and what is wrong: it must answer soon, whatever happens, and show no key."""
    connection = HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", address)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, HTTPException) as error:
        return b"", [f"the status page does not answer: {error!r}"]
    finally:
        connection.close()
    is_wrong = answer.status != 200 or any(site.key.encode() in body for site in ground.sites.values())
    return body, [f"{address}: {answer.status} {body!r}"] if is_wrong else []


def wrong_lines(ground: Ground, lines: list[Line]) -> Iterator[str]:
    """Yield the lines of a log that tell of a bug, are no JSON, or show a key."""
    yield from odd_lines(lines)
    keys = [site.key for site in ground.sites.values()]
    yield from (f"the log shows a key: {line.text}" for line in lines if any(key in line.text for key in keys))


def spent_units(ground: Ground, sites: Iterable[SiteGround]) -> Mapping[BucketName, int]:
    """Return what YouTube took of each bucket for all these sites together."""
    keys = [site.key for site in sites]
    return {bucket: ground.youtube.accounts.units_of(keys, bucket) for bucket in BUCKETS}


def wrong_units(ground: Ground, sites: Sequence[SiteGround], limit: int) -> Iterator[str]:
    """The sites of a ledger took no more than its limit, and none had more than its share."""
    for bucket, total in spent_units(ground, sites).items():
        if total > limit:
            yield f"{total} units of {bucket} were spent of {limit}"
    for site in sites:
        for bucket, own in spent_units(ground, [site]).items():
            if site.quota.share and own > site.quota.share * limit // 100:
                yield f"{site.name}: {own} units of {bucket} are more than its {site.quota.share}%"


def counts_now(ground: Ground, site: SiteGround) -> Mapping[tuple[str, str], str]:
    """Return what YouTube gives now for the videos of a site, by video and count."""
    world, at = ground.youtube.world, ground.youtube.clock.now()
    return {
        (video, count): str(number)
        for video in site.videos
        for count, number in (world.statistics(video, at) or {}).items()
    }


def right_pages(ground: Ground, site: SiteGround) -> int:
    """Return how many pages of a site show all that YouTube gives now, and are else as their author saved them."""
    now = counts_now(ground, site)

    def is_right(sheet: Sheet) -> bool:
        slots = sheet.read((site.root / sheet.path).read_bytes())
        return slots is not None and all(
            now.get((slot.video, count), text) == text
            for slot in slots
            for count, text in (("viewCount", slot.views), ("likeCount", slot.likes))
        )

    return sum(map(is_right, site.sheets.values()))


def wrong_on_disk(ground: Ground) -> Iterator[str]:
    """Counts, bytes, logs and commits, site by site; and each key was used for its own site's videos."""
    youtube, sites = ground.youtube, ground.sites
    for site in sites.values():
        yield from broken_promises_of(site.facts, youtube.accounts.given, counts_now(ground, site))
    of_keys = {site.key: set(site.videos) for site in sites.values()} | {"invalid": set()}
    for seen in youtube.accounts.requests:
        if seen.key not in of_keys or (seen.key != "invalid" and not of_keys[seen.key].issuperset(seen.videos)):
            yield f"a key was used for another site: {seen}"
