"""What a site's generator would do with syncer's own files, and the advice about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncer.suggest.generator import is_pelican, jekyll_advice

LINE = "Add this line to _config.yml: exclude: [.syncer, config]"
DEFAULTS = "(Jekyll 3 also needs its defaults there: Gemfile, Gemfile.lock, node_modules, vendor/bundle)"
PUBLISHES = "Jekyll publishes `config/`"


@pytest.mark.parametrize("text", ["title: A\n", "", ": : [", "source: .\n", "- a\n", "exclude: nothing\n"])
def test_jekyll_publishes_the_config_where_it_excludes_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "_config.yml").write_text(text, encoding="utf-8")
    assert jekyll_advice(str(tmp_path)) == f"{PUBLISHES}. {LINE} {DEFAULTS}"
    (tmp_path / "Gemfile.lock").write_text("GEM\n  specs:\n    jekyll (4.3.4)\n", encoding="utf-8")
    assert jekyll_advice(str(tmp_path)) == f"{PUBLISHES}. {LINE}"


@pytest.mark.parametrize(
    ("excluded", "missing"),
    [
        ("[README.md]", f"{PUBLISHES}. Add to the `exclude` list in _config.yml: .syncer, config"),
        ("\n  - .syncer", f"{PUBLISHES}. Add to the `exclude` list in _config.yml: config"),
        ("[/config/]", "Jekyll watches `.syncer/`. Add to the `exclude` list in _config.yml: .syncer"),
        ("[.syncer/, config/]", None),
        ("[.sync*, conf*]", None),
        ("[.syncer, conf]", None),
    ],
)
def test_a_list_that_is_there_gets_what_it_lacks(tmp_path: Path, excluded: str, missing: str | None) -> None:
    (tmp_path / "_config.yml").write_text(f"exclude: {excluded}\n", encoding="utf-8")
    assert jekyll_advice(str(tmp_path)) == missing


def test_the_directories_may_have_other_names(tmp_path: Path) -> None:
    (tmp_path / "_config.yaml").write_text("exclude: [config]\n", encoding="utf-8")
    advice = jekyll_advice(str(tmp_path), "settings", "var/state")
    assert advice == "Jekyll publishes `settings/`. Add to the `exclude` list in _config.yaml: var/state, settings"


@pytest.mark.parametrize("other", ["_toc.yml", "source/_posts/a.md", "scaffolds/post.md"])
def test_another_generator_with_such_a_config_gets_no_advice(tmp_path: Path, other: str) -> None:
    assert jekyll_advice(str(tmp_path)) is None
    (tmp_path / "_config.yml").touch()
    (tmp_path / other).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / other).touch()
    assert jekyll_advice(str(tmp_path)) is None


def test_a_site_that_jekyll_builds_from_a_directory_of_its_own_gets_no_advice(tmp_path: Path) -> None:
    (tmp_path / "_config.yml").write_text("source: ./src/\n", encoding="utf-8")
    assert jekyll_advice(str(tmp_path)) is None


def test_pelican_is_known_by_its_settings(tmp_path: Path) -> None:
    assert not is_pelican(str(tmp_path))
    (tmp_path / "pelicanconf.py").touch()
    assert is_pelican(str(tmp_path))
