"""Makes HTML and SVG.

Text is escaped: nothing that comes from a page or from YouTube can become markup, or reverse what follows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

from syncer.wording import safe

VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})


class Markup(str):
    """Text that is HTML already; only this module makes it."""

    __slots__ = ()


Child: TypeAlias = "Markup | str | int | Iterable[Child] | None"
Attribute = str | int | float | bool | None


def tag(element: str, *children: Child, **attributes: Attribute) -> Markup:
    """Return an element: `tag("a", "Home", href="/")`.

    In the names of attributes a `_` at the end is removed, others become `-`. None and False leave an attribute out,
    True writes it without a value.
    """
    text = "".join(f" {name}" for name in map(_attribute, attributes, attributes.values()) if name)
    return Markup(f"<{element}{text}>" if element in VOID else f"<{element}{text}>{together(*children)}</{element}>")


def together(*children: Child) -> Markup:
    """Return the children one after the other; text is escaped."""
    return Markup("".join(map(_escaped, children)))


def _escaped(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str | int):
        return escape(safe(str(child)))
    return together(*child)


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = name.removesuffix("_").replace("_", "-")
    return name if value is True else f'{name}="{escape(str(value))}"'
