"""The ledger: what left this machine, for the person who wants to see it. At most 256 KiB."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import cast

import attrs

from usage_core._delivery.records import as_dict
from usage_core._local import read_file, write_file
from usage_core._messages import Message

__all__ = ["LARGEST", "Ledger"]

LARGEST = 256 * 1024


@attrs.define
class Ledger:
    """A file of JSON lines, each what was sent, through which transport and when, in that order."""

    path: str

    def add(self, transport: str, messages: Iterable[Message], at: datetime) -> None:
        """Write down that *messages* were accepted; the oldest make room. Raises `OSError`."""
        lines = b"".join(
            json.dumps(
                {"sent_at": at.isoformat(), "transport": transport, **as_dict(message)}
            ).encode("ascii")
            + b"\n"
            for message in messages
        )
        new = _last_lines(lines, LARGEST)
        size = self._size()
        if size is not None and size + len(new) < LARGEST:
            self._append(new)
        else:
            old = _last_lines(self._data(), min(LARGEST // 2, LARGEST - len(new)))
            write_file(self.path, old + new)

    def read(self) -> Iterator[dict[str, object]]:
        """Yield the entries, oldest first; a line that cannot be read is passed over."""
        for line in self._data().splitlines():
            try:
                entry: object = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(entry, dict):
                yield cast(dict[str, object], entry)

    def _size(self) -> int | None:
        """Return how long it is; None where there is none to be added to."""
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def _data(self) -> bytes:
        try:
            return read_file(self.path, most=2 * LARGEST)
        except OSError:
            return b""

    def _append(self, lines: bytes) -> None:
        flags = os.O_RDWR | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        handle = os.open(self.path, flags)
        try:
            if os.lseek(handle, 0, os.SEEK_END):
                os.lseek(handle, -1, os.SEEK_END)
                if os.read(handle, 1) != b"\n":  # whoever wrote last was killed at it
                    lines = b"\n" + lines
            os.write(handle, lines)
        finally:
            os.close(handle)


def _last_lines(data: bytes, room: int) -> bytes:
    """Return the last whole lines of *data* that fit into *room*."""
    data = data[: data.rfind(b"\n") + 1]
    if len(data) <= room:
        return data
    data = data[len(data) - room :]
    return data[data.find(b"\n") + 1 :]
