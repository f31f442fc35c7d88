"""What would keep the daemon from starting is an error of `syncer check`; where all is ok, the daemon starts."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from syncer.status_page.sockets import socket_path
from tests.daemon_process import Daemon, fill, start_another
from tests.ports import free_port
from tests.site import Run, Site, tree

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in what apprise imports

Break = Callable[[Site, pytest.MonkeyPatch, ExitStack], None]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def errors(syncer: Run) -> list[str]:
    checks = syncer("check", "--offline", "--json").document["checks"]
    found = [f"{each['name']}: {each['message']}" for each in checks if each["level"] == "error"]
    assert ("daemon: it can start" in [f"{each['name']}: {each['message']}" for each in checks]) == (not found)
    return found


def notify_with_an_unknown_address(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    pytest.importorskip("apprise")
    site.configure(notify="urls: ['nonsense://x']")


def port_of_another_program(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    taken = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    site.configure(status_page=f"listen: '127.0.0.1:{taken.getsockname()[1]}'")


def address_of_another_machine(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    monkeypatch.setenv("PAGE_TOKEN", "0123456789abcdef")
    site.configure(status_page="listen: '192.0.2.1:8787', token_env: PAGE_TOKEN")


def token_too_short(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    monkeypatch.setenv("PAGE_TOKEN", "short")
    site.configure(status_page="listen: '127.0.0.1:0', token_env: PAGE_TOKEN")


def socket_path_too_long(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    directory = site.root / ("x" * 100)
    directory.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(directory))


def socket_of_another_daemon(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    other = stack.enter_context(socket.socket(socket.AF_UNIX))
    other.bind(str(socket_path(os.environ, os.path.realpath(site.root), site.state)))
    other.listen()


def file_in_place_of_the_socket(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    socket_path(os.environ, os.path.realpath(site.root), site.state).write_bytes(b"")


def no_runtime_directory(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(site.root / "missing"))


def no_key(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    site.configure(youtube="api_key_env: NOT_SET_ANYWHERE")


def state_is_a_file(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    site.state.write_bytes(b"")


def state_below_a_file(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    site.put("file", b"")
    site.configure(state="directory: file/state")


def state_with_a_long_name(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    site.configure(state=f"directory: {'x' * 300}")


def state_is_a_link_to_nothing(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    site.state.symlink_to(site.root / "missing")


def state_holds_other_files(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    site.state.mkdir()
    (site.state / "mine.txt").write_bytes(b"")


def lock_is_a_link(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    site.state.mkdir()
    (site.state / "daemon.lock").symlink_to(site.root / "other")


def lock_is_a_directory(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    (site.state / "daemon.lock").mkdir(parents=True)


def address_file_has_two_names(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    site.state.mkdir()
    (site.state / "daemon.address").write_bytes(b"")
    os.link(site.state / "daemon.address", site.root / "other")


def lock_of_another_user(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    if os.geteuid():
        pytest.skip("only root gives files away")
    site.state.mkdir()
    (site.state / "daemon.lock").write_bytes(b"")
    os.chown(site.state / "daemon.lock", 12345, -1)


def ignore_file_is_a_directory(site: Site, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    (site.state / ".gitignore").mkdir(parents=True)


BREAKS: list[Break] = [
    notify_with_an_unknown_address,
    port_of_another_program,
    address_of_another_machine,
    token_too_short,
    socket_path_too_long,
    socket_of_another_daemon,
    file_in_place_of_the_socket,
    no_runtime_directory,
    no_key,
    state_is_a_file,
    state_below_a_file,
    state_with_a_long_name,
    state_is_a_link_to_nothing,
    state_holds_other_files,
    lock_is_a_link,
    lock_is_a_directory,
    address_file_has_two_names,
    lock_of_another_user,
    ignore_file_is_a_directory,
]


@pytest.mark.parametrize("break_it", BREAKS, ids=[each.__name__ for each in BREAKS])
def test_what_keeps_the_daemon_from_starting_is_an_error(
    site: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch, stack: ExitStack, break_it: Break
) -> None:
    fill(site, 1)
    break_it(site, monkeypatch, stack)
    before = tree(site.root)
    assert errors(syncer)
    assert tree(site.root) == before, "the check makes nothing"
    if break_it is not no_key:
        ran = start_another(site)
        assert (ran.returncode, "Traceback" in ran.stderr) == (2, False), ran.stderr


def test_an_address_of_another_machine_is_not_fixed_by_another_port(
    site: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch, stack: ExitStack
) -> None:
    fill(site, 1)
    address_of_another_machine(site, monkeypatch, stack)
    (error,) = errors(syncer)
    assert error.endswith(". Set an address of this machine, or `status_page: null` to turn the page off.")


def test_notify_without_apprise_is_an_error(site: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(site, 1)
    site.configure(notify="urls: ['json://127.0.0.1:1']")
    monkeypatch.setitem(sys.modules, "apprise", None)
    (error,) = errors(syncer)
    assert error.startswith("daemon: The daemon cannot start: notify.urls needs apprise")


def test_where_all_is_ok_the_daemon_starts_and_its_own_port_and_socket_are_fine(site: Site, syncer: Run) -> None:
    fill(site, 1)
    site.configure(status_page=f"listen: '127.0.0.1:{free_port()}'", schedule="every: 24h")
    assert errors(syncer) == []
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        ran = syncer("check", "--offline")
        assert ran.code == 0
        assert "ok      daemon: it is running\n" in ran.out


def second_site(site: Site) -> Site:
    second = Site(site.root.parent / "second", site.url)
    (second.root / "content" / "lists").mkdir(parents=True)
    fill(second, 1)
    second.configure()
    return second


def test_two_services_with_one_runtime_directory_are_an_error_that_names_the_other_site(
    site: Site, syncer: Run, tmp_path: Path
) -> None:
    fill(site, 1)
    site.configure(schedule="every: 24h")
    second = second_site(site)
    runtime = tmp_path / "run"
    runtime.mkdir()
    with Daemon(site, environment={"RUNTIME_DIRECTORY": str(runtime)}) as daemon:
        daemon.until("Sync 2")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RUNTIME_DIRECTORY", str(runtime))
            checks = syncer("-c", str(second.config), "check", "--offline", "--json").document["checks"]
            ran = start_another(second)
        remedy = "Stop it first, or give this unit its own `RuntimeDirectory=`."
        reason = f"{runtime}/syncer.sock: cannot make a Unix socket here: the daemon of {site.root} uses it. {remedy}"
        assert [each["message"] for each in checks if each["level"] == "error"] == [
            f"The daemon cannot start: {reason}"
        ]
        assert (ran.returncode, ran.stderr.splitlines()[-1]) == (2, f"syncer: {reason}")
        assert syncer("trigger").code == 0, "the first daemon still has its socket"


def test_a_port_of_the_daemon_of_another_site_is_an_error_that_names_the_site(site: Site, syncer: Run) -> None:
    fill(site, 1)
    page = f"listen: '127.0.0.1:{free_port()}'"
    site.configure(schedule="every: 24h", status_page=page)
    second = second_site(site)
    second.configure(status_page=page)
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        ran = syncer("-c", str(second.config), "check", "--offline")
    assert f"the daemon of {site.root} uses it. Set another port" in ran.out
