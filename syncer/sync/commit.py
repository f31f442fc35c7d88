"""Commits the counts that wait: the last commit's texts with our counts in them, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from itertools import groupby
from pathlib import Path

from syncer.commit_message import Contents
from syncer.content.scan import Candidate, read_pages
from syncer.diff_log import Line, lines_backwards
from syncer.errors import GitError
from syncer.front_matter.find import counts_in, find
from syncer.front_matter.rewrite import rewrite
from syncer.git.advance import IndexChanged, advance, settle
from syncer.git.objects import Entry, read_blobs, storing_blobs, write_commit
from syncer.git.repository import (
    Blob,
    Repository,
    Tip,
    in_progress,
    relative_to_top,
    require_identity,
    staged,
    tip_of,
    unlike_on_disk,
)
from syncer.model import Change, Fields, Page, VideoId, Why
from syncer.waiting import Place, Waiting, waiting

TRIES = 5
"""How often a commit is built anew because somebody else's came first."""

Rewrites = Sequence[tuple[Fields, Sequence[Change]]]
"""What a page's committed text is to have, by field mapping."""

Told = tuple[Fields, Waiting, Line | None]
"""A count that waits, and the log's line if syncer wrote it last; None: it is the author's."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the counts are that a commit takes."""

    repository: Repository
    site: str
    """A real path."""
    log: Path
    candidates: Sequence[Candidate]
    """The pages that it is about."""

    @property
    def within(self) -> str:
        """The site, as git names it: no page is outside."""
        return relative_to_top(self.repository, self.site) or ""


@dataclass(frozen=True, slots=True)
class Author:
    """In whose name commits are made."""

    configured: str | None
    """`NAME <ADDRESS>`; None: git's own settings say it."""

    def variables(self, repository: Repository) -> dict[str, str]:
        """Return what tells git so. Raises GitError where nothing says it."""
        if self.configured is None:
            require_identity(repository)
            return {}
        name, _, address = self.configured.rstrip(">").partition(" <")
        both = {"NAME": name, "EMAIL": address}
        return {f"GIT_{who}_{what}": said for who in ("AUTHOR", "COMMITTER") for what, said in both.items()}


@dataclass(slots=True)
class Built:
    """The files of a commit to be, and what the index is to have instead of them."""

    entries: list[Entry] = field(default_factory=list)
    index: list[Entry] = field(default_factory=list)
    contents: Contents = field(default_factory=Contents)


def require_tip(repository: Repository) -> Tip:
    """Return where the next commit goes. Raises GitError where a commit would be in somebody's way."""
    busy = in_progress(repository)
    if busy:
        raise GitError(f"the repository is in the middle of {busy}; finish it, and the next sync commits")
    tip = tip_of(repository)
    if tip is None:
        raise GitError("no branch with a commit is checked out; check one out, and the next sync commits")
    return tip


def commit_counts(source: Source, message: Callable[[Contents], str], author: Author) -> str | None:
    """Commit what waits, and return the commit's name; None where nothing waits. Raises GitError."""
    repository = source.repository
    settle(repository)
    why = GitError("the branch gets new commits all the time; the next sync commits")
    for _ in range(TRIES):
        tip = require_tip(repository)
        unlike = unlike_on_disk(repository, tip.commit, source.within)
        indexed = staged(repository, tip.commit, source.within) if unlike else {}
        built = build(source, unlike, indexed)
        if not built.entries:
            return None
        variables = author.variables(repository)
        commit = write_commit(repository, tip.commit, built.entries, message(built.contents), variables)
        try:
            advance(repository, tip, commit, built.index, indexed)
        except IndexChanged as error:
            why = error
        except GitError:
            if tip_of(repository) == tip:
                raise
        else:
            return commit
    raise why


def build(source: Source, unlike: Mapping[str, Blob], indexed: Mapping[str, Blob | None]) -> Built:
    """Store the files of a commit to be: those of `unlike` with the counts that wait. Raises GitError.

    `unlike` are the files of the commit before it that may differ from the working tree; `indexed` is what the index
    has instead of them. A file that the author has staged for removal waits.
    """
    there = {path: blob for path, blob in unlike.items() if indexed.get(path, blob) is not None}
    todo: dict[str, tuple[Blob, Rewrites]] = {}
    newest: tuple[int, str] = (0, "")
    for path, (blob, counts) in find_waiting(source, there).items():
        ours = [(fields, one, line) for fields, one, line in counts if line]
        if ours:
            todo[path] = (blob, rewrites_of((fields, _change(one, line)) for fields, one, line in ours))
            newest = max(newest, *((int(str(line["seq"])), str(line["sync"])) for _, _, line in ours))
    built = _store(source, todo, indexed)
    built.contents.sync = newest[1]
    return built


def find_waiting(source: Source, unlike: Mapping[str, Blob]) -> Mapping[str, tuple[Blob, list[Told]]]:
    """Return the files with counts on disk that the commit does not have, as it has them. Raises GitError."""
    found = _waiting(source, unlike)
    ours = _ours(source.log, {one.place: one.new for _, pairs in found.values() for _, one in pairs})
    return {
        path: (blob, [(fields, one, ours.get(one.place)) for fields, one in pairs])
        for path, (blob, pairs) in found.items()
    }


