"""`syncer init`: proposes a config for a site and writes it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncer.cli.settings import USED, Settings

if TYPE_CHECKING:
    from syncer.model import Problem
    from syncer.suggest.data_files import DataFiles
    from syncer.suggest.elsewhere import Elsewhere
    from syncer.suggest.propose import Proposal
    from syncer.suggest.survey import Survey

CHECKED_FILES = 100
"""Up to so many data files of each proposal are read again, for the problems that a sync would report."""

PROBLEMS_SHOWN = 5

KEYS_SHOWN = 3
"""Keys of data files that are in no proposal; of others, nothing is said."""


@click.command()
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.pass_obj
def command(settings: Settings, directory: Path) -> int:
    """Propose a config for your site and write it.

    DIR is the site's root (default: the working directory). The config is DIR/config/syncer.yaml.
    """
    from syncer.cli.arguments import absolute
    from syncer.cli.show import show
    from syncer.cli.site_files import look_into_data_files, page_leaves, read_small_file
    from syncer.errors import ExitCode, UsageError
    from syncer.front_matter.keys import TABLES
    from syncer.front_matter.video_id import parse_video_id
    from syncer.model import VideoId
    from syncer.suggest.data_files import DataFiles
    from syncer.suggest.elsewhere import Elsewhere
    from syncer.suggest.generator import is_hugo
    from syncer.suggest.propose import suggest
    from syncer.suggest.render import render
    from syncer.suggest.survey import survey

    site = os.path.realpath(absolute(str(directory)))
    if not os.path.isdir(site):  # not `Path.is_dir`, which raises where a name is too long or may not be looked at
        raise UsageError(f"{directory} is not a directory: name the site's root")
    target = directory / "config" / "syncer.yaml"
    if os.path.lexists(target):
        raise UsageError(f"{target} exists already: remove it to run init again")

    def recognise(text: str) -> VideoId | None:
        found = parse_video_id(text, "")
        return found if isinstance(found, str) else None

    json_pages, json_numbers = set[str](), set[str]()
    seen = Elsewhere()
    found = survey(page_leaves(site, json_pages, json_numbers, seen), recognise)
    data_files = DataFiles(recognise)
    look_into_data_files(site, data_files, seen)
    of_data = data_files.proposals(partial(read_small_file, site))
    seen.refused = [data_files.refused[path] for path in seen.data_files if path in data_files.refused]
    tables = [each for each in of_data if each.format in TABLES and each.fields.insert_missing]
    proposals = [*suggest(found), *(each for each in of_data if each not in tables)]
    if not proposals:
        _show_none(site, found, seen, tables)
        return ExitCode.PROBLEMS
    by_hugo = is_hugo(site)
    final = _with_types(proposals, json_pages, by_hugo=by_hugo)
    _write(target, render(final, is_hugo=by_hugo))
    for proposal in final:
        _show_proposal(proposal)
    _show_left_alone(site, final, seen)
    _show_left_out(data_files)
    _show_unpublished(found, [proposal.fields.video_id for proposal in final], "add the directory to the config")
    _show_unread(site, seen)
    _show_tables(tables, is_written=True)
    USED[None] = settings.only(str(target))  # the commands that are suggested from here on are about this config
    show(f"Wrote {target}. Read it, then run `syncer check` and `syncer sync --dry-run`.")
    _show_generator_advice(site, target, final, json_numbers)
    return ExitCode.OK


def _with_types(proposals: Sequence[Proposal], json_pages: AbstractSet[str], *, by_hugo: bool) -> list[Proposal]:
    """Return the proposals with the type of added counts: strings in JSON that Hugo reads, as it rounds numbers.

    Pages of JSON are most often Hugo's, even where nothing else says so; not where their counts are numbers.
    """
    from syncer.model import Format

    return [
        replace(each, fields=replace(each.fields, insert_as="string"))
        if ((by_hugo or not each.has_numbers) and any(path in json_pages for path, _ in each.examples))
        or (by_hugo and each.format is Format.JSON)
        else each
        for each in proposals
    ]


def _write(target: Path, text: str) -> None:
    from syncer.errors import UsageError

    try:
        target.parent.mkdir(exist_ok=True)
        with target.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"Cannot write {target}: {error.strerror}") from error


def _show_proposal(proposal: Proposal) -> None:
    from syncer.cli.show import show
    from syncer.front_matter.keys import item_prefix
    from syncer.model import Format
    from syncer.wording import counted, safe

    fields = proposal.fields
    where = "the whole site" if proposal.directory == "." else safe(proposal.directory)
    noun = "page" if proposal.format is Format.FRONT_MATTER else "data file"
    show(f"{where}: {counted(proposal.pages, noun)}, {counted(proposal.videos, 'video')}")
    show(f"  video ID      {safe(fields.video_id)}")
    for key, value in fields.where.items():
        show(f"  only where    {safe(key)} is {safe(value)}")
    for count, key in fields.counts.items():
        show(f"  {count:13} {safe(key)}{' (new: a sync adds it)' if fields.insert_missing else ''}")
    if proposal.with_counts is not None and 2 * proposal.with_counts < proposal.slots:
        slots = counted(proposal.slots, "item" if item_prefix(fields.video_id) else noun)
        here = f"{proposal.with_counts:,} of {slots}"
        show(f"  Counts are on {here}: set `insert_missing: true` to add them to the others.")


def _show_left_alone(site: str, proposals: Sequence[Proposal], seen: Elsewhere) -> None:
    """Print the problems that a sync would report of the proposed keys, in some pages and in up to 100 data files."""
    from syncer.cli.show import show, show_problems
    from syncer.cli.site_files import read_small_file
    from syncer.content.other_case import describe_other_case
    from syncer.front_matter.find import find
    from syncer.wording import counted, safe

    refused = {problem.subject for problem in seen.refused}
    found: dict[Problem, None] = {}
    for each in proposals:
        examples = [path for path, _ in each.examples]
        for path in dict.fromkeys([*each.odd_pages, *examples, *each.files[:CHECKED_FILES]]):
            data = read_small_file(site, path) if path not in refused else None
            found |= dict.fromkeys(find(data, each.fields, path).problems if data is not None else ())
    if found:
        show("A sync would leave these alone and report them:")
        show_problems(list(found)[:PROBLEMS_SHOWN])
        if len(found) > PROBLEMS_SHOWN:
            show(f"  ... and {counted(len(found) - PROBLEMS_SHOWN, 'more problem')}; `syncer sync --dry-run` lists all")
    of_data = [(each.fields, each.files[:CHECKED_FILES]) for each in proposals]
    for *_, sentence in describe_other_case(of_data, partial(read_small_file, site)):
        show(safe(sentence))


def _show_left_out(data_files: DataFiles) -> None:
    """Print how many videos of data files are in no proposal, and what to do."""
    from syncer.cli.show import show
    from syncer.wording import counted, safe

    for key, videos in sorted(data_files.left_out.items(), key=lambda pair: -pair[1].total())[:KEYS_SHOWN]:
        path, _ = videos.most_common(1)[0]
        where = safe(path) + (f" and {len(videos) - 1:,} more" if len(videos) > 1 else "")
        is_bare = key.endswith("[]")
        advice = "map that key by hand, if they are to have counts"
        if is_bare:
            advice = "an item that is only an ID has no place for a count. Write it as `- id: dQw4w9WgXcQ`"
        under = "in the list" if is_bare else "under"
        show(f"Left out {counted(videos.total(), 'video')} {under} `{safe(key)}` of {where}: {advice}.")


def _show_generator_advice(site: str, target: Path, proposals: Sequence[Proposal], json_numbers: set[str]) -> None:
    """Print what to change for Hugo, which rounds large numbers in JSON, and for Jekyll, which publishes the config."""
    from syncer.cli.show import show
    from syncer.front_matter.keys import item_prefix
    from syncer.suggest.generator import is_hugo, jekyll_advice

    counts = {
        item_prefix(fields.video_id) + key
        for fields in (proposal.fields for proposal in proposals)
        for key in fields.counts.values()
    }
    if is_hugo(site) and counts & json_numbers:
        show("Put the counts in your JSON front matter in quotes: Hugo shows the number 3788042 as 3.788042e+06.")
        show("A sync keeps the quotes.")
    if advice := jekyll_advice(site, os.path.realpath(target), f"{site}/.syncer"):
        show(f"{advice}.")


def _show_unpublished(found: Survey, keys: Sequence[str], remedy: str) -> bool:
    """Print which directories were left out and have videos under one of these keys. Return whether there are any."""
    from syncer.cli.show import show
    from syncer.wording import safe

    directories = sorted({directory for directory, key in found.unpublished if key in keys})
    if directories:
        names = ", ".join(map(safe, directories))
        show(f"Left out as archive, draft or theme: {names}. To update pages there, {remedy}.")
    return bool(directories)


def _show_unread(site: str, seen: Elsewhere) -> None:
    """Print which pages have a video in front matter or metadata that cannot be read, and which files were not read."""
    from syncer.check.findings import examples
    from syncer.cli.show import ROWS_SHOWN, show, show_problems
    from syncer.suggest.generator import unfenced_advice
    from syncer.wording import counted, safe

    if seen.invalid:
        pages = counted(len(seen.invalid), "page")
        show(f"Skipped {pages} with a video in invalid front matter: {safe(examples(seen.invalid))}. Fix it.")
    if seen.refused:
        show(f"Skipped {counted(len(seen.refused), 'data file')} with video IDs. Fix what is wrong:")
        show_problems(seen.refused[:ROWS_SHOWN])
    if seen.large:
        files = safe(examples(seen.large))
        show(f"Did not read {files}: larger than 8 MiB, or not readable. If there are videos, map them by hand.")
    if seen.unfenced:
        show(unfenced_advice(site, [safe(path) for path in seen.unfenced]))


def _show_tables(tables: Sequence[Proposal], *, is_written: bool) -> None:
    """Print which tables have videos, and no column for a count, and how to have counts there.

    `is_written`: there is a config now, so init cannot run again.
    """
    from syncer.cli.show import show
    from syncer.suggest.render import collection_lines
    from syncer.wording import counted, safe

    for table in tables:
        where = safe(table.examples[0][0]) + (f" and {table.pages - 1:,} more" if table.pages > 1 else "")
        videos = f"{counted(table.videos, 'video')} in the column `{safe(table.fields.video_id)}`"
        columns = " and ".join(f"`{safe(name)}`" for name in table.fields.counts.values())
        show(f"Saw {videos} of {where}, and no column for a count. A sync adds no column.")
        if is_written:
            show(f"Add columns such as {columns}, empty at first, or choose some that are there. Then add this to")
            show("`collections` in the config, with the names of your columns:")
        else:
            show(
                f"Add columns such as {columns}, empty at first, then run `syncer init` again. Or choose some that are"
            )
            show("there, and write config/syncer.yaml by hand:")
            show("collections:")
        for line in collection_lines(table):
            show(safe(line))
        show("With `counts: {}` instead, a sync only reports whether the videos play.")


def _show_none(site: str, found: Survey, seen: Elsewhere, tables: Sequence[Proposal]) -> None:
    """Print why there is nothing to propose: where there are videos, and what to do."""
    from syncer.cli.show import show
    from syncer.cli.site_files import PAGES, look_into_text
    from syncer.suggest.propose import impossible_ids, passed_over
    from syncer.wording import counted, safe

    look_into_text(site, seen)
    if not (seen.all_pages or seen.data_files or seen.large):
        show(
            f"No pages found ({', '.join(PAGES)}), so no config was written. Name your site's root: `syncer init DIR`."
        )
        return
    unread = seen.invalid or seen.unfenced or seen.refused or found.lists
    by_hand = _show_unpublished(found, [key for _, key in found.unpublished], "write config/syncer.yaml by hand")
    if seldom := passed_over(found):
        key, videos = seldom
        show("Too few values of any one key are YouTube videos, so no config was written.")
        show(f"Saw {counted(videos, 'YouTube video')} among the {found.values[key]:,} values of `{safe(key)}`.")
        show(f"If that is the key for videos, write `video_id: {safe(key)}` in config/syncer.yaml by hand.")
    elif by_hand:
        show("No other page has a YouTube video in its front matter, so no config was written.")
    else:
        why = _why_none(seen, tables, is_unread=bool(unread))
        show(f"{why}, so no config was written.")
    _show_unread(site, seen)
    for key, path in found.lists.items():
        show(f"Saw several videos in the list `{safe(key)}`, such as in {safe(path)}.")
        show("Give each item a key, such as `- id: dQw4w9WgXcQ`.")
    if unread:
        show("Then run `syncer init` again.")
        return
    if _show_elsewhere(seen, tables):
        return
    if wrong := impossible_ids(found):
        key, ids, one = wrong
        show(f"Saw {counted(ids, 'video ID')} in `{safe(key)}` that YouTube never issues, such as `{safe(one)}`.")
        show("Look for typos: a video ID ends in one of A E I M Q U Y c g k o s w 0 4 8. Then try again.")
    elif seen.embeds or not (seen.data_files or by_hand or seldom):
        show("A sync updates counts in front matter and data files only.")
        show("Add the video ID to each page, such as `video_id: dQw4w9WgXcQ`, and try again.")
        if seen.embeds:
            show("To see only which of the videos in texts still play, write `- {directory: ., bodies: true}` below")
            show("`collections:` in config/syncer.yaml by hand.")


def _why_none(seen: Elsewhere, tables: Sequence[Proposal], *, is_unread: bool) -> str:
    """Return why no file has a video that can be mapped; what follows may say where the videos are."""
    from syncer.wording import counted

    if not (seen.all_pages or is_unread):
        if tables:
            return "No table with a video has a column for a count"
        if seen.data_files:
            return "No data file has videos in a form that init can propose"
    where = f"the front matter of {counted(seen.all_pages, 'page')}" if seen.all_pages else "any data file"
    return f"No YouTube video {'can be read' if is_unread else 'found'} in {where}"


def _show_elsewhere(seen: Elsewhere, tables: Sequence[Proposal]) -> bool:
    """Print where there are videos that cannot be proposed. Return whether the tables only lack columns."""
    from syncer.cli.show import show
    from syncer.wording import counted, safe

    if seen.embeds:
        embeds = counted(len(seen.embeds), "video")
        show(f"Saw {embeds} in the text of {counted(len(seen.pages), 'page')}, such as {safe(seen.pages[0])}.")
    if tables:
        _show_tables(tables, is_written=False)
    elif seen.data_files:
        files = counted(len(seen.data_files), "data file")
        show(f"Saw {files} with video IDs, such as {safe(seen.data_files[0])}.")
        show("No key there is clearly for videos. Name it by hand in config/syncer.yaml. If there is none, give each")
        show("video a mapping with its ID, such as `- youtube_id: dQw4w9WgXcQ`, and try again.")
    return bool(tables)
