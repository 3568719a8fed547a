"""Whoever owns the database but has no key changes nothing of the sealed trail unseen."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Executable, delete, insert, text, update
from sqlmodel import col

from app.access import seals
from app.access.tables import AuditEntry, AuditSeal
from app.core import clock
from app.core.crypto import load_keyring
from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from tests.rows import everything, run
from tests.trails import Trail, change, change_seal, forged

MIDDLE, LAST = 3, 4
NOT_AS_SEALED = "it or an entry of it is not what was sealed"
EDITS: dict[str, Callable[[Any], Any]] = {
    "id": lambda _: new_id(),
    "at": lambda at: at + timedelta(microseconds=1),
    "actor": lambda actor: actor + " ",
    "action": lambda action: action.upper(),
    "subject": lambda subject: subject + "0",
    "outcome": lambda _: "refused",
    "fields": lambda fields: [*reversed(fields)],
}
SEAL_EDITS: dict[str, Any] = {
    "number": 9,
    "entries": 4,
    "previous_hash": bytes(32),
    "hash": bytes(32),
    "key_id": "0123456789ab",
    "sealed_at": datetime(2026, 1, 1, tzinfo=UTC),
}


@pytest.fixture
async def trail(settings: Settings, database: Database) -> Trail:
    """A trail of four seals; all but the first have three entries."""
    trail = Trail(database, load_keyring(settings.keyring_path), settings.audit_head_path)
    await trail.act()
    await trail.seal()
    await trail.grow(3)
    assert await trail.findings() == []
    return trail


def without(seal: int) -> list[Executable]:
    """What removes a seal with its entries."""
    return [
        delete(AuditEntry).where(col(AuditEntry.seal) == seal),
        delete(AuditSeal).where(col(AuditSeal.number) == seal),
    ]


def remove(entry: dict[str, Any]) -> Executable:
    """What removes an entry."""
    return delete(AuditEntry).where(col(AuditEntry.id) == entry["id"])


@pytest.mark.parametrize("column", EDITS)
async def test_an_edit_of_any_column_is_found(trail: Trail, column: str) -> None:
    assert {*EDITS, "seal"} == set(AuditEntry.model_fields)
    entry = (await trail.entries(MIDDLE))[1]
    edit = change(entry, **{column: EDITS[column](entry[column])})
    assert await trail.tamper(edit) == [f"seal {MIDDLE}: {NOT_AS_SEALED}"]


@pytest.mark.parametrize("column", SEAL_EDITS)
async def test_a_change_of_a_seal_is_found(trail: Trail, column: str) -> None:
    assert set(SEAL_EDITS) == set(AuditSeal.model_fields)
    for number in (LAST, MIDDLE, 1):
        (before,) = await everything(trail.database, AuditSeal, col(AuditSeal.number) == number)
        findings = await trail.tamper(change_seal(number, **{column: SEAL_EDITS[column]}))
        assert str(number) in findings[0].split(":")[0]
        await trail.tamper(change_seal(SEAL_EDITS["number"] if column == "number" else number, **before))
        assert await trail.findings() == []


async def test_a_removed_entry_is_found(trail: Trail) -> None:
    _, second, last = await trail.entries(MIDDLE)
    assert (await trail.tamper(remove(second)))[0] == f"seal {MIDDLE}: has 2 entries, and 3 were sealed"
    # Though the seal was told so.
    findings = await trail.tamper(remove(last), change_seal(MIDDLE, entries=1))
    assert findings == [f"seal {MIDDLE}: {NOT_AS_SEALED}"]
    assert (await trail.tamper(*without(MIDDLE)[:1]))[0] == f"seal {MIDDLE}: has 0 entries, and 1 were sealed"


async def test_an_entry_that_was_forged_into_a_seal_is_found(trail: Trail) -> None:
    findings = await trail.tamper(forged(seal=MIDDLE))
    assert findings == [f"seal {MIDDLE}: has 4 entries, and 3 were sealed", f"seal {MIDDLE}: {NOT_AS_SEALED}"]


@pytest.mark.parametrize("number", [-1, 0, 99])
async def test_an_entry_that_was_forged_with_a_seal_of_its_own_is_found(trail: Trail, number: int) -> None:
    findings = await trail.tamper(forged(seal=number), forged(seal=number))
    assert findings == ["a seal that is not there: 2 entries claim it"]


@pytest.mark.parametrize("column", ["id", "at", "subject", "seal"])
async def test_two_entries_that_were_swapped_are_found(trail: Trail, column: str) -> None:
    one, other = (await trail.entries(MIDDLE))[0], (await trail.entries(LAST))[1]
    aside = {"id": new_id(), "at": clock.now(), "subject": "aside", "seal": 99}[column]
    moved = {**one, column: aside}
    findings = await trail.tamper(
        change(one, **{column: aside}),
        change(other, **{column: one[column]}),
        change(moved, **{column: other[column]}),
    )
    assert findings == [f"seal {number}: {NOT_AS_SEALED}" for number in (MIDDLE, LAST)]


async def test_an_entry_that_was_sealed_a_second_time_is_found(trail: Trail) -> None:
    findings = await trail.tamper(change((await trail.entries(MIDDLE))[0], seal=None))
    assert findings[0] == f"seal {MIDDLE}: has 2 entries, and 3 were sealed"
    assert await trail.seal() is not None
    assert await trail.findings() == findings


async def test_a_missing_seal_is_found(trail: Trail) -> None:
    entries, row = without(MIDDLE)
    assert await trail.tamper(row) == [f"seal {MIDDLE}: not there, and 3 entries claim it"]
    assert await trail.tamper(entries) == [f"seal {MIDDLE}: not there"]
    assert await trail.tamper(*without(2)) == [f"seals 2 to {MIDDLE}: not there"]
    cut = await trail.tamper(*without(1), *without(LAST))
    assert cut == [f"seal {LAST}: the head tells of it, and it is not there"]


async def test_a_chain_that_was_closed_over_a_missing_seal_is_found(trail: Trail) -> None:
    (middle,) = await everything(trail.database, AuditSeal, col(AuditSeal.number) == MIDDLE)
    moved = update(AuditEntry).where(col(AuditEntry.seal) == LAST).values(seal=MIDDLE)
    closed = change_seal(LAST, number=MIDDLE, previous_hash=middle["previous_hash"])
    assert await trail.tamper(*without(MIDDLE), closed, moved) == [
        f"seal {MIDDLE}: {NOT_AS_SEALED}",
        f"seal {LAST}: the head tells of it, and it is not there",
    ]


async def test_a_link_of_another_chain_that_was_sealed_with_the_key_is_found(trail: Trail) -> None:
    async def last() -> list[Executable]:
        rows = await everything(trail.database, AuditSeal, col(AuditSeal.number) == LAST)
        return [insert(AuditSeal).values(rows), *(forged(**entry) for entry in await trail.entries(LAST))]

    # Such as a restored backup makes, which then went on.
    genuine = await last()
    await trail.tamper(*without(LAST))
    await trail.grow(1)
    other = await last()
    await trail.tamper(*without(LAST), *genuine)
    await trail.grow(1)
    assert await trail.findings() == []
    assert await trail.tamper(*without(LAST), *other) == [f"seal {LAST + 1}: does not follow the seal before it"]


async def test_an_end_that_was_cut_off_is_found_also_when_others_have_taken_its_place(
    trail: Trail, caplog: pytest.LogCaptureFixture
) -> None:
    head = trail.head.read_bytes()
    assert await trail.tamper(*without(LAST)) == [f"seal {LAST}: the head tells of it, and it is not there"]
    for _ in range(2):
        await trail.grow(1)
        assert await trail.findings() == [f"seal {LAST}: is not the one that the head tells of"]
    assert trail.head.read_bytes() == head
    told = [(record.levelname, record.msg, vars(record)["fields"]) for record in caplog.records]
    assert told == [("ERROR", "audit_chain_behind_head", {"number": LAST})] * 2
    # A person has looked into it, and lets the chain go on from here.
    trail.head.unlink()
    (finding,) = await trail.findings()
    assert finding.startswith("the head: there is none at ")
    await trail.grow(1)
    assert await trail.findings() == []


async def test_hashes_that_were_made_anew_without_the_key_are_found(trail: Trail) -> None:
    (row,) = await everything(trail.database, AuditSeal, col(AuditSeal.number) == LAST)
    entry, *_ = await trail.entries(LAST)
    plain = hashlib.sha256(row["previous_hash"] + json.dumps(entry, default=str).encode()).digest()
    guessed = seals.hash_of(seals.Seal(**row), [], key=hashlib.sha256(b"guessed").digest())
    for made in (plain, guessed):
        assert await trail.tamper(change(entry, subject="another"), change_seal(LAST, hash=made)) == [
            f"seal {LAST}: {NOT_AS_SEALED}",
            f"seal {LAST}: is not the one that the head tells of",
        ]


async def test_what_cannot_be_read_is_found(trail: Trail) -> None:
    is_sqlite = trail.database.writer is not None
    entry = (await trail.entries(MIDDLE))[1]
    this = entry["id"].hex if is_sqlite else entry["id"]
    on_sqlite = {"at": "'soon'", "fields": "'['", "actor": "CAST(x'ff' AS TEXT)", "subject": "x'00'", "id": "'none'"}
    on_postgresql = {"at": "'infinity'"}
    for column, value in (on_sqlite if is_sqlite else on_postgresql).items():
        findings = await trail.tamper(text(f"UPDATE audit_entries SET {column} = {value} WHERE id = '{this}'"))
        assert (column, findings) == (column, [f"seal {MIDDLE}: it or an entry of it cannot be read"])
        if column != "id":
            await run(trail.database, change(entry, **{column: entry[column]}))
            assert await trail.findings() == []


@pytest.mark.parametrize("template", ["sqlite"], indirect=True)
async def test_a_seal_that_is_no_whole_number_is_found(trail: Trail) -> None:
    named = {
        "3.5": f"seal {MIDDLE}: has 4 entries, and 3 were sealed",
        "'nine'": "a seal that is not there: 1 entries claim it",
    }
    for value, finding in named.items():
        await trail.tamper(forged(id=UUID(int=1), seal=99))
        findings = await trail.tamper(text(f"UPDATE audit_entries SET seal = {value} WHERE seal = 99"))
        assert findings[0] == finding
        await run(trail.database, text(f"DELETE FROM audit_entries WHERE id = '{UUID(int=1).hex}'"))


async def test_what_was_changed_in_many_places_is_told_up_to_a_limit(trail: Trail) -> None:
    await trail.grow(101)
    findings = await trail.tamper(update(AuditEntry).values(actor="nobody"))
    assert len(findings) == 101
    assert findings[-1] == "seal 101: neither it nor any later one was looked at"
