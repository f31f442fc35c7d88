"""Finds blocks in which YAML parsers disagree about a mapped key.

The parsers are libyaml and Psych (Jekyll), YAML 1.1; goccy/go-yaml (Hugo), js-yaml and `yaml` on npm, YAML 1.2. The
differences were found by running all of them on generated blocks; decision record 0013 lists them.
"""

from __future__ import annotations

from syncer.front_matter.block import Syntax
from syncer.front_matter.keys import is_same_text
from syncer.front_matter.tree import Alias, Conflict, Items, Member, Node, Scalar, Table
from syncer.model import ProblemKind

MAX_MERGED_MAPPINGS = 100
"""The most mappings that are searched for what a merge key sets. If there are more, it may set anything."""


def conflict_on(table: Table, names: tuple[str, ...], syntax: Syntax) -> Conflict | None:
    """Return why parsers disagree about the value at a path of keys, at the first of its tables where they do."""
    for name in names:
        if second := table.twice.get(name):
            message = f"The key {name!r} appears twice: remove one of the two."
            return Conflict(ProblemKind.DUPLICATE_KEY, message, second.start)
        if syntax is Syntax.YAML and (
            conflict := _odd_key(table, name) or _merged(table, name) or _hidden(table, name)
        ):
            return conflict
        member = table.get(name)
        if member is None or not isinstance(member.value, Table):
            break
        table = member.value
    return None


def conflict_among_keys(table: Table) -> Conflict | None:
    """Return why parsers disagree about which keys a mapping has, whatever their names."""
    for member in table.members:
        key = member.key
        if _is_merge(member):
            return _disagree("Not every YAML parser supports the merge key '<<': write out what it merges.", member)
        if not isinstance(key, Scalar):
            return _disagree("YAML parsers disagree about this key, which is not a plain one: use a plain key.", member)
        if not key.quote and ("\t" in key.text or (table.inline and ":" in key.text)):
            message = f"Some YAML parsers read {key.text!r} as another key: add a space after its colon, or quote it."
            return _disagree(message, member)
    return None


def _odd_key(table: Table, name: str) -> Conflict | None:
    member = table.get(name)
    if member is None or not isinstance(member.key, Scalar):
        return None
    if member.key.obstacle:
        return _disagree(f"Some YAML parsers cannot read the key {name!r}: remove its tag or anchor.", member)
    if not member.key.quote and not is_same_text(name):
        return _disagree(f"Some YAML parsers read the key {name!r} as a number or a boolean: quote it.", member)
    return None


def _merged(table: Table, name: str) -> Conflict | None:
    """Return a conflict for a merge key that sets `name`: not every parser supports it, or their precedence differs."""
    merge = next(filter(_is_merge, table.members), None)
    if merge is None or not _brings(table, name):
        return None
    advice = "remove it from the merged mapping, or remove '<<'" if table.get(name) else "set it here instead"
    return _disagree(
        f"The merge key '<<' sets {name!r}, and not every YAML parser supports merge keys: {advice}.", merge
    )


def merged_into(table: Table) -> list[Table]:
    """Return the mappings that the merge keys of a table merge, and those that are merged into these."""
    found, pending = list[Table](), [table]
    while pending and len(found) < MAX_MERGED_MAPPINGS:
        tables = [each for member in filter(_is_merge, pending.pop().members) for each in _tables(member.value)]
        found += tables
        pending += tables
    return found


def _brings(table: Table, name: str) -> bool:
    """Return whether the merge keys of a table, or those in what they merge, set the name."""
    pending, seen = [table], {id(table)}
    while pending:
        merging = pending.pop()
        for member in filter(_is_merge, merging.members):
            tables = [merged for merged in _tables(member.value) if id(merged) not in seen]
            seen.update(map(id, tables))
            if len(seen) > MAX_MERGED_MAPPINGS or any(merged.get(name) or _hidden(merged, name) for merged in tables):
                return True
            pending += tables
    return False


def _is_merge(member: Member) -> bool:
    """Return whether a parser reads this as a merge key; Hugo's does for each key that ends in `<<`."""
    return isinstance(member.key, Scalar) and member.key.text.endswith("<<")


def _tables(value: Node) -> list[Table]:
    """Return the mappings that a merge key merges: one, or a list of them."""
    target = value.target if isinstance(value, Alias) else value
    nodes = target.items if isinstance(target, Items) else [target]
    targets = [node.target if isinstance(node, Alias) else node for node in nodes]
    return [node for node in targets if isinstance(node, Table)]


def _hidden(table: Table, name: str) -> Conflict | None:
    """Return a conflict if Hugo finds the name in another key: in braces a colon ends a key, and tabs are ignored."""
    for member in table.members:
        key = member.key
        if not isinstance(key, Scalar):
            if isinstance(key, Table) and key.get(name):
                return _disagree(
                    f"This key is a mapping, and some YAML parsers find {name!r} in it: use a plain key.", member
                )
        elif not key.quote:
            text = key.text
            in_braces = table.inline and ":" in text and (table.get(name) is not None or text.startswith(f"{name}:"))
            if in_braces or text.replace("\t", "") == name != text:
                message = f"Some YAML parsers read {text!r} as another key: add a space after its colon, or quote it."
                return _disagree(message, member)
    return None


def _disagree(message: str, member: Member) -> Conflict:
    return Conflict(ProblemKind.READERS_DISAGREE, message, member.key.start)
