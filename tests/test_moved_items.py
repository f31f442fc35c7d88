"""Items of a list that are added, removed or sorted between two steps: each count stays with its video."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncer.simulator.server import Simulator
from tests.repository import in_git
from tests.site import NOON, Run, Site, counts, ids
from tests.talks import FORMS, Talks

HOUR = timedelta(hours=1)
A, B, C, NEW = ids(4, seed=17)


@pytest.fixture(params=sorted(FORMS))
def talks(site: Site, request: pytest.FixtureRequest) -> Talks:
    return Talks(site, request.param)


def test_an_undo_restores_each_count_after_an_item_was_added_on_top(talks: Talks, youtube: Simulator) -> None:
    views, new = counts(youtube, A)[0], counts(youtube, NEW)[0]
    talks.put((A, 1), (B, 2))
    name = talks.site.sync().sync
    talks.put((NEW, 5), (A, views), (B, counts(youtube, B)[0]))
    assert talks.site.undo(name, NOON + HOUR).exit == 0
    assert talks.says((NEW, 5), (A, 1), (B, 2))
    talks.put((C, 6), (B, 2), (NEW, 5), (A, 1))
    talks.site.sync(NOON + 2 * HOUR)
    assert talks.says((C, counts(youtube, C)[0]), (B, 2), (NEW, new), (A, 1)), "what was undone stays"


def test_a_drop_restores_each_count_after_an_item_was_added_on_top(
    talks: Talks, youtube: Simulator, syncer: Run
) -> None:
    talks.put((A, 1), (B, 2))
    in_git(talks.site)
    talks.site.sync()
    talks.put((NEW, 5), (A, counts(youtube, A)[0]), (B, counts(youtube, B)[0]))
    assert syncer("review", "--drop", talks.path).code == 0
    assert talks.says((NEW, 5), (A, 1), (B, 2))
    talks.put((NEW, 5), (B, 2), (A, 1))
    talks.site.sync(NOON + 2 * HOUR)
    assert talks.says((NEW, counts(youtube, NEW)[0]), (B, 2), (A, 1))


def test_a_video_twice_gets_its_own_old_counts_back(talks: Talks, youtube: Simulator) -> None:
    views = counts(youtube, A)[0]
    talks.put((A, 1), (B, 2), (A, 3))
    name = talks.site.sync().sync
    talks.put((NEW, 5), (A, views), (A, views), (B, 7))
    assert talks.site.undo(name, NOON + HOUR).left == 1
    assert talks.says((NEW, 5), (A, 1), (A, 3), (B, 7))
    talks.site.sync(NOON + 2 * HOUR)
    assert talks.says((NEW, counts(youtube, NEW)[0]), (A, 1), (A, 3), (B, counts(youtube, B)[0]))
