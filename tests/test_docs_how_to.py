"""The how-tos' own lines, run as on the pages: installing, a cron job, a workflow, a unit's sandbox, a push."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from syncer.demo import PACKAGE
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from tests import forks
from tests.doc_blocks import DOCS, ROOT, Block, blocks, git
from tests.examples import PROVING
from tests.places import need
from tests.ports import free_port
from tests.site import KEY
from tests.waiting import TIMEOUT

HOW_TO = DOCS / "how-to"
UNITS = ROOT / "config" / "systemd"
STARTING = {"Type", "NotifyAccess", "ExecStart", "ExecReload", "Restart", "RestartSec", "RestartPreventExitStatus"}
STARTING |= {"SuccessExitStatus", "WatchdogSec"}
"""What starts, restarts and watches a service."""

AS_IT_IS = '#!/bin/sh\nexec "$@"\n'
"""What `sudo` is here: the tests change nothing that is not theirs."""


def block(page: str, containing: str, language: str = "sh") -> Block:
    """The one block of a page in which these words are."""
    (found,) = [each for each in blocks(HOW_TO / page, language) if containing in each.text]
    return found


def program(directory: Path, name: str, text: str) -> None:
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(text, encoding="utf-8")
    (directory / name).chmod(0o755)


def run(script: str, cwd: Path, variables: Mapping[str, str], shell: str = "bash") -> subprocess.CompletedProcess[str]:
    """Run a script with these variables and no others."""
    command = [shell, "-c", script]
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=300, check=False)


def done(script: str, cwd: Path, variables: Mapping[str, str], shell: str = "bash") -> str:
    ran = run(script, cwd, variables, shell)
    assert ran.returncode == 0, f"{script}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


@pytest.fixture(scope="module")
def youtube() -> Iterator[Simulator]:
    with Simulator(World.load(PACKAGE / "demo_world.toml")) as simulator:
        yield simulator


@pytest.fixture
def home(tmp_path: Path, youtube: Simulator) -> Path:
    """A home with a site in a repository, whose key is in a file."""
    site = tmp_path / "site"
    shutil.copytree(ROOT / "content", site / "content")
    (site / "config").mkdir()
    config = (ROOT / "config" / "syncer.yaml").read_text(encoding="utf-8")
    config = config.replace("https://youtube.googleapis.com/", youtube.url)
    config = config.replace("api_key_env: YOUTUBE_API_KEY", f"api_key_file: {tmp_path}/key")
    (site / "config" / "syncer.yaml").write_text(config, encoding="utf-8")
    (tmp_path / "key").write_text(KEY, encoding="ascii")
    (tmp_path / "key").chmod(0o600)
    git(site, "init", "--quiet", "--initial-branch=main")
    git(site, "add", "--all")
    git(site, "commit", "--quiet", "--message", "The pages")
    return tmp_path


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of a reader who has nothing but a Python, a home and a package index."""
    index = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    own = Path.home() / ".config" / "pip" / "pip.conf"
    if "PIP_CONFIG_FILE" not in index and own.exists():
        index["PIP_CONFIG_FILE"] = str(own)
    index["PIP_NO_COMPILE"] = "0"  # as pip reads it: `--no-compile`, which saves a fifth of the time
    variables = index | {"HOME": str(tmp_path), "PATH": f"{tmp_path}/tools:{os.defpath}:/usr/bin:/usr/local/bin"}
    program(tmp_path / "tools", "python3", f'#!/bin/sh\nexec "{Path(sys.executable).resolve()}" "$@"\n')
    program(tmp_path / "tools", "sudo", AS_IT_IS)
    return variables


@pytest.fixture
def package_index(bare: dict[str, str], tmp_path: Path) -> None:
    """Skips where packages cannot be installed."""
    ran = run(f"python3 -m pip download --quiet --no-deps --dest {tmp_path}/try click", tmp_path, bare)
    if ran.returncode:
        pytest.skip("needs a package index")


