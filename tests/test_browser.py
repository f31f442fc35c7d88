"""The status page of a real daemon in a real browser: wide and narrow, light and dark, by keyboard, in print."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from syncer.control import LastSync, SyncProgress
from syncer.simulator.clock import Clock
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from syncer.state.fleet import Fleet, HostRow, SiteReport, SiteRow
from syncer.status.fleet import FleetView, Outage
from tests.daemon_process import Daemon
from tests.examples import PROVING
from tests.site import Site, crlf, ids, plain
from tests.steered import served_sites

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.storm,
    pytest.mark.skipif(CHROMIUM is None, reason="no browser here; on Debian: apt-get install chromium"),
]

SCREENS = [(360, "light"), (1280, "dark"), *([(360, "dark"), (1280, "light")] if PROVING else [])]
"""Widths in pixels, and colour schemes."""

READINGS = 12

LEDGER = "../the_ledger_of_all_sites_whose_name_is_long_and_has_no_blank.sqlite3"
"""Its path is one long word."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def page_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a daemon whose site was synced for some days."""
    now = datetime.now(UTC).replace(microsecond=0)
    start = now - timedelta(days=READINGS / 2)
    with Simulator(World(start=start), Clock(start)) as youtube:
        site = Site(tmp_path_factory.mktemp("browser") / "site", youtube.url)
        (site.root / "content" / "lists").mkdir(parents=True)
        site.configure(quota=f"ledger: {LEDGER}")
        for video in ids(6):
            site.put(f"content/{video}.md", crlf(video, 1, 2))
        site.put("content/odd.md", plain(ids(7)[6], "1.2M", 2))
        for number in range(READINGS):
            site.sync(start + timedelta(hours=12 * number))
            youtube.clock.advance(timedelta(hours=12))
        with Daemon(site) as daemon:
            yield daemon.until("Status page at").split()[-1]


@pytest.fixture(scope="module")
def sites_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the pages of two hundred sites, of which some need attention."""
    now = datetime.now(UTC)
    good = LastSync("20261122T150003Z-9f2c", now - timedelta(hours=2), 0, 20, 3, 1234, 0, 1)
    with Simulator(World()) as youtube:
        site = Site(tmp_path_factory.mktemp("sites") / "site", youtube.url)
        (site.root / "content" / "lists").mkdir(parents=True)
        site.configure(quota=f"ledger: {LEDGER}")
        site.put("content/a.md", crlf(ids(1)[0], 1, 2))
        site.sync(now)
        with served_sites(*[site] * 200, names=[f"customer-{number:03}" for number in range(200)]) as served:
            for steered in served.sites.values():
                steered.daemon_state = replace(steered.daemon_state, last=good, last_whole=now)
            for name, changes in (
                ("customer-150", {"stalled": True, "running": True}),
                ("customer-151", {"last": replace(good, exit=1, problems=3)}),
                ("customer-152", {"running": True, "progress": SyncProgress("ask", 50, 120), "next_sync": None}),
            ):
                steered = served.sites[name]
                steered.daemon_state = replace(steered.daemon_state, **changes)
            served.left_out["/etc/syncer/sites.d/a-long-name-of-a-config.yaml"] = "schedule.evry: unknown key"
            served.fleet = fleet_view(now)
            yield served.url


def fleet_view(now: datetime) -> FleetView:
    """Three hosts with long names, of which one is silent, and some of whose sites need attention."""
    hosts = [
        HostRow(f"{name}.machines.in-a-rack-far-away.example.com", True, seconds, False, "0.1.0")
        for name, seconds in (("one", 4), ("two", 300), ("three", 2))
    ]
    good = SiteReport("", False, "20261122T150003Z-9f2c", -7200, 0, 1234, 0, 1, 14400, 36000, None)
    reports = [replace(good, site=f"customer-{number:03}") for number in range(20)]
    reports[7] = replace(reports[7], late_after=-600, trouble=f"/srv/{'long' * 40} is gone")
    reports[8] = replace(reports[8], problems=3, exit_code=1)
    reports[9] = replace(reports[9], running=True)
    sites = [SiteRow(hosts[n % 3].host, f"/srv/{report.site}", report) for n, report in enumerate(reports)]
    return FleetView(hosts[0].host, Fleet(now, hosts, sites), now, Outage(now, "Cannot read the ledger `x`"))


@pytest.fixture(params=SCREENS, ids=str)
def page(browser: Browser, page_url: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page without JavaScript, in each width and colour scheme. Any complaint of the browser fails the test."""
    with opened(browser, page_url, *request.param) as page:
        yield page


