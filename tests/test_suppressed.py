"""What was undone stays as it is until YouTube gives another number: not the same one, whoever asks."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from syncer.model import Place, VideoId
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, VideoState, World
from syncer.state.database import open_to_read
from syncer.state.judging import count_suppressed, suppressed_numbers
from syncer.sync.options import Options
from tests.site import NOON, Run, Site, counts, crlf, ids, pair, plain, world_with

HOUR = timedelta(hours=1)
MONTH = timedelta(days=30)
A, B = ids(2, seed=7)
PAGE = "content/a.md"


@pytest.fixture
def undone(site: Site) -> Site:
    """A site with one page, whose first sync was undone."""
    site.put(PAGE, crlf(A, 1, 2))
    site.undo(site.sync().sync, NOON + HOUR)
    return site


def page(site: Site) -> bytes:
    return (site.root / PAGE).read_bytes()


def suppressed(site: Site) -> int:
    with open_to_read(site.state, str(site.root.resolve())) as database:  # type: ignore[union-attr]
        return count_suppressed(database)


@pytest.mark.parametrize(
    "options", [Options(), Options(everything=True), Options(accept=True), Options(paths=(PAGE,))], ids=str
)
def test_the_same_number_is_not_written_again_whoever_asks(undone: Site, options: Options) -> None:
    for hours in (2, 3):
        assert undone.sync(NOON + hours * HOUR, options).changed_counts == 0
    assert (page(undone), suppressed(undone)) == (crlf(A, 1, 2), 2)


def test_another_number_is_written_and_then_nothing_is_suppressed_any_more(undone: Site, youtube: Simulator) -> None:
    views, likes = counts(youtube, A)
    undone.sync(NOON + 2 * HOUR)
    youtube.clock.advance(MONTH)
    assert undone.sync(NOON + 3 * HOUR).changed_counts == 2
    assert (page(undone), suppressed(undone)) == (crlf(A, *counts(youtube, A)), 0)

    youtube.clock.advance(-MONTH)
    undone.sync(NOON + 4 * HOUR)
    assert page(undone) == crlf(A, views, likes), "YouTube is back at the number, and that is news"


def test_it_is_released_when_youtube_says_what_the_page_says(site: Site, youtube: Simulator) -> None:
    before = counts(youtube, A)
    youtube.clock.advance(MONTH)
    now = counts(youtube, A)
    site.put(PAGE, crlf(A, *before))
    site.undo(site.sync().sync, NOON + HOUR)
    assert (page(site), suppressed(site)) == (crlf(A, *before), 2)

    youtube.clock.advance(-MONTH)
    assert site.sync(NOON + 2 * HOUR).changed_counts == 0
    assert suppressed(site) == 0
    youtube.clock.advance(MONTH)
    site.sync(NOON + 3 * HOUR)
    assert page(site) == crlf(A, *now)


def test_each_count_is_suppressed_on_its_own(site: Site, youtube: Simulator) -> None:
    views, likes = counts(youtube, A)
    site.put(PAGE, crlf(A, 1, likes))
    site.undo(site.sync().sync, NOON + HOUR)
    site.put(PAGE, crlf(A, 1, 2))

    assert site.sync(NOON + 2 * HOUR).changed_counts == 1
    assert page(site) == crlf(A, 1, likes)
    assert views > 1


def test_other_pages_and_slots_with_the_video_are_not_affected(site: Site, youtube: Simulator) -> None:
    said = counts(youtube, A)
    site.put(PAGE, crlf(A, 1, 2))
    name = site.sync(options=Options(paths=(PAGE,))).sync
    site.put("content/b.md", plain(A, 3, 4))
    two = site.put("content/lists/two.md", pair((A, 5, 6), (B, 7, 8)))
    site.undo(name, NOON + HOUR)

    site.sync(NOON + 2 * HOUR)
    assert page(site) == crlf(A, 1, 2)
    assert (site.root / "content/b.md").read_bytes() == plain(A, *said)
    assert two.read_bytes() == pair((A, *said), (B, *counts(youtube, B)))


def test_what_youtube_has_said_since_is_written_by_the_next_sync(site: Site, youtube: Simulator) -> None:
    site.put(PAGE, crlf(A, 1, 2))
    site.put("content/b.md", crlf(A, 1, 2))
    first = site.sync().sync
    youtube.clock.advance(MONTH)
    site.sync(NOON + HOUR, Options(paths=("content/b.md",)))
    site.undo(first, NOON + 2 * HOUR)
    assert (page(site), suppressed(site)) == (crlf(A, 1, 2), 0)

    site.sync(NOON + 3 * HOUR)
    assert page(site) == crlf(A, *counts(youtube, A))


def test_while_youtube_hides_a_count_or_misses_the_video_it_stays_suppressed(undone: Site, youtube: Simulator) -> None:
    for hours, state in enumerate((VideoState.COUNTS_HIDDEN, VideoState.DELETED, VideoState.PUBLIC), 2):
        youtube.world = world_with({A: state})
        undone.sync(NOON + hours * HOUR)
        assert (page(undone), suppressed(undone)) == (crlf(A, 1, 2), 2)


def test_what_an_unconfirmed_count_holds_is_no_other_number_yet(site: Site, youtube: Simulator) -> None:
    site.put(PAGE, crlf(A, 1, 2))
    youtube.world = World(videos={A: Video(counts={"viewCount": 5000, "likeCount": 500})})
    site.undo(site.sync().sync, NOON + HOUR)
    youtube.world = World(videos={A: Video(counts={"viewCount": 50, "likeCount": 5})})

    assert len(site.sync(NOON + 2 * HOUR).unconfirmed) == 2
    assert (page(site), suppressed(site)) == (crlf(A, 1, 2), 2)
    site.sync(NOON + 3 * HOUR)
    assert (page(site), suppressed(site)) == (crlf(A, *counts(youtube, A)), 0)


def test_undoing_the_undo_releases_the_number(undone: Site, youtube: Simulator) -> None:
    undone.undo(undone.log_lines()[-1]["sync"], NOON + 2 * HOUR)
    assert (page(undone), suppressed(undone)) == (crlf(A, *counts(youtube, A)), 0)
    assert undone.sync(NOON + 3 * HOUR).changed_counts == 0


def test_a_dry_run_sees_what_is_suppressed_and_releases_nothing(undone: Site, youtube: Simulator) -> None:
    dry = Options(dry_run=True, everything=True)
    assert undone.sync(NOON + 2 * HOUR, dry).changed_counts == 0
    youtube.clock.advance(MONTH)
    assert undone.sync(NOON + 3 * HOUR, dry).changed_counts == 2
    assert suppressed(undone) == 2


def test_the_status_says_how_many_counts_are_suppressed(undone: Site, syncer: Run) -> None:
    assert syncer("status", "--json").document["held_by_undo"] == 2
    assert "Suppressed: 2 counts you undid or dropped, until YouTube returns another number." in syncer("status").out


def test_a_sync_says_why_it_does_not_write_what_was_undone(site: Site, undone: Site, syncer: Run) -> None:
    why = "Suppressed: 2 counts you undid or dropped, until YouTube returns another number.\n"
    for options in ([], ["--all"], ["--dry-run", "--all"]):
        ran = syncer("sync", *options)
        assert (ran.code, why in ran.out) == (0, True), options
    site.put("content/b.md", crlf(B, 1, 2))
    assert "Suppressed" not in syncer("sync", "content/b.md").out, "no count of that page is suppressed"


def test_a_number_is_suppressed_by_page_field_and_video(undone: Site, youtube: Simulator) -> None:
    views, likes = counts(youtube, A)
    with open_to_read(undone.state, str(undone.root.resolve())) as database:  # type: ignore[union-attr]
        video = VideoId(A)
        assert suppressed_numbers(database, [PAGE, "content/b.md"]) == {
            (Place(PAGE, "viewcount", video), views),
            (Place(PAGE, "likeCount", video), likes),
        }
        assert suppressed_numbers(database, ["content/b.md"]) == set()


@pytest.mark.parametrize("words", [("--video", A), ("--all",)])
def test_a_purge_forgets_what_is_suppressed(
    undone: Site, syncer: Run, youtube: Simulator, words: tuple[str, ...]
) -> None:
    undone.put("content/b.md", crlf(B, 1, 2))
    undone.sync(NOON + 2 * HOUR)
    assert syncer("purge", "--video", B).code == 0
    assert suppressed(undone) == 2
    assert syncer("purge", *words).code == 0
    assert suppressed(undone) == 0
    undone.sync(NOON + 3 * HOUR)
    assert page(undone) == crlf(A, *counts(youtube, A))


def test_it_is_forgotten_with_the_last_reading_of_its_video(undone: Site) -> None:
    (undone.root / PAGE).unlink()
    undone.put("content/b.md", crlf(B, 1, 2))

    def later(days: int) -> datetime:
        return NOON + timedelta(days=days)

    undone.sync(later(27))
    assert suppressed(undone) == 2
    undone.sync(later(29))
    assert suppressed(undone) == 0
