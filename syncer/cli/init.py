"""`syncer init`: looks at a site and writes its config."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from syncer.suggest.survey import Leaves

PAGES = ("*.md", "*.markdown", "*.mdx", "*.mdoc", "*.html")
"""What may be a page."""


@click.command()
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
def command(directory: Path) -> int:
    """Look at the content of the site DIR (default: here), and write DIR/config/syncer.yaml for it."""
    from syncer.cli.arguments import absolute
    from syncer.cli.show import show, show_table
    from syncer.errors import ExitCode, UsageError
    from syncer.front_matter.video_id import parse_video_id
    from syncer.model import VideoId
    from syncer.suggest.propose import suggest
    from syncer.suggest.render import render

    site = os.path.realpath(absolute(str(directory)))
    if not os.path.isdir(site):  # not `Path.is_dir`, which raises where a name is too long or may not be looked at
        raise UsageError(f"{directory}: is no directory; name the site's root")
    target = directory / "config" / "syncer.yaml"
    if os.path.lexists(target):
        raise UsageError(f"{target} exists already; remove it to run init again")

    def recognise(text: str) -> VideoId | None:
        found = parse_video_id(text, "")
        return found if isinstance(found, str) else None

    proposals = suggest(_pages(site), recognise)
    if not proposals:
        show(
            "No video found: no page has a YouTube id or URL in its front matter. Nothing was written; if yours are "
            f"elsewhere, write {target} by hand: docs/reference/config.md names every key."
        )
        return ExitCode.PROBLEMS
    _write(target, render(proposals))
    rows = [
        (
            proposal.directory,
            proposal.fields.video_id,
            ", ".join(f"{count}: {key}" for count, key in proposal.fields.counts.items()),
            "inserted" if proposal.fields.insert_missing else "there",
            f"{proposal.pages:,}",
            f"{proposal.videos:,}",
        )
        for proposal in proposals
    ]
    show_table(("directory", "id", "counts", "are", "pages", "videos"), rows, right=(4, 5))
    show(f"Wrote {target}. Look it through, then: syncer check, and syncer sync --dry-run.")
    return ExitCode.OK


def _pages(site: str) -> Iterator[tuple[str, Leaves]]:
    from syncer.content.page_file import attempt
    from syncer.content.scan import read_head
    from syncer.content.walk import Candidate, walk
    from syncer.front_matter.leaves import leaves
    from syncer.model import Collection, Fields

    for candidate in walk(site, [Collection(".", PAGES, (), Fields("", {}))]):
        if isinstance(candidate, Candidate):
            read = read_head(site, candidate)
            if isinstance(read, tuple):  # what cannot be read cannot be proposed
                found = attempt(leaves, read[0])
                if found is not None:
                    yield candidate.path, found


def _write(target: Path, text: str) -> None:
    from syncer.errors import UsageError

    try:
        target.parent.mkdir(exist_ok=True)
        with target.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}") from error
