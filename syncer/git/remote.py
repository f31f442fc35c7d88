"""A remote: what it lacks of ours, and how the two come together. Credentials are git's own; nothing is ever forced."""

from __future__ import annotations

from syncer.errors import GitError
from syncer.git.repository import Repository, Tip
from syncer.git.run import ask_git, git

PATIENCE = 180
"""Seconds that a push or a fetch may take."""

NOT_THE_NEWEST = ("fetch first", "non-fast-forward", "stale info", "cannot lock ref", "failed to update ref")
"""What git says of a push that another one came before."""


class Rejected(GitError):
    """The remote's branch has commits that we do not know."""


def upstream_of(repository: Repository, remote: str, branch: str) -> str:
    """Return the full name, at the remote, of the branch that ours follows; without such a one, our own's."""
    name = branch.removeprefix("refs/heads/")
    if ask_git(repository.top, "config", "--get", f"branch.{name}.remote") == remote:
        return ask_git(repository.top, "config", "--get", f"branch.{name}.merge") or branch
    return branch


def unpushed(repository: Repository, remote: str, commit: str, trailer: str) -> tuple[int, int]:
    """Return how many commits the remote lacks, as far as we know, that have this trailer, and how many that have not.

    Raises GitError, also where there is no such remote.
    """
    git(repository.top, "remote", "get-url", remote)
    form = f"--format=%H:%(trailers:key={trailer},valueonly,separator=%x2C)"
    shown = git(repository.top, "log", form, commit, "--not", f"--remotes={remote}", "--").splitlines()
    ours = sum(not line.endswith(":") for line in shown)
    return ours, len(shown) - ours


def push(repository: Repository, remote: str, tip: Tip) -> None:
    """Push the branch's newest commit to where it belongs. Raises Rejected where others came first, and GitError."""
    target = upstream_of(repository, remote, tip.branch)
    try:
        git(repository.top, "push", "--porcelain", "--no-verify", "--recurse-submodules=no", remote,
            f"{tip.commit}:{target}", patience=PATIENCE)  # fmt: skip
    except GitError as error:
        if any(words in str(error) for words in NOT_THE_NEWEST):
            raise Rejected(str(error)) from error
        raise


def fetch(repository: Repository, remote: str, branch: str) -> str:
    """Fetch the branch that ours follows, and return its newest commit. Raises GitError."""
    name = upstream_of(repository, remote, branch)
    known = f"refs/remotes/{remote}/{name.removeprefix('refs/heads/')}"
    git(repository.top, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", remote,
        f"+{name}:{known}", patience=PATIENCE)  # fmt: skip
    return git(repository.top, "rev-parse", "--verify", f"{known}^{{commit}}").strip()
