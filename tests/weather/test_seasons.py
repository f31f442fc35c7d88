"""Long random stories: videos and faults come and go, authors edit, days pass; after each step the promises hold."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from syncer.config.parse import parse_config
from syncer.model import Bucket, Count, ProblemKind, VideoId
from syncer.simulator.faults import KINDS, parse_fault
from syncer.simulator.server import Simulator
from syncer.simulator.world import START, Video, VideoState, World
from syncer.simulator.wrong_counts import COUNTS
from syncer.state.database import open_database
from syncer.state.videos import accepted_readings
from syncer.status.report import SyncReport
from syncer.sync.make import make_sync
from syncer.sync.options import NO_LISTENER, Environment, Listener, Options
from tests.ledgers import spent_units
from tests.site import FORMS, KEY, Site, tree
from tests.weather.sheets import POOL, Sheet, Slot, first_sheets, single

pytestmark = pytest.mark.storm

PROVING = "SYNCER_PROVE" in os.environ
UNITS = 40
"""A day, of either bucket: a long bad day spends them."""
WAITING = {"stall", "stall-middle", "drip", "endless"}
SAVED = 1_780_000_000
"""When the pages were last saved, at first."""

STEPS = 40 if PROVING else 20
STORIES = 300 if PROVING else 16


weathers = st.lists(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(sorted(COUNTS)) | st.sampled_from(sorted(KINDS.keys() - WAITING)),
        st.sampled_from(["", "@stats", "@general", *(f"@{video}" for video in POOL[:3])]),
        st.sampled_from(["", ":1", ":2-", ":*/2", ":50%"]),
    ),
    min_size=1,
    max_size=2,
)
videos = st.sampled_from(POOL)
numbers = st.integers(0, 3) | st.integers(0, 10**7)


@dataclass
class GivenCounts:
    """What YouTube has said so far, by video and count; so nothing else may ever stand on a page as its word."""

    youtube: Simulator
    in_good_weather: dict[tuple[str, str], set[int]] = field(default_factory=dict)

    def note(self) -> None:
        """What it is about to say; in bad weather it keeps the account itself."""
        for video in () if self.youtube.faults else POOL:
            for name, count in (self.youtube.world.statistics(video, self.youtube.clock.now()) or {}).items():
                self.in_good_weather.setdefault((video, name), set()).add(count)

    def all(self) -> Mapping[tuple[str, str], frozenset[int]]:
        return {
            (video, name): frozenset(self.in_good_weather.get((video, name), ()))
            | self.youtube.given(video).get(name, set())
            for video in POOL
            for name in (Count.VIEWS, Count.LIKES)
        }


class Seasons(RuleBasedStateMachine):
    """A site, its author, and a YouTube in all weathers."""

    @initialize(in_place=st.booleans())
    def begin(self, in_place: bool) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.youtube = Simulator(World(), stats_units_per_day=UNITS, general_units_per_day=UNITS, pause=0.001)
        self.youtube.__enter__()
        self.site = Site(Path(self.directory.name, "site"), self.youtube.url)
        quota = f"stats_units_per_day: {UNITS}, general_units_per_day: {UNITS}, reserve: 2"
        retry = "timeout: 5s, connections: 1, retry: {attempts: 2, longest_wait: 1s, deadline: 20s}"
        self.site.configure(youtube=retry, quota=quota, write=f"in_place: {str(in_place).lower()}")
        self.saved = SAVED
        self.config = parse_config(self.site.config.read_text(encoding="utf-8"), self.site.config)
        self.given_counts = GivenCounts(self.youtube)
        self.seq = 0
        self.unaccounted: dict[tuple[str, Bucket], int] = {}
        self.sheets = {sheet.path: sheet for sheet in first_sheets()}
        for path in self.sheets:
            self.save(path)
        self.good_day()

    def teardown(self) -> None:
        if hasattr(self, "directory"):
            files = [path for path in self.site.root.rglob("*") if path.is_file()]
            self.youtube.__exit__(None, None, None)
            assert [path for path in files if KEY.encode() in path.read_bytes()] == []
            self.directory.cleanup()

    # the world

    @rule(hours=st.sampled_from([0.01, 1, 7, 25, 24 * 9, 24 * 29]))
    def time_passes(self, hours: float) -> None:
        self.youtube.clock.advance(timedelta(hours=hours))

    @rule(chosen=st.sets(videos, min_size=1, max_size=8) | st.just(set(POOL[:40])), state=st.sampled_from(VideoState))
    def videos_change(self, chosen: Collection[str], state: VideoState) -> None:
        """They are hidden, vanish, and return."""
        world = self.youtube.world
        changed = {video: Video(state, world.videos.get(video, Video()).counts) for video in chosen}
        self.youtube.world = World(videos={**world.videos, **changed})

    @rule(
        chosen=st.sets(videos, min_size=1, max_size=5) | st.just(set(POOL)), share=st.sampled_from([0, 0.05, 0.9, 1, 3])
    )
    def counts_jump(self, chosen: Collection[str], share: float) -> None:
        """They fall or rise at once, and grow from there."""
        world = self.youtube.world
        changed = {}
        for video in chosen:
            start = World().statistics(video, START) or {}
            lower = {name: int(count * share) for name, count in start.items()}
            changed[video] = Video(world.videos.get(video, Video()).state, lower)
        self.youtube.world = World(videos={**world.videos, **changed})

    @rule(faults=weathers)
    def weather_turns_bad(self, faults: Sequence[str]) -> None:
        self.youtube.faults = [parse_fault(fault) for fault in faults]

    @rule()
    def weather_clears(self) -> None:
        self.youtube.faults = []

    # the author

    @rule(data=st.data())
    def author_edits(self, data: st.DataObject) -> None:
        """Another body, another count, another video."""
        sheet = self.sheets[data.draw(st.sampled_from(sorted(self.sheets)))]
        place = data.draw(st.integers(0, len(sheet.slots) - 1))
        slot = sheet.slots[place]
        sheet.slots[place] = data.draw(
            st.builds(
                Slot,
                st.just(slot.video) | videos,
                st.just(slot.views) | numbers.map(str),
                st.just(slot.likes) | numbers.map(str),
            )
        )
        sheet.end += data.draw(st.sampled_from([b"", b"\r\nviewcount: 9\n", b"\xfe\x00"]))
        self.save(sheet.path)

    @rule(video=videos, form=st.integers(0, len(FORMS) - 1), name=st.sampled_from("xyz"))
    def author_adds_a_page(self, video: str, form: int, name: str) -> None:
        sheet = Sheet(f"content/{name}.md", single(form), [Slot(video, "7", "7")])
        self.sheets[sheet.path] = sheet
        self.save(sheet.path)

    @rule(name=st.sampled_from("xyz"))
    def author_removes_a_page(self, name: str) -> None:
        if self.sheets.pop(f"content/{name}.md", None):
            (self.site.root / f"content/{name}.md").unlink()

    # syncs

    @rule(minutes=st.sampled_from([1, 6, 60, 24 * 60]), scheduled=st.booleans())
    def sync(self, minutes: int, scheduled: bool) -> None:
        self.youtube.clock.advance(timedelta(minutes=minutes))
        self.real_sync(Options(scheduled=scheduled))

    @rule(faults=weathers | st.sampled_from([[name] for name in ("private", "falling", "collapsed", "zero")]))
    def bad_day(self, faults: Sequence[str]) -> None:
        self.youtube.clock.advance(timedelta(hours=25))
        self.youtube.faults = [parse_fault(fault) for fault in faults]
        self.real_sync(Options())

    @rule()
    def good_day(self) -> None:
        """Tomorrow, in good weather, all that is public becomes true, but for what is held."""
        self.youtube.faults = []
        self.youtube.clock.advance(timedelta(hours=26))
        report = self.real_sync(Options(everything=True))
        assert {problem.kind for problem in report.problems} <= {ProblemKind.QUOTA_CUT}  # told for a day more
        assert report.exit == (1 if report.brake or report.problems else 0)
        if report.brake:
            return
        unconfirmed = {video for video, _ in report.unconfirmed}
        for slot in chain.from_iterable(sheet.slots for sheet in self.sheets.values()):
            given = self.youtube.world.statistics(slot.video, self.youtube.clock.now())
            if given is None:
                assert slot.video in report.missing
            elif slot.video not in unconfirmed:
                assert slot.views == str(given.get("viewCount", slot.views))
                assert slot.likes == str(given.get("likeCount", slot.likes))

    @rule()
    def author_accepts(self) -> None:
        report = self.real_sync(Options(accept=True))
        assert (report.brake, report.unconfirmed) == (None, ())

    @rule(data=st.data())
    def narrowed_sync(self, data: st.DataObject) -> None:
        paths = data.draw(st.sets(st.sampled_from(sorted(self.sheets)), max_size=3))
        shown = sorted({slot.video for path in paths or self.sheets for slot in self.sheets[path].slots})
        only = data.draw(st.sets(st.sampled_from(shown), min_size=0 if paths else 1, max_size=3))
        options = Options(
            paths=tuple(sorted(paths)), videos=frozenset(map(VideoId, only)), everything=data.draw(st.booleans())
        )
        self.real_sync(options)
        for line in self.new:
            assert line["path"] in (paths or self.sheets)
            assert line["video_id"] in (only or shown)

    @rule(everything=st.booleans())
    def dry_run(self, everything: bool) -> None:
        before = self.files()
        self.given_counts.note()
        report = make_sync(self.config, Options(dry_run=True, everything=everything), self.environment())
        assert self.files() == before
        day = self.day()
        for bucket, units in report.units.items():  # a dry run counts in memory
            self.unaccounted[day, bucket] = self.unaccounted.get((day, bucket), 0) + units

    @rule(stages=st.integers(1, 3))
    def sync_is_interrupted(self, stages: int) -> None:
        steps: list[str] = []
        listener = Listener(progress=lambda stage, _done, _of: steps.append(stage))
        self.real_sync(Options(everything=True), listener, cancelled=lambda: len(steps) >= stages)

    @rule(data=st.data())
    def author_edits_during_a_sync(self, data: st.DataObject) -> None:
        """The edit wins, whatever the sync meant to write."""
        path = data.draw(st.sampled_from(sorted(self.sheets)))

        def edit(stage: str, _done: int, _of: int | None) -> None:
            if stage == "ask" and not edited:
                sheet = self.sheets[path]
                sheet.slots[0] = sheet.slots[0]._replace(views="123", likes="45")
                sheet.end += b"more\n"
                self.save(path)
                edited.append(path)

        edited: list[str] = []
        report = self.real_sync(Options(everything=True), Listener(progress=edit))
        if any(problem.kind is ProblemKind.EDITED_MEANWHILE for problem in report.problems):
            assert edited
            assert report.exit in {1, 3}
        assert not edited or path not in {line["path"] for line in self.new}

    # the promises

    @invariant()
    def every_page_is_what_its_author_and_the_log_say(self) -> None:
        for path, sheet in getattr(self, "sheets", {}).items():
            assert (self.site.root / path).read_bytes() == sheet.page, path

    @invariant()
    def no_file_is_left_beside_the_pages(self) -> None:
        if hasattr(self, "site"):
            assert {p.relative_to(self.site.root).as_posix() for p in (self.site.root / "content").rglob("*.*")} == set(
                self.sheets
            )

    @invariant()
    def the_ledger_has_every_unit_that_youtube_counted(self) -> None:
        if not hasattr(self, "site") or not self.site.state.exists():
            return
        with open_database(self.site.state, str(self.site.root.resolve())) as database:
            ours = spent_units(database, self.youtube.clock.now())
        for bucket in Bucket:
            unaccounted = self.unaccounted.get((self.day(), bucket), 0)
            assert ours[bucket] + unaccounted >= self.youtube.units[bucket.value]

    # how it is done

    def real_sync(
        self, options: Options, listener: Listener = NO_LISTENER, cancelled: Callable[[], bool] = lambda: False
    ) -> SyncReport:
        """Makes a sync, and follows its new lines of the log."""
        before, earlier = self.believed() if self.site.state.exists() else {}, self.given_counts.all()
        self.given_counts.note()
        self.saved += 1
        for path in self.sheets:  # long ago: what was saved in this second is swapped
            os.utime(self.site.root / path, (self.saved, self.saved))
        report = make_sync(self.config, options, self.environment(cancelled), listener)
        assert report.exit in {0, 1, 3, 130}
        assert report.exit or not (report.problems or report.brake)
        self.new = [line for line in self.site.log_lines() if line["seq"] > self.seq]
        assert [line["seq"] for line in self.new] == list(range(self.seq + 1, self.seq + 1 + len(self.new)))
        self.seq += len(self.new)
        assert report.changed_counts == len(self.new) == len({(line["path"], line["field"]) for line in self.new})
        if report.brake:
            braked = self.braked()
            of_braked = [line for line in self.new if line["video_id"] in braked]
            repaired = [before.get((VideoId(line["video_id"]), Count(line["count"]))) for line in of_braked]
            assert [int(line["new"]) for line in of_braked] == repaired, "what was accepted earlier, and nothing new"
            believed = {place: number for place, number in self.believed().items() if place[0] in braked}
            assert believed.items() <= before.items(), "what is too old is forgotten all the same"
        given = self.given_counts.all()
        for line in self.new:
            assert line["sync"] == report.sync
            video, count, number = VideoId(line["video_id"]), Count(line["count"]), int(line["new"])
            held = video in report.missing or (video, count) in report.unconfirmed
            assert number in (earlier if held else given)[video, count], line
            assert (video, count) not in report.hidden
            last = before.get((video, count), number)
            if collapses(last, number) and not options.accept:
                assert any(collapses(last, heard) for heard in earlier[video, count]), "nothing confirmed it"
            self.follow(line)
        return report

    def believed(self) -> Mapping[tuple[VideoId, Count], int]:
        """The accepted readings."""
        with open_database(self.site.state, str(self.site.root.resolve())) as database:
            accepted = accepted_readings(database, map(VideoId, POOL))
        return {
            (video, count): number
            for video, reading in accepted.items()
            for count, number in (reading.statistics or {}).items()
        }

    def braked(self) -> set[str]:
        """The videos whose readings a brake holds."""
        with (
            open_database(self.site.state, str(self.site.root.resolve())) as database,
            database.read() as connection,
        ):
            return {video for (video,) in connection.execute("SELECT id FROM videos WHERE held = 'brake'")}

    def follow(self, line: Mapping[str, str]) -> None:
        """Changes the sheet as a line of the log says; fails where it stood otherwise."""
        sheet = self.sheets[line["path"]]
        place = re.match(r"videos\[(\d+)\]\.", line["field"])
        number = int(place[1]) if place else 0
        slot = sheet.slots[number]
        name = {"viewCount": "views", "likeCount": "likes"}[line["count"]]
        assert (slot.video, getattr(slot, name)) == (line["video_id"], line["old"])
        assert line["old"] != line["new"]
        sheet.slots[number] = slot._replace(**{name: line["new"]})

    def environment(self, cancelled: Callable[[], bool] = lambda: False) -> Environment:
        return Environment(KEY, self.youtube.clock.now, lambda _: None, cancelled)

    def save(self, path: str) -> None:
        self.site.put(path, self.sheets[path].page)

    def files(self) -> Mapping[str, object]:
        """Everything on disk, without what SQLite itself puts beside a database that is read."""
        everything = tree(self.site.root)
        own = {".syncer", ".syncer/state.sqlite3-wal", ".syncer/state.sqlite3-shm"}
        return {path: what for path, what in everything.items() if path not in own}

    def day(self) -> str:
        from syncer.decide.quota import quota_day

        return quota_day(self.youtube.clock.now()).isoformat()


def collapses(before: int, now: int) -> bool:
    return now < before and (now == 0 or now * 10 < before)


TestSeasons = Seasons.TestCase
TestSeasons.settings = settings(
    max_examples=STORIES,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize=not PROVING,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
