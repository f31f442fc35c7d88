"""Walks a site's collections: finds the files that may be pages, and temporary files that a crash left."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import NamedTuple

from syncer.content.page_file import printable, unreadable
from syncer.errors import UsageError
from syncer.model import Collection, Fields, Problem, ProblemKind

OWN_PREFIX = ".syncer"
"""The beginning of the names of syncer's own files: the state's directory, and temporary files beside pages."""

TEMPORARY = re.compile(r"\.syncer-[0-9a-f]{8}~")
"""The names of temporary files beside pages: those that a crash left are removed."""


class Candidate(NamedTuple):
    """A file that may be a page, and the field mappings of the collections that include it."""

    path: str
    """Relative to the site, with `/`."""
    fields: tuple[Fields, ...]
    skipped: bool = False
    """Whether a sync leaves it out because of a directory that `Matcher.skips`."""

    @property
    def is_data_file(self) -> bool:
        """Whether syncer writes it whole (`write.to`)."""
        return any(fields.own_file for fields in self.fields)


class LeftoverFile(NamedTuple):
    """A temporary file that a crash left beside its page."""

    path: str
    """Real path."""


def walk(
    site: str, collections: Sequence[Collection], *, skipped: bool = False
) -> Iterator[Candidate | LeftoverFile | Problem]:
    """Yield every file that a collection includes, once, in the order of names, and every left-over file.

    `site` is the site's real path. Symbolic links are followed inside the site; one that leads out is a Problem, and
    so is a directory that cannot be listed. A file that has several names because of links is yielded once for each
    mapping: under its own name if a collection takes that, else under the first link's. With `skipped`, the candidates
    in directories that `Matcher.skips` are yielded at the end; without it those directories are not even listed.
    """
    matchers = [Matcher(collection) for collection in collections]
    walks = [_CollectionWalk(site, matcher.directory) for matcher in matchers]
    reported: set[LeftoverFile | Problem] = set()
    linked: dict[str, tuple[Fields, ...]] = {}
    for number, matcher in enumerate(matchers):
        for found in walks[number].files(matcher):
            if not isinstance(found, _Files):
                if found not in reported:
                    reported.add(found)
                    yield found
                continue
            if found.targets is not None:
                for path, target in zip(found.paths, found.targets, strict=True):
                    served = linked.get(target) or _mappings(matchers, target)
                    fields = tuple(mapping for mapping in _mappings(matchers, path) if mapping not in served)
                    linked[target] = served + fields
                    if fields:
                        yield Candidate(path, fields)
                continue
            taken = matcher.taken(found.directory, found.paths)
            if [each for each in matchers if each.covers(found.directory)] == [matcher]:
                yield from map(Candidate, taken, repeat(matcher.mappings))
                continue
            # other collections' walks meet these files too: the walk of the first that takes a file yields it
            earlier = matchers[:number]
            yield from (Candidate(path, _mappings(matchers, path)) for path in taken if not _mappings(earlier, path))
    if skipped:
        yield from _walk_skipped(collections, matchers, walks, frozenset(linked))


def _walk_skipped(
    collections: Sequence[Collection],
    matchers: Sequence[Matcher],
    walks: Sequence[_CollectionWalk],
    linked: frozenset[str],
) -> Iterator[Candidate | LeftoverFile]:
    """Yield the files that only a skipped directory keeps out of a collection; `linked` are files taken through a link.

    Problems there are not reported.
    """
    everywhere = [Matcher(collection, everywhere=True) for collection in collections]
    done = set(linked)
    for collection_walk, matcher in zip(walks, everywhere, strict=True):
        for found in collection_walk.skipped_files(matcher):
            if isinstance(found, LeftoverFile):
                yield found
            elif not isinstance(found, Problem):
                for path, target in found.each():
                    fields, file = _mappings(everywhere, path), target or path
                    if fields and file not in done and not _mappings(matchers, file):
                        done.add(file)
                        yield Candidate(path, fields, skipped=True)


def walk_written(
    site: str, collections: Sequence[Collection], *, skipped: bool = False
) -> Iterator[Candidate | LeftoverFile | Problem]:
    """Yield what `walk` does for collections of which some are former (`Fields.former`), without walking any twice.

    Former mappings are in a candidate as in `candidate_of`.
    """
    walked: list[Collection] = []
    for each in collections:
        if not each.fields.former or all(each.files != other.files for other in walked):
            walked.append(each)
    mapped = candidate_of([each for each in collections if each.fields.former])
    for item in walk(site, walked, skipped=skipped):
        if not isinstance(item, Candidate):
            yield item
            continue
        more = mapped(item.path).fields if len(walked) < len(collections) else ()
        yield _former_last(item._replace(fields=item.fields + more))


def candidate_of(collections: Sequence[Collection]) -> Callable[[str], Candidate]:
    """Return a function that makes a candidate of a path, by the collections that take it; the file need not exist.

    Paths in directories that a walk skips are accepted: counts that were written there before are still found. The
    config's mappings come first, then the former ones that find something else.
    """
    matchers = [Matcher(collection, everywhere=True) for collection in collections]
    return lambda path: _former_last(Candidate(path, _mappings(matchers, path)))


def _former_last(candidate: Candidate) -> Candidate:
    mappings = [fields for fields in candidate.fields if not fields.former]
    if len(mappings) == len(candidate.fields):
        return candidate
    for fields in candidate.fields:
        if fields.former and not any(map(fields.same_keys, mappings)):
            mappings.append(fields)
    return candidate._replace(fields=tuple(mappings))


def narrow(
    found: Iterable[Candidate | LeftoverFile | Problem], paths: Iterable[str]
) -> Iterator[Candidate | LeftoverFile | Problem]:
    """Yield what a walk found at one of these paths or below it, and all left-over files; without paths, everything.

    Paths are relative to the site; `` is the site. At the end, raises UsageError for paths with nothing there.
    """
    wanted = frozenset(paths)
    if not wanted:
        yield from found
        return
    unused = set(wanted)
    for item in found:
        if isinstance(item, LeftoverFile):
            yield item
            continue
        matching = wanted.intersection(with_parents(item.subject if isinstance(item, Problem) else item.path))
        unused -= matching
        if matching:
            yield item
    if unused:
        raise UsageError(f"{', '.join(sorted(unused))}: no collection in the config includes a page there")


def with_parents(path: str) -> Iterator[str]:
    """Yield a path and its parent directories, the site (``) last."""
    yield path
    while path:
        path = path.rpartition("/")[0]
        yield path


class Matcher:
    """Decides which paths a collection takes.

    Directories whose names begin with a dot, and `node_modules`, have files of editors, tools and packages: they are
    skipped, unless a pattern of `include` names them. With `everywhere`, they are not skipped.
    """

    def __init__(self, collection: Collection, *, everywhere: bool = False) -> None:
        self.mappings = (collection.fields,)
        self.directory = "" if collection.directory in {".", ""} else collection.directory.strip("/")
        self._prefix = f"{self.directory}/" if self.directory else ""
        self._suffixes = _suffixes(collection.include)
        self._includes = _matches(collection.include)
        self._excludes = _matches(collection.exclude) if collection.exclude else None
        # `.notes/**` and `.n*/` name `.notes`; `**/*.md` and `*/` name nothing: a wildcard is not a dot
        globs = [pattern for pattern in collection.include if not pattern.startswith(("!", "#"))]
        segments = {segment for pattern in globs for segment in pattern.split("/")}
        named = [name for name in segments if name.removeprefix("\\").startswith(".") or name == "node_modules"]
        self._names = (lambda _name: True) if everywhere else _matches(named)

    def takes(self, path: str) -> bool:
        """Return whether the collection takes the file at this path, relative to the site."""
        if not path.startswith(self._prefix):
            return False
        inner = path[len(self._prefix) :]
        if not self._includes(inner) or (self._excludes and self._excludes(inner)):
            return False
        # this may run for each file of the site: first a check that costs next to nothing
        if "/." not in inner and "node_modules/" not in inner and inner[0] != ".":
            return True
        return not any(map(self._skips_name, inner.split("/")[:-1]))

    def covers(self, directory: str) -> bool:
        """Return whether a directory is the collection's, or is below it."""
        return f"{directory}/".startswith(self._prefix)

    def taken(self, directory: str, paths: Sequence[str]) -> Iterable[str]:
        """Return the paths that the collection takes; all of them are in this directory."""
        inside = f"{directory}/a" if directory else "a"
        if self._suffixes and not (self._excludes or self.takes(inside)) and self.takes(inside + self._suffixes[0]):
            return [path for path in paths if path.endswith(self._suffixes)]  # nothing else decides
        return filter(self.takes, paths)

    def prunes(self, path: str) -> bool:
        """Return whether nothing below this directory can be taken."""
        return self._excludes is not None and self._excludes(path[len(self._prefix) :] + "/")

    def skips(self, path: str) -> bool:
        """Return whether this directory, below the collection's own, is skipped for its name."""
        return self._skips_name(path.rpartition("/")[2])

    def _skips_name(self, name: str) -> bool:
        return (name.startswith(".") or name == "node_modules") and not self._names(name)