@pytest.mark.skipif(not PROVING, reason="takes half a minute; ./dev prove runs it")
@pytest.mark.storm
@pytest.mark.usefixtures("package_index")
def test_pipx_installs_syncer_with_apprise_and_the_cron_job_syncs(home: Path, bare: dict[str, str]) -> None:
    done("python3 -m venv pipx && pipx/bin/pip install --quiet pipx", home, bare)
    bare["PATH"] = f"{home}/pipx/bin:{bare['PATH']}"
    done(block("run-from-cron.md", "pipx install").text, ROOT, bare)
    assert block("run-as-a-service.md", "pipx install .").text == block("run-from-cron.md", "pipx install").text
    done(block("get-notified.md", "pipx inject").text, ROOT, bare)
    upgrade, _ = block("run-as-a-service.md", "pipx install --force").text.splitlines()
    done(upgrade, ROOT, bare)
    done(f"{home}/.local/share/pipx/venvs/syncer-youtube/bin/python -c 'import apprise'", home, bare)
    job, *_ = re.findall(
        r"^17 \*/6 \* \* \* +(.*)$", block("run-from-cron.md", "# at 17 minutes", "text").text, re.MULTILINE
    )
    cron = {"HOME": str(home), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "LOGNAME": "ann"}
    ran = run(job, home, cron, "/bin/sh")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "content/_posts" in git(home / "site", "diff", "--stat")
    page = next((home / "site" / "content" / "_posts").glob("*.md"))
    page.write_bytes(page.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b'\nvid_id: "another0ne4"\n', 1))
    ran = run(job, home, cron, "/bin/sh")
    assert ran.returncode == 1
    assert page.name in ran.stderr


@pytest.mark.skipif(not PROVING, reason="takes half a minute; ./dev prove runs it")
@pytest.mark.storm
@pytest.mark.usefixtures("package_index")
def test_an_installation_for_the_whole_system_can_be_read_by_the_user_of_a_service(
    home: Path, bare: dict[str, str]
) -> None:
    lines = block("run-as-a-service.md", "venv /opt/syncer").text
    done(lines.replace("/opt/syncer", f"{home}/opt/syncer"), ROOT, bare)
    for unit in UNITS.glob("*.service"):
        (installed,) = re.findall(r"^ExecStart=(/opt/syncer\S+)", unit.read_text(encoding="utf-8"), re.MULTILINE)
        assert os.stat(f"{home}{installed}").st_mode & 0o555 == 0o555
    notified = re.findall(r"`sudo (/opt/syncer/bin/pip install apprise)`", text("get-notified.md"))
    done(f"{home}{notified[0]}", ROOT, bare)
    done(f"{home}/opt/syncer/bin/python -c 'import apprise'", home, bare)


def text(page: str) -> str:
    return (HOW_TO / page).read_text(encoding="utf-8")


@pytest.fixture
def runner(home: Path, bare: dict[str, str], request: pytest.FixtureRequest) -> None:
    """A Python of its own with pip, first on the PATH. What pip would download is borrowed, but for `./dev prove`."""
    borrows = not PROVING and find_spec("pip") is not None
    done(f"python3 -m venv {'--without-pip' if borrows else ''} runner", home, bare)
    bare["PATH"] = f"{home}/runner/bin:{bare['PATH']}"
    if not borrows:
        request.getfixturevalue("package_index")
        return
    packages = done("python3 -c 'import site; print(site.getsitepackages()[0])'", home, bare).strip()
    (Path(packages) / "borrowed.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n", encoding="utf-8")
    program(home / "runner" / "bin", "pip", '#!/bin/sh\nexec python3 -m pip "$@"\n')
    bare |= {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}  # as pip reads it: `--no-build-isolation`


@pytest.mark.storm
@pytest.mark.usefixtures("runner")
def test_the_workflow_syncs_commits_and_pushes(home: Path, bare: dict[str, str]) -> None:
    workflow = yaml.safe_load(block("run-in-github-actions.md", "jobs:", "text").text)
    site = home / "site"
    config = site / "config" / "syncer.yaml"
    wanted = block("run-in-github-actions.md", "git: {", "text").text
    changed = re.sub(r"^git: .*\n", wanted, config.read_text(encoding="utf-8"), flags=re.MULTILINE)
    config.write_text(changed.replace(f"api_key_file: {home}/key", "api_key_env: YOUTUBE_API_KEY"), encoding="utf-8")
    git(home, "init", "--quiet", "--bare", "--initial-branch=main", "remote")
    git(site, "commit", "--quiet", "--all", "--message", "Commit and push")
    git(site, "remote", "add", "origin", str(home / "remote"))
    git(site, "push", "--quiet", "--set-upstream", "origin", "main")
    copy = block("run-in-github-actions.md", "git -C ~/syncer archive").text.replace("~/syncer", str(ROOT))
    done(f"git config user.name Ann; git config user.email ann@localhost; {copy}", site, bare)
    git(site, "push", "--quiet")
    for step in workflow["jobs"]["sync"]["steps"]:
        if "run" in step:
            key = {"YOUTUBE_API_KEY": KEY} if "YOUTUBE_API_KEY" in step.get("env", {}) else {}
            done(re.sub(r"\$\{\{.*?\}\}", "", step["run"]), site, bare | key)
    pushed = git(home / "remote", "log", "--format=%an <%ae> %s", "main").splitlines()
    assert pushed[0].startswith("counts <counts@users.noreply.github.com> ")


