"""What tracking adds to a command: wall time, CPU time and instructions, against none.

    python -m benchmarks.command [--quick] [--rounds N] [--hosts bare,typer]

Every case runs once in each round, in changing order, in a fresh home folder; each difference is
taken within its round. Shown are medians with quartiles. Only the command's own process is
counted here: `benchmarks.peers` counts what it leaves behind as well.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks import leftovers
from benchmarks.measure import Case, Sample, here, instructions, interleaved
from benchmarks.tables import added, quartiles, ratio, table
from usage_core._local import StateFolder
from usage_core._recorder import take_lease
from usage_posthog.collector import Collector

NONE, FLOOR = "no tracking", "floor: write, rename, spawn `true`"
SLOW = ("usage, a worker is at work", "usage, first run on a machine")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.command", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases, under a minute")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--hosts", default="bare,typer")
    options = parser.parse_args()
    leftovers.adopt()
    with tempfile.TemporaryDirectory() as scratch, Collector() as collector:
        os.chdir(scratch)
        used = settled_home(collector.url, Path(scratch, "used"))
        for host in options.hosts.split(","):
            compared = cases(host, collector.url, used)
            if options.quick:
                compared = [case for case in compared if case.name not in SLOW]
            show(host, compared, options.rounds)


def cases(host: str, collector: str, used: Path) -> list[Case]:
    """Return the ways to run *host* that are compared, the one without tracking first."""
    program = f"host_{host}"
    usage = {"BENCH_SYSTEM": "usage", "BENCH_COLLECTOR": collector}
    settled = partial(shutil.copytree, used, dirs_exist_ok=True)
    return [
        Case(NONE, program),
        Case(FLOOR, program, environ={"BENCH_SYSTEM": "floor"}),
        Case("usage, starts its worker", program, environ=usage, prepare=settled),
        Case("usage, a worker is at work", program, environ=usage, prepare=working(settled)),
        Case("usage, opted out", program, environ={**usage, "DO_NOT_TRACK": "1"}),
        Case("usage, first run on a machine", program, environ=usage),
    ]


def settled_home(collector: str, home: Path) -> Path:
    """Return *home* as it is after one command whose event was delivered."""
    home.mkdir()
    usage = {"BENCH_SYSTEM": "usage", "BENCH_COLLECTOR": collector}
    here(Case("the first command", "host_bare", environ=usage), home)
    leftovers.collect()
    return home


def working(settled: Callable[[Path], object]) -> Callable[[Path], None]:
    """Return what prepares a home in which a worker is at work; we stand in for it."""

    def prepare(home: Path) -> None:
        settled(home)
        take_lease(StateFolder(str(home / ".bench")).lease, time.time() + 1800, os.getpid())

    return prepare


def show(host: str, compared: Sequence[Case], rounds: int) -> None:
    """Measure and print one host's table."""
    samples = interleaved(compared, rounds, note=lambda _: None)
    print(f"\n{host}, {rounds} rounds, load {os.getloadavg()[0]:.1f}\n", flush=True)
    header = ["", "wall ms", "added", "CPU ms", "added", "instructions, M", "added"]
    with ThreadPoolExecutor(2) as pool:  # a count does not change with what runs beside it
        counts = list(pool.map(instructions, compared))
    leftovers.end()
    base, base_count = samples[compared[0].name], counts[0]
    rows = [
        [case.name, *times(samples[case.name], base), *counted(number, base_count)]
        for case, number in zip(compared, counts, strict=True)
    ]
    print(table(header, rows), flush=True)


def times(found: Sequence[Sample], base: Sequence[Sample]) -> list[str]:
    """Return the cells for wall and CPU time."""
    cells: list[str] = []
    for kind in ("wall", "cpu"):
        with_it = [getattr(sample, kind) for sample in found]
        without = [getattr(sample, kind) for sample in base]
        cells.append(quartiles([value * 1000 for value in with_it]))
        cells.append("" if found is base else quartiles(added(with_it, without)))
    return cells


def counted(number: int | None, base: int | None) -> list[str]:
    """Return the cells for instructions."""
    if number is None or base is None:
        return ["-", "-"]
    extra = "" if number == base else f"{(number - base) / 1e6:+.2f} ({ratio(number, base)})"
    return [f"{number / 1e6:.1f}", extra]


if __name__ == "__main__":
    main()
