"""The reference is whole: every command, option, key, problem and code of the program, and no other."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from syncer.cli.main import cli
from syncer.config.formats import parse_duration
from syncer.diff_log.lines import line_of
from syncer.errors import Bug, ExitCode, SyncerError
from syncer.model import Change, Count, ProblemKind, VideoId, Why
from syncer.simulator.faults import parse_fault
from syncer.simulator.world import VideoState
from tests.config_schema import schema
from tests.doc_blocks import DOCS, ROOT, blocks
from tests.site import NOON

REFERENCE = DOCS / "reference"
ROOT_CONTEXT = click.Context(cli, info_name="syncer")
NAMES = cli.list_commands(ROOT_CONTEXT)
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
NOT_COMMANDS = {"Options of every command", "Several sites", "Exit codes"}


def read(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def section(name: str) -> str:
    """Return the text below this heading of the command reference."""
    return sections(read("commands.md"))[name]


def test_every_command_is_there_and_no_other() -> None:
    assert sections(read("commands.md")).keys() - NOT_COMMANDS == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_option_and_argument_of_a_command_is_there_and_no_other(name: str) -> None:
    text, commands = section(name), leaves(name, subcommand(name))
    assert options_in(text) == set().union(*map(options_of, commands.values()))
    for words, command in commands.items():
        arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
        assert " ".join([f"`syncer {words}", *(str(argument.metavar) for argument in arguments)]) + "`" in text


def test_the_options_of_every_command_are_there_and_no_other() -> None:
    assert options_in(section("Options of every command")) == options_of(cli) | {"-h", "--help"}


def test_every_event_of_the_log_is_there_and_no_other() -> None:
    source = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "syncer").rglob("*.py"))
    table = re.findall(r"^\| (`.+)", section("sync").partition("### The log")[2], re.MULTILINE)
    documented = {name for row in table for name in re.findall(r"`([a-z]+(?:-[a-z]+)*)`", row)}
    assert documented - {"event", "exit"} == set(re.findall(r'"event": "([a-z-]+)"', source))


def test_every_exit_code_and_every_kind_of_error_is_there_and_no_other() -> None:
    errors: list[type[SyncerError]] = [SyncerError, Bug, *SyncerError.__subclasses__()]
    documented = first_cells(section("Exit codes"))
    codes = {int(cell) for cell in documented if cell.isdigit()}
    assert codes == {ExitCode.OK, ExitCode.PROBLEMS, ExitCode.NOTHING_ANSWERED, ExitCode.BUG, ExitCode.INTERRUPTED} | {
        error.exit_code for error in errors
    }
    assert {cell for cell in documented if not cell.isdigit()} == {error.kind for error in errors} - {"error"}


def test_every_key_of_the_config_is_there_with_its_default_and_no_other() -> None:
    documented = {row[0]: row[2] for row in rows(read("config.md"))}
    real = dict(keys(schema()))
    assert documented.keys() == real.keys()
    assert {key: documented[key] for key, value in real.items() if not same(documented[key], value)} == {}


def test_every_kind_of_problem_is_there_and_no_other() -> None:
    assert sorted(first_cells(read("problems.md"))) == sorted(ProblemKind)


def test_the_keys_of_the_diff_log_are_there_in_their_order() -> None:
    change = Change("a.md", VideoId("a" * 11), "views", Count.VIEWS, None, "1", NOON, Why.CHANGED)
    assert first_cells(read("diff-log.md")) == ["seq", *line_of("sync", NOON, change)]
    assert all(f"`{why}`" in read("diff-log.md") for why in Why)


def test_every_state_of_a_simulated_video_is_there_and_no_other() -> None:
    text = sections((DOCS / "how-to" / "drill.md").read_text(encoding="utf-8"))["Choose the videos"]
    assert sorted(name for cell in first_cells(text) for name in cell.split("`, `")) == sorted(VideoState)


def test_every_fault_in_the_docs_exists() -> None:
    text = sections((DOCS / "how-to" / "drill.md").read_text(encoding="utf-8"))["Make things go wrong"]
    shown = [parse_fault(name) for cell in first_cells(text) for name in cell.split("`, `")]
    assert len(shown) > 8


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_line_in_the_docs_is_one_that_syncer_takes(page: Path) -> None:
    assert [line for line in command_lines(page) if not is_taken(line)] == []


def test_it_finds_a_command_line_that_syncer_does_not_take() -> None:
    assert is_taken(["-q", "sync", "--dry-run", "a.md"])
    assert is_taken(["sync", "--accept"])
    assert not is_taken(["sync", "--commit"])
    assert not is_taken(["approve"])


def subcommand(name: str) -> click.Command:
    command = cli.get_command(ROOT_CONTEXT, name)
    assert command is not None
    return command


def leaves(name: str, command: click.Command) -> Mapping[str, click.Command]:
    """The commands that a command stands for, by their words."""
    if isinstance(command, click.Group):
        return {f"{name} {word}": each for word, each in command.commands.items()}
    return {name: command}


def options_of(command: click.Command) -> set[str]:
    return {name for option in command.params if isinstance(option, click.Option) for name in option.opts}


def options_in(text: str) -> set[str]:
    """The options that begin a row of a table."""
    return {option for cell in first_cells(text) for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", cell)}


def sections(text: str) -> dict[str, str]:
    """Return the text below each heading of the second level."""
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> list[list[str]]:
    """The rows of all tables, without their heads; code loses its backticks."""
    tables = re.findall(r"^\|.*\n\|(?: -+ \|)+\n((?:\|.*\n?)*)", text, re.MULTILINE)
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for table in tables for line in table.splitlines()]
    return [[cell.strip().strip("`") for cell in line] for line in lines]


def first_cells(text: str) -> list[str]:
    return [row[0] for row in rows(text)]


def keys(described: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield each key of the config, dotted, with its default as the config would have it."""
    definitions = schema()["$defs"]
    assert isinstance(definitions, dict)
    for name, value in described["properties"].items():
        yield prefix + name, "required" if name in described.get("required", ()) else value.get("default", "")
        choices = (value, value.get("items", {}), *value.get("anyOf", ()))
        inner = next((choice["$ref"] for choice in choices if "$ref" in choice), None)
        if inner:
            yield from keys(
                definitions[inner.rpartition("/")[2]], f"{prefix}{name}{'[].' if 'items' in value else '.'}"
            )


