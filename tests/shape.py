"""Counts the shape of the house: `python -m tests.shape`, and the last lines of `./dev lint`.

How much code the command `syncer sync` runs on plain pages, how many private functions are called once, which names
exist twice. The limits are set here; `tests/test_shape.py` holds them. `--list` names what is counted, file by file.
"""

from __future__ import annotations

import ast
import os
import shutil
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import timedelta
from inspect import CO_OPTIMIZED
from io import StringIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from types import FrameType

import pytest

from syncer.cli.main import main as syncer
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from tests.site import KEY, Site, crlf, ids, kept_log

PACKAGE = Path(__file__).resolve().parent.parent / "syncer"

PREFIX = f"{PACKAGE}{os.sep}"
SIMULATOR = f"{PREFIX}simulator{os.sep}"

SYNC_FILES = 64
"""Files of `syncer/` in which the command `syncer sync` runs a function, on plain pages."""

SYNC_FUNCTIONS = 439
"""Functions of `syncer/` that the command `syncer sync` runs, on plain pages."""

CALLED_ONCE_SHARE = 0.20
"""Private functions that are named once, as a share of all functions."""

SHARED_CLASS_NAMES = 3
"""Public class names that more than one module defines."""

NONLOCALS = 0
"""`nonlocal` statements."""

LOOSE_FILES = 9
"""Modules directly in `syncer/`, without `__init__` and `__main__`."""

LONG_FILE_LINES = 400
"""A file with more lines is listed."""

PAGES = 5
"""Pages of the site whose sync is counted: one batch."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Module:
    """A file of `syncer/`: its path below the package, its number of lines, and its tree."""

    path: str
    lines: int
    tree: ast.Module

    @property
    def functions(self) -> Sequence[Function]:
        """Functions and methods, nested ones too."""
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something is defined. The path is below the package."""

    path: str
    line: int
    name: str

    def __str__(self) -> str:
        return f"syncer/{self.path}:{self.line} {self.name}"


@dataclass(frozen=True, slots=True)
class Trace:
    """What ran: the functions, and how many of them each thread had on its stack."""

    functions: set[Place] = field(default_factory=set)
    depths: Counter[int] = field(default_factory=Counter)
    deepest: Counter[int] = field(default_factory=Counter)

    @property
    def files(self) -> Counter[str]:
        """The files, and how many of their functions ran."""
        return Counter(place.path for place in self.functions)

    @property
    def depth(self) -> int:
        """The greatest number of functions on one stack."""
        return max(self.deepest.values())


def main(arguments: Sequence[str]) -> int:
    """Print the counts and their limits, with `--list` what they count; return 0, for the tests hold the limits."""
    modules = read_modules()
    for title, items in [*sync_counts(trace_sync(), trace_sample_sync()), *static_counts(modules)]:
        print(f"shape: {title}")
        if "--list" in arguments:
            print("".join(f"    {item}\n" for item in items), end="")
    return 0


def sync_counts(sync: Trace, sample: Trace) -> Iterator[tuple[str, Iterable[object]]]:
    """Yield a line for each count of what ran, and what it counts."""
    yield f"files that `syncer sync` runs on plain pages: {len(sync.files)} (at most {SYNC_FILES})", in_files(sync)
    functions = f"{len(sync.functions)} (at most {SYNC_FUNCTIONS}), {sync.depth} frames deep"
    yield f"functions that `syncer sync` runs on plain pages: {functions}", sorted(sync.functions)
    functions, files = f"{len(sample.functions)} functions", f"{len(sample.files)} files"
    title = f"`syncer sync` on the sample pages runs: {functions} in {files}, {sample.depth} frames deep"
    yield title, in_files(sample)


def static_counts(modules: Sequence[Module]) -> Iterator[tuple[str, Iterable[object]]]:
    """Yield a line for each count of the source, and what it counts."""
    once, functions = called_once(modules), functions_by_length(modules)
    share = f"{len(once) / len(functions):.1%} (at most {CALLED_ONCE_SHARE:.0%})"
    yield f"private functions called once: {len(once)} of {len(functions)}, {share}", once
    classes, names = shared_class_names(modules), shared_file_names(modules)
    yield f"class names in two modules: {len(classes)} (at most {SHARED_CLASS_NAMES})", in_words(classes)
    yield f"nonlocal statements: {len(nonlocals(modules))} (at most {NONLOCALS})", nonlocals(modules)
    yield f"loose files: {len(loose_files(modules))} (at most {LOOSE_FILES})", loose_files(modules)
    yield f"file names in two packages: {len(names)}", in_words(names)
    yield f"lines: {sum(module.lines for module in modules):,} in {len(modules)} files", ()
    middle, (longest, place) = median(length for length, _ in functions), functions[-1]
    yield f"lines of a function: median {middle:g}, longest {longest} ({place})", ()
    long_files = [f"{module.lines} in syncer/{module.path}" for module in modules if module.lines > LONG_FILE_LINES]
    yield f"files over {LONG_FILE_LINES} lines: {len(long_files)}", long_files


def trace_sync() -> Trace:
    """Return what the command `syncer sync` runs on five pages in YAML whose counts have grown, without git."""
    with Simulator(World()) as youtube, TemporaryDirectory() as directory:
        site = Site(Path(directory), youtube.url)
        site.configure()
        (site.root / "content" / "lists").mkdir(parents=True)
        for number, video in enumerate(ids(PAGES)):
            site.put(f"content/{number}.md", crlf(video, 1, 2))
        code, trace, output = trace_command(site, youtube)
        assert code == 0, output
        assert f"on {PAGES} pages" in output, output
        return trace


