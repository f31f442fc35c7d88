"""Partial answers: the syntax of the `fields` parameter, and what it leaves of a document."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from syncer.simulator.wire import Json

Mask: TypeAlias = Mapping[str, "Mask"]
"""The names to keep, and what to keep below each. Empty: everything."""

Schema: TypeAlias = Mapping[str, "Schema"]
"""The names that a document can have."""

ANYTHING: Schema = {"*": {}}
"""An object whose names are not known here: it can have any name."""

MAX_LEVELS = 20
"""More levels than any answer has; a deeper mask is an error."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]+|\*|[,/()]", re.ASCII)


class MaskError(ValueError):
    """The mask is not valid, or names something that does not exist; the message is the wrong part."""


def parse(text: str) -> Mask:
    """Parse `a,b`, `a/b`, `a(b,c)` and `*`, nested. Raises MaskError.

    Source: https://developers.google.com/youtube/v3/getting-started#fields
    """
    tokens = _tokens(text)
    mask, end = _list(tokens, 0, 0)
    if tokens[end]:
        raise MaskError(tokens[end])
    return mask


def check(mask: Mask, schema: Schema) -> None:
    """Raise MaskError if the mask names what no document of this schema can have."""
    for name, below in mask.items():
        if name == "*":
            if not below:
                continue
            if not any(_fits(below, schema[known]) for known in schema):
                raise MaskError(name)
        elif name in schema:
            check(below, schema[name])
        elif "*" not in schema:
            raise MaskError(name)


def apply(mask: Mask, value: Json) -> Json:
    """Return what the mask leaves of a document, in the document's order."""
    if not mask:
        return value
    if isinstance(value, dict):
        if "*" in mask:
            return {name: apply(_union(mask["*"], mask.get(name, mask["*"])), child) for name, child in value.items()}
        return {name: apply(mask[name], child) for name, child in value.items() if name in mask}
    if isinstance(value, list):
        return [apply(mask, item) for item in value]
    return value


def _fits(mask: Mask, schema: Schema) -> bool:
    try:
        check(mask, schema)
    except MaskError:
        return False
    return True


def _tokens(text: str) -> list[str]:
    """Return the tokens, and an empty one as the end."""
    tokens, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise MaskError(text[position:])
        tokens.append(match.group())
        position = match.end()
    return [*tokens, ""]


def _list(tokens: Sequence[str], position: int, depth: int) -> tuple[Mask, int]:
    """`field,field,...`: the tree of them, and the position after it."""
    tree: dict[str, Mask] = {}
    while True:
        name, below, position = _field(tokens, position, depth)
        tree[name] = _union(tree[name], below) if name in tree else below
        if tokens[position] != ",":
            return tree, position
        position += 1


def _field(tokens: Sequence[str], position: int, depth: int) -> tuple[str, Mask, int]:
    """`name`, `name/field` or `name(list)`."""
    name = tokens[position]
    if not name or name in ",/()" or depth >= MAX_LEVELS:
        raise MaskError(name)
    following = tokens[position + 1]
    if following == "/":
        child, below, position = _field(tokens, position + 2, depth + 1)
        return name, {child: below}, position
    if following != "(":
        return name, {}, position + 1
    below, position = _list(tokens, position + 2, depth + 1)
    if tokens[position] != ")":
        raise MaskError(tokens[position])
    return name, below, position + 1


def _union(first: Mask, second: Mask) -> Mask:
    """Return everything that either mask keeps."""
    if not first or not second:
        return {}
    common = {name: _union(first[name], second[name]) for name in first.keys() & second.keys()}
    return {**first, **second, **common}
