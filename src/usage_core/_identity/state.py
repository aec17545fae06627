"""Anonymous and Linked: the two things that can be known about who uses a machine."""

from __future__ import annotations

from typing import TypeAlias
from uuid import UUID

import attrs

__all__ = ["Anonymous", "Identity", "Linked", "is_anon_id", "is_principal"]


@attrs.frozen
class Anonymous:
    """Nobody is known to be logged in.

    *credential* stamps the credentials of somebody whom nobody could name, where such a person
    used this anonymous id: it can become theirs, or nobody's.
    """

    anon_id: str
    credential: str | None = None


@attrs.frozen
class Linked:
    """This anonymous id belongs to that principal, for ever.

    *credential* is the stamp of the credentials under which that was learnt; *told* names the
    transports whose outbox has been given the alias.
    """

    anon_id: str
    principal_id: str
    credential: str | None
    told: frozenset[str] = frozenset()


Identity: TypeAlias = Anonymous | Linked

# The ids that PostHog refuses to merge or to give a person, compared without case and blanks
# (isDistinctIdIllegal in its person-utils.ts, and rust/capture/src/v1).
_NOBODY = frozenset(
    {"0", "[object object]", "false", "nan", "nil", "none", "null", "true", "undefined"}
    | {"anonymous", "anonymous-user", "backend", "distinct_id", "distinctid", "email", "guest"}
    | {"id", "not_authenticated", "system", "user", "00000000-0000-0000-0000-000000000000"}
)


def is_anon_id(value: object) -> bool:
    """Say whether *value* is a UUID in one of its two plain forms, and not the one of zeros."""
    if not isinstance(value, str) or not value.isascii():
        return False
    try:
        uuid = UUID(value)
    except ValueError:
        return False
    return uuid.int != 0 and value.lower() in (str(uuid), uuid.hex)


def is_principal(value: object) -> bool:
    """Say whether *value* can name one person: 1-200 characters, and none that stands for nobody.

    Back ends refuse to merge such ids as `anonymous` or `null`, or would give them to everybody.
    """
    if not isinstance(value, str) or not 1 <= len(value) <= 200:
        return False
    if "\x00" in value or not value.isprintable():
        return False
    bare = value.strip().strip("'\"").strip().lower()
    return bare != "" and bare not in _NOBODY
