"""Work for the database and work for its answers, at the same time."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, TypeVar

_T = TypeVar("_T")


async def each(step: Callable[[_T], Coroutine[Any, Any, None]], prepared: Iterable[_T]) -> None:
    """Take the step with one after the other, and prepare the next meanwhile.

    The database has a processor of its own: ours need not stand still for as long as a step takes.
    """
    under_way: asyncio.Task[None] | None = None
    try:
        for one in prepared:
            if under_way is not None:
                await under_way
            under_way = asyncio.create_task(step(one))
            # So that the database is asked before the next is prepared.
            await asyncio.sleep(0)
        if under_way is not None:
            await under_way
    finally:
        # Nobody else has the connection before it is done, however often somebody is told to end.
        while under_way is not None and not under_way.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({under_way})
        if under_way is not None and not under_way.cancelled():
            # Where the preparation failed too, that is what is told.
            under_way.exception()
