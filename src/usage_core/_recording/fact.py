"""Compose a fact: the text of one record, its ids and time included, within its bound."""

from __future__ import annotations

import os
import time

from usage_core._recording import jsontext
from usage_core._recording.spool import LARGEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["compose", "name", "uuid4"]

_CUT = 1000
_LARGEST = LARGEST - 4 * 1024  # the worker adds the principal and what it knows of the machine


def name(time_ns: int, number: int) -> str:
    """Return the name of a fact's record: names sort by time, and no two processes share one."""
    return f"{max(time_ns, 0):020d}-{os.getpid()}-{number}"


def compose(
    kind: str,
    event: str,
    properties: Mapping[str, object],
    *,
    time_ns: int,
    transport: str,
    credential: str | None,
    principal: str | None,
) -> str:
    """Return a fact as JSON text of at most 28 KiB, with its ids and its time minted here.

    Properties that JSON cannot carry become their `str`. A fact that would be too long loses the
    ends of long strings, then whole properties, those that were added last; never anything else.
    """
    whole: dict[str, object] = {
        "v": 1,
        "id": _uuid7(time_ns),
        "at": _timestamp(time_ns),
        "kind": kind,
        "event": event,
        "credential": credential,
        "principal": principal,
        "transport": transport,
        "fresh": [uuid4(), uuid4()],
        "properties": properties,
    }
    try:
        text = jsontext.dumps(whole, other=_plain)
        if len(text) <= _LARGEST:
            return text
    except (ValueError, RecursionError):
        pass
    whole["properties"] = {}
    room = _LARGEST - len(jsontext.dumps(whole))
    whole["properties"] = _fitting(properties, room)
    return jsontext.dumps(whole, other=_plain)


def uuid4() -> str:
    """Return a new random uuid (RFC 9562, version 4)."""
    return _uuid(int.from_bytes(os.urandom(16), "big"), 4)


def _fitting(properties: Mapping[str, object], room: int) -> dict[str, object]:
    kept: dict[str, object] = {}
    for key, value in properties.items():
        cut = value[:_CUT] if isinstance(value, str) else value
        try:
            size = len(jsontext.dumps({key: cut}, other=_plain))
        except (ValueError, RecursionError):  # nested too deep
            continue
        if size <= room:
            room -= size
            kept[key] = cut
    return kept


def _plain(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001  # somebody else's __str__
        return type(value).__name__


def _timestamp(time_ns: int) -> str:
    """Return *time_ns* (nanoseconds since 1970) as RFC 3339 in UTC, to the millisecond."""
    milliseconds = time_ns // 1_000_000
    seconds, rest = divmod(milliseconds, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:03d}Z"


def _uuid7(time_ns: int) -> str:
    """Return a new uuid that carries *time_ns* to the millisecond (RFC 9562, version 7)."""
    milliseconds = time_ns // 1_000_000 & (1 << 48) - 1
    return _uuid(milliseconds << 80 | int.from_bytes(os.urandom(10), "big"), 7)


def _uuid(bits: int, version: int) -> str:
    bits = bits & ~(0xF << 76) | version << 76
    bits = bits & ~(0x3 << 62) | 0x2 << 62
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
