"""The limits of the code's shape hold: `./dev lint` prints the counts, `python -m tests.shape --list` the places."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from textwrap import dedent

import pytest

from tests import shape
from tests.shape import Module, Trace


@pytest.fixture(scope="module")
def modules() -> Sequence[Module]:
    return shape.read_modules()


@pytest.fixture(scope="module")
def trace() -> Trace:
    return shape.trace_sync()


def test_the_command_sync_runs_few_files(trace: Trace) -> None:
    assert len(trace.files) <= shape.SYNC_FILES, listed(shape.in_files(trace))


def test_the_command_sync_runs_few_functions(trace: Trace) -> None:
    assert len(trace.functions) <= shape.SYNC_FUNCTIONS, listed(shape.in_files(trace))


def test_few_private_functions_are_called_once(modules: Sequence[Module]) -> None:
    once, functions = shape.called_once(modules), sum(len(module.functions) for module in modules)
    assert len(once) <= shape.CALLED_ONCE_SHARE * functions, listed(once)


def test_few_public_classes_share_a_name(modules: Sequence[Module]) -> None:
    names = shape.shared_class_names(modules)
    assert len(names) <= shape.SHARED_CLASS_NAMES, listed(shape.in_words(names))


def test_no_function_changes_a_variable_of_another(modules: Sequence[Module]) -> None:
    assert len(shape.nonlocals(modules)) <= shape.NONLOCALS, listed(shape.nonlocals(modules))


def test_few_files_are_in_no_room(modules: Sequence[Module]) -> None:
    assert len(shape.loose_files(modules)) <= shape.LOOSE_FILES, listed(shape.loose_files(modules))


def test_a_private_function_counts_where_its_name_is_read_once_outside_itself() -> None:
    source = """
    def public():
        _once()
        _twice() or _twice()

    def _once():
        _inner = 1

    def _twice():
        pass

    def _recursive():
        _recursive()

    class Room:
        def __len__(self):
            return self._size()

        def _size(self):
            return self._size()
    """
    module = Module("a.py", 0, ast.parse(dedent(source)))
    assert [place.name for place in shape.called_once([module])] == ["_once", "_size"]


def test_a_command_may_have_the_name_of_a_room() -> None:
    paths = ("cli/review.py", "review/show.py", "cli/show.py", "state/log.py", "sync/log.py", "cli/log.py")
    assert shape.shared_file_names([Module(path, 0, ast.Module([], [])) for path in paths]) == {
        "log": ["state/log.py", "sync/log.py", "cli/log.py"],
        "show": ["review/show.py", "cli/show.py"],
    }


def listed(items: Iterable[object]) -> str:
    return "".join(f"\n    {item}" for item in items)
