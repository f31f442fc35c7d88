"""Which address the config may name as YouTube's endpoint, and how a path may be written."""

from __future__ import annotations

import posixpath
import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

LISTEN_PATTERN = r"^(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+):[0-9]{1,5}$"
"""An address of this machine and a port."""


def check_endpoint(url: str) -> str:
    """Return the address with its closing slash; raises ValueError."""
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a whole address, such as `https://youtube.googleapis.com/`")
    if "@" in parts.netloc:
        raise ValueError("must not hold a name or password; leave out what stands before the `@`")
    if "?" in url or "#" in url:
        raise ValueError("must not hold a query or fragment; leave out what follows `?` or `#`")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("would send the key unencrypted; write https:// (plain http only to this machine's loopback)")
    return url if url.endswith("/") else url + "/"


def check_ping(url: str) -> str:
    """Return the address as it is, if it can be asked for; raises ValueError."""
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must be a whole address, such as `https://hc-ping.com/` and the check's id")
    return url


def check_path(path: str) -> str:
    """Return a path as it is, if it can be one; raises ValueError."""
    if not path.strip():
        raise ValueError("must not be empty; write `.` for the directory itself")
    if "\0" in path:
        raise ValueError("must not hold a NUL character")
    if path.startswith("~"):
        raise ValueError("starts with `~`, which is not expanded here; write the whole path")
    return path


def check_inside(path: str) -> str:
    """Return the tidy form of a path relative to the site that stays inside it; raises ValueError."""
    check_path(path)
    if "\\" in path:
        raise ValueError("has a backslash; write `/` between directories")
    if path.startswith("/"):
        raise ValueError("must be relative to `site`; leave out the leading `/`")
    tidy = posixpath.normpath(path)
    if tidy == ".." or tidy.startswith("../"):
        raise ValueError("leads out of the site; a collection's directory must be inside `site`")
    if any(name == ".git" or name.startswith(".syncer") for name in tidy.split("/")):
        raise ValueError("belongs to git or to syncer, which keep no pages; name the directory of your pages")
    return tidy


def check_listen(place: str) -> str:
    """Return `HOST:PORT` if it can be one; raises ValueError."""
    if not re.fullmatch(LISTEN_PATTERN, place) or int(place.rpartition(":")[2]) > 65_535:
        raise ValueError("must be HOST:PORT, such as `127.0.0.1:8787` or `[::1]:8787`")
    return place


def check_host(name: str) -> str:
    """Return the name of a host, without a port; raises ValueError."""
    if not re.fullmatch(r"[0-9A-Za-z._-]+|[0-9A-Fa-f:]+:[0-9A-Fa-f:.]*", name):
        raise ValueError("must be the name of a host alone, such as `counts.example.org`, without port or scheme")
    return name


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host of this name."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult:
    if not re.fullmatch(r"[!-\[\]-~]+", url):  # printable ASCII without the backslash
        raise ValueError("has a character that no address has; write it in plain ASCII without blanks")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("is no valid address; look at its host and port") from None
    return parts
