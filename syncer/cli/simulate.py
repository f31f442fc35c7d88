"""`syncer simulate`: a local YouTube."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from pathlib import Path

import click


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default="any free one", help="The port.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, other counts.")
@click.option("--clock", metavar="T", help="The simulated time at the start: 2026-11-22T15:00:00Z. Default: now.")
@click.option(
    "--speed",
    type=click.FloatRange(0),
    default=0,
    show_default=True,
    help="Simulated seconds for each second; 0: time stands still.",
)
@click.option("--videos", metavar="FILE", type=click.Path(path_type=Path), help="A TOML file of videos and states.")
def command(port: int, seed: int, clock: str | None, speed: float, videos: Path | None) -> None:
    """Run a local YouTube for demos, tests and drills, until interrupted.

    Prints its address, for `youtube.endpoint`. It takes any key but `invalid`.
    """
    from syncer.cli.arguments import moment
    from syncer.errors import UsageError
    from syncer.simulator.clock import Clock
    from syncer.simulator.server import Simulator
    from syncer.simulator.world import World, WorldError

    now = datetime.now(UTC).replace(microsecond=0)
    start = moment(clock, now) if clock else now
    try:
        world = World.load(videos, seed, start) if videos else World(seed, start=start)
    except OSError as error:
        raise UsageError(f"{videos}: cannot be read: {error.strerror}") from error
    except WorldError as error:
        raise UsageError(str(error)) from error
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C does, so that connections are closed
    try:
        with Simulator(world, Clock(start, speed), port) as simulator:
            print(simulator.url, flush=True)
            simulator.serve_forever()
    except OSError as error:
        raise UsageError(f"port {port}: {error.strerror}; choose another") from error
