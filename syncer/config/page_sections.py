"""The config's keys about pages and videos: the collections, their fields, when counts are written, what is checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from syncer import model
from syncer.config.formats import (
    POSITIVE_DURATION_PATTERN,
    SHARE_PATTERN,
    THRESHOLD_PATTERN,
    check_country,
    check_data_file,
    check_inside,
    check_pattern,
    check_patterns,
    check_storable,
    duration,
    parse_positive_duration,
    parse_share,
    parse_threshold,
)
from syncer.config.mapping import (
    BrokenRules,
    Column,
    Rule,
    broken_rules,
    check_direction,
    check_field,
    check_video_id,
    count_name,
)
from syncer.front_matter.keys import DATA_SUFFIXES, KEYED
from syncer.model import Count, Detail


def not_empty(value: object) -> object:
    """Return the value unless it is an empty list or mapping; pydantic counts only the items that are valid."""
    if value in ((), {}):
        raise ValueError("must not be empty; add at least one")
    return value


NotEmpty = BeforeValidator(not_empty)
PositiveDuration = Annotated[
    timedelta,
    PlainValidator(parse_positive_duration),
    WithJsonSchema({"type": "string", "pattern": POSITIVE_DURATION_PATTERN}),
]
_InsidePath = Annotated[str, AfterValidator(check_inside), Field(min_length=1)]
_Glob = Annotated[str, AfterValidator(check_pattern), Field(min_length=1)]
_FieldPath = Annotated[str, BeforeValidator(check_field), Field(min_length=1)]
_IdPath = Annotated[str, BeforeValidator(check_video_id), Field(min_length=1)]
_CountName = Annotated[Count, BeforeValidator(count_name)]
Share = Annotated[float, PlainValidator(parse_share), WithJsonSchema({"type": "string", "pattern": SHARE_PATTERN})]
_THRESHOLD = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": model.LARGEST_COUNT},
        {"type": "string", "pattern": THRESHOLD_PATTERN},
    ]
}
_Threshold = Annotated[model.Threshold, PlainValidator(parse_threshold), WithJsonSchema(_THRESHOLD)]


def _for_each_count(value: object) -> object:
    return value if isinstance(value, dict) else dict.fromkeys(Count, parse_threshold(value))


_MinChange = Annotated[
    Mapping[_CountName, _Threshold],
    BeforeValidator(_for_each_count),
    WithJsonSchema(
        {
            "anyOf": [
                *_THRESHOLD["anyOf"],
                {
                    "type": "object",
                    "properties": {count.value: _THRESHOLD for count in Count},
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


class Section(BaseModel):
    """A mapping in the config: frozen, without unknown keys, and without implicit conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class OwnWrite(Section):
    """`collections[].write`: keys of `write` with other values for one collection."""

    min_change: _MinChange | None = Field(default=None, description="Instead of `write.min_change`.")
    rounding: Literal["exact", "display"] | None = Field(default=None, description="Instead of `write.rounding`.")
    at_least_every: PositiveDuration | None = Field(
        default=None, description="Instead of `write.at_least_every`; null: never, whatever the site has."
    )


