"""A large page with parts replaced is the same in chunks as in one piece."""

from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.front_matter import spliced
from syncer.front_matter.plain import Splice, splice
from syncer.front_matter.spliced import Spliced


@given(
    st.binary(max_size=40), st.lists(st.integers(0, 40), max_size=8), st.lists(st.binary(max_size=9)), st.integers(1, 9)
)
def test_chunks_are_the_page_that_splicing_gives(text: bytes, ends: list[int], new: list[bytes], size: int) -> None:
    offsets = sorted(min(end, len(text)) for end in ends)
    splices: list[Splice] = list(zip(offsets[::2], offsets[1::2], new, strict=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spliced, "CHUNK_BYTES", size)
        page, expected = Spliced(text, splices), splice(text, splices)
        assert (bytes(page), len(page), page.checksum()) == (expected, len(expected), crc32(expected))
        with page.open() as file:
            assert (file.read(3), file.read()) == (expected[:3], expected[3:])
