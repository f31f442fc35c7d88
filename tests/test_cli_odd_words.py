"""An odd word on the command line, in the config or in the environment is answered with a sentence, never a bug."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.cli.arguments import moment
from syncer.cli.main import COMMANDS, cli
from syncer.config.parse import parse_config
from syncer.errors import ConfigError, UsageError
from syncer.simulator.clock import FIRST, LAST, Clock
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from tests.crash.warm import Order, Warm
from tests.examples import storms_but
from tests.forks import run
from tests.places import everybodys_directory, give_away
from tests.site import NOON, Run, Site, crlf, ids
from tests.terminal import environment

VIDEO = ids(1, seed=91)[0]
BLANK = ["", " ", "\t", "\n", "\u3000", " \u00a0 "]
ODD = [
    *("nan", "inf", "-inf", "1e308", "1e-400", "-1", "-0", "0x1F", "9" * 5000, "\u0669d", "9" * 9 + "d", "%s", "{}"),
    *("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "0001-01-01", "9999-12-31", "2026-W01-1", "T00"),
    *("/", "//", ".", "..", "/..", "~", "*", "[z-a]", "!", "-", "-----------", "\udcff\udcfe", "a\udc80"),
    *(
        "\x1b[31m",
        "\u202e",
        "\ufeff",
        "\u200b",
        "caf\u00e9",
        "https://",
        "https://[",
        "https://youtu.be/",
        "x" * 100_000,
    ),
    *("zero@", "stall:nan%", "stall:" + "9" * 400 + "%", "stall:0001-01-01T00:00:00+14:00/", "@@", ":", "stall:/"),
]
"""No argument holds a zero byte: the system would end it there."""


@pytest.fixture(scope="module")
def taken() -> Iterator[str]:
    """A port that is in use: a simulator that would start with it ends."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield str(listening.getsockname()[1])


@pytest.fixture
def full(site: Site) -> Site:
    site.put("content/a.md", crlf(VIDEO, 1, 2))
    site.sync()
    return site


def places() -> list[tuple[str, str]]:
    """Each command, and each option or argument of it that takes a word."""
    with click.Context(cli) as context:
        found = [(name, cli.get_command(context, name)) for name in COMMANDS]
    return [
        (name, parameter.opts[-1])
        for name, command in found
        if command
        for parameter in command.params
        if isinstance(parameter, click.Argument) or (isinstance(parameter, click.Option) and not parameter.is_flag)
    ] + [("status", "-c"), ("status", "--log-format")]


def call(command: str, parameter: str, word: str, port: str) -> list[str]:
    """The command line with this word in that place."""
    words = [command]
    if command == "simulate" and parameter != "--port":
        words += ["--port", port]
    if parameter.startswith("--"):
        return [*words, f"{parameter}={word}"]
    return [*words, parameter, word] if parameter.startswith("-") else [*words, "--", word]


@pytest.mark.parametrize(("command", "parameter"), places())
def test_an_odd_word_is_never_a_bug(full: Site, syncer: Run, taken: str, command: str, parameter: str) -> None:
    for word in ODD:
        if (command, parameter, word) == ("simulate", "--port", "-0") or (command == "init" and os.path.isdir(word)):
            continue  # any free port: it would run; a directory of the machine's: it would look at all that is there
        ran = syncer(*call(command, parameter, word, taken))
        assert ran.code in {0, 1, 2}, (word[:50], ran)
        assert "Traceback" not in ran.err, word[:50]
        assert (ran.out + ran.err).isprintable() or re.fullmatch(r"[^\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]*", ran.out)
        assert len(ran.err) < 2_000, "and no sentence repeats a hundred thousand letters"


@pytest.mark.parametrize(("command", "parameter"), places())
def test_an_empty_word_names_nothing_and_nothing_is_done(
    full: Site, youtube: Simulator, syncer: Run, taken: str, command: str, parameter: str
) -> None:
    before = _contents(full.root)
    for word in BLANK:
        for more in ([], ["content"] if command == "sync" else []):
            ran = syncer(*call(command, parameter, word, taken), *more)
            assert (ran.code, ran.out) == (2, ""), repr(word)
            assert "syncer: an argument is empty; give it a value, or remove it" in ran.err
    assert _contents(full.root) == before
    assert youtube.requests == 1, "the one of the site's first sync"


