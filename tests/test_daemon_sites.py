"""One daemon for several sites: the trouble of one does not touch the others, and they come and go while it runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest

from syncer.errors import Locked
from syncer.simulator.server import Simulator
from syncer.state.lock import DaemonAddress, DaemonLock, daemon_address, hold_lock
from tests.daemon_process import Daemon
from tests.disks import Disk, dead, disk, read_only
from tests.forks import run
from tests.ports import free_port
from tests.repository import Repository
from tests.shared_daemon import HASTY, IMPATIENT, NEVER, OFTEN, OneOfMany, daemon_of, make_site, make_sites, synced
from tests.site import KEY, QUICK, Site, crlf, ids
from tests.waiting import TIMEOUT, until

OTHER_KEY = "another-s3cret-key-77aaBBccDD"


@pytest.fixture
def sites(tmp_path: Path, youtube: Simulator) -> list[OneOfMany]:
    """Two sites that sync every second."""
    return make_sites(tmp_path, youtube.url, "blog", "shop")


def ask(socket_path: Path, target: str) -> tuple[int, str]:
    """Asks the daemon by its socket; returns the status and the body."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT)
        connection.connect(str(socket_path))
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


def status(site: OneOfMany) -> dict[str, dict[str, object]]:
    """What the API says of all sites and of those that are left out."""
    address = daemon_address(site.state)
    assert address
    code, body = ask(address.socket, "/api/v1/status")
    assert code == 200, body
    found: dict[str, dict[str, object]] = json.loads(body)
    return found


def is_free(site: OneOfMany) -> bool:
    """Whether no daemon has the state of this site."""
    try:
        DaemonLock(site.state).close()
    except Locked:
        return False
    return True


# --- the trouble of one site --------------------------------------------------------------------------------------


def break_config(blog: OneOfMany) -> None:
    blog.config.write_text("collections: [", encoding="utf-8")


def lose_key(blog: OneOfMany) -> None:
    blog.configure(schedule=OFTEN, youtube=f"api_key_file: {blog.root}/key, {QUICK}")


def newer_state(blog: OneOfMany) -> None:
    blog.state.mkdir()
    with closing(sqlite3.connect(blog.state / "state.sqlite3")) as database:
        database.executescript("CREATE TABLE t (x); PRAGMA user_version = 99")


def state_that_is_a_file(blog: OneOfMany) -> None:
    blog.state.write_text("mine", encoding="utf-8")


def set_key(blog: OneOfMany) -> None:
    (blog.root / "key").write_text(KEY, encoding="utf-8")


@pytest.mark.parametrize(
    ("break_it", "repair", "said"),
    [
        (break_config, lambda blog: blog.configure(schedule=OFTEN), "line 1: is not valid YAML"),
        (lose_key, set_key, "Cannot read the API key"),
        (newer_state, lambda blog: shutil.rmtree(blog.state), "newer syncer"),
        (state_that_is_a_file, lambda blog: blog.state.unlink(), "not a directory"),
    ],
    ids=["config", "key", "newer-state", "file-for-a-state"],
)
def test_a_site_that_cannot_be_opened_is_left_out_logged_once_and_added_once_it_can(
    sites: list[OneOfMany],
    break_it: Callable[[OneOfMany], None],
    repair: Callable[[OneOfMany], None],
    said: str,
) -> None:
    blog, shop = sites
    break_it(blog)
    with daemon_of(shop) as daemon:
        assert said in daemon.until("ERROR Site left out: ")
        synced(daemon, "shop", 3)
        assert said in str(status(shop)["left_out"])
        repair(blog)
        synced(daemon, "blog", 2)
        assert not status(shop)["left_out"]
        assert sum("left out" in line for line in daemon.lines) == 1


def test_a_config_that_is_left_out_is_named_once(sites: list[OneOfMany]) -> None:
    """By its whole path, as in errors, wherever the daemon was started; not as the command line names it."""
    blog, shop = sites
    blog.config.write_text("naem: x\nsite: .\nmoer: y\n", encoding="utf-8")
    folder = Path(os.path.relpath(shop.configs))
    with Daemon(shop, first=HASTY, config=folder) as daemon:
        synced(daemon, "shop")
        findings = [line.partition("left out: ")[2] for line in daemon.lines if "left out: " in line]
        left_out = json.dumps(status(shop)["left_out"])
    assert len(findings) == 3
    config = Path.cwd() / folder / "blog.yaml"
    assert any(finding.startswith(f"{config}: line 1: naem: unknown key") for finding in findings)
    assert all(finding.count("blog.yaml") == 1 for finding in findings)
    message = "\n".join(each.partition(": ")[2].strip() for each in findings)
    assert left_out == json.dumps([{"config": str(config), "message": message}])


