"""Replacing pages: each is as it was or written whole, keeps what it is besides its bytes, and no edit is lost."""

from __future__ import annotations

import os
import re
import stat
import struct
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncer.content.page_file import exchange as swap
from syncer.content.replace import preview, replace_pages
from syncer.decide.diff import diff
from syncer.model import Count, Edit, Fields, Page, Problem, Reading
from tests.places import (
    NOBODY,
    OTHER_ID,
    collection,
    everybodys_directory,
    fill,
    give_away,
    page,
    pages,
    put,
    run_python,
    small_disk,
)

NEW = 99999
NOW = datetime(2026, 11, 22, 15, 0, 5, tzinfo=UTC)
ACCESS_LIST = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHi", *entry) for entry in ((1, 6, -1), (2, 6, 1234), (4, 0, -1), (0x10, 6, -1), (0x20, 0, -1))
)
"""As Linux stores it: the owner and user 1234 may read and write, others nothing."""

BOTH = Fields("tube", {Count.LIKES: "hearts"})


def edits(site: Path) -> list[Edit]:
    """The edits that set the views of every page of a site to the new count."""
    return [edit_of(one) for one in pages(site)]


def edit_of(*same: Page) -> Edit:
    counts = {Count.VIEWS: NEW, Count.LIKES: 517}
    readings = {slot.video_id: Reading(slot.video_id, NOW, counts) for one in same for slot in one.slots}
    return Edit(same[0].path, same[0].signature, tuple((one.fields, diff(one, readings)) for one in same))


def replace(site: Path, what: list[Edit] | None = None, *, in_place: bool = False) -> list[str | None]:
    """Replace the pages of a site, by default each with a new file, and return what came of each."""
    outcomes, _ = replace_pages(os.path.realpath(site), edits(site) if what is None else what, in_place=in_place)
    return [None if outcome is None else outcome.kind.value for outcome in outcomes]


def left_over(site: Path) -> list[Path]:
    return [path for path in site.rglob("*") if path.name.startswith(".syncer")]


def all_but_access(file: Path) -> tuple[int, ...]:
    """What is known of a file besides its bytes, and when it was read."""
    status = file.stat()
    return (*status[:7], status.st_mtime_ns, status.st_ctime_ns)


def note(file: Path, name: str, value: bytes) -> None:
    """Set an attribute of a file, or skip the test where the file system has none."""
    if sys.platform == "linux":
        try:
            os.setxattr(file, name, value)
        except OSError as error:
            pytest.skip(f"no attributes here: {error.strerror}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return put(tmp_path / "content/a.md", page())


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_the_counts_are_new_and_every_other_byte_is_as_it_was(tmp_path: Path, file: Path) -> None:
    body = "Gates \u2014 and\r\npaddles\n" + "x" * 3_000_000
    file.write_bytes(page(body=body))

    assert replace(tmp_path) == [None]

    assert file.read_bytes() == page(views=NEW, body=body)
    assert os.listdir(file.parent) == ["a.md"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o640, 0o755, 0o2644, 0o666])
def test_the_mode_is_kept_whatever_the_umask(tmp_path: Path, file: Path, mode: int) -> None:
    file.chmod(mode)
    before = os.umask(0o077)
    try:
        assert replace(tmp_path) == [None]
    finally:
        os.umask(before)

    assert stat.S_IMODE(file.stat().st_mode) == mode
    assert file.read_bytes() == page(views=NEW)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_owner_is_kept_when_root_replaces(tmp_path: Path, file: Path) -> None:
    os.chown(file, 1234, 4321)
    file.chmod(0o640)

    assert replace(tmp_path) == [None]

    status = file.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 4321, 0o640)


REPLACE_POWERLESS = """
import sys
from pathlib import Path
from syncer.content import replace
from tests.places import drop_powers
from tests.test_content_replace import replace
drop_powers()
print(*replace(Path(sys.argv[1])))
"""

