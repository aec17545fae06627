"""Guard: run other people's code with a limit that holds, whatever the code is waiting for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import attrs

__all__ = ["Guard", "HungError"]

T = TypeVar("T")


class HungError(TimeoutError):
    """Raised when what was run did not come back in time; it may still be running."""


@attrs.define
class Guard:
    """Runs functions one after the other in a thread of its own, and stops waiting in time.

    No library's own time-out covers a DNS server that never answers or a peer that sends a byte a
    second; to stop waiting does. All calls share one thread, as long as none hangs, so what a
    plug-in opened in one call it can use in the next.
    """

    # Any: the queue carries functions of every type, each with where its own result goes.
    _tasks: SimpleQueue[Any] | None = None

    def run(self, seconds: float, function: Callable[[], T]) -> T:
        """Return what *function* returns and raise what it raises, `SystemExit` included.

        Raises `HungError` after *seconds*; its thread is then left to itself.
        """
        if self._tasks is None:
            self._tasks = SimpleQueue()
            worker = threading.Thread(target=_work, args=(self._tasks,), daemon=True)
            try:
                worker.start()
            except RuntimeError:  # the interpreter is shutting down, or has no thread to give
                self._tasks = None
                return function()
        done: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()
        self._tasks.put((function, done))
        try:
            result, error = done.get(timeout=max(seconds, 0.001))
        except Empty:
            self.close()
            raise HungError(f"no answer within {seconds:.1f} s") from None
        if error is not None:
            raise error
        return result  # type: ignore[return-value]  # a result where there is no error

    def close(self) -> None:
        """Let the thread end when it has nothing more to do."""
        if self._tasks is not None:
            self._tasks.put(None)
            self._tasks = None


def _work(tasks: SimpleQueue[Any]) -> None:
    while (task := tasks.get()) is not None:
        function, done = task
        try:
            done.put((function(), None))
        except BaseException as error:  # noqa: BLE001  # sys.exit() ends no thread
            done.put((None, error))
