"""The how-to about fleets, as on the page: its SQL gives the least rights, its certificates protect the way."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from syncer.errors import StateError
from syncer.model import ServerAddress
from syncer.simulator.server import Simulator
from tests.doc_blocks import DOCS, blocks
from tests.forks import Fork
from tests.places import need
from tests.postgres import PostgreSQL, running_postgres
from tests.site import Run, Site, counts, crlf
from tests.waiting import until

if TYPE_CHECKING:
    from syncer.state.ledger_connection import InTime

PAGE = DOCS / "how-to" / "run-a-fleet.md"
NAME, ADDRESS, NETWORK = "db.example.com", ", 10.0.0.2", "10.0.0.0/24"
"""Of the server on the page, where else than here it listens, and where its clients are."""
OWNER, WORKER = "owner's", "worker's"
"""The passwords."""

pytestmark = pytest.mark.storm


def connect(place: ServerAddress) -> InTime:
    from syncer.state.ledger_connection import connect as real  # only now: it needs psycopg

    return real(place)


def text_of(containing: str, *languages: str) -> str:
    (found,) = [block.text for block in blocks(PAGE, *languages) if containing in block.text]
    return found


def typed(command: str, address: str) -> list[str]:
    """The words of a command of the page after `syncer`, with this address."""
    words = shlex.split(command)[1:]
    assert words[-1].startswith("postgresql://"), command
    return [*words[:-1], address]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the reader has created the authority and the certificate, for a server here."""
    return certified(tmp_path_factory.mktemp("certificates"))


def certified(place: Path) -> Path:
    need("openssl")
    script = text_of("openssl req -x509", "sh").replace(NAME, "localhost")
    subprocess.run(["sh", "-ec", script], cwd=place, check=True, capture_output=True)
    return place


@pytest.fixture(scope="module")
def server(certificates: Path) -> Iterator[PostgreSQL]:
    """The reader's server, on which what the page types into psql is done."""

    with running_postgres() as made:
        made.stop()
        for name in ("server.crt", "server.key"):
            shutil.copy(certificates / name, made.data)
            shutil.chown(made.data / name, *(made.data.stat().st_uid, made.data.stat().st_gid))
        (made.data / "server.key").chmod(0o600)
        with (made.data / "postgresql.conf").open("a") as file:
            settings = text_of("ssl = on", "text").replace("/etc/postgresql", str(made.data))
            assert ADDRESS in settings
            file.write(settings.replace(ADDRESS, ""))
        allowed = text_of("hostssl", "text").replace(NETWORK, "127.0.0.1/32")
        (made.data / "pg_hba.conf").write_text(f"{allowed}host all postgres 127.0.0.1/32 trust\n", encoding="ascii")
        made.start()
        place = made.address("postgres")
        for line in [*text_of("CREATE ROLE", "sql").splitlines(), *text_of("CREATE DATABASE", "sql").splitlines()]:
            if line.startswith("\\password "):
                name = line.split()[1]
                made.execute(place, f"ALTER ROLE {name} PASSWORD $${OWNER if name.endswith('owner') else WORKER}$$")
            elif line.startswith("\\connect "):
                place = made.address(line.split()[1])
            else:
                made.execute(place, line)
        yield made


