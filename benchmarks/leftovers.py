"""Leftovers: the processes that a command leaves behind, adopted so that they can be measured.

Linux gives the orphans among our descendants to us (`PR_SET_CHILD_SUBREAPER`); what they cost is
then read from `wait4` as for any child. Elsewhere they go to the init process, and cost nothing
that we could see.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

import attrs

__all__ = ["LONGEST", "Leftovers", "adopt", "alive", "collect", "end", "move", "present"]

LONGEST = 90.0
_PR_SET_CHILD_SUBREAPER = 36


@attrs.frozen
class Leftovers:
    """What came after the command: its processes, their CPU time, and when the last one ended."""

    processes: int = 0
    cpu: float = 0.0
    seconds: float = 0.0
    peak_mib: float = 0.0


def adopt() -> bool:
    """Become the parent of whatever our children leave behind; say whether that is possible."""
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def present() -> list[int]:
    """Return the numbers of our children, dead ones that nobody collected included."""
    return _children("self")


def move(process: int, processors: set[int]) -> None:
    """Send the children of *process* to these *processors*; later ones of theirs go there too."""
    for child in _children(str(process)):
        try:
            os.sched_setaffinity(child, processors)
        except ProcessLookupError:
            pass


def alive() -> int:
    """Return how many of our children have not ended yet."""
    return sum(_state(child) not in ("", "Z") for child in present())


def collect(seconds: float = LONGEST) -> Leftovers:
    """Wait until all of them ended by themselves, *seconds* at most, and return what they cost."""
    began = time.perf_counter()
    processes, cpu, peak = 0, 0.0, 0.0
    while time.perf_counter() - began < seconds:
        peak = max([peak, *map(_peak_mib, present())])
        try:
            process, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if process == 0:
            time.sleep(0.005)
            continue
        processes += 1
        cpu += usage.ru_utime + usage.ru_stime
    else:
        end()
    return Leftovers(processes, cpu, time.perf_counter() - began, peak)


def end() -> None:
    """Kill our children, and theirs as they come to us, and collect them."""
    while children := present():
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _children(process: str) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found += map(int, task.read_text("ascii").split())
        except OSError:  # a thread that ended meanwhile
            pass
    return found


def _state(process: int) -> str:
    try:
        stat = Path(f"/proc/{process}/stat").read_text("ascii", "replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[0]


def _peak_mib(process: int) -> float:
    # Not from wait4: its figure includes the process that started this one.
    try:
        status = Path(f"/proc/{process}/status").read_text("ascii", "replace")
    except OSError:
        return 0.0
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(lines.get("VmHWM", "0").split()[0]) / 1024
