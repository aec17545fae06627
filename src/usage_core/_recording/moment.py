"""Names for a moment: uuids that sort by time, and timestamps."""

from __future__ import annotations

import os
import time

__all__ = ["timestamp", "uuid4", "uuid7"]


def timestamp(time_ns: int) -> str:
    """Return *time_ns* (nanoseconds since 1970) as RFC 3339 in UTC, to the millisecond."""
    milliseconds = time_ns // 1_000_000
    seconds, rest = divmod(milliseconds, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:03d}Z"


def uuid7(time_ns: int) -> str:
    """Return a new uuid that carries *time_ns* to the millisecond (RFC 9562, version 7)."""
    milliseconds = time_ns // 1_000_000 & (1 << 48) - 1
    return _uuid(milliseconds << 80 | int.from_bytes(os.urandom(10), "big"), 7)


def uuid4() -> str:
    """Return a new random uuid (RFC 9562, version 4)."""
    return _uuid(int.from_bytes(os.urandom(16), "big"), 4)


def _uuid(bits: int, version: int) -> str:
    bits = bits & ~(0xF << 76) | version << 76
    bits = bits & ~(0x3 << 62) | 0x2 << 62
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
