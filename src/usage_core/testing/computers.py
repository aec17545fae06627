"""Computers: what a `LifecycleMachine` has people sit at, and the one that it brings along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import attrs

from usage_core._delivery.transport import Unavailable
from usage_core._identity.lifecycle import Fact, step
from usage_core._identity.state import Identity
from usage_core._identity.waterfall import Waterfall
from usage_core._messages import Alias, Message

__all__ = ["Computer", "MemoryComputer"]

Ask = Callable[["Computer"], str | None]
Send = Callable[["Computer", str, Sequence[Message]], None]


class Computer(Protocol):
    """What the machine needs of a computer: credentials, a journal, and a worker on demand."""

    @property
    def identity(self) -> Identity | None:
        """Who the worker believes is at this computer."""
        ...

    def in_hand(self) -> Fact:
        """Return the fact that the worker is about to fold: the oldest that waits."""
        ...

    def put_credentials(self, number: int | None) -> None:
        """Put these credentials in place of those that are there; None takes them away."""
        ...

    def stamp(self) -> str | None:
        """Return the stamp of the credentials, the same one whenever the same are back."""
        ...

    def record(self, fact: Fact) -> None:
        """Put a fact into the journal."""
        ...

    def work(self, transport: str) -> None:
        """Fold what there is, and deliver through *transport* until it will not take any more."""
        ...


@attrs.define
class MemoryComputer:
    """A computer that has no disk: the waterfall and `step` alone, which is fast."""

    ask: Ask
    send: Send
    identity: Identity | None = None
    _credentials: int | None = None
    _journal: list[Fact] = attrs.field(factory=list[Fact])
    _outboxes: dict[str, list[Message]] = attrs.field(factory=dict[str, list[Message]])

    def in_hand(self) -> Fact:
        """Return the oldest fact."""
        return self._journal[0]

    def put_credentials(self, number: int | None) -> None:
        """Remember their number."""
        self._credentials = number

    def stamp(self) -> str | None:
        """Return their number, as text."""
        return None if self._credentials is None else str(self._credentials)

    def record(self, fact: Fact) -> None:
        """Keep the fact."""
        self._journal.append(fact)

    def work(self, transport: str) -> None:
        """Fold and deliver as the worker does."""
        waterfall = Waterfall(self._ask, self.stamp)
        while self._journal:
            fact = self._journal[0]
            principal = waterfall.principal(self.identity, fact)
            self.identity, messages = step(self.identity, fact, principal)
            self._outboxes.setdefault(fact.transport, []).extend(messages)
            del self._journal[0]
        outbox = self._outboxes.get(transport, [])
        while outbox:
            size = next((n for n, m in enumerate(outbox, 1) if isinstance(m, Alias)), len(outbox))
            try:
                self.send(self, transport, outbox[:size])
            except Unavailable:
                return
            del outbox[:size]

    def _ask(self, _: str | None) -> str | None:
        try:
            return self.ask(self)
        except ConnectionError:
            return None
