"""Faults that send the key back: any response may contain it, and nothing of it may be logged or stored."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import quote

from syncer.simulator.acts import Alter, Distort, Kind, Refuse, Scene
from syncer.simulator.error_form import Refusal, error_info, refusal
from syncer.simulator.resources import Item, items_of
from syncer.simulator.wire import Ending, Json, Reply, Step, html_reply

ECHOING_FIELDS = ("X-Echo", "Set-Cookie", "WWW-Authenticate", "Via", "ETag", "Retry-After")
"""Header fields that a client may read, store or log."""


def _key(scene: Scene) -> str:
    return scene.request.key or ""


def _forms(scene: Scene) -> tuple[str, str, str]:
    """Return the key as it is, as in a URL, and in base64 as in some header fields."""
    key = _key(scene)
    return key, quote(key, safe=""), b64encode(key.encode()).decode()


def _head(scene: Scene) -> str:
    """Return the request's head as a proxy shows it."""
    plain, encoded, hidden = _forms(scene)
    lines = (f"GET {scene.request.target}&key={encoded} HTTP/1.1", f"x-goog-api-key: {plain}", f"x-forwarded: {hidden}")
    return "\r\n".join([*lines, "", ""])


def _page(status: int) -> Distort:
    return Distort(lambda _reply, scene: html_reply(status, f"Your request was:<pre>{_head(scene)}</pre>"))


def _error(scene: Scene) -> Refusal:
    """Return an error that has the key in all of its texts."""
    key = _key(scene)
    message, info = (
        f"The key {key} is in trouble: {' '.join(_forms(scene))}",
        error_info(key, consumer=f"api_key:{key}"),
    )
    return refusal(500, message, key, location=(key, "header"), more={"debugInfo": key}, status=key, details=[info])


def _counts(document: Item, scene: Scene) -> Json:
    """Replace each count by the key in one of its forms, and add an item with the key as its ID."""
    counts: Json = dict(zip(("viewCount", "likeCount", "commentCount"), _forms(scene), strict=True))
    items = [{**item, "statistics": counts} if scene.concerns(item.get("id")) else item for item in items_of(document)]
    return {**document, "items": [*items, {"id": _key(scene), "statistics": counts}]}


def _redirect(_reply: Reply, scene: Scene) -> Reply:
    """Redirect to this server with the key in the URL, so that its request count shows who follows."""
    plain, encoded, _hidden = _forms(scene)
    location = f"http://{scene.request.host}{scene.request.target}&key={encoded}#{plain}"
    return replace(html_reply(302, f"The document has moved to {location}"), fields=(f"Location: {location}",))


def _mirror(reply: Reply, scene: Scene) -> Reply:
    """Send the request's own head back instead of a response."""

    def way(_framed: bytes) -> Iterator[Step]:
        yield f"{_key(scene)}\r\n{_head(scene)}".encode()
        yield Ending.CLOSE

    return replace(reply, way=way)


ECHOES: Mapping[str, Kind] = {
    "echo-page": Kind("502 with a page of a proxy that shows the request's head.", _page(502)),
    "echo-page-200": Kind("The same with 200.", _page(200)),
    "echo-error": Kind("500 in YouTube's form, with the key as every text in it.", Refuse(_error)),
    "echo-kind": Kind(
        "The `kind` of the response is the key.", Alter(lambda document, scene: {**document, "kind": _key(scene)})
    ),
    "echo-counts": Kind("Counts are the key, and so is the ID of an additional item.", Alter(_counts)),
    "echo-fields": Kind(
        "Header fields of the response contain the key.",
        Distort(
            lambda reply, scene: replace(
                reply, fields=(*reply.fields, *(f"{name}: {_key(scene)}" for name in ECHOING_FIELDS))
            )
        ),
    ),
    "echo-redirect": Kind("302 to a URL with the key in it.", Distort(_redirect)),
    "echo-mirror": Kind("Not HTTP: the response is the key and the request's own head.", Distort(_mirror)),
}
"""YouTube itself is known to send the key back only in `project-suspended`; a proxy may send anything."""
