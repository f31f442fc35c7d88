"""One count that two collections map, by its keys or as that of a mapping of IDs: it is one place in the file."""

from __future__ import annotations

import pytest

from syncer.model import ProblemKind
from syncer.simulator.server import Simulator
from tests.repository import in_git
from tests.site import Run, Site, counts, ids

A, B = ids(2, seed=37)

FILES = {
    "json": ("", '{"%s": {"id": "%s", "views": 1}}\n'),
    "yml": ("", '"%s": {id: "%s", views: 1}\n'),
    "toml": ("", '["%s"]\nid = "%s"\nviews = 1\n'),
    "yaml": ("videos.", 'videos:\n  "%s":\n    id: "%s"\n    views: 1\n'),
}


def configure(site: Site, suffix: str, *, commits: bool = False, insert: bool = False) -> None:
    above, _ = FILES[suffix]
    own = f"- {{directory: d, include: ['*.{suffix}'], fields: {{%s, insert_missing: {str(insert).lower()}}}}}\n"
    by_id = own % f"video_id: '{above}{{}}', counts: {{viewCount: views}}"
    by_key = own % f"video_id: {above}{A}.id, counts: {{viewCount: {above}{A}.views}}"
    site.configure(collections=by_id + by_key, git=f"commit: {str(commits).lower()}")


@pytest.mark.parametrize("suffix", FILES)
def test_two_owners_with_different_videos_are_a_problem_and_nothing_is_written(site: Site, suffix: str) -> None:
    configure(site, suffix)
    page = site.put(f"d/a.{suffix}", (FILES[suffix][1] % (A, B)).encode())
    before = page.read_bytes()
    [problem] = site.sync().problems
    assert (problem.kind, page.read_bytes()) == (ProblemKind.IDS_DISAGREE, before)


@pytest.mark.parametrize("suffix", FILES)
def test_two_owners_with_the_same_video_write_it_once(site: Site, youtube: Simulator, suffix: str) -> None:
    configure(site, suffix)
    page = site.put(f"d/a.{suffix}", (FILES[suffix][1] % (A, A)).encode())
    report = site.sync()
    assert (report.problems, report.changed_counts) == ((), 1)
    assert f"{counts(youtube, A)[0]}" in page.read_text(encoding="utf-8")


def test_two_owners_of_a_missing_count_insert_it_once(site: Site, youtube: Simulator) -> None:
    configure(site, "yaml", insert=True)
    page = site.put("d/a.yaml", f'videos:\n  "{A}":\n    id: "{A}"\n'.encode())
    report = site.sync()
    assert (report.problems, page.read_text(encoding="utf-8").count("views:")) == ((), 1)


def test_a_count_that_waits_is_committed_when_its_mapping_becomes_another_one(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    configure(site, "json")
    site.configure(collections="- {directory: d, fields: {video_id: '{}', counts: {viewCount: views}}, include: ['*']}")
    site.put("d/a.json", (FILES["json"][1] % (A, A)).encode())
    repository = in_git(site)
    assert site.sync().changed_counts == 1
    by_key = f"video_id: {A}.id, counts: {{viewCount: {A}.views}}"
    site.configure(collections=f"- {{directory: d, fields: {{{by_key}}}, include: ['*']}}", git="commit: true")
    report = site.sync()
    assert (report.problems, report.committed) == ((), (1, 0, 1))
    assert repository.show("d/a.json") == (site.root / "d/a.json").read_bytes()
