"""Puts a test's site in a real git repository, and looks at what stands where."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.site import Site

PERSON = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_NAME": "Ada",
          "GIT_COMMITTER_EMAIL": "ada@example.org"}  # fmt: skip

NO_MAINTENANCE = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "maintenance.auto", "GIT_CONFIG_VALUE_0": "false"}
"""Else git starts another git after each commit, fetch and push, to see whether there is something to tidy up."""


@dataclass(frozen=True)
class Repository:
    """A working tree as its author uses it: with git itself."""

    top: Path

    def git(self, *words: str, fed: bytes = b"", check: bool = True) -> str:
        """What git says: its output as it is."""
        done = subprocess.run(
            ["git", *words], cwd=self.top, input=fed, capture_output=True, check=False,
            env={**os.environ, **PERSON, **NO_MAINTENANCE, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_EDITOR": "true"},
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"git {words}: {done.stderr.decode()}")
        return done.stdout.decode("utf-8", "surrogateescape")

    def show(self, path: str, at: str = "HEAD") -> bytes:
        """A file as a commit (or, with an empty `at`, the index) has it."""
        return self.git("show", f"{at}:{path}").encode("utf-8", "surrogateescape")

    def head(self) -> str:
        """The newest commit."""
        return self.git("rev-parse", "HEAD").strip()

    def status(self) -> list[str]:
        """What git says is not as committed."""
        return self.git("status", "--porcelain").splitlines()

    def commit_all(self, message: str = "The author's work") -> str:
        """Commits everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.head()


def in_git(site: Site, *words: str, settings: Mapping[str, str] | None = None) -> Repository:
    """Makes a repository of a site, with all that is in it committed."""
    repository = Repository(site.root)
    repository.git("init", "--quiet", "--initial-branch", "main", *words)
    for name, value in {"user.name": "Ada", "user.email": "ada@example.org", **(settings or {})}.items():
        repository.git("config", name, value)
    repository.commit_all("The pages as they were")
    return repository
