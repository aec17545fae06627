"""Every hook, on one page. Implement the ones you want in a module, marked with `hookimpl`.

A module with hooks reaches the worker in one of three ways: an author names it in
`Tracker(plugins=[...])`, it is installed with an entry point in the group `usage`, or it is a
transport's own module. All hooks run in the worker, never in the command. One that raises is
skipped and noted; it stops nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from usage_core._delivery.transport import Transport
    from usage_core._identity.lifecycle import Fact
    from usage_core._identity.state import Identity
    from usage_core._messages import Message

__all__ = [
    "hookimpl",
    "hookspec",
    "usage_before_send",
    "usage_delivered",
    "usage_identity_changed",
    "usage_principal",
    "usage_transport",
    "usage_undeliverable",
]

hookspec = pluggy.HookspecMarker("usage")
hookimpl = pluggy.HookimplMarker("usage")


@hookspec(firstresult=True)
def usage_transport(options: Mapping[str, object]) -> Transport | None:
    """Make your transport from *options*, as the app's author gave them; raise if they will not do.

    Import what is heavy in its `send`, not here: a command may call this once on each machine.
    """


@hookspec(firstresult=True)
def usage_principal(credential: str | None, timeout: float) -> str | None:
    """Say who the credentials belong to, within *timeout* seconds; None if you cannot tell.

    *credential* is the stamp that changes whenever they do. The first answer wins, and it is not
    asked for again until the stamp changes.
    """


@hookspec
def usage_before_send(message: Message) -> Message | None:
    """Return the message as it may leave, or None to drop it. Plug-ins see each other's result.

    If you raise, the message is dropped: better lost than sent unredacted.
    """


@hookspec
def usage_identity_changed(before: Identity | None, after: Identity, fact: Fact) -> None:
    """Learn that a login, a logout or new credentials made someone else of this machine's user."""


@hookspec
def usage_delivered(messages: Sequence[Message]) -> None:
    """Learn that these messages arrived."""


@hookspec
def usage_undeliverable(messages: Sequence[Message], reason: str) -> None:
    """Learn that these messages will never be accepted, and were dropped."""
