"""Compose a fact: the text of one record of the journal, within its bound whatever the app adds."""

from __future__ import annotations

import os

from usage_core._recording import jsontext, moment
from usage_core._recording.spool import LARGEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["compose", "name"]

_CUT = 1000


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
    """Return a fact as JSON text of at most 32 KiB, with its ids and its time minted here.

    Properties that JSON cannot carry become their `str`. A fact that would be too long loses the
    ends of long strings, then whole properties, those that were added last; never anything else.
    """
    whole: dict[str, object] = {
        "v": 1,
        "id": moment.uuid7(time_ns),
        "at": moment.timestamp(time_ns),
        "kind": kind,
        "event": event,
        "credential": credential,
        "principal": principal,
        "transport": transport,
        "fresh": [moment.uuid4(), moment.uuid4()],
        "properties": properties,
    }
    try:
        text = jsontext.dumps(whole, other=_plain)
        if len(text) <= LARGEST:
            return text
    except (ValueError, RecursionError):
        pass
    whole["properties"] = {}
    room = LARGEST - len(jsontext.dumps(whole))
    whole["properties"] = _fitting(properties, room)
    return jsontext.dumps(whole, other=_plain)


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
