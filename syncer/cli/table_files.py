"""Writes a table as CSV, JSON Lines or Parquet, in flat memory."""

from __future__ import annotations

import csv
import errno
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import islice
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from syncer.errors import UsageError
from syncer.status.tables import ColumnType
from syncer.wording import safe_json

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from syncer.status.tables import Row

Columns = Mapping[str, ColumnType]

CHUNK_ROWS = 1_000
"""Rows that are formatted at once."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet computes a cell that begins like this."""

CHUNK_BYTES = 1 << 20
"""Bytes of a finished file that are copied at once."""

ROW_GROUP_ROWS = 61_440
"""Rows that DuckDB collects in memory before it writes them; a multiple of the 2,048 that it computes at once."""


def csv_chunks(columns: Columns, rows: Iterator[Row]) -> Iterator[bytes]:
    """Yield a table as CSV: RFC 4180, UTF-8, `true` and `false`, empty cells for null.

    A text that a spreadsheet would compute gets an apostrophe before it. Video IDs stay as they are, because programs
    look for them, and none of them is a formula that reads or runs anything.
    """
    texts = {number for number, name in enumerate(columns) if columns[name] is ColumnType.TEXT and name != "video_id"}

    def plain(row: Row) -> Row:
        for number, value in enumerate(row):
            is_formula = number in texts and str(value).startswith(FORMULA_STARTS)
            yield f"'{value}" if is_formula else value

    yield _csv_bytes([columns])
    yield from _csv_rows(map(plain, rows))


def json_chunks(columns: Columns, rows: Iterator[Row]) -> Iterator[bytes]:
    """Yield a table as JSON Lines: an object for each row, with all columns."""
    for part in _parts(rows):
        lines = (safe_json(dict(zip(columns, row, strict=True))) for row in part)
        yield "".join(f"{line}\n" for line in lines).encode()


def require_duckdb() -> None:
    """Raise UsageError where DuckDB, which writes Parquet, is not installed."""
    try:
        import duckdb  # noqa: F401 - whether it is there
    except ImportError:
        raise UsageError(
            "--parquet needs duckdb, which is not installed; run `pipx inject syncer-youtube duckdb`,"
            " or `pip install duckdb` in the virtual environment of syncer"
        ) from None


def parquet_chunks(columns: Columns, rows: Iterator[Row]) -> Iterator[bytes]:
    """Yield a table as Parquet. Raises what `rows` raise, and OSError.

    DuckDB takes whole columns or files, not rows from Python: it reads them as CSV from a pipe, and writes a file.
    """
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    with TemporaryDirectory(prefix="syncer-export-") as directory:
        path = os.path.join(directory, "table.parquet")
        reader, writer = os.pipe()
        with ThreadPoolExecutor(1) as pool, duckdb.connect(config=settings) as connection:
            feeding = pool.submit(_feed, rows, writer)
            try:
                _copy(connection, columns, f"/dev/fd/{reader}", path)
            except duckdb.IOException as error:
                raise OSError(errno.EIO, str(error), path) from error
            finally:
                os.close(reader)  # a feeder that still writes ends with an error
            feeding.result()
        with open(path, "rb") as file:
            yield from iter(partial(file.read, CHUNK_BYTES), b"")


def _copy(connection: DuckDBPyConnection, columns: Columns, source: str, path: str) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    types = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
    form = "header = false, auto_detect = false, delim = ',', quote = '\"', escape = '\"', new_line = '\\r\\n'"
    target = path.replace("'", "''")
    connection.execute(
        f"COPY (SELECT * FROM read_csv('{source}', {form}, columns = {{{types}}})) TO '{target}'"
        f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP_ROWS}, USE_TMP_FILE false)"
    )


def _feed(rows: Iterator[Row], writer: int) -> None:
    with suppress(BrokenPipeError), open(writer, "wb") as pipe:
        pipe.writelines(_csv_rows(rows))


def _csv_rows(rows: Iterator[Row]) -> Iterator[bytes]:
    return map(_csv_bytes, _parts(rows))


def _csv_bytes(rows: Iterable[Row]) -> bytes:
    text = io.StringIO(newline="")
    cells = (["true" if cell is True else "false" if cell is False else cell for cell in row] for row in rows)
    csv.writer(text).writerows(cells)
    return text.getvalue().encode()


def _parts(rows: Iterator[Row]) -> Iterator[Sequence[Row]]:
    return iter(lambda: list(islice(rows, CHUNK_ROWS)), [])


FORMATS = {"csv": csv_chunks, "jsonl": json_chunks, "parquet": parquet_chunks}
"""What yields a table in each format, by its option."""
