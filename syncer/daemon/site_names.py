"""Names the site in each line of the log that is about it, where one daemon has several."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_SITE: ContextVar[str | None] = ContextVar("site", default=None)


@contextmanager
def about(site: str | None) -> Iterator[None]:
    """Let all lines that are logged in the block, and in threads that copy its context, be about this site."""
    before = _SITE.set(site)
    try:
        yield
    finally:
        _SITE.reset(before)


def current_site() -> str | None:
    """Return the name of the site that this thread is about; None: of no one of several."""
    return _SITE.get()


class SiteNames(logging.Filter):
    """Gives each record the name of the site that it is about, as `site`. Add it to a handler."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Name the site, if there is one, and return True."""
        site = current_site()
        if site is not None:
            record.site = site
        return True
