"""The other Pythons of a machine are found where programs are, each version once; those that lack are named."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.on_other_pythons import NEEDED, ROOT, find, from_lock, lacking, reads_alike


def test_each_version_is_found_once_and_what_does_not_run_or_is_too_old_is_none(tmp_path: Path) -> None:
    for name, body in (
        ("python3", "echo 3 11 2"),
        ("python3.11", "echo 3 11 2"),
        ("python3.13", "echo 3 13 0"),
        ("python3.10", "echo 3 10 1"),
        ("python3.12", "echo 'no such version' >&2; exit 127"),
        ("python3-config", "echo 3 14 0"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    found = find([tmp_path / "nothing", tmp_path])
    assert found == {(3, 11, 2): tmp_path / "python3", (3, 13, 0): tmp_path / "python3.13"}


def test_what_lacks_is_said() -> None:
    wanted = [(3, 11), (3, 12), (3, 13)]
    assert list(lacking([(3, 11, 4), (3, 12, 0), (3, 13, 9)], wanted)) == []
    assert list(lacking([(3, 11, 5), (3, 13, 0)], wanted)) == [
        "no Python 3.12 here: not tested on it",
        "no Python of 3.11.0 to 3.11.4 here, whose `re` is flawed: not tested on one",
    ]


def test_a_python_of_the_same_minor_version_reads_alike_unless_one_of_the_two_is_flawed() -> None:
    assert reads_alike((3, 13, 9), (3, 13, 0))
    assert reads_alike((3, 11, 2), (3, 11, 4))
    assert not reads_alike((3, 11, 2), (3, 11, 7))
    assert not reads_alike((3, 12, 1), (3, 13, 1))


def test_what_they_need_is_in_the_lock_with_its_hashes() -> None:
    lines = from_lock().splitlines()
    assert [line for line in lines if not (line.startswith("    --hash=sha256:") or line.endswith(" \\"))] == []


def test_the_tests_import_nothing_else() -> None:
    files = (ROOT / "tests" / "front_matter").glob("test_*.py")
    modules = [f"tests.front_matter.{file.stem}" for file in files]
    others = [name for name, of in packages_distributions().items() if not {each.lower() for each in of} & NEEDED]
    code = f"import importlib, sys; sys.modules |= dict.fromkeys({others}); [*map(importlib.import_module, {modules})]"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "pydantic" in others
    assert (ran.returncode, ran.stderr) == (0, "")
