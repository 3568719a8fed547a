"""The next is prepared while the step before is under way; steps come one after the other, whatever goes wrong."""

import asyncio
import gc
from collections.abc import Iterator

import pytest

from app.core import ahead


def numbers(told: list[str], *, fails_at: int = 99) -> Iterator[int]:
    """Three of them, each of which takes a preparation."""
    for number in range(3):
        if number == fails_at:
            raise LookupError
        told.append(f"prepared {number}")
        yield number


async def run(told: list[str], *, fails_at: int = 99, step_fails_at: int = 99) -> None:
    """Take steps that last."""

    async def step(number: int) -> None:
        told.append(f"begun {number}")
        await asyncio.sleep(0.01)
        if number == step_fails_at:
            raise ZeroDivisionError
        told.append(f"done {number}")

    await ahead.each(step, numbers(told, fails_at=fails_at))


async def test_the_next_is_prepared_while_a_step_is_under_way() -> None:
    told: list[str] = []
    await run(told)
    assert told == [
        *("prepared 0", "begun 0", "prepared 1", "done 0"),
        *("begun 1", "prepared 2", "done 1", "begun 2", "done 2"),
    ]


async def test_what_fails_while_it_is_prepared_waits_for_the_step_before() -> None:
    told: list[str] = []
    with pytest.raises(LookupError):
        await run(told, fails_at=1)
    assert told == ["prepared 0", "begun 0", "done 0"]


async def test_after_a_step_that_fails_there_is_none() -> None:
    told: list[str] = []
    with pytest.raises(ZeroDivisionError):
        await run(told, step_fails_at=1)
    assert told[-2:] == ["begun 1", "prepared 2"]


async def test_one_who_is_cancelled_leaves_no_step_behind() -> None:
    told: list[str] = []
    running = asyncio.create_task(run(told))
    await asyncio.sleep(0.005)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    before = list(told)
    await asyncio.sleep(0.03)
    assert told == before == ["prepared 0", "begun 0", "prepared 1"]


async def test_whoever_is_told_to_end_while_it_waits_for_a_step_waits_on() -> None:
    told: list[str] = []
    running = asyncio.create_task(run(told, fails_at=1))
    await asyncio.sleep(0)
    for _ in range(3):
        await asyncio.sleep(0.002)
        running.cancel()
    with pytest.raises(LookupError):
        await running
    assert told == ["prepared 0", "begun 0", "done 0"]


async def test_where_both_fail_nothing_is_left_to_be_complained_of(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    with pytest.raises(LookupError):
        await run(told, fails_at=1, step_fails_at=0)
    gc.collect()
    assert caplog.records == []
