"""Alias and Capture: what the lifecycle makes of a fact, and what a transport is given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

import attrs

__all__ = ["Alias", "Capture", "Message"]


@attrs.frozen
class Alias:
    """From now on, what *previous_id* did counts for the principal *distinct_id*.

    *uuid* and *timestamp* (aware, UTC) were minted with the fact and are the same on every retry.
    """

    uuid: str
    previous_id: str
    distinct_id: str
    timestamp: datetime


@attrs.frozen
class Capture:
    """One event of *distinct_id*: a principal, or with *is_anon* an anonymous id.

    *uuid* and *timestamp* (aware, UTC) were minted with the fact and are the same on every retry.
    """

    uuid: str
    event: str
    distinct_id: str
    timestamp: datetime
    properties: Mapping[str, object]
    is_anon: bool


Message: TypeAlias = Alias | Capture
