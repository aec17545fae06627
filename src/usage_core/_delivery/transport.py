"""Transport: the one class that whoever delivers messages somewhere implements.

TransportError
├── Rejected        these messages will never be accepted
├── Unavailable     keep them and try later
└── TransportNotFoundError (also a LookupError)
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Sequence
from typing import ClassVar

from usage_core._messages import Message

__all__ = [
    "Rejected",
    "Runs",
    "Transport",
    "TransportError",
    "TransportNotFoundError",
    "Unavailable",
]


class Runs(enum.Enum):
    """Where a transport does its work."""

    DETACHED = "detached"
    """In a worker process that the command does not wait for."""
    INLINE = "inline"
    """In the command itself, at once: for looking on, not for the field."""
    NEVER = "never"
    """Nowhere; nothing is even recorded."""


class TransportError(Exception):
    """Base of what a transport may raise."""


class Rejected(TransportError):
    """Raised when *messages* will never be accepted, with the reason; the others were accepted."""

    def __init__(self, messages: Sequence[Message], reason: str) -> None:
        super().__init__(reason)
        self.messages = tuple(messages)
        self.reason = reason


class Unavailable(TransportError):
    """Raised when nothing can be delivered now; *retry_after* is the wait that was asked for, in s.

    The whole batch is kept and comes again, whatever part of it had been accepted.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class TransportNotFoundError(TransportError, LookupError):
    """Raised when no installed package provides the transport of that name, or several do."""


class Transport(abc.ABC):
    """Delivers messages. Implement `send`, and hand an instance out in the hook `usage_transport`.

    What you can rely on: messages come oldest first, an alias before whatever depends on it, and
    one batch at a time. What you must expect: a message may come twice, with the same uuid and
    timestamp, when the answer to the first was lost; the process may end at any moment.
    """

    runs: ClassVar[Runs] = Runs.DETACHED

    @abc.abstractmethod
    def send(self, batch: Sequence[Message], *, timeout: float) -> None:
        """Deliver *batch* (1-100 messages) within *timeout* seconds; return when all is accepted.

        Raise `Rejected` for what will never be accepted and `Unavailable` for "keep it, try
        later"; anything else counts as `Unavailable` and is noted.
        """

    def close(self) -> None:  # noqa: B027  # most have nothing to close
        """Let go of what `send` opened; it is not called when the process is killed."""
