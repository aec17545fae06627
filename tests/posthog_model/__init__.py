"""A model of PostHog's servers: what becomes of the events that a client has sent.

Written from what PostHog's sources do, for one project. An event passes three doors, and these are
the modules: `capture` accepts it and settles under which timestamp it is stored; `persons` decides
whose it is and what a link does; here it is stored, and questions are answered as a query answers
them, after overrides and after ClickHouse has dropped repeated rows.

Left out: what needs an administrator (splitting, deleting), groups, the limits of a merge, the V1
endpoint, and whatever a reply would have refused before it came this far.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal

import attrs

from .capture import Accepted, accepted, stored_timestamp, uuid_warning
from .persons import (
    LINKS,
    Backend,
    Person,
    Persons,
    Properties,
    implied_person,
    is_unmergeable,
)

__all__ = [
    "Backend",
    "Event",
    "IngestionWarning",
    "Person",
    "PostHog",
    "implied_person",
    "is_unmergeable",
    "stored_timestamp",
]

_UPGRADE_AFTER = timedelta(minutes=1)
_PERSON_UPDATES = frozenset({"$set", "$set_once", "$unset"})
_NOTHING: Properties = {}


@attrs.frozen
class Event:
    """A stored event; `person` is the uuid of the person it belonged to at that moment."""

    uuid: str
    name: str
    distinct_id: str
    timestamp: datetime
    properties: Properties
    person: str
    person_mode: Literal["full", "propertyless", "force_upgrade"]
    person_properties: Properties


@attrs.frozen
class IngestionWarning:
    """What the project's owner is told and the client is not; `uuid` is the event's."""

    type: str
    uuid: str
    distinct_id: str


class PostHog:
    """One project at PostHog: give it what the collector received, then ask who is who.

    `events` holds every stored row, a repeated one twice; `warnings` are in the order of
    processing. With `opted_out` the project wants no person processing for personless events.
    The batches' dicts are kept and never changed.
    """

    def __init__(self, backend: Backend = "pg", *, opted_out: bool = False) -> None:
        self.persons = Persons(backend)
        self.opted_out = opted_out
        self.events: list[Event] = []
        self.warnings: list[IngestionWarning] = []
        self._waiting: list[Accepted] = []

    def deliver(
        self,
        batch: Iterable[Mapping[str, Any]],
        rng: Random | None = None,
        sent_at: str | None = None,
        now: datetime | None = None,
    ) -> None:
        """Accept a request, then process all that is waiting."""
        self.accept(batch, sent_at, now)
        self.settle(rng)

    def accept(
        self,
        batch: Iterable[Mapping[str, Any]],
        sent_at: str | None = None,
        now: datetime | None = None,
    ) -> None:
        """Take a request's events and let them wait, which is all that the reply 200 promises.

        `sent_at` is the request's, as on the wire; `now` is the server's clock.
        """
        for event in accepted(batch, sent_at, now):
            self._warn(uuid_warning(event), event)
            self._waiting.append(event)

    def settle(self, rng: Random | None = None) -> None:
        """Process what is waiting, in the order in which it came.

        With `rng`, only the events of one distinct id keep their order among themselves.
        """
        waiting, self._waiting = self._waiting, []
        for event in waiting if rng is None else _interleaved(waiting, rng):
            self._process(event)

    def copy(self) -> "PostHog":
        """Return a model that goes its own way from here; cheap, to try many endings."""
        other = PostHog(opted_out=self.opted_out)
        other.persons = self.persons.copy()
        other.events = self.events.copy()
        other.warnings = self.warnings.copy()
        other._waiting = self._waiting.copy()
        return other

    def person_of(self, distinct_id: str) -> str:
        """Return the uuid of the person behind this id, whether there is a profile or not."""
        mapped = self.persons.mappings.get(distinct_id)
        return implied_person(distinct_id) if mapped is None else mapped.person

    def profile_of(self, distinct_id: str) -> Person | None:
        """Return the profile behind this id, if there is one."""
        return self.persons.find(distinct_id)

    def same_person(self, a: str, b: str) -> bool:
        """Tell whether these two ids count as one person."""
        return self.person_of(a) == self.person_of(b)

    def person_at_query(self, event: Event) -> str:
        """Return the uuid of the person for whom a query counts this event now."""
        mapped = self.persons.mappings.get(event.distinct_id)
        return event.person if mapped is None or mapped.version == 0 else mapped.person

    def deduplicated(self, exact_timestamp: bool = True) -> list[Event]:
        """Return the rows that are left once ClickHouse has merged its parts.

        The newer table drops a repeated event only if its stored timestamp is the same, the
        older one (`exact_timestamp=False`) if it is of the same day.
        """
        rows: dict[tuple[object, ...], Event] = {}
        for event in self.events:
            moment = event.timestamp if exact_timestamp else event.timestamp.date()
            rows[event.uuid, moment, event.name, event.distinct_id] = event
        return list(rows.values())

    def history(self, distinct_id: str, exact_timestamp: bool = True) -> list[Event]:
        """Return all events that count for the person behind this id."""
        person = self.person_of(distinct_id)
        return [e for e in self.deduplicated(exact_timestamp) if self.person_at_query(e) == person]

    def _process(self, event: Accepted) -> None:
        wanted = event.properties.get("$process_person_profile", True)
        if wanted is False:
            self._process_personless(event)
            return
        if wanted is not True:
            self._warn("invalid_process_person_profile", event)
        person, warning = self.persons.apply(event)
        self._warn(warning, event)
        self._store(event, person.uuid, "full", person.properties)

    def _process_personless(self, event: Accepted) -> None:
        if event.name in LINKS:
            self._warn("invalid_event_when_process_person_profile_is_false", event)
            return
        if not event.properties.keys().isdisjoint(_PERSON_UPDATES):
            kept = {k: v for k, v in event.properties.items() if k not in _PERSON_UPDATES}
            event = event._replace(properties=kept)
        person = self.persons.find(event.distinct_id)
        if person is None:
            self._store(event, implied_person(event.distinct_id), "propertyless")
        elif self.opted_out or event.timestamp <= person.created_at + _UPGRADE_AFTER:
            self._store(event, person.uuid, "propertyless")
        else:
            self._store(event, person.uuid, "force_upgrade", person.properties)

    def _store(
        self,
        event: Accepted,
        person: str,
        mode: Literal["full", "propertyless", "force_upgrade"],
        person_properties: Properties = _NOTHING,
    ) -> None:
        self.events.append(Event(*event, person, mode, person_properties))

    def _warn(self, kind: str | None, event: Accepted) -> None:
        if kind is not None:
            self.warnings.append(IngestionWarning(kind, event.uuid, event.distinct_id))


def _interleaved(events: list[Accepted], rng: Random) -> Iterable[Accepted]:
    lanes: dict[str, list[Accepted]] = {}
    for event in reversed(events):
        lanes.setdefault(event.distinct_id, []).append(event)
    waiting = list(lanes.values())
    while waiting:
        chosen = rng.randrange(len(waiting))
        yield waiting[chosen].pop()
        if not waiting[chosen]:
            del waiting[chosen]
