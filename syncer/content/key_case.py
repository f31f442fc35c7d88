"""Finds collections whose pages write the id's key in another letter case than the config."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from syncer.model import Collection, Fields, Page, Problem, ProblemKind
from syncer.wording import counted

SHARE = 10
"""One page in so many may write the key otherwise: it may be another key."""


class OtherLetters:
    """Counts the pages that would name a video if letter case did not count."""

    def __init__(self, collections: Sequence[Collection]) -> None:
        self._collections = collections
        self._seen: dict[int, list[tuple[str, str]]] = {}

    def add(self, path: str, fields: Fields, key: str) -> None:
        """Take in a page, by the very mapping of its collection, and the key as the page writes it."""
        self._seen.setdefault(id(fields), []).append((path, key))

    def problems(self, pages: Iterable[Page]) -> Iterator[Problem]:
        """Yield a Problem for each collection none of whose pages, or fewer than nine of ten, write the key as mapped.

        `pages` are those of the same scan that name a video.
        """
        if not self._seen:
            return
        exact = Counter(id(page.fields) for page in pages)
        for collection in self._collections:
            found = self._seen.get(id(collection.fields), [])
            if found and len(found) * SHARE > len(found) + exact[id(collection.fields)]:
                yield _problem(collection, *found[0], len(found))


def _problem(collection: Collection, path: str, key: str, number: int) -> Problem:
    message = (
        f"{counted(number, 'page')} here, such as {path}, "
        f"{'name' if number > 1 else 'names'} a video under {key!r}, and the config's video_id is "
        f"{collection.fields.video_id!r}: letter case counts. Change the config or the pages."
    )
    return Problem(ProblemKind.KEY_CASE, collection.directory, message)
