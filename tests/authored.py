"""A site in git in the middle of its author's work, and what stands where after a sync: counts differ, no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from syncer.model import Fields, ProblemKind
from syncer.simulator.server import Simulator
from tests.remotes import left_over
from tests.repository import Repository, in_git
from tests.site import Site, counts, crlf, ids
from tests.snapshot import LISTED, SINGLE, require_only_counts_differ, snapshot

*VIDEOS, ABOVE, BELOW = ids(6, seed=71)
UNTOUCHED, STAGED, UNSTAGED, BOTH = PAGES = [
    f"content/{name}.md" for name in ("untouched", "staged", "unstaged", "both")
]
LIST = "content/lists/of.md"
"""A list to which the author has added an item."""

NOTES = "notes.txt"
"""A file that is no page: two people edit it."""

STATUS = {STAGED: "M ", UNSTAGED: " M", BOTH: "MM", LIST: "MM"}
"""What is left to commit after a sync."""


def body(page: bytes) -> bytes:
    return page + b"\r\nOne more paragraph.\r\n"


def listed(*items: tuple[str, int, int]) -> bytes:
    lines = "".join(f"- id: {video}\r\n  viewcount: {views}\r\n  likeCount: {n}\r\n" for video, views, n in items)
    return f"---\r\nvideos:\r\n{lines}---\r\n".encode()


def title(page: bytes) -> bytes:
    return page.replace(b'"PT5M23S"', b'"PT6M00S"')


@dataclass
class Author:
    """Somebody whose site syncs end in a commit."""

    site: Site
    repository: Repository
    """The site, or what it is in."""
    youtube: Simulator
    eol: Callable[[bytes], bytes] = lambda text: text
    """How git stores the ends of lines."""

    @property
    def room(self) -> Path:
        """A directory for other repositories."""
        return self.site.root.parent

    def works(self) -> None:
        """Edits four of the pages, and stages some of it."""
        for path in (STAGED, BOTH):
            self.edit(path, body)
        self.edit(LIST, lambda _: listed((ABOVE, 1, 2), (BELOW, 1, 2)))
        self.repository.git("add", *(self.named(path) for path in (STAGED, BOTH, LIST)))
        for path in (UNSTAGED, BOTH):
            self.edit(path, title)

    def edit(self, path: str, how: Callable[[bytes], bytes]) -> None:
        """Edits a page as an editor does."""
        page = self.site.root / path
        page.write_bytes(how(page.read_bytes()))

    def named(self, path: str) -> str:
        """A page as git names it."""
        return (self.site.root / path).relative_to(self.repository.top).as_posix()

    def require_commit(self) -> None:
        """Syncs, and fails unless that made one commit of all counts, and left all else where it was."""
        before = snapshot(self.repository)
        report = self.site.sync()
        after = snapshot(self.repository)
        assert (report.exit, report.problems) == (0, ())
        assert after.head == report.commit != before.head
        assert self.repository.git("rev-parse", "HEAD^").strip() == before.head
        require_only_counts_differ(before, after, fields_of)
        for path, (new, staged, disk) in self._expected():
            name = self.named(path)
            assert after.commit[name].text == self.eol(new)
            assert [file.text for file in after.index[name]] == [self.eol(staged)]
            assert after.disk[name].text == disk
            assert after.status.get(name, "") == STATUS.get(path, "")
        self.is_sound()

    def _expected(self) -> Iterator[tuple[str, tuple[bytes, bytes, bytes]]]:
        """What each page is to be in the commit, in the index and on disk."""
        for path, video in zip(PAGES, VIDEOS, strict=True):
            new = crlf(video, *counts(self.youtube, video))
            staged = body(new) if path in {STAGED, BOTH} else new
            yield path, (new, staged, title(staged) if path in {UNSTAGED, BOTH} else staged)
        above, below = ((video, *counts(self.youtube, video)) for video in (ABOVE, BELOW))
        yield LIST, (listed(below), listed((ABOVE, 1, 2), below), listed(above, below))

    def is_left_alone(self) -> str:
        """Syncs, and fails if that touched anything of git's, or the counts are not on disk; what the sync says."""
        before = snapshot(self.repository)
        report = self.site.sync()
        after = snapshot(self.repository)
        assert replace(after, disk=before.disk, status=before.status) == before
        for path, video in zip(PAGES, VIDEOS, strict=True):
            assert b'viewcount: "%d"' % counts(self.youtube, video)[0] in after.disk[self.named(path)].text
        self.is_sound()
        (problem,) = report.problems
        assert (problem.kind, problem.subject, report.commit) == (ProblemKind.NOT_COMMITTED, "git", None)
        return problem.message

    def is_sound(self) -> None:
        """Fails where git finds anything wrong, or something of ours lies about."""
        assert self.repository.git("fsck", "--strict", "--no-dangling") == ""
        assert left_over(self.repository) == []


def authored(site: Site, youtube: Simulator, *words: str, settings: Mapping[str, str] | None = None) -> Author:
    """Puts four pages in a repository; `words` are for `git init`."""
    site.configure(git="commit: true")
    for path, video in zip(PAGES, VIDEOS, strict=True):
        site.put(path, crlf(video, 1, 2))
    site.put(LIST, listed((BELOW, 1, 2)))
    site.put(NOTES, b"one\ntwo\nthree\n")
    site.put(".gitignore", b".syncer/\n")
    return Author(site, in_git(site, *words, settings=settings), youtube)


def fields_of(path: str) -> Fields:
    return LISTED if "/lists/" in path else SINGLE
