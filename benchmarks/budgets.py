"""Budgets: what was promised against what was measured last.

    python -m benchmarks.budgets

The reference system is Arcade's CLI with its own CommandTracker. Times come with one standard error
to either side: where that includes the budget, the machine was too restless to tell.
"""

from __future__ import annotations

import math

from benchmarks.results import load, save
from benchmarks.tables import table

__all__ = ["main"]


def main() -> None:
    typer, bare, off = load("command-typer"), load("command-bare"), load("opted-out")
    everything, burst, floor = load("everything"), load("burst"), load("floor")
    queue, backlog = load("command-by-queue"), load("backlog")
    full = queue["999"]["instructions"] / queue["0"]["instructions"]
    hundredth = 1 / 100
    instrumented = share(typer, "instructions", "usage_instrument")
    lines = [
        ("instructions added to a Typer command", *share(typer, "instructions"), hundredth),
        ("the same, the whole app instrumented", *instrumented, hundredth),
        ("CPU added to a Typer command", *share(typer, "cpu"), hundredth),
        ("wall time added to a Typer command", *share(typer, "wall"), 1 / 50),
        ("instructions added to a bare interpreter", *share(bare, "instructions"), hundredth),
        ("CPU added to a bare interpreter", *share(bare, "cpu"), hundredth),
        ("wall time added to a bare interpreter", *share(bare, "wall"), hundredth),
        ("opted out, instructions added", *share(off, "instructions"), hundredth),
        ("opted out, CPU added", *share(off, "cpu"), hundredth),
        ("CPU of one command with its worker", *share(everything, "cpu"), 1 / 2),
        ("CPU of a burst, all that tracking adds", *share(burst, "cpu"), 1 / 20),
        ("peak memory of what is left behind", *share(everything, "peak_mib"), 1.2),
        ("the recording itself, of its floor", floor["ratio"], 0.0, 2.0),
        ("a command with a full queue, of an empty one", full, 0.0, 1.2),
        ("ms to import, over a Typer app", floor["imports"], 0.0, 3.0),
        ("requests for 1,000 queued events", backlog["requests"], 0.0, 20),
    ]
    rows = [[name, *compared(*rest)] for name, *rest in lines]
    header = ["what", "measured", "budget", ""]
    save("budgets", {name: value for name, value, _, _ in lines}, table(header, rows))


def share(
    found: dict[str, dict[str, float]], key: str, system: str = "usage"
) -> tuple[float, float]:
    """Return what *system* costs as a part of the reference, and the standard error of that."""
    ours, reference = found[system], found["arcade"]
    ratio = ours[key] / reference[key]
    errors = ours.get(f"{key}_error", 0.0), ratio * reference.get(f"{key}_error", 0.0)
    return ratio, math.hypot(*errors) / reference[key]


def compared(value: float, error: float, budget: float) -> list[str]:
    """Return the cells for a figure: small ones are easier to read as a part of one."""
    if budget >= 1:
        shown, promised = f"{value:.3g}", f"{budget:g}"
    else:
        shown = part(value)
        promised = part(budget)
    if error:
        shown += f" [{part(value - error)}, {part(value + error)}]"
    return [shown, promised, verdict(value, error, budget)]


def part(value: float) -> str:
    """Return *value* as a part of one; what noise has made negative is none."""
    return f"1/{1 / value:.0f}" if value > 1e-4 else "none"


def verdict(value: float, error: float, budget: float) -> str:
    """Say whether a budget is met, where the figure is good enough to tell."""
    if value + error <= budget:
        return "met"
    return "**missed**" if value - error > budget else "within the noise"


if __name__ == "__main__":
    main()
