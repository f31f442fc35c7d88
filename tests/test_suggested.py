"""Every command that the output suggests can be pasted into the same shell: it is about the same configs."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from syncer.cli.main import COMMANDS
from syncer.simulator.server import Simulator
from tests.daemon_process import Daemon
from tests.repository import in_git
from tests.several import Sites
from tests.shape import PACKAGE
from tests.site import Ran, Run, Site, crlf, ids

NEVER = "every: 900h, jitter: 0s"

APART = ("status_page/", "simulator/", "suggest/render.py", "demo.py", "cli/demo.py")
"""What shows commands elsewhere than on the terminal, or none that are to be pasted."""


@pytest.fixture
def elsewhere(site: Site, syncer: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The options that name the site's config: it has a name that the shell must not split, and is elsewhere."""
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    (tmp_path / "site" / "config" / "syncer.yaml").rename(tmp_path / "site" / "config" / "my site.yaml")
    monkeypatch.chdir(tmp_path)
    return ["-c", "site/config/my site.yaml"]


def suggested(ran: Ran) -> list[str]:
    return re.findall(r"`(syncer [^`]*)`", ran.out + ran.err)


def pasted(command: str) -> list[str]:
    """The arguments that a shell makes of a command."""
    program, *arguments = shlex.split(command)
    assert program == "syncer"
    return arguments


def test_what_a_command_suggests_names_the_config_of_this_run(site: Site, syncer: Run, elsewhere: list[str]) -> None:
    shown: set[str] = set()
    in_git(site)
    for words in (["sync"], ["review"], ["status"], ["trigger"], ["plan"], ["undo"], ["history", "dQw4w9WgXcQ"]):
        for command in suggested(syncer(*elsewhere, *words)):
            assert pasted(command)[:2] == elsewhere, command
            shown.add(pasted(command)[2])
    assert shown >= {"sync", "status", "review", "daemon"}, shown


def test_an_undo_that_is_pasted_reaches_the_site(site: Site, syncer: Run, elsewhere: list[str]) -> None:
    page = site.root / "content" / "a.md"
    before = page.read_bytes()
    syncer(*elsewhere, "sync")
    after = page.read_bytes()
    undone = syncer(*elsewhere, "undo", site.log_lines()[0]["sync"])
    assert page.read_bytes() == before != after
    (again,) = [command for command in suggested(undone) if "undo" in command]
    assert syncer(*pasted(again)).code == 0
    assert page.read_bytes() == after


def test_an_error_as_json_and_the_log_name_the_config_too(site: Site, syncer: Run, elsewhere: list[str]) -> None:
    wrong = syncer(*elsewhere, "history", "dQw4w9WgXcQ", "--json")
    (command,) = re.findall(r"`(syncer [^`]*)`", wrong.document["error"]["message"])
    assert pasted(command)[:2] == elsewhere
    site.state.mkdir()
    (site.state / "state.sqlite3").write_bytes(b"no database" * 100)
    checked = syncer(*elsewhere, "check", "--offline", "--json")
    (message,) = [each["message"] for each in checked.document["checks"] if each["name"] == "state"]
    assert f"`syncer {shlex.join(elsewhere)} sync`" in message


