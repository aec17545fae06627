"""The alias state machine: one pure step from identity and fact to identity and messages.

    none ──▶ Anonymous ──P──▶ Linked(P) ──Q──▶ Linked(Q) under a fresh anonymous id
                 ▲               │
                 └── logout ─────┘   under a fresh anonymous id

An anonymous id is linked to one principal at most, ever, and only to the person whose credentials
it was used under: whatever could break that takes a fresh id first. The fresh ids travel in the
fact, so a step can be repeated after a crash and comes out the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias, get_args
from uuid import UUID, uuid5

import attrs

from usage_core._identity.state import Anonymous, Identity, Linked
from usage_core._messages import Alias, Capture, Message

__all__ = ["KINDS", "Fact", "Kind", "must_ask", "step"]


Kind: TypeAlias = Literal["command", "login", "logout"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@attrs.frozen
class Fact:
    """What one command left behind: everything that is random or of its moment is in here.

    *credential* stamps the credentials it ran under (for a login: those it brought), *fresh* are
    two anonymous ids to rotate to, *principal* is who logged in, where that is known already.
    """

    id: str
    at: datetime
    kind: Kind
    event: str
    properties: Mapping[str, object]
    credential: str | None
    principal: str | None
    transport: str
    fresh: tuple[str, str]


def must_ask(identity: Identity | None, fact: Fact) -> bool:
    """Say whether somebody must be asked who *fact* belongs to; if not, the identity knows."""
    if not isinstance(identity, Linked) or fact.kind == "login":
        return True
    return fact.credential is not None and fact.credential != identity.credential


def step(
    identity: Identity | None, fact: Fact, principal: str | None
) -> tuple[Identity, tuple[Message, ...]]:
    """Return who it is after *fact*, and the messages that the fact's transport is owed.

    *principal* is what the waterfall found for the fact's credential; None when nobody knows.
    """
    if fact.kind == "logout" and identity is not None and identity.anon_id in fact.fresh:
        return identity, ()  # applied before a crash
    known = _recognise(identity, fact, principal)
    messages: list[Message] = []
    if isinstance(known, Linked) and fact.transport not in known.told:
        messages.append(_alias(known, fact))
        known = attrs.evolve(known, told=known.told | {fact.transport})
    messages.append(_capture(known, fact))
    if fact.kind == "logout" and isinstance(known, Linked):
        known = Anonymous(fact.fresh[1])
    return known, tuple(messages)


def _recognise(identity: Identity | None, fact: Fact, principal: str | None) -> Identity:
    match identity:
        case None:
            return _recognise(Anonymous(fact.fresh[0]), fact, principal)
        case Anonymous(anon_id, unnamed):
            # Somebody used this id under credentials that nobody could name: only these same
            # credentials prove that it was the same person.
            mine = unnamed is None or unnamed == fact.credential
            if principal is not None:
                return Linked(anon_id if mine else fact.fresh[0], principal, fact.credential)
            if fact.credential is None:
                return identity
            return Anonymous(anon_id if mine else fact.fresh[0], fact.credential)
        case Linked(_, known, stamp, _):
            same = fact.credential is not None and fact.credential == stamp
            if fact.kind != "login" and (same or fact.credential is None):
                return identity
            if principal == known:
                return attrs.evolve(identity, credential=fact.credential)
            if principal is not None:
                return Linked(fact.fresh[0], principal, fact.credential)
            # A login that nobody can name: the same credentials prove the same person.
            return identity if same else Anonymous(fact.fresh[0], fact.credential)


def _alias(known: Linked, fact: Fact) -> Alias:
    # Its own uuid, but the same one whenever this fact is folded again.
    uuid = derived_uuid7(fact.id, "alias")
    return Alias(uuid, known.anon_id, known.principal_id, fact.at)


def _capture(known: Identity, fact: Fact) -> Capture:
    match known:
        case Anonymous(anon_id, _):
            distinct_id, is_anon = anon_id, True
        case Linked(_, principal_id, _, _):
            distinct_id, is_anon = principal_id, False
    return Capture(fact.id, fact.event, distinct_id, fact.at, fact.properties, is_anon)


def derived_uuid7(uuid: str, purpose: str) -> str:
    """Return another uuid of the same moment as *uuid* (version 7), the same one every time."""
    moment = UUID(uuid).int >> 80 << 80
    rest = uuid5(UUID(uuid), purpose).int & (1 << 80) - 1
    return str(UUID(int=moment | rest & ~(0xF << 76) | 7 << 76))
