"""The sockets on which the daemon listens: where they are, and who has them if they are taken."""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir, mkdtemp

from syncer.errors import ConfigError
from syncer.state.directory import DAEMON_SOCKET

LONGEST_PATH_BYTES = 107 if sys.platform == "linux" else 103
"""Bytes that the path of a Unix socket may have: the size of `sun_path` without its closing zero."""

PROBE_TIMEOUT = 1.0
"""Seconds that a program has to say whose daemon it is."""

PROBE_BYTES = 1 << 20
"""Bytes of its response that are read: it may be any program."""

SITES_NAMED = 2
"""The sites of another daemon that are named."""

SERVICE_SOCKET = "syncer.sock"
"""The socket's name in the runtime directory that systemd gives a unit."""


def socket_path(environment: Mapping[str, str], site: str, state_directory: Path) -> Path:
    """Return where the daemon of a site has its Unix socket: `site` is its real path. Raises ConfigError."""
    path = _in_runtime_directory(environment, site) or state_directory / DAEMON_SOCKET
    return _short_enough(path, "Set XDG_RUNTIME_DIR, or a shorter `state.directory`.")


def shared_socket_path(environment: Mapping[str, str], configs: Iterable[str]) -> Path:
    """Return where the daemon of several sites has its Unix socket: in no site's state, because each can be removed.

    `configs` are the real paths of what the command line names. Without a runtime directory, the socket is in a
    directory of this user among the temporary files, which is created if need be. Raises ConfigError.
    """
    named = "\0".join(["sites", *configs])
    path = _in_runtime_directory(environment, named) or _private_directory() / _name_for(named)
    return _short_enough(path, "Set XDG_RUNTIME_DIR to a directory with a shorter path.")


def _in_runtime_directory(environment: Mapping[str, str], owner: str) -> Path | None:
    """Return the path of a socket in the runtime directory of the unit or the user; None: there is none."""
    runtime = environment.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    of_user = environment.get("XDG_RUNTIME_DIR", "")
    if runtime:
        return Path(runtime, SERVICE_SOCKET)
    return Path(of_user, _name_for(owner)) if of_user and os.path.isdir(of_user) else None


def _name_for(owner: str) -> str:
    return f"syncer-{sha256(os.fsencode(owner)).hexdigest()[:12]}.sock"


def _short_enough(path: Path, remedy: str) -> Path:
    if len(os.fsencode(path)) > LONGEST_PATH_BYTES:
        reason = f"the path is too long for a Unix socket (at most {LONGEST_PATH_BYTES} bytes)"
        raise ConfigError(f"{path}: {reason}. {remedy}")
    return path


def _private_directory() -> Path:
    """Return a directory of this user's sockets, made if need be, that no other user can open.

    Another user who took its name first must not keep the daemon from its start: then it is a new one with any name.
    Raises ConfigError.
    """
    path = _private_path()
    try:
        return path if _is_private(path) else Path(mkdtemp(prefix=f"{path.name}-", dir=path.parent))
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"{path}: cannot make this directory for a socket: {reason}. Set XDG_RUNTIME_DIR.") from error


def _private_path() -> Path:
    return Path(gettempdir(), f"syncer-{os.geteuid()}")


def _is_private(path: Path) -> bool:
    """Make this directory, if need be; return whether it is this user's, and no other can open it. Raises OSError."""
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    status = path.lstat()
    is_own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
    return is_own and not stat.S_IMODE(status.st_mode) & 0o077


@contextmanager
def listening(listen: str | None, path: Path) -> Iterator[list[socket.socket]]:
    """Yield the sockets to serve on: a Unix socket, and `HOST:PORT` where one is given. Raises ConfigError."""
    with ExitStack() as stack:
        sockets = [_tcp(listen)] if listen else []
        for each in sockets:
            stack.enter_context(each)
        sockets.append(stack.enter_context(_unix(path)))
        stack.callback(path.unlink, missing_ok=True)
        yield sockets


def require_listening(listen: str | None, path: Path) -> None:
    """Raise ConfigError where `listening` would. No socket is made at the path, and none is removed."""
    if listen:
        _tcp(listen).close()
    try:
        _is_left_over(path)
        if not os.access(path.parent, os.W_OK | os.X_OK) and (path.parent.exists() or path.name != DAEMON_SOCKET):
            raise PermissionError(errno.EACCES, f"cannot write in {path.parent}. Check its permissions")
    except OSError as error:
        raise _no_socket(path, error) from error


