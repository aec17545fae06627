"""As work grows: queued events, installed distributions, commands at once.

python -m benchmarks.growth [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import attrs

from benchmarks import leftovers
from benchmarks.environments import SYSTEMS, System, prepare
from benchmarks.leftovers import Leftovers
from benchmarks.measure import Case, Sample, here, instructions, interleaved, once
from benchmarks.results import save
from benchmarks.stage import Stage, stage
from benchmarks.tables import quartiles, table
from usage_core._local import StateFolder, remove_file
from usage_core._recorder import take_lease
from usage_core.testing.behaviour import answer, refuse

OURS, ARCADE = SYSTEMS[0], SYSTEMS[1]
QUEUED = (0, 1, 10, 100, 300, 999)
INSTALLED = (10, 50, 100, 200, 400)
AT_ONCE = (1, 2, 4, 8, 16, 32, 64)
MOST_ARCADE = 16  # with 64, the machine is busy for minutes


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    for system in (OURS, ARCADE):
        prepare(system)
    with stage() as scene:
        homes = {count: queued_home(scene, count) for count in QUEUED}
        command_by_queue(scene, homes, options.rounds)
        drain_by_queue(scene, homes, max(options.rounds // 6, 1))
        by_installed(scene, max(options.rounds // 3, 1))
        by_concurrency(scene)


def queued_home(scene: Stage, count: int) -> Path:
    """Return a home in which *count* events wait, and a worker may not try yet."""
    home = scene.folder / f"queued-{count}"
    home.mkdir()
    scene.tracked(OURS, "bare").prepare(home)
    scene.collector.behave(refuse())
    environ = scene.environ(OURS)
    here(Case("queue", "queue_events", (str(count),), OURS.python, environ), home)
    leftovers.collect()
    scene.collector.behave(answer())
    return home


def command_by_queue(scene: Stage, homes: dict[int, Path], rounds: int) -> None:
    """Measure the command itself; no worker starts, so that only the command is measured."""
    cases = [
        attrs.evolve(scene.tracked(OURS, "bare"), name=str(count), prepare=copied(home, in_a_pause))
        for count, home in homes.items()
    ]
    samples = interleaved(cases, rounds)
    counts = {case.name: instructions(case) or 0 for case in cases}
    found = {
        count: {"cpu": median_cpu(samples[str(count)]), "instructions": counts[str(count)]}
        for count in homes
    }
    rows = [
        [
            str(count),
            quartiles([s.cpu * 1000 for s in samples[str(count)]]),
            f"{counts[str(count)] / 1e6:.2f}",
            f"{counts[str(count)] / counts['0']:.3f}x",
        ]
        for count in homes
    ]
    header = ["events queued", "CPU ms of a command", "instructions, M", "of an empty queue's"]
    save("command-by-queue", found, table(header, rows))


def drain_by_queue(scene: Stage, homes: dict[int, Path], rounds: int) -> None:
    """Measure the worker that delivers everything."""
    rows, found = [], {}
    for count, home in homes.items():
        case = attrs.evolve(scene.tracked(OURS, "bare"), prepare=copied(home, due))
        requests = len(scene.collector.requests)
        after = [once(case, wait=True).after for _ in range(rounds)]
        sent = (len(scene.collector.requests) - requests) / rounds
        found[count] = {"cpu": statistics.median(a.cpu for a in after), "requests": sent}
        cpu = quartiles([a.cpu * 1000 for a in after], 0)
        peak = f"{statistics.median(a.peak_mib for a in after):.0f}"
        rows.append([str(count), cpu, f"{sent:.0f}", peak])
    header = ["events queued", "CPU ms of the worker", "requests", "peak MiB"]
    save("drain-by-queue", found, table(header, rows))


def by_installed(scene: Stage, rounds: int) -> None:
    """Measure a command and its worker among more and more installed distributions."""
    cases: list[Case] = []
    for count in INSTALLED:
        folder = scene.folder / f"installed-{count}"
        for number in range(count):
            about = folder / f"package_{number}-1.0.dist-info"
            about.mkdir(parents=True)
            name = f"package-{number}"
            (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            (about / "entry_points.txt").write_text(f"[console_scripts]\n{name} = x:y\n")
        for system in (OURS, ARCADE):
            case = scene.tracked(system, "bare")
            environ = {**case.environ, "PYTHONPATH": str(folder)}
            cases.append(attrs.evolve(case, name=f"{system.name} {count}", environ=environ))
    samples = interleaved(cases, rounds, wait=True)
    found = {
        system.name: {
            count: {
                "command": median_cpu(samples[f"{system.name} {count}"]),
                "after": statistics.median(s.after.cpu for s in samples[f"{system.name} {count}"]),
            }
            for count in INSTALLED
        }
        for system in (OURS, ARCADE)
    }
    rows = [
        [str(count), *(f"{found[s.name][count][k] * 1000:.0f}" for s, k in columns())]
        for count in INSTALLED
    ]
    header = ["distributions", *(f"{s.title}, {k}" for s, k in columns())]
    save("by-installed", found, "CPU ms, median:\n\n" + table(header, rows))


def columns() -> list[tuple[System, str]]:
    """Return who and what the table of installed distributions shows."""
    return [(system, kind) for system in (OURS, ARCADE) for kind in ("command", "after")]


def by_concurrency(scene: Stage) -> None:
    """Start commands at once, all in one home."""
    rows, found = [], {}
    for count in AT_ONCE:
        bare, _ = at_once(scene, scene.bare(OURS, "bare"), count)
        case = scene.tracked(OURS, "bare")
        seen = scene.collector.events()
        ours, after = at_once(scene, case, count)
        arrived = scene.collector.events() - seen
        found[count] = {"none": bare, "usage": ours, "arrived": arrived}
        row = [str(count), f"{1000 * bare:.0f}", f"{1000 * ours:.0f}", str(arrived), spent(after)]
        if count <= MOST_ARCADE:
            arcade, later = at_once(scene, scene.tracked(ARCADE, "bare"), count)
            found[count]["arcade"] = arcade
            row += [f"{1000 * arcade:.0f}", spent(later)]
        rows.append(row if len(row) == 7 else [*row, "-", "-"])
    header = ["commands at once", "wall ms, none", "usage", "arrived", "CPU s after, processes"]
    header += ["Arcade, wall ms", "CPU s after, processes"]
    save("by-concurrency", found, table(header, rows))


def spent(after: Leftovers) -> str:
    """Return the cell for what commands left behind."""
    return f"{after.cpu:.2f} in {after.processes}"


def at_once(scene: Stage, case: Case, count: int) -> tuple[float, Leftovers]:
    """Run *count* commands at once; return when the last had ended, and what they left."""
    with tempfile.TemporaryDirectory(dir=scene.folder, ignore_cleanup_errors=True) as home:
        case.prepare(Path(home))
        environment = case.environment(Path(home))
        null = [(os.POSIX_SPAWN_OPEN, n, os.devnull, os.O_RDWR, 0) for n in range(3)]
        began = time.perf_counter()
        started = [
            os.posix_spawn(case.python, case.command(), environment, file_actions=null)
            for _ in range(count)
        ]
        for process in started:
            os.waitpid(process, 0)
        wall = time.perf_counter() - began
        return wall, leftovers.collect()


def copied(home: Path, then: Callable[[Path], None]) -> Callable[[Path], None]:
    """Return what prepares a home as a copy of *home*, and then does something to it."""
    copy = partial(shutil.copytree, home, dirs_exist_ok=True)

    def prepared(fresh: Path) -> None:
        copy(fresh)
        then(fresh)

    return prepared


def in_a_pause(home: Path) -> None:
    """Let no worker start in *home*."""
    take_lease(StateFolder(str(home / ".bench")).lease, time.time() + 1800)


def due(home: Path) -> None:
    """Let a worker start in *home* with the next command."""
    remove_file(StateFolder(str(home / ".bench")).lease)


def median_cpu(samples: list[Sample]) -> float:
    """Return the median CPU time of the command itself, in seconds."""
    return statistics.median(sample.cpu for sample in samples)


if __name__ == "__main__":
    main()
