"""Somebody acts on a page at each step of its edit: no edit is lost, no reader sees anything but old or new.

The steps are the calls that a sync makes on the page from the open for the edit to the close. The sync waits at the
step, running or stopped by a signal, while another process acts.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from syncer.simulator.server import Simulator
from tests.crash.acts import ACTS, LINK, MODE, MOVED, TARGET, Act
from tests.crash.ground import Ground, leftovers, prepare
from tests.crash.interference import LEASES, Call
from tests.crash.points import PROVING, traced
from tests.crash.warm import Child, Warm
from tests.disks import disk
from tests.waiting import until

KINDS = ("tmpfs", "ext4", "xfs", "btrfs")
PAGES = 3
PAGE = "content/1/1.md"


class Case(NamedTuple):
    act: str
    step: int
    """The number of the call before which the act comes; after the last one, if it is one more."""
    stopped: bool


@dataclass(frozen=True)
class Scene:
    """A site on some file system, and the calls of the edit in place of its page."""

    ground: Ground
    calls: Sequence[Call]
    first: int
    """The number of the open."""

    def cases(self) -> Sequence[Case]:
        steps = range(self.first, len(self.calls) + 2)
        return [Case(*case) for case in product(ACTS, steps, (False, True))]

    def narrow(self) -> Sequence[Case]:
        """The cases that are lost first if a rule is broken: right before the lease, under it, and after the write."""
        names = [call.name for call in self.calls]
        lease = names.index(LEASES, self.first) + 1
        return [
            Case("truncate-write", lease, True),
            Case("read-truncate-write", names.index("pwrite") + 1, False),
            Case("rename-over", self.look, True),
            Case("link", self.look, False),
        ]

    @property
    def look(self) -> int:
        """The number of the last look at the page's name, after the write."""
        names = [call.name for call in self.calls]
        return names.index("stat", names.index("pwrite")) + 1

    @property
    def page(self) -> Path:
        return self.ground.site.root / PAGE

    def named(self, case: Case) -> str:
        where = f"before {self.calls[case.step - 1].name}" if case.step <= len(self.calls) else "after the last call"
        return f"{case.act} {where} ({case.step - self.first}), {'stopped' if case.stopped else 'running'}"


