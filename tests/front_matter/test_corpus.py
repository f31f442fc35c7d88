"""Walks a corpus of real pages: every slot found is rewritten, and nothing but its counts may differ."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from syncer.front_matter.block import Block, Syntax, find_block, head_suffices
from syncer.front_matter.find import find, find_in_tree
from syncer.front_matter.keys import PageContents, keys_of
from syncer.front_matter.leaves import leaves
from syncer.front_matter.plain import find_plain
from syncer.front_matter.rewrite import rewrite
from syncer.model import Fields, Problem, Value
from tests.front_matter.pages import change, changes, difference, fields

CORPUS = os.environ.get("SYNCER_CORPUS")
pytestmark = [
    pytest.mark.storm,
    pytest.mark.skipif(CORPUS is None, reason="SYNCER_CORPUS does not name a directory of pages"),
]

NEW = "8642086420864"
HEAD_BYTES = 4096
"""Of a longer page, so much may be enough to find all that it has."""
MAPPINGS = [
    fields(video_id, *counts, insert=insert)
    for insert in (False, True)
    for video_id, counts in [
        ("vid_id", ("viewcount", "likeCount")),
        ("image", ("viewcount", "dislikeCount")),
        ("video_id", ("view_count", "like_count")),
        ("youtube", ("views", "likes")),
        ("video", ("views", "likes")),
        ("media", ("views", "likes")),
        ("youtube_url", ("view_count", "like_count")),
        ("url", ("view_count", "like_count")),
        ("youtubeId", ("viewCount", "likeCount")),
        ("youtube_id", ("viewCount", "likeCount")),
        ("videoId", ("viewCount", "likeCount")),
        ("extra.youtube_id", ("extra.view_count", "extra.like_count")),
        ("event.eventUrl", ("event.views", "event.likes")),
        ("videos[].video_id", ("views", "likes")),
        ("contributions[].video_id", ("views", "likes")),
        ("topics[].video_id", ("views", "likes")),
        ("additional_resources[].url", ("views", "likes")),
    ]
]


def corpus_files(*, suite: bool) -> Iterator[Path]:
    assert CORPUS is not None
    for path in sorted(Path(CORPUS).rglob("*")):
        if path.is_file() and path.name != "MANIFEST.tsv" and ("yaml-test-suite" in path.parts) is suite:
            yield path


def parsed(data: bytes, where: Block) -> Any:
    """Parse a block with the library itself; YAML's scalars stay the text they are."""
    text = data[where.start : where.stop].decode()
    if where.syntax is Syntax.TOML:
        return tomllib.loads(text)
    return json.loads(text) if where.syntax is Syntax.JSON else yaml.load(text, yaml.CBaseLoader)


def expected(before: Any, values: list[Value]) -> Any:
    """Set the counts in a parsed block by the fields' names."""
    for value in values:
        node = before
        *way, last = value.field.replace("[", ".").replace("]", "").split(".")
        for step in way:
            node = node[int(step)] if isinstance(node, list) else node[step]
        old = node.get(last, "")
        node[last] = int(NEW) if isinstance(old, int) else NEW
    return before


def normal(node: Any) -> Any:
    """Let an added count be a number or a string: the style follows the neighbour."""
    if isinstance(node, dict):
        return {key: normal(value) for key, value in node.items()}
    if isinstance(node, list):
        return [normal(value) for value in node]
    return NEW if node == int(NEW) else node


def require_one_edit(data: bytes, new: bytes, value: Value) -> None:
    """Outside one contiguous place no byte differs, and what was there is gone: digits, or nothing."""
    gone, came = (part.decode() for part in difference(data, new))
    assert gone in (value.text or "") or (value.text is None and gone in {"null", "~", "NULL", "Null"})
    if value.present:
        assert set(came) <= set(NEW + " "), came
    else:
        assert NEW in came
        assert len(came) <= len(value.field) + len(NEW) + 60


