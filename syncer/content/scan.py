"""Finds the pages: walks the collections, reads each candidate's head and keeps what it says, never its text."""

from __future__ import annotations

import gc
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import NamedTuple

from syncer.content.matcher import Matcher
from syncer.content.reason import reason_of
from syncer.content.settle import settle
from syncer.front_matter.block import MAX_BLOCK, head_suffices
from syncer.front_matter.find import find
from syncer.model import Collection, Fields, Page, Problem, ProblemKind, Signature
from syncer.own_files import open_file

HEAD = 1 << 16
"""Bytes read at first: enough for nearly every block, and the size at which a read is cheapest."""

WHOLE_HEAD = MAX_BLOCK + HEAD
"""Bytes after which the block has ended or is refused."""

OURS = ".syncer"
"""How the names of our own files begin: the state's directory, and new files beside their pages."""

TEMPORARY = re.compile(r"\.syncer-[0-9a-f]{8}~")
"""The names of new files beside their pages: what a crash left of them is removed."""


SeeLetters = Callable[[str, Fields, str], object]
"""Takes the path of a page, a mapping, and the key that is the mapping's id key but for letter case."""


class Candidate(NamedTuple):
    """A file that may be a page, and the field mappings of the collections that it belongs to."""

    path: str
    """Relative to the site, with `/`."""
    fields: tuple[Fields, ...]


def walk(
    site: str,
    collections: Sequence[Collection],
    left_over: Callable[[str], object] = lambda _path: None,
    skipped: Callable[[Candidate], object] | None = None,
) -> Iterator[Candidate | Problem]:
    """Yield every file that a collection includes, once, in the order of names.

    `site` is the site's real path. Symbolic links are followed inside the site; one that leads out is a Problem, and
    so is a directory that cannot be listed. A file that links give several names is yielded once for each mapping:
    under its own name if a collection takes that, else under the first link's. `left_over` is called with the real path
    of each new file that never came in its page's place; `skipped`, at the end, with each candidate that is left out
    because of a directory that `Matcher.skips`. Without it those directories are not even listed.
    """
    matchers = [Matcher(collection) for collection in collections]
    ways = [_Way(set(), [matcher.directory], [], left_over) for matcher in matchers]
    told: set[Problem] = set()
    linked: dict[str, tuple[Fields, ...]] = {}
    for number, found in _walk_collections(site, matchers, ways):
        if isinstance(found, Problem):
            if found not in told:
                told.add(found)
                yield found
            continue
        path, target = found
        if target is None:
            if len(matchers) > 1 and not _takes_first(matchers, number, path):
                continue
            fields = _mappings(matchers, path)
        else:
            served = linked.get(target) or _mappings(matchers, target)
            fields = tuple(mapping for mapping in _mappings(matchers, path) if mapping not in served)
            linked[target] = served + fields
        if fields:
            yield Candidate(path, fields)
    if skipped:
        for candidate in _walk_skipped(site, collections, matchers, ways, set(linked)):
            skipped(candidate)


def _takes_first(matchers: Sequence[Matcher], number: int, path: str) -> bool:
    """Whether this collection is the one whose walk yields the file: others may meet it on their way."""
    return matchers[number].takes(path) and not _mappings(matchers[:number], path)


def _walk_collections(
    site: str, matchers: Sequence[Matcher], ways: Sequence[_Way]
) -> Iterator[tuple[int, _Place | Problem]]:
    for number, (matcher, way) in enumerate(zip(matchers, ways, strict=True)):
        for found in _walk_collection(site, matcher, way):
            yield number, found


def _walk_skipped(
    site: str, collections: Sequence[Collection], matchers: Sequence[Matcher], ways: Sequence[_Way], done: set[str]
) -> Iterator[Candidate]:
    """Yield what no collection takes because of a directory that was skipped; `done` are files taken through a link."""
    everywhere = [Matcher(collection, everywhere=True) for collection in collections]
    for way in ways:
        way.links.extend(way.skipped)
    for _, found in _walk_collections(site, everywhere, ways):
        if isinstance(found, Problem):  # of what is skipped, nothing is said
            continue
        path, target = found
        fields, file = _mappings(everywhere, path), target or path
        if fields and file not in done and not _mappings(matchers, file):
            done.add(file)
            yield Candidate(path, fields)


