"""Items that the author adds or removes beside others of the same video: each count is committed, or reported."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncer.model import Problem, ProblemKind
from syncer.simulator.server import Simulator
from tests.repository import Repository, in_git
from tests.site import NOON, Run, Site, counts, ids

A, B, C = ids(3, seed=36)

COLLECTIONS = """\
  - directory: d
    include: ["*.csv"]
    fields: {video_id: id, counts: {viewCount: views}}
  - directory: d
    include: ["*.yml", "*.json"]
    fields: {video_id: "[].id", counts: {viewCount: views}}
  - directory: d
    include: ["*.toml"]
    fields: {video_id: "v[].id", counts: {viewCount: views}}
"""


def yaml(*items: tuple[str, str, object]) -> str:
    return "".join(f"- id: {video}\n  views: {views}\n  title: {title}\n" for title, video, views in items)


def csv(*items: tuple[str, str, object]) -> str:
    return "title,id,views\n" + "".join(f"{title},{video},{views}\n" for title, video, views in items)


def json(*items: tuple[str, str, object]) -> str:
    inside = ",".join(f'{{"title":"{title}","views":{views},"id":"{video}"}}' for title, video, views in items)
    return f"[{inside}]\n"


def toml(*items: tuple[str, str, object]) -> str:
    return "".join(f'[[v]]\nid = "{video}"\ntitle = "{title}"\nviews = {views}\n' for title, video, views in items)


FORMS = {"d/a.yml": yaml, "d/a.csv": csv, "d/a.json": json, "d/a.toml": toml}

BEFORE = [("a", A, 11), ("b", B, 12), ("c", C, 13)]
ADDED = ("again", B, 1)


def put(site: Site, *items: tuple[str, str, object]) -> None:
    for path, form in FORMS.items():
        site.put(path, form(*items).encode())


def on_site(site: Site, *items: tuple[str, str, object], commits: bool) -> Repository:
    site.configure(collections=COLLECTIONS, git=f"commit: {str(commits).lower()}")
    put(site, *items)
    return in_git(site)


def said(number: int, path: str) -> str:
    return (
        f"{number} value{'' if number == 1 else 's'} in {path} cannot be committed or dropped: the last commit has more"
        " or fewer items with the same video, and it is not clear which is which; commit the file yourself"
    )


@pytest.mark.parametrize("at", [0, 1, 3], ids=["on top", "right above it", "at the end"])
@pytest.mark.parametrize("adds", [True, False], ids=["added", "removed"])
def test_an_item_beside_which_another_of_its_video_is_added_or_removed_is_committed(
    site: Site, youtube: Simulator, syncer: Run, at: int, *, adds: bool
) -> None:
    more = [*BEFORE[:at], ADDED, *BEFORE[at:]]
    repository = on_site(site, *(BEFORE if adds else more), commits=True)
    put(site, *(more if adds else BEFORE))
    report = site.sync()
    assert (report.exit, report.problems) == (0, ())
    now = {video: counts(youtube, video)[0] for video in (A, B, C)}
    committed = [(title, video, now[video]) for title, video, _ in BEFORE]
    if not adds:
        committed.insert(at, ADDED)  # what the author removed is in the commit as it was
    for path, form in FORMS.items():
        assert repository.show(path).decode() == form(*committed), path
    assert syncer("review", "--json").document["pages"] == []


def test_a_dropped_count_is_that_of_its_own_item(site: Site, youtube: Simulator, syncer: Run) -> None:
    on_site(site, *BEFORE, commits=False)
    put(site, BEFORE[0], ADDED, *BEFORE[1:])
    assert site.sync().exit == 0
    assert syncer("review", "--drop", "d").code == 0
    left = (BEFORE[0], ("again", B, counts(youtube, B)[0]), *BEFORE[1:])
    for path, form in FORMS.items():
        assert (site.root / path).read_text(encoding="utf-8") == form(*left), path


@pytest.mark.parametrize("adds", [True, False], ids=["added", "removed"])
def test_items_that_cannot_be_identified_are_reported_and_stay_as_they_are(
    site: Site, youtube: Simulator, syncer: Run, *, adds: bool
) -> None:
    more, fewer = [("b", B, 11), ("b", B, 13)], [("b", B, 13)]
    repository = on_site(site, *(fewer if adds else more), commits=True)
    put(site, *(more if adds else fewer))
    for minute in range(2):  # as long as it is so
        report = site.sync(NOON + timedelta(minutes=minute))
        expected = [Problem(ProblemKind.NOT_COMMITTED, "git", said(1, path)) for path in sorted(FORMS)]
        assert (report.exit, report.commit, [*report.problems]) == (1, None, expected)
    for path, form in FORMS.items():
        assert repository.show(path).decode() == form(*(fewer if adds else more))
    shown = syncer("review")
    assert (shown.code, shown.out.count("not clear which is which"), "Nothing to review" in shown.out) == (1, 4, False)
    before = [(site.root / path).read_bytes() for path in FORMS]
    for option in ("--keep", "--drop"):
        ran = syncer("review", option, "d")
        assert (ran.code, said(1, "d/a.csv") in " ".join(ran.out.split())) == (1, True)
    assert before == [(site.root / path).read_bytes() for path in FORMS]
    repository.commit_all()
    assert site.sync(NOON + timedelta(hours=1)).problems == ()
    assert syncer("review").out.startswith("Nothing to review")


def test_an_item_that_lacks_nothing_is_not_reported(site: Site, youtube: Simulator, syncer: Run) -> None:
    now = counts(youtube, B)[0]
    on_site(site, ("b", B, now), ("b", B, now), commits=True)
    put(site, ("b", B, now))
    assert site.sync().problems == ()
    put(site, *[("b", B, now - 1)] * 3)  # the author's own
    assert syncer("review", "--json").document["problems"] == []


def test_staged_items_are_identified_too(site: Site, youtube: Simulator) -> None:
    repository = on_site(site, *BEFORE, commits=True)
    put(site, BEFORE[0], ADDED, *BEFORE[1:])
    repository.git("add", "d")
    assert site.sync().exit == 0
    for path in FORMS:
        assert f"{counts(youtube, B)[0]}" in repository.show(path).decode()
        staged = repository.git("show", f":{path}")
        assert ("12" in staged.replace(f"{counts(youtube, B)[0]}", ""), "again" in staged) == (False, True), path
