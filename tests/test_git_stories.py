"""Random work of an author around random syncs: what is the author's stays the author's, our commits hold counts."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncer.front_matter.find import find
from syncer.front_matter.rewrite import rewrite
from syncer.model import Change, Count, Detail, ValueKind, Why
from syncer.simulator.server import Simulator
from syncer.simulator.world import VideoState
from syncer.sync.options import Options
from tests.authored import fields_of
from tests.remotes import left_over
from tests.repository import Repository, in_git
from tests.site import COLLECTIONS, DATED_COLLECTIONS, FORMS, NOON, Site, ids, pair, with_date, world_with
from tests.snapshot import Snapshot, counts_of, require_only_counts_differ, snapshot

pytestmark = pytest.mark.storm

STORIES = 400 if "SYNCER_PROVE" in os.environ else 8

POOL = ids(40, seed=81)

MAPPINGS = (
    DATED_COLLECTIONS,
    DATED_COLLECTIONS.replace(", likeCount: likeCount", ""),
    DATED_COLLECTIONS.replace("viewCount: viewcount, ", ""),
    COLLECTIONS,
)

OWN, OWN_DATE = 77, "2031-01-01"
"""A count and a date that only authors write."""


@dataclass
class Story:
    """A site, its author, and the time that goes by."""

    site: Site
    repository: Repository
    youtube: Simulator
    hours: int = 0
    files: int = 0
    """New ones so far."""

    def pages(self) -> list[str]:
        """The pages on disk."""
        content = self.site.root / "content"
        return sorted(path.relative_to(self.site.root).as_posix() for path in content.rglob("*.md"))

    def named(self, number: int) -> str:
        """One of the pages on disk."""
        pages = self.pages()
        return pages[number % len(pages)]

    def edit(self, path: str, how: Callable[[bytes], bytes]) -> None:
        """Edits a page as an editor does."""
        page = self.site.root / path
        page.write_bytes(how(page.read_bytes()))

    def tracked(self, number: int) -> str | None:
        """One of the pages that git knows and that are on disk."""
        known = self.repository.git("ls-files", "-z", "content").split("\0")
        there = sorted(set(known) & set(self.pages()))
        return there[number % len(there)] if there else None

    def new_name(self) -> str:
        self.files += 1
        return f"content/new {self.files}.md"


def edit_body(story: Story, number: int, what: int) -> None:
    story.edit(story.named(number), lambda page: page + b"\nMore: %d\n" % what)


def edit_front_matter(story: Story, number: int, what: int) -> None:
    def note(page: bytes) -> bytes:
        head, end, rest = page.partition(b"\n")
        line = {b"+": b"note%d = 1", b"{": b'"note%d": 1,'}.get(head[:1], b"note%d: 1") % (what + page.count(b"note"))
        return head + end + line + end + rest

    story.edit(story.named(number), note)


def write_own_value(story: Story, number: int, what: int) -> None:
    path = story.named(number)

    def own(page: bytes) -> bytes:
        slot = find(page, fields_of(path), path).slots[0]
        value = slot.values[what % len(slot.values)]
        text = OWN_DATE if isinstance(value.kind, Detail) else str(OWN)
        change = Change(path, slot.video_id, value.field, value.kind, value.text, text, NOON, Why.CHANGED)
        new = rewrite(page, fields_of(path), [change], path)
        assert isinstance(new, bytes)
        return new

    story.edit(path, own)


def move_items(story: Story, number: int, what: int) -> None:
    """In a list: one more above, one less, or the other way round."""
    lists = [path for path in story.pages() if "/lists/" in path]
    if lists:
        head, *items = re.split(rb"(?m)^(?=  - id|---$)", (story.site.root / lists[number % len(lists)]).read_bytes())[
            1:
        ]
        items, end = [item for item in items if item.startswith(b"  -")], items[-1]
        more = f'  - id: "{POOL[20 + what]}"\n    viewcount: 1\n    likeCount: 2\n'.encode()
        moved = [[more, *items], items[1:] or items, items[::-1], [*items, more]][what % 4]
        (story.site.root / lists[number % len(lists)]).write_bytes(b"".join((head, *moved, end)))


def name_another_video(story: Story, number: int, what: int) -> None:
    path = story.named(number)
    video = find((story.site.root / path).read_bytes(), fields_of(path), path).slots[0].video_id
    story.edit(path, lambda page: page.replace(video.encode(), POOL[30 + what].encode()))


def add_page(story: Story, number: int, what: int) -> None:
    story.site.put(story.new_name(), FORMS[number % len(FORMS)](POOL[10 + what], 1, 2))


def stage(story: Story, number: int, _what: int) -> None:
    story.repository.git("add", "--", story.named(number))


def stage_all(story: Story, _number: int, _what: int) -> None:
    story.repository.git("add", "--all")


def unstage(story: Story, number: int, _what: int) -> None:
    story.repository.git("reset", "--quiet", "--", story.named(number))


def commit(story: Story, _number: int, what: int) -> None:
    story.repository.git(
        "commit", "--quiet", "--allow-empty", "--message", "The author's", *(["--all"] if what % 2 else [])
    )


def move(story: Story, number: int, what: int) -> None:
    path = story.tracked(number)
    if path and what % 2:
        story.repository.git("mv", path, f"{path.removesuffix('.md')} moved.md")
    elif path:
        (story.site.root / path).rename(story.site.root / f"{path.removesuffix('.md')} moved.md")


def delete(story: Story, number: int, what: int) -> None:
    path = story.tracked(number)
    if path and len(story.pages()) > FEWEST:
        how = what % 3
        if how == 0:
            (story.site.root / path).unlink()
        else:
            story.repository.git("rm", "--quiet", "--force", *(["--cached"] if how == 1 else []), "--", path)


def put_back(story: Story, number: int, _what: int) -> None:
    path = story.tracked(number)
    if path:
        story.repository.git("checkout", "--quiet", "--", path)


def change_mode(story: Story, number: int, what: int) -> None:
    (story.site.root / story.named(number)).chmod(0o755 if what % 2 else 0o644)


def branch(story: Story, _number: int, _what: int) -> None:
    story.files += 1
    story.repository.git("checkout", "--quiet", "-b", f"branch-{story.files}")


def revert(story: Story, _number: int, _what: int) -> None:
    """Takes the newest commit back, as long as that goes smoothly."""
    if story.repository.git("rev-list", "--count", "HEAD") != "1\n":
        story.repository.git("revert", "--no-edit", "HEAD", check=False)
        story.repository.git("revert", "--abort", check=False)


def map_other_values(story: Story, _number: int, what: int) -> None:
    """Maps fewer counts, or all again, after a sync that did not commit: what it wrote is still syncer's own."""
    story.hours += 1
    story.youtube.clock.advance(timedelta(days=20))
    story.site.configure(collections=DATED_COLLECTIONS)
    story.site.sync(NOON + timedelta(hours=story.hours))
    story.site.configure(git="commit: true", collections=MAPPINGS[what % len(MAPPINGS)])