@pytest.mark.parametrize("variable", [None, "config/syncer.yaml", "site.yaml"])
def test_a_config_that_is_found_without_an_option_is_not_named(
    site: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    if variable:
        site.config.rename(site.root / variable)
        monkeypatch.setenv("SYNCER_CONFIG", variable)
    assert "No sync yet. Run `syncer sync`.\n" in syncer("status").out


@pytest.fixture
def sites(tmp_path: Path, youtube: Simulator, syncer: Run, monkeypatch: pytest.MonkeyPatch) -> Sites:
    monkeypatch.chdir(tmp_path)
    made = Sites(tmp_path, youtube.url)
    for name in ("blog", "shop"):
        made.add(name, schedule=NEVER)
    return made


def test_what_is_said_of_one_of_several_sites_suggests_commands_for_that_site(sites: Sites, syncer: Run) -> None:
    own = re.compile(r"`syncer -c sites\.d/(\w+)\.yaml [^`]*`")
    of_each = syncer("-c", "sites.d", "status", "-v").out
    assert own.findall(of_each) == ["blog", "blog", "shop", "shop"]
    (sites["shop"].state).mkdir()
    (sites["shop"].state / "state.sqlite3").write_bytes(b"no database" * 100)
    ran = syncer("-c", "sites.d", "status", "--json")
    message = ran.document["sites"]["shop"]["error"]["message"]
    assert own.findall(message) == own.findall(ran.err) == ["shop"]


def test_what_is_said_of_all_sites_suggests_commands_for_all(sites: Sites, syncer: Run) -> None:
    commands = suggested(syncer("-c", "sites.d", "status")) + suggested(syncer("-c", "sites.d", "trigger"))
    assert {" ".join(pasted(each)[:2]) for each in commands} == {"-c sites.d"}
    assert len(commands) == 4


def test_a_command_without_site_suggests_the_config_of_the_site_that_is_named(sites: Sites, syncer: Run) -> None:
    for words in (["--site", "shop"], ["--site=shop"]):
        ran = syncer("-c", "sites.d", "history", "dQw4w9WgXcQ", *words)
        assert (ran.code, suggested(ran)) == (2, ["syncer -c sites.d/shop.yaml history"])
    unknown = syncer("-c", "sites.d", "log", "--site", "shpo").err
    assert unknown == "syncer: --site: no site is called 'shpo'; the sites are blog, shop; did you mean 'shop'?\n"


def test_a_site_with_a_state_and_no_config_is_told_to_have_its_config_elsewhere(
    sites: Sites, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sites["blog"].root)
    sites["blog"].config.unlink()
    assert suggested(syncer("status")) == ["syncer init"]
    there = "so its config is elsewhere: name that with -c or SYNCER_CONFIG; if it is lost, run `syncer init`\n"
    syncer("-c", str(sites.folder), "sync")
    ran = syncer("status")
    assert ran.err.endswith(f"config/syncer.yaml: no config here; this site has a state, {there}")
    with Daemon(sites["blog"], config=sites.folder) as daemon:
        daemon.until("Status page at")
        assert f"no config here; a daemon syncs this site, {there}" in syncer("status").err


def test_a_trigger_of_one_of_several_sites_says_that_no_daemon_runs_and_how_to_start_one(
    sites: Sites, syncer: Run
) -> None:
    ran = syncer("-c", "sites.d", "trigger", "--site", "blog")
    assert ran.err.startswith("syncer: no daemon is running; start one with `syncer -c sites.d daemon`")
    with Daemon(sites["shop"], config=sites.config("shop")) as daemon:
        daemon.until("Status page at")
        assert "blog: no daemon syncs this site" in syncer("-c", "sites.d", "trigger", "--site", "blog").err


def test_the_log_of_a_daemon_suggests_commands_for_the_site_that_a_line_is_about(sites: Sites) -> None:
    for number in range(30):
        sites["shop"].put(f"content/{number}.md", b"---\nvid_id: nonsense\nviewcount: 1\n---\n")
    with Daemon(sites["blog"], config=sites.folder) as daemon:
        assert f"(see `syncer -c {sites.config('shop')} status`)" in daemon.until("more problems of the kind")


def test_all_suggestions_are_in_the_form_that_is_spelled() -> None:
    command = re.compile(rf"(?<![`\w/])syncer (?:{'|'.join(COMMANDS)})\b")
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {
            ast.get_docstring(node, clean=False)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        }
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Constant) and isinstance(text := node.value, str)):
                continue
            if command.search(text) and text not in docs and not command.match(text) and not name.startswith(APART):
                found.append(f"{name}:{node.lineno}: {text}")
    assert found == []
