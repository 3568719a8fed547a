"""Packing a large answer keeps nobody else waiting."""

import gzip
import threading

import httpx
import pytest

from app.core.db import Database
from tests.pages import publish


async def test_what_is_large_is_packed_beside_the_event_loop(
    client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "Synthetic words. " * 1_000
    await publish(database, "synthetic-large", **dict.fromkeys(("overview", "when_to_consult", "summary"), long))
    await publish(database, "synthetic-larger", what_to_bring={"text": long, "items": []}, causes=[long[:900]] * 100)
    is_beside: list[bool] = []
    compress = gzip.compress

    def note(body: bytes, *, mtime: int) -> bytes:
        is_beside.append(threading.current_thread() is not threading.main_thread())
        return compress(body, mtime=mtime)

    monkeypatch.setattr(gzip, "compress", note)
    for slug in ("synthetic-large", "synthetic-larger"):
        answer = await client.get(f"/conditions/{slug}", headers={"Accept-Encoding": "gzip"})
        assert (answer.headers["Content-Encoding"], answer.json()["slug"]) == ("gzip", slug)
    assert is_beside == [False, True]
