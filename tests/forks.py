"""Starts `python -m syncer` and other Python by a fork of a process that has loaded the program and waits for orders.

A Python that begins from nothing takes half a second of the processor, and the tests start some hundreds. What is
about the start itself (what is loaded when, the encoding, memory, `python -c` in a shell) starts a real one instead.

Each order is its length and JSON, and brings along the three descriptors that become the standard streams of the child.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import io
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from runpy import run_module
from tempfile import TemporaryDirectory
from typing import IO, Any, Self

ROOT = Path(__file__).parent.parent
PR_SET_PDEATHSIG = 1
"""prctl(2): which signal a process gets when its parent ends."""

TIMEOUT = 60.0
"""Seconds after which a program that should end is said to hang."""

LENGTH = struct.Struct("!I")
DEVNULL, PIPE = subprocess.DEVNULL, subprocess.PIPE


class _Server:
    """The process that waits for orders, from its first order on; this process has one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._ours: socket.socket | None = None
        self._lock = threading.Lock()

    def ask(self, request: Mapping[str, object], descriptors: Sequence[int] = ()) -> Any:  # JSON as it comes
        with self._lock:
            return self._ask(request, descriptors)

    def _ask(self, request: Mapping[str, object], descriptors: Sequence[int]) -> Any:
        if self._ours is None:
            self._ours, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.forks", str(theirs.fileno())], cwd=ROOT, pass_fds=[theirs.fileno()],
                    env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL,
                )  # fmt: skip
        text = json.dumps(request).encode()
        socket.send_fds(self._ours, [LENGTH.pack(len(text))], descriptors)
        self._ours.sendall(text)
        return json.loads(_received(self._ours, LENGTH.unpack(_received(self._ours, LENGTH.size))[0]))

    def stop(self) -> None:
        """Ends the process and what it has started; the next order starts another one."""
        if self._ours is not None and self._process is not None:
            self._ours.close()
            self._process.wait()
            self._ours = self._process = None


_server = _Server()
stop = _server.stop


