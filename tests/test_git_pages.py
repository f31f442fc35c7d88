"""A table of pages as their authors leave them, and what one sync's commit makes of each: in HEAD, index and on disk.

All of them are in one repository, and one sync is made. A page has old counts before it, and YouTube's after it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import pytest

from syncer.model import Fields
from syncer.simulator.server import Simulator
from syncer.simulator.world import VideoState
from syncer.status.report import SyncReport
from tests.remotes import left_over
from tests.repository import Repository, in_git
from tests.site import COLLECTIONS, FORMS, Form, Site, bom, crlf, hugo_json, ids, plain, toml, world_with
from tests.snapshot import LISTED, SINGLE, Snapshot, require_only_counts_differ, snapshot

OLD = 1, 2
LATER = "content/later"


class Layers(NamedTuple):
    """A page in the last commit, in the index and on disk; None where it is not there."""

    head: bytes | None
    staged: bytes | None
    disk: bytes | None


@dataclass(frozen=True)
class Row:
    """What an author has done to a page, and what is to come of it."""

    status: str
    """What `git status` says of it afterwards."""
    head: Form | None = crlf
    staged: Form | None = None
    """What the author has staged; None: nothing. On disk is the same, if nothing else is said."""
    disk: Form | None = None
    """What stands on disk; None: what is staged, or committed."""
    act: Callable[[Repository, str], object] = lambda _repository, _path: None
    """What is done after all that."""
    after: tuple[Form | None, Form | None, Form | None] | None = None
    """The three of them afterwards, where they do not only have new counts."""
    waits: bool = False
    """True: commit and index keep the old counts."""
    hidden: bool = False
    """True: YouTube does not say the likes."""
    path: str = ""
    """Where it is, if that matters."""
    clean: Callable[[bytes], bytes] = lambda text: text
    """What git makes of the text on disk when it is added."""

    def before(self, video: str) -> Layers:
        """As written to disk one after the other: what is committed, what is staged, what is left there."""
        return Layers(*(text and text(video, *OLD) for text in (self.head, self.staged, self.disk)))

    def expected(self, video: str, now: tuple[int, int]) -> Layers:
        staged = self.staged or self.head
        after = self.after or (self.head, staged, self.disk or staged)
        stored = OLD if self.waits else now
        head, staged_text = (text and self.clean(text(video, *stored)) for text in after[:2])
        return Layers(head, staged_text, after[2] and after[2](video, *now))


def body(text: Form) -> Form:
    """The page with another paragraph."""
    return lambda *now: text(*now) + b"\nOne more paragraph.\n"


def title(text: Form) -> Form:
    """The page with another value in the front matter, on a line above the counts."""
    return lambda *now: text(*now).replace(b'"PT5M23S"', b'"PT6M00S"')


def line(text: Form) -> Form:
    """The page with a new line in the front matter, above the counts."""
    return lambda *now: text(*now).replace(b"tags:", b'subtitle: "new"\r\ntags:')


def other_count(text: Form) -> Form:
    """The page with a number that syncer does not know, on the line below the counts."""
    return lambda *now: text(*now).replace(b'dislikeCount: ""', b'dislikeCount: "3"')


def less(text: Form) -> Form:
    """The page without a line above the counts."""
    return lambda *now: text(*now).replace(b'duration: "PT5M23S"\r\n', b"")


def likes(text: Form, own: int | str) -> Form:
    """The page with likes that the author wrote."""
    return lambda video, views, _likes: text(video, views, own)


def views(text: Form, own: int | str) -> Form:
    return lambda video, _views, likes: text(video, own, likes)


def of_another(text: Form) -> Form:
    """The page, of another video that has no counts at YouTube."""
    return lambda _video, _views, _likes: text(LOST, *OLD)


def without_slot(_video: str, _views: int | str, _likes: int | str) -> bytes:
    return b"---\r\ntitle: About\r\n---\r\nNo video yet.\r\n"


def without_likes(video: str, views: int | str, _likes: int | str) -> bytes:
    return f"---\nvid_id: {video}\nviewcount: {views}\n---\nText\n".encode()


def with_likes(video: str, views: int | str, likes: int | str) -> bytes:
    """As `insert_missing` writes it."""
    return f"---\nvid_id: {video}\nlikeCount: {likes}\nviewcount: {views}\n---\nText\n".encode()


def empty(text: Form) -> Form:
    """The page, with counts only once there are some."""
    return lambda video, *now: text(video, *(("", "") if now == OLD else now))


def items(*order: str) -> Form:
    """A list of videos by their names: `this` has counts, others have 7 and 8 that YouTube does not touch."""

    def text(video: str, views: int | str, likes: int | str) -> bytes:
        known = {"this": (video, views, likes), "gone": (GONE, 7, 8), "lost": (LOST, 7, 8)}
        listed = (known[name] for name in order)
        lines = "".join(f"- id: {one}\n  viewcount: {v}\n  likeCount: {n}\n" for one, v, n in listed)
        return f"---\nvideos:\n{lines}---\nA list\n".encode()

    return text


def stage_mode(repository: Repository, path: str) -> None:
    """Stages that the file may be executed, as it may not on disk."""
    name = repository.git("rev-parse", f":{path}").strip()
    repository.git("update-index", "--cacheinfo", f"100755,{name},{path}")


def put_in_conflict(repository: Repository, path: str) -> None:
    """Leaves a page as `git stash pop` leaves it that could not: in conflict, with no merge going on."""
    name = repository.git("rev-parse", f":{path}").strip()
    stages = "".join(f"100644 {name} {stage}\t{path}\n" for stage in (1, 2, 3))
    repository.git("update-index", "--index-info", fed=f"0 {'0' * 40}\t{path}\n{stages}".encode())


def to_lf(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n")


def deflated(text: bytes) -> bytes:
    """What the filter of this repository stores."""
    return text.replace(b"end{%", b"END{%")


GONE, LOST = ids(2, seed=90)
"""Videos that are deleted at YouTube."""

LIST = "content/lists/"

EDITS = (body, title, line, other_count, less)

ROWS: dict[str, Row] = {
    **{f"nothing in {form.__name__}": Row("", form) for form in FORMS},
    **{f"{edit.__name__} unstaged": Row(" M", disk=edit(crlf)) for edit in EDITS},
    **{f"{edit.__name__} staged": Row("M ", staged=edit(crlf)) for edit in EDITS},
    **{f"{one.__name__} staged, {two.__name__} not": Row("MM", staged=one(crlf), disk=two(one(crlf)))
       for one, two in ((body, title), (title, body), (line, less), (less, line), (other_count, body))},
    **{f"body of {form.__name__} unstaged": Row(" M", form, disk=body(form)) for form in (plain, toml, hugo_json, bom)},
    **{f"body of {form.__name__} staged": Row("M ", form, staged=body(form)) for form in (plain, toml, hugo_json, bom)},
    "staged and taken back on disk": Row("MM", staged=body(crlf), disk=crlf),
    "own count on disk": Row(" M", disk=likes(crlf, 99), hidden=True),
    "own count on disk, staged work": Row("MM", staged=body(crlf), disk=likes(body(crlf), 99), hidden=True),
    "own count staged": Row("M ", staged=likes(crlf, 99), hidden=True),
    "own count staged, overwritten on disk": Row("MM", staged=views(crlf, 55), after=(crlf, views(crlf, 55), crlf)),
    "own count emptied": Row("MM", staged=views(crlf, ""), after=(crlf, views(crlf, ""), crlf)),
    "untracked": Row("??", None, disk=crlf, after=(None, None, crlf)),
    "ignored": Row("", None, disk=crlf, after=(None, None, crlf), path="content/ignored/page.md"),
    "only staged": Row("AM", None, staged=crlf, after=(None, crlf, crlf), waits=True),
    "intent to add": Row(" A", None, disk=crlf, after=(None, lambda *_: b"", crlf),
                         act=lambda git, path: git.git("add", "--intent-to-add", path)),
    "staged deletion, still on disk": Row("D ,??", after=(crlf, None, crlf), waits=True,
                                          act=lambda git, path: git.git("rm", "--quiet", "--cached", path)),
    "staged deletion": Row("D ", after=(crlf, None, None), waits=True,
                           act=lambda git, path: git.git("rm", "--quiet", path)),
    "deletion on disk": Row(" D", after=(crlf, crlf, None), waits=True,
                            act=lambda git, path: (git.top / path).unlink()),
    "moved": Row("D ", after=(crlf, None, None), waits=True,
                 act=lambda git, path: git.git("mv", path, f"{LATER}-moved.md")),
    "moved on disk": Row(" D", after=(crlf, crlf, None), waits=True,
                         act=lambda git, path: (git.top / path).rename(git.top / f"{LATER}-moved-on-disk.md")),
    "mode staged": Row("MM", act=stage_mode),
    "mode on disk": Row(" M", act=lambda git, path: (git.top / path).chmod(0o755)),
    "mode staged, body on disk": Row("MM", disk=body(crlf), act=stage_mode),
    "committed without a video": Row(" M", without_slot, disk=crlf, waits=True),
    "committed with another video": Row(" M", of_another(crlf), disk=crlf, waits=True),
    "staged with another video": Row("M ", staged=of_another(crlf), waits=True),
    "item above, unstaged": Row(" M", items("gone", "this"), disk=items("lost", "gone", "this"), path=f"{LIST}1.md"),
    "item above, staged": Row("M ", items("gone", "this"), staged=items("lost", "gone", "this"), path=f"{LIST}2.md"),
    "item above, another staged": Row("MM", items("this"), staged=items("gone", "this"),
                                      disk=items("lost", "gone", "this"), path=f"{LIST}3.md"),
    "item gone from above": Row("MM", items("gone", "lost", "this"), staged=items("lost", "this"), disk=items("this"),
                                path=f"{LIST}below.md"),
    "items swapped": Row("MM", items("gone", "this"), staged=items("this", "gone"), disk=items("gone", "this"),
                         path=f"{LIST}swapped.md"),
    "item twice": Row("", items("this", "gone", "this"), path=f"{LIST}twice.md"),
    "item twice, moved": Row("MM", items("this", "gone", "this"), staged=items("lost", "this", "this"),
                             disk=items("this", "lost", "this"), path=f"{LIST}twice 2.md"),
    "one item more of the same": Row(" M", items("gone", "this"), disk=items("this", "this"),
                                     path=f"{LIST}twice 3.md"),
    "key inserted": Row("", without_likes, after=(with_likes,) * 3, path="content/insert/a.md"),
    "key inserted, body unstaged": Row(" M", without_likes, disk=body(without_likes),
                                       after=(with_likes, with_likes, body(with_likes)), path="content/insert/b.md"),
    "key inserted, body staged": Row("M ", without_likes, staged=body(without_likes), path="content/insert/c.md",
                                     after=(with_likes, body(with_likes), body(with_likes))),
    "key inserted, staged by the author": Row("MM", without_likes, staged=likes(with_likes, 5),
                                              after=(with_likes, likes(with_likes, 5), with_likes),
                                              path="content/insert/d.md"),
    "no counts": Row("", empty(crlf)),
    "no counts, body staged": Row("M ", empty(crlf), staged=body(empty(crlf))),
    "assumed unchanged": Row("", waits=True,
                             act=lambda git, path: git.git("update-index", "--assume-unchanged", path)),
    "not of this working tree": Row("", waits=True,
                                    act=lambda git, path: git.git("update-index", "--skip-worktree", path)),
    "in conflict": Row("UU", waits=True, act=put_in_conflict),
    **{f"named {name}": Row("M ", staged=body(crlf), path=f"content/{name}.md") for name in (
        "two words", 'with "quotes"', "it's", "back\\slash", "a\nnewline", "a\ttab", "Ünïcödé ✓", "-rf", ":(glob)*",
        "$(touch made)", "[a-z]*", " blank ", "#", "...")},
    "with attributes: eol=crlf": Row("", clean=to_lf, path="content/eol/crlf.md"),
    "with attributes: eol=crlf, staged": Row("M ", staged=body(crlf), clean=to_lf, path="content/eol/staged.md"),
    "with attributes: eol=crlf, both": Row("MM", staged=body(crlf), disk=title(body(crlf)), clean=to_lf,
                                           path="content/eol/both.md"),
    "with attributes: eol=crlf, item above": Row("MM", items("this"), staged=items("gone", "this"), clean=to_lf,
                                                 disk=items("lost", "gone", "this"), path="content/lists/eol/above.md"),
    "with attributes: -text": Row(" M", disk=body(crlf), path="content/eol/binary.md"),
    "with a filter": Row("", clean=deflated, path="content/filtered/a.md"),
    "with a filter, staged": Row("MM", staged=body(crlf), disk=title(body(crlf)), clean=deflated,
                                 path="content/filtered/b.md"),
}  # fmt: skip

ATTRIBUTES = """\
content/eol/** text eol=crlf
content/lists/eol/** text eol=crlf
content/eol/binary.md -text
content/filtered/** filter=shout
"""

FILTER = {"filter.shout.clean": "sed 's/end{%/END{%/'", "filter.shout.smudge": "sed 's/END{%/end{%/'"}

INSERTING = """\
  - directory: content/insert
    fields:
      video_id: vid_id
      counts: {viewCount: viewcount, likeCount: likeCount}
      insert_missing: true
"""


@dataclass
class Made:
    """The site before and after the sync."""

    repository: Repository
    report: SyncReport
    before: Snapshot
    after: Snapshot
    expected: Mapping[str, Layers]
    paths: Mapping[str, str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """Makes the site, has its author do all that is in the table, and makes one sync."""
    videos = dict(zip(ROWS, ids(len(ROWS), seed=91), strict=True))
    states = {videos[name]: VideoState.LIKES_HIDDEN for name, row in ROWS.items() if row.hidden}
    paths = {name: row.path or f"content/{number}.md" for number, (name, row) in enumerate(ROWS.items())}
    with Simulator(world_with({**states, GONE: VideoState.DELETED, LOST: VideoState.DELETED})) as youtube:
        site = Site(tmp_path_factory.mktemp("pages") / "site", youtube.url)
        site.configure(
            collections=COLLECTIONS.replace('["/lists/"]', '["/lists/", "/insert/"]') + INSERTING, git="commit: true"
        )
        repository = _authored(site, paths, videos)
        before = snapshot(repository)
        report = site.sync()
        expected = {name: row.expected(videos[name], _now(youtube, videos[name])) for name, row in ROWS.items()}
        yield Made(repository, report, before, snapshot(repository), expected, paths)


def _now(youtube: Simulator, video: str) -> tuple[int, int]:
    given = youtube.world.statistics(video, youtube.clock.now()) or {}
    return given["viewCount"], given.get("likeCount", OLD[1])


def _authored(site: Site, paths: Mapping[str, str], videos: Mapping[str, str]) -> Repository:
    layers = {paths[name]: row.before(videos[name]) for name, row in ROWS.items()}
    site.put(".gitattributes", ATTRIBUTES.encode())
    site.put(".gitignore", b"ignored/\n")
    for path, (committed, _, _) in layers.items():
        if committed is not None:
            site.put(path, committed)
    repository = in_git(site, settings=FILTER)
    for path, (_, staged, disk) in layers.items():
        if staged is not None:
            site.put(path, staged)
            repository.git("--literal-pathspecs", "add", "--", path)
        if disk is not None:
            site.put(path, disk)
    for name, path in paths.items():
        ROWS[name].act(repository, path)
    return repository


@pytest.mark.parametrize("name", ROWS)
def test_commit_index_and_page_have_the_counts_and_the_authors_work_stays_where_it_was(made: Made, name: str) -> None:
    path, after = made.paths[name], made.after
    staged = next(iter(after.index.get(path, ())), None)
    seen = Layers(*(file and file.text for file in (after.commit.get(path), staged, after.disk.get(path))))
    assert seen == made.expected[name]
    assert after.status.get(path, "") == ROWS[name].status


def test_nothing_differs_from_before_but_counts(made: Made) -> None:
    said = [problem.message for problem in made.report.problems]
    assert [re.findall(r"--no-[a-z-]+", one) for one in said] == [["--no-assume-unchanged"], ["--no-skip-worktree"]]
    require_only_counts_differ(made.before, made.after, fields_of)


def fields_of(path: str) -> Fields:
    if path.startswith(LIST):
        return LISTED
    return replace(SINGLE, insert_missing=path.startswith("content/insert/"), details={})


def test_the_commit_is_one_and_the_repository_sound(made: Made) -> None:
    assert made.report.commit == made.after.head
    assert made.repository.git("rev-parse", "HEAD^").strip() == made.before.head
    assert made.repository.git("fsck", "--strict", "--no-dangling") == ""
    assert left_over(made.repository) == []