@pytest.mark.parametrize("break_it", [break_config, lose_key], ids=["config", "key"])
def test_a_config_that_breaks_leaves_out_its_site_until_it_is_repaired(
    sites: list[OneOfMany], break_it: Callable[[OneOfMany], None]
) -> None:
    blog, shop = sites
    with daemon_of(shop) as daemon:
        synced(daemon, "blog")
        break_it(blog)
        daemon.until("ERROR Site left out: ")
        synced(daemon, "shop", 2)
        assert status(shop)["sites"].keys() == {"shop"}
        until(lambda: is_free(blog))
        set_key(blog)
        blog.configure(schedule=OFTEN)
        synced(daemon, "blog")
        assert status(shop)["sites"].keys() == {"blog", "shop"}


def test_a_state_that_another_daemon_has_is_left_out_until_that_one_ends(sites: list[OneOfMany]) -> None:
    blog, shop = sites
    with closing(DaemonLock(blog.state)), daemon_of(shop) as daemon:
        assert f"Another daemon (process {os.getpid()})" in daemon.until("ERROR Site left out: ")
        synced(daemon, "shop", 2)
    with closing(DaemonLock(blog.state)) as lock, daemon_of(shop) as daemon:
        daemon.until("ERROR Site left out: ")
        lock.close()
        synced(daemon, "blog")


@contextmanager
def on_a_disk(kind: str, tmp_path: Path, url: str) -> Iterator[tuple[Disk, OneOfMany, OneOfMany]]:
    """A disk, the site `own` that has it for itself, and the site `shop` beside it."""
    room = tmp_path / "room"
    room.mkdir()
    with disk(kind, room) as made:
        (shop,) = make_sites(tmp_path, url, "shop")
        yield made, make_site(made.place / "own", url, shop.configs), shop


@pytest.mark.storm
def test_a_site_whose_disk_is_frozen_keeps_no_other_waiting_neither_while_it_runs_nor_at_the_start(
    tmp_path: Path, youtube: Simulator
) -> None:
    with on_a_disk("ext4", tmp_path, youtube.url) as (made, _, shop):
        try:
            with daemon_of(shop, first=IMPATIENT) as daemon:
                synced(daemon, "own")
                subprocess.run(["fsfreeze", "-f", str(made.place)], check=True)
                daemon.until("ERROR own: No progress")
                synced(daemon, "shop", 3)
                subprocess.run(["fsfreeze", "-u", str(made.place)], check=True)
                synced(daemon, "own", 2)
                daemon.send(signal.SIGTERM)
                assert daemon.ended()[0] == 0
            subprocess.run(["fsfreeze", "-f", str(made.place)], check=True)
            with daemon_of(shop, first=IMPATIENT) as daemon:
                assert "the disk of this site does not respond" in daemon.until("ERROR Site left out")
                synced(daemon, "shop", 2)
                threads = len(os.listdir(f"/proc/{daemon.process.pid}/task"))
                synced(daemon, "shop", 4)
                # what hangs is not tried again before it has ended; other threads begin and end all the time
                until(lambda: len(os.listdir(f"/proc/{daemon.process.pid}/task")) <= threads + 1)
                subprocess.run(["fsfreeze", "-u", str(made.place)], check=True)
                synced(daemon, "own")
                daemon.send(signal.SIGTERM)
                assert daemon.ended()[0] == 0
        finally:
            subprocess.run(["fsfreeze", "-u", str(made.place)], check=False, capture_output=True)


