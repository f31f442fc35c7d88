"""The package's regular expressions match the same on every Python from 3.11.0 on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).parent.parent / "syncer").rglob("*.py"))

GROUP_REPEATED_POSSESSIVELY = re.compile(r"(?<!\\)\)(?:[*+?]|\{\d*,?\d*\})\+")
ATOMIC_GROUP = "(?>"


def strings_in(source: str) -> Iterator[tuple[int, str]]:
    """Yield each string with its line; what an f-string puts in stands as a group, since it may hold a choice."""
    tree = ast.parse(source)
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            texts = [part.value if isinstance(part, ast.Constant) else "(?:)" for part in node.values]
            yield node.lineno, "".join(text for text in texts if isinstance(text, str))
        elif isinstance(node, ast.Constant) and id(node) not in parts:
            value = node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
            if isinstance(value, str):
                yield node.lineno, value


def is_flawed(text: str) -> bool:
    return ATOMIC_GROUP in text or GROUP_REPEATED_POSSESSIVELY.search(text) is not None


def test_no_pattern_has_a_construct_that_python_3_11_0_to_3_11_4_match_incorrectly() -> None:
    assert SOURCES
    flawed = [
        f"{path}:{line}: {text}"
        for path in SOURCES
        for line, text in strings_in(path.read_text("utf-8"))
        if is_flawed(text)
    ]
    assert flawed == []


@pytest.mark.parametrize(
    ("source", "flawed"),
    [
        ('r"(?:a|b)*+"', True),
        ('rb"(?:ab?c)++"', True),
        ('r"(a|b){1,3}+"', True),
        ('r"(?>a|b)"', True),
        ('rf"{NAME}*+"', True),
        ('rf"({NAME}|b)?+"', True),
        ('rf"[{NAME}]*+"', False),
        ('r"[^)]*+a?+[ab]{2}+"', False),
        (r'r"\)*+"', False),
        ('r"(?:a|b)*"', False),
    ],
)
def test_the_rule_finds_such_patterns_and_no_others(source: str, flawed: bool) -> None:
    assert any(is_flawed(text) for _, text in strings_in(source)) is flawed
