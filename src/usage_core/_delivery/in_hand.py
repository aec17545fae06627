"""What other people's code is working on, told to the next worker in case this one dies of it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import attrs

from usage_core._local import read_file, remove_file, write_file

__all__ = ["DEADLY", "InHand"]

DEADLY = 3
"""A record that was in hand when this many workers died is set aside."""


@attrs.define
class InHand:
    """A file that names the records in hand, first and last, and how many workers they outlived.

    What earlier workers left is read once, when this is made.
    """

    path: str
    _left: tuple[int, str, str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        try:
            deaths, first, last = read_file(self.path, most=500).decode("ascii").split(" ")
            self._left = int(deaths), first, last
        except (OSError, ValueError):
            self._left = 0, "", ""

    def deaths(self, name: str) -> int:
        """Return how many workers in a row died with the record *name* in hand."""
        deaths, first, last = self._left
        return deaths if first <= name <= last else 0

    @contextmanager
    def hold(self, first: str, last: str) -> Generator[None]:
        """Work on these records within: only a process that dies there leaves the mark behind."""
        write_file(self.path, f"{self.deaths(first) + 1} {first} {last}".encode("ascii"))
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        """Take the mark away: whatever happened, it did not kill the worker."""
        remove_file(self.path)
