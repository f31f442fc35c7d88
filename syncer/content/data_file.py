"""A site's data files of `write.to` on disk: which file is syncer's, what it has, and a new one."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice

from syncer.content.left_over import names_for
from syncer.content.page_file import NO_FILE, flush_directories, read_page, signature_of
from syncer.content.walk import candidate_of
from syncer.errors import UsageError
from syncer.front_matter.entries import is_own
from syncer.front_matter.rewrite import edited, rewrite
from syncer.model import Collection, Edit, Problem, ProblemKind, Signature

NEW_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def read_data_file(site: str, path: str, collections: Sequence[Collection]) -> tuple[bytes, Signature]:
    """Return the text and the signature of a data file; of one that does not exist, `b""` and NO_FILE.

    Raises UsageError if it is not syncer's: it leads out of the site, is a page of these collections, or does not begin
    with the mark.
    """
    if candidate_of(collections)(path).fields:
        raise UsageError(
            f"{path} is the data file of `write.file` and a page of a collection; exclude it from the collection"
        )
    full = os.path.join(site, path)
    if not f"{os.path.realpath(full)}/".startswith(f"{site.rstrip('/')}/"):
        raise UsageError(f"{path}, the data file of `write.file`, leads out of the site; set another `write.file`")
    _require_place(site, full)
    if not os.path.lexists(full):
        return b"", NO_FILE
    try:
        text, status = read_page(full)
    except OSError as error:
        why = f"{error.strerror}; check its permissions" if error.strerror else error
        raise UsageError(f"{path}, the data file of `write.file`, cannot be read: {why}") from None
    if not is_own(text):
        wrong = "exists and does not begin with syncer's mark"
        if is_own(text.removeprefix(BOM_UTF8)):
            wrong = "begins with a byte order mark, which another program has put before syncer's mark"
        raise UsageError(f"{path} {wrong}, so it is not overwritten; move it away, or set another `write.file`")
    return text, signature_of(status)


def _require_place(site: str, full: str) -> None:
    """Raise UsageError if something else is in the place of a data file, or of a directory above it."""
    place = full
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    if os.path.isdir(place) if place != full else os.path.isfile(full):
        return
    what = "is not a file" if place == full else "is not a directory"
    if not os.path.exists(place):
        what = "is a link that leads nowhere"
    raise UsageError(
        f"{os.path.relpath(place, site)} {what}, so the data file of `write.file` cannot be there; move it away, or set"
        " another `write.file`"
    )


def new_text(edit: Edit) -> bytes | Problem:
    """Return the text of a data file that does not exist yet, or why it is not written."""
    ((fields, changes),) = edit.rewrites
    return rewrite(b"", fields, changes, edit.path, edit.removed)


def create(site: str, edit: Edit) -> Problem | None:
    """Write a new data file, durable and whole, and its directory if there is none. Raises OSError.

    A file that has appeared under its name meanwhile is left alone.
    """
    parent, name = os.path.split(os.path.join(site, edit.path))
    directory = os.path.realpath(parent)
    if not f"{directory}/".startswith(f"{site.rstrip('/')}/"):
        return Problem(
            ProblemKind.OUTSIDE_SITE, edit.path, "The data file now leads out of the site, so it was not written."
        )
    text, target = new_text(edit), os.path.join(directory, name)
    if isinstance(text, Problem):
        return text
    os.makedirs(directory, exist_ok=True)
    # a random name: a file that a crash left behind may have the first one
    temporary = os.path.join(directory, next(islice(names_for(name, text), 1, None)))
    descriptor = os.open(temporary, NEW_FILE_FLAGS, 0o666)
    try:
        with open(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _give_name(temporary, target)
    except FileExistsError:
        return edited(edit.path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
    while len(directory) >= len(site.rstrip("/")):  # those above may be new, too
        flush_directories([directory])
        directory = os.path.dirname(directory)
    return None


def _give_name(temporary: str, target: str) -> None:
    """Give a new file its name, without overwriting another one. Raises OSError."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise FileExistsError(target) from None
        os.rename(temporary, target)
