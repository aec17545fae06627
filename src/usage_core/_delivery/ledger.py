"""The ledger: what left this machine, for the person who wants to see it. At most 256 KiB."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import cast

import attrs

from usage_core._delivery.records import as_dict
from usage_core._messages import Message
from usage_core._recording import files

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
        kept = self._tail(LARGEST - len(lines))
        if kept is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            handle = os.open(self.path, flags, 0o600)
            try:
                os.write(handle, lines)
            finally:
                os.close(handle)
        else:
            files.write(self.path, (kept + lines)[-LARGEST:])

    def read(self) -> Iterator[dict[str, object]]:
        """Yield the entries, oldest first; a line that cannot be read is passed over."""
        try:
            data = files.read(self.path, most=2 * LARGEST)
        except OSError:
            return
        for line in data.splitlines():
            try:
                entry: object = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(entry, dict):
                yield cast(dict[str, object], entry)

    def _tail(self, room: int) -> bytes | None:
        """Return the newer half of what is there if all of it does not fit into *room*."""
        try:
            if os.stat(self.path).st_size <= room:
                return None
            data = files.read(self.path, most=2 * LARGEST)
        except FileNotFoundError:
            return None
        except OSError:
            return b""
        half = data[-LARGEST // 2 :]
        return half[half.find(b"\n") + 1 :][-max(room, 0) :]