@pytest.mark.parametrize("words", [["-c", ""], ["-c", " "], ["-c "], ["--config="], ["-q", "", "status"]])
def test_an_empty_word_before_the_command_is_wrong_too(full: Site, syncer: Run, words: Sequence[str]) -> None:
    assert syncer(*words, "status").code == 2


def test_several_words_of_which_one_is_empty_are_wrong(full: Site, syncer: Run) -> None:
    for words in (["sync", "content", ""], ["review", "--keep", "content/a.md", ""], ["sync", "--video", VIDEO, ""]):
        assert syncer(*words).code == 2


def test_an_empty_variable_is_none_and_a_blank_one_is_wrong(
    full: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCER_CONFIG", "")
    assert syncer("status").code == 0
    monkeypatch.setenv("SYNCER_CONFIG", " ")
    ran = syncer("status")
    assert (ran.code, "SYNCER_CONFIG is blank" in ran.err) == (2, True)


def test_the_log_of_a_place_outside_the_site_is_wrong_usage_and_not_the_whole_log(full: Site, syncer: Run) -> None:
    for path in ("/", "//", "/etc", ".."):
        assert (syncer("log", "--path", path).code, syncer("log", "--path", path).out) == (2, "")
    assert syncer("log", "--path", "content/gone.md").code == 0, "a page that is gone may still be in the log"


@given(
    st.one_of(
        st.text(max_size=30),
        st.from_regex(
            r"[0-9]{4}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-5][0-9]([+-][0-2][0-9]:[0-5][0-9])?)?", fullmatch=True
        ),
        st.datetimes().map(datetime.isoformat),
        st.datetimes(timezones=st.timezones()).map(datetime.isoformat),
    )
)
def test_a_time_is_one_in_utc_or_wrong_usage(text: str) -> None:
    with suppress(UsageError):
        assert moment(text, NOON).utcoffset() == timedelta(0)


@pytest.mark.parametrize("at", [FIRST, LAST - timedelta(days=2)])
@pytest.mark.parametrize("speed", [0, 1e308])
def test_the_simulators_clock_ends_before_dates_do(at: datetime, speed: float) -> None:
    clock = Clock(at, speed)
    assert at <= clock.now() <= LAST
    assert at <= clock.now() <= LAST
    with Simulator(World(start=at), clock) as youtube:
        site = f"{youtube.url}youtube/v3/videos?part=statistics&id={VIDEO}&key=k"
        code = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).status)"
        done = subprocess.run([sys.executable, "-c", code, site], capture_output=True, text=True, check=False)
    assert done.stdout == "200\n", done.stderr


@pytest.mark.parametrize("speed", [float("nan"), float("inf"), -1])
def test_a_speed_is_a_number(speed: float) -> None:
    with pytest.raises(ValueError, match="must be a number of seconds, 0 or more"):
        Clock(NOON, speed)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["status"], 2),
        (["sync"], 2),
        (["check"], 2),
        (["init"], 2),
        (["init", "."], 2),
        (["-c", "x.yaml", "log"], 2),
        (["-c", "{config}", "sync", "content"], 2),
        (["-c", "{config}", "sync", "--all"], 0),
        (["-c", "{config}", "log", "--path", "content/a.md"], 0),
        (["-c", "{config}", "check"], 0),
        (["simulate", "--videos", "videos.toml"], 2),
        (["demo"], 0),
    ],
)
def test_a_working_directory_that_is_gone_is_a_sentence_where_it_matters(
    warm: Warm, full: Site, tmp_path: Path, arguments: Sequence[str], code: int
) -> None:
    (tmp_path / "gone").mkdir()
    words = tuple(word.format(config=full.config) for word in arguments)
    out, err = str(tmp_path / "out"), str(tmp_path / "err")
    removed = "import os; os.rmdir(os.getcwd())"
    ended = warm.start(Order(words, str(tmp_path / "gone"), out, err, first=removed)).ended()
    assert ended.code == code, ended.err
    assert "Traceback" not in ended.err
    if code == 2 and "simulate" not in words:
        assert "the working directory was removed; change to another, or write an absolute path" in ended.err


