"""The transport `null`: nothing is recorded, nothing is sent, nothing is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from usage_core import Message, Runs, Transport, hookimpl

__all__ = ["NullTransport"]


class NullTransport(Transport):
    """Takes no message; the commands of a tool that uses it do not even write a fact."""

    runs: ClassVar[Runs] = Runs.NEVER

    def send(self, batch: Sequence[Message], *, timeout: float) -> None:
        """Forget *batch*: what was queued when this transport was swapped in for another."""


@hookimpl
def usage_transport(options: Mapping[str, object]) -> Transport:
    """Make the transport; it has no options."""
    return NullTransport()
