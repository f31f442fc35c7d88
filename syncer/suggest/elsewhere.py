"""Where a site has videos that a sync does not see: in the text of pages, in data files, in metadata without fences."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from syncer.front_matter.address import looks_like_id
from syncer.front_matter.block import find_block
from syncer.front_matter.data import is_utf16
from syncer.front_matter.embeds import find_embeds
from syncer.front_matter.leaves import invalid_line
from syncer.model import ID_PATTERN, Problem

_ADDRESS = (
    r"(?:youtube(?:-nocookie)?\.com/(?:embed/|shorts/|live/|v/|watch\?(?:[^\s\"'<>)]*&)?v=)|youtu\.be/)"
    rf"(?!videoseries|live_stream)({ID_PATTERN})(?![\w-])"
)
_IN_METADATA = re.compile(
    rf"{_ADDRESS}|\b(?:\w*(?:youtube|video|yt|vid)\w*|id)[\"']?[ \t]*[:=][ \t]*[\"']?({ID_PATTERN})(?=[\"'\s,}}]|\Z)",
    re.IGNORECASE,
)
_BARE_IN_DATA = re.compile(
    rf"(?:^|[\s\"',;|:\[{{])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*[\d_-]){ID_PATTERN}(?=[\"'\s,;|:\]}}]|\Z)"
)
"""An item, key or cell that looks like an ID, as nearly all IDs do and hardly a word does."""
_PERHAPS_IN_DATA = re.compile(rf"youtu|(?<![\w-])(?=[\w-]*[a-z])(?=[\w-]*[A-Z]){ID_PATTERN}(?![\w-])")
"""What no data file with a video is without, but for one of a hundred IDs."""
_METADATA = re.compile(r"\ufeff?(?:[A-Za-z][\w -]*:(?!//).*\n)+")


@dataclass(slots=True)
class Elsewhere:
    """The videos that were seen, and the pages and files that have them."""

    all_pages: int = 0
    invalid: list[str] = field(default_factory=list)
    """Pages with a video in front matter that is invalid, each with the line: `a.md (line 3)`."""
    unfenced: list[str] = field(default_factory=list)
    """Pages with a video in metadata that has no fences, as Pelican's."""
    embeds: set[str] = field(default_factory=set)
    """Videos that the text of pages embeds."""
    pages: list[str] = field(default_factory=list)
    """Pages with at least one of them."""
    data_files: list[str] = field(default_factory=list)
    """Data files with at least one video."""
    refused: list[Problem] = field(default_factory=list)
    """Why those of them that a sync would not read are not read."""
    large: list[str] = field(default_factory=list)
    """Data files that were not looked at."""

    def add_head(self, path: str, head: bytes) -> None:
        """Look at the head of a page in whose front matter no key can be read."""
        block = find_block(head)
        metadata = None if block else unfenced_metadata(head)
        if metadata and _videos(_IN_METADATA, metadata):
            self.unfenced.append(path)
        elif block and _videos(_IN_METADATA, head[block.start : block.stop].decode(errors="replace")):
            line = invalid_line(head)
            if line is not None:
                self.invalid.append(f"{path} (line {line})")

    def add_text(self, path: str, page: bytes) -> None:
        """Look at the text of a page, as a sync does where a collection has `bodies`."""
        found = find_embeds(page, path)
        if found and not isinstance(found, Problem):
            self.embeds.update(slot.video_id for slot in found)
            self.pages.append(path)

    def add_data_file(self, path: str, data: bytes) -> bool:
        """Look at a data file; return whether it may have a video."""
        text = data.decode("utf-16" if is_utf16(data) else "utf-8", errors="replace")
        if _videos(_IN_METADATA, text) or _BARE_IN_DATA.search(text):
            self.data_files.append(path)
            return True
        return _PERHAPS_IN_DATA.search(text) is not None


def unfenced_metadata(page: bytes) -> str | None:
    """Return the lines `key: value` that a page without front matter begins with, if any."""
    metadata = _METADATA.match(page.decode(errors="replace"))
    return metadata and metadata[0]


def _videos(pattern: re.Pattern[str], text: str) -> set[str]:
    """Return the videos of a text: those of all addresses, and the bare IDs that are hardly words."""
    return {address or bare for address, bare in pattern.findall(text) if address or looks_like_id(bare)}
