"""Syncs, `syncer deploy` and the daemon call a real host's build hook, after the push, and keep its address secret."""

from __future__ import annotations

import os
import re
import shlex
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from syncer.build_hook import NO_RESPONSE, call_build_hook
from syncer.config.parse import parse_config
from syncer.errors import ConfigError
from syncer.model import ProblemKind
from syncer.simulator.server import Simulator
from syncer.status.report import SyncReport
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Options
from tests.crash.warm import Child, Order, Warm
from tests.daemon_process import Daemon, fill, start_another
from tests.forks import PIPE, Fork, run
from tests.hooks import SECRET, Host
from tests.places import need
from tests.ports import refusing_port
from tests.remotes import SharedSite
from tests.repository import in_git
from tests.site import KEY, NOON, Run, Site, crlf, ids
from tests.steered import served
from tests.waiting import until

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

AT_ONCE = "hook_env: HOOK, quiet: 0s"


@pytest.fixture
def host() -> Iterator[Host]:
    with Host() as made:
        yield made


@pytest.fixture
def page(site: Site) -> Path:
    return site.put("content/a.md", crlf(ids(1)[0], 1, 2))


def sync(site: Site, hook: str | None, at: datetime = NOON, options: Options | None = None) -> SyncReport:
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    environment = Environment(key=KEY, clock=lambda: at, sleep=lambda _: None, hook=hook)
    return make_sync(config, options or Options(everything=True), environment)


def spoil(page: Path, video: str) -> None:
    """Lets a sync change the page."""
    page.write_bytes(crlf(video, 1, 2))


# one call


@pytest.mark.parametrize("status", [200, 201, 204, 301, 307, 404, 429, 500])
def test_a_call_is_one_post_without_a_body_and_follows_nothing(status: int) -> None:
    with Host(status) as host:
        assert call_build_hook(host.url) == status
        [call] = host.calls
    assert (call.method, call.target, call.body) == ("POST", SECRET, b"")
    assert call.headers["Content-Length"] == "0"
    assert call.headers["User-Agent"].startswith("syncer/")


def test_a_host_that_does_not_answer_is_no_response() -> None:
    with refusing_port() as port:
        assert call_build_hook(f"http://127.0.0.1:{port}/") == NO_RESPONSE


def test_the_wait_for_a_response_ends_after_the_time_and_when_it_is_stopped() -> None:
    hold = threading.Event()
    with Host(before=lambda: hold.wait(30)) as host:
        began = time.monotonic()
        assert call_build_hook(host.url, timeout=0.5) == NO_RESPONSE
        assert call_build_hook(host.url, stopped=lambda: True) == NO_RESPONSE
        assert time.monotonic() - began < 10
        hold.set()


