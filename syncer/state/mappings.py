"""The mappings that syncer has written with: what is not committed yet may be from before the config was changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from syncer.model import Collection
from syncer.state.damage import OddValue
from syncer.state.database import Database
from syncer.state.intents import decode_fields


def with_former(database: Database, collections: Sequence[Collection]) -> list[Collection]:
    """Return the config's collections, then those that syncer wrote with and that are not among them, newest first.

    The fields of the latter are `former`. Raises OddValue.
    """
    with database.read() as connection:
        rows = connection.execute("SELECT mapping FROM mappings ORDER BY used DESC, mapping").fetchall()
        former = [_former(text) for (text,) in rows]
    return [*collections, *(each for each in former if not any(_is_same(each, other) for other in collections))]


def forget_mappings(database: Database) -> None:
    """Delete all of them."""
    with database.transaction() as connection:
        connection.execute("DELETE FROM mappings")


def _is_same(one: Collection, other: Collection) -> bool:
    return one.files == other.files and one.fields.same_keys(other.fields)


def _former(text: str) -> Collection:
    try:
        values = json.loads(text)
        fields = replace(decode_fields(values), former=True)
        include, exclude = (tuple(map(str, values[key])) for key in ("include", "exclude"))
        return Collection(str(values["directory"]), include, exclude, fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise OddValue("a mapping that syncer wrote with is not valid") from error
