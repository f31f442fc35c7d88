"""A limit of open files is the trouble of the sites for which it is too low, not of all."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from syncer.simulator.server import Simulator
from tests.shared_daemon import HASTY, NEVER, daemon_of, make_sites, synced

SOFT = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (48, {hard}))\n"


def test_with_few_files_some_sites_are_left_out_with_a_remedy_and_the_others_sync(
    tmp_path: Path, youtube: Simulator
) -> None:
    sites = make_sites(tmp_path, youtube.url, *(f"site{n:02}" for n in range(30)), pages=1, schedule=NEVER)
    with daemon_of(sites[0], first=f"{HASTY}{SOFT.format(hard=48)}") as daemon:
        synced(daemon, "site00")
        synced(daemon, "site07")
        daemon.send(signal.SIGTERM)
        assert daemon.ended()[0] == 0
    left_out = [line for line in daemon.lines if "Site left out" in line]
    assert 0 < len(left_out) < 30
    assert all("raise `LimitNOFILE=`" in line for line in left_out)
    assert not any("bug" in line for line in daemon.lines)


def test_several_sites_use_as_many_files_as_the_system_allows(tmp_path: Path, youtube: Simulator) -> None:
    sites = make_sites(tmp_path, youtube.url, *(f"site{n:02}" for n in range(12)), pages=1, schedule=NEVER)
    with daemon_of(sites[0], first=f"{HASTY}{SOFT.format(hard=4096)}") as daemon:
        synced(daemon, "site00")
        limits = Path(f"/proc/{daemon.process.pid}/limits").read_text("ascii")
    assert re.search(r"Max open files +4096 +4096", limits)
    assert not any("left out" in line for line in daemon.lines)
