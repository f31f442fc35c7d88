"""The files of a site that `syncer init` looks at: pages, with what is special about them, and data files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

from syncer.content.page_file import attempt, read_page
from syncer.content.scan import read_head
from syncer.content.walk import Candidate, walk
from syncer.front_matter.data import MAX_TREE_BYTES
from syncer.front_matter.leaves import leaves
from syncer.model import Collection, Fields
from syncer.suggest.data_files import DataFiles
from syncer.suggest.elsewhere import Elsewhere
from syncer.suggest.survey import Leaves

PAGES = ("*.md", "*.markdown", "*.mdx", "*.mdoc", "*.html")
"""What may be a page."""

DATA_FILES = ("*.yml", "*.yaml", "*.json", "*.toml", "*.csv", "*.tsv")
"""What may be a data file."""

PACKAGES = ("package.json", "package-lock.json", "npm-shrinkwrap.json", "composer.json")
"""Data files whose keys are names of programs, which can look like IDs."""


def page_leaves(
    site: str, json_pages: set[str], json_numbers: set[str], seen: Elsewhere
) -> Iterator[tuple[str, Leaves]]:
    """Yield the pages' paths and leaves; note what is special about them."""
    for candidate in _files(site, PAGES):
        read = read_head(site, candidate)
        if isinstance(read, tuple):  # what cannot be read cannot be proposed
            seen.all_pages += 1
            found = attempt(leaves, read[0])
            if not found:
                attempt(seen.add_head, candidate.path, read[0])
            if found is not None:
                if read[0].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
                    json_pages.add(candidate.path)
                    json_numbers.update(key for key, text, quoted in found if not quoted and text.isdigit())
                yield candidate.path, found


def look_into_data_files(site: str, data_files: DataFiles, seen: Elsewhere) -> None:
    """Note what the data files hold that may have a video."""
    for candidate in _files(site, DATA_FILES):
        data = read_small_file(site, candidate.path)
        if data is None:
            seen.large += [candidate.path] if os.path.isfile(os.path.join(site, candidate.path)) else []
        elif candidate.path.rpartition("/")[2] not in PACKAGES and seen.add_data_file(candidate.path, data):
            attempt(partial(data_files.add, candidate.path), data)
        else:
            data_files.paths.append(candidate.path)


def read_small_file(site: str, path: str) -> bytes | None:
    """Return the bytes of a data file; None if it cannot be read, or is too large."""
    full = os.path.join(site, path)
    try:
        is_small = os.path.getsize(full) <= MAX_TREE_BYTES
    except OSError:
        return None
    read = attempt(read_page, full) if is_small else None
    return read and read[0]


def look_into_text(site: str, seen: Elsewhere) -> None:
    """Note which pages have videos in their text."""
    for candidate in _files(site, PAGES):
        if read := attempt(read_page, os.path.join(site, candidate.path)):
            attempt(seen.add_text, candidate.path, read[0])


def _files(site: str, patterns: tuple[str, ...]) -> Iterator[Candidate]:
    for candidate in walk(site, [Collection(".", patterns, (), Fields("", {}))]):
        if isinstance(candidate, Candidate):
            yield candidate
