"""Blanks the code and the comments in a page's text, and what its generator does not process there."""

from __future__ import annotations

import re
from typing import Final

HTML_SUFFIXES: Final = frozenset({".html", ".htm", ".xhtml"})
"""Files without Markdown in them."""
ASCIIDOC_SUFFIXES: Final = frozenset({".adoc", ".asciidoc"})

HIDDEN: Final = "\x01"
"""What is not shown. It is no blank: it is no indentation of what follows it on its line."""

_FLAGS: Final = re.VERBOSE | re.MULTILINE | re.IGNORECASE | re.ASCII
_BEGINS: Final = r"(?<=<)(?=!--|!\[|[?PCSKTNXpcsktnx]|[A-Za-z][^<>\n]*\n)|(?<=\{)(?=[%{#/])"
_IN_TEXT: Final = r"(?<=\\)`|(?P<inline>(?<=`)[^`\n]+`(?!`))|(?<=`)`*|(?<=~)~~+|(?<=%)%|(?<=\$)\$"
_IN_HTML: Final = re.compile(rf"[<{{](?:{_BEGINS})")
_IN_MARKDOWN: Final = re.compile(rf"[\\`~%$<{{](?:{_IN_TEXT}|{_BEGINS})")
_BLOCKS: Final = r"(?<=-)-{3,}|(?<=\.)\.{3,}|(?<=/)/{3,}|(?<=\+)\+{3,}"
_IN_ASCIIDOC: Final = re.compile(rf"[\\`~%$<{{./+-](?:{_IN_TEXT}|{_BEGINS}|{_BLOCKS})")
"""What may begin something. A class of characters at the beginning makes a search several times as fast."""
_OPENING: Final = re.compile(
    r"""
  (?P<comment><!)(?=--)
| <(?P<instruction>\?)
| <!\[(?P<data>CDATA)\[
| <(?P<tag>pre|code|samp|kbd|script|style|textarea|template|noscript|xmp)(?=[\s>])
| (?<!\{)<(?P<lines>(?!iframe\b|[\w.-]*you-?tube)[a-z])[^<>\n]*\n[^<>]*>
| \{%-?\s*(?P<liquid>raw|verbatim|comment|highlight|codeblock|code)(?=[\s%-])[^%]*%\}
| \{\{(?P<hugo>[<%])\s*/\*
| \{\{-?\s*(?P<template>/\*)
| \{(?P<braces>/\*)
| \{\{[<%]\s*(?P<shortcode>highlight|code|codeblock|code-block|comment)(?=[\s>%])
| \{(?P<hash>\#)[-\s]
""",
    _FLAGS,
)
"""None looks beyond the next beginning of its own kind: else a page of beginnings would take quadratic time."""
_ENDS: Final = {
    "comment": r"-->",
    "instruction": r"\?>",
    "data": r"\]\]>",
    "tag": r"</{0}\s*>",
    "lines": r"",
    "liquid": r"\{{%-?\s*end{0}\s*-?%\}}",
    "hugo": r"\*/\s*[>%]\}}\}}",
    "template": r"\*/\s*-?\}}\}}",
    "braces": r"\*/\s*\}}",
    "shortcode": r"\{{\{{[<%]\s*/\s*{0}\s*[>%]\}}\}}",
    "hash": r"\#\}}",
    "percent": r"%%",
    "math": r"\$\$",
}
"""How each construct ends; `{0}` is the text that was found at its beginning. A tag on several lines has ended."""
_MARKER: Final = r"(?:[-*+]|[0-9]{1,9}[.)])"
_RUNS: Final = {
    "fence": re.compile(r"^[ \t>]*(?P<run>`{3,}|~{3,})[ \t]*\r?$", re.MULTILINE),
    "quoted": re.compile(r"^[ \t>]*(?P<run>`{3,}|~{3,})[ \t]*\r?$|(?=\n(?![ \t]*>))", re.MULTILINE),
    "delimiter": re.compile(r"^(?P<run>-{4,}|\.{4,}|/{4,}|\+{4,})[ \t]*\r?$", re.MULTILINE),
    "ticks": re.compile(rf"(?P<run>`+)|(?=\n[ \t>]*(?:\r?\n|```|~~~|{_MARKER}[ \t]))"),
}
"""What may end these: a run like that at the beginning; without a run, the end of the quote or the paragraph."""
_HIDES_THE_REST: Final = frozenset({"comment", "instruction", "data", "liquid", *_RUNS})
"""Without an end, these hide the rest of the page; all others are plain text then."""

_BEFORE_FENCE: Final = re.compile(rf"[ \t>]*(?:{_MARKER}[ \t]+)*")
_VISIBLE: Final = re.compile(r"[^\s]", re.ASCII)
_QUOTE: Final = re.compile(r" {0,3}(?:> ?)+")
_INDENTED: Final = re.compile(r"\n[ >]*(?: {4}|\t)")
_ITEM: Final = re.compile(rf"(?![-* \t\r]+$){_MARKER}(?=[ \t])")
"""The marker of an item; a line without words, such as `* * *`, is a rule."""
_AFTER_WORDS: Final = frozenset({"-", "*", "+", "1.", "1)"})
"""Markers of items that may follow a paragraph without a blank line."""


