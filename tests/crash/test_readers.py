"""Programs that read a site while syncs run see old or new pages, nothing else, and git sees every change."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncer.simulator.clock import Clock
from syncer.simulator.server import Simulator
from syncer.simulator.world import START, World
from tests.crash.ground import SAVED
from tests.crash.test_races import PAGES_OF_AN_EDITOR, ROOT, Given, render, sync_all_the_time
from tests.crash.warm import Warm
from tests.disks import disk
from tests.places import need, put
from tests.site import Site, counts, ids
from tests.test_content_replace import replace
from tests.waiting import until

VISITOR_TIMEOUT = 60.0
BUSY = re.compile(
    r"\.syncer-|Resource temporarily unavailable|file changed as we read it|File removed before we read it"
)
"""What tar and grep say of a page that was patched or swapped while they came by, or of the new file beside it."""

LAST = re.compile(r"(tar|grep): (Exiting with failure status due to previous errors|content: file changed .*)?")


@pytest.mark.storm
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_generator_tar_grep_and_git_read_old_or_new_pages_all_the_time(kind: str, warm: Warm, tmp_path: Path) -> None:
    with disk(kind, tmp_path.resolve()) as made, Simulator(World(), Clock(START)) as youtube:
        site = Site(made.place / "site", youtube.url)
        (site.root / "content" / "lists").mkdir(parents=True)
        site.configure()
        given: Given = {video: {counts(youtube, video)} for video in ids(PAGES_OF_AN_EDITOR, seed=9)}
        for video, (numbers,) in given.items():
            site.put(f"content/{video}.md", render([], video, numbers, []))
        git(site.root, "init", "-q")
        inodes = {page.stat().st_ino for page in site.root.glob("content/*.md")}
        with a_reader(site.root / "content") as reader, visitors(site.root, given) as failures:
            sync_all_the_time(warm, site, youtube, given)
            seen = json.loads(reader.communicate()[0])
        assert failures == []
        for video, texts in seen.items():
            assert set(texts) <= whole(video, given), "the generator read what no sync wrote"
        assert sum(map(len, seen.values())) > PAGES_OF_AN_EDITOR, "it came by while pages changed"
        assert {page.stat().st_ino for page in site.root.glob("content/*.md")} & inodes, "some pages were never swapped"
        assert changed_by_status(site.root) == changed_by_content(site.root)


def whole(video: str, given: Given) -> set[str]:
    """The page with every pair of counts that YouTube gave together."""
    return {render([], video, numbers, []).decode() for numbers in so_far(video, given)}


def so_far(video: str, given: Given) -> list[tuple[int, int]]:
    """Those pairs: a sync of another thread adds to them meanwhile."""
    return list(given[video])


@contextmanager
def a_reader(content: Path) -> Iterator[subprocess.Popen[str]]:
    """Give a generator that is at work."""
    command = [sys.executable, "-m", "tests.crash.reader", str(content)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "reading\n"
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def visitors(root: Path, given: Given) -> Iterator[list[str]]:
    """Have tar, grep and git come by again and again; give what went wrong."""
    ended, failures = threading.Event(), list[str]()

    def come_by(visit: Callable[[Path, Given], str]) -> None:
        while not ended.is_set():
            try:
                failure = visit(root, given)
            except Exception as error:  # noqa: BLE001 - told by the test
                failure = repr(error)
            if failure:
                failures.append(failure)

    threads = [threading.Thread(target=come_by, args=(visit,)) for visit in (archive, search, stage)]
    for thread in threads:
        thread.start()
    try:
        yield failures
    finally:
        ended.set()
        for thread in threads:
            thread.join(VISITOR_TIMEOUT)


def archive(root: Path, given: Given) -> str:
    done = run(root, "tar", "-c", "content")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archived:
        for member in archived:
            file = archived.extractfile(member) if member.name.endswith(".md") else None
            if file and file.read().decode() not in whole(Path(member.name).stem, given):
                return f"tar has another text of {member.name}"
    return unexpected(done)


def search(root: Path, given: Given) -> str:
    done = run(root, "grep", "-r", "viewcount", "content")
    for line in done.stdout.decode().splitlines():
        path, _, text = line.partition(":")
        if path.endswith(".md") and text not in {
            f'viewcount: "{views}"' for views, _ in so_far(Path(path).stem, given)
        }:
            return f"grep found {line}"
    return unexpected(done)


def unexpected(done: subprocess.CompletedProcess[bytes]) -> str:
    """What a program said that has nothing to do with a page that was busy."""
    lines = done.stderr.decode().splitlines()
    return "\n".join(line for line in lines if not BUSY.search(line) and not LAST.fullmatch(line))


def stage(root: Path, _given: Given) -> str:
    for command in (["add", "content"], ["status", "--porcelain"]):
        done = run(root, "git", *command)
        if done.returncode and ".syncer-" not in done.stderr.decode():  # a new file beside a page that is being read
            return done.stderr.decode()
    return ""


def run(root: Path, *command: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "LC_ALL": "C", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(command, cwd=root, capture_output=True, check=False, timeout=VISITOR_TIMEOUT, env=environment)


def git(root: Path, *arguments: str) -> str:
    done = run(root, "git", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def changed_by_status(root: Path) -> set[str]:
    lines = git(root, "status", "--porcelain", "--untracked-files=no", "content").splitlines()
    return {line[3:] for line in lines if line[1] == "M"}


def changed_by_content(root: Path) -> set[str]:
    """The pages whose bytes are not those of the index, without a look at any time."""
    staged = [line.split() for line in git(root, "ls-files", "-s", "content").splitlines()]
    hashes = git(root, "hash-object", "--", *(path for _, _, _, path in staged)).split()
    return {path for (_, known, _, path), now in zip(staged, hashes, strict=True) if known != now}


FILTER = 'cat; touch "{room}/read"; while [ ! -e "{room}/go" ]; do sleep 0.01; done'
"""Keeps git from writing its index, although it has read the page, until it is told to go on."""


def test_git_sees_a_count_that_was_written_in_the_second_in_which_the_page_was_staged(tmp_path: Path) -> None:
    """Git compares whole seconds, size and inode: an index that is newer than the page hides a change in place."""
    need("git")
    page = put(tmp_path / "site/content/a.md")
    root = tmp_path / "site"
    git(root, "init", "-q")
    git(root, "config", "filter.slow.clean", FILTER.format(room=tmp_path))
    put(root / ".gitattributes", b"*.txt filter=slow\n")
    put(root / "content/b.txt")
    until(lambda: time.time() % 1 < 0.3)
    put(page)
    second = int(time.time())
    with subprocess.Popen(["git", "add", "content"], cwd=root) as adding:
        until((tmp_path / "read").exists)
        assert replace(root, in_place=True) == [None]
        until(lambda: time.time() > second + 1.01)
        (tmp_path / "go").touch()
    assert adding.returncode == 0
    assert changed_by_status(root) == {"content/a.md"}


def test_a_page_that_was_saved_long_ago_keeps_its_inode_and_one_that_was_saved_just_now_gets_another(
    tmp_path: Path,
) -> None:
    with disk("tmpfs", tmp_path) as made:
        old, young = (put(made.place / f"content/{name}.md") for name in ("old", "young"))
        os.utime(old, (SAVED, SAVED))
        ahead = time.time() + 3600
        os.utime(young, (ahead, ahead))
        before = old.stat().st_ino, young.stat().st_ino
        assert replace(made.place, in_place=True) == [None, None]
        kept = [file.stat().st_ino == inode for file, inode in zip((old, young), before, strict=True)]
        assert kept == [True, False]
