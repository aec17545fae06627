"""Lease: until when no worker need be started, because one is alive or it is too early."""

from __future__ import annotations

import os

from usage_core._recording import files

__all__ = ["LONGEST", "Lease"]

LONGEST = 3600.0
"""A lease with more seconds than this to go counts as none: the clock was set back."""


class Lease:
    """A file whose modification time is the moment that the lease ends.

    Its content is the number of the worker's process; empty while nobody works and the collector
    is given time to recover.
    """

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def stands(self, now: float) -> bool:
        """Say whether it holds at *now* (seconds since 1970): no worker is to be started."""
        try:
            end = os.stat(self.path).st_mtime
        except OSError:
            return False
        return now < end <= now + LONGEST and self._holder_lives()

    def holder(self) -> int | None:
        """Return the process that works under this lease; None when nobody does."""
        try:
            holder = int(files.read(self.path, most=20))
        except (OSError, ValueError):
            return None
        return holder if 0 < holder < 1 << 31 else None

    def take(self, end: float, holder: int | None = None) -> None:
        """Let it stand until *end* (seconds since 1970), for the process *holder* or as a pause."""
        files.write(self.path, b"" if holder is None else b"%d" % holder, mtime=end)

    def lift(self) -> None:
        """End it now."""
        files.remove(self.path)

    def _holder_lives(self) -> bool:
        holder = self.holder()
        if holder is None or os.name != "posix":  # on Windows, kill(pid, 0) is not a question
            return True
        try:
            os.kill(holder, 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True
        return True