def sync(story: Story, number: int, what: int) -> None:
    """Makes a sync, at times of a single page, and looks at what became of everything."""
    story.hours += 1
    if what % 3:
        story.youtube.clock.advance(timedelta(days=20))
    options = Options(paths=(story.named(number),)) if what == 0 else None
    before = snapshot(story.repository)
    report = story.site.sync(NOON + timedelta(hours=story.hours), options)
    after = snapshot(story.repository)
    assert (report.exit, report.problems) == (0, ())
    assert after.head == (report.commit or before.head)
    require_only_counts_differ(before, after, fields_of)
    if report.commit:
        assert story.repository.git("rev-list", "--parents", "-1", "HEAD").split() == [report.commit, before.head]
        subject = story.repository.git("log", "-1", "--format=%s").strip()
        assert len(subject) <= 72
        assert (
            story.repository.git("log", "-1", "--format=%(trailers:key=Syncer-Sync,valueonly)").strip() == report.sync
        )
    _require_the_counts_of_ours_and_no_others(story, before, after, options.paths if options else ())


def _require_the_counts_of_ours_and_no_others(
    story: Story, before: Snapshot, after: Snapshot, only: Collection[str]
) -> None:
    """A count is committed if it stands on disk, syncer wrote it last, and the commit before has the video as often."""
    newest = {
        (line["path"], re.sub(r"\d+", "", line["field"]), line["video_id"]): line["new"]
        for line in story.site.log_lines()
    }
    for path, file in before.commit.items():
        old, new = (counts_of(path, layer, fields_of) for layer in (file, after.commit[path]))
        disk = counts_of(path, after.disk[path], fields_of) if path in after.disk else {}
        waits = path not in before.index or (only and path not in only)
        for entry in before.index.get(path, ()):
            for place, text in counts_of(path, entry, fields_of).items():
                if text in {str(OWN), OWN_DATE} - {old.get(place)}:  # staged, and not committed
                    assert text in {counts_of(path, now, fields_of)[place] for now in after.index[path]}, (path, place)
        for (video, number, count), text in old.items():
            here = disk.get((video, number, count))
            field = f"videos[].{KEYS[count]}" if "/lists/" in path else KEYS[count]
            as_often = len([1 for one in old if one[0] == video]) == len([1 for one in disk if one[0] == video])
            ours = here is not None and newest.get((path, field, video)) == here
            assert new[video, number, count] == (here if ours and as_often and not waits else text), (
                path,
                video,
                count,
            )


