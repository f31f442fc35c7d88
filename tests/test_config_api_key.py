"""The API key is found where the config says, and never shown."""

from pathlib import Path

import pytest

from syncer.config.api_key import find_key
from syncer.errors import KeyMissing

KEY = "a-key-of-no-project"


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_the_variable_comes_before_the_file_and_the_file_before_the_credential(tmp_path: Path) -> None:
    file = written(tmp_path / "key", b"from-file\r\n")
    written(tmp_path / "youtube-api-key", b"from-systemd\n")
    environ = {"YOUTUBE_API_KEY": " from-variable\n", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert find_key(environ, env_name="YOUTUBE_API_KEY", file=file) == "from-variable"
    assert find_key(environ, env_name="OTHER", file=file) == "from-file"
    assert find_key(environ, env_name="OTHER", file=None) == "from-systemd"
    assert find_key(environ, env_name=None, file=None) == "from-systemd"


def test_a_blank_variable_counts_as_unset(tmp_path: Path) -> None:
    file = written(tmp_path / "key", KEY.encode())
    assert find_key({"YOUTUBE_API_KEY": " \n"}, env_name="YOUTUBE_API_KEY", file=file) == KEY


@pytest.mark.parametrize("environ", [{}, {"YOUTUBE_API_KEY": ""}, {"CREDENTIALS_DIRECTORY": "/nowhere"}])
def test_without_a_key_the_error_names_where_it_can_be(environ: dict[str, str]) -> None:
    with pytest.raises(KeyMissing, match=r"set the environment variable YOUTUBE_API_KEY, or .* youtube.api_key_file"):
        find_key(environ, env_name="YOUTUBE_API_KEY", file=None)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"one-key\nother-key", "text that cannot be an API key"),
        (b"two words", "text that cannot be an API key"),
        ("schlüssel".encode(), "text that cannot be an API key"),
        ("﻿key".encode("utf-16"), "text that cannot be an API key"),
        (b"key\x00", "text that cannot be an API key"),
    ],
)
def test_a_file_without_a_valid_key_is_an_error_that_does_not_show_it(
    tmp_path: Path, content: bytes, says: str
) -> None:
    file = written(tmp_path / "key", content)
    with pytest.raises(KeyMissing, match=says) as caught:
        find_key({}, env_name=None, file=file)
    assert str(file) in str(caught.value)
    assert "one-key" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_variable_without_a_valid_key_is_an_error_that_does_not_show_it() -> None:
    with pytest.raises(KeyMissing, match="The environment variable K has text") as caught:
        find_key({"K": "sec\x01ret"}, env_name="K", file=None)
    assert "sec" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing", ".", "nul\0"])
def test_a_key_file_that_cannot_be_read_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyMissing, match="Cannot read the API key"):
        find_key({}, env_name=None, file=tmp_path / name)
