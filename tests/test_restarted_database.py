"""A database server that was restarted costs no booking a second try."""

import asyncio

import httpx
import psycopg
import pytest

from app.core import postgres
from app.core.settings import Settings
from tests.wishes import booking_wish, new_key, post_slot


async def test_a_connection_that_rested_is_asked_before_it_is_used(
    client: httpx.AsyncClient, admin: dict[str, str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await post_slot(client, admin)
    if settings.sqlite_path is not None:
        pytest.skip("SQLite has no server")
    # As a restart does: whoever was connected is not any more.
    with psycopg.connect(settings.database_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )
    monkeypatch.setattr(postgres, "RESTED", 0.05)
    await asyncio.sleep(0.1)
    answer = await client.post("/consultation-bookings", json=booking_wish(slot["id"]), headers=new_key())
    assert answer.status_code == 201, answer.text
