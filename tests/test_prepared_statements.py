"""Statements stay prepared on PostgreSQL, whatever was rolled back meanwhile; and are not compiled."""

import httpx
from sqlalchemy import text

from app.core.db import Database
from app.core.settings import Settings
from tests.wishes import booking_wish, new_key, post_slot


async def test_a_refusal_does_not_make_the_server_plan_everything_anew(
    client: httpx.AsyncClient, admin: dict[str, str], settings: Settings
) -> None:
    slot = await post_slot(client, admin)
    query = text("SELECT name FROM pg_prepared_statements")
    kept: list[set[str]] = []
    for _ in range(2):
        # One connection sees them all: nothing else is asked meanwhile.
        for _ in range(8):
            await client.post("/consultation-bookings", json=booking_wish(slot["id"]), headers=new_key())
        if settings.sqlite_path is None:
            async with client_database(client).writing.connect() as connection:
                kept.append(set((await connection.execute(query)).scalars()))
    if settings.sqlite_path is None:
        assert kept[0]
        assert kept[0] <= kept[1]


async def test_no_statement_waits_to_be_compiled(database: Database) -> None:
    engines = [database.reading, database.looking, database.writing] if database.writer is None else []
    for engine in engines:
        async with engine.connect() as connection:
            assert (await connection.execute(text("SHOW jit"))).scalar_one() == "off"


def client_database(client: httpx.AsyncClient) -> Database:
    """The database as the application behind this client has it."""
    transport = client._transport  # noqa: SLF001 - httpx tells it to nobody
    assert isinstance(transport, httpx.ASGITransport)
    database: Database = transport.app.state.database  # type: ignore[attr-defined]
    return database
