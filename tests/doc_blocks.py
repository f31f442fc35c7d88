"""The code blocks of the docs, and a machine to try them on: a console block is run, and its output is compared.

A `console` block holds commands after `$ ` and what they print; `...` is any number of lines. A block of the kind
`console second-terminal` is typed in a terminal of its own, and runs until the page ends. A block whose language is
followed by a path (```` ```markdown content/a.md ````) is a file that the reader creates. With `edit` before the path,
its lines replace those of the file that have the same key.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from syncer.config.sections import Config
from tests.forks import program
from tests.ports import free_port

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
HOME = "/home/ann"
"""The home directory in the docs; the tests use another one."""
PORTS = ("8686", "8787")
"""The ports of the local YouTube and of the status page in the docs; the tests use free ones."""

_FENCE = re.compile(r"^(?P<fence>```+)(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)
_VARYING = (
    (re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}"), "<sync>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(Z| UTC)"), "<time>"),
    (re.compile(r"\b\d+\.\d s\b"), "<duration>"),
    (re.compile(r"\b\d+ videos? due with \d+ units?"), "<due>"),  # each has its own moment of the week
    (re.compile(r"\b(?:[0-9a-f]{40}|[0-9a-f]{12})\b"), "<commit>"),
)
_IN_THE_BACKGROUND = """\
rm -f "$HOME/printed"
{command} > "$HOME/printed" 2>&1 &
for _ in $(seq 300); do [ -s "$HOME/printed" ] && break; sleep 0.1; done
cat "$HOME/printed"
"""
"""Waits for the output, so that it comes before that of the next command."""
_FIRST_SYNC = "$(syncer log --json | grep -o '[0-9]*T[0-9]*Z-[0-9a-f]*' | head -1)"
_AT_THE_END = "trap 'kill $(jobs -p) 2> /dev/null' EXIT"
_MARK = "\u241e"
"""Printed before the output of each command, to separate the outputs."""

_WRAPPER = """\
# syncer, with the YouTube of the tests as the default endpoint, and a free port as the default one.
import sys
from syncer.cli.main import main
from syncer.config import parse
from syncer.config.sections import Config

def parse_config(text, file, parse=parse.parse_config):
    config = parse(text, file)
    changes = {{}}
    if config.youtube.endpoint == {default!r}:
        changes["youtube"] = config.youtube.model_copy(update={{"endpoint": {url!r}}})
    if config.status_page and config.status_page.listen == "127.0.0.1:8787":
        changes["status_page"] = config.status_page.model_copy(update={{"listen": "127.0.0.1:0"}})
    return config.model_copy(update=changes)

parse.parse_config = parse_config
sys.exit(main())
"""


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: Path
    line: int
    language: str
    detail: str
    """What follows the language."""
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that the reader creates or edits with it."""
        return self.detail.removeprefix("edit ") if "/" in self.detail else None

    @property
    def is_edit(self) -> bool:
        return self.detail.startswith("edit ")


@dataclass(frozen=True)
class Command:
    """A command of a console block, with the output that the docs show."""

    where: str
    text: str
    output: str


