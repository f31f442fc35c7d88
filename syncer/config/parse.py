"""From the text of a config file to its values, or to everything that is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from syncer.config.explain import explain
from syncer.config.secrets import without_keys
from syncer.config.sections import Config
from syncer.config.source import Finding, KeyPath, Source, Value, read_source
from syncer.errors import ConfigError


def parse_config(text: str, file: Path) -> Config:
    """Return the config that the text holds; `file` names it in messages, and relative paths start beside it.

    Raises ConfigError with every finding, one on a line: `FILE:LINE: KEY: what is wrong; what to do`.
    """
    mapping, source = read_source(text)
    config = None if mapping is None else _validate(mapping, file, source)
    if config is None or source.findings:
        raise ConfigError("\n".join(_lines(source, file)))
    return config


def _validate(mapping: dict[str, Value], file: Path, source: Source) -> Config | None:
    folder = os.path.dirname(os.path.abspath(file))
    try:
        return Config.model_validate(mapping, context={"folder": folder})
    except ValidationError as error:
        told = {finding.key for finding in source.findings}
        for details in error.errors(include_url=False):
            source.findings.extend(
                Finding(source.line_of(key), key, sentence) for key, sentence in explain(details) if key not in told
            )
        return None


def _lines(source: Source, file: Path) -> Iterator[str]:
    order = {key: number for number, key in enumerate(source.lines)}
    for finding in sorted(source.findings, key=lambda finding: (finding.line, order.get(finding.key, 0))):
        key = f"{_dotted(finding.key)}: " if finding.key else ""
        yield f"{file}:{finding.line}: {_printable(without_keys(key + finding.message))}"


def _dotted(key: KeyPath) -> str:
    """`collections[0].fields`, as jq and the diff log write it; one with blanks around it in quotes, to be seen."""
    named = (part if isinstance(part, int) or (part and part == part.strip()) else repr(part) for part in key)
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in named).removeprefix(".")


def _printable(message: str) -> str:
    """Return the message on one line, whatever the file made us quote."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in message[:500])
