"""What browsers let a frontend of another origin do (Fetch Standard, CORS)."""

from collections.abc import Sequence
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_SENT: Final = ("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "X-Request-Id")
_SHOWN: Final = ("ETag", "Idempotent-Replayed", "Link", "Location", "Retry-After", "X-Request-Id")


def with_cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """The same for frontends of these origins; unchanged where there are none."""
    if not origins:
        return app
    return CORSMiddleware(
        app, allow_origins=origins, allow_methods=_METHODS, allow_headers=_SENT, expose_headers=_SHOWN
    )