def report(title: str, figures: Counter[str]) -> None:
    """Show the figures under `pytest -s`."""
    lines = [f"  {number:7} {name}" for name, number in sorted(figures.items())]
    sys.stdout.write("\n".join(["", title, *lines, ""]))


def rewrite_all(data: bytes, mapping: Fields, found: PageContents, figures: Counter[str]) -> None:
    values = [value for slot in found.slots for value in slot.values]
    figures["slots"] += len(found.slots)
    figures["values"] += len(values)
    if not values:
        return
    new = rewrite(data, mapping, changes(found, NEW), "page.md")
    if isinstance(new, Problem):
        figures[f"not rewritten: {new.kind}"] += 1
        return
    where, there = find_block(data), find_block(new)
    assert where is not None
    assert there is not None
    assert new[there.stop :] == data[where.stop :]
    assert new[: there.start] == data[: where.start]
    try:
        before = parsed(data, where)
    except yaml.YAMLError:
        figures["odd keys, an anchor set twice, or a tab: only bytes compared"] += 1
    else:
        assert normal(parsed(new, there)) == normal(expected(before, values))
    figures["slots rewritten"] += len(found.slots)
    figures["values rewritten"] += len(values)
    for slot in found.slots:
        for value in slot.values:
            one = rewrite(data, mapping, [change(slot.video_id, value, NEW)], "page.md")
            assert isinstance(one, bytes)
            require_one_edit(data, one, value)


def test_every_slot_of_a_real_page_is_rewritten_and_nothing_else_differs() -> None:
    figures: Counter[str] = Counter()
    for path in corpus_files(suite=False):
        data = path.read_bytes()
        figures["files"] += 1
        figures["files with a readable block"] += bool(leaves(data))
        found_any = False
        for mapping in MAPPINGS:
            found = find(data, mapping, "page.md")
            found_any = found_any or bool(found.slots)
            if len(data) > HEAD_BYTES and head_suffices(data[:HEAD_BYTES]):
                assert find(data[:HEAD_BYTES], mapping, "page.md") == found
            for problem in found.problems:
                figures[f"refused: {problem.kind}"] += 1
            rewrite_all(data, mapping, found, figures)
        figures["files with a slot"] += found_any
    report(f"pages, summed over {len(MAPPINGS)} mappings", figures)
    assert figures["slots rewritten"] > 0


def test_the_fast_path_finds_what_the_full_parser_finds_on_real_pages_and_on_the_yaml_test_suite() -> None:
    figures: Counter[str] = Counter()
    for suite in (True, False):
        for path in corpus_files(suite=suite):
            data = path.read_bytes()
            if suite:
                data = b"---\n" + data + b"\nvid_id: kq3vT7mZ_dE\nviewcount: 5\n---\n"
            where = find_block(data)
            if where is None or where.syntax is not Syntax.YAML:
                continue
            for mapping in MAPPINGS:
                keys = keys_of(mapping)
                if not keys.plain or keys.needle not in data:
                    continue
                fast = find_plain(data, keys)
                figures["asked"] += 1
                figures["answered"] += fast is not None
                assert fast is None or PageContents(fast) == find_in_tree(data, keys, "page.md"), path
    assert figures["answered"] > 0
    report("fast way and true way", figures)


def test_the_yaml_test_suite_as_front_matter_is_read_or_refused() -> None:
    refused: Counter[str] = Counter()
    files = 0
    for path in corpus_files(suite=True):
        files += 1
        for tail in (b"", b"\nvid_id: kq3vT7mZ_dE\n"):
            data = b"---\n" + path.read_bytes() + tail + b"\n---\n"
            mapping = fields(insert=True)
            found = find(data, mapping, "page.md")
            refused.update(problem.kind for problem in found.problems)
            rewrite_all(data, mapping, found, refused)
    report(f"YAML test suite: {files} inputs, each with and without an id", refused)
    assert files > 0
