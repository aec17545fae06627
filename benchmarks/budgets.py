"""Budgets: what was promised against what was measured last.

    python -m benchmarks.budgets

The reference system is Arcade's CLI with its own CommandTracker.
"""

from __future__ import annotations

from benchmarks.results import load, save
from benchmarks.tables import table

__all__ = ["main"]


def main() -> None:
    typer, bare, off = load("command-typer"), load("command-bare"), load("opted-out")
    everything, burst, floor = load("everything"), load("burst"), load("floor")
    queue, backlog = load("command-by-queue"), load("backlog")

    def of_reference(found: dict[str, dict[str, float]], key: str, system: str = "usage") -> float:
        return found[system][key] / found["arcade"][key]

    lines = [
        ("instructions added to a Typer command", of_reference(typer, "instructions"), 1 / 100),
        (
            "the same, the whole app instrumented",
            of_reference(typer, "instructions", "usage_instrument"),
            1 / 100,
        ),
        ("CPU added to a Typer command", of_reference(typer, "cpu"), 1 / 100),
        ("wall time added to a Typer command", of_reference(typer, "wall"), 1 / 50),
        ("instructions added to a bare interpreter", of_reference(bare, "instructions"), 1 / 100),
        ("wall time added to a bare interpreter", of_reference(bare, "wall"), 1 / 100),
        ("opted out, instructions added", of_reference(off, "instructions"), 1 / 100),
        ("opted out, CPU added", of_reference(off, "cpu"), 1 / 100),
        ("CPU of one command with its worker", of_reference(everything, "cpu"), 1 / 2),
        ("CPU of a burst, all that tracking adds", of_reference(burst, "cpu"), 1 / 20),
        ("peak memory of what is left behind", of_reference(everything, "peak_mib"), 1.2),
        ("the recording itself, of its floor", floor["ratio"], 2.0),
        (
            "a command with a full queue, of an empty one",
            queue["999"]["instructions"] / queue["0"]["instructions"],
            1.2,
        ),
    ]
    rows = [[name, *compared(value, budget)] for name, value, budget in lines]
    rows.append(
        [
            "ms to import, over a Typer app",
            f"{floor['imports']:.1f}",
            "3",
            met(floor["imports"], 3.0),
        ]
    )
    sent = backlog["requests"]
    rows.append(["requests for 1,000 queued events", f"{sent}", "20", met(sent, 20)])
    header = ["what", "measured", "budget", ""]
    save("budgets", {name: value for name, value, _ in lines}, table(header, rows))


def compared(value: float, budget: float) -> list[str]:
    """Return the cells for a ratio: small ones are easier to read as a part of one."""
    if budget < 1:
        shown = f"1/{1 / value:.0f}" if value > 0 else f"{value:.3f}"
        return [shown, f"1/{1 / budget:.0f}", met(value, budget)]
    return [f"{value:.2f}", f"{budget:g}", met(value, budget)]


def met(value: float, budget: float) -> str:
    """Say whether a budget is met."""
    return "met" if value <= budget else "**missed**"


if __name__ == "__main__":
    main()
