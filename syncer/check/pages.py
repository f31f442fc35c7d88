"""Checks the pages: whether they name videos, have the mapped keys, and can be written."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from syncer.check.findings import Finding, Level, examples
from syncer.content.data_file import read_data_file
from syncer.content.other_case import describe_other_case
from syncer.content.page_file import attempt, read_page
from syncer.content.pages import Pages
from syncer.content.replace import is_read_only
from syncer.content.scan import (
    ExcludedPage,
    MiscasedKey,
    PageEmbeds,
    may_have_wrong_keys,
    miscased_problems,
    read_head,
    read_pages,
)
from syncer.content.walk import Candidate, LeftoverFile, walk
from syncer.content.wrong_keys import absent_keys, absent_now, describe_absent, key_problems
from syncer.errors import UsageError
from syncer.front_matter.keys import format_of
from syncer.front_matter.video_id import is_possible
from syncer.model import Collection, Count, Format, Page, Problem, ProblemKind, VideoId
from syncer.suggest.elsewhere import Elsewhere
from syncer.suggest.generator import is_pelican, jekyll_advice, unfenced_advice
from syncer.wording import counted

if TYPE_CHECKING:
    from syncer.config.sections import Config


@dataclass(slots=True)
class FoundPages:
    """What the pages hold."""

    paths: set[str] = field(default_factory=set)
    """A page of two collections is one page."""
    data_files: set[str] = field(default_factory=set)
    """Those that are data files."""
    values: int = 0
    countless: set[str] = field(default_factory=set)
    """The pages without any of their mapped counts, where a sync adds none."""
    videos: set[VideoId] = field(default_factory=set)
    read_only: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    """Of single pages."""
    wrong_keys: list[Problem] = field(default_factory=list)
    """Of whole collections."""
    suspicious_keys: list[tuple[str, str]] = field(default_factory=list)
    """Of each collection some of whose mapped counts no page has: its directory, and a message."""
    excluded: list[str] = field(default_factory=list)
    """The paths of pages that exclude themselves, or some of their counts."""
    embeds: dict[str, set[VideoId]] = field(default_factory=dict)
    """The videos in the text of pages, by path."""
    skipped: set[str] = field(default_factory=set)
    """The paths of pages that a sync skips."""


def find_pages(config: Config) -> FoundPages:
    """Read the pages of the directories that exist, and those that a sync skips."""
    found, site = FoundPages(), os.path.realpath(config.site)
    collections = config.collection_models()
    present = [each for each in collections if os.path.isdir(os.path.join(site, each.directory))]
    files = list(walk(site, present, skipped=True))
    skipped = [item for item in files if isinstance(item, Candidate) and item.skipped]
    pages = Pages()
    miscased: list[MiscasedKey] = []
    used = (item for item in files if not (isinstance(item, Candidate) and item.skipped))
    for item in read_pages(site, used, pages):
        match item:
            case MiscasedKey():
                miscased.append(item)
            case PageEmbeds():
                found.embeds[item.page.path] = {slot.video_id for slot in item.page.slots}
            case ExcludedPage():
                found.excluded.append(item.path)
            case LeftoverFile():
                found.left_over.append(item.path)
            case Problem():
                found.problems.append(item)
    for page in pages:
        _note(site, page, found, is_written=config.write.file is None)
    found.wrong_keys += miscased_problems(present, pages, miscased)
    suspects = may_have_wrong_keys(site, present, pages)
    found.wrong_keys += key_problems(site, suspects, present, pages, [*found.problems, *found.wrong_keys])
    wrong = {problem.subject for problem in found.wrong_keys}
    for collection in present:
        message = None if collection.directory in wrong else _suspicion(site, collection, pages, found)
        if message:
            found.suspicious_keys.append((collection.directory, message))
    _note_other_case(site, present, found)
    left_out = Pages()
    deque(read_pages(site, skipped, left_out), maxlen=0)
    found.skipped.update(page.path for page in left_out)
    return found


def _note(site: str, page: Page, found: FoundPages, *, is_written: bool) -> None:
    """Add a page to what was found, and whether it can be written."""
    found.videos.update(slot.video_id for slot in page.slots)
    values = sum(isinstance(field.kind, Count) for slot in page.slots for field in slot.fields)
    found.values += values
    if page.fields.counts and not (values or page.fields.insert_missing):
        found.countless.add(page.path)
    path = os.path.join(site, page.path)
    with suppress(OSError):  # deleted since
        is_locked = is_read_only(path, os.stat(path)) or not os.access(os.path.dirname(path), os.W_OK)
        if is_locked and is_written and page.path not in found.paths:
            found.read_only.append(page.path)
    found.paths.add(page.path)
    if format_of(page.fields, page.path) is not Format.FRONT_MATTER:
        found.data_files.add(page.path)


def _suspicion(site: str, collection: Collection, pages: Pages, found: FoundPages) -> str | None:
    """Return which mapped counts and details no page has, if any, or that none has a video.

    Where missing ones are added, only those with close names matter.
    """
    fields = collection.fields
    if not pages.count(fields):
        known = {*found.paths, *found.embeds, *found.excluded, *(problem.subject for problem in found.problems)}
        files = [item.path for item in walk(site, [collection]) if isinstance(item, Candidate)]
        is_silent = files and (found.paths or found.embeds) and known.isdisjoint(files)
        return f"No video found in {counted(len(files), 'file')}." if is_silent else None
    if absent := absent_keys(site, collection, pages, found.problems):
        return describe_absent(site, fields, pages, absent)
    absent = absent_now(site, collection, pages, found.problems)
    return describe_absent(site, fields, pages, absent, adds=True)


def _note_other_case(site: str, collections: Sequence[Collection], found: FoundPages) -> None:
    """Add the mapped keys that items have in another letter case, but for those that another message names."""
    of_data = [(each.fields, _data_files(site, each)) for each in collections]
    named = [*((each.subject, each.message) for each in found.wrong_keys), *found.suspicious_keys]
    for number, written, sentence in describe_other_case(of_data, partial(_content, site)):
        directory = collections[number].directory
        if not any(directory == other and written in message for other, message in named):
            found.suspicious_keys.append((directory, sentence))


def _data_files(site: str, collection: Collection) -> list[str]:
    """Return the paths of a collection's data files."""
    paths = [item.path for item in walk(site, [collection]) if isinstance(item, Candidate)]
    return [path for path in paths if format_of(collection.fields, path) is not Format.FRONT_MATTER]


