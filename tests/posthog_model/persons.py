"""The second door: whose event it is, and what becomes of two persons who are said to be one."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid5

import attrs

from .capture import Accepted

__all__ = [
    "LINKS",
    "Backend",
    "Mapped",
    "Person",
    "Persons",
    "Properties",
    "implied_person",
    "is_unmergeable",
]

Backend = Literal["pg", "personhog"]
"""Postgres, which decides today, and its Rust successor; they differ in the two places below."""

Properties = Mapping[str, Any]

LINKS = frozenset({"$identify", "$create_alias", "$merge_dangerously"})

_NAMESPACE = UUID("932979b4-65c3-4424-8467-0b66ec27bc22")
_ILLEGAL_IN_ANY_CASE = {"anonymous", "guest", "distinctid", "distinct_id", "id", "email"} | {
    "not_authenticated",
    "undefined",
    "true",
    "false",
}
_ILLEGAL_AS_WRITTEN = {"[object Object]", "NaN", "None", "none", "null", "0", "undefined"}


@attrs.frozen
class Person:
    """A person's profile; made anew on every change, so that copies of a model can share it."""

    uuid: str
    created_at: datetime
    properties: Properties
    is_identified: bool


class Mapped(NamedTuple):
    """Whose a distinct id is; above version 0 this overrides what events were stored with."""

    person: str
    version: int


class Persons:
    """The profiles by uuid, and whose each distinct id is."""

    def __init__(self, backend: Backend) -> None:
        self.backend: Backend = backend
        self.profiles: dict[str, Person] = {}
        self.mappings: dict[str, Mapped] = {}
        self._recorded: dict[tuple[str, str], object] = {}

    def copy(self) -> "Persons":
        """Return persons that go their own way from here."""
        other = Persons(self.backend)
        other.profiles = self.profiles.copy()
        other.mappings = self.mappings.copy()
        other._recorded = self._recorded.copy()
        return other

    def find(self, distinct_id: str) -> Person | None:
        """Return the profile behind this id, if there is one."""
        mapped = self.mappings.get(distinct_id)
        return None if mapped is None else self.profiles[mapped.person]

    def apply(self, event: Accepted) -> tuple[Person, str | None]:
        """Do what a personful event asks for; return whose it is, and the warning if refused."""
        source = _source(event)
        target = event.distinct_id
        identified = False
        warning = None
        if source is not None and source != target:
            if is_unmergeable(source) or is_unmergeable(target):
                warning = "cannot_merge_with_illegal_distinct_id"
            else:
                warning = self._link(source, event)
                identified = True
        return self._update(self._find_or_bear(target, event), event, identified), warning

    def _link(self, source: str, event: Accepted) -> str | None:
        target = event.distinct_id
        if self.backend == "personhog":
            # A merge is on record under its uuid and source: again and different is refused.
            recorded = self._recorded.get((event.uuid, source))
            if recorded is not None and recorded != _request(event):
                return "merge_settled_failure"

        loser = self.find(source)
        if loser is None:
            self._attach(source, self._find_or_bear(target, event))
            return None

        mergeable = not loser.is_identified or event.name == "$merge_dangerously"
        # Postgres does not guard an identified person against an id that nobody has seen.
        if target not in self.mappings and (mergeable or self.backend == "pg"):
            self._attach(target, loser)
            return None

        winner = self._find_or_bear(target, event)
        if loser is winner:
            return None
        self._recorded[event.uuid, source] = _request(event)
        if not mergeable:
            return "cannot_merge_already_identified"
        self._merge(loser, winner)
        return None

    def _find_or_bear(self, distinct_id: str, event: Accepted) -> Person:
        person = self.find(distinct_id)
        if person is None:
            person = Person(implied_person(distinct_id), event.timestamp, {}, is_identified=False)
            self.profiles[person.uuid] = person
            self.mappings[distinct_id] = Mapped(person.uuid, 0)
        return person

    def _attach(self, distinct_id: str, person: Person) -> None:
        self.mappings[distinct_id] = Mapped(person.uuid, 1)

    def _merge(self, loser: Person, winner: Person) -> None:
        for distinct_id, mapped in self.mappings.items():
            if mapped.person == loser.uuid:
                self.mappings[distinct_id] = Mapped(winner.uuid, mapped.version + 1)
        del self.profiles[loser.uuid]
        self.profiles[winner.uuid] = Person(
            winner.uuid,
            min(loser.created_at, winner.created_at),
            {**loser.properties, **winner.properties},
            is_identified=True,
        )

    def _update(self, person: Person, event: Accepted, identified: bool) -> Person:
        once: Properties = event.properties.get("$set_once") or {}
        setting: Properties = event.properties.get("$set") or {}
        unset: Iterable[str] = event.properties.get("$unset") or ()
        identified = identified or person.is_identified
        if not (once or setting or unset) and identified == person.is_identified:
            return person
        properties = {**once, **person.properties, **setting}
        for key in unset:
            properties.pop(key, None)
        person = Person(person.uuid, person.created_at, properties, identified)
        self.profiles[person.uuid] = person
        return person


@lru_cache(maxsize=1 << 14)
def implied_person(distinct_id: str, team: int = 1) -> str:
    """Return the uuid of the person that an id stands for until it is linked to another."""
    return str(uuid5(_NAMESPACE, f"{team}:{distinct_id}"))


def is_unmergeable(distinct_id: str) -> bool:
    """Tell whether PostHog refuses to link this id to any other."""
    bare = distinct_id
    if len(bare) > 2 and bare[0] == bare[-1] and bare[0] in "'\"":
        bare = bare[1:-1]
    return (
        not distinct_id.strip()
        or bare.lower() in _ILLEGAL_IN_ANY_CASE
        or bare in _ILLEGAL_AS_WRITTEN
        or "\0" in distinct_id
        or len(distinct_id) > 400
    )


def _source(event: Accepted) -> str | None:
    """Return the id that this event wants linked into its own."""
    if event.name == "$identify":
        if "$anon_distinct_id" not in event.properties:
            return None
        source = event.properties["$anon_distinct_id"]
        return "null" if source is None else str(source)
    source = event.properties.get("alias") if event.name in LINKS else None
    return str(source) if source else None


def _request(event: Accepted) -> object:
    """Return all by which personhog tells a merge that is repeated from one that is not."""
    return (
        event.distinct_id,
        event.timestamp,
        event.name == "$merge_dangerously",
        event.properties.get("$set") or {},
        event.properties.get("$set_once") or {},
    )
