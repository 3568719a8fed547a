"""A lock between the processes of one host."""

import asyncio
import fcntl
import os
import threading
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType


class LockTimeout(Exception):
    """The lock was not to be had in time."""


class FileLock:
    """One holder at a time on this host, in turn: a queue inside the process, two kernel `flock`s between processes.

    Who wants the lock first locks the place next in line (a second file), and leaves it with the lock in hand. So a
    process that has just given the lock back, and has more writers waiting, cannot retake it past another process.

    The kernel gives back what a process held when it dies. Waiting is done off the event loop. Whoever gives up waiting
    (cancelled, or after `patience` seconds) still gives back what the kernel hands over later.
    """

    def __init__(self, path: Path, *, patience: float = 10.0) -> None:
        self._file, self._line = _opened(path), _opened(path.with_name(path.name + ".next"))
        self._turn = asyncio.Lock()
        self._patience = patience
        self._waiting: SimpleQueue[asyncio.Future[None] | None] = SimpleQueue()
        # A daemon: a process that ends does not wait for a lock that another one holds.
        self._thread = threading.Thread(target=self._wait_in_kernel, name="carepath-lock", daemon=True)

    async def __aenter__(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._turn.acquire()
                try:
                    self._take(fcntl.LOCK_NB)
                except BlockingIOError:
                    await self._wait()
                except OSError:
                    self._turn.release()
                    raise
        except TimeoutError:
            raise LockTimeout from None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_back()

    def hand_on(self) -> None:
        """Let another process have the lock at once; the turn within this one lasts on. Any thread may say so."""
        # A waiter that was given up may be answered after `close`; by then the number may be another file's.
        if self._file >= 0:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the files; a lock still held is given back with them."""
        for file in (self._file, self._line):
            os.close(file)
        self._file = self._line = -1
        self._waiting.put(None)

    def _take(self, how: int = 0) -> None:
        fcntl.flock(self._line, fcntl.LOCK_EX | how)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | how)
        finally:
            fcntl.flock(self._line, fcntl.LOCK_UN)

    async def _wait(self) -> None:
        if self._thread.ident is None:
            self._thread.start()
        locked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put(locked)
        try:
            await locked
        except BaseException:
            # The thread cannot be called back. It keeps our turn until the kernel answers it: see `_settle`.
            if not locked.cancelled():
                self._give_back()
            raise

    def _wait_in_kernel(self) -> None:
        while (locked := self._waiting.get()) is not None:
            failure = None
            try:
                self._take()
            except (OSError, ValueError) as error:  # a ValueError once the files were closed
                failure = error
            with suppress(RuntimeError):  # the loop was closed meanwhile; the kernel frees the lock with the process
                locked.get_loop().call_soon_threadsafe(self._settle, locked, failure)

    def _settle(self, locked: "asyncio.Future[None]", failure: Exception | None) -> None:
        if locked.cancelled():
            self._give_back()
        elif failure is None:
            locked.set_result(None)
        else:
            locked.set_exception(failure)

    def _give_back(self) -> None:
        self.hand_on()
        self._turn.release()


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