def trace_sample_sync() -> Trace:
    """Return what the same command runs on the sample pages, whose forms are many."""
    with Simulator(World()) as youtube, TemporaryDirectory() as directory:
        site = Site(Path(directory), youtube.url)
        shutil.copytree(PACKAGE.parent / "content", site.root / "content")
        config = (PACKAGE.parent / "config" / "syncer.yaml").read_text(encoding="utf-8")
        site.put("config/syncer.yaml", config.replace("https://youtube.googleapis.com/", youtube.url).encode())
        code, trace, output = trace_command(site, youtube)
        assert code in {0, 1}, output
        return trace


def trace_command(site: Site, youtube: Simulator) -> tuple[int, Trace, str]:
    """Run `syncer sync` in the site, and again a day later; return the second's exit code, what it ran, and its output.

    Everything is imported by then, and what functions remember of earlier calls is forgotten.
    """
    with pytest.MonkeyPatch.context() as patch, kept_log():
        patch.chdir(site.root)
        patch.setenv("YOUTUBE_API_KEY", KEY)
        with redirect_stdout(StringIO()):
            syncer(["sync"])
        youtube.clock.advance(timedelta(days=1))
        forget_calls()
        with redirect_stdout(StringIO()) as output, tracing() as trace:
            code = syncer(["sync", "--all"])
        return code, trace, output.getvalue()


def forget_calls() -> None:
    """Empty the caches of functions in `syncer/`, so that the counts are the same whatever ran before."""
    for name, module in list(sys.modules.items()):
        if name.startswith("syncer."):
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


@contextmanager
def tracing() -> Iterator[Trace]:
    """Record which functions of `syncer/` run in this thread, and in threads that start, while the block runs.

    Leaves out the simulator, modules, class bodies, and what has no name of its own: Python 3.12 has no frame for a
    comprehension.
    """
    trace = Trace()

    def record(frame: FrameType, event: str, _arg: object) -> None:
        code, thread = frame.f_code, threading.get_ident()
        if event not in {"call", "return"} or not code.co_filename.startswith(PREFIX):
            return
        if code.co_filename.startswith(SIMULATOR) or code.co_name.startswith("<") or not code.co_flags & CO_OPTIMIZED:
            return
        trace.depths[thread] += 1 if event == "call" else -1
        trace.deepest[thread] = max(trace.deepest[thread], trace.depths[thread])
        trace.functions.add(Place(code.co_filename.removeprefix(PREFIX), code.co_firstlineno, code.co_name))

    before = sys.getprofile(), threading.getprofile()
    threading.setprofile(record)
    sys.setprofile(record)
    try:
        yield trace
    finally:
        sys.setprofile(before[0])
        threading.setprofile(before[1])


def read_modules() -> Sequence[Module]:
    """Return all files of `syncer/`, by their paths."""
    modules = []
    for file in sorted(PACKAGE.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        modules.append(Module(file.relative_to(PACKAGE).as_posix(), len(text.splitlines()), ast.parse(text)))
    return modules


def called_once(modules: Iterable[Module]) -> Sequence[Place]:
    """Return the private functions and methods whose name is read once in their module, outside of themselves."""
    places = []
    for module in modules:
        reads = name_reads(module.tree)
        for function in module.functions:
            private = function.name.startswith("_") and not function.name.startswith("__")
            if private and reads[function.name] - name_reads(function)[function.name] == 1:
                places.append(Place(module.path, function.lineno, function.name))
    return sorted(places)


def name_reads(tree: ast.AST) -> Counter[str]:
    """Return how often each name is read, as a name or as an attribute."""
    reads: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            reads[node.id if isinstance(node, ast.Name) else node.attr] += 1
    return reads


def functions_by_length(modules: Iterable[Module]) -> Sequence[tuple[int, Place]]:
    """Return the lines of each function, with its docstring and without its decorators; the longest last."""
    return sorted(
        ((node.end_lineno or node.lineno) - node.lineno + 1, Place(module.path, node.lineno, node.name))
        for module in modules
        for node in module.functions
    )


def shared_class_names(modules: Iterable[Module]) -> Mapping[str, Sequence[str]]:
    """Return the public class names that more than one module defines, with the modules."""
    paths: dict[str, set[str]] = {}
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                paths.setdefault(node.name, set()).add(module.path)
    return {name: sorted(where) for name, where in sorted(paths.items()) if len(where) > 1}


def shared_file_names(modules: Sequence[Module]) -> Mapping[str, Sequence[str]]:
    """Return the file names that two packages have, with the files.

    A command may be named like what it calls: `cli/review.py` beside `review/`, `cli/check.py` and `check.py`.
    """
    paths: dict[str, list[str]] = {}
    packages = {module.path.split("/")[0].removesuffix(".py") for module in modules}
    for module in modules:
        package, name = module.path.split("/")[0], module.path.split("/")[-1].removesuffix(".py")
        if name != "__init__" and not (package == "cli" and name in packages):
            paths.setdefault(name, []).append(module.path)
    return {name: where for name, where in sorted(paths.items()) if len({path.split("/")[0] for path in where}) > 1}


def nonlocals(modules: Iterable[Module]) -> Sequence[Place]:
    """Return the `nonlocal` statements."""
    return [
        Place(module.path, node.lineno, ", ".join(node.names))
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Nonlocal)
    ]


def loose_files(modules: Iterable[Module]) -> Sequence[str]:
    """Return the modules that are in no package: directly in `syncer/`."""
    return [module.path for module in modules if "/" not in module.path and not module.path.startswith("__")]


def in_files(trace: Trace) -> Sequence[str]:
    """Return a line for each file: how many of its functions ran."""
    return [f"{number} in syncer/{path}" for path, number in sorted(trace.files.items())]


def in_words(names: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Return a line for each name: where it is."""
    return [f"{name}: {', '.join(f'syncer/{path}' for path in paths)}" for name, paths in names.items()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