def _waiting(source: Source, unlike: Mapping[str, Blob]) -> Mapping[str, tuple[Blob, list[tuple[Fields, Waiting]]]]:
    files = [(path, candidate) for path, candidate in named_by_git(source) if path in unlike]
    names = (unlike[path].name for path, _ in files)
    found: dict[str, tuple[Blob, list[tuple[Fields, Waiting]]]] = {}
    for (path, candidate), text in zip(files, read_blobs(source.repository, names), strict=True):
        for page in read_pages(source.site, [candidate]):
            if isinstance(page, Page):
                committed = find(text, page.fields, page.path).slots
                pairs = [(page.fields, one) for one in waiting(page.path, committed, page.slots)]
                if pairs:
                    found.setdefault(path, (unlike[path], []))[1].extend(pairs)
    return found


def named_by_git(source: Source) -> Iterator[tuple[str, Candidate]]:
    """Yield the pages with the names that git has for their files: links are followed."""

    @cache
    def real(directory: str) -> str | None:
        return relative_to_top(source.repository, os.path.realpath(os.path.join(source.site, directory)))

    for candidate in source.candidates:
        directory, _, name = candidate.path.rpartition("/")
        full = f"{source.site}/{candidate.path}"
        if os.path.islink(full):
            path = relative_to_top(source.repository, os.path.realpath(full))
        else:
            above = real(directory)
            path = f"{above}/{name}" if above else None if above is None else name
        if path:
            yield path, candidate


def _ours(log: Path, standing: dict[Place, str]) -> dict[Place, Line]:
    """Return the newest line of the log for each place, where it says what stands there: then syncer wrote it last."""
    ours: dict[Place, Line] = {}
    lines = lines_backwards(log)
    while standing and (line := next(lines, None)):
        place = _place(line)
        if standing.pop(place, None) == line["new"]:
            ours[place] = line
    return ours


def _change(one: Waiting, line: Line) -> Change:
    as_of = datetime.fromisoformat(str(line["as_of"]))
    why = Why.CHANGED if one.present else Why.INSERTED
    return Change(one.place.path, one.place.video_id, one.place.field, one.count, one.old, one.new, as_of, why)


def rewrites_of(changes: Iterable[tuple[Fields, Change]]) -> Rewrites:
    """Return changes as a page takes them: those of one mapping together."""
    return [(fields, [change for _, change in same]) for fields, same in groupby(changes, key=lambda pair: pair[0])]


def _store(source: Source, todo: Mapping[str, tuple[Blob, Rewrites]], indexed: Mapping[str, Blob | None]) -> Built:
    """Store the new texts: the commit's with the counts, and the index's, where the author has staged another."""
    built = Built()
    if not todo:
        return built
    names = (blob.name for blob, _ in todo.values())
    with storing_blobs(source.repository) as store:
        for (path, (blob, rewrites)), text in zip(todo.items(), read_blobs(source.repository, names), strict=True):
            new = with_counts(text, rewrites)
            if new is None:
                continue
            entry = Entry(path, Blob(blob.mode, store(new)))
            built.entries.append(entry)
            built.contents.add([change for _, changes in rewrites for change in changes])
            if path not in indexed:
                built.index.append(entry)
        staged = [(path, blob) for path, blob in indexed.items() if blob and path in todo]
        for (path, blob), text in zip(staged, read_blobs(source.repository, (b.name for _, b in staged)), strict=True):
            new = with_counts(text, _still_old(source.log, text, todo[path][1]))
            if new is not None and new != text:
                built.index.append(Entry(path, Blob(blob.mode, store(new))))
    return built


def with_counts(text: bytes, rewrites: Rewrites) -> bytes | None:
    """Return a page with the counts; None where it cannot take them."""
    for fields, changes in rewrites:
        new = rewrite(text, fields, changes, changes[0].path)
        if not isinstance(new, bytes):
            return None
        text = new
    return text


def _still_old(log: Path, text: bytes, rewrites: Rewrites) -> Rewrites:
    """Return which changes a staged page is to have: of the counts that stand there as they were, or as we wrote them.

    What the author has staged there instead is the author's to commit.
    """
    kept = []
    for fields, changes in rewrites:
        standing = counts_in(text, fields, changes[0].path)
        taken = []
        for change in changes:
            place = Place(change.path, change.field, change.video_id)
            there = standing.get((change.video_id, change.field), change.new)
            if there == change.old or (there not in {None, change.new} and _was_ours(log, place, there)):
                taken.append(replace(change, old=there))
        if taken:
            kept.append((fields, taken))
    return kept


def _was_ours(log: Path, place: Place, text: str | None) -> bool:
    return any(_place(line) == place and line["new"] == text for line in lines_backwards(log))


def _place(line: Line) -> Place:
    return Place(str(line["path"]), str(line["field"]), VideoId(str(line["video_id"])))
