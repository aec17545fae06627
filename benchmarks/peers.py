"""Side by side with the peers: what each adds to a command, and what it leaves behind.

    python -m benchmarks.peers [--rounds N] [--hosts bare,typer]

Each system has an environment of its own; what it adds is the difference to the same command in
the same environment without it. For the time that they compute, both run at once on one processor,
in turns; for the time that they wait, one after the other, all systems in rounds.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import attrs

from benchmarks import leftovers
from benchmarks.environments import INSTRUMENTED, SYSTEMS, System, prepare, versions
from benchmarks.measure import Case, instructions, interleaved, side_by_side
from benchmarks.results import save
from benchmarks.stage import Stage, stage
from benchmarks.tables import added, error_of_median, quartiles, ratio, table

HOSTS = ("bare", "argparse", "click", "typer")
APPS = ("click", "typer")  # whose app the programs hand over: it can be instrumented
# How often in each round, where it is not once. Less of ours is added than the host varies by from
# one run to the next, and a Typer app varies most; the budgets compare with Arcade's.
TURNS = {"usage": 10, "usage_instrument": 10}
TURNS_IN_TYPER = {"usage": 60, "usage_instrument": 10, "arcade": 3}
# Objects more to begin with: they move the garbage collections, which fall on one side or the other
# of a comparison and cost as much as a few modules.
BALLAST = (0, 140, 280, 420, 560)

Pair = tuple[Case, Case]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--hosts", default=",".join(HOSTS))
    options = parser.parse_args()
    for system in SYSTEMS:
        prepare(system)
    measured = "\n".join(f"- {system.title}: {versions(system)}" for system in SYSTEMS)
    save("systems", {}, measured)
    with stage() as here:
        for host in options.hosts.split(","):
            in_the_command(here, host, options.rounds)
        opted_out(here, options.rounds)
        everything(here, options.rounds)


def in_the_command(here: Stage, host: str, rounds: int) -> None:
    """Measure what each system adds to the command's own process."""
    systems = (SYSTEMS[0], INSTRUMENTED, *SYSTEMS[1:]) if host in APPS else SYSTEMS
    pairs = [(here.bare(system, host), here.tracked(system, host)) for system in systems]
    turns = TURNS_IN_TYPER if host == "typer" else TURNS
    compare(f"command-{host}", systems, pairs, rounds, turns, count=host in ("bare", "typer"))


def opted_out(here: Stage, rounds: int) -> None:
    """Measure what each system adds to the command of a person who said no."""
    systems = [system for system in (SYSTEMS[0], INSTRUMENTED, *SYSTEMS[1:]) if system.opt_out]
    pairs = [(here.bare(s, "typer"), silenced(here.tracked(s, "typer"), s)) for s in systems]
    compare("opted-out", systems, pairs, rounds, TURNS, count=True)


def compare(
    name: str,
    systems: Sequence[System],
    pairs: Sequence[Pair],
    rounds: int,
    turns: Mapping[str, int],
    *,
    count: bool,
) -> None:
    """Measure what the second of each pair adds to the first, and save it under *name*."""
    samples = interleaved([case for pair in pairs for case in pair], rounds)
    computed = computing(pairs, rounds, turns)
    counts = counted(pairs) if count else {}
    rows, found = [], {}
    for system, (bare, with_it) in zip(systems, pairs, strict=True):
        cpu, extra = computed[with_it.name], counts.get(with_it.name)
        waits = added(*([s.wall - s.cpu for s in samples[c.name]] for c in (with_it, bare)))
        found[system.name] = figures(cpu, waits, extra)
        rows.append(
            [
                system.title,
                quartiles(cpu),
                quartiles(waits),
                f"{found[system.name]['wall']:.1f}",
                "-" if extra is None else f"{extra:.1f} M",
                ratio(found[system.name]["cpu"] or 0.0, found["usage"]["cpu"] or 0.0),
            ]
        )
    header = ["system", "CPU ms added", "waiting ms added", "together", "instructions added"]
    save(name, found, f"{load_note(rounds)}\n\n{table([*header, 'CPU, of ours'], rows)}")


