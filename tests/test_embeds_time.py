"""The search for embeds takes time in proportion to a page's size, whatever is on the page."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from syncer.front_matter.embeds import FORMS, Form, find_embeds
from syncer.model import Problem
from tests.examples import PART, PROVING

SMALL = 8 << 10
TIMES = 8
LIMIT = 20
"""How many times as long the page of `TIMES` times the size may take: 8 would be linear, 64 quadratic."""
SHORTEST = 0.001
"""Seconds: what takes less than this cannot be measured."""

PIECES = [
    " ",
    "\n",
    "a",
    "-",
    "/",
    "=",
    "id=",
    'id="',
    "youtube",
    "video",
    "provider ",
    "//youtube.com/embed/",
    "dQw4w9WgXcQ ",
]
"""Repeated after each part of a form."""

BEGINNINGS = [
    *["`", "``", "```", "`a``b", "``a```b````c", "~~~", "``` x`` ", "``a\n\n", "`a\n- b\n", "\\`", "\\"],
    *[
        "<",
        "<<",
        "<!",
        "<!--",
        "<!-->",
        "<!-- -->",
        "<?",
        "<?php ",
        "<![CDATA[",
        "<pre",
        "<pre ",
        "<pre>",
        "<pre></prf>",
        "<xmp a='b'",
    ],
    *["<a", "<a ", "<a\n", "<a\nb ", "<a\n>", "<a.youtube.", "</", ">", "> ", "\n> > > ", "\n> ```", "\n>\n"],
    *["{", "{{", "{%", "{%-   ", "{% raw", "{% raw ", "{% raw %}", "{% highlight x\n", "{% comment %}", "{% # "],
    *["{{</*", "{{%/*", "{{/*", "{{- /*", "{/*", "{#", "{# ", "{{<   ", "{{   ", "*/", "%}", "}}"],
    *["{{< highlight ", "{{< highlight x >}}", "{{< code >", "{{% comment ", "{{< comment >}}", "{{< /code"],
    *["%%", "%%\n", "%% ", "$$", "$$\n", "$", "----\n", "....\n", "////\n", "++++\n", "-----x\n", "---- \n\n"],
    *[
        "    x\n",
        "\n    x\n",
        "\t",
        "- ",
        "- \n",
        "1. ",
        "1) a\n\n",
        "* ",
        "\n\n- a\n      b\n",
        " ",
        "\n",
        "\r\n",
        "]:\n",
        "\x01",
        "\xff",
    ],
]
"""Of everything that hides: whole, in part, and with what may follow it."""

GROWING: dict[str, Callable[[int], str]] = {
    "runs of backticks": lambda number: "`" * number + "a",
    "fences": lambda number: f"{'`' * (number + 2)}\na\n",
    "closed fences": lambda number: f"{'~' * (number + 2)}\na\n{'~' * (number + 2)}\n",
    "blocks of AsciiDoc": lambda number: f"{'-' * (number + 3)}\nx\n",
    "names of tags": lambda number: f"<a{number} <a{number}\n",
    "quotes": lambda number: f"{'> ' * number}\n",
    "items": lambda number: f"{'- ' * number}a\n",
    "indented lines": lambda number: f"{' ' * number}a\n\n",
}
"""Each one is longer, or another, than the one before."""


def taken(text: str, suffix: str) -> float:
    data = text.encode("latin-1")
    began = time.process_time()
    assert not isinstance(find_embeds(data, f"a{suffix}"), Problem)
    return time.process_time() - began


def assert_linear(hostile: Callable[[int], str], form: Form, suffix: str, small: int = SMALL) -> None:
    """Measure a text and one of eight times the size, again where the first time may have been a disturbance.

    An embed makes the form be looked for: before the text, so that nothing ends what the text begins, or, for lines,
    after it, so that the search begins before code is hidden.
    """
    texts = [hostile(size) for size in (small, small * TIMES)]
    pages = [f"{text}\n{form.example}\n" if text[-1] == "\n" else f"{form.example}\n\n{text}" for text in texts]
    short, long = (float("inf"),) * 2
    for _ in range(4):
        long = min(long, taken(pages[1], suffix))
        if long < LIMIT * SHORTEST:
            return
        short = min(short, taken(pages[0], suffix))
        if long < LIMIT * short:
            return
    pytest.fail(f"{pages[0][:60]!r}... in {suffix}: {short:.4f} s, and {long:.4f} s for {TIMES} times the size")


def repeated(beginning: str, piece: str) -> Callable[[int], str]:
    return lambda size: beginning + piece * (size // len(piece))


def grown(piece: Callable[[int], str]) -> Callable[[int], str]:
    def text(size: int) -> str:
        parts = [piece(1)]
        while size > 0:
            size -= len(parts[-1])
            parts.append(piece(len(parts) + 1))
        return "".join(parts)

    return text


def parts_of(form: Form) -> Iterator[str]:
    """The beginnings of its example that end with a word or a sign."""
    for part in re.finditer(r"\w+|\W", form.example):
        yield form.example[: part.end()]


def some(values: Sequence[str], number: int) -> Sequence[str]:
    """Every fourth of the values, in turn, or every eighth where a part of the examples is enough.

    All have their turn, and `./dev prove` tries each with each.
    """
    step = 1 if PROVING else 4 if PART == 1 else 8
    return values[number % step :: step]


@pytest.mark.storm
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_the_beginning_of_a_form_repeated_takes_linear_time(form: Form) -> None:
    suffix = min(form.suffixes) if form.suffixes else ".md"
    for number, part in enumerate(parts_of(form)):
        for between in ("", " ", "\n"):
            assert_linear(repeated("", part + between), form, suffix)
        for piece in some(PIECES, number):
            assert_linear(repeated(part, piece), form, suffix)


@pytest.mark.storm
@pytest.mark.parametrize("suffix", [".md", ".html", ".adoc"])
def test_the_beginning_of_code_or_a_comment_repeated_takes_linear_time(suffix: str) -> None:
    form = next(form for form in FORMS if form.name == "iframe")
    for number, part in enumerate(BEGINNINGS):
        for between in some(["", " ", "x\n", "- "], number):
            assert_linear(repeated("- ", part + between), form, suffix)
    for piece in GROWING.values():
        assert_linear(grown(piece), form, suffix)


@pytest.mark.storm
@pytest.mark.parametrize("line", ["", "- ", "> ", "1. ", "a ", "    "] if PROVING else ["> "])
def test_many_matches_on_a_line_of_a_mebibyte_take_linear_time(line: str) -> None:
    form = FORMS[0]
    for piece in (form.example, f"{form.example} ``", "%%x", "````x", "``` x`` ", "$$ ", "`a` ", "<!-- --> ", "----"):
        for suffix in (".md", ".adoc") if PROVING else (".md",):
            assert_linear(repeated(line * (64 << 10), piece), form, suffix, small=128 << 10)


@pytest.mark.parametrize("between", [" ", "\n", "\n\n", "\n\n    a\n\n"])
def test_many_embeds_take_linear_time(between: str) -> None:
    for form in FORMS:
        if not form.suffixes:
            assert_linear(repeated("", form.example + between), form, ".md")
