"""A commit is syncer's if it contains counts from the diff log and nothing else: all others are the author's."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from syncer.commit.message import form
from syncer.commit.ownership import MAX_MIXED_COMMITS
from syncer.model import ProblemKind
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from syncer.status.report import SyncReport
from syncer.sync.options import Options
from tests.examples import storms_but
from tests.remotes import SharedSite, left_over, push_all
from tests.site import NOON, Run, Site, counts, ids, pair, plain

VIDEOS = ids(4, seed=91)
PAGES = [f"content/{number}.md" for number in range(4)]
LIST = "content/lists/two.md"
WORDS = b"Words of the author's.\n"
GIT = "commit: true, push: true"


class Scene(SharedSite):
    """A site whose last sync could not push: its commit waits, and the author has his way with it."""

    def sync(self, options: Options | None = None) -> SyncReport:
        """Makes a sync at which counts have grown."""
        self.grow()
        return super().sync(options)

    def sync_without_remote(self) -> str:
        """Makes a sync while the remote is away; the commit that waits."""
        with self.without_remote():
            report = self.sync()
        assert report.commit == self.ours.head()
        return report.commit

    def write(self, path: str, more: bytes = WORDS) -> None:
        page = self.site.root / path
        page.write_bytes((page.read_bytes() if page.exists() else b"") + more)

    def amend(self, *words: str) -> None:
        self.ours.git("commit", "--quiet", "--all", "--amend", *(words or ("--no-edit",)))


PLACES = ("site", "remote.git", "other")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scene, datetime]]:
    """The scene and YouTube's time, once for all tests; a copy of its places lies beside them."""
    room = tmp_path_factory.mktemp("scene").resolve()
    with Simulator(World()) as youtube:
        site = Site(room / "site", youtube.url)
        site.configure(git=GIT)
        for page, video in zip(PAGES, VIDEOS, strict=True):
            site.put(page, plain(video, 1, 2))
        site.put(LIST, pair((VIDEOS[0], 1, 2), (VIDEOS[1], 3, 4)))
        site.put("notes.txt", b"a note\n")
        site.put(".gitignore", b".syncer/\n")
        scene = Scene.of(site, youtube, room)
        scene.sync_without_remote()
        for name in PLACES:
            shutil.copytree(room / name, room / "saved" / name, symlinks=True)
        yield scene, youtube.clock.now()


@pytest.fixture
def site(made: tuple[Scene, datetime]) -> Site:
    """The site, and all that belongs to it, put back as it was."""
    scene, at = made
    room = scene.site.root.parent
    for place in room.iterdir():
        if place.name != "saved":
            shutil.rmtree(place)
    for name in PLACES:
        shutil.copytree(room / "saved" / name, room / name, symlinks=True)
    scene.youtube.clock.set(at)
    return scene.site


@pytest.fixture
def scene(site: Site, made: tuple[Scene, datetime]) -> Scene:
    return replace(made[0], site=site)


def add_words(scene: Scene) -> None:
    scene.write(PAGES[0])
    scene.amend()


def add_file(scene: Scene) -> None:
    scene.write("content/new.md")
    scene.ours.git("add", "--all")
    scene.amend()


def add_file_elsewhere(scene: Scene) -> None:
    scene.write("elsewhere.txt")
    scene.ours.git("add", "--all")
    scene.amend()


def reword(scene: Scene) -> None:
    message = scene.ours.git("log", "-1", "--format=%B").replace("Update YouTube counts", "My words: counts")
    scene.amend("--message", message)


def add_a_paragraph(scene: Scene) -> None:
    message = scene.ours.git("log", "-1", "--format=%B").replace("\n\nIn all", "\n\nWords of mine.\n\nIn all")
    scene.amend("--message", message)


def _line_of(scene: Scene) -> str:
    return scene.ours.git("log", "-1", "--format=%B").split("\n\n")[1].splitlines()[1]


def say_in_message(scene: Scene, old: str, new: str) -> None:
    message = scene.ours.git("log", "-1", "--format=%B")
    assert old in message
    scene.amend("--message", message.replace(old, new, 1))


def add_a_line_of_another_page(scene: Scene) -> None:
    line = _line_of(scene)
    say_in_message(scene, line, f"{line}\n- content/p9.md: viewcount 1 -> 2")


def replace_a_line(scene: Scene) -> None:
    say_in_message(scene, _line_of(scene), "- content/0.md: viewcount said to rise 1 -> 2")


def say_a_line_twice(scene: Scene) -> None:
    line = _line_of(scene)
    say_in_message(scene, line, f"{line}\n{line}")