def same(documented: str, default: object) -> bool:
    """Whether a default in the docs is the one of the schema; durations may be written in another unit."""
    if default is None:
        return documented == "none"
    if not isinstance(default, str):
        return documented == json.dumps(default)
    return documented == default or (is_duration(documented) and parse_duration(documented) == parse_duration(default))


def is_duration(text: str) -> bool:
    return re.fullmatch("[0-9]+[smhd]", text) is not None


def command_lines(page: Path) -> Iterator[list[str]]:
    """Yield the words after `syncer`, up to what is the shell's, wherever the docs tell somebody to type them."""
    code = "\n".join(block.text for block in blocks(page, "console", "sh", "text", "ini"))
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    typed = re.findall(r"^(?:\$ )?(?:\w+=\S* )*syncer(?: (.*))?$|^ExecStart=\S+/syncer (.*)$", code, re.MULTILINE)
    for line in [*(first or second for first, second in typed), *re.findall(r"`syncer ([^`]+)`", prose)]:
        words = shlex.split(line, comments=True)
        end = next((at for at, word in enumerate(words) if word in {">", "|", "&", "&&"}), len(words))
        yield words[:end]


def is_taken(words: list[str]) -> bool:
    """Whether syncer would understand these words; whether what they name exists is another matter."""
    if not words or (len(words) == 1 and words[0] in NAMES):  # only named
        return True
    try:
        with cli.make_context("syncer", list(words)) as context:
            name, command, rest = cli.resolve_command(context, [*context._protected_args, *context.args])
            assert command is not None
            command.make_context(name, rest, parent=context)
    except click.exceptions.Exit:  # --help and --version
        return True
    except click.UsageError:
        return False
    return True
