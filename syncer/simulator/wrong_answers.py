"""Faults in the contents of responses: bodies that are not JSON, documents that are not answers, wrong items."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus

from syncer.simulator.acts import Alter, Distort, Kind, Scene
from syncer.simulator.resources import Item, items_of
from syncer.simulator.wire import Json, Reply, compressed, html_reply

STRANGER = "NobodyAsked"
"""The ID of an item that was not requested."""

_LEVELS = 100_000
_EXTRA_ITEMS = 10_000
"""How many items are returned in addition to the requested ones."""
_UNPACKED_BYTES = 100 * 1024 * 1024
"""Size in bytes of a small body after decompression."""
_COUNT = re.compile(r"[0-9]{1,19}")
_ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
_EXTRA = {"viewCount": "41", "likeCount": "4"}


def _becomes(document: Json) -> Alter:
    return Alter(lambda _document, _scene: document)


def _without(name: str) -> Alter:
    return Alter(lambda document, _scene: {key: value for key, value in document.items() if key != name})


def _with(name: str, value: Json) -> Alter:
    return Alter(lambda document, _scene: {**document, name: value})


def _items(change: Callable[[list[Item], Scene], list[Item]]) -> Alter:
    return Alter(lambda document, scene: {**document, "items": change(items_of(document), scene)})


def _each(change: Callable[[Item], list[Item]]) -> Alter:
    """Change the items of the fault's videos; each becomes a list."""
    return _items(
        lambda items, scene: [
            new for item in items for new in (change(item) if scene.concerns(item.get("id")) else [item])
        ]
    )


def _statistics(value: Json) -> Alter:
    return _each(lambda item: [{**item, "statistics": value}])


def _count(write: Callable[[str], Json]) -> Alter:
    """Write every count in another form."""
    return _each(lambda item: [_rewritten(item, write)])


def _rewritten(item: Item, write: Callable[[str], Json]) -> Item:
    """Return the item with its counts in another form; what is not a count stays as it is."""
    counts = item.get("statistics")
    if not isinstance(counts, dict):
        return item
    written = {
        name: write(count) if isinstance(count, str) and _COUNT.fullmatch(count) else count
        for name, count in counts.items()
    }
    return {**item, "statistics": written}


def _wrong_summary(document: Item, _scene: Scene) -> Json:
    ids = [item.get("id") for item in items_of(document)]
    counts = {"requestedVideoCount": -1, "succeededVideoCount": 0, "failedVideoCount": len(ids)}
    return {**document, "summary": {**counts, "failedVideoIds": ids}}


def _body(change: Callable[[bytes], bytes]) -> Distort:
    return Distort(lambda reply, _scene: replace(reply, body=change(reply.body)))


def _gzip(change: Callable[[bytes], bytes]) -> Distort:
    """Change the compressed body."""
    return Distort(lambda reply, _scene: replace(reply, body=change(compressed(reply.body)), zipped=True))


def _corrupt(zipped: bytes) -> bytes:
    """Invert bytes in the middle; the header still says gzip."""
    middle = len(zipped) // 2
    return zipped[:middle] + bytes(byte ^ 0xFF for byte in zipped[middle : middle + 8]) + zipped[middle + 8 :]


def _page(status: int, paragraph: str) -> Kind:
    """Return the kind that responds with a page of the front end, or of a proxy."""
    sentence = f"{status} with an HTML page: {HTTPStatus(status).phrase}."
    return Kind(sentence, Distort(lambda _reply, _scene: html_reply(status, paragraph)))


def _nothing(status: int) -> Kind:
    return Kind(f"{status} with an empty body.", Distort(lambda _reply, _scene: Reply(status, b"")))


_TRY_AGAIN = "The server encountered a temporary error and could not complete your request."

