"""The config that the daemon goes by: read at the start, and again on request."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from syncer.cli.settings import Settings
from syncer.daemon.notify import require_apprise
from syncer.daemon.systemd import Systemd
from syncer.errors import ConfigError, SyncerError

if TYPE_CHECKING:
    from syncer.config.sections import Config

NEED_A_RESTART = ("state", "status_page")
"""The sections that a running daemon cannot change."""

log = logging.getLogger("syncer.daemon")


class ReloadableConfig:
    """The config, safe in any thread, and the key, for the main thread. A broken new config changes nothing."""

    def __init__(self, settings: Settings, systemd: Systemd) -> None:
        """Read both. Raises ConfigError and KeyMissing."""
        self._settings = settings
        self._systemd = systemd
        self._reload_requested = False
        self._lock = threading.Lock()
        self._config, self.key = self._read()
        self._start_log()

    @property
    def config(self) -> Config:
        """The config that counts now."""
        with self._lock:
            return self._config

    def request_reload(self) -> None:
        """Have it read again by the next `reload`; safe in a signal handler."""
        self._reload_requested = True

    def reload(self) -> bool:
        """Read it again if that was requested, and tell systemd so; return whether there is a new one."""
        if not self._reload_requested:
            return False
        self._reload_requested = False
        self._systemd.reloading()
        try:
            config, key = self._read()
            if config.site != self._config.site:
                raise ConfigError(f"`site` is {config.site} now; restart the daemon for another site")
        except SyncerError as error:
            log.error("the config stays as it was: %s", error, extra={"event": "config-refused"})  # noqa: TRY400 - no bug, no traceback
            self._systemd.ready("the config stays as it was: see the log")
            return False
        for section in NEED_A_RESTART:
            if getattr(config, section) != getattr(self._config, section):
                message = "`%s` stays as it was until the daemon is restarted"
                log.warning(message, section, extra={"event": "needs-restart"})
        kept = {section: getattr(self._config, section) for section in NEED_A_RESTART}
        with self._lock:
            self._config, self.key = config.model_copy(update=kept), key
        self._start_log()
        log.info("the config was read again", extra={"event": "config-read"})
        return True

    def _read(self) -> tuple[Config, str]:
        config = self._settings.config()
        key = self._settings.key(config)
        require_apprise(config.notify)
        return config, key

    def _start_log(self) -> None:
        self._settings.start_log(self.key)
        if not (self._settings.quiet or self._settings.verbose):
            log.setLevel(logging.INFO)  # what the daemon does is logged always, each step of its syncs with -v only
