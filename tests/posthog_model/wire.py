"""Events as they are on the wire, for tests that play a web page, a server or a client."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any

__all__ = ["NOON", "PERSONLESS", "alias", "event", "identify", "merge_dangerously"]

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PERSONLESS = {"$process_person_profile": False}

_NONE: Mapping[str, Any] = {}
_numbers = count()


def event(
    name: str,
    distinct_id: str,
    properties: Mapping[str, Any] = _NONE,
    *,
    at: datetime = NOON,
    uuid: str | None = None,
) -> dict[str, Any]:
    """Return an event that happened at `at`, with a uuid v7 of its own unless given one."""
    minted = f"{int(at.timestamp() * 1000):012x}"
    return {
        "event": name,
        "distinct_id": distinct_id,
        "properties": properties,
        "timestamp": at.isoformat(),
        "uuid": uuid or f"{minted[:8]}-{minted[8:]}-7000-8000-{next(_numbers):012x}",
    }


def identify(
    source: str, target: str, properties: Mapping[str, Any] = _NONE, **rest: Any
) -> dict[str, Any]:
    """Return the `$identify` that links `source` into `target`."""
    return event("$identify", target, {"$anon_distinct_id": source, **properties}, **rest)


def alias(
    source: str, target: str, properties: Mapping[str, Any] = _NONE, **rest: Any
) -> dict[str, Any]:
    """Return the `$create_alias` that links `source` into `target`.

    The official client's `alias(previous_id=anon, distinct_id=user)` is `alias(user, anon)` here.
    """
    return event("$create_alias", target, {"alias": source, **properties}, **rest)


def merge_dangerously(source: str, target: str, **rest: Any) -> dict[str, Any]:
    """Return the `$merge_dangerously` that links `source` into `target`, identified or not."""
    return event("$merge_dangerously", target, {"alias": source}, **rest)
