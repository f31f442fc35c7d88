"""Runs the tests of front matter on every Python of this machine that the program supports: `./dev pythons`.

Patterns and parsers are what differs between Pythons; the rest of the program is tested on the one at hand. Another
Python of the same minor version is left out, unless it has a flaw that the one at hand does not have. What the tests
need is taken from the lock, once for each Python, into a directory that git does not look at.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".pythons"
NEEDED = {"hypothesis", "iniconfig", "packaging", "pluggy", "pygments", "pytest", "pyyaml", "sortedcontainers", "tomli"}
"""Names in the lock: what the tests import, and what that needs."""

TESTS = [
    *("tests/front_matter", "-m", "not storm"),
    *("-k", "not monstrous and not linear and not largest_size and not beyond_the_limit and not too_many_bytes"),
    *("-q", "--noconftest", "--hypothesis-profile=ci", "-p", "no:cacheprovider"),  # ci: the same examples each time
]
"""Without the storms, which are about size and real pages, and without those about the clock or the largest sizes."""

TIMEOUT = 1800
"""Seconds for the tests on one Python: where other tests have priority, most of these are spent waiting."""

KEPT_BY = [(["pyenv", "root"], "versions/*/bin"), (["uv", "python", "dir"], "*/bin")]
"""Programs that keep Pythons elsewhere than on the PATH: how to ask them where, and where below that."""

Version = tuple[int, int, int]
FLAWED = ((3, 11, 0), (3, 11, 4))
"""Their `re` goes wrong with possessive and atomic groups (https://github.com/python/cpython/issues/106052)."""


def main() -> int:
    """Run them, say how it went and which Pythons lack, and return the exit code."""
    found = find(directories())
    for sentence in lacking({*found, sys.version_info[:3]}, supported()):
        print(sentence)
    others = {version: path for version, path in found.items() if not reads_alike(version, sys.version_info[:3])}
    if "SYNCER_PROVE" not in os.environ:  # what changed between two Pythons shows in the newer one
        others = {version: path for version, path in others.items() if version in {min(others), max(others)}}
    if not others:
        return 0
    with ThreadPoolExecutor(max_workers=len(others)) as pool:
        return int(any(list(pool.map(run, others.values(), others))))


def reads_alike(one: Version, other: Version) -> bool:
    """Return whether two versions have the same parsers and patterns, so that a test on both tells nothing more."""
    return one[:2] == other[:2] and is_flawed(one) == is_flawed(other)


def is_flawed(version: Version) -> bool:
    """Return whether it is one of those whose patterns go wrong."""
    return FLAWED[0] <= version <= FLAWED[1]


def directories() -> Iterator[Path]:
    """Yield where programs are, and where other Pythons are kept."""
    yield from map(Path, os.environ.get("PATH", os.defpath).split(os.pathsep))
    for command, below in KEPT_BY:
        if shutil.which(command[0]):
            said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
            yield from sorted(Path(said).glob(below)) if said else ()


def find(places: Iterable[Path]) -> dict[Version, Path]:
    """Return each version of Python that runs and is not too old, and the first path of it."""
    found: dict[Version, Path] = {}
    for path in (path for place in places if place.is_dir() for path in sorted(place.iterdir())):
        if re.fullmatch(r"python3(\.[0-9]+)?", path.name):
            version = version_of(path)
            if version and version[:2] >= min(supported()):
                found.setdefault(version, path)
    return dict(sorted(found.items()))


def version_of(path: Path) -> Version | None:
    """Return its version; None where it is one of those that only say that there is none."""
    code = "import sys; print(*sys.version_info[:3])"
    try:
        said = subprocess.run([path, "-c", code], capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    numbers = tuple(map(int, said.split()))
    return numbers if len(numbers) == 3 else None


def supported() -> list[tuple[int, int]]:
    """Return the versions that the project says it runs on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said = (re.fullmatch(r".*:: (3)\.([0-9]+)", classifier) for classifier in project["classifiers"])
    return [(int(match[1]), int(match[2])) for match in said if match]


def lacking(found: Iterable[Version], wanted: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Yield a sentence for each version that is wanted and not here."""
    versions = sorted(found)
    for major, minor in wanted:
        if (major, minor) not in {version[:2] for version in versions}:
            yield f"no Python {major}.{minor} here: not tested on it"
    if not any(map(is_flawed, versions)):
        yield "no Python of 3.11.0 to 3.11.4 here, whose `re` is flawed: not tested on one"


def run(path: Path, version: Version) -> int:
    """Run the tests on one Python; print how it went, and return its exit code."""
    name = ".".join(map(str, version))
    libraries = prepare(path, CACHE / name)
    done = subprocess.run(
        [path, "-S", "-m", "pytest", *TESTS],  # -S: without what somebody has installed there
        cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{libraries}{os.pathsep}{ROOT}", "SYNCER_PART_OF_EXAMPLES": "8"},
        capture_output=True, text=True, check=False, timeout=TIMEOUT,
    )  # fmt: skip
    lines = (done.stdout + done.stderr).strip().splitlines()
    print(
        "\n".join([f"Python {name}: {lines[-1] if lines else 'nothing was said'}", *(lines if done.returncode else [])])
    )
    return done.returncode


def prepare(path: Path, libraries: Path) -> Path:
    """Return the directory of what the tests import on this Python, made once from the lock."""
    wanted = from_lock()
    stamp = libraries / "made-from-this.txt"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(libraries, ignore_errors=True)
        libraries.mkdir(parents=True)
        (libraries / "wanted.txt").write_text(wanted, encoding="utf-8")
        # with `--python`, pip itself would run on the other Python, and an old pip fails on a new one
        here = [sys.executable, "-m", "pip", "install", "--only-binary", ":all:", "--python-version", libraries.name]
        installer = here if find_spec("pip") else ["uv", "pip", "install", "--python", str(path)]
        options = ["--quiet", "--quiet", "--target", str(libraries), "--no-deps", "--require-hashes"]
        quiet = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
        subprocess.run([*installer, *options, "-r", str(libraries / "wanted.txt")], check=True, env=quiet)
        stamp.write_text(wanted, encoding="utf-8")
    return libraries


def from_lock() -> str:
    """Return the part of the lock that names what is needed, hashes and all."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    parts = re.findall(r"^(([a-z0-9._-]+)==.*\n(?: .*\n)*)", lock, re.MULTILINE)
    assert {name for _, name in parts} >= NEEDED
    return "".join(part for part, name in parts if name in NEEDED)


if __name__ == "__main__":
    raise SystemExit(main())
