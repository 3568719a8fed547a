"""Several serving processes: what one publishes, all of them serve within a second; over the wire as by the doors."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import httpx
import pytest
from sqlmodel import update

from app.content import publishing
from app.content.document import ConditionDocument
from app.content.tables import ContentVersion, RevisionSource
from app.core.db import Database
from app.core.settings import Settings
from app.main import create_app
from tests.doors import client_of
from tests.pages import page_content, publish
from tests.processes import Served, serving

PAGE = "/conditions/synthetic-condition"
LIST = "/conditions?letter=s"
PROCESSES = 3
SENT: tuple[dict[str, str], ...] = (
    {"Accept-Encoding": "identity"},
    {"Accept-Encoding": "gzip", "Accept-Language": "es, en;q=0.5"},
    {"Accept-Encoding": "identity", "If-None-Match": "*"},
)


@pytest.fixture
def served(settings: Settings, tmp_path: Path) -> Iterator[list[Served]]:
    """Several processes that serve one database."""
    with ExitStack() as stack, ThreadPoolExecutor(PROCESSES) as pool:
        servers = [serving(settings, tmp_path) for _ in range(PROCESSES)]
        yield list(pool.map(stack.enter_context, servers))


def told(answer: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """All of an answer but what is each one's own."""
    headers = [each for each in answer.headers.multi_items() if each[0] not in {"date", "x-request-id"}]
    return answer.status_code, sorted(headers), answer.content


async def test_what_is_published_is_served_by_every_process_within_a_second(
    served: list[Served], database: Database
) -> None:
    await publish(database, summary="Synthetic 0.")
    with ExitStack() as stack:
        clients = [
            stack.enter_context(httpx.Client(base_url=one.address, trust_env=False, timeout=5)) for one in served
        ]
        for number in range(1, 6):
            for client in clients:
                # Remembered, by all of them.
                for address in (PAGE, LIST):
                    assert [client.get(address).status_code for _ in range(2)] == [200, 200]
            summary = f"Synthetic {number}."
            await publish(database, summary=summary)
            published = time.monotonic()
            waits = {(client.base_url, address): client for client in clients for address in (PAGE, LIST)}
            while waits:
                for (where, address), client in list(waits.items()):
                    asked = time.monotonic()
                    body = client.get(address).json()
                    if body.get("items", [body])[0]["summary"] == summary:
                        del waits[where, address]
                    else:
                        assert asked < published + 1


async def test_over_the_wire_comes_what_the_doors_answer(
    served: list[Served], settings: Settings, database: Database
) -> None:
    await publish(database)
    doors = create_app(settings.model_copy(update={"pages_memory_mb": 0}))
    addresses = (PAGE, f"{PAGE}?locale=en", "/conditions", "/categories", "/treatment-options?limit=2")
    async with (
        httpx.AsyncClient(base_url=served[0].address, trust_env=False) as lane,
        doors.router.lifespan_context(doors),
        client_of(doors) as by_doors,
    ):
        for address, sent in product(addresses, SENT):
            for method in ("GET", "GET", "HEAD", "GET"):
                expected = told(await by_doors.request(method, address, headers=sent))
                assert told(await lane.request(method, address, headers=sent)) == expected
        again = await lane.get(PAGE, headers={"Connection": "close"})
        # The server's own headers are there, and the connection is closed where the client asks for it.
        assert (again.status_code, again.headers["Connection"], "date" in again.headers) == (200, "close", True)


async def test_who_publishes_sees_it_at_once(settings: Settings) -> None:
    app = create_app(settings)
    async with app.router.lifespan_context(app), client_of(app) as client:
        for number in range(20):
            document = ConditionDocument.model_validate(page_content(summary=f"Synthetic {number}."))
            async with app.state.database.write() as session:
                await publishing.publish(session, document, source=RevisionSource.EDITOR, by="test")
            for _ in range(2):
                assert (await client.get(PAGE)).json()["summary"] == f"Synthetic {number}."
                assert (await client.get(LIST)).json()["items"][0]["summary"] == f"Synthetic {number}."
        assert app.state.published.answered >= 20


async def test_a_database_that_went_back_in_time_is_noticed_too(settings: Settings, database: Database) -> None:
    app = create_app(settings)
    await publish(database)
    async with app.router.lifespan_context(app), client_of(app) as client:
        assert (await client.get(PAGE)).json()["summary"] == "Synthetic summary."
        # As after a backup was restored: another text by a lower number.
        document = ConditionDocument.model_validate(page_content(summary="Synthetic other."))
        async with database.write() as session:
            await publishing.publish(session, document, source=RevisionSource.EDITOR, by="test")
            await session.exec(update(ContentVersion).values(number=0))
        published = time.monotonic()
        while (await client.get(PAGE)).json()["summary"] != "Synthetic other.":
            assert time.monotonic() < published + 1
            await asyncio.sleep(0.02)
