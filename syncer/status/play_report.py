"""What a sync found out about whether videos play."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncer.decide.unconfirmed import Brake
    from syncer.state.play_states import StateChange


@dataclass(frozen=True, slots=True)
class PlayReport:
    """How many videos a sync checked, and which of them are in another state than was reported before."""

    due: int
    """Videos whose turn it was."""
    checked: int = 0
    """Those of them that YouTube returned."""
    changes: Sequence[StateChange] = ()
    """What is to be reported now: once, and again only if it changes again."""
    brake: Brake | None = None
    """Why the safety brake holds what was returned: too many videos would stop playing at once."""
