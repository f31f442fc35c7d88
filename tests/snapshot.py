"""Takes down where everything of a repository stands, and says what of it is the author's."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from syncer.front_matter.find import find
from syncer.front_matter.rewrite import rewrite
from syncer.model import Change, Count, Detail, Fields, ValueKind, Why
from tests.repository import Repository
from tests.site import NOON

DATES = {Detail.CHECKED_AT: "viewsUpdated"}
SINGLE = Fields("vid_id", {Count.VIEWS: "viewcount", Count.LIKES: "likeCount"}, details=DATES)
LISTED = Fields("videos[].id", {Count.VIEWS: "viewcount", Count.LIKES: "likeCount"})
"""What `DATED_COLLECTIONS` says of pages, and of those in `content/lists`."""


class File(NamedTuple):
    """A file as git or the disk has it."""

    mode: str
    text: bytes


@dataclass(frozen=True)
class Snapshot:
    """Where everything of a repository stands."""

    head: str
    refs: str
    lying: Sequence[str]
    """What files git's directory has, those of objects apart."""
    commit: Mapping[str, File]
    index: Mapping[str, Sequence[File]]
    """Several of a path that is in conflict."""
    flags: Mapping[str, str]
    """What `git ls-files -v` says of what is in the index."""
    disk: Mapping[str, File]
    status: Mapping[str, str]
    """What `git status` says of each path that is not as committed: `M `, or `D ,??`."""


def snapshot(repository: Repository) -> Snapshot:
    """Takes a repository down."""
    in_commit = [_named(line, 2) for line in _lines(repository, "ls-tree", "-r", "HEAD")]
    in_index = [_named(line, 1) for line in _lines(repository, "ls-files", "--stage")]
    texts = _texts(repository, [name for _, name, _ in (*in_commit, *in_index)])
    commit = {path: File(mode, texts[name]) for mode, name, path in in_commit}
    index = defaultdict(list)
    for mode, name, path in in_index:
        index[path].append(File(mode, texts[name]))
    flags = {line[2:]: line[0] for line in _lines(repository, "ls-files", "-v")}
    refs = repository.git("for-each-ref")
    disk = dict(_on_disk(repository.top))
    return Snapshot(repository.head(), refs, _lying(repository), commit, index, flags, disk, status_of(repository))


def require_only_counts_differ(before: Snapshot, after: Snapshot, fields_of: Callable[[str], Fields]) -> None:
    """Fails where a sync changed anything but counts: in the commit, in the index, on disk, or between the three.

    Counts that the author has not staged are not staged afterwards either.
    """
    for layer in ("commit", "disk"):
        assert _without_counts(getattr(after, layer), fields_of) == _without_counts(getattr(before, layer), fields_of)
    assert after.flags == before.flags
    assert _flat(after.index, fields_of) == _flat(before.index, fields_of)
    for path, file in before.commit.items():
        index_before, index_after = before.index.get(path, ()), after.index.get(path, ())
        if len(index_before) == 1:
            for place, text in counts_of(path, file, fields_of).items():
                if counts_of(path, index_before[0], fields_of).get(place, "") == text:
                    committed = counts_of(path, after.commit[path], fields_of)[place]
                    assert counts_of(path, index_after[0], fields_of)[place] == committed, (path, place)


def _without_counts(layer: Mapping[str, File], fields_of: Callable[[str], Fields]) -> Mapping[str, File]:
    return {path: zeroed(path, file, fields_of(path)) for path, file in layer.items()}


def _flat(index: Mapping[str, Sequence[File]], fields_of: Callable[[str], Fields]) -> Mapping[str, Sequence[File]]:
    return {path: [zeroed(path, file, fields_of(path)) for file in files] for path, files in index.items()}


def zeroed(path: str, file: File, fields: Fields) -> File:
    """The file with a 0 for each count that it has, or would get, and with one date for all."""
    changes = [
        Change(path, slot.video_id, value.field, value.kind, value.text, zero, NOON, Why.CHANGED)
        for slot in find(file.text, fields, path).slots
        for value in slot.values
        for zero in ("0001-01-01" if isinstance(value.kind, Detail) else "0",)
    ]
    new = rewrite(file.text, fields, changes, path) if changes else file.text
    assert isinstance(new, bytes), new
    return File(file.mode, new)


def counts_of(
    path: str, file: File, fields_of: Callable[[str], Fields]
) -> Mapping[tuple[str, int, ValueKind], str | None]:
    """Counts by video, which of its slots, and kind: items of lists may stand elsewhere in another layer."""
    found: dict[tuple[str, int, ValueKind], str | None] = {}
    for slot in find(file.text, fields_of(path), path).slots:
        number = sum((slot.video_id, n, value.kind) in found for n in range(99) for value in slot.values[:1])
        found.update({(slot.video_id, number, value.kind): value.text for value in slot.values})
    return found


def status_of(repository: Repository) -> dict[str, str]:
    """What `git status` says, by path."""
    said: dict[str, str] = {}
    for line in _lines(repository, "status", "--porcelain", "--no-renames", "--untracked-files=all"):
        path = line[3:]
        said[path] = f"{said[path]},{line[:2]}" if path in said else line[:2]
    return said


def _lines(repository: Repository, *words: str) -> list[str]:
    name, *rest = words
    return [line for line in repository.git(name, "-z", *rest).split("\0") if line]


def _named(line: str, place: int) -> tuple[str, str, str]:
    """Mode, hash and path of a line of `ls-tree` or `ls-files`."""
    words, path = line.split("\t", 1)
    mode, *rest = words.split(" ")
    return mode, rest[place - 1], path


def _texts(repository: Repository, names: Sequence[str]) -> dict[str, bytes]:
    asked = "".join(f"{name}\n" for name in names).encode()
    said = repository.git("cat-file", "--batch", fed=asked).encode("utf-8", "surrogateescape")
    texts = {}
    place = 0
    for name in names:
        end = said.index(b"\n", place)
        words = said[place:end].split()
        size = int(words[2]) if len(words) == 3 else -1  # a submodule's commit is not there
        texts[name] = said[end + 1 : end + 1 + size]
        place = end + 2 + size
    return texts


def _lying(repository: Repository) -> list[str]:
    place = Path(repository.git("rev-parse", "--absolute-git-dir").strip())
    names = (path.relative_to(place).as_posix() for path in place.rglob("*"))
    return sorted(name for name in names if not name.startswith("objects/"))


def _on_disk(top: Path) -> Iterator[tuple[str, File]]:
    for directory, directories, files in os.walk(top):
        directories[:] = [name for name in directories if name not in {".git", ".syncer"}]
        for name in files:
            if name == ".git":
                continue
            file = Path(directory, name)
            path = file.relative_to(top).as_posix()
            mode = "120000" if file.is_symlink() else f"{stat.S_IFREG | file.stat().st_mode & 0o777:o}"
            yield path, File(mode, os.fsencode(os.readlink(file)) if file.is_symlink() else file.read_bytes())
