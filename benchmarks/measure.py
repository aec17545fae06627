"""Measure: run commands in turns, and ask the system what each has cost."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs

from benchmarks import leftovers
from benchmarks.leftovers import Leftovers

__all__ = [
    "PROGRAMS",
    "Case",
    "Sample",
    "clean_environment",
    "here",
    "instructions",
    "interleaved",
    "once",
    "side_by_side",
]

PROGRAMS = Path(__file__).resolve().parent / "programs"

# What would switch tracking off, change where state lies, or leave bytecode unwritten.
_UNWANTED = re.compile(
    r"PYTEST|PYTHON|DO_NOT_TRACK|USAGE|TRACKING|TELEMETRY|^CI$|_PROXY$", re.IGNORECASE
)


def clean_environment() -> dict[str, str]:
    """Return our environment without what would change the commands that are measured."""
    return {name: value for name, value in os.environ.items() if not _UNWANTED.search(name)}


@attrs.frozen
class Case:
    """One way to run a command: *prepare* gets its fresh home folder before the clock starts.

    After *limit* seconds it is killed.
    """

    name: str
    program: str
    arguments: tuple[str, ...] = ()
    python: str = sys.executable
    environ: Mapping[str, str] = attrs.field(factory=dict[str, str])
    prepare: Callable[[Path], object] = lambda _: None
    limit: float = 60.0

    def command(self) -> list[str]:
        """Return what is run."""
        return [self.python, str(PROGRAMS / f"{self.program}.py"), *self.arguments]

    def environment(self, home: Path) -> dict[str, str]:
        """Return the whole environment of the command."""
        return {**clean_environment(), "HOME": str(home), **self.environ}


@attrs.frozen
class Sample:
    """What one run cost, in seconds: the command itself, and then what it left behind."""

    wall: float
    cpu: float
    after: Leftovers = attrs.field(factory=Leftovers)
    killed: bool = False


def once(case: Case, *, wait: bool = False) -> Sample:
    """Run *case* once in a fresh home; with *wait*, until everything that it left has ended.

    Without it what was left is killed as soon as the command is over: it runs beside the command
    as it always does, and never beside the next one. Raises `RuntimeError` for a command that
    fails.
    """
    sample = here(case, _home(case))
    if wait and not sample.killed:
        return attrs.evolve(sample, after=leftovers.collect())
    leftovers.end()
    return sample


def here(case: Case, home: Path) -> Sample:
    """Run *case* once in *home* and leave everything as it then is."""
    began = time.perf_counter()
    process = _start(case, home)
    timer = threading.Timer(case.limit, os.kill, (process, signal.SIGKILL))
    timer.start()
    status, cpu = _end(process)
    wall = time.perf_counter() - began
    timer.cancel()
    killed = os.WIFSIGNALED(status) and wall >= case.limit
    if status != 0 and not killed:
        raise _failed(case, status)
    return Sample(wall, cpu, killed=killed)


def side_by_side(cases: Sequence[Case]) -> list[float]:
    """Run *cases* at once on one processor, in turns; return the CPU time of each, in seconds.

    How fast a processor is changes within tenths of a second, with what its neighbours do. The
    turns of the scheduler are a hundredth of that: it meets all cases alike, and what one has used
    more than another comes out about ten times as sharp as from one run after the other. What they
    start goes to the other processors, as it would. Raises `RuntimeError` for a command that fails.
    """
    ended: dict[int, tuple[int, float]] = {}
    homes = [_home(case) for case in cases]
    processors = os.sched_getaffinity(0)
    shared = {max(processors)}
    os.sched_setaffinity(0, shared)
    try:
        processes = [_start(case, home) for case, home in zip(cases, homes, strict=True)]
    finally:
        os.sched_setaffinity(0, processors)
    while len(ended) < len(processes):
        for process in processes:
            if process not in ended:
                leftovers.move(process, processors - shared or processors)
                if os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                    ended[process] = _end(process)
        time.sleep(0.0005)
    leftovers.end()
    for case, process in zip(cases, processes, strict=True):
        if ended[process][0] != 0:
            raise _failed(case, ended[process][0])
    return [ended[process][1] for process in processes]


def interleaved(
    cases: Sequence[Case], rounds: int, *, wait: bool = False, note: Callable[[str], None] = print
) -> dict[str, list[Sample]]:
    """Run every case once in each round, in an order that changes; return the samples by name.

    One round comes before, unmeasured, to fill the caches.
    """
    samples: dict[str, list[Sample]] = {case.name: [] for case in cases}
    order, shuffle = list(cases), random.Random(0).shuffle
    for number in range(rounds + 1):
        shuffle(order)
        for case in order:
            sample = once(case, wait=wait)
            if number:
                samples[case.name].append(sample)
        if number % 10 == 0:
            note(f"  round {number} of {rounds}, load {os.getloadavg()[0]:.1f}")
    return samples


def instructions(case: Case) -> int | None:
    """Count the instructions of the command's own process; None where valgrind cannot.

    What the command leaves behind runs on: several may be counted at once.
    """
    if shutil.which("valgrind") is None:
        return None
    home = _home(case)
    counts = home / "counts"
    valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={counts}"]
    environment = {**case.environment(home), "PYTHONHASHSEED": "0"}
    try:
        done = subprocess.run(
            [*valgrind, *case.command()],
            env=environment,
            capture_output=True,
            check=False,
            timeout=120,
        )
    except subprocess.TimeoutExpired:  # a client whose threads wait for each other for ever
        return None
    found = re.search(r"^(?:totals|summary): (\d+)", counts.read_text("utf-8"), re.MULTILINE)
    if done.returncode or found is None:
        raise RuntimeError(f"{case.name}: {done.stderr.decode('utf-8', 'replace')}")
    return int(found[1])


def _home(case: Case) -> Path:
    """Make a home for *case* in the current folder, which whoever measures removes at the end.

    Not earlier: for minutes after it was deleted, ext4 steps over each file when it makes another.
    """
    home = Path(tempfile.mkdtemp(dir=Path.cwd()))
    case.prepare(home)
    return home


def _start(case: Case, home: Path) -> int:
    command = case.command()
    null = [(os.POSIX_SPAWN_OPEN, n, os.devnull, os.O_RDWR, 0) for n in range(3)]
    return os.posix_spawn(command[0], command, case.environment(home), file_actions=null)


def _end(process: int) -> tuple[int, float]:
    _, status, used = os.wait4(process, 0)
    return status, used.ru_utime + used.ru_stime


def _failed(case: Case, status: int) -> RuntimeError:
    return RuntimeError(f"{case.name}: {' '.join(case.command())} ended with status {status}")
