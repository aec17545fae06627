"""Plots: the pictures of docs/benchmarks.md, from what the benchmarks found last.

python -m benchmarks.plots
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.environments import INSTRUMENTED, SYSTEMS
from benchmarks.fleet import BIN, GOES, HOUR
from benchmarks.results import load

mpl.use("svg")
from matplotlib import pyplot as plt  # after the back end was chosen

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"
OURS, THEIRS, NOTHING = "#0a7d53", "#8a8f98", "#c9ccd1"


# The same figures give the same file: no dates, no random names.
mpl.rcParams.update({"svg.hashsalt": "usage", "font.size": 10, "axes.grid": True})
mpl.rcParams.update({"grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})


def main() -> None:
    for draw in (commands, growth, fleet):
        draw()


def commands() -> None:
    """CPU time added to a Typer command, and to everything that it leaves behind."""
    inside, outside = load("command-typer"), load("everything")
    systems = [s for s in (SYSTEMS[0], INSTRUMENTED, *SYSTEMS[1:]) if s.name in inside]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
    bars(left, [(s.title, inside[s.name]["cpu"]) for s in systems])
    left.set_title("added to the command", loc="left")
    bars(right, [(s.title, outside.get(s.name, {}).get("cpu", 0.0)) for s in systems])
    right.set_title("with all that it leaves behind", loc="left")
    for axes in (left, right):
        axes.set_xlabel("CPU ms, median; shorter is better")
    write(figure, "command")


# Any: matplotlib's own types are not checked here.
def bars(axes: Any, values: list[tuple[str, float]]) -> None:
    """Draw one bar for each name, the first at the top, its figure beside it; none for nothing."""
    names = [name for name, _ in values][::-1]
    sizes = [size for _, size in values][::-1]
    colours = [OURS if name.startswith("usage") else THEIRS for name in names]
    drawn = axes.barh(names, sizes, color=colours)
    axes.bar_label(drawn, [f"{size:.0f}" if size else "" for size in sizes], padding=3)
    axes.margins(x=0.15)
    axes.grid(visible=False, axis="y")


def growth() -> None:
    """Four curves: what grows with the work, and what does not."""
    figure, axes = plt.subplots(2, 2, figsize=(9, 6))
    queue, drain = load("command-by-queue"), load("drain-by-queue")
    line(axes[0][0], queue, "instructions", 1e6, "a command: instructions, M", OURS)
    axes[0][0].set_xlabel("events queued")
    axes[0][0].set_ylim(0, 1.2 * max(row["instructions"] for row in queue.values()) / 1e6)
    line(axes[0][1], drain, "cpu", 1.0, "the worker that delivers them: CPU s", OURS)
    axes[0][1].set_xlabel("events queued")
    axes[0][1].set_ylim(0, None)
    installed = load("by-installed")
    for name, colour in (("usage", OURS), ("arcade", THEIRS)):
        line(axes[1][0], installed[name], "command", 0.001, "", colour, f"{name}, command")
        line(axes[1][0], installed[name], "after", 0.001, "", colour, f"{name}, after it", "--")
    axes[1][0].set_title("CPU ms", loc="left")
    axes[1][0].set_xlabel("installed distributions")
    axes[1][0].set_ylim(0, None)
    axes[1][0].legend(frameon=False, fontsize=8)
    once = load("by-concurrency")
    for name, colour in (("none", NOTHING), ("usage", OURS), ("arcade", THEIRS)):
        some = {count: row for count, row in once.items() if name in row}
        line(axes[1][1], some, name, 1.0, "", colour, name)
    axes[1][1].set_title("until the last has ended, s", loc="left")
    axes[1][1].set_xlabel("commands at once")
    axes[1][1].set_yscale("log")
    axes[1][1].legend(frameon=False, fontsize=8)
    write(figure, "growth")


def line(
    axes: Any,
    found: dict[str, dict[str, float]],
    key: str,
    unit: float,
    title: str,
    colour: str,
    label: str = "",
    style: str = "-",
) -> None:
    """Draw one curve over the numbers that are the keys of *found*."""
    points = sorted((int(count), row[key] / unit) for count, row in found.items())
    axes.plot(*zip(*points, strict=True), style, marker=".", color=colour, label=label)
    if title:
        axes.set_title(title, loc="left")


def fleet() -> None:
    """Requests over time while a collector is away for a day and comes back."""
    curves = load("fleet")
    shown = [title for title in curves if title.startswith("a day;")][:2]
    figure, axes = plt.subplots(figsize=(9, 3.2))
    for title, colour in zip(shown, (THEIRS, OURS), strict=True):
        wide = smooth(curves[title], 60)
        hours = [(slot * BIN * 60 - GOES) / HOUR for slot in range(len(wide))]
        axes.plot(hours, wide, color=colour, label=title.removeprefix("a day; "))
    axes.axvspan(0, 24, color=NOTHING, alpha=0.3, lw=0)
    axes.set_xlim(-24, 48)
    axes.set_ylim(0, None)
    axes.set_xticks(range(-24, 49, 12))
    axes.set_xlabel("hours since the collector went away (grey: it is away)")
    axes.set_title("a million installations: requests a second, mean of ten minutes", loc="left")
    axes.legend(frameon=False)
    write(figure, "fleet")


def smooth(values: list[float], width: int) -> list[float]:
    """Return the means of so many values each."""
    starts = range(0, len(values) - width + 1, width)
    return [sum(values[start : start + width]) / width for start in starts]


def write(figure: Any, name: str) -> None:
    """Write one picture."""
    figure.tight_layout()
    figure.savefig(FOLDER / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
