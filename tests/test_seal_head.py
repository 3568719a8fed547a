"""The newest seal outside of the database, and the command that compares."""

import json
import stat
from pathlib import Path

import pytest

from app.access import seals
from app.access.seal_head import keep_head
from app.access.tables import AuditSeal
from app.core.crypto import load_keyring
from app.core.db import Database
from app.core.settings import Settings
from tests.processes import environment_of
from tests.processes import run as run_command
from tests.rows import everything
from tests.trails import Trail


@pytest.fixture
async def trail(settings: Settings, database: Database) -> Trail:
    """A trail in which everything is sealed."""
    trail = Trail(database, load_keyring(settings.keyring_path), settings.audit_head_path)
    await trail.seal()
    return trail


async def test_the_head_is_the_newest_seal_and_never_an_older_one(trail: Trail) -> None:
    await trail.grow(2)
    newest = (await everything(trail.database, AuditSeal))[-1]
    said = json.loads(trail.head.read_bytes())
    assert said == {"number": 3, "hash": newest["hash"].hex(), "sealed_at": seals.instant(newest["sealed_at"])}
    assert stat.S_IMODE(trail.head.stat().st_mode) == 0o600
    assert [path.name for path in trail.head.parent.glob("audit-head*")] == ["audit-head"]
    # What was sealed right before a crash.
    await trail.act()
    async with trail.database.write() as session:
        await seals.seal(session, trail.keyring)
    assert await trail.findings() == []
    await keep_head(trail.database, trail.head)
    assert json.loads(trail.head.read_bytes())["number"] == 4


@pytest.mark.parametrize("content", ["", "[]", '{"number": 1}', '{"number": 1, "hash": "x", "sealed_at": "x"}', "\xff"])
async def test_a_head_that_cannot_be_read_is_left_alone_and_told(
    trail: Trail, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    trail.head.write_text(content, "latin-1")
    await trail.grow(1)
    assert trail.head.read_text("latin-1") == content
    assert [record.msg for record in caplog.records] == ["audit_head_unreadable"]
    assert await trail.findings() == [f"the head: {trail.head} is not the head of an audit trail"]


async def test_the_command_names_what_is_wrong_and_ends_with_an_error(
    trail: Trail, settings: Settings, tmp_path: Path
) -> None:
    def said() -> tuple[int, list[str], str]:
        ended = run_command("audit", "verify", folder=tmp_path, environment=environment_of(settings))
        return ended.returncode, ended.stdout.splitlines(), ended.stderr

    assert said() == (0, ["Seals: 1. Entries: 1 sealed, 0 not yet."], "")
    trail.head.write_text('{"number": 2, "hash": "00", "sealed_at": "2026-11-23T09:00:00+00:00"}')
    assert said() == (
        1,
        ["WRONG seal 2: the head tells of it, and it is not there", "Seals: 1. Entries: 1 sealed, 0 not yet."],
        "",
    )
