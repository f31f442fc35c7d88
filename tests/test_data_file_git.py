"""A site's data file is in syncer's commits from its first version, and the author's work stays out of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from syncer.commit.message import CommitContents, Wording, fits, line_of
from syncer.config.parse import parse_config
from syncer.model import Change, Count, VideoId, Why
from syncer.review.look import scope_of, waiting_since
from syncer.simulator.server import Simulator
from syncer.sync.options import Options
from tests.remotes import SharedSite
from tests.repository import Repository, in_git
from tests.site import NOON, Run, Site, crlf
from tests.test_data_file import FILE, MARK, VIDEOS, shown, to_file


@pytest.fixture
def full(site: Site) -> Site:
    site.configure(write=to_file(), git="commit: true")
    for number, video in enumerate(VIDEOS):
        site.put(f"content/{number}.md", crlf(video, 7, 7))
    return site


def age(site: Site) -> None:
    """Give the file older counts, as if YouTube's had grown since."""
    file = site.root / FILE
    file.write_text(file.read_text().replace("viewcount: ", "viewcount: 1"))


def test_the_first_version_is_committed_and_so_is_each_later_one(full: Site, youtube: Simulator) -> None:
    repository = in_git(full)
    assert full.sync(NOON).commit == repository.head()
    assert repository.show(FILE).decode() == shown(youtube, *VIDEOS)
    assert repository.status() == []
    message = repository.git("show", "--format=%B", "--name-only", "HEAD")
    assert message.startswith("Update YouTube counts: 1 page\n")
    assert f"- {FILE}: {{{VIDEOS[0]}}}.viewcount none -> " in message
    assert message.endswith(f"\n{FILE}\n")

    age(full)
    repository.commit_all()
    assert full.sync(NOON).commit == repository.head()
    assert repository.show(FILE).decode() == shown(youtube, *VIDEOS)
    assert repository.git("show", "--numstat", "--format=").split() == ["3", "3", FILE]
    assert repository.status() == []


def test_removed_entries_go_with_the_next_commit_of_counts(full: Site, youtube: Simulator) -> None:
    repository = in_git(full)
    full.sync(NOON)
    (full.root / "content/1.md").unlink()
    repository.commit_all()
    assert full.sync(NOON).commit is None
    assert repository.status() == [f" M {FILE}"]

    full.put("content/3.md", crlf("dQw4w9WgXcQ", 7, 7))
    assert full.sync(NOON).commit
    assert repository.show(FILE).decode() == shown(youtube, VIDEOS[0], VIDEOS[2], "dQw4w9WgXcQ")


def test_staged_and_unstaged_work_stays_out(full: Site, youtube: Simulator) -> None:
    repository = in_git(full)
    full.put("mine.txt", b"staged\n")
    repository.git("add", "mine.txt")
    full.put("other.txt", b"untracked\n")
    full.put("content/0.md", crlf(VIDEOS[0], 8, 8))

    assert full.sync(NOON).exit == 0
    assert repository.git("show", "--name-only", "--format=").split() == [FILE]
    assert repository.status() == [" M content/0.md", "A  mine.txt", "?? other.txt"]


def test_a_file_that_the_author_has_staged_gets_the_committed_text_there_too(full: Site, youtube: Simulator) -> None:
    repository = in_git(full)
    full.put(FILE, MARK.encode())
    repository.git("add", FILE)

    assert full.sync(NOON).exit == 0
    assert repository.show(FILE).decode() == shown(youtube, *VIDEOS)
    assert repository.status() == []


def test_a_file_that_git_ignores_is_a_problem_and_not_committed(full: Site, syncer: Run) -> None:
    full.put(".gitignore", b"/_data/\n")
    repository = in_git(full)
    head = repository.head()

    report = full.sync(NOON)
    assert (report.exit, [problem.message for problem in report.problems]) == (
        1,
        [f"{FILE} is ignored by git, so its counts are not committed; remove the pattern from .gitignore"],
    )
    assert repository.head() == head
    assert f"{FILE} is ignored by git" in " ".join(syncer("check", "--offline").out.split())


