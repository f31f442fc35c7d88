"""Which requests the status page accepts, and what a hostile page, browser or client can do: over real sockets."""

from __future__ import annotations

import os
import socket
import stat
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from syncer.errors import ConfigError
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from syncer.status_page import guard, serve, sockets
from tests.ports import free_port
from tests.site import KEY, Site, ids
from tests.steered import Served, served
from tests.waiting import until

TOKEN = "a-token-of-the-tests-0123456789"
HOSTILE = "<script>alert(\"x\")</script> & 'more'"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One page for many tests, which start no sync: to stop a page takes a tenth of a second."""
    with Simulator(World()) as youtube:
        site = Site(tmp_path_factory.mktemp("page") / "site", youtube.url)
        (site.root / "content" / "lists").mkdir(parents=True)
        site.configure()
        with served(site) as running:
            yield running


@pytest.fixture
def new_page(site: Site) -> Iterator[Served]:
    with served(site) as running:
        yield running


@pytest.fixture
def with_token(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("PAGE_TOKEN", TOKEN)
    site.configure(status_page="listen: '127.0.0.1:0', token_env: PAGE_TOKEN, hosts: [counts.example.org]")
    with served(site) as running:
        yield running


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:{port}", "[::1]:80", "LocalHost:1"])
def test_loopback_host_names_are_accepted(page: Served, host: str) -> None:
    assert page.get("/", Host=host.format(port=page.port)).status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1@evil.example", "", "a b", "x:y"])
@pytest.mark.parametrize("path", ["/", "/api/v1/status", "/metrics", "/healthz"])
def test_a_host_name_that_only_points_to_this_machine_is_refused(page: Served, host: str, path: str) -> None:
    answer = page.get(path, Host=host)
    assert answer.status == 421
    assert b"sync" not in answer.body.replace(b"syncer", b"")


def test_a_request_without_a_host_or_with_two_is_refused(page: Served) -> None:
    for heads in (b"", b"Host: localhost\r\nHost: evil.example\r\n"):
        assert raw(page.port, b"GET / HTTP/1.1\r\n" + heads + b"\r\n").split(b"\r\n")[0].split()[1] in {b"400", b"421"}


def test_a_host_name_from_the_config_is_accepted(with_token: Served) -> None:
    asked = {"Host": "counts.example.org", "Authorization": f"Bearer {TOKEN}"}
    assert with_token.get("/", **asked).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "cross-site", "Origin": "http://127.0.0.1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Referer": "http://evil.example/page"},
        {"Referer": "http://127.0.0.1:1/"},
        {"Referer": "http://["},
        {"Referer": ""},
        {"Origin": "http://["},
    ],
)
@pytest.mark.parametrize("path", ["/triggers", "/api/v1/triggers"])
def test_no_page_of_another_site_starts_a_sync(page: Served, path: str, headers: dict[str, str]) -> None:
    assert page.post(path, **headers).status == 403
    assert page.steered.ticket(1) is None


@pytest.mark.parametrize("headers", [{}, {"Sec_Fetch_Site": "same-origin"}, {"Sec_Fetch_Site": "none"}])
def test_its_own_page_and_a_program_can_start_a_sync(new_page: Served, headers: dict[str, str]) -> None:
    assert new_page.post("/api/v1/triggers", **headers).status == 202
    assert new_page.post("/triggers", Origin=new_page.url, **headers).status == 303
    assert new_page.post("/triggers", Referer=f"{new_page.url}/videos", **headers).status == 303


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST", "OPTIONS", "TRACE"])
def test_other_methods_than_get_are_for_triggers_only(page: Served, method: str) -> None:
    assert page.ask(method, "/").status == 405


@pytest.mark.parametrize("path", ["/", "/style.css", "/api/v1/status", "/metrics", "/healthz", "/nothing"])
def test_with_a_token_set_every_address_needs_it(with_token: Served, path: str) -> None:
    wrong = {"": None, "Bearer": None, f"Bearer {TOKEN}x": None, f"Basic {basic('x')}": None, "Basic =": None}
    for shown in wrong:
        answer = with_token.get(path, **({"Authorization": shown} if shown else {}))
        assert (answer.status, answer.headers["www-authenticate"][:5]) == (401, "Basic")
        assert TOKEN not in answer.text
    assert (
        with_token.get(path, Authorization=f"Bearer {TOKEN}").status
        == with_token.get(path, Authorization=f"Basic {basic(TOKEN)}").status
    )
    assert with_token.get("/", Authorization=f"Bearer {TOKEN}").status == 200


def test_tokens_are_compared_in_constant_time() -> None:
    assert "compare_digest" in guard._shows.__code__.co_names


def test_the_unix_socket_needs_no_host_and_no_token_but_the_permission_to_open_it(with_token: Served) -> None:
    assert with_token.ask_by_socket("GET", "/api/v1/status", Host="anything").status == 200
    assert stat.S_IMODE(with_token.socket.stat().st_mode) == 0o660


@pytest.mark.parametrize("listen", ["0.0.0.0:8787", "[::]:8787", "192.168.1.7:80", "example.org:80"])
def test_without_a_token_it_listens_on_loopback_only(site: Site, listen: str) -> None:
    site.configure(status_page=f"listen: '{listen}'")
    with pytest.raises(ConfigError, match=r"status_page\.listen: .* needs a token"), served(site):
        pass


@pytest.mark.parametrize("token", ["", "short"])
def test_an_empty_or_short_token_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("PAGE_TOKEN", token)
    site.configure(status_page="listen: '127.0.0.1:0', token_env: PAGE_TOKEN")
    with pytest.raises(ConfigError, match="PAGE_TOKEN has no token"), served(site):
        pass


PAGES = ["/", "/videos", "/problems", "/nothing", "/triggers/9", "/syncs/x", "/api/v1/status", "/style.css", "/metrics"]


@pytest.mark.parametrize("path", PAGES)
def test_every_response_forbids_scripts_and_frames(page: Served, path: str) -> None:
    headers = page.get(path).headers
    assert headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
    assert "server" not in headers


def test_text_of_pages_and_requests_is_escaped(site: Site) -> None:
    video, odd = ids(2)
    quoted = HOSTILE.replace('"', '\\"')
    site.put(f"content/{HOSTILE.replace('/', '')}.md", page_with(video, rf"{quoted}\e[31m\0\u202e", "1"))
    site.put("content/<b>odd.md", page_with(odd, quoted, '"<i>1.2M"'))
    with served(site) as page:
        page.steered.trigger(False)
        until(lambda: page.steered.state().running is False and bool(page.get("/api/v1/syncs").document["syncs"]))
        sync = page.get("/api/v1/syncs").document["syncs"][0]["sync"]
        asked = f"/videos?search={'%3Cscript%3E%22%27'}"
        shown = [page.get(path) for path in ("/", f"/videos/{video}", "/videos", asked, "/problems", f"/syncs/{sync}")]
    for answer in shown:
        assert answer.status == 200
        assert "<script" not in answer.text
        assert "<b>" not in answer.text
        assert "<i>" not in answer.text
        assert " style=" not in answer.text
        assert not set(answer.text) & {"\x1b", "\0", "\u202e"}
    assert r"\x1b[31m\x00\u202e" in shown[1].text
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#x27;more&#x27;" in shown[1].text


def test_no_response_contains_the_key(new_page: Served) -> None:
    new_page.steered.trigger(False)
    until(lambda: not new_page.steered.state().running)
    for path in (*PAGES, "/api/v1/syncs", "/api/v1/videos", "/api/v1/quota"):
        assert KEY not in new_page.get(path).text


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/style.css/../guard.py",
        "/guard.py",
        "/videos/..%2f..%2fetc%2fpasswd",
        "/syncs/..%2fdiff.jsonl",
        "/api/v1/videos/%2fetc%2fpasswd/history",
        "/triggers/..",
    ],
)
def test_a_request_cannot_name_a_file_to_open(page: Served, path: str) -> None:
    answer = page.get(path)
    assert answer.status in {400, 404}
    assert "root:" not in answer.text


def test_a_page_that_became_a_link_out_of_the_site_is_not_opened(site: Site, tmp_path: Path) -> None:
    [video] = ids(1)
    inside = site.put("content/a.md", page_with(video, "Mine", "1"))
    outside = tmp_path / "secret.md"
    outside.write_text('---\ntitle: "Not yours"\n---\n')
    with served(site) as page:
        page.steered.trigger(False)
        until(lambda: "Mine" in page.get(f"/videos/{video}").text)
        inside.unlink()
        inside.symlink_to(outside)
        assert "Not yours" not in page.get(f"/videos/{video}").text


def test_a_large_request_is_refused(new_page: Served) -> None:
    assert new_page.post("/api/v1/triggers", b" " * (guard.LARGEST_BODY_BYTES + 1)).status == 413
    endless = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 2 * serve.LARGEST_HEAD_BYTES
    assert b"400" in raw(new_page.port, endless).split(b"\r\n")[0]


def test_a_slow_request_is_closed(new_page: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "CONNECTION_TIMEOUT", 0.2)
    assert raw(new_page.port, b"GET / HTTP/1.1\r\nHost: loc") == b""
    monkeypatch.setattr(guard, "BODY_TIMEOUT", 0.1)
    slow = b"POST /api/v1/triggers HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
    assert b" 408 " in raw(new_page.port, slow)


def test_many_idle_connections_do_not_block_others(new_page: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "CONNECTION_TIMEOUT", 0.5)
    held = [socket.create_connection(("127.0.0.1", new_page.port)) for _ in range(serve.CONNECTION_LIMIT + 8)]
    until(lambda: new_page.get("/healthz").status == 200)
    for each in held:
        each.close()


def test_a_port_in_use_is_one_clear_error(site: Site) -> None:
    port = free_port()
    site.configure(status_page=f"listen: '127.0.0.1:{port}'")
    clear = f"cannot listen on 127.0.0.1:{port}: another program uses it"
    with socket.create_server(("127.0.0.1", port)), pytest.raises(ConfigError, match=clear), served(site):
        pass
    assert not [each for each in site.state.iterdir() if each.suffix == ".sock"]


@pytest.mark.parametrize("piece", [b"x", b"x" * (1 << 16)], ids=["slow", "endless"])
def test_a_program_that_never_ends_its_response_is_not_waited_for(site: Site, piece: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def respond() -> None:
            connection = server.accept()[0]
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while not ended.wait(0.01 if len(piece) == 1 else 0):
                    connection.sendall(piece)

        ended = threading.Event()
        program = threading.Thread(target=respond)
        program.start()
        began = time.monotonic()
        try:
            with pytest.raises(ConfigError, match="another program uses it"):
                sockets.require_listening(f"127.0.0.1:{server.getsockname()[1]}", site.state / "daemon.sock")
        finally:
            seconds = time.monotonic() - began
            ended.set()
            program.join()
    assert seconds < 3 * sockets.PROBE_TIMEOUT


def test_a_path_that_is_too_long_for_a_socket_is_one_clear_error() -> None:
    with pytest.raises(ConfigError, match="too long for a Unix socket"):
        sockets.socket_path({}, "/site", Path("/" + "x" * 120))


def test_the_socket_is_in_the_runtime_directory_of_the_service_or_else_of_the_user(tmp_path: Path) -> None:
    state, run = tmp_path / "state", tmp_path / "run"
    run.mkdir()
    both = {"RUNTIME_DIRECTORY": f"{run}:/other", "XDG_RUNTIME_DIR": str(tmp_path)}
    assert sockets.socket_path(both, "/site", state) == run / "syncer.sock"
    one, other = (sockets.socket_path({"XDG_RUNTIME_DIR": str(run)}, name, state) for name in ("/site", "/other"))
    assert one.parent == run
    assert one != other
    assert sockets.socket_path({"XDG_RUNTIME_DIR": "/gone"}, "/site", state) == state / "daemon.sock"


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """A directory whose path is short enough for that of a socket."""
    with TemporaryDirectory(prefix="s") as name:
        yield Path(name)


def test_the_socket_of_several_sites_is_in_no_state_and_differs_with_their_configs(
    tmp_path: Path, short_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = short_directory
    monkeypatch.setattr("syncer.status_page.sockets.gettempdir", lambda: str(short))
    runtime = {"XDG_RUNTIME_DIR": str(short)}
    assert sockets.shared_socket_path({"RUNTIME_DIRECTORY": "/run/syncer"}, ["/a"]) == Path("/run/syncer/syncer.sock")
    made = {sockets.shared_socket_path(runtime, named) for named in (["/a"], ["/b"], ["/a", "/b"])}
    assert len(made) == 3
    assert sockets.socket_path(runtime, "/a", tmp_path) not in made
    private = sockets.shared_socket_path({}, ["/a"])
    assert private.parent == short / f"syncer-{os.geteuid()}"
    assert private.parent.stat().st_mode & 0o777 == 0o700
    assert private == sockets.shared_socket_path({"XDG_RUNTIME_DIR": "/gone"}, ["/a"])


@pytest.mark.parametrize("kind", ["link", "file", "open", "other-user"])
def test_a_directory_for_the_socket_that_another_user_could_change_is_not_used_and_keeps_no_daemon_from_its_start(
    short_directory: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("syncer.status_page.sockets.gettempdir", lambda: str(short_directory))
    directory = short_directory / f"syncer-{os.geteuid()}"
    if kind == "link":
        (short_directory / "elsewhere").mkdir(mode=0o700)
        directory.symlink_to("elsewhere")
    elif kind == "file":
        directory.touch(mode=0o600)
    else:
        directory.mkdir(mode=0o700)
        if kind == "open":
            directory.chmod(0o710)
        elif os.geteuid():
            pytest.skip("needs root")
        else:
            os.chown(directory, 12345, -1)
    used = sockets.shared_socket_path({}, ["/a"]).parent
    assert used != directory
    assert (used.parent, used.lstat().st_mode & 0o777, used.lstat().st_uid) == (short_directory, 0o700, os.geteuid())


def test_a_socket_that_a_crash_left_is_replaced_and_one_that_is_in_use_is_not(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with (
        sockets.listening(None, path),
        pytest.raises(ConfigError, match="another program uses it"),
        sockets.listening(None, path),
    ):
        pass
    assert not path.exists()
    path.write_text("mine")
    with pytest.raises(ConfigError, match="another file has this name"), sockets.listening(None, path):
        pass
    assert path.read_text() == "mine"


def raw(port: int, request: bytes) -> bytes:
    """The response to these bytes, until the other side closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
        return answer


def basic(password: str) -> str:
    return b64encode(f"ann:{password}".encode()).decode()


def page_with(video: str, title: str, views: str) -> bytes:
    return f'---\ntitle: "{title}"\nvid_id: "{video}"\nviewcount: {views}\nlikeCount: 1\n---\n'.encode()
