"""Sites with one file that lists talks, in each of the forms that such a file has."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.site import Site

Item = tuple[str, int]
"""A video and its views."""


def _yaml(items: Sequence[Item]) -> str:
    return "".join(f"- id: {video}\n  views: {views}\n" for video, views in items)


def _front_matter(items: Sequence[Item]) -> str:
    return f"---\nvideos:\n{_yaml(items)}---\nBody.\n" if items else "---\nvideos: []\n---\nBody.\n"


def _commented(items: Sequence[Item]) -> str:
    return f"# Talks\n{_yaml(items)}"


def _json(items: Sequence[Item]) -> str:
    listed = ", ".join(f'{{"id": "{video}", "views": {views}}}' for video, views in items)
    return f'{{"talks": [{listed}]}}\n'


def _toml(items: Sequence[Item]) -> str:
    return "".join(f'[[talks]]\nid = "{video}"\nviews = {views}\n' for video, views in items)


def _table(items: Sequence[Item]) -> str:
    return "id,views\n" + "".join(f"{video},{views}\n" for video, views in items)


def _events(items: Sequence[Item]) -> str:
    return "".join(
        f'- year: {2000 + number}\n  talks:\n  - id: "{video}"\n    views: {views}\n'
        for number, (video, views) in enumerate(items)
    )


def _years(items: Sequence[Item]) -> str:
    return "years:\n" + "".join(f'- videos: {{"{video}": {{views: {views}}}}}\n' for video, views in items)


FORMS: dict[str, tuple[str, Callable[[Sequence[Item]], str]]] = {
    "content/page.md": ("videos[].id", _front_matter),
    "_data/talks.yml": ("[].id", _commented),
    "_data/events.yml": ("[].talks[].id", _events),
    "_data/years.yml": ("years[].videos.{}", _years),
    "data/talks.json": ("talks[].id", _json),
    "data/talks.toml": ("talks[].id", _toml),
    "data/talks.csv": ("id", _table),
}
"""The mapping of the ID of each file, and what it looks like."""


class Talks:
    """A site with one file of talks."""

    def __init__(self, site: Site, path: str, **sections: str) -> None:
        self.site, self.path = site, path
        self._key, self._form = FORMS[path]
        self.configure(**sections)

    def configure(self, **sections: str) -> None:
        """Writes the config."""
        directory, _, name = self.path.partition("/")
        self.site.configure(
            collections=f"  - directory: {directory}\n    include: ['{name}']\n"
            f"    fields: {{video_id: '{self._key}', counts: {{viewCount: views}}}}\n",
            **sections,
        )

    def put(self, *items: Item) -> None:
        """Writes the file."""
        self.site.put(self.path, self.form(*items).encode())

    def form(self, *items: Item) -> str:
        """The file with these talks."""
        return self._form(items)

    def text(self) -> str:
        """The file as it is."""
        return (self.site.root / self.path).read_text(encoding="utf-8")

    def says(self, *items: Item) -> bool:
        """Whether the file is exactly these talks."""
        return self.text() == self.form(*items)
