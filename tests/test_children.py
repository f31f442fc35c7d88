"""No program that a command starts has the key in its environment: not git, nor anything that git can run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from syncer.simulator.server import Simulator
from tests.crash.warm import Order, Warm
from tests.daemon_process import Daemon
from tests.examples import storms_but
from tests.remotes import SharedSite, asking_for_a_password, push_all
from tests.repository import PERSON, Repository
from tests.site import QUICK, Site, crlf, ids

KEY = "the-key-that-no-child-may-see-8Zq1"
TOKEN = "the-token-of-the-status-page-5Tr2"
HOOK = "/build_hooks/the-hook-that-no-child-may-see-7Kp3"
DEPLOY = "hook_env: SITES_HOOK"
IN_A_DEMO = {"YOUTUBE_API_KEY": KEY, "SITES_KEY": "", "SITES_HOOK": "", "THE_SAME_HOOK_ELSEWHERE": ""}
"""The demo has a config of its own, which names no hook."""

DUMP = """\
#!/bin/sh
# writes down the environment and the words, then does what a program of this name is asked to do
name=$(basename "$0")
{ env; echo "words: $*"; } > "$DUMPS/$name.$$"
case $name in
  git) exec "$REAL_GIT" "$@" ;;
  clean|smudge|textconv) exec cat ;;
  sequence) exec cat ;;
  pre-receive|update|post-receive|post-update|reference-transaction) exit 0 ;;
  receive-pack) exec "$REAL_GIT" receive-pack "$@" ;;
  upload-pack) exec "$REAL_GIT" upload-pack "$@" ;;
  pack-objects) exec "$@" ;;
