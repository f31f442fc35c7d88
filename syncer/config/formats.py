"""The formats of single values in the config. A value in another format raises ValueError with a remedy."""

from __future__ import annotations

import posixpath
import re
import threading
import warnings
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit
from zoneinfo import ZoneInfo

from syncer.model import LARGEST_COUNT, Threshold

LISTEN_PATTERN = r"^(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+):[0-9]{1,5}$"
"""An address of this machine and a port."""

MESSAGE_WORDS = ("subject", "pages", "counts")
"""The names that a commit's first line may have in braces."""

WRITTEN_SUFFIXES = (".yml", ".yaml", ".json", ".toml")
"""The names of data files that syncer can write end so."""

LONGEST_UNAUTHORIZED = timedelta(days=30)
"""How long data that was read with a key alone may be stored (`docs/terms.md`)."""

LONGEST_NAME = 100
"""The most characters of a site's name."""

DURATION_PATTERN = "^[0-9]{1,9}[smhd]$"
POSITIVE_DURATION_PATTERN = "^0*[1-9][0-9]{0,8}[smhd]$"
SHARE_PATTERN = "^([0-9]{1,2}|100)%$"
PART_PATTERN = "^(0?[1-9]|[1-9][0-9]|100)%$"
THRESHOLD_PATTERN = r"^([0-9]{1,2}(\.[0-9]{1,2})?|100)%$"

_filters = threading.Lock()
"""Held while the filters of warnings are others: they are the process's."""

_MAX_DURATION = timedelta(days=3650)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: object) -> timedelta:
    """Return the duration that `90s`, `15m`, `6h` or `28d` means, ten years at most; raises ValueError."""
    if not isinstance(value, str) or not re.fullmatch(DURATION_PATTERN, value):
        raise ValueError("must be a whole number and a unit (s, m, h or d), such as `90s`, `15m`, `6h` or `28d`")
    seconds = int(value[:-1]) * _SECONDS[value[-1]]
    if seconds > _MAX_DURATION.total_seconds():
        raise ValueError("is too long; the maximum is ten years (`3650d`)")
    return timedelta(seconds=seconds)


def parse_positive_duration(value: object) -> timedelta:
    """Return the duration that the text means, which must not be zero; raises ValueError."""
    duration = parse_duration(value)
    if not duration:
        raise ValueError("must be longer than zero, such as `90s`")
    return duration