class Fork:
    """A started Python, with what a `subprocess.Popen` has; what it prints is text."""

    def __init__(
        self, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None,
        stdin: int = DEVNULL, stdout: int | None = None, stderr: int | None = None,
    ) -> None:  # fmt: skip
        """`words`: what comes after `python`: `-m MODULE` or `-c CODE`, and arguments."""
        self.words = words
        self.returncode: int | None = None
        opened: list[int] = []

        def reader(stream: int | None, number: int) -> tuple[int, IO[str] | None]:
            if stream == PIPE:
                mine, its = os.pipe()
                opened.append(its)
                return its, open(mine, encoding="utf-8", errors="surrogateescape")
            if stream == DEVNULL:
                opened.append(os.open(os.devnull, os.O_RDWR))
                return opened[-1], None
            return number if stream is None else stream, None

        its_input, _ = reader(stdin, 0)
        its_output, self.stdout = reader(stdout, 1)
        its_errors, self.stderr = reader(stderr, 2)
        order = {"words": words, "cwd": str(cwd or Path.cwd()), "env": dict(os.environ if env is None else env)}
        self.pid = int(_server.ask(order, (its_input, its_output, its_errors)))
        for descriptor in opened:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        self.wait()

    def _close(self) -> None:
        for stream in (self.stdout, self.stderr):
            if stream:
                stream.close()

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        if self.returncode is None:
            self.returncode = _server.ask({"wait": self.pid})
        return self.returncode

    def wait(self, timeout: float = TIMEOUT) -> int:
        """Waits for the end; raises `subprocess.TimeoutExpired`."""
        end = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(self.words, timeout)
            time.sleep(0.002)
        return code

    def communicate(self, timeout: float = TIMEOUT) -> tuple[str, str]:
        """Waits for the end; what it printed to those of its two streams that are pipes."""
        with ThreadPoolExecutor(2) as threads:
            readers = [threads.submit(stream.read) if stream else None for stream in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()  # or the readers would wait as well
                raise
            out, err = (one.result(timeout) if one else "" for one in readers)
        self._close()
        return out, err

    def send_signal(self, number: int) -> None:
        if self.poll() is None:  # its number is not another's before that
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run(
    *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = TIMEOUT
) -> subprocess.CompletedProcess[str]:
    """Runs `python` with these words until it ends, as `subprocess.run` does, and returns what it printed."""
    with Fork(*words, cwd=cwd, env=env, stdout=PIPE, stderr=PIPE) as program:
        out, err = program.communicate(timeout)
    return subprocess.CompletedProcess(words, program.wait(), out, err)


CLIENT = f"""\
#!{sys.executable} -IS
import json, os, signal, socket, struct, sys
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
door = socket.socket(socket.AF_UNIX)
door.connect({{door!r}})
order = {{{{"words": ["-c", {{code!r}}, *sys.argv[1:]], "cwd": os.getcwd(), "env": dict(os.environ)}}}}
text = json.dumps(order).encode()
socket.send_fds(door, [struct.pack("!I", len(text))], [0, 1, 2])
door.sendall(text)
answers = door.makefile()
pid = int(answers.readline())
for number in SIGNALS:
    signal.signal(number, lambda number, _: os.kill(pid, number))
signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
code = int(answers.readline())
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""
"""A program whose work a fork does: it takes a twentieth of the time of a Python that loads syncer."""


@contextmanager
def program(file: Path, code: str) -> Iterator[None]:
    """Makes a program for shells that runs this Python code with its arguments, by a fork, while the context lasts."""
    with TemporaryDirectory(prefix="syncer-") as directory, socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{directory}/door")
        door.listen(100)
        file.write_text(CLIENT.format(door=f"{directory}/door", code=code), encoding="utf-8")
        file.chmod(0o755)
        threading.Thread(target=_let_in, args=[door], daemon=True).start()
        try:
            yield
        finally:
            door.shutdown(socket.SHUT_RDWR)


def _let_in(door: socket.socket) -> None:
    while True:
        try:
            connection, _ = door.accept()
        except OSError:  # the context has ended
            return
        threading.Thread(target=_attend, args=[connection], daemon=True).start()


def _attend(connection: socket.socket) -> None:
    with connection:
        head, descriptors, _, _ = socket.recv_fds(connection, LENGTH.size, 3)
        pid = _server.ask(json.loads(_received(connection, LENGTH.unpack(head)[0])), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        connection.sendall(f"{pid}\n".encode())
        while (code := _server.ask({"wait": pid})) is None:
            time.sleep(0.01)
        with suppress(OSError):  # whom it was for has been killed
            connection.sendall(f"{code}\n".encode())


def _received(connection: socket.socket, number: int) -> bytes:
    """So many bytes; fewer where the other side has ended."""
    parts = bytearray()
    while len(parts) < number and (part := connection.recv(number - len(parts))):
        parts += part
    return bytes(parts)


def _serve(connection: socket.socket) -> None:
    import hypothesis  # noqa: F401 - what a test has a program run is often a part of a test's file
    import pytest  # noqa: F401

    from tests.places import load_all

    load_all()
    gc.collect()
    gc.freeze()  # a fork need not copy what it never changes
    while True:
        head, descriptors, _, _ = socket.recv_fds(connection, LENGTH.size, 3)
        if not head:
            return
        request = json.loads(_received(connection, LENGTH.unpack(head)[0]))
        if "wait" in request:
            done, status = os.waitpid(request["wait"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if done else None
        else:
            answer = _fork(request, descriptors, connection)
        text = json.dumps(answer).encode()
        connection.sendall(LENGTH.pack(len(text)) + text)


def _fork(order: Mapping[str, Any], descriptors: Sequence[int], connection: socket.socket) -> int:
    number = os.fork()
    if number:
        for descriptor in descriptors:
            os.close(descriptor)
        return number
    code = 99
    try:
        if sys.platform == "linux":  # one that hangs would outlive tests that are killed
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        connection.close()
        for place, descriptor in enumerate(descriptors):
            os.dup2(descriptor, place)
            os.close(descriptor)
        code = _run(order["words"], order["cwd"], order["env"])
    except SystemExit as ended:
        code = _code_of(ended)
    except BaseException:  # noqa: BLE001 - as Python ends where nothing caught an error
        traceback.print_exc()
        code = 1
    try:  # as a Python ends that has done its work
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _run(words: Sequence[str], directory: str, variables: Mapping[str, str]) -> int:
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()
    tempfile.tempdir = None
    random.seed()
    os.chdir(directory)
    sys.stdin, sys.stdout, sys.stderr = (
        io.TextIOWrapper(open(number, mode, closefd=False), "utf-8", errors, line_buffering=line)  # noqa: SIM115 - to the end
        for number, mode, errors, line in (
            (0, "rb", "surrogateescape", False),
            (1, "wb", "strict", os.isatty(1)),
            (2, "wb", "backslashreplace", True),
        )
    )
    kind, what, *arguments = words
    sys.orig_argv = [sys.executable, *words]
    if kind == "-c":
        sys.argv = ["-c", *arguments]
        sys.path.insert(0, "")
        main = type(sys)("__main__")
        sys.modules["__main__"] = main
        exec(compile(what, "<string>", "exec"), main.__dict__)
        return 0
    sys.argv = [what, *arguments]
    if what == "syncer":
        return int(import_module("syncer.__main__").main())
    run_module(what, run_name="__main__", alter_sys=True)
    return 0


def _code_of(ended: SystemExit) -> int:
    if isinstance(ended.code, str):
        sys.stderr.write(f"{ended.code}\n")
        return 1
    return int(ended.code or 0)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
