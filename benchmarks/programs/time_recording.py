"""Time in one process, in turns: recording and its floor, with and without starting a process."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable

from system_usage import tracker

from usage_core import _recorder
from usage_core._local import StateFolder, remove_file

HOME = os.environ["HOME"]
lease = StateFolder(os.path.join(HOME, ".bench")).lease


def start_true(config: str, environ: dict[bytes, bytes]) -> int:
    """Start `true` in place of the worker, in all other ways as the worker is started."""
    executable, sys.executable = sys.executable, "/bin/true"
    try:
        return start(config, environ)
    finally:
        sys.executable = executable


def ours() -> None:
    tracker.track("greet", duration_ms=1.0)


def write() -> None:
    path = os.path.join(HOME, "record")
    handle = os.open(f"{path}.tmp", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(handle, b"x" * 500)
    os.close(handle)
    os.replace(f"{path}.tmp", path)


def floor() -> None:
    write()
    os.posix_spawn("/bin/true", ["true"], os.environ, setsid=True)


def timed(function: Callable[[], None]) -> float:
    began = time.perf_counter()
    function()
    took = (time.perf_counter() - began) * 1000
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        return took


start, _recorder.start = _recorder.start, start_true
found: dict[str, list[float]] = {"floor": [], "ours": [], "write": [], "alone": []}
for number in range(int(sys.argv[1]) + 10):
    remove_file(lease)
    pair = {"floor": timed(floor), "ours": timed(ours)}
    _recorder.take_lease(lease, time.time() + 1800, os.getpid())
    pair |= {"write": timed(write), "alone": timed(ours)}
    if number >= 10:
        for name, took in pair.items():
            found[name].append(took)
    if number % 100 == 99:
        shutil.rmtree(os.path.join(HOME, ".bench", "usage", "journal"))
print(json.dumps(found))
