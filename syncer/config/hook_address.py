"""The address of the build hook, which is a secret: whoever knows it can start builds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from syncer.config.formats import check_hook
from syncer.errors import ConfigError
from syncer.own_files import read_file

CREDENTIAL: Final = "deploy-hook"
"""The name of the systemd credential (`LoadCredential=`) that holds the address. It stands for `deploy.hook_env` where
the config names no variable: no variable can have this name.
"""

_LARGEST_FILE = 4096
"""Bytes."""


def has_credential(environ: Mapping[str, str]) -> bool:
    """Whether systemd has passed the credential to this process."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    return bool(directory) and os.path.exists(os.path.join(directory or "", CREDENTIAL))


def find_hook(environ: Mapping[str, str], env_name: str) -> str | None:
    """Return the address from this environment variable, else from systemd's credential; None if neither has one.

    Raises ConfigError where it cannot be read, or cannot be the address of a hook. The message never shows it.
    """
    if text := environ.get(env_name, "").strip():
        return _checked(text, f"the environment variable {env_name}")
    if not has_credential(environ):
        return None
    try:
        content = read_file(Path(environ["CREDENTIALS_DIRECTORY"], CREDENTIAL), _LARGEST_FILE, follow=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a valid path"
        raise ConfigError(f"deploy: cannot read systemd's credential {CREDENTIAL}: {reason}") from None
    return _checked(content.decode("ascii", errors="replace").strip(), f"systemd's credential {CREDENTIAL}")


def require_hook(environ: Mapping[str, str], env_name: str | None) -> None:
    """Raise ConfigError where the config names a hook, and its address is not known here."""
    if env_name is not None and find_hook(environ, env_name) is None:
        raise ConfigError(f"deploy: {no_hook(env_name)}")


def no_hook(env_name: str) -> str:
    """Return a sentence: no address was found, and what to do."""
    if env_name == CREDENTIAL:
        return f"systemd's credential {CREDENTIAL} is empty; put the address of the build hook in its file"
    return (
        f"the environment variable {env_name}, which deploy.hook_env names, is not set here; set it to the address of"
        " your host's build hook"
    )


def _checked(text: str, source: str) -> str:
    try:
        return check_hook(text)
    except ValueError as error:
        raise ConfigError(f"deploy: the address of the build hook in {source} {error}") from None
