"""The recording itself against its floor, and what importing it costs.

    python -m benchmarks.floor [--rounds N]

In one process, after all imports: a fact and the start of a worker, against writing and renaming a
file of 500 bytes and starting `true`. What is started is `true` for both; a real worker would run
beside whatever is measured next. The imports are measured in fresh processes that have already
loaded what a Typer app loads.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess

from benchmarks.environments import SYSTEMS, prepare
from benchmarks.measure import PROGRAMS
from benchmarks.results import save
from benchmarks.stage import Stage, stage
from benchmarks.tables import quartiles, ratio, table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor", description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    options = parser.parse_args()
    prepare(SYSTEMS[0])
    with stage() as scene:
        record = timings(scene, "time_recording", options.rounds)
        imports = [timings(scene, "time_imports", 1) for _ in range(max(options.rounds // 10, 1))]
    ours, floor = (statistics.median(record[name]) for name in ("ours", "floor"))
    alone, plain = (statistics.median(record[name]) for name in ("alone", "write"))
    took = [found["usage_core"][0] for found in imports]
    rows = [
        ["write, rename, spawn `true`", quartiles(record["floor"], 3), ""],
        [
            "recording, and a start",
            quartiles(record["ours"], 3),
            ratio(ours, floor),
        ],
        ["write, rename", quartiles(record["write"], 3), ""],
        ["recording beside a worker", quartiles(record["alone"], 3), ratio(alone, plain)],
        ["importing what a command needs, under Typer", quartiles(took, 2), ""],
    ]
    found = {"ratio": ours / floor, "alone": alone / plain, "imports": statistics.median(took)}
    save("floor", found, table(["in one process", "wall ms", "of the floor"], rows))


def timings(scene: Stage, program: str, rounds: int) -> dict[str, list[float]]:
    """Run a program that prints its own timings, in milliseconds."""
    case = scene.tracked(SYSTEMS[0], "typer")
    home = scene.folder / "used-usage-typer"
    command = [case.python, str(PROGRAMS / f"{program}.py"), str(rounds)]
    done = subprocess.run(
        command, env=case.environment(home), capture_output=True, check=True, text=True
    )
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
