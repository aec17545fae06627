"""Real servers on loopback for testing what is built on `usage`.

Read `behaviour` (what a server can be told to do), then `server`, then `auth_api`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from usage_core.testing.auth_api import AuthApi
    from usage_core.testing.server import LocalServer

__all__ = ["AuthApi", "LocalServer"]

_HOMES = {"AuthApi": "auth_api", "LocalServer": "server"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
