"""The config that the daemon goes by: read at the start, and again when it is asked to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from syncer.cli.settings import Settings
from syncer.daemon.notify import require_apprise
from syncer.errors import ConfigError, SyncerError

if TYPE_CHECKING:
    pass

NEED_A_RESTART = ("state", "status_page")
"""The sections that a running daemon cannot change."""

log = logging.getLogger("syncer.daemon")


class ConfigInForce:
    """The config and the key; a broken one changes nothing."""

    def __init__(self, settings: Settings) -> None:
        """Read both. Raises ConfigError and KeyMissing."""
        self._settings = settings
        self._asked = False
        self.config = settings.config()
        self.key = settings.key(self.config)
        require_apprise(self.config.notify)
        self._start_log()

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment as it was at the start."""
        return self._settings.environ

    def ask(self) -> None:
        """Note that it is to be read again; safe in a signal handler."""
        self._asked = True

    def read_again(self, begin: Callable[[], None], end: Callable[[str], None]) -> bool:
        """Read it if that was asked for, between `begin` and, where it is refused, `end`; return whether it counts."""
        if not self._asked:
            return False
        self._asked = False
        begin()
        try:
            self._read()
        except SyncerError as error:
            log.error("the config stays as it was: %s", error, extra={"event": "config-refused"})  # noqa: TRY400 - no bug, no traceback
            end("the config stays as it was: see the log")
            return False
        log.info("the config was read again", extra={"event": "config-read"})
        return True

    def _read(self) -> None:
        config = self._settings.config()
        if config.site != self.config.site:
            raise ConfigError(f"`site` is {config.site} now; restart the daemon for another site")
        key = self._settings.key(config)
        require_apprise(config.notify)
        for section in NEED_A_RESTART:
            if getattr(config, section) != getattr(self.config, section):
                message = "`%s` stays as it was until the daemon is restarted"
                log.warning(message, section, extra={"event": "needs-restart"})
        kept = {section: getattr(self.config, section) for section in NEED_A_RESTART}
        self.config, self.key = config.model_copy(update=kept), key
        self._start_log()

    def _start_log(self) -> None:
        self._settings.start_log(self.key)
        if not (self._settings.quiet or self._settings.verbose):
            log.setLevel(logging.INFO)  # what the daemon does is told always, each step of its syncs with -v only