@pytest.mark.storm
def test_a_site_whose_disk_never_responds_keeps_no_other_waiting_even_if_its_config_is_on_that_disk(
    tmp_path: Path, youtube: Simulator
) -> None:
    (shop,) = make_sites(tmp_path, youtube.url, "shop")
    cold = Site(tmp_path / "cold", youtube.url)
    (cold.root / "content" / "lists").mkdir(parents=True)
    cold.put(f"content/{ids(1)[0]}.md", crlf(ids(1)[0], 1, 2))
    cold.configure(schedule=OFTEN)
    with daemon_of(shop, "-c", str(cold.config), first=IMPATIENT) as daemon:
        synced(daemon, "cold")
        with dead(cold.root):
            synced(daemon, "shop", 4)
            daemon.send(signal.SIGHUP)
            synced(daemon, "shop", 4)
            shutil.copy(shop.config, shop.configs / "again.yaml")
            daemon.until("again.yaml")
        synced(daemon, "cold", 2)
        daemon.send(signal.SIGTERM)
        assert daemon.ended()[0] == 0


@pytest.mark.storm
def test_a_full_disk_and_one_that_is_read_only_are_the_trouble_of_their_site_alone(
    tmp_path: Path, youtube: Simulator
) -> None:
    with on_a_disk("tmpfs", tmp_path, youtube.url) as (made, own, shop), daemon_of(shop) as daemon:
        synced(daemon, "own")
        with read_only(own.root, tmp_path / "spare"):
            assert "Read-only" in daemon.until("ERROR own: Sync failed")
            synced(daemon, "shop", 2)
        filler = made.place / "filler"
        with suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(1 << 16))
        daemon.send(signal.SIGHUP)  # what failed is tried again at once
        daemon.until("ERROR own: Sync failed")
        synced(daemon, "shop", 2)
        filler.unlink()
        daemon.send(signal.SIGHUP)
        synced(daemon, "own")


def test_a_refused_key_a_locked_repository_and_lost_pages_are_problems_of_their_site_alone(
    tmp_path: Path, youtube: Simulator
) -> None:
    refused, locked, lost, shop = make_sites(tmp_path, youtube.url, "refused", "locked", "lost", "shop")
    (refused.root / "key").write_text("invalid", encoding="utf-8")
    refused.configure(schedule=OFTEN, youtube=f"api_key_file: {refused.root}/key, {QUICK}")
    repository(locked)
    (locked.root / ".git" / "index.lock").touch()
    (lost.root / "content").rename(lost.root / "unmounted")
    with daemon_of(shop) as daemon:
        synced(daemon, "shop", 3)
        for name in ("refused", "locked", "lost"):
            assert any(f" {name}: " in line and line.startswith(("ERROR", "WARNING")) for line in daemon.lines), name
        wrong = [line for line in daemon.lines if " shop: " in line and line.startswith(("ERROR", "WARNING"))]
        assert all("A sync was due" in line for line in wrong)


@pytest.mark.storm
def test_syncs_that_hang_keep_no_other_site_from_its_sync_and_are_shown_and_end(
    tmp_path: Path, youtube: Simulator
) -> None:
    """Two of two at once hang in git, whose filter waits for somebody to write to a pipe."""
    *hanging, shop = make_sites(tmp_path, youtube.url, "a", "b", "shop")
    for site in hanging:
        repository(site).git("config", "filter.slow.clean", f"cat {site.root}/gate >&2; cat")
        site.put(".gitattributes", b"*.md filter=slow\n")
        os.mkfifo(site.root / "gate")
    with daemon_of(shop, first=IMPATIENT) as daemon:
        synced(daemon, "shop", 3)
        until(lambda: sum("No progress" in line for line in daemon.lines) == 2, 0.05)
        assert shown_as_stalled(shop) == 2
        open_gate(hanging[0])
        synced(daemon, "a")
        until(lambda: shown_as_stalled(shop) == 1, 0.05)
        daemon.send(signal.SIGTERM)
        code, seconds = daemon.ended()
        assert code == 0
        assert seconds < 30, "a sync that hangs is not waited for"
    open_gate(hanging[1])


def shown_as_stalled(site: OneOfMany) -> int:
    """How many sites the overview of all shows as stalled."""
    address = daemon_address(site.state)
    assert address
    return ask(address.socket, "/")[1].count("The running sync does not respond: ")


def repository(site: OneOfMany) -> Repository:
    """Makes the site a repository whose pages are committed, and lets its syncs commit."""
    made = Repository(site.root)
    made.git("init", "-q")
    made.git("add", "content")
    made.git("commit", "-qm", "pages")
    site.configure(schedule=OFTEN, git="commit: true")
    return made