def leave_a_line_out(scene: Scene) -> None:
    say_in_message(scene, f"{_line_of(scene)}\n", "")


def say_another_sum(scene: Scene) -> None:
    say_in_message(scene, "In all: ", "In all: 9")


def add_a_trailer(scene: Scene) -> None:
    scene.amend("--no-edit", "--signoff")


def write_own_count(scene: Scene) -> None:
    page = scene.site.root / PAGES[0]
    page.write_bytes(re.sub(rb"(?m)^'viewcount': \d+", b"'viewcount': 77", page.read_bytes()))
    scene.amend()


def move_a_count(scene: Scene) -> None:
    """A number that the log knows, of another page."""
    page = scene.site.root / PAGES[0]
    number = counts(scene.youtube, VIDEOS[1])[0]
    page.write_bytes(re.sub(rb"(?m)^'viewcount': \d+", b"'viewcount': %d" % number, page.read_bytes()))
    scene.amend()


def edit_a_count_of_another_key(scene: Scene) -> None:
    """The body of these pages has a line that looks like a count."""
    page = scene.site.root / PAGES[0]
    page.write_bytes(page.read_bytes().replace(b"viewcount: 7\n", b"viewcount: 8\n"))
    scene.amend()


def requote(scene: Scene) -> None:
    page = scene.site.root / PAGES[0]
    page.write_bytes(page.read_bytes().replace(b"'viewcount'", b"viewcount"))
    scene.amend()


def change_mode(scene: Scene) -> None:
    (scene.site.root / PAGES[0]).chmod(0o755)
    scene.amend()


def rename(scene: Scene) -> None:
    scene.ours.git("mv", PAGES[0], "content/renamed.md")
    scene.amend()


def delete(scene: Scene) -> None:
    scene.ours.git("rm", "--quiet", PAGES[0])
    scene.amend()


def link(scene: Scene) -> None:
    (scene.site.root / PAGES[0]).unlink()
    (scene.site.root / PAGES[0]).symlink_to("1.md")
    scene.amend()


def add_a_repository(scene: Scene) -> None:
    """As a submodule is kept: only the name of a commit."""
    scene.ours.git("update-index", "--add", "--cacheinfo", f"160000,{scene.ours.head()},theme")
    scene.ours.git("commit", "--quiet", "--amend", "--no-edit")


def fix_up(scene: Scene) -> None:
    scene.write(PAGES[1])
    scene.ours.git("commit", "--quiet", "--all", "--fixup", "HEAD")
    scene.ours.git("-c", "sequence.editor=true", "rebase", "--quiet", "--autosquash", "--interactive", "HEAD~2")


def squash_into_own(scene: Scene) -> None:
    ours = scene.ours.head()
    scene.write("notes.txt")
    scene.ours.git("commit", "--quiet", "--all", "--message", "Mine")
    scene.ours.git("reset", "--quiet", "--soft", "HEAD~2")
    scene.ours.git("commit", "--quiet", "--reuse-message", ours)


def copy_the_message(scene: Scene) -> None:
    scene.write("notes.txt")
    scene.ours.git("commit", "--quiet", "--all", "--reuse-message", "HEAD")


def copy_the_trailer(scene: Scene) -> None:
    scene.write("notes.txt")
    scene.ours.git("commit", "--quiet", "--all", "--message", "Mine\n\nSyncer-Sync: 20261122T150003Z-9f2c")


def commit_nothing(scene: Scene) -> None:
    scene.ours.git("commit", "--quiet", "--allow-empty", "--reuse-message", "HEAD")


def merge(scene: Scene) -> None:
    scene.ours.git("switch", "--quiet", "--create", "side", "HEAD~1")
    scene.write("side.txt")
    scene.ours.git("add", "--all")
    scene.ours.git("commit", "--quiet", "--message", "On the side")
    scene.ours.git("switch", "--quiet", "main")
    message = scene.ours.git("log", "-1", "--format=%B")
    scene.ours.git("merge", "--quiet", "--no-ff", "--message", message, "side")


def begin_anew(scene: Scene) -> None:
    """A commit without a parent."""
    scene.ours.git("checkout", "--quiet", "--orphan", "anew")
    scene.ours.git("commit", "--quiet", "--reuse-message", "main")
    scene.ours.git("branch", "--quiet", "--move", "--force", "main")


