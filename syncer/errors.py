"""Every error raised on purpose. One page's or one video's trouble is no error but a `Problem`."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command ends with (`docs/reference/commands.md`, Exit codes)."""

    OK = 0
    PROBLEMS = 1
    """It did its work, and something needs attention."""
    CANNOT_RUN = 2
    """The command line, the config, the key or the state does not let it run."""
    NOTHING_ANSWERED = 3
    """Every request failed, or the key was refused."""
    LOCKED = 4
    """Another writer held the lock for too long."""
    BUG = 70
    INTERRUPTED = 130
    """It was told to stop."""


class SyncerError(Exception):
    """The root: the message is one sentence that says what is wrong and what to do.

    `kind` names the error in `--json` output; `exit_code` is what the command ends with.
    """

    kind = "error"
    exit_code = ExitCode.CANNOT_RUN


class UsageError(SyncerError):
    """The command line asks for something that does not exist: a path, a video."""

    kind = "usage"


class ContentGone(SyncerError):
    """There is not one page, where the state knows of many: a disk that is not mounted, most likely."""

    kind = "content-gone"


class ConfigError(SyncerError):
    """The config is missing or wrong; the message holds every finding, one on a line."""

    kind = "config"


class KeyMissing(SyncerError):
    """There is no API key, or it cannot be read."""

    kind = "no-key"


class StateError(SyncerError):
    """The state cannot be used: unwritable, of a newer version, or of another site."""

    kind = "state"


class StateDamaged(StateError):
    """The state's file is no database any more, a torn one, or holds what we did not store."""

    def __init__(self, what: str, remedy: str = "the next sync sets it aside and begins a new one") -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what


class Locked(SyncerError):
    """Another writer held the lock for as long as we were willing to wait."""

    kind = "locked"
    exit_code = ExitCode.LOCKED


class NoDaemon(SyncerError):
    """No daemon runs on this state, or it may not be spoken to."""

    kind = "no-daemon"


class DaemonEnded(SyncerError):
    """The daemon ended before the sync that somebody waits for."""

    kind = "daemon-ended"
    exit_code = ExitCode.INTERRUPTED


class Stopped(SyncerError):
    """It was told to stop before anything was done."""

    kind = "stopped"
    exit_code = ExitCode.INTERRUPTED


class GitError(SyncerError):
    """A git command failed."""

    kind = "git"
