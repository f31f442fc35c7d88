"""`syncer simulate`: a local YouTube, without an account."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from syncer.simulator.clock import Clock
    from syncer.simulator.world import World

STOP_CHECK_SECONDS = 0.5
"""Seconds between two checks whether to stop: a signal just before a wait begins does not end that wait."""


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default="any free one", help="The port.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the counts.")
@click.option("--clock", metavar="T", help="Simulated time at the start, such as 2026-11-22T15:00:00Z. Default: now.")
@click.option(
    "--speed",
    type=click.FloatRange(0),
    default=0,
    show_default=True,
    help="Simulated seconds per second; 0 stops the simulated time.",
)
@click.option("--videos", metavar="FILE", type=click.Path(path_type=Path), help="TOML file of videos and states.")
@click.option(
    "--fault",
    "faults",
    metavar="NAME[@WHOM][:WHEN]",
    multiple=True,
    help="Simulate a failure: stall, zero@VIDEO, day-limit@stats:2-5, unavailable:30%. May be repeated.",
)
@click.option("--list-faults", is_flag=True, help="List all faults and exit.")
def command(
    port: int,
    seed: int,
    clock: str | None,
    speed: float,
    videos: Path | None,
    faults: tuple[str, ...],
    list_faults: bool,
) -> int:
    """Run a local YouTube, without an account, until interrupted.

    It prints its address: set youtube.endpoint in the config to it. It accepts any API key except `invalid`.
    """
    from syncer.cli.arguments import moment
    from syncer.cli.stopping import stop_on_signals
    from syncer.errors import ExitCode, UsageError
    from syncer.simulator.faults import FORMS, GROUPS, FaultError, parse_fault
    from syncer.simulator.server import Simulator

    if list_faults:
        from syncer.cli.show import show, show_table

        for group, kinds in GROUPS.items():
            show_table([group, ""], [(name, kind.sentence) for name, kind in kinds.items()])
            show()
        show(f"Append @stats, @general or @VIDEO to NAME to limit what fails, and :WHEN to limit when: {FORMS}.")
        return ExitCode.OK
    try:
        weather = [parse_fault(text) for text in faults]
    except FaultError as error:
        raise UsageError(f"--fault {error}") from error
    now = datetime.now(UTC).replace(microsecond=0)
    start = moment(clock, now) if clock else now
    world, its_clock = _world_and_clock(videos, seed, start, speed)
    try:
        with stop_on_signals() as stopped, Simulator(world, its_clock, port, faults=weather) as simulator:
            print(simulator.url, flush=True)
            while not stopped.wait(STOP_CHECK_SECONDS):
                pass
    except OSError as error:
        raise UsageError(f"cannot listen on port {port}: {error.strerror}; choose another") from error
    return ExitCode.INTERRUPTED


def _world_and_clock(videos: Path | None, seed: int, start: datetime, speed: float) -> tuple[World, Clock]:
    from syncer.errors import UsageError
    from syncer.simulator.clock import Clock
    from syncer.simulator.world import World

    try:
        world = World.load(videos, seed, start) if videos else World(seed, start=start)
        return world, Clock(start, speed)
    except OSError as error:
        raise UsageError(f"{videos}: cannot read the file: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(str(error)) from error
