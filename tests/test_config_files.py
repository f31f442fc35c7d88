"""Which configs of a daemon came, went and changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from syncer.cli.config_files import ConfigFiles, Listing
from syncer.cli.settings import settings_of
from syncer.errors import ConfigError


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """A directory with two configs."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(f"{name}\n", encoding="utf-8")
    return tmp_path


def files_of(*paths: Path) -> ConfigFiles:
    return ConfigFiles(settings_of(tuple(map(str, paths))))


def attempted(files: ConfigFiles, path: str) -> Listing | ConfigError:
    try:
        return files.listing(path)
    except ConfigError as error:
        return error


def names(files: ConfigFiles, *, read_all: bool = False) -> list[str]:
    listings = {path: attempted(files, path) for path in files.named}
    return [Path(path).stem for path in files.look(listings, read_all=read_all)]


def test_a_change_is_told_once_and_only_when_it_is_the_same_at_two_looks(configs: Path) -> None:
    files = files_of(configs)
    assert names(files) == []
    (configs / "a.yaml").write_text("half", encoding="utf-8")
    assert names(files) == []
    (configs / "a.yaml").write_text("half and more", encoding="utf-8")
    assert names(files) == []
    assert names(files) == ["a"]
    assert names(files) == []
    assert names(files, read_all=True) == ["a", "b"]


def test_configs_that_come_and_go_in_a_directory_are_seen_and_hidden_ones_are_not(configs: Path) -> None:
    files = files_of(configs)
    (configs / "a.yaml").unlink()
    for name in ("c.yaml", ".d.yaml", "e.yml"):
        (configs / name).touch()
    assert names(files) == []
    assert list(map(os.path.basename, files.found)) == ["b.yaml", "c.yaml"]
    assert names(files) == ["c"]
    (configs / "a.yaml").touch()
    assert [*names(files), *names(files)] == ["a"]


def test_a_config_that_is_named_stays_when_its_file_vanishes_and_is_read_again(configs: Path) -> None:
    files = files_of(configs / "a.yaml", configs / "b.yaml")
    (configs / "a.yaml").unlink()
    assert [*names(files), *names(files), *names(files)] == ["a"]
    assert len(files.found) == 2
    (configs / "a.yaml").touch()
    assert [*names(files), *names(files)] == ["a"]


def test_an_empty_directory_has_no_config_and_one_that_is_gone_keeps_those_of_before(
    configs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = files_of(configs)
    aside = configs.rename(configs.with_name("aside"))
    for _ in range(3):
        assert names(files) == []
    assert len(files.found) == 2
    assert len(caplog.records) == 1
    aside.rename(configs)
    for name in ("a", "b"):
        (configs / f"{name}.yaml").unlink()
    assert names(files) == []
    assert not files.found


def test_a_config_that_is_named_twice_counts_once(configs: Path) -> None:
    files = files_of(configs / "b.yaml", configs)
    assert list(map(os.path.basename, files.found)) == ["b.yaml", "a.yaml"]
    assert [*names(files), *names(files)] == []