WORK = (
    edit_body, edit_front_matter, write_own_value, move_items, name_another_video, add_page, stage, stage_all, unstage,
    commit, move, delete, put_back, change_mode, branch, revert, map_other_values,
)  # fmt: skip

KEYS: Mapping[ValueKind, str] = {Count.VIEWS: "viewcount", Count.LIKES: "likeCount", Detail.CHECKED_AT: "viewsUpdated"}

FEWEST = 4
"""Pages that are never deleted: a site without any is another story."""


@pytest.fixture(scope="module")
def begun() -> Iterator[Story]:
    """A site of a few pages in git, to begin each story with a copy of it."""
    hidden = dict.fromkeys(POOL[::2], VideoState.LIKES_HIDDEN)
    with Simulator(world_with(hidden)) as youtube, TemporaryDirectory(prefix="syncer-story-") as room:
        site = Site(Path(room, "site"), youtube.url)
        site.configure(git="commit: true", collections=DATED_COLLECTIONS)
        for number, form in enumerate(FORMS):
            page = form(POOL[number], 1, 2)
            site.put(f"content/{number}.md", page if number % 2 else with_date(page, '"2026-01-02"'))
        site.put("content/lists/two.md", pair((POOL[5], 1, 2), (POOL[6], 3, 4)))
        site.put("content/lists/same.md", pair((POOL[7], 1, 2), (POOL[7], 3, 4)))
        site.put(".gitignore", b".syncer/\n")
        yield Story(site, in_git(site), youtube)


small = st.integers(0, 9)
steps = st.tuples(st.sampled_from((*WORK, write_own_value, stage, *[sync] * 6)), small, small)


@given(story=st.lists(steps, min_size=3, max_size=14))
@settings(
    max_examples=STORIES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_whatever_an_author_does_a_sync_changes_counts_and_nothing_else(
    begun: Story, story: list[tuple[Callable[[Story, int, int], None], int, int]]
) -> None:
    with TemporaryDirectory(prefix="syncer-story-") as room:
        root = Path(room, "site")
        shutil.copytree(begun.site.root, root, symlinks=True)
        told = replace(begun, site=Site(root, begun.site.url), repository=Repository(root))
        for act, number, what in (*story, (sync, 1, 1)):
            act(told, number, what)
        assert told.repository.git("fsck", "--strict", "--no-dangling") == ""
        assert left_over(told.repository) == []