def test_a_certificate_that_nobody_trusts_is_refused_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("openssl")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    command = ["openssl", *words.split(), "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    with Host(certificate=(certificate, key)) as host:
        assert call_build_hook(host.url) == NO_RESPONSE
        assert host.calls == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert call_build_hook(host.url) == 200
        assert call_build_hook(host.url.replace("localhost", "127.0.0.1")) == NO_RESPONSE, "the name is compared"
        assert len(host.calls) == 1


# in a sync


def test_a_site_without_the_key_calls_and_records_nothing(site: Site, page: Path, host: Host) -> None:
    assert sync(site, host.url).changed_pages == 1
    assert host.calls == []
    with closing(sqlite3.connect(site.state / "state.sqlite3")) as state:
        assert state.execute("SELECT count(*) FROM unbuilt").fetchone() == (0,)


def test_a_sync_that_changes_pages_calls_the_hook_at_its_end(site: Site, page: Path, host: Host) -> None:
    site.configure(deploy=AT_ONCE)
    report = sync(site, host.url)
    assert report.build == "Called the build hook."
    assert len(host.calls) == 1
    assert sync(site, host.url, NOON + HOUR, Options()).build is None
    assert len(host.calls) == 1, "nothing has changed since"


def test_a_dry_run_and_a_sync_that_is_stopped_call_nothing(site: Site, page: Path, host: Host) -> None:
    site.configure(deploy=AT_ONCE)
    assert sync(site, host.url, options=Options(dry_run=True)).changed_pages == 1
    assert host.calls == []


def test_a_sync_never_waits_for_quiet_and_the_next_one_makes_the_call_before_it_changes_pages(
    site: Site, page: Path, youtube: Simulator, host: Host
) -> None:
    site.configure(deploy="hook_env: HOOK")
    report = sync(site, host.url)
    assert report.build == (
        "Build hook not called: 1 of 1 page changed since the build hook was set up; the next call is due at"
        " 2026-11-22 20:10:00 UTC, because a page changed less than 10m ago."
    )
    assert host.calls == []
    seen: list[int] = []
    spoil(page, ids(1)[0])
    with Host(before=lambda: seen.append(page.read_bytes().count(b'viewcount: "1"'))) as other:
        sync(site, other.url, NOON + HOUR)
        assert seen == [2], "the one in the page, and the one in its body: the sync had not written yet"
        assert b'viewcount: "1"\r' not in page.read_bytes()
        assert sync(site, other.url, NOON + 2 * HOUR).build == "Called the build hook."
        assert len(other.calls) == 2


def test_fewer_pages_than_the_share_wait_for_at_least_every(site: Site, host: Host) -> None:
    site.configure(deploy="hook_env: HOOK, quiet: 0s, when: 50%, at_least_every: 6h")
    videos = fill(site, 4)
    sync(site, host.url)
    assert len(host.calls) == 1
    page = site.root / f"content/{videos[0]}.md"
    spoil(page, videos[0])
    report = sync(site, host.url, NOON + HOUR)
    assert report.build is not None
    assert "because fewer than 50% of the pages changed" in report.build
    assert len(host.calls) == 1
    spoil(page, videos[0])
    sync(site, host.url, NOON + 2 * HOUR)
    assert len(host.calls) == 1, "the same page again is still one page"
    sync(site, host.url, NOON + 7 * HOUR, Options())
    assert len(host.calls) == 2


@pytest.mark.parametrize(("quiet", "calls"), [("0s", 5), ("10m", 4)])
def test_one_sync_a_day_builds_each_day_though_it_begins_some_seconds_early(
    site: Site, host: Host, quiet: str, calls: int
) -> None:
    """With `quiet`, each sync makes the call that the one of the day before left."""
    site.configure(deploy=f"hook_env: HOOK, quiet: {quiet}, when: 100%, at_least_every: 24h")
    videos = fill(site, 4)
    for day in range(5):
        spoil(site.root / f"content/{videos[0]}.md", videos[0])
        sync(site, host.url, NOON + day * timedelta(days=1) - day * timedelta(seconds=5))
    assert len(host.calls) == calls


def test_no_more_calls_than_said_in_a_day(site: Site, page: Path, host: Host) -> None:
    site.configure(deploy=f"{AT_ONCE}, at_most_per_day: 2")
    for hour in range(30):
        spoil(page, ids(1)[0])
        sync(site, host.url, NOON + hour * HOUR)
    assert len(host.calls) == 4, "at 0, 1, 25 and 26 hours"


@pytest.mark.parametrize(
    ("deploy", "warns"),
    [("when: 50%", True), ("when: 50%, hook_env: null", False), ("hook_env: HOOK, when: 50%", False), (None, False)],
)
def test_check_warns_of_rules_for_a_hook_that_the_config_does_not_name(
    site: Site, page: Path, syncer: Run, deploy: str | None, warns: bool
) -> None:
    if deploy:
        site.configure(deploy=deploy)
    found = syncer("check", "--offline").out
    assert ("warning config: `deploy` has no `hook_env`, so no build hook is called" in found) is warns


def test_an_address_that_is_not_known_here_leaves_the_call_to_another_process(
    site: Site, page: Path, syncer: Run, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.configure(deploy=AT_ONCE)
    ran = syncer("sync")
    assert ran.code == 0
    assert (
        "Build hook not called: the environment variable HOOK, which deploy.hook_env names, is not set here; set it to"
        " the address of your host's build hook.\n" in ran.out
    )
    refused = syncer("deploy")
    assert refused.code == 2
    assert "the environment variable HOOK, which deploy.hook_env names, is not set here" in refused.err
    assert syncer("deploy", "--dry-run").out == (
        "Build hook would be called: 1 of 1 page changed since the build hook was set up; the call is due.\n"
    )
    monkeypatch.setenv("HOOK", host.url)
    assert syncer("deploy").out == "Build hook called: 1 of 1 page had changed.\n"
    assert len(host.calls) == 1
    ran = syncer("deploy")
    assert ran.code == 0
    assert re.fullmatch(
        r"Build hook not called: no page has changed since the last successful call at [-0-9: ]+ UTC\.\n", ran.out
    )
    assert len(host.calls) == 1


def test_undone_pages_wait_for_a_call_too(site: Site, page: Path, host: Host) -> None:
    site.configure(deploy=AT_ONCE)
    done = sync(site, host.url)
    assert site.undo(done.sync, NOON + HOUR).changed_pages == 1
    assert sync(site, host.url, NOON + 2 * HOUR, Options()).build == "Called the build hook."
    assert len(host.calls) == 2


# git


def test_the_call_comes_after_the_push_and_not_when_it_failed(
    site: Site, page: Path, youtube: Simulator, tmp_path: Path
) -> None:
    site.configure(deploy=AT_ONCE, git="commit: true, push: true")
    shared = SharedSite.of(site, youtube, tmp_path)
    tips: list[str] = []
    with Host(before=lambda: tips.append(shared.tip())) as host:
        with shared.without_remote():
            report = sync(site, host.url)
            assert [problem.kind for problem in report.problems] == [ProblemKind.NOT_PUSHED]
            assert report.build is not None
            assert "the call waits until the changes are pushed" in report.build
            assert host.calls == []
        report = sync(site, host.url, NOON + HOUR, Options())
        assert report.build == "Called the build hook."
        assert tips == [shared.ours.head()]
    assert shared.ours.git("log", "-1", "--format=%(trailers:key=Syncer-Pages,valueonly)").strip() == "1"


def test_a_push_by_hand_is_noticed_by_the_next_sync(
    site: Site, page: Path, youtube: Simulator, tmp_path: Path, host: Host, syncer: Run
) -> None:
    site.configure(deploy=AT_ONCE, git="commit: true, push: true")
    shared = SharedSite.of(site, youtube, tmp_path)
    with shared.without_remote():
        sync(site, host.url)
    shared.ours.git("push", "--quiet")
    assert host.calls == []
    assert sync(site, host.url, NOON + HOUR, Options()).build == "Called the build hook."
    assert len(host.calls) == 1


def test_deploy_notices_a_push_by_hand_but_not_before_all_that_was_written_is_in_it(
    site: Site,
    page: Path,
    youtube: Simulator,
    tmp_path: Path,
    host: Host,
    syncer: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site.configure(deploy=AT_ONCE, git="commit: true, push: true")
    monkeypatch.setenv("HOOK", host.url)
    shared = SharedSite.of(site, youtube, tmp_path)
    with shared.without_remote():
        written = sync(site, host.url)
    waits = "the call waits until the changes are pushed; if you push them yourself, `syncer deploy` and the next sync"
    assert waits in syncer("deploy").out
    shared.ours.git("push", "--quiet")
    shared.ours.git("reset", "--quiet", "--soft", "HEAD~1")
    assert waits in syncer("deploy").out, "it is on the remote, and not in the branch here"
    shared.ours.git("reset", "--quiet", "--soft", "ORIG_HEAD")
    done = site.undo(written.sync, NOON + HOUR)
    assert done.changed_pages == 1
    assert waits in syncer("deploy").out, "what the undo wrote is not committed"
    assert waits in syncer("status").out
    page.write_bytes(page.read_bytes() + b"A line of the author.\n")
    shared.ours.git("commit", "--quiet", "-am", "Undo")
    assert waits in syncer("deploy").out
    shared.ours.git("push", "--quiet")
    page.write_bytes(page.read_bytes() + b"Another one, not committed.\n")
    assert "Build hook would be called: 1 of 1 page changed" in syncer("deploy", "--dry-run").out
    assert host.calls == []
    assert syncer("deploy").out == "Build hook called: 1 of 1 page had changed.\n"
    assert len(host.calls) == 1


def test_a_push_of_some_pages_does_not_stand_for_all(
    site: Site, page: Path, youtube: Simulator, tmp_path: Path, host: Host
) -> None:
    site.configure(deploy=AT_ONCE, git="commit: true, push: true")
    other = site.put("content/b.md", crlf(ids(2)[1], 1, 2))
    SharedSite.of(site, youtube, tmp_path)
    done = sync(site, host.url)
    assert done.build == "Called the build hook."
    assert site.undo(done.sync, NOON + HOUR).changed_pages == 2
    spoil(other, ids(2)[1])
    youtube.clock.advance(timedelta(days=30))
    narrowed = sync(site, host.url, NOON + 2 * HOUR, Options(everything=True, paths=("content/b.md",)))
    assert (narrowed.changed_pages, narrowed.pushed_to) == (1, "origin")
    assert narrowed.build is not None
    assert "the call waits until the changes are pushed" in narrowed.build
    assert sync(site, host.url, NOON + 3 * HOUR).build == "Called the build hook."
    assert len(host.calls) == 2


# failures


def test_calls_that_fail_are_repeated_with_care_and_then_a_problem(site: Site, page: Path) -> None:
    site.configure(deploy=f"{AT_ONCE}, at_most_per_day: 100")
    with Host(503, 503, 503, 200) as host:
        first = sync(site, host.url)
        assert first.build == "The build hook returned 503. It is called again later, or by `syncer deploy`."
        assert (first.exit, first.problems) == (0, ())
        sync(site, host.url, NOON + 4 * MINUTE, Options())
        assert len(host.calls) == 1, "too soon"
        assert sync(site, host.url, NOON + 6 * MINUTE, Options()).exit == 0
        third = sync(site, host.url, NOON + 30 * MINUTE, Options())
        assert len(host.calls) == 3
        [problem] = third.problems
        assert (problem.kind, problem.subject) == (ProblemKind.DEPLOY_FAILED, "deploy")
        assert problem.message == (
            "the build hook returned 503, and 2 calls before it failed too; check your host's status page and the"
            " network of this machine, then run `syncer deploy`"
        )
        assert third.exit == 1
        assert sync(site, host.url, NOON + HOUR, Options()).exit == 1, "until it succeeds"
        assert sync(site, host.url, NOON + 2 * HOUR, Options()).exit == 0
        assert len(host.calls) == 4


def test_after_failures_at_the_limit_the_problem_says_when_a_call_is_possible_again(site: Site, page: Path) -> None:
    site.configure(deploy=f"{AT_ONCE}, at_most_per_day: 1")
    with Host(404) as host:
        [problem] = sync(site, host.url).problems
    assert problem.message.endswith(
        "copy it again from your host, then run `syncer deploy`, which can call again after 2026-11-23 20:00:00 UTC"
    )


@pytest.mark.parametrize(
    ("status", "how"), [(500, "returned 500"), (None, "did not respond")], ids=["refused", "no host"]
)
def test_a_failure_that_the_limit_forbids_to_repeat_is_a_problem_at_once(
    site: Site, page: Path, syncer: Run, monkeypatch: pytest.MonkeyPatch, status: int | None, how: str
) -> None:
    site.configure(deploy=f"{AT_ONCE}, at_most_per_day: 1")
    with Host(status or 200) as host:
        monkeypatch.setenv("HOOK", host.url)
        ran = syncer("sync") if status else None
    ran = ran or syncer("sync")
    assert ran.code == 1
    assert f"the build hook {how}; check your host's status page" in ran.out
    assert ", which can call again after " in ran.out
    assert "[deploy-failed]" in ran.out
    said = f"1 of 1 page changed since the build hook was set up; the last call failed at .* UTC: the build hook {how};"
    for command in (["status"], ["deploy"], ["deploy", "--dry-run"]):
        shown = syncer(*command)
        assert re.search(said, shown.out), command
        assert "because 1 call in 24 hours is the limit" in shown.out
    assert syncer("sync").code == 1, "until a call succeeds"


def test_deploy_says_once_that_a_call_failed(
    site: Site, page: Path, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.configure(deploy=AT_ONCE)
    sync(site, None)
    with Host(500) as host:
        monkeypatch.setenv("HOOK", host.url)
        ran = syncer("deploy")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "The build hook returned 500. It is called again later, or by `syncer deploy`.\n"


def test_a_wrong_address_is_a_problem_at_once_and_is_not_shown(
    site: Site, page: Path, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.configure(deploy=AT_ONCE)
    with Host(404) as host:
        monkeypatch.setenv("HOOK", host.url)
        ran = syncer("-vv", "sync")
        assert ran.code == 1
        assert "returned 404; its address is probably wrong or no longer valid: copy it again from your host" in ran.out
        assert "[deploy-failed]" in ran.out
        assert SECRET not in ran.out + ran.err
        assert syncer("deploy").code == 1
        assert len(host.calls) == 2, "the command repeats it at once"
        assert syncer("sync", "--fail-on", "brake").code == 0
        document = syncer("status", "--json").document["deploy"]
        assert (document["failed_calls"], document["changed_pages"], document["last_call"]) == (2, 1, None)
        assert document["waits_for"] == "retry"


def test_a_kill_during_the_call_neither_loses_nor_repeats_it(site: Site, page: Path) -> None:
    """The process is really killed, while the host has the request and has not answered."""
    site.configure(deploy=f"{AT_ONCE}, at_most_per_day: 2")
    hold, arrived = threading.Event(), threading.Event()

    def wait() -> None:
        arrived.set()
        hold.wait(60)

    with Host(before=wait) as host:
        environment = {**os.environ, "YOUTUBE_API_KEY": KEY, "HOOK": host.url}
        command = ["-m", "syncer", "-c", str(site.config)]
        process = Fork(*command, "sync", "-q", env=environment)
        assert arrived.wait(60)
        process.send_signal(signal.SIGKILL)
        process.wait()
        hold.set()
        for _ in range(3):
            assert run(*command, "deploy", env=environment).returncode == 0
        assert len(host.calls) == 2, "the one that was killed, and one that succeeded: nothing waits any more"
        spoil(page, ids(1)[0])
        done = run(*command, "sync", "--all", env=environment)
        assert "because 2 calls in 24 hours is the limit" in done.stdout
        assert len(host.calls) == 2, "a call whose end nobody knows counts"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_deploy_that_is_stopped_during_the_call_says_so(site: Site, page: Path, number: signal.Signals) -> None:
    site.configure(deploy=AT_ONCE)
    sync(site, None)
    hold, arrived = threading.Event(), threading.Event()

    def wait() -> None:
        arrived.set()
        hold.wait(60)

    with Host(before=wait) as host:
        environment = {**os.environ, "HOOK": host.url}
        command = ("-m", "syncer", "-c", str(site.config), "deploy")
        with Fork(*command, env=environment, stdout=PIPE, stderr=PIPE) as process:
            assert arrived.wait(60)
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        hold.set()
    assert (process.returncode, out) == (130, "")
    again = f"syncer -c {shlex.quote(str(site.config))} deploy"
    assert err.endswith(
        f"syncer: stopped; the build hook was called, and may start a build; run `{again}` again to be sure\n"
    )


@pytest.mark.storm
def test_kills_at_any_moment_never_make_more_calls_than_said(site: Site, page: Path, warm: Warm) -> None:
    """The host refuses each call, so one is due again and again; commands are killed then, or at any other time."""
    site.configure(deploy=f"{AT_ONCE}, at_most_per_day: 3")
    sync(site, None)
    out, err = str(site.root.parent / "out"), str(site.root.parent / "err")
    random, running = Random(5), list[Child]()

    def kill_half() -> None:
        if random.random() < 0.5:
            running[-1].kill()
        time.sleep(0.05)

    killed = 0
    with Host(503, before=kill_half) as host:
        first = f"import os; os.environ['HOOK'] = {host.url!r}"
        order = Order(("-c", str(site.config), "deploy"), str(site.root), out, err, first=first)
        for number in range(40):
            running.append(warm.start(order))
            if number % 2:
                time.sleep(random.uniform(0.005, 0.1))
                running[-1].kill()
            killed += running[-1].ended(60).killed
        assert 1 <= len(host.calls) <= 3
    assert killed >= 3


def test_a_kill_after_pages_were_written_leaves_them_waiting(site: Site, page: Path, host: Host, warm: Warm) -> None:
    """The next command settles what the kill left, and the pages wait for a call from then on."""
    site.configure(deploy=AT_ONCE)
    out, err = str(site.root.parent / "out"), str(site.root.parent / "err")
    first = "import os, syncer.sync.write as write\nwrite.mark_done = lambda *_, **__: os.kill(os.getpid(), 9)\n"
    order = Order(("-c", str(site.config), "sync"), str(site.root), out, err, first=first)
    assert warm.start(order).ended(60).killed
    assert b'viewcount: "1"\r' not in page.read_bytes()
    assert sync(site, host.url, NOON, Options()).build == "Called the build hook."
    assert len(host.calls) == 1


def test_two_processes_call_once(site: Site, page: Path) -> None:
    site.configure(deploy=AT_ONCE)
    with Host(before=lambda: time.sleep(0.3)) as host:
        sync(site, None)
        environment = {**os.environ, "HOOK": host.url}
        command = ("-m", "syncer", "-c", str(site.config), "deploy")
        both = [Fork(*command, env=environment, stdout=PIPE) for _ in range(2)]
        said = [process.communicate()[0] for process in both]
        assert len(host.calls) == 1
        assert sorted(text.split(":")[0] for text in said) == ["Build hook called", "Build hook not called"]


# a clock that is set back


def note_a_year_ahead(site: Site) -> None:
    """What a sync notes while the clock is wrong."""
    with closing(sqlite3.connect(site.state / "state.sqlite3")) as database, database:
        ahead = str(int(time.time()) + 365 * 86_400)
        database.execute("INSERT OR IGNORE INTO unbuilt VALUES ('content/a.md')")
        database.execute("INSERT OR REPLACE INTO meta VALUES ('changed_since', ?), ('changed_last', ?)", (ahead, ahead))


def test_deploy_calls_after_quiet_though_a_clock_was_a_year_ahead(
    site: Site, page: Path, syncer: Run, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.configure(deploy="hook_env: HOOK, quiet: 1s, when: 0%")
    monkeypatch.setenv("HOOK", host.url)
    sync(site, None)
    note_a_year_ahead(site)
    assert "because a page changed less than 1s ago" in syncer("deploy").out
    assert host.calls == []
    until(lambda: syncer("deploy").out == "Build hook called: 1 of 1 page had changed.\n", pause=0.1)
    assert len(host.calls) == 1


# the daemon


def environment_of(host: Host) -> Mapping[str, str]:
    return {"HOOK": host.url}


def test_the_daemon_wakes_for_a_call_that_becomes_due_also_after_a_restart(site: Site, page: Path, host: Host) -> None:
    site.configure(deploy="hook_env: HOOK, quiet: 8s", schedule="every: 1h, jitter: 0s")
    with Daemon(site, environment=environment_of(host)) as daemon:
        daemon.until("Build hook not called: 1 of 1 page changed since the build hook was set up")
        daemon.send(signal.SIGTERM)
        assert daemon.ended()[0] == 0
    assert host.calls == []
    with Daemon(site, environment=environment_of(host)) as daemon:
        daemon.until("Called the build hook. 1 page changed since the last successful call")
        daemon.send(signal.SIGTERM)
        assert daemon.ended()[0] == 0
        assert not any(SECRET in line for line in daemon.lines)
    assert len(host.calls) == 1


@pytest.mark.storm
def test_a_daemon_calls_after_quiet_though_a_clock_was_a_year_ahead(site: Site, page: Path, host: Host) -> None:
    site.configure(deploy="hook_env: HOOK, quiet: 1s, when: 0%", schedule="every: 1h, jitter: 0s")
    with Daemon(site, environment=environment_of(host)) as daemon:
        daemon.until("Called the build hook. 1 page changed since the last successful call")
        note_a_year_ahead(site)
        daemon.until("Called the build hook. 1 page changed since the last successful call")
        daemon.send(signal.SIGTERM)
        assert daemon.ended()[0] == 0
    assert len(host.calls) == 2


def test_a_daemon_without_the_address_does_not_start(
    site: Site, page: Path, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.configure(deploy="hook_env: HOOK")
    ended = start_another(site)
    assert ended.returncode == 2
    assert "deploy: the environment variable HOOK, which deploy.hook_env names, is not set here" in ended.stderr
    checks = syncer("check", "--offline")
    assert checks.code == 1
    assert "The daemon cannot start: deploy: the environment variable HOOK" in checks.out


# the address


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("http://example.org/hook-5f3a9c0e", "would be sent unencrypted; use https://"),
        ("ftp://example.org/hook-5f3a9c0e", "must be a full URL that begins with https://"),
        ("hook-5f3a9c0e", "must be a full URL that begins with https://"),
        ("https://ann:hook-5f3a9c0e@example.org/", "must not contain a user name, a password or a fragment"),
        ("https://example.org/hook-5f3a9c0e#x", "must not contain a user name, a password or a fragment"),
        ("https://example.org/hook-5f3a9c0e x", "has a character that is not allowed in a URL"),
        ("https://example.org:port/hook-5f3a9c0e", "is not a valid URL"),
    ],
)
def test_an_address_that_cannot_be_called_is_an_error_that_does_not_show_it(
    site: Site, page: Path, syncer: Run, monkeypatch: pytest.MonkeyPatch, address: str, sentence: str
) -> None:
    site.configure(deploy=AT_ONCE)
    monkeypatch.setenv("HOOK", address)
    before = page.read_bytes()
    for command in ("sync", "deploy"):
        ran = syncer(command)
        assert ran.code == 2
        assert f"the address of the build hook in the environment variable HOOK {sentence}" in ran.err
        assert "hook-5f3a9c0e" not in ran.out + ran.err
    assert page.read_bytes() == before


def test_an_address_in_the_config_is_an_error_that_does_not_show_it(site: Site) -> None:
    site.configure(deploy="hook_env: 'https://example.org/hook-5f3a9c0e'")
    with pytest.raises(ConfigError, match="never the address itself") as raised:
        parse_config(site.config.read_text(encoding="utf-8"), site.config)
    assert "hook-5f3a9c0e" not in str(raised.value)


def test_a_quiet_that_no_call_can_pass_is_an_error(site: Site) -> None:
    site.configure(deploy="hook_env: HOOK, quiet: 6h", schedule="every: 6h")
    with pytest.raises(ConfigError, match=r"deploy\.quiet: would put off each call, .* make it shorter than 6h"):
        parse_config(site.config.read_text(encoding="utf-8"), site.config)


def test_the_credential_of_systemd_is_found_and_turns_the_hook_on(
    site: Site, page: Path, syncer: Run, host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.joinpath("deploy-hook").write_text(f"{host.url}\n", encoding="ascii")
    site.configure(deploy="quiet: 0s")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert "Called the build hook.\n" in syncer("sync").out
    assert len(host.calls) == 1
    assert "has no `hook_env`" not in syncer("check", "--offline").out
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert syncer("status", "--json").document["deploy"] is None


def test_the_address_is_taken_out_of_the_environment_at_once(
    site: Site, page: Path, syncer: Run, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.configure(deploy=AT_ONCE)
    monkeypatch.setenv("HOOK", host.url)
    monkeypatch.setenv("COPY_OF_HOOK", host.url)
    seen: list[set[str]] = []
    with Host(before=lambda: seen.append(set(os.environ))) as other:
        monkeypatch.setenv("HOOK", other.url)
        monkeypatch.setenv("COPY_OF_HOOK", other.url)
        syncer("sync")
    assert len(seen) == 1
    assert not {"HOOK", "COPY_OF_HOOK"} & seen[0]


# where it is shown


def test_status_page_api_and_metrics_show_what_waits(site: Site, page: Path, host: Host) -> None:
    site.configure(deploy="hook_env: HOOK")
    sync(site, host.url, datetime.now(NOON.tzinfo))
    with served(site) as web:
        assert "1 of 1 page changed since the build hook was set up; the next call is due at" in web.get("/").text
        document = web.get("/api/v1/status").document["deploy"]
        assert (document["changed_pages"], document["pages"], document["waits_for"]) == (1, 1, "quiet")
        metrics = web.get("/metrics").text
        assert "syncer_build_changed_pages 1.0\n" in metrics
        assert "syncer_build_failed_calls 0.0\n" in metrics


def test_status_names_the_last_call(site: Site, page: Path, syncer: Run, host: Host) -> None:
    site.configure(deploy=AT_ONCE)
    sync(site, host.url)
    said = "Build hook: no page has changed since the last successful call at 2026-11-22 20:00:01 UTC.\n"
    assert said in syncer("status").out


def test_a_data_file_counts_as_the_pages_of_its_videos(site: Site, youtube: Simulator, host: Host) -> None:
    site.configure(
        deploy="hook_env: HOOK, when: 100%", git="commit: true", write="to: data_file, file: _data/youtube.yml"
    )
    videos = fill(site, 3)
    site.put("content/again.md", crlf(videos[0], 1, 2))
    repository = in_git(site)
    report = sync(site, host.url)
    assert report.build is not None
    assert report.build.startswith("Build hook not called: 4 of 4 pages changed"), "the four that name the three videos"
    assert repository.git("log", "-1", "--format=%(trailers:key=Syncer-Pages,valueonly)").strip() == "4", "as deploy"