def open_gate(site: OneOfMany) -> None:
    """Lets the filter go on that waits at the pipe, and all later ones pass."""
    gate = site.root / "gate"
    descriptor = os.open(gate, os.O_WRONLY)
    site.put("open", b"").replace(gate)
    os.close(descriptor)


# --- sites come and go ---------------------------------------------------------------------------------------------


def test_sites_are_added_renamed_and_removed_under_the_running_daemon(
    tmp_path: Path, youtube: Simulator, sites: list[OneOfMany]
) -> None:
    blog, shop = sites
    with daemon_of(shop) as daemon:
        synced(daemon, "blog")
        (news,) = make_sites(tmp_path, youtube.url, "news")
        synced(daemon, "news")
        shop.configure(schedule=OFTEN, name="store")
        assert "its site, name or state has changed" in daemon.until("shop: No longer synced")
        synced(daemon, "store")
        blog.config.unlink()
        assert "its config was removed" in daemon.until("blog: No longer synced")
        until(lambda: list(status(shop)["sites"]) == ["news", "store"])
        until(lambda: is_free(blog))
        address = daemon_address(news.state)
        assert address
        assert address.prefix == "/sites/news"
        assert (shop.state / "daemon.sock").is_symlink()
        shop.config.unlink()
        news.config.unlink()
        daemon.until("No site is left")
        until(lambda: not (shop.state / "daemon.sock").is_symlink())
        blog.configure(schedule=OFTEN)
        synced(daemon, "blog")
        daemon.send(signal.SIGTERM)
        assert daemon.ended()[0] == 0


def test_configs_that_swap_their_names_are_back_at_once(sites: list[OneOfMany]) -> None:
    blog, shop = sites
    with daemon_of(shop, first=HASTY.replace("RETRY_SECONDS = 0.3", "RETRY_SECONDS = 900.0")) as daemon:
        synced(daemon, "blog")
        synced(daemon, "shop")
        aside = blog.config.rename(blog.configs / "aside")
        shop.config.rename(blog.config)
        aside.rename(shop.config)
        daemon.send(signal.SIGHUP)
        daemon.until("No longer synced")
        daemon.until("No longer synced")
        for _ in range(2):
            synced(daemon, "blog")
            synced(daemon, "shop")
        assert not any("Another daemon" in line for line in daemon.lines)


def test_a_config_that_is_renamed_while_its_site_syncs_is_back_as_soon_as_that_sync_has_ended(
    tmp_path: Path, relay: Relay
) -> None:
    blog, shop = make_sites(tmp_path, relay.url, "blog", "shop", pages=120)
    names = [blog.config, *(blog.configs / f"{name}.yaml" for name in ("zoo", "ant", "new"))]
    with daemon_of(shop, first=HASTY.replace("RETRY_SECONDS = 0.3", "RETRY_SECONDS = 900.0")) as daemon:
        daemon.until("blog: Syncing")
        daemon.until("Status page at")
        for before, after in pairwise(names):
            until(lambda: "blog" in running(shop))
            before.rename(after)
            daemon.send(signal.SIGHUP)
            daemon.until("blog: No longer synced")
            daemon.until("blog: Syncing")
        synced(daemon, "blog")
        assert not any("left out" in line for line in daemon.lines)


def running(site: OneOfMany) -> set[str]:
    """The sites that are syncing now."""
    shown = status(site)["sites"]
    return {name for name, each in shown.items() if each["daemon"]["running"]}  # type: ignore[index]


def test_a_site_whose_state_moves_keeps_syncing_and_so_does_one_that_is_reloaded(sites: list[OneOfMany]) -> None:
    blog, shop = sites
    with daemon_of(shop) as daemon:
        synced(daemon, "blog")
        blog.configure(schedule=OFTEN, state="directory: elsewhere")
        synced(daemon, "blog")
        until((blog.root / "elsewhere" / "state.sqlite3").exists)
        shop.configure(schedule=NEVER)
        daemon.until("shop: Config reloaded")
        daemon.send(signal.SIGHUP)
        synced(daemon, "blog", 2)
        assert not any("shop: No longer synced" in line for line in daemon.lines)