def _mappings(matchers: Iterable[Matcher], path: str) -> tuple[Fields, ...]:
    """Return the mappings of the collections that take a path."""
    mappings: tuple[Fields, ...] = ()
    for matcher in matchers:  # as a comprehension it takes a third longer, for each file of the site
        if matcher.takes(path):
            mappings += matcher.mappings
    return mappings


def _matches(patterns: Sequence[str]) -> Callable[[str], bool]:
    if not patterns:
        return lambda _path: False
    suffixes = _suffixes(patterns)
    if not suffixes:
        from pathspec import (
            GitIgnoreSpec,  # most sites do without it: to import it is a fortieth of a small sync's time
        )

        return GitIgnoreSpec.from_lines(patterns).match_file
    inside = tuple(f"{suffix}/" for suffix in suffixes)  # a directory with such a name is taken as a whole
    return lambda path: path.endswith(suffixes) or any(directory in path for directory in inside)


def _suffixes(patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the ends of the names of files that patterns like `**/*.md` take; none if there are other patterns."""
    suffixes = tuple(pattern[4:] for pattern in patterns if re.fullmatch(r"\*\*/\*[\w.-]+", pattern))
    return suffixes if len(suffixes) == len(patterns) else ()


class _Files(NamedTuple):
    """Files in one directory."""

    directory: str
    paths: Sequence[str]
    targets: Sequence[str] | None
    """The paths of the files themselves if these paths go through a link, else None."""

    def each(self) -> Iterable[tuple[str, str | None]]:
        """Return each path, with the path of the file itself if the first one goes through a link."""
        return zip(self.paths, self.targets or repeat(None))  # noqa: B905 - the second one may have no end


class _CollectionWalk:
    """The walk through one collection's directory, which can continue into what it skipped."""

    def __init__(self, site: str, directory: str) -> None:
        self._site = site
        self._directory = directory
        self._links = [directory]
        """Still to follow: the collection's directory, then links."""
        self._skipped: list[str] = []
        """Directories, and links to directories, that were skipped for their names."""
        self._listed: set[tuple[int, int]] = set()
        """Directories that were listed, by device and inode."""

    def skipped_files(self, matcher: Matcher) -> Iterator[_Files | LeftoverFile | Problem]:
        """Yield, after the walk, the files of the directories that it skipped."""
        self._links += self._skipped
        yield from self.files(matcher)

    def files(self, matcher: Matcher) -> Iterator[_Files | LeftoverFile | Problem]:
        """Yield the files of each directory, those behind links last."""
        while self._links:
            path = self._links.pop()
            target, full = _real(self._site, path), os.path.join(self._site, path)
            if target and any(name == ".git" or name.startswith(OWN_PREFIX) for name in target.split("/")):
                continue
            if os.path.isdir(full):
                if path != self._directory and matcher.skips(path):
                    self._skipped.append(path)
                elif target is None:
                    yield _outside(path)
                else:
                    yield from self._files_below(matcher, path, None if target == path else target)
            elif os.path.isfile(full) and matcher.takes(path):
                yield _outside(path) if target is None else _unprintable(path) or _Files("", [path], [target])

    def _files_below(self, matcher: Matcher, top: str, target: str | None) -> Iterator[_Files | LeftoverFile | Problem]:
        """Yield the files below a directory that was not listed yet, but not those behind links."""
        pending = [top]
        while pending:
            directory = pending.pop()
            try:
                entries = self._list(directory)
            except OSError as error:
                yield unreadable(directory or ".", error)
                continue
            yield from entries.left_over
            for path in entries.directories:
                if not matcher.prunes(path):
                    (self._skipped if matcher.skips(path) else pending).append(path)
            self._links += [path for path in entries.links if not matcher.prunes(path)]
            paths = entries.files
            if not all(map(str.isascii, paths)):
                problems = {path: problem for path in paths if (problem := _unprintable(path))}
                yield from (problem for path, problem in problems.items() if matcher.takes(path))
                paths = [path for path in paths if path not in problems]
            below = None if target is None else [os.path.join(target, path[len(top) :].lstrip("/")) for path in paths]
            yield _Files(directory, paths, below)

    def _list(self, directory: str) -> _Entries:
        """Return what is in a directory: files in order, directories and links in reverse order, for a stack."""
        full = os.path.join(self._site, directory)
        status = os.stat(full)
        listed = _Entries([], [], [], [])
        if (status.st_dev, status.st_ino) in self._listed:
            return listed
        self._listed.add((status.st_dev, status.st_ino))
        prefix = f"{directory}/" if directory else ""
        with os.scandir(full) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith(OWN_PREFIX):
                    if TEMPORARY.fullmatch(name):
                        listed.left_over.append(LeftoverFile(os.path.join(os.path.realpath(full), name)))
                elif entry.is_file(follow_symlinks=False):
                    listed.files.append(prefix + name)
                elif entry.is_symlink():
                    listed.links.append(prefix + name)
                elif entry.is_dir() and name != ".git":
                    listed.directories.append(prefix + name)
        listed.files.sort()
        listed.directories.sort(reverse=True)
        listed.links.sort(reverse=True)
        return listed


class _Entries(NamedTuple):
    """What is in a directory."""

    files: list[str]
    directories: list[str]
    links: list[str]
    left_over: list[LeftoverFile]


def _unprintable(path: str) -> Problem | None:
    """Return a Problem if logs and reports cannot show the file's name."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return Problem(ProblemKind.UNREADABLE, printable(path), "The file's name is not valid UTF-8: rename it.")
    return None


def _outside(path: str) -> Problem:
    message = "This symbolic link leads out of the site, so syncer does not follow it: exclude it."
    return Problem(ProblemKind.OUTSIDE_SITE, printable(path), message)


def _real(site: str, path: str) -> str | None:
    """Return the real path of `path`, relative to the site; None if it is outside, or no longer exists."""
    try:
        real = os.path.realpath(os.path.join(site, path))
    except OSError:  # a link that was removed, or cannot be read
        return None
    if real == site:
        return ""
    prefix = site.rstrip("/") + "/"
    return real[len(prefix) :] if real.startswith(prefix) else None
