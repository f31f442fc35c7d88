"""Keys that differ only in letter case: Hugo and other generators take them for one."""

from __future__ import annotations


def fold_key(name: str) -> str:
    """Return a key as generators that ignore letter case see it: each letter in lower case, as Hugo has it.

    Hugo's is Go's `strings.ToLower`, which takes one letter for another and does not look at its neighbours: there is
    no final sigma, the Turkish dotted I is an i, and `ß` is no `ss`.
    """
    return name.lower() if name.isascii() else name.replace("\u0130", "i").replace("\u03a3", "\u03c3").lower()


def part_by_case(path: str, other: str) -> bool:
    """Whether two paths of keys (`meta.views`, `Meta.likes`) first differ at names that are one but for letter case."""
    for name, others in zip(path.split("."), other.split("."), strict=False):
        if name != others:
            return fold_key(name) == fold_key(others)
    return False
