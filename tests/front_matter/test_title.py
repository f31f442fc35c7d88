"""A page's title, for people to know the page by."""

from __future__ import annotations

import pytest

from syncer.front_matter.leaves import title_of


@pytest.mark.parametrize(
    ("page", "title"),
    [
        (b'---\r\ntitle: "Caf\xc3\xa9: a \\"tour\\""\r\n---\r\n', 'Café: a "tour"'),
        (b"---\ntitle: Plain\n...\n", "Plain"),
        (b"+++\ntitle = 'T'\n+++\n", "T"),
        (b'{"title": "J"}\n', "J"),
        (b"---\nname: x\n---\n", None),
        (b"---\ntitle:\n---\n", None),
        (b"---\ntitle: [a, b]\n---\n", None),
        (b"---\ntitle: a: b\n---\n", None),
        (b"---\ntitle: never ends\n", None),
        (b"---\ntitle: \xff\n---\n", "\ufffd"),
        (b"no front matter\n", None),
    ],
)
def test_it_is_the_value_of_title_if_that_can_be_read(page: bytes, title: str | None) -> None:
    assert title_of(page) == title
