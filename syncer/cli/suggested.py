"""Spells the commands that sentences suggest: pasted into the same shell, they are about the same configs."""

from __future__ import annotations

import re
import shlex

from syncer.cli.settings import DEFAULT_CONFIG, USED

SUGGESTED = re.compile(r"`syncer ([a-z][^`]*)`")
"""A command in a sentence. `syncer --help`, and one that names its config itself, stay as they are."""


def spelled(found: re.Match[str]) -> str:
    """Return a command that `SUGGESTED` found, with the config of the site whose turn it is, or those of this run.

    Without `-c` where it is not needed.
    """
    from syncer.daemon.site_names import current_site

    settings = USED.get(current_site()) or USED.get(None)
    if settings is None or settings.config_paths == (settings.environ.get("SYNCER_CONFIG") or DEFAULT_CONFIG,):
        return found[0]
    configs = " ".join(f"-c {shlex.quote(path)}" for path in settings.config_paths)
    return f"`syncer {configs} {found[1]}`"
