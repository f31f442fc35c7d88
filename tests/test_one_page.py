"""One page never ends a command: what goes wrong in it, whatever that is, is that page's problem."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from syncer.front_matter.block import LARGEST_PAGE_BYTES
from syncer.front_matter.find import find
from syncer.front_matter.plain import find_plain
from syncer.front_matter.rewrite import rewrite, splices_for
from syncer.simulator.server import Simulator
from tests.places import page, put, run_python
from tests.repository import in_git
from tests.site import FORMS, Form, Run, Site, counts, crlf, ids

GOOD, BAD = ids(2, seed=12)
SIZES = (LARGEST_PAGE_BYTES + 1, 20 << 30)
"""A byte too much; and more than the memory of most machines."""

ERRORS = (MemoryError, RecursionError, RuntimeError, re.error, SystemError, IndexError, AssertionError, ValueError)
"""What may come out of a parser, a pattern, or a bug in syncer."""


@pytest.fixture
def pair_of_pages(site: Site) -> Site:
    site.put("content/bad.md", crlf(BAD, 1, 2))
    site.put("content/good.md", crlf(GOOD, 1, 2))
    return site


def grow(site: Site, size: int) -> None:
    """Make the bad page so large, without taking that room on the disk."""
    os.truncate(site.root / "content/bad.md", size)


def require_good(site: Site, youtube: Simulator) -> None:
    assert (site.root / "content/good.md").read_bytes() == crlf(GOOD, *counts(youtube, GOOD))


@pytest.mark.parametrize("size", SIZES)
def test_a_page_beyond_all_measure_is_a_problem_in_each_sync_and_the_others_are_written(
    pair_of_pages: Site, youtube: Simulator, syncer: Run, size: int
) -> None:
    grow(pair_of_pages, size)
    for options in (("--dry-run",), (), ()):
        ran = syncer("sync", "--json", *options)
        (problem,) = ran.document["problems"]
        assert (ran.code, problem["kind"], problem["subject"]) == (1, "unwritable", "content/bad.md")
        assert "larger than 64 MiB" in problem["message"]
    require_good(pair_of_pages, youtube)
    assert (pair_of_pages.root / "content/bad.md").stat().st_size == size


@pytest.mark.parametrize("form", FORMS)
def test_a_page_of_the_largest_size_is_written(site: Site, youtube: Simulator, form: Form) -> None:
    old, new = form(GOOD, 1, 2), form(GOOD, *counts(youtube, GOOD))
    file = site.put("content/large.md", old)
    body = bytes(LARGEST_PAGE_BYTES - len(old))
    file.write_bytes(old + body)
    assert site.sync().exit == 0
    with file.open("rb") as written:
        assert written.read(len(new)) == new
        assert file.stat().st_size == len(new) + len(body)


def test_a_page_that_grows_after_the_sync_stops_no_review_no_undo_and_no_check(
    pair_of_pages: Site, youtube: Simulator, syncer: Run
) -> None:
    in_git(pair_of_pages)
    name = pair_of_pages.sync().sync
    grow(pair_of_pages, SIZES[1])
    review = syncer("review", "--json")
    assert (review.code, review.err) == (0, "")
    assert {waiting["path"]: waiting["other_lines"] for waiting in review.document["pages"]} == {
        "content/bad.md": 1,
        "content/good.md": 0,
    }
    assert syncer("check", "--offline").code == 0
    undone = syncer("undo", name)
    assert (undone.code, "larger than 64 MiB" in undone.out) == (1, True)
    assert (pair_of_pages.root / "content/good.md").read_bytes() == crlf(GOOD, 1, 2)


SHORT_OF_MEMORY = """
import resource, sys
from pathlib import Path
from tests.test_content_replace import edits, replace
site = Path(sys.argv[1])
waiting = edits(site)
replace(site, waiting[1:])
in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use + (24 << 20),) * 2)
print(*replace(site, waiting))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
def test_a_page_for_which_the_memory_is_too_small_is_left_and_the_others_are_written(tmp_path: Path) -> None:
    large = put(tmp_path / "content/a.md", page() + bytes(40 << 20))
    put(tmp_path / "content/b.md")
    assert run_python(SHORT_OF_MEMORY, tmp_path).split() == ["unwritable", "None"]
    assert large.stat().st_size == len(page()) + (40 << 20)
    assert sorted(os.listdir(large.parent)) == ["a.md", "b.md"]


