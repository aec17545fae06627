"""What a worker is told by the command that started it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import attrs

__all__ = ["Config"]


@attrs.frozen
class Config:
    """One app's description, as `Tracker` was given it.

    *state* is the state folder, *transport* the one to deliver through, *credentials* the path of
    the credentials file where there is one, *whoami* the base URL of the auth API.
    """

    app: str
    version: str
    state: str
    transport: str
    options: Mapping[str, object]
    credentials: str | None
    whoami: str | None
    plugins: tuple[str, ...]

    @classmethod
    def from_json(cls, found: Mapping[str, object]) -> Config:
        """Return the configuration that a command wrote. Raises `KeyError` if a part is missing."""
        credentials, whoami = found["credentials"], found["whoami"]
        return cls(
            str(found["app"]),
            str(found["version"]),
            str(found["state"]),
            str(found["transport"]),
            cast(Mapping[str, object], found["options"]),
            None if credentials is None else str(credentials),
            None if whoami is None else str(whoami),
            tuple(cast(list[str], found["plugins"])),
        )
