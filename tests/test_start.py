"""What a command loads, so that it begins and ends quickly: by what is imported, not by time."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.site import Site, crlf, ids
from tests.terminal import environment

PROGRAM = """
import gc, sys
from syncer.__main__ import main
sys.argv[0] = "syncer"
code = main()
print(code, gc.get_freeze_count() > 0, gc.get_threshold()[0], *sys.modules, file=sys.stderr)
"""

UNUSED = {
    "sync": {
        *("googleapiclient.discovery", "google.oauth2", "cryptography", "rich.console", "rich.progress"),
        *("syncer.sync.publish", "syncer.commit", "syncer.git"),
        *("pathspec", "tomli", "syncer.front_matter.interpret", "syncer.front_matter.locate"),
        *("syncer.state.shared_ledger", "syncer.state.ledger_file", "syncer.decide.project_quota"),
        *("syncer.state.ledger_place", "psycopg"),
    },
    "status": {
        *("googleapiclient", "httplib2", "http", "tenacity", "rich.console"),
        *("syncer.content.left_over", "syncer.front_matter.find", "syncer.trigger", "syncer.sync"),
        *("syncer.state.shared_ledger", "syncer.state.ledger_file", "syncer.decide.project_quota"),
        *("syncer.state.ledger_place", "psycopg"),
    },
}
"""What each command has no use for where it does not print to a terminal, commit or complete an earlier sync, and all
pages are plain.
"""


def end_of(site: Site, command: str) -> list[str]:
    """The exit code of a command, whether its garbage is left, how many objects are made before any is looked for,
    and the names of all modules.
    """
    line = [sys.executable, "-c", PROGRAM, command]
    done = subprocess.run(line, cwd=site.root, env=environment(), capture_output=True, text=True, check=True)
    return done.stderr.split()


@pytest.fixture
def small(site: Site) -> Site:
    fields = "{video_id: vid_id, counts: {viewCount: viewcount, likeCount: likeCount}}"
    site.configure(collections=f"  - directory: content\n    fields: {fields}\n")
    site.put("content/one.md", crlf(ids(1)[0], 1, 1))
    return site


@pytest.mark.parametrize("command", UNUSED)
def test_a_command_loads_nothing_that_it_has_no_use_for(small: Site, command: str) -> None:
    code, _, _, *modules = end_of(small, command)
    assert (code, UNUSED[command].intersection(modules)) == ("0", set())
    assert "syncer.cli." + command in modules


def test_a_process_that_only_starts_and_ends_does_not_look_for_garbage(small: Site) -> None:
    _, is_left, objects, *_ = end_of(small, "sync")
    assert (is_left, int(objects) > 10_000) == ("True", True)