def test_every_site_leads_other_programs_to_the_one_socket(sites: list[OneOfMany]) -> None:
    blog, shop = sites
    with daemon_of(shop) as daemon:
        daemon.until("Status page at")
        one = (blog.state / "daemon.sock").readlink()
        for site in sites:
            assert daemon_address(site.state) == DaemonAddress(one, f"/sites/{site.root.name}")
            assert (site.state / "daemon.sock").readlink() == one
            assert ask(site.state / "daemon.sock", "/healthz")[0] == 200
        daemon.send(signal.SIGKILL)
        daemon.ended()
    blog.config.unlink()
    shutil.rmtree(blog.state)
    with daemon_of(shop) as daemon:  # what the kill left is replaced: a link that leads nowhere
        synced(daemon, "shop")
        assert ask(shop.state / "daemon.sock", "/healthz")[0] == 200
    with Daemon(shop, environment={"XDG_RUNTIME_DIR": ""}) as daemon:  # one of its own, where a link was left
        daemon.until("Sync 2")


@pytest.mark.parametrize("name", ["blog", "shop"])
@pytest.mark.parametrize("runtime", ["runtime", ""])
def test_no_site_whose_state_is_removed_takes_the_socket_of_the_others_with_it(
    sites: list[OneOfMany], name: str, runtime: str
) -> None:
    lost, other = sites if name == "blog" else sites[::-1]
    other.configure(schedule=NEVER)
    with (
        TemporaryDirectory(prefix="syncer-") as directory,
        daemon_of(other, environment={"XDG_RUNTIME_DIR": directory if runtime else ""}) as daemon,
    ):
        synced(daemon, "shop")
        shutil.rmtree(lost.state)
        assert triggered(other).returncode == 0
        synced(daemon, name, 2)
        assert triggered(lost).returncode == 0, "its own link and address are back"


def test_a_site_that_leaves_takes_its_link_and_address_with_it_and_can_have_a_daemon_of_its_own(
    sites: list[OneOfMany],
) -> None:
    blog, shop = sites
    with daemon_of(shop) as daemon:
        synced(daemon, "blog")
        alone = blog.config.rename(blog.root / "alone.yaml")
        daemon.until("blog: No longer synced")
        until(lambda: is_free(blog))
        assert not os.path.lexists(blog.state / "daemon.sock")
        assert daemon_address(blog.state) is None
        with Daemon(blog, environment={"XDG_RUNTIME_DIR": ""}, config=alone) as own:
            own.until("Sync 2")
            assert daemon_address(blog.state) == DaemonAddress(blog.state / "daemon.sock")
            synced(daemon, "shop")


def triggered(site: OneOfMany) -> subprocess.CompletedProcess[str]:
    """Runs `syncer trigger` for one of the sites."""
    return run("-m", "syncer", "-c", str(site.configs), "trigger", "--site", site.root.name, env={**os.environ})


def test_the_page_is_where_a_config_says_although_others_that_do_not_say_come_first(sites: list[OneOfMany]) -> None:
    blog, shop = sites
    text = blog.config.read_text(encoding="utf-8")
    blog.config.write_text(re.sub("(?m)^status_page: .*\n", "", text), encoding="utf-8")
    port = free_port()
    shop.configure(schedule=OFTEN, status_page=f"listen: '127.0.0.1:{port}'")
    with daemon_of(shop) as daemon:
        assert f"http://127.0.0.1:{port}/" in daemon.until("Status page at")
        assert daemon.until("blog: Sync")
        assert not any("left out" in line for line in daemon.lines)


def test_the_only_config_that_sets_the_page_comes_back_with_another_one_which_takes_a_restart(
    sites: list[OneOfMany],
) -> None:
    blog, shop = sites
    text = shop.config.read_text(encoding="utf-8")
    shop.config.write_text(re.sub("(?m)^status_page: .*\n", "", text), encoding="utf-8")
    with daemon_of(shop) as daemon:
        synced(daemon, "blog")
        break_config(blog)
        daemon.until("Site left out")
        blog.configure(schedule=OFTEN, status_page="listen: '127.0.0.1:1'")
        assert "WARNING blog: `status_page.listen` takes effect when" in daemon.until("takes effect")
        synced(daemon, "blog")