def duration(time: timedelta) -> str:
    """Return the shortest text for whole seconds: `90s`, `15m`, `6h` or `28d`."""
    seconds = int(time.total_seconds())
    unit = next(unit for unit in reversed(_SECONDS) if seconds % _SECONDS[unit] == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"


def parse_share(value: object) -> float:
    """Return the share that `0%` to `100%` means, from 0 to 1; raises ValueError."""
    if not isinstance(value, str) or not re.fullmatch(SHARE_PATTERN, value):
        raise ValueError("must be a whole percentage from `0%` to `100%`, such as `50%`")
    return int(value[:-1]) / 100


def parse_part(value: object) -> int:
    """Return the percents of a share that `1%` to `100%` means; raises ValueError."""
    if not isinstance(value, str) or not re.fullmatch(PART_PATTERN, value):
        raise ValueError("must be a whole percentage from `1%` to `100%`, such as `20%`")
    return int(value[:-1])


def parse_threshold(value: object) -> Threshold:
    """Return the threshold that `25` or `1%` means; raises ValueError."""
    if isinstance(value, Threshold):
        return value
    if type(value) is int and 0 <= value <= LARGEST_COUNT:
        return Threshold(number=value)
    if isinstance(value, int | float) and value > LARGEST_COUNT:  # whole numbers of 20 digits are read as floats
        raise ValueError(f"must be at most {LARGEST_COUNT:,}: no count is larger")
    if not isinstance(value, str) or not re.fullmatch(THRESHOLD_PATTERN, value):
        raise ValueError("must be a whole number such as `25`, or a percentage from `0%` to `100%` such as `0.5%`")
    whole, _, fraction = value.removesuffix("%").partition(".")
    return Threshold(share=int(whole) * 100 + int(fraction.ljust(2, "0")))


def check_text(value: object) -> str:
    """Return the value if it is text."""
    if not isinstance(value, str):
        remedy = "; put it in quotes" if isinstance(value, int | float) else ""
        raise ValueError(f"must be text{remedy}")  # noqa: TRY004 - pydantic reports ValueError only
    return value


def check_variable(name: str) -> str:
    """Return the name of an environment variable."""
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("must be the name of an environment variable, such as `YOUTUBE_API_KEY`, never the key itself")
    return name


def parse_timezone(name: str) -> ZoneInfo:
    """Return the timezone of that name."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # OSError: `Europe` is a directory of the database
        raise ValueError("is not a known timezone; use a name such as `UTC` or `Europe/Berlin`") from None


def check_path(path: str) -> str:
    """Return a path if it can be one."""
    if not path.strip():
        raise ValueError("must not be empty; write `.` for the directory itself")
    if "\0" in path:
        raise ValueError("must not contain a NUL character")
    if path.startswith("~"):
        raise ValueError("starts with `~`, which is not expanded here; write the full path")
    return path


LEDGER_PATTERN = (
    r"^(postgres(ql)?://(?![^@:]*:.*@)|"
    r"(?!.*://|postgres(ql)?:|([^/]*\s)?(dbname|host|hostaddr|passfile|(ssl)?password|service|user)\s*=))"
)
"""The path of a ledger, or the address of its server, without a password."""

_LEDGER_SCHEMES = ("postgresql://", "postgres://")


def check_ledger(place: str) -> str:
    """Return the path of a ledger, or the address of its server, always with the same scheme."""
    scheme, _, rest = place.partition("://")
    is_address = f"{scheme}://" in _LEDGER_SCHEMES
    if not is_address and ("://" in place or not re.match(LEDGER_PATTERN, place.lower(), re.DOTALL)):
        raise ValueError(
            "is not the address of a PostgreSQL server; write `postgresql://user@host/database`, without a password,"
            " or a path"
        )
    if not is_address:
        return check_path(place)
    if re.match("[^@:]*:.*@", rest) or re.search("(password|secret)=", unquote(rest).lower()):
        raise ValueError(
            "has a password, and the config is often committed; put it in the environment variable PGPASSWORD, in"
            " ~/.pgpass or the file that PGPASSFILE names, or in the systemd credential `ledger-password`, and replace"
            " a password that was ever committed"
        )
    if not rest.isprintable() or " " in rest:
        raise ValueError("has a space or a control character; write it as `%20`, for example")
    if "#" in rest or not rest.partition("?")[0].partition("/")[2]:
        raise ValueError("names no database; write `postgresql://user@host/database`")
    return f"{_LEDGER_SCHEMES[0]}{rest}"


def check_inside(path: str) -> str:
    """Return the tidy form of a path relative to the site that stays inside it."""
    check_path(path)
    if "\\" in path:
        raise ValueError("has a backslash; write `/` between directories")
    if path.startswith("/"):
        raise ValueError("must be relative to `site`; remove the leading `/`")
    tidy = posixpath.normpath(path)
    if tidy == ".." or tidy.startswith("../"):
        raise ValueError("is outside the site; it must be inside `site`")
    if any(name == ".git" or name.startswith(".syncer") for name in tidy.split("/")):
        raise ValueError("belongs to git or to syncer; name another place in your site")
    return tidy


def check_data_file(path: str) -> str:
    """Return the tidy path of a data file relative to the site."""
    if not path.lower().endswith(WRITTEN_SUFFIXES):
        raise ValueError(f"must end in {', '.join(WRITTEN_SUFFIXES[:-1])} or {WRITTEN_SUFFIXES[-1]}")
    if not path.isprintable():
        raise ValueError("has a line break or another control character; remove it")
    return check_inside(path)


def check_pattern(glob: str) -> str:
    """Return the pattern unchanged if it is valid in .gitignore and can match something."""
    if not glob.strip():
        raise ValueError("is an empty pattern; write one such as `**/*.md`, or remove the item")
    from pathspec import GitIgnoreSpec

    try:
        with (
            _filters,
            warnings.catch_warnings(),
        ):  # of brackets in brackets, which a later Python may read in another way
            warnings.filterwarnings("error", "Possible ", FutureWarning)
            (pattern,) = GitIgnoreSpec.from_lines([glob]).patterns
    except (ValueError, re.error, FutureWarning):
        raise ValueError("is not a valid .gitignore pattern; check its brackets, its `!` and its backslashes") from None
    if pattern.include is None:
        raise ValueError(
            "matches nothing; put a backslash before a `#` at its start, and before a `[` that is not closed"
        )
    return glob


def check_patterns(globs: tuple[str, ...]) -> tuple[str, ...]:
    """Return the patterns of `include` unchanged if they can match a file."""
    if globs and all(glob.startswith("!") for glob in globs):
        raise ValueError("only excludes files, with `!`; add patterns of files to include before it, such as `**/*.md`")
    return globs


def check_endpoint(url: str) -> str:
    """Return the URL with a slash at its end."""
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a full URL, such as `https://youtube.googleapis.com/`")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user name or password; remove everything before the `@`")
    if "?" in url or "#" in url:
        raise ValueError("must not contain a query or fragment; remove everything from `?` or `#`")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("would send the key unencrypted; use https:// (http:// works only for a loopback address)")
    return url if url.endswith("/") else url + "/"


def check_ping(url: str) -> str:
    """Return the URL unchanged if it can be requested."""
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must be a full URL, such as `https://hc-ping.com/` and the ID of your check")
    return url


def check_hook(url: str) -> str:
    """Return the address of a build hook unchanged if it can be called. It is a secret, so no message shows it."""
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a full URL that begins with https://")
    if "@" in parts.netloc or "#" in url:
        raise ValueError("must not contain a user name, a password or a fragment; copy it again from your host")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("would be sent unencrypted; use https:// (http:// works only for a loopback address)")
    return url


def check_hook_variable(name: str) -> str:
    """Return the name of the environment variable that holds the address of the build hook."""
    if "/" in name or ":" in name:
        raise ValueError(
            "must be the name of an environment variable, such as `DEPLOY_HOOK`, never the address itself: the config"
            " is often committed, and whoever knows the address can start builds. If it was ever committed, replace it"
        )
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("must be the name of an environment variable, such as `DEPLOY_HOOK`")
    return name


def check_listen(address: str) -> str:
    """Return `HOST:PORT` if it can be one."""
    if not re.fullmatch(LISTEN_PATTERN, address) or int(address.rpartition(":")[2]) > 65_535:
        raise ValueError("must be HOST:PORT, such as `127.0.0.1:8787` or `[::1]:8787`")
    return address


def check_host(name: str) -> str:
    """Return the name of a host, without a port."""
    if not re.fullmatch(r"[0-9A-Za-z._-]+|[0-9A-Fa-f:]+:[0-9A-Fa-f:.]*", name):
        raise ValueError("must be a host name without scheme or port, such as `counts.example.org`")
    return name


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host of this name."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_first_line(line: str) -> str:
    """Return the line unchanged if a commit message can begin with it."""
    if not line.strip() or not line.isprintable():
        raise ValueError("must be one line of text; syncer adds the rest of the message")
    unknown = set(re.findall(r"\{(\w*)\}", line)) - set(MESSAGE_WORDS)
    if unknown:
        known = ", ".join(f"`{{{word}}}`" for word in MESSAGE_WORDS)
        raise ValueError(f"has `{{{min(unknown)}}}`, which is unknown; use {known}")
    return line


def check_name(name: str) -> str:
    """Return the name of a site unchanged, if it can be an argument, a part of a URL and a label of a metric."""
    if not name.isprintable() or "/" in name or name != name.strip() or name in {".", ".."} or len(name) > LONGEST_NAME:
        raise ValueError(f"must be one word or a few, without `/`, at most {LONGEST_NAME} characters")
    return name


def check_author(author: str) -> str:
    """Return the author unchanged if git accepts it."""
    if not author.isprintable() or not re.fullmatch(r"[^<>]*[^<>\s][^<>]* <[^<>\s]+>", author):
        raise ValueError("must be a name and an email address, such as `Counts <counts@example.org>`")
    return author


def check_storable(interval: timedelta) -> timedelta:
    """Return the time unchanged if what was read with a key alone may be stored for so long."""
    if interval > LONGEST_UNAUTHORIZED:
        raise ValueError("is longer than YouTube's terms allow; write `30d` or less, or `null` for never")
    return interval


_MEANT_COUNTRIES = {"UK": "GB", "EL": "GR", "EN": "GB"}
"""What somebody means by a code that is no country's."""


def check_country(code: str) -> str:
    """Return the code of a country unchanged if ISO 3166-1 alpha-2 has it."""
    from syncer.decide.availability import COUNTRIES

    countries, upper = COUNTRIES.split(), code.upper()
    if code in countries:
        return code
    if meant := _MEANT_COUNTRIES.get(upper, upper if upper in countries else None):
        raise ValueError(f"is not the code of a country; did you mean `{meant}`?")
    raise ValueError("is not the code of a country in ISO 3166-1 alpha-2; write two capital letters such as `DE`")


def _split(url: str) -> SplitResult:
    if not re.fullmatch(r"[!-\[\]-~]+", url):  # printable ASCII without the backslash
        raise ValueError("has a character that is not allowed in a URL; use plain ASCII without spaces")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("is not a valid URL; check its host and port") from None
    return parts
