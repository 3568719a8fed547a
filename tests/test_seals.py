"""How the trail is sealed: everything once, a few seconds after it was done, in a chain that outlives its keys."""

import asyncio
import hmac
import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlmodel import col

from app.access import seals
from app.access.seal_check import check
from app.access.seal_head import keep_head, read_head
from app.access.tables import AuditEntry, AuditSeal
from app.core import clock, keyring_file
from app.core.crypto import Keyring, load_keyring
from app.core.db import Database
from app.core.settings import Settings
from tests.rows import counts, everything, refused_by, run
from tests.trails import Trail, change, change_seal, forged


@pytest.fixture
async def trail(settings: Settings, database: Database) -> Trail:
    """A trail in which everything is sealed."""
    trail = Trail(database, load_keyring(settings.keyring_path), settings.audit_head_path)
    await trail.seal()
    return trail


async def unsealed(database: Database) -> int:
    """How many entries have no seal."""
    return len(await everything(database, AuditEntry, col(AuditEntry.seal).is_(None)))


async def test_each_link_holds_what_was_done_since_the_one_before(trail: Trail) -> None:
    await trail.act(2)
    first = await trail.seal()
    assert await trail.seal() is None
    await trail.act()
    second = await trail.seal()
    assert first is not None
    assert second is not None
    assert (first.number, first.entries, second.number, second.entries) == (2, 2, 3, 1)
    assert second.previous_hash == first.hash
    assert seals.Seal(**(await everything(trail.database, AuditSeal))[-1]) == second
    verdict = await check(trail.database, trail.keyring, trail.head)
    assert (verdict.seals, verdict.sealed, verdict.unsealed, verdict.findings) == (3, 4, 0, [])


async def test_an_entry_that_comes_to_light_after_newer_ones_is_sealed_next(trail: Trail) -> None:
    await trail.act()
    early = {"id": UUID("01800000-0000-7000-8000-000000000000"), "at": clock.now()}
    if trail.database.writer is None:
        # Written before the others are sealed, and committed after.
        async with trail.database.write() as session:
            await session.exec(forged(**early))
            sealed = await trail.seal()
    else:
        sealed = await trail.seal()
        await run(trail.database, forged(**early))
    assert (sealed is not None, await unsealed(trail.database)) == (True, 1)
    assert await trail.seal() is not None
    assert (await unsealed(trail.database), await trail.findings()) == (0, [])


async def test_many_sealers_and_writers_at_once_make_one_chain(trail: Trail, settings: Settings) -> None:
    other = Database(settings)
    try:

        async def seal_often(database: Database) -> None:
            for _ in range(10):
                async with database.write() as session:
                    await seals.seal(session, trail.keyring, most=5)
                await keep_head(database, trail.head)

        await asyncio.gather(*(trail.act(3) for _ in range(15)), *(seal_often(d) for d in [trail.database, other] * 2))
    finally:
        await other.close()
    while await trail.seal() is not None:
        pass
    verdict = await check(trail.database, trail.keyring, trail.head)
    assert (verdict.sealed, verdict.unsealed, verdict.findings) == (46, 0, [])
    head = read_head(trail.head)
    assert head is not None
    assert head.number == verdict.seals


@pytest.mark.parametrize("template", ["postgresql"], indirect=True)
async def test_a_second_sealer_does_not_wait_for_the_first(trail: Trail) -> None:
    await trail.act()
    async with trail.database.write() as first:
        assert await seals.seal(first, trail.keyring) is not None
        assert await asyncio.wait_for(trail.seal(), 1) is None
    assert await trail.findings() == []


async def test_a_seal_that_was_rolled_back_was_never_there(trail: Trail) -> None:
    await trail.act()
    with suppress(ZeroDivisionError):
        async with trail.database.write() as session:
            await seals.seal(session, trail.keyring)
            raise ZeroDivisionError
    assert (await counts(trail.database, AuditSeal), await unsealed(trail.database)) == ([1], 1)
    assert await trail.seal() is not None
    assert await trail.findings() == []


async def test_a_seal_is_given_once_and_covers_no_more_than_can_be_checked(trail: Trail) -> None:
    await trail.act(7)
    sealed = [await trail.seal(most=3) for _ in range(3)]
    assert [link.entries for link in sealed if link is not None] == [3, 3, 1]
    entry, *_ = await trail.entries(2)
    guards = [
        await refused_by(trail.database, statement)
        for statement in (change(entry, seal=3), change(entry, seal=None), change_seal(2, entries=4))
    ]
    assert guards == ["ck_audit_entries_append_only"] * 2 + ["ck_audit_seals_append_only"]
    assert await trail.findings() == []


CANONICAL = rb"""[7,2,"01","0123456789ab","2026-11-23T09:00:00.120000+00:00"]
["00000000-0000-0000-0000-000000000001","2026-11-23T09:00:00.120000+00:00","\u00fc\n","done","\ud83e\uddec","done",["a"]]
["00000000-0000-0000-0000-000000000002","2026-11-23T09:00:00.120000+00:00","\u00fc\n","done","\ud83e\uddec","done",["a"]]
"""


async def test_the_same_entries_have_the_same_hash_on_both_databases(trail: Trail) -> None:
    at = datetime(2026, 11, 23, 9, 0, 0, 120_000, tzinfo=UTC)
    words = {"actor": "\u00fc\n", "action": "done", "subject": "\U0001f9ec", "outcome": "done"}
    for number in (2, 1):
        await run(trail.database, forged(id=UUID(int=number), at=at, fields=["a"], **words))
    made = await trail.seal()
    assert made is not None
    entries = [type("Row", (), entry) for entry in await trail.entries(made.number)]
    known = replace(made, number=7, previous_hash=b"\x01", key_id="0123456789ab", sealed_at=at)
    hash_ = seals.hash_of(known, entries, key=b"synthetic")  # type: ignore[arg-type]
    assert hash_ == hmac.digest(b"synthetic", CANONICAL, "sha256")


async def test_a_chain_goes_on_over_a_change_of_keys(trail: Trail, settings: Settings, tmp_path: Path) -> None:
    ring = Path(shutil.copy(settings.keyring_path, tmp_path / "keyring"))
    trail.keyring = load_keyring(ring)
    old = trail.keyring.primary
    await trail.grow(1)
    new = keyring_file.add_primary(ring)
    await trail.grow(1)
    key_ids = [row["key_id"] for row in await everything(trail.database, AuditSeal)]
    assert (key_ids, await trail.findings()) == ([old, old, new], [])
    # The old key was dropped, and left what verifies the trail.
    keys, seal_keys = {new: trail.keyring.keys[new]}, {old: trail.keyring.seal_key(old)}
    trail.keyring = Keyring(new, keys, seal_keys)
    assert await trail.findings() == []
    trail.keyring = Keyring(new, keys)
    assert await trail.findings() == [f"seal {number}: the key ring lacks its key" for number in (1, 2)]


async def test_entries_that_nobody_seals_are_found(trail: Trail) -> None:
    now = clock.now()
    await run(trail.database, forged(at=now - timedelta(minutes=9)))
    assert await trail.findings() == []
    await run(trail.database, forged(at=now - timedelta(minutes=11)), forged(at=now - timedelta(days=1)))
    assert await trail.findings() == ["no seal: 2 entries have waited for one for more than ten minutes"]
    await trail.seal()
    assert await trail.findings() == []
