"""`./dev` says what it does while it sets up `.venv`, keeps pip's warnings to itself, and shows what went wrong."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BACKEND = """\
import zipfile

METADATA = "Metadata-Version: 2.1\\nName: syncer-youtube\\nVersion: 1\\n"

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "syncer_youtube-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        wheel.writestr("syncer_youtube-1.dist-info/METADATA", METADATA)
        wheel.writestr("syncer_youtube-1.dist-info/entry_points.txt", "[console_scripts]\\nsyncer = builtins:print\\n")
        wheel.writestr("syncer_youtube-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr("syncer_youtube-1.dist-info/RECORD", "")
    return name
"""
PYPROJECT = """\
[project]
name = "syncer-youtube"
version = "1"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A small clone: the real `./dev`, a lock of one package, and a package that builds without a build library."""
    shutil.copy2(ROOT / "dev", tmp_path / "dev")
    (tmp_path / "backend.py").write_text(BACKEND, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (tmp_path / "wheels").mkdir()
    for name, lock in (("one", "requirements.lock"), ("two", "requirements-fleet.lock")):
        wheel = tmp_path / "wheels" / f"{name}-1-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as made:
            made.writestr(f"{name}-1.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
            made.writestr(f"{name}-1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            made.writestr(f"{name}-1.dist-info/RECORD", "")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        (tmp_path / lock).write_text(f"{name}==1 --hash=sha256:{digest}\n", encoding="utf-8")
    return tmp_path


def dev(clone: Path, *arguments: str, fleet: str = "") -> subprocess.CompletedProcess[str]:
    environment = {
        "SYNCER_FLEET": fleet,
        "PATH": os.environ["PATH"],
        "HOME": str(clone),
        "PYTHON": sys.executable,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": f"{clone}/wheels {clone}/a-mirror-that-is-gone",
    }
    return subprocess.run(
        [clone / "dev", *arguments],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
        start_new_session=True,
    )  # fmt: skip


def test_a_setup_that_fails_shows_the_errors_and_where_the_whole_output_is(clone: Path) -> None:
    (clone / "requirements.lock").write_text("one==2 --hash=sha256:" + "0" * 64 + "\n", encoding="utf-8")
    done = dev(clone, "run")
    assert (done.returncode, done.stdout) == (1, "")
    assert "ERROR: No matching distribution found for one==2" in done.stderr
    assert "WARNING" not in done.stderr
    assert done.stderr.endswith("dev: The setup of .venv failed. The whole output is in .venv.log.\n")
    assert "a-mirror-that-is-gone" in (clone / ".venv.log").read_text(encoding="utf-8")
    assert not (clone / ".venv").exists()


@pytest.mark.storm
def test_the_setup_says_what_it_does_and_happens_once(clone: Path) -> None:
    libraries = clone / ".venv/lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    for fleet, lines in (
        ("", [
            "dev: Setting up .venv. This happens once and takes half a minute to three minutes.",
            f"dev:   1 of 3: created .venv with Python {sys.version.split()[0]}",
            "dev:   2 of 3: installing the packages of requirements.lock",
            "dev:   3 of 3: installing syncer",
            "dev: Done.",
        ]),
        ("", []),
        ("yes", ["dev: Installing the packages of requirements-fleet.lock, for the tests with a database server."]),
        ("yes", []),
    ):  # fmt: skip
        done = dev(clone, "run", fleet=fleet)
        assert (done.returncode, done.stdout) == (0, "\n"), "what the package's own command prints"
        assert done.stderr.splitlines() == lines
        assert not (clone / ".venv.log").exists()
        assert [name for name in ("one", "two") if (libraries / f"{name}-1.dist-info").exists()] == (
            ["one", "two"] if fleet else ["one"]
        )


def test_without_python_it_says_what_to_install(clone: Path) -> None:
    tools = clone / "tools"
    tools.mkdir()
    for tool in ("sh", "dirname", "rm", "cmp"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    done = subprocess.run(
        [clone / "dev", "lint"], env={"PATH": str(tools)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[1].startswith("dev: Python 3.11 or newer is needed. Install it")
    assert not (clone / ".venv.log").exists()


def test_without_a_command_it_lists_the_commands_and_sets_nothing_up(clone: Path) -> None:
    done = dev(clone)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: ./dev COMMAND")
    assert not (clone / ".venv").exists()
