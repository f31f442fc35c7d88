"""Decides which of several configs cannot be used beside the others: values in, reasons out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class UsedConfig:
    """A valid config, and what it must not have in common with another one."""

    path: str
    """Of the config file."""
    name: str
    site: str
    """The site's real path."""
    state: str
    """The real path of the state's directory."""
    page: Mapping[str, object]
    """The keys of `status_page` that the config sets; `listen` is None where it turns the page off."""


class ConfigConflict(NamedTuple):
    """Why a config cannot be used."""

    message: str
    same_name: bool = False
    """Whether that is because of its name."""


def find_conflicts(
    candidates: Iterable[UsedConfig], page: Mapping[str, object], page_path: str
) -> Mapping[str, ConfigConflict]:
    """Return the configs that cannot be used, by path; of two that exclude each other, the first one can.

    `page` has all keys of the status page as it is served, and `page_path` is the config that says so.
    """
    conflicts: dict[str, ConfigConflict] = {}
    used: list[UsedConfig] = []
    for candidate in candidates:
        conflict = _conflict(candidate, used, page, page_path)
        if conflict:
            conflicts[candidate.path] = conflict
        else:
            used.append(candidate)
    return conflicts


def _conflict(
    candidate: UsedConfig, used: Iterable[UsedConfig], page: Mapping[str, object], page_path: str
) -> ConfigConflict | None:
    for other in used:
        if candidate.name == other.name:
            return ConfigConflict(
                f"`name`: {candidate.name} is already the name of {other.path}; set another one", same_name=True
            )
        if candidate.site == other.site:
            return ConfigConflict(f"{other.path} has the same site, {candidate.site}; remove one of the two configs")
        if candidate.state == other.state:
            message = f"`state.directory`: {other.path} uses the same one, {candidate.state}; set another one"
            return ConfigConflict(message)
    keys = [key for key, value in candidate.page.items() if value != page[key]]
    if not keys or candidate.path == page_path:
        return None
    return ConfigConflict(
        f"`status_page.{keys[0]}` differs from the one in {page_path}, which says where the one status page of all"
        " sites is; remove `status_page` here"
    )