class FieldMapping(Section):
    """`fields`: which keys of a page or a data file hold the video ID and the counts."""

    video_id: _IdPath = Field(
        description="The key of the video ID or URL: `vid_id`; `links.youtube` when nested; `videos[].id` in a list; in"
        " data files also `[].id`, `{}` where the keys are the IDs, or a column's name.",
        examples=["vid_id"],
    )
    counts: Annotated[Mapping[_CountName, _FieldPath], BeforeValidator(check_direction)] = Field(
        description="YouTube's name of each count, and your key for it. In a list, the key is relative to the item."
        " `{}`: no count, only whether the videos play.",
        examples=[{"viewCount": "viewcount"}],
    )
    where: Mapping[_FieldPath, str] = Field(
        default={},
        description="Only pages, or items of a list, that have these values, as they are written there.",
        examples=[{"video_provider": "youtube"}],
    )
    insert_missing: bool = Field(
        default=False,
        description="Whether to add a count or date that a page does not have, on the line after the video ID.",
    )
    insert_as: model.CountType = Field(
        default="number", description="The type of an added count in a page without other mapped counts."
    )
    checked_at: _FieldPath | None = Field(
        default=None,
        description="Your key for the day (UTC) on which a written count was read; written only together with a count.",
        examples=["viewsUpdated"],
    )
    unavailable_since: _FieldPath | None = Field(
        default=None,
        description="Your key for the day (UTC) since which the video does not play; emptied when it plays again.",
        examples=["videoUnavailable"],
    )

    @property
    def details(self) -> Mapping[Detail, str]:
        """The keys of what pages show beside counts."""
        keys: dict[Detail, str | None] = {detail: getattr(self, detail) for detail in Detail}
        return {detail: key for detail, key in keys.items() if key is not None}


class Brakes(Section):
    """`write.brake`: when the safety brake stops a sync."""

    missing: Share = Field(
        default=parse_share("50%"), description="Stop if more than this share of the videos is suddenly missing."
    )
    falling: Share = Field(default=parse_share("50%"), description="Stop if more than this share of the counts falls.")


class Write(Section):
    """`write`: when and how counts are written."""

    in_place: bool = Field(
        default=True,
        description="Whether a page that no other program has open is changed in place; `false`: each gets a new file.",
    )
    min_change: _MinChange = Field(
        default=0,
        validate_default=True,
        description="A count is written when it differs by more than this: `25`, `1%`, or one for each count.",
    )
    rounding: Literal["exact", "display"] = Field(
        default="exact",
        description="`display`: a count is written when the form that people read, such as `1.2M`, changes.",
    )
    at_least_every: PositiveDuration | None = Field(
        default=None, description="A count that differs is written at the latest so long after its last write."
    )
    at_most_every: PositiveDuration | None = Field(
        default=None, description="Pages are written, and committed, at most this often, all that is due together."
    )
    to: Literal["front_matter", "data_file"] = Field(
        default="front_matter", description="Where counts are written: into the pages, or all of them into `file`."
    )
    file: Annotated[str, AfterValidator(check_data_file)] | None = Field(
        default=None,
        description="The data file for `to: data_file`, relative to `site`: `.yml`, `.yaml`, `.json` or `.toml`.",
        examples=["_data/youtube.yml"],
    )
    brake: Brakes = Field(default_factory=Brakes, description="When the safety brake stops a sync.")

    def policy(self, own: OwnWrite) -> model.WritePolicy | None:
        """Return the policy of a collection with these keys of its own; None if every count is written."""
        min_change = self.min_change if own.min_change is None else own.min_change
        thresholds = {count: least for count, least in min_change.items() if any(least)}
        display = (own.rounding or self.rounding) == "display"
        at_least_every = (own if "at_least_every" in own.model_fields_set else self).at_least_every
        if not (thresholds or display or self.at_most_every):
            return None
        if not (thresholds or display):
            at_least_every = None  # no count is too small, so there is nothing to remember
        return model.WritePolicy(thresholds, display, at_least_every, self.at_most_every)


_FormatName = Literal["front_matter", "data", "yaml", "json", "toml", "csv", "tsv"]
_PAGE: Final = "front_matter"
_TABLES: Final = frozenset({"csv", "tsv"})


def _marked(fields: dict[str, object]) -> dict[str, object]:
    """Return a mapping of fields in which the names of columns are marked."""

    def mark(name: object) -> object:
        return Column(name) if isinstance(name, str) else name

    marked = {key: mark(name) if key in {"video_id", *Detail} else name for key, name in fields.items()}
    if isinstance(counts := fields.get("counts"), dict):
        marked["counts"] = {key: mark(name) for key, name in counts.items()}
    if isinstance(where := fields.get("where"), dict):
        marked["where"] = {mark(name): text for name, text in where.items()}
    return marked


