"""Which generator builds a site, by the files at its root, and what it would do with syncer's own files."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

_JEKYLL_CONFIGS = ("_config.yml", "_config.yaml")
_OTHERS_WITH_THAT_CONFIG = ("_toc.yml", "source/_posts", "scaffolds")
"""Jupyter Book, and Hexo."""
_JEKYLL_4 = re.compile(r"^    jekyll \(4\.", re.MULTILINE)


def is_pelican(site: str) -> bool:
    """Return whether Pelican builds the site."""
    return any(os.path.isfile(os.path.join(site, name)) for name in ("pelicanconf.py", "publishconf.py"))


def jekyll_advice(site: str, config: str = "config", state: str = ".syncer") -> str | None:
    """Return what to add to `_config.yml`, and why; None where it is there, or where Jekyll does not build the site.

    `config` and `state` are the directories of syncer's config and of its state, relative to the site. Jekyll copies
    the first into the built site, where it is public, and `jekyll serve` builds again when the second changes.
    """
    name = next((name for name in _JEKYLL_CONFIGS if os.path.isfile(os.path.join(site, name))), None)
    if name is None or any(os.path.exists(os.path.join(site, other)) for other in _OTHERS_WITH_THAT_CONFIG):
        return None
    text, settings = _read(Path(site, name)), {}
    with suppress(yaml.YAMLError):
        settings = yaml.safe_load(text)
    if not isinstance(settings, dict):
        settings = {}
    excluded = settings.get("exclude")
    excluded = [str(item) for item in excluded] if isinstance(excluded, list) else []
    missing = [path for path in dict.fromkeys((state, config)) if not _is_excluded(path, excluded)]
    if not missing or str(settings.get("source", ".")).strip("./"):
        return None
    why = f"Jekyll publishes `{config}/`" if config in missing else f"Jekyll watches `{state}/`"
    if excluded:
        return f"{why}. Add to the `exclude` list in {name}: {', '.join(missing)}"
    advice = f"{why}. Add this line to {name}: exclude: [{', '.join(missing)}]"
    if not _JEKYLL_4.search(_read(Path(site, "Gemfile.lock"))):
        advice += " (Jekyll 3 also needs its defaults there: Gemfile, Gemfile.lock, node_modules, vendor/bundle)"
    return advice


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _is_excluded(path: str, patterns: Sequence[str]) -> bool:
    """Return whether Jekyll leaves out this directory: patterns are globs, or the beginnings of paths."""
    rooted = [f"/{pattern.removeprefix('/')}" for pattern in patterns]
    return any(fnmatchcase(f"/{path}", pattern) or f"/{path}/".startswith(pattern) for pattern in rooted)
