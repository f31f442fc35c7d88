"""Finds the sites that name a video, where a sync of several sites is narrowed to it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from syncer.content.pages import Pages
from syncer.content.scan import PageEmbeds, read_pages
from syncer.content.walk import narrow, walk
from syncer.model import VideoId
from syncer.sync.options import require_directories

if TYPE_CHECKING:
    from syncer.config.sections import Config


def named_videos(config: Config, paths: Iterable[str], wanted: AbstractSet[VideoId]) -> frozenset[VideoId]:
    """Return those of the wanted videos that the site's pages at these paths have, also in their text.

    Paths are relative to the site; none: all its pages. Nothing is written. Raises UsageError (a missing directory, a
    path that matches nothing).
    """
    require_directories(config)
    site, pages = os.path.realpath(config.site), Pages()
    named: set[VideoId] = set()
    for item in read_pages(site, narrow(walk(site, config.collection_models()), paths), pages):
        if isinstance(item, PageEmbeds):
            named.update(slot.video_id for slot in item.page.slots)
    for _, videos in pages.named():
        named.update(videos)
    return frozenset(wanted & named)
