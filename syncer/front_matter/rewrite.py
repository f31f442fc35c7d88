"""Rewrites counts and details in a page's bytes, and changes nothing else."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from syncer.front_matter.block import LARGEST_PAGE_BYTES
from syncer.front_matter.forms import FORMS, can_be_empty
from syncer.front_matter.keys import TABLES, format_of, keys_of
from syncer.front_matter.plain import Splice, plain_splices, splice
from syncer.model import Change, Fields, Format, Problem, ProblemKind, VideoId

_PATTERNS = {kind: re.compile(form.pattern) for kind, form in FORMS.items()}


def rewrite(
    data: bytes, fields: Fields, changes: Sequence[Change], path: str, removed: Collection[VideoId] = ()
) -> bytes | Problem:
    """Return the page with the changes made, or why none was made. Takes and raises what `splices_for` does."""
    splices = splices_for(data, fields, changes, path, removed)
    return splices if isinstance(splices, Problem) else splice(data, splices)


def splices_for(
    data: bytes, fields: Fields, changes: Sequence[Change], path: str, removed: Collection[VideoId] = ()
) -> list[Splice] | Problem:
    """Return the parts of a page that the changes replace, in order, or why none may be replaced.

    The values are searched again in exactly these bytes: if a field no longer has that video and that old value, the
    result is a Problem EDITED_MEANWHILE. `data` is the whole page. Raises ValueError for a new value that has not the
    form of its kind, and for a field that is changed twice.

    Why nothing else changes: on the fast path, a value in a line of a proven form becomes another. Otherwise,
    and whenever a key is added, the new block is parsed again. It must equal the old one except for the changed values,
    and must have the new ones there; else the result is CANNOT_PLACE.

    A data file that syncer writes is replaced whole, and loses the entries of the `removed` videos.
    """
    if len({change.field for change in changes}) < len(changes):
        raise ValueError("a field is changed twice")
    for change in changes:
        if (change.new or not can_be_empty(change.kind)) and not _PATTERNS[change.kind].fullmatch(change.new):
            raise ValueError(f"only values of a known form are ever written, not {change.new!r}")
    if fields.own_file:
        from syncer.front_matter.entries import rewrite_entries

        new = rewrite_entries(data, fields, changes, path, removed)
        if new is not None and len(new) > LARGEST_PAGE_BYTES:
            message = "The data file would be larger than 64 MiB, so it was not written: `exclude` pages."
            return Problem(ProblemKind.UNWRITABLE, path, message)
        return edited(path) if new is None else [(0, len(data), new)]
    form = format_of(fields, path)
    if form in TABLES:
        from syncer.front_matter.csv_table import table_splices

        cells = table_splices(data, fields, changes, path, tabs=form is Format.TSV)
        return edited(path) if cells is None else cells
    keys = keys_of(fields)
    plain = plain_splices(data, keys, changes) if form is Format.FRONT_MATTER else None
    if plain:
        return plain
    from syncer.front_matter.rewrite_tree import tree_splices  # most sites do without it, as with `find_in_tree`

    splices = tree_splices(data, keys, changes, path, form)
    return edited(path) if splices is None else splices


def edited(path: str) -> Problem:
    """Return the Problem of a page that is not as the scan saw it."""
    message = "The page was edited during the sync, so syncer left it alone. The next sync updates it."
    return Problem(ProblemKind.EDITED_MEANWHILE, path, message)
