"""Where commits are pushed: the name of a remote, or its URL without a password. Only a URL has a colon."""

from __future__ import annotations

import re
from typing import Final

_HOST = r"([0-9A-Za-z_][0-9A-Za-z_.\-]*|\[[0-9A-Fa-f:.]+\])"
_USER = r"([0-9A-Za-z_][0-9A-Za-z_.+\-]*@)?"
_PATH = r'[!"$-;=@-\[\]-~]'
"""A character of a path: printable ASCII without `?` and `#`, which may begin a token, `<`, `>` and backslash."""

REMOTE_PATTERN: Final = (
    r"^([A-Za-z0-9_][A-Za-z0-9_.\-/]*"
    rf"|https://{_HOST}(:[0-9]{{1,5}})?/{_PATH}+"
    rf"|ssh://{_USER}{_HOST}(:[0-9]{{1,5}})?/{_PATH}+"
    rf"|file:///{_PATH}+"
    rf"|(?!(https?|ssh|file|git):){_USER}{_HOST}:(?![:\-]|//|[^/]*@){_PATH}+)$"
)
"""The name of a remote, or a URL: never an option, and never a transport that runs a command, such as `ext::`."""

_USER_INFO = re.compile(r"[a-z+]+://[^/]*@", re.IGNORECASE)
_PASSWORD = re.compile(r"([a-z+]+://)?[^/@:]*:[^/@]*@", re.IGNORECASE)


def check_remote(remote: str) -> str:
    """Return the name of a remote, or its URL, unchanged."""
    if _PASSWORD.match(remote) or (_USER_INFO.match(remote) and not remote.startswith("ssh://")):
        raise ValueError(
            "has a user name or a password, and the config is often committed; remove everything before the `@`, let"
            " git know them (`git config credential.helper`), and replace a password or a token that was ever committed"
        )
    if not re.fullmatch(REMOTE_PATTERN, remote):
        raise ValueError(
            "must be the name of a remote, such as `origin`, or its URL: `https://host/path`, `ssh://user@host/path`,"
            " `user@host:path` or `file:///path`"
        )
    return remote
