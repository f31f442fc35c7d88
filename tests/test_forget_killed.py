"""A process that is killed while it deletes old data loses nothing else, and the next one completes it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from syncer.config.parse import parse_config
from syncer.model import VideoId
from syncer.simulator.server import Simulator
from syncer.state.database import open_state
from syncer.state.videos import accepted_readings, count_readings, history
from syncer.sync.forget import forget_old
from syncer.sync.open_state import open_for_writing
from syncer.sync.options import Environment
from tests.forks import run
from tests.site import NOON, Site, crlf, ids

VIDEOS = [VideoId(video) for video in ids(4, seed=51)]

KILLED = """
import os, signal, sys
from datetime import datetime
from itertools import count
from pathlib import Path
import syncer.diff_log.log, syncer.state.videos
from tests.test_forget_killed import forget
syncer.diff_log.log.COPIED_BYTES, syncer.state.videos.STEP_READINGS = 200, 1
steps = count(1)
def cancelled():
    if next(steps) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return False
forget(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[3]), cancelled)
"""


def forget(config_file: Path, at: datetime, cancelled: Callable[[], bool] = lambda: False) -> None:
    config = parse_config(config_file.read_text(encoding="utf-8"), config_file)
    environment = Environment("", lambda: at, lambda _: None, cancelled)
    with open_for_writing(config, clock=environment.clock, sleep=environment.sleep) as state:
        forget_old(config, state.database, environment)


@pytest.mark.parametrize("step", [1, 4, 9, 12, 15, pytest.param(None, id="at each", marks=pytest.mark.storm)])
def test_the_next_process_completes_it(site: Site, youtube: Simulator, step: int | None) -> None:
    for video in VIDEOS:
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    site.sync(NOON - timedelta(days=3))
    for hours in (-71, 0, 1, 2):
        youtube.clock.advance(timedelta(days=30) if hours < 1 else timedelta(0))
        site.sync(NOON + timedelta(hours=hours))
    lines = (site.state / "diff.jsonl").read_bytes().splitlines(keepends=True)
    now = NOON + timedelta(days=27)  # of 28 days, the first two syncs are too old
    killed = 0
    for number in range(1, 99) if step is None else [step]:
        code = run("-c", KILLED, str(site.config), str(number), now.isoformat()).returncode
        assert code in {0, -9}
        killed += code == -9
        if code == 0:
            break
    assert killed
    forget(site.config, now)
    with open_state(site.state, site.root) as database:
        for video in VIDEOS:
            times = [reading.at for reading in history(database, video)]
            assert (times[0], times[-1]) == (NOON, NOON + timedelta(hours=2))
            assert accepted_readings(database, [video])[video].at == NOON + timedelta(hours=2)
        assert 8 <= count_readings(database) <= 12
    left = (site.state / "diff.jsonl").read_bytes()
    assert left == b"".join(line for line in lines if b'"at": "2026-11-22' in line)
    assert not (site.state / ".syncer-diff-log~").exists()
    assert site.sync(NOON + timedelta(days=27, minutes=5)).exit == 0