def _content(site: str, path: str) -> bytes | None:
    read = attempt(read_page, os.path.join(site, path))
    return read and read[0]


def check_pages(config: Config, found: FoundPages) -> Iterator[Finding]:
    """Yield what is found about the pages' content."""
    site = os.path.realpath(config.site)
    for collection in config.collections:
        if not os.path.isdir(os.path.join(site, collection.directory)):
            message = f"{collection.directory} is not a directory in {site}. Correct `directory` in the config."
            yield Finding("content", Level.ERROR, message)
    pages = _files_in_words(found)
    yield from _check_texts(found)
    if config.write.file is not None:
        yield from _check_data_file(config, config.write.file, len(found.videos))
    elif found.values:
        videos, counts = counted(len(found.videos), "video"), counted(found.values, "count")
        countless = found.countless.difference(found.excluded, (problem.subject for problem in found.problems))
        files = counted(len(countless), "file" if found.data_files else "page")
        lacks = f"; {files} without any count (`insert_missing: true` adds them)" if countless else ""
        yield Finding("content", Level.OK, f"{pages} with {videos} and {counts}{lacks}")
    elif found.paths and not found.wrong_keys:
        if not config.mapped_counts:
            message = f"{pages} with {counted(len(found.videos), 'video')}. A sync reports whether they play."
            yield Finding("content", Level.OK, message)
        else:
            message = f"{pages} with a video, but none has a count that can be written. Check `fields.counts`."
            yield Finding("content", Level.WARNING, message)
    if found.excluded:
        message = f"{counted(len(found.excluded), 'page')} with the key `syncer`: {examples(sorted(found.excluded))}."
        yield Finding("content", Level.OK, f"{message} No sync writes what it excludes.")
    yield from _check_keys(found)
    if found.read_only:
        noun = "file" if found.data_files else "page"
        message = (
            f"Cannot write {counted(len(found.read_only), noun)}, read-only or in a read-only directory:"
            f" {examples(found.read_only)}. Check the permissions, or exclude the {noun}s."
        )
        yield Finding("permissions", Level.ERROR, message)
    elif found.paths and config.write.file is None:
        all_files = "all pages and data files" if found.data_files else "all pages"
        yield Finding("permissions", Level.OK, f"{all_files} can be written")


