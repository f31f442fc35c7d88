"""Parses the text of a config file into its values, or into everything that is wrong with it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import yaml
from pydantic import ValidationError

from syncer.config.api_key import NO_KEY_HERE, holds_key, without_keys
from syncer.config.explain import KeyPath, explain, misspelt
from syncer.config.sections import Config
from syncer.errors import ConfigError

Value: TypeAlias = "dict[str, Value] | tuple[Value, ...] | str | int | float | bool | None"

_MAX_VALUES = 10_000
"""Aliases of aliases can expand to billions of values."""
_SURROGATE = re.compile("[\ud800-\udfff]")
"""An escape in quotes can be half a character; no file has such a name."""
_ADDRESS = re.compile("://.*", re.DOTALL)
"""In a key: the address of a hook, without the space before it."""
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_CORE = "tag:yaml.org,2002:"
_KNOWN_TAGS = {_CORE + name for name in ("null", "bool", "int", "float", "str", "timestamp", "value", "seq", "map")}
_HINTS = {
    "found undefined alias": "quote a text that starts with `*`",
    "while scanning an alias": "quote a text that starts with `*`, such as a glob or a cron text",
    "mapping values are not allowed": "check the indentation, or quote a text that contains `: `",
    "cannot start any token": "indent with spaces, not tabs, and quote a text that starts with a special character",
    "but got '['": 'quote a text that contains a bracket, such as `"videos[].id"`',
    "found '<scalar>'": 'quote a text that starts with a bracket or a brace, such as `"[].id"`',
    "got '<scalar>'": 'quote a text that starts with a bracket or a brace, such as `"[].id"`',
    "expected a single document": "keep at most one `---`",
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a config, and where it is."""

    line: int
    """From 1."""
    key: KeyPath
    message: str


def parse_config(text: str, file: Path) -> Config:
    """Return the config in the text; `file` names it in messages, and relative paths start beside it.

    Raises ConfigError with every mistake, one on a line: `FILE:LINE: KEY: what is wrong; what to do`.
    """
    reader = _Reader(text.removeprefix("\N{BYTE ORDER MARK}"))
    mapping, mistakes = reader.read(), reader.mistakes
    config = None
    if mapping is not None:
        noted = {mistake.key for mistake in mistakes}
        try:
            config = Config.model_validate(mapping, context={"folder": os.path.dirname(os.path.abspath(file))})
        except ValidationError as error:
            errors = error.errors(include_url=False)
            noted |= misspelt(errors)
            for details in errors:
                explained = ((key, sentence) for key, sentence in explain(details) if key not in noted)
                mistakes += (Mistake(reader.line_of(key), key, sentence) for key, sentence in explained)
    if config is None or mistakes:
        order = {key: number for number, key in enumerate(reader.lines)}
        mistakes.sort(key=lambda mistake: (mistake.line, order.get(mistake.key, 0)))
        raise ConfigError("\n".join(f"{file}:{mistake.line}: {_in_words(mistake)}" for mistake in mistakes))
    return config


def _in_words(mistake: Mistake) -> str:
    """Return the mistake on one line, without an API key or an address, and printable whatever the file contains.

    The key is written `collections[0].fields`, as in jq and the diff log; one with spaces around it is quoted. A key
    that holds an address, such as `hook_env:https://` without the space, is cut off: the address may be a secret.
    """
    shown = (part if isinstance(part, int) else _ADDRESS.sub("://...", part) for part in mistake.key)
    parts = (part if isinstance(part, int) or (part and part == part.strip()) else repr(part) for part in shown)
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")
    message = without_keys(f"{key}: {mistake.message}" if key else mistake.message)
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in message[:500])


