"""What a config has that only one of several configs can have."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from syncer.daemon.roster import UsedConfig

if TYPE_CHECKING:
    from syncer.config.sections import Config, StatusPage


def used_config(path: str, config: Config) -> UsedConfig:
    """Return what the config at this path has, as `find_conflicts` compares it."""
    page = page_keys(config.status_page)
    if "status_page" not in config.model_fields_set:
        page = {}
    elif config.status_page:
        page = {key: value for key, value in page.items() if key in config.status_page.model_fields_set}
    return UsedConfig(
        path, config.site_name, os.path.realpath(config.site), os.path.realpath(config.state_directory), page
    )


def page_keys(page: StatusPage | None) -> Mapping[str, object]:
    """Return the keys of `status_page`, as `find_conflicts` compares them."""
    if page is None:
        return {"listen": None, "token_env": None, "hosts": ()}
    return {"listen": page.listen, "token_env": page.token_env, "hosts": page.hosts}
