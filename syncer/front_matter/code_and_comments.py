"""Blanks the code and the comments in a page's text, and what its generator does not process there."""

from __future__ import annotations

import re
from typing import Final

HTML_SUFFIXES: Final = frozenset({".html", ".htm", ".xhtml"})
"""Files without Markdown in them."""
ASCIIDOC_SUFFIXES: Final = frozenset({".adoc", ".asciidoc"})

HIDDEN: Final = "\x01"
"""What is not shown. It is no blank: it is no indentation of what follows it on its line."""

LONGEST_INLINE_CODE: Final = 10_000
"""Characters after which backticks are only text."""

_FLAGS: Final = re.VERBOSE | re.MULTILINE | re.IGNORECASE | re.ASCII
_BEGINS: Final = r"(?<=<)(?=!--|[PCSKTNXpcsktnx])|(?<=\{)(?=[%{#/])"
_IN_TEXT: Final = r"(?<=\\)`|(?P<inline>(?<=`)[^`\n]+`(?!`))|(?<=`)`*|(?<=~)~~+|(?<=%)%"
_IN_HTML: Final = re.compile(rf"[<{{](?:{_BEGINS})")
_IN_MARKDOWN: Final = re.compile(rf"[\\`~%<{{](?:{_IN_TEXT}|{_BEGINS})")
_BLOCKS: Final = r"(?<=-)-{3,}|(?<=\.)\.{3,}|(?<=/)/{3,}|(?<=\+)\+{3,}"
_IN_ASCIIDOC: Final = re.compile(rf"[\\`~%<{{./+-](?:{_IN_TEXT}|{_BEGINS}|{_BLOCKS})")
"""What may begin something. A class of characters at the beginning makes a search several times as fast."""
_OPENING: Final = re.compile(
    r"""
  (?P<comment><!--)
| <(?P<tag>pre|code|samp|kbd|script|style|textarea|template|noscript|xmp)(?=[\s>])[^>]*>
| \{%-?\s*(?P<liquid>raw|verbatim|comment|highlight|codeblock|code)(?=[\s%-])[^%]*%\}
| \{\{(?P<hugo>[<%])\s*/\*
| \{\{-?\s*(?P<template>/\*)
| \{(?P<braces>/\*)
| \{\{[<%]\s*(?P<shortcode>highlight|code|codeblock|code-block)(?=[\s>%])[^\n>]*[>%]\}\}
| \{(?P<hash>\#)[-\s]
""",
    _FLAGS,
)
_ENDS: Final = {
    "comment": r"-->",
    "tag": r"</{0}\s*>",
    "liquid": r"\{{%-?\s*end{0}\s*-?%\}}",
    "hugo": r"\*/\s*[>%]\}}\}}",
    "template": r"\*/\s*-?\}}\}}",
    "braces": r"\*/\s*\}}",
    "shortcode": r"\{{\{{[<%]\s*/\s*{0}\s*[>%]\}}\}}",
    "hash": r"\#\}}",
    "percent": r"%%",
    "delimiter": r"^{0}[ \t]*\r?$",
}
"""How each construct ends; `{0}` is the text that was found at its beginning."""
_HIDES_THE_REST: Final = frozenset({"comment", "liquid", "fence"})
"""Without an end, these hide the rest of the page; all others are plain text then."""

_BEFORE_FENCE: Final = re.compile(r"[ \t>]*(?:(?:[-*+]|[0-9]{1,9}[.)])[ \t]+)*")
_VISIBLE: Final = re.compile(r"[^\s]", re.ASCII)
_INDENTED: Final = re.compile(r"(?: {4}| {0,3}\t)")
_ITEM: Final = re.compile(r" {0,3}(?:[-*+]|[0-9]{1,9}[.)])(?:[ \t]|$)")