def pick_with_a_line(scene: Scene) -> None:
    ours = scene.ours.head()
    scene.ours.git("reset", "--quiet", "--hard", "HEAD~1")
    scene.ours.git("commit", "--quiet", "--allow-empty", "--message", "Mine")
    scene.ours.git("cherry-pick", "-x", ours)


def take_back(scene: Scene) -> None:
    """The old counts, with our message: what the log says was there before is none that syncer wrote."""
    ours = scene.ours.head()
    scene.ours.git("revert", "--no-edit", "HEAD")
    scene.ours.git("commit", "--quiet", "--amend", "--reuse-message", ours)


def map_other_keys(scene: Scene) -> None:
    collection = "  - directory: content\n    fields:\n      video_id: vid_id\n      counts: {likeCount: likeCount}\n"
    scene.site.configure(git=GIT, collections=collection)


def leave_pages_out(scene: Scene) -> None:
    collection = "  - directory: content\n    exclude: [0.md]\n    fields:\n      video_id: vid_id\n"
    collection += "      counts: {viewCount: viewcount, likeCount: likeCount}\n"
    scene.site.configure(git=GIT, collections=collection)


def forget_the_log(scene: Scene) -> None:
    (scene.site.state / "diff.jsonl").write_bytes(b"")


def lose_the_state(scene: Scene) -> None:
    shutil.rmtree(scene.site.state)


def let_it_grow_old(scene: Scene) -> None:
    """After 28 days the log forgets; a sync has to be made for that."""
    scene.remote.top.rename(scene.remote.top.with_name("away"))
    scene.hours += 24 * 40
    scene.youtube.clock.advance(timedelta(days=20))
    scene.site.sync(NOON + timedelta(hours=scene.hours), Options(paths=(PAGES[0],)))
    scene.remote.top.with_name("away").rename(scene.remote.top)


def change_the_first_line(scene: Scene) -> None:
    """Commits with our usual first line stay ours when the config gives them another; this is the other way round."""
    scene.amend("--message", scene.ours.git("log", "-1", "--format=%B").replace("Update", "[bot] Update"))


MIXING_ACTS = [
    add_a_line_of_another_page, replace_a_line, say_a_line_twice, leave_a_line_out, say_another_sum,
    add_words, add_file, add_file_elsewhere, reword, add_a_paragraph, add_a_trailer, write_own_count, move_a_count,
    edit_a_count_of_another_key, requote, change_mode, rename, delete, link, add_a_repository, fix_up, squash_into_own,
    copy_the_message, copy_the_trailer, commit_nothing, merge, begin_anew, pick_with_a_line, take_back, forget_the_log,
    lose_the_state, let_it_grow_old, change_the_first_line,
]  # fmt: skip


QUICK_ACTS = {
    say_a_line_twice, say_another_sum, add_words, add_file, move_a_count, requote, squash_into_own,
    copy_the_message, commit_nothing, merge, take_back, forget_the_log,
}  # fmt: skip


@pytest.mark.parametrize(
    ("act", "others_first"),
    [
        *(pytest.param(act, False, marks=[] if act in QUICK_ACTS else pytest.mark.storm) for act in MIXING_ACTS),
        *(pytest.param(act, True, marks=pytest.mark.storm) for act in MIXING_ACTS[::3]),
    ],
)  # whose a commit is depends on nothing that others pushed: a third of the acts shows that
def test_a_commit_of_more_than_syncers_counts_is_the_authors(
    scene: Scene, act: Callable[[Scene], None], syncer: Run, *, others_first: bool
) -> None:
    act(scene)
    if others_first:
        (scene.other.top / "theirs.txt").write_bytes(b"theirs\n")
        push_all(scene.other)
    head, there = scene.ours.head(), scene.tip()
    named = [problem["message"] for problem in syncer("review", "--json").document["problems"]]
    assert [("treated as yours" in said, said.count("commit")) for said in named] == [(True, 1)]
    report = scene.sync()
    problem = report.problems[-1]
    assert (problem.kind, problem.subject) == (ProblemKind.NOT_PUSHED, "git")
    assert ("have diverged" if others_first or act is begin_anew else "of yours that origin") in problem.message
    assert "treated as yours" in problem.message
    assert scene.tip() == there
    assert scene.ours.git("merge-base", "--is-ancestor", head, "HEAD", check=False) == ""
    assert head in scene.ours.git("rev-list", "HEAD").split()
    assert left_over(scene.ours) == []


def untouched(_scene: Scene) -> None:
    pass


def pull_and_rebase(scene: Scene) -> None:
    (scene.other.top / PAGES[0]).write_bytes((scene.other.top / PAGES[0]).read_bytes() + b"theirs\n")
    push_all(scene.other)
    scene.ours.git("pull", "--quiet", "--rebase")


