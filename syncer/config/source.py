"""The YAML text as plain values, and the line on which each of them stands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from syncer.config.secrets import NO_KEY_HERE, holds_key, lines_with_keys

Value: TypeAlias = "dict[str, Value] | tuple[Value, ...] | str | int | float | bool | None"
KeyPath = tuple[str | int, ...]
"""`("collections", 0, "directory")`; empty for the file as a whole."""

_MOST_VALUES = 10_000
"""Aliases of aliases can stand for billions of values."""
_SURROGATE = re.compile("[\ud800-\udfff]")
"""An escape in quotes can stand for a half; no file has such a name."""
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_CORE = "tag:yaml.org,2002:"
_KNOWN_TAGS = {_CORE + name for name in ("null", "bool", "int", "float", "str", "timestamp", "value", "seq", "map")}
_HINTS = {
    "found undefined alias": "quote a text that starts with `*`",
    "while scanning an alias": "quote a text that starts with `*`, such as a glob or a cron text",
    "mapping values are not allowed": "look for a line that is indented wrongly, or quote a text that holds `: `",
    "cannot start any token": "indent with blanks, not tabs, and quote a text that starts with a sign",
    "but got '['": 'quote a text that holds a bracket, such as `"videos[].id"`',
    "expected a single document": "keep one `---` at most",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where."""

    line: int
    """From 1."""
    key: KeyPath
    message: str


@dataclass(frozen=True, slots=True)
class Source:
    """The lines of what was read, and what was wrong with it."""

    text: str
    lines: dict[KeyPath, int] = field(default_factory=dict)
    """The line of each key and item, from 1."""
    findings: list[Finding] = field(default_factory=list)

    def line_of(self, key: KeyPath) -> int:
        """Return the line of the key, or of the nearest one around it that stands in the file."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)


def read_source(text: str) -> tuple[dict[str, Value] | None, Source]:
    """Return the config's mapping, or None when the text holds none, and the source with its findings."""
    source = Source(text.removeprefix("\N{BYTE ORDER MARK}"))
    mapping = _mapping(source)
    told = {finding.line for finding in source.findings if finding.message == NO_KEY_HERE}
    source.findings.extend(Finding(line, (), NO_KEY_HERE) for line in lines_with_keys(source.text) if line not in told)
    return mapping, source


def _mapping(source: Source) -> dict[str, Value] | None:
    try:
        # the pure loader: the C one is brought down by deep nesting, and a config is small
        root = yaml.compose(source.text, Loader=yaml.SafeLoader)
        value = None if root is None else _read(root, (), source, ())
    except RecursionError:
        source.findings.append(Finding(1, (), "is nested too deeply to be a config"))
        return None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two: impossible escapes
        source.findings.append(_syntax(error, source.text))
        return None
    if root is None:
        source.findings.append(Finding(1, (), "the config is empty; write one with `syncer init`"))
    elif not isinstance(value, dict):
        message = "the config must be a mapping of keys such as `site:` and `collections:`"
        source.findings.append(Finding(source.line_of(()), (), message))
    return value if isinstance(value, dict) else None


def _syntax(error: Exception, text: str) -> Finding:
    index = 0
    said = str(error)
    if isinstance(error, yaml.reader.ReaderError):
        index, said = error.position, f"the character U+{int(error.character):04X} is not allowed"
    elif isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        index = mark.index if mark else 0
        said = ", ".join(filter(None, (error.context, error.problem)))
    hint = next((hint for start, hint in _HINTS.items() if start in said), None)
    return Finding(_line(text, index), (), f"is not valid YAML: {said}" + (f"; {hint}" if hint else ""))


def _line(text: str, index: int) -> int:
    # the mark of an end may stand behind the last line break
    return text.count("\n", 0, min(index, len(text.rstrip("\n")))) + 1


def _read(node: yaml.Node, key: KeyPath, source: Source, above: tuple[yaml.Node, ...]) -> Value:
    """Return the node's plain value; its lines and findings go to the source."""
    source.lines.setdefault(key, _line(source.text, node.start_mark.index))
    if len(source.lines) > _MOST_VALUES:
        raise yaml.YAMLError("there are more than 10,000 values, counting aliases")
    if any(node is one for one in above):
        _find(source, key, "refers to itself; write the value out")
        return None
    if node.tag not in _KNOWN_TAGS:
        _find(source, key, "has a YAML tag that means nothing here; take the tag out")
        return None
    if isinstance(node, yaml.SequenceNode):
        return tuple(_read(item, (*key, number), source, (*above, node)) for number, item in enumerate(node.value))
    if isinstance(node, yaml.MappingNode):
        return _read_mapping(node, key, source, (*above, node))
    return _scalar(node, key, source)


def _read_mapping(node: yaml.MappingNode, key: KeyPath, source: Source, above: tuple[yaml.Node, ...]) -> Value:
    values: dict[str, Value] = {}
    for key_node, value_node in node.value:
        line = _line(source.text, key_node.start_mark.index)
        name = key_node.value
        if not isinstance(name, str):
            source.findings.append(Finding(line, key, "a key is a list or a mapping; keys are plain text"))
        elif key_node.tag == _CORE + "merge":
            source.findings.append(Finding(line, key, "a `<<` merge is not read; write its keys out"))
        elif name in values:
            first = source.line_of((*key, name))
            source.findings.append(Finding(line, (*key, name), f"stands twice, first on line {first}; keep one"))
        else:
            source.lines[(*key, name)] = line
            values[name] = _read(value_node, (*key, name), source, above)
    return values


def _scalar(node: yaml.Node, key: KeyPath, source: Source) -> Value:
    text = str(node.value)
    kind = node.tag.removeprefix(_CORE)
    if holds_key(text):
        _find(source, key, NO_KEY_HERE)
    if _SURROGATE.search(text):
        _find(source, key, "holds half a character; write the whole one, such as `\\U0001F600` for `\\uD83D\\uDE00`")
    if kind == "null":
        return None
    if kind == "bool":
        return _BOOLEANS.get(text.lower(), text)
    if kind in ("int", "float"):
        return _number(text)
    return text


def _number(text: str) -> int | float | str:
    """Return the number as JSON would write it; other forms (`0x1F`, `12:30`, `.inf`) stay text."""
    try:
        return int(text) if len(text) < 20 and text.isascii() and text.removeprefix("-").isdigit() else float(text)
    except ValueError:
        return text


def _find(source: Source, key: KeyPath, message: str) -> None:
    source.findings.append(Finding(source.line_of(key), key, message))
