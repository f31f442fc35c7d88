"""`syncer init` on sites of several shapes: what it writes passes `check` and a dry run as it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from syncer.config.parse import parse_config
from syncer.simulator.server import Simulator
from tests.site import Run, crlf, hugo_json, ids, pair, plain, toml, tree

A, B, C, D = ids(4, seed=31)
ENDPOINT = "https://youtube.googleapis.com/"

TALK = f"---\nyoutube: https://youtu.be/{B}\nviews: 4\n---\n".encode()
NESTED = f'+++\n[extra]\nyoutube_id = "{A}"\n+++\n'.encode()
OTHERS = {f"_posts/{number}.md": b"---\ntitle: x\n---\n" for number in range(9)}
LISTS = {"lists/a.md": pair((A, 1, 2), (B, 3, 4)), "lists/b.md": pair((C, 1, 2), (D, 3, 4))}
SHAPES: Mapping[str, tuple[Mapping[str, bytes], set[str], int]] = {
    "jekyll": ({"_posts/2022-04-25-a.md": crlf(A, 1, 2), "_posts/2022-05-25-b.md": crlf(B, 3, 4)}, {"_posts"}, 4),
    "hugo": ({"content/v/a.md": toml(A, 1, 2), "content/v/b.md": hugo_json(B, 3, 4)}, {"content/v"}, 4),
    "two directories": ({"_posts/a.md": crlf(A, 1, 2), "talks/b.md": TALK}, {"_posts", "talks"}, 3),
    "zola": ({"content/a.md": NESTED}, {"content"}, 2),
    "lists": (LISTS, {"lists"}, 8),
    "pages at the top": ({"a.md": crlf(A, 1, 2), "b.markdown": crlf(B, 3, 4)}, {"."}, 4),
    "among other pages": ({"_posts/a.md": plain(A, 1, 2), **OTHERS}, {"_posts"}, 2),
    "names with blanks": ({"my posts/a b.md": crlf(A, 1, 2)}, {"my posts"}, 2),
}
"""Pages; the directories that are proposed; the counts that a dry run would change."""


@pytest.fixture
def there(tmp_path: Path, syncer: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that is the working directory."""
    place = tmp_path / "new"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def lay(there: Path, pages: Mapping[str, bytes]) -> None:
    for path, text in pages.items():
        (there / path).parent.mkdir(parents=True, exist_ok=True)
        (there / path).write_bytes(text)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_config_it_writes_works_as_it_stands(there: Path, youtube: Simulator, syncer: Run, shape: str) -> None:
    pages, directories, changes = SHAPES[shape]
    lay(there, pages)
    ran = syncer("init")
    assert (ran.code, ran.err) == (0, "")
    assert "Wrote config/syncer.yaml." in ran.out
    target = there / "config/syncer.yaml"
    text = target.read_text(encoding="utf-8")
    assert {collection.directory for collection in parse_config(text, target).collections} == directories
    assert ENDPOINT in text
    target.write_text(text.replace(ENDPOINT, youtube.url), encoding="utf-8")
    assert syncer("check").code == 0
    report = syncer("sync", "--dry-run", "--json").document
    assert (report["exit"], report["problems"], report["missing"]) == (0, [], [])
    assert report["changed_counts"] == changes
    assert syncer("sync", "--json").document["changed_counts"] == changes


def test_it_reads_pages_and_changes_none(there: Path, syncer: Run) -> None:
    lay(there, SHAPES["jekyll"][0])
    before = tree(there)
    syncer("init")
    after = tree(there)
    assert {path: after[path] for path in before} == before
    assert after.keys() - before.keys() == {"config", "config/syncer.yaml"}


def test_another_directory_can_be_named(there: Path, syncer: Run) -> None:
    lay(there / "site", SHAPES["jekyll"][0])
    assert syncer("init", "site").code == 0
    assert (there / "site/config/syncer.yaml").is_file()
    assert not (there / "config").exists()


def by_a_file(place: Path) -> None:
    (place / "config").mkdir()
    (place / "config/syncer.yaml").write_bytes(b"mine")


def by_a_dangling_link(place: Path) -> None:
    (place / "config").mkdir()
    (place / "config/syncer.yaml").symlink_to("nowhere")


def by_a_file_named_config(place: Path) -> None:
    (place / "config").write_bytes(b"mine")


@pytest.mark.parametrize("taken", [by_a_file, by_a_dangling_link, by_a_file_named_config])
def test_what_exists_is_never_overwritten(there: Path, syncer: Run, taken: Callable[[Path], None]) -> None:
    lay(there, SHAPES["jekyll"][0])
    taken(there)
    before = tree(there)
    ran = syncer("init")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "config/syncer.yaml" in ran.err
    assert tree(there) == before


@pytest.mark.parametrize(
    "pages",
    [
        {},
        {"a.md": b"no front matter"},
        {"a.md": b"---\ntitle: bread\n---\n"},
        {"node_modules/x/a.md": crlf(A, 1, 2), ".trash/b.md": crlf(B, 1, 2), "notes/.obsidian/c.md": crlf(C, 1, 2)},
    ],
    ids=["an empty directory", "no front matter", "no video", "in directories that are skipped"],
)
def test_a_site_without_videos_is_exit_1_says_why_and_gets_nothing(
    there: Path, syncer: Run, pages: Mapping[str, bytes]
) -> None:
    lay(there, pages)
    before = tree(there)
    ran = syncer("init")
    assert ran.code == 1
    assert "No video found" in ran.out + ran.err
    assert "docs/reference/config.md" in ran.out
    assert tree(there) == before


def test_a_directory_that_is_none_is_exit_2(there: Path, syncer: Run) -> None:
    ran = syncer("init", "nowhere")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "syncer: nowhere: is no directory; name the site's root\n"


def test_it_needs_neither_key_nor_network_nor_another_config(
    there: Path, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("YOUTUBE_API_KEY")
    monkeypatch.setenv("SYNCER_CONFIG", "none.yaml")
    lay(there, SHAPES["jekyll"][0])
    assert syncer("init").code == 0
