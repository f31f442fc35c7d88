"""The benchmarks run from one end to the other: no figure is tested, only that there are figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from benchmarks.site import make_site
from benchmarks.table import TITLES

ROOT = Path(__file__).parent.parent


def test_the_benchmarks_run_and_tell_every_figure(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--pages", "50", "--rounds", "2", "--write", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(title in done.stdout for title in TITLES.values())
    assert "not judged" in done.stdout
    assert done.stdout in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert ET.parse(tmp_path / "results.svg").getroot().tag.endswith("svg")


def test_a_generated_site_is_the_same_each_time_and_in_the_form_of_the_real_ones(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_site(tmp_path / name, 120)
    one, two = (
        {path.relative_to(site): path.read_bytes() for path in site.rglob("*.md")}
        for site in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two
    assert len({path.parent for path in one}) == 100
    assert all(1_500 < len(page) < 2_500 and page.count(b"\r\n") == page.count(b"\n") == 14 for page in one.values())