REPLACE_POWERLESS_AND_SAY_WHY = """
import sys
from pathlib import Path
from syncer.content.replace import replace_pages
from tests.places import drop_powers
from tests.test_content_replace import edits
drop_powers()
((problem,), _) = replace_pages(sys.argv[1], edits(Path(sys.argv[1])), in_place=False)
print(problem.message)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(("owner", "group"), [(1234, NOBODY), (NOBODY, 4321), (0, 0)])
def test_a_page_whose_owner_cannot_be_kept_is_left_as_it_was(owner: int, group: int) -> None:
    with everybodys_directory() as site:
        file = put(site / "content/a.md")
        give_away(file.parent)
        os.chown(file, owner, group)
        file.chmod(0o666)
        before = all_but_access(file)

        assert run_python(REPLACE_POWERLESS, site) == "unwritable\n"
        why = "it belongs to another user or group, and a new file would not"
        said = run_python(REPLACE_POWERLESS_AND_SAY_WHY, site)
        assert said == f"Cannot write the page: {why}. It was not changed.\n"

        assert all_but_access(file) == before
        assert file.read_bytes() == page()
        assert os.listdir(file.parent) == ["a.md"]


def test_a_users_own_page_is_replaced_without_root() -> None:
    with everybodys_directory() as site:
        file = put(site / "content/a.md")
        give_away(file.parent)
        give_away(file)

        assert run_python(REPLACE_POWERLESS, site) == "None\n"

        assert file.read_bytes() == page(views=NEW)


@pytest.mark.skipif(sys.platform != "linux", reason="attributes are asked for in Linux's way")
def test_the_access_list_and_the_extended_attributes_are_kept(tmp_path: Path, file: Path) -> None:
    note(file, "user.note", b"proofread")
    note(file, "system.posix_acl_access", ACCESS_LIST)

    assert replace(tmp_path) == [None]

    assert file.read_bytes() == page(views=NEW)
    assert os.getxattr(file, "user.note") == b"proofread"
    assert os.getxattr(file, "system.posix_acl_access") == ACCESS_LIST


@pytest.mark.skipif(sys.platform != "linux", reason="access lists are asked for in Linux's way")
def test_a_page_without_an_access_list_does_not_get_its_directorys(tmp_path: Path, file: Path) -> None:
    file.chmod(0o640)
    note(file.parent, "system.posix_acl_default", ACCESS_LIST)

    assert replace(tmp_path) == [None]

    assert os.listxattr(file) == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_link_stays_a_link_and_its_page_is_written(tmp_path: Path) -> None:
    real = put(tmp_path / "shared/real.md")
    (tmp_path / "content").mkdir()
    link = tmp_path / "content/a.md"
    link.symlink_to("../shared/real.md")

    assert replace(tmp_path) == [None]

    assert link.is_symlink()
    assert real.read_bytes() == page(views=NEW)
    assert left_over(tmp_path) == []


def test_a_page_in_a_linked_directory_is_written_where_it_is(tmp_path: Path) -> None:
    real = put(tmp_path / "shared/sub/real.md")
    (tmp_path / "content").symlink_to("shared")

    assert replace(tmp_path) == [None]

    assert real.read_bytes() == page(views=NEW)
    assert (tmp_path / "content").is_symlink()


def test_a_page_with_a_second_name_is_left_alone(tmp_path: Path, file: Path) -> None:
    other = tmp_path / "vault.md"
    other.hardlink_to(file)

    assert replace(tmp_path) == ["unwritable"]

    assert (file.read_bytes(), other.samefile(file)) == (page(), True)


def test_a_batch_that_is_repeated_is_done_and_writes_nothing(tmp_path: Path, file: Path) -> None:
    batch = edits(tmp_path)
    assert replace(tmp_path, batch) == [None]
    before = all_but_access(file)

    assert replace(tmp_path, batch) == [None]
    assert all_but_access(file) == before


def test_a_page_with_the_longest_possible_name_is_replaced(tmp_path: Path) -> None:
    file = put(tmp_path / "content" / ("n" * 252 + ".md"))

    assert replace(tmp_path) == [None]
    assert file.read_bytes() == page(views=NEW)


def test_two_mappings_of_a_page_are_written_together(tmp_path: Path, file: Path) -> None:
    text = "---\nvid_id: kq3vT7mZ_dE\ntube: {}\nviewcount: {}\nhearts: {}\n---\n"
    file.write_bytes(text.format(OTHER_ID, 1, 2).encode())
    found = pages(tmp_path, collection(), collection(fields=BOTH))

    assert replace(tmp_path, [edit_of(*found)]) == [None]

    assert file.read_bytes() == text.format(OTHER_ID, NEW, 517).encode()


# --- edits by somebody else ------------------------------------------------------------------------------------------


def same_times(file: Path, status: os.stat_result) -> None:
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_an_edit_after_the_scan_is_kept(tmp_path: Path, file: Path) -> None:
    waiting = edits(tmp_path)
    file.write_bytes(page(body="An edit.\n"))

    assert replace(tmp_path, waiting) == ["edited-meanwhile"]
    assert file.read_bytes() == page(body="An edit.\n")
    assert replace(tmp_path) == [None]
    assert file.read_bytes() == page(views=NEW, body="An edit.\n")


def test_an_edit_of_the_count_that_keeps_time_and_size_is_kept(tmp_path: Path, file: Path) -> None:
    waiting = edits(tmp_path)
    status = file.stat()
    file.write_bytes(page(views=48211))
    same_times(file, status)

    assert replace(tmp_path, waiting) == ["edited-meanwhile"]
    assert file.read_bytes() == page(views=48211)


def test_an_edit_of_the_body_that_keeps_time_and_size_is_kept(tmp_path: Path, file: Path) -> None:
    waiting = edits(tmp_path)
    status = file.stat()
    file.write_bytes(page(body="Gates, paddles and patientia\n"))
    same_times(file, status)

    replace(tmp_path, waiting)

    assert file.read_bytes().endswith(b"patientia\n")


def test_a_page_that_an_editor_saved_as_a_new_file_is_left_alone(tmp_path: Path, file: Path) -> None:
    waiting = edits(tmp_path)
    status = file.stat()
    saved = put(tmp_path / "content/saved", page())
    same_times(saved, status)
    saved.replace(file)

    assert replace(tmp_path, waiting) == ["edited-meanwhile"]
    assert file.read_bytes() == page()


MEANWHILE = """
import os, sys
from pathlib import Path
from tests.places import page
from tests.test_content_replace import edits, replace, same_times

