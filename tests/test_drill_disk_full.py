"""A full disk refuses bookings with a word on when to come back, and nothing else; room again is all that it needs."""

import asyncio
from pathlib import Path

import pytest

from app.core.settings import Settings
from tests.drills.clients import make_slots
from tests.drills.disk_full import Figures, drill
from tests.drills.small_disk import NoSmallDisk

pytestmark = pytest.mark.parametrize("template", ["sqlite"], indirect=True)


def drilled(settings: Settings, folder: Path, sabotage: str = "") -> Figures:
    """What happened; the test is skipped where no small disk is to be had."""
    slots = asyncio.run(make_slots(settings, 20))
    try:
        return drill(settings, slots, folder, sabotage=sabotage)
    except NoSmallDisk:
        pytest.skip("a small file system can be mounted here by root only")


def test_a_full_disk_refuses_bookings_until_there_is_room_and_loses_none(settings: Settings, tmp_path: Path) -> None:
    figures = drilled(settings, tmp_path)
    assert figures.faults == []
    assert figures.told["full: POST .../consultation-bookings 503"] > 0


def test_a_full_disk_that_nobody_expects_is_seen(settings: Settings, tmp_path: Path) -> None:
    figures = drilled(settings, tmp_path, "speechless")
    assert "full: POST /consultation-bookings was answered 500" in figures.faults
