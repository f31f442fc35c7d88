"""Compares what pages show of videos beside their counts with what YouTube says; other sites never load this file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from syncer.decide.details import CheckedVideo, detail_changes
from syncer.diff_log.lines import LOG, lines_backwards, time_of
from syncer.model import Change, Page, Place, VideoId, Why, place_at
from syncer.state.play_states import known_videos
from syncer.sync.options import Sync


def compare_details(sync: Sync, batch: Sequence[Page]) -> list[tuple[Change, ...]]:
    """Return the changes of each page of a batch, without those that you undid or dropped."""
    only = sync.options.videos or None
    videos = {slot.video_id for page in batch for slot in page.slots}
    known = known_videos(sync.database, videos if only is None else videos & only)
    found = [detail_changes(page, known, only) for page in batch]
    undone = _undone(sync, (change for changes in found for change in changes), known)
    return [tuple(change for change in changes if change.place not in undone) for changes in found]


def _undone(sync: Sync, changes: Iterable[Change], known: Mapping[VideoId, CheckedVideo]) -> set[Place]:
    """Return the places of these changes whose new value you undid or dropped, since the video is in its state.

    The diff log tells it, for as long as it has the line. A key that is absent was not undone: that leaves it empty.
    """
    left = {change.place: change for change in changes if change.why is not Why.INSERTED}
    sinces = {place: known[change.video_id].since or change.as_of for place, change in left.items()}
    undone, paths = set[Place](), {place.path for place in left}
    for line in lines_backwards(sync.config.state_directory / LOG, paths, since=min(sinces.values(), default=None)):
        if not left:
            break
        place = place_at(str(line["path"]), str(line["field"]), VideoId(str(line["video_id"])))
        change = left.pop(place, None)  # the newest line counts
        if change and line["why"] in {Why.UNDO, Why.DROPPED} and time_of(line) >= sinces[place]:
            undone |= {place} if (line["old"] or "") == change.new else set()
    return undone