site, file = Path(sys.argv[1]), Path(sys.argv[1], "content/a.md")
status = file.stat()

def in_place():
    file.write_bytes(page(body="Gates, paddles and patientia\\n"))
    same_times(file, status)

def append():
    with file.open("ab") as end:
        end.write(b"one more line\\n")

def save_anew():
    other = file.with_name("other")
    other.write_bytes(file.read_bytes())
    same_times(other, status)
    other.replace(file)

def delete():
    file.unlink()

def move():
    file.parent.rename(site / "moved")

def turn_into_a_directory():
    file.unlink()
    file.mkdir()

def turn_into_a_pipe():
    file.unlink()
    os.mkfifo(file)

done = []

def hook(event, given):
    if event == "open" and str(given[0]).endswith("~") and given[2] & os.O_CREAT and not done:
        done.append(True)
        globals()[sys.argv[2]]()

waiting = edits(site)
sys.addaudithook(hook)
print(*replace(site, waiting), len(done))
"""
"""Between the moment when the page was read and the one when the new file beside it is made, somebody acts."""


def meanwhile(site: Path, what: str) -> str:
    return run_python(MEANWHILE, site, what).strip()


@pytest.mark.parametrize("what", ["in_place", "append", "save_anew"])
def test_an_edit_during_the_replacement_is_kept(tmp_path: Path, file: Path, what: str) -> None:
    assert meanwhile(tmp_path, what) == "edited-meanwhile 1"

    assert str(NEW).encode() not in file.read_bytes()
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("delete", "unwritable"),
        ("move", "unwritable"),
        ("turn_into_a_directory", "edited-meanwhile"),
        ("turn_into_a_pipe", "edited-meanwhile"),
    ],
)
def test_a_page_that_is_gone_when_it_is_to_be_replaced_stays_gone(
    tmp_path: Path, file: Path, what: str, kind: str
) -> None:
    assert meanwhile(tmp_path, what) == f"{kind} 1"

    assert not file.is_file()
    assert left_over(tmp_path) == []


def test_a_page_that_vanished_after_the_scan_is_not_made_again(tmp_path: Path, file: Path) -> None:
    waiting = edits(tmp_path)
    file.unlink()

    assert replace(tmp_path, waiting) == ["unwritable"]
    assert not file.exists()


def test_a_directory_that_vanished_after_the_scan_is_not_made_again(tmp_path: Path, file: Path) -> None:
    waiting = edits(tmp_path)
    file.parent.rename(tmp_path / "moved")

    assert replace(tmp_path, waiting) == ["unwritable"]
    assert not file.parent.exists()


@pytest.mark.parametrize("become", ["fifo", "directory"])
def test_a_page_that_is_no_longer_a_file_is_left_alone(tmp_path: Path, file: Path, become: str) -> None:
    waiting = edits(tmp_path)
    file.unlink()
    os.mkfifo(file) if become == "fifo" else file.mkdir()

    assert replace(tmp_path, waiting) == ["unwritable"]
    assert not file.is_file()


@pytest.mark.parametrize("what", ["page", "directory"])
def test_a_page_that_now_leads_out_of_the_site_is_left_alone(tmp_path: Path, what: str) -> None:
    site = tmp_path / "site"
    file = put(site / "content/a.md")
    waiting = edits(site)
    outside = put(tmp_path / "site-2/a.md")
    moved = file if what == "page" else file.parent
    moved.rename(tmp_path / "moved")
    moved.symlink_to(outside if what == "page" else outside.parent)

    assert replace(site, waiting) == ["outside-site"]
    assert outside.read_bytes() == page()


def test_a_page_given_twice_is_written_once(tmp_path: Path, file: Path) -> None:
    (edit,) = edits(tmp_path)

    assert replace(tmp_path, [edit, edit]) == [None, "edited-meanwhile"]
    assert file.read_bytes() == page(views=NEW)
    assert left_over(tmp_path) == []


WORDS = b"one more line\n"


def swapping(monkeypatch: pytest.MonkeyPatch, fails_at: int, error: BaseException) -> None:
    """Let somebody save each page right before its swap, and let the call of this number fail, or what comes after."""
    calls: list[str] = []

    def exchange(one: str, other: str, directory: int) -> bool:
        calls.append(one)
        if len(calls) == fails_at and isinstance(error, OSError):
            raise error
        if len(calls) == 1:
            with open(os.open(one, os.O_WRONLY | os.O_APPEND, dir_fd=directory), "ab") as author:
                author.write(WORDS)
        done = swap(one, other, directory)
        if len(calls) == fails_at:
            raise error
        return done

    monkeypatch.setattr("syncer.content.swap.exchange", exchange)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a page is not swapped but renamed over")
def test_what_a_swap_left_beside_a_page_that_cannot_be_taken_back_stays_there(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new page is in place and counts as written; the next recovery finds the author's version."""
    swapping(monkeypatch, 2, OSError(5, "Input/output error"))
    assert replace(tmp_path) == [None]
    [beside] = left_over(tmp_path)
    assert (file.read_bytes(), beside.read_bytes()) == (page(views=NEW), page() + WORDS)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a page is not swapped but renamed over")