esac
exit 1
"""

NAMES = (
    "git", "clean", "smudge", "textconv", "process", "fsmonitor", "ssh", "gpg", "ssh-keygen", "default-key",
    "credential", "askpass", "git-remote-odd", "ext", "receive-pack", "upload-pack", "pack-objects", "proxy", "diff",
    "merge", "pager", "editor", "sequence", "hook",
)  # fmt: skip
HOOKS = ("pre-receive", "update", "post-receive", "post-update", "reference-transaction")


@dataclass
class Ground:
    """A site in git, and programs that write their environment down."""

    site: Site
    ours: Repository
    remote: Repository
    other: Repository
    room: Path
    variables: Mapping[str, str]
    warm: Warm

    def program(self, name: str) -> str:
        return str(self.room / "programs" / name)

    def set(self, **settings: str) -> None:
        for name, value in settings.items():
            self.ours.git("config", name.replace("__", "-").replace("_", "."), value)

    def run(self, *words: str, **variables: str) -> int:
        """Runs a command in a process of its own that has the key in its environment."""
        environment = {**self.variables, **variables}
        first = f"import os; os.environ.clear(); os.environ.update({environment!r})"
        out, err = str(self.room / "out"), str(self.room / "err")
        ended = self.warm.start(Order(words, str(self.site.root), out, err, first=first)).ended(120)
        assert ended.code != 70, ended.err
        return ended.code

    def run_in_a_shell(self, *words: str, **variables: str) -> int:
        """The same as a shell does it."""
        done = subprocess.run(
            [sys.executable, "-m", "syncer", *words], cwd=self.site.root, env={**self.variables, **variables},
            stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode != 70, done.stderr
        return done.returncode

    def dumps(self) -> Mapping[str, str]:
        """What the programs wrote down, and it is forgotten."""
        found: dict[str, str] = {}
        for path in (self.room / "dumps").iterdir():
            name = path.name.rpartition(".")[0]
            found[name] = found.get(name, "") + path.read_text(encoding="utf-8", errors="replace")
            path.unlink()
        return found

    def require_key_hidden_from(self, *expected: str) -> None:
        """Fails where one of the programs has the key, or one that is expected to run did not."""
        dumps = self.dumps()
        assert [name for name, text in dumps.items() if KEY in text or TOKEN in text or HOOK in text] == []
        assert set(expected) - dumps.keys() == set(), dumps.keys()

    def work(self) -> None:
        """The author edits a page, somebody else pushes a change of another one, and the counts are old again."""
        for number, video in enumerate(ids(3)):
            self.site.put(f"content/{number}.md", crlf(video, 1, 2))
        self.site.put("content/0.md", crlf(ids(3)[0], 1, 2) + b"more\r\n")
        page = self.other.top / "content/1.md"
        page.write_bytes(page.read_bytes() + b"theirs\r\n")
        push_all(self.other)


@pytest.fixture
def ground(warm: Warm, site: Site, youtube: Simulator, tmp_path: Path) -> Ground:
    programs, dumps = tmp_path / "programs", tmp_path / "dumps"
    programs.mkdir()
    dumps.mkdir()
    for name in (*NAMES, *HOOKS):
        (programs / name).write_text(DUMP, encoding="utf-8")
        (programs / name).chmod(0o755)
    site.configure(
        youtube=f"{QUICK}, api_key_env: SITES_KEY", git="commit: true, push: true", deploy="hook_env: SITES_HOOK"
    )
    for number, video in enumerate(ids(3)):
        site.put(f"content/{number}.md", crlf(video, 1, 2))
    shared = SharedSite.of(site, youtube, tmp_path)
    git = shutil.which("git")
    assert git
    variables = {
        **os.environ, **PERSON, "PATH": f"{programs}:{os.environ['PATH']}", "DUMPS": str(dumps), "REAL_GIT": git,
        "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"), "SITES_KEY": KEY,
        "THE_SAME_ELSEWHERE": f"{KEY}\n", "SITES_HOOK": f"http://127.0.0.1:9{HOOK}",
        "THE_SAME_HOOK_ELSEWHERE": f"http://127.0.0.1:9{HOOK} ",
    }  # fmt: skip
    (tmp_path / "gitconfig").write_text("", encoding="utf-8")
    return Ground(site, shared.ours, shared.remote, shared.other, tmp_path, variables, warm)


def test_the_programs_would_see_what_stands_in_the_environment(ground: Ground) -> None:
    """Else the tests below prove nothing."""
    subprocess.run([ground.program("git"), "version"], env=dict(ground.variables), check=True, capture_output=True)
    dump = ground.dumps()["git"]
    assert KEY in dump
    assert HOOK in dump


def test_filters_and_drivers_do_not_see_the_key(ground: Ground) -> None:
    ground.set(
        filter_f_clean=ground.program("clean"), filter_f_smudge=ground.program("smudge"),
        filter_g_process=ground.program("process"), diff_d_textconv=ground.program("textconv"),
        diff_external=ground.program("diff"), merge_m_driver=ground.program("merge"),
        core_fsmonitor=ground.program("fsmonitor"), core_pager=ground.program("pager"),
        core_editor=ground.program("editor"), sequence_editor=ground.program("sequence"),
    )  # fmt: skip
    attributes = "content/*.md filter=f diff=d merge=m\nnotes.txt filter=g\n"
    (ground.site.root / ".git/info/attributes").write_text(attributes, encoding="utf-8")
    ground.work()
    assert ground.run("sync") == 0
    ground.require_key_hidden_from("git", "clean", "smudge", "fsmonitor")
    ground.site.put("content/2.md", crlf(ids(3)[2], 5, 5))
    ground.run("sync", "--all")
    ground.run("review")
    ground.require_key_hidden_from("git", "fsmonitor")


def test_signers_do_not_see_the_key(ground: Ground) -> None:
    ground.set(commit_gpgsign="true", gpg_program=ground.program("gpg"))
    assert ground.run("sync") == 1
    ground.require_key_hidden_from("git", "gpg")
    ground.set(
        gpg_format="ssh", gpg_ssh_program=ground.program("ssh-keygen"),
        gpg_ssh_defaultKeyCommand=ground.program("default-key"),
    )  # fmt: skip
    ground.run("sync")
    ground.require_key_hidden_from("git", "default-key")
    ground.set(user_signingKey=str(ground.room / "key.pub"))
    ground.run("sync")
    ground.require_key_hidden_from("git", "ssh-keygen")


def test_what_reaches_a_remote_does_not_see_the_key(ground: Ground) -> None:
    ground.ours.git("config", "protocol.ext.allow", "always")
    for url, program, variables in (
        ("ssh://git@nowhere.invalid/x.git", "ssh", {"GIT_SSH_COMMAND": ground.program("ssh")}),
        ("ssh://git@nowhere.invalid/x.git", "ssh", {"GIT_SSH": ground.program("ssh")}),
        ("git://nowhere.invalid/x.git", "proxy", {}),
        ("odd::x", "git-remote-odd", {}),
        (f"ext::{ground.program('ext')} %S x", "ext", {}),
    ):
        ground.set(remote_origin_url=url, core_gitProxy=ground.program("proxy"))
        assert ground.run("sync", **variables) == 1
        ground.require_key_hidden_from("git", program)


def test_helpers_that_know_passwords_do_not_see_the_key(ground: Ground) -> None:
    with asking_for_a_password() as host:
        ground.set(
            remote_origin_url=f"http://{host}/x.git",
            credential_helper=ground.program("credential"),
        )
        assert ground.run("sync", GIT_ASKPASS=ground.program("askpass")) == 1
    ground.require_key_hidden_from("git", "credential", "askpass")


def test_the_remotes_own_programs_do_not_see_the_key(ground: Ground) -> None:
    """A remote on this machine: git starts its other half itself, with its hooks."""
    for name in HOOKS:
        hook = ground.remote.top / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.symlink_to(ground.program(name))
    (ground.room / "gitconfig").write_text(
        f"[uploadpack]\n\tpackObjectsHook = {ground.program('pack-objects')}\n", encoding="utf-8"
    )
    ground.set(
        remote_origin_receivepack=ground.program("receive-pack"), remote_origin_uploadpack=ground.program("upload-pack")
    )
    ground.work()
    ground.dumps()
    assert ground.run("sync") == 0
    ground.require_key_hidden_from("git", "receive-pack", "upload-pack", "pack-objects", *HOOKS)


@pytest.mark.parametrize(
    "words",
    storms_but(
        [["review", "--drop", "content/1.md"], ["check"]],
        [["review"], ["review", "--keep", "content/0.md"], ["review", "--drop", "content/1.md"], ["check"], ["demo"]],
    ),
    ids=" ".join,
)
def test_no_command_hands_the_key_on(ground: Ground, words: list[str]) -> None:
    ground.site.configure(youtube=f"{QUICK}, api_key_env: SITES_KEY", deploy=DEPLOY)
    ground.run("sync")
    (ground.room / "gitconfig").write_text(f"[diff]\n\texternal = {ground.program('diff')}\n", encoding="utf-8")
    ground.dumps()
    ground.run_in_a_shell(*words, **(IN_A_DEMO if words == ["demo"] else {}))
    ground.require_key_hidden_from("git", *(["diff"] if words == ["demo"] else []))


def test_a_key_that_a_file_holds_is_not_handed_on_from_where_else_it_stands(ground: Ground) -> None:
    (ground.room / "key").write_text(f"{KEY}\n", encoding="utf-8")
    ground.site.configure(youtube=f"{QUICK}, api_key_file: {ground.room / 'key'}", git="commit: true")
    assert ground.run("sync", YOUTUBE_API_KEY="another") == 0
    dumps = ground.dumps()
    assert [name for name, text in dumps.items() if KEY in text or "another" in text] == []


def test_a_daemon_hands_nothing_on_and_finds_its_key_again(ground: Ground) -> None:
    ground.site.configure(
        youtube=f"{QUICK}, api_key_env: SITES_KEY", git="commit: true", deploy=DEPLOY,
        status_page="listen: '127.0.0.1:0', token_env: PAGES_TOKEN",
    )  # fmt: skip
    with Daemon(ground.site, environment={**ground.variables, "PAGES_TOKEN": TOKEN}) as daemon:
        daemon.until("Status page at")
        assert ground.run("trigger") == 0
        ground.require_key_hidden_from("git")
        ground.site.put("content/2.md", crlf(ids(3)[2], 5, 5))
        daemon.send(signal.SIGHUP)
        daemon.until("Config reloaded")
        assert ground.run("trigger") == 0
        ground.require_key_hidden_from("git")
        daemon.send(signal.SIGTERM)
        assert daemon.ended()[0] == 0


def test_a_caller_in_this_process_gets_its_environment_back(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    from syncer.cli.main import main

    monkeypatch.chdir(ground.site.root)
    monkeypatch.setenv("SITES_KEY", KEY)
    assert [main(["sync"]), main(["sync"])] == [0, 0]
    assert os.environ["SITES_KEY"] == KEY