def test_a_file_staged_for_removal_is_a_problem_until_that_is_committed_and_then_it_is_committed_again(
    full: Site, youtube: Simulator, syncer: Run
) -> None:
    repository = in_git(full)
    full.sync(NOON)
    repository.git("rm", "--quiet", "--cached", FILE)
    age(full)
    head = repository.head()

    report = full.sync(NOON)
    sentence = f"{FILE} is staged for removal or has a conflict in git, so its counts are not committed; "
    assert (report.exit, [problem.message for problem in report.problems]) == (
        1,
        [f"{sentence}commit the removal or run `git reset {FILE}`, and the next sync commits the file"],
    )
    assert repository.head() == head
    assert repository.status() == [f"D  {FILE}", f"?? {FILE.split('/')[0]}/"]
    assert sentence.rstrip("; ") in " ".join(syncer("check", "--offline").out.split())

    repository.git("commit", "--quiet", "--message", "Remove it")
    assert full.sync(NOON).exit == 0
    assert repository.show(FILE).decode() == shown(youtube, *VIDEOS)
    assert repository.status() == []


def test_another_file_of_that_name_in_the_last_commit_is_left_to_the_author(full: Site) -> None:
    file = full.put(FILE, b"mine: 1\n")
    repository = in_git(full)
    file.unlink()

    report = full.sync(NOON)
    assert len(report.problems) == 1
    assert report.problems[0].message.startswith(f"{FILE} is another file in the last commit, so its counts are not")
    assert repository.show(FILE) == b"mine: 1\n"


def test_a_review_shows_keeps_and_drops_the_counts(full: Site, youtube: Simulator, syncer: Run) -> None:
    full.configure(write=to_file())
    repository = in_git(full)
    full.sync(NOON)
    (page,) = syncer("review", "--json").document["pages"]
    assert (page["path"], len(page["counts"])) == (FILE, 6)
    assert syncer("review", "--keep", FILE).code == 0
    assert repository.show(FILE).decode() == shown(youtube, *VIDEOS)
    assert syncer("review", "--json").document["pages"] == []

    age(full)
    aged = (full.root / FILE).read_text()
    repository.commit_all()
    full.sync(NOON)
    assert (full.root / FILE).read_text() == shown(youtube, *VIDEOS)
    assert syncer("review", "--drop", FILE).code == 0
    assert (full.root / FILE).read_text() == aged
    assert full.sync(NOON).changed_counts == 0


def test_a_push_merges_what_others_pushed(full: Site, youtube: Simulator, tmp_path: Path) -> None:
    full.configure(write=to_file(), git="commit: true, push: true")
    shared = SharedSite.of(full, youtube, tmp_path)
    (shared.other.top / "theirs.txt").write_text("theirs\n")
    shared.other.commit_all("Theirs")
    shared.other.git("push", "--quiet", "origin", "main")

    report = shared.sync()
    assert (report.exit, report.commit) == (0, shared.ours.head())
    shared.other.git("pull", "--quiet")
    assert (shared.other.top / FILE).read_text() == (full.root / FILE).read_text()
    assert shared.ours.status() == []


def test_a_first_version_whose_push_failed_is_pushed_by_the_next_sync(
    full: Site, youtube: Simulator, tmp_path: Path
) -> None:
    full.configure(write=to_file(), git="commit: true, push: true")
    full.put("content/again.md", crlf(VIDEOS[0], 7, 7))
    shared = SharedSite.of(full, youtube, tmp_path)
    with shared.without_remote():
        assert [problem.kind for problem in shared.sync().problems] == ["not-pushed"]

    (full.root / "content/again.md").unlink()
    assert shared.sync().exit == 0
    assert shared.ours.git("log", "-1", "--format=%(trailers:key=Syncer-Pages,valueonly)").strip() == "4", "as made"
    assert shared.remote.show(FILE, "main") == (full.root / FILE).read_bytes()
    (full.root / "content/1.md").unlink()
    shared.ours.commit_all()
    shared.ours.git("push", "--quiet", "origin", "main")
    shared.grow()
    with shared.without_remote():
        assert [problem.kind for problem in shared.sync().problems] == ["not-pushed"]
    assert shared.sync().exit == 0
    assert shared.remote.show(FILE, "main") == (full.root / FILE).read_bytes()


def test_a_narrowed_sync_commits_its_videos(full: Site, youtube: Simulator) -> None:
    repository: Repository = in_git(full)
    assert full.sync(NOON, Options(paths=("content/1.md",))).exit == 0
    assert repository.show(FILE).decode() == shown(youtube, VIDEOS[1])


