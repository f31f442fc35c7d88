"""The commented config file that `init` writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from syncer.front_matter.keys import KEYED, TABLES
from syncer.model import Fields, Format
from syncer.suggest.propose import Proposal
from syncer.wording import counted

_HEAD = """\
# The config of syncer. Only `collections` is required; everything else has its default here.
# Run `syncer check` after each change. Every key is explained in docs/reference/config.md of syncer's repository.

site: .. # the site's root, relative to this file
name: null # what one daemon for several sites calls this one; null: the name of its directory

collections:
"""
_TAIL = """
youtube:
  endpoint: https://youtube.googleapis.com/
  api_key_env: YOUTUBE_API_KEY # the environment variable with your API key; or api_key_file: PATH
  timeout: 20s
  connections: 4
  retry: { attempts: 4, longest_wait: 60s, deadline: 90s }

quota: # in units; a request for up to 50 videos costs 1 unit
  ledger: null # the file in which the sites of one Google project count their units together: ../quota.sqlite3
  share: null # 20%: the part of a shared ledger that this site may use
  # stats_units_per_day: 10000 # only if YouTube granted your project another number
  # general_units_per_day: 10000
  reserve: 200 # units of each bucket that scheduled syncs never use

schedule:
  every: 6h # or cron: "17 */6 * * *" with timezone: UTC
  jitter: 5m
  refresh_within: 25d # every video is read at least this often, even where the quota does not suffice for all

write:
  in_place: true # false: never change a page in place, always swap in a new file
  min_change: 0 # a count is written when it differs by more than this: 25, 1%, or {viewCount: 1%, likeCount: 5}
  rounding: exact # display: a count is written when the form that people read changes, such as 1.2M
  at_least_every: null # 28d: a count that differs is written at the latest so long after its last write
  at_most_every: null # 12d: pages are written, and committed, at most this often
  to: front_matter # data_file: leave the pages as they are, and write all counts into one file, such as
  file: null # _data/youtube.yml
  brake: { missing: 50%, falling: 50% } # safety brake: if more are missing or falling at once, the sync stops

deploy: { hook_env: null, when: 5%, at_least_every: 24h, at_most_per_day: 4, quiet: 10m } # calls your host's build hook

availability: { every: 7d, regions: [] } # how often each video is checked: does it still play, in [DE, US] for example

history: { keep: 28d } # how long readings are kept; YouTube's terms allow 30 days

# status_page: { listen: "127.0.0.1:8787", token_env: null, hosts: [] } # of `syncer daemon`; status_page: null for none

notify: { urls: [], ping: null } # apprise URLs to notify; a URL to request after each sync

git: { commit: false, push: false, remote: origin, message: null, author: null } # commit: true commits after each sync

state: { directory: .syncer } # the database, the diff log and the lock
"""
_YAML_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def render(proposals: Sequence[Proposal], *, is_hugo: bool = False) -> str:
    """Return the text of a config with these collections, at least one: always a valid config.

    Only the collections differ from the `config/syncer.yaml` that is shipped, and in Hugo sites the directory of data.
    """
    tail = _TAIL.replace("_data/", "data/") if is_hugo else _TAIL
    return _HEAD + "\n".join("".join(f"{line}\n" for line in collection_lines(one)) for one in proposals) + tail


def collection_lines(proposal: Proposal) -> Iterator[str]:
    """Yield the lines of one item of `collections`."""
    fields = proposal.fields
    is_page, is_table = proposal.format is Format.FRONT_MATTER, proposal.format in TABLES
    noun = "page" if is_page else "data file"
    seen = f"{counted(proposal.pages, noun)} with {counted(proposal.videos, 'video')}"
    beside = ""
    if not is_table:
        beside = ", in each item of the list" if "[]" in fields.video_id else ""
        beside = ", in the value of each ID" if fields.video_id.endswith(KEYED) else beside
    exclude = ", ".join(map(_quoted, proposal.exclude))
    yield f"  - directory: {_text(proposal.directory)} # {seen}"
    if is_table:
        yield f"    format: {proposal.format}"
    yield f"    include: [{', '.join(map(_quoted, proposal.include))}]"
    yield f"    exclude: [{exclude}] # globs as in .gitignore, relative to the directory"
    yield "    fields:"
    if fields.video_id.endswith(KEYED):
        yield f"      video_id: {_text(fields.video_id)} # the keys of this mapping are the video IDs"
    else:
        yield f"      video_id: {_text(fields.video_id)} # the key of the video ID, or of a YouTube URL"
    yield f"      counts: # YouTube's name: your {'column' if is_table else 'key'}{beside}"
    yield from (f"        {count}: {_text(key)}" for count, key in fields.counts.items())
    if fields.where:
        where = ", ".join(f"{_text(key)}: {_quoted(value)}" for key, value in fields.where.items())
        yield f"      where: {{ {where} }} # all others are skipped"
    key = "column" if is_table else "key"
    if not is_table:
        yield from _insertion(fields, is_page=is_page)
    yield f"      checked_at: null # a {key} for the day of the counts, written together with them"
    yield f"      unavailable_since: null # a {key} for the day since which the video does not play"


def _insertion(fields: Fields, *, is_page: bool) -> Iterator[str]:
    if fields.insert_missing:
        noun = "page" if is_page else "file"
        yield f"      insert_missing: true # the {noun}s have no counts yet: a sync adds them below the video ID"
    else:
        lacks = "page" if is_page else "video"
        yield f"      insert_missing: false # true: add a count that a {lacks} does not have, below the video ID"
    other = "number" if fields.insert_as == "string" else "string"
    added = "the type of an added count on a page" if is_page else "the type of an added count in a file"
    yield f"      insert_as: {fields.insert_as} # or {other}: {added} without other counts"


def _text(text: str) -> str:
    """Return the text as a YAML value: without quotes where that is safe."""
    if re.fullmatch("[A-Za-z_][A-Za-z0-9_./-]*", text) and text.lower() not in _YAML_WORDS:
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
