"""What a sync is asked to do, what it needs from outside, whom it informs, and what its steps share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from syncer.diff_log.log import DiffLog
from syncer.model import Change, VideoId
from syncer.state.database import Database
from syncer.sync.tally import Tally

if TYPE_CHECKING:
    from syncer.config.sections import Config


@dataclass(frozen=True, slots=True)
class Options:
    """What a sync is asked to do."""

    dry_run: bool = False
    everything: bool = False
    """True: ask about videos that were read less than five minutes ago as well."""
    accept: bool = False
    """True: let through what a brake or an unconfirmed count holds."""
    scheduled: bool = False
    """True: leave the reserve of every bucket alone."""
    unread_since: datetime | None = None
    """Narrows to videos that were not read since then: those that another sync left out."""
    paths: tuple[str, ...] = ()
    """Narrows to these files and directories, relative to the site; `` is the site."""
    videos: frozenset[VideoId] = frozenset()
    """Narrows to these videos."""

    @property
    def whole(self) -> bool:
        """Whether the sync is about the whole site and for real."""
        return not (self.dry_run or self.unread_since or self.paths or self.videos)


@dataclass(frozen=True, slots=True)
class Environment:
    """What a sync needs from outside."""

    key: str
    """The API key; empty where YouTube is not requested."""
    clock: Callable[[], datetime]
    """Returns the time now, in UTC."""
    sleep: Callable[[float], object]
    """Waits so many seconds; returns something true where the wait was cut short because the sync is cancelled."""
    cancelled: Callable[[], bool] = lambda: False
    """Returns whether to end: send no more requests, and finish only the batch of pages in hand."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Whom a sync informs while it goes on."""

    progress: Callable[[str, int, int | None], object] = lambda _stage, _done, _total: None
    """Called with the stage (`scan`, `ask`, `write`), how much is done, and of how much where that is known."""
    changed: Callable[[Sequence[Change]], object] = lambda _changes: None
    """Called with each batch of changes once they are on disk; in a dry run, once they are known to fit."""
    previewed: Callable[[str, bytes, bytes], object] = lambda _path, _old, _new: None
    """Called in a dry run with each page's path, its bytes, and its bytes as they would be."""


NO_LISTENER = Listener()


@dataclass(frozen=True, slots=True)
class Sync:
    """A sync in progress: what its steps share."""

    config: Config
    options: Options
    environment: Environment
    listener: Listener
    site: str
    """The site's real path."""
    database: Database
    diff_log: DiffLog | None
    """None in a dry run."""
    tally: Tally
