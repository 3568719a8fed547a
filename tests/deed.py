"""A request that does something, and what the trail tells of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Deed:
    """A request, and the actions that the trail tells of it."""

    route: str
    address: str
    headers: Mapping[str, str]
    done: set[str]
    wish: dict[str, Any] | list[Any] | None = None
    method: str = "POST"

    def actor(self, admin: Mapping[str, str]) -> str:
        """What kind of actor asks."""
        token = self.headers.get("Authorization")
        return "anonymous" if token is None else "api_key" if token == admin["Authorization"] else "booking_holder"

    async def ask(self, client: httpx.AsyncClient) -> httpx.Response:
        """Do it."""
        return await client.request(self.method, self.address, json=self.wish, headers=dict(self.headers))