class PlayChecks(Section):
    """`availability`: how often YouTube is asked whether each video still plays."""

    every: Annotated[PositiveDuration, AfterValidator(check_storable)] | None = Field(
        default=parse_positive_duration("7d"),
        description="Each video is checked once in this time, at most `30d`; null: none is.",
    )
    regions: tuple[Annotated[str, AfterValidator(check_country)], ...] = Field(
        default=(),
        description="The countries in which a video must play; without any, it is blocked only if it plays nowhere.",
        examples=[["DE", "US"]],
    )

    @property
    def listed(self) -> str:
        """The regions in one text, whatever their order."""
        return " ".join(sorted(set(self.regions)))


_ONLY_EMBEDS: Final = FieldMapping.model_construct(video_id="", counts={})
"""No field: only the text of the pages is read."""


class Collection(Section):
    """An item of `collections`: a directory of pages that share one set of fields."""

    directory: _InsidePath = Field(
        description="Where the pages are, relative to `site`; `.` is the site itself.", examples=["content"]
    )
    format: _FormatName | None = Field(
        default=None,
        description="How its files are read; without it by suffix: `.yml`, `.yaml`, `.json`, `.toml`, `.csv` and `.tsv`"
        " are data, all others have front matter.",
    )
    bodies: bool = Field(
        default=False, description="Whether videos in the text of its pages are reported, too; none is written there."
    )
    include: Annotated[tuple[_Glob, ...], NotEmpty, AfterValidator(check_patterns)] = Field(
        default=("**/*.md", "**/*.markdown"),
        json_schema_extra={"minItems": 1},
        description="Which files are pages: globs as in .gitignore, relative to the directory. The default of a"
        " collection with a data format is every file with its suffixes.",
    )
    exclude: tuple[_Glob, ...] = Field(
        default=(), description="Which files are not pages: globs as in .gitignore, relative to the directory."
    )
    fields: FieldMapping = Field(
        default_factory=lambda: _ONLY_EMBEDS,
        validate_default=True,
        description="Which keys hold the video ID and the counts; a collection with `bodies` may have none.",
        examples=[{"video_id": "vid_id", "counts": {"viewCount": "viewcount"}}],
    )
    write: OwnWrite = Field(
        default_factory=OwnWrite, description="Keys of `write` with other values for this collection."
    )

    @model_validator(mode="before")
    @classmethod
    def _mark_columns(cls, value: object) -> object:
        """Mark the names of columns, which are taken literally, if the format says that the files are tables."""
        fields = value.get("fields") if isinstance(value, dict) and value.get("format") in _TABLES else None
        return {**value, "fields": _marked(fields)} if isinstance(value, dict) and isinstance(fields, dict) else value

    @field_validator("fields")
    @classmethod
    def _keep_rules(cls, own: FieldMapping, info: ValidationInfo) -> FieldMapping:
        if own is _ONLY_EMBEDS:
            if info.data.get("bodies", True):  # it lacks where it is wrong itself
                return own
            raise PydanticCustomError("missing", "Field required")
        is_table, keys = info.data.get("format") in _TABLES, (own.video_id, own.counts, own.details, own.where)
        if broken := list(broken_rules(*keys, insert_missing=own.insert_missing, is_table=is_table)):
            raise BrokenRules(broken)
        return own

    def as_model(self, policy: model.WritePolicy | None = None) -> model.Collection:
        """Return the collection as the lower layers use it, with the policy that `Write.policy` returns for it."""
        own, include = self.fields, self.include
        if self.format not in {None, _PAGE} and "include" not in self.model_fields_set:
            suffixes = [suffix for suffix, format_ in DATA_SUFFIXES.items() if self.format in {"data", format_}]
            include = tuple(f"**/*.{suffix}" for suffix in suffixes)
        fields = model.Fields(
            own.video_id,
            dict(own.counts),
            own.insert_missing,
            own.insert_as,
            own.details,
            policy,
            format=model.Format(self.format) if self.format else None,
            where=dict(own.where),
            bodies=self.bodies,
        )
        return model.Collection(self.directory, include, self.exclude, fields)


