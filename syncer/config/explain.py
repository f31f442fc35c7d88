"""Explains what pydantic finds: what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import get_args

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from syncer.config.api_key import NO_KEY_HERE
from syncer.config.mapping import BrokenRules
from syncer.config.sections import Config

KeyPath = tuple[str | int, ...]
"""`("collections", 0, "directory")`; empty for the file as a whole."""

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "`true` or `false`",
    "tuple_type": "a list",
    "mapping_type": "a mapping of keys and values",
    "dict_type": "a mapping of keys and values",
    "model_type": "a mapping of keys and values",
}
_FOUND = {
    type(None): "empty",
    bool: "true or false",
    int: "a number",
    float: "a number with a fraction",
    str: "text",
    tuple: "a list",
    dict: "a mapping",
}
_LIMITS = {
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must not be empty; add at least one",
    "string_too_short": "must not be empty",
    "literal_error": "must be {expected}",
}
_SECRET_NAMES = {"apikey", "key", "youtubeapikey", "developerkey", "token"}


def explain(error: ErrorDetails) -> Iterator[tuple[KeyPath, str]]:
    """Yield the key and a sentence for each finding in one of pydantic's errors."""
    key: KeyPath = error["loc"]
    context = error.get("ctx", {})
    cause = context.get("error")
    if key[-1:] == ("[key]",):  # pydantic's word for a mapping's key, as against its value
        key = key[:-1]
    if isinstance(cause, BrokenRules):
        yield from ((key + inner, sentence) for inner, sentence in cause.findings)
    elif error["type"] == "extra_forbidden":
        yield key, _unknown(key)
    elif error["type"] == "missing":
        examples = _keys_at(key[:-1])[str(key[-1])].examples or [""]
        written = yaml.safe_dump({key[-1]: examples[0]}, default_flow_style=True, sort_keys=False, width=1000)
        only = "; only pages with `bodies: true` need none" if key[-1] == "fields" else ""
        yield key, f"is missing; add it, for example `{written.strip()[1:-1]}`{only}"
    elif key == ("status_page", "listen") and error["input"] is None:
        yield key, "is empty; for no status page, write `status_page: null`"
    elif error["type"] in _EXPECTED:
        yield key, _wrong_type(error["type"], error["input"])
    else:
        limit = _LIMITS.get(error["type"], "has a value that cannot be used here")
        yield key, str(cause) if cause else limit.format(**context).replace("'", "`")


def misspelt(errors: Sequence[ErrorDetails]) -> set[KeyPath]:
    """Return the missing keys that unknown ones were most likely meant to be: what is said of those suffices."""
    unknown = [error["loc"] for error in errors if error["type"] == "extra_forbidden"]
    missing = {error["loc"] for error in errors if error["type"] == "missing"}
    return missing.intersection((*key[:-1], *_near(key)) for key in unknown)


def _near(key: KeyPath) -> list[str]:
    """Return the known key beside it that an unknown one was most likely meant to be; empty where none is near."""
    return get_close_matches(str(key[-1]), list(_keys_at(key[:-1])), n=1, cutoff=0.7)


def _unknown(key: KeyPath) -> str:
    name = str(key[-1])
    if name.lower().replace("_", "").replace("-", "") in _SECRET_NAMES:
        return NO_KEY_HERE
    if elsewhere := _dotted_keys().get(name):
        return f"unknown key here; did you mean `{elsewhere}`?"
    if near := _near(key):
        return f"unknown key; did you mean `{near[0]}`?"
    return f"unknown key; the keys here are {', '.join(_keys_at(key[:-1]))}"


def _wrong_type(kind: str, found: object) -> str:
    remedy = ""
    if isinstance(found, str) and kind == "int_type" and found.strip().isdigit():
        remedy = "; remove the quotes"
    elif isinstance(found, bool | int | float) and kind == "string_type":
        remedy = "; put it in quotes"
    elif isinstance(found, str) and kind == "tuple_type":
        remedy = "; put it in brackets"
    elif found is None and kind in ("model_type", "mapping_type"):
        remedy = "; remove the key, or add keys below it"
    return f"must be {_EXPECTED[kind]}, but is {_FOUND[type(found)]}{remedy}"


def _keys_at(key: KeyPath) -> dict[str, FieldInfo]:
    """Return the fields of the section that the key leads to."""
    section: type[BaseModel] = Config
    for part in key:
        if isinstance(part, str):
            section = _section_in(section.model_fields[part])
    return section.model_fields


def _section_in(field: FieldInfo) -> type[BaseModel]:
    candidates: Sequence[object] = (field.annotation, *get_args(field.annotation))
    return next(kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel))


def _dotted_keys(section: type[BaseModel] = Config, prefix: str = "") -> dict[str, str]:
    """Return the dotted path of each key's name; where several paths end in the same name, the first."""
    keys = {name: prefix + name for name in section.model_fields}
    for name, field in section.model_fields.items():
        try:
            inner = _section_in(field)
        except StopIteration:
            continue
        keys = _dotted_keys(inner, f"{prefix}{name}.") | keys
    return keys