def without_code_and_comments(text: str, suffix: str) -> str:
    """Return the text with `HIDDEN` for its code and comments: each line break and each position stays.

    `suffix` is the file's, in small letters. Hidden are fenced and inline code, `<pre>`, `<code>`, `<script>` and the
    like, comments of HTML, Hugo, Liquid, Nunjucks, MDX and Obsidian, blocks such as Liquid's `raw` and `highlight`,
    escaped shortcodes of Hugo, and blocks of AsciiDoc that are not rendered.
    """
    openings = _IN_HTML if suffix in HTML_SUFFIXES else _IN_ASCIIDOC if suffix in ASCIIDOC_SUFFIXES else _IN_MARKDOWN
    parts, done, at = [], 0, 0
    endless: set[tuple[str, str]] = set()  # a page of many beginnings without an end takes no longer
    while found := openings.search(text, at):
        at = found.end()
        if found.lastgroup:  # most are code on one line
            parts += [text[done : found.start()], HIDDEN * (at - found.start())]
            done = at
            continue
        kind, begins, inside = _opening(text, found)
        if not kind or (kind, begins) in endless:
            continue
        stop = _end_of(text, kind, begins, inside)
        if stop is None and kind in _HIDES_THE_REST:
            stop = len(text)
        if stop is None:
            endless.add((kind, begins))
            continue
        parts += [text[done : found.start()], _VISIBLE.sub(HIDDEN, text[found.start() : stop])]
        done = at = stop
    return "".join([*parts, text[done:]])


def _opening(text: str, found: re.Match[str]) -> tuple[str, str, int]:
    """Return what begins here, with which text, and where its inside begins; an empty word: nothing begins."""
    begins, start, inside = found[0], *found.span()
    if begins in "<{":
        opening = _OPENING.match(text, start)
        kind = opening.lastgroup if opening else None
        return (kind, opening[kind].lower(), opening.end()) if opening and kind else ("", "", inside)
    if begins == "\\`":
        return "", "", inside
    line = text.rfind("\n", 0, start) + 1
    if begins == "%%":
        return "percent" if line == start else "", begins, inside
    if begins[0] in "`~" and len(begins) >= 3 and _BEFORE_FENCE.fullmatch(text, line, start):
        end = text.find("\n", inside)
        if begins[0] == "~" or "`" not in text[inside : len(text) if end < 0 else end]:
            return "fence", text[line:inside], inside
    if begins[0] == "`":
        return "ticks", begins, inside
    is_alone = line == start and not text[inside : inside + 80].partition("\n")[0].strip()
    return "delimiter" if is_alone and begins[0] != "~" else "", begins, inside


def _end_of(text: str, kind: str, begins: str, inside: int) -> int | None:
    """Return where a construct that begins so ends, looking from its inside."""
    if kind == "fence":
        fence = begins.lstrip(" \t>0123456789.)-*+")
        close = rf"^[ \t>]*{fence[0]}{{{len(fence)},}}[ \t]*\r?$"
        quote_ends = r"|^(?![ \t]*>)" if ">" in begins else ""
        end = re.compile(close + quote_ends, re.MULTILINE).search(text, inside + 1)
    elif kind == "ticks":
        end = re.compile(rf"(?<!`){begins}(?!`)|\n[ \t]*\r?\n").search(text, inside, inside + LONGEST_INLINE_CODE)
        if end is None or end[0] != begins:  # the paragraph ended before
            return inside
    else:
        end = re.compile(_ENDS[kind].format(re.escape(begins)), re.IGNORECASE | re.MULTILINE).search(text, inside)
    return end.end() if end else None


def is_indented(text: str, at: int) -> bool:
    """Return whether the line of this position may be indented code of Markdown."""
    return _INDENTED.match(text, text.rfind("\n", 0, at) + 1) is not None


def without_indented_code(text: str) -> str:
    """Return the text with `HIDDEN` for code that is indented: after a blank line, and not in an item of a list."""
    lines = text.split("\n")
    after_blank, is_code, in_list = True, False, False
    for number, line in enumerate(lines):
        if not line.strip():
            after_blank = True
            continue
        if _INDENTED.match(line):
            is_code = not in_list and (is_code or after_blank)
            if is_code:
                lines[number] = _VISIBLE.sub(HIDDEN, line)
        else:
            is_code = False
            in_list = _ITEM.match(line) is not None or (in_list and (line[0] in " \t" or not after_blank))
        after_blank = False
    return "\n".join(lines)
