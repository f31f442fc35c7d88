"""A remote: finds what it lacks, pushes and fetches. Credentials are git's own; nothing is ever forced."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from shlex import quote
from typing import NamedTuple

from syncer.errors import GitError
from syncer.git.repository import Repository, Tip, descends_from
from syncer.git.run import git, git_or_none

NETWORK_TIMEOUT = 180
"""Seconds that a push or a fetch may take."""

PUSHED_BEFORE = re.compile(
    r"(^|; )! \[(rejected\]|remote rejected\] [^;]* \((cannot lock|failed to update) ref|[^;]* \(incorrect old value)"
)
"""Git's message if another push came first; messages of the remote's hooks start differently."""

TRANSPORTS = {"GIT_ALLOW_PROTOCOL": "file:https:ssh"}
"""What git may use for a remote that the config names by its URL, also after a redirect, or where its own settings
replace the URL.
"""


class Remote(NamedTuple):
    """Where commits are pushed to."""

    name: str
    stopped: Callable[[], bool]
    """Whether to stop a push or a fetch early."""
    require_owner: Callable[[], None] = lambda: None
    """Called right before each push; raises GitError if another host owns the site."""
    variables: Mapping[str, str] | None = None
    """Of git where it contacts the remote."""


class PushRejected(GitError):
    """The remote's branch has commits that are not known here."""


def upstream_of(repository: Repository, remote: Remote, branch: str) -> str:
    """Return the full name, at the remote, of the branch that this one tracks; its own name if it tracks none."""
    name = branch.removeprefix("refs/heads/")
    if git_or_none(repository.top, "config", "--get", f"branch.{name}.remote") == remote.name:
        return git_or_none(repository.top, "config", "--get", f"branch.{name}.merge") or branch
    return branch


def find_remote(repository: Repository, place: str, *, is_url: bool) -> str | None:
    """Return the name of the remote that has this name or, if it is one, this URL; None if there is none.

    Raises GitError.
    """
    if not is_url:
        return place if place in git(repository.top, "remote").splitlines() else None
    settings = git_or_none(repository.top, "config", "-z", "--get-regexp", r"^remote\..*\.url$") or ""
    named = (setting.partition("\n") for setting in settings.split("\0"))
    return next((key.removeprefix("remote.").removesuffix(".url") for key, _, url in named if url == place), None)


def require_remote(repository: Repository, place: str, *, is_url: bool) -> str:
    """Return the name of the remote that has this name or this URL. Raises GitError if there is none."""
    name = find_remote(repository, place, is_url=is_url)
    if name is None and is_url:
        raise GitError(
            f"no remote has the URL {place}; run `git remote set-url origin {quote(place)}`, or correct `git.remote` in"
            " the config"
        )
    if name is None:
        raise GitError(
            f"there is no remote called {place}; run `git remote add {quote(place)} URL`, or set `git.remote` in the"
            " config"
        )
    return name


def unpushed(repository: Repository, remote: Remote, tip: Tip) -> list[str]:
    """Return the commits that the remote's branch lacks, newest first.

    This uses what is known here of the remote. If the remote does not have the branch yet, return the commits that are
    in none of its branches. Raises GitError.
    """
    there = _known(remote, upstream_of(repository, remote, tip.branch))
    if git_or_none(repository.top, "rev-parse", "--quiet", "--verify", there) is None:
        there = f"--remotes={remote.name}"
    return commits_since(repository, tip, there)


def push(repository: Repository, remote: Remote, tip: Tip) -> None:
    """Push the branch's newest commit to its branch at the remote. Raises PushRejected if others came first; GitError.

    Raises PushRejected too if the remote's branch has lost commits that are known here: what was removed there is not
    published again. A branch that was deleted there is pushed as a new one.
    """
    target = upstream_of(repository, remote, tip.branch)
    known = git_or_none(repository.top, "rev-parse", "--quiet", "--verify", _known(remote, target)) or ""
    # a lease forces nothing on a commit that descends from the one that it expects at the remote
    with_lease = not known or descends_from(repository, tip.commit, known)
    lease = [f"--force-with-lease={target}:{known}"] if with_lease else []
    try:
        _push(repository, remote, f"{tip.commit}:{target}", *lease)
    except PushRejected:
        if not known or _contact(repository, remote, "ls-remote", remote.name, target):
            raise
        _push(repository, remote, f"{tip.commit}:{target}", f"--force-with-lease={target}:")
    with suppress(GitError):  # git does this only if the remote has a fetch setting; another fetch may be running
        git(repository.top, "update-ref", _known(remote, target), tip.commit)


def _push(repository: Repository, remote: Remote, refspec: str, *options: str) -> None:
    remote.require_owner()
    try:
        _contact(repository, remote, "push", "--no-verify", "--no-follow-tags", "--recurse-submodules=no", *options,
                 remote.name, refspec)  # fmt: skip
    except GitError as error:
        if PUSHED_BEFORE.search(str(error)):
            raise PushRejected(str(error)) from error
        raise


def fetch(repository: Repository, remote: Remote, branch: str) -> str:
    """Fetch the branch that this one tracks; return its newest commit. Raises GitError."""
    name = upstream_of(repository, remote, branch)
    known = _known(remote, name)
    _contact(repository, remote, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head",
             remote.name, f"+{name}:{known}")  # fmt: skip
    return git(repository.top, "rev-parse", "--verify", f"{known}^{{commit}}").strip()


def fork_point(repository: Repository, remote: Remote, tip: Tip, upstream: str) -> str:
    """Return the newest commit of the branch that its remote has, or had: git's log of references knows the latter.

    So commits that were removed there are none of the branch's own. Raises GitError, also if there is no such commit.
    """
    there = _known(remote, upstream_of(repository, remote, tip.branch))
    found = git_or_none(repository.top, "merge-base", "--fork-point", there, tip.commit)
    return found or common(repository, upstream, tip.commit)


def commits_since(repository: Repository, tip: Tip, *known: str) -> list[str]:
    """Return the branch's commits that are in none of the known ones, newest first. Raises GitError."""
    return git(repository.top, "rev-list", tip.commit, "--not", *known, "--").splitlines()


def common(repository: Repository, commit: str, other: str) -> str:
    """Return the newest commit that both contain. Raises GitError, also if there is none."""
    found = git_or_none(repository.top, "merge-base", commit, other)
    if found is None:
        raise GitError("the remote's branch has no commit in common with the one here; clone the remote again")
    return found


def _contact(repository: Repository, remote: Remote, *words: str) -> str:
    return git(repository.top, *words, variables=remote.variables, timeout=NETWORK_TIMEOUT, stopped=remote.stopped)


def _known(remote: Remote, name: str) -> str:
    """Return the full name of the remote-tracking branch here."""
    return f"refs/remotes/{remote.name}/{name.removeprefix('refs/heads/')}"
