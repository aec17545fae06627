"""When servers misbehave: what the command pays, and how long what it left behind stays.

    python -m benchmarks.faults [--rounds N]

The collector, and for the two systems that ask one the auth API, are healthy, slow, hanging,
dripping, refusing, or answering with errors.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path

import attrs

from benchmarks import leftovers
from benchmarks.environments import SYSTEMS, System, prepare
from benchmarks.measure import Case, Sample, once
from benchmarks.measure import here as run_in
from benchmarks.results import save
from benchmarks.stage import Stage, stage
from benchmarks.tables import table
from usage_core.testing.behaviour import Behaviour, answer, drip, hang, refuse, slow, status

LIMIT = 10.0
MODES: dict[str, Behaviour] = {
    "healthy": answer(),
    "slow, 1 s": slow(1.0),
    "hanging": hang(),
    "dripping": drip(0.5),
    "refusing": refuse(),
    "500": status(500),
    "429": status(429, retry_after=60),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    for system in SYSTEMS:
        prepare(system)
    with stage() as here:
        collector_modes(here, options.rounds)
        auth_modes(here, options.rounds)


def collector_modes(here: Stage, rounds: int) -> None:
    """Measure a command of every system while the collector behaves in every way."""
    tracked = {system.name: case_of(here, system) for system in SYSTEMS}
    bare = {system.name: here.bare(system, "typer") for system in SYSTEMS}
    found: dict[str, dict[str, str]] = {system.name: {} for system in SYSTEMS}
    gone: dict[str, dict[str, str]] = {system.name: {} for system in SYSTEMS}
    for mode, behaviour in MODES.items():
        here.collector.behave(behaviour)
        for system in SYSTEMS:
            found[system.name][mode] = extra(tracked[system.name], bare[system.name], rounds)
            gone[system.name][mode] = lasting(once(tracked[system.name], wait=True))
        print(f"  {mode}", flush=True)
        here.collector.behave(answer())
    header = ["system", *MODES]
    rows = [[system.title, *found[system.name].values()] for system in SYSTEMS]
    left = [[system.title, *gone[system.name].values()] for system in SYSTEMS]
    text = "Added to a Typer command, wall ms, median:\n\n" + table(header, rows)
    text += "\n\nAfter the command, its processes are gone after, s:\n\n" + table(header, left)
    save("collector-modes", {"added": found, "gone": gone}, text)


def auth_modes(here: Stage, rounds: int) -> None:
    """Measure commands of people who are new, known, linked, and logged in but not linked yet."""
    systems = [system for system in SYSTEMS if system.name in ("usage", "arcade")]
    found: dict[str, dict[str, str]] = {system.name: {} for system in systems}
    for system in systems:
        bare = here.bare(system, "typer")
        first = Case(system.name, "host_typer", python=system.python, environ=here.environ(system))
        found[system.name]["first run"] = extra(first, bare, rounds)
        settled = case_of(here, system)
        found[system.name]["anonymous"] = extra(settled, bare, rounds)
        linked = attrs.evolve(settled, prepare=linked_home(here, system))
        found[system.name]["linked"] = extra(linked, bare, rounds)
        new = attrs.evolve(settled, prepare=also(settled.prepare, here.log_in))
        for mode in ("healthy", "slow, 1 s", "hanging", "dripping", "refusing", "500"):
            here.auth.behave(MODES[mode])
            found[system.name][f"auth API {mode}"] = extra(new, bare, rounds)
            here.auth.behave(answer())
    header = ["wall ms added, median", *(system.title for system in systems)]
    rows = [[mode, *(found[s.name][mode] for s in systems)] for mode in found[systems[0].name]]
    save("auth-modes", found, table(header, rows))


def linked_home(here: Stage, system: System) -> Callable[[Path], object]:
    """Return what prepares a home whose person *system* has linked to their account."""
    folder = here.folder / f"linked-{system.name}"
    folder.mkdir()
    case = here.tracked(system, "typer")
    case.prepare(folder)
    here.log_in(folder)
    run_in(case, folder)
    leftovers.collect()
    return partial(shutil.copytree, folder, dirs_exist_ok=True)


def case_of(here: Stage, system: System) -> Case:
    """Return the Typer command under *system*, which may take a while."""
    return attrs.evolve(here.tracked(system, "typer"), limit=LIMIT)


def also(one: Callable[[Path], object], other: Callable[[Path], object]) -> Callable[[Path], None]:
    """Return a function that calls both."""

    def both(home: Path) -> None:
        one(home)
        other(home)

    return both


def extra(case: Case, bare: Case, rounds: int) -> str:
    """Return what *case* takes longer than *bare*, in turns; one that is stopped runs only once."""
    longer: list[float] = []
    for _ in range(rounds):
        base, sample = once(bare), once(case)
        if sample.killed:
            return f"over {LIMIT:.0f} s"
        longer.append((sample.wall - base.wall) * 1000)
    return f"{statistics.median(longer):.0f}"


def lasting(sample: Sample) -> str:
    """Return how long the last process stayed."""
    if sample.after.seconds >= leftovers.LONGEST:
        return f"over {leftovers.LONGEST:.0f}"
    return f"{sample.after.seconds:.1f}" if sample.after.processes else "-"


if __name__ == "__main__":
    main()
