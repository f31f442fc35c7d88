"""What a site's generator would do with syncer's own files, and the advice about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncer.suggest.generator import is_pelican, jekyll_advice

LINE = "Add this line to _config.yml: exclude: [.syncer, config]"
DEFAULTS = "(Jekyll 3 also needs its defaults there: Gemfile, Gemfile.lock, node_modules, vendor/bundle)"
PUBLISHES = "Jekyll publishes `config/`"


def advice(site: Path, config: str = "config/syncer.yaml", state: str = ".syncer") -> str | None:
    return jekyll_advice(str(site), str(site / config), str(site / state))


@pytest.mark.parametrize("text", ["title: A\n", "", "source: .\n", "title: !ruby/object:Foo {}\n"])
def test_jekyll_publishes_the_config_where_it_excludes_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "_config.yml").write_text(text, encoding="utf-8")
    assert advice(tmp_path) == f"{PUBLISHES}. {LINE} {DEFAULTS}"
    (tmp_path / "Gemfile.lock").write_text("GEM\n  specs:\n    jekyll (4.3.4)\n", encoding="utf-8")
    assert advice(tmp_path) == f"{PUBLISHES}. {LINE}"


@pytest.mark.parametrize(
    ("excluded", "missing"),
    [
        ("[README.md]", f"{PUBLISHES}. Add to the `exclude` list in _config.yml: .syncer, config"),
        ("\n  - .syncer", f"{PUBLISHES}. Add to the `exclude` list in _config.yml: config"),
        ("[/config/]", "Jekyll watches `.syncer/`. Add to the `exclude` list in _config.yml: .syncer"),
        ("", f"{PUBLISHES}. Change `exclude` in _config.yml to: exclude: [.syncer, config]"),
        ("[]", f"{PUBLISHES}. Change `exclude` in _config.yml to: exclude: [.syncer, config]"),
        ("README.md", f"{PUBLISHES}. Change `exclude` in _config.yml to: exclude: [README.md, .syncer, config]"),
        ("[.syncer/, config/]", None),
        ("[.sync*, conf*]", None),
        ("[.syncer, conf]", None),
        ("[.syncer, config/syncer.yaml]", None),
    ],
)
def test_an_exclude_that_is_there_gets_what_it_lacks(tmp_path: Path, excluded: str, missing: str | None) -> None:
    (tmp_path / "_config.yml").write_text(f"exclude: {excluded}\n", encoding="utf-8")
    assert advice(tmp_path) == missing


@pytest.mark.parametrize(
    ("text", "line"), [("title: A\n: : [", 2), ("title: a: b\n", 1), ("a: b\n...\nc: d\n", 3), ("- a\n", None)]
)
def test_a_config_of_jekyll_that_cannot_be_read_is_to_be_fixed_first(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "_config.yml").write_text(text, encoding="utf-8")
    where = f" (line {line})" if line else ""
    expected = f"Cannot read _config.yml{where}, which must exclude syncer's config. Fix it, then run `syncer check`"
    assert advice(tmp_path) == expected


@pytest.mark.parametrize(
    ("config", "shown", "to_exclude"),
    [
        ("syncer.yaml", "syncer.yaml", "syncer.yaml"),
        ("settings/syncer.yaml", "settings/syncer.yaml", "settings/syncer.yaml"),  # pages may be beside it
        ("a/config/x.yaml", "a/config/", "a/config"),
        ("_private/syncer.yaml", None, None),
        ("a/.config/syncer.yaml", None, None),
        ("config~/syncer.yaml", None, None),
        ("#c/syncer.yaml", None, None),
        ("../elsewhere/syncer.yaml", None, None),
    ],
)
def test_a_config_elsewhere_is_named_if_jekyll_publishes_it(
    tmp_path: Path, config: str, shown: str | None, to_exclude: str | None
) -> None:
    (tmp_path / "_config.yaml").write_text("exclude: [.syncer]\n", encoding="utf-8")
    expected = f"Jekyll publishes `{shown}`. Add to the `exclude` list in _config.yaml: {to_exclude}"
    assert advice(tmp_path, config) == (expected if shown else None)


@pytest.mark.parametrize(
    ("state", "does"), [("data/st", "publishes `data/st/`"), ("_st", "watches `_st/`"), ("../st", None)]
)
def test_a_state_elsewhere_is_named_if_jekyll_publishes_or_watches_it(
    tmp_path: Path, state: str, does: str | None
) -> None:
    (tmp_path / "_config.yml").write_text("exclude: [config]\n", encoding="utf-8")
    expected = f"Jekyll {does}. Add to the `exclude` list in _config.yml: {state}"
    assert advice(tmp_path, state=state) == (expected if does else None)


def test_include_brings_back_what_jekyll_skips(tmp_path: Path) -> None:
    (tmp_path / "_config.yml").write_text("include: [_private]\nexclude: [.syncer]\n", encoding="utf-8")
    expected = "Jekyll publishes `_private/a.yaml`. Add to the `exclude` list in _config.yml: _private/a.yaml"
    assert advice(tmp_path, "_private/a.yaml") == expected


@pytest.mark.parametrize("other", ["_toc.yml", "source/_posts/a.md", "scaffolds/post.md"])
def test_another_generator_with_such_a_config_gets_no_advice(tmp_path: Path, other: str) -> None:
    assert advice(tmp_path) is None
    (tmp_path / "_config.yml").touch()
    (tmp_path / other).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / other).touch()
    assert advice(tmp_path) is None


def test_a_site_that_jekyll_builds_from_a_directory_of_its_own_gets_no_advice(tmp_path: Path) -> None:
    (tmp_path / "_config.yml").write_text("source: ./src/\n", encoding="utf-8")
    assert advice(tmp_path) is None


def test_pelican_is_known_by_its_settings(tmp_path: Path) -> None:
    assert not is_pelican(str(tmp_path))
    (tmp_path / "pelicanconf.py").touch()
    assert is_pelican(str(tmp_path))
