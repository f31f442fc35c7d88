"""Where the code relies on what a library does not promise, a test names it and says what a release broke.

What rests on these hooks is tested elsewhere too, but fails there in a less obvious way.
"""

from __future__ import annotations

import ast
import asyncio
import http.client
import io
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from importlib.metadata import version
from pathlib import Path

import httplib2
import pydantic
import pytest
import tomli
import uvicorn
import yaml
from apscheduler.events import EVENT_JOB_REMOVED
from apscheduler.schedulers.background import BackgroundScheduler
from starlette.responses import PlainTextResponse

from tests.waiting import TIMEOUT

ROOT = Path(__file__).parent.parent


def check_main_loop() -> None:
    calls: list[str] = []

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            calls.append("startup")

        async def main_loop(self) -> None:
            calls.append("main_loop")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serve(Server(uvicorn.Config(PlainTextResponse(""), lifespan="off", log_config=None)), listener)
    assert calls == ["startup", "main_loop"]


def check_protocol() -> None:
    from uvicorn.protocols.http.h11_impl import H11Protocol

    calls: list[str] = []

    class Protocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
            super().connection_made(transport)
            self.loop.call_later(0, transport.abort)
            calls.append("made")

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            calls.append("lost")
            server.should_exit = True

    server = uvicorn.Server(uvicorn.Config(PlainTextResponse(""), http=Protocol, lifespan="off", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname(), TIMEOUT):
        serve(server, listener)
    assert calls == ["made", "lost"]


def check_scheduler_clock() -> None:
    from apscheduler.schedulers import base

    class Later:
        """A clock that is a day ahead."""

        @staticmethod
        def now(zone: tzinfo) -> datetime:
            return datetime.now(zone) + timedelta(days=1)

    ran = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "datetime", Later)
        scheduler = BackgroundScheduler(timezone=UTC)
        scheduler.add_listener(
            lambda _event: ran.set(), EVENT_JOB_REMOVED
        )  # not before: it looks for the job once more
        scheduler.add_job(ran.is_set, "date", run_date=datetime.now(UTC) + timedelta(hours=23), misfire_grace_time=None)
        scheduler.start()
        try:
            assert ran.wait(TIMEOUT)
        finally:
            scheduler.shutdown()


def check_connections() -> None:
    calls: list[str] = []

    class Connection(httplib2.HTTPConnectionWithTimeout):
        def connect(self) -> None:
            calls.append("connect")

        def request(self, *_arguments: object, **_options: object) -> None:
            calls.append("request")

        def getresponse(self) -> http.client.HTTPResponse:
            calls.append("getresponse")
            raise EOFError

    assert issubclass(httplib2.HTTPConnectionWithTimeout, http.client.HTTPConnection)
    assert issubclass(httplib2.HTTPSConnectionWithTimeout, http.client.HTTPSConnection)
    with pytest.raises(EOFError):
        httplib2.Http(proxy_info=None).request("http://127.0.0.1:1/", connection_type=Connection)
    assert calls == ["connect", "request", "getresponse"]


