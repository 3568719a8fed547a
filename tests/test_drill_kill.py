"""`kill -9` of serving processes loses no booking that was acknowledged and doubles none; the drill would see it."""

import asyncio
from pathlib import Path

import pytest

from app.core.settings import Settings
from tests.drills.clients import make_slots
from tests.drills.kill import Figures, drill


def drilled(settings: Settings, folder: Path, *, seconds: float, sabotage: str = "") -> Figures:
    """What happened."""

    async def run() -> Figures:
        slots = await make_slots(settings, 100)
        return await drill(settings, slots, folder, seconds=seconds, seed=1, processes=2, sabotage=sabotage)

    return asyncio.run(run())


def test_killed_processes_lose_and_double_nothing(settings: Settings, tmp_path: Path) -> None:
    figures = drilled(settings, tmp_path, seconds=4)
    assert figures.is_sound, figures
    assert figures.kills > 0
    assert figures.acknowledged > 0


@pytest.mark.parametrize("template", ["postgresql"], indirect=True)
def test_an_answer_ahead_of_its_commit_is_seen(settings: Settings, tmp_path: Path) -> None:
    assert drilled(settings, tmp_path, seconds=4, sabotage="ahead").lost


@pytest.mark.parametrize("template", ["sqlite"], indirect=True)
def test_a_forgotten_key_is_seen(settings: Settings, tmp_path: Path) -> None:
    assert drilled(settings, tmp_path, seconds=4, sabotage="forgetful").doubled
