"""Several sites side by side, each with a config in `sites.d/`."""

from __future__ import annotations

from pathlib import Path

from tests.site import Site, crlf, ids


class Sites:
    """Sites by name, and the directory of their configs."""

    def __init__(self, root: Path, url: str) -> None:
        self.root = root
        self.folder = root / "sites.d"
        self.folder.mkdir()
        self._url = url
        self._by_name: dict[str, Site] = {}

    def __getitem__(self, name: str) -> Site:
        return self._by_name[name]

    def config(self, name: str) -> Path:
        """The config of a site, in the directory of all."""
        return self.folder / f"{name}.yaml"

    def add(
        self, name: str, *, pages: int = 1, key: str | None = None, more: str = "", inside: str = ".", **sections: str
    ) -> Site:
        """Makes a site with pages of its own videos; `key`: the variable that has its API key."""
        made = self._by_name[name] = Site(self.root / inside / name, self._url)
        (made.root / "content" / "lists").mkdir(parents=True)
        self.configure(name, key=key, more=more, **sections)
        for video in self.videos(name, pages):
            made.put(f"content/{video}.md", crlf(video, 1, 2))
        return made

    def configure(self, name: str, *, key: str | None = None, more: str = "", **sections: str) -> None:
        """Writes the config of a site; `more`: lines at its end."""
        made = self._by_name[name]
        made.configure(**sections)
        text = made.config.read_text(encoding="utf-8")
        if key:
            text = text.replace("youtube: {", f"youtube: {{api_key_env: {key}, ")
        self.config(name).write_text(f"site: {made.root}\n{text}{more}", encoding="utf-8")

    @staticmethod
    def videos(name: str, number: int = 1) -> list[str]:
        """The videos of a site's pages: other ones for each name."""
        return ids(number, seed=int.from_bytes(name.encode()))
