"""Reads a block's text into a tree."""

from __future__ import annotations

from syncer.front_matter.block import Syntax
from syncer.front_matter.json_tree import parse_json
from syncer.front_matter.toml_tree import parse_toml
from syncer.front_matter.tree import Tree, Unreadable
from syncer.front_matter.wanted import Wanted
from syncer.front_matter.yaml_tree import parse_yaml

_PARSERS = {Syntax.YAML: parse_yaml, Syntax.TOML: parse_toml, Syntax.JSON: parse_json}


def parse(text: str, syntax: Syntax, wanted: Wanted | None = None) -> Tree | Unreadable:
    """Return the tree of a text, or why it cannot be parsed. Of a data file, only what is `wanted`."""
    return _PARSERS[syntax](text, wanted)
