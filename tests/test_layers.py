"""Modules import only from layers below their own, and each library is used only where it may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "syncer"

LAYERS = {
    "model": 0, "errors": 0, "control": 0, "redact": 0,
    "front_matter": 1, "decide": 1, "wording": 1, "own_files": 1,
    "content": 2, "state": 2, "youtube": 2, "diff_log": 2, "git": 2, "trigger": 2, "build_hook": 2, "config": 2,
    "suggest": 2,
    "commit": 3, "status": 3,
    "sync": 4,
    "daemon": 5, "status_page": 5, "check": 5, "demo": 5, "review": 5, "fleet": 5,
    "cli": 6,
    "__main__": 7,
}  # fmt: skip
"""The layer of each package. `simulator` belongs to none; `syncer` itself contains the version."""

PACKAGES_OF = {
    "googleapiclient": {"youtube"}, "httplib2": {"youtube"}, "tenacity": {"youtube"}, "socks": {"youtube"},
    "sqlite3": {"state"}, "psycopg": {"state"},
    "subprocess": {"git", "check"},
    "apscheduler": {"daemon"}, "procrastinate": {"fleet"},
    "starlette": {"status_page"}, "uvicorn": {"status_page"}, "prometheus_client": {"status_page"},
    "anyio": {"status_page"}, "apprise": {"daemon"},
    "click": {"cli"}, "rich": {"cli"}, "duckdb": {"cli"},
    "yaml": {"front_matter", "config", "suggest"},
    "tomli": {"front_matter"},
    "pydantic": {"config"},
    "pathspec": {"content", "config"},
    "http": {"simulator", "youtube", "trigger", "build_hook"},
}  # fmt: skip
"""Which packages may use a library."""

HOLLOW_NAMES = {
    "utils",
    "util",
    "helpers",
    "common",
    "manager",
    "handler",
    "service",
    "processor",
    "base",
    "core",
    "logic",
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def package_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield f"{node.module}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_layers_below_its_own(path: Path) -> None:
    package = package_of(path)
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] != "syncer" or parts[1:] in ([], [package]) or parts[1] == package:
            continue
        if parts[1] == "simulator":
            assert package in {"demo", "cli"}, f"{package} imports the simulator"
        else:
            assert package != "simulator", f"the simulator shares no code with syncer, but imports {name}"
            assert LAYERS[parts[1]] < LAYERS[package], f"{package} (layer {LAYERS[package]}) imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_library_is_used_only_in_its_packages(path: Path) -> None:
    for name in imports_of(path):
        library = name.split(".")[0]
        assert package_of(path) in PACKAGES_OF.get(library, {package_of(path)}), f"{path.name} imports {name}"


def test_no_two_modules_import_each_other_in_a_circle() -> None:
    graph = {module_name(path): {n for n in imports_of(path) if n.startswith("syncer.")} for path in MODULES}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, f"a circle: {' -> '.join((*way, name))}"
        if name not in done:
            for other in graph.get(name, set()):
                visit(other, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def module_name(path: Path) -> str:
    return ".".join(("syncer", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def test_every_package_has_a_layer_and_no_hollow_name() -> None:
    packages = {package_of(path) for path in MODULES} - {"__init__"}
    assert packages == set(LAYERS) | {"simulator"}
    assert not HOLLOW_NAMES & {path.stem for path in MODULES}


@pytest.mark.parametrize("path", [p for p in MODULES if p.name == "__init__.py"], ids=str)
def test_a_package_s_init_holds_a_docstring_only(path: Path) -> None:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert ast.get_docstring(ast.Module(body, []))
    rest = [node for node in body[1:] if not (isinstance(node, ast.Assign) and path.parent == PACKAGE)]
    assert not rest
