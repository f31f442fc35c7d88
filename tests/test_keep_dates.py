"""The how-to on dates: what a sync changes in a generator's sitemap and feed, and that its settings prevent it."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from syncer.simulator.server import Simulator
from tests.doc_blocks import DOCS, blocks
from tests.places import need
from tests.repository import Repository, in_git
from tests.site import NOON, Site, counts

PAGE = DOCS / "how-to" / "keep-dates-honest.md"
DATA_FILE = DOCS / "how-to" / "use-a-data-file.md"
COLLECTION = """\
  - directory: {}
    fields: {{video_id: vid_id, counts: {{viewCount: viewcount}}}}
"""
OLD = "2024-06-01T12:00:00Z"
"""When the pages were last edited."""
OWN = "2024-03-15"
"""The date that an author gave a page."""
POST, OTHER = "tN4vRz0svpk", "_p7LdYf3kEA"

Build = Callable[[], list[str]]
"""Builds the site; returns all dates of its sitemap and feed that are not those of the build."""


def text(containing: str, language: str, page: Path = PAGE) -> bytes:
    """The one block of a how-to in which these words are."""
    (found,) = [block.text for block in blocks(page, language) if containing in block.text]
    return found.encode()


def post(video: str, more: str = "") -> bytes:
    return f"---\ntitle: A post\n{more}vid_id: {video}\nviewcount: 7\n---\nText.\n".encode()


def committed(site: Site, directory: str, monkeypatch: pytest.MonkeyPatch, **sections: str) -> Repository:
    """Commits the site as of long ago, with a config that lets syncs commit."""
    site.configure(collections=COLLECTION.format(directory), git="commit: true", **sections)
    site.put(".gitignore", b".syncer/\nout/\n")
    with monkeypatch.context() as then:
        then.setenv("GIT_AUTHOR_DATE", OLD)
        then.setenv("GIT_COMMITTER_DATE", OLD)
        return in_git(site)


def before_and_after(site: Site, build: Build) -> tuple[list[str], list[str]]:
    """The dates before a sync that is committed, and after it."""
    before = build()
    report = site.sync(NOON)
    assert (report.exit, bool(report.commit)) == (0, True)
    return before, build()


def output(site: Site, *command: str) -> None:
    done = subprocess.run(command, cwd=site.root, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def dates(file: Path, element: str) -> list[str]:
    return re.findall(f"<{element}>(.*?)</{element}>", file.read_text(encoding="utf-8"))


def test_the_date_of_the_last_commit_that_is_not_a_sync(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.put("content/a-page.md", post(POST))
    repository = committed(site, "content", monkeypatch)
    program, *words = shlex.split(text("git log -1", "sh").decode())
    assert program == "git"

    assert site.sync(NOON).commit
    assert repository.git(*words).startswith("2024-06-01T12:00:00")
    assert not repository.git("log", "-1", "--format=%cI", "--", words[-1]).startswith("2024")

    file = site.root / "content/a-page.md"
    file.write_bytes(file.read_bytes() + b"More.\n")
    repository.commit_all()
    assert not repository.git(*words).startswith("2024")


@pytest.fixture
def jekyll(site: Site) -> Build:
    need("jekyll")
    plugins = ["jekyll-feed", "jekyll-sitemap", "jekyll-last-modified-at"]
    load = "; ".join(["require 'jekyll'", *(f"require '{plugin}'" for plugin in plugins)])
    if subprocess.run(["ruby", "-e", load], capture_output=True, check=False, timeout=60).returncode:
        pytest.skip(f"needs {', '.join(plugins)}")
    listed = f"url: https://example.org\nexclude: [.syncer, config, out]\nplugins: [{', '.join(plugins)}]\n"
    site.put("_config.yml", listed.encode())

    def build() -> list[str]:
        output(site, "jekyll", "build", "--quiet", "--destination", "out")
        of_entries = dates(site.root / "out/feed.xml", "updated")[1:]  # the first is that of the build
        return of_entries + dates(site.root / "out/sitemap.xml", "lastmod")

    return build


@pytest.mark.storm
def test_jekyll_last_modified_at_sees_a_sync_unless_it_ignores_our_commits(
    site: Site, jekyll: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put("_posts/2024-03-01-a-post.md", post(POST))
    site.put("_posts/2024-03-02-own.md", post(OTHER, f"last_modified_at: {OWN}\n"))
    site.put("about.md", post(OTHER, f"last_modified_at: {OWN}\n"))
    committed(site, ".", monkeypatch)
    before, after = before_and_after(site, jekyll)
    assert [date[:10] for date in before] == [OWN, OLD[:10], OLD[:10], OWN, OLD[:10]]
    changed = [old != new for old, new in zip(before, after, strict=True)]
    assert changed == [False, True, True, False, True]  # own dates help in posts, not in other pages

    site.put("_plugins/last_modified_without_counts.rb", text("WithoutCounts", "ruby"))
    assert jekyll() == before


@pytest.fixture
def hugo(site: Site) -> Build:
    need("hugo")
    site.put("layouts/_default/single.html", b"{{ .Content }}")
    site.put("layouts/_default/list.html", b"{{ range .Pages }}{{ .Title }}{{ end }}")

    def build() -> list[str]:
        output(site, "hugo", "--quiet", "--baseURL", "https://example.org/", "--destination", "out")
        return dates(site.root / "out/sitemap.xml", "lastmod")

    return build


@pytest.mark.parametrize("own", [False, True])
def test_hugo_with_git_info_sees_a_sync_unless_a_date_of_the_page_comes_first(
    own: bool, site: Site, hugo: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put("hugo.toml", text("[frontmatter]", "toml") if own else b"enableGitInfo = true\n")
    site.put("content/posts/a.md", post(POST, f"lastmod: {OWN}\n"))
    committed(site, "content", monkeypatch)
    before, after = before_and_after(site, hugo)
    assert {date[:10] for date in before} == ({OWN} if own else {OLD[:10]})
    assert (before == after) == own


def test_hugo_shows_the_counts_of_a_data_file_and_sees_no_sync_to_it(
    site: Site, hugo: Build, monkeypatch: pytest.MonkeyPatch, youtube: Simulator
) -> None:
    site.put("hugo.toml", b"enableGitInfo = true\n")
    site.put("layouts/_default/single.html", text("site.Data.youtube", "go-html-template", DATA_FILE))
    site.put("content/posts/a.md", post(POST))
    site.put("content/posts/b.md", b"---\ntitle: No video\n---\n")
    committed(site, "content", monkeypatch, write="to: data_file, file: data/youtube.yml")
    before, after = before_and_after(site, hugo)
    assert before == after
    assert len(before) > 1
    shown = [(site.root / f"out/posts/{name}/index.html").read_text(encoding="utf-8").strip() for name in "ab"]
    assert shown == [str(counts(youtube, POST)[0]), ""]