def candidate_of(collections: Sequence[Collection]) -> Callable[[str], Candidate]:
    """Return what makes a candidate of a path, by the collections that take it, whether or not a file is there.

    Directories that a walk skips are no obstacle: what was written there before is still found.
    """
    matchers = [Matcher(collection, everywhere=True) for collection in collections]
    return lambda path: Candidate(path, _mappings(matchers, path))


def _mappings(matchers: Iterable[Matcher], path: str) -> tuple[Fields, ...]:
    """Return the mappings of the collections that take a path."""
    mappings: tuple[Fields, ...] = ()
    for matcher in matchers:  # as a comprehension it takes a third longer, for each file of the site
        if matcher.takes(path):
            mappings += matcher.mappings
    return mappings


def read_pages(
    site: str, candidates: Iterable[Candidate], other_letters: SeeLetters = lambda _path, _fields, _key: None
) -> Iterator[Page | Problem]:
    """Yield the pages among the candidates, and what is wrong with those that cannot be used.

    A file that names no video yields nothing. A file in several collections yields a page for each that finds a video
    in it, one after the other, and each count is in one of them; if two of them would write different numbers to one
    place, a Problem and no page. `other_letters` is called with each page that names a video under a key which is the
    mapping's but for letter case, with that mapping and that key.
    """
    with closing(_Directory(site)) as directory:
        for candidate in candidates:
            path, mappings = candidate
            try:
                read = _read_head(directory, path)
                if read is None:
                    continue
                if isinstance(read, Problem):
                    yield read
                elif len(mappings) > 1:
                    yield from _pages_of(candidate, *read, other_letters)
                else:
                    found = find(read[0], mappings[0], path)
                    yield from found.problems
                    if found.slots:
                        yield Page(path, read[1], mappings[0], found.slots)
                    if found.other_letters:
                        other_letters(path, mappings[0], found.other_letters)
            except Exception as error:  # noqa: BLE001 - one page never ends a sync, whatever is wrong with it
                yield _unreadable(path, error)


