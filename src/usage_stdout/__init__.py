"""The transport `stdout`: each message as one JSON line, at once, in the command. Copy this one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import ClassVar

import attrs

from usage_core import Message, Runs, Transport, hookimpl


class StdoutTransport(Transport):
    """Prints messages where the person who runs the command sees them."""

    runs: ClassVar[Runs] = Runs.INLINE

    def send(self, batch: Sequence[Message], *, timeout: float) -> None:
        for message in batch:
            line = {"kind": type(message).__name__.lower(), **attrs.asdict(message)}
            print(json.dumps(line, default=str), flush=True)


@hookimpl
def usage_transport(options: Mapping[str, object]) -> Transport:
    return StdoutTransport()