def blocks(page: Path, *languages: str) -> list[Block]:
    """The blocks of a page, or those of these languages."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        language, _, detail = match["info"].strip().partition(" ")
        if not languages or language in languages:
            found.append(Block(page, text.count("\n", 0, match.start()) + 1, language, detail, match["text"]))
    return found


def commands(block: Block) -> Iterator[Command]:
    """The commands of a console block."""
    assert block.text.startswith("$ "), f"{block.where}: a console block begins with a command"
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield Command(block.where, command, output)


def run_page(page: Path, home: Path, url: str) -> list[tuple[Command, str]]:
    """Do in `home` what a reader of the page does; return each command with its real output.

    `url` is the address of the YouTube for it.
    """
    done: list[Command] = []
    script = [_AT_THE_END, f"cd {home}/site" if (home / "site").exists() else f"cd {home}"]
    for block in blocks(page):
        if block.file:
            script.append(_edited(block) if block.is_edit else _created(block))
        elif block.language == "console":
            for command in commands(block):
                text = f"{command.text} &" if block.detail == "second-terminal" else command.text
                script.append(f"ended=$?; printf '%s' '{_MARK}'; (exit $ended)\n{_typed(text)}")
                done.append(command)
    with _installed(home, url):
        printed = _with_free_ports("\n".join(script), home).replace(str(home), HOME)
    return list(zip(done, printed.split(_MARK)[1:], strict=True))


def _with_free_ports(script: str, home: Path) -> str:
    """Run a script with free ports in place of those of the docs; return its output with the ports of the docs."""
    taken = {port: str(free_port()) for port in PORTS}
    config = home / "site" / "config" / "syncer.yaml"
    if config.exists():
        text = config.read_text(encoding="utf-8").replace("# status_page: {", "status_page: {")
        config.write_text(_replaced(text, taken), encoding="utf-8")
    printed = _bash(_replaced(script, taken), home)
    return _replaced(printed, {free: port for port, free in taken.items()})


def _replaced(text: str, others: Mapping[str, str]) -> str:
    for old, new in others.items():
        text = text.replace(old, new)
    return text


def _created(block: Block) -> str:
    file = shlex.quote(block.file or "")
    return f'mkdir -p "$(dirname {file})"\ncat > {file} <<"{_MARK}"\n{block.text}{_MARK}'


def _edited(block: Block) -> str:
    """Shell commands that replace each line of the block's file that has the key of one of its lines."""
    keys = ((line.partition(":")[0], line) for line in block.text.splitlines() if not line.endswith(":"))
    edits = shlex.quote("; ".join(f"s|^{key}:.*|{line}|" for key, line in keys))
    file = shlex.quote(block.file or "")
    return f"sed {edits} {file} > edited && cat edited > {file} && rm edited"


def _typed(command: str) -> str:
    """Return what the shell runs for a command of the docs. A sync's ID in it is that of the page's first sync."""
    command = _VARYING[0][0].sub(_FIRST_SYNC, command)
    if command.endswith(" &"):
        return _IN_THE_BACKGROUND.format(command=command.removesuffix(" &"))
    return f"{command}\nwait $! 2> /dev/null" if command == "kill $!" else command


def is_as_shown(shown: str, printed: str) -> bool:
    """Whether the docs show what was printed, apart from times, names of syncs, and `...`."""
    parts = re.split(r"^\.\.\.\n", plain(shown), flags=re.MULTILINE)
    return re.fullmatch(r"(?:.*\n)*".join(map(re.escape, parts)), plain(printed)) is not None


def plain(output: str) -> str:
    """Return the output without what differs each time."""
    for pattern, name in _VARYING:
        output = pattern.sub(name, output)
    return "".join(f"{line.rstrip()}\n" for line in output.rstrip().splitlines())


@contextmanager
def _installed(home: Path, url: str) -> Iterator[None]:
    (home / "bin").mkdir()
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Ann\n\temail = ann@localhost\n[core]\n\tautocrlf = false\n[init]\n\tdefaultBranch = main\n"
    )
    default = Config.model_fields["youtube"].get_default(call_default_factory=True).endpoint
    with program(home / "bin" / "syncer", _WRAPPER.format(default=default, url=url)):
        yield


def _bash(script: str, home: Path) -> str:
    environment = {
        "PATH": f"{home}/bin:{os.environ['PATH']}",
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "PYTHONPATH": str(ROOT),
        "YOUTUBE_API_KEY": "key-of-the-docs",
        "LC_ALL": "C.UTF-8",
        "XDG_RUNTIME_DIR": os.environ["XDG_RUNTIME_DIR"],
    }
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=home,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )
    return done.stdout.decode()


def git(directory: Path, *arguments: str) -> str:
    """Run git in a directory, with the identity of the docs."""
    options: Sequence[str] = ("-c", "user.name=Ann", "-c", "user.email=ann@localhost", "-c", "core.autocrlf=false")
    return subprocess.run(
        ["git", *options, *arguments], cwd=directory, capture_output=True, text=True, check=True, timeout=60
    ).stdout
