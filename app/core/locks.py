"""A lock between the processes of one host."""

import asyncio
import fcntl
import os
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType


class LockTimeout(Exception):
    """The lock was not to be had in time."""


class FileLock:
    """One holder at a time on this host: a queue inside the process, a kernel `flock` between processes.

    The kernel gives the lock back when its holder dies. Waiting is done off the event loop. Whoever gives up waiting
    (cancelled, or after `patience` seconds) still gives back what the kernel hands over later.
    """

    def __init__(self, path: Path, *, patience: float = 10.0) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._turn = asyncio.Lock()
        self._patience = patience

    async def __aenter__(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._turn.acquire()
                try:
                    fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
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

    def close(self) -> None:
        """Close the file; a lock still held is given back with it."""
        os.close(self._file)
        self._file = -1

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        locked: asyncio.Future[None] = loop.create_future()

        def wait_in_kernel() -> None:
            failure = None
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX)
            except OSError as error:
                failure = error
            with suppress(RuntimeError):  # the loop was closed meanwhile; the kernel frees the lock with the process
                loop.call_soon_threadsafe(_settle, locked, failure)

        # A daemon: a process that ends does not wait for a lock that another one holds.
        threading.Thread(target=wait_in_kernel, name="carepath-lock", daemon=True).start()
        try:
            await asyncio.shield(locked)
        except BaseException:
            # The thread cannot be called back. It keeps our turn until the kernel answers it.
            locked.add_done_callback(lambda _: self._give_back())
            raise

    def _give_back(self) -> None:
        # A waiter that was given up may be answered after `close`; by then the number may be another file's.
        if self._file >= 0:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._turn.release()


def _settle(locked: "asyncio.Future[None]", failure: OSError | None) -> None:
    if failure is None:
        locked.set_result(None)
    else:
        locked.set_exception(failure)
