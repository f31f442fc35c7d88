"""The sites whose pages are served: all that one daemon syncs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncer.status.fleet import FleetView
    from syncer.status_page.reading import Sources


@dataclass(frozen=True, slots=True)
class Sites:
    """The sites of the daemon. They come and go while it runs."""

    several: bool
    """Whether the command line may name several. If not, there is always one, and no address contains its name."""
    current: Callable[[], Mapping[str, Sources]]
    """Returns the sites by name, in the order of their configs. Safe in any thread; it waits for nothing."""
    left_out: Callable[[], Mapping[str, str]] = dict
    """Returns the absolute paths of the configs that are left out, each with the reason, one finding a line."""
    fleet: Callable[[], FleetView | None] = lambda: None
    """Returns what the daemon knows of its fleet, from memory; None: it is in none. Safe in any thread."""
