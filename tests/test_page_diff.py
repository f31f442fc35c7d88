"""The diff of a dry run shows what differs, in pages of any length."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pytest

from syncer.cli.page_diff import page_diff


def talks(number: int, *, new: bool, inserted: bool = False) -> bytes:
    """A list of talks in which most lines are frequent."""
    chance, lines = random.Random(7), list[str]()
    for talk in range(number):
        differs = chance.random() < 0.4 and new
        lines += [f"- id: video-{talk:05}", "  event: nights-0", f"  views: {talk + 1000 + (differs and 10**6)}"]
        lines += [f"  likes: {talk % 7}"] if talk % 3 or (new and inserted) else []
        lines += ["  speakers:", "    - Ada", "  event_end: nights-0"]
    return "\n".join(lines).encode() + b"\n"


def git_diff(folder: Path, old: bytes, new: bytes) -> list[str]:
    """The same as git writes it, without its heads; what follows the second @@ is no part of it."""
    (folder / "old").write_bytes(old)
    (folder / "new").write_bytes(new)
    command = ["git", "diff", "--no-index", "--no-color", "-U1", "old", "new"]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout
    lines = found.splitlines()[4:]
    return [line[: line.rindex("@@") + 2] if line.startswith("@@") else line for line in lines]


@pytest.mark.parametrize("inserted", [False, True])
def test_it_is_what_git_shows(tmp_path: Path, inserted: bool) -> None:
    old, new = talks(400, new=False), talks(400, new=True, inserted=inserted)
    ours = list(page_diff("_data/talks.yml", old, new))
    assert ours[:2] == ["--- a/_data/talks.yml", "+++ b/_data/talks.yml"]
    assert ours[2:] == git_diff(tmp_path, old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"", b"a\n"),
        (b"a\n", b""),
        (b"a\n", b"b\n"),
        (b"a\nb\nc\n", b"a\nx\nb\nc\n"),
        (b"a\nb\nc\n", b"a\nc\n"),
        (b"1\n2\n3\n4\n5\n6\n", b"1\n2\nx\n4\n5\ny\n"),
        (b"v\nt\nv\nt\n", b"w\nl\nt\nv\nl\nt\n"),
    ],
)
def test_of_few_lines_it_is_what_git_shows(tmp_path: Path, old: bytes, new: bytes) -> None:
    assert list(page_diff("p", old, new))[2:] == git_diff(tmp_path, old, new)


def test_a_table_whose_every_line_changed_is_what_git_shows(tmp_path: Path) -> None:
    old, new = ("id,views\n" + "".join(f"video-{n},{n + by}\n" for n in range(500)) for by in (0, 9))
    assert list(page_diff("t.csv", old.encode(), new.encode()))[2:] == git_diff(tmp_path, old.encode(), new.encode())


def test_of_equal_pages_it_is_empty() -> None:
    assert list(page_diff("p", b"a\nb\n", b"a\nb\n")) == []


def test_any_two_texts_give_a_diff_that_leads_from_one_to_the_other() -> None:
    chance = random.Random(3)
    for _ in range(300):
        old, new = ([chance.choice("abcd") for _ in range(chance.randrange(30))] for _ in range(2))
        shown = list(page_diff("p", "\n".join(old).encode(), "\n".join(new).encode()))[2:]
        result, at = list[str](), 0
        for line in shown:
            if line.startswith("@@"):
                first, _, length = line.split()[1][1:].partition(",")
                start = int(first) - (length != "0")
                result += old[at:start]
                at = start
            elif line[0] == "+":
                result.append(line[1:])
            else:
                assert old[at] == line[1:]
                result += [line[1:]] if line[0] == " " else []
                at += 1
        assert result + old[at:] == new


def test_a_data_file_of_many_items_takes_no_time() -> None:
    old, new = talks(10_000, new=False), talks(10_000, new=True, inserted=True)
    began = time.process_time()
    assert len(list(page_diff("p", old, new))) > 10_000
    assert time.process_time() - began < 3
