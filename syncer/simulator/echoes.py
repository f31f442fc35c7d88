"""Owns the faults that send the key back: whatever comes from a network may hold it, and none of it may be repeated."""

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
"""Header fields that a client may look at, remember or log."""


def _key(scene: Scene) -> str:
    return scene.request.key or ""


def _forms(scene: Scene) -> tuple[str, str, str]:
    """Return the key as it is, as in an address, and as in a field of the header that hides it from the eye."""
    key = _key(scene)
    return key, quote(key, safe=""), b64encode(key.encode()).decode()


def _head(scene: Scene) -> str:
    """Return the request's head as one that stands in the way shows it."""
    plain, encoded, hidden = _forms(scene)
    lines = (f"GET {scene.request.target}&key={encoded} HTTP/1.1", f"x-goog-api-key: {plain}", f"x-forwarded: {hidden}")
    return "\r\n".join([*lines, "", ""])


def _page(status: int) -> Distort:
    return Distort(lambda _reply, scene: html_reply(status, f"Your request was:<pre>{_head(scene)}</pre>"))


def _error(scene: Scene) -> Refusal:
    """Return an error that has the key wherever an error has words."""
    key = _key(scene)
    message, info = (
        f"The key {key} is in trouble: {' '.join(_forms(scene))}",
        error_info(key, consumer=f"api_key:{key}"),
    )
    return refusal(500, message, key, location=(key, "header"), more={"debugInfo": key}, status=key, details=[info])


def _counts(document: Item, scene: Scene) -> Json:
    """Let each count be the key in one of its forms, and add an item that has it for an id."""
    counts: Json = dict(zip(("viewCount", "likeCount", "commentCount"), _forms(scene), strict=True))
    items = [{**item, "statistics": counts} if scene.concerns(item.get("id")) else item for item in items_of(document)]
    return {**document, "items": [*items, {"id": _key(scene), "statistics": counts}]}


def _redirect(_reply: Reply, scene: Scene) -> Reply:
    """Point to this server with the key in the address, so that its requests tell who follows."""
    plain, encoded, _hidden = _forms(scene)
    place = f"http://{scene.request.host}{scene.request.target}&key={encoded}#{plain}"
    return replace(html_reply(302, f"The document has moved to {place}"), fields=(f"Location: {place}",))


def _mirror(reply: Reply, scene: Scene) -> Reply:
    """Send the request's own head back in place of an answer."""

    def way(_framed: bytes) -> Iterator[Step]:
        yield f"{_key(scene)}\r\n{_head(scene)}".encode()
        yield Ending.CLOSE

    return replace(reply, way=way)


ECHOES: Mapping[str, Kind] = {
    "echo-page": Kind("502 with a proxy's page that shows the request's head.", _page(502)),
    "echo-page-200": Kind("The same with 200.", _page(200)),
    "echo-error": Kind("500 in YouTube's form, with the key for every word of it.", Refuse(_error)),
    "echo-kind": Kind(
        "The answer's kind is the key.", Alter(lambda document, scene: {**document, "kind": _key(scene)})
    ),
    "echo-counts": Kind("Counts are the key, and so is the id of an item more.", Alter(_counts)),
    "echo-fields": Kind(
        "Header fields of the answer hold the key.",
        Distort(
            lambda reply, scene: replace(
                reply, fields=(*reply.fields, *(f"{name}: {_key(scene)}" for name in ECHOING_FIELDS))
            )
        ),
    ),
    "echo-redirect": Kind("302 to an address with the key in it.", Distort(_redirect)),
    "echo-mirror": Kind("What comes is no HTTP: the key, and the request's own head.", Distort(_mirror)),
}
"""Of YouTube itself only `project-suspended` is known to say the key; a proxy in between may say anything."""
