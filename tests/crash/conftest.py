"""What the tests of crashes share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import pytest

from syncer.simulator.server import Simulator
from tests.crash.ground import Ground, prepare, youtube_later
from tests.crash.warm import Warm

MEMORY = Path("/dev/shm")
"""A file system in memory, where there is one: a kill proves nothing about durability, so no disk is waited for."""

Make = Callable[..., Ground]
"""Of a number of pages, and whether they are changed in place: see `ground`."""


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
    made: dict[tuple[int, bool], Ground] = {}

    def make(number: int, *, in_place: bool = True) -> Ground:
        if (number, in_place) not in made:
            room = Path(mkdtemp(prefix=f"{request.module.__name__}-", dir=memory)) / "room"
            aged = request.param == "aged"
            made[number, in_place] = prepare(warm, later, room, number - 1, aged=aged, in_place=in_place)
        return made[number, in_place]

    return make