@pytest.mark.parametrize("name", sorted(unit.name for unit in UNITS.glob("*.service")))
def test_a_command_in_the_sandbox_of_a_unit_has_all_of_its_properties(name: str, tmp_path: Path) -> None:
    need("bash")
    need("awk")
    unit = tmp_path / name
    extra = block("run-as-a-service.md", "GIT_SSH_COMMAND", "ini").text
    unit.write_text(f"# {unit}\n{(UNITS / name).read_text(encoding='utf-8')}\n# push.conf\n{extra}", encoding="utf-8")
    program(tmp_path / "tools", "systemctl", f'#!/bin/sh\n[ "$1 $2" = "cat {name}" ] && cat "{unit}"\n')
    program(tmp_path / "tools", "systemd-run", "#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    program(tmp_path / "tools", "sudo", AS_IT_IS)
    function = block("run-as-a-service.md", "in_unit()", "bash").text.partition("\n}\n")[0]
    environment = {"PATH": f"{tmp_path}/tools:{os.environ['PATH']}"}
    given = done(f"{function}\n}}\nin_unit {name} syncer check", tmp_path, environment).splitlines()
    assert given[-2:] == ["syncer", "check"]
    section = re.findall(r"^\[Service\]$(.*?)(?=^\[|\Z)", unit.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    settings = [line for line in "".join(section).splitlines() if line and not line.startswith("#")]
    wanted = []
    for setting in settings:
        line = setting.replace("%N", name.removesuffix(".service"))
        if line.startswith("RuntimeDirectory="):
            wanted.append("--property=RuntimeDirectoryPreserve=yes")
        if line.partition("=")[0] not in STARTING:
            wanted.append(f"--property={line}")
    assert [word for word in given if word.startswith("--property=")] == wanted
    assert len(wanted) > 30


def test_the_sandbox_of_one_sync_is_that_of_the_daemon() -> None:
    daemon, once = ((UNITS / name).read_text(encoding="utf-8") for name in ("syncer.service", "syncer-once.service"))
    first = "# The sandbox:"
    assert daemon[daemon.index(first) :].partition("\n[Install]")[0].strip() == once[once.index(first) :].strip()


@pytest.mark.storm
def test_a_service_pushes_over_ssh_with_a_deploy_key_and_no_home(home: Path) -> None:
    """To a bare repository here, with the lines of the how-to: its key, its known host, its variable."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if sshd is None or os.geteuid():
        pytest.skip("needs sshd, and root, who may log in with a key")
    here = home / "ssh"
    here.mkdir(mode=0o700)
    etc = str(here)
    keygen = block("run-as-a-service.md", "ssh-keygen -t ed25519").text.replace("/etc/syncer", etc)
    program(home / "tools", "sudo", AS_IT_IS)
    environment = {"PATH": f"{home}/tools:{os.environ['PATH']}"}
    public = done(keygen, home, environment).splitlines()[-1]
    (here / "authorized_keys").write_text(public, encoding="ascii")
    done(f"ssh-keygen -q -t ed25519 -N '' -f {etc}/host_key", home, environment)
    port = free_port()
    settings = f"""
        HostKey {etc}/host_key
        AuthorizedKeysFile {etc}/authorized_keys
        ListenAddress 127.0.0.1
        Port {port}
        PidFile none
        StrictModes no
        PermitRootLogin prohibit-password
    """
    (here / "sshd_config").write_text(textwrap.dedent(settings), encoding="ascii")
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    server = subprocess.Popen([sshd, "-D", "-f", here / "sshd_config"], stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        push_from_the_service(home, port, environment)
    finally:
        server.terminate()
        server.wait(TIMEOUT)


def push_from_the_service(home: Path, port: int, environment: Mapping[str, str]) -> None:
    etc = home / "ssh"
    scan = block("run-as-a-service.md", "ssh-keyscan").text
    scan = scan.replace("git.example.org", f"-p {port} 127.0.0.1").replace("/etc/ssh/", f"{etc}/")
    assert "ED25519" in done(scan, home, environment)
    site = home / "site"
    git(home, "init", "--quiet", "--bare", "--initial-branch=main", "remote")
    git(site, "push", "--quiet", str(home / "remote"), "main")
    me = pwd.getpwuid(os.geteuid()).pw_name
    git(site, "remote", "add", "origin", f"ssh://{me}@127.0.0.1:{port}{home}/remote")
    config = site / "config" / "syncer.yaml"
    wanted = block("run-as-a-service.md", "git: {", "text").text
    config.write_text(
        re.sub(r"^git: .*\n", wanted, config.read_text(encoding="utf-8"), flags=re.MULTILINE), encoding="utf-8"
    )
    git(site, "commit", "--quiet", "--all", "--message", "Commit and push")
    git(site, "push", "--quiet", str(home / "remote"), "main")
    git(site, "update-ref", "refs/remotes/origin/main", "main")
    (variable,) = re.findall(r'^Environment="GIT_SSH_COMMAND=(.*)"$', text("run-as-a-service.md"), re.MULTILINE)
    service = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "CREDENTIALS_DIRECTORY": str(etc),
        "GIT_SSH_COMMAND": f"{variable} -o GlobalKnownHostsFile={etc}/ssh_known_hosts",
    }
    done(re.findall(r"in_unit syncer.service (git push .*)", text("run-as-a-service.md"))[0], site, service)
    done(f"{sys.executable} -m syncer sync", site, service | {"PYTHONPATH": str(ROOT)})
    assert git(home / "remote", "log", "-1", "--format=%an", "main") == "counts\n"


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"nothing listens on port {port}")


@pytest.fixture
def path(tmp_path: Path) -> Iterator[str]:
    """A PATH with syncer."""
    (tmp_path / "bin").mkdir()
    with forks.program(tmp_path / "bin" / "syncer", "from syncer.__main__ import main; raise SystemExit(main())"):
        yield f"{tmp_path}/bin:{os.environ['PATH']}"


def test_many_sites_are_collected_checked_synced_and_named_as_the_page_types_it(tmp_path: Path, path: str) -> None:
    page = "serve-many-sites.md"
    home = tmp_path / "home"
    for name, video in (("blog", "dQw4w9WgXcQ"), ("shop", "jNQXAC9IVRw")):
        (home / name / "content").mkdir(parents=True)
        text = f"---\nvideo_id: {video}\nviewcount: 5\n---\n"
        (home / name / "content/page.md").write_text(text, encoding="utf-8")
    variables = {"HOME": str(home), "PATH": path}
    done(block(page, "mkdir ~/sites.d").text, home, variables)
    collect = block(page, "syncer init ~/blog").text
    done(collect, home, variables)
    done(collect.replace("blog", "shop"), home, variables)
    assert not list(home.glob("*/config/*")), "each site has one config"
    with Simulator(World()) as youtube:
        for config in (home / "sites.d").iterdir():
            text = config.read_text(encoding="utf-8")
            config.write_text(text.replace("https://youtube.googleapis.com/", youtube.url), encoding="utf-8")
        variables["YOUTUBE_API_KEY"] = KEY
        check, sync, daemon = block(page, "syncer -c ~/sites.d check").text.splitlines()
        assert "2 sites, none with errors" in done(f"{check} --offline", home, variables)
        done(sync, home, variables)
    assert daemon.endswith(" daemon")
    shown = done(block(page, "status --site blog").text.partition("syncer trigger")[0], home, variables)
    assert shown.count("blog") > shown.count("shop") > 0
    assert "viewcount" in done(block(page, "sites.d/blog.yaml log").text, home, variables)


def test_a_site_is_checked_before_it_is_added_as_the_page_types_it(tmp_path: Path, path: str) -> None:
    page = "serve-many-sites.md"
    home = tmp_path / "home"
    for name, video in (("blog", "dQw4w9WgXcQ"), ("news", "jNQXAC9IVRw")):
        (home / name / "content").mkdir(parents=True)
        (home / name / "content/page.md").write_text(f"---\nvideo_id: {video}\nviewcount: 5\n---\n", encoding="utf-8")
    variables = {"HOME": str(home), "PATH": path}
    variables["YOUTUBE_API_KEY"] = KEY
    done(block(page, "mkdir ~/sites.d").text + block(page, "syncer init ~/blog").text, home, variables)
    done(block(page, "syncer init ~/news").text, home, variables)
    new, text = home / "sites.d/news.yaml.new", (home / "news/content/page.md").read_text(encoding="utf-8")
    assert not (home / "news/config/syncer.yaml").exists()
    assert done("syncer -c ~/sites.d status --json", home, variables).count('"exit": 0') == 1, "a daemon skips it"
    with Simulator(World()) as youtube:
        config = new.read_text(encoding="utf-8").replace("https://youtube.googleapis.com/", youtube.url)
        new.write_text(config, encoding="utf-8")
        checked = done(block(page, "news.yaml.new check").text, home, variables)
    assert "2 sites, none with errors" in checked
    assert "Would change 1 count on 1 page" in checked
    assert (home / "news/content/page.md").read_text(encoding="utf-8") == text
    done(block(page, "mv ~/sites.d").text, home, variables)
    assert "\nnews " in done("syncer -c ~/sites.d status", home, variables)
