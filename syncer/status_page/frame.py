"""The frame of every page: head, navigation, footer; and the addresses of a site's pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import HTMLResponse

from syncer import __version__
from syncer.status_page.markup import Child, Markup, tag, together

SECTIONS = (("/", "Overview"), ("/videos", "Videos"), ("/problems", "Problems"))

FOOTER_LINKS = (
    ("https://www.youtube.com/t/terms", "YouTube's Terms of Service"),
    ("http://www.google.com/policies/privacy", "Google's Privacy Policy"),
)
"""Links that YouTube requires (`docs/terms.md`)."""

ALL_SITES = "All sites"
"""The name of the page at `/` where the daemon may have several sites."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a page stands: alone, or among those of several sites."""

    sites: Sequence[str] | None = None
    """The names of all sites; None where the daemon has one plain config, and no page names its site."""
    site: str | None = None
    """The site that the page is about; None: about none of several, or about the only one."""

    def address(self, path: str) -> str:
        """Return the address of one of this site's pages; `path` is what it is where there is only one site."""
        return path if self.site is None else site_prefix(self.site) + path


def site_prefix(name: str) -> str:
    """Return what the addresses of a site begin with, where the daemon may have several."""
    return f"/sites/{quote(name, safe='')}"


def page(
    frame: Frame, title: str, *content: Child, here: str = "", refresh: int | None = None, status: int = 200
) -> HTMLResponse:
    """Return a page. `here` is the address of its section; with `refresh` it reloads after so many seconds."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="refresh", content=refresh) if refresh else None,
        tag("title", f"{title} - {frame.site} - syncer" if frame.site else f"{title} - syncer"),
        tag("link", rel="stylesheet", href="/style.css"),
        tag("link", rel="icon", href="/icon.svg", type="image/svg+xml"),
    )
    body = tag(
        "body",
        tag("a", "Skip to the content", class_="skip", href="#content"),
        tag(
            "header",
            tag("p", tag("a", "syncer", href="/"), f" {frame.site}" if frame.site else None, class_="name"),
            tag("nav", tag("ul", _sections(frame, here)), aria_label="Sections"),
            _switcher(frame.sites, frame.site) if frame.sites and frame.site else None,
        ),
        tag("main", *content, id="content"),
        tag(
            "footer",
            tag(
                "p",
                "Source of all counts: ",
                tag("a", "YouTube", href="https://www.youtube.com/", rel="noreferrer"),
                ", through the YouTube Data API. syncer is not affiliated with YouTube.",
                [(" · ", tag("a", name, href=href, rel="noreferrer")) for href, name in FOOTER_LINKS],
            ),
            tag("p", f"syncer {__version__}"),
        ),
    )
    html = together(Markup("<!doctype html>\n"), tag("html", head, body, lang="en"))
    return HTMLResponse(html, status)


def _sections(frame: Frame, here: str) -> list[Markup]:
    """Return the links of the navigation; the sections of a site are those that a site of its own has."""
    links = [(name, frame.address(href), href == here) for href, name in SECTIONS]
    if frame.sites is not None:
        links = [(ALL_SITES, "/", frame.site is None and here == "/"), *(links if frame.site else ())]
    return [
        tag("li", tag("a", name, href=href, aria_current="page" if is_here else None)) for name, href, is_here in links
    ]


def _switcher(sites: Sequence[str], site: str) -> Markup:
    """Return the form that leads to the pages of another site."""
    return tag(
        "form",
        tag("label", "Site", for_="site"),
        tag("select", [tag("option", name, selected=name == site) for name in sites], id="site", name="name"),
        tag("button", "Go"),
        method="get",
        action="/sites",
        class_="switcher",
    )