def nested(depth: int) -> tuple[str, ...]:
    """Blocks with something so deep in them, in all syntaxes."""
    return (
        f"---\nvid_id: {BAD}\nviewcount: 1\nx: {'[' * depth}{']' * depth}\n---\n",
        f"---\nvid_id: {BAD}\nviewcount: 1\nx:\n  {'- ' * depth}1\n---\n",
        f"---\nvid_id: {BAD}\nviewcount: 1\nx: {'{a: ' * depth}1{'}' * depth}\n---\n",
        f"+++\nvid_id = '{BAD}'\nviewcount = 1\nx = {'[' * depth}{']' * depth}\n+++\n",
        f"+++\nvid_id = '{BAD}'\nviewcount = 1\n{'.'.join('a' * depth)} = 1\n+++\n",
        f'{{"vid_id": "{BAD}", "viewcount": 1, "x": {"[" * depth}{"]" * depth}}}\n',
    )


DEPTHS = (10, 50, 90, 150, 200, 250, 300, 330, 400, 480, 700, 960, 1_500, 20_000)


@pytest.mark.parametrize("command", ["sync", "sync --dry-run", "check --offline"])
def test_a_page_of_any_depth_is_written_or_a_problem(site: Site, youtube: Simulator, syncer: Run, command: str) -> None:
    """Some are read, and are too deep for what comes after that."""
    files = [
        site.put(f"content/{depth}-{number}.md", text.encode())
        for depth in DEPTHS
        for number, text in enumerate(nested(depth))
    ]
    before = [file.read_bytes() for file in files]
    site.put("content/good.md", crlf(GOOD, 1, 2))
    ran = syncer(*command.split())
    assert ran.code in {0, 1}
    assert "Traceback" not in ran.err
    if command == "sync":
        require_good(site, youtube)
        views = str(counts(youtube, BAD)[0]).encode()
        for file, old in zip(files, before, strict=True):
            allowed = {old, *(re.sub(rb"(viewcount\W+)1", rb"\g<1>" + views, old, count=1),)}
            assert file.read_bytes() in allowed, file.name


def test_init_reads_on_past_a_page_of_any_depth(tmp_path: Path, syncer: Run) -> None:
    for depth in DEPTHS:
        for number, text in enumerate(nested(depth)):
            put(tmp_path / f"content/{depth}-{number}.md", text.encode())
    assert syncer("init", str(tmp_path)).code == 0


# --- bugs in syncer --------------------------------------------------------------------------------------------------

Raising = Callable[..., object]


def failing(real: Raising, error: type[Exception]) -> Raising:
    """Return a function that fails for the page with the bad video, and else does what it does."""

    def fails(data: bytes, *rest: object) -> object:
        if BAD.encode() in data:
            raise error("internal error in regular expression engine")
        return real(data, *rest)

    return fails


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("step", ["find_plain", "rewrite"])
def test_whatever_goes_wrong_in_a_page_is_its_problem(
    pair_of_pages: Site,
    youtube: Simulator,
    syncer: Run,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
    step: str,
) -> None:
    if step == "find_plain":
        monkeypatch.setattr("syncer.front_matter.find.find_plain", failing(find_plain, error))
    else:
        monkeypatch.setattr("syncer.content.replace.splices_for", failing(splices_for, error))
    before = (pair_of_pages.root / "content/bad.md").read_bytes()
    for options in (("--dry-run",), ()):
        ran = syncer("sync", "--json", *options)
        (problem,) = ran.document["problems"]
        assert (ran.code, problem["subject"]) == (1, "content/bad.md")
        assert problem["kind"] == ("unreadable" if step == "find_plain" else "unwritable")
        foreseen = error in {MemoryError, RecursionError}
        assert ("Traceback" in ran.err, "a bug in syncer" in problem["message"]) == (not foreseen, not foreseen)
    assert (pair_of_pages.root / "content/bad.md").read_bytes() == before
    require_good(pair_of_pages, youtube)
    assert syncer("check", "--offline").code == 0


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("step", ["find", "rewrite"])
def test_whatever_goes_wrong_in_a_committed_page_ends_no_commit_and_no_review(
    pair_of_pages: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch, error: type[Exception], step: str
) -> None:
    repository = in_git(pair_of_pages)
    pair_of_pages.configure(git="commit: true")
    monkeypatch.setattr(f"syncer.commit.uncommitted.{step}", failing(find if step == "find" else rewrite, error))
    ran = syncer("sync", "--json")
    assert ran.document["commit"] == repository.head()
    assert repository.git("show", "--format=", "--name-only").split() == ["content/good.md"]
    review = syncer("review", "--json")
    assert review.code == 0
    waits = [page["path"] for page in review.document["pages"]]
    assert waits == ([] if step == "find" else ["content/bad.md"])