@pytest.fixture(scope="module", params=KINDS)
def scene(
    request: pytest.FixtureRequest, warm: Warm, later: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    room = tmp_path_factory.mktemp("acts").resolve()
    with disk(request.param, room) as made:
        ground = prepare(warm, later, room, PAGES - 1, aged=False, root=made.place / "site")
        calls = traced(ground, only=PAGE)
        names = [call.name for call in calls]
        assert names.count("pwrite") == 1, "the page is patched in place, in one write"
        write = names.index("pwrite")
        yield Scene(ground, calls, write - names[write::-1].index("open") + 1)


@pytest.mark.parametrize("sample", [1, pytest.param(16, marks=pytest.mark.storm)])
def test_whatever_somebody_does_at_whatever_step_is_kept_and_logged_as_it_is(scene: Scene, sample: int) -> None:
    cases = scene.cases()
    first = scene.narrow() if sample == 1 else []
    for case in cases if PROVING else [*first, *Random(sample).sample(cases, sample)]:
        try:
            assert_survived(scene, case)
        except AssertionError as error:
            raise AssertionError(f"{scene.named(case)}: {error}") from error


def assert_survived(scene: Scene, case: Case) -> None:
    """Make a sync that meets with an act, and one that repairs; all must be as the act and the log say."""
    ground, act = scene.ground, ACTS[case.act]
    clean(scene)
    ground.restore()
    word = ground.room / f"word-{ground.started}"
    word.with_name(f"{word.name}-text").write_bytes(act.edited(ground.pages[PAGE].old))
    child = start(ground, word, case, len(scene.calls))
    try:
        until((lambda: is_stopped(child.number)) if case.stopped else Path(f"{word}-go-reached").exists, 0.0005)
        process = ground.warm.act(case.act, scene.page, word)
        seen = [read_now(scene.page)]
        resume(child, word, case)
        ended = child.ended()
    finally:
        child.kill()
        word.touch()
    assert ground.warm.ended(process) == 0, "the act itself failed"
    assert ended.code in {0, 1}, ended
    seen += [Path(f"{word}-{name}").read_bytes() for name in ("seen", "seen-again") if Path(f"{word}-{name}").exists()]
    versions = ground.pages[PAGE]
    whole = {versions.old, versions.new, act.edited(versions.old), act.edited(versions.new), b""}
    assert set(seen) <= whole, f"a reader saw {set(seen) - whole}"
    assert_as_logged(scene, case, act)
    assert_repaired(scene, case, act)


def start(ground: Ground, word: Path, case: Case, calls: int) -> Child:
    """Start a sync that waits at the step."""
    deed = "sleep" if case.stopped else f"pause:{word}-go"
    late = case.step > calls
    return ground.start("sync", "--json", at=case.step - late, act="+" * late + deed, only=PAGE)


def resume(child: Child, word: Path, case: Case) -> None:
    if case.stopped:
        os.kill(child.number, signal.SIGCONT)
    else:
        Path(f"{word}-go").touch()


def is_stopped(process: int) -> bool:
    return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T"


def read_now(page: Path) -> bytes:
    """What a reader sees who does not wait; nothing where it cannot open the page now."""
    try:
        file = os.open(page, os.O_RDONLY | os.O_NONBLOCK)
    except (BlockingIOError, FileNotFoundError):
        return b""
    try:
        return os.read(file, 1 << 20)
    finally:
        os.close(file)


def assert_as_logged(scene: Scene, case: Case, act: Act) -> None:
    """Fail unless the page is what its author and the log say."""
    ground, versions = scene.ground, scene.ground.pages[PAGE]
    times = logged(ground)
    assert set(times) <= set(versions.changes), times
    assert len({times[change] for change in versions.changes}) == 1, f"logged in part: {times}"
    is_new = times[versions.changes[0]] == 1
    page, moved = scene.page, scene.page.with_name(MOVED)
    if act.loses_name:
        assert not os.path.lexists(page), "what was removed is back"
    found = page if page.exists() else moved if moved.exists() else None
    expected = {act.edited(versions.new if is_new else versions.old)}
    if act.is_blind:  # it may have come after the count, or before the page was read
        expected.add(act.edited(versions.old))
    if found:
        assert found.read_bytes() in expected, f"logged as {'new' if is_new else 'old'}: {found.read_bytes()!r}"
    link = ground.site.root / LINK
    if link.exists():
        assert link.read_bytes() in expected, "the other name has another text"
        assert not is_new or case.step > scene.look, "a copy that was made by a link got a count"
    for path, other in ground.pages.items():
        assert path == PAGE or (ground.site.root / path).read_bytes() == other.new, path


def assert_repaired(scene: Scene, case: Case, act: Act) -> None:
    """Make a sync that nothing disturbs; all counts are new afterwards, and what the author did is there."""
    ground, versions = scene.ground, scene.ground.pages[PAGE]
    (ground.site.root / LINK).unlink(missing_ok=True)
    if case.act == "unlink":
        scene.page.write_bytes(versions.old)
    ended = ground.run("sync", "--json")
    assert ended.code == 0, ended
    moved = scene.page.with_name(MOVED)
    page = moved if moved.exists() else scene.page
    assert page.read_bytes() == act.edited(versions.new)
    most = 2 if act.is_blind or case.act == "unlink" else 1
    assert all(1 <= times <= most for times in logged(ground).values()), logged(ground)
    assert case.act != "chmod" or page.stat().st_mode & 0o777 == MODE
    assert leftovers(ground.site.root) == []


def logged(ground: Ground) -> Counter[tuple[str, str, str]]:
    """How often each change of the page is logged, under whatever name the page had."""
    names = {PAGE, PAGE.replace("1.md", MOVED)}
    return Counter(
        (line["field"], line["old"], line["new"]) for line in ground.site.log_lines() if line["path"] in names
    )


def clean(scene: Scene) -> None:
    """Remove what an act leaves, so that the site can be restored."""
    for path in (scene.page, scene.page.with_name(MOVED), *(scene.ground.site.root / name for name in (LINK, TARGET))):
        with suppress(FileNotFoundError):
            path.unlink()
    scene.page.write_bytes(scene.ground.pages[PAGE].old)
