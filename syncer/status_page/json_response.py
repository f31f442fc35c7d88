"""The responses of the JSON API."""

from __future__ import annotations

import json

from starlette.responses import JSONResponse


class JsonResponse(JSONResponse):
    """A document in JSON. Bytes of a file name that are not UTF-8 are lone surrogates, which JSON can only escape."""

    def render(self, content: object) -> bytes:
        """Return the body."""
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")
