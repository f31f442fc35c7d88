"""Where a site has videos that a sync does not see: in the text of pages, in data files, in metadata without fences."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from syncer.front_matter.address import looks_like_id
from syncer.front_matter.block import find_block
from syncer.model import ID_PATTERN

_ADDRESS = (
    r"(?:youtube(?:-nocookie)?\.com/(?:embed/|shorts/|live/|v/|watch\?(?:[^\s\"'<>)]*&)?v=)|youtu\.be/)"
    rf"(?!videoseries|live_stream)({ID_PATTERN})(?![\w-])"
)
_IN_TEXT = re.compile(
    rf"{_ADDRESS}|[<{{@:](?!//)\W{{0,4}}(?:include\s+)?[\w.-]*youtube[\w-]*[^\n]{{0,80}}?[\"'\s=#(]({ID_PATTERN})(?=[\"'\s)}}/>])",
    re.IGNORECASE,
)
"""An address, or an embed with a bare ID: `{{< youtube ID >}}`, `{% youtube ID %}`, `<YouTube id="ID">`."""
_IN_DATA = re.compile(
    rf"{_ADDRESS}|\b(?:\w*(?:youtube|video|yt|vid)\w*|id)[\"']?[ \t]*[:=][ \t]*[\"']?({ID_PATTERN})(?=[\"'\s,}}]|\Z)",
    re.IGNORECASE,
)
_METADATA = re.compile(r"\ufeff?(?:[A-Za-z][\w -]*:.*\n)+")


@dataclass(slots=True)
class Elsewhere:
    """What was seen: numbers, and the first page or file of each sort as an example."""

    all_pages: int = 0
    embeds: int = 0
    """Videos in the text of pages, each as often as it is there."""
    pages: int = 0
    """Pages with at least one of them."""
    data_files: int = 0
    """Data files with at least one video."""
    unfenced: int = 0
    """Pages with a video in metadata that has no fences, as Pelican's."""
    examples: dict[str, str] = field(default_factory=dict)

    def add_page(self, path: str, data: bytes) -> None:
        """Look at a page."""
        self.all_pages += 1
        block = find_block(data)
        text = data[block.stop if block else 0 :].decode(errors="replace")
        metadata = None if block else _METADATA.match(text)
        if metadata and _videos(_IN_DATA, metadata[0]):
            self.unfenced += 1
            self.examples.setdefault("unfenced", path)
        embeds = _videos(_IN_TEXT, text[metadata.end() if metadata else 0 :])
        self.embeds += embeds
        if embeds:
            self.pages += 1
            self.examples.setdefault("pages", path)

    def add_data_file(self, path: str, data: bytes) -> None:
        """Look at a data file."""
        if _videos(_IN_DATA, data.decode(errors="replace")):
            self.data_files += 1
            self.examples.setdefault("data_files", path)


def _videos(pattern: re.Pattern[str], text: str) -> int:
    """Return how many videos a text has: all addresses, and the bare IDs that are hardly words."""
    return sum(bool(address) or looks_like_id(bare) for address, bare in pattern.findall(text))
