"""Delivery: messages out of the outbox, through the transport, into the ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import attrs

from usage_core._delivery import records
from usage_core._delivery.folder import Queue
from usage_core._delivery.in_hand import DEADLY
from usage_core._delivery.ledger import Ledger
from usage_core._delivery.plugins import remember
from usage_core._delivery.transport import Rejected, Transport, Unavailable
from usage_core._delivery.workplace import Workplace, now
from usage_core._messages import Alias, Message

__all__ = ["Delivery"]

BATCH = 100
SENDING_SECONDS = 5.0
SPARE_SECONDS = 0.5
OLDEST_SECONDS = 30 * 24 * 3600


@attrs.define
class Delivery:
    """Delivers one transport's outbox, strictly oldest first."""

    place: Workplace
    delivered: int = attrs.field(init=False, default=0)
    _transport: Transport | None = attrs.field(init=False, default=None)

    def deliver_all(self) -> None:
        """Deliver what the outbox holds, but nothing of a fact that is still in the journal.

        What there is no time left for stays. Raises `Unavailable` when the rest must wait, `Gone`
        when there is nothing more to do and `OSError` where a file cannot be read or removed.
        """
        while self.place.left() > SPARE_SECONDS:
            batch = self._next_batch()
            if batch is None:
                break
            self.place.check()
            self._deliver(batch)
        self.outbox.recount()  # there is room again for what is folded next
        self.place.save()

    @property
    def outbox(self) -> Queue:
        """The outbox of the transport that this worker delivers through."""
        return self.place.folder.outbox(self.place.config.transport)

    def waiting(self) -> int:
        """Return how many messages wait to be delivered."""
        return len(self.outbox.names())

    def close(self) -> None:
        """Close the transport, if it was ever made."""
        if self._transport is not None:
            try:
                self.place.guard.run(1.0, self._transport.close)
            except BaseException as error:  # noqa: BLE001  # somebody else's code
                self._note(f"close: {error!r}")

    def _next_batch(self) -> dict[str, Message] | None:
        """Return the next messages by their names, up to the first alias; None at the end."""
        batch: dict[str, Message] = {}
        unfolded = set(self.place.folder.facts.names())
        expired = f"{time.time_ns() - OLDEST_SECONDS * 10**9:020d}"
        for name, message in self._messages():
            if name.rsplit("-", 2)[0] in unfolded:
                break
            if name < expired and not isinstance(message, Alias):
                self.outbox.remove(name)
                self.place.note("outbox", "an event was dropped after 30 days")
                continue
            deaths = self.place.in_hand.deaths(name)
            if deaths >= DEADLY:
                self.place.set_aside(self.outbox, name, "three workers died of it")
                continue
            if deaths and batch:
                break
            batch[name] = message
            if deaths or isinstance(message, Alias) or len(batch) == BATCH:
                break  # what is behind an alias may leave once it is acknowledged
        return batch or None

    def _messages(self) -> Iterator[tuple[str, Message]]:
        for name in self.outbox.names():
            try:
                records.check_name(name)
                yield name, records.load_message(self.outbox.read(name))
            except FileNotFoundError:
                self.outbox.remove(name)  # a link that leads nowhere
            except (OSError, ValueError) as error:
                self.place.cannot_read(self.outbox, name, error)

    def _deliver(self, batch: dict[str, Message]) -> None:
        names = list(batch)
        transport = self._made()
        with self.place.in_hand.hold(names[0], names[-1]):
            leaving = [m for m in map(self.place.plugins.before_send, batch.values()) if m]
            rejected = self._send(transport, leaving) if leaving else None
        lost = rejected.messages if rejected else ()
        refused = {message.uuid for message in lost}
        arrived = [message for message in leaving if message.uuid not in refused]
        if arrived:
            self._write_down(arrived)
            self.place.health = self.place.health.succeeded(now())
        for name in names:
            self.outbox.remove(name)
        self.delivered += len(names)
        if arrived:
            self.place.plugins.tell("usage_delivered", messages=arrived)
        if rejected:
            self._note(f"rejected {len(lost)}: {rejected.reason}")
            self.place.plugins.tell(
                "usage_undeliverable", messages=list(lost), reason=rejected.reason
            )

    def _write_down(self, arrived: list[Message]) -> None:
        ledger = Ledger(self.place.folder.ledger)
        try:
            ledger.add(self.place.config.transport, arrived, datetime.now(UTC))
        except OSError as error:  # it was accepted all the same, and must not be sent again
            self.place.note("sent.jsonl", str(error))

    def _send(self, transport: Transport, leaving: list[Message]) -> Rejected | None:
        timeout = min(SENDING_SECONDS, self.place.left())
        try:
            self.place.guard.run(timeout, lambda: transport.send(leaving, timeout=timeout))
        except Rejected as rejected:
            return rejected
        except Unavailable:
            raise
        except BaseException as error:  # a transport that breaks its promise loses nothing
            self._note(f"send: {error!r}")
            raise Unavailable(repr(error)) from error
        return None

    def _made(self) -> Transport:
        if self._transport is None:
            name = self.place.config.transport
            try:
                made = self.place.plugins.transport(name, self.place.config.options)
            except BaseException as error:
                self._note(str(error) or repr(error))
                raise Unavailable(str(error)) from error
            self._transport = made
            remember(self.place.folder, name, made.runs.value)
        return self._transport

    def _note(self, text: str) -> None:
        self.place.note(f"transport {self.place.config.transport}", text)