def test_so_does_what_an_interruption_right_after_the_swap_leaves(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = edits(tmp_path)
    swapping(monkeypatch, 1, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        replace(tmp_path, waiting)
    [beside] = left_over(tmp_path)
    assert (file.read_bytes(), beside.read_bytes()) == (page(views=NEW), page() + WORDS)


# --- pages that cannot be replaced -----------------------------------------------------------------------------------


def test_a_read_only_page_is_left_alone_even_by_root(tmp_path: Path, file: Path) -> None:
    file.chmod(0o444)
    before = file.stat()

    assert replace(tmp_path) == ["unwritable"]
    assert (file.read_bytes(), file.stat().st_ino) == (page(), before.st_ino)


def test_a_page_in_a_read_only_directory_is_left_alone() -> None:
    with everybodys_directory() as site:
        file = put(site / "content/a.md")
        give_away(file)
        give_away(file.parent)
        file.parent.chmod(0o555)

        assert run_python(REPLACE_POWERLESS, site) == "unwritable\n"

        assert file.read_bytes() == page()
        file.parent.chmod(0o755)


REPLACE_UNLISTED = """
import os, sys
from pathlib import Path
from syncer.content import replace
from tests.places import drop_powers
from tests.test_content_replace import edits, replace
drop_powers()
site = Path(sys.argv[1])
waiting = edits(site)
os.chmod(site / "content", 0o300)
print(*replace(site, waiting))
"""


def test_pages_in_a_directory_that_may_be_written_but_not_listed_are_replaced() -> None:
    with everybodys_directory() as site:
        file = put(site / "content/a.md")
        give_away(file)
        give_away(file.parent)

        assert run_python(REPLACE_UNLISTED, site) == "None\n"

        file.parent.chmod(0o755)
        assert file.read_bytes() == page(views=NEW)


@pytest.mark.parametrize("number", [1, 150])
def test_on_a_full_disk_every_page_is_as_it_was_or_whole(tmp_path: Path, number: int) -> None:
    with small_disk(tmp_path / "disk", 4096) as site:
        files = [put(site / f"content/{one}.md", page(body="x" * 9000)) for one in range(number)]
        waiting = edits(site)
        filler = fill(site)

        assert set(replace(site, waiting)) == {"unwritable"}
        assert {file.read_bytes() for file in files} == {page(body="x" * 9000)}
        assert left_over(site) == []

        filler.unlink()
        assert set(replace(site)) == {None}
        assert {file.read_bytes() for file in files} == {page(views=NEW, body="x" * 9000)}


def test_a_page_that_cannot_be_rewritten_is_not_touched(tmp_path: Path, file: Path) -> None:
    waiting = edits(tmp_path)
    status = file.stat()
    file.write_bytes(page().replace(b"vid_id", b"vad_id"))
    same_times(file, status)
    before = all_but_access(file)

    assert replace(tmp_path, waiting) == ["edited-meanwhile"]
    assert all_but_access(file) == before
    assert left_over(tmp_path) == []


def test_outcomes_are_in_the_order_of_the_edits(tmp_path: Path) -> None:
    files = [put(tmp_path / f"content/{number}.md") for number in range(6)]
    waiting = edits(tmp_path)
    files[1].unlink()
    files[3].write_bytes(page(body="edited"))
    files[4].chmod(0o444)

    assert replace(tmp_path, waiting) == [None, "unwritable", None, "edited-meanwhile", "unwritable", None]


def test_a_problem_names_the_page_as_the_site_knows_it(tmp_path: Path, file: Path) -> None:
    (edit,) = edits(tmp_path)
    file.unlink()

    (problem,) = replace_pages(str(tmp_path), [edit], in_place=False).problems

    assert isinstance(problem, Problem)
    assert problem.subject == "content/a.md"
    assert problem.message == "Cannot write the page: No such file or directory. It was not changed."


def test_no_edits_are_done_at_once(tmp_path: Path) -> None:
    assert replace_pages(str(tmp_path), []) == ([], 0)


# --- many pages, durability, interruption ----------------------------------------------------------------------------


@pytest.mark.parametrize("number", [20, 500])
def test_a_batch_stays_within_the_usual_limit_of_open_files(tmp_path: Path, number: int) -> None:
    files = [put(tmp_path / f"content/{one % 7}/{one}.md") for one in range(number)]
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom tests.test_content_replace import replace\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\nprint(set(replace(Path(sys.argv[1]))))"
    )

    assert run_python(code, tmp_path) == "{None}\n"

    assert {file.read_bytes() for file in files} == {page(views=NEW)}
    assert left_over(tmp_path) == []


OPENED = """
import os, sys
from pathlib import Path
from tests.test_content_replace import edits, replace
opened = []
waiting = edits(Path(sys.argv[1]))
sys.addaudithook(lambda event, given: opened.append(given) if event == "open" else None)
replace(Path(sys.argv[1]), waiting)
print(*{path for path, _, flags in opened if flags & os.O_CREAT})
print(*{path for path, _, flags in opened if os.path.isdir(path)})
"""


def test_new_files_are_made_beside_the_page_and_its_own_directory_is_made_durable(tmp_path: Path) -> None:
    real = put(tmp_path / "shared/real.md")
    (tmp_path / "content").mkdir()
    (tmp_path / "content/a.md").symlink_to(real)

    created, directories = run_python(OPENED, tmp_path).splitlines()

    assert re.fullmatch(re.escape(str(real.parent)) + r"/\.syncer-[0-9a-f]{8}~", created)
    assert directories == str(real.parent)


def test_a_taken_name_does_not_keep_a_temporary_file_from_being_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [put(tmp_path / f"content/{number}.md") for number in range(2)]
    stranger = put(tmp_path / "content/.syncer-aaaaaaaa~", b"somebody's")
    draws = iter("abbc")
    monkeypatch.setattr("secrets.token_hex", lambda size: next(draws) * 2 * size)

    assert replace(tmp_path) == [None, None]

    assert {file.read_bytes() for file in files} == {page(views=NEW)}
    assert (left_over(tmp_path), stranger.read_bytes()) == ([stranger], b"somebody's")


INTERRUPTED = """
import os, sys
from pathlib import Path
from tests.places import page, put
from tests.test_content_replace import NEW, edits, left_over, replace

site = Path(sys.argv[1])
files = [site / f"content/{number}.md" for number in range(4)]
countdown = None

def hook(event, given):
    global countdown
    if countdown is None or event not in {"open", "os.rename", "os.chmod", "os.chown", "os.listxattr"}:
        return
    countdown -= 1
    if countdown == 0:
        countdown = None
        raise KeyboardInterrupt

sys.addaudithook(hook)
moments = ended = 0
while not ended:
    moments += 1
    for file in files:
        put(file)
    waiting = edits(site)
    countdown = moments
    try:
        replace(site, waiting)
        ended = countdown is not None
    except KeyboardInterrupt:
        pass
    countdown = None
    assert left_over(site) == [], (moments, left_over(site))
    assert {file.read_bytes() for file in files} <= {page(), page(views=NEW)}
print(moments)
"""
"""Interrupts a batch of four pages at each file operation in turn."""


def test_an_interruption_at_any_moment_leaves_whole_pages_and_nothing_else(tmp_path: Path) -> None:
    assert int(run_python(INTERRUPTED, tmp_path)) > 20


def test_replacing_leaves_no_descriptor_open(tmp_path: Path) -> None:
    files = [put(tmp_path / f"content/{number}.md") for number in range(5)]
    waiting = edits(tmp_path)
    files[0].unlink()
    files[1].chmod(0o444)
    before = len(os.listdir("/dev/fd"))

    replace(tmp_path, waiting)

    assert len(os.listdir("/dev/fd")) == before


# --- preview ---------------------------------------------------------------------------------------------------------


def test_a_preview_shows_what_a_replacement_would_make_and_touches_nothing(tmp_path: Path, file: Path) -> None:
    (edit,) = edits(tmp_path)
    before = all_but_access(file)

    assert preview(str(tmp_path), edit) == (page(), page(views=NEW))
    assert (all_but_access(file), os.listdir(file.parent)) == (before, ["a.md"])


def _edited(file: Path) -> None:
    file.write_bytes(page(body="edited"))


def _read_only(file: Path) -> None:
    file.chmod(0o444)


@pytest.mark.parametrize("act", [_edited, _read_only, Path.unlink])
def test_a_preview_refuses_what_a_replacement_would_refuse(
    tmp_path: Path, file: Path, act: Callable[[Path], None]
) -> None:
    (edit,) = edits(tmp_path)
    act(file)

    seen = preview(str(tmp_path), edit)

    assert isinstance(seen, Problem)
    assert [seen] == replace_pages(str(tmp_path), [edit], in_place=False).problems
