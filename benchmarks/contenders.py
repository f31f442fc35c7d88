"""Runs one contender in a process of its own: `python -m benchmarks.contenders TASK`, the task in JSON.

Prints one line of JSON: seconds of wall and processor time, peak memory, and how many pages were handled.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from benchmarks import ours, processes, theirs
from benchmarks.measured import Measured, Task

ROOT = Path(__file__).parent.parent

CONTENDERS: Mapping[str, Callable[[Task], Measured]] = {
    contender.__name__: contender
    for contender in (
        ours.our_scan,
        ours.our_rewrite,
        ours.our_commit,
        ours.git_commit,
        ours.our_sync,
        ours.our_fetch,
        theirs.bare_loop,
        theirs.bare_rewrite,
        theirs.bare_fetch,
        theirs.frontmatter_load,
        theirs.frontmatter_rewrite,
        theirs.overwrite,
        theirs.user_script,
        processes.sync_process,
        processes.script_process,
        processes.status_process,
        processes.help_process,
        processes.python_process,
        processes.daemon_at_rest,
    )
}


def run(task: Task, *, expected: int) -> Measured:
    """Run a contender in a fresh process. Raises RuntimeError, with the reason, when it did not do its whole work."""
    command = [sys.executable, "-m", "benchmarks.contenders", json.dumps(asdict(task))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    sys.stderr.write(done.stderr)
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2]
        raise RuntimeError(f"{task.contender} ended with {done.returncode}: {reason}")
    measured = Measured(**json.loads(done.stdout))
    if measured.pages != expected:
        raise RuntimeError(f"{task.contender} handled {measured.pages} pages of {expected}: its time says nothing")
    return measured


if __name__ == "__main__":
    given = Task(**json.loads(sys.argv[1]))
    print(json.dumps(asdict(CONTENDERS[given.contender](given))))
