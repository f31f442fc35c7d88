"""`syncer sync` of several sites: each in its turn, whatever happens to the others."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from syncer.cli.environment import sync_one
from syncer.cli.settings import Settings
from syncer.config.sections import Config
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from syncer.state.lock import hold_lock
from tests.forks import PIPE, Fork
from tests.repository import in_git
from tests.several import Sites
from tests.site import KEY, QUICK, Run, crlf, tree
from tests.terminal import environment
from tests.waiting import TIMEOUT, until

BROKEN = "collections: [\n"


@pytest.fixture
def sites(tmp_path: Path, youtube: Simulator, syncer: Run, monkeypatch: pytest.MonkeyPatch) -> Sites:
    """No site yet; the working directory is the one above all, and `sites.d/` in it."""
    monkeypatch.chdir(tmp_path)
    return Sites(tmp_path, youtube.url)


class Trouble(NamedTuple):
    """A way in which a site can be, and what `sync --json` says of it then."""

    code: int
    kind: str | None
    make: Callable[[Sites, str, ExitStack], None]


def well(sites: Sites, name: str, _stack: ExitStack) -> None:
    sites.add(name)


def with_problem(sites: Sites, name: str, _stack: ExitStack) -> None:
    sites.add(name).put("content/bad.md", b"---\nvid_id: nonsense\nviewcount: 1\n---\n")


def invalid(sites: Sites, name: str, _stack: ExitStack) -> None:
    sites.add(name)
    sites.config(name).write_text(BROKEN, encoding="utf-8")


def locked(sites: Sites, name: str, stack: ExitStack) -> None:
    stack.enter_context(hold_lock(sites.add(name).state, timeout=0, sleep=lambda _: None))


def without_key(sites: Sites, name: str, _stack: ExitStack) -> None:
    sites.add(name, key="NO_SUCH_KEY")


def refused(sites: Sites, name: str, _stack: ExitStack) -> None:
    sites.add(name, key="REFUSED_KEY")


TROUBLES = {
    "well": Trouble(0, None, well),
    "problem": Trouble(1, None, with_problem),
    "invalid": Trouble(1, "config", invalid),
    "locked": Trouble(4, "locked", locked),
    "without-key": Trouble(2, "no-key", without_key),
    "refused": Trouble(3, None, refused),
}


@pytest.mark.parametrize(("first", "second"), list(product(TROUBLES, TROUBLES)))
def test_the_trouble_of_one_site_is_its_own_and_the_highest_code_is_that_of_all(
    sites: Sites, syncer: Run, monkeypatch: pytest.MonkeyPatch, first: str, second: str
) -> None:
    monkeypatch.setenv("REFUSED_KEY", "invalid")
    monkeypatch.setattr("syncer.sync.open_state.LOCK_TIMEOUT", 0)
    with ExitStack() as stack:
        for name, trouble in (("blog", first), ("shop", second)):
            TROUBLES[trouble].make(sites, name, stack)
        ran = syncer("-c", "sites.d", "sync", "--json")
    document = ran.document
    if first == second == "invalid":
        assert (ran.code, set(document), document["exit"]) == (2, {"error", "exit"}, 2)
        assert [f"sites.d/{name}.yaml:1: " in document["error"]["message"] for name in ("blog", "shop")] == [True] * 2
        return
    assert set(document) == {"sites", "exit"}
    assert ran.code == document["exit"] == max(TROUBLES[first].code, TROUBLES[second].code)
    for name, trouble in (("blog", first), ("shop", second)):
        key = f"sites.d/{name}.yaml" if trouble == "invalid" else name
        entry, expected = document["sites"].pop(key), TROUBLES[trouble]
        assert entry["exit"] == expected.code
        if expected.kind:
            assert (set(entry), entry["error"]["kind"]) == ({"error", "exit"}, expected.kind)
            assert entry["error"]["message"].split("\n")[0] in ran.err, "and on standard error"
        else:
            assert (entry["pages"], entry["asked"], len(entry["problems"])) == (1, 1, int(trouble != "well"))
        [video] = sites.videos(name)
        written = (sites[name].root / f"content/{video}.md").read_bytes() != crlf(video, 1, 2)
        assert written is (trouble in {"well", "problem"})
    assert document["sites"] == {}


def test_each_site_is_below_its_name_and_the_end_says_which_need_attention(sites: Sites, syncer: Run) -> None:
    sites.add("blog", pages=2)
    sites.add("shop").put("content/bad.md", b"---\nvid_id: nonsense\nviewcount: 1\n---\n")
    sites.add("docs")
    sites.config("docs").write_text(BROKEN, encoding="utf-8")
    ran = syncer("-c", "sites.d", "sync")
    blog, shop, end = ran.out.split("\n\n")
    assert ran.code == 1
    assert blog.startswith("blog:\npage ")
    assert blog.endswith("\n2 pages, 2 videos: 2 requested, 2 returned. Changed 4 counts on 2 pages.")
    assert shop.startswith("shop:\npage ")
    assert "\nProblems: 1\n  content/bad.md:2: " in shop
    assert end == "3 sites, 2 need attention: sites.d/docs.yaml, shop.\n"
    assert ran.err.startswith(f"syncer: {sites.config('docs')}:1: ")
    assert ran.err.count("\n") == 1


def test_quiet_names_only_sites_with_something_to_say_on_standard_error(sites: Sites, syncer: Run) -> None:
    sites.add("blog")
    sites.add("docs", key="NO_SUCH_KEY")
    sites.add("shop").put("content/bad.md", b"---\nvid_id: nonsense\nviewcount: 1\n---\n")
    ran = syncer("-c", "sites.d", "-q", "sync")
    assert (ran.code, ran.out) == (2, "")
    key, name, count, problem = ran.err.splitlines()
    assert key.startswith("syncer: docs: ")
    assert "NO_SUCH_KEY" in key
    assert (name, count, "content/bad.md:2" in problem) == ("shop:", "Problems: 1", True)


def test_the_form_depends_on_the_invocation_alone(sites: Sites, syncer: Run) -> None:
    sites.add("blog")
    assert set(syncer("-c", "sites.d", "sync", "--json").document) == {"sites", "exit"}, "a directory of one"
    assert "sync" in syncer("-c", "sites.d/blog.yaml", "sync", "--json").document
    assert syncer("-c", "sites.d/blog.yaml", "sync", "--site", "blog").out.startswith("1 page, 1 video: ")


def test_the_variable_may_name_a_directory(sites: Sites, syncer: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    sites.add("blog")
    sites.add("shop")
    monkeypatch.setenv("SYNCER_CONFIG", "sites.d")
    assert list(syncer("sync", "--json").document["sites"]) == ["blog", "shop"]
    ran = syncer("log")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "syncer: this command is about one site, but there are 2 configs; name one of them with -c:"
        " sites.d/blog.yaml, sites.d/shop.yaml\n"
    )


def test_site_chooses_sites_by_name_and_an_invalid_config_of_another_does_not_matter(sites: Sites, syncer: Run) -> None:
    for name in ("blog", "docs", "shop"):
        sites.add(name)
    sites.add("notes")
    sites.config("notes").write_text(BROKEN, encoding="utf-8")
    ran = syncer("-c", "sites.d", "sync", "--json", "--site", "shop", "--site", "blog")
    assert (ran.code, list(ran.document["sites"]), ran.err) == (0, ["blog", "shop"], "")
    assert not sites["docs"].state.exists()


def test_a_name_that_no_site_has_is_wrong_before_anything_is_done(
    sites: Sites, syncer: Run, youtube: Simulator
) -> None:
    for name in ("blog", "shop"):
        sites.add(name)
    ran = syncer("-c", "sites.d", "sync", "--site", "blog", "--site", "shpo")
    assert (ran.code, ran.out, youtube.requests) == (2, "", 0)
    assert ran.err == "syncer: --site: no site is called 'shpo'; the sites are blog, shop; did you mean 'shop'?\n"
    ran = syncer("-c", "sites.d/blog.yaml", "sync", "--site", "shop")
    assert (ran.code, ran.err) == (2, "syncer: --site: no site is called 'shop'; the only site is blog\n")


def test_a_name_that_may_be_that_of_an_invalid_config_does_not_keep_the_others_from_their_turn(
    sites: Sites, syncer: Run
) -> None:
    sites.add("blog")
    sites.add("shop")
    sites.config("shop").write_text(BROKEN, encoding="utf-8")
    ran = syncer("-c", "sites.d", "sync", "--json", "--site", "blog", "--site", "shop")
    assert (ran.code, list(ran.document["sites"])) == (1, ["sites.d/shop.yaml", "blog"])
    assert "syncer: --site: no valid config is of a site called shop\n" in ran.err
    ran = syncer("-c", "sites.d", "sync", "--json", "--site", "shop")
    assert (ran.code, ran.document["error"]["kind"]) == (2, "config"), "none is left"


@pytest.mark.parametrize("kind", ["name", "site", "state"])
@pytest.mark.parametrize("command", ["sync", "status", "check", "trigger"])
def test_of_two_configs_that_exclude_each_other_the_second_is_left_out_as_in_a_daemon(
    sites: Sites, syncer: Run, command: str, kind: str
) -> None:
    for name in ("blog", "docs", "shop"):
        sites.add(name, status_page=f"listen: '127.0.0.1:{8799 if name == 'docs' else 0}'")
    config = sites.config("shop")
    text = config.read_text(encoding="utf-8")
    config.write_text(
        {
            "name": f"{text}name: blog\n",
            "site": f"{text.replace(str(sites['shop'].root), str(sites['blog'].root))}name: shop\n",
            "state": f"{text}state: {{directory: {sites['blog'].state}}}\n",
        }[kind],
        encoding="utf-8",
    )
    said = {
        "name": "`name`: blog is already the name of sites.d/blog.yaml; set another one",
        "site": "sites.d/blog.yaml has the same site, ",
        "state": "`state.directory`: sites.d/blog.yaml uses the same one, ",
    }
    ran = syncer("-c", "sites.d", command)
    found = f"sites.d/shop.yaml: {said[kind]}"
    if command == "trigger":
        assert (ran.code, "no daemon is running" in ran.err) == (2, True)
        return
    code, printed = (1, ran.out) if command == "check" else (2, ran.err)
    assert (ran.code, found in printed) == (code, True), ran
    document = syncer("-c", "sites.d", command, "--json").document
    assert list(document["sites"]) == ["sites.d/shop.yaml", "blog", "docs"]
    if command == "sync":
        assert all(document["sites"][name]["pages"] == 1 for name in ("blog", "docs"))
    assert not sites["shop"].state.exists()


def test_a_path_goes_to_the_site_that_it_is_in_and_others_have_no_turn(sites: Sites, syncer: Run) -> None:
    for name in ("blog", "docs", "shop"):
        sites.add(name, pages=2)
    blog, shop = (f"{name}/content/{sites.videos(name)[0]}.md" for name in ("blog", "shop"))
    document = syncer("-c", "sites.d", "sync", "--json", shop, blog).document
    assert {name: report["pages"] for name, report in document["sites"].items()} == {"blog": 1, "shop": 1}
    before = tree(sites.root)
    ran = syncer("-c", "sites.d", "sync", "--json", shop, "sites.d/blog.yaml")
    assert (ran.code, ran.document["error"]["kind"]) == (2, "usage")
    assert "sites.d/blog.yaml: in none of the sites blog, docs, shop" in ran.document["error"]["message"]
    assert "no such file" in syncer("-c", "sites.d", "sync", "nowhere").err
    assert tree(sites.root) == before


def test_of_a_site_in_another_a_path_is_the_inner_ones(sites: Sites, syncer: Run) -> None:
    sites.add("outer")
    sites.add("inner", inside="outer")
    [video] = sites.videos("inner")
    ran = syncer("-c", "sites.d", "sync", "--json", f"outer/inner/content/{video}.md")
    assert (ran.code, list(ran.document["sites"])) == (0, ["inner"])


def test_a_video_is_about_the_sites_that_name_it(sites: Sites, syncer: Run, youtube: Simulator) -> None:
    for name in ("blog", "docs", "shop"):
        sites.add(name, pages=2)
    [first, own], [other, _] = sites.videos("blog", 2), sites.videos("shop", 2)
    sites["shop"].put("content/lists/both.md", f"---\nvideos: [{{id: {first}, viewcount: 1}}]\n---\n".encode())
    document = syncer("-c", "sites.d", "sync", "--json", "--video", first, "--video", other).document
    assert {name: report["videos"] for name, report in document["sites"].items()} == {"blog": 1, "shop": 2}
    requests, unknown = youtube.requests, "AAAAAAAAAAA"
    ran = syncer("-c", "sites.d", "sync", "--video", own, "--video", unknown)
    assert (ran.code, ran.out, youtube.requests) == (2, "", requests)
    assert ran.err == f"syncer: {unknown}: no page of the sites blog, docs, shop names this video\n"


def test_a_site_that_cannot_be_searched_for_a_video_says_so_in_its_turn(sites: Sites, syncer: Run) -> None:
    for name in ("blog", "shop"):
        sites.add(name)
    (sites["shop"].root / "content").rename(sites.root / "away")
    [video] = sites.videos("blog")
    document = syncer("-c", "sites.d", "sync", "--json", "--video", video).document
    assert (document["sites"]["blog"]["videos"], document["exit"]) == (1, 2)
    assert "content is not a directory" in document["sites"]["shop"]["error"]["message"]


def test_the_log_names_the_site_of_each_line(sites: Sites, syncer: Run) -> None:
    for name in ("blog", "shop"):
        sites.add(name)
    lines = syncer("-v", "-c", "sites.d", "sync").err.splitlines()
    named = [line.split(": ")[0] for line in lines]
    assert set(named) == {"INFO blog", "INFO shop"}
    assert named == sorted(named)
    assert {
        json.loads(line)["site"]
        for line in syncer("-v", "-c", "sites.d", "--log-format", "json", "sync").err.splitlines()
    } == {"blog", "shop"}
    assert "blog" not in syncer("-v", "-c", "sites.d/blog.yaml", "sync").err


def test_a_dry_run_writes_in_no_site(sites: Sites, syncer: Run) -> None:
    for name in ("blog", "shop"):
        sites.add(name)
    before = tree(sites.root)
    ran = syncer("-c", "sites.d", "sync", "--dry-run", "--json")
    assert [len(report["changes"]) for report in ran.document["sites"].values()] == [2, 2]
    assert (ran.code, tree(sites.root)) == (0, before)


def test_a_bug_in_one_site_is_logged_with_its_traceback_and_the_others_have_their_turn(
    sites: Sites, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("blog", "shop"):
        sites.add(name)

    def fails_once(settings: Settings, config: Config, *more: Any, **named: Any) -> Any:
        if config.site_name == "blog":
            raise RuntimeError("a bug")
        return sync_one(settings, config, *more, **named)

    monkeypatch.setattr("syncer.cli.sync_sites.sync_one", fails_once)
    ran = syncer("-c", "sites.d", "sync", "--json")
    assert (ran.code, ran.document["sites"]["blog"]["error"]["kind"]) == (70, "bug")
    assert "CRITICAL blog: this is a bug in syncer" in ran.err
    assert "Traceback" in ran.err
    assert ran.document["sites"]["shop"]["exit"] == 0


@pytest.mark.parametrize("command", [["sync"], ["check", "--offline"]])
def test_the_log_shows_the_key_of_no_site(
    sites: Sites,
    syncer: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: Sequence[str],
) -> None:
    keys = {"BLOG": f"{KEY}-of-blog", "SHOP": f"{KEY}-of-shop"}
    for variable, key in keys.items():
        monkeypatch.setenv(variable, key)
        sites.add(variable.lower(), key=variable)
    syncer("-c", "sites.d", *command)
    logging.getLogger("syncer").warning("sent %s and %s", *keys.values())
    assert capsys.readouterr().err == "WARNING sent [key] and [key]\n"


def test_no_program_that_a_sync_starts_gets_the_key_of_any_site(sites: Sites) -> None:
    real, dumps = shutil.which("git"), sites.root / "dumps"
    assert real
    dumps.mkdir()
    fake = sites.root / "programs" / "git"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\nenv > "{dumps}/$$"\nexec {real} "$@"\n', encoding="utf-8")
    fake.chmod(0o755)
    keys = {"BLOG": f"{KEY}-of-blog", "SHOP": f"{KEY}-of-shop"}
    for variable in keys:
        in_git(sites.add(variable.lower(), key=variable, git="commit: true"))
    (sites.root / "key").write_text(f"{KEY}-in-a-file", encoding="utf-8")
    (sites.root / "key").chmod(0o600)
    in_git(sites.add("zoo", youtube=f"{QUICK}, api_key_file: '{sites.root}/key'", git="commit: true"))
    sites.add("broken", key="BROKEN_KEY", more="colections: []\n")
    keys["BROKEN_KEY"] = f"{KEY}-of-an-invalid-config"
    shell = environment(**keys, A_COPY=f"{KEY}-in-a-file", PATH=f"{fake.parent}:{os.environ['PATH']}")
    with Fork("-m", "syncer", "-c", "sites.d", "sync", cwd=sites.root, env=shell, stdout=PIPE, stderr=PIPE) as process:
        out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, out.count("Committed as ")) == (1, 3), err
    seen = [dump.read_text(encoding="utf-8") for dump in dumps.iterdir()]
    assert len(seen) > 2
    assert [text for text in seen if f"{KEY}-" in text] == []


@contextmanager
def stopped_in_the_second(
    sites: Sites, slow: Simulator, *options: str, signals: Sequence[int] = (signal.SIGINT,)
) -> Iterator[tuple[str, str, int]]:
    """Begins a sync of three sites, and interrupts it while the second requests its counts."""
    for name, pages in (("a", 1), ("b", 300), ("c", 1)):
        sites.add(name, pages=pages)
    text = sites.config("b").read_text(encoding="utf-8")
    sites.config("b").write_text(re.sub("'http[^']*', ", f"'{slow.url}', connections: 1, ", text), encoding="utf-8")
    words = ["-m", "syncer", "-c", "sites.d", "sync", *options]
    with Fork(*words, cwd=sites.root, env=environment(), stdout=PIPE, stderr=PIPE) as process:
        until(lambda: slow.requests >= 2 or process.poll() is not None)
        for number in signals:
            process.send_signal(number)
        out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode is not None
    yield out, err, process.returncode


def test_ctrl_c_in_the_second_of_three_does_not_begin_the_third(sites: Sites) -> None:
    with Simulator(World(), latency=0.2) as slow, stopped_in_the_second(sites, slow) as (out, err, code):
        assert (code, err) == (130, "syncer: stopped before the turn of c\n")
    a, b, end = out.split("\n\n")
    assert a.endswith("\n1 page, 1 video: 1 requested, 1 returned. Changed 2 counts on 1 page.")
    assert b.startswith("b:\n")
    assert b.endswith("\nStopped before the end. The next sync does the rest.")
    assert end == "3 sites, 2 need attention: b, c.\n"
    assert not sites["c"].state.exists()


def test_ctrl_c_in_the_second_of_three_prints_a_document_with_all(sites: Sites) -> None:
    with Simulator(World(), latency=0.2) as slow, stopped_in_the_second(sites, slow, "--json") as (out, _, code):
        document = json.loads(out)
    assert code == document["exit"] == 130
    assert [report["exit"] for report in document["sites"].values()] == [0, 130, 130]
    assert document["sites"]["a"]["changed_counts"] == 2
    assert document["sites"]["c"]["error"]["kind"] == "stopped"


def test_the_second_signal_stops_the_site_at_once_and_the_document_is_printed(sites: Sites) -> None:
    signals = (signal.SIGINT, signal.SIGTERM)
    with (
        Simulator(World(), latency=0.3) as slow,
        stopped_in_the_second(sites, slow, "--json", signals=signals) as (out, err, code),
    ):
        entries = json.loads(out)["sites"]
    assert (code, [entry["exit"] for entry in entries.values()]) == (130, [0, 130, 130])
    assert entries["b"]["error"]["message"].startswith("stopped immediately; ")
    assert "Traceback" not in err


def test_the_shell_completes_the_names_of_sites(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("blog", "shop", "shelf"):
        sites.add(name)
    shell = environment(_SYNCER_COMPLETE="bash_complete", COMP_WORDS="syncer -c sites.d sync --site sh", COMP_CWORD="5")
    with Fork("-m", "syncer", cwd=sites.root, env=shell, stdout=PIPE, stderr=PIPE) as process:
        out, err = process.communicate(timeout=TIMEOUT)
    assert (out, err) == ("plain,shelf\nplain,shop\n", "")


@pytest.mark.parametrize("command", ["sync", "status", "check"])
def test_two_sites_of_one_name_do_not_matter_to_a_third_one_that_you_name(
    sites: Sites, syncer: Run, command: str
) -> None:
    for name in ("blog", "docs", "shop"):
        sites.add(name)
    sites.configure("shop", more="name: blog\n")
    ran = syncer("-c", "sites.d", command, "--site", "docs", "--json")
    assert (ran.code, list(ran.document["sites"])) == (0, ["docs"]), ran
    assert list(syncer("-c", "sites.d", command, "--site", "blog", "--json").document["sites"]) == ["blog"]
    assert not sites["shop"].state.exists()
