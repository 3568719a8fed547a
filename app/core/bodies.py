"""Bodies of requests: JSON in which every object says each of its names once."""

import json
from typing import Any

from fastapi import Request

from app.core.errors import InvalidInput


class StrictRequest(Request):
    """A request that refuses a name written twice: one reader takes the first value, another the last (RFC 8259, 4)."""

    async def json(self) -> Any:
        """The body's value; raises InvalidInput, and json.JSONDecodeError."""
        if not hasattr(self, "_json"):
            body = await self.body()
            self._json = _DECODER.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
        return self._json


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidInput.at("", "duplicate_key", "names a field twice in one object")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_each_once)