@pytest.fixture(params=SCREENS, ids=str)
def sites_page(browser: Browser, sites_url: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The same, of several sites."""
    with opened(browser, sites_url, *request.param) as page:
        yield page


@contextmanager
def opened(browser: Browser, url: str, width: int, scheme: Literal["light", "dark"]) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=False, base_url=url
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("requestfailed", lambda failed: complaints.append(f"{failed.url}: {failed.failure}"))
    yield page
    context.close()
    assert [text for text in complaints if "ERR_ABORTED" not in text] == []  # a page was left while it loaded


def test_the_overview_shows_how_things_are_and_fits_the_screen(page: Page) -> None:
    page.goto("/")
    assert "1 thing needs attention" in page.get_by_role("status").inner_text()
    assert page.locator("svg.bars a").count() >= READINGS
    for heading in ("Status: ", "Needs attention", "Last syncs", "Last changes"):
        assert page.get_by_role("region", name=heading).is_visible()
    require_that_it_fits(page)


def test_a_video_s_chart_is_drawn_and_has_a_name_for_screen_readers(page: Page) -> None:
    page.goto("/videos")
    page.get_by_role("link", name=ids(1)[0], exact=True).click()
    assert page.get_by_role("heading", level=1).inner_text() == 'Café: a "tour"'
    chart = page.get_by_role("img", name="Views over time")
    box = chart.bounding_box()
    assert box
    assert box["width"] > 250
    assert chart.locator("circle").count() >= READINGS
    assert chart.locator("polyline").evaluate("line => getComputedStyle(line).stroke") != "none"
    assert page.get_by_role("region", name="Readings", exact=True).get_by_role("row").count() > READINGS
    require_that_it_fits(page)


def test_sync_now_leads_to_the_page_of_the_new_sync(page: Page, page_url: str) -> None:
    page.goto("/")
    page.get_by_role("button", name="Sync now").click()
    page.wait_for_url("**/syncs/*", timeout=20_000)
    assert page.get_by_role("heading", level=1).inner_text().startswith("Sync 2")
    name = page.url.rpartition("/")[2]
    page.goto("/")
    assert page.locator(f"svg.bars a[href='/syncs/{name}']").count() == 1
    require_that_it_fits(page)


@pytest.mark.parametrize("path", ["/problems", "/videos"])
def test_the_other_pages_fit_the_screen(page: Page, path: str) -> None:
    page.goto(path)
    assert page.get_by_role("main").is_visible()
    require_that_it_fits(page)


def test_text_has_enough_contrast_in_both_colour_schemes(page: Page) -> None:
    page.goto("/")
    for selector in ("h1", "main a", "dt", ".verdict", "button", "footer"):
        assert contrast(page, selector) >= 4.5, selector


def test_the_keyboard_is_enough_to_find_a_video_and_start_a_sync(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    require_that_focus_is_seen(page)
    page.keyboard.press("Enter")
    page.wait_for_url("**/#content")  # the address changes a little later
    tab_to(page, "Sync now")
    require_that_focus_is_seen(page)
    page.keyboard.press("Enter")
    page.wait_for_url("**/syncs/*", timeout=20_000)
    page.goto("/videos")
    tab_to(page, ids(1)[0])
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/videos/{ids(1)[0]}")


def test_the_overview_of_all_sites_has_those_that_need_attention_first_and_fits_the_screen(sites_page: Page) -> None:
    sites_page.goto("/")
    says = "200 sites on this host. 2 need attention. 1 config is left out. This host is out of the fleet: see below."
    assert f"{says} 1 syncing." in sites_page.get_by_role("status").inner_text()
    rows = sites_page.get_by_role("region", name="Sites", exact=True).locator("tbody tr")
    assert rows.count() == 200
    for number, (name, sign, words) in enumerate(
        (
            ("customer-150", "\u2715", "needs attention"),
            ("customer-151", "!", "needs attention"),
            ("customer-000", "\u2713", "idle"),
        )
    ):
        row = rows.nth(number)
        assert row.get_by_role("link", name=name).is_visible()
        status = row.locator("strong")
        assert (status.inner_text(), sign_of(status)) == (words, sign), "not by colour alone"
        for cell in row.locator("td").all():
            assert cell.is_visible()
    assert sites_page.get_by_role("region", name="Left out").is_visible()
    require_that_it_fits(sites_page)
    for selector in ("h1", "main a", "tbody strong", ".verdict", "tbody td", "footer", ".wrong", ".attention", ".well"):
        assert contrast(sites_page, selector) >= 4.5, selector


def test_the_numbers_of_a_site_keep_their_names_on_a_phone(sites_page: Page) -> None:
    sites_page.goto("/")
    is_narrow = sites_page.evaluate("innerWidth") < 800
    cells = sites_page.locator("tbody tr").first.locator("td").all()[2:5]
    assert [sign_of(cell) for cell in cells] == (["changed ", "problems ", "missing "] if is_narrow else ["", "", ""])
    assert sites_page.get_by_role("columnheader", name="changed").is_visible() != is_narrow


def test_the_fleet_is_shown_with_what_needs_attention_first_and_links_to_the_sites_of_this_host(
    sites_page: Page,
) -> None:
    sites_page.goto("/")
    fleet = sites_page.get_by_role("region", name="Fleet", exact=True)
    assert "3 hosts, 20 sites; 1 site is late; 1 more needs attention; host two." in fleet.inner_text()
    assert "has been out of the fleet since" in fleet.inner_text()
    rows = fleet.get_by_role("region", name="Sites of all hosts").locator("tbody tr")
    assert rows.first.locator("th").inner_text() == "customer-007"
    assert sign_of(rows.first.locator("strong")) == "\u2715", "not by colour alone"
    assert rows.count() == 20
    assert fleet.get_by_role("link", name="customer-000").is_visible()
    assert fleet.get_by_role("link", name="customer-007").count() == 0, "it is on another host"
    for cell in [*rows.first.locator("td").all(), *fleet.locator("table").nth(1).locator("tbody td").all()]:
        assert cell.is_visible()
    for selector in ("strong", "td", "th", ".note", ".verdict"):
        assert contrast(sites_page, f"section:has(#fleet) {selector}") >= 4.5, selector
    require_that_it_fits(sites_page)


def test_the_keyboard_is_enough_to_go_to_a_site_to_another_one_and_back(sites_page: Page) -> None:
    sites_page.goto("/")
    tab_to(sites_page, "customer-150")
    require_that_focus_is_seen(sites_page)
    sites_page.keyboard.press("Enter")
    sites_page.wait_for_url("**/sites/customer-150/")
    require_that_it_fits(sites_page)
    chooser = sites_page.get_by_role("combobox", name="Site")
    chooser.focus()
    require_that_focus_is_seen(sites_page)
    chooser.select_option("customer-199")
    sites_page.keyboard.press("Tab")
    assert focused(sites_page) == "Go"
    sites_page.keyboard.press("Enter")
    sites_page.wait_for_url("**/sites/customer-199/")
    sites_page.get_by_role("link", name="Videos").click()
    sites_page.wait_for_url("**/sites/customer-199/videos")
    sites_page.get_by_role("link", name=ids(1)[0], exact=True).click()
    assert sites_page.get_by_role("heading", level=1).inner_text() == 'Caf\u00e9: a "tour"'
    require_that_it_fits(sites_page)
    sites_page.get_by_role("link", name="All sites").click()
    assert sites_page.get_by_role("heading", level=1).inner_text() == "All sites"


def test_a_printed_page_has_no_buttons(page: Page) -> None:
    page.goto("/")
    page.emulate_media(media="print")
    assert not page.get_by_role("button").first.is_visible()
    assert page.get_by_role("status").is_visible()


def require_that_it_fits(page: Page) -> None:
    """Nothing is cut off: neither the page nor a table in it scrolls sideways."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tables = "[...document.querySelectorAll('.scroll')].every(each => each.scrollWidth <= each.clientWidth)"
    assert page.evaluate(tables)


def require_that_focus_is_seen(page: Page) -> None:
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def sign_of(located: Locator) -> str:
    """What the style sheet adds before an element."""
    content = str(located.evaluate("element => getComputedStyle(element, '::before').content"))
    return "" if content in {"none", "normal"} else content.strip('"')


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.textContent"))


def tab_to(page: Page, text: str) -> None:
    for _ in range(60):
        if focused(page) == text:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{text} cannot be reached")


def contrast(page: Page, selector: str) -> float:
    """The contrast of an element's text with what is behind it, as WCAG 2 defines it."""
    script = """element => {
        const solid = colour => !/, 0\\)$|transparent/.test(colour);
        let behind = element;
        while (behind && !solid(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
        return [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
    }"""
    light, dark = sorted((luminance(colour) for colour in page.locator(selector).first.evaluate(script)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
