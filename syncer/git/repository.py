"""A repository: where its parts are, what it is in the middle of, and which files differ."""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import IO, NamedTuple

from syncer.errors import GitError
from syncer.git.run import git, git_or_none, inside_work_tree, running
from syncer.git.temporary import file_of

FILE_MODES = {"100644", "100755"}

NO_FILTER = {"unspecified", "unset", "set"}
"""Values of git's attribute `filter` that name no filter."""

FLAGS = {"S": "skip-worktree", "H": "assume-unchanged"}
"""By the letters of `git ls-files -v`; any lower-case letter means assume-unchanged."""

BLOCK_BYTES = 1 << 16
"""How much of git's output is read at once."""

IN_PROGRESS = {
    "rebase-apply/applying": "a `git am`",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "MERGE_HEAD": "a merge",
    "sequencer": "a cherry-pick or a revert",
    "BISECT_LOG": "a bisect",
}
"""Files in git's directory while git waits for the author to continue."""

IN_PROGRESS_REFERENCES = {"CHERRY_PICK_HEAD": "a cherry-pick", "REVERT_HEAD": "a revert"}
"""References that mean the same; they need not be files."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A working tree and its own parts of the repository; real and absolute paths."""

    top: str
    directory: str
    """The working tree's own directory in `.git`, if a repository has several."""
    index: str
    hash_name: str
    """`sha1` or `sha256`."""


class Blob(NamedTuple):
    """A file as git stores it."""

    mode: str
    name: str
    """Its hash."""


NO_BLOB = Blob("100644", "")
"""Stands for a file that a commit does not have, and is to have."""


class Tip(NamedTuple):
    """The branch that is checked out, and its newest commit."""

    branch: str
    """The full name: `refs/heads/main`."""
    commit: str


class Difference(NamedTuple):
    """One path that differs between two sides; None: it does not exist there, or is not a plain file."""

    path: str
    """Relative to the repository's top."""
    old: Blob | None
    new: Blob | None


def find_repository(site: str) -> Repository | None:
    """Return the repository whose working tree a directory is in, if any. Raises GitError."""
    if not inside_work_tree(Path(site)):
        return None
    options = ("--show-toplevel", "--absolute-git-dir", "--show-object-format", "--git-path", "index")
    lines = git(site, "rev-parse", *options).removesuffix("\n").split("\n")
    if len(lines) != len(options) - 1:  # `--git-path` and its argument give one line
        raise GitError("the repository's path contains a line break; rename the directory")
    top, directory, hash_name, index = lines
    return Repository(os.path.realpath(top), os.path.realpath(directory), os.path.join(site, index), hash_name)


def repositories_within(repository: Repository, directories: Iterable[str]) -> list[str]:
    """Return the nested repositories, including submodules, that contain some of these directories: real paths."""

    @cache
    def own(directory: str) -> str | None:
        if relative_to_top(repository, directory) in {None, ""}:
            return None
        return directory if os.path.lexists(os.path.join(directory, ".git")) else own(os.path.dirname(directory))

    return sorted({found for directory in directories if (found := own(directory))})


def filtered(repository: Repository, paths: Sequence[str]) -> dict[str, str]:
    """Return which of these files git stores through a filter, such as `lfs`, and its name. Raises GitError."""
    names = (f"{path}\0".encode(errors="surrogateescape") for path in paths)
    fields = git(repository.top, "check-attr", "-z", "--stdin", "filter", stdin=names).split("\0")
    return {path: name for path, name in zip(fields[::3], fields[2::3], strict=False) if name not in NO_FILTER}


def in_progress(repository: Repository) -> str | None:
    """Return what the repository is in the middle of, such as `a rebase`; None if nothing. Raises GitError."""
    for name, what in IN_PROGRESS.items():
        if os.path.lexists(os.path.join(repository.directory, name)):
            return what
    for name, what in IN_PROGRESS_REFERENCES.items():
        if git_or_none(repository.top, "rev-parse", "--quiet", "--verify", name):
            return what
    return None


def tip_of(repository: Repository) -> Tip | None:
    """Return the branch that is checked out, and its newest commit; None if there is no branch or no commit."""
    branch = git_or_none(repository.top, "symbolic-ref", "--quiet", "HEAD")
    commit = branch and git_or_none(repository.top, "rev-parse", "--quiet", "--verify", f"{branch}^{{commit}}")
    return Tip(branch, commit) if branch and commit else None


def head_of(repository: Repository) -> str | None:
    """Return the commit that is checked out, on a branch or not; None if there is none."""
    return git_or_none(repository.top, "rev-parse", "--quiet", "--verify", "HEAD^{commit}")


