"""What a server is given: answers from memory first, then whatever has the rest."""

from starlette.types import ASGIApp, Receive, Scope, Send

from app.content.published import PublishedPages
from app.core.db import Database
from app.core.settings import Settings
from app.lane import Lane
from app.listings import Listings


class Front:
    """The lane, behind it the listings, and behind both of them what `let_answer` was told."""

    def __init__(self, settings: Settings) -> None:
        self.lane, self.listings = Lane(settings), Listings(settings)
        self.lane.app = self.listings

    def remember(self, database: Database, published: PublishedPages) -> None:
        """Remember answers that come from this database."""
        self.listings.database, self.lane.published = database, published

    def let_answer(self, app: ASGIApp) -> None:
        """Let this answer what is not in memory, from now on."""
        self.listings.app = app

    def at_once(self, scope: Scope) -> tuple[bytes, bytes] | None:
        """What is in memory, for a server that asks before it makes a task."""
        return self.lane.at_once(scope) or self.listings.at_once(scope)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self.lane(scope, receive, send)