def replace_removed(path: Path) -> socket.socket | None:
    """Return a socket that listens at the path of one that was removed; None if that is still there.

    It may be on a disk that does not respond. Raises ConfigError where none can be made now, such as while the runtime
    directory of the user is missing, or where another file has the name.
    """
    with suppress(OSError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            return None
    directory, private = path.parent, _private_path()
    is_made = directory.parent == private.parent and directory.name.startswith(private.name)
    try:
        if is_made and not _is_private(directory):
            raise PermissionError(errno.EPERM, "other users can change its directory")
    except OSError as error:
        raise _no_socket(path, error) from error
    return _unix(path)


def address_of(tcp: socket.socket) -> str:
    """Return the URL for a browser of what is served on this socket."""
    host, port = tcp.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _tcp(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, int(port)))
        made.listen(128)
    except OSError as error:
        made.close()
        reason = error.strerror
        if error.errno == errno.EADDRINUSE:
            with socket.socket(made.family, socket.SOCK_STREAM) as probe:
                reason = f"{_user_of(probe, (host, int(port)))} uses it"
        wrong = "an address of this machine" if error.errno == errno.EADDRNOTAVAIL else "another port"
        raise ConfigError(
            f"status_page.listen: cannot listen on {listen}: {reason}. "
            f"Set {wrong}, or `status_page: null` to turn the page off."
        ) from error
    return made


def _unix(path: Path) -> socket.socket:
    """Listen on a path, in place of a socket that a crash left; only its owner and group may connect."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if _is_left_over(path):
            path.unlink()
        made.bind(str(path))
        path.chmod(0o660)  # not by the umask: it is the process's, and syncs make files meanwhile
        made.listen(128)  # nobody could connect before
    except OSError as error:
        made.close()
        raise _no_socket(path, error) from error
    return made


def _no_socket(path: Path, error: OSError) -> ConfigError:
    message = f"{path}: cannot make a Unix socket here: {error.strerror or error}."
    if error.errno == errno.EADDRINUSE:
        own = ", or give this unit its own `RuntimeDirectory=`" if path.name == SERVICE_SOCKET else ""
        message += f" Stop it first{own}."
    return ConfigError(message)


def _is_left_over(path: Path) -> bool:
    """Whether a socket is there on which nobody listens, or a link to one, as a daemon of several sites makes it.

    Raises OSError where somebody listens, or where it is something else.
    """
    try:
        kind = path.lstat().st_mode
        if not (stat.S_ISSOCK(kind) or stat.S_ISLNK(kind)):
            raise FileExistsError(errno.EEXIST, "another file has this name. Move it away")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            user = _user_of(probe, str(path))
    except FileNotFoundError:
        return path.is_symlink()
    except ConnectionRefusedError:
        return True
    raise OSError(errno.EADDRINUSE, f"{user} uses it")


def _user_of(probe: socket.socket, address: str | tuple[str, int]) -> str:
    """Return who listens on an address: the daemon of a site or of several, or another program.

    Raises FileNotFoundError and ConnectionRefusedError if nobody does.
    """
    try:
        names = _document(probe, address, "/api/v1/sites").get("sites")
        if isinstance(names, list):
            return _daemon_of(names)
        with socket.socket(probe.family, socket.SOCK_STREAM) as again:
            return f"the daemon of {_document(again, address, '/api/v1/status')['site']}"
    except (FileNotFoundError, ConnectionRefusedError):
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "another program"


def _document(probe: socket.socket, address: str | tuple[str, int], path: str) -> dict[str, object]:
    """Return the JSON document at a path, of whatever program responds there; anything can be wrong with it."""
    probe.settimeout(PROBE_TIMEOUT)
    probe.connect(address)
    probe.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    answer, until = b"", time.monotonic() + PROBE_TIMEOUT
    while len(answer) < PROBE_BYTES and time.monotonic() < until and (piece := probe.recv(PROBE_BYTES)):
        answer += piece
    _, _, body = answer.partition(b"\r\n\r\n")
    document: dict[str, object] = json.loads(body)
    return document


def _daemon_of(names: list[object]) -> str:
    """Return what a daemon with these sites is called."""
    if not names:
        return "a daemon without a site"
    if len(names) <= SITES_NAMED:
        return f"the daemon of {' and '.join(map(str, names))}"
    return f"the daemon of {', '.join(map(str, names[:SITES_NAMED]))} and {len(names) - SITES_NAMED} more"
