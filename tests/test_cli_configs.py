"""`-c` names configs, and directories of configs; most commands take one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from syncer.cli.settings import Settings, settings_of
from syncer.errors import ConfigError, UsageError


def settings(*paths: str) -> Settings:
    return settings_of(paths)


def files(*paths: str) -> list[str]:
    return [each.config_path for each in settings(*paths).each()]


@pytest.fixture
def sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "sites.d"
    folder.mkdir()
    for name in ("b.yaml", "a.yaml", ".hidden.yaml", "notes.txt", "c.yml"):
        (folder / name).write_text("site: .\n", encoding="utf-8")
    return folder


def test_a_directory_stands_for_its_configs_in_the_order_of_their_names(sites: Path) -> None:
    assert files("sites.d") == ["sites.d/a.yaml", "sites.d/b.yaml"]
    assert files("one.yaml", "sites.d") == ["one.yaml", "sites.d/a.yaml", "sites.d/b.yaml"]


def test_a_config_that_is_named_twice_counts_once(sites: Path) -> None:
    os.symlink("a.yaml", sites / "z.yaml")
    assert files("sites.d/b.yaml", str(sites)) == ["sites.d/b.yaml", str(sites / "a.yaml")]


def test_several_sites_are_several_configs_or_a_directory(sites: Path) -> None:
    assert settings("sites.d").several
    assert settings("a.yaml", "b.yaml").several
    assert not settings("sites.d/a.yaml").several


def test_a_directory_without_a_config_is_wrong(sites: Path) -> None:
    (sites / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"empty: no config here; add one whose name ends with \.yaml"):
        settings("sites.d/empty").each()


def test_a_command_for_one_site_takes_one_config(sites: Path) -> None:
    paths = r"sites\.d/a\.yaml, sites\.d/b\.yaml"
    with pytest.raises(UsageError, match=rf"one site, but there are 2 configs; .* with -c: {paths}"):
        settings("sites.d").config()
    (sites / "b.yaml").unlink()
    assert settings("sites.d").config_path == "sites.d/a.yaml"
