"""The docs are consistent: links lead somewhere, and lists are complete."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
TOP = ("README.md", "CHANGELOG.md", "SECURITY.md")
PAGES = [*(ROOT / name for name in TOP), *sorted(DOCS.rglob("*.md"))]

FENCE = re.compile(r"^ *(```|~~~).*?^ *\1", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|^ *\[[^\]]+\]:\s*<?([^\s>]+)|(?:href|src)=\"([^\"]+)\"", re.MULTILINE)
HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?$", re.MULTILINE)
ANCHOR = re.compile(r"<a\b[^>]*\b(?:id|name)=\"([^\"]+)\"")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_resolves(page: Path) -> None:
    assert list(broken_links(page)) == []


def test_it_finds_a_link_or_anchor_that_leads_nowhere(tmp_path: Path) -> None:
    other = tmp_path / "other.md"
    other.write_text("# Why `bytes`, and not YAML?\n\n## Twice\n\n## Twice\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n[file](other.md), [anchor](other.md#why-bytes-and-not-yaml), [second](other.md#twice-1), [up](#here)\n"
        "[site](https://example.org/nowhere) `[code](gone.md)`\n```\n[fence](gone.md)\n```\n"
        "[bad file](gone.md) [bad\nanchor](other.md#yaml) [bad here](#there)\n\n[reference]: gone-too.md\n"
    )
    assert list(broken_links(page)) == ["gone.md", "other.md#yaml", "#there", "gone-too.md"]


def test_every_page_of_the_docs_that_the_code_names_exists() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "syncer").rglob("*.py")]
    named = {name for text in sources for name in re.findall(r"\bdocs/[\w/-]+\.md\b", text)}
    assert {"docs/youtube.md", "docs/reference/problems.md"} <= named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_decision_is_in_the_list() -> None:
    records = {path.name for path in (DOCS / "decisions").glob("[0-9]*.md")}
    assert set(links(DOCS / "decisions" / "README.md")) == records


def test_the_numbers_of_decisions_have_no_gap() -> None:
    numbers = [int(path.name[:4]) for path in sorted((DOCS / "decisions").glob("[0-9]*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_index_names_every_page() -> None:
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    shown = {link for link in links(DOCS / "README.md") if not link.startswith("../")}
    assert shown | {"README.md"} == {page for page in pages if not re.match(r"decisions/\d", page)}


def broken_links(page: Path) -> Iterator[str]:
    """Yield the relative links of a page that name no file, or no heading in it."""
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


def links(page: Path) -> Iterator[str]:
    """Yield the links of a page that are no address."""
    text = CODE.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))
    for match in LINK.finditer(text):
        link = next(filter(None, match.groups()))
        if not re.match(r"[a-z][a-z+.-]*:", link):
            yield link


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page, and those written out."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    found = set(ANCHOR.findall(text))
    seen: Counter[str] = Counter()
    for heading in HEADING.findall(text):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found