@pytest.fixture(scope="module")
def shown(server: PostgreSQL, certificates: Path) -> str:
    """The address that the page sets in the configs, for this server."""
    (address,) = set(re.findall(r"^  ledger: (\S+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    return str(address).replace(NAME, f"localhost:{server.port}").replace("/etc/syncer", str(certificates))


@pytest.fixture(autouse=True)
def no_other_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def created(shown: str, syncer: Run, monkeypatch: pytest.MonkeyPatch) -> ServerAddress:
    """The address of the workers, once the owner has created the tables."""
    before, command, after = text_of("fleet init", "sh").splitlines()
    assert before.startswith("read -rs PGPASSWORD && export PGPASSWORD ")
    assert after == "unset PGPASSWORD"
    monkeypatch.setenv("PGPASSWORD", OWNER)
    ran = syncer(*typed(command, shown.replace("//syncer@", "//syncer_owner@")))
    assert ran.code == 0, ran.err
    monkeypatch.setenv("PGPASSWORD", WORKER)
    return ServerAddress(shown)


def test_with_the_least_rights_a_worker_syncs_and_drains(
    created: ServerAddress, site: Site, syncer: Run, youtube: Simulator
) -> None:
    site.configure(quota=f"ledger: '{created}'", schedule="every: 24h")
    site.put("content/a.md", crlf("dQw4w9WgXcQ", 1, 2))
    assert syncer("check").code == 0
    command = text_of("\nsyncer check", "sh").splitlines()[-1].split()
    status = text_of("syncer fleet status\n", "sh").split()[1:]
    drain = text_of("syncer fleet drain --host", "sh").split()[1:]
    page = site.root / "content" / "a.md"
    with Fork("-m", *command, "--host", "web-2", cwd=site.root) as worker:
        try:
            until(lambda: page.read_bytes() == crlf("dQw4w9WgXcQ", *counts(youtube, "dQw4w9WgXcQ")))
            ran = syncer("fleet", "sync", "site")
            assert ran.code == 0, ran.err
            assert "1 host, 1 site; none needs attention." in syncer(*status).out
            assert syncer(*drain).code == 0
            assert worker.wait() == 0
        finally:
            worker.kill()
    elsewhere = typed(text_of('syncer fleet status "', "sh"), created)
    assert "host web-2 is stopped" in syncer(*elsewhere).out
    assert syncer(*text_of("syncer fleet drain --release", "sh").split()[1:]).code == 0
    assert "web-2" not in syncer(*elsewhere).out


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE SCHEMA another",
        "CREATE TABLE syncer.another (number integer)",
        "CREATE TABLE syncer_queue.another (number integer)",
        "CREATE TABLE public.another (number integer)",
        "CREATE TEMPORARY TABLE another (number integer)",
        "ALTER TABLE syncer.units ADD COLUMN another integer",
        "TRUNCATE syncer.units",
        "DROP TABLE syncer.meta",
        "DROP SCHEMA syncer_queue CASCADE",
        "COPY syncer.units TO PROGRAM 'cat'",
    ],
)
def test_the_password_of_the_workers_gives_no_other_right(created: ServerAddress, sql: str) -> None:
    from psycopg.errors import InsufficientPrivilege

    with closing(connect(created)) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(sql.encode())


def test_the_connection_is_encrypted_and_only_to_the_server_of_that_name_and_authority(
    created: ServerAddress, certificates: Path
) -> None:
    with closing(connect(created)) as connection:
        encrypted = connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
    assert encrypted == (True,)
    another = created.replace("//syncer@localhost:", "//syncer@127.0.0.1:")
    with pytest.raises(StateError, match="does not match host name"):
        connect(ServerAddress(another))
    with pytest.raises(StateError, match=r"certificate verify failed.*check `quota.ledger`"):
        connect(ServerAddress(created.replace(f"{certificates}/ca.crt", "system")))
    with pytest.raises(StateError, match="no encryption"):
        connect(ServerAddress(created.partition("?")[0] + "?sslmode=disable"))


def test_while_the_authority_changes_both_are_accepted(
    created: ServerAddress, certificates: Path, tmp_path: Path
) -> None:
    new, both = certified(tmp_path) / "ca.crt", tmp_path / "both.crt"
    only_new = ServerAddress(created.replace(str(certificates / "ca.crt"), str(new)))
    with pytest.raises(StateError, match="certificate verify failed"):
        connect(only_new)
    both.write_bytes((certificates / "ca.crt").read_bytes() + new.read_bytes())
    connect(ServerAddress(created.replace(str(certificates / "ca.crt"), str(both)))).close()
