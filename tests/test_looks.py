"""A look what is public that fails: nobody waits for more than one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.content.published import PublishedPages
from app.core.db import Database, DatabaseBusy


async def test_who_waited_for_a_look_that_failed_does_not_wait_for_another(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    @asynccontextmanager
    async def be_out() -> AsyncIterator[None]:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0.05)
        raise DatabaseBusy
        yield

    published = PublishedPages(database, memory_mb=1)
    with monkeypatch.context() as out:
        out.setattr(database, "look", be_out)
        failures = await asyncio.gather(*(published.edition() for _ in range(20)), return_exceptions=True)
        assert ({type(failure) for failure in failures}, looks) == ({DatabaseBusy}, 1)
        # Who comes later looks anew.
        with pytest.raises(DatabaseBusy):
            await published.edition()
        assert looks == 2
    assert (await published.edition()).number > 0
