"""Items of a list that are added, removed or sorted between two steps: each count stays with its video."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import datetime, timedelta
from sqlite3 import connect

import pytest

from syncer.config.parse import parse_config
from syncer.diff_log.lines import entry_of
from syncer.model import Change, Count, Detail, Fields, Place, VideoId, Why
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, World
from syncer.state.database import open_database
from syncer.state.directory import DATABASE_FILE
from syncer.state.intents import record_intents, unsettled_batches
from syncer.state.judging import suppressed_numbers
from syncer.state.writes import last_writes
from syncer.sync.make import make_sync
from syncer.sync.open_state import settle
from syncer.sync.options import Environment, Options
from tests.old_states import back_to
from tests.repository import in_git
from tests.site import KEY, NOON, Run, Site, counts, ids
from tests.talks import FORMS, Talks

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
A, B, C, NEW = ids(4, seed=17)


@pytest.fixture(params=sorted(FORMS))
def talks(site: Site, request: pytest.FixtureRequest) -> Talks:
    return Talks(site, request.param)


def test_an_undo_restores_each_count_after_an_item_was_added_on_top(talks: Talks, youtube: Simulator) -> None:
    views, new = counts(youtube, A)[0], counts(youtube, NEW)[0]
    talks.put((A, 1), (B, 2))
    name = talks.site.sync().sync
    talks.put((NEW, 5), (A, views), (B, counts(youtube, B)[0]))
    assert talks.site.undo(name, NOON + HOUR).exit == 0
    assert talks.says((NEW, 5), (A, 1), (B, 2))
    talks.put((C, 6), (B, 2), (NEW, 5), (A, 1))
    talks.site.sync(NOON + 2 * HOUR)
    assert talks.says((C, counts(youtube, C)[0]), (B, 2), (NEW, new), (A, 1)), "what was undone stays"


def test_a_drop_restores_each_count_after_an_item_was_added_on_top(
    talks: Talks, youtube: Simulator, syncer: Run
) -> None:
    talks.put((A, 1), (B, 2))
    in_git(talks.site)
    talks.site.sync()
    talks.put((NEW, 5), (A, counts(youtube, A)[0]), (B, counts(youtube, B)[0]))
    assert syncer("review", "--drop", talks.path).code == 0
    assert talks.says((NEW, 5), (A, 1), (B, 2))
    talks.put((NEW, 5), (B, 2), (A, 1))
    talks.site.sync(NOON + 2 * HOUR)
    assert talks.says((NEW, counts(youtube, NEW)[0]), (B, 2), (A, 1))


def test_a_video_twice_gets_its_own_old_counts_back(talks: Talks, youtube: Simulator) -> None:
    views = counts(youtube, A)[0]
    talks.put((A, 1), (B, 2), (A, 3))
    name = talks.site.sync().sync
    talks.put((NEW, 5), (A, views), (A, views), (B, 7))
    assert talks.site.undo(name, NOON + HOUR).left == 1
    assert talks.says((NEW, 5), (A, 1), (A, 3), (B, 7))
    talks.site.sync(NOON + 2 * HOUR)
    assert talks.says((NEW, counts(youtube, NEW)[0]), (A, 1), (A, 3), (B, counts(youtube, B)[0]))


def test_a_count_is_due_after_at_least_every_wherever_its_item_stands(site: Site, youtube: Simulator) -> None:
    talks = Talks(site, "_data/talks.yml", write="min_change: 10%, at_least_every: 28d")
    views = dict.fromkeys((A, B, NEW), 2000)

    def sync(days: int) -> int:
        youtube.world = World(videos={video: Video(counts={"viewCount": number}) for video, number in views.items()})
        return site.sync(NOON + days * DAY, Options(everything=True)).changed_counts

    talks.put((A, 1000), (B, 1000))
    assert sync(0) == 2
    talks.put((NEW, 1000), (B, 2000), (A, 2000))
    assert sync(20) == 1
    talks.put((B, 2000), (NEW, 2000), (A, 2000))
    views = {A: 2001, B: 2002, NEW: 2003}
    assert sync(27) == 0
    assert sync(28) == 2
    assert talks.says((B, 2002), (NEW, 2000), (A, 2001))
    assert [line["why"] for line in site.log_lines()] == ["changed"] * 3 + ["heartbeat"] * 2
    assert sync(47) == 0
    assert sync(48) == 1
    assert talks.says((B, 2002), (NEW, 2003), (A, 2001))


def test_all_slots_of_a_video_are_written_with_the_first_that_is_due(site: Site, youtube: Simulator) -> None:
    talks = Talks(site, "data/talks.json", write="min_change: 10%")
    youtube.world = World(videos={A: Video(counts={"viewCount": 2000}), B: Video(counts={"viewCount": 2000})})
    talks.put((A, 1990), (B, 1990), (A, 1000))
    assert site.sync().changed_counts == 2
    assert talks.says((A, 2000), (B, 1990), (A, 2000))


class KilledError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("written", [True, False], ids=["written", "unwritten"])
def test_what_a_killed_sync_wrote_is_logged_after_an_item_was_added_on_top(
    talks: Talks, youtube: Simulator, *, written: bool
) -> None:
    views, more = counts(youtube, A)[0], counts(youtube, B)[0]
    talks.put((A, 1), (B, 2), (A, views))
    before = talks.text()
    config = parse_config(talks.site.config.read_text(encoding="utf-8"), talks.site.config)

    def clock() -> datetime:
        if talks.text() != before:
            raise KilledError
        return NOON

    with pytest.raises(KilledError):
        make_sync(config, Options(), Environment(key=KEY, clock=clock, sleep=lambda _: None))
    assert talks.says((A, views), (B, more), (A, views))
    old = ((A, views), (B, more)) if written else ((A, 1), (B, 2))
    talks.put((NEW, 5), *old, (A, views))
    settle(config, lambda: NOON + HOUR)

    changes = [(line["video_id"], line["old"], line["new"]) for line in talks.site.log_lines()]
    assert changes == ([(A, "1", str(views)), (B, "2", str(more))] if written else [])


def test_an_older_state_says_the_same_of_places_without_the_numbers(site: Site, youtube: Simulator) -> None:
    talks = Talks(site, "_data/talks.yml")
    talks.put((A, 1), (B, 2))
    site.sync()
    path, noon = talks.path, int(NOON.timestamp())
    fields = {
        "[0].views": "[].views",
        "[12].talks[3].video.views": "[].talks[].video.views",
        "{a[1].b}.views": "{a[].b}.views",
        "views[7]": "views[7]",
        "[x].[1.views": "[x].[1.views",
        "viewcount": "viewcount",
    }
    with closing(connect(site.state / DATABASE_FILE)) as state:
        back_to(state, 10)
        for number, field in enumerate(fields):
            state.execute("INSERT INTO suppressed VALUES (?, ?, ?, 'viewCount', ?)", (path, field, A, number))
            state.execute("INSERT INTO written VALUES (?, ?, ?, ?)", (path, field, A, noon + number))
        state.execute("INSERT INTO suppressed VALUES (?, '[1].views', ?, 'viewCount', 8)", (path, A))
        state.execute("INSERT INTO written VALUES (?, '[1].views', ?, ?)", (path, A, noon + 9))
        state.commit()
    with open_database(site.state, os.path.realpath(site.root)) as database:
        places = [Place(path, field, VideoId(A)) for field in fields.values()]
        expected = {*zip(places, range(len(places)), strict=True), (places[0], 8)}
        assert suppressed_numbers(database, [path]) == expected
        times = {place: NOON + timedelta(seconds=number or 9) for number, place in enumerate(places)}
        assert last_writes(database, [path]) == times


def test_a_date_under_an_id_is_known_after_a_crash(site: Site) -> None:
    change = Change("a.yml", VideoId(A), f"{{{A}}}.meta.day", Detail.CHECKED_AT, None, "2026-11-22", NOON, Why.CHECKED)
    fields = Fields("{}", {Count.VIEWS: "views"}, details={Detail.CHECKED_AT: "meta.day"})
    with open_database(site.state, os.path.realpath(site.root)) as database:
        record_intents(database, "s", [(fields, [entry_of(change)])])
        assert list(unsettled_batches(database)[0].changes.values()) == [change]


def test_a_count_under_an_id_is_excluded_by_its_key(site: Site) -> None:
    site.configure(
        collections="  - directory: _data\n    format: yaml\n    include: ['*.yml']\n"
        "    fields: {video_id: 'videos.{}', counts: {viewCount: views, likeCount: likes}}\n"
    )
    file = site.put("_data/by_id.yml", f"syncer: {{views: false}}\nvideos:\n  {A}: {{views: 1, likes: 2}}\n".encode())
    assert site.sync().changed_counts == 1
    assert b"{views: 1, likes:" in file.read_bytes()


def test_two_slots_of_a_video_with_counts_of_their_own_are_both_dropped(
    talks: Talks, youtube: Simulator, syncer: Run
) -> None:
    views = counts(youtube, A)[0]
    talks.put((A, 1), (B, 2), (A, 3))
    name = talks.site.sync().sync
    in_git(talks.site)
    talks.site.undo(name, NOON + HOUR)
    assert talks.says((A, 1), (B, 2), (A, 3))
    assert syncer("review", "--drop", talks.path).code == 0
    assert talks.says((A, views), (B, counts(youtube, B)[0]), (A, views))


def test_what_two_undos_took_back_one_after_the_other_is_not_written_again(talks: Talks, youtube: Simulator) -> None:
    talks.put((A, 1), (B, 2))
    first = talks.site.sync().sync
    youtube.clock.advance(30 * DAY)
    second = talks.site.sync(NOON + HOUR).sync
    for name in (second, first):
        talks.site.undo(name, NOON + 2 * HOUR)
    assert talks.says((A, 1), (B, 2))
    assert talks.site.sync(NOON + 3 * HOUR).changed_counts == 0


def test_a_commit_has_the_counts_of_the_items_that_it_knows_wherever_they_stand_now(
    talks: Talks, youtube: Simulator
) -> None:
    talks.put((A, 1), (B, 2))
    repository = in_git(talks.site)
    talks.put((B, 2), (NEW, 5), (A, 1))
    repository.git("add", talks.path)
    talks.put((C, 6), (B, 2), (NEW, 5), (A, 1))
    talks.configure(git="commit: true")
    views = {video: counts(youtube, video)[0] for video in (A, B, C, NEW)}
    assert talks.site.sync().exit == 0
    assert talks.says((C, views[C]), (B, views[B]), (NEW, views[NEW]), (A, views[A]))
    assert repository.git("show", f"HEAD:{talks.path}") == talks.form((A, views[A]), (B, views[B]))
    assert repository.git("show", f":{talks.path}") == talks.form((B, views[B]), (NEW, 5), (A, views[A]))


def test_a_sync_prints_how_many_counts_its_commit_has_where_it_changed_others(
    talks: Talks, youtube: Simulator, syncer: Run
) -> None:
    talks.put((A, 1), (A, 2), (B, 3))
    repository = in_git(talks.site)
    talks.configure(git="commit: true")
    talks.put((C, 4), (A, 1), (A, 2), (B, 3))  # a talk that the author has not committed
    out = syncer("sync").out
    assert "Changed 4 counts on 1 page.\n" in out
    assert f"\nCommitted 3 counts on 1 page as {repository.head()[:12]}.\n" in out
    views = {video: counts(youtube, video)[0] for video in (A, B)}
    assert repository.git("show", f"HEAD:{talks.path}") == talks.form((A, views[A]), (A, views[A]), (B, views[B]))


def test_of_items_of_one_video_with_one_count_an_undo_restores_the_first(talks: Talks, youtube: Simulator) -> None:
    """Which of them is new cannot be seen: the file is the same whether it was added first or last."""
    views = counts(youtube, A)[0]
    talks.put((A, 1), (A, 2), (A, 3))
    name = talks.site.sync().sync
    talks.put((A, views), (A, views), (A, views), (A, views))
    assert talks.site.undo(name, NOON + HOUR).exit == 0
    assert talks.says((A, 1), (A, 2), (A, 3), (A, views))


def test_a_date_stays_with_its_count(site: Site, youtube: Simulator) -> None:
    site.configure(
        collections="  - directory: _data\n    include: ['*.yml']\n    fields: {video_id: '[].id',"
        " counts: {viewCount: views}, checked_at: checked}\n"
    )

    def talk(video: str, views: int, day: str) -> bytes:
        return f"- id: {video}\n  views: {views}\n  checked: {day}\n".encode()

    views = counts(youtube, A)[0]
    old, today = (talk(A, 1, "2026-10-01"), talk(A, 3, "2026-10-03")), talk(A, views, "2026-11-22")
    file = site.put("_data/talks.yml", b"".join(old))
    name = site.sync().sync
    assert file.read_bytes() == 2 * today
    other = talk(B, 5, "2026-09-01")
    file.write_bytes(other + 2 * today)
    assert site.undo(name, NOON + HOUR).exit == 0
    assert file.read_bytes() == other + b"".join(old)
    assert [(line["field"], line["new"]) for line in site.log_lines() if line["why"] == "undo"] == [
        ("[1].views", "1"),
        ("[1].checked", "2026-10-01"),
        ("[2].views", "3"),
        ("[2].checked", "2026-10-03"),
    ]