@pytest.mark.parametrize("kind", ["name", "site", "state", "page"])
def test_two_configs_that_exclude_each_other(sites: list[OneOfMany], kind: str) -> None:
    """Of two alike, the one that is served stays."""
    blog, shop = sites
    changes: dict[str, dict[str, str]] = {
        "name": {"name": "shop"},
        "site": {},
        "state": {"state": f"directory: {shop.state}"},
        "page": {"status_page": "listen: '127.0.0.1:1'"},
    }
    said = {
        "name": "is already the name of",
        "site": "has the same site",
        "state": "uses the same one",
        "page": "remove `status_page` here",
    }
    late = OneOfMany(shop.root if kind == "site" else blog.root, blog.url, blog.configs)
    blog.config.rename(blog.root / "saved")
    with daemon_of(shop) as daemon:
        synced(daemon, "shop")
        if kind == "site":
            text = f"name: other\n{shop.config.read_text('utf-8')}"
            (shop.configs / "a.yaml").write_text(text, encoding="utf-8")
        else:
            late.configure(schedule=OFTEN, **changes[kind])
        assert said[kind] in daemon.until("ERROR Site left out: ")
        synced(daemon, "shop", 2)
        daemon.send(signal.SIGTERM)
        daemon.ended()
    if kind == "name":
        with daemon_of(shop) as daemon:  # at the start, too, one of the two is left out, and the other one is served
            assert said[kind] in daemon.until("ERROR Site left out: ")
            daemon.until("Sync 2")


def start(site: OneOfMany) -> subprocess.CompletedProcess[str]:
    """Runs the daemon of all sites until it ends: it must find that it may not run."""
    return run("-m", "syncer", "-c", str(site.configs), "daemon", env={**os.environ, "YOUTUBE_API_KEY": KEY})


def test_it_does_not_start_without_a_valid_config(sites: list[OneOfMany]) -> None:
    for site in sites:
        break_config(site)
    ended = start(sites[0])
    assert ended.returncode == 2
    assert all(str(site.config) in ended.stderr for site in sites)


# --- many at once ----------------------------------------------------------------------------------------------------


class Relay(ThreadingHTTPServer):
    """Passes requests on to the simulator, and sees which sites ask at the same time, by their keys."""

    daemon_threads = True

    def __init__(self, youtube: Simulator) -> None:
        self.upstream = urlsplit(youtube.url).netloc
        self.lock = threading.Lock()
        self.asking: Counter[str] = Counter()
        self.most = 0
        super().__init__(("127.0.0.1", 0), _Passing)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Passing(BaseHTTPRequestHandler):
    server: Relay

    def do_GET(self) -> None:
        key = self.headers["X-Goog-Api-Key"]
        with self.server.lock:
            self.server.asking[key] += 1
            self.server.most = max(self.server.most, len(+self.server.asking))
        threading.Event().wait(0.05)  # as long as others could begin in
        connection = HTTPConnection(self.server.upstream, timeout=TIMEOUT)
        connection.request("GET", self.path, headers=dict(self.headers))
        response = connection.getresponse()
        body = response.read()
        connection.close()
        with self.server.lock:
            self.server.asking[key] -= 1
        self.send_response(response.status)
        for name in ("Content-Type", "Content-Encoding"):
            if value := response.headers.get(name):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def relay(youtube: Simulator) -> Iterator[Relay]:
    with Relay(youtube) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.mark.parametrize("at_once", [2, 1])
def test_sites_that_are_due_together_sync_so_many_at_a_time_and_are_spread_from_then_on(
    tmp_path: Path, relay: Relay, at_once: int
) -> None:
    names = [f"s{number:02}" for number in range(12)]
    sites = make_sites(tmp_path, relay.url, *names)
    for site in sites:
        (site.root / "key").write_text(f"key-of-{site.root.name}", encoding="utf-8")
        site.configure(schedule="every: 6h, jitter: 0s", youtube=f"api_key_file: {site.root}/key, {QUICK}")
    with daemon_of(sites[0], arguments=() if at_once == 2 else ("--sites-at-once", "1")) as daemon:
        order = [daemon.until(": Sync 2").split()[1].rstrip(":") for _ in names]
        assert set(order) == set(names)
        assert relay.most == at_once
        if at_once == 1:
            assert order == names, "in the order in which they became due"
        starts = {str(site["daemon"]["next_sync"]) for site in status(sites[0])["sites"].values()}  # type: ignore[index]
        assert len(starts) > 9
        daemon.send(signal.SIGTERM)
        assert daemon.ended()[0] == 0


