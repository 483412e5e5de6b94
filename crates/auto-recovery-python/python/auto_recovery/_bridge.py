"""Between a recovery, which blocks a thread of its own, and the event loop that waits for it."""

import asyncio
import concurrent.futures
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Bridge:
    """Takes to the loop what a recovery has to await, and ends it with the recovery."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._guard = threading.Lock()
        self._awaited: concurrent.futures.Future[Any] | None = None
        self._is_cancelled = False

    def result(self, awaitable: Awaitable[T]) -> T:
        """What `awaitable` gives, awaited in the loop. Called in the thread of the recovery."""
        with self._guard:
            if self._is_cancelled:
                discard(awaitable)
                raise asyncio.CancelledError
            awaited = asyncio.run_coroutine_threadsafe(_coroutine(awaitable), self._loop)
            self._awaited = awaited
        try:
            return awaited.result()
        except concurrent.futures.CancelledError:
            # To the recovery this is what Ctrl-C is: it ends, and is on record.
            raise asyncio.CancelledError from None

    def sleep(self, seconds: float) -> None:
        """Waits as a coroutine does."""
        self.result(asyncio.sleep(seconds))

    async def run(self, work: Callable[[], T]) -> T:
        """Runs `work` in a thread. Where this is cancelled, `work` is ended and waited for: its
        record is whole before anybody goes on.
        """
        # Not one of the loop's own threads: those may be what a handler waits for.
        threads = concurrent.futures.ThreadPoolExecutor(1, "auto_recovery")
        done = self._loop.run_in_executor(threads, contextvars.copy_context().run, work)
        threads.shutdown(wait=False)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            self._cancel()
            await asyncio.wait([done])
            raise

    def _cancel(self) -> None:
        with self._guard:
            self._is_cancelled = True
            if self._awaited is not None:
                self._awaited.cancel()


async def _coroutine(awaitable: Awaitable[T]) -> T:
    return await awaitable


def discard(awaitable: object) -> None:
    """Ends a coroutine that nobody will await, so that Python does not complain of it."""
    if inspect.iscoroutine(awaitable):
        awaitable.close()
