"""How many files the daemon may have open: it keeps one open for each site."""

from __future__ import annotations

import errno
import resource
from contextlib import suppress

FILES_OF_ALL = 40
"""Files that the daemon may need besides one for each site: connections, pages, states, programs that it starts."""

REMEDY = "too many open files for one more site; raise `LimitNOFILE=` in systemd's unit, or `ulimit -n` in a shell"
"""What is wrong, and what to do, where a site cannot be opened for it."""


def open_as_many_files_as_allowed() -> None:
    """Raise the limit of this process to the highest that it may set itself; programs that it starts get that, too."""
    _, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS calls it unlimited, and refuses so many
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, highest))


def has_files_for(sites: int) -> bool:
    """Whether the daemon can have so many sites, and still do its work."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limit == resource.RLIM_INFINITY or sites + FILES_OF_ALL <= limit


def is_lack_of_files(error: BaseException | None) -> bool:
    """Whether this is, or comes from, the limit of open files."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}:
            return True
        error = error.__cause__ or error.__context__
    return False
