"""The lock between processes: it is handed on, in turn, by whoever ends, dies, or gives up waiting."""

import asyncio
import fcntl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.core.locks import FileLock, LockTimeout

# Holds the lock until it is told to end.
HOLD = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read(1)
"""
# Has four writers that want the lock again as soon as they had it for a millisecond; notes each turn.
BE_GREEDY = """
import asyncio, sys, time
from pathlib import Path
from app.core.locks import FileLock

async def take_turns(lock, notes):
    while True:
        async with lock:
            notes.write(b".")
            time.sleep(0.001)

async def main(path):
    lock, notes = FileLock(Path(path)), open(path + ".turns", "ab", buffering=0)
    print("greedy", flush=True)
    await asyncio.gather(*(take_turns(lock, notes) for _ in range(4)))

asyncio.run(main(sys.argv[1]))
"""
SOON = 5.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file that is locked."""
    return tmp_path / "lock"


@pytest.fixture
async def lock(path: Path) -> AsyncIterator[FileLock]:
    """The lock of this process."""
    lock = FileLock(path)
    yield lock
    lock.close()


@contextmanager
def held_elsewhere(path: Path, how: str = HOLD) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the lock."""
    command = [sys.executable, "-c", how, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline()
            yield holder
        finally:
            holder.kill()


def next_in_line(path: Path) -> Path:
    """The file that whoever is next has locked."""
    return path.with_name(path.name + ".next")


def is_free(path: Path) -> bool:
    """Whether another process could have the lock now."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


async def take(lock: FileLock) -> None:
    """Have the lock for a moment."""
    async with lock:
        pass


async def until_free(path: Path) -> None:
    """Wait until another process could have the lock; what a dead one held comes back through a thread."""
    for _ in range(500):
        if is_free(path):
            return
        await asyncio.sleep(0.01)
    pytest.fail("the lock was not given back")


async def test_one_at_a_time_and_in_order(lock: FileLock) -> None:
    inside: list[int] = []
    order = []

    async def work(number: int) -> None:
        async with lock:
            inside.append(number)
            await asyncio.sleep(0.001)
            assert inside == [number]
            order.append(inside.pop())

    await asyncio.gather(*(work(number) for number in range(20)))
    assert order == list(range(20))


async def test_it_is_held_against_other_processes_and_given_back_on_error(lock: FileLock, path: Path) -> None:
    async def fail() -> None:
        async with lock:
            assert not is_free(path)
            raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        await fail()
    assert is_free(path)


@pytest.mark.parametrize("ends_by", ["release", "death"])
async def test_a_waiter_gets_it_when_its_holder_ends(lock: FileLock, path: Path, ends_by: str) -> None:
    with held_elsewhere(path) as holder:
        waiting = asyncio.create_task(take(lock))
        # The loop goes on meanwhile: the waiting is done elsewhere.
        await asyncio.sleep(0.1)
        assert not waiting.done()
        if ends_by == "release":
            assert holder.stdin is not None
            holder.stdin.close()
        else:
            holder.kill()
        await asyncio.wait_for(waiting, SOON)
    assert is_free(path)


async def test_whoever_gives_up_waiting_gives_back_what_comes_later(lock: FileLock, path: Path) -> None:
    with held_elsewhere(path) as holder:
        waiting = asyncio.create_task(take(lock))
        behind = asyncio.create_task(take(lock))
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not behind.done()
        holder.kill()
        await asyncio.wait_for(behind, SOON)
    await until_free(path)
    await asyncio.wait_for(take(lock), SOON)


@pytest.mark.parametrize("steps", range(4))
async def test_whoever_gives_up_as_the_lock_comes_gives_it_back(lock: FileLock, path: Path, steps: int) -> None:
    with held_elsewhere(path) as holder:
        waiting = asyncio.create_task(take(lock))
        await asyncio.sleep(0.1)
        holder.kill()
        holder.wait()
        # Without giving the loop a turn: the lock comes, and nobody has heard of it yet.
        time.sleep(0.1)  # noqa: ASYNC251 - see above
        assert not is_free(path)
        for _ in range(steps):
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
    await until_free(path)
    await asyncio.wait_for(take(lock), SOON)


async def test_whoever_gives_up_in_the_queue_does_not_stop_it(lock: FileLock, path: Path) -> None:
    async with lock:
        first, second = (asyncio.create_task(take(lock)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait({first})
    await asyncio.wait_for(second, SOON)
    assert is_free(path)


async def test_whoever_is_next_in_line_is_not_overtaken(lock: FileLock, path: Path) -> None:
    with held_elsewhere(next_in_line(path)) as other:
        waiting = asyncio.create_task(take(lock))
        await asyncio.sleep(0.1)
        # The lock itself is free, as when its holder has just given it back.
        assert is_free(path)
        assert not waiting.done()
        other.kill()
        await asyncio.wait_for(waiting, SOON)
    assert is_free(next_in_line(path))


async def test_a_process_with_one_writer_gets_its_turn_beside_one_with_many(lock: FileLock, path: Path) -> None:
    turns, missed, asked = path.with_name(path.name + ".turns"), 0, 50
    turns.touch()
    with held_elsewhere(path, BE_GREEDY):
        for _ in range(asked):
            before = turns.stat().st_size
            async with lock:
                missed += turns.stat().st_size - before
            await asyncio.sleep(0.002)
    # One would do. More are had while this process wakes up, and before it is in line.
    assert missed <= 4 * asked


async def test_a_turn_lasts_on_in_the_process_when_the_lock_is_handed_on(lock: FileLock, path: Path) -> None:
    async with lock:
        behind = asyncio.create_task(take(lock))
        await asyncio.to_thread(lock.hand_on)
        assert is_free(path)
        await asyncio.sleep(0.01)
        assert not behind.done()
    await asyncio.wait_for(behind, SOON)
    assert is_free(path)


async def test_patience_ends_and_the_lock_works_afterwards(path: Path) -> None:
    lock = FileLock(path, patience=0.1)
    with held_elsewhere(path):
        for _ in range(2):
            with pytest.raises(LockTimeout):
                await take(lock)
    await until_free(path)
    await take(lock)
    lock.close()


async def test_patience_ends_behind_somebody_of_this_process_too(path: Path) -> None:
    lock = FileLock(path, patience=0.1)
    async with lock:
        with pytest.raises(LockTimeout):
            await take(lock)
    await take(lock)
    assert is_free(path)
    lock.close()