def check_response_file() -> None:
    here, there = socket.socketpair()
    there.close()
    with here:
        response = http.client.HTTPResponse(here)
        response.fp.close()
        response.fp = io.BufferedReader(io.BytesIO(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
        response.begin()
        assert response.read() == b"ok"


def check_model() -> None:
    from googleapiclient.model import JsonModel

    class Raw(JsonModel):
        def deserialize(self, content: bytes) -> bytes:  # type: ignore[override] # the stub says None
            return content

    assert (
        Raw().response(  # type: ignore[no-untyped-call]
            httplib2.Response({"status": 200}), b"not JSON"
        )
        == b"not JSON"
    )


def check_duplicate_keys() -> None:
    for text, words in (
        ("a = 1\na = 2", "Cannot overwrite a value"),
        ("a = {b = 1, b = 2}", "Duplicate inline table key"),
    ):
        with pytest.raises(tomli.TOMLDecodeError) as caught:
            tomli.loads(text)
        assert caught.value.msg.startswith(words)


def check_libyaml() -> None:
    assert not yaml.__with_libyaml__ or list(yaml.parse("a: 1", Loader=yaml.CSafeLoader))


def check_reader_error() -> None:
    with pytest.raises(yaml.reader.ReaderError) as caught:
        yaml.compose("a: \x00", Loader=yaml.SafeLoader)
    assert (caught.value.position, int(caught.value.character)) == (3, 0)


def check_place_of_a_key() -> None:
    class Model(pydantic.BaseModel):
        counts: dict[int, str]

    with pytest.raises(pydantic.ValidationError) as caught:
        Model.model_validate({"counts": {"x": "y"}})
    assert caught.value.errors()[0]["loc"] == ("counts", "x", "[key]")


def serve(server: uvicorn.Server, listener: socket.socket) -> None:
    """Run the server in a thread, as the daemon does, until it ends by itself."""
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    thread.join(TIMEOUT)
    ended = not thread.is_alive()
    server.should_exit = True
    thread.join()
    assert ended


@dataclass(frozen=True, slots=True)
class Hook:
    """Something of a library that its documentation does not promise, and what no longer works without it."""

    library: str
    name: str
    use: str
    """Words of the code that use it."""
    loss: str
    check: Callable[[], None]


HOOKS = (
    Hook(
        "uvicorn", "Server.main_loop", "async def main_loop(",
        "the status page's thread does not stop with the daemon, or wakes up ten times a second", check_main_loop,
    ),
    Hook(
        "uvicorn", "H11Protocol", "(H11Protocol)",
        "nothing cuts a connection to the status page that is held open", check_protocol,
    ),
    Hook(
        "APScheduler", "its module's `datetime`", '"apscheduler.schedulers.base.datetime',
        "the tests cannot move the clock of the daemon's scheduler", check_scheduler_clock,
    ),
    Hook(
        "httplib2", "HTTPConnectionWithTimeout", "httplib2.HTTPConnectionWithTimeout",
        "requests to YouTube are not counted where they are sent, not bounded, and cannot be cut", check_connections,
    ),
    Hook(
        "Python", "HTTPResponse.fp", "self.fp = ",
        "an answer of any size is read into memory", check_response_file,
    ),
    Hook(
        "google-api-python-client", "JsonModel.deserialize", "def deserialize(",
        "the client library parses an answer before syncer checks it", check_model,
    ),
    Hook(
        "tomli", "messages about a repeated key", '"Cannot overwrite a value"',
        "a repeated key in TOML is reported as invalid front matter", check_duplicate_keys,
    ),
    Hook(
        "PyYAML", "__with_libyaml__", "yaml.__with_libyaml__",
        "YAML is read by the slow parser, or not at all", check_libyaml,
    ),
    Hook(
        "PyYAML", "reader.ReaderError", "yaml.reader.ReaderError",
        "the line of a character that a config may not hold is not named", check_reader_error,
    ),
    Hook(
        "pydantic", "the word `[key]` in the place of an error", '("[key]",)',
        "an error in the name of a count is reported below a key that is not in the config", check_place_of_a_key,
    ),
)  # fmt: skip


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: f"{hook.library} {hook.name}")
def test_a_library_still_has_the_hook_that_we_use(hook: Hook, sources: Mapping[str, str]) -> None:
    users = ", ".join(path for path, text in sources.items() if hook.use in text)
    assert users, f"nothing uses {hook.name} of {hook.library} any more: remove it from the table"
    try:
        hook.check()
    except Exception as error:  # noqa: BLE001 - whatever it is, the sentence says more
        release = "" if hook.library == "Python" else f" {version(hook.library)}"
        changed = f"{hook.library}{release} has changed {hook.name}, which {users} uses"
        pytest.fail(f"{changed}. Without it, {hook.loss}: {error!r}")


def test_nothing_private_is_imported_from_a_library(sources: Mapping[str, str]) -> None:
    known = {*sys.stdlib_module_names, "syncer", "tests"}
    found = [
        f"{path}: {name}"
        for path, text in sources.items()
        for name in imports(text)
        if name.split(".")[0] not in known and re.search(r"\._(?!_)", name)
    ]
    assert not found


@pytest.fixture(scope="module")
def sources() -> Mapping[str, str]:
    """Return the text of each Python file of the project but this one, by its path."""
    files = [path for room in ("syncer", "tests") for path in sorted(ROOT.glob(f"{room}/**/*.py"))]
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in files if path != Path(__file__)
    }


def imports(text: str) -> Iterator[str]:
    """Yield the dotted name of each thing that a module imports."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
