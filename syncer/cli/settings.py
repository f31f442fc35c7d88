"""The options of `syncer` itself; from them the config and the key; and secrets in environment variables."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from syncer.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from syncer.config.sections import Config


LARGEST_CONFIG = 1 << 20
"""Bytes. A larger file is not a config."""

DEFAULT_CONFIG = "config/syncer.yaml"
"""Relative to the working directory."""

SECRET_VARIABLES = re.compile(r"\b(?:api_key_env|hook_env|token_env): *[\"']?([A-Za-z_]\w*)")
"""What names a variable with a secret in the text of a config; also in one that is invalid."""

SUFFIX = ".yaml"
"""How the names of the configs in a directory end."""

ACCEPT_HELP = "Write the values that the safety brake holds, and unconfirmed counts. Applies to this sync only."
"""The help of `--accept`, which two commands have."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of `syncer` itself."""

    config_paths: tuple[str, ...]
    """Config files, and directories of them, as the command line names them."""
    several: bool
    """Whether they may name several sites: more than one config, or a directory."""
    verbose: int
    quiet: bool
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    """The environment at the start, with the secrets; the process removes them from its own environment at once."""

    @property
    def config_path(self) -> str:
        """The path of the only config. Raises UsageError where there are several, ConfigError where there is none."""
        if not self.several:
            return self.config_paths[0]
        each = self.each()
        if len(each) > 1:
            from syncer.check.findings import examples

            name_one = f"name one of them with -c: {examples([shlex.quote(own.config_paths[0]) for own in each])}"
            raise UsageError(f"this command is about one site, but there are {len(each)} configs; {name_one}")
        return each[0].config_paths[0]

    def each(self) -> list[Settings]:
        """Return the settings of each site, with one config file; a directory stands for its `*.yaml`, in their order.

        A file that is named twice counts once. Raises ConfigError where a directory cannot be read or has none.
        """
        from syncer.cli.arguments import absolute

        files: dict[str, str] = {}
        for path in self.config_paths:
            full = absolute(path)
            found = configs_in(full, path) if os.path.isdir(full) else [path]
            if not found:
                raise ConfigError(f"{full}: no config here; add one whose name ends with {SUFFIX}, or correct -c")
            for file in found:
                files.setdefault(os.path.realpath(absolute(file)), file)
        return [self.only(file) for file in files.values()]

    def only(self, file: str) -> Settings:
        """Return the settings of one site, with this config file."""
        return replace(self, config_paths=(file,), several=False)

    def config(self) -> Config:
        """Read and check the config, and take the secrets that it names out of the environment.

        Raises ConfigError, and UsageError where there are several.
        """
        from pathlib import Path

        from syncer.cli.arguments import absolute
        from syncer.config.parse import parse_config
        from syncer.own_files import read_file

        named = self.config_path
        path = Path(absolute(named))
        try:
            text = read_file(path, LARGEST_CONFIG + 1, follow=True).decode()
        except FileNotFoundError:
            from syncer.state.lock import state_beside

            remedy = "correct -c or SYNCER_CONFIG"
            if named == DEFAULT_CONFIG:
                remedy = "run `syncer init` to write one, or name yours with -c"
                if seen := state_beside(path.parent.parent):
                    elsewhere = "its config is elsewhere: name that with -c or SYNCER_CONFIG"
                    remedy = f"{seen}, so {elsewhere}; if it is lost, run `syncer init`"
            raise ConfigError(f"{path}: no config here; {remedy}") from None
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ConfigError(f"{path}: cannot read the config: {reason}") from error
        if len(text) > LARGEST_CONFIG:
            raise ConfigError(f"{path}: too large for a config (the limit is 1 MiB); name yours with -c")
        try:
            config = parse_config(text, path)
        except ConfigError:
            remove_secrets(set(SECRET_VARIABLES.findall(text)))  # another of several sites may start a program
            raise
        token, hook = config.status_page and config.status_page.token_env, config.deploy.hook_env
        remove_secrets({name for name in (config.youtube.api_key_env, token, hook) if name})
        if hook is None and "CREDENTIALS_DIRECTORY" in self.environ:
            from syncer.config.hook_address import CREDENTIAL, has_credential

            if has_credential(self.environ):
                deploy = config.deploy.model_copy(update={"hook_env": CREDENTIAL})
                return config.model_copy(update={"deploy": deploy})
        return config

    def hook(self, config: Config) -> str | None:
        """Find the address of the build hook; None if the config has no hook, or the address is not known here.

        Raises ConfigError where it cannot be an address. The message does not show it.
        """
        if config.deploy.hook_env is None:
            return None
        from syncer.config.hook_address import find_hook

        hook = find_hook(self.environ, config.deploy.hook_env)
        remove_secrets((), hook or "")
        return hook

    def key(self, config: Config) -> str:
        """Find the API key: in the file if the config names one, else in the environment. Raises KeyMissing."""
        from syncer.config.api_key import find_key

        file = config.youtube.api_key_file
        key = find_key(
            self.environ,
            env_name=config.youtube.api_key_env if file is None else None,
            file=None if file is None else config.site / file,
        )
        remove_secrets((), key)
        return key


USED: dict[str | None, Settings] = {}
"""The settings of this run, under None, and those of each site of several, by its name."""


def settings_of(configs: tuple[str, ...], *, verbose: int = 0, quiet: bool = True) -> Settings:
    """Return the settings with the configs that the command line names, else with that of the environment.

    Raises UsageError.
    """
    paths = configs or (os.environ.get("SYNCER_CONFIG") or DEFAULT_CONFIG,)  # an empty variable counts as unset
    if not all(map(str.strip, paths)):
        raise UsageError("the variable SYNCER_CONFIG is blank; set it to the path of a config, or unset it")
    return Settings(paths, len(paths) > 1 or os.path.isdir(paths[0]), verbose, quiet)


def configs_in(directory: str, shown: str) -> list[str]:
    """Return the paths of a directory's configs, in the order of their names, below its path as it is `shown`.

    Names that begin with a dot are skipped: editors write such files. Raises ConfigError.
    """
    try:
        names = sorted(os.listdir(directory))
    except OSError as error:
        raise ConfigError(f"{directory}: cannot read this directory of configs: {error.strerror}") from error
    return [os.path.join(shown, name) for name in names if name.endswith(SUFFIX) and not name.startswith(".")]


def remove_secrets(names: Collection[str], secret: str = "") -> None:
    """Remove these variables from the environment, and all that hold `secret` or the same as one of these.

    Git alone can start some twenty programs: filters, ssh, gpg, helpers. None of them needs the key. This does not
    keep a program of the same user from reading the key where it is stored.
    """
    secrets = {secret, *(os.environ.get(name, "").strip() for name in names)} - {""}
    for name, value in list(os.environ.items()):
        if name in names or value.strip() in secrets:
            del os.environ[name]


def restore_variables(environ: Mapping[str, str]) -> None:
    """Restore the variables that were removed: the command has ended, and the process may run another."""
    for name, value in environ.items():
        os.environ.setdefault(name, value)
