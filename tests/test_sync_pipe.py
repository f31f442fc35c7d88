"""The docstring of `sync/make` is a map of a sync: every stage that it names is in the file that it names."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from syncer.sync import make

STAGES = re.findall(r"^[ |]+(\w+) +([a-z_]+/[a-z_]+) ", make.__doc__ or "", re.MULTILINE)


def test_the_map_is_read() -> None:
    assert len(STAGES) >= 15


@pytest.mark.parametrize(("name", "file"), STAGES)
def test_a_stage_of_the_map_is_in_the_file_that_it_names(name: str, file: str) -> None:
    module = import_module(f"syncer.{file.replace('/', '.')}")
    assert getattr(module, name).__module__ == module.__name__