def pick(scene: Scene) -> None:
    ours = scene.ours.head()
    scene.ours.git("reset", "--quiet", "--hard", "HEAD~1")
    scene.ours.git("-c", "user.name=Bob", "cherry-pick", ours)


def sign_again(scene: Scene) -> None:
    scene.ours.git("commit", "--quiet", "--amend", "--no-edit", "--reset-author")


def wait_longer(scene: Scene) -> None:
    scene.sync_without_remote()
    scene.sync_without_remote()


def edit_and_stage(scene: Scene) -> None:
    scene.write(PAGES[0])
    scene.write("notes.txt")
    scene.ours.git("add", "notes.txt")


def configure_another_first_line(scene: Scene) -> None:
    scene.site.configure(git=f"{GIT}, message: '{{subject}} (+{{counts}}) [skip ci]'")
    scene.sync_without_remote()


def write_as_before(scene: Scene) -> None:
    """With the sums that earlier versions wrote."""
    message = scene.ours.git("log", "-1", "--format=%B")
    scene.amend("--message", re.sub(r"(?m)^(In all: .*)\.$", r"\1 (likeCount +5, viewCount -1,234).", message))


def move_list_items(scene: Scene) -> None:
    """The items stand the other way round in the author's next edit, which he does not commit."""
    page = scene.site.root / LIST
    head, *items, end = re.split(rb"(?m)^(?=  - id|---$)", page.read_bytes())[1:]
    page.write_bytes(b"".join((head, *reversed(items), end)))


CARRYING_ACTS = [
    untouched, pull_and_rebase, pick, sign_again, wait_longer, edit_and_stage, configure_another_first_line,
    move_list_items, map_other_keys, leave_pages_out, write_as_before,
]  # fmt: skip


@pytest.mark.parametrize(
    "others_first", [False, pytest.param(True, marks=pytest.mark.storm)], ids=["remote behind", "others first"]
)
@pytest.mark.parametrize(
    "act", storms_but({untouched, pull_and_rebase, pick, wait_longer, write_as_before}, CARRYING_ACTS)
)
def test_syncers_counts_are_pushed_after_a_rebase_or_a_cherry_pick(
    scene: Scene, act: Callable[[Scene], None], syncer: Run, *, others_first: bool
) -> None:
    act(scene)
    if others_first:
        scene.other.git("pull", "--quiet")
        (scene.other.top / "theirs.txt").write_bytes(b"theirs\n")
        push_all(scene.other)
    work = {path: (scene.site.root / path).read_bytes() for path in ("notes.txt",)}
    assert syncer("review", "--json").document["problems"] == []
    report = scene.sync()
    assert (report.exit, report.problems) == (0, ())
    assert scene.tip() == scene.ours.head()
    assert {path: (scene.site.root / path).read_bytes() for path in work} == work
    assert WORDS not in scene.remote.git("log", "--patch", "main").encode()


def test_a_sync_of_one_page_pushes_what_waits_of_all(scene: Scene) -> None:
    waiting = scene.ours.head()
    report = scene.sync(Options(paths=(PAGES[0],)))
    assert (report.exit, report.problems) == (0, ())
    assert waiting in scene.remote.git("rev-list", "main").split()


def test_a_page_that_is_no_longer_on_disk_is_known_all_the_same(scene: Scene) -> None:
    (scene.site.root / PAGES[0]).unlink()
    waiting = scene.ours.head()
    report = scene.sync()
    assert (report.exit, report.problems) == (0, ())
    assert waiting in scene.remote.git("rev-list", "main").split()


def test_pages_behind_links_and_inserted_counts_are_known(scene: Scene) -> None:
    (scene.site.root / "store").mkdir()
    scene.site.put("store/real.md", plain(VIDEOS[0], 1, 2))
    scene.site.put("content/more.md", f"---\nvid_id: {VIDEOS[1]}\n---\n".encode())
    (scene.site.root / "content/link.md").symlink_to("../store/real.md")
    scene.ours.commit_all()
    scene.ours.git("push", "--quiet")
    fields = "{video_id: vid_id, counts: {viewCount: viewcount, likeCount: likeCount}, insert_missing: true}"
    collection = f"  - directory: content\n    exclude: [/lists/]\n    fields: {fields}\n"
    scene.site.configure(git=GIT, collections=collection)
    waiting = scene.sync_without_remote()
    assert set(scene.ours.git("diff", "--name-only", "HEAD~1").split()) >= {"store/real.md", "content/more.md"}
    assert scene.sync().exit == 0
    assert waiting in scene.remote.git("rev-list", "main").split()


