"""What state machines of Hypothesis have in common that make syncs of a site."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis.stateful import RuleBasedStateMachine

from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from tests.site import NOON, Site


class SiteMachine(RuleBasedStateMachine):
    """A site of its own with a YouTube of its own, and the time there."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.youtube = self.stack.enter_context(Simulator(World()))
        self.site = Site(Path(self.stack.enter_context(TemporaryDirectory())), self.youtube.url)
        self.now = NOON

    def teardown(self) -> None:
        self.stack.close()
