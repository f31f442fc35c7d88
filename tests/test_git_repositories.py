"""A table of repositories, each in the middle of its author's work: a sync's commit is right, or git is left alone.

In all of them the author has staged work in two pages, and more work on disk in one of these and another one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from syncer.simulator.server import Simulator
from tests.authored import NOTES, PAGES, Author, authored, title
from tests.repository import Repository
from tests.site import Site


@pytest.fixture
def author(site: Site, youtube: Simulator) -> Author:
    return authored(site, youtube)


def in_the_way(author: Author) -> None:
    """Makes two branches that edit the same line of the notes."""
    git = author.repository.git
    git("checkout", "--quiet", "-b", "other")
    author.edit(NOTES, lambda text: text.replace(b"two", b"deux"))
    git("commit", "--quiet", "--all", "--message", "Deux")
    git("checkout", "--quiet", "main")
    author.edit(NOTES, lambda text: text.replace(b"two", b"zwei"))
    git("commit", "--quiet", "--all", "--message", "Zwei")


def stopped_rebase(author: Author) -> None:
    author.repository.commit_all("Another one")
    author.repository.git("-c", "sequence.editor=sed -i s/^pick/edit/", "rebase", "--quiet", "--interactive", "HEAD^")


def stopped(*words: str) -> Callable[[Author], None]:
    """Begins something with the other branch that git cannot end by itself."""

    def begin(author: Author) -> None:
        in_the_way(author)
        author.repository.git(*words, check=False)

    return begin


def patches(author: Author) -> None:
    in_the_way(author)
    patch = author.repository.git("format-patch", "--stdout", "-1", "other")
    author.repository.git("am", "--quiet", fed=patch.encode(), check=False)


def bisect(author: Author) -> None:
    author.repository.commit_all("Another one")
    author.repository.git("bisect", "start")


MIDDLE = "the repository is in the middle of {}; finish it, and the next sync commits the counts"
NO_BRANCH = "no branch with a commit is checked out; run `git switch BRANCH`, and the next sync commits the counts"

ALONE: dict[str, tuple[Callable[[Author], object], str]] = {
    "a stopped rebase": (stopped_rebase, MIDDLE.format("a rebase")),
    "a rebase in conflict": (stopped("rebase", "other"), MIDDLE.format("a rebase")),
    "a rebase by patches, in conflict": (stopped("rebase", "--apply", "other"), MIDDLE.format("a rebase")),
    "a merge in conflict": (stopped("merge", "other"), MIDDLE.format("a merge")),
    "a merge not committed": (stopped("merge", "--no-commit", "-X", "ours", "other"), MIDDLE.format("a merge")),
    "a cherry-pick in conflict": (stopped("cherry-pick", "other"), MIDDLE.format("a cherry-pick")),
    "a revert in conflict": (stopped("revert", "--no-edit", "other"), MIDDLE.format("a revert")),
    "a revert not committed": (stopped("revert", "--no-commit", "main"), MIDDLE.format("a revert")),
    "patches in conflict": (patches, MIDDLE.format("a `git am`")),
    "a bisect": (bisect, MIDDLE.format("a bisect")),
    "a detached HEAD": (lambda author: author.repository.git("checkout", "--quiet", "--detach"), NO_BRANCH),
}


@pytest.mark.parametrize("name", ALONE)
def test_in_the_middle_of_something_git_is_left_alone_and_the_sync_says_so(author: Author, name: str) -> None:
    begin, sentence = ALONE[name]
    begin(author)
    author.works()
    assert author.is_left_alone() == sentence


@pytest.mark.parametrize("name", ["a cherry-pick in conflict", "a revert not committed"])
def test_it_is_seen_as_well_where_references_are_no_files(site: Site, youtube: Simulator, name: str) -> None:
    if "--ref-format" not in Repository(site.root).git("init", "-h", check=False):
        pytest.skip("this git (before 2.45) has no reftable")
    begin, sentence = ALONE[name]
    author = authored(site, youtube, "--ref-format=reftable")
    begin(author)
    assert author.is_left_alone() == sentence


def elsewhere(author: Author, root: Path, top: Path | None = None) -> Author:
    """The same author in another copy of the site, which has the same pages in the same state."""
    for name, value in {"user.name": "Ada", "user.email": "ada@example.org"}.items():
        Repository(root).git("config", name, value)
    return replace(author, site=Site(root, author.site.url), repository=Repository(top or root))


def clone(*words: str) -> Callable[[Author], Author]:
    def make(author: Author) -> Author:
        author.repository.git("config", "uploadpack.allowFilter", "true")
        author.repository.commit_all("A second commit")
        root = author.room / "clone"
        author.repository.git("clone", "--quiet", *words, author.repository.top.as_uri(), str(root))
        return elsewhere(author, root)

    return make


def sparse(*words: str) -> Callable[[Author], Author]:
    """A clone that has not all files on disk."""

    def make(author: Author) -> Author:
        author.site.put("drafts/one/page.md", b"not a page of the site\n")
        author.site.put("drafts/two/page.md", b"nor is this\n")
        made = clone("--sparse")(author)
        made.repository.git("sparse-checkout", "set", *words)
        assert not (made.site.root / "drafts").exists()
        return made

    return make


def worktree(author: Author) -> Author:
    root = author.room / "tree"
    author.repository.git("worktree", "add", "--quiet", "-b", "side", str(root))
    return elsewhere(author, root)


def worktree_beside_a_rebase(author: Author) -> Author:
    made = worktree(author)
    stopped("rebase", "other")(author)
    return made


def submodule(author: Author) -> Author:
    """The site is a submodule, with a branch checked out."""
    author.repository.git("branch", "other")
    above = Repository(author.room / "above")
    above.top.mkdir()
    above.git("init", "--quiet")
    above.git("-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(author.site.root), "a/site")
    return elsewhere(author, above.top / "a/site")


def within(author: Author) -> Author:
    """The site is a directory of a repository, and the author is at work beside it too."""
    shutil.rmtree(author.site.root / ".git")
    top = author.room / "all"
    root = top / "sites/a site"
    root.parent.mkdir(parents=True)
    author.site.root.rename(root)
    repository = Repository(top)
    repository.git("init", "--quiet", "--initial-branch", "main")
    (top / "beside.md").write_bytes((root / PAGES[0]).read_bytes())
    made = elsewhere(author, root, top)
    repository.commit_all()
    (top / "beside.md").write_bytes(b"staged\n")
    repository.git("add", "beside.md")
    (top / "beside.md").write_bytes(b"staged and edited\n")
    return made


def apart(author: Author) -> Author:
    """Git's directory is elsewhere."""
    author.repository.git("init", "--quiet", "--separate-git-dir", str(author.room / "git"))
    return author


