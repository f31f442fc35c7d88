"""Runs the command line as a process of its own, on a terminal or in a pipe."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Timer

from tests.forks import Fork
from tests.site import KEY, Site
from tests.waiting import TIMEOUT

ROOT = Path(__file__).parent.parent


def environment(**more: str) -> dict[str, str]:
    """What a person's shell would have, with a key."""
    return {**os.environ, "YOUTUBE_API_KEY": KEY, "PYTHONPATH": str(ROOT), **more}


def on_a_terminal(site: Site, *arguments: str, **more: str) -> bytes:
    """What a command shows on a terminal of its own."""
    return typed_ahead(site, b"", *arguments, **more)


def typed_ahead(site: Site, typed: bytes, *arguments: str, **more: str) -> bytes:
    """What a command shows on a terminal on which somebody has typed already."""
    ours, its = os.openpty()
    shell = environment(TERM="xterm-256color", **more)
    with Fork("-m", "syncer", *arguments, cwd=site.root, env=shell, stdin=its, stdout=its, stderr=its) as running:
        os.close(its)
        impatient = Timer(TIMEOUT, running.kill)  # it may ask for more than was typed
        impatient.start()
        os.write(ours, typed)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:
            pass  # Linux's way to say that the terminal is closed
        finally:
            impatient.cancel()
    os.close(ours)
    return shown