def test_after_the_author_has_pushed_the_counts_go_along(scene: Scene) -> None:
    add_words(scene)
    assert scene.sync().exit == 1
    scene.ours.git("push", "--quiet")
    assert scene.sync().exit == 0
    assert scene.tip() == scene.ours.head()
    assert WORDS.decode() in scene.remote.git("show", f"main:{PAGES[0]}")


def test_commits_without_our_line_are_not_named(scene: Scene, syncer: Run) -> None:
    scene.write("notes.txt")
    scene.amend("--message", "All mine")
    assert syncer("review", "--json").document["problems"] == []
    [problem] = scene.sync().problems
    assert problem.message.endswith("run `git push origin HEAD:main`, which pushes the counts too")


def test_review_says_it_in_words_and_ends_with_1(scene: Scene, syncer: Run) -> None:
    assert (syncer("review").code, syncer("review").out.count("Problems")) == (0, 0)
    add_words(scene)
    ran = syncer("review")
    assert ran.code == 1
    said = f"commit {scene.ours.head()[:12]} has a Syncer-Sync line, but syncer did not write all of the message and"
    last = f"  git: {said} the changes: treated as yours; push it yourself [not-pushed]"
    assert ran.out.splitlines()[-2:] == ["Problems: 1", last]
    scene.ours.git("remote", "remove", "origin")
    assert syncer("review").code == 0


def test_of_a_branch_that_was_never_pushed_not_all_commits_are_looked_at(scene: Scene) -> None:
    for number in range(MAX_MIXED_COMMITS + 5):
        scene.ours.git("commit", "--quiet", "--allow-empty", "--message", f"{number}\n\nSyncer-Sync: x")
    scene.ours.git("commit", "--quiet", "--allow-empty", "--message", "Mine")
    assert f"your branch has {MAX_MIXED_COMMITS} commits of yours" in scene.sync().problems[-1].message


def test_a_signed_commit_is_recognised_if_logs_show_signatures(scene: Scene) -> None:
    """Git says in the log who signed, if it is set to; that is no commit."""
    scene.ours.git("config", "log.showSignature", "true")
    scene.ours.git("config", "gpg.program", "echo")
    copy_the_trailer(scene)
    assert "2 commits" not in scene.sync().problems[-1].message


@pytest.mark.parametrize(
    ("template", "first"),
    [
        (None, "Update YouTube counts: 1,234 pages"),
        ("{subject} [skip ci]", "Update YouTube counts: 1 page [skip ci]"),
        ("a.b* {pages}/{counts}", "a.b* 3/12"),
        ("{subject} [skip ci]", "Update YouTube counts: 1 page"),
    ],
)
def test_the_form_takes_what_the_first_line_can_be_and_no_word_more(template: str | None, first: str) -> None:
    rest = (
        "\n\n- content/a b.md: videos[0].viewcount none -> 5\n\n"
        "In all: 1 count on 1 page (viewCount +5, likeCount -1).\n"
        "Read from YouTube: 2026-11-22 17:48:54 UTC.\nMissing on YouTube: 12 videos (-b5Nw0yRfhs, _, ...).\n\n"
        "Syncer-Sync: 20261122T150003Z-9f2c\n"
    )
    known = form(template)
    assert known.fullmatch(first + rest)
    assert known.fullmatch(first + rest.replace("Missing on", "Missing at")), "as earlier versions wrote it"
    assert known.fullmatch(first + rest.replace(" (viewCount +5, likeCount -1)", ""))
    assert known.fullmatch(first + rest.replace("1 count on 1 page (viewCount +5, likeCount -1)", "1 date on 1 page"))
    assert known.fullmatch(first + rest.replace("1 count on", "2 counts and 3 dates on"))
    assert known.fullmatch(first + rest.replace("Syncer-Sync", "Syncer-Pages: 1\nSyncer-Sync"))
    assert not known.fullmatch(first + rest.replace("Syncer-Sync", "Syncer-Pages: one\nSyncer-Sync"))
    for word in ("x", " x", "\nx"):
        for place in [found.end() for found in re.finditer(r"[^\n](?=\n|$)", first + rest)]:
            text = first + rest
            if "content/a b.md" not in text[:place].rsplit("\n", 1)[-1]:
                assert not known.fullmatch(text[:place] + word + text[place:]), (place, word)
