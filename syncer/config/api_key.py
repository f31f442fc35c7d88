"""The API key: read from where the config says it is, and refused in the config itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from syncer.errors import KeyMissing
from syncer.own_files import read_file
from syncer.redact import ANY_KEY, KEY_OR_PART

CREDENTIAL: Final = "youtube-api-key"
"""The name of the systemd credential (`LoadCredential=`) that holds the key."""

NO_KEY_HERE: Final = (
    "an API key must not be in the config, which is often committed; put it in the environment variable that"
    " youtube.api_key_env names (YOUTUBE_API_KEY) or in the file that youtube.api_key_file names, and replace a key"
    " that was ever committed"
)

_MAX_FILE_BYTES = 4096


def find_key(environ: Mapping[str, str], *, env_name: str | None, file: Path | None) -> str:
    """Return the API key from the environment variable, else the file, else systemd's credential.

    White space around it is removed; a blank variable counts as unset.

    Raises `KeyMissing` where there is no key, and where what is found cannot be read or cannot be a key.
    """
    if env_name and (text := environ.get(env_name, "").strip()):
        return _checked(text, f"The environment variable {env_name}")
    if file is not None:
        return _read(file, "youtube.api_key_file")
    credential = Path(environ.get("CREDENTIALS_DIRECTORY", ""), CREDENTIAL)
    if environ.get("CREDENTIALS_DIRECTORY") and os.path.exists(credential):
        return _read(credential, "systemd's credential")
    first = f"set the environment variable {env_name}, or " if env_name else ""
    raise KeyMissing(
        f"No API key found: {first}name a file that holds it with youtube.api_key_file in the config. "
        "Create a key in the Google Cloud console under APIs & Services > Credentials."
    )


def holds_key(text: str) -> bool:
    """Return whether something in the text looks like an API key."""
    return KEY_OR_PART.search(text) is not None


def without_keys(message: str) -> str:
    """Return the message with what looks like an API key cut down to its first letters."""
    return KEY_OR_PART.sub(r"\1...", message)


def _read(file: Path, what: str) -> str:
    try:
        text = read_file(file, _MAX_FILE_BYTES, follow=True).decode("ascii", errors="replace").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a valid path"
        raise KeyMissing(
            f"Cannot read the API key in {file} ({what}): {reason}. Check the path and its permissions."
        ) from None
    return _checked(text, f"The file {file} ({what})")


def _checked(text: str, source: str) -> str:
    """Return the text if it can be a key. The message never shows it: it may be most of the real key."""
    if not text:
        raise KeyMissing(f"{source} is empty: put the API key in it.")
    if not ANY_KEY.fullmatch(text):
        raise KeyMissing(f"{source} has text that cannot be an API key: put only the key in it, on one line.")
    return text
