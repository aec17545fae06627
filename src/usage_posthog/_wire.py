"""What a message looks like on PostHog's wire. Pure: the same message gives the same events."""

from __future__ import annotations

from importlib.metadata import version
from uuid import UUID, uuid5

from usage_core import Alias, Capture, Message

__all__ = ["events"]


def events(message: Message, link: str) -> list[dict[str, object]]:
    """Return the events that *message* becomes; more than one stay together, in this order."""
    match message:
        case Capture(uuid, event, distinct_id, _, properties, is_anon):
            about: dict[str, object] = {**properties, "is_anon": is_anon}
            if is_anon:
                about["$process_person_profile"] = False
            return [_event(message, uuid, event, distinct_id, about)]
        case Alias(uuid, previous_id, distinct_id, _) if link == "alias":
            # In PostHog's alias the anonymous id is the one that survives.
            about = {"distinct_id": previous_id, "alias": distinct_id}
            return [_event(message, uuid, "$create_alias", previous_id, about)]
        case Alias(uuid, previous_id, distinct_id, _):
            # The first gives the principal a person before the link is judged. PostHog then
            # refuses to join two people where it would otherwise attach one to the other.
            first = _event(message, _another(uuid), "$set", distinct_id, {})
            about = {"$anon_distinct_id": previous_id}
            return [first, _event(message, uuid, "$identify", distinct_id, about)]


def _event(
    message: Message, uuid: str, event: str, distinct_id: str, properties: dict[str, object]
) -> dict[str, object]:
    return {
        "uuid": uuid,
        "event": event,
        "distinct_id": distinct_id,
        "timestamp": message.timestamp.isoformat(),
        "properties": {
            **properties,
            # Without this the stored time moves with each attempt, and a retry counts twice.
            "$ignore_sent_at": True,
            "$geoip_disable": True,
            "$ip": "0.0.0.0",  # noqa: S104  # an address for nobody, binds nothing
            "$lib": "usage-posthog",
            "$lib_version": version("usage-posthog"),
        },
    }


def _another(uuid: str) -> str:
    """Return a uuid (version 7) of the same moment: PostHog refuses one that it has seen."""
    given = UUID(uuid)
    moment = given.int >> 80 << 80
    rest = uuid5(given, "person").int & (1 << 80) - 1
    return str(UUID(int=moment | rest & ~(0xF << 76) | 7 << 76))
