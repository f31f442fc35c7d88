"""Finds pages with counts that git does not see, because the author set a flag on the file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from syncer.commit.uncommitted import Source, find_waiting
from syncer.git.repository import files_in, flagged
from syncer.wording import counted, safe


def find_unseen(source: Source, commit: str) -> Mapping[str, str]:
    """Return the files with counts of ours that a commit lacks and git does not see, by the flag that hides them.

    Raises GitError and StateError.
    """
    flags = flagged(source.repository, source.within)
    if not flags:
        return {}
    files = find_waiting(source, files_in(source.repository, commit, source.within, flags))
    return {file.path: flags[file.path] for file in files if any(written for _, _, written in file.counts)}


def say_unseen(files: Mapping[str, str]) -> Iterator[str]:
    """Say which pages those are, a sentence for each flag."""
    by_flag: defaultdict[str, list[str]] = defaultdict(list)
    for path, flag in files.items():
        by_flag[flag].append(path)
    for flag, paths in by_flag.items():
        first = safe(min(paths))
        yield (
            f"the counts of {counted(len(paths), 'page')}, such as {first}, cannot be committed: git ignores changes"
            f" to the file ({flag}); run `git update-index --no-{flag} PATH`, and the next sync commits them"
        )
