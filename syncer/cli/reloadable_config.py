"""The config of one site that the daemon uses: read at the start, and replaced while it runs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from syncer.config.conflicts import ConfigIdentity, identity_of
from syncer.config.hook_address import require_hook
from syncer.daemon.notify import require_apprise
from syncer.errors import ConfigError, SyncerError
from syncer.redact import redact

if TYPE_CHECKING:
    from syncer.cli.settings import Settings
    from syncer.config.sections import Config

NEED_A_RESTART = ("state", "status_page")
"""The sections that a running daemon cannot change."""

log = logging.getLogger("syncer.daemon")


class SiteConfig(NamedTuple):
    """A config and the secrets that it leads to, as they were read together."""

    config: Config
    key: str
    hook: str | None
    identity: ConfigIdentity
    """As it was then: the main thread of the daemon compares it later, and must not wait for the disk of a site."""

    def is_of_the_same_site(self, other: SiteConfig) -> bool:
        """Whether both are of one site with one state under one name."""
        ours, theirs = self.config, other.config
        return (ours.site, ours.state_directory, ours.site_name) == (
            theirs.site,
            theirs.state_directory,
            theirs.site_name,
        )


def read_site_config(settings: Settings) -> SiteConfig:
    """Read the config that the settings name, and find its secrets. Raises ConfigError and KeyMissing."""
    config = settings.config()
    key, hook = settings.key(config), settings.hook(config)
    try:
        require_apprise(config.notify)
        require_hook(settings.environ, config.deploy.hook_env)
    except ConfigError as error:
        raise ConfigError(f"{settings.config_path}: {error}") from error
    return SiteConfig(config, key, hook, identity_of(settings.config_path, config))


class ReloadableConfig:
    """The config in use, and the last one's errors. Only the main thread replaces them; any thread may read them."""

    def __init__(self, read: SiteConfig) -> None:
        self.in_use = read
        """The config in use, and its secrets."""
        self.error: str | None = None
        """Why the config that was last read is not in use, one finding a line; None where it is."""

    @property
    def config(self) -> Config:
        """The config in use."""
        return self.in_use.config

    def take(self, new: SiteConfig) -> None:
        """Use this config from now on, but for what only a restart can change. Raises ConfigError for another site."""
        if new.config.site != self.config.site:
            raise ConfigError(f"`site` is now {new.config.site}; restart the daemon to sync another site")
        before = self.config
        for section in NEED_A_RESTART:
            if getattr(new.config, section) != getattr(before, section):
                message = "A change of `%s` takes effect when the daemon is restarted"
                log.warning(message, section, extra={"event": "needs-restart"})
        kept = {section: getattr(before, section) for section in NEED_A_RESTART}
        self.in_use = new._replace(config=new.config.model_copy(update=kept))
        self.error = None

    def refuse(self, error: SyncerError) -> None:
        """Keep the config in use, and log why the new one is not used."""
        self.error = redact(str(error), self.in_use.key)
        for finding in self.error.split("\n"):  # a line of the log for each
            message = "Config not reloaded, the old one is still in use: %s"
            log.error(message, finding, extra={"event": "config-refused"})
