"""The story of a machine's use, told by identity: chapters, links and fresh ids. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import attrs

from usage_core.commands._show import Entry

__all__ = ["Chapter", "Fresh", "Link", "Part", "persons", "tell"]


@attrs.define
class Chapter:
    """What one identity did in a row; *who* is None where it is not settled yet."""

    who: str | None
    anonymous: bool
    entries: list[Entry] = attrs.field(factory=list[Entry])


@attrs.frozen
class Link:
    """The anonymous id *entry.previous_id* counts for *entry.distinct_id*."""

    entry: Entry


@attrs.frozen
class Fresh:
    """A new anonymous id, which nothing connects to what came before; *after_logout* says why."""

    anon_id: str
    after_logout: bool


Part: TypeAlias = Chapter | Link | Fresh


def tell(entries: Iterable[Entry]) -> list[Part]:
    """Return the parts of the story, in the order of *entries*."""
    parts: list[Part] = []
    seen: set[str] = set()
    last: Entry | None = None
    for entry in entries:
        anon_id = entry.previous_id if entry.kind == "alias" else entry.distinct_id
        if anon_id is not None and entry.is_anon is not False and anon_id not in seen:
            if seen:
                parts.append(Fresh(anon_id, last is not None and _is_logout(last)))
            seen.add(anon_id)
        if entry.kind == "alias":
            parts.append(Link(entry))
            continue
        open_ = parts[-1] if parts else None
        if not isinstance(open_, Chapter) or open_.who != entry.distinct_id:
            open_ = Chapter(entry.distinct_id, entry.is_anon is True)
            parts.append(open_)
        open_.entries.append(entry)
        if entry.distinct_id is not None:
            seen.add(entry.distinct_id)
        last = entry
    return parts


def persons(entries: Iterable[Entry]) -> dict[str, int]:
    """Return a number for each id, the same one for all that are known to be one person."""
    entries = list(entries)
    owner = {e.previous_id: e.distinct_id for e in entries if e.kind == "alias"}
    numbers: dict[str, int] = {}
    found: dict[str, int] = {}
    for entry in entries:
        for one in (entry.previous_id, entry.distinct_id):
            if one is not None:
                person = owner.get(one) or one
                found[one] = numbers.setdefault(person, len(numbers))
    return found


def _is_logout(entry: Entry) -> bool:
    return entry.properties.get("command_name") == "logout"