def test_what_a_command_needs_is_loaded_where_the_working_directory_is_gone(full: Site, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    gone = "import os, sys; os.rmdir(os.getcwd()); from syncer.__main__ import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", gone, "-c", str(full.config), "sync", "--all"],
        cwd=tmp_path / "gone", env=environment(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_an_argument_that_is_no_text_is_printed_safely(full: Site) -> None:
    words: list[bytes | str] = [sys.executable, "-m", "syncer", "sync", b"\xff\xfe.md"]
    done = subprocess.run(words, cwd=full.root, env=environment(), capture_output=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith(b"syncer: \\udcff\\udcfe.md: no such file")


ENVIRONMENTS = {
    "nothing": {},
    "no HOME, no PATH": {"LANG": "C.UTF-8"},
    "a timezone that does not exist": {"TZ": "Nowhere/Nope", "PATH": os.defpath},
    "directories that do not exist": dict.fromkeys(
        ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "TMPDIR"), "/nowhere"
    ),
    "blanks": dict.fromkeys(("HOME", "XDG_RUNTIME_DIR", "TZ", "PATH", "LANG", "TERM", "COLUMNS", "NOTIFY_SOCKET"), " "),
    "words": dict.fromkeys(("COLUMNS", "LINES", "TERM", "LC_ALL", "JOURNAL_STREAM", "NO_COLOR", "TZ"), "nan"),
    "numbers": dict.fromkeys(("COLUMNS", "LINES", "TERM", "LC_ALL", "FORCE_COLOR", "TZ"), "-1"),
}


@pytest.mark.parametrize("name", storms_but({"nothing", "blanks"}, ENVIRONMENTS))
def test_an_odd_environment_changes_nothing(full: Site, name: str) -> None:
    variables = {"YOUTUBE_API_KEY": "k" * 30, "PYTHONPATH": str(Path(__file__).parent.parent), **ENVIRONMENTS[name]}
    (full.root / "content/a.md").write_bytes(crlf(VIDEO, 1, 2))
    for arguments in (["sync", "--all"], ["status"]):
        done = subprocess.run(
            [sys.executable, "-m", "syncer", *arguments],
            cwd=full.root, env=variables, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
    assert len(full.log_lines()) == 4


def test_a_umask_that_forbids_all_does_not_lock_us_out_of_our_own_files() -> None:
    with everybodys_directory() as directory, Simulator(World()) as youtube:
        site = Site(directory / "site", youtube.url)
        site.configure()
        site.put("content/lists/a.md", b"")
        page = site.put("content/a.md", crlf(VIDEO, 1, 2))
        for path in [site.root, *site.root.rglob("*")]:
            give_away(path)
        line = (
            "import os, sys; from syncer.__main__ import main; from tests.places import drop_powers;"
            "drop_powers(); os.umask(0o777); sys.exit(main())"
        )
        for _ in range(2):
            done = run("-c", line, "sync", "--all", cwd=site.root, env=environment())
            assert (done.returncode, done.stderr) == (0, "")
        assert page.read_bytes() != crlf(VIDEO, 1, 2)
        assert all(path.stat().st_mode & 0o400 for path in site.state.iterdir())


NO_PATTERNS = ["!", "! ", "[z-a].md", "[\\\\d-a]*.md", "a\\\\", "#notes", "[", "[[a]]", "", " "]


@pytest.mark.parametrize("key", ["include", "exclude"])
@pytest.mark.parametrize("pattern", NO_PATTERNS)
def test_a_pattern_that_is_not_valid_is_reported_with_its_line(site: Site, syncer: Run, key: str, pattern: str) -> None:
    text = site.config.read_text(encoding="utf-8")
    listed = f'  - directory: content\n    {key}:\n      - "**/*.md"\n      - "{pattern}"\n'
    site.config.write_text(
        text.replace('  - directory: content\n    exclude: ["/lists/"]\n', listed, 1), encoding="utf-8"
    )
    ran = syncer("sync")
    assert (ran.code, ran.out) == (2, "")
    assert f"syncer.yaml:5: collections[0].{key}[1]: " in ran.err
    assert ran.err.count("\n") == 1


_SIGNS = st.text(st.sampled_from("[]!\\-^*?/ a.#{}z\t\x00\n\u2028:"), max_size=8)


@given(st.lists(_SIGNS | _SIGNS.map(lambda signs: f"a[{signs}]"), min_size=1, max_size=3))
def test_a_pattern_is_refused_or_works(patterns: list[str]) -> None:
    from syncer.content.walk import candidate_of

    fields = "{video_id: v, counts: {viewCount: w}}"
    text = f"collections: [{{directory: c, include: {_as_yaml(patterns)}, fields: {fields}}}]"
    try:
        config = parse_config(text, Path("/site/config/syncer.yaml"))
    except ConfigError as refused:
        lines = str(refused).splitlines()
        assert [
            line for line in lines if not line.startswith("/site/config/syncer.yaml:1: collections[0].include")
        ] == []
    else:
        candidate_of(config.collection_models())("c/a/b.md")


def test_patterns_that_only_take_away_are_reported(site: Site, syncer: Run) -> None:
    text = site.config.read_text(encoding="utf-8")
    site.config.write_text(text.replace("exclude", "include", 1).replace("/lists/", "!/lists/", 1), encoding="utf-8")
    assert "include: only excludes files, with `!`" in syncer("sync").err


def _as_yaml(texts: Sequence[str]) -> str:
    quoted = ("".join(f"\\U{ord(letter):08x}" for letter in text) for text in texts)
    return "[" + ", ".join(f'"{text}"' for text in quoted) + "]"


def _contents(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


EACH = """
import sys
from tests.places import drop_powers
from syncer.cli.main import main
drop_powers()
calls = "status,log,history ID,export --csv -,review,undo x,purge --dry-run,check,check --offline,sync,trigger"
calls += ",init SECRET"
for call in calls.replace("ID", sys.argv[1]).replace("SECRET", sys.argv[2]).split(","):
    words = call.split()
    print(main(words), file=sys.__stderr__)
"""


@pytest.mark.parametrize("closed", storms_but({".syncer", "content"}, [".syncer", "content", "config", "secret"]))
def test_what_may_not_be_looked_at_is_a_sentence(closed: str) -> None:
    with everybodys_directory() as directory, Simulator(World()) as youtube:
        site = Site(directory / "site", youtube.url)
        site.configure()
        site.put("content/a.md", crlf(VIDEO, 1, 2))
        site.put("content/lists/a.md", b"")
        site.put("secret/place/youtube-api-key", b"k")
        site.sync()
        for path in [site.root, *site.root.rglob("*")]:
            give_away(path)
        (site.root / closed).chmod(0)
        place = str(site.root / "secret/place")
        variables = environment(CREDENTIALS_DIRECTORY=place, YOUTUBE_API_KEY="")
        done = run("-c", EACH, VIDEO, place, cwd=site.root, env=variables)
        (site.root / closed).chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    codes = [line for line in done.stderr.splitlines() if line.isdigit()]
    assert len(codes) == 12
    assert set(codes) <= {"0", "1", "2"}


@pytest.mark.parametrize("place", ["site: ", "state: {directory: ", "directory: "])
def test_a_path_of_the_config_that_is_too_long_is_a_sentence(full: Site, syncer: Run, place: str) -> None:
    text, name = full.config.read_text(encoding="utf-8"), "x" * 300
    if place == "directory: ":
        text = text.replace("directory: content\n", f"directory: {name}\n", 1)
    else:
        text += f"{place}{name}{'}' * place.count('{')}\n"
    full.config.write_text(text, encoding="utf-8")
    for command in ("sync", "status", "check", "log", "review"):
        ran = syncer(command)
        assert ran.code in {0, 1, 2}, (command, ran.err)
        assert "Traceback" not in ran.err
