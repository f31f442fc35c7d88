"""What is shipped is whole: the wheel works outside the clone, the lock names no host, help is quick."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import packages_distributions, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
BARE = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SYNCER", "YOUTUBE"))}


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, env=BARE, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment outside the clone with the wheel in it; its dependencies are borrowed from this one."""
    place = tmp_path_factory.mktemp("outside")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", place, str(ROOT), cwd=place)
    wheel = next(place.glob("syncer_youtube-*.whl"))
    venv.create(place / "venv", with_pip=False)
    python = place / "venv" / "bin" / "python"
    run(*pip, "--python", python, "install", "--no-deps", "--no-compile", wheel, cwd=place)
    borrowed = Path(run(sys.executable, "-c", "import click; print(click.__path__[0])", cwd=place).strip()).parent
    packages = run(python, "-c", "import site; print(site.getsitepackages()[0])", cwd=place).strip()
    Path(packages, "borrowed.pth").write_text(f"{borrowed}\n", encoding="utf-8")
    return place


def test_the_wheel_runs_the_tour_outside_the_clone(installed: Path) -> None:
    syncer = installed / "venv" / "bin" / "syncer"
    where = run(installed / "venv" / "bin" / "python", "-c", "import syncer; print(syncer.__file__)", cwd=installed)
    assert where.startswith(str(installed))
    assert run(syncer, "--version", cwd=installed).strip() == f"syncer, version {version('syncer-youtube')}"
    tour = run(syncer, "demo", cwd=installed)
    assert "Changed 22 counts on 11 pages." in tour
    assert "git diff" in tour


def test_every_imported_library_is_declared_and_none_is_declared_for_nothing() -> None:
    declared = [Requirement(text) for text in requires("syncer-youtube") or []]
    always = {canonicalize_name(each.name) for each in declared if not each.marker}
    extras = {canonicalize_name(each.name) for each in declared if each.marker}
    distributions = packages_distributions()
    imported = set()
    for path in (ROOT / "syncer").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            imported |= {name.split(".")[0] for name in names}
    third_party = imported - set(sys.stdlib_module_names) - {"syncer", "_typeshed"}  # the type checker's own
    third_party -= {"pydantic_core"}  # pydantic pins its own core
    used = {canonicalize_name(name) for library in third_party for name in distributions.get(library, [library])} | {
        "tzdata"
    }
    assert always <= used <= always | extras


def test_every_dependency_has_a_lower_and_an_upper_bound_that_the_lock_keeps() -> None:
    fleet = (ROOT / "requirements-fleet.lock").read_text(encoding="utf-8")
    of_fleet = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", fleet, re.MULTILINE))  # they need not be installed
    for text in requires("syncer-youtube") or []:
        requirement = Requirement(text)
        operators = {specifier.operator for specifier in requirement.specifier}
        assert ">=" in operators, text
        assert "<" in operators or requirement.name == "tzdata", text  # tzdata's versions are dates
        assert requirement.specifier.contains(of_fleet.get(requirement.name) or version(requirement.name)), text


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-fleet.lock"])
def test_a_lock_is_all_hashes_and_names_no_host(name: str) -> None:
    lock = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in lock
    for pinned in re.split(r"\n(?=\S)", lock):
        if not pinned.startswith("#"):
            assert "--hash=sha256:" in pinned, pinned


def test_the_lock_holds_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").lower()
    wanted = (
        project["project"]["dependencies"] + project["dependency-groups"]["dev"] + project["build-system"]["requires"]
    )
    for text in wanted:
        assert f"\n{Requirement(text).name.lower()}==" in lock, f"{text} is not locked: run ./dev lock"


def test_the_lock_of_fleets_holds_the_extra_and_the_same_versions_of_all_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock, of_fleet = (
        dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("requirements.lock", "requirements-fleet.lock")
    )
    wanted = {canonicalize_name(Requirement(text).name) for text in project["optional-dependencies"]["fleet"]}
    assert wanted <= of_fleet.keys() - lock.keys(), "run ./dev lock"
    assert {name: lock[name] for name in of_fleet.keys() & lock.keys()}.items() <= of_fleet.items(), "run ./dev lock"


def test_help_loads_no_heavy_library() -> None:
    code = "import sys; from syncer.cli.main import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    heavy = {"googleapiclient", "httplib2", "apscheduler", "pydantic", "yaml", "sqlite3", "rich", "tenacity", "http"}
    heavy |= {"starlette", "uvicorn", "prometheus_client", "anyio", "psycopg"}
    assert not loaded & heavy
    assert "Commands:" in done.stdout
