"""Tables: figures as text that reads well on a terminal and on a page."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

__all__ = ["added", "error_of_median", "quartiles", "ratio", "table"]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with its columns aligned, the first to the left."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    rule = [f"{'-' * (w - 1)}{':' if i else '-'}" for i, w in enumerate(widths)]
    return "\n".join(_line(row, widths) for row in (header, rule, *rows))


def quartiles(values: Sequence[float], digits: int = 1) -> str:
    """Return the median of *values* and, in brackets, the quartiles around it."""
    if len(values) < 2:
        return f"{values[0]:.{digits}f}" if values else "-"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def error_of_median(values: Sequence[float]) -> float:
    """Return the standard error of the median of *values*, as their quartiles suggest it.

    The factor is that of a normal distribution: 1.253 standard deviations of 0.741 quartile ranges.
    """
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return 0.929 * (high - low) / math.sqrt(len(values))


def added(with_it: Sequence[float], without: Sequence[float]) -> list[float]:
    """Return what is added in each round, in milliseconds: rounds are compared with themselves."""
    return [(a - b) * 1000 for a, b in zip(with_it, without, strict=True)]


def ratio(part: float, whole: float) -> str:
    """Return *part* as a multiple of *whole*."""
    if whole <= 0:
        return "-"
    times = part / whole
    return f"{times:.0f}x" if times >= 10 else f"{times:.2f}x"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
    ]
    return f"| {' | '.join(cells)} |"
