"""Bodies of requests: JSON in which every object says each of its names once, and files on their way to disk."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final

from fastapi import Request

from app.core.errors import InvalidInput

# What is larger lies on disk.
_IN_MEMORY: Final = 256 * 1024


class StrictRequest(Request):
    """A request that refuses a name written twice: one reader takes the first value, another the last (RFC 8259, 4)."""

    async def json(self) -> Any:
        """The body's value; raises InvalidInput, and json.JSONDecodeError."""
        if not hasattr(self, "_json"):
            body = await self.body()
            self._json = _DECODER.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
        return self._json


@asynccontextmanager
async def spooled(request: Request) -> AsyncIterator[IO[bytes]]:
    """The whole body as a file, however large; it is gone when the block ends."""
    with SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        async for piece in request.stream():
            file.write(piece)
        file.seek(0)
        yield file


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidInput.at("", "duplicate_key", "names a field twice in one object")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_each_once)