BODIES: Mapping[str, Kind] = {
    "html-200": Kind(
        "200 with an HTML page, as from a network with a login page.",
        Distort(lambda _reply, _scene: Reply(200, b"<!DOCTYPE html>\n<title>Welcome</title>\n", is_json=False)),
    ),
    "html-400": _page(400, "Your client has issued a malformed or illegal request."),
    "html-400-short": Kind(
        "400 with a very short page.",
        Distort(
            lambda _reply, _scene: Reply(400, b"<html><title>Error 400 (Bad Request)!!1</title></html>", is_json=False)
        ),
    ),
    "html-403": _page(403, "Your network's administrator does not allow this page."),
    "html-404": _page(404, "The requested URL was not found on this server."),
    "html-407": _page(407, "This proxy wants to know who you are."),
    "html-408": _page(408, "Your client has taken too long to issue its request."),
    "html-413": _page(413, "Your client issued a request that was too large."),
    "html-429": _page(429, "We are sorry, but your computer may be sending automated queries."),
    "html-500": _page(500, "The server encountered an error and could not complete your request."),
    "html-501": _page(501, "The server does not know this method."),
    "html-502": _page(502, f"{_TRY_AGAIN}<p>Please try again in 30 seconds."),
    "html-503": _page(503, _TRY_AGAIN),
    "html-504": _page(504, "The server did not answer in time."),
    "empty-200": _nothing(200),
    "empty-204": _nothing(204),
    "empty-403": _nothing(403),
    "empty-503": _nothing(503),
    "truncated-json": Kind("Half of the JSON, in a complete HTTP message.", _body(lambda body: body[: len(body) // 2])),
    "truncated-gzip": Kind(
        "Half of the gzip, in a complete HTTP message.", _gzip(lambda zipped: zipped[: len(zipped) // 2])
    ),
    "corrupt-gzip": Kind("Gzip with wrong bytes in the middle.", _gzip(_corrupt)),
    "false-gzip": Kind("JSON that claims to be gzip.", Distort(lambda reply, _scene: replace(reply, zipped=True))),
    "gzip-bomb": Kind(
        "Gzip that decompresses to 100 MB.",
        Distort(lambda reply, _scene: replace(reply, body=compressed(b" " * _UNPACKED_BYTES), zipped=True)),
    ),
    "double-key": Kind(
        "The document has a name twice.", _body(lambda b: b.replace(b'"kind"', b'"kind": "?", "kind"', 1))
    ),
    "latin-1": Kind(
        "JSON in Latin-1, with a letter that is not valid UTF-8.", _body(lambda b: b.replace(b"{", b'{"\xe9": 1,', 1))
    ),
    "deep-json": Kind(
        "Lists in lists, deeper than a parser supports.", _body(lambda _: b"[" * _LEVELS + b"]" * _LEVELS)
    ),
}
"""Bodies that are not the JSON they should be."""

DOCUMENTS: Mapping[str, Kind] = {
    "null": Kind("The document is null.", _becomes(None)),
    "list": Kind("The document is an empty list.", _becomes([])),
    "string": Kind("The document is a string.", _becomes("ok")),
    "number": Kind("The document is a number.", _becomes(200)),
    "object": Kind("The document is an empty object.", _becomes({})),
    "foreign-kind": Kind("The document has the `kind` of another method.", _with("kind", "youtube#searchListResponse")),
    "no-kind": Kind("The document has no `kind`.", _without("kind")),
    "no-items": Kind("The document has no `items`.", _without("items")),
    "null-items": Kind("The items are null.", _with("items", None)),
    "object-items": Kind("The items are an object.", _with("items", {})),
    "strange-items": Kind("The items are not items.", _with("items", [None, 7, "id", [], {"id": None}, {"id": [1]}])),
    "error-200": Kind("An error with the status 200.", _becomes({"error": {"code": 500, "message": "Backend Error"}})),
    "no-summary": Kind("The document has no `summary`, although one is documented.", _without("summary")),
    "wrong-summary": Kind("The summary has wrong numbers, and lists returned videos as failed.", Alter(_wrong_summary)),
    "word-summary": Kind("The summary is a word.", _with("summary", "ok")),
}
"""JSON that is not an answer, or an incomplete one."""

ITEMS: Mapping[str, Kind] = {
    "all-missing": Kind("Every item is left out.", _each(lambda _: [])),
    "stranger": Kind(
        "There is an additional item that was not requested.",
        _items(lambda items, _scene: [*items, {**(items[0] if items else {}), "id": STRANGER, "statistics": _EXTRA}]),
    ),
    "strangers": Kind(
        "There are 10,000 additional items that were not requested.",
        _items(lambda items, _scene: items + [{"id": f"{STRANGER}{number}"} for number in range(_EXTRA_ITEMS)]),
    ),
    "other-videos": Kind(
        "The items are those of another request.",
        _items(lambda items, _scene: [{**item, "id": str(item.get("id", ""))[::-1].swapcase()} for item in items]),
    ),
    "twice": Kind("Each item is returned twice.", _each(lambda item: [item, item])),
    "contradiction": Kind(
        "Each item is returned twice, with different counts.",
        _each(lambda item: [item, _rewritten(item, lambda count: str(int(count) + 1))]),
    ),
    "shuffled": Kind("The items are in another order.", _items(lambda items, _scene: items[1::2] + items[::2][::-1])),
    "no-id": Kind("The items have no id.", _each(lambda item: [{k: v for k, v in item.items() if k != "id"}])),
    "no-statistics": Kind(
        "The items have no statistics.", _each(lambda item: [{k: v for k, v in item.items() if k != "statistics"}])
    ),
    "null-statistics": Kind("The statistics are null.", _statistics(None)),
    "list-statistics": Kind("The statistics are a list.", _statistics(["31", "3"])),
    "word-statistics": Kind("The statistics are a word.", _statistics("31")),
    "count-number": Kind("Counts are JSON numbers.", _count(int)),
    "count-fraction": Kind("Counts have a decimal point.", _count(lambda count: f"{count}.0")),
    "count-exponent": Kind("Counts have an exponent.", _count(lambda count: f"{count}e1")),
    "count-negative": Kind("Counts are negative.", _count(lambda count: f"-{count}")),
    "count-plus": Kind("Counts have a plus sign.", _count(lambda count: f"+{count}")),
    "count-blank": Kind("Counts begin with a space.", _count(lambda count: f" {count}")),
    "count-comma": Kind("Counts have a comma as thousands separator.", _count(lambda count: f"{int(count) + 1000:,}")),
    "count-underscore": Kind("Counts have an underscore, as Python accepts them.", _count(lambda count: f"1_{count}")),
    "count-short": Kind("Counts are rounded for display, such as 1.2M.", _count(lambda _: "1.2M")),
    "count-arabic": Kind("Counts are in Arabic digits.", _count(lambda count: count.translate(_ARABIC))),
    "count-empty": Kind("Counts are empty strings.", _count(lambda _: "")),
    "count-null": Kind("Counts are null.", _count(lambda _: None)),
    "count-true": Kind("Counts are true.", _count(lambda _: True)),
    "count-list": Kind("Counts are lists.", _count(lambda count: [count])),
    "count-huge": Kind("Counts are 2^63, one more than the largest possible.", _count(lambda _: str(2**63))),
    "count-endless": Kind("Counts have 5,000 digits.", _count(lambda _: "9" * 5000)),
}
"""Wrong items, and counts that are not counts; with a video ID, those of this video."""
