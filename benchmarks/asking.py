"""Asking YouTube about many videos over eight connections: with syncer's client, and with the least there is."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from urllib.parse import urlencode, urlsplit

from benchmarks.site import video_id
from syncer.model import BATCH_SIZE, Bucket, VideoId

CONNECTIONS = 8
HEADERS = {"x-goog-api-key": "benchmark", "accept-encoding": "gzip", "user-agent": "benchmark (gzip)"}


def ids(number: int) -> list[VideoId]:
    """Return that many ids, always the same."""
    random = Random(number)
    return [VideoId(video_id(random)) for _ in range(number)]


def ask_with_our_client(place: Path, endpoint: str, videos: Sequence[VideoId]) -> int:
    """Ask as a sync does: the Google client, retries at hand, a ledger on disk, every answer checked."""
    from syncer.state.database import open_database
    from syncer.state.ledger import spend_unit
    from syncer.youtube.ask import ask_all
    from syncer.youtube.breaker import Breaker
    from syncer.youtube.client import connect
    from syncer.youtube.patience import Patience
    from syncer.youtube.retry import Retry

    def now() -> datetime:
        return datetime.now(UTC)

    patience = Patience(600, cancelled=lambda: False)
    with open_database(place / ".ledger", str(place)) as database:
        client = connect(
            endpoint=endpoint,
            key="benchmark",
            spend=lambda bucket: spend_unit(database, bucket, now(), limit=10**9, reserve=0),
            clock=now,
            sleep=time.sleep,
            timeout=20,
            retry=Retry(),
            patience=patience,
        )
        with client:
            breakers = {bucket: Breaker() for bucket in Bucket}
            answers = ask_all(videos, client.fetch, connections=CONNECTIONS, patience=patience, breakers=breakers)
            return sum(len(answer.statistics) for answer in answers)


def ask_with_nothing(endpoint: str, videos: Sequence[VideoId]) -> int:
    """Ask with http.client, gzip and json: no retry, no ledger, nothing checked."""
    local = threading.local()

    def ask(batch: Sequence[VideoId]) -> int:
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection(urlsplit(endpoint).netloc)
        query = urlencode({"part": "statistics", "id": ",".join(batch), "prettyPrint": "false"})
        local.connection.request("GET", f"/youtube/v3/videos:batchGetStats?{query}", headers=HEADERS)
        answer = json.loads(gzip.decompress(local.connection.getresponse().read()))
        return len([int(item["statistics"]["viewCount"]) for item in answer["items"]])

    batches = [videos[start : start + BATCH_SIZE] for start in range(0, len(videos), BATCH_SIZE)]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return sum(pool.map(ask, batches))
