"""A power cut loses no booking that was acknowledged; with less syncing it does, and the drill sees it."""

import asyncio
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from app.core.settings import Settings
from tests.drills import traced
from tests.drills.clients import make_slots
from tests.drills.disk import SECTOR, Disk
from tests.drills.power_cut import drill, watch

SECONDS = 2.0
on_sqlite = pytest.mark.parametrize("template", ["sqlite"], indirect=True)
needs_strace = pytest.mark.skipif(traced.STRACE is None, reason="there is no strace here")


@pytest.fixture
def slots(settings: Settings) -> list[UUID]:
    """Slots to book."""
    return asyncio.run(make_slots(settings, 20))


@on_sqlite
def test_a_power_cut_loses_nothing_that_was_acknowledged(settings: Settings, slots: list[UUID]) -> None:
    figures = drill(settings, slots, seconds=SECONDS, seed=1)
    assert figures.is_sound, figures
    assert figures.cuts > 3
    assert figures.acknowledged


@on_sqlite
@pytest.mark.parametrize("level", ["NORMAL", "OFF"])
def test_a_power_cut_loses_bookings_that_wait_for_no_sync(settings: Settings, slots: list[UUID], level: str) -> None:
    figures = drill(settings, slots, seconds=SECONDS, seed=1, pragmas=[f"synchronous={level}"])
    assert figures.lost or figures.damaged


@on_sqlite
@needs_strace
@pytest.mark.parametrize(("sabotage", "is_sound"), [("", True), ("unsynced", False)])
def test_a_201_is_written_to_its_socket_after_the_booking_was_synced(
    settings: Settings, slots: list[UUID], tmp_path: Path, sabotage: str, *, is_sound: bool
) -> None:
    figures = watch(settings, slots, tmp_path, seconds=1, sabotage=sabotage)
    assert figures.acknowledged
    assert figures.is_sound is is_sound, figures
    assert bool(figures.lost) is not is_sound


def test_the_disk_keeps_what_was_synced_and_tears_what_was_not(tmp_path: Path) -> None:
    disk, old, new = Disk(), b"o" * SECTOR, b"n" * SECTOR
    disk.write("file", 0, old * 8)
    disk.sync("file")
    disk.write("file", 0, new * 8)
    disk.truncate("file", SECTOR)
    assert disk.read("file", 0, 2 * SECTOR) == new
    disk.cut(tmp_path, None)
    assert (tmp_path / "file").read_bytes() == old * 8
    left = set()
    for seed in range(50):
        disk.cut(tmp_path, Random(seed))
        left.add((tmp_path / "file").read_bytes())
    sectors = {content[start : start + SECTOR] for content in left for start in range(0, len(content), SECTOR)}
    assert sectors == {old, new}
    assert len(left) > 10
