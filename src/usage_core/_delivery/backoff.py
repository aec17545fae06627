"""How long to leave a collector alone that did not take what it was sent."""

from __future__ import annotations

from usage_core._recording.launch import LONGEST

__all__ = ["pause"]


def pause(failures: int, retry_after: float | None, chance: float) -> float:
    """Return the wait in seconds, from one second to one hour, after so many failures in a row.

    It doubles with each failure; *chance*, evenly from 0 to 1, spreads it over its upper half, so
    that installations which failed together do not come back together. What the collector asked
    for in *retry_after* is kept, and spread by as much above it.
    """
    longest = min(2.0**failures, LONGEST)
    own = longest * (1 + chance) / 2
    asked = 0.0 if retry_after is None else retry_after + min(retry_after, 60.0) * chance / 2
    return min(max(own, asked, 1.0), LONGEST)
