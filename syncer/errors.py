"""Every error that is raised on purpose. What is wrong with one page or one video is a `Problem`, not an error."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """The exit code of a command (`docs/reference/commands.md`, Exit codes)."""

    OK = 0
    PROBLEMS = 1
    """The work is done, and something needs attention."""
    CANNOT_RUN = 2
    """The command line, the config, the key or the state is wrong; nothing was done."""
    NOTHING_ANSWERED = 3
    """Every request failed, or the key was refused."""
    LOCKED = 4
    """Another writer held the lock for too long."""
    BUG = 70
    INTERRUPTED = 130
    """It was stopped."""


class FailOn(StrEnum):
    """What makes a sync end with exit code 1, by the words of `syncer sync --fail-on`."""

    PROBLEMS = "problems"
    """Any problem but one that has its own word."""
    LEFT_OUT = "left-out"
    """Videos were left out for lack of quota."""
    BRAKE = "brake"
    """The safety brake holds readings."""
    NOT_PUSHED = "not-pushed"
    """Commits could not be pushed."""


class SyncerError(Exception):
    """The root. The message is one sentence that says what is wrong and what to do.

    `kind` names the error in `--json` output; `exit_code` is the command's exit code.
    """

    kind = "error"
    exit_code = ExitCode.CANNOT_RUN

    def document(self, message: str) -> dict[str, object]:
        """Return the JSON document of a command that could not run; `message` is what is shown of the error."""
        return {"error": {"kind": self.kind, "message": message}, "exit": self.exit_code}


class Bug(SyncerError):
    """An error that nobody raised on purpose. A log has its traceback."""

    kind = "bug"
    exit_code = ExitCode.BUG

    def __init__(self, error: BaseException, log: str = "the log") -> None:
        super().__init__(f"a bug in syncer ({type(error).__name__}); {log} has the traceback")


class UsageError(SyncerError):
    """The command line is wrong, or names a path or a video that does not exist."""

    kind = "usage"


class ContentGone(SyncerError):
    """There is no page, although the state knows many videos: most likely a disk is not mounted."""

    kind = "content-gone"


class ConfigError(SyncerError):
    """The config is missing or wrong; the message has a line for each finding."""

    kind = "config"


class KeyMissing(SyncerError):
    """There is no API key, or it cannot be read."""

    kind = "no-key"


class StateError(SyncerError):
    """The state cannot be used: it is not writable, of a newer version, or of another site."""

    kind = "state"


class StateDamaged(StateError):
    """The state's file is not a valid database, or has values that syncer does not store."""

    def __init__(self, what: str, remedy: str = "run `syncer sync`, which sets it aside and starts a new one") -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what


class LedgerUnreachable(StateError):
    """The ledger that the site shares is damaged, locked, or cannot be read or written; its config may be right."""


class Locked(SyncerError):
    """Another writer held the lock for longer than the wait."""

    kind = "locked"
    exit_code = ExitCode.LOCKED


class NoDaemon(SyncerError):
    """No daemon runs on this state, or this user may not connect to it."""

    kind = "no-daemon"


class NameTaken(StateError):
    """Another machine of the fleet is called as this one. It may have copies of the sites, so this one syncs none."""


class NotSyncedHere(SyncerError):
    """Another host of the fleet syncs the site, or it is still to be cloned here: nothing is wrong."""


class NotSynced(NoDaemon):
    """A daemon runs, or may run, but it does not sync this site."""


class NotRunning(NotSynced):
    """No daemon runs."""


class DaemonEnded(SyncerError):
    """The daemon stopped before the sync ended that the command waits for."""

    kind = "daemon-ended"
    exit_code = ExitCode.INTERRUPTED


class Stopped(SyncerError):
    """It was stopped before anything was done."""

    kind = "stopped"
    exit_code = ExitCode.INTERRUPTED


class GitError(SyncerError):
    """A git command failed."""

    kind = "git"
