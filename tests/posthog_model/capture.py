"""The first door: what PostHog reads from a request, and when it says that an event happened."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

__all__ = ["Accepted", "accepted", "stored_timestamp", "uuid_warning"]

_FUTURE_BOUND = timedelta(hours=23)
_UUID_BOUND_MS = 3 * 24 * 3600 * 1000

# PostHog's list is longer; these are the ones that can turn up in our tests.
_KNOWN_TO_SEND_V4 = frozenset({"", "web", "posthog-node", "posthog-python"})


class Accepted(NamedTuple):
    """An event on its way to be processed."""

    uuid: str
    name: str
    distinct_id: str
    timestamp: datetime
    properties: Mapping[str, Any]


def accepted(
    batch: Iterable[Mapping[str, Any]], sent_at: str | None, now: datetime | None
) -> Iterator[Accepted]:
    """Yield a request's events; `now`, the server's clock, is this machine's if not given."""
    now = now or datetime.now(UTC)
    for raw in batch:
        properties: Mapping[str, Any] = raw.get("properties") or {}
        skewed = properties.get("$ignore_sent_at") is not True
        yield Accepted(
            raw.get("uuid") or _new_uuid(now),
            raw["event"],
            str(raw["distinct_id"])[:200].replace("\0", "\ufffd"),
            stored_timestamp(raw.get("timestamp"), sent_at if skewed else None, now),
            properties,
        )


def stored_timestamp(timestamp: str | None, sent_at: str | None, now: datetime) -> datetime:
    """Return the moment under which an event is stored.

    The client's own, corrected by how far off its clock was when it sent the request; `now` if
    there is none, none that can be read, or one too far ahead.
    """
    stored = _moment(timestamp)
    if stored is None:
        return now
    sent = _moment(sent_at)
    if sent is not None:
        stored += now - sent
    return now if stored - now > _FUTURE_BOUND else stored


def uuid_warning(event: Accepted) -> str | None:
    """Return what the project's owner is told about an event's uuid, if anything."""
    if event.uuid[14] != "7":
        sender = event.properties.get("$lib", "")
        return None if sender in _KNOWN_TO_SEND_V4 else "event_uuid_not_v7"
    minted = int(event.uuid[:8] + event.uuid[9:13], 16)
    apart = abs(event.timestamp.timestamp() * 1000 - minted)
    return "event_uuid_timestamp_divergent" if apart > _UUID_BOUND_MS else None


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _new_uuid(now: datetime) -> str:
    """Return a uuid v7, a new one each time: a repeated event without one is another event."""
    minted = int(now.timestamp() * 1000)
    return str(UUID(f"{minted:012x}7{uuid4().hex[13:]}"))
