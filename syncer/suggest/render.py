"""The commented config file that `init` writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from syncer.suggest.propose import Proposal

_HEAD = """\
# syncer's config. docs/reference/config.md explains every key. Collections must be named; the rest has these defaults.

site: .. # the site's root, relative to this file

collections:
"""
_TAIL = """
youtube:
  endpoint: https://youtube.googleapis.com/
  api_key_env: YOUTUBE_API_KEY # or api_key_file: a path
  timeout: 20s
  connections: 4
  retry: { attempts: 4, longest_wait: 60s, deadline: 90s }

quota: # units; a request for up to 50 videos costs one
  stats_units_per_day: 10000
  general_units_per_day: 10000
  reserve: 200 # of each bucket, never touched by scheduled syncs

schedule:
  every: 6h # or cron: "17 */6 * * *" with timezone: UTC
  jitter: 5m

write:
  brake: { missing: 50%, falling: 50% } # more videos than that gone at once, or counts falling: nothing is written

history: { keep: 28d } # YouTube's terms allow 30 days

status_page: { listen: "127.0.0.1:8787", token_env: null, hosts: [] } # of `syncer daemon`; null: no page

notify: { urls: [], ping: null } # apprise addresses; a URL that hears of each sync

git: { commit: false, push: false, remote: origin, message: null, author: null } # commit: true ends a sync in one

state: { directory: .syncer } # SQLite, diff log, lock
"""
_YAML_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def render(proposals: Sequence[Proposal]) -> str:
    """Return the text of a config with these collections, of which there must be one at least.

    It is the shipped `config/syncer.yaml` but for the collections, and always a valid config.
    """
    return _HEAD + "\n".join("".join(f"{line}\n" for line in _collection(one)) for one in proposals) + _TAIL


def _collection(proposal: Proposal) -> Iterator[str]:
    fields = proposal.fields
    in_list = "[]" in fields.video_id
    seen = f"{_number(proposal.pages, 'page')} with {_number(proposal.videos, 'video')}"
    yield f"  - directory: {_text(proposal.directory)} # {seen}"
    yield f"    include: [{', '.join(json.dumps(glob, ensure_ascii=False) for glob in proposal.include)}]"
    yield "    exclude: [] # globs as in .gitignore, seen from the directory"
    yield "    fields:"
    yield f"      video_id: {_text(fields.video_id)} # an id or a YouTube URL"
    yield f"      counts: # YouTube's name: the site's key{', inside each item of the list' if in_list else ''}"
    yield from (f"        {count}: {_text(key)}" for count, key in fields.counts.items())
    if fields.insert_missing:
        yield "      insert_missing: true # no page has these counts yet: they are added after the id's line"
    else:
        yield "      insert_missing: false # true: add a count that a page lacks, after the id's line"
    other = "number" if fields.insert_as == "string" else "string"
    yield f"      insert_as: {fields.insert_as} # or {other}: an added count's type on a page that has no count yet"


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _text(text: str) -> str:
    """Return the text as YAML holds it: plain where that is safe."""
    if re.fullmatch("[A-Za-z_][A-Za-z0-9_./-]*", text) and text.lower() not in _YAML_WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)
