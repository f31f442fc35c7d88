"""The docs show what really happens: the tests run their commands, read their files and check their configs."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncer.config.parse import parse_config
from syncer.demo import PACKAGE
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, World
from tests.doc_blocks import DOCS, HOME, ROOT, Block, blocks, git, is_as_shown, plain, run_page
from tests.examples import storms_but
from tests.places import need

README = ROOT / "README.md"
READ = [README, *(page for page in sorted(DOCS.rglob("*.md")) if page.parent.name != "decisions")]
RUN = [page for page in READ if blocks(page, "console")]
MANY_COMMANDS = 6
FROM_NOTHING = {DOCS / "tutorial.md"}
"""Pages whose reader has no site yet. On all others, the reader has the sample pages."""
CONFIGS = [block for page in READ for block in blocks(page, "yaml") if not block.detail.startswith("broken/")]
SECTION = "collections: [{directory: content, fields: {video_id: id, counts: {viewCount: views}}}]\n"

VIDEOS = {
    "jNQXAC9IVRw": Video(counts={"viewCount": 391250417, "likeCount": 18410223, "commentCount": 10422108}),
    "dQw4w9WgXcQ": Video(counts={"viewCount": 1782406118, "likeCount": 19093551, "commentCount": 2400186}),
}
"""What the simulator returns for videos in the docs that are not in the sample pages."""


def is_long(page: Path) -> bool:
    """Whether its commands take long: each one starts a Python."""
    return sum(block.text.count("\n$ ") + 1 for block in blocks(page, "console")) > MANY_COMMANDS


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def youtube() -> Iterator[Simulator]:
    world = World.load(PACKAGE / "demo_world.toml")
    with Simulator(World(videos={**world.videos, **VIDEOS})) as simulator:
        yield simulator


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the sample pages in a repository, under `site`."""
    need("bash")
    made = tmp_path / "ann"
    samples(made / "site")
    return made


def samples(site: Path) -> None:
    shutil.copytree(ROOT / "content", site / "content")
    (site / "config").mkdir()
    shutil.copyfile(ROOT / "config" / "syncer.yaml", site / "config" / "syncer.yaml")
    git(site, "init", "--quiet")
    git(site, "add", "--all")
    git(site, "commit", "--quiet", "--message", "Add the sample pages")


@pytest.mark.parametrize("page", storms_but([page for page in RUN if not is_long(page)], RUN), ids=name)
def test_every_command_prints_what_the_docs_say(page: Path, home: Path, youtube: Simulator) -> None:
    if page in FROM_NOTHING:
        shutil.rmtree(home / "site")
    different = [
        f"{command.where}: $ {command.text}\n{plain(printed)}"
        for command, printed in run_page(page, home, youtube.url)
        if not is_as_shown(command.output, printed)
    ]
    assert not different, "\n".join(["these commands print something else:", *different])


def test_output_that_differs_is_found() -> None:
    assert is_as_shown("a\n...\nd 2026-11-22T15:00:00Z\n", "a  \nb\nc\nd 2027-01-01T00:00:00Z\n")
    assert is_as_shown("...\n", "")
    assert not is_as_shown("a\n", "a\nb\n")
    assert not is_as_shown("...\nb\n", "a\n")


@pytest.mark.parametrize("block", CONFIGS, ids=lambda block: block.where)
def test_every_config_in_the_docs_is_valid(block: Block) -> None:
    text = SECTION + block.text if block.detail == "section" or block.is_edit else block.text
    assert parse_config(text, Path(HOME, "site", "config", "syncer.yaml")).collections


@pytest.mark.parametrize("page", [DOCS / "tutorial.md", DOCS / "how-to" / "drill.md"], ids=name)
def test_a_sentence_names_each_file_that_the_reader_creates_or_edits(page: Path) -> None:
    """A rendered page does not show what follows a block's language."""
    text = page.read_text(encoding="utf-8")
    for block in blocks(page):
        if block.file:
            before = text[: text.index(f" {block.detail}\n{block.text}")]
            assert f"`{block.file}`" in before.rpartition("```\n")[2], block.where


def test_syncer_makes_the_diff_of_the_readme(home: Path, youtube: Simulator) -> None:
    [shown] = blocks(README, "diff")
    run_page(README, home, youtube.url)
    diff = plain(git(home / "site", "diff", "--unified=1"))
    assert plain(shown.text) in diff


def test_the_docs_list_the_commands_of_dev() -> None:
    usage = subprocess.run([ROOT / "dev"], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"^  (\w+) ", usage, re.MULTILINE))
    contributing = (DOCS / "contributing.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `\./dev (\w+)", contributing, re.MULTILINE)) == known
    readme = README.read_text(encoding="utf-8")
    assert re.findall(r"^\./dev (\w+)", readme, re.MULTILINE) == ["demo", "test"]
    assert {word for page in READ for word in re.findall(r"\./dev (\w+)", page.read_text(encoding="utf-8"))} <= known
