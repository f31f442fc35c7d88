"""Secrets in the environment: kept for this process, and taken from what the programs inherit that it starts."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping


def take_out(names: Collection[str], secret: str = "") -> None:
    """Take these variables out of the environment, and all that hold `secret` or the same as one of these.

    Git alone can start some twenty programs: filters, ssh, gpg, helpers. None of them needs our key. That a program of
    the same user can read the key where it was stored cannot be helped from here.
    """
    secrets = {secret, *(os.environ.get(name, "").strip() for name in names)} - {""}
    for name, value in list(os.environ.items()):
        if name in names or value.strip() in secrets:
            del os.environ[name]


def put_back(environ: Mapping[str, str]) -> None:
    """Put back what was taken out of this environment: the command has ended, its caller may go on."""
    for name, value in environ.items():
        os.environ.setdefault(name, value)