@contextmanager
def keeping_pages() -> Iterator[None]:
    """Pause Python's search for cycles in a block that keeps pages by the thousand.

    Reading pages makes no cycles, and each search would walk over all pages kept so far: a fifth of a scan's time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_head(site: str, candidate: Candidate) -> tuple[bytes, Signature] | Problem | None:
    """Return as much of a file as holds its block, and its signature; None when it is no regular file."""
    with closing(_Directory(site)) as directory:
        return _read_head(directory, candidate.path)


class _Directory:
    """Opens the site's files. The last one's directory stays open: to find a name takes less than a long path."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._path: str | None = None
        self._descriptor = -1

    def open(self, path: str) -> int:
        """Return a descriptor of the file at this path, relative to the site. Raises OSError."""
        parent, _, name = path.rpartition("/")
        if parent != self._path:
            self.close()
            self._descriptor = os.open(f"{self._site}/{parent}", os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
            self._path = parent
        return open_file(name, self._descriptor)

    def close(self) -> None:
        """Close the directory, if one is open."""
        if self._path is not None:
            self._path = None
            os.close(self._descriptor)


def _read_head(directory: _Directory, path: str) -> tuple[bytes, Signature] | Problem | None:
    try:
        descriptor = directory.open(path)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return None
            head = os.read(descriptor, HEAD)
            if len(head) < status.st_size:
                head = _read_on(descriptor, head, status.st_size)
            return head, signature_of(status)
        finally:
            os.close(descriptor)
    except OSError as error:
        return _unreadable(path, error)


def _read_on(descriptor: int, head: bytes, size: int) -> bytes:
    """Return more of the file where its head does not hold the whole block."""
    while len(head) < min(size, WHOLE_HEAD) and not head_suffices(head):
        more = os.read(descriptor, WHOLE_HEAD - len(head))
        if not more:
            break
        head += more
    return head


def signature_of(status: os.stat_result) -> Signature:
    """Return the signature in a stat result: size, time of change and inode."""
    return Signature(hash((status.st_size, status.st_mtime_ns, status.st_ino)))


def _pages_of(
    candidate: Candidate, head: bytes, signature: Signature, other_letters: SeeLetters
) -> Iterator[Page | Problem]:
    pages: list[Page] = []
    others: list[tuple[Fields, str]] = []
    seen: set[Problem] = set()
    for fields in candidate.fields:
        found = find(head, fields, candidate.path)
        if found.slots:
            pages.append(Page(candidate.path, signature, fields, found.slots))
        if found.other_letters:
            others.append((fields, found.other_letters))
        if found.problems:
            yield from (problem for problem in found.problems if problem not in seen)
            seen.update(found.problems)
    if not pages and not seen:  # else another collection has the key as the page writes it
        for fields, key in others:
            other_letters(candidate.path, fields, key)
    settled = settle(pages) if len(pages) > 1 else pages
    if isinstance(settled, Problem):
        yield settled
    else:
        yield from settled


_Place = tuple[str, str | None]
"""A path, and where links lead to the path of the thing itself, else None."""


class _Way(NamedTuple):
    """What a walk meets."""

    seen: set[tuple[int, int]]
    """Directories that were listed, by device and inode."""
    links: list[str]
    """To follow: the collection's directory, then links."""
    skipped: list[str]
    """Directories and links to directories, skipped for their names."""
    left_over: Callable[[str], object]


def _walk_collection(site: str, matcher: Matcher, way: _Way) -> Iterator[_Place | Problem]:
    """Yield the place of each file, those behind links last."""
    while way.links:
        path = way.links.pop()
        target, full = _real(site, path), os.path.join(site, path)
        if target and any(name == ".git" or name.startswith(OURS) for name in target.split("/")):
            continue
        if os.path.isdir(full):
            if path != matcher.directory and matcher.skips(path):
                way.skipped.append(path)
            elif target is None:
                yield _outside(path)
            else:
                yield from _walk_directory(site, matcher, (path, None if target == path else target), way)
        elif os.path.isfile(full) and matcher.takes(path):
            yield _outside(path) if target is None else _named(path, target)


def _walk_directory(site: str, matcher: Matcher, place: _Place, way: _Way) -> Iterator[_Place | Problem]:
    """Yield the files below a directory that was not seen yet, but not those behind links."""
    top, real = place
    pending = [top]
    while pending:
        directory = pending.pop()
        try:
            files, directories, more_links = _list(site, directory, way)
        except OSError as error:
            yield _unreadable(directory or ".", error)
            continue
        for path in directories:
            if not matcher.prunes(path):
                (way.skipped if matcher.skips(path) else pending).append(path)
        way.links.extend(path for path in more_links if not matcher.prunes(path))
        for path in files:
            found = _named(path, None if real is None else os.path.join(real, path[len(top) :].lstrip("/")))
            if not isinstance(found, Problem) or matcher.takes(path):
                yield found


def _named(path: str, real: str | None) -> _Place | Problem:
    """Return the place, or a Problem where logs and reports could not name it."""
    if path.isascii() or _is_text(path):
        return path, real
    return Problem(ProblemKind.UNREADABLE, _printable(path), "has a name that is not UTF-8; rename it")


def _list(site: str, directory: str, way: _Way) -> tuple[list[str], list[str], list[str]]:
    """Return a directory's files in order, and its directories and links in reverse order, for a stack."""
    full = os.path.join(site, directory)
    status = os.stat(full)
    if (status.st_dev, status.st_ino) in way.seen:
        return [], [], []
    way.seen.add((status.st_dev, status.st_ino))
    prefix = f"{directory}/" if directory else ""
    files, directories, links = [], [], []
    with os.scandir(full) as entries:
        for entry in entries:
            if entry.name.startswith(OURS):
                if TEMPORARY.fullmatch(entry.name):
                    way.left_over(os.path.join(os.path.realpath(full), entry.name))
                continue
            if entry.is_file(follow_symlinks=False):
                files.append(prefix + entry.name)
            elif entry.is_symlink():
                links.append(prefix + entry.name)
            elif entry.is_dir() and entry.name != ".git":
                directories.append(prefix + entry.name)
    return sorted(files), sorted(directories, reverse=True), sorted(links, reverse=True)


def _real(site: str, path: str) -> str | None:
    """Return the real path of what is at `path`, relative to the site; None when it is outside, or is gone by now."""
    try:
        real = os.path.realpath(os.path.join(site, path))
    except OSError:  # of a link that went away, or may not be read
        return None
    if real == site:
        return ""
    prefix = site.rstrip("/") + "/"
    return real[len(prefix) :] if real.startswith(prefix) else None


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _printable(path: str) -> str:
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _outside(path: str) -> Problem:
    return Problem(
        ProblemKind.OUTSIDE_SITE,
        _printable(path),
        "is a link that leads out of the site: nothing there is touched; exclude it",
    )


def _unreadable(path: str, error: Exception) -> Problem:
    return Problem(ProblemKind.UNREADABLE, _printable(path), f"cannot be read: {reason_of(error)}")
