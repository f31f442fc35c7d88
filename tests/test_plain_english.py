"""Nothing that a user or a new engineer reads uses the words that only the project's makers understood."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

FORMER_WORDS = re.compile(
    r"\b(a person|anew|doctor|doubt\w*|for ever|for good|is no valid|lets? through|made up for|mend(s|ed|ing)?|ours"
    r"|passed over|says? so if|stands? (in|there)|told|without a word)\b",
    re.IGNORECASE,
)
"""The glossary has a plainer word for each."""

FIXED_NAMES = re.compile(r'told\.(json|\*)|"ours"|`ours`|"?doubtful|when-a-commit-is-ours')
"""Names that scripts, files and links rely on."""


def sentences() -> Iterator[tuple[str, str]]:
    """Yield each line of the docs, the config, and the texts and comments of the program, with where it is."""
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "config/syncer.yaml", ROOT / "dev"):
        if not path.name[0].isdigit():  # decision records keep the words of their time
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                yield f"{path.relative_to(ROOT)}:{number}", line
    for path in sorted((ROOT / "syncer").rglob("*.py")):
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
            if token.type in {tokenize.STRING, tokenize.COMMENT}:
                yield f"{path.relative_to(ROOT)}:{token.start[0]}", token.string


def test_no_sentence_uses_a_former_word() -> None:
    found = [
        f"{where}: {line.strip()}" for where, line in sentences() if FORMER_WORDS.search(FIXED_NAMES.sub("", line))
    ]
    assert found == []


def test_a_former_word_would_be_found() -> None:
    assert FORMER_WORDS.search("It is told once when something needs a person.")
    assert len(list(sentences())) > 5000
