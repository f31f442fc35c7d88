"""Reads a block's text into a tree."""

from __future__ import annotations

from syncer.front_matter.block import Syntax
from syncer.front_matter.json_tree import parse_json
from syncer.front_matter.toml_tree import parse_toml
from syncer.front_matter.tree import Tree, Unreadable
from syncer.front_matter.yaml_tree import parse_yaml


def parse(text: str, syntax: Syntax, *, is_data: bool = False) -> Tree | Unreadable:
    """Return the tree of a block's text, or why it cannot be parsed. A YAML data file may have several documents."""
    if syntax is Syntax.YAML:
        return parse_yaml(text, several=is_data)
    return parse_toml(text) if syntax is Syntax.TOML else parse_json(text)
