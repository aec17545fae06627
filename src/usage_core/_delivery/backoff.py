"""How long to leave a collector alone that did not take what it was sent."""

from __future__ import annotations

from usage_core._recorder import LONGEST

__all__ = ["pause"]

_HOUR = 3600.0


def pause(failures: int, retry_after: float | None, chance: float) -> float:
    """Return the wait in seconds, from one second to two hours, after so many failures in a row.

    It doubles with each failure, up to an hour; *chance*, evenly from 0 to 1, spreads it over its
    upper half, so that installations which failed together do not come back together. What the
    collector asked for in *retry_after* is kept, up to an hour, and spread over as long again: a
    date that it names is the same for everybody.
    """
    own = min(2.0**failures, _HOUR) * (1 + chance) / 2
    asked = min(retry_after or 0.0, _HOUR) * (1 + chance)
    return min(max(own, asked, 1.0), LONGEST)
