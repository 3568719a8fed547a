"""What a patient tells stands sealed in one table, and nowhere else: planted words are looked for everywhere."""

import contextlib
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text, update
from sqlmodel import col

from app.access.tables import AuditEntry
from app.consultations.tables import PatientDetail
from app.core import logs
from app.core.db import Database
from app.core.settings import Settings
from app.delivery.tables import OutboxMessage
from tests.rows import everything, run
from tests.wishes import bearer, booking_wish, new_key, post_slot

PLANTED = {
    "name": "Quillon Vantreaux-Oquist",
    "email": "quillon.vantreaux@planted.example.com",
    "phone": "+49301938475610",
    "reason": "Zwielichtig planted words about a swollen spleen",
}
PATIENT = {name: value for name, value in PLANTED.items() if name != "reason"}
LOGGERS = (None, "carepath", "uvicorn", "uvicorn.error", "uvicorn.access", "py.warnings")


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What a serving process writes to standard error; everything about logging is put back afterwards."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger, list(logger.handlers), logger.level, logger.propagate) for logger in loggers]
    logging.root.handlers.clear()  # `configure` would close those of pytest, which it goes on to use
    written = io.StringIO()
    with contextlib.redirect_stderr(written):
        logs.configure()
    yield written
    logging.captureWarnings(capture=False)
    for logger, handlers, level, propagate in before:
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)


async def dump(database: Database, settings: Settings) -> bytes:
    """All that the database holds: its files on SQLite, every row of every table as text on PostgreSQL."""
    path = settings.sqlite_path
    if path is not None:
        return b"".join(path.with_name(path.name + suffix).read_bytes() for suffix in ("", "-wal"))
    found: list[str] = []
    async with database.reading.connect() as connection:
        tables = await connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        for table in tables.all():
            found += (await connection.scalars(text(f'SELECT t::text FROM "{table}" AS t'))).all()
    return "\n".join(found).encode()


def planted_in(haystack: bytes | str) -> list[str]:
    """The planted words that can be read here, as they are or as the hexadecimal digits of PostgreSQL's bytes."""
    hay = haystack.encode() if isinstance(haystack, str) else haystack
    needles = {value: [value.encode(), value.encode().hex().encode()] for value in PLANTED.values()}
    return [value for value, forms in needles.items() if any(form in hay for form in forms)]


def misplaced(slot_id: str) -> list[dict[str, Any]]:
    """Requests that carry the patient's words where they do not belong."""
    name, email, phone, reason = PLANTED.values()
    good = booking_wish(slot_id, patient=PATIENT, reason=reason)
    body = json.dumps(good)
    bodies: list[Any] = [
        good | {name: email},
        good | {"colour": reason},
        good | {"slot_id": name, "condition": reason},
        good | {"patient": name},
        good | {"patient": PATIENT | {"phone": email, "email": phone}},
        good | {"patient": PATIENT | {reason: [name]}},
        good | {"reason": reason + "\x00"},
        good | {"consent": {"text_version": reason * 9}},
        [name, email],
        reason,
    ]
    raw = [
        body[:-1],
        body[:-1] + f', "reason": "{reason}", "patient": "{name}"}}',
        body.replace('"patient"', f'"{name}": 1, "patient": "{email}", "patient"'),
        f"{name}={email}",
    ]
    address = "/consultation-bookings"
    posts = [{"method": "POST", "url": address, "json": wrong} for wrong in bodies]
    posts += [{"method": "POST", "url": address, "content": wrong.encode()} for wrong in raw]
    posts += [{"method": "POST", "url": address, "content": body.encode("utf-16")}]
    gets = [
        {"method": "GET", "url": place, "params": {name: email, "limit": phone, "cursor": reason}}
        for place in ("/conditions", "/consultation-slots", "/clinicians", address)
    ]
    gets += [
        {"method": method, "url": f"{place}/{word}"}
        for place in ("/conditions", "/consultation-slots", address, "/nowhere", "/problems")
        for word in (name, email, phone)
        for method in ("GET", "DELETE")
    ]
    odd = {"X-Request-Id": name, "User-Agent": email, "Referer": phone, "If-None-Match": name, "Accept": reason}
    strange = [{"method": "GET", "url": address, "headers": {"Authorization": f"Bearer {email}"} | odd}]
    strange += [{"method": "POST", "url": address, "json": good, "headers": {"Idempotency-Key": name} | odd}]
    return posts + gets + strange


async def test_the_words_of_a_patient_are_read_nowhere(
    client: httpx.AsyncClient,
    admin: dict[str, str],
    database: Database,
    settings: Settings,
    logged: io.StringIO,
) -> None:
    slot = await post_slot(client, admin, capacity=2)
    wish, key = booking_wish(slot["id"], patient=PATIENT, reason=PLANTED["reason"]), new_key()
    booked = [await client.post("/consultation-bookings", json=wish, headers=key) for _ in range(2)]
    booking = booked[0].json()
    address = f"/consultation-bookings/{booking['reference']}"
    read = await client.get(address, headers=bearer(booking))
    assert planted_in(read.content) == list(PLANTED.values())
    await client.get("/consultation-bookings", headers=admin)
    problems = []
    for request in misplaced(slot["id"]):
        headers = admin | new_key() | request.pop("headers", {})
        answer = await client.request(**request, headers=headers)
        assert 400 <= answer.status_code < 500, (request, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        problems.append(answer)
    cancelled = await client.post(f"{address}/cancel", headers=bearer(booking))
    for answer in (*booked, *problems, cancelled):
        assert planted_in(answer.content) == []
        assert planted_in(str(answer.headers)) == []
    # That the words can be found at all: the log tells of each request, and the dump holds what is no secret.
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert sum(line["event"] == "request" for line in lines) >= len(problems)
    assert planted_in(json.dumps(lines, ensure_ascii=False)) == []
    stored = await dump(database, settings)
    assert booking["reference"].encode() in stored
    assert planted_in(stored) == []
    for table in (OutboxMessage, AuditEntry):
        rows = await everything(database, table)
        assert rows
        assert planted_in(str(rows)) == []


async def test_sealed_words_that_were_moved_to_another_booking_stay_sealed(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, logged: io.StringIO
) -> None:
    slot = await post_slot(client, admin, capacity=2)
    wishes = [booking_wish(slot["id"], patient=PATIENT, reason=PLANTED["reason"]), booking_wish(slot["id"])]
    victim, thief = [
        (await client.post("/consultation-bookings", json=wish, headers=new_key())).json() for wish in wishes
    ]
    first, second = await everything(database, PatientDetail)
    for row, other in ((first, second), (second, first)):
        sealed = {name: value for name, value in other.items() if name != "booking_id"}
        await run(
            database, update(PatientDetail).where(col(PatientDetail.booking_id) == row["booking_id"]).values(sealed)
        )
    before = len(await everything(database, AuditEntry))
    for booking in (victim, thief):
        answer = await client.get(f"/consultation-bookings/{booking['reference']}", headers=bearer(booking))
        assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
        assert planted_in(answer.content) == []
    assert len(await everything(database, AuditEntry)) == before
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert [line["error"] for line in lines if line["level"] == "error"] == ["EnvelopeUnreadable"] * 2
    assert planted_in(json.dumps(lines, ensure_ascii=False)) == []