@pytest.mark.storm
def test_a_stop_ends_all_syncs_at_a_safe_point_and_a_kill_leaves_nothing_that_the_next_start_does_not_finish(
    tmp_path: Path, relay: Relay
) -> None:
    sites = make_sites(tmp_path, relay.url, "a", "b", "c", "d", pages=120, schedule=NEVER)
    before = {file: file.read_bytes() for site in sites for file in site.root.glob("content/*.md")}
    with daemon_of(sites[0]) as daemon:
        until(lambda: relay.most == 1 or relay.most == 2)
        daemon.send(signal.SIGTERM)
        assert daemon.ended()[0] == 0
        assert daemon.lines[-1] == "INFO Stopped"
    with daemon_of(sites[0]) as daemon:
        synced(daemon, "a")
        daemon.send(signal.SIGKILL)
        daemon.ended()
    with daemon_of(sites[0]) as daemon:
        logs = [site.state / "diff.jsonl" for site in sites]
        until(lambda: all(log.exists() and log.read_bytes().count(b"\n") == 240 for log in logs), 0.05)
        assert daemon.process.poll() is None
    for site in sites:
        lines = site.log_lines()
        assert len(lines) == len({(line["path"], line["field"]) for line in lines}) == 240
        assert [line["seq"] for line in lines] == list(range(1, 241))
    assert all(file.read_bytes() != text for file, text in before.items())


def test_syncs_that_wait_for_the_locks_of_their_states_keep_no_other_site_waiting_and_are_logged_once(
    tmp_path: Path, youtube: Simulator
) -> None:
    """Two of two at once wait for a minute, and try again and again."""
    *locked, shop = make_sites(tmp_path, youtube.url, "a", "b", "shop")
    with ExitStack() as stack:
        for site in locked:
            stack.enter_context(hold_lock(site.state, timeout=0, sleep=lambda _: None))
        with daemon_of(shop) as daemon:
            synced(daemon, "shop", 4)
            late = Counter(line.split()[1] for line in daemon.lines if "A sync was due" in line)
            assert late["a:"] == late["b:"] == 1, daemon.lines
            stack.close()
            synced(daemon, "a")
            synced(daemon, "b")


# --- what is logged ------------------------------------------------------------------------------------------------


def test_each_line_about_a_site_names_it_and_no_line_shows_a_key_of_any_site(
    sites: list[OneOfMany], youtube: Simulator
) -> None:
    blog, shop = sites
    for site, key in ((blog, OTHER_KEY), (shop, KEY)):
        (site.root / "key").write_text(key, encoding="utf-8")
        site.configure(schedule=OFTEN, youtube=f"api_key_file: {site.root}/key, {QUICK}")
    with daemon_of(shop, "-vv", "--log-format", "json") as daemon:
        until(lambda: sum('"event": "synced"' in line for line in daemon.lines) > 3, 0.05)
        daemon.send(signal.SIGTERM)
        daemon.ended()
    lines = [json.loads(line) for line in daemon.lines]
    for event in ("started", "synced", "planned", "batch", "batch-written", "scheduled"):
        of_event = [line for line in lines if line.get("event") == event]
        assert {line["site"] for line in of_event} == {"blog", "shop"}, event
    assert not any("site" in line for line in lines if line.get("event") in ("serving", "stopped"))
    assert not any(key in line for line in daemon.lines for key in (KEY, OTHER_KEY))


def test_the_log_shows_no_key_that_the_daemon_ever_had(sites: list[OneOfMany]) -> None:
    """A key that was replaced, and those of sites that were removed, may still be in an error."""
    blog, shop = sites
    secrets = [f"s3cret-key-number-{number}-xyz" for number in range(3)]
    with daemon_of(shop) as daemon:
        for secret in secrets:
            (blog.root / "key").write_text(secret, encoding="utf-8")
            blog.configure(schedule=OFTEN, youtube=f"api_key_file: {blog.root}/key, {QUICK}")
            daemon.until("blog: Config reloaded" if secret != secrets[0] else "blog: ")
            synced(daemon, "blog")
        blog.config.unlink()
        daemon.until("blog: No longer synced")
        broken = "".join(f"{secret}: 1\n" for secret in secrets)
        blog.config.write_text(broken, encoding="utf-8")
        until(lambda: sum("Site left out" in line for line in daemon.lines) >= len(secrets), 0.05)
    assert not any(secret in line for line in daemon.lines for secret in secrets)