def rules_of_collections(write: Write, collections: Sequence[Collection]) -> Iterator[Rule]:
    """Yield the rules between `write`, the collections, their files and their formats that are broken."""
    shortest = write.at_most_every
    own = [(("collections", number, "write"), each.write.at_least_every) for number, each in enumerate(collections)]
    for path, interval in [(("write",), write.at_least_every), *own]:
        if shortest and interval and interval < shortest:
            sentence = f"is shorter than `write.at_most_every`; make it at least {duration(shortest)}"
            yield (*path, "at_least_every"), sentence
    for number, collection in enumerate(collections):
        fields = collection.fields
        if collection.bodies and collection.format not in {None, _PAGE}:
            yield ("collections", number, "bodies"), "has no effect on data files, which have no text; remove it"
        if collection.format or fields.insert_missing or fields.video_id.startswith(("[]", KEYED)):
            yield from ((("collections", number, *key), rule) for key, rule in _format_rules(collection))
    if write.to == "data_file":
        yield from _data_file_rules(write, collections)
    elif write.file is not None:
        yield ("write", "file"), "is not written without `to: data_file`; add that, or remove `file`"


def _data_file_rules(write: Write, collections: Sequence[Collection]) -> Iterator[Rule]:
    """Yield the broken rules of the data file of `write.to`: it holds all collections' counts, each under one key."""
    if write.file is None:
        yield ("write", "to"), "needs `file`, the data file to write, such as `file: _data/youtube.yml`"
    keys: dict[Count, str] = {}
    for number, collection in enumerate(collections):
        fields, at = collection.fields, ("collections", number)
        for date in fields.details:
            yield (*at, "fields", date), "is a date in pages, and `write.to: data_file` writes none; remove it"
        if not fields.counts:
            yield (*at, "fields", "counts"), "is empty, and `write.to: data_file` is for counts; add one"
        if collection.write.model_fields_set:
            yield (*at, "write"), "does not go with `write.to: data_file`, which is one file; set it in `write`"
        for count, key in fields.counts.items():
            if keys.setdefault(count, key) != key:
                sentence = f"is `{keys[count]}` in another collection; in a data file, a count has one key"
                yield (*at, "fields", "counts", count), sentence
    yield from ((("collections",), rule) for _, rule in broken_rules(KEYED, keys, {}, {}, insert_missing=False))


def _format_rules(collection: Collection) -> Iterator[Rule]:
    """Yield the rules between the format of a collection, the suffixes of its files and its fields that are broken."""
    fields = collection.fields
    patterns = [pattern for pattern in collection.as_model().include if not pattern.startswith("!")]
    suffixes = [found and found[1].lower() for found in (re.search(r"\.(\w+)$", each) for each in patterns)]
    formats: set[str | None] = {
        collection.format
        if collection.format not in {None, "data"}
        else DATA_SUFFIXES.get(suffix or "", _PAGE if suffix else None)
        for suffix in suffixes
    }
    for pattern, suffix in zip(patterns, suffixes, strict=True) if collection.format == "data" else ():
        if suffix and suffix not in DATA_SUFFIXES:
            known = ", ".join(f".{each}" for each in DATA_SUFFIXES)
            sentence = f"`{pattern}` names none of {known}, by which `format: data` goes; set another format"
            yield ("include",), sentence
    top = next((start for start in ("[]", KEYED) if fields.video_id.startswith(start)), None)
    if top and formats == {_PAGE}:
        what = "the list at the top" if top == "[]" else "the mapping at the top whose keys are the IDs"
        remedy = "remove `format: front_matter`" if collection.format else "name the data files in `include`"
        sentence = f"begins with `{top}`, {what} of a data file, but these files have front matter; {remedy}"
        yield ("fields", "video_id"), sentence
    if fields.insert_missing and formats <= _TABLES:
        sentence = "cannot add a column to a table; add the columns yourself, and remove `insert_missing`"
        yield ("fields", "insert_missing"), sentence