def test_counts_that_wait_in_pages_are_committed_after_a_change_to_a_data_file(full: Site, youtube: Simulator) -> None:
    full.configure()
    repository = in_git(full)
    assert full.sync(NOON).changed_pages == 3
    full.configure(write=to_file(), git="commit: true")
    full.put("content/again.md", crlf(VIDEOS[0], 7, 7))
    repository.git("add", "config", "content/again.md")
    repository.git("commit", "--quiet", "--message", "Change to a data file")

    assert full.sync(NOON).exit == 0
    assert sorted(repository.git("show", "--name-only", "--format=").split()) == [
        FILE,
        *(f"content/{number}.md" for number in range(3)),
    ]
    assert repository.show(FILE).decode() == shown(youtube, *VIDEOS)
    assert repository.status() == []
    assert repository.git("log", "-1", "--format=%(trailers:key=Syncer-Pages,valueonly)").strip() == "4", "each once"


@pytest.mark.parametrize(("pages", "is_ours"), [(0, False), (2, False), (3, True), (9, True)])
def test_a_commit_that_names_fewer_pages_than_it_changes_is_not_ours(pages: int, is_ours: bool) -> None:
    contents = CommitContents()
    changes = [
        Change(path, VideoId(VIDEOS[0]), field, Count.VIEWS, "1", "2", NOON, Why.CHANGED)
        for path, field in [
            *((f"content/{number}.md", "viewcount") for number in range(3)),
            (FILE, f"{{{VIDEOS[0]}}}.viewcount"),
        ]
    ]
    for change in changes:
        contents.add([change], own_file=change.path == FILE)
    message = Wording(None, "20261122T200000Z-0000", pages_of=lambda _videos, _pages: pages).message(contents)
    assert f"\nSyncer-Pages: {pages}\n" in message
    assert fits(message, contents, set(map(line_of, changes))) is is_ours


def moved_by_git(site: Site, old: str, new: str) -> None:
    Repository(site.root).git("mv", old, new)


def moved(site: Site, old: str, new: str) -> None:
    (site.root / old).rename(site.root / new)


@pytest.mark.parametrize("move", [moved_by_git, moved])
@pytest.mark.parametrize("new", ["_data/b.yml", "_data/b.json"])
@pytest.mark.parametrize("grown", [True, False], ids=["counts grow", "counts stay"])
def test_the_counts_of_a_renamed_file_are_still_syncers(
    full: Site, youtube: Simulator, syncer: Run, move: Callable[[Site, str, str], None], new: str, grown: bool
) -> None:
    repository = in_git(full)
    full.sync(NOON)
    full.configure(write=to_file(new), git="commit: true")
    repository.commit_all()
    move(full, FILE, new)

    assert syncer("review").code == 0
    review = syncer("review", "--json").document
    assert {count["ours"] for page in review["pages"] for count in page["counts"]} == {True}

    if grown:
        youtube.clock.advance(timedelta(days=900))
    report = full.sync(NOON + timedelta(hours=1))
    assert (report.problems, report.commit) == ((), repository.head())
    file = (full.root / new).read_bytes()
    assert repository.show(new) == file
    assert all(video.encode() in file for video in VIDEOS)
    assert [line["why"] for line in full.log_lines()[6:]] == ["changed"] * 6 * grown
    assert syncer("review", "--json").document["pages"] == []


def test_what_an_author_changed_in_a_renamed_file_is_not_committed(full: Site) -> None:
    repository = in_git(full)
    full.sync(NOON)
    full.configure(write=to_file("_data/b.yml"), git="commit: true")
    repository.commit_all()
    moved(full, FILE, "_data/b.yml")
    file = full.root / "_data/b.yml"
    file.write_text(file.read_text().replace("viewcount: ", "viewcount: 1"))
    config = parse_config(full.config.read_text(), full.config)
    waiting = list(waiting_since(scope_of(config, ()), repository.head()))
    ours = {
        difference.field.rpartition(".")[2]: write is not None
        for each in waiting
        for _, difference, write in each.counts
    }
    assert ours == {"viewcount": False, "likeCount": True}


def test_a_review_without_the_file_says_that_the_next_sync_writes_it(full: Site, syncer: Run) -> None:
    repository = in_git(full)
    full.sync(NOON)
    repository.git("rm", "--quiet", FILE)
    repository.git("commit", "--quiet", "--message", "Remove it")
    sentence = f"{FILE}, the data file of `write.file`, is missing; the next sync writes it."
    assert sentence in " ".join(syncer("review").out.split())
    full.put("_data/other.yml", b"")
    ran = syncer("review", "--drop", "_data")
    assert (ran.code, " ".join(ran.err.split())) == (2, f"syncer: {sentence}")
