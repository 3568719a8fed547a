"""Every operation, asked by everybody: who is let in is what the table says. See `tests/drills/authorization.py`."""

import pytest

from app.access.callers import Scope
from app.core.settings import Settings
from tests.drills import authorization
from tests.drills.authorization import Key, Open, faults


async def test_everybody_is_let_in_where_the_table_says_and_nowhere_else(settings: Settings) -> None:
    asked, found = await faults(settings)
    assert found == []
    assert asked > 600


async def test_the_drill_sees_a_door_that_stands_open_and_one_that_nobody_wrote_down(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(authorization.TABLE, "list_conditions", Key(Scope.AUDIT_READ))
    monkeypatch.setitem(authorization.TABLE, "list_audit_entries", Open())
    monkeypatch.delitem(authorization.TABLE, "read_liveness")
    _, found = await faults(settings)
    assert {fault.partition(":")[0].split(" ")[0] for fault in found} == {
        "list_conditions", "list_audit_entries", "read_liveness",
    }  # fmt: skip