def descends_from(repository: Repository, commit: str, earlier: str) -> bool:
    """Whether a commit is the earlier one or a descendant of it. Raises GitError."""
    return git_or_none(repository.top, "merge-base", "--is-ancestor", earlier, commit) is not None


def differing_from_disk(repository: Repository, commit: str, under: str) -> dict[str, Blob]:
    """Return a commit's version of the files that differ, or may differ, from the working tree.

    `under` is a directory, relative to the top. Untracked files are left out.
    """
    differences = _differences(repository, ["diff-index", commit], under)
    return {path: old for path, old, _ in differences if old}


def staged(repository: Repository, commit: str, under: str = "") -> dict[str, Blob | None]:
    """Return what the index has instead of a commit's files: None if it has nothing, or a conflict."""
    differences = _differences(repository, ["diff-index", "--cached", commit], under)
    return {path: new for path, _, new in differences}


def flagged(repository: Repository, under: str) -> dict[str, str]:
    """Return the files whose changes on disk git ignores, with the flag, such as `skip-worktree`."""
    with running(repository.top, "ls-files", "-v", "-z", *(["--", under] if under else [])) as process:
        assert process.stdout is not None
        letters = ((field[2:], field[0]) for field in _fields(process.stdout) if field[0] != "H")
        return {path: FLAGS[letter.upper()] for path, letter in letters if letter in FLAGS or letter.islower()}


def files_in(repository: Repository, commit: str, under: str, paths: Container[str]) -> dict[str, Blob]:
    """Return the files among `paths` that a commit has."""
    with running(repository.top, "ls-tree", "-r", "-z", commit, *(["--", f"{under}/"] if under else [])) as process:
        assert process.stdout is not None
        lines = (field.partition("\t") for field in _fields(process.stdout))
        blobs = {path: _blob(*itemgetter(0, 2)(words.split(" "))) for words, _, path in lines if path in paths}
    return {path: blob for path, blob in blobs.items() if blob}


def between(repository: Repository, old: str, new: str, under: str = "") -> list[Difference]:
    """Return the files that differ between two commits."""
    return list(_differences(repository, ["diff-tree", "-r", old, new], under))


def changed_by(repository: Repository, commits: Iterable[str]) -> Generator[tuple[str, Difference]]:
    """Yield what these commits changed, including submodules: each path with its commit.

    Merges, root commits and the last commit of a shallow clone yield nothing: they do not have exactly one parent.
    """
    words = ["diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames", "--ignore-submodules=none", "--full-index"]
    asked = file_of(f"{commit}\n".encode() for commit in commits)
    with asked, running(repository.top, *words, stdin=asked) as process:
        assert process.stdout is not None
        fields, commit = _fields(process.stdout), ""
        for field in fields:
            if field.startswith(":"):
                yield commit, _difference(field, next(fields))
            else:
                commit = field


def _differences(repository: Repository, command: Sequence[str], under: str) -> Iterator[Difference]:
    name, *rest = command
    words = [name, "-z", "--raw", "--no-renames", "--ignore-submodules", "--full-index", *rest]
    with running(repository.top, *words, *(["--", under] if under else [])) as process:
        assert process.stdout is not None
        fields = _fields(process.stdout)
        for field in fields:
            yield _difference(field, next(fields))


def _difference(field: str, path: str) -> Difference:
    old_mode, new_mode, old, new, _ = field.removeprefix(":").split(" ")
    return Difference(path, _blob(old_mode, old), _blob(new_mode, new))


def _fields(output: IO[bytes]) -> Iterator[str]:
    """Yield the fields of git's output, which end with a NUL each."""
    rest = b""
    while block := output.read(BLOCK_BYTES):
        *whole, rest = (rest + block).split(b"\0")
        for field in whole:
            yield field.decode(errors="surrogateescape")


def _blob(mode: str, name: str) -> Blob | None:
    return Blob(sys.intern(mode), name) if mode in FILE_MODES else None


def relative_to_top(repository: Repository, path: str) -> str | None:
    """Return a real path relative to the repository's top; None if it is outside, or in `.git`."""
    if path == repository.top:
        return ""
    prefix = repository.top.rstrip("/") + "/"
    return path[len(prefix) :] if path.startswith(prefix) else None


def require_identity(repository: Repository) -> None:
    """Raise GitError if git has no name and email address to commit with."""
    try:
        for who in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
            git(repository.top, "-c", "user.useConfigOnly=true", "var", who)
    except GitError:
        raise GitError(
            "git has no name and email address to commit with; set `git.author` in the config, or run"
            " `git config user.name NAME` and `git config user.email ADDRESS`"
        ) from None