def _check_texts(found: FoundPages) -> Iterator[Finding]:
    """Yield how many videos are in the text of pages, or that there are none anywhere."""
    if found.embeds:
        videos = counted(len(set[VideoId]().union(*found.embeds.values())), "video")
        message = f"{videos} in the text of {counted(len(found.embeds), 'page')}. A sync reports whether they play."
        yield Finding("content", Level.OK, message)
    elif not (found.paths or found.problems or found.wrong_keys or found.excluded):
        message = "No page names a video. Check `site`, `directory`, `include` and `fields.video_id` in the config."
        yield Finding("content", Level.ERROR, message)


def _files_in_words(found: FoundPages) -> str:
    """Return how many pages and data files there are: `11 pages and 2 data files`."""
    pages, files = len(found.paths) - len(found.data_files), len(found.data_files)
    kinds = [(pages, "page")] if pages or not files else []
    kinds += [(files, "data file")] if files else []
    return " and ".join(counted(number, noun) for number, noun in kinds)


def _check_data_file(config: Config, path: str, videos: int) -> Iterator[Finding]:
    """Yield whether the data file is syncer's and can be written, or created."""
    site = os.path.realpath(config.site)
    try:
        read_data_file(site, path, config.collection_models())
    except UsageError as error:
        yield Finding("content", Level.ERROR, f"{error}.")
        return
    yield Finding("content", Level.OK, f"the counts of {counted(videos, 'video')} are written into {path}")
    full = os.path.realpath(os.path.join(site, path))
    directory = next(parent for parent in map(str, Path(full).parents) if os.path.isdir(parent))
    if not os.access(directory, os.W_OK) or (os.path.exists(full) and is_read_only(full, os.stat(full))):
        message = f"Cannot write {path}, or create files in {directory}. Check the permissions."
        yield Finding("permissions", Level.ERROR, message)


def _check_keys(found: FoundPages) -> Iterator[Finding]:
    """Yield what is wrong with the pages' keys and IDs, and which pages a sync skips."""
    for problem in found.wrong_keys:
        level = Level.ERROR if problem.kind is ProblemKind.KEYS_NOT_FOUND else Level.WARNING
        yield Finding("content", level, f"{problem.subject}: {problem.message}")
    for directory, message in found.suspicious_keys:
        yield Finding("content", Level.WARNING, f"{directory}: {message}")
    if found.problems:
        kinds = ", ".join(f"{kind} ({number:,})" for kind, number in Counter(p.kind for p in found.problems).items())
        noun = "pages or data files" if found.data_files else "pages"
        which, level = (f"Some {noun}", Level.WARNING) if found.paths else ("All pages with a video", Level.ERROR)
        yield Finding("content", level, f"{which} have problems: {kinds}. Run `syncer sync --dry-run` to list them.")
    if found.skipped:
        message = (
            f"Skipped {counted(len(found.skipped), 'page')} with a video, in directories whose names begin with a dot,"
            f" or in node_modules: {examples(sorted(found.skipped))}. To sync them, name the directory in `include`. To"
            " hide this warning, name it in `exclude`."
        )
        yield Finding("content", Level.WARNING, message)
    odd = sorted(video for video in found.videos if not is_possible(video))
    if odd:
        yield Finding("ids", Level.WARNING, f"YouTube never issues such video IDs. Look for typos: {examples(odd)}")
    elif found.videos and not any(problem.kind is ProblemKind.NOT_A_VIDEO_ID for problem in found.problems):
        yield Finding("ids", Level.OK, "every video ID has a valid form")


def check_generator(config: Config, config_path: str) -> Iterator[Finding]:
    """Yield a warning where the site's generator publishes syncer's own files, or metadata is not read."""
    site, state = os.path.realpath(config.site), os.path.realpath(config.state_directory)
    if is_pelican(site):
        seen = Elsewhere()
        collections = [each for each in config.collection_models() if os.path.isdir(os.path.join(site, each.directory))]
        for candidate in walk(site, collections):
            head = read_head(site, candidate) if isinstance(candidate, Candidate) else None
            if isinstance(candidate, Candidate) and isinstance(head, tuple):
                seen.add_head(candidate.path, head[0])
        if seen.unfenced:
            message = unfenced_advice(site, seen.unfenced).replace("\n", " ")
            yield Finding("generator", Level.WARNING, message)
    if advice := jekyll_advice(site, os.path.realpath(config_path), state):
        yield Finding("generator", Level.WARNING, f"{advice}.")
