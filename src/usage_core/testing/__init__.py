"""What helps to test what is built on `usage`: conformance suites, and real servers on loopback.

Read `transports` for a transport of your own, `lifecycle` for a resolver and `recorder` for the
tests of a tool, which get it as the fixture `usage_recorder`. The servers: first
`behaviour` (what a server can be told to do), then `server`, then `auth_api`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from usage_core.testing.auth_api import AuthApi
    from usage_core.testing.lifecycle import LifecycleMachine
    from usage_core.testing.recorder import UsageRecorder, assert_documented, assert_silent
    from usage_core.testing.server import LocalServer
    from usage_core.testing.transports import RecordingTransport, TransportContract

__all__ = [
    "AuthApi",
    "LifecycleMachine",
    "LocalServer",
    "RecordingTransport",
    "TransportContract",
    "UsageRecorder",
    "assert_documented",
    "assert_silent",
]

_HOMES = {
    "AuthApi": "auth_api",
    "LifecycleMachine": "lifecycle",
    "LocalServer": "server",
    "UsageRecorder": "recorder",
    "assert_documented": "recorder",
    "assert_silent": "recorder",
    "RecordingTransport": "transports",
    "TransportContract": "transports",
}

# Before anything imports it: the suite's assertions then show both sides in anybody's tests.
if "pytest" in sys.modules:
    sys.modules["pytest"].register_assert_rewrite("usage_core.testing.transports")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
