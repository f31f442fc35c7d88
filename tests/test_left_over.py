"""What a crash left beside a page is compared with it: what only its author wrote is put back, or saved."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.content.left_over import left_over, names_for, settle_left_over
from syncer.model import Problem
from syncer.simulator.server import Simulator
from syncer.state.directory import save_edit, saved_edits
from tests.crash.warm import Order, Warm
from tests.daemon_process import Daemon
from tests.examples import examples
from tests.places import FIELDS, page, put
from tests.site import FORMS, NOON, Form, Run, Site, counts, crlf, ids

WORDS = b"The author's last words.\n"
VIDEO = ids(1)[0]
NOW = datetime(2026, 11, 22, 15, 0, 5, tzinfo=UTC)

SWAPPED = """
import os, signal
from pathlib import Path
import syncer.content.swap as swap
real = swap.exchange
manner, words = {manner!r}, {words!r}

def exchange(one, other, directory):
    page = Path("content", one)
    if manner == "in-place":
        with page.open("ab") as file:
            file.write(words)
    elif manner == "new-file":
        Path("saved-again").write_bytes(page.read_bytes() + words)
        Path("saved-again").replace(page)
    real(one, other, directory)
    os.kill(os.getpid(), signal.SIGKILL)

swap.exchange = exchange
"""
"""Lets a sync be killed right after its first swap; right before it, somebody saves the page."""

Crash = Callable[[Site, str], None]


@pytest.fixture
def crash(warm: Warm) -> Crash:
    """Runs a sync that is killed like that."""

    def run(site: Site, manner: str) -> None:
        out, err = (str(site.root.parent / name) for name in ("out", "err"))
        first = SWAPPED.format(manner=manner, words=WORDS)
        assert warm.start(Order(("sync",), str(site.root), out, err, first=first)).ended().killed

    return run


def beside(site: Site) -> list[str]:
    return left_over(str(site.root / "content"))


def kept(site: Site) -> dict[str, bytes]:
    return {edit.page: edit.file.read_bytes() for edit in saved_edits(site.state)}


@pytest.fixture
def file(site: Site) -> Path:
    site.configure(write="in_place: false")
    return site.put("content/a.md", crlf(VIDEO, 7, 7))


# --- through a crash -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("manner", ["in-place", "new-file"])
def test_what_was_saved_right_before_the_swap_and_a_kill_is_put_back_and_gets_its_counts(
    site: Site, youtube: Simulator, manner: str, form: Form, crash: Crash
) -> None:
    site.configure(write="in_place: false")
    file = site.put("content/a.md", form(VIDEO, 7, 7))
    crash(site, manner)
    assert (len(beside(site)), file.read_bytes()) == (1, form(VIDEO, *counts(youtube, VIDEO)))

    report = site.sync(NOON)

    assert (report.exit, report.problems, beside(site), kept(site)) == (0, (), [], {})
    assert file.read_bytes() == form(VIDEO, *counts(youtube, VIDEO)) + WORDS
    lines = [(line["field"], line["old"], line["seq"]) for line in site.log_lines()]
    assert sorted(lines) == [("likeCount", "7", 2), ("viewcount", "7", 1)], "put on disk once, as it is"


def test_where_the_page_was_edited_since_the_words_are_saved_and_named_until_they_are_removed(
    site: Site, file: Path, youtube: Simulator, syncer: Run, crash: Crash
) -> None:
    crash(site, "in-place")
    file.write_bytes(file.read_bytes() + b"Another hand.\n")

    reports = [site.sync(NOON) for _ in range(2)]
    (edit,) = saved_edits(site.state)
    for report in reports:
        (problem,) = report.problems
        assert (problem.kind, problem.subject, report.exit) == ("edit-saved", "content/a.md", 1)
        assert str(edit.file) in problem.message
    assert edit.file.read_bytes() == crlf(VIDEO, 7, 7) + WORDS
    assert file.read_bytes() == crlf(VIDEO, *counts(youtube, VIDEO)) + b"Another hand.\n"
    assert beside(site) == []
    assert [p["kind"] for p in syncer("status", "--json").document["problems"]] == ["edit-saved"]
    assert "kept in" in syncer("check", "--offline").out
    edit.file.unlink()
    assert site.sync(NOON).problems == ()


def test_without_a_last_word_the_old_page_goes(site: Site, file: Path, youtube: Simulator, crash: Crash) -> None:
    crash(site, "not at all")
    assert site.sync(NOON).exit == 0
    assert (beside(site), kept(site)) == ([], {})
    assert file.read_bytes() == crlf(VIDEO, *counts(youtube, VIDEO))


def test_a_last_word_about_a_count_goes_with_the_old_count(
    site: Site, file: Path, youtube: Simulator, crash: Crash
) -> None:
    """A mapped count that somebody edits is overwritten by the next sync, as ever."""
    crash(site, "not at all")
    [old] = beside(site)
    Path(old).write_bytes(crlf(VIDEO, 123, 7))
    assert site.sync(NOON).exit == 0
    assert (beside(site), kept(site)) == ([], {})
    assert file.read_bytes() == crlf(VIDEO, *counts(youtube, VIDEO))


def test_after_a_lost_state_the_words_are_put_back_too(site: Site, file: Path, crash: Crash) -> None:
    crash(site, "in-place")
    for one in site.state.glob("state.sqlite3*"):
        one.unlink()
    site.sync(NOON)
    assert (beside(site), kept(site)) == ([], {})
    assert file.read_bytes().endswith(WORDS)


def test_a_starting_daemon_settles_it_at_once_and_until_then_status_shows_it(
    site: Site, file: Path, youtube: Simulator, syncer: Run, crash: Crash
) -> None:
    site.configure(schedule="every: 6h, jitter: 0s")
    assert site.sync(datetime.now(UTC)).exit == 0
    file.write_bytes(crlf(VIDEO, 7, 7))
    site.put("content/b.md", crlf(ids(2)[1], 7, 7))
    crash(site, "in-place")
    assert syncer("status", "--json").document["cut_short"] == {"written": 2, "unwritten": 2, "files": 2}
    said = " ".join(syncer("status").out.split())
    assert "The last sync was interrupted: 2 values written, 2 values not written, 2 left-over files." in said
    asked = youtube.requests

    with Daemon(site) as daemon:
        daemon.until("The last sync was interrupted")
        daemon.until("Next sync at")
        assert (beside(site), kept(site)) == ([], {})
        assert file.read_bytes() == crlf(VIDEO, 7, 7) + WORDS
        assert syncer("status", "--json").document["cut_short"] is None
        assert "interrupted" not in syncer("status").out
    assert youtube.requests == asked, "it settles, and syncs when that is due"


def test_a_daemon_that_starts_leaves_a_state_without_remains_as_it_is(site: Site, file: Path) -> None:
    site.configure(schedule="every: 6h, jitter: 0s")
    site.sync(datetime.now(UTC))
    before = (site.state / "lock").stat().st_mtime_ns
    with Daemon(site) as daemon:
        daemon.until("Next sync at")
    assert (site.state / "lock").stat().st_mtime_ns == before


# --- one directory ---------------------------------------------------------------------------------------------------


def settle(site: Path) -> tuple[list[Problem], dict[str, bytes]]:
    """Settle what is beside the pages of a site; return the problems, and what was saved."""
    saved: dict[str, bytes] = {}

    def save(path: str, name: str) -> None:
        saved[name] = Path(path).read_bytes()

    files = left_over(str(site / "content"))
    problems = settle_left_over(str(site), files, [FIELDS], lambda path: path.endswith(".md"), save)
    assert left_over(str(site / "content")) == [] or problems
    return problems, saved


def leave(site: Path, name: str, content: bytes, wrote: bytes) -> None:
    """Leave a file beside the page of this name, for which we wrote something."""
    put(site / "content" / next(names_for(name, wrote)), content)


NEW, OLD = page(views=99999), page()
PIECES = st.lists(st.sampled_from([b"word\n", b"12\n", b"viewcount: 3\n", b"---\n", b"\r\n", b"\xff"]), max_size=4)


@pytest.mark.parametrize("size", range(0, len(NEW) + 1, 7))
def test_a_new_file_that_is_half_written_goes_wherever_it_ends(tmp_path: Path, size: int) -> None:
    put(tmp_path / "content/a.md", OLD)
    leave(tmp_path, "a.md", NEW[:size], NEW)
    leave(tmp_path, "a.md ", NEW[:size].ljust(len(NEW), b"\0"), NEW)
    assert settle(tmp_path) == ([], {})


@pytest.mark.parametrize("now", [OLD, page(body="edited since\n"), page(views=5), b"", None])
def test_a_temporary_file_that_was_never_swapped_in_is_removed_whatever_the_page_has_now(
    tmp_path: Path, now: bytes | None
) -> None:
    put(tmp_path / "content/b.md", page(video="-b5Nw0yRfhs"))
    if now is not None:
        put(tmp_path / "content/a.md", now)
    leave(tmp_path, "a.md", NEW, NEW)
    problems, saved = settle(tmp_path)
    assert problems == []
    assert saved == ({} if now is not None else {f"content/{next(names_for('a.md', NEW))}": NEW}), "the last of a page"


@examples(60)
@given(st.data())
def test_every_byte_that_an_author_wrote_is_in_the_page_or_saved(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """The old page, edited at the last moment or not; the new one, edited since or not; other pages beside them."""
    site = tmp_path_factory.mktemp("site")
    old = b"".join([OLD, *data.draw(PIECES)])
    new = old.replace(b"48210", b"99999")
    last_moment = b"".join([old, *data.draw(PIECES)])
    since = b"".join([new, *data.draw(PIECES)])
    put(site / "content/a.md", since)
    put(site / "content/other.md", page(video="-b5Nw0yRfhs", views=99999))
    leave(site, "a.md", last_moment, new)

    problems, saved = settle(site)

    now = (site / "content/a.md").read_bytes()
    assert problems == []
    if since == new:
        assert saved == {}, "nobody was at the page: it takes all"
        assert now == (last_moment if last_moment != old else new)
    else:
        assert now == since
        assert last_moment in {old, *saved.values()} or since.replace(b"99999", b"48210").startswith(last_moment)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a page open")
@pytest.mark.parametrize("edited", [False, True])
def test_what_a_writer_has_open_is_put_back_or_stays_until_that_has_ended(tmp_path: Path, *, edited: bool) -> None:
    put(tmp_path / "content/a.md", NEW + (b"edited since\n" if edited else b""))
    leave(tmp_path, "a.md", OLD, NEW)
    [stray] = left_over(str(tmp_path / "content"))
    with open(stray, "ab") as author:
        settled = settle_left_over(str(tmp_path), [stray], [FIELDS], lambda _: True, lambda *_: None)
        author.write(WORDS)
    assert settled == []
    assert os.path.exists(stray) == edited
    _, saved = settle(tmp_path)
    where = next(iter(saved.values())) if edited else (tmp_path / "content/a.md").read_bytes()
    assert where == OLD + WORDS


def test_a_file_of_another_making_with_words_of_its_own_is_saved(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md", NEW)
    put(tmp_path / "content/.syncer-0123abcd~", OLD + WORDS)
    assert settle(tmp_path) == ([], {"content/a.md": OLD + WORDS}), "as the page that names the same video"


def test_a_file_that_differs_from_a_page_only_in_counts_is_removed(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md", NEW)
    put(tmp_path / "content/.syncer-0123abcd~", OLD)
    assert settle(tmp_path) == ([], {})


def test_what_cannot_be_saved_stays_where_it_is_and_is_a_problem(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md", NEW)
    stray = put(tmp_path / "content/.syncer-0123abcd~", OLD + WORDS)

    def save(_path: str, _page: str) -> None:
        raise OSError(28, "No space left on device")

    (problem,) = settle_left_over(str(tmp_path), [str(stray)], [FIELDS], lambda _: True, save)
    assert (problem.kind, problem.subject) == ("unwritable", "content/.syncer-0123abcd~")
    assert "It cannot be saved: No space left on device. Compare it with the page" in problem.message
    assert stray.read_bytes() == OLD + WORDS


@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
def test_the_problem_names_what_is_in_the_way_of_the_saved_edits(tmp_path: Path, kind: str) -> None:
    put(tmp_path / "content/a.md", NEW)
    stray = put(tmp_path / "content/.syncer-0123abcd~", OLD + WORDS)
    state = tmp_path / "state"
    state.mkdir()
    if kind == "file":
        put(state / "saved", b"mine")
    else:
        (state / "saved").symlink_to(tmp_path if kind == "link" else tmp_path / "none")

    def save(path: str, page: str) -> None:
        save_edit(state, path, page, NOW)

    (problem,) = settle_left_over(str(tmp_path), [str(stray)], [FIELDS], lambda _: True, save)
    thing = "a file" if kind == "file" else "a symbolic link"
    assert f"It cannot be saved: {state / 'saved'} is {thing}, not a directory; move it away" in problem.message
    assert "delete it" not in problem.message
    assert stray.read_bytes() == OLD + WORDS


def test_a_link_under_such_a_name_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md", NEW)
    outside = put(tmp_path / "outside", OLD + WORDS)
    (tmp_path / "content/.syncer-0123abcd~").symlink_to(outside)
    problems, saved = settle(tmp_path)
    assert ([problem.kind for problem in problems], saved) == (["unwritable"], {})
    assert "This symbolic link" in problems[0].message
    assert "delete the link" in problems[0].message
    assert outside.read_bytes() == OLD + WORDS


# --- where edits are saved -------------------------------------------------------------------------------------------


def save(state: Path, texts: Sequence[bytes], name: str = "content/lists/a.md") -> None:
    for text in texts:
        save_edit(state, str(put(state.parent / "source", text)), name, NOW)


def test_edits_of_one_page_and_time_are_all_kept_and_private(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    save(state, [b"one", b"two", b"x" * 200_000])
    edits = saved_edits(state)
    assert [(edit.page, edit.file.read_bytes()[:3]) for edit in edits] == [
        ("content/lists/a.md", text) for text in (b"one", b"two", b"xxx")
    ]
    assert edits[2].file.stat().st_size == 200_000
    assert {edit.file.stat().st_mode & 0o777 for edit in edits} == {0o600}
    assert (state / "saved").stat().st_mode & 0o777 == 0o700
    assert [edit.file.relative_to(state).parts[1] for edit in edits] == [
        "20261122T150005Z", "20261122T150005Z-2", "20261122T150005Z-3",
    ]  # fmt: skip


def test_a_link_instead_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    state, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    state.mkdir()
    elsewhere.mkdir()
    (state / "saved").symlink_to(elsewhere)
    with pytest.raises(OSError, match="saved"):
        save(state, [b"one"])
    assert list(elsewhere.iterdir()) == []


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    before = len(os.listdir("/dev/fd"))
    save(state, [b"one"])
    assert len(os.listdir("/dev/fd")) == before
