"""Which generator builds a site, by the files at its root, and what it would do with syncer's own files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from syncer.wording import counted

_JEKYLL_CONFIGS = ("_config.yml", "_config.yaml")
_OTHERS_WITH_THAT_CONFIG = ("_toc.yml", "source/_posts", "scaffolds")
"""Jupyter Book, and Hexo."""
_JEKYLL_4 = re.compile(r"^    jekyll \(4\.", re.MULTILINE)


def is_pelican(site: str) -> bool:
    """Return whether Pelican builds the site."""
    return any(os.path.isfile(os.path.join(site, name)) for name in ("pelicanconf.py", "publishconf.py"))


def is_hugo(site: str) -> bool:
    """Return whether Hugo builds the site."""
    names = ("config/_default", *(f"{stem}.{end}" for stem in ("hugo", "config") for end in ("toml", "yaml", "json")))
    return any(os.path.exists(os.path.join(site, name)) for name in names)


def unfenced_advice(site: str, pages: Sequence[str]) -> str:
    """Return what to do about pages, at least one, whose metadata has no `---` lines."""
    pelican = is_pelican(site)
    return (
        f"Saw {counted(len(pages), 'page')} with a video in metadata without `---` lines, such as {pages[0]}.\n"
        f"Put a line `---` before and after the metadata{' (Pelican reads both forms)' if pelican else ''}.\n"
        f"YAML needs quotes around a value such as `A: B`{'. Pelican shows quotes, so reword it' if pelican else ''}."
    )


def jekyll_advice(site: str, config: str, state: str) -> str | None:
    """Return what to change in `_config.yml`, and why; None where all is well, or where Jekyll does not build the site.

    All are real paths: of the site, of syncer's config file, and of the directory of its state. What Jekyll copies into
    the built site is public, and `jekyll serve` builds again when the state changes.
    """
    name = next((name for name in _JEKYLL_CONFIGS if os.path.isfile(os.path.join(site, name))), None)
    if name is None or any(os.path.exists(os.path.join(site, other)) for other in _OTHERS_WITH_THAT_CONFIG):
        return None
    try:
        text = Path(site, name).read_text(encoding="utf-8", errors="replace")
        settings = yaml.load(text, yaml.BaseLoader) or {}  # noqa: S506 - it makes only texts, of any tag
        source = os.path.realpath(os.path.join(site, settings.get("source", ".")))
    except (OSError, yaml.YAMLError, AttributeError, TypeError) as error:  # the last two: it is not a mapping
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        return f"Cannot read {name}{line}, which must exclude syncer's config. Fix it, then run `syncer check`"
    config, state = (os.path.relpath(path, source) for path in (config, state))
    excluded = settings.get("exclude")
    published = [path for path in (state, config) if _is_published(path, settings)]
    watched = [] if state.startswith("..") or _matches(state, excluded) else [state]
    directory = os.path.dirname(config)
    if os.path.basename(directory) == "config":  # any other may hold pages
        published = [directory if path == config else path for path in published]
    missing = ", ".join(dict.fromkeys(watched + published))
    if not missing:
        return None
    shown = (published or watched)[-1]
    why = f"Jekyll {'publishes' if published else 'watches'} `{shown}{'' if shown == config else '/'}`"
    if excluded and isinstance(excluded, list):
        return f"{why}. Add to the `exclude` list in {name}: {missing}"
    if "exclude" in settings:
        return f"{why}. Change `exclude` in {name} to: exclude: [{excluded + ', ' if excluded else ''}{missing}]"
    advice = f"{why}. Add this line to {name}: exclude: [{missing}]"
    lock = Path(site, "Gemfile.lock")
    if not (lock.is_file() and _JEKYLL_4.search(lock.read_text(encoding="utf-8", errors="replace"))):
        advice += " (Jekyll 3 also needs its defaults there: Gemfile, Gemfile.lock, node_modules, vendor/bundle)"
    return advice


def _is_published(path: str, settings: Mapping[str, object]) -> bool:
    """Return whether Jekyll copies a file or directory into the built site. `path` is relative to Jekyll's source.

    Every name of the path counts: https://github.com/jekyll/jekyll/blob/v4.3.1/lib/jekyll/entry_filter.rb.
    """
    names = path.split("/")
    for level, name in enumerate(names, 1):
        is_special = name.startswith(("_", ".", "#", "~")) or name.endswith("~")
        is_excluded = is_special or _matches("/".join(names[:level]), settings.get("exclude"))
        if name == ".." or (is_excluded and not _matches(name, settings.get("include"))):
            return False
    return True


def _matches(path: str, patterns: object) -> bool:
    """Return whether a path matches one of a list's patterns: they are globs, or the beginnings of paths."""
    rooted = [f"/{str(each).removeprefix('/')}" for each in patterns] if isinstance(patterns, list) else []
    return any(fnmatchcase(f"/{path}", pattern) or f"/{path}/".startswith(pattern) for pattern in rooted)
