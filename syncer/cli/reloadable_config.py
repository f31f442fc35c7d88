"""The config that the daemon uses: read at the start, and again on request."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from syncer.cli.settings import Settings
from syncer.config.hook_address import require_hook
from syncer.daemon.notify import require_apprise
from syncer.daemon.systemd import Systemd
from syncer.errors import ConfigError, SyncerError
from syncer.redact import redact

if TYPE_CHECKING:
    from syncer.config.sections import Config

NEED_A_RESTART = ("state", "status_page")
"""The sections that a running daemon cannot change."""

log = logging.getLogger("syncer.daemon")


class ReloadableConfig:
    """The config, safe in any thread, and the secrets, for the main thread. An invalid new config changes nothing."""

    def __init__(self, settings: Settings, systemd: Systemd) -> None:
        """Read both. Raises ConfigError and KeyMissing."""
        self._settings = settings
        self._systemd = systemd
        self._reload_requested = False
        self._lock = threading.Lock()
        self.error: str | None = None
        """Why the config that was last read is not in use, one finding a line; None where it is."""
        self._config, self.key, self.hook = self._read()
        self._start_log()

    @property
    def config(self) -> Config:
        """The config in use."""
        with self._lock:
            return self._config

    def request_reload(self) -> None:
        """Let the next `reload` read it again; safe in a signal handler."""
        self._reload_requested = True

    def reload(self) -> bool:
        """Read it again if that was requested, and notify systemd; return whether there is a new one."""
        if not self._reload_requested:
            return False
        self._reload_requested = False
        self._systemd.reloading()
        try:
            config, key, hook = self._read()
            if config.site != self._config.site:
                raise ConfigError(f"`site` is now {config.site}; restart the daemon to sync another site")
        except SyncerError as error:
            self.error = redact(str(error), self.key)
            for finding in self.error.split("\n"):  # a line of the log for each
                message = "Config not reloaded, the old one is still in use: %s"
                log.error(message, finding, extra={"event": "config-refused"})  # noqa: TRY400 - no bug, no traceback
            self._systemd.ready("Config not reloaded: the new one is invalid, so the old one is still in use")
            return False
        self.error = None
        for section in NEED_A_RESTART:
            if getattr(config, section) != getattr(self._config, section):
                message = "A change of `%s` takes effect when the daemon is restarted"
                log.warning(message, section, extra={"event": "needs-restart"})
        kept = {section: getattr(self._config, section) for section in NEED_A_RESTART}
        with self._lock:
            self._config, self.key, self.hook = config.model_copy(update=kept), key, hook
        self._start_log()
        log.info("Config reloaded", extra={"event": "config-read"})
        return True

    def _read(self) -> tuple[Config, str, str | None]:
        config = self._settings.config()
        key, hook = self._settings.key(config), self._settings.hook(config)
        try:
            require_apprise(config.notify)
            require_hook(self._settings.environ, config.deploy.hook_env)
        except ConfigError as error:
            raise ConfigError(f"{self._settings.config_path}: {error}") from error
        return config, key, hook

    def _start_log(self) -> None:
        self._settings.start_log(self.key, self.hook)
        if not (self._settings.quiet or self._settings.verbose):
            logging.getLogger("syncer.deploy").setLevel(logging.INFO)
            log.setLevel(logging.INFO)  # what the daemon does is always logged, each step of its syncs with -v only
