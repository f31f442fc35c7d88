"""The JSON Schema of the config, with which editors complete and check it.

`python -m tests.config_schema` writes it again after a change of the config's keys.
"""

from __future__ import annotations

import json
from datetime import timedelta
from zoneinfo import ZoneInfo

from pydantic.json_schema import GenerateJsonSchema

from syncer.config.formats import duration
from syncer.config.sections import Config
from tests.doc_blocks import ROOT

COMMITTED = ROOT / "syncer" / "config.schema.json"


def schema() -> dict[str, object]:
    """Return the schema: the same keys, types and defaults as the config; rules between keys are left to `check`."""
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **Config.model_json_schema(schema_generator=_AsWritten),
    }


def schema_text() -> str:
    """Return the schema as `syncer/config.schema.json` holds it."""
    return json.dumps(schema(), indent=2) + "\n"


class _AsWritten(GenerateJsonSchema):
    """Shows defaults as the config file writes them."""

    def field_title_should_be_set(self, schema: object) -> bool:  # a title would only repeat the key
        return False

    def encode_default(self, dft: object) -> object:
        if isinstance(dft, timedelta):
            return duration(dft)
        if isinstance(dft, float):
            return f"{round(dft * 100)}%"
        return str(dft) if isinstance(dft, ZoneInfo) else super().encode_default(dft)


if __name__ == "__main__":
    COMMITTED.write_text(schema_text(), encoding="utf-8")
