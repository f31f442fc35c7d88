"""What the daemon of several sites needs to know where it is a host of a fleet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from syncer.errors import SyncerError

if TYPE_CHECKING:
    from syncer.cli.reloadable_config import SiteConfig
    from syncer.config.sections import Config
    from syncer.control import Control
    from syncer.daemon.turns import SyncQueue
    from syncer.status.fleet import FleetView


class SiteElsewhere(SyncerError):
    """A site that another host of the fleet syncs, or that is being cloned."""


class FleetMember(Protocol):
    """The daemon as a host of a fleet."""

    def joined(
        self, sites: Callable[[], Mapping[str, Control]], look_again: Callable[[], None], stop: Callable[[], None]
    ) -> AbstractContextManager[SyncQueue]:
        """Be in the fleet while the block runs; yield the queue of this host.

        `sites` returns those of the daemon by name, `look_again` lets it ask again which are `refused`, and `stop` is
        called once the host has drained. All three are safe in any thread.
        """
        ...

    def refused(self, reads: Mapping[str, SiteConfig], *, are_all: bool) -> Mapping[str, SyncerError]:
        """Return why sites are not synced here, of these configs by path. `are_all`: no other config is there."""
        ...

    def missing(self, path: str, config: Config) -> SyncerError | None:
        """Return why a site that is only in git is not here yet; have it cloned. It touches the site's disk."""
        ...

    def note_left_out(self, reasons: Mapping[str, str]) -> None:
        """Let the other hosts know why sites are not synced here, by name."""
        ...

    def view(self) -> FleetView:
        """Return what is known of the fleet, from memory. Safe in any thread."""
        ...
