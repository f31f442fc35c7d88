"""Opens what earlier syncs left, for the commands that only read it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from syncer.state.database import Database, open_copy, open_to_read

if TYPE_CHECKING:
    from syncer.config.sections import Config


def open_state(config: Config) -> Database:
    """Open the state for reading; where there is none yet, an empty one in memory. Raises StateError."""
    site = os.path.realpath(config.site)
    return open_to_read(config.state_directory, site) or open_copy(config.state_directory, site)