class _Reader:
    """Reads YAML text into plain values; notes the line of each key, and the mistakes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines: dict[KeyPath, int] = {}
        """The line of each key and item, from 1."""
        self.mistakes: list[Mistake] = []

    def read(self) -> dict[str, Value] | None:
        """Return the config's mapping; None when the text has none."""
        value: Value = None
        try:
            # the pure loader: deep nesting crashes the C one, and a config is small
            root = yaml.compose(self.text, Loader=yaml.SafeLoader)
            value = None if root is None else self._value(root, (), ())
            if root is None:
                self._note((), "the config is empty; `syncer init` writes one")
            elif not isinstance(value, dict):
                self._note((), "the config must be a mapping of keys such as `site:` and `collections:`")
        except RecursionError:
            self._note((), "is nested too deeply to be a config", 1)
        except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two: impossible escapes
            self._note_syntax(error)
        noted = {mistake.line for mistake in self.mistakes if mistake.message == NO_KEY_HERE}
        for number, line in enumerate(self.text.split("\n"), 1):  # comments too
            if holds_key(line) and number not in noted:
                self.mistakes.append(Mistake(number, (), NO_KEY_HERE))
        return value if isinstance(value, dict) else None

    def line_of(self, key: KeyPath) -> int:
        """Return the line of the key, or of the nearest key around it that is in the file."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)

    def _note_syntax(self, error: Exception) -> None:
        index, reason = 0, str(error)
        if isinstance(error, yaml.reader.ReaderError):
            index, reason = error.position, f"the character U+{int(error.character):04X} is not allowed"
        elif isinstance(error, yaml.MarkedYAMLError):
            mark = error.problem_mark or error.context_mark
            index = mark.index if mark else 0
            reason = ", ".join(filter(None, (error.context, error.problem)))
        hint = next((f"; {hint}" for start, hint in _HINTS.items() if start in reason), "")
        self._note((), f"is not valid YAML: {reason}{hint}", self._line(index))

    def _value(self, node: yaml.Node, key: KeyPath, above: tuple[yaml.Node, ...]) -> Value:
        """Return the node's plain value; `above` are the nodes that it is in."""
        self.lines.setdefault(key, self._line(node.start_mark.index))
        if len(self.lines) > _MAX_VALUES:
            raise yaml.YAMLError("there are more than 10,000 values, counting aliases")
        if any(node is outer for outer in above):
            self._note(key, "refers to itself; write the value out")
            return None
        if node.tag not in _KNOWN_TAGS:
            self._note(key, "has a YAML tag that is not supported; remove the tag")
            return None
        if isinstance(node, yaml.SequenceNode):
            return tuple(self._value(item, (*key, number), (*above, node)) for number, item in enumerate(node.value))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key, (*above, node))
        return self._scalar(node, key)

    def _mapping(self, node: yaml.MappingNode, key: KeyPath, above: tuple[yaml.Node, ...]) -> Value:
        values: dict[str, Value] = {}
        for key_node, value_node in node.value:
            line = self._line(key_node.start_mark.index)
            name = key_node.value
            if not isinstance(name, str):
                self._note(key, "a key is a list or a mapping; keys must be plain text", line)
            elif key_node.tag == _CORE + "merge":
                self._note(key, "a `<<` merge is not supported; write out its keys", line)
            elif name in values:
                first = self.line_of((*key, name))
                self._note((*key, name), f"is a duplicate of line {first}; keep one of them", line)
            else:
                self.lines[(*key, name)] = line
                values[name] = self._value(value_node, (*key, name), above)
        return values

    def _scalar(self, node: yaml.Node, key: KeyPath) -> Value:
        """Return the value; a number in a form that JSON does not have (`0x1F`, `12:30`, `.inf`) stays text."""
        text = str(node.value)
        kind = node.tag.removeprefix(_CORE)
        if holds_key(text):
            self._note(key, NO_KEY_HERE)
        if _SURROGATE.search(text):
            self._note(key, "has half a character; write the whole one, such as `\\U0001F600` for `\\uD83D\\uDE00`")
        if kind == "null":
            return None
        if kind == "bool":
            return _BOOLEANS.get(text.lower(), text)
        if kind not in ("int", "float"):
            return text
        try:
            return int(text) if len(text) < 20 and text.isascii() and text.removeprefix("-").isdigit() else float(text)
        except ValueError:
            return text

    def _line(self, index: int) -> int:
        # the mark of an end can be after the last line break
        return self.text.count("\n", 0, min(index, len(self.text.rstrip("\n")))) + 1

    def _note(self, key: KeyPath, message: str, line: int | None = None) -> None:
        self.mistakes.append(Mistake(line or self.line_of(key), key, message))
