"""What the tests of crashes share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from syncer.simulator.server import Simulator
from tests.crash.ground import Ground, prepare, youtube_later
from tests.crash.warm import Warm

MEMORY = Path("/dev/shm")
"""A file system in memory, where there is one: a kill proves nothing about durability, so no disk is waited for."""

Make = Callable[[int], Ground]


@pytest.fixture(scope="session")
def later() -> Iterator[Simulator]:
    with youtube_later() as youtube:
        yield youtube


@pytest.fixture(scope="session")
def memory() -> Iterator[Path]:
    """A directory that is fast."""
    fast = MEMORY if os.access(MEMORY, os.W_OK) else None
    with TemporaryDirectory(prefix="syncer-crash-", dir=fast) as directory:
        yield Path(directory).resolve()


@pytest.fixture(scope="module", params=["aged", "young"])
def ground(request: pytest.FixtureRequest, warm: Warm, later: Simulator, memory: Path) -> Make:
    """Makes a site of so many pages, whose state is old or not there yet; the same one whenever it is asked for."""
    made: dict[int, Ground] = {}

    def make(number: int) -> Ground:
        if number not in made:
            room = memory / f"{request.module.__name__}-{request.param}-{number}"
            made[number] = prepare(warm, later, room, number - 1, aged=request.param == "aged")
        return made[number]

    return make
