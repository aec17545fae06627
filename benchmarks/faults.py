"""When servers misbehave: what the command pays, and how long what it left behind stays.

    python -m benchmarks.faults [--rounds N]

The collector, and for the two systems that ask one the auth API, are healthy, slow, hanging,
dripping, refusing, or answering with errors.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

import attrs

from benchmarks.environments import SYSTEMS, System, prepare
from benchmarks.measure import Case, Sample, once
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
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for system in SYSTEMS:
        prepare(system)
    with stage() as here:
        collector_modes(here, options.rounds)
        auth_modes(here, options.rounds)


def collector_modes(here: Stage, rounds: int) -> None:
    """Measure a command of every system while the collector behaves in every way."""
    tracked = {system.name: case_of(here, system) for system in SYSTEMS}
    bare = {system.name: middle(here.bare(system, "typer"), rounds) for system in SYSTEMS}
    found: dict[str, dict[str, str]] = {system.name: {} for system in SYSTEMS}
    gone: dict[str, dict[str, str]] = {system.name: {} for system in SYSTEMS}
    for mode, behaviour in MODES.items():
        here.collector.behave(behaviour)
        for system in SYSTEMS:
            samples = runs(tracked[system.name], rounds)
            found[system.name][mode] = extra(samples, bare[system.name])
            stuck = samples[-1].killed
            last = samples[-1] if stuck else once(tracked[system.name], wait=True)
            gone[system.name][mode] = lasting(last)
        print(f"  {mode}", flush=True)
        here.collector.behave(answer())
    header = ["system", *MODES]
    rows = [[system.title, *found[system.name].values()] for system in SYSTEMS]
    left = [[system.title, *gone[system.name].values()] for system in SYSTEMS]
    text = "Added to a Typer command, wall ms, median:\n\n" + table(header, rows)
    text += "\n\nAfter the command, its processes are gone after, s:\n\n" + table(header, left)
    save("collector-modes", {"added": found, "gone": gone}, text)


def auth_modes(here: Stage, rounds: int) -> None:
    """Measure commands whose credentials are there and not linked yet."""
    systems = [system for system in SYSTEMS if system.name in ("usage", "arcade")]
    found: dict[str, dict[str, str]] = {system.name: {} for system in systems}
    for system in systems:
        bare = middle(here.bare(system, "typer"), rounds)
        first = Case(system.name, "host_typer", python=system.python, environ=here.environ(system))
        found[system.name]["first run"] = extra(runs(first, rounds), bare)
        settled = case_of(here, system)
        found[system.name]["anonymous"] = extra(runs(settled, rounds), bare)
        new = attrs.evolve(settled, prepare=also(settled.prepare, here.log_in))
        for mode in ("healthy", "slow, 1 s", "hanging", "dripping", "refusing", "500"):
            here.auth.behave(MODES[mode])
            found[system.name][f"auth API {mode}"] = extra(runs(new, rounds), bare)
            here.auth.behave(answer())
    header = ["wall ms added, median", *(system.title for system in systems)]
    rows = [[mode, *(found[s.name][mode] for s in systems)] for mode in found[systems[0].name]]
    save("auth-modes", found, table(header, rows))


def case_of(here: Stage, system: System) -> Case:
    """Return the Typer command under *system*, which may take a while."""
    return attrs.evolve(here.tracked(system, "typer"), limit=LIMIT)


def also(one: Callable[[Path], object], other: Callable[[Path], object]) -> Callable[[Path], None]:
    """Return a function that calls both."""

    def both(home: Path) -> None:
        one(home)
        other(home)

    return both


def runs(case: Case, rounds: int) -> list[Sample]:
    """Run *case* so often; once only where it has to be stopped."""
    samples: list[Sample] = []
    for _ in range(rounds):
        samples.append(once(case))
        if samples[-1].killed:
            break
    return samples


def middle(case: Case, rounds: int) -> float:
    """Return the median wall time of *case* in seconds."""
    return statistics.median(sample.wall for sample in runs(case, rounds))


def extra(samples: list[Sample], bare: float) -> str:
    """Return what a command took longer than *bare*."""
    if any(sample.killed for sample in samples):
        return f"over {LIMIT:.0f} s"
    return f"{(statistics.median(s.wall for s in samples) - bare) * 1000:.0f}"


def lasting(sample: Sample) -> str:
    """Return how long the last process stayed."""
    return f"{sample.after.seconds:.1f}" if sample.after.processes else "-"


if __name__ == "__main__":
    main()
