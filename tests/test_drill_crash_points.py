"""The short form of the drill: a serving process is killed at some points of a request, and asked again."""

from pathlib import Path

from app.core.settings import Settings
from tests.drills.crash_points import crash, make_world
from tests.drills.crashing import AFTER_COMMIT, IN_COMMIT


def test_after_a_kill_nothing_is_half_there_and_the_retry_is_answered(settings: Settings, tmp_path: Path) -> None:
    world = make_world(settings, tmp_path)
    for asked, point in (
        ("book", "after the last rows are written"),
        ("book", IN_COMMIT),
        ("reschedule", AFTER_COMMIT),
    ):
        outcome = crash(asked, point, world)
        assert outcome.was_killed
        assert outcome.faults == []
