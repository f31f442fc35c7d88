"""Decides which of several configs cannot be used beside the others."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncer.config.sections import Config, StatusPage


@dataclass(frozen=True, slots=True)
class ConfigIdentity:
    """What a config must not have in common with another one."""

    path: str
    """Of the config file."""
    name: str
    site: str
    """The site's real path."""
    state: str
    """The real path of the state's directory."""
    page: Mapping[str, object]
    """The keys of `status_page` that the config sets; `listen` is None where it turns the page off."""


def identity_of(path: str, config: Config) -> ConfigIdentity:
    """Return what the config at this path must not have in common with another one, by what is on disk now."""
    page = page_keys(config.status_page)
    if "status_page" not in config.model_fields_set:
        page = {}
    elif config.status_page:
        page = {key: value for key, value in page.items() if key in config.status_page.model_fields_set}
    return ConfigIdentity(
        path, config.site_name, os.path.realpath(config.site), os.path.realpath(config.state_directory), page
    )


def page_keys(page: StatusPage | None) -> Mapping[str, object]:
    """Return all keys of `status_page`, as `find_conflicts` compares them."""
    if page is None:
        return {"listen": None, "token_env": None, "hosts": ()}
    return {"listen": page.listen, "token_env": page.token_env, "hosts": page.hosts}


def other_keys(candidate: ConfigIdentity, page: Mapping[str, object]) -> Sequence[str]:
    """Return the keys of `status_page` that the config sets to something else than this page has."""
    return [key for key, value in candidate.page.items() if value != page[key]]


def find_conflicts(
    candidates: Iterable[ConfigIdentity], default: Mapping[str, object], served: Mapping[str, object] | None = None
) -> Mapping[str, str]:
    """Return why configs cannot be used, by path; of two that exclude each other, the first one can.

    The first that sets `status_page` says where the page is, with `default` for the keys that it does not set. One that
    says where the page is `served` now can be used, too. This touches no disk.
    """
    conflicts: dict[str, str] = {}
    used: list[ConfigIdentity] = []
    for candidate in candidates:
        conflict = _conflict(candidate, used) or _page_conflict(candidate, used, default, served)
        if conflict:
            conflicts[candidate.path] = conflict
        else:
            used.append(candidate)
    return conflicts


def _conflict(candidate: ConfigIdentity, used: Iterable[ConfigIdentity]) -> str | None:
    for other in used:
        if candidate.name == other.name:
            return f"`name`: {candidate.name} is already the name of {other.path}; set another one"
        if candidate.site == other.site:
            return f"{other.path} has the same site, {candidate.site}; remove one of the two configs"
        if candidate.state == other.state:
            return f"`state.directory`: {other.path} uses the same one, {candidate.state}; set another one"
    return None


def _page_conflict(
    candidate: ConfigIdentity,
    used: Iterable[ConfigIdentity],
    default: Mapping[str, object],
    served: Mapping[str, object] | None,
) -> str | None:
    first = next((other for other in used if other.page), candidate)
    keys = other_keys(candidate, {**default, **first.page})
    if not keys or (served and not other_keys(candidate, served)):
        return None
    return (
        f"`status_page.{keys[0]}` differs from the one in {first.path}, which says where the one status page of all"
        " sites is; remove `status_page` here"
    )
