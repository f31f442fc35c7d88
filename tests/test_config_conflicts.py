"""Which of several configs cannot be used beside the others."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.config.conflicts import ConfigIdentity, find_conflicts
from tests.examples import examples

PAGE: Mapping[str, object] = {"listen": "127.0.0.1:8787", "token_env": None, "hosts": ()}


def config(
    path: str, name: str = "", site: str = "", state: str = "", page: Mapping[str, object] | None = None
) -> ConfigIdentity:
    return ConfigIdentity(path, name or path, site or f"/{path}", state or f"/{path}/.syncer", page or {})


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (config("b", name="a"), "`name`: a is already the name of a"),
        (config("b", site="/a"), "a has the same site, /a"),
        (config("b", state="/a/.syncer"), "`state.directory`: a uses the same one"),
        (config("b", page={"listen": "127.0.0.1:1"}), "`status_page.listen` differs from the one in a"),
        (config("b", page={"listen": None}), "`status_page.listen` differs from the one in a"),
        (config("b", page={"hosts": ("x",)}), "`status_page.hosts` differs from the one in a"),
        (config("b", page={"listen": "127.0.0.1:8787"}), None),
        (config("b"), None),
    ],
)
def test_the_second_of_two_that_exclude_each_other_is_left_out(second: ConfigIdentity, said: str | None) -> None:
    conflicts = find_conflicts([config("a", page=PAGE), second, config("c")], PAGE)
    assert conflicts.keys() == ({"b"} if said else set())
    if said:
        assert conflicts["b"].startswith(said)


def test_the_config_that_says_where_the_page_is_may_change_that_which_takes_a_restart() -> None:
    other = {"listen": "127.0.0.1:1"}
    assert not find_conflicts([config("a", page=other), config("b", page=PAGE)], PAGE, PAGE)


def test_a_config_may_set_another_page_than_is_served_if_no_other_one_sets_any() -> None:
    moved, served = {"listen": "127.0.0.1:1"}, {**PAGE, "listen": "127.0.0.1:2"}
    assert not find_conflicts([config("a"), config("b", page=moved)], PAGE, served)
    assert not find_conflicts([config("a"), config("b", page=moved), config("c", page=served)], PAGE, served)
    assert find_conflicts([config("a", page=served), config("b", page=moved)], PAGE, served).keys() == {"b"}


def test_the_first_config_that_sets_the_page_says_where_it_is_wherever_its_file_name_sorts() -> None:
    other = {"listen": "127.0.0.1:1"}
    assert not find_conflicts([config("a"), config("b", page=other), config("c", page=other)], PAGE)
    conflicts = find_conflicts([config("a"), config("b", page=other), config("c", page={"hosts": ("x",)})], PAGE)
    assert {path: each.partition(",")[0] for path, each in conflicts.items()} == {
        "c": "`status_page.hosts` differs from the one in b"
    }


NAMES = st.sampled_from("abc")
CONFIGS = st.lists(st.builds(config, st.uuids().map(str), NAMES, NAMES, NAMES), max_size=8)


@given(CONFIGS)
@examples(200)
def test_what_is_used_has_nothing_in_common_and_what_is_not_has_something_in_common_with_an_earlier_one(
    configs: list[ConfigIdentity],
) -> None:
    conflicts = find_conflicts(configs, PAGE)
    used = [each for each in configs if each.path not in conflicts]
    for key in ("name", "site", "state"):
        assert len({getattr(each, key) for each in used}) == len(used)
    for number, each in enumerate(configs):
        if each.path in conflicts:
            before = [other for other in configs[:number] if other in used]
            assert any(
                getattr(each, key) == getattr(other, key) for other in before for key in ("name", "site", "state")
            )
