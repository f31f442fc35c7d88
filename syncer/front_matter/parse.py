"""Reads a block into a tree, whatever it is written in."""

from __future__ import annotations

from syncer.front_matter.block import Syntax
from syncer.front_matter.json_tree import parse_json
from syncer.front_matter.toml_tree import parse_toml
from syncer.front_matter.tree import Fault, Tree
from syncer.front_matter.yaml_tree import parse_yaml

_PARSERS = {Syntax.YAML: parse_yaml, Syntax.TOML: parse_toml, Syntax.JSON: parse_json}


def parse(text: str, syntax: Syntax) -> Tree | Fault:
    """Return the tree of a block, or why it cannot be read."""
    return _PARSERS[syntax](text)
