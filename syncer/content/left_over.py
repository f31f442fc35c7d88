"""Removes the temporary files that a crash left beside their pages, and loses no edit of their authors.

Before the swap, such a file has the new page. After the swap, until it is removed, it has the old page, perhaps with
an edit that was saved at the last moment. Its name shows which: it depends on the page's name and the bytes that syncer
wrote.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING
from zlib import crc32

from syncer.content.lease import is_open_for_writing
from syncer.content.page_file import attempt, exchange, flush_directories, read_page, read_whole, reason_of
from syncer.content.walk import OWN_PREFIX, TEMPORARY
from syncer.front_matter.find import find
from syncer.front_matter.forms import FORMS
from syncer.front_matter.rewrite import rewrite
from syncer.model import Change, Fields, Problem, ProblemKind, Slot, VideoId, Why
from syncer.own_files import NO_LINK, UnsafeFile, open_file

if TYPE_CHECKING:
    from syncer.front_matter.spliced import Spliced

log = logging.getLogger("syncer.content")

Save = Callable[[str, str], object]
"""Copies the file at the first path to the second one, which is relative to the site. Raises OSError."""

BEGINNING_BYTES = b"\0 \t\r\n-+{"
"""The bytes of a file that was only just started: fences, blanks, and the zeros that a power cut leaves."""

_AT_NO_TIME = datetime.min.replace(tzinfo=UTC)


def names_for(page: str, content: bytes | Spliced) -> Iterator[str]:
    """Yield names for the temporary file of a page: the first depends on its name and bytes, the others are random."""
    yield f".syncer-{_tag(page, content):08x}~"
    while True:
        yield f".syncer-{secrets.token_hex(4)}~"


def left_over(directory: str) -> list[str]:
    """Return the paths of the temporary files that a crash left in a directory; none if it cannot be listed."""
    return [os.path.join(directory, name) for name in _listed(directory) if TEMPORARY.fullmatch(name)]


def settle_left_over(
    site: str, paths: Iterable[str], mappings: Sequence[Fields], is_page: Callable[[str], bool], save: Save
) -> list[Problem]:
    """Remove such files, by their real paths; restore or save what only they have. Return what failed.

    If a file differs from its page in more than the counts of these mappings, it has an edit. It is restored if the
    page still has exactly the bytes that syncer wrote, and saved if the page has changed since. `is_page` returns
    whether a real path in the same directory may be the page. An interruption does no harm.
    """
    problems: list[Problem] = []
    for directory, files in groupby(sorted(set(paths)), key=os.path.dirname):
        settled = _Beside(site, directory, mappings, is_page, save)
        for path in files:
            try:
                settled.settle(os.path.basename(path))
            except OSError as error:
                problems.append(Problem(ProblemKind.UNWRITABLE, os.path.relpath(path, site), _message(path, error)))
        flush_directories([directory])
    return problems


class _NotSavedError(OSError):
    """A left-over file cannot be saved; `strerror` says why, and what to do."""


def _message(path: str, error: OSError) -> str:
    if isinstance(error, _NotSavedError):
        return f"A crash left this file, which may hold an edit of yours. It cannot be saved: {error.strerror}"
    if os.path.islink(path):
        return "This symbolic link has the name of a temporary file of syncer, so it is not followed: delete the link."
    return (
        f"A crash left this temporary file, and it cannot be removed: {reason_of(error)}. Look into it, then delete it."
    )


class _Beside:
    """A directory with left-over files, and the pages that they may belong to."""

    def __init__(
        self, site: str, directory: str, mappings: Sequence[Fields], is_page: Callable[[str], bool], save: Save
    ) -> None:
        self._site = site
        self._directory = directory
        self._mappings = mappings
        self._save = save
        names = [name for name in _listed(directory) if not name.startswith(OWN_PREFIX)]
        self._names = {crc32(os.fsencode(name)) for name in names}
        self._pages = [name for name in names if is_page(os.path.join(directory, name))]
        self._written = {_tag(page, text): page for page, text in self._texts()}
        """The pages by their tags: if syncer wrote exactly these bytes, the left-over file of the page has this tag."""

    def settle(self, name: str) -> None:
        """Settle one of the files. Raises OSError, and then the file is unchanged."""
        from syncer.front_matter.entries import begins_own

        written_to, text = self._look_at(name)
        if text and begins_own(text):  # of a data file, in which no edit lasts anyway
            self._remove(name)
            return
        tag = int(name[len(".syncer-") : -1], 16)
        page = self._written.get(tag)
        if page and not written_to and self._masked(text) == self._masked(self._read(page)):
            self._remove(name)
        elif page and self._is_put_back(name, page, tag):
            log.warning(
                "%s was saved at the moment syncer was interrupted: restored the saved version",
                self._in_site(page),
                extra={"event": "edit-put-back", "path": self._in_site(page)},
            )
            self._remove(name)
        elif written_to:
            return  # the program that has it open may still write: the next sync looks again
        elif page:
            self._keep(name, page)
        elif (
            crc32(text) ^ tag in self._names or not text.strip(BEGINNING_BYTES) or self._is_known(text)
        ):  # a whole new page, or one that was only just started
            self._remove(name)
        else:
            videos = self._videos(text)
            alike = (page for page, other in self._texts() if videos and self._videos(other) == videos)
            self._keep(name, next(alike, name))

    def _look_at(self, name: str) -> tuple[bool, bytes]:
        """Return whether another program has the file open for writing, and its bytes."""
        file = open_file(os.path.join(self._directory, name), flags=NO_LINK)
        try:
            return is_open_for_writing(file), read_whole(file)[0]
        finally:
            os.close(file)

    def _is_known(self, text: bytes) -> bool:
        """Return whether a page here has the same text but for counts and dates, or the file is a beginning of it."""
        masked, beginning = self._masked(text), _without_digits(text.rstrip(b"\0"))
        return any(
            masked == page or _without_digits(page).startswith(beginning)
            for page in (self._masked(text) for _, text in self._texts())
        )

    def _is_put_back(self, name: str, page: str, tag: int) -> bool:
        """Swap the page back, unless it has changed just now."""
        directory = os.open(self._directory, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            if not exchange(page, name, directory):
                return False
            if _tag(page, self._read(name)) == tag:
                return True
            exchange(page, name, directory)
            return False
        finally:
            os.close(directory)

    def _keep(self, name: str, page: str) -> None:
        try:
            self._save(os.path.join(self._directory, name), self._in_site(page))
        except UnsafeFile as error:
            raise _NotSavedError(error.errno, f"{error.filename} {error.strerror}, then run the sync again.") from error
        except OSError as error:
            why = f"{reason_of(error)}. Compare it with the page, copy what you need, then delete it."
            raise _NotSavedError(error.errno, why) from error
        self._remove(name)

    def _remove(self, name: str) -> None:
        os.unlink(os.path.join(self._directory, name))

    def _in_site(self, name: str) -> str:
        return os.path.relpath(os.path.join(self._directory, name), self._site)

    def _texts(self) -> Iterator[tuple[str, bytes]]:
        for page in self._pages:
            with suppress(OSError):  # it cannot be what syncer wrote
                yield page, self._read(page)

    def _read(self, name: str) -> bytes:
        return read_page(os.path.join(self._directory, name), NO_LINK)[0]

    def _masked(self, page: bytes) -> bytes:
        """Return a page with the same count everywhere, and the same date, if they can be found."""
        for fields in self._mappings:
            changes = [
                Change(
                    "",
                    slot.video_id,
                    value.field,
                    value.kind,
                    value.text,
                    FORMS[value.kind].stand_in,
                    _AT_NO_TIME,
                    Why.CHANGED,
                )
                for slot in _slots(page, fields)
                for value in slot.values
            ]
            new = attempt(rewrite, page, fields, changes, "") if changes else page
            page = new if isinstance(new, bytes) else page
        return page

    def _videos(self, page: bytes) -> set[VideoId]:
        return {slot.video_id for fields in self._mappings for slot in _slots(page, fields)}


def _slots(page: bytes, fields: Fields) -> Sequence[Slot]:
    found = attempt(find, page, fields, "")
    return found.slots if found else ()


def _listed(directory: str) -> list[str]:
    with suppress(OSError):  # removed, or not readable, which the scan reports
        return os.listdir(directory)
    return []


def _tag(page: str, content: bytes | Spliced) -> int:
    """Return a checksum of the page's name and its bytes; each part can be computed from the other."""
    return crc32(os.fsencode(page)) ^ (crc32(content) if isinstance(content, bytes) else content.checksum())


def _without_digits(text: bytes) -> bytes:
    return re.sub(rb"[0-9]+", b"0", text)