def computing(
    pairs: Sequence[Pair], rounds: int, turns: Mapping[str, int]
) -> dict[str, list[float]]:
    """Return the milliseconds of CPU that the second of each pair adds to the first, turn by turn.

    A pair has as many *turns* in each round as are given for its system, or one.
    """
    found: dict[str, list[float]] = {with_it.name: [] for _, with_it in pairs}
    for number in range(rounds + 1):
        for pair in pairs:
            extra = found[pair[1].name]
            for turn in range(turns.get(pair[1].name, 1)):
                cases = [laden(case, BALLAST[(number + turn) % len(BALLAST)]) for case in pair]
                if (number + turn) % 2:
                    without, with_it = side_by_side(cases)
                else:
                    with_it, without = side_by_side(cases[::-1])
                if number:  # one round comes before, to fill the caches
                    extra.append((with_it - without) * 1000)
    return found


def everything(here: Stage, rounds: int) -> None:
    """Measure the command together with all processes that it leaves behind."""
    pairs = [(here.bare(system, "typer"), here.tracked(system, "typer")) for system in SYSTEMS]
    samples = interleaved([case for pair in pairs for case in pair], rounds, wait=True)
    rows, found = [], {}
    for system, (bare, with_it) in zip(SYSTEMS, pairs, strict=True):
        mine = samples[with_it.name]
        whole = [s.cpu + s.after.cpu for s in mine]
        cpu = added(whole, [s.cpu for s in samples[bare.name]])
        peaks = [s.after.peak_mib for s in mine]
        found[system.name] = {
            "cpu": statistics.median(cpu),
            "peak_mib": statistics.median(peaks),
            "processes": statistics.median([s.after.processes for s in mine]),
        }
        rows.append(
            [
                system.title,
                quartiles(cpu, 0),
                ratio(found[system.name]["cpu"], found["usage"]["cpu"]),
                f"{found[system.name]['processes']:.0f}",
                quartiles(peaks) if max(peaks) else "-",
                quartiles([s.after.seconds for s in mine], 2) if max(peaks) else "-",
            ]
        )
    header = ["system", "CPU ms added, all", "of ours", "processes", "peak MiB", "gone after s"]
    save("everything", found, f"{load_note(rounds)}\n\n{table(header, rows)}")


def silenced(case: Case, system: System) -> Case:
    """Return *case* for a person who said no in the way that *system* understands."""
    return attrs.evolve(case, environ={**case.environ, **(system.opt_out or {})})


def counted(pairs: Sequence[Pair]) -> dict[str, float | None]:
    """Return the instructions, in millions, that the second of each pair adds to the first."""

    def add(pair: Pair) -> float | None:
        ballasts = BALLAST if pair[1].name.startswith("usage") else BALLAST[:1]
        return more([(laden(pair[0], ballast), laden(pair[1], ballast)) for ballast in ballasts])

    with ThreadPoolExecutor(2) as pool:  # a count does not change with what runs beside it
        found = dict(zip((pair[1].name for pair in pairs), pool.map(add, pairs), strict=True))
    leftovers.end()
    return found


def more(pairs: Sequence[Pair]) -> float | None:
    """Return what the second of these pairs adds to the first, in the median."""
    counts = [(instructions(bare), instructions(with_it)) for bare, with_it in pairs]
    extra = [(b - a) / 1e6 for a, b in counts if a is not None and b is not None]
    return statistics.median(extra) if extra else None


def laden(case: Case, ballast: int) -> Case:
    """Return *case* with so many objects more in its process."""
    return attrs.evolve(case, environ={**case.environ, "BENCH_BALLAST": str(ballast)})


def figures(
    cpu: Sequence[float], waits: Sequence[float], extra: float | None
) -> dict[str, float | None]:
    """Return the medians with their standard errors, and the *extra* instructions in millions."""
    cpu_error = error_of_median(cpu)
    return {
        "wall": statistics.median(cpu) + statistics.median(waits),
        "wall_error": math.hypot(cpu_error, error_of_median(waits)),
        "cpu": statistics.median(cpu),
        "cpu_error": cpu_error,
        "instructions": extra,
    }


def load_note(rounds: int) -> str:
    """Return how this was measured, and how busy the machine was."""
    return f"{rounds} rounds, medians [quartiles]; load of the machine {os.getloadavg()[0]:.1f}."


if __name__ == "__main__":
    main()
