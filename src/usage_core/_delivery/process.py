"""The process around a worker: the lock, the lease, and the end that comes whatever hangs."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from typing import NoReturn

import filelock

from usage_core._delivery.config import Config
from usage_core._delivery.folder import Folder
from usage_core._delivery.in_hand import InHand
from usage_core._delivery.worker import Worker
from usage_core._delivery.workplace import Gone
from usage_core._local import environment, make_folder, remove_file
from usage_core._recorder import WORKER_LIVES, dumps, start, take_lease

__all__ = ["drain_inline", "flush", "locked", "main", "main_frozen"]

INLINE_WAITS = 1.0
INLINE_SECONDS = 10.0
HANDS_OVER = 1.0
TROUBLE_SECONDS = 60.0


def main(found: Mapping[str, object]) -> NoReturn:
    """Be the worker that *found* describes: drain, linger, and end within ten seconds."""
    os.closerange(3, 256)  # a pipe that the shell had open is not ours to hold
    end = time.monotonic() + WORKER_LIVES
    config = Config.from_json(found)
    folder = Folder(config.state)
    _end_at(end, folder)
    try:
        os.chdir(config.state)
        if hasattr(os, "nice"):
            os.nice(10)
        _work(config, folder, lambda: end - time.monotonic(), found)
    except Gone:
        remove_file(folder.lease)
    except OSError:  # no place for a lock, or for a worker
        with suppress(OSError):
            take_lease(folder.lease, time.time() + TROUBLE_SECONDS)
    os._exit(0)  # whatever a plug-in left running


def main_frozen() -> NoReturn:
    """Be the worker of a frozen app, which has the configuration on its standard input."""
    main(json.load(sys.stdin.buffer))


def drain_inline(found: Mapping[str, object]) -> None:
    """Drain in the command itself, for a transport that shows messages at once."""
    flush(found, INLINE_SECONDS, patience=INLINE_WAITS)


def flush(found: Mapping[str, object], timeout: float, *, patience: float | None = None) -> bool:
    """Drain in this process within *timeout* seconds; return whether nothing is left.

    Waits for another worker's lock for *patience* seconds, or as long as *timeout* allows.
    """
    end = time.monotonic() + timeout
    config = Config.from_json(found)
    folder = Folder(config.state)
    if not os.path.isdir(folder.usage):
        return True
    with locked(folder, timeout if patience is None else patience) as held:
        if not held:
            return False
        worker = Worker(config, lambda: end - time.monotonic())
        try:
            rest = worker.drain(linger=False)
        except Gone:
            return False
        if rest is None:
            remove_file(folder.lease)
        return rest is None and worker.is_done()


def _work(
    config: Config, folder: Folder, left: Callable[[], float], found: Mapping[str, object]
) -> None:
    while True:
        with locked(folder, 0) as held:
            if not held:
                return  # somebody works, and looks once more before leaving
            take_lease(folder.lease, time.time() + left(), os.getpid())
            worker = Worker(config, left)
            rest = worker.drain(linger=True)
            if rest is not None:
                take_lease(folder.lease, time.time() + rest)
                return
            remove_file(folder.lease)
        # What came in before the lease was lifted started no worker: it is ours.
        if worker.is_done():
            return
        if left() < HANDS_OVER:
            if worker.has_moved:
                start(dumps(found), environment())
            return


@contextmanager
def locked(folder: Folder, patience: float) -> Generator[bool]:
    """Hold the lock within, if it could be had in *patience* seconds: the value says so.

    Raises `OSError` where there are no locks, as on some network file systems.
    """
    lock = filelock.FileLock(folder.lock, timeout=patience, mode=0o600)
    end = time.monotonic() + patience
    try:
        while not lock.is_locked:
            try:
                lock.acquire()
            except FileNotFoundError:  # somebody erased the folder meanwhile
                if time.monotonic() >= end:
                    raise
                make_folder(folder.usage)
    except filelock.Timeout:
        yield False
        return
    except NotImplementedError as error:
        raise OSError(f"no locks in {folder.usage}") from error
    try:
        yield True
    finally:
        lock.release()


def _end_at(end: float, folder: Folder) -> None:
    """End this process then, whatever hangs: DNS, TLS, a server, a plug-in."""

    def leave() -> None:
        # It was the time, not the record that was in hand.
        InHand(folder.in_hand).release()
        os._exit(0)

    timer = threading.Timer(end - time.monotonic(), leave)
    timer.daemon = True
    timer.start()