def settings(**values: str) -> Callable[[Author], Author]:
    """Sets git's settings before the author begins: `core_autocrlf` is `core.autocrlf`."""

    def make(author: Author) -> Author:
        for name, value in values.items():
            author.repository.git("config", name.replace("_", ".", 1), value)
        author.repository.git("update-index", "--force-write-index")
        return author

    return make


def crlf_in_the_working_tree_alone(setting: str, safe: str = "warn") -> Callable[[Author], Author]:
    """Git stores LF, and the working tree has CRLF."""

    def make(author: Author) -> Author:
        author.repository.git("config", "core.autocrlf", setting)
        author.repository.git("add", "--renormalize", "--all")
        author.repository.commit_all("LF")
        assert b"\r" not in author.repository.show(PAGES[0])
        author.repository.git("config", "core.safecrlf", safe)
        return replace(author, eol=lambda text: text.replace(b"\r\n", b"\n"))

    return make


def attributed(line: str) -> Callable[[Author], Author]:
    def make(author: Author) -> Author:
        author.site.put(".gitattributes", f"{line}\n".encode())
        author.repository.git("add", "--renormalize", "--all")
        author.repository.commit_all(line)
        return author

    return make


def split(author: Author) -> Author:
    author.repository.git("config", "core.splitIndex", "true")
    author.repository.git("update-index", "--split-index")
    return author


def squashed(author: Author) -> Author:
    """A merge is staged as if it were the author's own work."""
    in_the_way(author)
    author.repository.git("merge", "--quiet", "--squash", "-X", "ours", "other")
    return author


def stashed(author: Author) -> Author:
    author.edit(PAGES[0], title)
    author.repository.git("stash", "--quiet")
    return author


def in_conflict(author: Author) -> Author:
    """A file is in conflict, without anything to finish: as after `git stash pop`."""
    author.edit(NOTES, lambda text: text.replace(b"two", b"deux"))
    author.repository.git("stash", "--quiet")
    author.edit(NOTES, lambda text: text.replace(b"two", b"zwei"))
    author.repository.git("commit", "--quiet", "--all", "--message", "Zwei")
    author.repository.git("stash", "pop", check=False)
    assert author.repository.git("ls-files", "--unmerged")
    return author


def packed(author: Author) -> Author:
    author.repository.git("gc", "--quiet")
    return author


def same(author: Author) -> Author:
    return author


COMMITTED: dict[str, Callable[[Author], Author]] = {
    "plain": same,
    "shallow": clone("--depth=1"),
    "partial": clone("--filter=blob:none"),
    "with borrowed objects": clone("--shared"),
    "sparse": sparse("content", "config"),
    "sparse by patterns": sparse("--no-cone", "/*", "!/drafts/"),
    "sparse, with a sparse index": sparse("--cone", "--sparse-index", "content", "config"),
    "a linked working tree": worktree,
    "a linked working tree beside a rebase": worktree_beside_a_rebase,
    "a submodule": submodule,
    "a directory of a repository": within,
    "git's directory elsewhere": apart,
    "autocrlf": crlf_in_the_working_tree_alone("true"),
    "autocrlf=input": crlf_in_the_working_tree_alone("input"),
    "autocrlf, with CRLF committed": settings(core_autocrlf="true"),
    "autocrlf and safecrlf": crlf_in_the_working_tree_alone("true", "true"),
    "ident": attributed("*.md ident"),
    "-text": attributed("* -text"),
    "a split index": split,
    "an index of version 4": settings(index_version="4"),
    "an untracked cache": settings(core_untrackedCache="true"),
    "many files": settings(feature_manyFiles="true"),
    "no file modes": settings(core_fileMode="false"),
    "a squashed merge": squashed,
    "a stash": stashed,
    "a file in conflict": in_conflict,
    "packed refs and objects": packed,
    "settings that are about other commits": settings(
        commit_template="/nowhere", commit_verbose="true", commit_cleanup="scissors", core_commentChar="U",
        i18n_commitEncoding="ISO-8859-1", core_logAllRefUpdates="false", merge_ff="false", core_quotePath="true",
        status_short="true", diff_renames="copies", diff_noprefix="true", diff_external="/nowhere",
        core_pager="false", core_editor="false", color_ui="always", user_useConfigOnly="true",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMITTED)
def test_in_any_repository_the_commit_holds_the_counts_and_leaves_all_else(author: Author, name: str) -> None:
    author = COMMITTED[name](author)
    author.works()
    author.require_commit()
