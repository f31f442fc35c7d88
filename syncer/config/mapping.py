"""The rules of a field mapping: which keys can hold a video ID, its counts and its dates, and which go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from syncer.front_matter.keys import KEYED, part_by_case
from syncer.model import Count, Detail

_NOT_GIVEN = {
    "dislikeCount": "YouTube no longer publishes dislike counts; remove it",
    "favoriteCount": "YouTube's favourite count is always 0; remove it",
}
_MEANT = {word: count for count in Count for word in (count.lower(), count.removesuffix("Count") + "s")}

Rule = tuple[tuple[str | int, ...], str]
"""The key in its section that breaks a rule (`("counts", "viewCount")`), and a sentence that says how."""


class BrokenRules(ValueError):
    """Rules between keys that are broken: for each, the key in its section, and a sentence."""

    def __init__(self, findings: Sequence[Rule]) -> None:
        super().__init__("; ".join(sentence for _, sentence in findings))
        self.findings = tuple(findings)


class Column(str):
    """The name of a table's column, in which no character means anything."""

    __slots__ = ()


def check_field(path: object) -> object:
    """Return the dotted path of a field (`links.youtube`, `videos[].id`) unchanged; raises ValueError.

    Other values are unchanged too: they are columns, or their type is wrong.
    """
    if not isinstance(path, str) or isinstance(path, Column):
        return path
    if path.startswith("[]."):
        raise ValueError(f"must be named from the list item; write `{path[3:]}`")
    if KEYED in path:
        raise ValueError("has misplaced braces; `video_id` ends in `{}` where the IDs are keys, such as `videos.{}`")
    if path.endswith("[]"):
        raise ValueError(f"ends at a list; name the key inside its items, such as `{path}.id`")
    for part in path.split("."):
        key = part.removesuffix("[]")
        if not key.strip():
            raise ValueError("has an empty part; join keys with single dots, such as `links.youtube`")
        if key != key.strip():
            raise ValueError("has a space beside a dot, at its start or at its end; remove it")
        if "[" in key or "]" in key:
            raise ValueError("has a misplaced bracket; write a list as `videos[].id`, without a number")
    return path


def check_video_id(path: object) -> object:
    """Return the path of the video ID unchanged, if it is one; raises ValueError."""
    if path in ({}, ()):
        written = "{}" if path == {} else "[].id"
        raise ValueError(f'is an empty {"mapping" if path == {} else "list"} without quotes; write it as `"{written}"`')
    if isinstance(path, str) and not isinstance(path, Column):
        inner = path.removeprefix("[].")
        check_field(inner.removesuffix(KEYED) + "id" if inner == KEYED or inner.endswith(f".{KEYED}") else inner)
    return path


def count_name(name: object) -> Count:
    """Return YouTube's count of that name; raises ValueError."""
    if name in list(Count):
        return Count(str(name))
    if name in _NOT_GIVEN:
        raise ValueError(_NOT_GIVEN[str(name)])
    close = get_close_matches(str(name).lower(), _MEANT, n=1)
    remedy = f"did you mean `{_MEANT[close[0]]}`?" if close else f"the counts are {', '.join(Count)}"
    raise ValueError(f"is not a YouTube count; {remedy}")


def check_direction(counts: object) -> object:
    """Return the counts unchanged; raises BrokenRules where the site's key is written first."""
    if isinstance(counts, dict):
        swapped = [(key, name) for key, name in counts.items() if name in list(Count) and key not in list(Count)]
        if swapped:
            raise BrokenRules(
                [((key,), f"is not a YouTube count; swap the two: `{name}: {key}`") for key, name in swapped]
            )
    return counts


def broken_rules(
    video_id: str,
    counts: Mapping[Count, str],
    details: Mapping[Detail, str],
    where: Mapping[str, str],
    *,
    insert_missing: bool,
    is_table: bool = False,
) -> Iterator[Rule]:
    """Yield every rule between the ID, its counts, its dates and what decides that the mapping breaks.

    `is_table`: they are names of columns, in which no character means anything.
    """
    list_path, in_item = ("", video_id) if is_table else _split_list(video_id)
    if video_id.endswith(KEYED) and not is_table:
        list_path, in_item = video_id, ""
    if Detail.CHECKED_AT in details and not counts:
        yield ("checked_at",), "is written only together with a count; add one to `counts`, or remove it"
    clash = _same if is_table else _clash
    before: dict[str, str] = {"video_id": in_item} if in_item else {}
    for kind, key in (*counts.items(), *details.items()):
        message = (
            (_misplaced(key, list_path) if "[]" in key and not is_table else None)
            or next(filter(None, (clash(key, other, owner) for owner, other in before.items())), None)
            or (_not_beside(key, in_item) if insert_missing and not is_table else None)
        )
        if message:
            yield ((kind.value,) if isinstance(kind, Detail) else ("counts", kind)), message
        before[kind.value] = key
    for key in where:
        clashes = (clash(key, other, owner) for owner, other in before.items())
        is_misplaced = "[]" in key and not is_table
        if message := _misplaced(key, list_path) if is_misplaced else next(filter(None, clashes), None):
            yield ("where", key), message


def _split_list(path: str) -> tuple[str, str]:
    """`videos[].meta.id` -> `videos[]` and `meta.id`; without a list the first is empty."""
    before, found, after = path.rpartition("[].")
    return (before + "[]", after) if found else ("", path)


def _misplaced(key: str, list_path: str) -> str:
    """Return what is wrong with a key that has a list in it."""
    if not list_path:
        return "is in a list but `video_id` is not; it must be beside its video ID"
    own_list, in_item = _split_list(key)
    if own_list == list_path:
        return f"must be named from the list item; write `{in_item}`"
    return f"is in another list than `video_id`; it must be in an item of `{list_path}`"


def _same(key: str, other: str, owner: str) -> str | None:
    return f"is also the key of `{owner}`; each needs its own key" if key == other else None


def _clash(key: str, other: str, owner: str) -> str | None:
    if key == other:
        return _same(key, other, owner)
    if other.startswith(key + ".") or key.startswith(other + "."):
        return f"conflicts with `{other}` of `{owner}`: one key would be inside the other; use another key"
    if part_by_case(key, other):
        return f"differs from `{other}` of `{owner}` only in letter case, which Hugo ignores; use the same letters"
    return None


def _not_beside(key: str, in_item: str) -> str | None:
    parent = in_item.rpartition(".")[0]
    if key.rpartition(".")[0] == parent:
        return None
    beside = f"under `{parent}`" if parent else "at the same level"
    return f"cannot be inserted: with insert_missing, the key must be {beside}, beside the video ID's key"
