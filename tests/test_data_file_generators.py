"""Real generators read the data files after a sync as before it: only the numbers on the built pages change."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from syncer.simulator.server import Simulator
from tests.examples import storms_but
from tests.places import need
from tests.site import Run, counts, ids

A, B = ids(2, seed=23)
ENDPOINT = "https://youtube.googleapis.com/"

JEKYLL = {
    "_config.yml": "title: x\nexclude: [config]\n",
    "_data/talks.yml": f'# newest first\n---\n- title: "A: b"\n  youtube_id: {A}\n  views: 5 # seen\n'
    f"- {{title: y, youtube_id: {B}, views: 7}}\n",
    "_data/library.csv": f'name,youtube,views\n"x, y",{A},"5"\nz,{B},7\n',
    "_data/stats.json": f'{{"{A}": {{"views": 5}}, "{B}": {{"views": 7}}}}',
    "index.html": "---\n---\n"
    "{% for t in site.data.talks %}<p>{{ t.title }} {{ t.youtube_id }} {{ t.views }}</p>\n{% endfor %}"
    "{% for t in site.data.library %}<p>{{ t.name }} {{ t.youtube }} {{ t.views }}</p>\n{% endfor %}"
    "{% for t in site.data.stats %}<p>x {{ t[0] }} {{ t[1].views }}</p>\n{% endfor %}",
}
HUGO = {
    "hugo.toml": 'baseURL = "https://example.org/"\ndisableKinds = ["RSS", "sitemap", "taxonomy", "term", "404"]\n',
    "config.toml": 'baseURL = "https://example.org/"\ndisableKinds = ["RSS", "sitemap", "taxonomy", "term", "404"]\n',
    "data/videos.json": json.dumps({"videos": [{"id": A, "views": "5"}, {"id": B, "views": "7"}]}, indent=2),
    "data/talks.toml": f'[[talks]]\nvideo.id = "{A}"\nvideo.views = 5 # seen\n'
    f'[[talks]]\n[talks.video]\nid = "{B}"\nviews = 7\n',
    "data/list.yaml": f"- youtube: https://youtu.be/{A}\n  views: 5\n- youtube: {B}\n  views: 7\n",
    "layouts/index.html": "{{ range site.Data.videos.videos }}<p>x {{ .id }} {{ .views }}</p>\n{{ end }}"
    "{{ range site.Data.talks.talks }}<p>x {{ .video.id }} {{ .video.views }}</p>\n{{ end }}"
    "{{ range site.Data.list }}<p>x {{ .youtube }} {{ .views }}</p>\n{{ end }}",
}
SITES: Mapping[str, tuple[Mapping[str, str], list[str], str]] = {
    "jekyll": (JEKYLL, ["jekyll", "build", "--quiet", "--disable-disk-cache"], "_site/index.html"),
    "hugo": (HUGO, ["hugo", "--quiet"], "public/index.html"),
}


def built(there: Path, command: list[str], page: str) -> str:
    subprocess.run(command, cwd=there, check=True, capture_output=True, timeout=120)
    return (there / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("generator", storms_but({"hugo"}, SITES))
def test_a_generator_shows_the_new_counts_and_nothing_else_is_new(
    tmp_path: Path, youtube: Simulator, syncer: Run, monkeypatch: pytest.MonkeyPatch, generator: str
) -> None:
    need(generator)
    files, command, page = SITES[generator]
    there = tmp_path / "built"
    for path, text in files.items():
        (there / path).parent.mkdir(parents=True, exist_ok=True)
        (there / path).write_bytes(text.encode())
    monkeypatch.chdir(there)
    before = built(there, command, page)
    assert syncer("init").code == 0
    target = there / "config/syncer.yaml"
    target.write_text(target.read_text(encoding="utf-8").replace(ENDPOINT, youtube.url), encoding="utf-8")
    assert syncer("check").code == 0
    report = syncer("sync", "--json").document
    assert (report["exit"], report["problems"], report["changed_counts"]) == (0, [], 6)
    after = built(there, command, page)
    given = {A: counts(youtube, A)[0], B: counts(youtube, B)[0]}
    assert before.count("<p>") == 6
    expected = re.sub(rf"({A}|{B}) \d+<", lambda found: f"{found[1]} {given[found[1]]}<", before)
    assert after == expected
    assert after != before
    assert syncer("undo", report["sync"]).code == 0
    assert built(there, command, page) == before
