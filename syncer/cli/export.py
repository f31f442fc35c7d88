"""`syncer export`: writes a table of the state or the diff log to a file or to standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from syncer.cli.settings import Settings
from syncer.errors import UsageError

if TYPE_CHECKING:
    from typing import BinaryIO

    from syncer.config.sections import Config
    from syncer.status.tables import Row

STANDARD_OUTPUT = "-"


@click.command()
@click.argument("arguments", metavar="[TABLE] FILE|-", nargs=-1)
@click.option("--csv", is_flag=True, help="Write CSV.")
@click.option("--jsonl", is_flag=True, help="Write JSON Lines: an object for each row.")
@click.option("--parquet", is_flag=True, help="Write Parquet. Needs duckdb.")
@click.option(
    "--since", metavar="T", help="Only since then: 2026-11-22, 2026-11-22T15:00:00Z, or 6h for the last six hours."
)
@click.pass_obj
def command(settings: Settings, /, arguments: tuple[str, ...], since: str | None, **forms: bool) -> int:
    """Export a table to FILE, or to standard output (-).

    TABLE is `readings` (the default), `changes` or `videos`. FILE is replaced if it exists.
    """
    from syncer.cli.arguments import absolute, moment
    from syncer.cli.show import show
    from syncer.cli.table_files import FORMATS, require_duckdb
    from syncer.status.tables import TABLES
    from syncer.wording import counted

    name, file = _table_and_file(arguments, TABLES)
    chosen = [form for form, is_chosen in forms.items() if is_chosen]
    if len(chosen) != 1:
        raise click.UsageError("choose one format: --csv, --jsonl or --parquet")
    (form,) = chosen
    start = moment(since, datetime.now(UTC)) if since else None
    if form == "parquet":
        require_duckdb()
        if file == STANDARD_OUTPUT and sys.stdout.isatty():
            raise UsageError("Parquet is not text; name a FILE, or redirect the output")
    config = settings.config()
    target = file if file == STANDARD_OUTPUT else _checked(file, config, absolute(settings.config_path))
    numbered = _Numbered(TABLES[name].rows(config, start))
    chunks = FORMATS[form](TABLES[name].columns, iter(numbered))
    if file == STANDARD_OUTPUT:
        return to_standard_output(chunks)
    with _new_file(file, target) as new:
        new.writelines(chunks)
    if not settings.quiet:
        show(f"Wrote {file}: {counted(numbered.rows, 'row')}.")
    return 0


class _Numbered:
    """Rows that are counted while they pass."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self.rows = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.rows += 1
            yield row


def _table_and_file(arguments: tuple[str, ...], tables: Collection[str]) -> tuple[str, str]:
    """Return the table's name and the file. Raises UsageError."""
    *names, file = arguments or ("readings",)
    if not names and file in tables:
        raise click.UsageError(f"name a FILE to export the {file} to, or - for standard output")
    if unknown := [name for name in names if name not in tables]:
        from syncer.cli.arguments import meant

        raise click.UsageError(f"no such table '{unknown[0]}'; {meant(unknown[0], tables)}")
    if len(names) > 1:
        raise click.UsageError("name one table and one FILE")
    return (names or ["readings"])[0], file


def to_standard_output(chunks: Iterator[bytes]) -> int:
    """Write to standard output, and return the exit code; end early where nothing more can be written."""
    from syncer.cli.process import lost_output, printed

    is_terminal = sys.stdout.isatty()
    for chunk in chunks:
        sys.stdout.buffer.write(_safe_lines(chunk) if is_terminal else chunk)
        if lost_output():
            break
    return printed()


def _safe_lines(chunk: bytes) -> bytes:
    from syncer.wording import safe

    return "\n".join(map(safe, chunk.decode().replace("\r\n", "\n").split("\n"))).encode()


def _checked(file: str, config: Config, config_path: str) -> str:
    """Return the real path of FILE. Raises UsageError where it is one of the site's own files."""
    from syncer.cli.arguments import absolute
    from syncer.content.walk import candidate_of
    from syncer.state.database import open_state
    from syncer.state.mappings import with_former

    target, state, site = (
        os.path.realpath(each) for each in (absolute(file), str(config.state_directory), str(config.site))
    )
    if os.path.commonpath([target, state]) == state:
        raise UsageError(f"{file}: in the state's directory; name a file elsewhere")
    key = config.youtube.api_key_file
    if target in {os.path.realpath(config_path), os.path.realpath(config.site / key) if key else None}:
        raise UsageError(f"{file}: syncer reads this file; name another one")
    with open_state(config.state_directory, config.site) as database:
        collections = with_former(database, config.written_models())
    if target.startswith(f"{site}/") and candidate_of(collections)(target[len(site) + 1 :]).fields:
        raise UsageError(f"{file}: a page, or the data file, of the site; name another file")
    return target


@contextmanager
def _new_file(file: str, target: str) -> Iterator[BinaryIO]:
    """Yield a new file, which replaces FILE when the block ends; if it fails, FILE stays as it was.

    A link stays, and the file that it leads to, `target`, is replaced. Raises UsageError where FILE cannot be written.
    """
    import secrets
    import stat
    from contextlib import suppress

    new = os.path.join(os.path.dirname(target), f".syncer-export-{secrets.token_hex(4)}~")
    try:
        mode = os.stat(target).st_mode if os.path.exists(target) else None
        if mode is not None and not stat.S_ISREG(mode):
            raise UsageError(f"{file}: not a file; write to - and redirect the output")
        with open(new, "xb") as written:
            yield written
            written.flush()
            if mode is not None:
                os.fchmod(written.fileno(), stat.S_IMODE(mode))
            os.fsync(written.fileno())
        os.replace(new, target)
    except OSError as error:
        raise UsageError(f"{file}: cannot write the file: {error.strerror}") from error
    finally:
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(new)