def without_code_and_comments(text: str, suffix: str) -> str:
    """Return the text with `HIDDEN` for its code and comments: each line break and each position stays.

    `suffix` is the file's, in small letters. Hidden are fenced and inline code, math, `<pre>`, `<code>`, `<script>` and
    the like, tags on several lines, `<?php ?>`, CDATA, comments of HTML, Hugo, Liquid, Nunjucks, MDX and Obsidian,
    blocks such as Liquid's `raw` and `highlight`, escaped shortcodes of Hugo, and blocks of AsciiDoc that are not
    rendered. It takes time in proportion to the size of the text, whatever is in it.
    """
    openings = _IN_HTML if suffix in HTML_SUFFIXES else _IN_ASCIIDOC if suffix in ASCIIDOC_SUFFIXES else _IN_MARKDOWN
    parts, done, at, paragraph = [], 0, 0, 0
    endless: set[tuple[str, str]] = set()  # each end that is missing is looked for once
    while found := openings.search(text, at):
        start, stop = found.span()
        newline = text.rfind("\n", at, start)
        before = text[newline + 1 : start] if newline >= 0 or not at else None
        at = stop
        if not found.lastgroup:  # most are code on one line
            kind, begins, inside = _opening(text, found, before)
            if not kind or (kind, begins) in endless or (kind == "ticks" and start < paragraph):
                continue
            end = _end_of(text, kind, begins, inside)
            if end is None and kind not in _HIDES_THE_REST:
                endless.add((kind, begins))
                continue
            stop = end.end() if end else len(text)
            if kind == "ticks" and not (end and end[0]):
                paragraph = stop  # it is hidden from here on, but what else begins in it may be longer
            else:
                at = stop
        if stop > done:
            start = max(start, done)
            parts += [text[done:start], _VISIBLE.sub(HIDDEN, text[start:stop])]
            done = stop
    return "".join([*parts, text[done:]])


def _opening(text: str, found: re.Match[str], before: str | None) -> tuple[str, str, int]:
    """Return what begins here, with which text, and where its inside begins; an empty word: nothing begins.

    `before` is the beginning of its line, or None if something else was found there.
    """
    begins, start, inside = found[0], *found.span()
    if begins in "<{":
        opening = _OPENING.match(text, start)
        kind = opening.lastgroup if opening else None
        return (kind, opening[kind].lower(), opening.end()) if opening and kind else ("", "", inside)
    if begins == "\\`":
        return "", "", inside
    if begins in "%%$$":
        return "math" if begins == "$$" else "percent" if before == "" else "", begins, inside
    if begins[0] in "`~" and len(begins) >= 3 and before is not None and _BEFORE_FENCE.fullmatch(before):
        end = text.find("\n", inside)
        if begins[0] == "~" or "`" not in text[inside : len(text) if end < 0 else end]:
            return "quoted" if ">" in before else "fence", begins, inside
    if begins[0] == "`":
        return "ticks", begins, inside
    is_alone = before == "" and not text[inside : inside + 80].partition("\n")[0].strip()
    return "delimiter" if is_alone and begins[0] != "~" else "", begins, inside


def _end_of(text: str, kind: str, begins: str, inside: int) -> re.Match[str] | None:
    """Return the end of a construct that begins so, looking from its inside."""
    if kind not in _RUNS:
        return re.compile(_ENDS[kind].format(begins), re.IGNORECASE).search(text, inside)
    for end in _RUNS[kind].finditer(text, inside):
        run = end["run"]
        if run is None or run == begins or (kind in {"fence", "quoted"} and run.startswith(begins)):
            return end
    return None


def without_indented_code(text: str) -> str:
    """Return the text with `HIDDEN` for code that is indented: after a blank line, by four columns or more.

    In an item of a list, these count from one blank after its marker. A line that is less indented ends the item.
    """
    if not _INDENTED.search(text):
        return text
    lines = text.split("\n")
    after_blank, is_code, margin = True, False, 0
    for number, line in enumerate(lines):
        quoted = _QUOTE.sub("", line, count=1)
        words = quoted.lstrip(" \t")
        if not words.strip():
            after_blank = True
            continue
        indent = len(quoted[: len(quoted) - len(words)].expandtabs(4))
        is_code = indent >= margin + 4 and (is_code or after_blank)
        item = _ITEM.match(words)
        if is_code:
            lines[number] = _VISIBLE.sub(HIDDEN, line)
        elif item and indent < margin + 4 and (after_blank or margin or item[0] in _AFTER_WORDS):
            margin = indent + len(item[0]) + 1
        elif not item:
            margin = min(margin, indent)
        after_blank = False
    return "\n".join(lines)
